//! The doors: each says who asks and what the thing is called, and turns an outcome into its way of answering. All of them
//! go through the same three steps: read, authorise, register.

mod bus;
mod command;
mod stack;
mod terraform;

use std::time::Duration;

pub use bus::event;
pub use command::command;
use serde_json::Value;
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::RouteSpec;
use shared::front_door::records::{FrontDoor, Route, Status};
use shared::identity::Caller;
use shared::origin::Origin;
use shared::registry::{self, Registry};
pub use stack::{claimed, custom_resource, forged, physical_id};
pub use terraform::terraform;

use crate::authorise::authorise;
use crate::intake::{self, Asked, Registered};
use crate::report;
use crate::world::World;

/// Kept back of the function's time for answering.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// How often somebody who waits looks whether the publisher is done: it takes seconds.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// Reads, authorises and registers; a refusal is told on the bus.
async fn register<W: World>(world: &W, caller: &Caller, asked: &Asked, spec: Value) -> Result<Registered, Error> {
    let what = spec.get("Path").and_then(Value::as_str).unwrap_or_default().chars().take(200).collect::<String>();
    let registered = async {
        let spec = RouteSpec::parse(spec)?;
        let grant = authorise(world, caller, &spec).await?;
        intake::register(world, asked, spec, &grant).await
    };
    match registered.await {
        Ok(registered) => Ok(registered),
        Err(error) => {
            report::refused(world, &asked.owner, &asked.origin.name(), &what, &error).await;
            Err(error)
        }
    }
}

/// What a command or Terraform asks for; no stack waits for it.
fn asked(caller: &Caller, origin: Origin, invocation: &Invocation) -> Asked {
    Asked { owner: caller.account().clone(), origin, stamp: invocation.stamp(), request: None }
}

/// Withdraws every route of one origin but `kept`. A stack hears of the last one.
async fn withdraw_all<W: World>(world: &W, asked: &Asked, kept: Option<&str>) -> Result<Vec<Route>, Error> {
    let mut routes = intake::list(world, &asked.origin.id_prefix(&intake::kind(&asked.owner))).await?;
    routes.retain(|route| Some(route.id.as_str()) != kept);
    let silent = Asked { request: None, ..asked.clone() };
    let mut withdrawn = Vec::new();
    for (left, route) in (0..routes.len()).rev().zip(routes) {
        let asked = if left == 0 { asked } else { &silent };
        withdrawn.extend(intake::withdraw(world, asked, &route.id).await?);
    }
    Ok(withdrawn)
}

/// The route once the publisher is done with what was asked for, or as it stands when time is up.
async fn published<W: World>(world: &W, invocation: &Invocation, mut route: Route) -> Result<Route, Error> {
    let generation = route.generation;
    let registry = Registry::new(world.table());
    while matches!(route.status, Status::Pending | Status::Deleting) && invocation.remaining() > ANSWER {
        tokio::time::sleep(LOOK).await;
        match registry.get::<Route>(&registry::route_key(&route.id)).await? {
            Some(now) if now.value.generation == generation => route = now.value,
            // Somebody else has asked for something else, which is not ours to wait for.
            _ => break,
        }
    }
    Ok(route)
}

fn answer<W: World>(world: &W, doors: &[FrontDoor], route: &Route) -> Value {
    let door = doors.iter().map(|door| &door.spec).find(|door| door.name == route.spec.front_door);
    report::answer(world.region(), door, route)
}
