//! API Gateway in the model: an import replaces the API, a deployment is a snapshot of it, a stage shows a deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use serde_json::Value;

use super::{Model, State};
use crate::aws::{
    Answer, ApiSummary, AwsError, BalancerSearch, Cause, Deployment, GatewayResponse, ImportMode, MemberApis,
    MethodSnapshot, NetworkLoadBalancer, Patch, Resource, ResourceMethod, RestApi, RestApis, Stage, VpcLink, VpcLinks,
};
use crate::types::{AccountId, LoadBalancerArn, Region, RestApiId, StageName};

/// A REST API.
#[derive(Clone, Debug, Default)]
pub struct Api {
    /// Its name.
    pub name: String,
    /// What was imported last.
    pub document: Value,
    /// What each deployment has.
    pub deployments: BTreeMap<String, Snapshot>,
    /// Its stages.
    pub stages: BTreeMap<StageName, Stage>,
    /// Paths that it refuses, whatever document they come in, and texts that it refuses in an operation.
    pub refuses: BTreeSet<String>,
    /// Whether its refusals name no method and no path.
    pub is_terse: bool,
    /// How many imports are in the way of somebody else's.
    pub collisions: u32,
    /// What an import warns of.
    pub warnings: Vec<String>,
    /// Methods, such as `GET /cats`, whose security an import does not understand: they are open.
    pub misread: BTreeSet<String>,
    /// Whether an import understands nothing of the API's own settings: they are as CreateRestApi makes them.
    pub forgets_settings: bool,
    /// How many times after an import GetResources still answers what was before.
    pub stale_reads: usize,
    /// What was before the last import, where it is answered still.
    pub before: Vec<Resource>,
    /// Whether it is `PRIVATE`, rather than `REGIONAL`.
    pub is_private: bool,
    /// Its resource policy.
    pub policy: Option<Value>,
    /// Its other settings.
    pub settings: RestApi,
}

/// What a deployment has.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Its description.
    pub description: String,
    /// When it was made, counted in calls.
    pub made_at: u64,
    /// What had been imported.
    pub document: Value,
    /// Who may call which method.
    pub summary: ApiSummary,
}

impl Api {
    /// The document that a client of the stage meets.
    pub fn shown(&self, stage: &StageName) -> Option<&Value> {
        Some(&self.deployments.get(&self.stages.get(stage)?.deployment_id)?.document)
    }

    /// The VPC link that an integration's `connectionId` means on the stage: one without a variable means itself.
    pub fn link<'a>(&'a self, stage: &StageName, connection_id: &'a str) -> Option<&'a str> {
        match connection_id.strip_prefix("${stageVariables.").and_then(|rest| rest.strip_suffix('}')) {
            Some(variable) => self.stages.get(stage)?.variables.get(variable).map(String::as_str),
            None => Some(connection_id),
        }
    }

    /// Makes a deployment of what was imported last.
    pub fn deploy(&mut self, id: &str, description: &str, made_at: u64) {
        let resources = self.resources().into_iter().filter(|one| !one.methods.is_empty());
        let methods = |methods: BTreeMap<String, ResourceMethod>| {
            let seen = |one: ResourceMethod| MethodSnapshot {
                authorization: one.authorization,
                api_key_required: one.api_key_required,
            };
            methods.into_iter().map(|(name, one)| (name, seen(one))).collect()
        };
        let summary = resources.map(|one| (one.path, methods(one.methods))).collect();
        let (description, document) = (description.to_owned(), self.document.clone());
        self.deployments.insert(id.to_owned(), Snapshot { description, made_at, document, summary });
    }
}

fn described(api: &Api) -> RestApi {
    let endpoint_type = if api.is_private { "PRIVATE" } else { "REGIONAL" };
    RestApi {
        name: "front-door".into(),
        endpoint_types: vec![endpoint_type.into()],
        policy: api.policy.clone(),
        ..api.settings.clone()
    }
}

const ANY: &str = "x-amazon-apigateway-any-method";

/// A path and each of its beginnings, but for the root.
fn resources_of(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').skip(1).map(|(index, _)| index).chain([path.len()]);
    ends.map(|end| &path[..end]).filter(|path| *path != "/")
}

