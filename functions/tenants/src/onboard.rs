//! Writes an account's grants down and lets it in; shuts it out and takes them back.

use serde_json::{Map, Value, json};
use shared::aws::{Admission, BusAdmission, alias_of};
use shared::error::Error;
use shared::front_door::Tenant;
use shared::front_door::records::Onboarded;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};

use crate::world::World;

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
    if tenant.requests.supersede(&stamp) {
        return Err(Error::conflict(format!("this request is older than the last one about account {account}")));
    }
    tenant.requests.note(stamp);
    (tenant.origin, tenant.grants, tenant.deleted) = (origin, grants, false);
    registry.put(&mut record).await?;
    for function in functions(world) {
        world.functions().admit(function, &account).await?;
    }
    world.bus().admit_sender(&account).await?;
    let mut attributes = Map::new();
    let alias = |function: &str| json!(format!("{function}:{}", alias_of(&account)));
    attributes.insert("RoutesServiceToken".into(), alias(world.routes_arn()));
    attributes.insert("SubscriptionsServiceToken".into(), alias(world.catalog_arn()));
    attributes.insert("EventBusArn".into(), json!(world.bus_arn()));
    record.value.attributes = attributes.clone();
    registry.put(&mut record).await?;
    Ok(attributes)
}

/// What a tenant reaches through an alias of its own.
fn functions<W: World>(world: &W) -> [&str; 2] {
    [world.routes_arn(), world.catalog_arn()]
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

/// Shuts the account out and takes its grants back, if it is this origin's tenant. What never was is gone already.
pub async fn offboard<W: World>(world: &W, origin: &Origin, stamp: Stamp, account: &str) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let stored: Option<Record<Onboarded>> = registry.get(&registry::tenant_key(account)).await?;
    let Some(mut record) = stored.filter(|record| !record.value.deleted && record.value.origin == *origin) else {
        return Ok(());
    };
    if record.value.requests.supersede(&stamp) {
        return Ok(());
    }
    let account = &record.value.grants.account;
    for function in functions(world) {
        world.functions().expel(function, account).await?;
    }
    world.bus().expel_sender(account).await?;
    record.value.requests.note(stamp);
    record.value.deleted = true;
    registry.put(&mut record).await
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

/// All tenants.
pub async fn list<W: World>(world: &W) -> Result<Vec<Onboarded>, Error> {
    let records = Registry::new(world.table()).list::<Onboarded>(registry::tenant_key("")).await?;
    Ok(records.into_iter().map(|record| record.value).filter(|tenant| !tenant.deleted).collect())
}

/// A command's answer about a tenant.
pub fn answer(tenant: &Onboarded) -> Value {
    let Tenant { account, prefixes, backend_hosts, links, usage_plans, routes_max } = &tenant.grants;
    let mut grants = json!({"Prefixes": prefixes, "BackendHosts": backend_hosts, "MaxRoutes": routes_max});
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
