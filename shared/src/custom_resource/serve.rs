//! A function's work with the protocol around it: whatever the work does (succeeds, fails, panics, takes too long),
//! CloudFormation gets exactly one answer, now or, if the work has kept what that needs, later.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use super::answer;
use super::later::Reply;
use super::request::{Envelope, Request};
use super::responder::{ATTEMPT_SECONDS_MAX, Responder};
use crate::error::Error;
use crate::types::AccountId;

/// Kept back from the function's time for delivering the answer, retries included.
const ANSWER_SECONDS: u64 = 12;
/// No more than this part of a short time is kept back.
const ANSWER_PART: u32 = 3;
/// Between the last attempt to answer and Lambda's end of the function, so that a failed delivery is still told.
const MARGIN: Duration = Duration::from_secs(1);
/// No function of Lambda's runs for longer.
const LAMBDA_SECONDS_MAX: u64 = 900;

/// Serves one request: checks it, runs `work` on it, answers.
///
/// `account` is whom AWS vouches for, `remaining` the time until Lambda ends the function, `physical_id` gives a new
/// resource its id. An error means that no answer could be delivered, so that Lambda has to repeat the request; a
/// failed piece of work is an answer like any other.
pub async fn serve<W, F, R>(
    responder: &Responder,
    event: Value,
    account: &AccountId,
    remaining: Duration,
    physical_id: impl Fn(&Request) -> String,
    work: W,
) -> Result<(), Error>
where
    W: FnOnce(Request) -> F,
    F: Future<Output = Result<R, Error>> + Send + 'static,
    R: Into<Reply> + Send + 'static,
{
    let remaining = remaining.min(Duration::from_secs(LAMBDA_SECONDS_MAX));
    let deadline = Instant::now() + remaining;
    let envelope = Envelope::parse(&event)?;
    responder.check(&envelope)?;
    let request = vouched_for(&envelope, account).and_then(|()| Request::parse(event, &envelope));
    let id = id_of(&envelope, request.as_ref().ok(), physical_id);
    let result = match request {
        Ok(request) => run(work, request, remaining - kept_back(remaining), &responder.log).await,
        Err(error) => Err(error),
    };
    let body = match result.map(Into::into) {
        Ok(Reply::Later) => return Ok(()),
        Ok(Reply::Now(outcome)) => answer::success(&envelope, &outcome),
        Err(error) => Err(error),
    };
    note(&envelope, &body);
    let body = body.unwrap_or_else(|error| answer::failure(&envelope, &id, &error, &responder.log));
    // One attempt is made even when time seems to be up: clocks differ, and an answer that is late is better than none.
    let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(MARGIN);
    responder.deliver(&envelope, body, left.max(Duration::from_secs(ATTEMPT_SECONDS_MAX))).await
}

fn kept_back(remaining: Duration) -> Duration {
    Duration::from_secs(ANSWER_SECONDS).min(remaining / ANSWER_PART)
}

/// A stack can only speak for its own account.
fn vouched_for(envelope: &Envelope, account: &AccountId) -> Result<(), Error> {
    match envelope.stack_id.account() == account {
        true => Ok(()),
        false => Err(Error::forbidden(format!(
            "StackId names account {}, but the request comes from account {account}",
            envelope.stack_id.account()
        ))),
    }
}

/// The id for an answer that says FAILED: the one that the resource has, or is to have.
fn id_of(envelope: &Envelope, request: Option<&Request>, physical_id: impl Fn(&Request) -> String) -> String {
    let known = envelope.physical_resource_id.clone();
    let made = || request.and_then(|request| caught(|| physical_id(request)));
    known.or_else(made).unwrap_or_else(|| format!("unreadable-{}", envelope.logical_resource_id))
}

/// Runs the work in a task of its own: a panic or a lack of time ends the task, not the answer.
async fn run<W, F, R>(work: W, request: Request, limit: Duration, log: &str) -> Result<R, Error>
where
    W: FnOnce(Request) -> F,
    F: Future<Output = Result<R, Error>> + Send + 'static,
    R: Send + 'static,
{
    let internal = || Error::upstream(format!("internal error of Foregate: {log} has the details; please report it"));
    let task = tokio::spawn(caught(|| work(request)).ok_or_else(internal)?.in_current_span());
    let abort = task.abort_handle();
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(internal()),
        Err(_) => {
            abort.abort();
            Err(Error::upstream(
                "the work was not done before the function's time ran out: try again, it goes on where it stopped",
            ))
        }
    }
}

/// What `call` gives, or nothing if it panics; the panic itself is in the log.
fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The one line about the request: neither its URL nor its properties, which may hold secrets.
fn note(envelope: &Envelope, body: &Result<String, Error>) {
    let kind = envelope.kind.map_or("unreadable".to_owned(), |kind| kind.to_string());
    let (stack, resource) = (envelope.stack_id.name(), &envelope.logical_resource_id);
    let cloudformation_request = &envelope.request_id;
    match body {
        Ok(_) => {
            tracing::info!(stack, resource, kind, cloudformation_request, status = "SUCCESS", "custom resource done");
        }
        Err(error) => {
            tracing::warn!(
                stack,
                resource,
                kind,
                cloudformation_request,
                status = "FAILED",
                error_type = error.error_type.as_str(),
                "custom resource failed: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests;
