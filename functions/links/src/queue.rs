//! The door for events: load balancers that come and go, the schedule, and re-checks of our own. A batch is folded to the
//! links that it is about, each is looked at once. An event never says what to do, only where to look.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::{Value, json};
use shared::aws::{Message, Queue};
use shared::deliveries::{Deliveries, OWN_SOURCE, own_message};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::Name;
use shared::front_door::links::{Link, Selector, Status};
use shared::trigger::QueuedEvent;

use crate::observe;
use crate::reconcile;
use crate::world::World;

/// The `detail-type` of a message that says to look at one link.
const RECHECK: &str = "Link Recheck";

/// A message that says to look at the link after `delay_seconds`.
pub fn recheck(name: &Name, hops: u32, delay_seconds: u32) -> Message {
    own_message(RECHECK, json!({"link": name}), hops, delay_seconds)
}

/// The `detail-type` of a message that says again what AWS has refused: somebody was at the link.
const DEPARTURE: &str = "Link Departure";

/// A message that says after `delay_seconds` that AWS has refused to delete the load balancer.
pub fn departure(load_balancer_arn: &str, at_seconds: u64, hops: u32, delay_seconds: u32) -> Message {
    own_message(DEPARTURE, json!({"loadBalancerArn": load_balancer_arn, "at": at_seconds}), hops, delay_seconds)
}

/// Where to look: at one link, or at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    All,
    Link(Name),
    /// AWS has refused to delete a load balancer that is in use, at that second.
    Departing(String, u64),
}

/// A load balancer that comes may be anybody's, and one that goes has no tags any more: all links are looked at, which are
/// twenty at most.
fn read(event: &EventBridgeEvent, now_seconds: u64) -> Option<Look> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.events" | "aws.scheduler", "Scheduled Event") => Some(Look::All),
        ("aws.elasticloadbalancing", "AWS API Call via CloudTrail") => match event.detail.get("errorCode") {
            None => Some(Look::All),
            Some(_) => {
                let arn = event.detail.pointer("/requestParameters/loadBalancerArn").and_then(Value::as_str)?;
                let at = event.time.map_or(now_seconds, |time| u64::try_from(time.timestamp()).unwrap_or_default());
                Some(Look::Departing(arn.to_owned(), at))
            }
        },
        (OWN_SOURCE, RECHECK) => {
            let name = event.detail.get("link").and_then(Value::as_str)?;
            Some(Look::Link(name.parse().ok()?))
        }
        (OWN_SOURCE, DEPARTURE) => {
            let arn = event.detail.get("loadBalancerArn").and_then(Value::as_str)?;
            Some(Look::Departing(arn.to_owned(), event.detail.get("at").and_then(Value::as_u64)?))
        }
        _ => None,
    }
}

/// A batch from the queue in, the partial batch answer out.
pub async fn batch<W: World>(world: &W, invocation: &Invocation, messages: Vec<QueuedEvent>) -> Value {
    let deliveries = Deliveries::of(&messages);
    let (mut looks, mut failed) = (BTreeMap::<Look, Vec<String>>::new(), BTreeSet::new());
    for QueuedEvent { message_id, event, .. } in messages {
        match event {
            Ok(event) => match read(&event, world.now_seconds()) {
                Some(look) => looks.entry(look).or_default().push(message_id),
                None => tracing::info!(event.source, event.detail_type, "ignored an event that is about no link"),
            },
            Err(error) => {
                tracing::error!(message_id, "{error}");
                failed.insert(message_id);
            }
        }
    }
    for (look, messages) in looks {
        if let Err(error) = look_at(world, invocation, look, deliveries.hops(&messages)).await {
            tracing::error!("failed to look at a link: {error}");
            failed.extend(messages);
        }
    }
    deliveries.answer(world.queue(), &failed).await
}

/// One event that came by itself.
pub async fn single<W: World>(world: &W, invocation: &Invocation, event: EventBridgeEvent) -> Result<Value, Error> {
    if let Some(look) = read(&event, world.now_seconds()) {
        look_at(world, invocation, look, 0).await?;
    }
    Ok(json!({}))
}

/// Of all, each gets a message, so that each has its own tries and its own time.
async fn look_at<W: World>(world: &W, invocation: &Invocation, look: Look, hops: u32) -> Result<(), Error> {
    match look {
        Look::Link(name) => reconcile::reconcile(world, invocation, &name, hops).await.map(drop),
        Look::Departing(arn, at_seconds) => {
            let leads_there = |link: &Link| {
                let is_a_controllers = matches!(link.selector, Selector::KubernetesService { .. });
                is_a_controllers && link.current.as_ref().is_some_and(|held| held.load_balancer_arn == arn)
            };
            for link in observe::all(world).await?.iter().filter(|link| leads_there(link)) {
                reconcile::note_departure(world, invocation, &link.name, &arn, at_seconds, hops).await?;
            }
            Ok(())
        }
        Look::All => {
            let links = observe::all(world).await?;
            let alive = links.iter().filter(|link| link.status != Status::Deleted);
            let messages: Vec<Message> = alive.map(|link| recheck(&link.name, 0, 0)).collect();
            Ok(world.queue().send(&messages).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_where_to_look() {
        let name: Name = "gate".parse().unwrap();
        let event = |body: Value| serde_json::from_value::<EventBridgeEvent>(body).unwrap();
        let told = |source: &str, kind: &str| {
            read(&event(json!({"source": source, "detail-type": kind, "detail": {}, "resources": []})), 7)
        };
        assert_eq!(told("aws.events", "Scheduled Event"), Some(Look::All));
        assert_eq!(told("aws.elasticloadbalancing", "AWS API Call via CloudTrail"), Some(Look::All));
        assert_eq!(told("aws.ec2", "AWS API Call via CloudTrail"), None);
        let mut body = recheck(&name, 3, 20).body;
        body["resources"] = json!([]);
        assert_eq!(read(&event(body), 7), Some(Look::Link(name)));
        let refused = json!({"errorCode": "ResourceInUseException", "requestParameters": {"loadBalancerArn": "arn"}});
        let mut refused = json!({
            "source": "aws.elasticloadbalancing", "detail-type": "AWS API Call via CloudTrail", "detail": refused, "resources": [],
        });
        assert_eq!(read(&event(refused.clone()), 7), Some(Look::Departing("arn".into(), 7)));
        refused["time"] = json!("1970-01-01T00:01:00Z");
        assert_eq!(read(&event(refused), 7), Some(Look::Departing("arn".into(), 60)));
        assert_eq!(told("foregate", "Link Recheck"), None, "without a name it is about nothing");
    }
}