impl Api {
    /// The resources of the last import; each one's id is its path.
    fn resources(&self) -> Vec<Resource> {
        let paths: BTreeMap<&str, &Value> = self.document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(path, item)| (path.as_str(), item))
            .collect();
        let all: BTreeSet<&str> = paths.keys().flat_map(|path| resources_of(path)).chain(["/"]).collect();
        let resource = |path: &str| {
            let item = paths.get(path).and_then(|item| item.as_object()).into_iter().flatten();
            let methods = item.map(|(key, operation)| {
                let name = if key == ANY { "ANY".to_owned() } else { key.to_ascii_uppercase() };
                let mut method = self.method(operation);
                if self.misread.contains(&format!("{name} {path}")) {
                    method.authorization = "NONE".to_owned();
                }
                (name, method)
            });
            Resource { id: path.to_owned(), path: path.to_owned(), methods: methods.collect() }
        };
        all.into_iter().map(resource).collect()
    }

    fn method(&self, operation: &Value) -> ResourceMethod {
        let schemes = operation["security"].as_array().into_iter().flatten();
        let schemes = schemes.flat_map(|one| one.as_object().into_iter().flatten());
        let mut method = ResourceMethod { authorization: "NONE".into(), ..ResourceMethod::default() };
        for (name, scopes) in schemes {
            let scheme = &self.document["components"]["securitySchemes"][name.as_str()];
            method.api_key_required |= scheme["name"] == "x-api-key";
            let authorization = match scheme["x-amazon-apigateway-authtype"].as_str() {
                Some("awsSigv4") => "AWS_IAM",
                Some("cognito_user_pools") => "COGNITO_USER_POOLS",
                Some(_) => "CUSTOM",
                None => continue,
            };
            method.authorization = authorization.into();
            method.authorizer_id = (authorization != "AWS_IAM").then(|| name.clone());
            let scopes = scopes.as_array().into_iter().flatten().filter_map(Value::as_str);
            method.scopes = scopes.map(str::to_owned).collect();
        }
        let integration = &operation["x-amazon-apigateway-integration"];
        method.integration_type = integration["type"].as_str().map(str::to_ascii_uppercase);
        method.uri = integration["uri"].as_str().map(str::to_owned);
        method.connection_id = integration["connectionId"].as_str().map(str::to_owned);
        method
    }

    /// A line each, as the importer writes them. <https://github.com/ustayready/fireprox/issues/37>
    fn refusals(&self, document: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (key, operation) in item.as_object().into_iter().flatten() {
                let operation = operation.to_string();
                if self.refuses.iter().any(|one| one == path || operation.contains(one)) {
                    let method = if key == ANY { "ANY".to_owned() } else { key.to_ascii_uppercase() };
                    lines.push(match self.is_terse {
                        true => "Invalid OpenAPI input.".to_owned(),
                        false => format!("Unable to put integration on '{method}' for resource at path '{path}': no"),
                    });
                }
            }
        }
        lines
    }

    fn paths(&mut self) -> Option<&mut serde_json::Map<String, Value>> {
        self.document.get_mut("paths")?.as_object_mut()
    }
}

impl State {
    fn api(&mut self, operation: &'static str, id: &RestApiId) -> Answer<&mut Api> {
        self.apis.get_mut(id).ok_or_else(|| Self::failure(operation, Cause::NotFound, "NotFoundException"))
    }
}

impl RestApis for Model {
    fn get_rest_api(&self, id: &RestApiId) -> impl Future<Output = Answer<Option<RestApi>>> + Send {
        self.call("GetRestApi", |state| Ok(state.apis.get(id).map(described)))
    }

