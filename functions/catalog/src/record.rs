//! What the catalogue remembers: APIs, the places that they are in, what is to be discovered, subscriptions. Plain values
//! without behaviour of AWS's in them; [`crate::plan`] and [`crate::posture`] decide over them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use shared::openapi::{Auth, Method};
use shared::origin::{Origin, Requests};
use shared::types::{AccountId, Malformed, Region, RestApiId, partition_of};

use crate::spec::DiscoverySpec;

/// An account and a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.account, self.region)
    }
}

/// Which API: `ACCOUNT/REGION/REST-API-ID`, as commands, events and the registry have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiKey {
    /// Where it is.
    pub place: Place,
    /// Its id there.
    pub id: RestApiId,
}

impl fmt::Display for ApiKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.place, self.id)
    }
}

impl FromStr for ApiKey {
    type Err = Malformed;
    fn from_str(given: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(given, "an API such as 111122223333/eu-west-1/a1b2c3d4e5");
        let parts: Vec<&str> = given.split('/').collect();
        let [account, region, id] = parts[..] else { return Err(malformed()) };
        let place = Place {
            account: account.parse().map_err(|_| malformed())?,
            region: region.parse().map_err(|_| malformed())?,
        };
        Ok(Self { place, id: id.parse().map_err(|_| malformed())? })
    }
}

impl TryFrom<String> for ApiKey {
    type Error = Malformed;
    fn try_from(given: String) -> Result<Self, Malformed> {
        given.parse()
    }
}

impl From<ApiKey> for String {
    fn from(key: ApiKey) -> Self {
        key.to_string()
    }
}

/// Where an entry of the catalogue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It is there.
    #[default]
    Active,
    /// The last scan did not see it.
    Missing,
    /// It was removed.
    Gone,
}

impl Status {
    /// As it stands in answers and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Missing => "MISSING",
            Self::Gone => "GONE",
        }
    }
}

/// A stage of an API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// The deployment that it shows.
    pub deployment_id: String,
    /// The hash of what it shows; empty where it could not be exported.
    pub document_hash: String,
    /// Why API Gateway refuses to export this deployment: some APIs can't be written as OpenAPI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Its methods. Packed: a stage may have thousands, and DynamoDB takes an item of 400 KB.
    #[serde(with = "crate::packed")]
    pub methods: Vec<Method>,
    /// Whether requests are logged one by one.
    pub has_access_log: bool,
    /// Whether errors are logged for every method.
    pub has_execution_log: bool,
    /// Whether every method has a throttle of its own, besides the account's.
    pub has_throttle: bool,
    /// The names of its variables that look as if they held a secret. Values are kept nowhere.
    pub secret_variables: BTreeSet<String>,
}

/// A usage plan that a stage is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlanOnStage {
    /// The usage plan.
    pub plan_id: String,
    /// Its name.
    pub plan_name: String,
    /// The stage of the API.
    pub stage: String,
}

/// What an API's owner has written to it, kept over every scan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Who owns it: a team, a mail address.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: BTreeSet<String>,
    /// Where more is told, by title.
    pub links: BTreeMap<String, String>,
    /// The rules of posture that are not to be told any more, and why.
    pub mutes: BTreeMap<String, String>,
}

/// How bad a finding is, in the words of AWS's Security Finding Format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Nothing to do.
    Informational,
    /// Not urgent.
    Low,
    /// To be dealt with, not urgently.
    Medium,
    /// To be dealt with first.
    High,
    /// At once.
    Critical,
}

/// Something about an API that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule says so, as `private-api-open-to-any-endpoint`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What of the API it is about: a stage, a method, as `prod GET /cats`; empty for all of it.
    pub subject: String,
    /// What is so.
    pub what: String,
}

/// An API of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// Which one it is.
    pub key: ApiKey,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// `REGIONAL`, `PRIVATE` or `EDGE`.
    pub endpoint_types: Vec<String>,
    /// Its resource policy.
    pub policy: Option<Value>,
    /// The least TLS that it takes, as API Gateway calls it (`TLS_1_2`), where API Gateway says so.
    pub security_policy: Option<String>,
    /// Its tags in AWS.
    pub tags: BTreeMap<String, String>,
    /// Its stages by name.
    pub stages: BTreeMap<String, Stage>,
    /// The usage plans that its stages are in.
    pub plans: BTreeSet<PlanOnStage>,
    /// Where it stands.
    pub status: Status,
    /// How many complete scans in a row did not see it.
    pub missed_scans: u32,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// What its owner has written. It has a record of its own, so that no scan writes over it.
    #[serde(skip_serializing, default)]
    pub notes: Notes,
    /// When it came into the catalogue, in seconds since the epoch.
    pub since_seconds: u64,
    /// When something about it last changed, in seconds since the epoch.
    pub changed_seconds: u64,
}

impl Api {
    /// A hash of all that clients meet: what every stage shows.
    pub fn content_hash(&self) -> String {
        let shown: Vec<(&String, &String)> =
            self.stages.iter().map(|(name, stage)| (name, &stage.document_hash)).collect();
        shared::origin::hash(&serde_json::to_string(&shown).unwrap_or_default())
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        let ApiKey { place, id } = &self.key;
        format!("arn:{}:apigateway:{}::/restapis/{id}", partition_of(place.region.as_str()), place.region)
    }
}

