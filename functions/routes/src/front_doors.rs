//! `Custom::FrontDoor`: which REST API a front door is, and what the platform team says about it. Operators only. What is
//! published on it is the `publisher`'s.

use serde_json::{Map, Value, json};
use shared::aws::MemberApis;
use shared::custom_resource::Request;
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::{Awaited, FrontDoor, Publication, Route, Standing, Status};
use shared::front_door::{FrontDoorSpec, Name};
use shared::lease::Leased;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};

use crate::doors::{ANSWER, LOOK};
use crate::world::World;
use crate::{credentials, intake};

/// A front door's `PhysicalResourceId`: its name, so that a new name is a new one.
pub fn physical_id(name: &str) -> String {
    format!("front-door-{name}")
}

/// Makes the front door, or makes it what is asked for now; the publisher puts it live. With the request of a stack that
/// waits, where there is something to wait for.
pub async fn apply<W: World>(
    world: &W,
    origin: Origin,
    stamp: Stamp,
    spec: FrontDoorSpec,
    request: Option<&Request>,
) -> Result<FrontDoor, Error> {
    let (record, _) = wanted(world, origin, stamp, spec).await?;
    let door = &record.value;
    let mut items = vec![record.next()?];
    if let Some(request) = request.filter(|_| door.standing.status != Status::Live) {
        let name = door.spec.name.as_str();
        let id = physical_id(name);
        let generation = door.standing.generation;
        items.extend(intake::awaited(world, request, id, name, Awaited::FrontDoor, generation).await?);
    }
    Registry::new(world.table()).put_all(&items).await?;
    Ok(record.value)
}

/// The front door once the publisher is done with what was asked for, or as it stands when time is up.
pub async fn published<W: World>(world: &W, invocation: &Invocation, mut door: FrontDoor) -> Result<FrontDoor, Error> {
    let key = registry::front_door_key(door.spec.name.as_str());
    let generation = door.standing.generation;
    while door.standing.status == Status::Pending && invocation.remaining() > ANSWER {
        if publication(world, &door.spec.name).await?.rolled_back_by.is_some() {
            break;
        }
        tokio::time::sleep(LOOK).await;
        match Registry::new(world.table()).get::<FrontDoor>(&key).await? {
            Some(now) if now.value.standing.generation == generation => door = now.value,
            _ => break,
        }
    }
    match &door.standing.refusal {
        Some(refusal) if door.standing.status == Status::Rejected => Err(refusal.into()),
        _ => Ok(door),
    }
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
    let new = FrontDoor {
        origin: origin.clone(),
        spec: spec.clone(),
        standing: Standing::default(),
        requests: Requests::default(),
        deleted: false,
    };
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
    let routes = routes_on(world, spec.name.as_str()).await?;
    spec.check_needs(&door.spec, &routes.iter().collect::<Vec<_>>())?;
    // Its routes would be on two REST APIs, or on none, while they move.
    if door.spec.shards != spec.shards && !routes.is_empty() && door.spec.shards.is_some() {
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
    let is_as_asked = change == "keep" && matches!(door.standing.status, Status::Pending | Status::Live);
    if !is_as_asked {
        // API Gateway deploys nothing that has no method: an empty front door rests until its first route.
        let is_empty = routes.is_empty() && spec.base_definition.is_empty() && spec.authorizers.is_empty();
        let rests = is_empty && publication(world, &spec.name).await?.revision == 0;
        let status = if rests { Status::Live } else { Status::Pending };
        door.standing = Standing { generation: door.standing.generation + 1, status, refusal: None };
    }
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
    let routes = routes_on(world, name).await?.len();
    if routes > 0 {
        return Err(Error::blocked(format!(
            "the front door {name} still has {routes} routes: have them removed first"
        )));
    }
    record.value.requests.note(stamp);
    record.value.deleted = true;
    registry.put(&mut record).await
}

async fn routes_on<W: World>(world: &W, name: &str) -> Result<Vec<Route>, Error> {
    let routes = intake::list(world, "route-").await?;
    Ok(routes.into_iter().filter(|route| route.spec.front_door.as_str() == name).collect())
}

async fn publication<W: World>(world: &W, name: &Name) -> Result<Publication, Error> {
    let key = registry::publication_key(name.as_str());
    let publication = Registry::new(world.table()).get::<Leased<Publication>>(&key).await?;
    Ok(publication.map(|record| record.value.value).unwrap_or_default())
}

/// All front doors.
pub async fn list<W: World>(world: &W) -> Result<Vec<FrontDoor>, Error> {
    let records = Registry::new(world.table()).list::<FrontDoor>(registry::front_door_key("")).await?;
    Ok(records.into_iter().map(|record| record.value).filter(|door| !door.deleted).collect())
}

/// The attributes that `Fn::GetAtt` gives.
pub async fn attributes<W: World>(world: &W, door: &FrontDoor) -> Result<Map<String, Value>, Error> {
    Ok(door.attributes(world.region(), publication(world, &door.spec.name).await?.revision))
}

/// A command's answer about a front door.
pub async fn answer<W: World>(world: &W, door: &FrontDoor) -> Result<Value, Error> {
    let (name, publication) = (door.spec.name.as_str(), publication(world, &door.spec.name).await?);
    let mut answer = json!({
        "name": name,
        "id": physical_id(name),
        "status": door.standing.status.as_str(),
        "attributes": door.attributes(world.region(), publication.revision),
    });
    if let Some(refusal) = &door.standing.refusal {
        answer["reason"] = json!(refusal.message);
    } else if let Some(by) = publication.rolled_back_by.filter(|_| door.standing.status == Status::Pending) {
        answer["reason"] = json!(format!("put back by {by}: the publisher's command publish puts it forward"));
    }
    Ok(answer)
}
