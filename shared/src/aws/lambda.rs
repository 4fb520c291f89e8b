//! Lambda, behind [`Admission`]: an alias per account, which that account alone may invoke. The alias in the invoked ARN is
//! what vouches for a caller.

use aws_config::SdkConfig;

use super::sdk::failed;
use super::{Admission, Answer, Cause, alias_of};
use crate::types::AccountId;

/// The version behind every alias: the code that is deployed now.
const UNPUBLISHED: &str = "$LATEST";

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

impl Admission for Functions {
    async fn admit(&self, function: &str, account: &AccountId) -> Answer<()> {
        let alias = alias_of(account);
        let call = self.client.create_alias().function_name(function).name(&alias).function_version(UNPUBLISHED);
        there_is_fine(call.send().await.map(|_| ()).map_err(|e| failed("CreateAlias", &alias, e)))?;
        let call = self.client.add_permission().function_name(function).qualifier(&alias).statement_id(&alias);
        let call = call.action("lambda:InvokeFunction").principal(account.as_str());
        there_is_fine(call.send().await.map(|_| ()).map_err(|e| failed("AddPermission", &alias, e)))
    }

    async fn expel(&self, function: &str, account: &AccountId) -> Answer<()> {
        let alias = alias_of(account);
        let call = self.client.remove_permission().function_name(function).qualifier(&alias).statement_id(&alias);
        absent_is_fine(call.send().await.map(|_| ()).map_err(|e| failed("RemovePermission", &alias, e)))?;
        let call = self.client.delete_alias().function_name(function).name(&alias);
        absent_is_fine(call.send().await.map(|_| ()).map_err(|e| failed("DeleteAlias", &alias, e)))
    }
}

fn there_is_fine(answer: Answer<()>) -> Answer<()> {
    match answer {
        Err(error) if error.cause == Cause::Conflict => Ok(()),
        other => other,
    }
}

fn absent_is_fine(answer: Answer<()>) -> Answer<()> {
    match answer {
        Err(error) if error.cause == Cause::NotFound => Ok(()),
        other => other,
    }
}
