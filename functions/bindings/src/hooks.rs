//! Lifecycle hooks, and whatever else AWS has announced of nodes: noted before anything is looked at, and let go when
//! the bindings that a node was in are done with it.
//!
//! An action waits for each of those bindings. One that finds the node drained (or, at a launch, healthy) takes itself
//! off; the last one completes the action. So bindings need not be looked at together, and it does not matter which
//! invocation dies: what an action waits for is in the registry, and whoever looks next goes on. A binding that is gone,
//! or can't be looked at for [`UNSEEN_SECONDS_MAX`], is waited for no longer: a hook is never left hanging.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures::StreamExt;
use shared::aws::AutoScaling;
use shared::error::{Error, ErrorType};
use shared::registry::{self, Record, Registry};
use shared::telemetry::{Metric, count};
use shared::types::InstanceId;

use crate::entry::Entry;
use crate::notices::{ACTION_SECONDS_MAX, NodeNotices, Notice, Transition, Waiting};
use crate::reconcile::is_alive;
use crate::record::{Binding, BindingId};
use crate::spec::SourceKind;
use crate::world::World;

/// How long a binding that can't be looked at is waited for.
pub const UNSEEN_SECONDS_MAX: u64 = 900;

/// How many nodes are worked on at a time.
const CONCURRENT_MAX: usize = 8;

/// How often a record that somebody else writes, too, is read and written anew.
const WRITE_TRIES_MAX: u32 = 5;

/// A node's notices and the version that they were read at.
pub type NoticesRecord = Record<NodeNotices>;

/// All that is announced.
pub async fn all<W: World>(world: &W) -> Result<Vec<NoticesRecord>, Error> {
    Registry::new(world.table()).list(registry::node_key("")).await
}

/// What a batch of events has announced of one node.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The node.
    pub node: InstanceId,
    /// Its addresses, as far as EC2 still knows them.
    pub addresses: Vec<IpAddr>,
    /// The bindings that it is a node of, each with whether it completes launch lifecycle hooks.
    pub bindings: BTreeMap<BindingId, bool>,
    /// What was announced.
    pub notices: Vec<Notice>,
}

impl Announcement {
    /// Which bindings have to be done with the node before an action is completed. A launch that no binding asked to
    /// complete is somebody else's to complete.
    fn concerned(&self, notice: &Notice) -> BTreeSet<BindingId> {
        let is_launch = matches!(notice, Notice::Hook(_, Transition::Launching));
        let concerned = self.bindings.iter().filter(|(_, completes_launch)| **completes_launch || !is_launch);
        concerned.map(|(id, _)| id.clone()).collect()
    }
}

/// Notes announcements; answers the nodes that failed, each with why. Of nodes that are in no binding nothing is kept.
pub async fn note<W: World>(world: &W, announcements: Vec<Announcement>) -> Vec<(InstanceId, Error)> {
    let announcements: Vec<Announcement> =
        announcements.into_iter().filter(|one| !one.bindings.is_empty() && !one.notices.is_empty()).collect();
    let hooks = match hooks_of(world, &announcements).await {
        Ok(hooks) => hooks,
        Err(error) => return announcements.into_iter().map(|one| (one.node, error.clone())).collect(),
    };
    let hooks = &hooks;
    let work = announcements.into_iter().map(|announcement| async move {
        let noted = note_one(world, &announcement, hooks).await;
        noted.err().map(|error| (announcement.node, error))
    });
    futures::stream::iter(work).buffer_unordered(CONCURRENT_MAX).filter_map(std::future::ready).collect().await
}

/// The lifecycle hooks of EKS's managed node groups. EKS completes them itself, once it has moved a node's pods: to do so
/// earlier would cut that short.
pub const EKS_HOOKS: [&str; 2] = ["Launch-LC-Hook", "Terminate-LC-Hook"];

/// Auto Scaling's default heartbeat time-out.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
const HEARTBEAT_SECONDS_DEFAULT: u64 = 3_600;

/// The lifecycle hooks that the announcements name and that are Foregate's to complete, by group and name: each with how
/// long it goes without a heartbeat. A burst names the same few again and again.
async fn hooks_of<W: World>(
    world: &W,
    announcements: &[Announcement],
) -> Result<BTreeMap<(String, String), u64>, Error> {
    let actions = announcements.iter().flat_map(|one| &one.notices).filter_map(|notice| match notice {
        Notice::Hook(action, _) => Some((action.group.clone(), action.hook.clone())),
        Notice::Leaving(..) => None,
    });
    let mut hooks = BTreeMap::new();
    for (group, name) in actions.filter(|(_, name)| !EKS_HOOKS.contains(&name.as_str())).collect::<BTreeSet<_>>() {
        let seconds = world.auto_scaling().heartbeat_seconds(&group, &name).await?;
        hooks.insert((group, name), seconds.unwrap_or(HEARTBEAT_SECONDS_DEFAULT));
    }
    Ok(hooks)
}

