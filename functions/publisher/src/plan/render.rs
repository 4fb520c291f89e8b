//! The OpenAPI 3.0 document of a front door: the same routes give the same bytes.
//!
//! Every method has its security (API Gateway ignores it at the root), every path variable its canonical name, and what an
//! import in `overwrite` mode would reset stands in the document. Extensions:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use shared::front_door::{
    Auth, Backend, FrontDoorSpec, HeaderValue, Method, RoutePath, RouteSpec, Segment, variables_in,
};

use super::{Carried, Goes};

/// The policy statement that is ours, so that a later document can tell it from somebody else's policy.
const POLICY_SID: &str = "ForegateAllowedCidrs";
const AWS_IAM: &str = "aws_iam";
const API_KEY: &str = "api_key";

/// The document. What the REST API `had` and nobody has said anything about is carried over.
pub fn render(door: &FrontDoorSpec, had: &Carried, goes: &[Goes], region: &str) -> Value {
    let mut document = door.base_definition.clone();
    document.insert("openapi".into(), json!("3.0.1"));
    let mut info = json!({"title": had.title, "version": "1"});
    if let Some(description) = had.description.as_ref().filter(|text| !text.is_empty()) {
        info["description"] = json!(description);
    }
    merge(document.entry("info").or_insert_with(|| json!({})), info, Keep::Theirs);
    if !had.binary_media_types.is_empty() {
        let key = "x-amazon-apigateway-binary-media-types";
        document.entry(key).or_insert_with(|| json!(had.binary_media_types));
    }
    if let Some(policy) = policy(door, had) {
        document.insert("x-amazon-apigateway-policy".into(), policy);
    }
    let schemes = json!({"securitySchemes": security_schemes(door)});
    merge(document.entry("components").or_insert_with(|| json!({})), schemes, Keep::Ours);
    merge(document.entry("paths").or_insert_with(|| json!({})), json!(paths(goes, region)), Keep::Ours);
    if document["paths"].as_object().is_none_or(Map::is_empty) {
        document["paths"] = json!({"/": {operation_key(Method::Any): nothing_here()}});
    }
    Value::Object(document)
}

/// API Gateway deploys no API without a method. A front door that has lost its last route answers 404 itself.
fn nothing_here() -> Value {
    json!({
        "security": [],
        "responses": {"404": {"description": "Nothing is published here"}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": "{\"statusCode\": 404}"},
            "responses": {"default": {"statusCode": "404"}},
        },
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Ours,
    Theirs,
}

/// Puts `ours` into `theirs`, object by object.
fn merge(theirs: &mut Value, ours: Value, keep: Keep) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, value) in ours {
                match theirs.get_mut(&key) {
                    Some(there) => merge(there, value, keep),
                    None => {
                        theirs.insert(key, value);
                    }
                }
            }
        }
        (theirs, ours) if keep == Keep::Ours => *theirs = ours,
        _ => {}
    }
}

fn policy(door: &FrontDoorSpec, had: &Carried) -> Option<Value> {
    let statement = |effect: &str| json!({"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"});
    if !door.allowed_cidrs.is_empty() {
        let mut deny = statement("Deny");
        deny["Sid"] = json!(POLICY_SID);
        deny["Condition"] = json!({"NotIpAddress": {"aws:SourceIp": door.allowed_cidrs}});
        return Some(json!({"Version": "2012-10-17", "Statement": [statement("Allow"), deny]}));
    }
    had.policy.clone().filter(|policy| !policy.to_string().contains(POLICY_SID))
}

fn security_schemes(door: &FrontDoorSpec) -> Map<String, Value> {
    let header = |name: &str| json!({"type": "apiKey", "name": name, "in": "header"});
    let mut iam = header("Authorization");
    iam["x-amazon-apigateway-authtype"] = json!("awsSigv4");
    let mut schemes = Map::from_iter([(AWS_IAM.to_owned(), iam), (API_KEY.to_owned(), header("x-api-key"))]);
    for (name, authorizer) in &door.authorizers {
        let kind = authorizer.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut scheme = header(if kind == "request" { "Unused" } else { "Authorization" });
        let is_cognito = kind == "cognito_user_pools";
        scheme["x-amazon-apigateway-authtype"] = json!(if is_cognito { "cognito_user_pools" } else { "custom" });
        scheme["x-amazon-apigateway-authorizer"] = authorizer.clone();
        schemes.insert(authorizer_scheme(name.as_str()), scheme);
    }
    schemes
}

/// Apart from our own schemes, whatever the authorizer is called.
fn authorizer_scheme(name: &str) -> String {
    format!("authorizer-{name}")
}

