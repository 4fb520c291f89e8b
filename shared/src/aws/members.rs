//! API Gateway (REST APIs) of any account that lets Foregate in, behind [`MemberApis`] and [`ApisOfAccounts`]: each account is
//! asked with a role of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_apigateway::Client;
use serde_json::Value;

use super::apigateway::{PAGE, PAGES_MAX, api_of, export, found, unreadable};
use super::sdk::{every_page, failed};
use super::{
    Access, Answer, ApisOfAccounts, ListedApi, ListedStage, MemberApis, MemberRole, MethodSettings, RestApi, UsagePlan,
};
use crate::types::{AccountId, Region, RestApiId, StageName, partition_of};

/// REST APIs of the accounts that let Foregate in.
#[derive(Debug)]
pub struct Members {
    config: SdkConfig,
    role: String,
    // A client for each: credentials last an hour, and a warm function sees the same accounts again.
    clients: Mutex<BTreeMap<Access, Client>>,
}

impl Members {
    /// Reads with each account's role called `role`, where nothing else is said; makes no call.
    pub fn new(config: &SdkConfig, role: String) -> Self {
        Self { config: config.clone(), role, clients: Mutex::default() }
    }

    /// As the account's role called as [`new`](Self::new) was told; as the function's own where there is no account.
    fn access(&self, account: Option<&AccountId>, region: Option<&Region>) -> Access {
        let role =
            account.map(|account| MemberRole { account: account.clone(), name: self.role.clone(), external_id: None });
        Access { role, region: region.cloned() }
    }

    /// A client that asks as this, made when it is first needed.
    pub(super) async fn client(&self, access: &Access) -> Client {
        if let Some(client) = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(access) {
            return client.clone();
        }
        let mut config = aws_sdk_apigateway::config::Builder::from(&self.config);
        if let Some(region) = &access.region {
            config = config.region(aws_config::Region::new(region.as_str().to_owned()));
        }
        if let Some(MemberRole { account, name, external_id }) = &access.role {
            let own_region = self.config.region().map(AsRef::as_ref).unwrap_or_default();
            let arn = format!("arn:{}:iam::{account}:role/{name}", partition_of(own_region));
            let mut provider = AssumeRoleProvider::builder(arn).session_name("foregate");
            if let Some(external_id) = external_id {
                provider = provider.external_id(external_id);
            }
            config = config.credentials_provider(provider.configure(&self.config).build().await);
        }
        let client = Client::from_conf(config.build());
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).insert(access.clone(), client.clone());
        client
    }
}

impl MemberApis for Members {
    async fn rest_api(
        &self,
        account: Option<&AccountId>,
        region: Option<&Region>,
        id: &RestApiId,
    ) -> Answer<Option<RestApi>> {
        let there = self.one_api(&self.access(account, region), id).await?;
        Ok(there.map(|listed| listed.api))
    }

    async fn exported(
        &self,
        account: Option<&AccountId>,
        region: Option<&Region>,
        id: &RestApiId,
        stage: &StageName,
    ) -> Answer<Option<Value>> {
        self.export_stage(&self.access(account, region), id, stage.as_str()).await
    }
}

/// A ListedApi of either of the SDK's two types.
macro_rules! listed {
    ($operation:expr, $api:expr) => {{
        let api = $api;
        let id = api.id.clone().unwrap_or_default();
        let id = id.parse().map_err(|e| unreadable($operation, &id, format!("its id: {e}")));
        id.and_then(|id| {
            Ok(ListedApi {
                id,
                api: api_of!($operation, api)?,
                security_policy: api.security_policy.as_ref().map(|one| one.as_str().to_owned()),
                tags: api.tags.clone().unwrap_or_default().into_iter().collect(),
            })
        })
    }};
}

impl ApisOfAccounts for Members {
    async fn list_apis(&self, access: &Access) -> Answer<Vec<ListedApi>> {
        let call = self.client(access).await.get_rest_apis().limit(PAGE);
        every_page!("GetRestApis", "the account", PAGES_MAX, call, |page| {
            let apis = page.items.unwrap_or_default();
            apis.iter().map(|api| listed!("GetRestApis", api)).collect::<Answer<Vec<_>>>()?
        })
    }

    async fn one_api(&self, access: &Access, id: &RestApiId) -> Answer<Option<ListedApi>> {
        let call = self.client(access).await.get_rest_api().rest_api_id(id.as_str());
        let there = found(call.send().await.map_err(|e| failed("GetRestApi", id.as_str(), e)))?;
        there.map(|api| listed!("GetRestApi", &api)).transpose()
    }

    async fn list_stages(&self, access: &Access, id: &RestApiId) -> Answer<Option<Vec<ListedStage>>> {
        let call = self.client(access).await.get_stages().rest_api_id(id.as_str());
        let there = found(call.send().await.map_err(|e| failed("GetStages", id.as_str(), e)))?;
        Ok(there.map(|stages| stages.item.unwrap_or_default().into_iter().map(stage).collect()))
    }

    async fn list_plans(&self, access: &Access) -> Answer<Vec<UsagePlan>> {
        let call = self.client(access).await.get_usage_plans().limit(PAGE);
        every_page!("GetUsagePlans", "the account", PAGES_MAX, call, |page| {
            page.items.unwrap_or_default().into_iter().map(usage_plan)
        })
    }

    async fn export_stage(&self, access: &Access, id: &RestApiId, stage: &str) -> Answer<Option<Value>> {
        found(export(&self.client(access).await, id, stage, "integrations,authorizers").await)
    }
}

fn stage(stage: aws_sdk_apigateway::types::Stage) -> ListedStage {
    let settings = stage.method_settings.unwrap_or_default().into_iter().map(|(method, one)| {
        let (logging, calls_per_second) = (one.logging_level.unwrap_or_default(), one.throttling_rate_limit);
        (method, MethodSettings { logging, calls_per_second })
    });
    ListedStage {
        settings: settings.collect(),
        name: stage.stage_name.unwrap_or_default(),
        deployment_id: stage.deployment_id.unwrap_or_default(),
        has_access_log: stage.access_log_settings.is_some_and(|log| log.destination_arn.is_some()),
        variables: stage.variables.unwrap_or_default().into_iter().collect(),
    }
}

fn usage_plan(plan: aws_sdk_apigateway::types::UsagePlan) -> UsagePlan {
    let stages: BTreeSet<(String, String)> =
        plan.api_stages.unwrap_or_default().into_iter().filter_map(|one| Some((one.api_id?, one.stage?))).collect();
    let has_throttle = plan.throttle.is_some();
    UsagePlan { id: plan.id.unwrap_or_default(), name: plan.name.unwrap_or_default(), stages, has_throttle }
}
