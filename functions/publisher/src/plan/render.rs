//! The OpenAPI 3.0 document of a front door: the same routes give the same bytes.
//!
//! Every method has its security (of security at the root AWS's documentation says that it is ignored, and recordings that it is
//! not), every path variable its canonical name, and what an import in `overwrite` mode would reset stands in the document.
//! Extensions: <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shared::front_door::links::stage_variable;
use shared::front_door::records::ApiSettings;
use shared::front_door::{
    API_KEY, AWS_IAM, Auth, Backend, Cors, FrontDoorSpec, HeaderValue, Method, Mode, RoutePath, RouteSpec, Segment,
    authorizer, authorizer_scheme, policy, variables_in,
};
use shared::types::invoke_url;

use super::{Carried, PublishedRoute};

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
        let own =
            document.entry(key).or_insert_with(|| if key == GATEWAY_RESPONSES { json!({}) } else { value.clone() });
        // Of gateway responses each one stands for itself.
        if let (GATEWAY_RESPONSES, Some(own), Some(there)) = (key.as_str(), own.as_object_mut(), value.as_object()) {
            for (name, response) in there.iter().filter(|(_, response)| !says_nothing_here(response)) {
                own.entry(name).or_insert_with(|| response.clone());
            }
        }
    }
    if let (Some(servers), Mode::Overwrite) = (servers(&had.settings), door.mode) {
        document.insert("servers".into(), servers);
    }
    if let Some(policy) = policy(door, had.policy.as_ref()) {
        document.insert("x-amazon-apigateway-policy".into(), policy);
    }
    let schemes = json!({"securitySchemes": security_schemes(door)});
    merge(document.entry("components").or_insert_with(|| json!({})), schemes, Keep::Ours);
    merge(document.entry("paths").or_insert_with(|| json!({})), json!(paths(goes, region)), Keep::Ours);
    if !had.has_foreign_methods && document["paths"].as_object().is_none_or(Map::is_empty) {
        document["paths"] = json!({"/": {Method::Get.key(): nothing_here()}});
        // What no method takes is "Missing Authentication Token" with 403 elsewhere.
        let responses = document.entry(GATEWAY_RESPONSES).or_insert_with(|| json!({}));
        merge(responses, json!({NO_METHOD: nothing_there()}), Keep::Theirs);
    }
    Value::Object(document)
}

/// The endpoint's settings, where they are not as API Gateway makes them: in OpenAPI 3.0 they are read below `servers` alone.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-endpoint-configuration.html>
fn servers(had: &ApiSettings) -> Option<Value> {
    let mut settings = Map::new();
    if had.disable_execute_api_endpoint {
        settings.insert("disableExecuteApiEndpoint".into(), json!(true));
    }
    if !had.vpc_endpoint_ids.is_empty() {
        settings.insert("vpcEndpointIds".into(), json!(had.vpc_endpoint_ids));
    }
    if let Some(kind) = had.ip_address_type.as_ref().filter(|kind| *kind != "ipv4") {
        settings.insert("ipAddressType".into(), json!(kind));
    }
    let server = || json!([{"url": "/", "x-amazon-apigateway-endpoint-configuration": settings}]);
    (!settings.is_empty()).then(server)
}

/// What API Gateway answers where no resource or method takes the request.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
const NO_METHOD: &str = "MISSING_AUTHENTICATION_TOKEN";
const NOTHING_HERE: &str = "{\"message\": \"Nothing is published here\"}";

fn nothing_there() -> Value {
    json!({"statusCode": "404", "responseTemplates": {"application/json": NOTHING_HERE}})
}

/// Whether a gateway response that the REST API has is ours, from when nothing was published.
fn says_nothing_here(response: &Value) -> bool {
    response["responseTemplates"]["application/json"] == NOTHING_HERE
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
        "x-amazon-apigateway-integration": mock(404, json!({"responseTemplates": {"application/json": NOTHING_HERE}})),
    })
}

