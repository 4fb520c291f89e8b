//! From the SDK's errors to ours: every adapter's calls fail the same way.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

use super::{ASSUME_ROLE, AwsError, Cause};
use crate::telemetry::{Metric, count};

/// The error of a call of `operation` on `subject`.
pub(super) fn failed<E>(operation: &'static str, subject: &str, error: SdkError<E, Response>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let error = read(operation, subject, error);
    count(Metric::ThrottledCalls, u64::from(error.cause == Cause::Throttled));
    error
}

fn read<E>(operation: &'static str, subject: &str, error: SdkError<E, Response>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let subject = subject.to_owned();
    let unanswered = |what: &str| AwsError {
        operation,
        subject: subject.clone(),
        cause: Cause::Unavailable,
        code: String::new(),
        message: format!("{what}: {}", root_of(&error)),
    };
    if let Some(refusal) = root_of(&error).downcast_ref::<ErrorMetadata>()
        && !matches!(error, SdkError::ServiceError(_))
    {
        return unassumed(subject, refusal);
    }
    match &error {
        SdkError::ServiceError(answer) => {
            let (code, message) = (answer.err().code(), answer.err().message());
            let mut error = AwsError {
                operation,
                subject,
                cause: cause_of(code, answer.raw().status().as_u16()),
                code: code.unwrap_or_default().to_owned(),
                message: message.unwrap_or("AWS gave no reason").to_owned(),
            };
            if error.is_concurrent_modification() {
                // It says nothing of what was asked for.
                error.cause = Cause::Unavailable;
            }
            error
        }
        SdkError::TimeoutError(_) => unanswered("no answer in time"),
        SdkError::DispatchFailure(_) => unanswered("AWS could not be reached"),
        SdkError::ConstructionFailure(_) => unanswered("the request could not be built"),
        _ => unanswered("the answer could not be read"),
    }
}

/// A call that was never made: STS has refused the role that it was to be made with.
fn unassumed(subject: String, refusal: &ErrorMetadata) -> AwsError {
    let code = refusal.code().unwrap_or_default();
    AwsError {
        operation: ASSUME_ROLE,
        subject,
        cause: Cause::of_code(code),
        code: code.to_owned(),
        message: refusal.message().unwrap_or("AWS gave no reason").to_owned(),
    }
}

/// What the code says, or the status where the code is none that Foregate knows: a fault on AWS's side must not pass
/// for a refusal, for which somebody's target would be blamed.
fn cause_of(code: Option<&str>, status: u16) -> Cause {
    match (code.map(Cause::of_code), status) {
        (Some(cause), _) if cause != Cause::Refused => cause,
        (_, 429) => Cause::Throttled,
        (Some(cause), 400..500) => cause,
        _ => Cause::Unavailable,
    }
}

/// The innermost error: "connection refused" rather than "dispatch failure".
fn root_of<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// What is made of every page of a paged call, up to a maximum of pages.
#[cfg(any(
    feature = "apigateway",
    feature = "autoscaling",
    feature = "ec2",
    feature = "elbv2",
    feature = "lambda",
    feature = "organizations"
))]
macro_rules! every_page {
    ($operation:expr, $subject:expr, $pages_max:expr, $call:expr, |$page:ident| $items:expr) => {{
        let (mut pages, mut found, mut is_whole) = ($call.into_paginator().send(), Vec::new(), false);
        for _ in 0..$pages_max {
            let Some(page) = pages.next().await else {
                is_whole = true;
                break;
            };
            let $page = page.map_err(|e| $crate::aws::sdk::failed($operation, $subject, e))?;
            found.extend($items);
        }
        match is_whole {
            true => Ok(found),
            false => Err($crate::aws::sdk::too_many_pages($operation, $subject, $pages_max)),
        }
    }};
}
#[cfg(any(
    feature = "apigateway",
    feature = "autoscaling",
    feature = "ec2",
    feature = "elbv2",
    feature = "lambda",
    feature = "organizations"
))]
pub(super) use every_page;

