//! Step 4, settle: writes down what became of each route, gives up the claims of those that are gone, and answers the stacks
//! that wait.
//!
//! A route that was asked for anew in the meantime is left to the next run: its record has another version by then.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Map, Value, json};
use shared::aws::{Bus, OwnEvent};
use shared::custom_resource::Outcome;
use shared::error::{Error, ErrorType};
use shared::front_door::claims::Claims;
use shared::front_door::records::{Live, Refusal, Route, Status, Waiting};
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::registry::{self, Record, Registry};

use crate::plan::{Selection, Verdict};
use crate::world::World;

/// Records that are written, and answers that are given, at a time.
const CONCURRENT_MAX: usize = 20;
/// DynamoDB's transaction takes 100 items: the claims and the routes that give theirs up.
const TRANSACTION_MAX: usize = 99;
/// A tombstone outlives every repetition of a request.
const TOMBSTONE_SECONDS: u64 = 24 * 3_600;
const ANSWER: Duration = Duration::from_secs(10);

/// Writes down what became of the routes in `records` with `revision`, and answers.
pub async fn settle<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    records: Vec<Record<Route>>,
    waiting: Vec<Record<Waiting>>,
    selection: &Selection,
    revision: u64,
) -> Result<(), Error> {
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
    let events: Vec<OwnEvent> = changed.iter().chain(&gone).filter_map(|record| event(&record.value)).collect();
    let lost = give_up_claims(world, door, gone).await?;
    let lost = [lost, write(world, changed).await?].concat();
    // Whoever was asked for anew meanwhile has not settled; a run that died may have settled others and not answered.
    settled.retain(|id, _| !lost.contains(id));
    for record in &waiting {
        let id = &record.value.route_id;
        if !settled.contains_key(id) && !lost.contains(id) {
            let stored = Registry::new(world.table()).get::<Route>(&registry::route_key(id)).await?;
            let gone = stored.filter(|route| route.value.status == Status::Deleted);
            settled.extend(gone.map(|route| (id.clone(), route.value)));
        }
    }
    if !events.is_empty() {
        world.bus().put(&events).await?;
    }
    answer(world, door, waiting, settled).await
}

fn conclude(route: &mut Route, verdict: &Verdict, published: Option<&RouteSpec>, revision: u64) {
    let (status, refusal) = match verdict {
        Verdict::Live => (Status::Live, None),
        Verdict::Waits(refusal) => (Status::Waiting, Some(refusal.clone())),
        Verdict::Rejected(refusal) => (Status::Rejected, Some(refusal.clone())),
        Verdict::Deleted => (Status::Deleted, None),
    };
    (route.status, route.refusal) = (status, refusal);
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

/// Answers every stack whose route has settled. The URL goes once it was used; one that can't be reached is kept for the
/// next run, until it expires.
async fn answer<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    waiting: Vec<Record<Waiting>>,
    settled: BTreeMap<String, Route>,
) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let url = door.invoke_url(world.region());
    let due = waiting.into_iter().filter_map(|record| {
        let answer = outcome(&url, &record.value, settled.get(&record.value.route_id))?;
        Some((record, answer))
    });
    let registry = &registry;
    let answers = due.map(|(record, answer)| async move {
        world.responder().answer(&record.value.later, answer, ANSWER).await?;
        registry.delete(&record).await
    });
    let results: Vec<Result<(), Error>> =
        futures::stream::iter(answers).buffer_unordered(CONCURRENT_MAX).collect().await;
    results.into_iter().collect()
}

/// What a stack hears of its request; nothing yet while that has not settled.
fn outcome(url: &str, waiting: &Waiting, route: Option<&Route>) -> Option<Result<Outcome, Error>> {
    let physical_id = waiting.later.physical_id.clone();
    let overtaken = || Error::conflict("a later request about the same route has overtaken this one");
    let route = route?;
    if waiting.generation > route.generation {
        return None;
    }
    let is_latest = waiting.generation == route.generation;
    match (route.status, &route.refusal) {
        (Status::Pending | Status::Waiting | Status::Deleting, _) => None,
        _ if !is_latest => Some(Err(overtaken())),
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