async fn note_one<W: World>(
    world: &W,
    announcement: &Announcement,
    hooks: &BTreeMap<(String, String), u64>,
) -> Result<(), Error> {
    let heartbeat = |notice: &Notice| match notice {
        Notice::Leaving(..) => Some(0),
        Notice::Hook(action, _) => hooks.get(&(action.group.clone(), action.hook.clone())).copied(),
    };
    let concerned = |notice: &Notice| Some((notice.clone(), announcement.concerned(notice), heartbeat(notice)?));
    let notices: Vec<_> =
        announcement.notices.iter().filter_map(concerned).filter(|(_, bindings, _)| !bindings.is_empty()).collect();
    if notices.is_empty() {
        return Ok(());
    }
    let now = world.now_seconds();
    change(world, &announcement.node, |known| {
        known.addresses.extend(&announcement.addresses);
        for (notice, bindings, heartbeat) in &notices {
            known.note(notice.clone(), bindings.clone(), *heartbeat, now);
        }
    })
    .await?;
    for (notice, bindings, _) in &notices {
        tracing::info!(node = %announcement.node, ?notice, ?bindings, "noted what was announced of a node");
    }
    Ok(())
}

/// Changes what is kept of a node, however many do so at once; drops what is over.
async fn change<W: World>(world: &W, node: &InstanceId, change: impl Fn(&mut NodeNotices)) -> Result<(), Error> {
    let (registry, key, now) = (Registry::new(world.table()), registry::node_key(node.as_str()), world.now_seconds());
    let mut tries = 0;
    loop {
        let stored: Option<NoticesRecord> = registry.get(&key).await?;
        let mut notices = stored.as_ref().map_or_else(|| NodeNotices::new(node.clone()), |one| one.value.clone());
        change(&mut notices);
        let written = match stored {
            Some(stored) if notices == stored.value => Ok(()),
            Some(stored) if notices.are_over(now) => registry.delete(&stored).await,
            None if notices.are_over(now) => Ok(()),
            stored => registry.put(&mut notices.into_record(stored.map_or(0, |one| one.version))).await,
        };
        tries += 1;
        match written {
            Err(error) if error.error_type == ErrorType::Conflict && tries < WRITE_TRIES_MAX => {}
            other => return other,
        }
    }
}

/// What a look at a binding has shown, for the actions that wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The binding.
    pub binding: &'a BindingId,
    /// What is to leave the sink and is still in it.
    pub lingering: &'a BTreeSet<Entry>,
    /// What of the sink serves.
    pub serving: &'a BTreeSet<Entry>,
}

impl Seen<'_> {
    fn is_done_with(&self, notices: &NodeNotices, transition: Transition) -> bool {
        let has = |entries: &BTreeSet<Entry>| entries.iter().any(|entry| notices.owns(entry));
        match transition {
            Transition::Terminating => !has(self.lingering),
            Transition::Launching => has(self.serving),
        }
    }
}

/// Lets go of the nodes that the binding is done with, and asks Auto Scaling for more time for the others. Every node is
/// attended to; the first error is answered.
pub async fn attend<W: World>(world: &W, seen: Seen<'_>, all: &[NoticesRecord]) -> Result<(), Error> {
    let waiting: Vec<NodeNotices> =
        all.iter().map(|record| record.value.clone()).filter(|notices| notices.waits_for(seen.binding)).collect();
    let work = waiting.into_iter().map(|notices| async move {
        let is_done = |action: &Waiting| {
            action.waits_for.contains(seen.binding) && seen.is_done_with(&notices, action.transition)
        };
        attend_to(world, &notices, is_done, seen.binding).await
    });
    let done: Vec<Result<(), Error>> = futures::stream::iter(work).buffer_unordered(CONCURRENT_MAX).collect().await;
    done.into_iter().collect()
}

