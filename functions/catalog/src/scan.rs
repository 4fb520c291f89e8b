//! One place, whatever the reason to look at it: lease, observe, plan, write down, tell.
//!
//! Invariants: what is told is told before it is written down, so that whoever dies in between tells it twice rather than never.
//! A document is kept before a record names it. What could not be seen stays as it was, and stands in the completeness record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream;
use serde_json::Value;
use shared::aws::{AwsError, Bus, ListedApi, ListedStage, OwnEvent};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::FrontDoor;
use shared::openapi::{hash_of, methods_of};
use shared::registry::{self, Record, Registry};
use shared::types::RestApiId;

use crate::documents;
use crate::entries;
use crate::observe::Observer;
use crate::plan::compare::{Change, compare};
use crate::plan::removal::{self, Asked};
use crate::plan::{self, Difference, changed_fields, difference, plans_of};
use crate::posture;
use crate::record::{Api, ApiKey, Completeness, Cursor, Plan, Scanned, Stage, Status};
use crate::report;
use crate::targets::Target;
use crate::world::World;

/// Kept back of the function's time for writing down and answering.
const MARGIN: Duration = Duration::from_secs(20);
/// How many APIs are looked at at once, and told of in one call (EventBridge takes ten events).
const AT_ONCE: usize = 10;
/// How many missing APIs one scan asks AWS about; the others wait for the next.
const ASKED_MAX: usize = 100;
/// How many failures a completeness record names.
const FAILURES_MAX: usize = 50;
/// How long a removed API is remembered.
const GONE_SECONDS: u64 = 30 * 24 * 3_600;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Everything.
    pub all: bool,
    /// These APIs.
    pub apis: BTreeSet<RestApiId>,
    /// The APIs whose usage plans are not as they were.
    pub plans: bool,
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
    let Some(mut lease) = entries::lease_place(world, invocation, &target.place).await? else {
        return Ok(None);
    };
    let look = Look::new(world, invocation, target).await;
    let done = match look {
        Ok(look) => look.run(&mut lease.value, scope).await,
        Err(error) => Err(error),
    };
    lease.release(&Registry::new(world.table())).await?;
    done.map(Some)
}

/// What a scan would find, changing nothing: what is new, changed and missing.
pub async fn preview<W: World>(world: &W, target: &Target) -> Result<Report, Error> {
    let observer = Observer::new(world, target);
    let known = entries::apis(world, Some(&target.place)).await?;
    let mut report = Report::default();
    let listed = async { Ok::<_, AwsError>((observer.plans().await?, observer.apis().await?)) };
    let (plans, apis) = match listed.await {
        Ok(listed) => listed,
        Err(error) => {
            report.completeness.failures.push(error.to_string());
            return Ok(report);
        }
    };
    let missing = missing(&known, &apis);
    report.completeness.apis = apis.len();
    let wanted: Vec<ListedApi> = apis.into_iter().filter(|api| is_wanted(target, api, &plans, &known)).collect();
    report.completeness.catalogued = wanted.len();
    let mut looks = stream::iter(wanted)
        .map(|listed| {
            let (observer, known) = (&observer, known.get(&key_of(target, &listed.id)));
            let plans = &plans;
            async move {
                let stages = observer.stages(&listed.id).await;
                (target, listed, known, plans, stages)
            }
        })
        .buffered(AT_ONCE);
    while let Some((target, listed, known, plans, stages)) = looks.next().await {
        match stages {
            Ok(None) => {}
            Ok(Some(stages)) => {
                report.completeness.stages += stages.len();
                let known = known.map(|record| &record.value);
                let seen = assemble(target, known, &listed, plans, unexported(known, &stages));
                report.changes.extend(difference(known, &seen).map(|one| (seen.key, one)));
            }
            Err(error) => report.completeness.failures.push(error.to_string()),
        }
    }
    report.changes.extend(missing.into_iter().map(|key| (key, Difference::Missing)));
    report.completeness.complete = report.completeness.failures.is_empty();
    report.completeness.calls = observer.calls();
    Ok(report)
}

/// The stages as they would be if every deployment that is new were exported.
fn unexported(known: Option<&Api>, stages: &[ListedStage]) -> BTreeMap<String, Stage> {
    let stage = |listed: &ListedStage| {
        let known = known.and_then(|api| api.stages.get(&listed.name));
        let (hash, methods) = match known.filter(|known| known.deployment_id == listed.deployment_id) {
            Some(known) => (known.document_hash.clone(), known.methods.clone()),
            None => Default::default(),
        };
        (listed.name.clone(), settings(listed, hash, methods))
    };
    stages.iter().map(stage).collect()
}

