//! Step 3, plan: what was observed in, what is to be done out. Pure: no I/O, no clock, no environment, so that it can
//! be tested and simulated by the million.
//!
//! Invariants, which `tests` and the simulation hold it to:
//! - only what has a claim of this binding is ever removed;
//! - what the source names is never removed;
//! - applied to a sink that is as the source says, the plan is empty;
//! - what [`safety`] holds back is not removed, and additions go ahead all the same.

pub mod rules;
mod safety;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use shared::types::{Health, InstanceId};

use crate::entry::Entry;
use crate::record::{BindingId, Claim, Ledger, Moment};
use crate::spec::Options;
pub use safety::{Held, HeldReason, serves};

/// How far a source's answer can be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All there is, and AWS is not changing it.
    Complete,
    /// All there is, and it is nothing.
    Empty(String),
    /// Perhaps not all there is.
    Partial(String),
}

/// What the user wants of the binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Keep the sink equal to the source, this carefully.
    Keep(Options),
    /// Take everything of the binding's out of the sink.
    Retire,
}

/// All that a plan rests on.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The binding.
    pub binding: &'a BindingId,
    /// What the user wants of it.
    pub intent: Intent,
    /// What the source says the sink should have, each with the node that it is of, if it is a node's address.
    pub desired: &'a BTreeMap<Entry, Option<InstanceId>>,
    /// What AWS takes, or has taken, whatever anybody decides.
    pub taken: &'a BTreeSet<Entry>,
    /// How far that can be relied on.
    pub answer: &'a Answer,
    /// What the sink has.
    pub sink: &'a BTreeMap<Entry, Health>,
    /// Who owns what of it.
    pub ledger: &'a Ledger,
    /// How many entries the sink takes.
    pub entries_max: usize,
    /// The round of changes that this plan would be, and the time.
    pub now: Moment,
}

impl Observed<'_> {
    /// Whether the sink has the entry, and not only for as long as it drains.
    fn is_registered(&self, entry: &Entry) -> bool {
        self.sink.get(entry).is_some_and(|health| *health != Health::Draining)
    }
}

/// What is to be done, in this order: claims, additions, removals, releases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Claims to write down before anything is made: new ones, and old ones whose story goes on.
    pub claim: BTreeMap<Entry, Claim>,
    /// Entries to add.
    pub register: BTreeSet<Entry>,
    /// Entries to remove.
    pub deregister: BTreeSet<Entry>,
    /// Claims to drop, once what they are for is gone or somebody else's.
    pub release: BTreeSet<Entry>,
    /// Removals that wait until their replacements are healthy.
    pub waiting: BTreeSet<Entry>,
    /// Additions for which the sink has no room yet.
    pub no_room: BTreeSet<Entry>,
    /// Removals that are held back because they would be dangerous.
    pub held: Option<Held>,
    /// Why the source is to be looked at again soon, if it is.
    pub unsettled: Option<String>,
}

impl Plan {
    /// Whether carrying it out changes nothing, in the sink or in the ledger.
    pub fn is_empty(&self) -> bool {
        let Self { claim, register, deregister, release, waiting: _, no_room: _, held: _, unsettled: _ } = self;
        claim.is_empty() && register.is_empty() && deregister.is_empty() && release.is_empty()
    }

    /// Whether it should be looked at again before the schedule does.
    pub fn wants_recheck(&self) -> bool {
        !self.waiting.is_empty() || !self.no_room.is_empty() || self.unsettled.is_some()
    }
}

/// One line per change, the form that logs, `plan` and golden tests show.
impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in &self.register {
            writeln!(out, "+ {target}")?;
        }
        for target in &self.deregister {
            writeln!(out, "- {target}")?;
        }
        for target in &self.waiting {
            writeln!(out, "~ {target}: goes when its replacement is healthy")?;
        }
        for target in &self.no_room {
            writeln!(out, "~ {target}: comes when the sink has room")?;
        }
        for target in &self.release {
            writeln!(out, "  {target}: no longer ours to remove")?;
        }
        if let Some(held) = &self.held {
            writeln!(out, "! {held}")?;
        }
        if let Some(reason) = &self.unsettled {
            writeln!(out, "? {reason}")?;
        }
        if self.is_empty() && !self.wants_recheck() && self.held.is_none() {
            writeln!(out, "nothing to do")?;
        }
        Ok(())
    }
}

/// Decides what is to be done.
pub fn plan(observed: &Observed<'_>) -> Plan {
    let nothing = BTreeMap::new();
    let desired = match observed.intent {
        Intent::Keep(_) => observed.desired,
        Intent::Retire => &nothing,
    };
    let mine = observed.ledger.of(observed.binding);
    let others = observed.ledger.of_others(observed.binding);
    let mut plan = Plan::default();

    let missing = desired.keys().filter(|entry| !observed.is_registered(entry));
    let room = observed.entries_max.saturating_sub(observed.sink.len());
    // What drains still has its place in the sink.
    let (back, new): (Vec<&Entry>, Vec<&Entry>) = missing.partition(|entry| observed.sink.contains_key(entry));
    let (now, later) = new.split_at(room.min(new.len()));
    plan.register = back.into_iter().chain(now.iter().copied()).cloned().collect();
    plan.no_room = later.iter().copied().cloned().collect();

    for (entry, node) in desired {
        let fresh = Claim { since: observed.now, unwanted_since: None, replaced_one: false, node: node.clone() };
        match mine.get(entry) {
            Some(claim) if claim.unwanted_since.is_some() || claim.node != *node => {
                let claim = Claim { unwanted_since: None, node: node.clone(), ..claim.clone() };
                plan.claim.insert(entry.clone(), claim);
            }
            Some(_) => {}
            None if plan.register.contains(entry) => {
                plan.claim.insert(entry.clone(), fresh);
            }
            // What another binding added and this one wants too is owned by both; anybody else's stays theirs.
            None if observed.is_registered(entry) && others.contains(entry) => {
                plan.claim.insert(entry.clone(), fresh);
            }
            None => {}
        }
    }

    let unwanted = mine.iter().filter(|(entry, _)| !desired.contains_key(*entry));
    let (leaving, gone): (Vec<_>, Vec<_>) =
        unwanted.partition(|(entry, _)| observed.is_registered(entry) && !others.contains(*entry));
    plan.release = gone.into_iter().map(|(entry, _)| entry.clone()).collect();
    let leaving: BTreeMap<Entry, Claim> = leaving
        .into_iter()
        .map(|(entry, claim)| {
            let since = claim.unwanted_since.unwrap_or(observed.now);
            (entry.clone(), Claim { unwanted_since: Some(since), ..claim.clone() })
        })
        .collect();
    safety::judge(observed, &mine, &leaving, &mut plan);

    if let (Intent::Keep(_), Answer::Partial(reason)) = (observed.intent, observed.answer) {
        plan.unsettled = Some(reason.clone());
    }
    plan
}

#[cfg(test)]
mod tests;
