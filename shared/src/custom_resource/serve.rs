//! A function's work with the protocol around it: whatever the work does (succeeds, fails, panics, takes too long),
//! CloudFormation gets exactly one answer.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tracing::Instrument;

use super::answer::{self, Outcome};
use super::request::{Envelope, Kind, Request};
use super::responder::Responder;
use crate::error::Error;
use crate::types::AccountId;

/// Kept back from the function's time for delivering the answer, retries included.
const ANSWER_SECONDS: u64 = 12;

/// Serves one request: checks it, runs `work` on it, answers.
///
/// `account` is whom AWS vouches for, `remaining` the time until Lambda ends the function, `physical_id` gives a new
/// resource its id. An error means that no answer could be delivered, so that Lambda has to repeat the request; a
/// failed piece of work is an answer like any other.
pub async fn serve<W, F>(
    responder: &Responder,
    event: Value,
    account: &AccountId,
    remaining: Duration,
    physical_id: impl Fn(&Request) -> String,
    work: W,
) -> Result<(), Error>
where
    W: FnOnce(Request) -> F,
    F: Future<Output = Result<Outcome, Error>> + Send + 'static,
{
    let envelope = Envelope::parse(&event)?;
    responder.check(&envelope)?;
    let request = match vouched_for(&envelope, account) {
        Ok(()) => Request::parse(event, &envelope),
        Err(error) => Err(error),
    };
    let id = match (&envelope.physical_resource_id, &request) {
        (Some(id), _) => id.clone(),
        (None, Ok(request)) => physical_id(request),
        (None, Err(_)) => format!("unreadable-{}", envelope.logical_resource_id),
    };
    let kind = request.as_ref().ok().map(|request| request.kind);
    let result = match request {
        Ok(request) => run(work(request), remaining.saturating_sub(Duration::from_secs(ANSWER_SECONDS))).await,
        Err(error) => Err(error),
    };
    let body = result.and_then(|outcome| answer::success(&envelope, &outcome));
    note(&envelope, kind, &body);
    let body = body.unwrap_or_else(|error| answer::failure(&envelope, &id, &error));
    responder.deliver(&envelope, body).await
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

/// Runs the work in a task of its own: a panic or a lack of time ends the task, not the answer.
async fn run<F>(work: F, remaining: Duration) -> Result<Outcome, Error>
where
    F: Future<Output = Result<Outcome, Error>> + Send + 'static,
{
    let task = tokio::spawn(work.in_current_span());
    let abort = task.abort_handle();
    match tokio::time::timeout(remaining, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => {
            Err(Error::upstream("Foregate failed inside: the function's log has the details; please report it"))
        }
        Err(_) => {
            abort.abort();
            Err(Error::upstream(
                "the work was not done before the function's time ran out: try again, it goes on where it stopped",
            ))
        }
    }
}

fn note(envelope: &Envelope, kind: Option<Kind>, body: &Result<String, Error>) {
    let kind = kind.map_or("unreadable", |kind| match kind {
        Kind::Create => "Create",
        Kind::Update => "Update",
        Kind::Delete => "Delete",
    });
    let (stack, resource) = (envelope.stack_id.name(), &envelope.logical_resource_id);
    match body {
        Ok(_) => tracing::info!(stack, resource, kind, "custom resource done"),
        Err(error) => {
            tracing::warn!(
                stack,
                resource,
                kind,
                error_type = error.error_type.as_str(),
                "custom resource failed: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests;
