//! `Custom::FrontDoor`: the REST API that routes are published on, and what the platform team says about all of it.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::authorizer::{authorizer, is_cognito, needs_permission};
use super::base_definition::{check_operations, definition};
use super::path::RESERVED;
use super::policy::policy;
use super::records::Route;
use super::route::{TIMEOUT_MS_MAX, TIMEOUT_MS_MIN};
use super::stage::{StageSettings, WrittenStage};
use super::{Auth, Backend, Method, Methods, Name, RoutePath, RouteSpec, Segment, claims};
use crate::error::Error;
use crate::fields::{read, scalar};
use crate::types::{RestApiId, StageName, VpcEndpointId, invoke_url};

/// API Gateway's quota of resources per REST API where nothing is said; it can be raised.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
const RESOURCES_MAX: u32 = 300;
/// How many of them `Mode: Merge` takes: what is Foregate's stands in one item of the registry, which has 400 KB.
pub const RESOURCE_LIMIT_MAX: u32 = 4_000;
/// How many routes an error names that use what is to go.
const USERS_MAX: usize = 5;
/// API Gateway's quota of authorizers per REST API.
const AUTHORIZERS_MAX: usize = 10;

/// API Gateway's quota of a resource policy's length.
const POLICY_BYTES_MAX: usize = 8_192;
/// API Gateway's integration time-out where nothing is said: a quota that AWS raises for regional and private REST APIs.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
pub const TIMEOUT_MS: u32 = 29_000;
/// The name of the scheme of callers that AWS knows.
pub const AWS_IAM: &str = "aws_iam";
/// The name of the scheme of API keys.
pub const API_KEY: &str = "api_key";

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
    /// Whom of other accounts the resource policy lets in, besides what their own policies have to say.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allowed_principals: BTreeSet<Principal>,
    /// The organization that the resource policy lets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrganizationId>,
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
    /// How long a backend may take, in milliseconds: the account's quota.
    #[serde(default = "timeout_ms")]
    pub timeout_ms_max: u32,
    /// What the stage is to have.
    #[serde(default)]
    pub stage: StageSettings,
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

crate::checked_string!(
    /// An account, or a role or user of one.
    Principal,
    "an account's id, or the ARN of a role or a user (arn:aws:iam::123456789012:role/NAME)",
    |s| {
        let is_account = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        let is_path = |path: &str| {
            !path.is_empty() && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b))
        };
        let is_identity = |name: &str| {
            name == "root" || name.strip_prefix("role/").or_else(|| name.strip_prefix("user/")).is_some_and(is_path)
        };
        let of_arn = |arn: &str| {
            let mut parts = arn.splitn(6, ':');
            let mut next = || parts.next().unwrap_or_default();
            let begins = next() == "arn" && next().starts_with("aws") && next() == "iam" && next().is_empty();
            begins && is_account(next()) && is_identity(next())
        };
        s.len() <= 600 && (is_account(s) || of_arn(s))
    }
);

