//! May this target go now? Every rule that holds a removal back, in one place.
//!
//! In the order that they are asked:
//! 1. A binding that is to go takes its entries along, unless nothing healthy would be left while another binding's
//!    in the same sink are still on their way up.
//! 2. What AWS takes goes, so that it drains before it is gone, whatever the rules below say of the rest. Only the last
//!    that serve stay until something else does, up to [`REPLACEMENT_WAIT_SECONDS_MAX`].
//! 3. An answer that is partial removes nothing; one that is empty does only where the user allowed it.
//! 4. A removal whose replacement (a target that came when it became unwanted, or later) is healthy is free; one whose
//!    replacement is not healthy yet waits, up to [`REPLACEMENT_WAIT_SECONDS_MAX`] from when that one came.
//! 5. The rest counts: more than `MaxRemovalPercent` of what the binding owns, and nothing is removed.
//! 6. Whatever goes, something healthy stays.
//!
//! Rules 3, 5 and 6 hold everything back at once rather than as much as would just be allowed: a plan that is wrong in
//! part is not to be trusted in the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use shared::types::Health;

use super::{Answer, Intent, Observed, Plan};
use crate::entry::Entry;
use crate::record::{Claim, Moment};
use crate::spec::Options;

/// How long a removal waits for its replacement. Targets have been seen to take up to 300 s to become healthy; after
/// twice that the replacement has failed, and the removal has to pass the rules without it.
pub const REPLACEMENT_WAIT_SECONDS_MAX: u64 = 600;

/// Where the sink's quota leaves no room for the replacements, this share of the entries goes first at a time.
const STEP_PERCENT: usize = 10;

/// Removals that are held back, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Why.
    pub reason: HeldReason,
    /// What stays.
    pub targets: BTreeSet<Entry>,
}

/// Why removals are held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum HeldReason {
    /// The source answered with nothing.
    EmptySource(String),
    /// The source's answer is not whole.
    PartialSource(String),
    /// More would go at once than the user allows.
    TooMany {
        /// How many would go without a healthy replacement.
        removals: usize,
        /// Of how many.
        owned: usize,
        /// The share that is allowed.
        max_percent: u8,
    },
    /// Nothing healthy would be left.
    NoHealthyTarget,
}

impl fmt::Display for HeldReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptySource(why) => {
                write!(out, "the source has no address ({why}); set Options.AllowEmpty to let it empty the sink")
            }
            Self::PartialSource(why) => write!(out, "the source's answer is not whole ({why})"),
            Self::TooMany { removals, owned, max_percent } => write!(
                out,
                "{removals} of {owned} would go without a healthy replacement, more than \
                 Options.MaxRemovalPercent ({max_percent}) allows"
            ),
            Self::NoHealthyTarget => out.write_str("no healthy target would be left"),
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        match targets.is_empty() {
            true => self.reason.fmt(out),
            false => write!(out, "{}: kept {}", self.reason, targets.join(" ")),
        }
    }
}

/// Sorts `leaving` (the binding's registered targets that the source no longer names, each claim marked with since
/// when) into removals, waiting ones and held ones, and writes all three into `plan`.
pub(super) fn judge(
    observed: &Observed<'_>,
    mine: &BTreeMap<Entry, Claim>,
    leaving: &BTreeMap<Entry, Claim>,
    plan: &mut Plan,
) {
    match observed.intent {
        Intent::Retire => retire(observed, leaving, plan),
        Intent::Keep(options) => {
            let (taken, rest) = leaving.clone().into_iter().partition(|(entry, _)| observed.taken.contains(entry));
            take(observed, &taken, plan);
            match observed.answer {
                Answer::Partial(_) | Answer::Complete if rest.is_empty() => {}
                Answer::Partial(why) => hold(HeldReason::PartialSource(why.clone()), &rest, plan),
                Answer::Empty(why) if !options.allow_empty => hold(HeldReason::EmptySource(why.clone()), &rest, plan),
                Answer::Empty(_) => plan.deregister.extend(rest.into_keys()),
                Answer::Complete => {
                    let mine = mine.iter().filter(|(entry, _)| !taken.contains_key(*entry));
                    let mine = mine.map(|(entry, claim)| (entry.clone(), claim.clone())).collect();
                    shrink(observed, options, &mine, &rest, plan);
                }
            }
        }
    }
    note_waiting(mine, leaving, plan);
}