/// A list that did not end within its maximum of pages: a part must not pass for the whole.
#[cfg(any(
    feature = "apigateway",
    feature = "autoscaling",
    feature = "ec2",
    feature = "elbv2",
    feature = "lambda",
    feature = "organizations"
))]
pub(super) fn too_many_pages(operation: &'static str, subject: &str, pages: usize) -> AwsError {
    let message = format!("{pages} pages were not all");
    AwsError { operation, subject: subject.to_owned(), cause: Cause::Unavailable, code: String::new(), message }
}

/// A batch of which AWS took only a part.
pub(super) fn partly_refused(operation: &'static str, subject: &str, code: &str, message: &str) -> AwsError {
    let cause = match Cause::of_code(code) {
        Cause::Refused => Cause::Unavailable,
        cause => cause,
    };
    AwsError { operation, subject: subject.to_owned(), cause, code: code.to_owned(), message: message.to_owned() }
}

/// What is gone already needs no removal.
#[cfg(any(feature = "eventbridge", feature = "lambda"))]
pub(super) fn absent_is_fine(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if error.cause == Cause::NotFound => Ok(()),
        other => other,
    }
}

/// A policy, which AWS answers as a string of JSON.
#[cfg(any(feature = "eventbridge", feature = "lambda"))]
pub(super) fn json_of(operation: &'static str, subject: &str, text: &str) -> Result<serde_json::Value, AwsError> {
    serde_json::from_str(text).map_err(|error| AwsError {
        operation,
        subject: subject.to_owned(),
        cause: Cause::Unavailable,
        code: String::new(),
        message: format!("the answer is not JSON: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    #[test]
    fn a_fault_on_awss_side_is_no_refusal() {
        for (code, status, cause) in [
            (Some("InvalidTarget"), 400, Cause::Refused),
            (Some("SomethingNew"), 400, Cause::Refused),
            (Some("SomethingNew"), 500, Cause::Unavailable),
            (Some("SomethingNew"), 429, Cause::Throttled),
            (Some("Throttling"), 503, Cause::Throttled),
            (Some("TargetGroupNotFound"), 400, Cause::NotFound),
            (None, 502, Cause::Unavailable),
            (None, 403, Cause::Unavailable),
        ] {
            assert_eq!(cause_of(code, status), cause, "{code:?} {status}");
        }
    }

    #[test]
    fn a_call_that_got_no_answer_says_why_and_may_be_tried_again() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let error: SdkError<ErrorMetadata, Response> = SdkError::dispatch_failure(ConnectorError::io(refused.into()));
        let error = failed("GetItem", "binding-1", error);
        assert!(error.cause.is_retryable());
        let told = "failed to call GetItem on binding-1: AWS could not be reached: connection refused";
        assert_eq!(error.to_string(), told);
    }

    #[test]
    fn a_role_that_cant_be_assumed_is_told_as_that() {
        let refusal = ErrorMetadata::builder().code("AccessDenied").message("not authorized").build();
        let error: SdkError<ErrorMetadata, Response> =
            SdkError::dispatch_failure(ConnectorError::other(refusal.into(), None));
        let error = failed("GetRestApis", "111122223333", error);
        assert_eq!((error.operation, error.cause), (ASSUME_ROLE, Cause::Denied));
        assert_eq!(error.to_string(), "failed to call AssumeRole on 111122223333: not authorized (AccessDenied)");
    }

    #[test]
    fn a_concurrent_modification_is_no_refusal() {
        let message = "Unable to complete operation due to concurrent modification. Please try again later.";
        for (code, status) in [("ConflictException", 409), ("BadRequestException", 400)] {
            let metadata = ErrorMetadata::builder().code(code).message(message).build();
            let response = Response::new(status.try_into().unwrap(), "".into());
            let error = failed("PutRestApi", "a1b2c3d4e5", SdkError::service_error(metadata, response));
            assert_eq!(error.cause, Cause::Unavailable, "{code}");
        }
    }

    #[test]
    fn an_answer_keeps_its_code_and_its_words() {
        let metadata = ErrorMetadata::builder().code("AccessDeniedException").message("no").build();
        let response = Response::new(400.try_into().unwrap(), "".into());
        let error = failed("GetItem", "binding-1", SdkError::service_error(metadata, response));
        assert_eq!((error.cause, error.code.as_str()), (Cause::Denied, "AccessDeniedException"));
        assert_eq!(error.to_string(), "failed to call GetItem on binding-1: no (AccessDeniedException)");
    }
}
