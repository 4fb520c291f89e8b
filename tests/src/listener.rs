//! What Foregate tells its bus, for a test to read: a rule of the test's own, to a queue of its own.

use anyhow::{Context, Result};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::Cloud;

/// How often somebody who waits for events asks; each time takes a second.
const LOOKS_MAX: usize = 30;

/// A queue that gets some of the bus's events.
#[derive(Clone, Debug)]
pub struct Listener {
    cloud: Cloud,
    queue: String,
}

impl Listener {
    /// Listens for events of Foregate's whose `detail` is like this, under a name of the test's own.
    pub async fn start(cloud: &Cloud, name: &str, detail: Value) -> Result<Self> {
        let arn = format!("arn:aws:sqs:{}:123456789012:{name}", cloud.region);
        let pattern = json!({"source": ["foregate"], "detail": detail}).to_string();
        let rule = cloud.events.put_rule().name(name).event_bus_name(&cloud.bus).event_pattern(pattern).send().await?;
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule.rule_arn()}},
        }]});
        let call = cloud.sqs.create_queue().queue_name(name);
        let queue = call.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        let queue = queue.queue_url.context("no queue")?;
        let target = Target::builder().id("queue").arn(arn).build()?;
        cloud.events.put_targets().rule(name).event_bus_name(&cloud.bus).targets(target).send().await?;
        Ok(Self { cloud: cloud.clone(), queue })
    }

    /// What was told, as soon as that is so many events.
    pub async fn events(&self, count: usize) -> Result<Vec<Value>> {
        let mut told: Vec<Value> = Vec::new();
        for _ in 0..LOOKS_MAX {
            let call = self.cloud.sqs.receive_message().queue_url(&self.queue);
            let answer = call.max_number_of_messages(10).wait_time_seconds(1).send().await?;
            for message in answer.messages() {
                told.push(serde_json::from_str(message.body().unwrap_or_default())?);
                let handle = message.receipt_handle().unwrap_or_default();
                self.cloud.sqs.delete_message().queue_url(&self.queue).receipt_handle(handle).send().await?;
            }
            if told.len() >= count {
                return Ok(told);
            }
        }
        anyhow::bail!("{count} events were to be told, and there were: {told:?}")
    }
}
