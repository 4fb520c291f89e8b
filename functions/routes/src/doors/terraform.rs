//! Terraform's door: `aws_lambda_invocation` with `lifecycle_scope = "CRUD"`. Where a route has no name, its path is its
//! name. What has a `RestApiId` is a front door.

use serde_json::{Value, json};
use shared::command::check_name;
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::Status;
use shared::front_door::{FrontDoorSpec, Name, RoutePath, RouteSpec};
use shared::origin::Origin;
use shared::trigger::{CommandItem, Terraform, TerraformAction};

use super::{answer, asked, published, register, withdraw_all};
use crate::front_doors;
use crate::report::settled;
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
    // What it was called before is gone once it has another name, or another path that it is named after; where it keeps its
    // path, before that: the path is the old name's until that is off.
    let mut before = terraform.previous.as_ref().map(origin_of).transpose()?.filter(|before| *before != origin);
    if terraform.previous.as_ref().map(place_of) == Some(place_of(&terraform.resource))
        && let Some(before) = before.take()
    {
        for route in withdraw_all(world, &asked_by(before), None).await? {
            published(world, invocation, route).await?;
        }
    }
    let asked = asked_by(origin);
    let route = register(world, caller, &asked, terraform.resource.spec.unwrap_or_default()).await?.route;
    let route = published(world, invocation, route).await?;
    settled(&route)?;
    let answer = answer(world, &front_doors::list(world).await?, &route);
    withdraw_all(world, &asked, Some(&route.id)).await?;
    if let Some(before) = before {
        withdraw_all(world, &asked_by(before), None).await?;
    }
    Ok(answer)
}

fn is_front_door(resource: &CommandItem) -> bool {
    resource.spec.as_ref().is_some_and(|spec| spec.get("RestApiId").is_some())
}

/// A front door's name is its own, whatever Terraform calls it.
async fn front_door<W: World>(world: &W, invocation: &Invocation, terraform: Terraform) -> Result<Value, Error> {
    invocation.caller.operator_only("front doors")?;
    let read = |resource: &CommandItem| FrontDoorSpec::parse(resource.named_spec().unwrap_or_default());
    let spec = read(&terraform.resource)?;
    let origin = |name: &str| Origin::Terraform { name: name.to_owned() };
    let name = spec.name.to_string();
    if terraform.action == TerraformAction::Delete {
        front_doors::delete(world, &origin(&name), invocation.stamp(), &name).await?;
        return Ok(json!({"name": name, "id": front_doors::physical_id(&name), "status": "DELETED", "attributes": {}}));
    }
    let door = front_doors::apply(world, origin(&name), invocation.stamp(), spec, None).await?;
    let door = front_doors::published(world, invocation, door).await?;
    if let Some(before) = terraform.previous.as_ref().and_then(|previous| read(previous).ok())
        && before.name.as_str() != name
    {
        let before = before.name.to_string();
        front_doors::delete(world, &origin(&before), invocation.stamp(), &before).await?;
    }
    front_doors::answer(world, &door).await
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
