//! The one error that leaves a function: a type that the contract fixes and a message for the person who reads it.
//!
//! Rooms below keep their own errors; at the boundary each becomes an [`Error`], which is what a Lambda error's
//! `errorType` and `errorMessage`, a custom resource's `Reason` and a log line are made of.

use std::fmt;

use crate::aws::{AwsError, Cause};

/// The seven `errorType`s of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The request can't be right whatever the state of the world: a field is missing, unknown or out of range.
    InvalidInput,
    /// The caller may not do this.
    Forbidden,
    /// Somebody else has it, or is at work on it.
    Conflict,
    /// A thing that the request names does not exist.
    NotFound,
    /// A quota of AWS or of Foregate is used up.
    LimitExceeded,
    /// Foregate refuses because it would be dangerous; nothing was removed.
    Blocked,
    /// AWS refused or did not answer.
    Upstream,
}

impl ErrorType {
    /// The name as it stands in `errorType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::Forbidden => "Forbidden",
            Self::Conflict => "Conflict",
            Self::NotFound => "NotFound",
            Self::LimitExceeded => "LimitExceeded",
            Self::Blocked => "Blocked",
            Self::Upstream => "Upstream",
        }
    }
}

impl ErrorType {
    /// The type of this name; `Upstream` for what is none of the seven.
    pub fn of(name: &str) -> Self {
        use ErrorType::*;
        let all = [InvalidInput, Forbidden, Conflict, NotFound, LimitExceeded, Blocked, Upstream];
        all.into_iter().find(|one| one.as_str() == name).unwrap_or(Upstream)
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What went wrong and what to do about it, fit to be shown to the user who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The `errorType` of the contract.
    pub error_type: ErrorType,
    /// Which field or resource, what is wrong with it, what to do. Holds no secret.
    pub message: String,
}

impl Error {
    /// An error of the given type with a message for its reader.
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        Self { error_type, message: message.into() }
    }

    /// The request can't be right; `message` names the field and the fix.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorType::InvalidInput, message)
    }

    /// The caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Forbidden, message)
    }

    /// Somebody else has it, or is at work on it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Conflict, message)
    }

    /// A thing that the request names does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorType::NotFound, message)
    }

    /// Foregate holds back because going on would be dangerous.
    pub fn blocked(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Blocked, message)
    }

    /// AWS refused or did not answer.
    pub fn upstream(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Upstream, message)
    }
}

impl From<AwsError> for Error {
    /// An error of AWS that no room gave a better meaning to.
    fn from(error: AwsError) -> Self {
        let error_type = match error.cause {
            Cause::NotFound => ErrorType::NotFound,
            Cause::LimitExceeded => ErrorType::LimitExceeded,
            Cause::Conflict => ErrorType::Conflict,
            Cause::Throttled | Cause::Denied | Cause::Refused | Cause::Unavailable => ErrorType::Upstream,
        };
        Self::new(error_type, error.to_string())
    }
}
