//! Deployments: made, found again after an interruption, and deleted when they are old.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use shared::aws::{Deployment, RestApis, Stage};
use shared::error::Error;
use shared::front_door::records::{Publication, Revision};
use shared::front_door::{FrontDoorSpec, Mode};
use shared::registry::{self, Record, Registry};

use super::{retry, verify};
use crate::part::Part;
use crate::plan::present::Foreign;
use crate::rate;
use crate::world::World;

/// How many revisions are kept, with their deployments, for `rollback`.
pub const REVISIONS_MAX: usize = 20;
/// How many old deployments one publication deletes at most, and old revisions.
const DELETIONS_MAX: usize = 20;
/// API Gateway allows ten calls per second, to everybody in the account; this is half of that.
const BETWEEN_DELETIONS: Duration = Duration::from_millis(200);

/// What Foregate writes on its deployments.
fn description(number: u64, document_hash: &str) -> String {
    format!("{DESCRIBED} {number} ({})", &document_hash[..12])
}

const DESCRIBED: &str = "Foregate revision";

/// The deployment of what was imported, checked: one that an interrupted publication has left, or a new one.
pub async fn deploy<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    publication: &Publication,
    (document, document_hash): (&Value, &str),
    foreign: &Foreign,
) -> Result<String, Error> {
    let id = &door.rest_api_id;
    let all = world.apis().get_deployments(id).await?;
    let deployment_id = match left_behind(&all, door.mode, publication, document_hash) {
        Some(deployment_id) => deployment_id,
        None => {
            rate::take(world).await?;
            let description = description(publication.newest + 1, document_hash);
            retry::concurrent(|| world.apis().create_deployment(id, &description)).await?
        }
    };
    let verified = verify::deployment(world, door, document, foreign, &deployment_id).await;
    if verified.is_err() {
        // The next publication is not to find it again.
        if let Err(error) = world.apis().delete_deployment(id, &deployment_id).await {
            tracing::warn!(front_door = door.name.as_str(), deployment_id, "failed to delete the deployment: {error}");
        }
    }
    verified.map(|()| deployment_id)
}

/// The deployment that an interrupted publication has made of this document. Before its number was written down nobody else
/// can have made one of that number; afterwards, what is foreign may have changed.
fn left_behind(all: &[Deployment], mode: Mode, publication: &Publication, document_hash: &str) -> Option<String> {
    let Publication { newest, revision, .. } = publication;
    let written = (mode == Mode::Overwrite && newest > revision).then_some(*newest);
    let numbers = [Some(newest + 1), written].into_iter().flatten();
    let descriptions: Vec<String> = numbers.map(|number| description(number, document_hash)).collect();
    let mut found: Vec<&Deployment> = all.iter().filter(|one| descriptions.contains(&one.description)).collect();
    found.sort_by_key(|one| (one.made_at_seconds, &one.id));
    found.last().map(|one| one.id.clone())
}

/// Deletes old deployments and revisions. It never fails a publication: what is left is for the next one.
pub async fn prune<W: World>(world: &W, part: &Part, publication: &Publication) {
    if let Err(error) = pruned(world, part, publication).await {
        tracing::warn!(front_door = part.name(), "failed to delete old deployments: {error}");
    }
}

async fn pruned<W: World>(world: &W, part: &Part, publication: &Publication) -> Result<(), Error> {
    let id = &part.door.rest_api_id;
    let registry = Registry::new(world.table());
    let revisions: Vec<Record<Revision>> =
        registry.list(registry::all_like(registry::revision_key(&part.name(), 0))).await?;
    let old_count = revisions.len().saturating_sub(REVISIONS_MAX);
    let (mut old, mut kept) = (Vec::new(), BTreeSet::new());
    for (index, record) in revisions.into_iter().enumerate() {
        if index < old_count && record.value.number != publication.revision {
            old.push(record);
        } else {
            kept.insert(record.value.deployment_id);
        }
    }
    let deployments = world.apis().get_deployments(id).await?;
    if deployments.len() > REVISIONS_MAX || !old.is_empty() {
        let stages = world.apis().get_stages(id).await?;
        for deployment_id in unwanted(&deployments, &kept, &stages).into_iter().take(DELETIONS_MAX) {
            tracing::info!(front_door = part.name(), deployment_id, "deleting an old deployment");
            world.apis().delete_deployment(id, &deployment_id).await?;
            tokio::time::sleep(BETWEEN_DELETIONS).await;
        }
    }
    for record in old.iter().take(DELETIONS_MAX) {
        registry.delete(record).await?;
    }
    Ok(())
}