    fn update_rest_api(&self, id: &RestApiId, patches: &[Patch]) -> impl Future<Output = Answer<()>> + Send {
        self.call("UpdateRestApi", move |state| {
            let settings = &mut state.api("UpdateRestApi", id)?.settings;
            for patch in patches {
                match patch {
                    Patch::Replace(path, value) if path == "/disableExecuteApiEndpoint" => {
                        settings.disable_execute_api_endpoint = value == "true";
                    }
                    Patch::Replace(path, value) if path == "/securityPolicy" => {
                        settings.security_policy = Some(value.clone());
                    }
                    Patch::Replace(path, value) if path == "/endpointAccessMode" => {
                        settings.endpoint_access_mode = Some(value.clone());
                    }
                    Patch::Replace(path, value) if path == "/endpointConfiguration/ipAddressType" => {
                        settings.ip_address_type = Some(value.clone());
                    }
                    Patch::Add(path, value) if path == "/endpointConfiguration/vpcEndpointIds" => {
                        settings.vpc_endpoint_ids.push(value.clone());
                    }
                    Patch::Add(..) | Patch::Replace(..) | Patch::Remove(_) => {
                        return Err(State::failure("UpdateRestApi", Cause::Refused, "BadRequestException"));
                    }
                }
            }
            Ok(())
        })
    }

    fn put_rest_api(
        &self,
        id: &RestApiId,
        mode: ImportMode,
        document: &str,
    ) -> impl Future<Output = Answer<Vec<String>>> + Send {
        self.call("PutRestApi", move |state| {
            let mut document: Value = serde_json::from_str(document)
                .map_err(|_| State::failure("PutRestApi", Cause::Refused, "BadRequestException"))?;
            let api = state.api("PutRestApi", id)?;
            if api.collisions > 0 {
                api.collisions -= 1;
                return Err(refused("PutRestApi", "Unable to complete operation due to concurrent modification."));
            }
            let refusals = api.refusals(&document);
            if !refusals.is_empty() {
                let lines = refusals.join("\n\t");
                return Err(refused("PutRestApi", &format!("Errors found during import:\n\t{lines}")));
            }
            if mode == ImportMode::Merge
                && let (Some(there), Some(paths)) = (api.paths().cloned(), document["paths"].as_object_mut())
            {
                for (path, item) in there {
                    let merged = paths.entry(path).or_insert_with(|| Value::Object(Default::default()));
                    for (key, operation) in item.as_object().into_iter().flatten() {
                        if merged.get(key).is_none() {
                            merged[key] = operation.clone();
                        }
                    }
                }
            }
            if mode == ImportMode::Overwrite {
                let extension = "x-amazon-apigateway-endpoint-configuration";
                let endpoint = Some(&document["servers"][0][extension]).filter(|_| !api.forgets_settings);
                let named = |key: &str| document[key].as_str().filter(|_| !api.forgets_settings).map(str::to_owned);
                api.settings = RestApi {
                    disable_execute_api_endpoint: endpoint.is_some_and(|one| one["disableExecuteApiEndpoint"] == true),
                    security_policy: named("x-amazon-apigateway-security-policy"),
                    endpoint_access_mode: named("x-amazon-apigateway-endpoint-access-mode"),
                    tags: api.settings.tags.clone(),
                    ..RestApi::default()
                };
            }
            match document.get("x-amazon-apigateway-policy") {
                Some(policy) => api.policy = Some(policy.clone()),
                None if mode == ImportMode::Overwrite => api.policy = None,
                None => {}
            }
            if api.stale_reads > 0 {
                api.before = api.resources();
            }
            api.document = document;
            Ok(api.warnings.clone())
        })
    }

    fn get_gateway_responses(&self, _id: &RestApiId) -> impl Future<Output = Answer<Vec<GatewayResponse>>> + Send {
        self.call("GetGatewayResponses", |_| Ok(Vec::new()))
    }

    fn get_authorizers(&self, id: &RestApiId) -> impl Future<Output = Answer<BTreeMap<String, String>>> + Send {
        self.call("GetAuthorizers", |state| {
            let schemes = &state.api("GetAuthorizers", id)?.document["components"]["securitySchemes"];
            let schemes = schemes.as_object().into_iter().flatten();
            let authorizers = schemes.filter(|(_, scheme)| scheme.get("x-amazon-apigateway-authorizer").is_some());
            Ok(authorizers.map(|(name, _)| (name.clone(), name.clone())).collect())
        })
    }

    fn get_resources(&self, id: &RestApiId) -> impl Future<Output = Answer<Vec<Resource>>> + Send {
        self.call("GetResources", |state| {
            let api = state.api("GetResources", id)?;
            if api.stale_reads == 0 || api.before.is_empty() {
                return Ok(api.resources());
            }
            api.stale_reads -= 1;
            Ok(api.before.clone())
        })
    }

