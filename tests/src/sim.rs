//! `bindings` on the model of AWS: its world, and a queue that delivers what was sent to it in its time.

use bindings::queue;
use bindings::reconcile::Shift;
use bindings::world::World;
use futures::FutureExt;
use serde_json::Value;
use shared::aws::Message;
use shared::aws::model::Model;
use shared::trigger::Trigger;

/// The model as the world of `bindings`.
#[derive(Clone, Debug)]
pub struct Sim(pub Model);

impl World for Sim {
    type Ec2 = Model;
    type Elb = Model;
    type AutoScaling = Model;
    type Names = Model;
    type Table = Model;
    type Queue = Model;
    type Bus = Model;

    fn ec2(&self) -> &Model {
        &self.0
    }
    fn elb(&self) -> &Model {
        &self.0
    }
    fn auto_scaling(&self) -> &Model {
        &self.0
    }
    fn names(&self) -> &Model {
        &self.0
    }
    fn table(&self) -> &Model {
        &self.0
    }
    fn queue(&self) -> &Model {
        &self.0
    }
    fn bus(&self) -> &Model {
        &self.0
    }
    fn now_seconds(&self) -> u64 {
        self.0.state().now_seconds
    }
    fn prefix(&self) -> &str {
        "foregate"
    }
    fn rules_max(&self) -> usize {
        60
    }
}

/// How long an invocation's lease outlives it at most.
pub const LEASE_SECONDS: u64 = 125;

impl Sim {
    /// An invocation that begins now.
    pub fn shift(&self) -> Shift {
        let id = format!("invocation-{}", self.0.state().calls_made());
        Shift { id, until_seconds: self.now_seconds() + LEASE_SECONDS }
    }

    /// One invocation with these events: the messages that go back to the queue. `None` when it died.
    pub fn batch(&self, events: &[Value]) -> Option<usize> {
        let record = |(n, event): (usize, &Value)| {
            serde_json::json!({
                "messageId": n.to_string(), "receiptHandle": n.to_string(), "eventSource": "aws:sqs", "body": event.to_string(),
            })
        };
        let records: Vec<Value> = events.iter().enumerate().map(record).collect();
        let trigger = Trigger::parse(serde_json::json!({"Records": records}));
        let Ok(Trigger::Queue(messages)) = trigger else { panic!("no batch") };
        let answer = queue::batch(self, &self.shift(), messages).now_or_never()?;
        Some(answer["batchItemFailures"].as_array().map_or(0, Vec::len))
    }

    /// Delivers what waits in the queue, after its delay, and what comes of it, until nothing waits any more or
    /// `seconds_max` are over. What fails or dies is delivered again, after the leases of the dead. Answers how many
    /// invocations that were.
    pub fn deliver(&self, seconds_max: u64) -> u32 {
        let (end, mut invocations) = (self.now_seconds() + seconds_max, 0);
        loop {
            let messages: Vec<Message> = std::mem::take(&mut self.0.state().messages);
            let Some(delay) = messages.iter().map(|message| message.delay_seconds).max() else {
                return invocations;
            };
            self.advance(u64::from(delay));
            let bodies: Vec<Value> = messages.iter().map(|message| message.body.clone()).collect();
            invocations += 1;
            if self.batch(&bodies) != Some(0) {
                self.advance(LEASE_SECONDS + 1);
                self.0.state().messages.extend(messages);
            }
            if self.now_seconds() > end {
                return invocations;
            }
        }
    }

    /// Turns the clock on, and ends the lifecycle actions that got no heartbeat in time.
    pub fn advance(&self, seconds: u64) {
        self.0.advance(seconds);
        self.0.state().end_overdue_actions();
    }

    /// The schedule's event.
    pub fn scheduled() -> Value {
        serde_json::json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
    }
}
