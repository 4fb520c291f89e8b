//! The door for events: a batch from the queue, or one event by itself. A burst is one piece of work: the batch is
//! folded to the bindings that it is about, each is looked at once, and only the messages whose bindings failed go back
//! to the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use futures::StreamExt;
use serde_json::{Value, json};
use shared::aws::{Instance, Instances, ItemKey, Queue};
use shared::deliveries::Deliveries;
use shared::error::Error;
use shared::registry::{Record, Registry, source_key};
use shared::telemetry::{Metric, count};
use shared::trigger::QueuedEvent;
use shared::types::InstanceId;

use crate::events::{self, Look};
use crate::hooks::{self, Announcement};
use crate::intake;
use crate::notices::Notice;
use crate::reconcile::{self, Patience, Shift, is_alive, is_for_the_owner};
use crate::record::{Binding, BindingId};
use crate::spec::{Source, SourceKind};
use crate::world::World;

/// How many sinks are worked on at a time.
const CONCURRENT_MAX: usize = 4;

/// A look that begins with less time than this left might not end: the binding is left to another invocation.
const LOOK_SECONDS_MAX: u64 = 30;

/// A batch from the queue in, the partial batch answer out.
pub async fn batch<W: World>(world: &W, shift: &Shift, messages: Vec<QueuedEvent>) -> Value {
    let deliveries = Deliveries::of(&messages);
    let mut batch = Batch::default();
    messages.into_iter().for_each(|message| batch.fold(message, world.now_seconds()));
    let sinks = resolve(world, &mut batch).await;
    let unlooked = look_at_all(world, shift, sinks, &deliveries).await;
    batch.failed.extend(unlooked);
    deliveries.answer(world.queue(), &batch.failed).await
}

/// What a batch is about, each thing with the messages that said so.
#[derive(Default)]
struct Batch {
    looks: BTreeMap<Look, Vec<String>>,
    nodes: BTreeMap<InstanceId, Vec<String>>,
    notices: BTreeMap<InstanceId, Vec<Notice>>,
    failed: BTreeSet<String>,
}

impl Batch {
    fn fold(&mut self, QueuedEvent { message_id, event, .. }: QueuedEvent, now_seconds: u64) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                // After its last try the queue keeps it with the dead letters, where somebody sees it.
                tracing::error!(message_id, "{error}");
                self.failed.insert(message_id);
                return;
            }
        };
        let told = events::read(&event, now_seconds);
        if told.looks.is_empty() {
            count(Metric::EventsIgnored, 1);
            tracing::info!(event.source, event.detail_type, event.id, "ignored an event that is about no binding");
        }
        for look in told.looks {
            let messages = match look {
                Look::Node(node) => self.nodes.entry(node).or_default(),
                look => self.looks.entry(look).or_default(),
            };
            messages.push(message_id.clone());
        }
        for (node, notice) in told.notices {
            self.notices.entry(node).or_default().push(notice);
        }
    }
}

/// One event that came by itself.
pub async fn single<W: World>(world: &W, shift: &Shift, event: EventBridgeEvent) -> Result<Value, Error> {
    let answer = batch(world, shift, vec![QueuedEvent::alone(event)]).await;
    match answer["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty()) {
        true => Err(Error::upstream("the event's bindings could not all be synchronised: the log says why")),
        false => Ok(json!({})),
    }
}

/// A binding that is to be looked at, and the messages that said so.
type Wanted = BTreeMap<BindingId, Vec<String>>;

/// From where to look to which bindings, by sink. What can't be found out fails its messages.
async fn resolve<W: World>(world: &W, batch: &mut Batch) -> BTreeMap<ItemKey, Wanted> {
    let mut sinks = BTreeMap::<ItemKey, Wanted>::new();
    let mut want = |binding: &Binding, messages: &[String]| {
        let sink = sinks.entry(binding.ledger_key()).or_default();
        sink.entry(binding.id.clone()).or_default().extend_from_slice(messages);
    };
    for (look, messages) in &batch.looks {
        match bindings_at(world, look).await {
            Ok(bindings) => bindings.iter().for_each(|binding| want(binding, messages)),
            Err(error) => {
                tracing::error!(look = ?look, "failed to find the bindings of an event: {error}");
                batch.failed.extend(messages.iter().cloned());
            }
        }
    }
    match bindings_of_nodes(world, batch).await {
        Ok(found) => found.iter().for_each(|(binding, messages)| want(binding, messages)),
        Err(error) => {
            tracing::error!("failed to find the bindings of {} nodes: {error}", batch.nodes.len());
            batch.failed.extend(batch.nodes.values().flatten().cloned());
        }
    }
    sinks
}