crate::checked_string!(
    /// An organization's id.
    OrganizationId,
    "an organization's id such as o-a1b2c3d4e5",
    |s| {
        let is_id = |id: &str| {
            (10..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        s.strip_prefix("o-").is_some_and(is_id)
    }
);

fn timeout_ms() -> u32 {
    TIMEOUT_MS
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenShards {
    domain_name: DomainName,
}

/// The name of an authorizer's security scheme: apart from our own, whatever the authorizer is called.
pub fn authorizer_scheme(name: &Name) -> String {
    format!("authorizer-{name}")
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
    allowed_principals: BTreeSet<Principal>,
    organization_id: Option<OrganizationId>,
    #[serde(default)]
    authorizers: BTreeMap<Name, Value>,
    #[serde(default)]
    base_definition: Option<Value>,
    private_api_link: Option<Name>,
    #[serde(default)]
    vpc_endpoint_ids: BTreeSet<VpcEndpointId>,
    #[serde(default, deserialize_with = "scalar")]
    resource_limit: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    timeout_limit_ms: Option<u32>,
    stage: Option<WrittenStage>,
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
            allowed_principals,
            organization_id,
            authorizers,
            base_definition,
            private_api_link,
            vpc_endpoint_ids,
            resource_limit,
            timeout_limit_ms,
            stage,
            shards,
        } = read(spec)?;
        if let Some(limit) = resource_limit.filter(|limit| mode == Mode::Merge && *limit > RESOURCE_LIMIT_MAX) {
            return Err(Error::invalid(format!(
                "ResourceLimit: {limit} is more than the {RESOURCE_LIMIT_MAX} resources that Mode: Merge keeps track of"
            )));
        }
        if shards.is_some() && mode == Mode::Merge {
            return Err(Error::invalid("Shards: its REST APIs are Foregate's own, so Mode has to be Overwrite"));
        }
        if authorizers.len() > AUTHORIZERS_MAX {
            return Err(Error::invalid(format!(
                "Authorizers: API Gateway takes {AUTHORIZERS_MAX}, and there are {}",
                authorizers.len()
            )));
        }
        let timeout_ms_max = timeout_limit_ms.unwrap_or(TIMEOUT_MS);
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&timeout_ms_max) {
            return Err(Error::invalid(format!(
                "TimeoutLimitMs: {timeout_ms_max} is not {TIMEOUT_MS_MIN} to {TIMEOUT_MS_MAX} milliseconds"
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
            allowed_principals,
            organization_id,
            private_api_link,
            vpc_endpoint_ids,
            resources_max: resource_limit.unwrap_or(RESOURCES_MAX),
            timeout_ms_max,
            stage: stage.map(StageSettings::try_from).transpose()?.unwrap_or_default(),
            shards: shards.map(|shards| shards.domain_name),
        };
        spec.check_authorizers_of_shards()?;
        spec.base_paths()?;
        check_operations(&spec.base_definition, &spec.schemes())?;
        check_policy(&spec)?;
        Ok(spec)
    }

    /// A function's permission names the REST API that may invoke it, and each shard is another one.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>
    fn check_authorizers_of_shards(&self) -> Result<(), Error> {
        let mut authorizers = self.authorizers.iter().filter(|_| self.shards.is_some());
        match authorizers.find(|(_, authorizer)| needs_permission(authorizer)) {
            None => Ok(()),
            Some((name, _)) => Err(Error::invalid(format!(
                "Authorizers.{name}: with Shards it needs authorizerCredentials, a role that may invoke the function: each first \
                 segment has a REST API of its own, which the function's permission does not name"
            ))),
        }
    }

    /// Whether the route needs an API key of a REST API that no usage plan knows.
    fn needs_key_of_shard(&self, spec: &RouteSpec) -> bool {
        spec.api_key_required && self.shards.is_some() && spec.path.first() != "*"
    }

    /// The names of the security schemes that every document has.
    fn schemes(&self) -> BTreeSet<String> {
        let own = [AWS_IAM.to_owned(), API_KEY.to_owned()];
        own.into_iter().chain(self.authorizers.keys().map(authorizer_scheme)).collect()
    }

    /// Refuses a route that this front door can't serve in `region`, its own.
    pub fn admit(&self, spec: &RouteSpec, region: &str) -> Result<(), Error> {
        if let Auth::Authorizer { name, scopes } = &spec.auth {
            let authorizer = self.authorizers.get(name).ok_or_else(|| {
                Error::not_found(format!("Auth: the front door {} has no authorizer called {name}", self.name))
            })?;
            if !scopes.is_empty() && !is_cognito(authorizer) {
                return Err(Error::invalid(format!(
                    "Auth.Scopes: the authorizer {name} is no Cognito user pool, and API Gateway holds scopes against those alone"
                )));
            }
        }
        // <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html>
        if self.needs_key_of_shard(spec) {
            return Err(Error::invalid(format!(
                "ApiKeyRequired: with the Shards of the front door {} /{} has a REST API of its own, which is in no usage plan, so \
                 that no API key would be taken: use another Auth",
                self.name,
                spec.path.first()
            )));
        }
        if let Some(timeout) = spec.timeout_ms.filter(|timeout| *timeout > self.timeout_ms_max) {
            return Err(Error::invalid(format!(
                "TimeoutMs: {timeout} is more than the {} ms of the front door {}: ask your platform team (TimeoutLimitMs)",
                self.timeout_ms_max, self.name
            )));
        }
        // One link leads to one interface endpoint, whose names and certificate are its region's.
        // <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-apis.html>
        if let Backend::PrivateApi { region: Some(other), .. } = &spec.backend
            && other.as_str() != region
        {
            return Err(Error::invalid(format!(
                "Backend.PrivateApi.Region: the front door {} reaches private APIs of {region}, not of {other}: use one there",
                self.name
            )));
        }
        Ok(())
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
        if let Auth::Authorizer { name, .. } = &route.auth
            && !self.authorizers.contains_key(name)
        {
            return Some(format!("Authorizers.{name}"));
        }
        if matches!(route.backend, Backend::PrivateApi { .. }) && self.private_api_link.is_none() {
            return Some("PrivateApiLink".into());
        }
        if self.needs_key_of_shard(route) {
            return Some("Shards, which takes no API keys".into());
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

/// The longest a resource gets in a policy once API Gateway has written it out.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies.html>
const RESOURCE: &str = "arn:aws-us-gov:execute-api:ap-northeast-1:123456789012:a1b2c3d4e5/*";

/// A resource policy of Foregate's statements alone has to fit; what the REST API's own adds to it, nobody knows here.
fn check_policy(spec: &FrontDoorSpec) -> Result<(), Error> {
    let policy = policy(spec, None);
    let text = policy.map(|policy| policy.to_string().replace("execute-api:/*", RESOURCE)).unwrap_or_default();
    if text.len() <= POLICY_BYTES_MAX {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "AllowedCidrs, AllowedPrincipals: a resource policy has {POLICY_BYTES_MAX} characters at most, and these need {}: use \
         larger ranges, or OrganizationId",
        text.len()
    )))
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

    fn mock() -> Value {
        json!({"security": [], "x-amazon-apigateway-integration": {"type": "mock"}})
    }

    #[test]
    fn a_route_is_held_against_what_the_front_door_can_serve() {
        let pool =
            json!({"type": "cognito_user_pools", "providerARNs": ["arn:aws:cognito-idp:eu-west-1:1:userpool/x"]});
        let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/f/invocations";
        let authorizers = json!({"pool": pool, "own": {"type": "token", "authorizerUri": uri}});
        let mut spec = with("Authorizers", authorizers);
        let own = FrontDoorSpec::parse(spec.clone()).unwrap();
        spec["TimeoutLimitMs"] = json!("60000");
        let raised = FrontDoorSpec::parse(spec).unwrap();
        assert_eq!((own.timeout_ms_max, raised.timeout_ms_max), (29_000, 60_000));
        let route = |field: &str, value: Value| {
            let api = json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "live"}});
            let mut spec = json!({"Path": "/x", "Auth": "AWS_IAM", "Backend": api});
            spec[field] = value;
            RouteSpec::parse(spec).unwrap()
        };
        let api_of =
            |region: &str| json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "live", "Region": region}});
        for (door, spec, why) in [
            (&own, route("TimeoutMs", json!(29_000)), ""),
            (&own, route("TimeoutMs", json!(60_000)), "60000 is more than the 29000 ms"),
            (&raised, route("TimeoutMs", json!(60_000)), ""),
            (&own, route("Auth", json!({"Authorizer": "pool", "Scopes": ["orders/read"]})), ""),
            (&own, route("Auth", json!({"Authorizer": "own", "Scopes": ["orders/read"]})), "no Cognito user pool"),
            (&own, route("Auth", json!({"Authorizer": "none"})), "has no authorizer called none"),
            (&own, route("Backend", api_of("eu-west-1")), ""),
            (&own, route("Backend", api_of("eu-central-1")), "private APIs of eu-west-1, not of eu-central-1"),
        ] {
            match door.admit(&spec, "eu-west-1") {
                Ok(()) => assert_eq!(why, ""),
                Err(error) => assert!(!why.is_empty() && error.message.contains(why), "{why}: {error}"),
            }
        }
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
        let definition = json!({"paths": {
            "/health": {"get": mock(), "parameters": []}, "/a/{x}": {"x-amazon-apigateway-any-method": mock()},
        }});
        for given in [definition.clone(), json!(definition.to_string())] {
            let spec = FrontDoorSpec::parse(with("BaseDefinition", given)).unwrap();
            let paths: Vec<String> =
                spec.base_paths().unwrap().iter().map(|(path, methods)| format!("{methods} {path}")).collect();
            assert_eq!(paths, ["ANY /a/{x}", "GET /health"]);
        }
    }

    #[test]
    fn with_shards_a_path_has_to_fit_below_its_first_segment() {
        let mut spec = with("BaseDefinition", json!({"paths": {"/health/live": {"get": mock()}}}));
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
    fn with_shards_nothing_is_taken_that_hangs_on_the_front_doors_own_rest_api() {
        let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/f/invocations";
        let mut spec = with("Authorizers", json!({"own": {"type": "token", "authorizerUri": uri}}));
        let whole = FrontDoorSpec::parse(spec.clone()).unwrap();
        spec["Shards"] = json!({"DomainName": "api.example.com"});
        let error = FrontDoorSpec::parse(spec.clone()).unwrap_err();
        assert!(error.message.contains("Authorizers.own: with Shards it needs authorizerCredentials"), "{error}");
        spec["Authorizers"]["own"]["authorizerCredentials"] = json!("arn:aws:iam::123456789012:role/invoke");
        let sharded = FrontDoorSpec::parse(spec).unwrap();
        let keyed = |path: &str| {
            let api = json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "live"}});
            let spec = json!({"Path": path, "Auth": "AWS_IAM", "ApiKeyRequired": true, "Backend": api});
            RouteSpec::parse(spec).unwrap()
        };
        let error = sharded.admit(&keyed("/cats/{id}"), "eu-west-1").unwrap_err();
        assert!(error.message.contains("no API key would be taken"), "{error}");
        assert_eq!(sharded.admit(&keyed("/{proxy+}"), "eu-west-1"), Ok(()));
        assert_eq!(whole.admit(&keyed("/cats/{id}"), "eu-west-1"), Ok(()));
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
            ("Authorizers", json!({"pets": {"type": "jwt"}}), "Authorizers.pets.type"),
            ("AllowedPrincipals", json!(["*"]), "AllowedPrincipals[0]"),
            ("AllowedPrincipals", json!(["arn:aws:iam::123:role/x"]), "an account's id"),
            ("OrganizationId", json!("r-a1b2"), "an organization's id"),
            ("TimeoutLimitMs", json!(900_000), "TimeoutLimitMs: 900000 is not 50 to 300000"),
            ("Stage", json!({"Throttling": {"Rate": 1}}), "Stage.Throttling.Rate: unknown field"),
            ("BaseDefinition", json!({"paths": {"/status": {"get": {"security": []}}}}), "GET /status has no x-amazon"),
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

    #[test]
    fn merge_mode_takes_no_more_resources_than_it_keeps_track_of() {
        for (mode, limit, is_taken) in [("Merge", 4_000, true), ("Merge", 4_001, false), ("Overwrite", 4_001, true)] {
            let mut written = with("Mode", json!(mode));
            written["ResourceLimit"] = json!(limit);
            let parsed = FrontDoorSpec::parse(written);
            assert_eq!(parsed.is_ok(), is_taken, "{mode} {limit}");
            let message = parsed.err().map_or_else(String::new, |error| error.message);
            assert!(is_taken || message.starts_with("ResourceLimit: 4001 is more than the 4000 "), "{message}");
        }
    }
}
