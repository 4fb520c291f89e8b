//! What an export says. In comes the OpenAPI 3.0 document of a stage, out come the hash by which a change is noticed and
//! the methods with who is let in.
//!
//! An export is what GetExport gives as `oas30` with the extensions `integrations` and `authorizers`:
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_GetExport.html>. It is read leniently: what is not where it
//! should be says nothing, and nothing in it can make a scan fail.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::front_door::Method as Verb;
use crate::origin::hash;

/// Who a method lets in, as its stage's export says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Auth {
    /// Everybody.
    #[default]
    None,
    /// Who signs with AWS's credentials.
    Iam,
    /// Whom an authorizer lets in.
    Authorizer,
}

/// A method of a stage, as far as rules and searches need it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Method {
    /// `GET`, …, or `ANY`.
    pub method: String,
    /// Its path, with its variables.
    pub path: String,
    /// Who is let in.
    pub auth: Auth,
    /// Whether an API key is asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub api_key: bool,
    /// Whether it answers by itself (MOCK): nothing of anybody's is behind it.
    #[serde(skip_serializing_if = "is_false")]
    pub is_mock: bool,
    /// Whether it goes to `http://` through a VPC link.
    #[serde(skip_serializing_if = "is_false")]
    pub is_plain_behind_link: bool,
    /// Whether it does not check its backend's certificate.
    #[serde(skip_serializing_if = "is_false")]
    pub trusts_any_certificate: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The method that stands for all that the path does not name.
pub const ANY: &str = "ANY";
/// How many references may lead to one another: a document can make them lead in a circle.
const HOPS_MAX: usize = 16;

/// The hash of what the document says, the same for two deployments of the same API.
///
/// Left out are `info.version`, which is the time of the deployment, and `servers`, which follows from where the API is. The
/// order of keys is no matter: `serde_json`'s maps are sorted, and a test fails should a dependency switch that off.
pub fn hash_of(document: &Value) -> String {
    let mut shown = document.clone();
    if let Some(root) = shown.as_object_mut() {
        root.remove("servers");
    }
    if let Some(info) = shown.get_mut("info").and_then(Value::as_object_mut) {
        info.remove("version");
    }
    hash(&shown.to_string())
}

/// The methods, in the order of paths and then of methods.
pub fn methods_of(document: &Value) -> Vec<Method> {
    let mut methods: Vec<Method> = operations(document).map(|operation| method_of(document, operation)).collect();
    methods.sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
    methods
}

fn method_of(document: &Value, operation: Operation<'_>) -> Method {
    let Access { auth, api_key, .. } = access(document, operation);
    let integration = operation.says.get("x-amazon-apigateway-integration").unwrap_or(&Value::Null);
    let is = |key: &str, wanted: &str| text(integration, key).is_some_and(|given| given.eq_ignore_ascii_case(wanted));
    let skips = integration.pointer("/tlsConfig/insecureSkipVerification").and_then(Value::as_bool);
    Method {
        method: operation.method.to_owned(),
        path: operation.path.to_owned(),
        auth,
        api_key,
        is_mock: is("type", "mock"),
        is_plain_behind_link: is("connectionType", "VPC_LINK") && text(integration, "uri").is_some_and(is_plain),
        trusts_any_certificate: skips.unwrap_or(false),
    }
}

fn is_plain(uri: &str) -> bool {
    uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}

/// A method on a path, where the document has it.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The path, with its variables.
    pub path: &'a str,
    /// `GET`, …, or [`ANY`].
    pub method: &'static str,
    /// The operation itself.
    pub says: &'a Value,
    /// The path's item, for what all of its operations share.
    pub item: &'a Value,
}

/// All operations of a document.
pub fn operations(document: &Value) -> impl Iterator<Item = Operation<'_>> {
    entries(document.get("paths")).flat_map(|(path, item)| {
        let verbs = Verb::all_by_name().chain([Verb::Any]);
        let named = verbs.filter_map(move |verb| Some((verb.as_str(), item.get(verb.key())?)));
        named.map(move |(method, says)| Operation { path, method, says, item })
    })
}

/// What a client needs to be let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Who is let in.
    pub auth: Auth,
    /// Whether an API key is asked for.
    pub api_key: bool,
    /// What the authorizer looks at: where the token stands and which user pools may have issued it.
    pub tokens: BTreeSet<String>,
    /// The scopes of which a token needs one.
    pub scopes: BTreeSet<String>,
}

