//! The one loop: look at a binding, whatever the reason, and make its sink what its source says. Observe, plan, apply,
//! report, under the sink's lease.
//!
//! Order matters in three places. The binding is read after the lease was taken, so that a removal rests on the newest
//! intent. A claim is written before its target is registered, and dropped after it is deregistered, so that whatever
//! call the function dies at, the next run knows what is ours. Events go out before the lease does, so that a change is
//! told at least once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared::aws::{Message, Queue};
use shared::deliveries::next_hop;
use shared::error::{Error, ErrorType};
use shared::lease::{Attempt, Holder, Lease};
use shared::registry::{Record, Registry};
use shared::types::Health;

use crate::apply::{self, Applied};
use crate::entry::Entry;
use crate::events;
use crate::hooks::{self, NoticesRecord};
use crate::observe::{self, Memory, SinkView, SourceView};
use crate::plan::rules::Rules;
use crate::plan::{Answer, Intent, Observed, Plan, plan, serves};
use crate::record::{Binding, BindingId, Ledger, Recheck, Status};
use crate::report::{self, Outcome};
use crate::spec::{Sink, SourceKind};
use crate::want::{Want, want};
use crate::world::World;

/// Targets per target group, a quota of Elastic Load Balancing's for Network Load Balancers.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html>
const TARGETS_MAX: usize = 1_000;

/// A deleted binding of a stack is remembered this long, so that a late request does not bring it back. Lambda gives up
/// on an asynchronous invocation after six hours.
const TOMBSTONE_SECONDS: u64 = 24 * 3_600;

/// After this many messages in a row that found no time or another invocation at work, five minutes in all, the schedule takes
/// over.
const HOPS_MAX: u32 = 30;

/// After this many delayed re-checks without standing still, the schedule takes over.
const RECHECKS_MAX: u32 = 20;

/// How often a lease that somebody else holds is tried again by a caller that waits for its answer.
const LEASE_TRIES_MAX: u32 = 60;
const LEASE_RETRY_SECONDS: u64 = 1;

/// The invocation that works: what its leases are called, and when they end.
#[derive(Clone, Debug)]
pub struct Shift {
    /// The request id.
    pub id: String,
    /// When the invocation ends, in seconds since the epoch.
    pub until_seconds: u64,
}

/// A binding's sink, held under its lease.
pub struct Bench<'a, W: World> {
    world: &'a W,
    registry: Registry<'a, W::Table>,
    lease: Lease<Ledger>,
}

impl<'a, W: World> Bench<'a, W> {
    /// Takes the lease on the sink that `binding` works on. `None` when another invocation has it.
    pub async fn attempt(world: &'a W, shift: &Shift, binding: &Binding) -> Result<Option<Self>, Error> {
        let registry = Registry::new(world.table());
        // One invocation may want one sink twice at a time, for two items of a batch.
        static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
        let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let holder = Holder { id: format!("{}#{attempt}", shift.id), until_seconds: shift.until_seconds };
        match Lease::attempt(&registry, &binding.ledger_key(), holder, world.now_seconds()).await? {
            Attempt::Taken(lease) => Ok(Some(Self { world, registry, lease })),
            Attempt::Held { .. } => Ok(None),
        }
    }

    /// Takes the lease, and waits for it while another invocation has it.
    pub async fn wait(world: &'a W, shift: &Shift, binding: &Binding) -> Result<Self, Error> {
        for _ in 0..LEASE_TRIES_MAX {
            if let Some(bench) = Self::attempt(world, shift, binding).await? {
                return Ok(bench);
            }
            if world.now_seconds() + LEASE_RETRY_SECONDS >= shift.until_seconds {
                break;
            }
            tokio::time::sleep(Duration::from_secs(LEASE_RETRY_SECONDS)).await;
        }
        Err(Error::conflict(format!("another invocation is at work on {}: try again in a minute", binding.spec.sink)))
    }

    /// The binding as the registry has it now.
    pub async fn load(&self, binding: &BindingId) -> Result<Option<Record<Binding>>, Error> {
        self.registry.get(&shared::registry::binding_key(binding)).await
    }

    /// Writes the binding down before anything is made for it.
    pub async fn store(&self, record: &mut Record<Binding>) -> Result<(), Error> {
        self.registry.put(record).await
    }

    /// Gives the lease back with nothing done.
    pub async fn leave(self) -> Result<(), Error> {
        self.lease.release(&self.registry).await
    }

