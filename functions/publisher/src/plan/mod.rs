//! Decides what goes onto a front door, from one reading of the registry. Pure: plain values in, plain values out.
//!
//! [`select`] says of each route whether it goes live, waits or is rejected; [`render`] makes the OpenAPI document of those
//! that go, [`links`] the stage variables that it names; [`search`] finds what API Gateway refuses of it; [`present`]
//! holds what the REST API has against both; [`changes`] says what is different from what is live, and [`warnings`] what
//! API Gateway warns of, for people.

pub mod api_settings;
pub mod changes;
pub mod links;
pub mod present;
pub mod render;
pub mod search;
pub mod select;
pub mod warnings;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use present::Foreign;
use serde_json::{Map, Value};
use shared::front_door::records::{ApiSettings, Refusal, Route};
use shared::front_door::{FrontDoorSpec, Name, RoutePath, RouteSpec, Tenant};
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
    /// Its resource policy.
    pub policy: Option<Value>,
    /// Its other settings, as extensions of OpenAPI; of gateway responses those that somebody has set.
    pub extensions: Map<String, Value>,
    /// What of its settings may not be in the document, and is set again after the import.
    pub settings: ApiSettings,
    /// Whether it has methods that are not Foregate's and stay.
    pub has_foreign_methods: bool,
}

/// All that a decision rests on.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The front door.
    pub door: FrontDoorSpec,
    /// Of a shard, the first segment that it is below: clients' paths reach it without.
    pub below: Option<String>,
    /// The central account, whose routes need no grant.
    pub central: AccountId,
    /// The front door's routes, those that are gone left out.
    pub routes: Vec<Route>,
    /// The tenants' grants.
    pub tenants: BTreeMap<AccountId, Tenant>,
    /// The VPC links by name.
    pub links: BTreeMap<Name, Link>,
    /// What of the REST API is not Foregate's and stays: nothing in `Mode: Overwrite`.
    pub foreign: Foreign,
}

/// A route that goes onto the live stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRoute {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: AccountId,
    /// As it is published: what was asked for last, or, where that was rejected, what was live before.
    pub spec: RouteSpec,
    /// Its path on the REST API, with the variables called what that calls them.
    pub path: RoutePath,
    /// The team's name of each variable and the one on the REST API.
    pub names: Vec<(String, String)>,
    /// Whether it is not on the live stage like this already: what an import that fails can be blamed on.
    pub is_new: bool,
    /// The name of its VPC link.
    pub link: Name,
    /// The id of that.
    pub link_id: String,
}

/// What becomes of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was asked for goes live.
    Live,
    /// It is left out until something outside is there.
    Waits(Refusal),
    /// API Gateway refuses something that it was to be published with, and it was not told apart yet: the next run goes on.
    Undecided(Refusal),
    /// It can't go live as it was asked for.
    Rejected(Refusal),
    /// It is taken off.
    Deleted,
}

impl Selection {
    /// Nothing goes live: every route waits for this.
    pub fn held(mut self, refusal: &Refusal) -> Self {
        self.goes.clear();
        for verdict in self.verdicts.values_mut().filter(|one| !matches!(one, Verdict::Deleted)) {
            *verdict = Verdict::Waits(refusal.clone());
        }
        self
    }
}

/// What becomes of every route, and what is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What is published, in the order of paths.
    pub goes: Vec<PublishedRoute>,
    /// What becomes of each route, by id.
    pub verdicts: BTreeMap<String, Verdict>,
}
