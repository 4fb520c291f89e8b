//! The door for events: what CloudTrail says of API Gateway, the schedule, and messages of our own. A batch is folded to the places
//! and APIs that it is about, each is looked at once. An event never says what to do, only where to look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::aws::{Message, Queue};
use shared::deliveries::{Deliveries, OWN_SOURCE, next_hop, own_message};
use shared::entry::Invocation;
use shared::error::Error;
use shared::trigger::QueuedEvent;
use shared::types::RestApiId;

use crate::plan::saga;
use crate::record::{Place, Subscription};
use crate::scan::{self, Scope};
use crate::subscriptions::{self, Wish};
use crate::targets::{self, Target, Targets};
use crate::world::World;

/// The `detail-type` of a message that says to scan a place, or to go on with it.
const SCAN: &str = "Catalog Scan";
/// The `detail-type` of a message that says to look at a part of a place.
const PART: &str = "Catalog Part";
/// The `detail-type` of a message that says to look at one subscription.
const SUBSCRIPTION: &str = "Subscription Look";
/// With less time than this left a scan would end before it has looked at anything.
const SCAN_MIN: Duration = Duration::from_secs(30);
/// How soon to look again when somebody else was at it.
const BUSY_SECONDS: u32 = 15;

/// A scan goes on with at most so many messages: one lasts two minutes, and the schedule scans every hour by default. Of a
/// part, so many in a row may find somebody else at its place: 25 minutes in all.
const HOPS_MAX: u32 = 100;

/// A message that says to scan the target's place.
pub fn scan_message(target: &Target, hops: u32) -> Message {
    own_message(SCAN, json!(target), hops, 0)
}

/// What such a message says: these APIs of that place.
#[derive(Serialize, Deserialize)]
struct Part {
    place: Place,
    apis: BTreeSet<RestApiId>,
}

fn part_message(place: &Place, scope: &Scope, hops: u32) -> Message {
    let part = Part { place: place.clone(), apis: scope.apis.clone() };
    own_message(PART, json!(part), hops, BUSY_SECONDS)
}

fn subscription_message(id: &str) -> Message {
    own_message(SUBSCRIPTION, json!({"id": id}), 0, 0)
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    /// Everywhere, and at every subscription of which something is due.
    Everything,
    /// At a place, as the message says.
    Scan(Target),
    /// At this of a place, if it is one of ours.
    Part(Place, Scope),
    /// At a subscription.
    Subscription(String),
}

fn read(event: &EventBridgeEvent) -> Option<Look> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.events" | "aws.scheduler", "Scheduled Event") => Some(Look::Everything),
        ("aws.apigateway", "AWS API Call via CloudTrail") => called(event),
        (OWN_SOURCE, SCAN) => Target::deserialize(&event.detail).ok().map(Look::Scan),
        (OWN_SOURCE, PART) => {
            let Part { place, apis } = Part::deserialize(&event.detail).ok()?;
            Some(Look::Part(place, Scope { all: false, apis }))
        }
        (OWN_SOURCE, SUBSCRIPTION) => Some(Look::Subscription(event.detail.get("id")?.as_str()?.to_owned())),
        _ => None,
    }
}

/// What a call of API Gateway's is about: a REST API, or usage plans. CloudTrail calls those of HTTP APIs the same; they name an
/// `apiId` and no `restApiId`.
fn called(event: &EventBridgeEvent) -> Option<Look> {
    let place =
        Place { account: event.account.as_deref()?.parse().ok()?, region: event.region.as_deref()?.parse().ok()? };
    let detail = &event.detail;
    if detail.get("errorCode").is_some() {
        return None;
    }
    let name = detail.get("eventName").and_then(Value::as_str)?;
    if name.contains("UsagePlan") && !name.contains("Key") {
        return Some(Look::Part(place, Scope::default()));
    }
    let made = || detail.pointer("/responseElements/id").filter(|_| matches!(name, "CreateRestApi" | "ImportRestApi"));
    let id = detail.pointer("/requestParameters/restApiId").or_else(made)?;
    let id: RestApiId = id.as_str()?.parse().ok()?;
    Some(Look::Part(place, Scope { apis: BTreeSet::from([id]), ..Scope::default() }))
}

/// A folded batch: each thing once, with the messages that asked for it.
#[derive(Default)]
struct Folded {
    everything: Vec<String>,
    scans: Vec<(Target, Vec<String>)>,
    parts: BTreeMap<Place, (Scope, Vec<String>)>,
    subscriptions: BTreeMap<String, Vec<String>>,
}

