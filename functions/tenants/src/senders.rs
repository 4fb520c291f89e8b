//! Who may put events on Foregate's bus: one statement of the bus' policy, made of all tenants that asked for it.
//!
//! Invariant: whoever changes a tenant looks again after its own write, until the statement says what the registry says. So of
//! two that write at once, the later one writes what both need.

use std::collections::BTreeSet;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use shared::aws::{AwsError, BusPolicy, Cause};
use shared::error::Error;
use shared::types::AccountId;

use crate::onboard;
use crate::plan::{self, BusChange};
use crate::world::World;

/// EventBridge refuses a change during another one: of fifty at once, each gets its turn.
const LOOKS_MAX: usize = 60;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Makes the statement what the registry says. Whether anything was changed.
pub async fn update<W: World>(world: &W) -> Result<bool, Error> {
    let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_max_delay(WAIT_MAX);
    let mut is_changed = false;
    for wait in waits.with_max_times(LOOKS_MAX).with_jitter().build() {
        let Some(change) = look(world, None).await? else {
            return Ok(is_changed);
        };
        let written = match change {
            BusChange::Put(policy) => world.bus().put_permission(&policy).await,
            BusChange::Remove => world.bus().remove_permission(plan::STATEMENT_ID).await,
        };
        match written {
            Ok(()) => is_changed = true,
            Err(error) if may_pass(&error) => tokio::time::sleep(wait).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::conflict("the event bus' policy is being changed by others all the time: try again in a minute"))
}

/// Whether one more account would fit.
pub async fn check_room<W: World>(world: &W, account: &AccountId) -> Result<(), Error> {
    look(world, Some(account)).await.map(|_| ())
}

async fn look<W: World>(world: &W, further: Option<&AccountId>) -> Result<Option<BusChange>, Error> {
    let tenants = onboard::list(world).await?;
    let senders = tenants.into_iter().map(|tenant| tenant.grants).filter(|grants| grants.events);
    let senders: BTreeSet<AccountId> = senders.map(|grants| grants.account).chain(further.cloned()).collect();
    let policy = world.bus().describe_event_bus().await?;
    let settings = world.settings();
    plan::bus_change(&settings.bus_arn, settings.organization_id.as_deref(), &senders, policy.as_ref())
}

fn may_pass(error: &AwsError) -> bool {
    error.cause.is_retryable() || error.cause == Cause::Conflict
}
