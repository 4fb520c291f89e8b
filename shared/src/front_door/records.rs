//! What the registry keeps of a front door: what was asked for, how it stands, what is live.
//!
//! A route is changed by `routes` (what is asked for) and by `publisher` (how it stands). Its generation counts what was
//! asked for: what the publisher has done for one generation says nothing about the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims::Claim;
use super::resources::Resources;
use super::{FrontDoorSpec, Name, Owned, RoutePath, RouteSpec, Tenant};
use crate::custom_resource::Later;
use crate::error::{Error, ErrorType};
use crate::origin::{Origin, Requests};
use crate::types::{AccountId, RestApiId};

/// A front door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontDoor {
    /// Who asked for it.
    pub origin: Origin,
    /// What was asked for.
    pub spec: FrontDoorSpec,
    /// How it stands.
    #[serde(default)]
    pub standing: Standing,
    /// The requests that made it what it is.
    pub requests: Requests,
    /// Whether it is to be forgotten: a tombstone, against late requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl FrontDoor {
    /// The attributes that `Fn::GetAtt` gives.
    pub fn attributes(&self, region: &str, revision: u64) -> Map<String, Value> {
        let invoke_url = Value::String(self.spec.invoke_url(region));
        Map::from_iter([("Revision".to_owned(), revision.into()), ("InvokeUrl".to_owned(), invoke_url)])
    }
}

/// How a front door's settings stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Counts what was asked for.
    pub generation: u64,
    /// `PENDING`, `LIVE` or `REJECTED`.
    pub status: Status,
    /// Why they were rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// A tenant: an account that was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarded {
    /// Who asked for it.
    pub origin: Origin,
    /// What it may do.
    pub grants: Tenant,
    /// The ways in that it was given, as `Fn::GetAtt` names them.
    pub attributes: Map<String, Value>,
    /// The requests that made it what it is.
    pub requests: Requests,
    /// Whether it was shut out: a tombstone, against late requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Onboarded {
    /// Whether an operator means it by this name.
    pub fn is_called(&self, name: &str) -> bool {
        self.origin.name() == name || self.grants.account.as_str() == name
    }
}

/// How a route stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It was claimed and waits to be published.
    #[default]
    Pending,
    /// It is left out until something outside is there, such as its VPC link.
    Waiting,
    /// It is on the live stage as it was asked for.
    Live,
    /// It can't be published as it was asked for.
    Rejected,
    /// It is to be taken off.
    Deleting,
    /// It is off; what is left only keeps a late request from bringing it back.
    Deleted,
}

impl Status {
    /// The status as answers and events show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Waiting => "WAITING",
            Self::Live => "LIVE",
            Self::Rejected => "REJECTED",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
        }
    }
}

/// Why something was refused, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The contract's error type.
    pub error_type: String,
    /// For the reader.
    pub message: String,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self { error_type: error.error_type.to_string(), message: error.message.clone() }
    }
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        Error::new(ErrorType::of(&refusal.error_type), refusal.message.clone())
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its id, which is also its `PhysicalResourceId`.
    pub id: String,
    /// Whose it is.
    pub owner: AccountId,
    /// Who asked for it.
    pub origin: Origin,
    /// What was asked for.
    pub spec: RouteSpec,
    /// Counts what was asked for.
    pub generation: u64,
    /// When its path was claimed, counted in changes to the claims below its first segment.
    pub claimed_at: u64,
    /// How it stands.
    pub status: Status,
    /// Why it stands so, where that needs a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What of it is on the live stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// What of it was live until something outside took it off (a grant, a link, a limit): it comes back with that. Never
    /// beside `live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Live>,
    /// How many searches for what API Gateway refuses have ended, one after the other, without a verdict on it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub searches: u32,
    /// The requests that made it what it is.
    pub requests: Requests,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Route {
    /// What is live of it, and what is to be.
    pub fn in_use(&self) -> impl Iterator<Item = &RouteSpec> {
        let is_wanted = matches!(self.status, Status::Pending | Status::Waiting | Status::Live);
        let live = self.live.as_ref().filter(|_| !matches!(self.status, Status::Deleted | Status::Deleting));
        live.map(|live| &live.spec).into_iter().chain(is_wanted.then_some(&self.spec))
    }

    /// What of it is live, or was until something outside took it off.
    pub fn accepted(&self) -> Option<&RouteSpec> {
        self.live.as_ref().or(self.suspended.as_ref()).map(|live| &live.spec)
    }

    /// The claim on its path.
    pub fn claim(&self) -> Claim {
        Claim {
            owner: self.owner.clone(),
            name: self.origin.name(),
            path: self.spec.path.clone(),
            methods: self.spec.methods.clone(),
            cors: self.spec.cors.clone(),
        }
    }
}

