//! Step 3, apply: the calls on the REST API, up to the candidate stage. The live stage is [`cycle`](crate::cycle)'s.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use shared::aws::RestApis;
use shared::error::Error;
use shared::front_door::FrontDoorSpec;
use shared::types::StageName;

use crate::plan::present::{Foreign, Removal, names};
use crate::world::World;

mod import;

pub use import::{Imported, import};

/// API Gateway's rate of DeleteResource, five per second and account, and something for clocks.
const REMOVAL: Duration = Duration::from_millis(220);

/// Shows the deployment on the candidate stage and holds what that stage has against the document: every method of every
/// path, what is foreign included, and nothing else.
pub async fn look_at_candidate<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    document: &Value,
    foreign: &Foreign,
    deployment_id: &str,
) -> Result<(), Error> {
    let candidate: StageName = format!("{}-candidate", door.stage_name)
        .parse()
        .map_err(|e| Error::invalid(format!("StageName: with -candidate behind it, it is no stage's name: {e}")))?;
    let exists = world.apis().stage(&door.rest_api_id, &candidate).await?.is_some();
    world.apis().point_stage(&door.rest_api_id, &candidate, exists, deployment_id).await?;
    let shown: BTreeSet<String> = methods(&world.apis().export(&door.rest_api_id, &candidate).await?).collect();
    let wanted: BTreeSet<String> = methods(document).chain(foreign.methods().cloned()).collect();
    let different: Vec<&String> = wanted.symmetric_difference(&shown).take(5).collect();
    match different.is_empty() {
        true => Ok(()),
        false => Err(Error::upstream(format!(
            "the candidate stage of {} does not show what was imported, the live stage was left alone; among others: \
             {different:?}",
            door.name
        ))),
    }
}

/// Every method of every path, as `GET /cats/{p2}`.
fn methods(document: &Value) -> impl Iterator<Item = String> {
    names(document).into_iter().filter(|name| !name.starts_with('/'))
}

/// Takes off what is not wanted any more, at API Gateway's rate.
pub async fn remove<W: World>(world: &W, door: &FrontDoorSpec, removals: &[Removal]) -> Result<(), Error> {
    for removal in removals {
        match removal {
            Removal::Resource { id, path } => {
                tracing::info!(front_door = door.name.as_str(), path, "removing a resource");
                world.apis().delete_resource(&door.rest_api_id, id).await?;
            }
            Removal::Method { id, path, method } => {
                tracing::info!(front_door = door.name.as_str(), path, method, "removing a method");
                world.apis().delete_method(&door.rest_api_id, id, method).await?;
            }
        }
        tokio::time::sleep(REMOVAL).await;
    }
    Ok(())
}
