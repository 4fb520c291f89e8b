//! Step 5, report: what became of a binding, as an answer, as events on the bus and as metrics.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use shared::aws::{Bus, OwnEvent};
use shared::error::{Error, ErrorType};
use shared::telemetry::{Metric, count};

use crate::apply::Applied;
use crate::entry::Entry;
use crate::hooks::Seen;
use crate::plan::Plan;
use crate::record::{Binding, Status};
use crate::world::World;

/// What became of a binding in one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The binding as it stands now.
    pub binding: Binding,
    /// What was planned.
    pub plan: Plan,
    /// What was done.
    pub applied: Applied,
    /// What is to leave the sink and is still in it, as it was before anything was done: ours, or on its way out.
    pub lingering: BTreeSet<Entry>,
    /// What of the sink serves, as it was before anything was done.
    pub serving: BTreeSet<Entry>,
}

impl Outcome {
    /// What the look has shown, for the lifecycle actions that wait for the binding.
    pub fn seen(&self) -> Seen<'_> {
        Seen { binding: &self.binding.id, lingering: &self.lingering, serving: &self.serving }
    }

    /// The outcome for somebody who waits for it: an error unless the sink is what the source says, or on its way there.
    pub fn into_answer(self) -> Result<Binding, Error> {
        if let Some(failure) = self.applied.failures.into_iter().next() {
            return Err(failure.into());
        }
        let reason = || format!("{}: {}", self.binding.origin.name(), self.binding.reason);
        if self.applied.no_room.is_some() {
            return Err(Error::new(ErrorType::LimitExceeded, reason()));
        }
        match self.binding.status {
            Status::Blocked => Err(Error::blocked(reason())),
            Status::Failed => Err(Error::upstream(reason())),
            Status::Pending | Status::Synced | Status::Waiting | Status::Retiring | Status::Deleted => Ok(self.binding),
        }
    }
}

/// The attributes that `Fn::GetAtt` gives.
pub fn attributes(binding: &Binding) -> Map<String, Value> {
    let mut attributes = Map::new();
    attributes.insert("BindingId".into(), json!(binding.id));
    attributes.insert("Addresses".into(), json!(binding.addresses.join(",")));
    attributes.insert("Count".into(), json!(binding.addresses.len()));
    attributes
}

/// A command's answer about a binding.
pub fn answer(binding: &Binding) -> Value {
    let mut answer = json!({
        "name": binding.origin.name(),
        "id": binding.id,
        "status": binding.status.as_str(),
        "attributes": attributes(binding),
    });
    if !binding.reason.is_empty() {
        answer["reason"] = json!(binding.reason);
    }
    answer
}

/// Tells the bus and the metrics what happened. A change is an event each time, a block only when it is a new one.
pub async fn tell<W: World>(world: &W, before: &Binding, outcome: &Outcome) -> Result<(), Error> {
    let Outcome { binding, applied, .. } = outcome;
    count(Metric::TargetsRegistered, applied.registered.len() as u64);
    count(Metric::TargetsDeregistered, applied.deregistered.len() as u64);
    count(Metric::TargetsRefused, applied.refused.len() as u64);
    count(Metric::BindingsBlocked, u64::from(binding.status == Status::Blocked));
    count(Metric::BindingsFailed, u64::from(binding.status == Status::Failed));

    let mut events = Vec::new();
    if !applied.registered.is_empty() || !applied.deregistered.is_empty() {
        events.push(event("Binding Changed", outcome));
    }
    let was_blocked = (before.status, &before.reason) == (binding.status, &binding.reason);
    if binding.status == Status::Blocked && !was_blocked {
        events.push(event("Binding Blocked", outcome));
    }
    if matches!(binding.status, Status::Blocked | Status::Failed) {
        tracing::warn!(binding.id, binding.name = binding.origin.name(), binding.reason, "binding needs its owner");
    }
    if events.is_empty() {
        return Ok(());
    }
    world.bus().put(&events).await.map_err(Error::from)
}

fn event(detail_type: &'static str, outcome: &Outcome) -> OwnEvent {
    let Outcome { binding, plan, applied, .. } = outcome;
    let sink = binding.spec.sink.resource();
    OwnEvent {
        detail_type,
        resources: vec![binding.id.clone(), sink.to_owned()],
        detail: json!({
            "name": binding.origin.name(),
            "id": binding.id,
            "status": binding.status.as_str(),
            "reason": binding.reason,
            "source": binding.spec.source.to_string(),
            "sink": sink,
            "registered": applied.registered,
            "deregistered": applied.deregistered,
            "held": plan.held.as_ref().map(|held| &held.targets),
        }),
    }
}
