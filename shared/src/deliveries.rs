//! The messages of a queue's batch: when one that failed comes back, and how long a chain of a function's own messages is.
//!
//! What a partial batch answer names stays hidden for the queue's whole visibility time-out. So a failed message gets a
//! shorter one, which grows with each try.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
//!
//! A function that sends itself a message because of a message makes a chain. Lambda would end it after 16 invocations
//! (`RecursiveLoop: Allow` in the template turns that off), so each message carries its hops, and [`next_hop`] ends the chain.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::aws::{Message, Queue, Redelivery};
use crate::telemetry::{Metric, count};
use crate::trigger::QueuedEvent;

/// A message that failed for the first time comes back after this long, give or take a quarter.
const FIRST_SECONDS: u32 = 5;
/// Each further try waits so many times longer than the one before. Five tries, after which the message goes to the dead
/// letters, then span seven minutes: an outage of AWS for some minutes loses nothing.
const GROWTH: u32 = 4;
/// No message waits longer than this, give or take a quarter.
const SECONDS_MAX: u32 = 600;

/// What came with a message besides its body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Delivery {
    receipt_handle: Option<String>,
    receive_count: u32,
    hops: u32,
}

/// The messages of a batch, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries(BTreeMap<String, Delivery>);

impl Deliveries {
    /// What came with these messages.
    pub fn of(messages: &[QueuedEvent]) -> Self {
        let delivery = |message: &QueuedEvent| {
            let hops = message.event.as_ref().ok().and_then(|event| event.detail.get(HOPS)?.as_u64());
            let delivery = Delivery {
                receipt_handle: message.receipt_handle.clone(),
                receive_count: message.receive_count,
                hops: hops.and_then(|hops| hops.try_into().ok()).unwrap_or_default(),
            };
            (message.message_id.clone(), delivery)
        };
        Self(messages.iter().map(delivery).collect())
    }

    /// How many messages of the chain came before. Where several messages are about one thing, the newest chain counts: an
    /// event of AWS's begins one.
    pub fn hops(&self, messages: &[String]) -> u32 {
        messages.iter().filter_map(|id| self.0.get(id)).map(|delivery| delivery.hops).min().unwrap_or_default()
    }

    /// The partial batch answer: the messages in `failed` come back, soon at first. A queue that can't be asked for that
    /// brings them back after its visibility time-out.
    pub async fn answer<Q: Queue>(&self, queue: &Q, failed: &BTreeSet<String>) -> Value {
        let again: Vec<Redelivery> = failed.iter().filter_map(|id| self.redelivery(id)).collect();
        count(Metric::MessagesRetried, failed.len() as u64);
        if !again.is_empty()
            && let Err(error) = queue.change_message_visibility(&again).await
        {
            tracing::warn!("failed messages come back after the queue's visibility time-out only: {error}");
        }
        let failures: Vec<Value> = failed.iter().map(|id| json!({"itemIdentifier": id})).collect();
        json!({"batchItemFailures": failures})
    }

    fn redelivery(&self, id: &str) -> Option<Redelivery> {
        let delivery = self.0.get(id)?;
        let after_seconds = retry_seconds(id, delivery.receive_count);
        Some(Redelivery { receipt_handle: delivery.receipt_handle.clone()?, after_seconds })
    }
}

/// When a message comes back that failed at its `receive_count`th try. Messages that failed together are spread by their ids.
fn retry_seconds(id: &str, receive_count: u32) -> u32 {
    let growth = GROWTH.saturating_pow(receive_count.saturating_sub(1));
    let seconds = FIRST_SECONDS.saturating_mul(growth).min(SECONDS_MAX);
    let share = u32::from(Sha256::digest(format!("{id}/{receive_count}"))[0]);
    seconds - seconds / 4 + seconds * share / 2 / u32::from(u8::MAX)
}

/// The field of a message's detail that says how many messages of its chain came before.
const HOPS: &str = "hops";

