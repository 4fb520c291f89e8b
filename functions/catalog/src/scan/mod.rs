//! One place, whatever the reason to look at it: lease, observe, plan, write down, tell.
//!
//! Invariants: what is told is told before it is written down, so that whoever dies in between tells it twice rather than never.
//! A document is kept before a record names it. What could not be seen stays as it was, and stands in the completeness record.

mod absent;
mod preview;
mod seen;
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use absent::remove_account;
use futures::future::try_join_all;
pub use preview::preview;
use shared::aws::{AwsError, Bus, ListedApi, OwnEvent};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::FrontDoor;
use shared::lease::Lease;
use shared::registry::{self, Record, Registry};
use shared::telemetry::{Metric, count};
use shared::types::RestApiId;
use visit::Visit;

use crate::documents;
use crate::entries;
use crate::observe::Observer;
use crate::plan::{Difference, changed_fields, difference};
use crate::posture;
use crate::record::{Api, ApiKey, Completeness, Cursor, Plan, Scanned, Status};
use crate::report;
use crate::targets::Target;
use crate::world::World;

/// Kept back of the function's time for writing down and answering.
const MARGIN: Duration = Duration::from_secs(20);
/// How many APIs are looked at at once, and told of in one call (EventBridge takes ten events).
const AT_ONCE: usize = 10;
/// How many failures a completeness record names.
const FAILURES_MAX: usize = 50;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Everything.
    pub all: bool,
    /// These APIs, and those whose usage plans are not as they were.
    pub apis: BTreeSet<RestApiId>,
}

impl Scope {
    /// Everything.
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }
}

/// What came of a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How the scan went, so far.
    pub completeness: Completeness,
    /// What is different about which API.
    pub changes: Vec<(ApiKey, Difference)>,
    /// Whether there was no time for the rest.
    pub is_pending: bool,
    /// Whether usage plans came, went or changed.
    pub have_plans_changed: bool,
}

/// Looks at a place. Nothing where somebody else is at it.
pub async fn scan<W: World>(
    world: &W,
    invocation: &Invocation,
    target: &Target,
    scope: &Scope,
) -> Result<Option<Report>, Error> {
    let (registry, key) = (Registry::new(world.table()), registry::catalog_place_key(&target.place.to_string()));
    let Some(mut lease) = Lease::of(&registry, &key, invocation, world.now_seconds()).await? else {
        return Ok(None);
    };
    let look = Look::new(world, invocation, target).await;
    let done = match look {
        Ok(look) => look.run(&mut lease.value, scope).await,
        Err(error) => Err(error),
    };
    lease.release(&registry).await?;
    let report = done?;
    if scope.all && !report.is_pending {
        count(Metric::ApisScanned, report.completeness.catalogued as u64);
        count(Metric::ScansIncomplete, u64::from(!report.completeness.complete));
    }
    Ok(Some(report))
}

/// A look at a place.
struct Look<'a, W: World> {
    world: &'a W,
    target: &'a Target,
    observer: Observer<'a, W>,
    known: BTreeMap<ApiKey, Record<Api>>,
    /// The front doors' VPC endpoints.
    ours: BTreeSet<String>,
    until: tokio::time::Instant,
}

impl<'a, W: World> Look<'a, W> {
    async fn new(world: &'a W, invocation: &Invocation, target: &'a Target) -> Result<Self, Error> {
        let known = entries::apis(world, Some(&target.place)).await?;
        let doors: Vec<Record<FrontDoor>> = Registry::new(world.table()).list(registry::front_door_key("")).await?;
        let doors = doors.into_iter().map(|record| record.value).filter(|door| !door.deleted);
        let ours = doors.flat_map(|door| door.spec.vpc_endpoint_ids).map(|id| id.to_string()).collect();
        let until = tokio::time::Instant::now() + invocation.remaining().saturating_sub(MARGIN);
        Ok(Self { world, target, observer: Observer::new(world, target), known, ours, until })
    }

