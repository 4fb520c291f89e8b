//! The import, and the search for what API Gateway refuses of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use shared::aws::{self, AwsError, ImportMode, RestApis};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::Refusal;
use shared::front_door::{FrontDoorSpec, Mode};

use crate::plan::render::render;
use crate::plan::search::{Attempt, Cause, Search};
use crate::plan::select::select_without;
use crate::plan::warnings::to_report;
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
    /// The front door's settings that it was made with.
    pub settings: FrontDoorSpec,
    /// Why these are the published ones and not those that are asked for.
    pub settings_refusal: Option<Refusal>,
    /// What API Gateway warns of, a line each, but for what is known to be harmless.
    pub warnings: Vec<String>,
}

/// Imports what goes live. Where API Gateway refuses the document, the culprits among what is new are left out: what is live
/// of them stays, and the others go live. Those that were not told apart are left for the next run.
///
/// New settings of the front door are a suspect like a route: what is `published` takes their place. The front door's own REST
/// API is where they are tried: the live stage is pinned to a deployment, and an import that fails changes nothing, so that a
/// scratch API would add two calls, a permission and something to clean up, and say no more. `Err` in the answer is why nothing
/// can be imported, though nothing is new that could be left out.
pub async fn import<W: World>(
    world: &W,
    invocation: &Invocation,
    door: &FrontDoorSpec,
    published: Option<&FrontDoorSpec>,
    had: &Carried,
    reading: &Reading,
    selection: Selection,
) -> Result<Result<Imported, Refusal>, Error> {
    let turn = usize::try_from(world.now_millis() / 1_000).unwrap_or_default();
    let live = reading.routes.iter().filter(|route| route.live.is_some()).map(|route| route.id.as_str());
    let mut search = Search::new(&selection, published.is_some(), &live.collect::<BTreeSet<_>>(), turn);
    let older = published.map(|settings| Reading { door: settings.clone(), ..reading.clone() });
    let mut imported = None;
    let (mut candidate, mut is_first) = (selection, true);
    while let Some(Attempt { left_out, has_new_settings }) = search.attempt() {
        let older = older.as_ref().filter(|_| !has_new_settings);
        let settings = older.map_or(door, |older| &older.door);
        if !std::mem::take(&mut is_first) {
            if invocation.remaining() < RESERVED {
                search.end();
                break;
            }
            candidate = select_without(older.unwrap_or(reading), &left_out);
        }
        let document = render(settings, had, &candidate.goes, world.region());
        match put(world, door, &document).await {
            Ok(warnings) => {
                search.accepted();
                let (selection, settings, settings_refusal) = (candidate.clone(), settings.clone(), None);
                imported = Some(Imported { document, selection, settings, settings_refusal, warnings });
            }
            Err(error) => {
                let cause =
                    cause(&error, older.is_none() && published.is_some()).ok_or_else(|| Error::from(error.clone()))?;
                tracing::warn!(front_door = door.name.as_str(), "API Gateway refuses an import: {error}");
                if let Err(refusal) = search.refused(cause, &error.message) {
                    return Ok(Err(refusal));
                }
                tokio::time::sleep(IMPORT).await;
            }
        }
    }
    let mut imported =
        imported.ok_or_else(|| Error::upstream("there was no time left to find what API Gateway refuses"))?;
    imported.selection.verdicts.extend(search.left_out());
    imported.settings_refusal = search.settings_refusal().cloned();
    imported.warnings = to_report(&imported.warnings, &reading.routes, &imported.selection.goes);
    for warning in &imported.warnings {
        tracing::warn!(front_door = door.name.as_str(), "API Gateway warns: {warning}");
    }
    Ok(Ok(imported))
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

/// What may be found out by leaving something out. New settings may name a role that Foregate may not pass on.
fn cause(error: &AwsError, has_new_settings: bool) -> Option<Cause> {
    match error.cause {
        aws::Cause::Denied if has_new_settings => Some(Cause::Document),
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