/// What a client needs for an operation.
///
/// Security at the document's root is ignored, as API Gateway ignores it. All schemes that the operation names are asked for:
/// a method has at most one way to authorize and a flag for API keys, and whether an export has them in one object or in two
/// makes no difference. A scheme that is not defined asks for nothing: of a method that is wrongly called open somebody will
/// hear, of one that is wrongly called guarded nobody.
pub fn access(document: &Value, operation: Operation<'_>) -> Access {
    let mut access = Access::default();
    // The older way to ask for AWS_IAM.
    // <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-auth.html>
    let own = operation.says.pointer("/x-amazon-apigateway-auth/type").and_then(Value::as_str);
    if own.is_some_and(|kind| kind.eq_ignore_ascii_case("AWS_IAM")) {
        access.auth = Auth::Iam;
    }
    let schemes = document.pointer("/components/securitySchemes").unwrap_or(&Value::Null);
    for (name, scopes) in items(operation.says.get("security")).flat_map(|one| entries(Some(one))) {
        if let Some(scheme) = schemes.get(name) {
            access.ask(resolve(document, scheme), scopes);
        }
    }
    access
}

impl Access {
    fn ask(&mut self, scheme: &Value, scopes: &Value) {
        match Asks::of(scheme) {
            Asks::ApiKey => self.api_key = true,
            Asks::Signature => self.auth = self.auth.max(Auth::Iam),
            Asks::Token => {
                self.auth = Auth::Authorizer;
                self.tokens.insert(token(scheme));
                self.scopes.extend(items(Some(scopes)).filter_map(Value::as_str).map(str::to_owned));
            }
        }
    }
}

/// What a security scheme asks for.
enum Asks {
    ApiKey,
    Signature,
    Token,
}

impl Asks {
    /// A Lambda authorizer is of the type `apiKey` too, and its header may be called `x-api-key`: what tells it from an API
    /// key is that it has an extension.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html>
    fn of(scheme: &Value) -> Self {
        let authtype = text(scheme, "x-amazon-apigateway-authtype");
        let is_extended = authtype.is_some() || scheme.get("x-amazon-apigateway-authorizer").is_some();
        let header = text(scheme, "name").filter(|_| text(scheme, "in") == Some("header")).unwrap_or_default();
        match (text(scheme, "type"), authtype) {
            (_, Some(authtype)) if authtype.eq_ignore_ascii_case("awsSigv4") => Self::Signature,
            (Some("apiKey"), _) if !is_extended && header.eq_ignore_ascii_case("x-api-key") => Self::ApiKey,
            _ => Self::Token,
        }
    }
}

/// What a client has to show to an authorizer. Which function looks at it is none of the client's business.
fn token(scheme: &Value) -> String {
    let authorizer = scheme.get("x-amazon-apigateway-authorizer").unwrap_or(&Value::Null);
    let pools: BTreeSet<&str> = items(authorizer.get("providerARNs")).filter_map(Value::as_str).collect();
    let place = text(authorizer, "identitySource").or_else(|| text(scheme, "name")).unwrap_or_default();
    format!("{place} {pools:?}")
}

/// What a value says, or what it refers to within the document. A reference that leads nowhere says nothing.
pub fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    for _ in 0..HOPS_MAX {
        let Some(reference) = text(value, "$ref") else { return value };
        let Some(there) = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)) else { break };
        value = there;
    }
    &Value::Null
}

/// The text under a key, if it is one.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// The entries of an object; of anything else, none.
pub fn entries(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let entries = value.and_then(Value::as_object).into_iter().flat_map(Map::iter);
    entries.map(|(key, value)| (key.as_str(), value))
}

