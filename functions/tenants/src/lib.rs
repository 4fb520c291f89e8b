//! Takes accounts in and lets them go: what each may put on the front door, the alias through which it asks (which is what
//! vouches for it), and its way onto Foregate's bus. Operators of the central account only.
//!
//! [`handle`] tells the doors apart (CloudFormation's `Custom::Tenant`, commands, Terraform, the schedule); [`onboard`] keeps
//! the grants, [`access`] gives an account its aliases, [`senders`] keeps the bus' policy, [`sync`] restores what was lost;
//! [`plan`] decides, [`world`] is all that is outside.
//!
//! Invariants: the registry says first who is a tenant; aliases, permissions and the bus' policy follow it, whoever makes them
//! follow. A grant that is gone takes its routes off the front door: the publisher sees the tenant's record change.

pub mod access;
pub mod onboard;
pub mod plan;
pub mod senders;
pub mod sync;
pub mod world;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use shared::command::{answer, verb};
use shared::custom_resource::{self, Kind, Outcome, Request, Responder};
use shared::entry::{Invocation, now_seconds};
use shared::error::Error;
use shared::front_door::Tenant;
use shared::origin::Origin;
use shared::trigger::{Command, CommandItem, Terraform, TerraformAction, Trigger};
use sync::{Depth, sync};
use world::World;

/// Handles one invocation, from trigger to answer.
pub fn handle<W: World>(
    world: Arc<W>,
    responder: Arc<Responder>,
    payload: Value,
    invocation: Invocation,
) -> BoxFuture<'static, Result<Value, Error>> {
    Box::pin(dispatch(world, responder, payload, invocation))
}

async fn dispatch<W: World>(
    world: Arc<W>,
    responder: Arc<Responder>,
    payload: Value,
    invocation: Invocation,
) -> Result<Value, Error> {
    match Trigger::parse(payload)? {
        Trigger::CustomResource(event) => {
            let (account, remaining) = (invocation.caller.account().clone(), invocation.remaining());
            let work = move |request| async move {
                invocation.caller.operator_only("tenants")?;
                custom_resource(&*world, request).await
            };
            custom_resource::serve(&responder, event, &account, remaining, physical_id, work).await?;
            Ok(json!({}))
        }
        trigger => {
            invocation.caller.operator_only("tenants")?;
            match trigger {
                Trigger::Command(command) => self::command(&*world, &invocation, command).await,
                Trigger::Terraform(terraform) => self::terraform(&*world, &invocation, terraform).await,
                Trigger::Event(event) if event.detail_type == "Scheduled Event" => {
                    sync(&*world, &invocation, Depth::InTurn(now_seconds())).await
                }
                _ => Err(Error::invalid(
                    "tenants takes commands, Terraform's CRUD input, CloudFormation's requests and the schedule",
                )),
            }
        }
    }
}

fn physical_id(request: &Request) -> String {
    let account = request.properties.get("AccountId").and_then(Value::as_str).unwrap_or("unreadable");
    onboard::physical_id(&account.chars().take(64).collect::<String>())
}

async fn custom_resource<W: World>(world: &W, request: Request) -> Result<Outcome, Error> {
    let (origin, stamp) = (request.origin(), request.stamp());
    if request.kind == Kind::Delete {
        let physical_id = request.physical_resource_id.unwrap_or_default();
        let account = physical_id.strip_prefix(&onboard::physical_id("")).unwrap_or_default();
        onboard::offboard(world, &origin, stamp, account).await?;
        return Ok(Outcome::new(physical_id, Default::default()));
    }
    let attributes = onboard::onboard(world, origin, stamp, Tenant::parse(request.properties.clone())?).await?;
    Ok(Outcome::new(physical_id(&request), attributes))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Apply,
    Delete,
    Plan,
    Get,
    List,
    Sync,
}

const VERBS: &[(&str, Verb)] = &[
    ("apply", Verb::Apply),
    ("delete", Verb::Delete),
    ("plan", Verb::Plan),
    ("get", Verb::Get),
    ("list", Verb::List),
    ("sync", Verb::Sync),
];