    /// Makes the sink what the source says, and gives the lease back whatever happens.
    ///
    /// An error is one that stopped the work; what AWS refused on the way is in the outcome.
    pub async fn sync(mut self, record: Record<Binding>) -> Result<Outcome, Error> {
        let before = record.value.clone();
        let synced = self.work(record).await;
        let (mut record, outcome, attended) = match synced {
            Ok(done) => done,
            Err(error) => {
                // The lease would run out by itself; that it could not be given back is not what went wrong.
                let _ = self.lease.release(&self.registry).await;
                return Err(error);
            }
        };
        let told = report::tell(self.world, &before, &outcome).await;
        // The ledger first: a binding that is written off as deleted must not leave claims behind.
        self.lease.save(&self.registry).await?;
        if record.value != before {
            self.registry.put(&mut record).await?;
        }
        self.lease.release(&self.registry).await?;
        told?;
        attended?;
        Ok(outcome)
    }

    async fn work(&mut self, mut record: Record<Binding>) -> Result<Worked, Error> {
        let (world, binding) = (self.world, record.value.clone());
        let notices = notices_for(world, &binding).await?;
        let Some(sink) = observe::sink(world, &binding.spec.sink).await? else {
            let (record, outcome) = self.sink_is_gone(record);
            let attended = hooks::attend(world, outcome.seen(), &notices).await;
            return Ok((record, outcome, attended));
        };
        let source = look_at_source(world, &binding, &notices).await?;
        let want = want(&binding, &source, &self.lease.value.of(&binding.id));
        let plan = plan_now(&binding, &source.answer, &want, &sink, &self.lease.value, world.now_seconds());
        if !plan.is_empty() || plan.wants_recheck() || plan.held.is_some() {
            tracing::info!(binding.id, binding.name = binding.origin.name(), plan = %plan, "planned");
        }

        self.lease.value.rounds += u64::from(!plan.claim.is_empty());
        for (entry, claim) in &plan.claim {
            self.lease.value.claim(&binding.id, entry, claim.clone());
        }
        self.lease.save(&self.registry).await?;
        let (lingering, serving) = (self.lingering(&binding, &want, &sink), serving(&sink));
        let rules = self.rules(&binding, &sink);
        let mut applied = apply::apply(world, &binding.spec, &plan, &want.outside, &rules).await;
        if want.desired.len() > TARGETS_MAX && !plan.no_room.is_empty() {
            let (all, sink, left_out) = (want.desired.len(), &binding.spec.sink, plan.no_room.len());
            applied.no_room = Some(format!(
                "{sink} takes {TARGETS_MAX} targets and the source has {all}, so that {left_out} are left out: bind parts of \
                 the source (node groups, tags) to target groups of their own"
            ));
        }
        let fresh_refusals = applied.refused.keys().filter(|entry| plan.claim.contains_key(*entry));
        for entry in applied.deregistered.iter().chain(&plan.release).chain(fresh_refusals) {
            self.lease.value.release(&binding.id, entry);
        }

        self.note_what_was_seen(&mut record, source);
        self.settle(&mut record, &plan, &applied);
        let mut outcome = Outcome { binding: record.value.clone(), plan, applied, lingering, serving };
        let attended = hooks::attend(world, outcome.seen(), &notices).await;
        let hooks_seconds = hooks::look_again_seconds(outcome.seen(), &notices);
        if let Err(error) = self.recheck(&binding.id, outcome.plan.wants_recheck(), hooks_seconds).await {
            outcome.applied.failures.push(error);
        }
        Ok((record, outcome, attended))
    }

    /// What is still to leave the sink: what drains, whoever removed it, and what is ours and not wanted.
    fn lingering(&self, binding: &Binding, want: &Want, sink: &SinkView) -> BTreeSet<Entry> {
        let mine = self.lease.value.of(&binding.id);
        let lingers = |(entry, health): &(&Entry, &Health)| {
            **health == Health::Draining || (mine.contains_key(*entry) && !want.desired.contains_key(*entry))
        };
        sink.entries.iter().filter(lingers).map(|(entry, _)| entry.clone()).collect()
    }

    fn rules(&self, binding: &Binding, sink: &SinkView) -> Rules {
        match &binding.spec.sink {
            Sink::TargetGroup(_) => Rules::default(),
            Sink::SecurityGroup(group) => {
                sink.rules(group.ports, &self.lease.value, self.world.prefix(), self.world.rules_max())
            }
        }
    }

    /// Only what was read is noted: a binding on its way out keeps what it had.
    fn note_what_was_seen(&self, record: &mut Record<Binding>, source: SourceView) {
        if record.value.status != Status::Retiring && !matches!(source.answer, Answer::Partial(_)) {
            record.value.addresses = source.wanted();
        }
        record.value.misses = source.misses;
        // Interfaces that went away stay findable until the source is whole again: their events may be on the way.
        match source.answer {
            Answer::Complete => record.value.interfaces = source.interfaces,
            Answer::Empty(_) | Answer::Partial(_) => record.value.interfaces.extend(source.interfaces),
        }
    }

