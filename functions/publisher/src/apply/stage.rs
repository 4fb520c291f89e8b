//! The live stage: which deployment it shows, and with which variables.

use std::collections::BTreeMap;

use shared::aws::{Patch, RestApis, Stage};
use shared::error::Error;
use shared::front_door::FrontDoorSpec;

use crate::world::World;

/// Shows the deployment on the live stage, with these variables beside those that the stage has: one call.
pub async fn switch<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    there: Option<&Stage>,
    deployment_id: &str,
    variables: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let (id, name) = (&door.rest_api_id, &door.stage_name);
    let Some(there) = there else {
        return Ok(world.apis().create_stage(id, name, deployment_id, variables, false).await?);
    };
    let patches = patches(there, deployment_id, variables);
    if patches.is_empty() {
        return Ok(());
    }
    Ok(world.apis().update_stage(id, name, &patches).await?)
}

fn patches(there: &Stage, deployment_id: &str, variables: &BTreeMap<String, String>) -> Vec<Patch> {
    let changed = variables.iter().filter(|(name, value)| there.variables.get(*name) != Some(value));
    let mut patches: Vec<Patch> =
        changed.map(|(name, value)| Patch::Replace(format!("/variables/{name}"), value.clone())).collect();
    if there.deployment_id != deployment_id {
        patches.push(Patch::Replace("/deploymentId".to_owned(), deployment_id.to_owned()));
    }
    patches
}