    async fn run(mut self, scanned: &mut Scanned, scope: &Scope) -> Result<Report, Error> {
        let mut report = match self.listed(scanned, scope).await {
            Ok((plans, apis)) => self.look_at(scanned, scope, plans, apis).await?,
            // A place that refuses is told of, and nothing of it is touched.
            Err(error) if scope.all => self.refused(scanned, &error).await?,
            Err(error) => return Err(error.into()),
        };
        report.completeness.calls += self.observer.calls();
        if scope.all {
            scanned.last = Some(report.completeness.clone()).filter(|_| !report.is_pending).or(scanned.last.take());
            if let Some(cursor) = &mut scanned.cursor {
                cursor.so_far.calls = report.completeness.calls;
            }
        }
        Ok(report)
    }

    async fn listed(&self, scanned: &Scanned, scope: &Scope) -> Result<(Vec<Plan>, Vec<ListedApi>), AwsError> {
        // Plans first: an API that came in between is in no plan yet, and is found by the next event or scan.
        let plans = self.observer.plans().await?;
        if scope.all {
            return Ok((plans, self.observer.apis().await?));
        }
        let mut ids = scope.apis.clone();
        // Whatever the event was about: these plans are what the next one is held against. Before the first scan all would be new.
        if scanned.last.is_some() {
            let now: BTreeSet<Plan> = plans.iter().cloned().collect();
            let changed = now.symmetric_difference(&scanned.plans).flat_map(|plan| &plan.stages);
            ids.extend(changed.filter_map(|(id, _)| id.parse().ok()));
        }
        let mut apis = Vec::new();
        for id in &ids {
            apis.extend(self.observer.api(id).await?);
        }
        Ok((plans, apis))
    }

    async fn refused(&self, scanned: &mut Scanned, error: &AwsError) -> Result<Report, Error> {
        let was_readable = scanned.last.as_ref().is_none_or(|last| last.apis > 0 || last.complete);
        if was_readable {
            let event = report::unreadable(&self.target.place, &error.to_string());
            self.world.bus().put(&[event]).await?;
        }
        scanned.cursor = None;
        let now = self.world.now_seconds();
        let completeness = Completeness {
            started_seconds: now,
            finished_seconds: now,
            failures: vec![error.to_string()],
            ..Completeness::default()
        };
        tracing::warn!(place = self.target.place.to_string(), "a place could not be read: {error}");
        Ok(Report { completeness, ..Report::default() })
    }

    async fn look_at(
        &mut self,
        scanned: &mut Scanned,
        scope: &Scope,
        plans: Vec<Plan>,
        apis: Vec<ListedApi>,
    ) -> Result<Report, Error> {
        // Invariant: what an event has looked at takes nothing away from a scan that is to be gone on with.
        // Nor does one that has no time at all lose its place.
        let cursor = scanned.cursor.clone().filter(|_| scope.all);
        let after = cursor.as_ref().map(|cursor| cursor.after.clone());
        let so_far = cursor.map(|cursor| cursor.so_far);
        let begun = || Completeness { started_seconds: self.world.now_seconds(), ..Completeness::default() };
        let mut report = Report { completeness: so_far.unwrap_or_else(begun), ..Report::default() };
        report.completeness.apis = apis.len();
        let gone = self.absent(scope, &apis);
        let is_next = |api: &ListedApi| after.as_ref().is_none_or(|after| api.id.as_str() > after.as_str());
        let wanted: Vec<ListedApi> = apis
            .into_iter()
            .filter(|api| seen::is_wanted(self.target, api, &plans, &self.known) && is_next(api))
            .collect();
        for some in wanted.chunks(AT_ONCE) {
            if tokio::time::Instant::now() >= self.until {
                report.is_pending = true;
                break;
            }
            self.visit(some, &plans, &mut report).await?;
            if scope.all
                && let Some(last) = some.last()
            {
                scanned.cursor = Some(Cursor { after: last.id.to_string(), so_far: report.completeness.clone() });
            }
        }
        if report.is_pending {
            return Ok(report);
        }
        self.remove(scope, gone, &mut report).await?;
        if scope.all {
            scanned.cursor = None;
        }
        let plans: BTreeSet<Plan> = plans.into_iter().collect();
        report.have_plans_changed = scanned.plans != plans;
        if scope.all || scanned.last.is_some() {
            scanned.plans = plans;
        }
        report.completeness.complete = report.completeness.failures.is_empty();
        report.completeness.finished_seconds = self.world.now_seconds();
        Ok(report)
    }

