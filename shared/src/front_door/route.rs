//! `Custom::Route`: what a team writes, parsed and checked as far as that needs nobody's answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::{Host, Url};

use super::cors::{Cors, WrittenCors};
use super::{Method, Methods, Name, RoutePath, Segment};
use crate::error::Error;
use crate::fields::{exactly_one, read, scalar};
use crate::types::{Malformed, Region, RestApiId, StageName};

/// A spec is a few hundred bytes; DynamoDB's item has 400 KB, CloudFormation's request 256 KB.
const SPEC_BYTES_MAX: usize = 16_384;
/// API Gateway's integration time-out.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
pub(super) const TIMEOUT_MS_MIN: u32 = 50;
/// What AWS raises it to at most, for regional and private REST APIs; how far it is raised is the front door's to say.
/// <https://repost.aws/questions/QUlDTc_17EQ_mOJAhR3LHNDw>
pub(super) const TIMEOUT_MS_MAX: u32 = 300_000;
/// Enough for anything, and little enough for an item.
const HEADERS_MAX: usize = 32;

/// A route as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// The front door.
    pub front_door: Name,
    /// The path.
    pub path: RoutePath,
    /// The methods.
    pub methods: Methods,
    /// Where requests go.
    pub backend: Backend,
    /// Who may send them.
    pub auth: Auth,
    /// Whether they need an API key.
    pub api_key_required: bool,
    /// What the backend gets on top.
    pub headers: BTreeMap<HeaderName, HeaderValue>,
    /// How long the backend may take, in milliseconds; API Gateway's 29 s where nothing is said.
    pub timeout_ms: Option<u32>,
    /// Who may ask from another origin; nobody's browser where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

/// Where a route's requests go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backend {
    /// A private REST API.
    PrivateApi {
        /// Its id.
        rest_api_id: RestApiId,
        /// Its stage.
        stage_name: StageName,
        /// The path in it; the route's own where nothing is said.
        path: Option<BackendPath>,
        /// Its region; the front door's own where nothing is said.
        region: Option<Region>,
    },
    /// Whatever a VPC link leads to.
    Http {
        /// The VPC link's name.
        link: Name,
        /// The URL, which may hold the path's parameters.
        url: BackendUrl,
        /// Whether the backend's certificate may be anybody's, for one of a private authority's.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skips_verification: bool,
    },
}

/// Who may send requests to a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// Everybody.
    None,
    /// Whoever AWS knows and lets.
    AwsIam,
    /// Whom one of the front door's authorizers lets.
    Authorizer {
        /// Its name.
        name: Name,
        /// Of a Cognito user pool, the scopes of which an access token has to have one; without any, only ID tokens pass.
        /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html>
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        scopes: BTreeSet<Scope>,
    },
}

crate::checked_string!(
    /// A scope of OAuth 2.0: RFC 6749, section 3.3.
    Scope,
    "a scope such as orders/read: at most 256 printable ASCII characters without spaces, quotes and backslashes",
    |s| (1..=256).contains(&s.len()) && s.bytes().all(|b| matches!(b, b'!'..=b'~') && !matches!(b, b'"' | b'\\'))
);

/// Enough for anything, and little enough for an item.
const SCOPES_MAX: usize = 32;

crate::checked_string!(
    /// An HTTP header's name, none that belongs to the connection or says which API is meant.
    HeaderName,
    "a header's name that a route may set (not one of the connection's, nor Host, nor x-apigw-api-id or x-amzn-…)",
    |s| {
        let lower = s.to_ascii_lowercase();
        (1..=128).contains(&s.len())
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !RESERVED_HEADERS.contains(&lower.as_str())
            && !lower.starts_with("x-amzn-")
            && !lower.starts_with("proxy-")
    }
);

/// What API Gateway or the connection sets, and what tells the `execute-api` endpoint which API is meant.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
const RESERVED_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-apigw-api-id",
    "keep-alive",
];

