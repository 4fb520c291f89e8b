//! The door for commands: an operator's about anything, a tenant's about its own routes.
//!
//! A route's spec has a `Path` and a front door's a `RestApiId`. Where a command has no spec, it is about routes, unless it
//! says `"resource": "FrontDoor"`.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde_json::{Value, json};
use shared::command::{check_name, verb};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::{FrontDoor, Route, Status};
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::identity::Caller;
use shared::origin::Origin;
use shared::trigger::{Command, CommandItem};

use super::{ANSWER, answer, asked, published, register};
use crate::authorise::authorise;
use crate::front_doors;
use crate::intake::{self, Asked, kind};
use crate::report::settled;
use crate::world::World;

/// How many first segments a command works on at a time. The claims below one are one record, so its items come one by one.
const SEGMENTS_MAX: usize = 20;
/// How many routes a command looks after at a time while it waits for the publisher, which takes them all together.
const WAITING_MAX: usize = 20;

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
    let mut answers: Vec<(String, Result<Value, Error>)> = Vec::new();
    if is_about_doors {
        for item in items {
            let name = item.name.clone().unwrap_or_default();
            answers.push((name, front_door(world, invocation, verb, item).await));
        }
    } else {
        let begun = begin_all(world, invocation, verb, items).await;
        let doors = front_doors::list(world).await?;
        let finish = begun.into_iter().map(|(name, begun)| {
            let doors = &doors;
            async move { (name, finish(world, invocation, doors, begun).await) }
        });
        answers = futures::stream::iter(finish).buffered(WAITING_MAX).collect().await;
    }
    shared::command::answer(batch, answers)
}

/// What has been asked for an item, and what is left to do.
enum Begun {
    Done(Value),
    /// The publisher takes the route up; an `apply` then takes back what the name had on other paths.
    Waits(Box<Route>, Vec<(Asked, Route)>),
}

/// Begins every item before any is waited for: the publisher then takes them all together.
async fn begin_all<W: World>(
    world: &W,
    invocation: &Invocation,
    verb: Verb,
    items: Vec<CommandItem>,
) -> Vec<(String, Result<Begun, Error>)> {
    let mut by_segment: BTreeMap<String, Vec<(usize, CommandItem)>> = BTreeMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let path = item.spec.as_ref().and_then(|spec| spec.get("Path")).and_then(Value::as_str).unwrap_or_default();
        let segment = path.split('/').nth(1).unwrap_or_default().to_owned();
        by_segment.entry(segment).or_default().push((index, item));
    }
    let segments = by_segment.into_values().map(|items| async move {
        let mut begun = Vec::new();
        for (index, item) in items {
            let name = item.name.clone().unwrap_or_default();
            let result = match invocation.remaining() > ANSWER {
                true => begin(world, invocation, verb, item).await,
                false => Err(Error::upstream("there was no time left for this item: send it again")),
            };
            begun.push((index, name, result));
        }
        begun
    });
    let mut begun: Vec<(usize, String, Result<Begun, Error>)> = futures::stream::iter(segments)
        .buffer_unordered(SEGMENTS_MAX)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect();
    begun.sort_by_key(|(index, _, _)| *index);
    begun.into_iter().map(|(_, name, result)| (name, result)).collect()
}

