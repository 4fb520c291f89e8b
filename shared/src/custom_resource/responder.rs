//! Delivers an answer: one PUT, tried again with jitter, to nowhere but the URL that was checked.

use std::sync::OnceLock;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use super::answer::{self, Outcome};
use super::later::Later;
use super::request::Envelope;
use super::response_url::AllowedHosts;
use crate::error::Error;
use crate::telemetry::{Metric, count};

const CONNECT_SECONDS_MAX: u64 = 3;
pub(super) const ATTEMPT_SECONDS_MAX: u64 = 5;
const RETRIES_MAX: usize = 4;
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Delivers answers. The HTTP client is made when the first one is due: most invocations have none.
#[derive(Debug)]
pub struct Responder {
    client: OnceLock<Client>,
    allowed: AllowedHosts,
    home: Option<String>,
    pub(super) log: String,
    pub(super) first_wait: Duration,
}

/// Why an answer was not delivered, and whether no other attempt will do.
#[derive(Debug)]
struct Undelivered {
    why: String,
    is_final: bool,
}

impl Responder {
    /// A responder that besides CloudFormation's buckets may contact `allowed`.
    pub fn new(allowed: AllowedHosts) -> Self {
        Self {
            client: OnceLock::new(),
            allowed,
            home: None,
            log: "the function's log".to_owned(),
            first_wait: FIRST_WAIT,
        }
    }

    /// The responder that a deployed function has: for stacks of its own region, naming its log group, and with the further
    /// hosts of `FOREGATE_RESPONSE_HOSTS`, which only tests set.
    pub fn of_environment() -> Result<Self, std::env::VarError> {
        let hosts = std::env::var("FOREGATE_RESPONSE_HOSTS").unwrap_or_default();
        let responder = Self::new(AllowedHosts::parse(&hosts)).in_region(std::env::var("AWS_REGION")?);
        Ok(match std::env::var("AWS_LAMBDA_LOG_GROUP_NAME") {
            Ok(group) => responder.logging_to(&group),
            Err(_) => responder,
        })
    }

    /// Refuses stacks of other regions than `region`, the function's own: CloudFormation does not call across regions.
    pub fn in_region(self, region: impl Into<String>) -> Self {
        Self { home: Some(region.into()), ..self }
    }

    /// Names the log group to those who read a failure.
    pub fn logging_to(self, group: &str) -> Self {
        Self { log: format!("log group {group}"), ..self }
    }

    /// Answers a request whose answer was put off, within `limit`. An error means that a later attempt may do; what
    /// CloudFormation does not take it won't take later, and is over.
    pub async fn answer(&self, later: &Later, result: Result<Outcome, Error>, limit: Duration) -> Result<(), Error> {
        let resource = later.physical_id.as_str();
        let envelope = match later.envelope() {
            Ok(envelope) => envelope,
            Err(error) => {
                given_up(resource, &error.message);
                return Ok(());
            }
        };
        let body = result.and_then(|outcome| answer::success(&envelope, &outcome));
        let body = body.unwrap_or_else(|error| answer::failure(&envelope, &later.physical_id, &error, &self.log));
        match self.put(&envelope, body, limit).await {
            Err(Undelivered { why, is_final: true }) => {
                given_up(resource, &why);
                Ok(())
            }
            result => result.map_err(|Undelivered { why, .. }| undelivered(&envelope, &why)),
        }
    }

    /// Whether an answer to this request could go anywhere; asked before any work begins.
    pub(super) fn check(&self, request: &Envelope) -> Result<(), Error> {
        request.answer_url(&self.allowed, self.home.as_deref()).map(|_| ())
    }

    /// Delivers `body` within `limit`. An error names no part of the URL.
    pub(super) async fn deliver(&self, request: &Envelope, body: String, limit: Duration) -> Result<(), Error> {
        self.put(request, body, limit).await.map_err(|undelivered| self::undelivered(request, &undelivered.why))
    }

    async fn put(&self, request: &Envelope, body: String, limit: Duration) -> Result<(), Undelivered> {
        let final_error = |error: Error| Undelivered { why: error.message, is_final: true };
        let url = request.answer_url(&self.allowed, self.home.as_deref()).map_err(final_error)?;
        let client = self.client().map_err(|error| Undelivered { why: error.message, is_final: false })?;
        let attempt = || async {
            // S3 signed the URL with an empty content type: any other breaks the signature.
            let call = client.put(url.clone()).header(CONTENT_TYPE, HeaderValue::from_static("")).body(body.clone());
            let answer =
                call.send().await.map_err(|e| Undelivered { why: why_unanswered(&e).to_owned(), is_final: false })?;
            match answer.status() {
                status if status.is_success() => Ok(()),
                status => Err(Undelivered { why: format!("it answered {status}"), is_final: !is_retryable(status) }),
            }
        };
        let waits =
            ExponentialBuilder::default().with_min_delay(self.first_wait).with_max_times(RETRIES_MAX).with_jitter();
        let delivery = attempt.retry(waits).when(|undelivered: &Undelivered| !undelivered.is_final);
        let late = || Undelivered { why: "no answer before the function's time ran out".to_owned(), is_final: false };
        tokio::time::timeout(limit, delivery).await.unwrap_or_else(|_| Err(late()))
    }

    fn client(&self) -> Result<&Client, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .timeout(Duration::from_secs(ATTEMPT_SECONDS_MAX))
            .redirect(Policy::none())
            .build()
            .map_err(|e| Error::upstream(format!("failed to make the HTTP client: {e}")))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// In our own words: those of the HTTP client may hold the URL or parts of it.
fn given_up(resource: &str, why: &str) {
    count(Metric::AnswersRefused, 1);
    tracing::warn!(resource, "CloudFormation does not take an answer, which is given up: {why}");
}

fn undelivered(request: &Envelope, why: &str) -> Error {
    Error::upstream(format!("failed to answer CloudFormation for {}: {why}", request.logical_resource_id))
}

fn why_unanswered(error: &reqwest::Error) -> &'static str {
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => "no answer in time",
        (false, true) => "the connection failed: does the function's network lead to S3?",
        (false, false) => "the connection broke",
    }
}

/// A redirect and a refusal stay what they are; a fault may pass.
fn is_retryable(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
