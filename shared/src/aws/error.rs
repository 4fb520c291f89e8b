//! What an AWS call can answer instead of success, and the one place that says what is worth another try.

use std::fmt;

/// Why a call failed, as far as a caller can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Too many calls; the SDK's own retries are used up.
    Throttled,
    /// What the call names does not exist.
    NotFound,
    /// IAM says no.
    Denied,
    /// A quota is used up.
    LimitExceeded,
    /// A condition on the state of the thing did not hold.
    Conflict,
    /// AWS understood the request and refuses it as it stands.
    Refused,
    /// No answer, or a fault on AWS's side.
    Unavailable,
}

impl Cause {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::NotFound | Self::Denied | Self::LimitExceeded | Self::Conflict | Self::Refused => false,
        }
    }

    /// The cause behind an error code of any service that Foregate calls.
    pub fn of_code(code: &str) -> Self {
        match code {
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "ProvisionedThroughputExceededException"
            | "SlowDown" => Self::Throttled,
            "AccessDenied"
            | "AccessDeniedException"
            | "UnauthorizedOperation"
            | "AuthFailure"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "ExpiredToken"
            | "ExpiredTokenException" => Self::Denied,
            "ConditionalCheckFailedException"
            | "TransactionCanceledException"
            | "TransactionConflictException"
            | "TransactionInProgressException"
            | "ConflictException"
            | "ConcurrentModificationException"
            | "ResourceConflictException" => Self::Conflict,
            // Somebody else added the same rule first: the next look finds it there.
            "InvalidPermission.Duplicate" => Self::Conflict,
            "TooManyTargets"
            | "TooManyRegistrationsForTargetId"
            | "LimitExceededException"
            | "PolicyLengthExceededException"
            | "AliasLimitExceededException"
            | "RulesPerSecurityGroupLimitExceeded" => Self::LimitExceeded,
            "InternalError" | "InternalFailure" | "InternalServerError" | "ServiceUnavailable" | "Unavailable" => {
                Self::Unavailable
            }
            "ResourceContention" | "ScalingActivityInProgress" => Self::Unavailable,
            _ if code.ends_with("NotFound") || code.ends_with(".Malformed") => Self::NotFound,
            "NotFoundException"
            | "ResourceNotFoundException"
            | "QueueDoesNotExist"
            | "AWS.SimpleQueueService.NonExistentQueue" => Self::NotFound,
            _ => Self::Refused,
        }
    }
}

/// A failed call: what was tried, on what, and what AWS said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AwsError {
    /// The API's name, such as `RegisterTargets`.
    pub operation: &'static str,
    /// What it was tried on, such as a target group's ARN.
    pub subject: String,
    /// What a caller can do about it.
    pub cause: Cause,
    /// AWS's error code, empty where there was no answer.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

impl AwsError {
    /// Whether API Gateway refuses because somebody else changes the same thing at this moment. It says so in words, as
    /// ConflictException and as BadRequestException: "Unable to complete operation due to concurrent modification. Please try
    /// again later."
    pub fn is_concurrent_modification(&self) -> bool {
        self.message.contains("concurrent modification")
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "failed to call {} on {}: ", self.operation, self.subject)?;
        match (self.code.is_empty(), self.message.is_empty()) {
            (false, false) => write!(out, "{} ({})", self.message, self.code),
            (false, true) => out.write_str(&self.code),
            _ => out.write_str(&self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_have_causes() {
        for (code, cause) in [
            ("RequestLimitExceeded", Cause::Throttled),
            ("Throttling", Cause::Throttled),
            ("InvalidVpcEndpointId.NotFound", Cause::NotFound),
            ("InvalidNetworkInterfaceID.NotFound", Cause::NotFound),
            ("TargetGroupNotFound", Cause::NotFound),
            ("UnauthorizedOperation", Cause::Denied),
            ("InvalidTarget", Cause::Refused),
            ("TooManyTargets", Cause::LimitExceeded),
            ("RulesPerSecurityGroupLimitExceeded", Cause::LimitExceeded),
            ("InvalidPermission.Duplicate", Cause::Conflict),
            ("InvalidSecurityGroupRuleId.NotFound", Cause::NotFound),
            ("PolicyLengthExceededException", Cause::LimitExceeded),
            ("AliasLimitExceededException", Cause::LimitExceeded),
            ("ConcurrentModificationException", Cause::Conflict),
            ("ResourceContention", Cause::Unavailable),
            ("ConditionalCheckFailedException", Cause::Conflict),
            ("InternalError", Cause::Unavailable),
        ] {
            assert_eq!(Cause::of_code(code), cause, "{code}");
        }
    }
}
