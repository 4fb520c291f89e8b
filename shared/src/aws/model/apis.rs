//! API Gateway in the model: an import replaces the API, a deployment is a snapshot of it, a stage shows a deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use serde_json::Value;

use super::{Model, State};
use crate::aws::{
    Answer, BalancerSearch, Cause, GatewayResponse, ImportMode, MemberApis, NetworkLoadBalancer, Resource,
    ResourceMethod, RestApi, RestApis, Stage, VpcLink, VpcLinks,
};
use crate::types::{AccountId, LoadBalancerArn, Region, RestApiId, StageName};

/// A REST API.
#[derive(Clone, Debug, Default)]
pub struct Api {
    /// Its name.
    pub name: String,
    /// What was imported last.
    pub document: Value,
    /// The document of each deployment.
    pub deployments: BTreeMap<String, Value>,
    /// The deployment that each stage shows.
    pub stages: BTreeMap<StageName, String>,
    /// Paths that it refuses, whatever document they come in.
    pub refuses: BTreeSet<String>,
    /// Whether it is `PRIVATE`, rather than `REGIONAL`.
    pub is_private: bool,
    /// Its resource policy.
    pub policy: Option<Value>,
}

impl Api {
    /// The document that a client of the stage meets.
    pub fn shown(&self, stage: &StageName) -> Option<&Value> {
        self.deployments.get(self.stages.get(stage)?)
    }
}

fn described(api: &Api) -> RestApi {
    let endpoint_type = if api.is_private { "PRIVATE" } else { "REGIONAL" };
    RestApi {
        name: "front-door".into(),
        endpoint_types: vec![endpoint_type.into()],
        description: None,
        binary_media_types: Vec::new(),
        policy: api.policy.clone(),
        compressed_from_bytes: None,
        api_key_source: None,
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
                (name, self.method(operation))
            });
            Resource { id: path.to_owned(), path: path.to_owned(), methods: methods.collect() }
        };
        all.into_iter().map(resource).collect()
    }

    fn method(&self, operation: &Value) -> ResourceMethod {
        let schemes = operation["security"][0].as_object().into_iter().flatten();
        let mut method = ResourceMethod { authorization: "NONE".into(), ..ResourceMethod::default() };
        for (name, _) in schemes {
            let scheme = &self.document["components"]["securitySchemes"][name.as_str()];
            method.api_key_required |= scheme["name"] == "x-api-key";
            match scheme["x-amazon-apigateway-authtype"].as_str() {
                Some("awsSigv4") => method.authorization = "AWS_IAM".into(),
                Some("cognito_user_pools") => method.authorization = "COGNITO_USER_POOLS".into(),
                Some(_) => method.authorization = "CUSTOM".into(),
                None => {}
            }
        }
        let integration = &operation["x-amazon-apigateway-integration"];
        method.uri = integration["uri"].as_str().map(str::to_owned);
        method.connection_id = integration["connectionId"].as_str().map(str::to_owned);
        method
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
    fn rest_api(&self, id: &RestApiId) -> impl Future<Output = Answer<Option<RestApi>>> + Send {
        self.call("GetRestApi", |state| Ok(state.apis.get(id).map(described)))
    }

    fn import(&self, id: &RestApiId, mode: ImportMode, document: &str) -> impl Future<Output = Answer<()>> + Send {
        self.call("PutRestApi", move |state| {
            let mut document: Value = serde_json::from_str(document)
                .map_err(|_| State::failure("PutRestApi", Cause::Refused, "BadRequestException"))?;
            let api = state.api("PutRestApi", id)?;
            let mut paths = document["paths"].as_object().into_iter().flatten().map(|(path, _)| path);
            if paths.any(|path| api.refuses.contains(path)) {
                return Err(State::failure("PutRestApi", Cause::Refused, "BadRequestException"));
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
            api.document = document;
            Ok(())
        })
    }

    fn gateway_responses(&self, _id: &RestApiId) -> impl Future<Output = Answer<Vec<GatewayResponse>>> + Send {
        self.call("GetGatewayResponses", |_| Ok(Vec::new()))
    }

    fn resources(&self, id: &RestApiId) -> impl Future<Output = Answer<Vec<Resource>>> + Send {
        self.call("GetResources", |state| Ok(state.api("GetResources", id)?.resources()))
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

    fn deploy(&self, id: &RestApiId, _description: &str) -> impl Future<Output = Answer<String>> + Send {
        self.call("CreateDeployment", |state| {
            let deployment = state.next_id("deployment");
            let api = state.api("CreateDeployment", id)?;
            api.deployments.insert(deployment.clone(), api.document.clone());
            Ok(deployment)
        })
    }

    fn stage(&self, id: &RestApiId, name: &StageName) -> impl Future<Output = Answer<Option<Stage>>> + Send {
        self.call("GetStage", |state| {
            let shown = state.api("GetStage", id)?.stages.get(name).cloned();
            Ok(shown.map(|deployment_id| Stage { deployment_id, has_canary: false }))
        })
    }

    fn point_stage(
        &self,
        id: &RestApiId,
        name: &StageName,
        exists: bool,
        deployment_id: &str,
    ) -> impl Future<Output = Answer<()>> + Send {
        let operation = if exists { "UpdateStage" } else { "CreateStage" };
        self.call(operation, move |state| {
            let api = state.api(operation, id)?;
            if api.stages.contains_key(name) != exists {
                let cause = if exists { Cause::NotFound } else { Cause::Conflict };
                return Err(State::failure(operation, cause, ""));
            }
            if !api.deployments.contains_key(deployment_id) {
                return Err(State::failure(operation, Cause::Refused, "BadRequestException"));
            }
            api.stages.insert(name.clone(), deployment_id.to_owned());
            Ok(())
        })
    }

    fn export(&self, id: &RestApiId, stage: &StageName) -> impl Future<Output = Answer<Value>> + Send {
        self.call("GetExport", |state| {
            let shown = state.api("GetExport", id)?.shown(stage).cloned();
            shown.ok_or_else(|| State::failure("GetExport", Cause::NotFound, "NotFoundException"))
        })
    }

    fn create_api(
        &self,
        name: &str,
        _description: &str,
        _endpoint_type: &str,
    ) -> impl Future<Output = Answer<RestApiId>> + Send {
        self.call("CreateRestApi", move |state| {
            let id = format!("api{}", state.apis.len());
            let id: RestApiId = id.parse().map_err(|_| State::failure("CreateRestApi", Cause::Refused, ""))?;
            state.apis.insert(id.clone(), Api { name: name.to_owned(), ..Api::default() });
            Ok(id)
        })
    }

    fn find_api(&self, name: &str, _description: &str) -> impl Future<Output = Answer<Option<RestApiId>>> + Send {
        self.call("GetRestApis", move |state| {
            Ok(state.apis.iter().find(|(_, api)| api.name == name).map(|(id, _)| id.clone()))
        })
    }

    fn mapping(&self, domain: &str, base_path: &str) -> impl Future<Output = Answer<Option<(String, String)>>> + Send {
        let key = format!("{domain}/{base_path}");
        self.call("GetBasePathMapping", move |state| Ok(state.mappings.get(&key).cloned()))
    }

    fn map(
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
            // "Cannot delete vpc link referenced in …": what a stage shows is in use.
            let shown = state.apis.values().flat_map(|api| api.stages.keys().filter_map(|stage| api.shown(stage)));
            if shown.into_iter().any(|document| document.to_string().contains(&format!("\"{id}\""))) {
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
