//! Writes an account's grants down and lets it in; shuts it out and takes them back.

use serde_json::{Map, Value, json};
use shared::aws::alias_of;
use shared::error::Error;
use shared::front_door::Tenant;
use shared::front_door::records::Onboarded;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use shared::telemetry::{Metric, count};
use shared::types::AccountId;

use crate::world::World;
use crate::{access, senders};

/// A tenant's `PhysicalResourceId`: another account is another tenant.
pub fn physical_id(account: &str) -> String {
    format!("tenant-{account}")
}

/// Writes the grants and lets the account in. The attributes that `Fn::GetAtt` gives.
pub async fn onboard<W: World>(
    world: &W,
    origin: Origin,
    stamp: Stamp,
    grants: Tenant,
) -> Result<Map<String, Value>, Error> {
    let registry = Registry::new(world.table());
    let account = grants.account.clone();
    let mut record = record(world, &origin, &grants).await?;
    let tenant = &mut record.value;
    let had_events = tenant.grants.events;
    if grants.events {
        senders::check_room(world, &account).await?;
    }
    if tenant.requests.supersede(&stamp) {
        return Err(Error::conflict(format!("this request is older than the last one about account {account}")));
    }
    tenant.requests.note(stamp);
    (tenant.origin, tenant.grants, tenant.deleted) = (origin, grants, false);
    registry.put(&mut record).await?;
    for function in world.settings().functions() {
        access::grant_invoke(world, function, &account).await?;
    }
    if had_events || record.value.grants.events {
        senders::update(world).await?;
    }
    let settings = world.settings();
    let mut attributes = Map::new();
    let alias = |function: &str| json!(format!("{function}:{}", alias_of(&account)));
    attributes.insert("RoutesServiceToken".into(), alias(&settings.routes_arn));
    attributes.insert("SubscriptionsServiceToken".into(), alias(&settings.catalog_arn));
    attributes.insert("EventBusArn".into(), json!(settings.bus_arn));
    record.value.attributes = attributes.clone();
    registry.put(&mut record).await?;
    count(Metric::TenantsOnboarded, 1);
    Ok(attributes)
}

async fn record<W: World>(world: &W, origin: &Origin, grants: &Tenant) -> Result<Record<Onboarded>, Error> {
    let key = registry::tenant_key(grants.account.as_str());
    let stored: Option<Record<Onboarded>> = Registry::new(world.table()).get(&key).await?;
    match stored {
        Some(record) if !record.value.deleted && record.value.origin != *origin => Err(Error::conflict(format!(
            "AccountId: account {} is {}'s tenant already: change it there",
            grants.account,
            record.value.origin.name()
        ))),
        Some(record) => Ok(record),
        None => Ok(Record::new(
            key,
            Onboarded {
                origin: origin.clone(),
                grants: grants.clone(),
                attributes: Map::new(),
                requests: Requests::default(),
                deleted: false,
            },
        )),
    }
}

/// Takes the account's grants back and shuts it out, if it is this origin's tenant. What never was is gone already; what a first
/// try has begun, the next one ends.
pub async fn offboard<W: World>(world: &W, origin: &Origin, stamp: Stamp, account: &str) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let stored: Option<Record<Onboarded>> = registry.get(&registry::tenant_key(account)).await?;
    let Some(mut record) = stored.filter(|record| record.value.origin == *origin) else {
        return Ok(());
    };
    if record.value.requests.supersede(&stamp) {
        return Ok(());
    }
    record.value.requests.note(stamp);
    record.value.deleted = true;
    registry.put(&mut record).await?;
    if record.value.grants.events {
        senders::update(world).await?;
    }
    for function in world.settings().functions() {
        access::revoke_invoke(world, function, &record.value.grants.account).await?;
    }
    count(Metric::TenantsOffboarded, 1);
    Ok(())
}

/// What `apply` would do now, changing nothing.
pub async fn plan<W: World>(world: &W, name: &str, grants: &Tenant) -> Result<Value, Error> {
    let record = record(world, &Origin::Command { name: name.to_owned() }, grants).await?;
    let change = match record.version {
        0 => "add",
        _ if record.value.deleted => "add",
        _ if record.value.grants == *grants => "keep",
        _ => "change",
    };
    let id = physical_id(grants.account.as_str());
    let plan = format!("{change} account {}", grants.account);
    Ok(json!({"name": name, "id": id, "status": "PLANNED", "plan": plan, "attributes": {}}))
}

/// Whether the account is a tenant now.
pub async fn is_tenant<W: World>(world: &W, account: &AccountId) -> Result<bool, Error> {
    let record = Registry::new(world.table()).get::<Onboarded>(&registry::tenant_key(account.as_str())).await?;
    Ok(record.is_some_and(|record| !record.value.deleted))
}

/// All tenants.
pub async fn list<W: World>(world: &W) -> Result<Vec<Onboarded>, Error> {
    let records = Registry::new(world.table()).list::<Onboarded>(registry::tenant_key("")).await?;
    Ok(records.into_iter().map(|record| record.value).filter(|tenant| !tenant.deleted).collect())
}

/// A command's answer about a tenant.
pub fn answer(tenant: &Onboarded) -> Value {
    let Tenant { account, prefixes, backend_hosts, links, usage_plans, routes_max, events } = &tenant.grants;
    let mut grants =
        json!({"Prefixes": prefixes, "BackendHosts": backend_hosts, "MaxRoutes": routes_max, "Events": events});
    if let Some(links) = links {
        grants["Links"] = json!(links);
    }
    if let Some(usage_plans) = usage_plans {
        grants["UsagePlans"] = json!(usage_plans);
    }
    json!({
        "name": tenant.origin.name(),
        "id": physical_id(account.as_str()),
        "status": "ACTIVE",
        "attributes": tenant.attributes,
        "grants": grants,
    })
}
