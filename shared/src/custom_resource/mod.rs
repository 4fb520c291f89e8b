//! CloudFormation's custom-resource protocol: a request in, exactly one answer out, whatever happens in between.
//!
//! [`request`] reads what CloudFormation sent, [`response_url`] says where an answer may go, [`answer`] fits it into
//! CloudFormation's limits, [`responder`] delivers it, [`later`] keeps what an answer by another invocation needs, and [`serve`](serve::serve) is the whole of it around a
//! function's work.
//!
//! Invariants: a response URL is a credential, so it is never printed, logged or put into an error. The physical id is
//! known before any work begins and stands in every answer.

mod answer;
mod later;
mod request;
mod responder;
mod response_url;
mod serve;

pub use answer::Outcome;
pub use later::{Later, Reply};
pub use request::{Envelope, Kind, Request, StackId};
pub use responder::Responder;
pub use response_url::{AllowedHosts, ResponseUrl};
pub use serve::serve;
