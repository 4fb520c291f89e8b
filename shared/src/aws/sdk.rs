//! From the SDK's errors to ours: every adapter's calls fail the same way.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use super::{AwsError, Cause};

/// The error of a call of `operation` on `subject`.
pub(super) fn failed<E, R>(operation: &'static str, subject: &str, error: SdkError<E, R>) -> AwsError
where
    E: ProvideErrorMetadata,
{
    let subject = subject.to_owned();
    let unanswered = |message: &str| AwsError {
        operation,
        subject: subject.clone(),
        cause: Cause::Unavailable,
        code: String::new(),
        message: message.to_owned(),
    };
    match &error {
        SdkError::ServiceError(answer) => {
            let (code, message) = (answer.err().code(), answer.err().message());
            AwsError {
                operation,
                subject,
                cause: code.map_or(Cause::Unavailable, Cause::of_code),
                code: code.unwrap_or_default().to_owned(),
                message: message.unwrap_or("AWS gave no reason").to_owned(),
            }
        }
        SdkError::TimeoutError(_) => unanswered("no answer in time"),
        SdkError::DispatchFailure(_) => unanswered("AWS could not be reached"),
        SdkError::ConstructionFailure(_) => unanswered("the request could not be built"),
        _ => unanswered("the answer could not be read"),
    }
}

/// A batch of which AWS took only a part.
pub(super) fn partly_refused(operation: &'static str, subject: &str, code: &str, message: &str) -> AwsError {
    let cause = match Cause::of_code(code) {
        Cause::Refused => Cause::Unavailable,
        cause => cause,
    };
    AwsError { operation, subject: subject.to_owned(), cause, code: code.to_owned(), message: message.to_owned() }
}