/// A usage plan, as the last scan of its place saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The API's id and the stage of each that it is for.
    pub stages: BTreeSet<(String, String)>,
    /// Whether it has a throttle.
    pub has_throttle: bool,
}

/// How a look at a place went: what was asked, what was seen, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Completeness {
    /// Whether everything was seen.
    pub complete: bool,
    /// When it began, in seconds since the epoch.
    pub started_seconds: u64,
    /// When it ended, in seconds since the epoch; 0 while it is under way.
    pub finished_seconds: u64,
    /// How many APIs there are.
    pub apis: usize,
    /// How many of them the catalogue has: those in a usage plan, unless all are asked for.
    pub catalogued: usize,
    /// How many stages they have.
    pub stages: usize,
    /// How many exports were fetched.
    pub exports: usize,
    /// How many calls API Gateway was asked.
    pub calls: usize,
    /// Whether so many were missing that none was taken for removed.
    pub removals_held: bool,
    /// What could not be seen, and why.
    pub failures: Vec<String>,
}

/// How far a scan has come that did not end within one invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last API that was looked at, in the order of their ids.
    pub after: String,
    /// What was seen up to there.
    pub so_far: Completeness,
}

/// What is known of a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scanned {
    /// How the last whole scan went.
    pub last: Option<Completeness>,
    /// A scan that is to be gone on with.
    pub cursor: Option<Cursor>,
    /// The usage plans there.
    pub plans: BTreeSet<Plan>,
}

/// An API key of a subscription. Its value is kept nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its name in API Gateway, by which it is found again.
    pub name: String,
    /// The word about rotation with which it was asked for: another word is another key.
    pub rotation: Option<String>,
    /// Its id, once it is made.
    pub id: Option<String>,
    /// Whether it is on the usage plan.
    pub is_attached: bool,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// Whether somebody was given its value.
    pub is_given: bool,
    /// When it goes, having been rotated out, in seconds since the epoch.
    pub retires_at_seconds: Option<u64>,
}

/// A usage plan, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAt {
    /// Where it is.
    pub place: Place,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// How a subscription stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Subscribed {
    /// Something is to be done yet.
    #[default]
    Pending,
    /// Its key works.
    Active,
    /// Its owner has paused it.
    Paused,
    /// Its usage plan is for no stage any more.
    Suspended,
    /// Its time is over.
    Expired,
    /// It was given up.
    Revoked,
}

impl Subscribed {
    /// As it stands in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Paused => "PAUSED",
            Self::Suspended => "SUSPENDED",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }
}

/// A consumer's subscription to a usage plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Who asked for it.
    pub origin: Origin,
    /// From which account.
    pub account: AccountId,
    /// Who uses it.
    pub consumer: String,
    /// The usage plan.
    pub plan: PlanAt,
    /// The role that may write there, and its external id.
    pub external_id: Option<String>,
    /// How it stands.
    pub status: Subscribed,
    /// Whether its owner wants it paused.
    pub is_paused: bool,
    /// Whether its usage plan is for no stage.
    pub is_detached: bool,
    /// Whether it is to go.
    pub is_revoked: bool,
    /// When it ends, in seconds since the epoch.
    pub expires_at_seconds: Option<u64>,
    /// Its keys, the newest last.
    pub keys: Vec<Key>,
    /// How many keys it has had.
    pub generation: u32,
    /// What was asked about it.
    pub requests: Requests,
}

/// What is to be discovered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discovery {
    /// Its id.
    pub id: String,
    /// Who asked for it.
    pub origin: Origin,
    /// What was asked for.
    pub spec: DiscoverySpec,
    /// The accounts of the organizational unit, as it was last read.
    pub accounts: BTreeSet<AccountId>,
    /// Those of them that its list does not have, each with how many lists in a row did not have it.
    #[serde(default)]
    pub missed: BTreeMap<AccountId, u32>,
    /// What was asked about it.
    pub requests: Requests,
    /// Whether it is to go on.
    pub deleted: bool,
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A subscription without keys, for tests.
    pub fn subscription() -> Subscription {
        let place = Place { account: "111122223333".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        Subscription {
            id: "subscription-1".into(),
            origin: Origin::Command { name: "pets".into() },
            account: place.account.clone(),
            consumer: "shop".into(),
            plan: PlanAt { place, id: "p1".into(), name: "basic".into() },
            external_id: None,
            status: Subscribed::Pending,
            is_paused: false,
            is_detached: false,
            is_revoked: false,
            expires_at_seconds: None,
            keys: Vec::new(),
            generation: 0,
            requests: Requests::default(),
        }
    }

    #[test]
    fn an_api_is_named_by_account_region_and_id() {
        let key: ApiKey = "111122223333/eu-west-1/a1b2c3d4e5".parse().unwrap();
        assert_eq!(key.to_string(), "111122223333/eu-west-1/a1b2c3d4e5");
        for wrong in ["", "a1b2c3d4e5", "111122223333/eu-west-1", "1/eu-west-1/a1", "111122223333/eu-west-1/a1/b2"] {
            assert!(wrong.parse::<ApiKey>().is_err(), "{wrong}");
        }
    }
}