fn paths(goes: &[Goes], region: &str) -> BTreeMap<String, Map<String, Value>> {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for one in goes {
        let item = paths.entry(one.spec.path.canonical().to_string()).or_default();
        for method in one.spec.methods.iter() {
            item.insert(operation_key(method), operation(one, method, region));
        }
    }
    paths
}

/// The key of a path item that stands for the method.
pub fn operation_key(method: Method) -> String {
    match method {
        Method::Any => "x-amazon-apigateway-any-method".to_owned(),
        other => other.as_str().to_ascii_lowercase(),
    }
}

fn operation(one: &Goes, method: Method, region: &str) -> Value {
    let spec = &one.spec;
    let names = spec.path.variables();
    let mut parameters: Vec<Value> = names.iter().map(|(_, canonical)| parameter("path", canonical, true)).collect();
    let mut mapped = BTreeMap::new();
    for (own, canonical) in names.iter().filter(|(own, _)| uses(spec, own)) {
        mapped.insert(format!("integration.request.path.{own}"), format!("method.request.path.{canonical}"));
    }
    for (header, value) in &spec.headers {
        let value = match value {
            HeaderValue::Text(text) => format!("'{text}'"),
            HeaderValue::Expression(expression) => {
                let expression = canonical_expression(expression, &names);
                parameters.extend(declared(&expression));
                expression
            }
        };
        mapped.insert(format!("integration.request.header.{header}"), value);
    }
    parameters.sort_by_key(Value::to_string);
    parameters.dedup();
    let mut integration = json!({
        "type": "http_proxy",
        "httpMethod": method.as_str(),
        "uri": uri(spec, region),
        "connectionType": "VPC_LINK",
        "connectionId": one.link_id,
        "passthroughBehavior": "when_no_match",
    });
    if !mapped.is_empty() {
        integration["requestParameters"] = json!(mapped);
    }
    if let Some(timeout) = spec.timeout_ms {
        integration["timeoutInMillis"] = json!(timeout);
    }
    let mut operation = json!({
        "security": security(spec),
        "responses": {"default": {"description": "What the backend answers"}},
        "x-amazon-apigateway-integration": integration,
    });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    operation
}

/// Whether the backend's URL has the path's variable.
fn uses(spec: &RouteSpec, own: &str) -> bool {
    match (&spec.backend, spec.backend_text()) {
        (Backend::PrivateApi { path: None, .. }, _) => true,
        (_, text) => variables_in(text).any(|name| name == own),
    }
}

fn parameter(place: &str, name: &str, required: bool) -> Value {
    json!({"name": name, "in": place, "required": required, "schema": {"type": "string"}})
}

/// A path's variable in an expression, by its canonical name.
fn canonical_expression(expression: &str, names: &[(String, String)]) -> String {
    let own = expression.strip_prefix("method.request.path.");
    let known = own.and_then(|own| names.iter().find(|(name, _)| name == own));
    known.map_or_else(|| expression.to_owned(), |(_, canonical)| format!("method.request.path.{canonical}"))
}

/// What an expression reads of the request has to be a parameter of the method.
fn declared(expression: &str) -> Option<Value> {
    let (place, name) = expression.strip_prefix("method.request.")?.split_once('.')?;
    match place {
        "querystring" => Some(parameter("query", name, false)),
        "header" => Some(parameter("header", name, false)),
        _ => None,
    }
}

fn security(spec: &RouteSpec) -> Value {
    let mut all = Map::new();
    match &spec.auth {
        Auth::None => {}
        Auth::AwsIam => {
            all.insert(AWS_IAM.into(), json!([]));
        }
        Auth::Authorizer(name) => {
            all.insert(authorizer_scheme(name.as_str()), json!([]));
        }
    }
    if spec.api_key_required {
        all.insert(API_KEY.into(), json!([]));
    }
    if all.is_empty() { json!([]) } else { json!([all]) }
}

/// The backend's URL, with variables in braces. A greedy one stands there without its plus.
fn uri(spec: &RouteSpec, region: &str) -> String {
    match &spec.backend {
        Backend::Http { url, .. } => without_plus(url.as_str()),
        Backend::PrivateApi { rest_api_id, stage_name, path, region: own } => {
            let region = own.as_ref().map_or(region, |region| region.as_str());
            let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            let path = path.as_ref().map_or_else(|| own_path(&spec.path), |path| without_plus(path.as_str()));
            format!("https://{rest_api_id}.execute-api.{region}.{domain}/{stage_name}{path}")
        }
    }
}

fn without_plus(text: &str) -> String {
    text.replace("+}", "}")
}

fn own_path(path: &RoutePath) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Variable(name) | Segment::Greedy(name) => format!("/{{{name}}}"),
    };
    path.segments().iter().map(part).collect()
}
