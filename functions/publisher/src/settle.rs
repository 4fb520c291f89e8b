//! Step 4, settle: writes down what became of each route, gives up the claims of those that are gone, and answers the stacks
//! that wait.
//!
//! A route that was asked for anew in the meantime is left to the next run: its record has another version by then.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Map, Value, json};
use shared::aws::{Bus, OwnEvent};
use shared::custom_resource::Outcome;
use shared::error::{Error, ErrorType};
use shared::front_door::claims::Claims;
use shared::front_door::records::{Awaited, FrontDoor, Live, Publication, Refusal, Route, Standing, Status, Waiting};
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::registry::{self, Record, Registry};
use shared::telemetry::{Metric, count};

use crate::observe::WaitingPages;
use crate::part::{self, Part, Place};
use crate::plan::{Selection, Verdict};
use crate::world::World;

/// Records that are written, and answers that are given, at a time.
const CONCURRENT_MAX: usize = 20;
/// DynamoDB's transaction takes 100 items: the claims and the routes that give theirs up.
const TRANSACTION_MAX: usize = 99;
/// A tombstone outlives every repetition of a request.
const TOMBSTONE_SECONDS: u64 = 24 * 3_600;
/// How many searches in a row a route waits for, before it waits for the schedule.
const SEARCHES_MAX: u32 = 5;
const ANSWER: Duration = Duration::from_secs(10);

/// Writes down what became of the routes in `records` with `revision`, and answers.
pub async fn settle<W: World>(
    world: &W,
    part: &Part,
    publication: &Publication,
    records: Vec<Record<Route>>,
    selection: &Selection,
) -> Result<(), Error> {
    let (door, revision) = (&part.door, publication.revision);
    let published: BTreeMap<&str, &RouteSpec> = selection.goes.iter().map(|one| (one.id.as_str(), &one.spec)).collect();
    let (mut gone, mut changed, mut settled) = (Vec::new(), Vec::new(), BTreeMap::new());
    for record in records {
        let Some(verdict) = selection.verdicts.get(&record.value.id) else { continue };
        let mut after = record.clone();
        conclude(&mut after.value, verdict, published.get(record.value.id.as_str()).copied(), revision);
        settled.insert(after.value.id.clone(), after.value.clone());
        match verdict {
            Verdict::Deleted => gone.push(after),
            _ if after != record => changed.push(after),
            _ => {}
        }
    }
    let number_of = |status| settled.values().filter(|route: &&Route| route.status == status).count() as u64;
    count(Metric::RoutesRejected, number_of(Status::Rejected));
    count(Metric::RoutesWaiting, number_of(Status::Waiting));
    let events: Vec<OwnEvent> = changed.iter().chain(&gone).filter_map(|record| event(&record.value)).collect();
    let lost = give_up_claims(world, door, gone).await?;
    let lost = [lost, write(world, changed).await?].concat();
    // Whoever was asked for anew meanwhile has not settled; a run that died may have settled others and not answered.
    settled.retain(|id, _| !lost.contains(id));
    if !events.is_empty() {
        world.bus().put(&events).await?;
    }
    let settled = Settled { routes: settled, lost, front_door: front_door(world, part, publication).await?, revision };
    answer_all(world, part, &settled).await
}

/// What a run has settled.
struct Settled {
    routes: BTreeMap<String, Route>,
    /// Routes that somebody has asked for anew meanwhile.
    lost: Vec<String>,
    front_door: Option<FrontDoor>,
    revision: u64,
}

