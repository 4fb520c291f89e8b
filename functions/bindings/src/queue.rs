//! The door for events: a batch from the queue, or one event by itself. A burst is one piece of work: the batch is
//! folded to the bindings that it is about, each is looked at once, and only the messages whose bindings failed go back
//! to the queue.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::eventbridge::EventBridgeEvent;
use futures::StreamExt;
use serde_json::{Value, json};
use shared::aws::{ItemKey, Queue};
use shared::error::Error;
use shared::registry::{Record, Registry, source_key};
use shared::telemetry::count;
use shared::trigger::QueuedEvent;

use crate::events::{self, Look};
use crate::intake;
use crate::reconcile::{self, Patience, Shift, is_alive, is_for_the_owner};
use crate::record::{Binding, BindingId};
use crate::spec::VPC_ENDPOINT;
use crate::world::World;

/// How many sinks are worked on at a time.
const CONCURRENT_MAX: usize = 4;

/// A look that begins with less time than this left might not end: the binding is left to another invocation.
const LOOK_SECONDS_MAX: u64 = 30;

/// A batch from the queue in, the partial batch answer out.
pub async fn batch<W: World>(world: &W, shift: &Shift, messages: Vec<QueuedEvent>) -> Value {
    let mut failed: BTreeSet<String> = BTreeSet::new();
    let mut wanted: BTreeMap<Look, Vec<String>> = BTreeMap::new();
    for QueuedEvent { message_id, event } in messages {
        match event {
            // After its last try the queue keeps it with the dead letters, where somebody sees it.
            Err(error) => {
                tracing::error!(message_id, "{error}");
                failed.insert(message_id);
            }
            Ok(event) => note_looks(&event).into_iter().for_each(|look| {
                wanted.entry(look).or_default().push(message_id.clone());
            }),
        }
    }
    let (bindings, unresolved) = resolve(world, wanted).await;
    failed.extend(unresolved);
    failed.extend(look_at_all(world, shift, bindings).await);
    let failures: Vec<Value> = failed.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}

/// One event that came by itself.
pub async fn single<W: World>(world: &W, shift: &Shift, event: EventBridgeEvent) -> Result<Value, Error> {
    let message = QueuedEvent { message_id: "event".into(), event: Ok(Box::new(event)) };
    let answer = batch(world, shift, vec![message]).await;
    match answer["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty()) {
        true => Err(Error::upstream("the event's bindings could not all be synchronised: the log says why")),
        false => Ok(json!({})),
    }
}

/// Where the event says to look; one that says nothing is counted and logged.
fn note_looks(event: &EventBridgeEvent) -> BTreeSet<Look> {
    let looks = events::looks(event);
    if looks.is_empty() {
        count("EventsIgnored", 1);
        tracing::info!(event.source, event.detail_type, event.id, "ignored an event that is about no binding");
    }
    looks
}

/// A binding that is to be looked at, and the messages that said so.
type Wanted = BTreeMap<BindingId, Vec<String>>;

/// From where to look to which bindings, by sink; and the messages for which that could not be found out.
async fn resolve<W: World>(
    world: &W,
    wanted: BTreeMap<Look, Vec<String>>,
) -> (BTreeMap<ItemKey, Wanted>, BTreeSet<String>) {
    let (mut sinks, mut failed) = (BTreeMap::<ItemKey, Wanted>::new(), BTreeSet::new());
    for (look, messages) in wanted {
        match bindings_at(world, &look).await {
            Ok(bindings) => {
                for binding in bindings {
                    let sink = sinks.entry(binding.ledger_key()).or_default();
                    sink.entry(binding.id).or_default().extend(messages.clone());
                }
            }
            Err(error) => {
                tracing::error!(look = ?look, "failed to find the bindings of an event: {error}");
                failed.extend(messages);
            }
        }
    }
    (sinks, failed)
}

async fn bindings_at<W: World>(world: &W, look: &Look) -> Result<Vec<Binding>, Error> {
    let registry = Registry::new(world.table());
    let alive = |records: Vec<Record<Binding>>| records.into_iter().filter(is_alive).map(|record| record.value);
    match look {
        Look::All => fan_out(world).await.map(|()| Vec::new()),
        Look::Binding(id) => {
            let record = registry.get(&shared::registry::binding_key(id)).await?;
            Ok(alive(record.into_iter().collect()).collect())
        }
        Look::VpcEndpoint(id) => Ok(alive(registry.by_source(source_key(VPC_ENDPOINT, id.as_str())).await?).collect()),
        Look::Interface(id) => {
            let all = alive(registry.by_source(source_key(VPC_ENDPOINT, "")).await?);
            Ok(all.filter(|binding| binding.interfaces.contains(id)).collect())
        }
    }
}

/// The schedule: a message for each binding, so that however many there are, each has its own tries and its own time.
async fn fan_out<W: World>(world: &W) -> Result<(), Error> {
    let bindings = intake::list(world, "").await?;
    let messages: Vec<_> = bindings.iter().map(|binding| events::recheck(&binding.id, 0)).collect();
    Ok(world.queue().send(&messages).await?)
}

/// Looks at every binding, those of one sink one after the other; answers the messages whose bindings failed.
async fn look_at_all<W: World>(world: &W, shift: &Shift, sinks: BTreeMap<ItemKey, Wanted>) -> BTreeSet<String> {
    let work = sinks.into_values().map(|bindings| async move {
        let mut failed = BTreeSet::new();
        for (binding, messages) in bindings {
            if let Err(error) = look_at(world, shift, &binding).await {
                tracing::error!(binding, error_type = error.error_type.as_str(), "failed to synchronise: {error}");
                failed.extend(messages);
            }
        }
        failed
    });
    let failed: Vec<BTreeSet<String>> = futures::stream::iter(work).buffer_unordered(CONCURRENT_MAX).collect().await;
    failed.into_iter().flatten().collect()
}

async fn look_at<W: World>(world: &W, shift: &Shift, binding: &BindingId) -> Result<(), Error> {
    if world.now_seconds() + LOOK_SECONDS_MAX > shift.until_seconds {
        return Ok(world.queue().send(&[events::recheck(binding, 0)]).await?);
    }
    match reconcile::reconcile(world, shift, binding, Patience::Later).await {
        Ok(reconcile::Looked::Done(outcome)) => {
            outcome.applied.failures.into_iter().next().map_or(Ok(()), |e| Err(e.into()))
        }
        Ok(reconcile::Looked::Gone | reconcile::Looked::Busy) => Ok(()),
        Err(error) if is_for_the_owner(&error) => {
            tracing::warn!(binding, "binding needs its owner: {error}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