    fn delete_resource(&self, id: &RestApiId, resource_id: &str) -> impl Future<Output = Answer<()>> + Send {
        self.call("DeleteResource", move |state| {
            if let Some(paths) = state.api("DeleteResource", id)?.paths() {
                paths.retain(|path, _| !resources_of(path).any(|one| one == resource_id));
            }
            Ok(())
        })
    }

    fn delete_method(
        &self,
        id: &RestApiId,
        resource_id: &str,
        method: &str,
    ) -> impl Future<Output = Answer<()>> + Send {
        let key = if method == "ANY" { ANY.to_owned() } else { method.to_ascii_lowercase() };
        self.call("DeleteMethod", move |state| {
            let paths = state.api("DeleteMethod", id)?.paths();
            if let Some(item) = paths.and_then(|paths| paths.get_mut(resource_id)?.as_object_mut()) {
                item.remove(&key);
            }
            Ok(())
        })
    }

    fn create_deployment(&self, id: &RestApiId, description: &str) -> impl Future<Output = Answer<String>> + Send {
        self.call("CreateDeployment", move |state| {
            let (deployment, made_at) = (state.next_id("deployment"), state.calls_made());
            state.api("CreateDeployment", id)?.deploy(&deployment, description, made_at);
            Ok(deployment)
        })
    }

    fn get_deployment(
        &self,
        id: &RestApiId,
        deployment_id: &str,
    ) -> impl Future<Output = Answer<Option<ApiSummary>>> + Send {
        self.call("GetDeployment", move |state| {
            let api = state.api("GetDeployment", id)?;
            Ok(api.deployments.get(deployment_id).map(|snapshot| snapshot.summary.clone()))
        })
    }

    fn get_deployments(&self, id: &RestApiId) -> impl Future<Output = Answer<Vec<Deployment>>> + Send {
        self.call("GetDeployments", move |state| {
            let all = state.api("GetDeployments", id)?.deployments.iter();
            let deployment = |(id, snapshot): (&String, &Snapshot)| Deployment {
                id: id.clone(),
                description: snapshot.description.clone(),
                made_at_seconds: snapshot.made_at,
            };
            Ok(all.map(deployment).collect())
        })
    }

    fn delete_deployment(&self, id: &RestApiId, deployment_id: &str) -> impl Future<Output = Answer<()>> + Send {
        self.call("DeleteDeployment", move |state| {
            let api = state.api("DeleteDeployment", id)?;
            let shows =
                |stage: &Stage| stage.deployment_id == deployment_id || stage.canary.as_deref() == Some(deployment_id);
            if api.stages.values().any(shows) {
                let message = "Active stages pointing to this deployment must be moved or deleted";
                return Err(refused("DeleteDeployment", message));
            }
            api.deployments.remove(deployment_id);
            Ok(())
        })
    }

    fn get_stage(&self, id: &RestApiId, name: &StageName) -> impl Future<Output = Answer<Option<Stage>>> + Send {
        self.call("GetStage", |state| Ok(state.api("GetStage", id)?.stages.get(name).cloned()))
    }

    fn get_stages(&self, id: &RestApiId) -> impl Future<Output = Answer<BTreeMap<String, Stage>>> + Send {
        self.call("GetStages", |state| {
            let stages = state.api("GetStages", id)?.stages.iter();
            Ok(stages.map(|(name, stage)| (name.to_string(), stage.clone())).collect())
        })
    }

    fn create_stage(
        &self,
        id: &RestApiId,
        name: &StageName,
        deployment_id: &str,
        variables: &BTreeMap<String, String>,
        is_traced: bool,
    ) -> impl Future<Output = Answer<()>> + Send {
        self.call("CreateStage", move |state| {
            let api = state.api("CreateStage", id)?;
            if api.stages.contains_key(name) {
                return Err(State::failure("CreateStage", Cause::Conflict, "ConflictException"));
            }
            if !api.deployments.contains_key(deployment_id) {
                return Err(refused("CreateStage", "Deployment id does not exist"));
            }
            let (deployment_id, variables) = (deployment_id.to_owned(), variables.clone());
            let stage = Stage { deployment_id, variables, is_traced, ..Stage::default() };
            api.stages.insert(name.clone(), stage);
            Ok(())
        })
    }