/// A message of a function's own to itself.
pub fn own_message(detail_type: &str, mut detail: Value, hops: u32, delay_seconds: u32) -> Message {
    if hops > 0 {
        detail[HOPS] = json!(hops);
    }
    Message { body: json!({"source": OWN_SOURCE, "detail-type": detail_type, "detail": detail}), delay_seconds }
}

/// The `source` of Foregate's own messages.
pub const OWN_SOURCE: &str = "foregate";

/// The hops of the chain's next message, unless `hops_max` are reached: then the schedule goes on with `subject`.
pub fn next_hop(hops: u32, hops_max: u32, subject: &str) -> Option<u32> {
    if hops < hops_max {
        return Some(hops + 1);
    }
    count(Metric::RecheckChainsEnded, 1);
    tracing::warn!(subject, hops, "a chain of delayed messages has reached its bound: the schedule goes on");
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::Trigger;

    fn batch(details: &[Value]) -> Vec<QueuedEvent> {
        let record = |(n, detail): (usize, &Value)| {
            let body = own_message("Recheck", detail.clone(), 0, 0).body.to_string();
            json!({
                "messageId": format!("m{n}"), "eventSource": "aws:sqs", "body": body, "receiptHandle": format!("r{n}"),
                "attributes": {"ApproximateReceiveCount": "2"},
            })
        };
        let records: Vec<Value> = details.iter().enumerate().map(record).collect();
        let Ok(Trigger::Queue(messages)) = Trigger::parse(json!({"Records": records})) else { panic!("no batch") };
        messages
    }

    #[test]
    fn a_failed_message_comes_back_within_seconds_and_its_five_tries_span_minutes() {
        for id in ["m1", "m2", "059f36b4-87a3-44ab-83d2-661975830a7d"] {
            let waits: Vec<u32> = (1..5).map(|tries| retry_seconds(id, tries)).collect();
            assert!((3..=7).contains(&waits[0]), "{waits:?}");
            assert!(waits.windows(2).all(|two| two[1] > two[0]), "{waits:?}");
            assert!((300..900).contains(&waits.iter().sum::<u32>()), "{waits:?}");
        }
        for tries in [0, 1, 5, 6, 100, u32::MAX] {
            let wait = retry_seconds("m1", tries);
            assert!((1..=SECONDS_MAX + SECONDS_MAX / 4).contains(&wait), "{tries}: {wait}");
        }
        let spread: BTreeSet<u32> = (0..100).map(|n| retry_seconds(&format!("m{n}"), 4)).collect();
        assert!(spread.len() > 50, "what failed together does not come back together: {spread:?}");
    }

    #[test]
    fn of_several_messages_about_one_thing_the_newest_chain_counts() {
        let deliveries = Deliveries::of(&batch(&[json!({"hops": 7}), json!({"hops": 3}), json!({"hops": -1})]));
        let hops = |ids: &[&str]| deliveries.hops(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        for (ids, expected) in
            [(&["m0"][..], 7), (&["m0", "m1"], 3), (&["m0", "m1", "m2"], 0), (&[], 0), (&["other"], 0)]
        {
            assert_eq!(hops(ids), expected, "{ids:?}");
        }
        assert_eq!(deliveries.redelivery("m1").map(|one| one.receipt_handle), Some("r1".into()));
        assert_eq!(deliveries.redelivery("other"), None);
    }

    #[test]
    fn a_chain_of_own_messages_ends_at_its_bound() {
        let mut chain = Vec::new();
        let mut hops = 0;
        while let Some(next) = next_hop(hops, 20, "binding-1") {
            let message = own_message("Recheck", json!({"bindingId": "binding-1"}), next, 5);
            assert_eq!(message.body["source"], OWN_SOURCE);
            hops = u32::try_from(message.body["detail"]["hops"].as_u64().unwrap()).unwrap();
            chain.push(message);
        }
        assert_eq!(chain.len(), 20);
    }
}