/// Writes down how the front door's settings stand, once all its parts have them. `None` where they are not settled yet.
async fn front_door<W: World>(world: &W, part: &Part, publication: &Publication) -> Result<Option<FrontDoor>, Error> {
    let registry = Registry::new(world.table());
    let key = registry::front_door_key(part.door.name.as_str());
    let Some(mut record) = registry.get::<FrontDoor>(&key).await?.filter(|_| part.segment().is_none()) else {
        return Ok(None);
    };
    let generation = record.value.standing.generation;
    let mut parts = vec![publication.clone()];
    if part.place == Place::Root {
        let all = part::all(world, &record.value.spec).await?.into_iter();
        parts.extend(all.filter(|(one, _)| one.segment().is_some()).map(|(_, publication)| publication));
    }
    if parts.iter().any(|one| one.door_generation != generation) {
        return Ok(None);
    }
    let refusal = parts.into_iter().find_map(|one| one.door_refusal);
    let status = if refusal.is_some() { Status::Rejected } else { Status::Live };
    let standing = Standing { generation, status, refusal };
    if record.value.standing != standing {
        record.value.standing = standing;
        match registry.put(&mut record).await {
            Err(error) if error.error_type == ErrorType::Conflict => return Ok(None),
            result => result?,
        }
    }
    Ok(Some(record.value))
}

/// What a stack hears of its front door.
fn front_door_outcome(settled: &Settled, region: &str, waiting: &Waiting) -> Option<Result<Outcome, Error>> {
    let door = settled.front_door.as_ref()?;
    let Standing { generation, refusal, .. } = &door.standing;
    match (waiting.generation.cmp(generation), refusal) {
        (Ordering::Greater, _) => None,
        (Ordering::Less, _) => Some(Err(overtaken("front door"))),
        (Ordering::Equal, Some(refusal)) => Some(Err(refusal.into())),
        (Ordering::Equal, None) => {
            let attributes = door.attributes(region, settled.revision);
            Some(Ok(Outcome::new(waiting.later.physical_id.clone(), attributes)))
        }
    }
}

fn overtaken(what: &str) -> Error {
    Error::conflict(format!("a later request about the same {what} has overtaken this one"))
}

fn conclude(route: &mut Route, verdict: &Verdict, published: Option<&RouteSpec>, revision: u64) {
    let searches = std::mem::take(&mut route.searches);
    (route.status, route.refusal) = match verdict {
        Verdict::Live => (Status::Live, None),
        // The record is written as PENDING, and the registry's stream wakes the publisher for it.
        Verdict::Undecided(_) if searches < SEARCHES_MAX => {
            route.searches = searches + 1;
            (Status::Pending, None)
        }
        Verdict::Waits(refusal) | Verdict::Undecided(refusal) => (Status::Waiting, Some(refusal.clone())),
        Verdict::Rejected(refusal) => (Status::Rejected, Some(refusal.clone())),
        Verdict::Deleted => (Status::Deleted, None),
    };
    // What something outside has taken off comes back with that; what was rejected as it was asked for does not.
    let was_live = route.live.as_ref().or(route.suspended.as_ref()).cloned();
    let is_over = route.status == Status::Rejected && was_live.as_ref().is_some_and(|live| live.spec == route.spec);
    route.suspended = was_live.filter(|_| published.is_none() && route.status != Status::Deleted && !is_over);
    let is_same = |live: &Live, spec: &RouteSpec| live.spec == *spec;
    route.live = published.map(|spec| match route.live.take() {
        Some(live) if is_same(&live, spec) => Live { generation: route.generation, ..live },
        _ => Live { generation: route.generation, revision, spec: spec.clone() },
    });
}

/// Takes the routes that are off the front door out of the claims, in one transaction with their tombstones, so that a route
/// that was asked for again meanwhile keeps its claim. The ids of those.
async fn give_up_claims<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    gone: Vec<Record<Route>>,
) -> Result<Vec<String>, Error> {
    let mut by_segment: BTreeMap<String, Vec<Record<Route>>> = BTreeMap::new();
    for mut record in gone {
        record.expires_at_seconds = Some(world.now_millis() / 1_000 + TOMBSTONE_SECONDS);
        by_segment.entry(record.value.spec.path.first().to_owned()).or_default().push(record);
    }
    let mut lost = Vec::new();
    for (segment, mut records) in by_segment {
        while !records.is_empty() {
            let rest = records.split_off(records.len().min(TRANSACTION_MAX));
            if !give_up(world, door, &segment, &records).await? {
                // One of them, or the claims: each by itself, and who loses then has been asked for anew.
                for record in records {
                    let mut left = 3;
                    while !give_up(world, door, &segment, std::slice::from_ref(&record)).await? {
                        left -= 1;
                        if left == 0 {
                            lost.push(record.value.id.clone());
                            break;
                        }
                    }
                }
            }
            records = rest;
        }
    }
    Ok(lost)
}

