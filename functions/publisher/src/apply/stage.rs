//! The live stage: which deployment it shows, and with which variables.

use std::collections::BTreeMap;

use shared::aws::{Patch, RestApis, Stage};
use shared::error::Error;
use shared::front_door::FrontDoorSpec;
use shared::front_door::links::STAGE_VARIABLE_PREFIX;

use super::retry;
use crate::world::World;

/// An active canary is somebody's experiment: API Gateway would end it with the next deployment.
pub fn refuse_canary(door: &FrontDoorSpec, stage: Option<&Stage>) -> Result<(), Error> {
    if stage.is_none_or(|stage| stage.canary.is_none()) {
        return Ok(());
    }
    Err(Error::blocked(format!(
        "the stage {} of the front door {} has an active canary: promote or remove it",
        door.stage_name, door.name
    )))
}

/// Whether the stage shows what is to be live, with the variables that lead there.
pub fn is_as(stage: &Stage, deployment_id: &str, variables: &BTreeMap<String, String>) -> bool {
    patches(stage, deployment_id, variables).is_empty()
}

/// Shows the deployment on the live stage, and its links by these variables: one call.
pub async fn switch<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    there: Option<&Stage>,
    deployment_id: &str,
    variables: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let (id, name) = (&door.rest_api_id, &door.stage_name);
    let Some(there) = there else {
        let made = retry::concurrent(|| world.apis().create_stage(id, name, deployment_id, variables, false)).await;
        return Ok(made?);
    };
    let patches = patches(there, deployment_id, variables);
    if patches.is_empty() {
        return Ok(());
    }
    Ok(retry::concurrent(|| world.apis().update_stage(id, name, &patches)).await?)
}

/// Variables of links that no route takes any more go; all others are the platform team's own, and stay.
fn patches(there: &Stage, deployment_id: &str, variables: &BTreeMap<String, String>) -> Vec<Patch> {
    let changed = variables.iter().filter(|(name, value)| there.variables.get(*name) != Some(value));
    let mut patches: Vec<Patch> =
        changed.map(|(name, value)| Patch::Replace(format!("/variables/{name}"), value.clone())).collect();
    let is_unused = |name: &&String| name.starts_with(STAGE_VARIABLE_PREFIX) && !variables.contains_key(*name);
    patches.extend(there.variables.keys().filter(is_unused).map(|name| Patch::Remove(format!("/variables/{name}"))));
    if there.deployment_id != deployment_id {
        patches.push(Patch::Replace("/deploymentId".to_owned(), deployment_id.to_owned()));
    }
    patches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn deployment_and_links_go_live_in_one_call_that_leaves_the_platform_teams_variables_alone() {
        let there = Stage {
            deployment_id: "d1".into(),
            variables: variables(&[("link_gate", "l1"), ("link_old", "l0"), ("theirs", "x"), ("link_same", "l2")]),
            ..Stage::default()
        };
        let wanted = variables(&[("link_gate", "l9"), ("link_same", "l2"), ("link_new", "l3")]);
        let replace = |path: &str, value: &str| Patch::Replace(path.into(), value.into());
        assert_eq!(
            patches(&there, "d2", &wanted),
            [
                replace("/variables/link_gate", "l9"),
                replace("/variables/link_new", "l3"),
                Patch::Remove("/variables/link_old".into()),
                replace("/deploymentId", "d2"),
            ]
        );
        assert!(!is_as(&there, "d1", &wanted));
        assert!(is_as(&there, "d1", &variables(&[("link_gate", "l1"), ("link_old", "l0"), ("link_same", "l2")])));
    }
}