impl Folded {
    fn add(&mut self, look: Look, message: String) {
        match look {
            Look::Everything => self.everything.push(message),
            Look::Scan(target) => match self.scans.iter_mut().find(|(known, _)| *known == target) {
                Some((_, messages)) => messages.push(message),
                None => self.scans.push((target, vec![message])),
            },
            Look::Part(place, scope) => {
                let (known, messages) = self.parts.entry(place).or_default();
                known.apis.extend(scope.apis);
                messages.push(message);
            }
            Look::Subscription(id) => self.subscriptions.entry(id).or_default().push(message),
        }
    }
}

/// A batch from the queue in, the partial batch answer out.
pub async fn batch<W: World>(world: &W, invocation: &Invocation, messages: Vec<QueuedEvent>) -> Value {
    let deliveries = Deliveries::of(&messages);
    let (mut folded, mut failed) = (Folded::default(), BTreeSet::new());
    for QueuedEvent { message_id, event, .. } in messages {
        match event {
            Ok(event) => match read(&event) {
                Some(look) => folded.add(look, message_id),
                None => tracing::info!(event.source, event.detail_type, "ignored an event that is about no REST API"),
            },
            Err(error) => {
                tracing::error!(message_id, "{error}");
                failed.insert(message_id);
            }
        }
    }
    for (messages, error) in work_off(world, invocation, folded, &deliveries).await {
        tracing::error!("failed to look: {error}");
        failed.extend(messages);
    }
    deliveries.answer(world.queue(), &failed).await
}

/// One event that came by itself.
pub async fn single<W: World>(world: &W, invocation: &Invocation, event: EventBridgeEvent) -> Result<Value, Error> {
    let mut folded = Folded::default();
    if let Some(look) = read(&event) {
        folded.add(look, String::new());
    }
    match work_off(world, invocation, folded, &Deliveries::default()).await.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(json!({})),
    }
}

/// What events are about is looked at before what is only due. The messages whose work failed, and why.
async fn work_off<W: World>(
    world: &W,
    invocation: &Invocation,
    folded: Folded,
    deliveries: &Deliveries,
) -> Vec<(Vec<String>, Error)> {
    let mut failed = Vec::new();
    if !folded.parts.is_empty() {
        match targets::known(world).await {
            Ok(known) => {
                for (place, (scope, messages)) in folded.parts {
                    let hops = deliveries.hops(&messages);
                    let done = part(world, invocation, &known, &place, &scope, hops).await;
                    failed.extend(done.err().map(|error| (messages, error)));
                }
            }
            Err(error) => failed.push((folded.parts.into_values().flat_map(|(_, messages)| messages).collect(), error)),
        }
    }
    for (id, messages) in folded.subscriptions {
        let done = subscriptions::wish(world, invocation, &id, None, Wish::Look).await;
        failed.extend(done.err().map(|error| (messages, error)));
    }
    if !folded.everything.is_empty() {
        failed.extend(everything(world).await.err().map(|error| (folded.everything, error)));
    }
    for (target, messages) in folded.scans {
        let done = whole(world, invocation, &target, deliveries.hops(&messages)).await;
        failed.extend(done.err().map(|error| (messages, error)));
    }
    failed
}

/// Each place gets a message, so that each has its own tries and its own time; and so does each subscription of which something
/// is due.
async fn everything<W: World>(world: &W) -> Result<(), Error> {
    let now = world.now_seconds();
    let targets = targets::all(world).await?;
    for unit in &targets.unread {
        tracing::warn!(unit = unit.id, "an organizational unit could not be read: {}", unit.why);
    }
    let mut messages: Vec<Message> = targets.places.iter().map(|target| scan_message(target, 0)).collect();
    let is_due = |one: &&Subscription| {
        saga::next(one, now).is_some() || saga::due_at_seconds(one, now).is_some_and(|at| at <= now)
    };
    let all = subscriptions::list(world, None).await?;
    messages.extend(all.iter().filter(is_due).map(|one| subscription_message(&one.id)));
    Ok(world.queue().send(&messages).await?)
}

/// Scans a place, or goes on with it; what there is no time for gets a message.
pub async fn whole<W: World>(
    world: &W,
    invocation: &Invocation,
    target: &Target,
    hops: u32,
) -> Result<Option<scan::Report>, Error> {
    if invocation.remaining() < SCAN_MIN {
        go_on(world, target, hops).await?;
        return Ok(None);
    }
    let report = scan::scan(world, invocation, target, &Scope::all()).await?;
    after(world, target, report.as_ref()).await?;
    if report.as_ref().is_some_and(|report| report.is_pending) {
        go_on(world, target, hops).await?;
    }
    Ok(report)
}

/// Has the scan gone on with, within bounds; then the schedule takes over.
async fn go_on<W: World>(world: &W, target: &Target, hops: u32) -> Result<(), Error> {
    match next_hop(hops, HOPS_MAX, &target.place.to_string()) {
        Some(hops) => Ok(world.queue().send(&[scan_message(target, hops)]).await?),
        None => Ok(()),
    }
}

