//! Terraform's door: `aws_lambda_invocation` with `lifecycle_scope = "CRUD"`.

use serde_json::{Value, json};
use shared::command::check_name;
use shared::entry::Invocation;
use shared::error::Error;
use shared::origin::Origin;
use shared::trigger::{CommandItem, Terraform, TerraformAction};

use super::{apply_alone, delete_all, shift};
use crate::intake;
use crate::reconcile::Shift;
use crate::record::Status;
use crate::world::World;

/// A resource of Terraform's. Where it has no name, its sink is its name.
pub async fn terraform<W: World>(world: &W, invocation: &Invocation, terraform: Terraform) -> Result<Value, Error> {
    let shift = shift(invocation);
    let origin = terraform_origin(&terraform.resource)?;
    if terraform.action == TerraformAction::Delete {
        return drop_origin(world, &shift, invocation, &origin).await;
    }
    let spec = terraform.resource.spec.unwrap_or_default();
    let answer = apply_alone(world, invocation, &shift, origin.clone(), spec).await?;
    // What it was called before is gone once it has another name, or another sink that it is named after.
    if let Some(previous) = &terraform.previous {
        let previous = terraform_origin(previous)?;
        if previous != origin {
            drop_origin(world, &shift, invocation, &previous).await?;
        }
    }
    Ok(answer)
}

fn terraform_origin(resource: &CommandItem) -> Result<Origin, Error> {
    let name = match &resource.name {
        Some(name) => {
            check_name(name)?;
            name.clone()
        }
        None => crate::spec::BindingSpec::parse(resource.spec.clone().unwrap_or_default())?.sink.identity(),
    };
    Ok(Origin::Terraform { name })
}

async fn drop_origin<W: World>(
    world: &W,
    shift: &Shift,
    invocation: &Invocation,
    origin: &Origin,
) -> Result<Value, Error> {
    let ids = intake::of_origin(world, origin).await?.into_iter().map(|binding| binding.id);
    delete_all(world, shift, ids, invocation.stamp()).await?;
    Ok(json!({"name": origin.name(), "id": null, "status": Status::Deleted.as_str(), "attributes": {}}))
}
