//! The import, and the search for what API Gateway refuses of it.

use std::time::Duration;

use serde_json::Value;
use shared::aws::{AwsError, Cause, ImportMode, RestApis};
use shared::error::{Error, ErrorType};
use shared::front_door::records::Refusal;
use shared::front_door::{FrontDoorSpec, Mode};

use crate::plan::render::render;
use crate::plan::select::order;
use crate::plan::{Carried, PublishedRoute, Selection, Verdict};
use crate::world::World;

/// API Gateway's rate of PutRestApi, per account, and something for clocks.
const IMPORT: Duration = Duration::from_millis(1_100);

/// How many imports a search for culprits takes at most: a minute's, of the function's five.
const IMPORTS_MAX: usize = 60;

/// What was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The document that the REST API has now.
    pub document: Value,
    /// The routes that were left out, and what becomes of them.
    pub left_out: Vec<(String, Verdict)>,
}

/// Imports what goes live. When API Gateway refuses the document, the culprits among what is new are found by halving, and
/// left out of the selection: the others go live. Those that were not reached before the bound are left for the next run.
pub async fn import<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    had: &Carried,
    selection: &mut Selection,
) -> Result<Imported, Error> {
    let attempt = |goes: Vec<PublishedRoute>| async move {
        let document = render(door, had, &goes, world.region());
        let mode = match door.mode {
            Mode::Overwrite => ImportMode::Overwrite,
            Mode::Merge => ImportMode::Merge,
        };
        let result = world.apis().put_rest_api(&door.rest_api_id, mode, &document.to_string()).await;
        for warning in result.iter().flatten() {
            tracing::warn!(
                front_door = door.name.as_str(),
                "API Gateway warns of the front door's definition: {warning}"
            );
        }
        (document, result)
    };
    let (document, result) = attempt(selection.goes.clone()).await;
    let refusal = match result {
        Ok(_) => return Ok(Imported { document, left_out: Vec::new() }),
        Err(error) => error,
    };
    let (suspects, mut good): (Vec<PublishedRoute>, Vec<PublishedRoute>) =
        selection.goes.drain(..).partition(|one| one.is_new);
    if suspects.is_empty() || !matches!(refusal.cause, Cause::Refused | Cause::LimitExceeded) {
        return Err(refusal.into());
    }
    let mut left_out = Vec::new();
    // Without any suspect it has to be taken, or none of them is to blame. A quota is nobody's fault in particular.
    let mut groups = match refusal.cause {
        Cause::LimitExceeded => {
            left_out.extend(suspects.into_iter().map(|one| (one.id, Verdict::Rejected(why(&refusal)))));
            vec![Vec::new()]
        }
        _ => vec![suspects, Vec::new()],
    };
    let mut last = document;
    for _ in 0..IMPORTS_MAX {
        let Some(mut group) = groups.pop() else { break };
        tokio::time::sleep(IMPORT).await;
        let mut goes = good.clone();
        goes.extend(group.iter().cloned());
        goes.sort_by_key(order);
        let (document, result) = attempt(goes.clone()).await;
        match result {
            Ok(_) => (good, last) = (goes, document),
            Err(error) if error.cause != Cause::Refused || group.is_empty() => return Err(error.into()),
            Err(error) if group.len() == 1 => {
                left_out.extend(group.into_iter().map(|one| (one.id, Verdict::Rejected(why(&error)))));
            }
            Err(_) => {
                let half = group.split_off(group.len() / 2);
                groups.push(half);
                groups.push(group);
            }
        }
    }
    let unsure = Refusal::from(&Error::blocked(
        "API Gateway refuses something that was to be published together with this route: it is looked for",
    ));
    left_out.extend(groups.into_iter().flatten().map(|one| (one.id, Verdict::Waits(unsure.clone()))));
    selection.goes = good;
    Ok(Imported { document: last, left_out })
}

fn why(error: &AwsError) -> Refusal {
    let error_type = match error.cause {
        Cause::LimitExceeded => ErrorType::LimitExceeded,
        _ => ErrorType::InvalidInput,
    };
    Refusal::from(&Error::new(error_type, format!("API Gateway refuses the route: {}", error.message)))
}
