//! Step 4, apply: carries a plan out, in batches. Every independent action is tried; what failed is gathered.

mod rules;
mod targets;

use std::collections::{BTreeMap, BTreeSet};

use shared::aws::AwsError;
use shared::types::Zone;

use crate::entry::Entry;
use crate::plan::Plan;
use crate::plan::rules::Rules;
use crate::spec::{BindingSpec, Sink, TargetGroupSink};
use crate::world::World;

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Entries that AWS took.
    pub registered: BTreeSet<Entry>,
    /// Entries that AWS lets go.
    pub deregistered: BTreeSet<Entry>,
    /// Entries that AWS refuses, each with its words; the rest of their batch was taken.
    pub refused: BTreeMap<Entry, String>,
    /// Why some of them have no room, if so, and what to do about it.
    pub no_room: Option<String>,
    /// Calls that failed as a whole; their entries are in an unknown state until the next look.
    pub failures: Vec<AwsError>,
}

/// Carries `plan` out on the spec's sink: additions before removals. `outside` are the addresses outside the target group's
/// VPC; `rules` are the security group's, as they were observed.
pub async fn apply<W: World>(
    world: &W,
    spec: &BindingSpec,
    plan: &Plan,
    outside: &BTreeSet<Entry>,
    rules: &Rules,
) -> Applied {
    match &spec.sink {
        Sink::TargetGroup(group) => targets::apply(world.elb(), &group.arn, plan, outside, &zone_outside(group)).await,
        Sink::SecurityGroup(group) => {
            let marks = rules::Marks { prefix: world.prefix(), description: &rules::description(&spec.source) };
            rules::apply(world.ec2(), group, plan, rules, marks).await
        }
    }
}

/// RegisterTargets wants a zone for addresses outside the group's VPC, and none for those inside.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html>
fn zone_outside(group: &TargetGroupSink) -> Option<Zone> {
    group.zone.clone().or_else(|| "all".parse().ok())
}