/// Foregate's deployments that no stage shows, that no canary shows, and that no revision which is kept needs.
fn unwanted(all: &[Deployment], kept: &BTreeSet<String>, stages: &BTreeMap<String, Stage>) -> Vec<String> {
    let shown: BTreeSet<&String> =
        stages.values().flat_map(|stage| stage.canary.iter().chain([&stage.deployment_id])).collect();
    let mut old: Vec<&Deployment> = all
        .iter()
        .filter(|one| one.description.starts_with(DESCRIBED) && !kept.contains(&one.id) && !shown.contains(&one.id))
        .collect();
    old.sort_by_key(|one| (one.made_at_seconds, &one.id));
    old.into_iter().map(|one| one.id.clone()).collect()
}

/// Removes the public twin of the live stage that earlier versions of Foregate have made. It never fails a publication.
pub async fn remove_candidate<W: World>(world: &W, door: &FrontDoorSpec, stages: &BTreeMap<String, Stage>) {
    let name = format!("{}-candidate", door.stage_name);
    let (Some(stage), Ok(candidate)) = (stages.get(&name), name.parse()) else { return };
    let removed = async {
        let all = world.apis().get_deployments(&door.rest_api_id).await?;
        let is_ours = |one: &Deployment| one.id == stage.deployment_id && one.description.starts_with(DESCRIBED);
        if all.iter().any(is_ours) {
            tracing::info!(front_door = door.name.as_str(), stage = name, "removing the candidate stage");
            world.apis().delete_stage(&door.rest_api_id, &candidate).await?;
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = removed.await {
        tracing::warn!(front_door = door.name.as_str(), stage = name, "failed to remove the stage: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef";

    fn deployment(id: &str, description: &str, made_at_seconds: u64) -> Deployment {
        Deployment { id: id.to_owned(), description: description.to_owned(), made_at_seconds }
    }

    #[test]
    fn an_interrupted_publication_goes_on_with_the_deployment_that_it_has_made() {
        let all = [
            deployment("old", "Foregate revision 5 (0123456789ab)", 1),
            deployment("other", "Foregate revision 7 (ffffffffffff)", 2),
            deployment("written", "Foregate revision 6 (0123456789ab)", 3),
        ];
        let next = deployment("next", "Foregate revision 7 (0123456789ab)", 4);
        for (mode, revision, newest, has_next, expected) in [
            (Mode::Overwrite, 6, 6, true, Some("next")),
            (Mode::Merge, 6, 6, true, Some("next")),
            (Mode::Overwrite, 6, 6, false, None),
            // Its number was written down, and the stage was not switched.
            (Mode::Overwrite, 5, 6, false, Some("written")),
            (Mode::Merge, 5, 6, false, None),
            (Mode::Overwrite, 5, 6, true, Some("next")),
        ] {
            let publication = Publication { revision, newest, ..Publication::default() };
            let all: Vec<Deployment> = all.iter().chain(has_next.then_some(&next)).cloned().collect();
            let found = left_behind(&all, mode, &publication, HASH);
            assert_eq!(found.as_deref(), expected, "{mode:?} {revision} {newest} {has_next}");
        }
    }

    #[test]
    fn what_a_stage_or_a_canary_shows_and_what_is_not_foregates_is_kept() {
        let all: Vec<Deployment> = ["shown", "canary", "kept", "newer", "older"]
            .iter()
            .zip([1, 1, 1, 3, 2])
            .map(|(id, at)| deployment(id, "Foregate revision 1 (0123456789ab)", at))
            .chain([deployment("theirs", "by hand", 1)])
            .collect();
        let stage = Stage { deployment_id: "shown".into(), canary: Some("canary".into()), ..Stage::default() };
        let kept = BTreeSet::from(["kept".to_owned()]);
        assert_eq!(unwanted(&all, &kept, &BTreeMap::from([("live".to_owned(), stage)])), ["older", "newer"]);
    }
}