    fn update_stage(
        &self,
        id: &RestApiId,
        name: &StageName,
        patches: &[Patch],
    ) -> impl Future<Output = Answer<()>> + Send {
        self.call("UpdateStage", move |state| {
            let api = state.api("UpdateStage", id)?;
            let there = api.stages.get(name);
            let mut stage =
                there.cloned().ok_or_else(|| State::failure("UpdateStage", Cause::NotFound, "NotFoundException"))?;
            for patch in patches {
                patch_stage(&mut stage, patch)?;
            }
            if !api.deployments.contains_key(&stage.deployment_id) {
                return Err(refused("UpdateStage", "Deployment id does not exist"));
            }
            api.stages.insert(name.clone(), stage);
            Ok(())
        })
    }

    fn delete_stage(&self, id: &RestApiId, name: &StageName) -> impl Future<Output = Answer<()>> + Send {
        self.call("DeleteStage", move |state| {
            state.api("DeleteStage", id)?.stages.remove(name);
            Ok(())
        })
    }

    fn create_rest_api(&self, api: &RestApi) -> impl Future<Output = Answer<RestApiId>> + Send {
        let settings = api.clone();
        self.call("CreateRestApi", move |state| {
            let id = format!("api{}", state.apis.len());
            let id: RestApiId = id.parse().map_err(|_| State::failure("CreateRestApi", Cause::Refused, ""))?;
            state.apis.insert(id.clone(), Api { name: settings.name.clone(), settings, ..Api::default() });
            Ok(id)
        })
    }

    fn find_rest_api(&self, name: &str, _description: &str) -> impl Future<Output = Answer<Option<RestApiId>>> + Send {
        self.call("GetRestApis", move |state| {
            Ok(state.apis.iter().find(|(_, api)| api.name == name).map(|(id, _)| id.clone()))
        })
    }

    fn get_base_path_mapping(
        &self,
        domain: &str,
        base_path: &str,
    ) -> impl Future<Output = Answer<Option<(String, String)>>> + Send {
        let key = format!("{domain}/{base_path}");
        self.call("GetBasePathMapping", move |state| Ok(state.mappings.get(&key).cloned()))
    }

    fn create_base_path_mapping(
        &self,
        domain: &str,
        base_path: &str,
        id: &RestApiId,
        stage: &StageName,
    ) -> impl Future<Output = Answer<()>> + Send {
        let (key, to) = (format!("{domain}/{base_path}"), (id.to_string(), stage.to_string()));
        self.call("CreateBasePathMapping", move |state| match state.mappings.insert(key, to) {
            None => Ok(()),
            Some(_) => Err(State::failure("CreateBasePathMapping", Cause::Conflict, "ConflictException")),
        })
    }
}

fn refused(operation: &'static str, message: &str) -> AwsError {
    AwsError { message: message.to_owned(), ..State::failure(operation, Cause::Refused, "BadRequestException") }
}

fn patch_stage(stage: &mut Stage, patch: &Patch) -> Answer<()> {
    let unknown = || refused("UpdateStage", "Invalid method setting path");
    let (path, value) = match patch {
        Patch::Replace(path, value) => (path.as_str(), Some(value)),
        Patch::Remove(path) => (path.as_str(), None),
        Patch::Add(..) => return Err(unknown()),
    };
    let number = |stage: &Stage| stage.throttling.unwrap_or((10_000.0, 5_000));
    match (path, value) {
        ("/deploymentId", Some(id)) => stage.deployment_id = id.clone(),
        ("/tracingEnabled", Some(value)) => stage.is_traced = value == "true",
        ("/accessLogSettings", None) => stage.access_log = None,
        ("/accessLogSettings/destinationArn", Some(arn)) => {
            stage.access_log = Some((arn.clone(), stage.access_log.take().map(|log| log.1).unwrap_or_default()));
        }
        ("/accessLogSettings/format", Some(format)) => {
            stage.access_log = Some((stage.access_log.take().map(|log| log.0).unwrap_or_default(), format.clone()));
        }
        ("/*/*/throttling/rateLimit", Some(rate)) => {
            stage.throttling = Some((rate.parse().map_err(|_| unknown())?, number(stage).1));
        }
        ("/*/*/throttling/burstLimit", Some(burst)) => {
            stage.throttling = Some((number(stage).0, burst.parse().map_err(|_| unknown())?));
        }
        (path, value) => {
            let Some(name) = path.strip_prefix("/variables/") else { return Err(unknown()) };
            match value {
                Some(value) => drop(stage.variables.insert(name.to_owned(), value.clone())),
                None => drop(stage.variables.remove(name)),
            }
        }
    }
    Ok(())
}

