//! The door for commands: an operator's about anything, a tenant's about its own routes.
//!
//! A route's spec has a `Path` and a front door's a `RestApiId`. Where a command has no spec, it is about routes, unless it
//! says `"resource": "FrontDoor"`.

use futures::StreamExt;
use serde_json::{Value, json};
use shared::command::{check_name, gather, verb};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::{Route, Status};
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::identity::Caller;
use shared::origin::Origin;
use shared::trigger::{Command, CommandItem};

use super::{answer, asked, published, register, withdraw_all};
use crate::authorise::authorise;
use crate::front_doors;
use crate::intake::{self, kind};
use crate::world::World;

/// How many items a command works on at a time; each mostly waits for the publisher, which takes them all together.
const CONCURRENT_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Apply,
    Delete,
    Plan,
    Get,
    List,
}

const VERBS: &[(&str, Verb)] =
    &[("apply", Verb::Apply), ("delete", Verb::Delete), ("plan", Verb::Plan), ("get", Verb::Get), ("list", Verb::List)];

/// A direct invoke.
pub async fn command<W: World>(world: &W, invocation: &Invocation, mut command: Command) -> Result<Value, Error> {
    let verb = verb(VERBS, &command.verb)?;
    let resource = command.other.remove("resource");
    let batch = command.items.is_some();
    let items = command.into_items()?;
    let is_about_doors = match resource.as_ref().and_then(Value::as_str) {
        Some("FrontDoor") => true,
        Some("Route") => false,
        None if resource.is_none() => {
            items.iter().any(|item| item.spec.as_ref().is_some_and(|one| one.get("RestApiId").is_some()))
        }
        _ => return Err(Error::invalid("resource: say Route or FrontDoor")),
    };
    if verb == Verb::List {
        return list(world, &invocation.caller, is_about_doors).await;
    }
    let work = items.into_iter().map(|item| async move {
        let name = item.name.clone().unwrap_or_default();
        let answer = match is_about_doors {
            true => front_door(world, invocation, verb, item).await,
            false => route(world, invocation, verb, item).await,
        };
        (name, answer)
    });
    let answers: Vec<(String, Result<Value, Error>)> =
        futures::stream::iter(work).buffered(CONCURRENT_MAX).collect().await;
    match batch {
        true => gather(answers),
        false => answers.into_iter().next().map_or_else(|| Ok(json!({"items": []})), |(_, answer)| answer),
    }
}

async fn list<W: World>(world: &W, caller: &Caller, is_about_doors: bool) -> Result<Value, Error> {
    let mut items = Vec::new();
    if is_about_doors {
        caller.operator_only("front doors")?;
        for door in front_doors::list(world).await? {
            items.push(front_doors::answer(world, &door).await?);
        }
        return Ok(json!({"items": items}));
    }
    let doors = front_doors::list(world).await?;
    for route in visible(world, caller).await? {
        let door = doors.iter().map(|door| &door.spec).find(|door| door.name == route.spec.front_door);
        items.push(crate::report::answer(world.region(), door, &route));
    }
    Ok(json!({"items": items}))
}

/// The routes that the caller may see: an operator all, a tenant its own.
async fn visible<W: World>(world: &W, caller: &Caller) -> Result<Vec<Route>, Error> {
    match caller {
        Caller::Operator(_) => intake::list(world, "route-").await,
        Caller::Tenant(account) => intake::list(world, &format!("{}-", kind(account))).await,
    }
}

async fn find<W: World>(world: &W, caller: &Caller, name: &str) -> Result<Option<Route>, Error> {
    let mine = |route: &Route| route.owner == *caller.account();
    let mut found: Vec<Route> = visible(world, caller).await?;
    found.retain(|route| route.id == name || route.origin.name() == name);
    // Of two of the same name, the caller's own is meant.
    found.sort_by_key(|route| !mine(route));
    Ok(found.into_iter().next())
}

