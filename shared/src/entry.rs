//! How a function starts and how one invocation goes in and out: the same few lines for all of them.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use crate::error::Error;
use crate::identity::Caller;
use crate::origin::Stamp;
use crate::telemetry::Telemetry;

/// What is known of an invocation besides its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Lambda's request id: the same when Lambda repeats an asynchronous invocation.
    pub request_id: String,
    /// Who calls.
    pub caller: Caller,
    /// When Lambda ends the function, in milliseconds since the epoch.
    pub deadline_millis: u64,
}

impl Invocation {
    /// The invocation's own mark. Commands come one by one and each is the newest.
    pub fn stamp(&self) -> Stamp {
        Stamp { fingerprint: self.request_id.clone(), signed_at_seconds: None }
    }

    /// How long there is until Lambda ends the function.
    pub fn remaining(&self) -> Duration {
        let deadline = UNIX_EPOCH + Duration::from_millis(self.deadline_millis);
        deadline.duration_since(SystemTime::now()).unwrap_or_default()
    }
}

/// The time, in seconds since the epoch.
pub fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The time, in milliseconds since the epoch.
pub fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Serves invocations of `function` with `handle` until Lambda ends the process.
pub async fn serve<H, F>(function: &'static str, handle: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(Value, Invocation) -> F,
    F: Future<Output = Result<Value, Error>>,
{
    // As deployed, with its prefix: metrics of two Foregates in one account must not add up.
    let deployed_as = std::env::var("AWS_LAMBDA_FUNCTION_NAME");
    let telemetry = Telemetry::start(deployed_as.as_deref().unwrap_or(function))?;
    let handle = &handle;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let request_id = event.context.request_id.clone();
        let span = tracing::info_span!("invocation", request_id = %request_id);
        let answer = async {
            let caller = Caller::of_invocation(&event.context.invoked_function_arn)?;
            let deadline_millis = event.context.deadline;
            handle(event.payload, Invocation { request_id: request_id.clone(), caller, deadline_millis }).await
        }
        .instrument(span.clone())
        .await;
        if let Err(error) = &answer {
            span.in_scope(|| tracing::error!(error_type = error.error_type.as_str(), "{error}"));
        }
        telemetry.flush(&request_id);
        answer.map_err(|error| Diagnostic {
            error_type: error.error_type.as_str().to_owned(),
            error_message: error.message,
        })
    }))
    .await
}
