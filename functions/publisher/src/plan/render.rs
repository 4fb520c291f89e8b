//! The OpenAPI 3.0 document of a front door: the same routes give the same bytes.
//!
//! Every method has its security (API Gateway ignores it at the root), every path variable its canonical name, and what an
//! import in `overwrite` mode would reset stands in the document. Extensions:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shared::front_door::links::stage_variable;
use shared::front_door::{
    Auth, Backend, Cors, FrontDoorSpec, HeaderValue, Method, Mode, RoutePath, RouteSpec, Segment, variables_in,
};
use shared::types::invoke_url;

use super::{Carried, PublishedRoute};

/// The policy statement that is ours, so that a later document can tell it from somebody else's policy.
const POLICY_SID: &str = "ForegateAllowedCidrs";
const AWS_IAM: &str = "aws_iam";
/// The scheme of API keys.
pub const API_KEY: &str = "api_key";
/// The extension that holds an object of gateway responses.
pub const GATEWAY_RESPONSES: &str = "x-amazon-apigateway-gateway-responses";

/// The document. What the REST API `had` and nobody has said anything about is carried over.
pub fn render(door: &FrontDoorSpec, had: &Carried, goes: &[PublishedRoute], region: &str) -> Value {
    let mut document = door.base_definition.clone();
    document.insert("openapi".into(), json!("3.0.1"));
    let mut info = json!({"title": had.title, "version": "1"});
    if let Some(description) = had.description.as_ref().filter(|text| !text.is_empty()) {
        info["description"] = json!(description);
    }
    merge(document.entry("info").or_insert_with(|| json!({})), info, Keep::Theirs);
    for (key, value) in &had.extensions {
        let own = document.entry(key).or_insert_with(|| value.clone());
        // Of gateway responses each one stands for itself.
        if let (GATEWAY_RESPONSES, Some(own), Some(there)) = (key.as_str(), own.as_object_mut(), value.as_object()) {
            for (name, response) in there {
                own.entry(name).or_insert_with(|| response.clone());
            }
        }
    }
    if let Some(policy) = policy(door, had) {
        document.insert("x-amazon-apigateway-policy".into(), policy);
    }
    let schemes = json!({"securitySchemes": security_schemes(door)});
    merge(document.entry("components").or_insert_with(|| json!({})), schemes, Keep::Ours);
    merge(document.entry("paths").or_insert_with(|| json!({})), json!(paths(goes, region)), Keep::Ours);
    if !had.has_foreign_methods && document["paths"].as_object().is_none_or(Map::is_empty) {
        document["paths"] = json!({"/": {Method::Any.key(): nothing_here()}});
    }
    Value::Object(document)
}