async fn route<W: World>(world: &W, invocation: &Invocation, verb: Verb, item: CommandItem) -> Result<Value, Error> {
    let caller = &invocation.caller;
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the route's name"))?;
    match (verb, item.spec) {
        (Verb::Apply, Some(spec)) => {
            check_name(&name)?;
            let asked = asked(caller, Origin::Command { name }, invocation);
            let route = register(world, caller, &asked, spec).await?;
            let route = published(world, invocation, route).await?;
            let answer = answer(world, &route).await?;
            // Once the new path is live: what the name had on another one.
            withdraw_all(world, &asked, Some(&route.id)).await?;
            Ok(answer)
        }
        (Verb::Apply, None) => Err(Error::invalid("spec is missing: give what the route is to be")),
        (Verb::Plan, Some(spec)) => {
            let spec = RouteSpec::parse(spec)?;
            let grant = authorise(world, caller, &spec).await?;
            let asked = asked(caller, Origin::Command { name }, invocation);
            intake::dry_run(world, &asked, &spec, &grant).await
        }
        (Verb::Get, None) => {
            let found = find(world, caller, &name).await?;
            let route = found.ok_or_else(|| Error::not_found(format!("there is no route called '{name}'")))?;
            let doors = front_doors::list(world).await?;
            let door = doors.iter().map(|door| &door.spec).find(|door| door.name == route.spec.front_door);
            Ok(crate::report::answer(world.region(), door, &route))
        }
        (Verb::Delete, None) => delete(world, invocation, &name).await,
        (Verb::Plan, None) => Err(Error::invalid("spec is missing: give what the route is to be")),
        (Verb::Get | Verb::Delete | Verb::List, _) => {
            Err(Error::invalid("spec is not a field of this command: give the name alone"))
        }
    }
}

async fn delete<W: World>(world: &W, invocation: &Invocation, name: &str) -> Result<Value, Error> {
    let Some(route) = find(world, &invocation.caller, name).await? else {
        return Ok(json!({"name": name, "id": null, "status": Status::Deleted.as_str(), "attributes": {}}));
    };
    let is_own = route.owner == *invocation.caller.account();
    if let (Origin::Stack { stack_id, logical_resource_id }, true) = (&route.origin, is_own) {
        return Err(Error::conflict(format!(
            "{name} belongs to the resource {logical_resource_id} of the stack {stack_id}: remove it there"
        )));
    }
    let asked = asked(&invocation.caller, route.origin.clone(), invocation);
    let withdrawn = intake::withdraw(world, &asked, &route.id).await?.unwrap_or(route);
    let gone = published(world, invocation, withdrawn).await?;
    answer(world, &gone).await
}

async fn front_door<W: World>(
    world: &W,
    invocation: &Invocation,
    verb: Verb,
    item: CommandItem,
) -> Result<Value, Error> {
    invocation.caller.operator_only("front doors")?;
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the front door's name"))?;
    let origin = Origin::Command { name: name.clone() };
    let stamp = asked(&invocation.caller, origin.clone(), invocation).stamp;
    match (verb, item.spec) {
        (Verb::Apply, Some(mut spec)) => {
            if let Some(fields) = spec.as_object_mut() {
                fields.entry("Name").or_insert_with(|| json!(name));
            }
            let spec = FrontDoorSpec::parse(spec)?;
            if spec.name.as_str() != name {
                return Err(Error::invalid(format!("Name: '{}' is not the command's name '{name}'", spec.name)));
            }
            let door = front_doors::apply(world, origin, stamp, spec).await?;
            front_doors::answer(world, &door).await
        }
        (Verb::Get, None) => {
            let found = front_doors::list(world).await?.into_iter().find(|door| door.spec.name.as_str() == name);
            let door = found.ok_or_else(|| Error::not_found(format!("there is no front door called '{name}'")))?;
            front_doors::answer(world, &door).await
        }
        (Verb::Delete, None) => {
            front_doors::delete(world, &origin, stamp, &name).await?;
            Ok(json!({"name": name, "id": front_doors::physical_id(&name), "status": "DELETED", "attributes": {}}))
        }
        _ => Err(Error::invalid(
            "a front door is applied with a spec, and got or deleted by its name; the publisher plans",
        )),
    }
}
