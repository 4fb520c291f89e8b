//! Terraform's door. A resource's name is its own, or what it is about.

use serde_json::Value;
use shared::entry::Invocation;
use shared::error::Error;
use shared::origin::Origin;
use shared::trigger::{CommandItem, Terraform, TerraformAction};

use super::{answer, asked, deleted, discovery_id, is_subscription};
use crate::spec::{DiscoverySpec, SubscriptionSpec};
use crate::subscriptions::{self, Wish};
use crate::world::World;

/// A CRUD invocation.
pub async fn terraform<W: World>(world: &W, invocation: &Invocation, terraform: Terraform) -> Result<Value, Error> {
    let Terraform { action, resource, previous } = terraform;
    let spec = resource.spec.clone().unwrap_or_default();
    if !is_subscription(&spec) {
        return discovery(world, invocation, action, resource).await;
    }
    let (name, id, parsed) = subscription(invocation, &resource)?;
    let asked = asked(invocation, Origin::Terraform { name: name.clone() });
    if action == TerraformAction::Delete {
        subscriptions::wish(world, invocation, &id, Some(&asked.stamp), Wish::Revoke).await?;
        return Ok(deleted(&name, Some(&id)));
    }
    let given = subscriptions::apply(world, invocation, &asked, parsed, subscriptions::Value::Always).await?;
    if let Some((_, before, _)) = previous.and_then(|previous| subscription(invocation, &previous).ok())
        && before != id
    {
        subscriptions::wish(world, invocation, &before, Some(&asked.stamp), Wish::Revoke).await?;
    }
    Ok(answer(&given))
}

/// A subscription's name, its id and its spec.
fn subscription(invocation: &Invocation, resource: &CommandItem) -> Result<(String, String, SubscriptionSpec), Error> {
    let spec = SubscriptionSpec::parse(resource.spec.clone().unwrap_or_default())?;
    let name = resource.name.clone().unwrap_or_else(|| spec.consumer.clone());
    let origin = Origin::Terraform { name: name.clone() };
    let id = subscriptions::id_of(invocation.caller.account(), &origin, &spec);
    Ok((name, id, spec))
}

async fn discovery<W: World>(
    world: &W,
    invocation: &Invocation,
    action: TerraformAction,
    resource: CommandItem,
) -> Result<Value, Error> {
    invocation.caller.operator_only("discoveries")?;
    let name = resource.name.unwrap_or_else(|| "default".to_owned());
    let origin = Origin::Terraform { name: name.clone() };
    if action == TerraformAction::Delete {
        let id = discovery_id(&origin);
        super::leave_alone(world, &id, invocation.stamp()).await?;
        return Ok(deleted(&name, Some(&id)));
    }
    let spec = DiscoverySpec::parse(resource.spec.unwrap_or_default())?;
    super::discover_there(world, origin, invocation.stamp(), spec).await
}
