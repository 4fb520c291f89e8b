//! An answer that is given by another invocation: what of a request has to be kept until then.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::Outcome;
use super::request::{Envelope, Request};
use super::response_url::ResponseUrl;
use crate::error::Error;

/// What an answer needs of its request. It holds the response URL, which is a credential: it is kept in the registry, which
/// is encrypted, and nowhere else, and goes when it was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Later {
    response_url: ResponseUrl,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    /// The resource's id, which stands in the answer whatever it says.
    pub physical_id: String,
}

impl Later {
    /// Keeps what an answer to `request` needs. What would be too long for an answer is refused now, not when it is due.
    pub fn new(request: &Request, physical_id: String) -> Result<Self, Error> {
        let later = Self {
            response_url: request.response_url.clone(),
            stack_id: request.stack_id.as_str().to_owned(),
            request_id: request.request_id.clone(),
            logical_resource_id: request.logical_resource_id.clone(),
            physical_id,
        };
        later.envelope().map(|_| later)
    }

    pub(super) fn envelope(&self) -> Result<Envelope, Error> {
        Envelope::parse(&json!({
            "ResponseURL": self.response_url.expose(),
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_resource_id,
            "PhysicalResourceId": self.physical_id,
        }))
    }
}

/// What a function's work comes to, for [`serve`](super::serve()).
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// CloudFormation hears it now.
    Now(Outcome),
    /// It was kept, and another invocation will answer.
    Later,
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self::Now(outcome)
    }
}
