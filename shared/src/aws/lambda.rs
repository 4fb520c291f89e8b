//! Lambda, behind [`InvokePermissions`]: an alias per account, which that account alone may invoke. The alias in the invoked
//! ARN is what vouches for a caller.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_lambda::types::{DestinationConfig, FunctionEventInvokeConfig, OnFailure};
use serde_json::Value;

use super::sdk::{absent_is_fine, every_page, failed, json_of};
use super::{Answer, Cause, EventInvokeConfig, InvokePermissions};
use crate::types::AccountId;

/// The version behind every alias: the code that is deployed now.
const UNPUBLISHED: &str = "$LATEST";
/// Fifty to a page: more aliases than any function has.
const PAGES_MAX: usize = 100;

/// Lambda functions of this account and region.
#[derive(Clone, Debug)]
pub struct Functions {
    client: aws_sdk_lambda::Client,
}

impl Functions {
    /// A client; makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_lambda::Client::new(config) }
    }
}

/// An alias where a function may be named: `FunctionName` takes the ARN with the alias at its end, and IAM is asked about that
/// ARN, so that a role can be kept to aliases.
fn qualified(function: &str, alias: &str) -> String {
    format!("{function}:{alias}")
}

impl InvokePermissions for Functions {
    async fn create_alias(&self, function: &str, alias: &str) -> Answer<()> {
        let call = self.client.create_alias().function_name(function).name(alias).function_version(UNPUBLISHED);
        call.send().await.map(|_| ()).map_err(|e| failed("CreateAlias", alias, e))
    }

    async fn list_aliases(&self, function: &str) -> Answer<BTreeSet<String>> {
        let call = self.client.list_aliases().function_name(function);
        let names: Vec<_> = every_page!("ListAliases", function, PAGES_MAX, call, |page| {
            page.aliases().iter().filter_map(|alias| alias.name().map(str::to_owned))
        })?;
        Ok(names.into_iter().collect())
    }

    async fn delete_alias(&self, function: &str, alias: &str) -> Answer<()> {
        let call = self.client.delete_alias().function_name(function).name(alias);
        absent_is_fine(call.send().await.map(|_| ()).map_err(|e| failed("DeleteAlias", alias, e)))
    }

    async fn get_policy(&self, function: &str, alias: &str) -> Answer<Option<Value>> {
        let call = self.client.get_policy().function_name(qualified(function, alias));
        match call.send().await.map_err(|e| failed("GetPolicy", alias, e)) {
            Ok(answer) => answer.policy().map(|policy| json_of("GetPolicy", alias, policy)).transpose(),
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn add_permission(&self, function: &str, alias: &str, account: &AccountId) -> Answer<()> {
        let call = self.client.add_permission().function_name(qualified(function, alias)).statement_id(alias);
        let call = call.action("lambda:InvokeFunction").principal(account.as_str());
        call.send().await.map(|_| ()).map_err(|e| failed("AddPermission", alias, e))
    }

    async fn remove_permission(&self, function: &str, alias: &str) -> Answer<()> {
        let call = self.client.remove_permission().function_name(qualified(function, alias)).statement_id(alias);
        absent_is_fine(call.send().await.map(|_| ()).map_err(|e| failed("RemovePermission", alias, e)))
    }

    async fn put_event_invoke_config(&self, function: &str, alias: &str, config: &EventInvokeConfig) -> Answer<()> {
        let destination = OnFailure::builder().destination(&config.on_failure).build();
        let call = self.client.put_function_event_invoke_config().function_name(qualified(function, alias));
        let call = call.maximum_event_age_in_seconds(config.age_seconds_max);
        let call = call.destination_config(DestinationConfig::builder().on_failure(destination).build());
        call.send().await.map(|_| ()).map_err(|e| failed("PutFunctionEventInvokeConfig", alias, e))
    }

    async fn list_event_invoke_configs(&self, function: &str) -> Answer<BTreeMap<String, EventInvokeConfig>> {
        let call = self.client.list_function_event_invoke_configs().function_name(function);
        let configs: Vec<_> = every_page!("ListFunctionEventInvokeConfigs", function, PAGES_MAX, call, |page| {
            page.function_event_invoke_configs().iter().filter_map(read)
        })?;
        Ok(configs.into_iter().collect())
    }
}

/// The qualifier at the end of the ARN, and its configuration.
fn read(config: &FunctionEventInvokeConfig) -> Option<(String, EventInvokeConfig)> {
    let (_, qualifier) = config.function_arn()?.rsplit_once(':')?;
    let on_failure = config.destination_config().and_then(DestinationConfig::on_failure);
    let on_failure = on_failure.and_then(OnFailure::destination).unwrap_or_default().to_owned();
    let age_seconds_max = config.maximum_event_age_in_seconds().unwrap_or_default();
    Some((qualifier.to_owned(), EventInvokeConfig { age_seconds_max, on_failure }))
}