/// Gives up on a binding that could not be looked at for too long.
pub async fn unseen<W: World>(world: &W, binding: &BindingId) -> Result<(), Error> {
    let now = world.now_seconds();
    for record in all(world).await?.iter().filter(|record| record.value.waits_for(binding)) {
        let is_late = |action: &Waiting| now >= action.since_seconds + UNSEEN_SECONDS_MAX;
        attend_to(world, &record.value, |action| action.waits_for.contains(binding) && is_late(action), binding)
            .await?;
    }
    Ok(())
}

/// The schedule's part: bindings that are gone, or have no nodes any more, are waited for no longer.
pub async fn sweep<W: World>(world: &W) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    for record in all(world).await? {
        let waited_for: BTreeSet<&BindingId> =
            record.value.actions.values().flat_map(|action| &action.waits_for).collect();
        for binding in waited_for {
            let stored = registry.get::<Binding>(&registry::binding_key(binding)).await?;
            let has_nodes = |one: &Record<Binding>| is_alive(one) && one.value.spec.source.kind() == SourceKind::Nodes;
            if !stored.as_ref().is_some_and(has_nodes) {
                attend_to(world, &record.value, |action| action.waits_for.contains(binding), binding).await?;
            }
        }
    }
    Ok(())
}

/// Takes `binding` off the node's actions that it `is_done` with, completes those that wait for nobody or for too long,
/// and sends a heartbeat for the rest.
async fn attend_to<W: World>(
    world: &W,
    notices: &NodeNotices,
    is_done: impl Fn(&Waiting) -> bool,
    binding: &BindingId,
) -> Result<(), Error> {
    let now = world.now_seconds();
    let mut left = notices.clone();
    for (hook, action) in &notices.actions {
        let Some(call) = notices.action(hook) else { continue };
        let waits_for_nobody = match is_done(action) {
            true => action.waits_for.iter().all(|one| one == binding),
            false => action.waits_for.is_empty(),
        };
        let is_late = now >= action.since_seconds + ACTION_SECONDS_MAX;
        if waits_for_nobody || is_late {
            // A node that never became healthy is for Auto Scaling's own time-out to judge.
            if waits_for_nobody || action.transition == Transition::Terminating {
                let waited = world.auto_scaling().complete(&call).await?;
                count(Metric::LifecycleActionsCompleted, u64::from(waited));
                tracing::info!(node = %notices.node, hook, group = action.group, waited, is_late, "completed a lifecycle action");
            }
            left.actions.remove(hook);
        } else if let Some(action) = left.actions.get_mut(hook) {
            if is_done(action) {
                action.waits_for.remove(binding);
            }
            if action.transition == Transition::Terminating {
                beat(world, &call, action).await?;
            }
        }
    }
    if left == *notices {
        return Ok(());
    }
    change(world, &notices.node, |stored| {
        for (hook, before) in &notices.actions {
            // Somebody else may have changed the record since it was read: only what was done here is written.
            match (left.actions.get(hook), stored.actions.get_mut(hook)) {
                (None, Some(found)) if found.token == before.token => drop(stored.actions.remove(hook)),
                (Some(after), Some(found)) if found.token == after.token => {
                    found.waits_for.retain(|one| after.waits_for.contains(one) || !before.waits_for.contains(one));
                    found.beat_seconds = found.beat_seconds.max(after.beat_seconds);
                }
                _ => {}
            }
        }
    })
    .await
}

/// Asks for more time when half of it is over.
async fn beat<W: World>(world: &W, call: &shared::aws::LifecycleAction, action: &mut Waiting) -> Result<(), Error> {
    let now = world.now_seconds();
    if now >= action.beat_seconds + action.heartbeat_seconds / 2 {
        world.auto_scaling().heartbeat(call).await?;
        action.beat_seconds = now;
    }
    Ok(())
}

/// How long may pass until the binding is to be looked at again for the sake of the actions that wait for it: soon at
/// first, and in time for the next heartbeat. `None` when none does.
pub fn look_again_seconds(seen: Seen<'_>, all: &[NoticesRecord]) -> Option<u32> {
    let actions =
        all.iter().flat_map(|record| record.value.actions.values().map(move |action| (&record.value, action)));
    let waiting = actions.filter(|(notices, action)| {
        action.waits_for.contains(seen.binding) && !seen.is_done_with(notices, action.transition)
    });
    let timeouts = waiting.map(|(_, action)| action.heartbeat_seconds / 3);
    timeouts.min().map(|seconds| u32::try_from(seconds.clamp(1, LOOK_AGAIN_SECONDS_MAX)).unwrap_or(1))
}

/// A drained node is let go at most this much later.
const LOOK_AGAIN_SECONDS_MAX: u64 = 20;
