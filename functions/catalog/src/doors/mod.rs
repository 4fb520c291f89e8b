//! The doors for those who wait for an answer: CloudFormation, a command, Terraform. Who asks is what AWS vouches for: an operator
//! sees and does everything, a tenant what is its own account's.

mod command;
mod reading;
mod stack;
mod terraform;

use std::collections::{BTreeMap, BTreeSet};

pub use command::command;
use serde_json::{Map, Value, json};
use shared::aws::Queue;
use shared::entry::Invocation;
use shared::error::Error;
use shared::identity::Caller;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
pub use stack::{custom_resource, physical_id};
pub use terraform::terraform;

use crate::queue::scan_message;
use crate::record::{Discovery, Subscription};
use crate::report;
use crate::spec::DiscoverySpec;
use crate::subscriptions::{self, Asked, Given};
use crate::targets;
use crate::world::World;

/// Who asks for a subscription, and as what.
fn asked(invocation: &Invocation, origin: Origin) -> Asked {
    Asked { account: invocation.caller.account().clone(), origin, stamp: invocation.stamp() }
}

/// The account that a caller is limited to; an operator is not.
fn limited(caller: &Caller) -> Option<&shared::types::AccountId> {
    match caller {
        Caller::Operator(_) => None,
        Caller::Tenant(account) => Some(account),
    }
}

/// An answer about a subscription, with its key's value where that is to be given.
fn answer(given: &Given) -> Value {
    let mut answer = report::subscription(&given.subscription);
    if let Some(value) = &given.value {
        answer["attributes"]["ApiKeyValue"] = json!(value.expose());
    }
    answer
}

/// The one discovery of an origin.
fn discovery_id(origin: &Origin) -> String {
    origin.id("discovery", "")
}

/// Writes down where to look, and has it looked at.
async fn discover_there<W: World>(
    world: &W,
    origin: Origin,
    stamp: Stamp,
    spec: DiscoverySpec,
) -> Result<Value, Error> {
    let (registry, id) = (Registry::new(world.table()), discovery_id(&origin));
    let key = registry::discovery_key(&id);
    let stored: Option<Record<Discovery>> = registry.get(&key).await?;
    let mut record = stored.unwrap_or_else(|| {
        let value = Discovery {
            id,
            origin,
            spec: spec.clone(),
            accounts: BTreeSet::new(),
            missed: BTreeMap::new(),
            requests: Requests::default(),
            deleted: false,
        };
        Record::new(key, value)
    });
    let discovery = &mut record.value;
    if discovery.requests.supersede(&stamp) {
        return Err(Error::conflict(format!("this request is older than the last one about {}", discovery.id)));
    }
    discovery.requests.note(stamp);
    if discovery.spec.organizational_unit != spec.organizational_unit {
        discovery.accounts.clear();
        discovery.missed.clear();
    }
    (discovery.spec, discovery.deleted) = (spec, false);
    registry.put(&mut record).await?;
    let targets = targets::once(world, &record.value.spec).await?;
    let messages: Vec<_> = targets.places.iter().map(|target| scan_message(target, 0)).collect();
    world.queue().send(&messages).await?;
    Ok(report::discovery(&record.value, targets.places.len()))
}

/// Gives a discovery up: what it found stays in the catalogue as it was seen last. What never was is gone already.
async fn leave_alone<W: World>(world: &W, id: &str, stamp: Stamp) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let stored: Option<Record<Discovery>> = registry.get(&registry::discovery_key(id)).await?;
    let Some(mut record) = stored.filter(|record| !record.value.requests.supersede(&stamp)) else {
        return Ok(());
    };
    record.value.requests.note(stamp);
    record.value.deleted = true;
    registry.put(&mut record).await
}

fn deleted(name: &str, id: Option<&str>) -> Value {
    json!({"name": name, "id": id, "status": "DELETED", "attributes": {}})
}

fn attributes(answer: &Value) -> Map<String, Value> {
    answer["attributes"].as_object().cloned().unwrap_or_default()
}

/// Whether a spec is a subscription's; else it is a discovery's.
fn is_subscription(spec: &Value) -> bool {
    spec.get("Plan").is_some() || spec.get("Consumer").is_some()
}

fn none(name: &str) -> Error {
    Error::not_found(format!(
        "there is nothing called '{name}': name an API as ACCOUNT/REGION/API-ID, or a subscription; the command list shows \
         them"
    ))
}

/// The caller's subscription of that name or id; an operator may name anybody's by its id.
async fn find<W: World>(world: &W, invocation: &Invocation, name: &str) -> Result<Option<Subscription>, Error> {
    let all = subscriptions::list(world, limited(&invocation.caller)).await?;
    let own = invocation.caller.account();
    Ok(all.into_iter().find(|one| one.id == name || one.account == *own && one.origin.name() == name))
}

/// The discovery of that name or id, for an operator.
async fn find_discovery<W: World>(world: &W, invocation: &Invocation, name: &str) -> Result<Option<Discovery>, Error> {
    if limited(&invocation.caller).is_some() {
        return Ok(None);
    }
    let mut all = targets::discoveries(world).await?.into_iter().map(|record| record.value);
    Ok(all.find(|one| one.id == name || one.origin.name() == name))
}
