//! Decides what goes onto a front door, from one reading of the registry. Pure: plain values in, plain values out.
//!
//! [`select`] says of each route whether it goes live, waits or is rejected; [`render`] makes the OpenAPI document of those
//! that go; [`changes`] says what is different from what is live, for people.

pub mod changes;
pub mod render;
pub mod select;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;
use shared::front_door::records::{Refusal, Route};
use shared::front_door::{FrontDoorSpec, Name, RouteSpec, Tenant};
use shared::types::AccountId;

/// A VPC link that routes may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: String,
    /// `AVAILABLE`, `PENDING`, …
    pub status: String,
}

/// What the REST API has now that an import would reset, and that may be nobody's to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Its name.
    pub title: String,
    /// Its description.
    pub description: Option<String>,
    /// Its binary media types.
    pub binary_media_types: Vec<String>,
    /// Its resource policy.
    pub policy: Option<Value>,
}

/// All that a decision rests on.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The front door.
    pub door: FrontDoorSpec,
    /// The central account, whose routes need no grant.
    pub central: AccountId,
    /// The front door's routes, those that are gone left out.
    pub routes: Vec<Route>,
    /// The tenants' grants.
    pub tenants: BTreeMap<AccountId, Tenant>,
    /// The VPC links by name.
    pub links: BTreeMap<Name, Link>,
}

/// A route that goes onto the live stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goes {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: AccountId,
    /// As it is published: what was asked for last, or, where that was rejected, what was live before.
    pub spec: RouteSpec,
    /// Whether it is not on the live stage like this already: what an import that fails can be blamed on.
    pub is_new: bool,
    /// The id of its VPC link.
    pub link_id: String,
}

/// What becomes of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was asked for goes live.
    Live,
    /// It is left out until something outside is there.
    Waits(Refusal),
    /// It can't go live as it was asked for.
    Rejected(Refusal),
    /// It is taken off.
    Deleted,
}

/// What becomes of every route, and what is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What is published, in the order of paths.
    pub goes: Vec<Goes>,
    /// What becomes of each route, by id.
    pub verdicts: BTreeMap<String, Verdict>,
}
