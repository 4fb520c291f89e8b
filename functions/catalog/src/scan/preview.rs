//! What a scan would find: the same lists and stages, no export, and nothing is written down.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use shared::aws::{AwsError, ListedApi, ListedStage};
use shared::error::Error;

use super::seen::{assemble, is_wanted, key_of, missing, settings};
use super::{AT_ONCE, Report};
use crate::entries;
use crate::observe::Observer;
use crate::plan::{Difference, difference};
use crate::record::{Api, Stage};
use crate::targets::Target;
use crate::world::World;

/// What a scan would find, changing nothing: what is new, changed and missing.
pub async fn preview<W: World>(world: &W, target: &Target) -> Result<Report, Error> {
    let observer = Observer::new(world, target);
    let known = entries::apis(world, Some(&target.place)).await?;
    let mut report = Report::default();
    let listed = async { Ok::<_, AwsError>((observer.plans().await?, observer.apis().await?)) };
    let (plans, apis) = match listed.await {
        Ok(listed) => listed,
        Err(error) => {
            report.completeness.failures.push(error.to_string());
            return Ok(report);
        }
    };
    let missing = missing(&known, &apis);
    report.completeness.apis = apis.len();
    let wanted: Vec<ListedApi> = apis.into_iter().filter(|api| is_wanted(target, api, &plans, &known)).collect();
    report.completeness.catalogued = wanted.len();
    let mut looks = stream::iter(wanted)
        .map(|listed| {
            let (observer, known) = (&observer, known.get(&key_of(target, &listed.id)));
            let plans = &plans;
            async move {
                let stages = observer.stages(&listed.id).await;
                (target, listed, known, plans, stages)
            }
        })
        .buffered(AT_ONCE);
    while let Some((target, listed, known, plans, stages)) = looks.next().await {
        match stages {
            Ok(None) => {}
            Ok(Some(stages)) => {
                report.completeness.stages += stages.len();
                let known = known.map(|record| &record.value);
                let seen = assemble(target, known, &listed, plans, unexported(known, &stages));
                report.changes.extend(difference(known, &seen).map(|one| (seen.key, one)));
            }
            Err(error) => report.completeness.failures.push(error.to_string()),
        }
    }
    report.changes.extend(missing.into_iter().map(|key| (key, Difference::Missing)));
    report.completeness.complete = report.completeness.failures.is_empty();
    report.completeness.calls = observer.calls();
    Ok(report)
}

/// The stages as they would be if every deployment that is new were exported.
fn unexported(known: Option<&Api>, stages: &[ListedStage]) -> BTreeMap<String, Stage> {
    let stage = |listed: &ListedStage| {
        let known = known.and_then(|api| api.stages.get(&listed.name));
        let known = known.filter(|known| known.deployment_id == listed.deployment_id);
        (listed.name.clone(), settings(listed, known.cloned().unwrap_or_default()))
    };
    stages.iter().map(stage).collect()
}
