//! Terraform's door: `aws_lambda_invocation` with `lifecycle_scope = "CRUD"`. Where a route has no name, its path is its
//! name. What has a `RestApiId` is a front door.

use serde_json::{Value, json};
use shared::command::check_name;
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::Status;
use shared::front_door::{FrontDoorSpec, Name, RoutePath, RouteSpec};
use shared::origin::{Origin, Stamp};
use shared::trigger::{CommandItem, Terraform, TerraformAction};

use super::{answer, asked, published, register, withdraw_all};
use crate::front_doors;
use crate::world::World;

/// A resource of Terraform's.
pub async fn terraform<W: World>(world: &W, invocation: &Invocation, terraform: Terraform) -> Result<Value, Error> {
    if is_front_door(&terraform.resource) {
        return front_door(world, invocation, terraform).await;
    }
    let caller = &invocation.caller;
    let asked_by = |origin| asked(caller, origin, invocation);
    let origin = origin_of(&terraform.resource)?;
    if terraform.action == TerraformAction::Delete {
        for route in withdraw_all(world, &asked_by(origin.clone()), None).await? {
            published(world, invocation, route).await?;
        }
        return Ok(json!({"name": origin.name(), "id": null, "status": Status::Deleted.as_str(), "attributes": {}}));
    }
    let asked = asked_by(origin.clone());
    // A new name for the same path: the path is the old name's until that is off.
    if let Some(previous) = &terraform.previous
        && origin_of(previous)? != origin
        && place_of(previous) == place_of(&terraform.resource)
    {
        for route in withdraw_all(world, &asked_by(origin_of(previous)?), None).await? {
            published(world, invocation, route).await?;
        }
    }
    let route = register(world, caller, &asked, terraform.resource.spec.unwrap_or_default()).await?;
    let route = published(world, invocation, route).await?;
    let answer = answer(world, &route).await?;
    withdraw_all(world, &asked, Some(&route.id)).await?;
    // What it was called before is gone once it has another name, or another path that it is named after.
    if let Some(previous) = &terraform.previous {
        let previous = origin_of(previous)?;
        if previous != origin {
            withdraw_all(world, &asked_by(previous), None).await?;
        }
    }
    Ok(answer)
}

fn is_front_door(resource: &CommandItem) -> bool {
    resource.spec.as_ref().is_some_and(|spec| spec.get("RestApiId").is_some())
}

/// A front door's name is its own, whatever Terraform calls it.
async fn front_door<W: World>(world: &W, invocation: &Invocation, terraform: Terraform) -> Result<Value, Error> {
    invocation.caller.operator_only("front doors")?;
    let read = |resource: &CommandItem| FrontDoorSpec::parse(named(resource));
    let spec = read(&terraform.resource)?;
    let origin = |name: &str| Origin::Terraform { name: name.to_owned() };
    let stamp = || Stamp { fingerprint: invocation.request_id.clone(), signed_at_seconds: None };
    let name = spec.name.to_string();
    if terraform.action == TerraformAction::Delete {
        front_doors::delete(world, &origin(&name), stamp(), &name).await?;
        return Ok(json!({"name": name, "id": front_doors::physical_id(&name), "status": "DELETED", "attributes": {}}));
    }
    let door = front_doors::apply(world, origin(&name), stamp(), spec).await?;
    if let Some(before) = terraform.previous.as_ref().and_then(|previous| read(previous).ok())
        && before.name.as_str() != name
    {
        let before = before.name.to_string();
        front_doors::delete(world, &origin(&before), stamp(), &before).await?;
    }
    front_doors::answer(world, &door).await
}

/// The spec, with `name` beside it as its `Name` where it has none.
fn named(resource: &CommandItem) -> Value {
    let mut spec = resource.spec.clone().unwrap_or_default();
    if let (Some(fields), Some(name)) = (spec.as_object_mut(), &resource.name) {
        fields.entry("Name").or_insert_with(|| json!(name));
    }
    spec
}

/// The front door and the path; of what can't be read, nothing.
fn place_of(resource: &CommandItem) -> Option<(Name, RoutePath)> {
    let spec = RouteSpec::parse(resource.spec.clone()?).ok()?;
    Some((spec.front_door, spec.path.canonical()))
}

fn origin_of(resource: &CommandItem) -> Result<Origin, Error> {
    let name = match &resource.name {
        Some(name) => {
            check_name(name)?;
            name.clone()
        }
        None => {
            let spec = RouteSpec::parse(resource.spec.clone().unwrap_or_default())?;
            format!("{} {}", spec.front_door, spec.path.canonical())
        }
    };
    Ok(Origin::Terraform { name })
}
