//! CloudFormation's door: `Custom::Route` and, for operators, `Custom::FrontDoor`.
//!
//! A stack hears from here what is refused and what is live already: the publisher answers when the route is live, or off.

use serde_json::Value;
use shared::custom_resource::{Kind, Outcome, Reply, Request};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::Status;
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::types::AccountId;

use super::register;
use crate::front_doors;
use crate::intake::{self, Asked, Registered, kind, route_id};
use crate::report;
use crate::world::World;

const FRONT_DOOR: &str = "Custom::FrontDoor";

/// Whether the request names a stack of another account than the caller's, which the protocol refuses: it is told on the bus.
pub fn forged(owner: &AccountId, event: &Value) -> Option<Error> {
    let stack = event.get("StackId").and_then(Value::as_str).unwrap_or_default();
    let named = stack.split(':').nth(4).filter(|named| *named != owner.as_str())?;
    let named: String = named.chars().take(12).collect();
    Some(Error::forbidden(format!("StackId names account {named}, but the request comes from account {owner}")))
}

/// What a request that was not even read says of itself, for the audit: the resource's name in its stack, and the path.
pub fn claimed(event: &Value) -> (String, String) {
    let text = |pointer: &str| {
        let text = event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        text.chars().take(200).collect::<String>()
    };
    let stack = text("/StackId");
    let stack = stack.split('/').nth(1).unwrap_or_default();
    (format!("{stack}/{}", text("/LogicalResourceId")), text("/ResourceProperties/Path"))
}

/// The `PhysicalResourceId`, known before any work. A spec that can't be read has no path, and the id then only names the
/// resource.
pub fn physical_id(owner: &AccountId, request: &Request) -> String {
    let origin = request.origin();
    if request.resource_type == FRONT_DOOR {
        let name = request.properties.get("Name").and_then(Value::as_str).unwrap_or("default");
        return front_doors::physical_id(&name.chars().take(128).collect::<String>());
    }
    match RouteSpec::parse(request.properties.clone()) {
        Ok(spec) => route_id(owner, &origin, &spec),
        Err(_) => origin.id(&kind(owner), "unreadable"),
    }
}

/// A stack's request.
pub async fn custom_resource<W: World>(world: &W, invocation: &Invocation, request: Request) -> Result<Reply, Error> {
    match request.resource_type.as_str() {
        FRONT_DOOR => {
            invocation.caller.operator_only("front doors")?;
            front_door(world, request).await
        }
        "Custom::Route" | "AWS::CloudFormation::CustomResource" => route(world, invocation, request).await,
        other => Err(Error::invalid(format!(
            "Type: {other} is not served here: use Custom::Route or, as an operator, {FRONT_DOOR}"
        ))),
    }
}

async fn route<W: World>(world: &W, invocation: &Invocation, request: Request) -> Result<Reply, Error> {
    let caller = &invocation.caller;
    let stamp = request.stamp();
    let (kind, properties) = (request.kind, request.properties.clone());
    let physical_id = request.physical_resource_id.clone().unwrap_or_default();
    let asked = Asked { owner: caller.account().clone(), origin: request.origin(), stamp, request: Some(request) };
    if kind != Kind::Delete {
        let Registered { route, is_live } = register(world, caller, &asked, properties).await?;
        if !is_live {
            return Ok(Reply::Later);
        }
        let doors = front_doors::list(world).await?;
        let door = doors.iter().map(|door| &door.spec).find(|door| door.name == route.spec.front_door);
        let attributes = door.map(|door| report::attributes(world.region(), door, &route)).unwrap_or_default();
        return Ok(Reply::Now(Outcome::new(route.id, attributes)));
    }
    match remove(world, &asked, &physical_id, properties).await? {
        true => Ok(Reply::Later),
        false => Ok(Reply::Now(Outcome::new(physical_id, Default::default()))),
    }
}

/// Whether there is something to wait for. A Delete names the route; with an id that is none that we gave to this resource
/// it is about all of the resource's.
async fn remove<W: World>(world: &W, asked: &Asked, physical_id: &str, properties: Value) -> Result<bool, Error> {
    if !physical_id.starts_with(&asked.origin.id_prefix(&kind(&asked.owner))) {
        let withdrawn = super::withdraw_all(world, asked, None).await?;
        return Ok(!withdrawn.is_empty());
    }
    if intake::withdraw(world, asked, physical_id).await?.is_some() {
        return Ok(true);
    }
    if let Ok(spec) = RouteSpec::parse(properties)
        && route_id(&asked.owner, &asked.origin, &spec) == physical_id
    {
        intake::bury(world, asked, physical_id, spec).await?;
    }
    Ok(false)
}

async fn front_door<W: World>(world: &W, request: Request) -> Result<Reply, Error> {
    let origin = request.origin();
    let stamp = request.stamp();
    if request.kind == Kind::Delete {
        let physical_id = request.physical_resource_id.unwrap_or_default();
        let name = physical_id.strip_prefix(&front_doors::physical_id("")).unwrap_or_default();
        front_doors::delete(world, &origin, stamp, name).await?;
        return Ok(Reply::Now(Outcome::new(physical_id, Default::default())));
    }
    let spec = FrontDoorSpec::parse(request.properties.clone())?;
    let door = front_doors::apply(world, origin, stamp, spec, Some(&request)).await?;
    if door.standing.status != Status::Live {
        return Ok(Reply::Later);
    }
    let id = front_doors::physical_id(door.spec.name.as_str());
    Ok(Reply::Now(Outcome::new(id, front_doors::attributes(world, &door).await?)))
}
