//! `Custom::FrontDoor`: the REST API that routes are published on, and what the platform team says about all of it.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::path::RESERVED;
use super::records::Route;
use super::{Auth, Backend, Method, Methods, Name, RoutePath, RouteSpec, Segment, claims};
use crate::error::Error;
use crate::fields::{read, scalar};
use crate::types::{RestApiId, StageName, VpcEndpointId, invoke_url};

/// API Gateway's quota of resources per REST API where nothing is said; it can be raised.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
const RESOURCES_MAX: u32 = 300;
/// The definition stands in an item of DynamoDB's, which has 400 KB, beside the rest.
const BASE_DEFINITION_BYTES_MAX: usize = 300 << 10;
/// How many routes an error names that use what is to go.
const USERS_MAX: usize = 5;
/// API Gateway's quota of authorizers per REST API.
const AUTHORIZERS_MAX: usize = 10;

/// API Gateway's quota of a resource policy's length, and what of it is not ranges.
const POLICY_BYTES_MAX: usize = 8_192;
const POLICY_BYTES: usize = 500;

/// A front door as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontDoorSpec {
    /// Its name.
    pub name: Name,
    /// The REST API.
    pub rest_api_id: RestApiId,
    /// The stage that clients use.
    pub stage_name: StageName,
    /// What becomes of what Foregate did not publish.
    pub mode: Mode,
    /// From where requests are let in; from everywhere where nothing is said.
    pub allowed_cidrs: BTreeSet<IpNet>,
    /// API Gateway's own description (`x-amazon-apigateway-authorizer`) of each authorizer.
    pub authorizers: BTreeMap<Name, Value>,
    /// OpenAPI that is the platform team's own: paths, models, gateway responses.
    pub base_definition: Map<String, Value>,
    /// The VPC link that leads to the `execute-api` endpoint.
    pub private_api_link: Option<Name>,
    /// The endpoints that that link leads to, where that is said: private APIs have to let them in, and nobody else.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub vpc_endpoint_ids: BTreeSet<VpcEndpointId>,
    /// How many resources a REST API may have.
    pub resources_max: u32,
    /// The custom domain name below which each first segment has a REST API of its own; where nothing is said, all routes
    /// are on the one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<DomainName>,
}

crate::checked_string!(
    /// A custom domain name of API Gateway's.
    DomainName,
    "a domain name such as api.example.com",
    |s| {
        let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        s.len() <= 253 && s.contains('.') && s.split('.').all(label)
    }
);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenShards {
    domain_name: DomainName,
}

/// What becomes of paths that Foregate did not publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// They go.
    #[default]
    Overwrite,
    /// They stay as they are.
    Merge,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    #[serde(default = "Name::default_door")]
    name: Name,
    rest_api_id: RestApiId,
    stage_name: StageName,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    allowed_cidrs: BTreeSet<IpNet>,
    #[serde(default)]
    authorizers: BTreeMap<Name, Value>,
    #[serde(default)]
    base_definition: Option<Value>,
    private_api_link: Option<Name>,
    #[serde(default)]
    vpc_endpoint_ids: BTreeSet<VpcEndpointId>,
    #[serde(default, deserialize_with = "scalar")]
    resource_limit: Option<u32>,
    shards: Option<WrittenShards>,
}