/// What a header is set to: a text, or an expression of API Gateway's. `method.request.header.X` finds a header that is written
/// exactly so: API Gateway minds the case of headers' names, and clients that speak HTTP/2 send them in lower case.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HeaderValue {
    /// This very text.
    Text(String),
    /// `context.…`, `method.request.header.…`, `method.request.querystring.…` or `method.request.path.…`.
    Expression(String),
}

const EXPRESSIONS: [&str; 4] =
    ["context.", "method.request.header.", "method.request.querystring.", "method.request.path."];

impl TryFrom<String> for HeaderValue {
    type Error = Malformed;
    fn try_from(given: String) -> Result<Self, Malformed> {
        if let Some(prefix) = EXPRESSIONS.iter().find(|prefix| given.starts_with(**prefix)) {
            let rest = &given[prefix.len()..];
            let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            return match !rest.is_empty() && rest.len() <= 256 && rest.bytes().all(is_word) {
                true => Ok(Self::Expression(given)),
                false => {
                    Err(Malformed::new(&given, "an expression such as context.requestId or method.request.header.X"))
                }
            };
        }
        if let Some(wanted) = meant_expression(&given) {
            return Err(Malformed::new(&given, wanted));
        }
        // A quote would end the text inside API Gateway's mapping, a line break the header.
        let is_plain = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'\'' | b'"' | b'\\');
        match given.len() <= 1_024 && given.bytes().all(is_plain) {
            true => Ok(Self::Text(given)),
            false => Err(Malformed::new(
                &given,
                "a text of at most 1,024 printable ASCII characters without quotes and backslashes, or an expression such \
                 as context.requestId",
            )),
        }
    }
}

/// What a text that is written as an expression elsewhere (mapping templates, HTTP APIs, other tools) should be here: as a text
/// it would reach the backend letter by letter.
fn meant_expression(given: &str) -> Option<String> {
    let bare = given.trim_start_matches(['$', '!', '{']).trim_end_matches('}');
    let is_marked = given.starts_with('$');
    for (elsewhere, here) in [
        ("context.", Some("context.")),
        ("method.request.", Some("method.request.")),
        ("request.header.", Some("method.request.header.")),
        ("request.querystring.", Some("method.request.querystring.")),
        ("request.path.", Some("method.request.path.")),
        ("integration.request.", None),
        ("request.", None),
        ("stageVariables.", None),
        ("stageVariables[", None),
        ("input.", None),
        ("util.", None),
    ] {
        let Some(rest) = bare.strip_prefix(elsewhere) else { continue };
        match here {
            Some(here) => return Some(format!("an expression as routes write it: {here}{rest}")),
            None if is_marked
                || matches!(elsewhere, "stageVariables." | "stageVariables[" | "integration.request.") =>
            {
                return Some(format!(
                    "an expression that a route may use: {}…; {elsewhere}… is none of them",
                    EXPRESSIONS.join("…, ")
                ));
            }
            None => {}
        }
    }
    None
}

impl From<HeaderValue> for String {
    fn from(value: HeaderValue) -> Self {
        match value {
            HeaderValue::Text(text) | HeaderValue::Expression(text) => text,
        }
    }
}

/// A path on the backend's side: like a route's, but all of it is the backend's own, so nothing is reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackendPath(String);

impl TryFrom<String> for BackendPath {
    type Error = Malformed;
    fn try_from(given: String) -> Result<Self, Malformed> {
        let wanted = "a path such as /webhooks/{source}: letters, digits and any of . _ ~ - : @ ! $ & + = ; , between \
                      slashes, no '.' or '..' alone, or one of the route's variables";
        let refused = || Malformed::new(&given, wanted);
        let rest = given.strip_prefix('/').filter(|rest| rest.len() <= 1_024).ok_or_else(refused)?;
        let is_text = |b: u8| b.is_ascii_alphanumeric() || b"._~-:@!$&+=;,".contains(&b);
        let fits = |segment: &str| match variable_of(segment) {
            Some(name) => format!("/{{{name}}}").parse::<RoutePath>().is_ok(),
            None => !matches!(segment, "." | "..") && segment.bytes().all(is_text),
        };
        // An empty last segment is a slash at the end, which some backends mind.
        let segments: Vec<&str> = rest.split('/').collect();
        let last = segments.len() - 1;
        let ok = segments.iter().enumerate().all(|(index, one)| fits(one) && (!one.is_empty() || index == last));
        if ok { Ok(Self(given)) } else { Err(refused()) }
    }
}