async fn part<W: World>(
    world: &W,
    invocation: &Invocation,
    known: &Targets,
    place: &Place,
    scope: &Scope,
    hops: u32,
) -> Result<(), Error> {
    let Some(target) = known.at(place) else {
        tracing::info!(place = place.to_string(), "ignored an event of a place that nobody has asked to look at");
        return Ok(());
    };
    let report = scan::scan(world, invocation, target, scope).await?;
    match &report {
        // Somebody is at it, perhaps past these APIs already: they are looked at again.
        None => match next_hop(hops, HOPS_MAX, &place.to_string()) {
            Some(hops) => Ok(world.queue().send(&[part_message(place, scope, hops)]).await?),
            None => Ok(()),
        },
        // So many that it takes a scan, which goes on where it was.
        Some(report) if report.is_pending => go_on(world, target, hops).await,
        Some(_) => after(world, target, report.as_ref()).await,
    }
}

/// Subscriptions follow the usage plans that came, went or changed.
async fn after<W: World>(world: &W, target: &Target, report: Option<&scan::Report>) -> Result<(), Error> {
    if !report.is_some_and(|report| report.have_plans_changed) {
        return Ok(());
    }
    let all = subscriptions::list(world, None).await?;
    let messages: Vec<Message> =
        all.iter().filter(|one| one.plan.place == target.place).map(|one| subscription_message(&one.id)).collect();
    Ok(world.queue().send(&messages).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(source: &str, kind: &str, detail: Value) -> EventBridgeEvent {
        let body = json!({
            "source": source, "detail-type": kind, "account": "111122223333", "region": "eu-west-1", "resources": [],
            "detail": detail,
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn an_event_says_which_api_or_that_plans_are_not_as_they_were() {
        let place = Place { account: "111122223333".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        let api = |id: &str| {
            Some(Look::Part(place.clone(), Scope { apis: BTreeSet::from([id.parse().unwrap()]), ..Scope::default() }))
        };
        let plans = Some(Look::Part(place.clone(), Scope::default()));
        for (name, request, response, expected) in [
            ("CreateDeployment", json!({"restApiId": "a1"}), json!({"id": "d1"}), api("a1")),
            ("UpdateStage", json!({"restApiId": "a1", "stageName": "prod"}), json!({}), api("a1")),
            ("DeleteRestApi", json!({"restApiId": "a1"}), json!(null), api("a1")),
            ("CreateRestApi", json!({"createRestApiInput": {}}), json!({"id": "b1"}), api("b1")),
            ("CreateUsagePlan", json!({}), json!({"id": "p1"}), plans.clone()),
            ("UpdateUsagePlan", json!({"usagePlanId": "p1"}), json!({}), plans),
            ("CreateUsagePlanKey", json!({"usagePlanId": "p1"}), json!({}), None),
            ("CreateApi", json!({"apiId": "h1"}), json!({"apiId": "h1"}), None),
            ("CreateVpcLink", json!({}), json!({"id": "v1"}), None),
        ] {
            let detail = json!({"eventName": name, "requestParameters": request, "responseElements": response});
            let event = event("aws.apigateway", "AWS API Call via CloudTrail", detail);
            assert_eq!(read(&event), expected, "{name}");
        }
        let refused = json!({"eventName": "DeleteRestApi", "requestParameters": {"restApiId": "a1"}, "errorCode": "AccessDenied"});
        assert_eq!(read(&event("aws.apigateway", "AWS API Call via CloudTrail", refused)), None);
        assert_eq!(read(&event("aws.events", "Scheduled Event", json!({}))), Some(Look::Everything));
        assert_eq!(read(&event("foregate", SCAN, json!({}))), None, "without a place it is about nothing");
        let scope = Scope { apis: BTreeSet::from(["a1".parse().unwrap()]), ..Scope::default() };
        let again = part_message(&place, &scope, 3).body["detail"].clone();
        assert_eq!(read(&event("foregate", PART, again)), Some(Look::Part(place, scope)), "it reads back");
    }

    #[test]
    fn a_burst_of_events_is_one_look_at_each_place() {
        let mut folded = Folded::default();
        for number in 0..100 {
            let detail =
                json!({"eventName": "UpdateStage", "requestParameters": {"restApiId": format!("a{}", number % 3)}});
            let look = read(&event("aws.apigateway", "AWS API Call via CloudTrail", detail)).unwrap();
            folded.add(look, number.to_string());
        }
        let (scope, messages) = folded.parts.into_values().next().unwrap();
        assert_eq!((scope.apis.len(), messages.len()), (3, 100));
    }
}