fn key_of(target: &Target, id: &RestApiId) -> ApiKey {
    ApiKey { place: target.place.clone(), id: id.clone() }
}

/// Those that a usage plan is for, or all where they are asked for; what the catalogue has stays in it while it is there.
fn is_wanted(target: &Target, api: &ListedApi, plans: &[Plan], known: &BTreeMap<ApiKey, Record<Api>>) -> bool {
    let is_known = known.get(&key_of(target, &api.id)).is_some_and(|record| record.value.status != Status::Gone);
    target.include_all || is_known || !plans_of(api.id.as_str(), plans).is_empty()
}

/// Those of the catalogue that a list does not have.
fn missing(known: &BTreeMap<ApiKey, Record<Api>>, listed: &[ListedApi]) -> Vec<ApiKey> {
    let listed: BTreeSet<&RestApiId> = listed.iter().map(|api| &api.id).collect();
    let is_missing =
        |(key, record): &(&ApiKey, &Record<Api>)| record.value.status != Status::Gone && !listed.contains(&key.id);
    known.iter().filter(is_missing).map(|(key, _)| key.clone()).collect()
}

fn settings(listed: &ListedStage, document_hash: String, methods: Vec<crate::record::Method>) -> Stage {
    let general = listed.settings.get("*/*");
    let is_logged = general.is_some_and(|one| matches!(one.logging.as_str(), "ERROR" | "INFO"));
    Stage {
        deployment_id: listed.deployment_id.clone(),
        document_hash,
        methods,
        has_access_log: listed.has_access_log,
        has_execution_log: is_logged,
        has_throttle: general.is_some_and(|one| one.calls_per_second > 0.0),
        secret_variables: posture::secrets(&listed.variables),
    }
}

fn assemble(
    target: &Target,
    known: Option<&Api>,
    listed: &ListedApi,
    plans: &[Plan],
    stages: BTreeMap<String, Stage>,
) -> Api {
    Api {
        key: key_of(target, &listed.id),
        name: listed.api.name.clone(),
        description: listed.api.description.clone(),
        endpoint_types: listed.api.endpoint_types.clone(),
        policy: listed.api.policy.clone(),
        security_policy: listed.security_policy.clone(),
        tags: listed.tags.clone(),
        stages,
        plans: plans_of(listed.id.as_str(), plans),
        status: Status::Active,
        missed_scans: 0,
        findings: known.map(|known| known.findings.clone()).unwrap_or_default(),
        notes: known.map(|known| known.notes.clone()).unwrap_or_default(),
        since_seconds: known.map_or(0, |known| known.since_seconds),
        changed_seconds: known.map_or(0, |known| known.changed_seconds),
    }
}

/// What a look at one API came to.
struct Visit {
    seen: Api,
    /// The documents that are new, by hash.
    documents: BTreeMap<String, Value>,
    /// What changed for clients, by stage.
    changes: BTreeMap<String, Change>,
    exports: usize,
    failures: Vec<String>,
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
        if scope.plans {
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
        let cursor = scanned.cursor.take().filter(|_| scope.all);
        let after = cursor.as_ref().map(|cursor| cursor.after.clone());
        let so_far = cursor.map(|cursor| cursor.so_far);
        let begun = || Completeness { started_seconds: self.world.now_seconds(), ..Completeness::default() };
        let mut report = Report { completeness: so_far.unwrap_or_else(begun), ..Report::default() };
        report.completeness.apis = apis.len();
        let gone = self.absent(scope, &apis);
        let is_next = |api: &ListedApi| after.as_ref().is_none_or(|after| api.id.as_str() > after.as_str());
        let wanted: Vec<ListedApi> =
            apis.into_iter().filter(|api| is_wanted(self.target, api, &plans, &self.known) && is_next(api)).collect();
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
        scanned.cursor = scanned.cursor.take().filter(|_| !scope.all);
        let plans: BTreeSet<Plan> = plans.into_iter().collect();
        report.have_plans_changed = scanned.plans != plans;
        scanned.plans = plans;
        report.completeness.complete = report.completeness.failures.is_empty();
        report.completeness.finished_seconds = self.world.now_seconds();
        Ok(report)
    }

