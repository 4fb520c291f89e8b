//! `Custom::FrontDoor`: which REST API a front door is, and what the platform team says about it. Operators only. What is
//! published on it is the `publisher`'s.

use serde_json::{Map, Value, json};
use shared::aws::MemberApis;
use shared::error::Error;
use shared::front_door::FrontDoorSpec;
use shared::front_door::records::{FrontDoor, Publication};
use shared::lease::Leased;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};

use crate::world::World;
use crate::{credentials, intake};

/// A front door's `PhysicalResourceId`: its name, so that a new name is a new one.
pub fn physical_id(name: &str) -> String {
    format!("front-door-{name}")
}

/// Makes the front door, or makes it what is asked for now.
pub async fn apply<W: World>(world: &W, origin: Origin, stamp: Stamp, spec: FrontDoorSpec) -> Result<FrontDoor, Error> {
    let (mut record, _) = wanted(world, origin, stamp, spec).await?;
    Registry::new(world.table()).put(&mut record).await?;
    Ok(record.value)
}

/// What `apply` would do now, changing nothing.
pub async fn plan<W: World>(world: &W, origin: Origin, stamp: Stamp, spec: FrontDoorSpec) -> Result<Value, Error> {
    let (record, change) = wanted(world, origin, stamp, spec).await?;
    let mut answer = answer(world, &record.value).await?;
    (answer["status"], answer["plan"]) =
        (json!("PLANNED"), json!(format!("{change} the front door {}", record.value.spec.name)));
    Ok(answer)
}

/// The record as it is to be written, and what that does to the one that is there: `add`, `keep` or `change`.
async fn wanted<W: World>(
    world: &W,
    origin: Origin,
    stamp: Stamp,
    spec: FrontDoorSpec,
) -> Result<(Record<FrontDoor>, &'static str), Error> {
    credentials::check(&spec, world.passable_roles())?;
    let id = &spec.rest_api_id;
    let api = world.apis().rest_api(None, None, id).await?;
    let api =
        api.ok_or_else(|| Error::not_found(format!("RestApiId: {id} is not an API of this account and region")))?;
    if api.endpoint_types.iter().any(|one| one == "PRIVATE") {
        return Err(Error::invalid(format!(
            "RestApiId: {id} is PRIVATE, and a front door is to be reached from outside"
        )));
    }
    let registry = Registry::new(world.table());
    let key = registry::front_door_key(spec.name.as_str());
    let new = FrontDoor { origin: origin.clone(), spec: spec.clone(), requests: Requests::default(), deleted: false };
    let mut record = registry.get(&key).await?.unwrap_or_else(|| Record::new(key, new));
    let door = &mut record.value;
    if !door.deleted && door.origin != origin {
        return Err(Error::conflict(format!(
            "Name: the front door {} is {}'s: change it there, or choose another name",
            spec.name,
            door.origin.name()
        )));
    }
    if door.requests.supersede(&stamp) {
        return Err(Error::conflict(format!(
            "this request is older than the last one about the front door {}",
            spec.name
        )));
    }
    // Its routes would be on two REST APIs, or on none, while they move.
    if door.spec.shards != spec.shards && routes_on(world, spec.name.as_str()).await? > 0 && door.spec.shards.is_some()
    {
        return Err(Error::blocked(format!(
            "Shards: the front door {} has routes below {}: have them removed before it changes",
            spec.name,
            door.spec.shards.as_ref().map_or("", |domain| domain.as_str())
        )));
    }
    door.requests.note(stamp);
    let change = match (record.version == 0 || door.deleted, door.spec == spec) {
        (true, _) => "add",
        (false, true) => "keep",
        (false, false) => "change",
    };
    (door.origin, door.spec, door.deleted) = (origin, spec, false);
    Ok((record, change))
}

/// Forgets the front door; its REST API stays as it is. One that has routes is kept: they would be nowhere.
pub async fn delete<W: World>(world: &W, origin: &Origin, stamp: Stamp, name: &str) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let record = registry.get::<FrontDoor>(&registry::front_door_key(name)).await?;
    let Some(mut record) = record.filter(|record| !record.value.deleted && record.value.origin == *origin) else {
        return Ok(());
    };
    if record.value.requests.supersede(&stamp) {
        return Ok(());
    }
    let routes = routes_on(world, name).await?;
    if routes > 0 {
        return Err(Error::blocked(format!(
            "the front door {name} still has {routes} routes: have them removed first"
        )));
    }
    record.value.requests.note(stamp);
    record.value.deleted = true;
    registry.put(&mut record).await
}

async fn routes_on<W: World>(world: &W, name: &str) -> Result<usize, Error> {
    let routes = intake::list(world, "route-").await?;
    Ok(routes.iter().filter(|route| route.spec.front_door.as_str() == name).count())
}

/// All front doors.
pub async fn list<W: World>(world: &W) -> Result<Vec<FrontDoor>, Error> {
    let records = Registry::new(world.table()).list::<FrontDoor>(registry::front_door_key("")).await?;
    Ok(records.into_iter().map(|record| record.value).filter(|door| !door.deleted).collect())
}

/// The attributes that `Fn::GetAtt` gives.
pub async fn attributes<W: World>(world: &W, door: &FrontDoor) -> Result<Map<String, Value>, Error> {
    let key = registry::publication_key(door.spec.name.as_str());
    let publication = Registry::new(world.table()).get::<Leased<Publication>>(&key).await?;
    let revision = publication.map_or(0, |record| record.value.value.revision);
    let mut attributes = Map::new();
    attributes.insert("Revision".into(), json!(revision));
    attributes.insert("InvokeUrl".into(), json!(door.spec.invoke_url(world.region())));
    Ok(attributes)
}

/// A command's answer about a front door.
pub async fn answer<W: World>(world: &W, door: &FrontDoor) -> Result<Value, Error> {
    let name = door.spec.name.as_str();
    Ok(json!({
        "name": name,
        "id": physical_id(name),
        "status": "STORED",
        "attributes": attributes(world, door).await?,
    }))
}