fn take(observed: &Observed<'_>, taken: &BTreeMap<Entry, Claim>, plan: &mut Plan) {
    let all: BTreeSet<Entry> = taken.keys().cloned().collect();
    if leaves_one_serving(observed, &all) || waited_enough(observed, unwanted_since(observed, taken)) {
        plan.deregister.extend(all);
        return;
    }
    let is_serving = |entry: &Entry| observed.sink.get(entry).is_some_and(|health| serves(*health, observed.sink));
    let (serving, rest): (BTreeSet<Entry>, BTreeSet<Entry>) = all.into_iter().partition(is_serving);
    plan.deregister.extend(rest);
    plan.waiting.extend(serving);
}

fn hold(reason: HeldReason, leaving: &BTreeMap<Entry, Claim>, plan: &mut Plan) {
    plan.held = Some(Held { reason, targets: leaving.keys().cloned().collect() });
}

/// What waits is remembered with since when it does, so that the wait has an end.
fn note_waiting(mine: &BTreeMap<Entry, Claim>, leaving: &BTreeMap<Entry, Claim>, plan: &mut Plan) {
    for (target, claim) in leaving {
        let stays = !plan.deregister.contains(target);
        if stays && mine.get(target) != Some(claim) {
            plan.claim.insert(target.clone(), claim.clone());
        }
    }
}

fn retire(observed: &Observed<'_>, leaving: &BTreeMap<Entry, Claim>, plan: &mut Plan) {
    let others_on_their_way = observed
        .ledger
        .of_others(observed.binding)
        .iter()
        .any(|target| observed.sink.get(target).is_none_or(|health| !serves(*health, observed.sink)));
    let all: BTreeSet<Entry> = leaving.keys().cloned().collect();
    let waited = waited_enough(observed, unwanted_since(observed, leaving));
    if others_on_their_way && !leaves_one_serving(observed, &all) && !waited {
        plan.waiting = all;
    } else {
        plan.deregister = all;
    }
}

fn shrink(
    observed: &Observed<'_>,
    options: Options,
    mine: &BTreeMap<Entry, Claim>,
    leaving: &BTreeMap<Entry, Claim>,
    plan: &mut Plan,
) {
    let replacements = Replacements::find(observed, mine, leaving, plan);
    let healthy = replacements.healthy.len().min(leaving.len());
    let coming = replacements.coming.min(leaving.len() - healthy);
    let uncovered = leaving.len() - healthy - coming;
    // What the binding owns besides the replacements is what the percentage is of.
    let owned = mine.len() - replacements.claimed;
    let allowed = owned * usize::from(options.max_removal_percent) / 100;
    if uncovered > allowed {
        let max_percent = options.max_removal_percent;
        return hold(HeldReason::TooMany { removals: uncovered, owned, max_percent }, leaving, plan);
    }
    let step = step_without_room(observed, plan, owned).min(coming);
    if step > 0 && healthy == 0 && uncovered == allowed {
        // Without room nothing can come, and without a removal there is never room.
        let max_percent = options.max_removal_percent;
        return hold(HeldReason::TooMany { removals: uncovered + step, owned, max_percent }, leaving, plan);
    }
    let step = step.min(allowed - uncovered);

    let order = removal_order(observed, leaving);
    let (go, wait) = order.split_at(healthy + uncovered + step);
    let go: BTreeSet<Entry> = go.iter().copied().cloned().collect();
    if !go.is_empty() && !leaves_one_serving(observed, &go.union(&plan.deregister).cloned().collect()) {
        return hold(HeldReason::NoHealthyTarget, leaving, plan);
    }
    for target in replacements.healthy.iter().take(healthy) {
        let claim = Claim { unwanted_since: None, replaced_one: true, ..mine[target].clone() };
        plan.claim.insert(target.clone(), claim);
    }
    plan.deregister.extend(go);
    plan.waiting.extend(wait.iter().copied().cloned());
}

