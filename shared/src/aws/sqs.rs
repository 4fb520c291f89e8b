//! SQS, behind [`Queue`].

use aws_config::SdkConfig;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry};

use super::sdk::{failed, partly_refused};
use super::{Answer, Message, Queue, Redelivery};

/// Entries per SendMessageBatch and ChangeMessageVisibilityBatch, SQS's maximum.
const ENTRIES_MAX: usize = 10;
/// SQS's longest delay.
const DELAY_SECONDS_MAX: u32 = 900;
/// SQS's longest visibility time-out.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const VISIBILITY_SECONDS_MAX: u32 = 43_200;

/// A queue.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl SqsQueue {
    /// A client of the queue at `url`; makes no call.
    pub fn new(config: &SdkConfig, url: impl Into<String>) -> Self {
        Self { client: aws_sdk_sqs::Client::new(config), url: url.into() }
    }
}

impl Queue for SqsQueue {
    async fn send(&self, messages: &[Message]) -> Answer<()> {
        for chunk in messages.chunks(ENTRIES_MAX) {
            let entries: Result<Vec<_>, _> = chunk.iter().enumerate().map(|(n, message)| entry(n, message)).collect();
            let entries = entries.map_err(|e| partly_refused("SendMessageBatch", &self.url, "", &e.to_string()))?;
            let call = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = call.send().await.map_err(|e| failed("SendMessageBatch", &self.url, e))?;
            if let Some(entry) = answer.failed().first() {
                let message = entry.message().unwrap_or_default();
                return Err(partly_refused("SendMessageBatch", &self.url, entry.code(), message));
            }
        }
        Ok(())
    }

    async fn change_message_visibility(&self, messages: &[Redelivery]) -> Answer<()> {
        let mut done = Ok(());
        for chunk in messages.chunks(ENTRIES_MAX) {
            done = done.and(self.change_visibility(chunk).await);
        }
        done
    }
}

impl SqsQueue {
    async fn change_visibility(&self, messages: &[Redelivery]) -> Answer<()> {
        const OPERATION: &str = "ChangeMessageVisibilityBatch";
        let entries: Result<Vec<_>, _> = messages.iter().enumerate().map(|(n, one)| visibility(n, one)).collect();
        let entries = entries.map_err(|e| partly_refused(OPERATION, &self.url, "", &e.to_string()))?;
        let call = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|e| failed(OPERATION, &self.url, e))?;
        match answer.failed().first() {
            None => Ok(()),
            Some(entry) => Err(partly_refused(OPERATION, &self.url, entry.code(), entry.message().unwrap_or_default())),
        }
    }
}

fn visibility(
    n: usize,
    one: &Redelivery,
) -> Result<ChangeMessageVisibilityBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    ChangeMessageVisibilityBatchRequestEntry::builder()
        .id(n.to_string())
        .receipt_handle(&one.receipt_handle)
        .visibility_timeout(i32::try_from(one.after_seconds.min(VISIBILITY_SECONDS_MAX)).unwrap_or_default())
        .build()
}

fn entry(n: usize, message: &Message) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    let delay_seconds = message.delay_seconds.min(DELAY_SECONDS_MAX);
    SendMessageBatchRequestEntry::builder()
        .id(n.to_string())
        .message_body(message.body.to_string())
        .delay_seconds(i32::try_from(delay_seconds).unwrap_or_default())
        .build()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_hidden_for_as_long_as_sqs_allows() {
        for (asked, sent) in [(0, 0), (5, 5), (43_200, 43_200), (u32::MAX, 43_200)] {
            let entry = visibility(3, &Redelivery { receipt_handle: "r".into(), after_seconds: asked }).unwrap();
            assert_eq!((entry.id(), entry.receipt_handle(), entry.visibility_timeout()), ("3", "r", Some(sent)));
        }
    }

    #[test]
    fn an_entry_is_held_back_for_as_long_as_sqs_allows() {
        for (asked, sent) in [(0, 0), (10, 10), (900, 900), (901, 900), (u32::MAX, 900)] {
            let message = Message { body: json!({"a": 1}), delay_seconds: asked };
            let entry = entry(3, &message).unwrap();
            assert_eq!((entry.id(), entry.message_body(), entry.delay_seconds()), ("3", r#"{"a":1}"#, Some(sent)));
        }
    }
}