    async fn visit(&mut self, some: &[ListedApi], plans: &[Plan], report: &mut Report) -> Result<(), Error> {
        let look = &*self;
        let visits = try_join_all(some.iter().map(|listed| look.visit_one(listed, plans))).await?;
        let (mut events, mut writes) = (Vec::new(), Vec::new());
        for visit in visits.into_iter().flatten() {
            let done = &mut report.completeness;
            done.catalogued += 1;
            done.stages += visit.seen.stages.len();
            done.exports += visit.exports;
            done.failures.extend(visit.failures.iter().cloned());
            done.failures.truncate(FAILURES_MAX);
            if let Some((record, difference)) = self.take_up(visit, &mut events) {
                report.changes.extend(difference.map(|one| (record.value.key.clone(), one)));
                writes.push(record);
            }
        }
        self.write(events, writes).await
    }

    /// The record to write, and what is different about it; nothing where nothing is. What is to be told goes to `events`.
    fn take_up(&self, visit: Visit, events: &mut Vec<OwnEvent>) -> Option<(Record<Api>, Option<Difference>)> {
        let Visit { mut seen, changes, .. } = visit;
        let now = self.world.now_seconds();
        let record = self.known.get(&seen.key).cloned();
        let known = record.as_ref().map(|record| &record.value).filter(|known| known.status != Status::Gone);
        seen.findings = posture::audit(&seen, &self.ours);
        let difference = difference(known, &seen);
        let were: BTreeSet<_> = known.iter().flat_map(|known| &known.findings).cloned().collect();
        let new = seen.findings.iter().filter(|one| !were.contains(one) && posture::muted(&seen, one).is_none());
        let findings: Vec<OwnEvent> = new.map(|finding| report::finding(&seen, finding)).collect();
        if difference.is_none() && known.is_some_and(|known| known.findings == seen.findings) {
            return None;
        }
        match (difference, known) {
            (Some(Difference::New), _) | (Some(_), None) => {
                seen.since_seconds = now;
                events.push(report::discovered(&seen));
            }
            (Some(_), Some(known)) => events.push(report::changed(&seen, &changed_fields(known, &seen), &changes)),
            (None, _) => {}
        }
        if difference.is_some() {
            seen.changed_seconds = now;
        }
        events.extend(findings);
        let mut record =
            record.unwrap_or_else(|| Record::new(registry::catalog_api_key(&seen.key.to_string()), seen.clone()));
        (record.value, record.expires_at_seconds) = (seen, None);
        Some((record, difference))
    }

    /// Tells, then writes down.
    async fn write(&mut self, events: Vec<OwnEvent>, records: Vec<Record<Api>>) -> Result<(), Error> {
        self.world.bus().put(&events).await?;
        let registry = Registry::new(self.world.table());
        for mut record in records {
            registry.put(&mut record).await?;
            let api = &record.value;
            let had = self.known.get(&api.key).is_some_and(|known| known.value.content_hash() != api.content_hash());
            if had || api.status == Status::Gone {
                let kept = match api.status {
                    Status::Gone => BTreeSet::new(),
                    _ => api.stages.values().map(|stage| stage.document_hash.clone()).collect(),
                };
                documents::prune(self.world, &api.key, &kept).await?;
            }
            self.known.insert(api.key.clone(), record);
        }
        Ok(())
    }
}