/// The settings that the base definition names itself: when it does so no more, they go.
pub fn settings(base_definition: &Map<String, Value>) -> BTreeSet<String> {
    let named = base_definition.iter().filter(|(key, _)| key.starts_with("x-amazon-apigateway-"));
    let named = named.flat_map(|(key, value)| match value.as_object() {
        Some(responses) if key == GATEWAY_RESPONSES => {
            responses.keys().map(|one| format!("{GATEWAY_RESPONSES}/{one}")).collect()
        }
        _ => vec![key.clone()],
    });
    named.collect()
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

/// The resource policy. With one, API Gateway lets in nobody whom it does not allow, so it allows whoever comes without a
/// signature (`aws:PrincipalArn` is missing then); those who come with one need a permission of their own, as they would
/// without a policy: an `Allow` for them would stand in the place of that.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html>
fn policy(door: &FrontDoorSpec, had: &Carried) -> Option<Value> {
    let statement = |sid: &str, effect: &str, condition: Value| {
        json!({"Sid": sid, "Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
               "Condition": condition})
    };
    let anonymous = statement("ForegateAnonymous", "Allow", json!({"Null": {"aws:PrincipalArn": "true"}}));
    let version = "2012-10-17";
    if !door.allowed_cidrs.is_empty() {
        let others = json!({"NotIpAddress": {"aws:SourceIp": door.allowed_cidrs}});
        let others = statement(POLICY_SID, "Deny", others);
        return Some(json!({"Version": version, "Statement": [anonymous, others]}));
    }
    let is_ours = had.policy.as_ref().is_some_and(|policy| policy.to_string().contains(POLICY_SID));
    match (is_ours, door.mode) {
        (false, _) => had.policy.clone(),
        (true, Mode::Overwrite) => None,
        // A merge leaves what the document does not name: this says the same as no policy.
        (true, Mode::Merge) => Some(json!({"Version": version, "Statement": [anonymous]})),
    }
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

fn paths(goes: &[PublishedRoute], region: &str) -> BTreeMap<String, Map<String, Value>> {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut cors: BTreeMap<&RoutePath, (&Cors, BTreeSet<Method>)> = BTreeMap::new();
    for one in goes {
        let item = paths.entry(one.path.to_string()).or_default();
        for method in one.spec.methods.iter() {
            item.insert(method.key(), operation(one, method, region));
        }
        if let Some(asked) = &one.spec.cors {
            cors.entry(&one.path).or_insert_with(|| (asked, BTreeSet::new())).1.extend(one.spec.methods.iter());
        }
    }
    for (path, (asked, methods)) in cors {
        paths.entry(path.to_string()).or_default().insert(Method::Options.key(), preflight(path, asked, methods));
    }
    paths
}

/// What a browser hears that asks whether it may: API Gateway answers itself, to everybody, since it asks without
/// credentials. The one place of a path for all routes on it.
fn preflight(path: &RoutePath, cors: &Cors, methods: BTreeSet<Method>) -> Value {
    let methods: Vec<&str> = match methods.contains(&Method::Any) {
        true => Method::all_by_name().map(Method::as_str).collect(),
        false => methods.into_iter().map(Method::as_str).collect(),
    };
    let origins: Vec<&str> = cors.origins.iter().map(|origin| origin.as_str()).collect();
    let mut headers = BTreeMap::from([("Access-Control-Allow-Methods", methods.join(","))]);
    if !cors.headers.is_empty() {
        let names: Vec<&str> = cors.headers.iter().map(|name| name.as_str()).collect();
        headers.insert("Access-Control-Allow-Headers", names.join(","));
    }
    if cors.credentials {
        headers.insert("Access-Control-Allow-Credentials", "true".to_owned());
    }
    if let Some(seconds) = cors.max_age_seconds {
        headers.insert("Access-Control-Max-Age", seconds.to_string());
    }
    let mut response = json!({"statusCode": "204"});
    match origins[..] {
        [origin] => drop(headers.insert("Access-Control-Allow-Origin", origin.to_owned())),
        // The answer may name one origin: the asking one, if it is among them.
        _ => {
            headers.insert("Vary", "Origin".to_owned());
            let known = origins.iter().map(|origin| format!("\"{origin}\"")).collect::<Vec<_>>().join(", ");
            response["responseTemplates"] = json!({"application/json": format!(
                "#set($origin = $input.params(\"Origin\"))\n#if([{known}].contains($origin))\n\
                 #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)\n#end\n"
            )});
        }
    }
    let declared: Map<String, Value> =
        headers.keys().map(|name| ((*name).to_owned(), json!({"schema": {"type": "string"}}))).collect();
    let set: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (format!("method.response.header.{name}"), json!(format!("'{value}'"))))
        .collect();
    response["responseParameters"] = json!(set);
    let parameters: Vec<Value> =
        path.segments().iter().filter_map(Segment::variable).map(|name| parameter("path", name, true)).collect();
    let mut operation = json!({
        "security": [],
        "responses": {"204": {"description": "Which other origins may ask", "headers": declared}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": "{\"statusCode\": 204}"},
            "passthroughBehavior": "when_no_match",
            "responses": {"default": response},
        },
    });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    operation
}

fn operation(one: &PublishedRoute, method: Method, region: &str) -> Value {
    let spec = &one.spec;
    let names = &one.names;
    let mut parameters: Vec<Value> = names.iter().map(|(_, canonical)| parameter("path", canonical, true)).collect();
    let mut mapped = BTreeMap::new();
    for (own, canonical) in names.iter().filter(|(own, _)| uses(spec, own)) {
        mapped.insert(format!("integration.request.path.{own}"), format!("method.request.path.{canonical}"));
    }
    for (header, value) in &spec.headers {
        let value = match value {
            HeaderValue::Text(text) => format!("'{text}'"),
            HeaderValue::Expression(expression) => {
                let expression = canonical_expression(expression, names);
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
        "connectionId": format!("${{stageVariables.{}}}", stage_variable(&one.link)),
        "passthroughBehavior": "when_no_match",
    });
    if !mapped.is_empty() {
        integration["requestParameters"] = json!(mapped);
    }
    if let Backend::Http { skips_verification: true, .. } = &spec.backend {
        integration["tlsConfig"] = json!({"insecureSkipVerification": true});
    }
    if let Some(timeout) = spec.timeout_ms {
        integration["timeoutInMillis"] = json!(timeout);
    }
    let mut operation = json!({
        "security": security(spec),
        "responses": {"200": {"description": "What the backend answers"}},
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
            let path = path.as_ref().map_or_else(|| own_path(&spec.path), |path| without_plus(path.as_str()));
            format!("{}{path}", invoke_url(rest_api_id, region, stage_name.as_str()))
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