/// The items of an array; of anything else, none.
pub fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pets() -> Value {
        serde_json::from_str(include_str!("openapi/pets.json")).unwrap()
    }

    /// A document with one operation, `GET /cats`.
    fn document(operation: Value, schemes: Value) -> Value {
        json!({"paths": {"/cats": {"get": operation}}, "components": {"securitySchemes": schemes}})
    }

    #[test]
    fn two_deployments_of_the_same_api_have_one_hash() {
        let was = hash_of(&pets());
        let cases = [
            ("/info/version", json!("2031-01-01T00:00:00Z"), true),
            ("/servers", json!([{"url": "https://pets.example.com"}]), true),
            ("/info/title", json!("pets-2"), false),
            ("/paths/~1cats/get/x-amazon-apigateway-integration/uri", json!("https://other.example.com"), false),
            ("/components/schemas/Cat/required", json!(["id"]), false),
        ];
        for (pointer, value, is_same) in cases {
            let mut document = pets();
            *document.pointer_mut(pointer).unwrap() = value;
            assert_eq!(hash_of(&document) == was, is_same, "{pointer}");
        }
    }

    #[test]
    fn the_order_of_keys_is_no_matter() {
        let one: Value = serde_json::from_str(r#"{"info": {"title": "pets"}, "paths": {"/a": {}, "/b": {}}}"#).unwrap();
        let other: Value =
            serde_json::from_str(r#"{"paths": {"/b": {}, "/a": {}}, "info": {"title": "pets"}}"#).unwrap();
        assert_eq!(hash_of(&one), hash_of(&other));
    }

    #[test]
    fn what_is_no_document_has_no_methods_and_still_a_hash() {
        for nonsense in
            [json!(null), json!([]), json!("x"), json!({"info": 1, "paths": [1]}), json!({"paths": {"/": 7}})]
        {
            assert_eq!(methods_of(&nonsense), vec![], "{nonsense}");
            assert_eq!(hash_of(&nonsense).len(), 64);
        }
    }

    #[test]
    fn an_export_says_of_every_method_who_is_let_in_and_where_it_goes() {
        let line = |one: &Method| {
            let flags = [
                (one.api_key, "key"),
                (one.is_mock, "mock"),
                (one.is_plain_behind_link, "plain"),
                (one.trusts_any_certificate, "any-certificate"),
            ];
            let flags: Vec<&str> = flags.into_iter().filter_map(|(is_set, name)| is_set.then_some(name)).collect();
            format!("{} {} {:?} {}", one.method, one.path, one.auth, flags.join(" ")).trim_end().to_owned()
        };
        let lines: Vec<String> = methods_of(&pets()).iter().map(line).collect();
        let expected = [
            "GET /cats None",
            "OPTIONS /cats None mock",
            "POST /cats Iam key",
            "DELETE /cats/{id} Authorizer",
            "GET /cats/{id} Authorizer",
            "ANY /legacy/{proxy+} None plain",
            "GET /reports Authorizer any-certificate",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn schemes_are_told_apart_by_their_extensions() {
        let header = |name: &str| json!({"type": "apiKey", "name": name, "in": "header"});
        let extended = |name: &str, key: &str, value: Value| {
            let mut scheme = header(name);
            scheme[key] = value;
            scheme
        };
        let authtype = "x-amazon-apigateway-authtype";
        let cases = [
            ("an API key", header("x-api-key"), Auth::None, true),
            ("an API key in capitals", header("X-API-Key"), Auth::None, true),
            ("a signature", extended("Authorization", authtype, json!("awsSigv4")), Auth::Iam, false),
            ("a token", header("Authorization"), Auth::Authorizer, false),
            ("a token called as keys are", extended("x-api-key", authtype, json!("custom")), Auth::Authorizer, false),
            (
                "an authorizer",
                extended("x-api-key", "x-amazon-apigateway-authorizer", json!({})),
                Auth::Authorizer,
                false,
            ),
            ("a user pool", extended("Authorization", authtype, json!("cognito_user_pools")), Auth::Authorizer, false),
            ("OAuth", json!({"type": "oauth2", "flows": {}}), Auth::Authorizer, false),
            (
                "a key in the query",
                json!({"type": "apiKey", "name": "x-api-key", "in": "query"}),
                Auth::Authorizer,
                false,
            ),
        ];
        for (what, scheme, auth, api_key) in cases {
            let document = document(json!({"security": [{"it": []}]}), json!({"it": scheme}));
            let methods = methods_of(&document);
            assert_eq!((methods[0].auth, methods[0].api_key), (auth, api_key), "{what}");
        }
    }

    #[test]
    fn every_scheme_that_is_named_is_asked_for() {
        let schemes = json!({
            "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
            "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
        });
        let cases = [
            (json!({"security": [{"api_key": []}, {"sigv4": []}]}), Auth::Iam, true),
            (json!({"security": [{"api_key": [], "sigv4": []}]}), Auth::Iam, true),
            (json!({"security": []}), Auth::None, false),
            (json!({}), Auth::None, false),
            (json!({"security": [{"unheard-of": []}]}), Auth::None, false),
            (json!({"x-amazon-apigateway-auth": {"type": "aws_iam"}}), Auth::Iam, false),
            (json!({"x-amazon-apigateway-auth": {"type": "NONE"}, "security": [{"api_key": []}]}), Auth::None, true),
        ];
        for (operation, auth, api_key) in cases {
            let mut document = document(operation.clone(), schemes.clone());
            document["security"] = json!([{"sigv4": []}, {"api_key": []}]);
            let methods = methods_of(&document);
            assert_eq!((methods[0].auth, methods[0].api_key), (auth, api_key), "{operation}");
        }
    }

    #[test]
    fn a_backend_is_plain_only_behind_a_link() {
        let cases = [
            ("http://nlb.example.com", "VPC_LINK", true),
            ("HTTP://nlb.example.com", "VPC_LINK", true),
            ("https://nlb.example.com", "VPC_LINK", false),
            ("http://www.example.com", "INTERNET", false),
            ("é", "VPC_LINK", false),
        ];
        for (uri, connection, is_plain) in cases {
            let integration = json!({"type": "http_proxy", "uri": uri, "connectionType": connection});
            let document = document(json!({"x-amazon-apigateway-integration": integration}), json!({}));
            assert_eq!(methods_of(&document)[0].is_plain_behind_link, is_plain, "{uri} {connection}");
        }
    }

    #[test]
    fn references_in_a_circle_lead_nowhere() {
        let document =
            json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "c": {"$ref": "#/d"}, "d": {"type": "string"}});
        let cases = [("a", json!(null)), ("c", json!({"type": "string"})), ("d", json!({"type": "string"}))];
        for (key, expected) in cases {
            assert_eq!(resolve(&document, &document[key]), &expected, "{key}");
        }
    }
}