impl FrontDoorSpec {
    /// Reads a spec; the error names the field.
    pub fn parse(spec: Value) -> Result<Self, Error> {
        let Written {
            name,
            rest_api_id,
            stage_name,
            mode,
            allowed_cidrs,
            authorizers,
            base_definition,
            private_api_link,
            vpc_endpoint_ids,
            resource_limit,
            shards,
        } = read(spec)?;
        if shards.is_some() && mode == Mode::Merge {
            return Err(Error::invalid("Shards: its REST APIs are Foregate's own, so Mode has to be Overwrite"));
        }
        if authorizers.len() > AUTHORIZERS_MAX {
            return Err(Error::invalid(format!(
                "Authorizers: API Gateway takes {AUTHORIZERS_MAX}, and there are {}",
                authorizers.len()
            )));
        }
        let policy_bytes = POLICY_BYTES + allowed_cidrs.iter().map(|cidr| cidr.to_string().len() + 3).sum::<usize>();
        if policy_bytes > POLICY_BYTES_MAX {
            return Err(Error::invalid(format!(
                "AllowedCidrs: a resource policy has {POLICY_BYTES_MAX} characters at most, and these ranges need \
                 {policy_bytes}: use larger ranges"
            )));
        }
        let authorizers = authorizers.into_iter().map(|(name, one)| Ok((name.clone(), authorizer(&name, one)?)));
        let spec = Self {
            authorizers: authorizers.collect::<Result<_, Error>>()?,
            base_definition: definition(base_definition)?,
            name,
            rest_api_id,
            stage_name,
            mode,
            allowed_cidrs,
            private_api_link,
            vpc_endpoint_ids,
            resources_max: resource_limit.unwrap_or(RESOURCES_MAX),
            shards: shards.map(|shards| shards.domain_name),
        };
        spec.base_paths()?;
        Ok(spec)
    }

    /// Where clients reach it, without a slash at the end.
    pub fn invoke_url(&self, region: &str) -> String {
        if let Some(domain) = &self.shards {
            return format!("https://{}", domain.as_str());
        }
        invoke_url(&self.rest_api_id, region, self.stage_name.as_str())
    }

    /// The same for one first segment's REST API: the platform team's own paths are on the front door's.
    pub fn shard(&self) -> Self {
        let mut shard = self.clone();
        shard.base_definition.remove("paths");
        shard
    }

    /// With [`shards`](Self::shards), what can't be below a base path of its own.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-quotas.html>
    pub fn check_shard(&self, path: &RoutePath) -> Result<(), Error> {
        if self.shards.is_none() || path.first() == "*" {
            return Ok(());
        }
        if path.first().contains(':') {
            return Err(Error::invalid(
                "Path: the front door has a base path for each first segment, which can't have a ':'",
            ));
        }
        // The base path is taken off before API Gateway looks for a resource.
        if let Some(Segment::Literal(second)) = path.segments().get(1)
            && RESERVED.contains(&second.as_str())
        {
            return Err(Error::invalid(format!(
                "Path: API Gateway answers /{second} itself, on this front door below every first segment"
            )));
        }
        let is_platforms = |(own, _): &(RoutePath, Methods)| own.first() == path.first();
        match self.base_paths()?.iter().find(|own| is_platforms(own)) {
            None => Ok(()),
            Some((own, _)) => Err(Error::conflict(format!(
                "Path: /{} is the platform team's own, which has {own} there. Choose another path",
                path.first()
            ))),
        }
    }

    /// What a route needs and does not find here, as a field of the front door's.
    pub fn lacks(&self, route: &RouteSpec) -> Option<String> {
        if let Auth::Authorizer(name) = &route.auth
            && !self.authorizers.contains_key(name)
        {
            return Some(format!("Authorizers.{name}"));
        }
        if matches!(route.backend, Backend::PrivateApi { .. }) && self.private_api_link.is_none() {
            return Some("PrivateApiLink".into());
        }
        let taken = |(path, methods): &(RoutePath, Methods)| claims::is_platforms(path, methods, route);
        let paths = self.base_paths().unwrap_or_default();
        let taken = paths.iter().find(|own| taken(own)).map(|(path, _)| format!("BaseDefinition.paths without {path}"));
        taken.or_else(|| self.check_shard(&route.path).err().map(|_| "BaseDefinition.paths".into()))
    }

