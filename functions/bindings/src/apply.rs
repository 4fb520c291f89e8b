//! Step 4, apply: carries a plan out, in batches. Every independent action is tried; what failed is gathered.

use std::collections::{BTreeMap, BTreeSet};

use shared::aws::{AwsError, Cause, TargetGroups};
use shared::types::{TargetGroupArn, TargetId, Zone};

use crate::plan::Plan;

/// How many targets go into one call. AWS documents no limit; the AWS Load Balancer Controller uses 200 on the ELB
/// team's word, and larger batches have been refused now and then.
const BATCH_MAX: usize = 200;

/// How many culprits are looked for in one run, each costing some ten calls; further ones are found by the next run.
const CULPRITS_MAX: usize = 16;

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Targets that AWS took.
    pub registered: BTreeSet<TargetId>,
    /// Targets that AWS lets go.
    pub deregistered: BTreeSet<TargetId>,
    /// Targets that AWS refuses, each with its words; the rest of their batch was taken.
    pub refused: BTreeMap<TargetId, String>,
    /// Calls that failed as a whole; their targets are in an unknown state until the next look.
    pub failures: Vec<AwsError>,
}

/// Carries `plan` out on the target group: additions before removals.
pub async fn apply<G: TargetGroups>(groups: &G, arn: &TargetGroupArn, plan: &Plan, zone: Option<&Zone>) -> Applied {
    let mut applied = Applied::default();
    for batch in batches(&plan.register) {
        register(groups, arn, batch, zone, &mut applied).await;
    }
    for batch in batches(&plan.deregister) {
        match groups.deregister(arn, &batch).await {
            Ok(()) => applied.deregistered.extend(batch),
            Err(error) => applied.failures.push(error),
        }
    }
    applied
}

fn batches(targets: &BTreeSet<TargetId>) -> Vec<Vec<TargetId>> {
    let targets: Vec<TargetId> = targets.iter().cloned().collect();
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
            Ok(()) => applied.registered.extend(batch),
            Err(error) if !blames_a_target(error.cause) || applied.refused.len() >= CULPRITS_MAX => {
                applied.failures.push(error);
            }
            Err(_) if batch.len() > 1 => {
                pending.push(batch.split_off(batch.len() / 2));
                pending.push(batch);
            }
            Err(error) => applied.refused.extend(batch.into_iter().map(|target| (target, error.message.clone()))),
        }
    }
}

fn blames_a_target(cause: Cause) -> bool {
    matches!(cause, Cause::Refused | Cause::LimitExceeded)
}