/// The bindings that the batch's instances are nodes of, after what was announced of them was noted.
///
/// Most instances of an account are nobody's nodes, and no event says whose they are: their tags do. One that EC2 has
/// forgotten may have been anybody's.
async fn bindings_of_nodes<W: World>(world: &W, batch: &mut Batch) -> Result<Vec<(Binding, Vec<String>)>, Error> {
    if batch.nodes.is_empty() {
        return Ok(Vec::new());
    }
    let bindings = by_source(world, SourceKind::Nodes, "").await?;
    if bindings.is_empty() {
        return Ok(Vec::new());
    }
    let instances = world.ec2().instances_by_id(&batch.nodes.keys().cloned().collect()).await?;
    let instances: BTreeMap<&InstanceId, &Instance> = instances.iter().map(|one| (&one.id, one)).collect();
    let is_node_of = |binding: &&Binding, node: &InstanceId| match (&binding.spec.source, instances.get(node)) {
        (Source::Nodes(selector), Some(instance)) => selector.selects(&instance.tags),
        _ => true,
    };
    let of = |node: &InstanceId| bindings.iter().filter(|binding| is_node_of(binding, node)).collect::<Vec<_>>();
    let announcements = std::mem::take(&mut batch.notices).into_iter().map(|(node, notices)| {
        let completes = |binding: &Binding| (binding.id.clone(), binding.spec.options.complete_launch_hooks);
        let addresses = |one: &Instance| one.ipv4.map(IpAddr::V4).into_iter().chain(one.ipv6.map(IpAddr::V6)).collect();
        Announcement {
            bindings: of(&node).into_iter().map(completes).collect(),
            addresses: instances.get(&node).map_or_else(Vec::new, |one| addresses(one)),
            notices,
            node,
        }
    });
    for (node, error) in hooks::note(world, announcements.collect()).await {
        tracing::error!(%node, "failed to note what was announced of a node: {error}");
        batch.failed.extend(batch.nodes.get(&node).into_iter().flatten().cloned());
    }
    let mut found: BTreeMap<&BindingId, (Binding, Vec<String>)> = BTreeMap::new();
    for (node, messages) in &batch.nodes {
        for binding in of(node) {
            let entry = found.entry(&binding.id).or_insert_with(|| (binding.clone(), Vec::new()));
            entry.1.extend_from_slice(messages);
        }
    }
    Ok(found.into_values().collect())
}

async fn by_source<W: World>(world: &W, kind: SourceKind, id: &str) -> Result<Vec<Binding>, Error> {
    let records = Registry::new(world.table()).by_source::<Binding>(source_key(kind.as_str(), id)).await?;
    Ok(records.into_iter().filter(is_alive).map(|record| record.value).collect())
}

async fn bindings_at<W: World>(world: &W, look: &Look) -> Result<Vec<Binding>, Error> {
    match look {
        Look::All => fan_out(world).await.map(|()| Vec::new()),
        Look::Binding(id) => {
            let record = Registry::new(world.table()).get(&shared::registry::binding_key(id)).await?;
            Ok(record.into_iter().filter(is_alive).map(|record: Record<Binding>| record.value).collect())
        }
        Look::VpcEndpoint(id) => by_source(world, SourceKind::VpcEndpoint, id.as_str()).await,
        Look::LoadBalancer(name) => by_source(world, SourceKind::LoadBalancer, name).await,
        Look::Interface(id) => {
            let mut all = by_source(world, SourceKind::VpcEndpoint, "").await?;
            all.extend(by_source(world, SourceKind::LoadBalancer, "").await?);
            Ok(all.into_iter().filter(|binding| binding.interfaces.contains(id)).collect())
        }
        // Nodes are looked up together: see `bindings_of_nodes`.
        Look::Node(_) => Ok(Vec::new()),
    }
}

/// The schedule: a message for each binding, so that however many there are, each has its own tries and its own time.
async fn fan_out<W: World>(world: &W) -> Result<(), Error> {
    hooks::sweep(world).await?;
    let bindings = intake::list(world, "").await?;
    let messages: Vec<_> = bindings.iter().map(|binding| events::recheck(&binding.id, 0, 0)).collect();
    Ok(world.queue().send(&messages).await?)
}

/// Looks at every binding, those of one sink one after the other; answers the messages whose bindings failed.
async fn look_at_all<W: World>(
    world: &W,
    shift: &Shift,
    sinks: BTreeMap<ItemKey, Wanted>,
    deliveries: &Deliveries,
) -> BTreeSet<String> {
    let work = sinks.into_values().map(|bindings| async move {
        let mut failed = BTreeSet::new();
        for (binding, messages) in bindings {
            if let Err(error) = look_at(world, shift, &binding, deliveries.hops(&messages)).await {
                tracing::error!(binding, error_type = error.error_type.as_str(), "failed to synchronise: {error}");
                failed.extend(messages);
            }
        }
        failed
    });
    let failed: Vec<BTreeSet<String>> = futures::stream::iter(work).buffer_unordered(CONCURRENT_MAX).collect().await;
    failed.into_iter().flatten().collect()
}

async fn look_at<W: World>(world: &W, shift: &Shift, binding: &BindingId, hops: u32) -> Result<(), Error> {
    if world.now_seconds() + LOOK_SECONDS_MAX > shift.until_seconds {
        return reconcile::send_again(world, binding, hops, 0).await;
    }
    match reconcile::reconcile(world, shift, binding, Patience::Later { hops }).await {
        Ok(reconcile::Looked::Done(outcome)) => {
            outcome.applied.failures.into_iter().next().map_or(Ok(()), |e| Err(e.into()))
        }
        Ok(reconcile::Looked::Gone | reconcile::Looked::Busy) => Ok(()),
        Err(error) => {
            hooks::unseen(world, binding).await?;
            if !is_for_the_owner(&error) {
                return Err(error);
            }
            tracing::warn!(binding, "binding needs its owner: {error}");
            Ok(())
        }
    }
}