async fn finish<W: World>(
    world: &W,
    invocation: &Invocation,
    doors: &[FrontDoor],
    begun: Result<Begun, Error>,
) -> Result<Value, Error> {
    let (route, others) = match begun? {
        Begun::Done(answer) => return Ok(answer),
        Begun::Waits(route, others) => (published(world, invocation, *route).await?, others),
    };
    settled(&route)?;
    // Once the new path is live: what the name had on another one.
    for (asked, other) in others {
        intake::withdraw(world, &asked, &other.id).await?;
    }
    Ok(answer(world, doors, &route))
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
        items.push(answer(world, &doors, &route));
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

/// The route that the caller means by this name: its own of a command, or any that it may see, by name or by id.
async fn find<W: World>(world: &W, caller: &Caller, name: &str) -> Result<Option<Route>, Error> {
    let origin = Origin::Command { name: name.to_owned() };
    if let Some(own) = intake::list(world, &origin.id_prefix(&kind(caller.account()))).await?.into_iter().next() {
        return Ok(Some(own));
    }
    let mut found: Vec<Route> = visible(world, caller).await?;
    found.retain(|route| route.id == name || route.origin.name() == name);
    // Of two of the same name, the caller's own is meant.
    found.sort_by_key(|route| route.owner != *caller.account());
    Ok(found.into_iter().next())
}

async fn begin<W: World>(world: &W, invocation: &Invocation, verb: Verb, item: CommandItem) -> Result<Begun, Error> {
    let caller = &invocation.caller;
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the route's name"))?;
    match (verb, item.spec) {
        (Verb::Apply, Some(spec)) => {
            check_name(&name)?;
            let asked = asked(caller, Origin::Command { name }, invocation);
            let route = register(world, caller, &asked, spec).await?.route;
            let of_name = intake::list(world, &asked.origin.id_prefix(&kind(&asked.owner))).await?;
            let others = of_name.into_iter().filter(|other| other.id != route.id);
            let others = others.map(|other| (asked.clone(), other)).collect();
            Ok(Begun::Waits(Box::new(route), others))
        }
        (Verb::Plan, Some(spec)) => {
            let spec = RouteSpec::parse(spec)?;
            let grant = authorise(world, caller, &spec).await?;
            let asked = asked(caller, Origin::Command { name }, invocation);
            intake::dry_run(world, &asked, &spec, &grant).await.map(Begun::Done)
        }
        (Verb::Get, None) => {
            let found = find(world, caller, &name).await?;
            let route = found.ok_or_else(|| Error::not_found(format!("there is no route called '{name}'")))?;
            Ok(Begun::Done(answer(world, &front_doors::list(world).await?, &route)))
        }
        (Verb::Delete, None) => delete(world, invocation, &name).await,
        (Verb::Apply | Verb::Plan, None) => Err(Error::invalid("spec is missing: give what the route is to be")),
        (Verb::Get | Verb::Delete | Verb::List, _) => {
            Err(Error::invalid("spec is not a field of this command: give the name alone"))
        }
    }
}

async fn delete<W: World>(world: &W, invocation: &Invocation, name: &str) -> Result<Begun, Error> {
    let Some(route) = find(world, &invocation.caller, name).await? else {
        let gone = json!({"name": name, "id": null, "status": Status::Deleted.as_str(), "attributes": {}});
        return Ok(Begun::Done(gone));
    };
    // Another account's stack does not answer to an operator, who may take its route off all the same.
    if route.owner == *invocation.caller.account() {
        route.origin.check_not_a_stacks(name)?;
    }
    let asked = asked(&invocation.caller, route.origin.clone(), invocation);
    let withdrawn = intake::withdraw(world, &asked, &route.id).await?.unwrap_or(route);
    Ok(Begun::Waits(Box::new(withdrawn), Vec::new()))
}

async fn front_door<W: World>(
    world: &W,
    invocation: &Invocation,
    verb: Verb,
    item: CommandItem,
) -> Result<Value, Error> {
    invocation.caller.operator_only("front doors")?;
    let spec = item.named_spec();
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the front door's name"))?;
    let origin = Origin::Command { name: name.clone() };
    let stamp = invocation.stamp();
    match (verb, spec) {
        (Verb::Apply | Verb::Plan, Some(spec)) => {
            let spec = FrontDoorSpec::parse(spec)?;
            if spec.name.as_str() != name {
                return Err(Error::invalid(format!("Name: '{}' is not the command's name '{name}'", spec.name)));
            }
            if verb == Verb::Plan {
                return front_doors::plan(world, origin, stamp, spec).await;
            }
            let door = front_doors::apply(world, origin, stamp, spec, None).await?;
            let door = front_doors::published(world, invocation, door).await?;
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
            "a front door is applied or planned with a spec, and got or deleted by its name; what a publication would \
             change is the publisher's to plan",
        )),
    }
}
