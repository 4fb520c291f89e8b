//! REST APIs, usage plans and API keys of many accounts in the model, as the catalogue meets them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use serde_json::Value;

use super::{Model, State};
use crate::aws::{
    Access, Answer, ApiKeys, ApisOfAccounts, Cause, ListedApi, ListedStage, Organization, RestApi, UsagePlan,
};
use crate::types::{AccountId, RestApiId, Secret};

/// The account of who takes no role.
pub const CENTRAL: &str = "123456789012";

/// What an account has in a region.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The REST APIs.
    pub apis: BTreeMap<RestApiId, MemberApi>,
    /// The usage plans by id.
    pub plans: BTreeMap<String, UsagePlan>,
    /// The API keys by id.
    pub keys: BTreeMap<String, ApiKey>,
    /// Whether it lets nobody look.
    pub is_denied: bool,
    /// Whether its list of REST APIs comes back empty, although there are some.
    pub lists_nothing: bool,
}

/// A REST API.
#[derive(Clone, Debug)]
pub struct MemberApi {
    /// What GetRestApi says.
    pub listed: ListedApi,
    /// The stages, and what each shows.
    pub stages: BTreeMap<String, (ListedStage, Value)>,
}

impl MemberApi {
    /// A regional API of this id, which is its name too.
    pub fn new(id: &RestApiId) -> Self {
        let api = RestApi { name: id.to_string(), ..RestApi::default() };
        let listed = ListedApi { id: id.clone(), api, security_policy: None, tags: BTreeMap::new() };
        Self { listed, stages: BTreeMap::new() }
    }

    /// From now on the stage shows this document, of that deployment.
    pub fn deploy(&mut self, stage: &str, deployment_id: &str, document: Value) {
        let name = stage.to_owned();
        let listed = ListedStage { name: name.clone(), deployment_id: deployment_id.into(), ..ListedStage::default() };
        self.stages.insert(name, (listed, document));
    }
}

/// An API key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name.
    pub name: String,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// The usage plans that it is on.
    pub plans: BTreeSet<String>,
}

impl State {
    /// What an account has in a region; made when it is first asked for.
    pub fn account(&mut self, account: &str, region: &str) -> &mut Account {
        self.accounts.entry(format!("{account}/{region}")).or_default()
    }

    fn accessed(&mut self, operation: &'static str, access: &Access) -> Answer<&mut Account> {
        let account = access.role.as_ref().map_or(CENTRAL, |role| role.account.as_str()).to_owned();
        let region = access.region.as_ref().map_or("eu-west-1", |region| region.as_str()).to_owned();
        let account = self.account(&account, &region);
        match account.is_denied {
            true => Err(Self::failure(operation, Cause::Denied, "AccessDeniedException")),
            false => Ok(account),
        }
    }

    fn key_of(&mut self, operation: &'static str, access: &Access, id: &str) -> Answer<&mut ApiKey> {
        let missing = || Self::failure(operation, Cause::NotFound, "NotFoundException");
        self.accessed(operation, access)?.keys.get_mut(id).ok_or_else(missing)
    }
}

impl ApisOfAccounts for Model {
    fn list_apis(&self, access: &Access) -> impl Future<Output = Answer<Vec<ListedApi>>> + Send {
        self.call("GetRestApis", move |state| {
            let account = state.accessed("GetRestApis", access)?;
            let all = account.apis.values().map(|api| api.listed.clone());
            Ok(all.filter(|_| !account.lists_nothing).collect())
        })
    }

    fn one_api(&self, access: &Access, id: &RestApiId) -> impl Future<Output = Answer<Option<ListedApi>>> + Send {
        self.call("GetRestApi", move |state| {
            Ok(state.accessed("GetRestApi", access)?.apis.get(id).map(|api| api.listed.clone()))
        })
    }

    fn list_stages(
        &self,
        access: &Access,
        id: &RestApiId,
    ) -> impl Future<Output = Answer<Option<Vec<ListedStage>>>> + Send {
        self.call("GetStages", move |state| {
            let api = state.accessed("GetStages", access)?.apis.get(id);
            Ok(api.map(|api| api.stages.values().map(|(stage, _)| stage.clone()).collect()))
        })
    }

    fn list_plans(&self, access: &Access) -> impl Future<Output = Answer<Vec<UsagePlan>>> + Send {
        self.call("GetUsagePlans", move |state| {
            Ok(state.accessed("GetUsagePlans", access)?.plans.values().cloned().collect())
        })
    }

    fn export_stage(
        &self,
        access: &Access,
        id: &RestApiId,
        stage: &str,
    ) -> impl Future<Output = Answer<Option<Value>>> + Send {
        self.call("GetExport", move |state| {
            let api = state.accessed("GetExport", access)?.apis.get(id);
            Ok(api.and_then(|api| api.stages.get(stage)).map(|(_, document)| document.clone()))
        })
    }
}

impl ApiKeys for Model {
    fn find_key(&self, access: &Access, name: &str) -> impl Future<Output = Answer<Option<String>>> + Send {
        self.call("GetApiKeys", move |state| {
            let keys = &state.accessed("GetApiKeys", access)?.keys;
            Ok(keys.iter().find(|(_, key)| key.name == name).map(|(id, _)| id.clone()))
        })
    }

    fn create_key(
        &self,
        access: &Access,
        name: &str,
        _description: &str,
        _tag: (&str, &str),
    ) -> impl Future<Output = Answer<String>> + Send {
        self.call("CreateApiKey", move |state| {
            let id = state.next_id("key");
            let key = ApiKey { name: name.to_owned(), is_enabled: true, plans: BTreeSet::new() };
            state.accessed("CreateApiKey", access)?.keys.insert(id.clone(), key);
            Ok(id)
        })
    }

    fn key_value(&self, access: &Access, id: &str) -> impl Future<Output = Answer<Option<Secret>>> + Send {
        self.call("GetApiKey", move |state| {
            let is_there = state.accessed("GetApiKey", access)?.keys.contains_key(id);
            Ok(is_there.then(|| Secret::new(format!("value-of-{id}"))))
        })
    }

    fn enable_key(&self, access: &Access, id: &str, enabled: bool) -> impl Future<Output = Answer<()>> + Send {
        self.call("UpdateApiKey", move |state| {
            state.key_of("UpdateApiKey", access, id)?.is_enabled = enabled;
            Ok(())
        })
    }

    fn delete_key(&self, access: &Access, id: &str) -> impl Future<Output = Answer<()>> + Send {
        self.call("DeleteApiKey", move |state| {
            state.accessed("DeleteApiKey", access)?.keys.remove(id);
            Ok(())
        })
    }

    fn attach_key(&self, access: &Access, plan_id: &str, key_id: &str) -> impl Future<Output = Answer<()>> + Send {
        self.call("CreateUsagePlanKey", move |state| {
            if !state.accessed("CreateUsagePlanKey", access)?.plans.contains_key(plan_id) {
                return Err(State::failure("CreateUsagePlanKey", Cause::NotFound, "NotFoundException"));
            }
            state.key_of("CreateUsagePlanKey", access, key_id)?.plans.insert(plan_id.to_owned());
            Ok(())
        })
    }
}

impl Organization for Model {
    fn accounts_below(&self, unit_id: &str) -> impl Future<Output = Answer<BTreeSet<AccountId>>> + Send {
        self.call("ListAccountsForParent", move |state| {
            let missing = || State::failure("ListAccountsForParent", Cause::NotFound, "ParentNotFoundException");
            state.units.get(unit_id).cloned().ok_or_else(missing)
        })
    }
}
