//! Holds what API Gateway has against what was imported, before a client can meet it. Whatever differs in who may call or in
//! where requests go stops the publication.
//!
//! API Gateway's answers may lag behind its own writes, so a difference counts when it stays.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use shared::aws::RestApis;
use shared::error::Error;
use shared::front_door::FrontDoorSpec;
use shared::front_door::records::ApiSettings;

use super::retry;
use crate::cycle::tell;
use crate::observe;
use crate::plan::api_settings::{differences, patches};
use crate::plan::present::{Foreign, drift, summary_differences};
use crate::world::World;

/// The pauses before each look.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(4)];
/// An error and an event name so many differences.
const DIFFERENCES_MAX: usize = 10;

/// The settings of the REST API itself: what the import has reset is set again, and who may call is as it was imported.
pub async fn settings<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    document: &Value,
    had: &ApiSettings,
) -> Result<(), Error> {
    let differing = settled(|| async {
        let api = observe::rest_api(world, door).await?;
        let patches = patches(had, &door.base_definition, &api);
        if !patches.is_empty() {
            tracing::info!(front_door = door.name.as_str(), ?patches, "setting again what the import has reset");
            retry::concurrent(|| world.apis().update_rest_api(&door.rest_api_id, &patches)).await?;
        }
        let reset = patches.iter().map(|patch| format!("the setting {patch:?} was reset"));
        Ok(reset.chain(differences(document, &api)).collect())
    });
    report(world, door, "the REST API", differing.await?).await
}

/// Every method that the REST API has now, as it was imported. One call for 500 resources, five of which API Gateway allows in
/// two seconds.
pub async fn methods<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    document: &Value,
    foreign: &Foreign,
) -> Result<(), Error> {
    let differences = settled(|| async {
        let present = observe::present(world, door).await?;
        Ok(drift(document, &present, &foreign.names))
    });
    report(world, door, "the REST API", differences.await?).await
}

/// Every method that the deployment has, as it was imported.
pub async fn deployment<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    document: &Value,
    foreign: &Foreign,
    deployment_id: &str,
) -> Result<(), Error> {
    let differences = settled(|| async {
        let summary = world.apis().get_deployment(&door.rest_api_id, deployment_id).await?;
        Ok(summary_differences(document, foreign, &summary.unwrap_or_default()))
    });
    report(world, door, &format!("the deployment {deployment_id}"), differences.await?).await
}

/// What still differs at the last look.
async fn settled<F: Future<Output = Result<Vec<String>, Error>>>(look: impl Fn() -> F) -> Result<Vec<String>, Error> {
    let mut differences = Vec::new();
    for pause in LOOKS {
        tokio::time::sleep(pause).await;
        differences = look().await?;
        if differences.is_empty() {
            break;
        }
    }
    Ok(differences)
}

async fn report<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    what: &str,
    mut differences: Vec<String>,
) -> Result<(), Error> {
    if differences.is_empty() {
        return Ok(());
    }
    let count = differences.len();
    differences.truncate(DIFFERENCES_MAX);
    tracing::error!(front_door = door.name.as_str(), count, ?differences, "{what} differs from what was imported");
    let detail = json!({
        "frontDoor": door.name, "stage": door.stage_name, "edits": differences, "repaired": false, "published": false,
    });
    tell(world, "Drift Found", detail).await?;
    Err(Error::upstream(format!(
        "{what} of the front door {} differs from what was imported in {count} points, so the stage {} was left as it is: \
         {}",
        door.name,
        door.stage_name,
        differences.join("; ")
    )))
}
