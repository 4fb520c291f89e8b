//! The import, and the search for what API Gateway refuses of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use shared::aws::{self, AwsError, ImportMode, RestApis};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::{FrontDoorSpec, Mode};

use crate::plan::render::render;
use crate::plan::search::{Attempt, Cause, Search};
use crate::plan::select::select_without;
use crate::plan::{Carried, Reading, Selection};
use crate::world::World;

/// API Gateway's rate of PutRestApi, per account, and something for clocks.
const IMPORT: Duration = Duration::from_millis(1_100);
/// What a search leaves of the function's time for the deployment and the answers.
const RESERVED: Duration = Duration::from_secs(90);
/// Somebody else changes the REST API: that is over after some seconds.
const COLLISIONS_MAX: u32 = 4;

/// What was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The document that the REST API has now.
    pub document: Value,
    /// What of it is published, and what becomes of every route.
    pub selection: Selection,
    /// What API Gateway warns of.
    pub warnings: Vec<String>,
}

/// Imports what goes live. Where API Gateway refuses the document, the culprits among what is new are left out: what is live
/// of them stays, and the others go live. Those that were not told apart are left for the next run.
pub async fn import<W: World>(
    world: &W,
    invocation: &Invocation,
    door: &FrontDoorSpec,
    had: &Carried,
    reading: &Reading,
    selection: Selection,
) -> Result<Imported, Error> {
    let turn = usize::try_from(world.now_millis() / 1_000).unwrap_or_default();
    let live = reading.routes.iter().filter(|route| route.live.is_some()).map(|route| route.id.as_str());
    let mut search = Search::new(&selection, false, &live.collect::<BTreeSet<_>>(), turn);
    let mut imported = None;
    let mut candidate = selection;
    while let Some(Attempt { left_out, .. }) = search.attempt() {
        if !left_out.is_empty() {
            if invocation.remaining() < RESERVED {
                search.end();
                break;
            }
            candidate = select_without(reading, &left_out);
        }
        let document = render(door, had, &candidate.goes, world.region());
        match put(world, door, &document).await {
            Ok(warnings) => {
                search.accepted();
                imported = Some(Imported { document, selection: candidate.clone(), warnings });
            }
            Err(error) => {
                let cause = cause(&error).ok_or_else(|| Error::from(error.clone()))?;
                tracing::warn!(front_door = door.name.as_str(), "API Gateway refuses an import: {error}");
                search.refused(cause, &error.message)?;
                tokio::time::sleep(IMPORT).await;
            }
        }
    }
    let mut imported =
        imported.ok_or_else(|| Error::upstream("there was no time left to find what API Gateway refuses"))?;
    imported.selection.verdicts.extend(search.left_out());
    Ok(imported)
}

/// PutRestApi, again where somebody else was at work on the REST API: that is no refusal of anything.
async fn put<W: World>(world: &W, door: &FrontDoorSpec, document: &Value) -> Result<Vec<String>, AwsError> {
    let mode = match door.mode {
        Mode::Overwrite => ImportMode::Overwrite,
        Mode::Merge => ImportMode::Merge,
    };
    let document = document.to_string();
    let mut collisions = 0;
    loop {
        collisions += 1;
        match world.apis().put_rest_api(&door.rest_api_id, mode, &document).await {
            Err(error) if is_collision(&error) && collisions <= COLLISIONS_MAX => {
                tokio::time::sleep(IMPORT * collisions).await;
            }
            result => return result,
        }
    }
}

/// What may be found out by leaving something out.
fn cause(error: &AwsError) -> Option<Cause> {
    match error.cause {
        aws::Cause::Refused if !is_collision(error) => Some(Cause::Document),
        aws::Cause::LimitExceeded => Some(Cause::Quota),
        _ => None,
    }
}

/// "Unable to complete operation due to concurrent modification. Please try again later."
/// <https://github.com/hashicorp/terraform-provider-aws/issues/776>
fn is_collision(error: &AwsError) -> bool {
    error.message.contains("concurrent modification")
}