    /// Refuses these settings in the place of `before` where they take away what routes use: what is live stays live.
    pub fn check_needs(&self, before: &Self, routes: &[&Route]) -> Result<(), Error> {
        let users = |what: &String| {
            let uses = |spec: &RouteSpec| self.lacks(spec).as_ref() == Some(what);
            routes.iter().filter(|route| route.in_use().any(uses)).collect::<Vec<_>>()
        };
        let lost = |spec: &RouteSpec| self.lacks(spec).filter(|_| before.lacks(spec).is_none());
        let Some(what) = routes.iter().flat_map(|route| route.in_use()).find_map(lost) else { return Ok(()) };
        let users = users(&what);
        let named = users.iter().take(USERS_MAX).map(|route| {
            let (methods, path) = (&route.spec.methods, &route.spec.path);
            format!("{methods} {path} (account {}, {})", route.owner, route.origin.name())
        });
        Err(Error::blocked(format!(
            "{what}: {} routes need it, among them {}: have them changed or removed first",
            users.len(),
            named.collect::<Vec<_>>().join(", ")
        )))
    }

    /// The paths of the base definition and their methods.
    pub fn base_paths(&self) -> Result<Vec<(RoutePath, Methods)>, Error> {
        let Some(paths) = self.base_definition.get("paths") else {
            return Ok(Vec::new());
        };
        let wrong = |what: String| Error::invalid(format!("BaseDefinition.paths: {what}"));
        let paths = paths.as_object().ok_or_else(|| wrong("it is not an object".into()))?;
        let read = |(path, item): (&String, &Value)| {
            let parsed: RoutePath = path.parse().map_err(|e| wrong(format!("{e}")))?;
            let item = item.as_object().ok_or_else(|| wrong(format!("{path} is not an object")))?;
            let methods: Vec<&'static str> =
                item.keys().filter_map(|key| Method::of_key(key)).map(Method::as_str).collect();
            let is_any = methods.contains(&"ANY");
            let methods = if is_any { vec!["ANY"] } else { methods };
            let methods = serde_json::from_value(serde_json::json!(methods));
            Ok((parsed, methods.map_err(|_| wrong(format!("{path} has no method")))?))
        };
        paths.iter().map(read).collect()
    }
}

/// CloudFormation turns every number and flag of an object into a string, and the definition's own would no longer be
/// what OpenAPI asks for: written as one string of JSON, it arrives as it is.
fn definition(given: Option<Value>) -> Result<Map<String, Value>, Error> {
    let given = match given {
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|e| Error::invalid(format!("BaseDefinition: the string is not JSON: {e}")))?,
        other => other.unwrap_or_else(|| Value::Object(Map::new())),
    };
    let bytes = given.to_string().len();
    if bytes > BASE_DEFINITION_BYTES_MAX {
        return Err(Error::invalid(format!("BaseDefinition: {bytes} bytes are more than {BASE_DEFINITION_BYTES_MAX}")));
    }
    match given {
        Value::Object(fields) => {
            let allowed = |key: &str| matches!(key, "paths" | "components" | "info" | "tags") || key.starts_with("x-");
            match fields.keys().find(|key| !allowed(key)) {
                None => Ok(fields),
                Some(key) => Err(Error::invalid(format!(
                    "BaseDefinition: '{key}' is not paths, components, info, tags or an extension (x-…)"
                ))),
            }
        }
        _ => Err(Error::invalid("BaseDefinition: it is neither an object nor a string of JSON")),
    }
}