async fn command<W: World>(world: &W, invocation: &Invocation, command: Command) -> Result<Value, Error> {
    let verb = verb(VERBS, &command.verb)?;
    let batch = command.items.is_some();
    let items = command.into_items()?;
    if verb == Verb::List {
        let tenants = onboard::list(world).await?;
        return Ok(json!({"items": tenants.iter().map(onboard::answer).collect::<Vec<_>>()}));
    }
    if verb == Verb::Sync {
        return sync(world, invocation, Depth::All).await;
    }
    let mut answers = Vec::new();
    for item in items {
        answers.push((item.name.clone().unwrap_or_default(), one(world, invocation, verb, item).await));
    }
    answer(batch, answers)
}

/// A tenant's name is what the operator calls it; without one, its account.
async fn one<W: World>(world: &W, invocation: &Invocation, verb: Verb, item: CommandItem) -> Result<Value, Error> {
    let stamp = invocation.stamp();
    if let (Verb::Apply | Verb::Plan, Some(spec)) = (verb, &item.spec) {
        let tenant = Tenant::parse(spec.clone())?;
        let name = item.name.unwrap_or_else(|| tenant.account.to_string());
        shared::command::check_name(&name)?;
        if verb == Verb::Plan {
            return onboard::plan(world, &name, &tenant).await;
        }
        let id = onboard::physical_id(tenant.account.as_str());
        let origin = Origin::Command { name: name.clone() };
        let attributes = onboard::onboard(world, origin, stamp, tenant).await?;
        return Ok(json!({"name": name, "id": id, "status": "ACTIVE", "attributes": attributes}));
    }
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the tenant's name or account"))?;
    let found = onboard::list(world).await?.into_iter().find(|one| one.is_called(&name));
    match (verb, found, item.spec) {
        (Verb::Apply | Verb::Plan, _, _) => Err(Error::invalid("spec is missing: give what the tenant may do")),
        (_, _, Some(_)) => Err(Error::invalid("spec is not a field of this command: give the name alone")),
        (Verb::Get, Some(tenant), _) => Ok(onboard::answer(&tenant)),
        (Verb::Delete, Some(tenant), _) => {
            tenant.origin.check_not_a_stacks(&name)?;
            onboard::offboard(world, &tenant.origin, stamp, tenant.grants.account.as_str()).await?;
            Ok(json!({"name": name, "id": null, "status": "DELETED", "attributes": {}}))
        }
        (Verb::Delete, None, _) => Ok(json!({"name": name, "id": null, "status": "DELETED", "attributes": {}})),
        _ => Err(Error::not_found(format!(
            "there is no tenant called '{name}': the command list shows those that there are"
        ))),
    }
}

async fn terraform<W: World>(world: &W, invocation: &Invocation, terraform: Terraform) -> Result<Value, Error> {
    let stamp = invocation.stamp();
    let tenant = Tenant::parse(terraform.resource.spec.unwrap_or_default())?;
    let (name, id) = (tenant.account.to_string(), onboard::physical_id(tenant.account.as_str()));
    let origin = Origin::Terraform { name: name.clone() };
    if terraform.action == TerraformAction::Delete {
        onboard::offboard(world, &origin, stamp, &name).await?;
        return Ok(json!({"name": name, "id": id, "status": "DELETED", "attributes": {}}));
    }
    let attributes = onboard::onboard(world, origin.clone(), stamp.clone(), tenant).await?;
    if let Some(previous) = terraform.previous.and_then(|previous| Tenant::parse(previous.spec?).ok())
        && previous.account.as_str() != name
    {
        let origin = Origin::Terraform { name: previous.account.to_string() };
        onboard::offboard(world, &origin, stamp, previous.account.as_str()).await?;
    }
    Ok(json!({"name": name, "id": id, "status": "ACTIVE", "attributes": attributes}))
}