async fn give_up<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    segment: &str,
    routes: &[Record<Route>],
) -> Result<bool, Error> {
    let registry = Registry::new(world.table());
    let mut items = routes.iter().map(Record::next).collect::<Result<Vec<_>, _>>()?;
    let key = registry::claims_key(door.name.as_str(), segment);
    if let Some(mut claims) = registry.get::<Claims>(&key).await? {
        let before = claims.value.0.len();
        routes.iter().for_each(|route| drop(claims.value.0.remove(&route.value.id)));
        if claims.value.0.len() != before {
            items.push(claims.next()?);
        }
    }
    match registry.put_all(&items).await {
        Ok(()) => Ok(true),
        Err(error) if error.error_type == ErrorType::Conflict => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the records; the ids of those that somebody else has changed meanwhile.
async fn write<W: World>(world: &W, records: Vec<Record<Route>>) -> Result<Vec<String>, Error> {
    let writes = records.into_iter().map(|mut record| async move {
        match Registry::new(world.table()).put(&mut record).await {
            Ok(()) => Ok(None),
            Err(error) if error.error_type == ErrorType::Conflict => Ok(Some(record.value.id)),
            Err(error) => Err(error),
        }
    });
    let results: Vec<Result<Option<String>, Error>> =
        futures::stream::iter(writes).buffer_unordered(CONCURRENT_MAX).collect().await;
    let lost = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(lost.into_iter().flatten().collect())
}

/// Answers every stack whose route has settled, page by page. No answer holds a publication back: what CloudFormation
/// refuses is over, and what can't be reached is kept for the next run until it expires.
async fn answer_all<W: World>(world: &W, part: &Part, settled: &Settled) -> Result<(), Error> {
    let url = part.door.invoke_url(world.region());
    let mut pages = WaitingPages::of(&part.door.name);
    while let Some(page) = pages.next(world).await? {
        let mut due = Vec::new();
        for record in page.into_iter().filter(|one| part.has(one.value.segment())) {
            let id = match &record.value.about {
                Awaited::FrontDoor => {
                    let answer = front_door_outcome(settled, world.region(), &record.value);
                    due.extend(answer.map(|answer| (record, answer)));
                    continue;
                }
                Awaited::Route { id, .. } => id,
            };
            let answer = match settled.routes.get(id) {
                Some(route) => outcome(&url, &record.value, route),
                None if settled.lost.contains(id) => None,
                None => deleted(world, id).await?.and_then(|route| outcome(&url, &record.value, &route)),
            };
            due.extend(answer.map(|answer| (record, answer)));
        }
        answer(world, due).await;
    }
    Ok(())
}

/// A route that an earlier run has taken off.
async fn deleted<W: World>(world: &W, id: &str) -> Result<Option<Route>, Error> {
    let stored = Registry::new(world.table()).get::<Route>(&registry::route_key(id)).await?;
    Ok(stored.map(|record| record.value).filter(|route| route.status == Status::Deleted))
}

type Due = (Record<Waiting>, Result<Outcome, Error>);

async fn answer<W: World>(world: &W, due: Vec<Due>) {
    let answers = due.into_iter().map(|(record, result)| async move {
        let resource = record.value.later.physical_id.clone();
        if let Err(error) = world.responder().answer(&record.value.later, result, ANSWER).await {
            tracing::error!(resource, "an answer waits for the next run: {error}");
            return;
        }
        if let Err(error) = Registry::new(world.table()).delete(&record).await {
            tracing::error!(resource, "an answer that was given may be given again: {error}");
        }
    });
    futures::stream::iter(answers).buffer_unordered(CONCURRENT_MAX).collect::<Vec<()>>().await;
}

/// Tells who has waited for as long as CloudFormation waits why nothing has come of it yet. `failure` is why the part could
/// not be published, if it could not.
pub async fn answer_late<W: World>(
    world: &W,
    part: &Part,
    publication: &Publication,
    failure: Option<&Error>,
) -> Result<(), Error> {
    let now = world.now_millis() / 1_000;
    let mut pages = WaitingPages::of(&part.door.name);
    while let Some(page) = pages.next(world).await? {
        let mut due = Vec::new();
        let is_late = |one: &Record<Waiting>| part.has(one.value.segment()) && one.value.answer_by_seconds <= now;
        for record in page.into_iter().filter(is_late) {
            let refusal = match &record.value.about {
                Awaited::FrontDoor => None,
                Awaited::Route { id, .. } => {
                    let stored = Registry::new(world.table()).get::<Route>(&registry::route_key(id)).await?;
                    stored.and_then(|record| record.value.refusal)
                }
            };
            due.push((record, Err(too_late(part, publication, refusal.as_ref(), failure))));
        }
        answer(world, due).await;
    }
    Ok(())
}

fn too_late(part: &Part, publication: &Publication, refusal: Option<&Refusal>, failure: Option<&Error>) -> Error {
    let why = match (&publication.rolled_back_by, refusal, failure) {
        (Some(by), ..) => format!(
            "the front door {} was put back to revision {} by {by}: the command publish of the publisher puts it forward",
            part.name(),
            publication.revision
        ),
        (None, Some(refusal), _) => refusal.message.clone(),
        (None, None, Some(failure)) => format!("the front door {} can't be published: {failure}", part.name()),
        (None, None, None) => format!("the front door {} was not published yet", part.name()),
    };
    Error::blocked(format!("it is not live, and CloudFormation waits no longer: {why}"))
}

/// What a stack hears of its request; nothing yet while that has not settled.
fn outcome(url: &str, waiting: &Waiting, route: &Route) -> Option<Result<Outcome, Error>> {
    let physical_id = waiting.later.physical_id.clone();
    if waiting.generation > route.generation {
        return None;
    }
    let is_latest = waiting.generation == route.generation;
    match (route.status, &route.refusal) {
        (Status::Pending | Status::Waiting | Status::Deleting, _) => None,
        _ if !is_latest => Some(Err(overtaken("route"))),
        (Status::Live, _) => {
            let mut data = Map::new();
            data.insert("Url".into(), json!(format!("{url}{}", route.spec.path)));
            data.insert("Revision".into(), json!(route.live.as_ref().map_or(0, |live| live.revision)));
            Some(Ok(Outcome::new(physical_id, data)))
        }
        (Status::Deleted, _) => Some(Ok(Outcome::new(physical_id, Map::new()))),
        (Status::Rejected, Some(refusal)) => Some(Err(refusal.into())),
        (Status::Rejected, None) => Some(Err(Error::upstream("the route was rejected"))),
    }
}

fn event(route: &Route) -> Option<OwnEvent> {
    let what = format!("{} {}", route.spec.methods, route.spec.path);
    let mut detail: Value = json!({
        "account": route.owner, "name": route.origin.name(), "route": what, "status": route.status.as_str(),
        "frontDoor": route.spec.front_door,
    });
    if let Some(Refusal { error_type, message }) = &route.refusal {
        (detail["errorType"], detail["reason"]) = (json!(error_type), json!(message));
    }
    let detail_type = match route.status {
        Status::Live | Status::Deleted => "Route Published",
        Status::Rejected => "Route Rejected",
        Status::Pending | Status::Waiting | Status::Deleting => return None,
    };
    Some(OwnEvent { detail_type, resources: vec![route.id.clone()], detail })
}
