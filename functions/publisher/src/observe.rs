//! Step 1, observe: what the registry says, and which links there are.

use std::collections::BTreeMap;

use shared::aws::{RestApi, RestApis, VpcLink};
use shared::error::Error;
use shared::front_door::records::{FrontDoor, Onboarded, Publication, Route, Status, Waiting};
use shared::front_door::{FrontDoorSpec, Name};
use shared::lease::Leased;
use shared::registry::{self, Record, Registry};
use shared::types::AccountId;

use crate::plan::{Carried, Link, Reading};
use crate::world::World;

/// All front doors.
pub async fn front_doors<W: World>(world: &W) -> Result<Vec<FrontDoorSpec>, Error> {
    let records = Registry::new(world.table()).list::<FrontDoor>(registry::front_door_key("")).await?;
    Ok(records.into_iter().filter(|record| !record.value.deleted).map(|record| record.value.spec).collect())
}

/// The records of a front door's routes, those that are gone left out.
pub async fn routes<W: World>(world: &W, door: &Name) -> Result<Vec<Record<Route>>, Error> {
    let mut records = Registry::new(world.table()).list::<Route>(registry::route_key("route-")).await?;
    records.retain(|record| record.value.spec.front_door == *door && record.value.status != Status::Deleted);
    Ok(records)
}

/// The answers that stacks wait for.
pub async fn waiting<W: World>(world: &W, door: &Name) -> Result<Vec<Record<Waiting>>, Error> {
    let key = registry::all_like(registry::waiting_key(door.as_str(), "", ""));
    Registry::new(world.table()).list(key).await
}

/// What is published, read without the lease.
pub async fn publication<W: World>(world: &W, door: &Name) -> Result<Publication, Error> {
    let key = registry::publication_key(door.as_str());
    let record = Registry::new(world.table()).get::<Leased<Publication>>(&key).await?;
    Ok(record.map(|record| record.value.value).unwrap_or_default())
}

/// All that a decision rests on. The tenants come last: a grant that was just taken back counts.
pub async fn reading<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    central: &AccountId,
    routes: &[Record<Route>],
) -> Result<Reading, Error> {
    let links = links(world.apis().vpc_links().await?);
    let tenants = Registry::new(world.table()).list::<Onboarded>(registry::tenant_key("")).await?;
    let tenants = tenants.into_iter().map(|record| record.value).filter(|tenant| !tenant.deleted);
    Ok(Reading {
        door: door.clone(),
        central: central.clone(),
        routes: routes.iter().map(|record| record.value.clone()).collect(),
        tenants: tenants.map(|tenant| (tenant.grants.account.clone(), tenant.grants)).collect(),
        links,
    })
}

/// What the REST API has that an import would reset.
pub async fn carried<W: World>(world: &W, door: &FrontDoorSpec) -> Result<Carried, Error> {
    let api = world.apis().rest_api(&door.rest_api_id).await?;
    let gone = || Error::not_found(format!("the REST API {} does not exist any more", door.rest_api_id));
    let RestApi { name: title, endpoint_types: _, description, binary_media_types, policy } = api.ok_or_else(gone)?;
    Ok(Carried { title, description, binary_media_types, policy })
}

/// Names need not be unique: of several links of one name, one that is available, and of those always the same.
fn links(mut links: Vec<VpcLink>) -> BTreeMap<Name, Link> {
    links.sort_by_key(|link| (link.status != "AVAILABLE", link.id.clone()));
    let mut by_name = BTreeMap::new();
    for VpcLink { id, name, status } in links {
        if let Ok(name) = name.parse() {
            by_name.entry(name).or_insert(Link { id, status });
        }
    }
    by_name
}