fn authorizer(name: &Name, given: Value) -> Result<Value, Error> {
    let wrong = |what: &str| Error::invalid(format!("Authorizers.{name}: {what}"));
    let Value::Object(mut fields) = given else {
        return Err(wrong("it is not an object (API Gateway's x-amazon-apigateway-authorizer)"));
    };
    match fields.get("type").and_then(Value::as_str) {
        Some("token" | "request") if !fields.contains_key("authorizerUri") => {
            return Err(wrong("authorizerUri is missing"));
        }
        Some("cognito_user_pools") if !fields.contains_key("providerARNs") => {
            return Err(wrong("providerARNs is missing"));
        }
        Some("token" | "request" | "cognito_user_pools") => {}
        _ => return Err(wrong("type is none of token, request, cognito_user_pools")),
    }
    if let Some(Value::String(seconds)) = fields.get("authorizerResultTtlInSeconds") {
        let seconds: u32 = seconds.parse().map_err(|_| wrong("authorizerResultTtlInSeconds is not a number"))?;
        fields.insert("authorizerResultTtlInSeconds".into(), seconds.into());
    }
    Ok(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(field: &str, value: Value) -> Value {
        let mut spec = json!({"RestApiId": "a1b2c3d4e5", "StageName": "live"});
        spec[field] = value;
        spec
    }

    #[test]
    fn a_front_door_is_read_with_its_defaults() {
        let spec = FrontDoorSpec::parse(with("ResourceLimit", json!("1500"))).unwrap();
        assert_eq!((spec.name.as_str(), spec.mode, spec.resources_max), ("default", Mode::Overwrite, 1_500));
        let stored = serde_json::to_value(&spec).unwrap();
        assert_eq!(serde_json::from_value::<FrontDoorSpec>(stored).unwrap(), spec);
    }

    #[test]
    fn a_base_definition_may_come_as_a_string_of_json() {
        let definition = json!({"paths": {"/health": {"get": {}, "parameters": []}, "/a/{x}": {"x-amazon-apigateway-any-method": {}}}});
        for given in [definition.clone(), json!(definition.to_string())] {
            let spec = FrontDoorSpec::parse(with("BaseDefinition", given)).unwrap();
            let paths: Vec<String> =
                spec.base_paths().unwrap().iter().map(|(path, methods)| format!("{methods} {path}")).collect();
            assert_eq!(paths, ["ANY /a/{x}", "GET /health"]);
        }
    }

    #[test]
    fn with_shards_a_path_has_to_fit_below_its_first_segment() {
        let mut spec = with("BaseDefinition", json!({"paths": {"/health/live": {"get": {}}}}));
        let path = |text: &str| text.parse::<RoutePath>().unwrap();
        let whole = FrontDoorSpec::parse(spec.clone()).unwrap();
        spec["Shards"] = json!({"DomainName": "api.example.com"});
        let sharded = FrontDoorSpec::parse(spec.clone()).unwrap();
        assert_eq!(sharded.invoke_url("eu-west-1"), "https://api.example.com");
        assert!(sharded.shard().base_paths().unwrap().is_empty());
        for (given, fits) in [
            ("/cats/{id}", true),
            ("/{proxy+}", true),
            ("/cats/ping", false),
            ("/cats/x/ping", true),
            ("/a:b/x", false),
            ("/health/other", false),
        ] {
            assert_eq!(sharded.check_shard(&path(given)).is_ok(), fits, "{given}");
            assert!(whole.check_shard(&path(given)).is_ok(), "{given}");
        }
        spec["Mode"] = json!("Merge");
        assert!(FrontDoorSpec::parse(spec).unwrap_err().message.contains("Mode has to be Overwrite"));
    }

    #[test]
    fn what_api_gateway_would_not_take_is_refused() {
        for (field, value, why) in [
            ("AllowedCidrs", json!(["10.0.0.0/33"]), "AllowedCidrs[0]"),
            (
                "AllowedCidrs",
                json!((0..600).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256)).collect::<Vec<_>>()),
                "8192 characters at most",
            ),
            ("Mode", json!("merge"), "Mode"),
            ("BaseDefinition", json!("{"), "not JSON"),
            ("BaseDefinition", json!({"swagger": "2.0"}), "'swagger' is not paths"),
            ("BaseDefinition", json!({"paths": {"/x/{proxy+}/y": {"get": {}}}}), "nothing below"),
            ("BaseDefinition", json!({"paths": {"/x": {}}}), "/x has no method"),
            ("Authorizers", json!({"pets": {"type": "jwt"}}), "Authorizers.pets: type is none of"),
            ("Authorizers", json!({"pets": {"type": "token"}}), "authorizerUri is missing"),
            ("ResourceLimit", json!("many"), "ResourceLimit"),
            ("Shards", json!(2), "Shards"),
            ("Shards", json!({"DomainName": "nowhere"}), "a domain name such as"),
            ("Shard", json!(2), "unknown field"),
        ] {
            let error = FrontDoorSpec::parse(with(field, value)).unwrap_err();
            assert!(error.message.contains(why), "{field}: {error}");
        }
    }
}