    fn settle(&self, record: &mut Record<Binding>, plan: &Plan, applied: &Applied) {
        let binding = &mut record.value;
        let claims_left = !self.lease.value.of(&binding.id).is_empty();
        let (status, reason) = match (&plan.held, applied.refused.first_key_value(), &plan.unsettled) {
            _ if binding.status == Status::Retiring && claims_left => {
                (Status::Retiring, "what it added goes when what replaces it is healthy".to_owned())
            }
            _ if binding.status == Status::Retiring => (Status::Deleted, String::new()),
            _ if !applied.failures.is_empty() => (Status::Failed, applied.failures[0].to_string()),
            _ if applied.no_room.is_some() => (Status::Failed, applied.no_room.clone().unwrap_or_default()),
            (Some(held), _, _) => (Status::Blocked, held.to_string()),
            (_, Some((target, why)), _) => (Status::Failed, format!("AWS refuses {target}: {why}")),
            (_, _, Some(why)) => (Status::Waiting, why.clone()),
            _ if !plan.waiting.is_empty() => (Status::Waiting, "removals wait for healthy replacements".to_owned()),
            _ if !plan.no_room.is_empty() => (Status::Waiting, "additions wait for room in the sink".to_owned()),
            _ => (Status::Synced, String::new()),
        };
        (binding.status, binding.reason) = (status, reason);
        if status == Status::Deleted {
            record.source = None;
            record.expires_at_seconds = Some(self.world.now_seconds() + TOMBSTONE_SECONDS);
        }
    }

    /// A sink that is gone has nothing of ours: a binding on its way out is done, any other has lost its sink.
    fn sink_is_gone(&mut self, mut record: Record<Binding>) -> (Record<Binding>, Outcome) {
        let id = record.value.id.clone();
        for entry in self.lease.value.of(&id).into_keys() {
            self.lease.value.release(&id, &entry);
        }
        self.lease.value.rechecks.remove(&id);
        let (plan, applied) = (Plan::default(), Applied::default());
        self.settle(&mut record, &plan, &applied);
        if record.value.status != Status::Deleted {
            let sink = &record.value.spec.sink;
            record.value.reason = format!("the {sink} does not exist any more: delete the binding or change its Sink");
            record.value.status = Status::Failed;
        }
        let (lingering, serving) = (BTreeSet::new(), BTreeSet::new());
        let outcome = Outcome { binding: record.value.clone(), plan, applied, lingering, serving };
        (record, outcome)
    }

    /// Sends for a delayed re-check, unless one is on its way. Ever slower, and after [`RECHECKS_MAX`] not at all, unless
    /// a lifecycle action waits, which has its own pace.
    async fn recheck(
        &mut self,
        binding: &BindingId,
        wanted: bool,
        hooks_seconds: Option<u32>,
    ) -> Result<(), shared::aws::AwsError> {
        let now = self.world.now_seconds();
        let rechecks = &mut self.lease.value.rechecks;
        if !wanted && hooks_seconds.is_none() {
            rechecks.remove(binding);
            return Ok(());
        }
        let last = rechecks.get(binding).copied();
        let is_tired = |last: Recheck| last.attempt >= RECHECKS_MAX && hooks_seconds.is_none();
        if last.is_some_and(|last| last.due_seconds > now || is_tired(last)) {
            return Ok(());
        }
        let attempt = last.map_or(1, |last| last.attempt + 1).min(RECHECKS_MAX);
        let delay_seconds = recheck_delay_seconds(attempt).min(hooks_seconds.unwrap_or(u32::MAX));
        let message: Message = events::recheck(binding, 0, delay_seconds);
        self.world.queue().send(&[message]).await?;
        rechecks.insert(binding.clone(), Recheck { due_seconds: now + u64::from(delay_seconds), attempt });
        Ok(())
    }
}

/// Ten seconds at first, two minutes at last: 20 re-checks watch over some 30 minutes.
fn recheck_delay_seconds(attempt: u32) -> u32 {
    (10 + 5 * attempt.saturating_sub(1)).min(120)
}

fn serving(sink: &SinkView) -> BTreeSet<Entry> {
    let serving = sink.entries.iter().filter(|(_, health)| serves(**health, &sink.entries));
    serving.map(|(entry, _)| entry.clone()).collect()
}