/// An integration that answers itself. API Gateway applies templates to text alone: where `*/*` is among the API's binary media
/// types, every body is binary and the template's failure a 500, but for `contentHandling`. A body of a type without a template
/// would reach the mock as it is, which answers that with 500, too.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html>
fn mock(status: u16, mut response: Value) -> Value {
    response["statusCode"] = json!(status.to_string());
    json!({
        "type": "mock",
        "requestTemplates": {"application/json": format!("{{\"statusCode\": {status}}}")},
        "passthroughBehavior": "when_no_templates",
        "contentHandling": "CONVERT_TO_TEXT",
        "responses": {"default": response},
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

fn security_schemes(door: &FrontDoorSpec) -> Map<String, Value> {
    let header = |name: &str| json!({"type": "apiKey", "name": name, "in": "header"});
    let mut iam = header("Authorization");
    iam["x-amazon-apigateway-authtype"] = json!("awsSigv4");
    let mut schemes = Map::from_iter([(AWS_IAM.to_owned(), iam), (API_KEY.to_owned(), header("x-api-key"))]);
    for (name, one) in &door.authorizers {
        let mut scheme = header(authorizer::scheme_header(one));
        let authtype = if authorizer::is_cognito(one) { "cognito_user_pools" } else { "custom" };
        scheme["x-amazon-apigateway-authtype"] = json!(authtype);
        scheme["x-amazon-apigateway-authorizer"] = authorizer::scheme_extension(one);
        schemes.insert(authorizer_scheme(name), scheme);
    }
    schemes
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
    let methods: Vec<&str> = if methods.contains(&Method::Any) {
        Method::all_by_name().map(Method::as_str).collect()
    } else {
        methods.into_iter().map(Method::as_str).collect()
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
    let mut response = json!({});
    match origins[..] {
        [origin] => drop(headers.insert("Access-Control-Allow-Origin", origin.to_owned())),
        _ => {
            headers.insert("Vary", "Origin".to_owned());
            response["responseTemplates"] = json!({"application/json": name_origin(&origins)});
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
        "x-amazon-apigateway-integration": mock(204, response),
    });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    operation
}

/// The template that names the asking origin where that is among several: the answer may name one alone. A list has methods only
/// once it is a variable's. HTTP/2 clients write header names in lower case, and API Gateway minds that; only headers are
/// looked at, since `$input.params("origin")` would find a query parameter first.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>
fn name_origin(known: &[&str]) -> String {
    let known = known.iter().map(|origin| format!("\"{origin}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "#set($known = [{known}])\n#set($headers = $input.params().get(\"header\"))\n#set($origin = \"\")\n\
         #if($headers.containsKey(\"origin\"))\n#set($origin = $headers.get(\"origin\"))\n\
         #elseif($headers.containsKey(\"Origin\"))\n#set($origin = $headers.get(\"Origin\"))\n#end\n\
         #if($known.contains($origin))\n\
         #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)\n#end\n"
    )
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
    // The endpoint of private APIs takes this header before the host's name: a client's own would choose the API.
    // <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-test-invoke-url.html>
    if let Backend::PrivateApi { rest_api_id, .. } = &spec.backend {
        mapped.insert("integration.request.header.x-apigw-api-id".to_owned(), format!("'{rest_api_id}'"));
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

/// An entry for each: API Gateway asks for all of them, though to OpenAPI entries are alternatives. SAM and AWS's exports write it
/// so; of one entry with two keys nobody has said that both are read.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html>
fn security(spec: &RouteSpec) -> Value {
    let mut entries = match &spec.auth {
        Auth::None => Vec::new(),
        Auth::AwsIam => vec![json!({AWS_IAM: []})],
        Auth::Authorizer { name, scopes } => vec![json!({authorizer_scheme(name): scopes})],
    };
    if spec.api_key_required {
        entries.push(json!({API_KEY: []}));
    }
    Value::Array(entries)
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
