//! Restores what tenants were given and have lost: after the functions were made anew, or after somebody's edit.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::{Value, json};
use shared::aws::{EventInvokeConfig, InvokePermissions, alias_of};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::Onboarded;
use shared::types::AccountId;

use crate::world::World;
use crate::{access, onboard, plan, senders};

/// How many tenants' policies a scheduled run reads. Lambda answers 15 GetPolicy a second to the whole account: it looks at
/// some each time, and at all of them in turn.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const POLICIES_MAX: usize = 50;
/// What a run needs for its end.
const RESERVE: Duration = Duration::from_secs(15);

/// Whose policies are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everybody's.
    All,
    /// Those of some tenants, whose turn it is at this time.
    InTurn(u64),
}

/// What Lambda has of one function.
struct Present {
    aliases: BTreeSet<String>,
    configs: BTreeMap<String, EventInvokeConfig>,
}

/// Restores what is lost of all tenants; every failure is gathered, then the run fails.
pub async fn sync<W: World>(world: &W, invocation: &Invocation, depth: Depth) -> Result<Value, Error> {
    let tenants = onboard::list(world).await?;
    let turn = turn(tenants.len(), depth);
    let (mut restored, mut failures, mut left) = (BTreeSet::new(), Vec::new(), 0);
    for function in world.settings().functions() {
        let present = Present {
            aliases: world.functions().list_aliases(function).await?,
            configs: world.functions().list_event_invoke_configs(function).await?,
        };
        for (place, tenant) in tenants.iter().enumerate() {
            if invocation.remaining() < RESERVE {
                left += 1;
                continue;
            }
            match restore(world, function, &present, tenant, turn.contains(&place)).await {
                Ok(false) => {}
                Ok(true) => drop(restored.insert(tenant.grants.account.to_string())),
                Err(error) => failures.push(format!("{}: {error}", tenant.grants.account)),
            }
        }
    }
    let is_bus_changed = senders::update(world).await.unwrap_or_else(|error| {
        failures.push(error.to_string());
        false
    });
    if let Some(first) = failures.first() {
        return Err(Error::upstream(format!("{} could not be restored; the first: {first}", failures.len())));
    }
    tracing::info!(
        tenants = tenants.len(),
        restored = restored.len(),
        is_bus_changed,
        "tenants are as the registry says"
    );
    Ok(json!({"tenants": tenants.len(), "restored": restored, "busChanged": is_bus_changed, "complete": left == 0}))
}

/// The places of those tenants whose policies are read.
fn turn(count: usize, depth: Depth) -> BTreeSet<usize> {
    match depth {
        Depth::All => (0..count).collect(),
        // By chance: any fixed step could meet the same tenants at each run of the schedule.
        Depth::InTurn(now_seconds) => {
            let mut hasher = DefaultHasher::new();
            now_seconds.hash(&mut hasher);
            let turns = u64::try_from(count.div_ceil(POLICIES_MAX)).unwrap_or(u64::MAX).max(1);
            let first = usize::try_from(hasher.finish() % turns).unwrap_or_default() * POLICIES_MAX;
            (first..count.min(first + POLICIES_MAX)).collect()
        }
    }
}

/// Whether something of the tenant's access to the function was lost, and is there again.
async fn restore<W: World>(
    world: &W,
    function: &str,
    present: &Present,
    tenant: &Onboarded,
    is_read: bool,
) -> Result<bool, Error> {
    let account = &tenant.grants.account;
    let is_lost = lacks(world, present, account) || (is_read && !is_admitted(world, function, account).await?);
    if is_lost {
        access::grant_invoke(world, function, account).await?;
        // The account may have been shut out since all tenants were listed. Whoever does that first says so in the registry.
        if !onboard::is_tenant(world, account).await? {
            access::revoke_invoke(world, function, account).await?;
        }
    }
    Ok(is_lost)
}

fn lacks<W: World>(world: &W, present: &Present, account: &AccountId) -> bool {
    let alias = alias_of(account);
    let config = access::event_invoke_config(world.settings());
    !present.aliases.contains(&alias) || present.configs.get(&alias) != Some(&config)
}

async fn is_admitted<W: World>(world: &W, function: &str, account: &AccountId) -> Result<bool, Error> {
    let policy = world.functions().get_policy(function, &alias_of(account)).await?;
    Ok(policy.is_some_and(|policy| plan::admits(&policy, account)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_reads_everybodys_policy_in_turn() {
        for count in [0, 1, 50, 51, 500] {
            let runs = (0..100).map(|n| turn(count, Depth::InTurn(1_800_000_000 + n * 300)));
            let runs: Vec<BTreeSet<usize>> = runs.collect();
            assert!(runs.iter().all(|run| run.len() <= POLICIES_MAX), "{count}");
            assert_eq!(runs.into_iter().flatten().collect::<BTreeSet<_>>().len(), count);
            assert_eq!(turn(count, Depth::All).len(), count);
        }
    }
}