/// A binding's record after a run, what became of it, and whether the lifecycle actions that wait for it were attended to.
type Worked = (Record<Binding>, Outcome, Result<(), Error>);

/// What is announced of nodes, if the binding's source is nodes.
pub async fn notices_for<W: World>(world: &W, binding: &Binding) -> Result<Vec<NoticesRecord>, Error> {
    match binding.spec.source.kind() {
        SourceKind::Nodes => hooks::all(world).await,
        SourceKind::VpcEndpoint | SourceKind::LoadBalancer | SourceKind::Dns => Ok(Vec::new()),
    }
}

/// What the binding's source says; one on its way out has nothing to look at.
pub async fn look_at_source<W: World>(
    world: &W,
    binding: &Binding,
    notices: &[NoticesRecord],
) -> Result<SourceView, Error> {
    if binding.status == Status::Retiring {
        return Ok(SourceView::nothing(Answer::Complete));
    }
    let now = world.now_seconds();
    let announced = notices.iter().filter_map(|one| Some((one.value.node.clone(), one.value.announced(now)?)));
    let memory = Memory { names: binding.misses.clone(), announced: announced.collect() };
    observe::source(world, &binding.spec, &binding.sink, &memory).await
}

/// The plan for the binding from what was just observed.
pub fn plan_now(
    binding: &Binding,
    answer: &Answer,
    want: &Want,
    sink: &SinkView,
    ledger: &Ledger,
    now_seconds: u64,
) -> Plan {
    plan(&Observed {
        binding: &binding.id,
        intent: match binding.status {
            Status::Retiring => Intent::Retire,
            _ => Intent::Keep(binding.spec.options),
        },
        desired: &want.desired,
        taken: &want.taken,
        answer,
        sink: &sink.entries,
        ledger,
        // A security group's room is for `plan::rules` to find: one rule can hold many addresses.
        entries_max: match binding.spec.sink {
            Sink::TargetGroup(_) => TARGETS_MAX,
            Sink::SecurityGroup(_) => usize::MAX,
        },
        now: ledger.next_round(now_seconds),
    })
}

/// What became of looking at a binding because of an event.
#[derive(Debug)]
pub enum Looked {
    /// It was worked on.
    Done(Box<Outcome>),
    /// There is no such binding (any more).
    Gone,
    /// Another invocation works on its sink; a re-check was sent.
    Busy,
}

/// What to do while another invocation has the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Come back later, by a re-check: nobody waits for an answer.
    Later {
        /// How many messages of ours led here.
        hops: u32,
    },
    /// Wait: somebody does.
    Wait,
}

/// Sends for another look at a binding that this invocation has not looked at; within bounds, then the schedule takes over.
pub async fn send_again<W: World>(world: &W, id: &BindingId, hops: u32, delay_seconds: u32) -> Result<(), Error> {
    match next_hop(hops, HOPS_MAX, id) {
        Some(hops) => Ok(world.queue().send(&[events::recheck(id, hops, delay_seconds)]).await?),
        None => Ok(()),
    }
}

/// Looks at the binding with this id, whatever the reason.
pub async fn reconcile<W: World>(
    world: &W,
    shift: &Shift,
    id: &BindingId,
    patience: Patience,
) -> Result<Looked, Error> {
    let registry = Registry::new(world.table());
    let key = shared::registry::binding_key(id);
    let Some(hint) = registry.get::<Binding>(&key).await?.filter(is_alive) else {
        return Ok(Looked::Gone);
    };
    let bench = match patience {
        Patience::Wait => Bench::wait(world, shift, &hint.value).await?,
        Patience::Later { hops } => match Bench::attempt(world, shift, &hint.value).await? {
            Some(bench) => bench,
            None => return send_again(world, id, hops, recheck_delay_seconds(1)).await.map(|()| Looked::Busy),
        },
    };
    match bench.load(id).await?.filter(is_alive) {
        Some(record) => bench.sync(record).await.map(|outcome| Looked::Done(Box::new(outcome))),
        None => bench.leave().await.map(|()| Looked::Gone),
    }
}

/// Whether the record is a binding and not what is left of one.
pub fn is_alive(record: &Record<Binding>) -> bool {
    record.value.status != Status::Deleted
}

/// Whether the error is one that only the binding's owner can mend, so that trying again helps nobody.
pub fn is_for_the_owner(error: &Error) -> bool {
    match error.error_type {
        ErrorType::InvalidInput | ErrorType::Forbidden | ErrorType::NotFound | ErrorType::Blocked => true,
        ErrorType::Conflict | ErrorType::LimitExceeded | ErrorType::Upstream => false,
    }
}