/// What of a route is on the live stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Which generation.
    pub generation: u64,
    /// Since which revision.
    pub revision: u64,
    /// What was asked for then.
    pub spec: RouteSpec,
}

/// An answer that a stack waits for: it hears what became of a generation of a route, or of the front door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// What the stack waits for.
    pub about: Awaited,
    /// The generation.
    pub generation: u64,
    /// When the stack is told how things stand, in seconds since the epoch: before CloudFormation gives up.
    pub answer_by_seconds: u64,
    /// Where and how to answer.
    pub later: Later,
}

/// What a stack waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Awaited {
    /// The front door itself.
    FrontDoor,
    /// A route.
    Route {
        /// Its id.
        id: String,
        /// What its claim is kept under.
        segment: String,
    },
}

impl Waiting {
    /// A front door is answered with what is at its root.
    pub fn segment(&self) -> &str {
        match &self.about {
            Awaited::FrontDoor => RoutePath::ROOT,
            Awaited::Route { segment, .. } => segment,
        }
    }

    /// How its key begins.
    pub fn subject(&self) -> &str {
        match &self.about {
            Awaited::FrontDoor => "front-door",
            Awaited::Route { id, .. } => id,
        }
    }
}

/// What is published of a front door. The publisher's lease stands in the same record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The revision that the live stage shows; 0 before the first.
    pub revision: u64,
    /// The newest revision that was made.
    pub newest: u64,
    /// The deployment that the live stage shows.
    pub deployment_id: String,
    /// The hash of the document that the live revision was made of.
    pub hash: String,
    /// The hash of the front door's settings and the tenants' grants that the live revision was made under.
    #[serde(default)]
    pub door_hash: String,
    /// The generation of the front door's settings that was published last, or rejected.
    #[serde(default)]
    pub door_generation: u64,
    /// Why they were rejected, if they were: what is published has the settings of its revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door_refusal: Option<Refusal>,
    /// Who has put the stage back to an earlier revision: until a `publish` nothing goes live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<String>,
    /// How many resources of the REST API each first segment takes, by account.
    #[serde(default)]
    pub resources: Resources,
    /// `Mode: Merge`: what of the REST API is Foregate's. Written before it is made, and dropped after it is gone.
    #[serde(default, skip_serializing_if = "Owned::is_empty")]
    pub owned: Owned,
    /// The settings of the REST API that came from the base definition: what of them goes from there, goes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub settings: BTreeSet<String>,
    /// Of a shard, its REST API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_api: Option<RestApiId>,
    /// The VPC links that the live revision's routes take, and the ids that the stage's variables have for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<Name, String>,
    /// The ids that the stage's variables are being set to. API Gateway keeps no link because a variable has its id, so these
    /// are in use from before that call until it is known to be done.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub next_links: BTreeSet<String>,
    /// What the REST API had before the import that is under way: written before it, and dropped when API Gateway was seen to
    /// have it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_settings: Option<ApiSettings>,
    /// The hash of the edits by hand that were last told of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub drift: String,
}

impl Publication {
    /// Notes the front door's settings that a run has published, or rejected.
    pub fn settled_with(&mut self, door_hash: String, generation: u64, refusal: Option<Refusal>) {
        (self.door_hash, self.door_generation, self.door_refusal) = (door_hash, generation, refusal);
    }

    /// Whether the stage shows what was live since then: not where it was put back to an earlier revision.
    pub fn shows(&self, live: &Live) -> bool {
        live.revision <= self.revision
    }
}

/// A REST API's own settings that an import in `Mode: Overwrite` resets, and that the platform team has set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiSettings {
    /// Whether its default endpoint is off.
    #[serde(default)]
    pub disable_execute_api_endpoint: bool,
    /// The VPC endpoints that are associated with it.
    #[serde(default)]
    pub vpc_endpoint_ids: BTreeSet<String>,
    /// `ipv4` or `dualstack`.
    #[serde(default)]
    pub ip_address_type: Option<String>,
    /// The least TLS that it takes.
    #[serde(default)]
    pub security_policy: Option<String>,
    /// `BASIC` or `STRICT`.
    #[serde(default)]
    pub endpoint_access_mode: Option<String>,
}

/// A revision that was made of a front door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number, from 1.
    pub number: u64,
    /// The front door.
    pub front_door: Name,
    /// The deployment.
    pub deployment_id: String,
    /// The hash of its document.
    pub hash: String,
    /// When it was made, in seconds since the epoch.
    pub made_at_seconds: u64,
    /// How many routes it has.
    pub routes: usize,
    /// The VPC links that they take.
    #[serde(default)]
    pub links: BTreeSet<Name>,
    /// The front door's settings that it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Box<FrontDoorSpec>>,
    /// What changed against the one before, a line each.
    pub changes: Vec<String>,
    /// What API Gateway warned of when it was imported, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
