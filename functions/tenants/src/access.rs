//! One account's access to one function: an alias, the permission to invoke it, and what becomes of its asynchronous invocations,
//! which Lambda keeps for each alias apart.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use shared::aws::{Answer, AwsError, Cause, EventInvokeConfig, InvokePermissions, alias_of};
use shared::error::Error;
use shared::types::AccountId;

use crate::plan;
use crate::world::{Settings, World};

/// CloudFormation waits an hour for an answer: what comes later answers nobody.
const EVENT_AGE_SECONDS_MAX: i32 = 3_600;
/// Lambda answers `ResourceConflictException` also while it is busy with the function.
const TRIES_MAX: usize = 6;
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// What becomes of asynchronous invocations.
pub fn event_invoke_config(settings: &Settings) -> EventInvokeConfig {
    EventInvokeConfig { age_seconds_max: EVENT_AGE_SECONDS_MAX, on_failure: settings.failures_arn.clone() }
}

/// Lets the account invoke the function through its alias. What is there already stays.
pub async fn grant_invoke<W: World>(world: &W, function: &str, account: &AccountId) -> Result<(), Error> {
    let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_max_times(TRIES_MAX).with_jitter();
    let granted = (|| grant_once(world, function, account)).retry(waits).when(may_pass).await;
    granted.map_err(Error::from)
}

/// Whether the next try may succeed: Lambda was busy, or does not know the new alias everywhere yet.
fn may_pass(error: &AwsError) -> bool {
    error.cause.is_retryable() || matches!(error.cause, Cause::Conflict | Cause::NotFound)
}

async fn grant_once<W: World>(world: &W, function: &str, account: &AccountId) -> Answer<()> {
    let (functions, alias) = (world.functions(), alias_of(account));
    match functions.create_alias(function, &alias).await {
        Err(error) if error.cause == Cause::Conflict => {}
        other => other?,
    }
    if let Err(error) = functions.add_permission(function, &alias, account).await {
        // Either it is there, or somebody has changed it, or Lambda is busy: its policy tells.
        if error.cause != Cause::Conflict {
            return Err(error);
        }
        let policy = functions.get_policy(function, &alias).await?.unwrap_or_default();
        if !plan::admits(&policy, account) {
            functions.remove_permission(function, &alias).await?;
            return Err(error);
        }
    }
    functions.put_event_invoke_config(function, &alias, &event_invoke_config(world.settings())).await
}

/// Takes the account's alias away, and the permission first.
pub async fn revoke_invoke<W: World>(world: &W, function: &str, account: &AccountId) -> Result<(), Error> {
    let alias = alias_of(account);
    world.functions().remove_permission(function, &alias).await?;
    Ok(world.functions().delete_alias(function, &alias).await?)
}