    /// Those of the catalogue that are not there: of all, or of those that were asked for.
    fn absent(&self, scope: &Scope, apis: &[ListedApi]) -> Vec<ApiKey> {
        let missing = missing(&self.known, apis);
        missing.into_iter().filter(|key| scope.all || scope.apis.contains(&key.id)).collect()
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

    /// Looks at one API. `None` when it went away meanwhile: then it is missing for the next scan.
    async fn visit_one(&self, listed: &ListedApi, plans: &[Plan]) -> Result<Option<Visit>, Error> {
        let known = self.known.get(&key_of(self.target, &listed.id)).map(|record| &record.value);
        let known = known.filter(|known| known.status != Status::Gone);
        let mut visit = Visit {
            seen: assemble(self.target, known, listed, plans, BTreeMap::new()),
            documents: BTreeMap::new(),
            changes: BTreeMap::new(),
            exports: 0,
            failures: Vec::new(),
        };
        match self.observer.stages(&listed.id).await {
            Ok(None) => return Ok(None),
            Ok(Some(stages)) => {
                for stage in &stages {
                    let known = known.and_then(|known| known.stages.get(&stage.name));
                    self.visit_stage(&mut visit, stage, known).await?;
                }
            }
            // What could not be seen stays as it was.
            Err(error) => {
                visit.failures.push(error.to_string());
                visit.seen.stages = known.map(|known| known.stages.clone()).unwrap_or_default();
            }
        }
        for (hash, document) in &visit.documents {
            documents::keep(self.world, &visit.seen.key, hash, document).await?;
        }
        Ok(Some(visit))
    }

    async fn visit_stage(&self, visit: &mut Visit, listed: &ListedStage, known: Option<&Stage>) -> Result<(), Error> {
        if let Some(known) = known.filter(|known| !plan::is_due(Some(known), &listed.deployment_id)) {
            let same = settings(listed, known.document_hash.clone(), known.methods.clone());
            visit.seen.stages.insert(listed.name.clone(), same);
            return Ok(());
        }
        visit.exports += 1;
        let key = visit.seen.key.clone();
        match self.observer.export(&key.id, &listed.name).await {
            // The stage went away.
            Ok(None) => {}
            Ok(Some(document)) => {
                let (hash, methods) = (hash_of(&document), methods_of(&document));
                let old = known.map(|known| known.document_hash.as_str()).filter(|old| !old.is_empty());
                if let Some(old) = old.filter(|old| **old != hash)
                    && let Some(before) = documents::load(self.world, &key, old).await?
                {
                    visit.changes.insert(listed.name.clone(), compare(&before, &document));
                }
                visit.seen.stages.insert(listed.name.clone(), settings(listed, hash.clone(), methods));
                visit.documents.insert(hash, document);
            }
            Err(error) => {
                visit.failures.push(error.to_string());
                let stage = known.cloned().unwrap_or_else(|| settings(listed, String::new(), Vec::new()));
                visit.seen.stages.insert(listed.name.clone(), stage);
            }
        }
        Ok(())
    }

    /// Takes the absent for missing or for gone.
    async fn remove(&mut self, scope: &Scope, absent: Vec<ApiKey>, report: &mut Report) -> Result<(), Error> {
        let active = self.known.values().filter(|record| record.value.status == Status::Active).count();
        let is_active = |key: &ApiKey| self.known.get(key).is_some_and(|one| one.value.status == Status::Active);
        let vanished = absent.iter().filter(|key| is_active(key)).count();
        // Who asks for one by name has AWS's answer about that very one.
        let is_held = scope.all && removal::is_held(vanished, active);
        report.completeness.removals_held = is_held;
        let (mut events, mut writes) = (Vec::new(), Vec::new());
        for (number, key) in absent.iter().enumerate() {
            let asked = match (scope.all, is_held || number >= ASKED_MAX) {
                (false, _) => Asked::NotFound,
                (true, true) => Asked::Unknown,
                (true, false) => match self.observer.api(&key.id).await {
                    Ok(None) => Asked::NotFound,
                    Ok(Some(_)) => Asked::Found,
                    Err(_) => Asked::Unknown,
                },
            };
            let Some(mut record) = self.known.get(key).cloned() else { continue };
            let before = (record.value.status, record.value.missed_scans);
            (record.value.status, record.value.missed_scans) = removal::decide(&record.value, asked, is_held);
            if before == (record.value.status, record.value.missed_scans) {
                continue;
            }
            if record.value.status == Status::Gone {
                record.value.changed_seconds = self.world.now_seconds();
                record.expires_at_seconds = Some(self.world.now_seconds() + GONE_SECONDS);
                events.push(report::removed(&record.value));
            }
            report.changes.extend(match record.value.status {
                Status::Active => None,
                Status::Missing => Some((key.clone(), Difference::Missing)),
                Status::Gone => Some((key.clone(), Difference::Gone)),
            });
            writes.push(record);
        }
        if is_held {
            let place = self.target.place.to_string();
            tracing::warn!(place, vanished, active, "more than a fifth of the APIs vanished at once: none is removed");
        }
        self.write(events, writes).await
    }
}