impl From<BackendPath> for String {
    fn from(path: BackendPath) -> Self {
        path.0
    }
}

impl BackendPath {
    /// The text, with variables in braces. A greedy one has no plus here.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn variable_of(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(name.strip_suffix('+').unwrap_or(name))
}

/// The variables in a backend's text, in its order.
pub fn variables_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter_map(variable_of)
}

/// `http://HOST[:PORT]/PATH` or `https://…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackendUrl {
    text: String,
    host: String,
}

impl TryFrom<String> for BackendUrl {
    type Error = Malformed;
    fn try_from(given: String) -> Result<Self, Malformed> {
        let refused = |wanted| Err(Malformed::new(&given, wanted));
        let Some((scheme, rest)) = given.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        else {
            return refused("a URL that begins with http:// or https://");
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if !path.is_empty() && BackendPath::try_from(path.to_owned()).is_err() {
            return refused(
                "a URL whose path is segments of plain characters or {variables}, without query and fragment",
            );
        }
        let plain = authority.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'));
        let parsed = Url::parse(&format!("{scheme}://{authority}/"));
        let (true, Ok(url)) = (plain, parsed) else {
            return refused("a URL with a host's name and perhaps a port, without a user's name");
        };
        match url.host() {
            // The parser has turned every way of writing an IPv4 address (decimal, octal, short) into one.
            Some(Host::Domain(host)) if is_host_name(host) => {
                Ok(Self { host: host.to_owned(), text: format!("{scheme}://{authority}{path}") })
            }
            _ => refused("a URL whose host is a name in DNS with a dot in it: neither an address nor localhost"),
        }
    }
}

/// A name that can be a backend's. It may be of a private zone (`.internal`, `.local`): where requests go is the VPC link's to
/// say, and the name is only what the Host header and the certificate have.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-api-with-vpclink-using-swagger.html>
fn is_host_name(host: &str) -> bool {
    const OWN: [&str; 2] = ["localhost", "localdomain"];
    let last = host.rsplit('.').next().unwrap_or_default();
    host.contains('.') && !host.ends_with('.') && !OWN.contains(&last)
}

impl From<BackendUrl> for String {
    fn from(url: BackendUrl) -> Self {
        url.text
    }
}

impl BackendUrl {
    /// The text as it was written, with variables in braces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host's name, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    #[serde(default = "Name::default_door")]
    front_door: Name,
    path: RoutePath,
    #[serde(default)]
    methods: Methods,
    backend: WrittenBackend,
    #[serde(deserialize_with = "auth")]
    auth: Auth,
    #[serde(default, deserialize_with = "scalar")]
    api_key_required: Option<bool>,
    #[serde(default)]
    headers: BTreeMap<HeaderName, HeaderValue>,
    #[serde(default, deserialize_with = "scalar")]
    timeout_ms: Option<u32>,
    cors: Option<WrittenCors>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenBackend {
    private_api: Option<WrittenPrivateApi>,
    http: Option<WrittenHttp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenPrivateApi {
    rest_api_id: RestApiId,
    stage_name: StageName,
    path: Option<BackendPath>,
    region: Option<Region>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenHttp {
    link: Name,
    url: BackendUrl,
    #[serde(default, deserialize_with = "scalar")]
    insecure_skip_verification: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenAuthorizer {
    authorizer: Name,
    #[serde(default)]
    scopes: BTreeSet<Scope>,
}

/// A word, or an object: not serde's `untagged`, which says neither which field is wrong nor that one is unknown.
fn auth<'de, D: Deserializer<'de>>(input: D) -> Result<Auth, D::Error> {
    struct WordOrAuthorizer;
    impl<'de> Visitor<'de> for WordOrAuthorizer {
        type Value = Auth;
        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("NONE, AWS_IAM or {Authorizer: name}")
        }
        fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Auth, E> {
            match word {
                "NONE" => Ok(Auth::None),
                "AWS_IAM" => Ok(Auth::AwsIam),
                _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
            }
        }
        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Auth, A::Error> {
            let WrittenAuthorizer { authorizer: name, scopes } =
                WrittenAuthorizer::deserialize(MapAccessDeserializer::new(fields))?;
            Ok(Auth::Authorizer { name, scopes })
        }
    }
    input.deserialize_any(WordOrAuthorizer)
}

impl RouteSpec {
    /// Reads a spec; the error names the field.
    pub fn parse(spec: Value) -> Result<Self, Error> {
        let bytes = spec.to_string().len();
        if bytes > SPEC_BYTES_MAX {
            return Err(Error::invalid(format!("the spec has {bytes} bytes; a route's has {SPEC_BYTES_MAX} at most")));
        }
        if spec.get("Auth").is_none() {
            return Err(Error::invalid(
                "Auth is missing: say NONE, AWS_IAM or {Authorizer: name}; openness is a decision, not a default",
            ));
        }
        let Written { front_door, path, methods, backend, auth, api_key_required, headers, timeout_ms, cors } =
            read(spec)?;
        let WrittenBackend { private_api, http } = backend;
        let private_api = private_api.map(|api| Backend::PrivateApi {
            rest_api_id: api.rest_api_id,
            stage_name: api.stage_name,
            path: api.path,
            region: api.region,
        });
        let http = http.map(|http| Backend::Http {
            link: http.link,
            url: http.url,
            skips_verification: http.insecure_skip_verification.unwrap_or(false),
        });
        let (_, backend) = exactly_one("Backend", vec![("PrivateApi", private_api), ("Http", http)])?;
        if let Auth::Authorizer { scopes, .. } = &auth
            && scopes.len() > SCOPES_MAX
        {
            return Err(Error::invalid(format!("Auth.Scopes: {} are more than {SCOPES_MAX}", scopes.len())));
        }
        if headers.len() > HEADERS_MAX {
            return Err(Error::invalid(format!("Headers: {} are more than {HEADERS_MAX}", headers.len())));
        }
        if let Some(timeout) = timeout_ms.filter(|timeout| !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(timeout)) {
            return Err(Error::invalid(format!(
                "TimeoutMs: {timeout} is not {TIMEOUT_MS_MIN} to {TIMEOUT_MS_MAX} milliseconds"
            )));
        }
        let api_key_required = api_key_required.unwrap_or(false);
        if let Backend::Http { url, skips_verification: true, .. } = &backend
            && !url.as_str().starts_with("https://")
        {
            return Err(Error::invalid(
                "Backend.Http.InsecureSkipVerification: there is no certificate to verify behind an http:// URL",
            ));
        }
        let cors = cors.map(Cors::try_from).transpose()?;
        if cors.is_some() && methods.iter().any(|method| method == Method::Options) {
            return Err(Error::invalid("Cors: it answers OPTIONS itself: leave that out of Methods"));
        }
        let spec = Self { front_door, path, methods, backend, auth, api_key_required, headers, timeout_ms, cors };
        spec.check_variables()?;
        Ok(spec)
    }

    /// Every variable of the backend has to be one of the path's: API Gateway would refuse the whole import.
    fn check_variables(&self) -> Result<(), Error> {
        let known: Vec<&str> = self.path.segments().iter().filter_map(Segment::variable).collect();
        let mapped = self.headers.values().filter_map(|value| match value {
            HeaderValue::Expression(expression) => expression.strip_prefix("method.request.path."),
            HeaderValue::Text(_) => None,
        });
        if let Some(name) = mapped.into_iter().find(|name| !known.contains(name)) {
            return Err(Error::invalid(format!("Headers: {name} is not a variable of the path {}", self.path)));
        }
        let unknown = variables_in(self.backend_text()).find(|name| !known.contains(name));
        match unknown {
            None => self.check_greedy(),
            Some(name) => Err(Error::invalid(format!(
                "Backend: {{{name}}} is not a variable of the path {}: use its own, or write the text itself",
                self.path
            ))),
        }
    }

    /// What a greedy path takes has to go somewhere: without its variable, every request would reach the same page.
    fn check_greedy(&self) -> Result<(), Error> {
        let (Some(Segment::Greedy(name)), false) = (self.path.segments().last(), self.backend_text().is_empty()) else {
            return Ok(());
        };
        if variables_in(self.backend_text()).any(|one| one == name) {
            return Ok(());
        }
        let field = match &self.backend {
            Backend::Http { .. } => "Backend.Http.Url",
            Backend::PrivateApi { .. } => "Backend.PrivateApi.Path",
        };
        Err(Error::invalid(format!(
            "{field}: it does not say where the path's {{{name}+}} goes: write {}/{{{name}}}",
            self.backend_text().trim_end_matches('/')
        )))
    }

    /// The backend's path or URL as it was written; empty where the route's own path is meant.
    pub fn backend_text(&self) -> &str {
        match &self.backend {
            Backend::PrivateApi { path, .. } => path.as_ref().map_or("", BackendPath::as_str),
            Backend::Http { url, .. } => url.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Value {
        json!({
            "Path": "/cats/{proxy+}", "Auth": "AWS_IAM",
            "Backend": {"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "live"}},
        })
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut spec = spec();
        let (parent, field) = pointer.rsplit_once('/').unwrap_or_default();
        spec.pointer_mut(parent).unwrap()[field] = value;
        spec
    }

    #[test]
    fn a_spec_reads_as_cloudformation_and_as_a_command_write_it() {
        let mut written = spec();
        written["TimeoutMs"] = json!("5000");
        written["ApiKeyRequired"] = json!("true");
        written["Headers"] = json!({"X-Team": "cats", "X-Request": "context.requestId"});
        let parsed = RouteSpec::parse(written).unwrap();
        assert_eq!((parsed.timeout_ms, parsed.api_key_required), (Some(5_000), true));
        assert_eq!((parsed.front_door.as_str(), parsed.methods.to_string().as_str()), ("default", "ANY"));
        assert_eq!(parsed.headers[&"X-Request".parse().unwrap()], HeaderValue::Expression("context.requestId".into()));
        let stored = serde_json::to_value(&parsed).unwrap();
        assert_eq!(serde_json::from_value::<RouteSpec>(stored).unwrap(), parsed);
        assert_eq!(
            RouteSpec::parse(with("/Auth", json!({"Authorizer": "pets"}))).unwrap().auth,
            Auth::Authorizer { name: "pets".parse().unwrap(), scopes: BTreeSet::new() }
        );
    }

    #[test]
    fn what_api_gateway_or_a_neighbour_would_mind_is_refused_at_the_door() {
        let http = |url: &str| json!({"Http": {"Link": "gate", "Url": url}});
        for (spec, why) in [
            (with("/Auth", json!(null)), "expected NONE, AWS_IAM or {Authorizer: name}"),
            (with("/Auth", json!("none")), "expected NONE, AWS_IAM"),
            (with("/Auth", json!({"Authorizer": "pets", "Scope": []})), "Auth.Scope: unknown field `Scope`"),
            (with("/Auth", json!({"Authorizer": "pets", "Scopes": ["a b"]})), "Auth.Scopes[0]"),
            (with("/TimeoutMs", json!(49)), "TimeoutMs: 49 is not 50 to 300000"),
            (with("/TimeoutMs", json!("300001")), "TimeoutMs: 300001"),
            (with("/Timeout", json!(1)), "unknown field `Timeout`"),
            (with("/Headers", json!({"X-A": "a\r\nX-B: b"})), "without quotes"),
            (with("/Headers", json!({"X-A": "it's"})), "without quotes"),
            (with("/Headers", json!({"X-A": "context.a b"})), "an expression such as"),
            (with("/Headers", json!({"X-A": "stageVariables.secret"})), "stageVariables.… is none of them"),
            (with("/Headers", json!({"x-apigw-api-id": "z"})), "a route may set"),
            (with("/Headers", json!({"Host": "z"})), "a route may set"),
            (with("/Headers", json!({"X A": "z"})), "a route may set"),
            (with("/Headers", json!({"X-A": "method.request.path.id"})), "id is not a variable of the path"),
            (
                with(
                    "/Backend",
                    json!({"Http": {"Link": "gate", "Url": "http://a.example/", "InsecureSkipVerification": "true"}}),
                ),
                "there is no certificate to verify",
            ),
            (
                with("/Cors", json!({"AllowOrigins": ["*"], "AllowCredentials": "true"})),
                "only without AllowCredentials",
            ),
            (with("/Cors", json!({"AllowOrigins": ["https://a.example", "*"]})), "* stands alone"),
            (with("/Cors", json!({"AllowOrigins": []})), "give 1 to 32"),
            (with("/Cors", json!({"AllowOrigins": ["https://a.example/')"]})), "an origin such as"),
            (with("/Cors", json!({"AllowOrigins": ["capacitor://"]})), "an origin such as"),
            (
                with(
                    "/Cors",
                    json!({"AllowOrigins": ["https://a.example"], "AllowHeaders": ["*"], "AllowCredentials": true}),
                ),
                "* only without AllowCredentials",
            ),
            (with("/Backend/PrivateApi/Path", json!("/all")), "write /all/{proxy}"),
            (with("/Cors", json!({"AllowOrigins": ["*"], "MaxAgeSeconds": "100000"})), "more than 86400"),
            (with("/Backend/PrivateApi/Path", json!("/x/{id}")), "{id} is not a variable of the path"),
            (with("/Backend/PrivateApi/Path", json!("/x/../y")), "no '.' or '..' alone"),
            (with("/Backend/PrivateApi/Region", json!("eu.evil.example/")), "a region such as"),
            (with("/Backend/PrivateApi/RestApiId", json!("x.evil")), "a REST API's id"),
            (with("/Backend", json!({})), "give exactly one of PrivateApi, Http"),
            (with("/Backend", http("ftp://a.example/")), "begins with http"),
            (with("/Backend", http("http://169.254.169.254/latest")), "a name in DNS"),
            (with("/Backend", http("http://2852039166/")), "a name in DNS"),
            (with("/Backend", http("http://0xa9.0xfe.0xa9.0xfe/")), "a name in DNS"),
            (with("/Backend", http("http://127.1/")), "a name in DNS"),
            (with("/Backend", http("http://localhost:8080/")), "a name in DNS"),
            (with("/Backend", http("http://[::1]/")), "a host's name"),
            (with("/Backend", http("http://me@a.example/")), "a host's name"),
            (with("/Backend", http("http://a.example/x?y=z")), "without query"),
            (with("/Backend", http("http://a.example/x#y")), "without query"),
            (with("/Backend", http("http://a.example\\@b.example/")), "a host's name"),
            (with("/Backend", http("http://a.example/${stageVariables.x}")), "plain characters"),
        ] {
            let error = RouteSpec::parse(spec.clone()).unwrap_err();
            assert!(error.message.contains(why), "{spec}: {error}");
        }
        let large = with("/Headers", json!({"X-A": "x".repeat(10 << 20)}));
        assert!(RouteSpec::parse(large).unwrap_err().message.contains("a route's has 16384 at most"));
        let mut silent = spec();
        silent.as_object_mut().unwrap().remove("Auth");
        assert!(RouteSpec::parse(silent).unwrap_err().message.contains("openness is a decision"));
    }

    #[test]
    fn an_expression_in_another_tools_notation_is_refused_with_the_spelling_that_is_meant() {
        for (given, meant) in [
            ("$context.requestId", "context.requestId"),
            ("${context.requestId}", "context.requestId"),
            ("$request.header.X-Team", "method.request.header.X-Team"),
            ("request.querystring.q", "method.request.querystring.q"),
            ("$method.request.path.proxy", "method.request.path.proxy"),
            ("${stageVariables.name}", "stageVariables.… is none of them"),
            ("stageVariables.name", "stageVariables.… is none of them"),
            ("$stageVariables['name']", "stageVariables[… is none of them"),
            ("$input.params('x')", "input.… is none of them"),
            ("integration.request.header.X", "integration.request.… is none of them"),
        ] {
            // A quote is refused as such where it comes first.
            let error = RouteSpec::parse(with("/Headers", json!({"X-A": given}))).unwrap_err();
            assert!(error.message.starts_with("Headers") && error.message.contains(meant), "{given}: {error}");
        }
        for text in ["$5 off", "a context.b", "request.", "input", "contextual"] {
            assert!(RouteSpec::parse(with("/Headers", json!({"X-A": text}))).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_backend_may_have_a_name_of_a_private_zone_and_an_app_an_origin_of_its_own() {
        for host in ["pay.corp.internal", "ip-10-0-0-1.ec2.internal", "nas.local", "a.example"] {
            let url = format!("https://{host}/{{proxy}}");
            assert!(
                RouteSpec::parse(with("/Backend", json!({"Http": {"Link": "gate", "Url": url}}))).is_ok(),
                "{host}"
            );
        }
        let origins =
            ["https://app.example.com", "capacitor://localhost", "ionic://localhost", "http://localhost:3000"];
        let cors = json!({"AllowOrigins": origins, "AllowHeaders": ["*", "Authorization"]});
        assert_eq!(RouteSpec::parse(with("/Cors", cors)).unwrap().cors.unwrap().origins.len(), 4);
    }

    #[test]
    fn scopes_are_kept_with_their_authorizer() {
        let written = with("/Auth", json!({"Authorizer": "pool", "Scopes": ["orders/read", "orders/write"]}));
        let Auth::Authorizer { name, scopes } = RouteSpec::parse(written).unwrap().auth else {
            panic!("no authorizer")
        };
        let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
        assert_eq!((name.as_str(), &scopes[..]), ("pool", &["orders/read", "orders/write"][..]));
    }

    #[test]
    fn what_a_greedy_path_takes_has_to_go_somewhere() {
        let url = |url: &str| with("/Backend", json!({"Http": {"Link": "gate", "Url": url}}));
        for text in ["http://nlb.example.com:8080", "http://nlb.example.com:8080/"] {
            let error = RouteSpec::parse(url(text)).unwrap_err().message;
            assert!(
                error.contains("Backend.Http.Url") && error.contains("write http://nlb.example.com:8080/{proxy}"),
                "{error}"
            );
        }
        assert!(RouteSpec::parse(url("http://nlb.example.com:8080/all/{proxy}")).is_ok());
    }

    #[test]
    fn a_url_may_hold_the_paths_variables() {
        let spec = with(
            "/Backend",
            json!({"Http": {"Link": "gate", "Url": "http://Nlb-1.elb.eu-west-1.amazonaws.com:8084/webhooks/{proxy}"}}),
        );
        let Backend::Http { url, .. } = RouteSpec::parse(spec).unwrap().backend else { panic!("not Http") };
        assert_eq!(url.host(), "nlb-1.elb.eu-west-1.amazonaws.com");
        assert!(url.as_str().ends_with(":8084/webhooks/{proxy}"));
    }
}
