//! API Gateway in the model: an import replaces the API, a deployment is a snapshot of it, a stage shows a deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use serde_json::Value;

use super::{Model, State};
use crate::aws::{Answer, Cause, MemberApis, RestApi, RestApis, Stage, VpcLink};
use crate::types::{AccountId, Region, RestApiId, StageName};

/// A REST API.
#[derive(Clone, Debug, Default)]
pub struct Api {
    /// What was imported last.
    pub document: Value,
    /// The document of each deployment.
    pub deployments: BTreeMap<String, Value>,
    /// The deployment that each stage shows.
    pub stages: BTreeMap<StageName, String>,
    /// Paths that it refuses, whatever document they come in.
    pub refuses: BTreeSet<String>,
}

impl Api {
    /// The document that a client of the stage meets.
    pub fn shown(&self, stage: &StageName) -> Option<&Value> {
        self.deployments.get(self.stages.get(stage)?)
    }
}

fn regional() -> RestApi {
    RestApi {
        name: "front-door".into(),
        endpoint_types: vec!["REGIONAL".into()],
        description: None,
        binary_media_types: Vec::new(),
        policy: None,
    }
}

impl State {
    fn api(&mut self, operation: &'static str, id: &RestApiId) -> Answer<&mut Api> {
        self.apis.get_mut(id).ok_or_else(|| Self::failure(operation, Cause::NotFound, "NotFoundException"))
    }
}

impl RestApis for Model {
    fn rest_api(&self, id: &RestApiId) -> impl Future<Output = Answer<Option<RestApi>>> + Send {
        self.call("GetRestApi", |state| Ok(state.apis.contains_key(id).then(regional)))
    }

    fn import(&self, id: &RestApiId, document: &str) -> impl Future<Output = Answer<()>> + Send {
        self.call("PutRestApi", move |state| {
            let document: Value = serde_json::from_str(document)
                .map_err(|_| State::failure("PutRestApi", Cause::Refused, "BadRequestException"))?;
            let api = state.api("PutRestApi", id)?;
            let mut paths = document["paths"].as_object().into_iter().flatten().map(|(path, _)| path);
            if paths.any(|path| api.refuses.contains(path)) {
                return Err(State::failure("PutRestApi", Cause::Refused, "BadRequestException"));
            }
            api.document = document;
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

    fn vpc_links(&self) -> impl Future<Output = Answer<Vec<VpcLink>>> + Send {
        self.call("GetVpcLinks", |state| Ok(state.vpc_links.clone()))
    }
}

impl MemberApis for Model {
    fn rest_api(
        &self,
        _account: Option<&AccountId>,
        _region: Option<&Region>,
        id: &RestApiId,
    ) -> impl Future<Output = Answer<Option<RestApi>>> + Send {
        self.call("GetRestApi", |state| Ok(state.apis.contains_key(id).then(regional)))
    }
}
