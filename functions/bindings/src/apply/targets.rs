//! The targets of a target group.

use std::collections::BTreeSet;

use shared::aws::{Cause, TargetGroups};
use shared::types::{TargetGroupArn, TargetId, Zone};

use super::Applied;
use crate::entry::Entry;
use crate::plan::Plan;

/// How many targets go into one call. AWS documents no limit; the AWS Load Balancer Controller uses 200 on the ELB
/// team's word, and larger batches have been refused now and then.
const BATCH_MAX: usize = 200;

/// How many culprits are looked for in one run, each costing some ten calls; further ones are found by the next run.
const CULPRITS_MAX: usize = 16;

pub(super) async fn apply<G: TargetGroups>(
    groups: &G,
    arn: &TargetGroupArn,
    plan: &Plan,
    outside: &BTreeSet<Entry>,
    zone_outside: &Option<Zone>,
) -> Applied {
    let mut applied = Applied::default();
    let (far, near): (BTreeSet<&Entry>, BTreeSet<&Entry>) =
        plan.register.iter().partition(|entry| outside.contains(*entry));
    for (entries, zone) in [(near, None), (far, zone_outside.as_ref())] {
        for batch in batches(entries) {
            register(groups, arn, batch, zone, &mut applied).await;
        }
    }
    for batch in batches(&plan.deregister) {
        match groups.deregister(arn, &batch).await {
            Ok(()) => applied.deregistered.extend(batch.into_iter().map(Entry::Target)),
            Err(error) => applied.failures.push(error),
        }
    }
    applied
}

fn batches<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Vec<TargetId>> {
    let targets: Vec<TargetId> = entries.into_iter().filter_map(Entry::target).cloned().collect();
    targets.chunks(BATCH_MAX).map(<[TargetId]>::to_vec).collect()
}

/// Registers a batch. AWS refuses a batch whole for one bad target, so a refused one is halved until the culprit
/// stands alone.
async fn register<G: TargetGroups>(
    groups: &G,
    arn: &TargetGroupArn,
    batch: Vec<TargetId>,
    zone: Option<&Zone>,
    applied: &mut Applied,
) {
    let mut pending = vec![batch];
    while let Some(mut batch) = pending.pop() {
        match groups.register(arn, &batch, zone).await {
            Ok(()) => applied.registered.extend(batch.into_iter().map(Entry::Target)),
            Err(error) if !blames_a_target(error.cause) || applied.refused.len() >= CULPRITS_MAX => {
                applied.failures.push(error);
            }
            Err(_) if batch.len() > 1 => {
                pending.push(batch.split_off(batch.len() / 2));
                pending.push(batch);
            }
            Err(error) => {
                let refused = batch.into_iter().map(|target| (Entry::Target(target), error.message.clone()));
                applied.refused.extend(refused);
            }
        }
    }
}

fn blames_a_target(cause: Cause) -> bool {
    matches!(cause, Cause::Refused | Cause::LimitExceeded)
}