/// The targets that came for those that leave: claimed since the first of them became unwanted, and not yet counted
/// against an earlier removal.
struct Replacements {
    /// Those that serve.
    healthy: Vec<Entry>,
    /// How many are still on their way up, be it only in this plan, and may yet arrive.
    coming: usize,
    /// How many of both have a claim already.
    claimed: usize,
}

impl Replacements {
    fn find(
        observed: &Observed<'_>,
        mine: &BTreeMap<Entry, Claim>,
        leaving: &BTreeMap<Entry, Claim>,
        plan: &Plan,
    ) -> Self {
        let since = unwanted_since(observed, leaving);
        let came = mine.iter().filter(|(target, claim)| {
            observed.desired.contains_key(*target) && claim.since >= since && !claim.replaced_one
        });
        let (healthy, ailing): (Vec<&Entry>, Vec<&Entry>) = came
            .map(|(target, _)| target)
            .partition(|target| observed.sink.get(*target).is_some_and(|health| serves(*health, observed.sink)));
        let hopeful = ailing.iter().filter(|target| !waited_enough(observed, mine[**target].since)).count();
        let new = plan.register.iter().chain(&plan.no_room).filter(|target| !mine.contains_key(*target)).count();
        Self {
            claimed: healthy.len() + ailing.len(),
            coming: hopeful + new,
            healthy: healthy.into_iter().cloned().collect(),
        }
    }
}

fn unwanted_since(observed: &Observed<'_>, leaving: &BTreeMap<Entry, Claim>) -> Moment {
    let since = leaving.values().filter_map(|claim| claim.unwanted_since).min();
    since.unwrap_or(observed.now)
}

fn waited_enough(observed: &Observed<'_>, since: Moment) -> bool {
    observed.now.seconds.saturating_sub(since.seconds) >= REPLACEMENT_WAIT_SECONDS_MAX
}

/// How many may go ahead of their replacements because the group has no room for these. Nothing more goes while
/// something drains: it is about to make room.
fn step_without_room(observed: &Observed<'_>, plan: &Plan, owned: usize) -> usize {
    let draining = observed.sink.values().any(|health| *health == Health::Draining);
    match plan.no_room.is_empty() || !plan.register.is_empty() || draining {
        true => 0,
        false => (owned * STEP_PERCENT / 100).max(1),
    }
}

/// Those that serve nobody go first, then the oldest.
fn removal_order<'a>(observed: &Observed<'_>, leaving: &'a BTreeMap<Entry, Claim>) -> Vec<&'a Entry> {
    let serving = |target: &Entry| observed.sink.get(target).is_some_and(|health| serves(*health, observed.sink));
    let mut order: Vec<_> = leaving.iter().collect();
    order.sort_by_key(|(target, claim)| (serving(target), claim.unwanted_since, claim.since));
    order.into_iter().map(|(target, _)| target).collect()
}

/// Whether something in the sink serves once `go` is gone.
fn leaves_one_serving(observed: &Observed<'_>, go: &BTreeSet<Entry>) -> bool {
    observed.sink.iter().any(|(target, health)| !go.contains(target) && serves(*health, observed.sink))
}

/// Whether an entry takes traffic, as far as anybody can tell: where health checks are off or nothing routes to the
/// group at all, there is no health to wait for.
pub fn serves(health: Health, sink: &BTreeMap<Entry, Health>) -> bool {
    match health {
        Health::Healthy | Health::Unavailable => true,
        Health::Unused => sink.values().all(|other| matches!(other, Health::Unused | Health::Draining)),
        Health::Initial | Health::Unhealthy | Health::Draining => false,
    }
}