impl VpcLinks for Model {
    fn vpc_links(&self) -> impl Future<Output = Answer<Vec<VpcLink>>> + Send {
        self.call("GetVpcLinks", |state| Ok(state.vpc_links.clone()))
    }

    fn create_link(
        &self,
        name: &str,
        target: &str,
        (key, value): (&str, &str),
    ) -> impl Future<Output = Answer<String>> + Send {
        let (name, target) = (name.to_owned(), target.to_owned());
        let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        self.call("CreateVpcLink", move |state| {
            let id = state.next_id("link");
            let link = VpcLink { id: id.clone(), name, status: "PENDING".into(), message: String::new(), target, tags };
            state.vpc_links.push(link);
            Ok(id)
        })
    }

    fn delete_link(&self, id: &str) -> impl Future<Output = Answer<()>> + Send {
        let id = id.to_owned();
        self.call("DeleteVpcLink", move |state| {
            // "Cannot delete vpc link referenced in …": what a stage shows is in use, by its id or by a variable of the stage.
            let is_used = state.apis.values().any(|api| {
                api.stages.keys().any(|stage| {
                    let resources =
                        api.shown(stage).map(|document| Api { document: document.clone(), ..Api::default() });
                    let methods = resources.into_iter().flat_map(|one| one.resources()).flat_map(|one| one.methods);
                    let links: Vec<String> = methods.filter_map(|(_, method)| method.connection_id).collect();
                    links.iter().any(|link| api.link(stage, link) == Some(&id))
                })
            });
            if is_used {
                return Err(State::failure("DeleteVpcLink", Cause::Refused, "BadRequestException"));
            }
            if let Some(link) = state.vpc_links.iter_mut().find(|link| link.id == id) {
                link.status = "DELETING".into();
            }
            Ok(())
        })
    }
}

impl BalancerSearch for Model {
    fn by_arn(&self, arn: &LoadBalancerArn) -> impl Future<Output = Answer<Vec<NetworkLoadBalancer>>> + Send {
        self.call("DescribeLoadBalancers", |state| {
            Ok(state.network_load_balancers.iter().filter(|one| one.arn == arn.as_str()).cloned().collect())
        })
    }

    fn by_name(&self, name: &str) -> impl Future<Output = Answer<Vec<NetworkLoadBalancer>>> + Send {
        let part = format!(":loadbalancer/net/{name}/");
        self.call("DescribeLoadBalancers", move |state| {
            Ok(state.network_load_balancers.iter().filter(|one| one.arn.contains(&part)).cloned().collect())
        })
    }

    fn tagged(&self) -> impl Future<Output = Answer<Vec<NetworkLoadBalancer>>> + Send {
        self.call("DescribeLoadBalancers", |state| Ok(state.network_load_balancers.clone()))
    }
}

impl MemberApis for Model {
    fn rest_api(
        &self,
        _account: Option<&AccountId>,
        _region: Option<&Region>,
        id: &RestApiId,
    ) -> impl Future<Output = Answer<Option<RestApi>>> + Send {
        self.call("GetRestApi", |state| Ok(state.apis.get(id).map(described)))
    }

    fn exported(
        &self,
        _account: Option<&AccountId>,
        _region: Option<&Region>,
        id: &RestApiId,
        stage: &StageName,
    ) -> impl Future<Output = Answer<Option<Value>>> + Send {
        self.call("GetExport", |state| Ok(state.apis.get(id).and_then(|api| api.shown(stage)).cloned()))
    }
}
