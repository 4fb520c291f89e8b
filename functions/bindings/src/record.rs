//! What `bindings` remembers: the binding as it was asked for, and, for each sink, who owns what of it.
//!
//! The ledger is kept by sink and not by binding, so that two bindings on one sink know of each other: what another
//! binding wants too is handed over instead of removed, and both are worked on under one lease.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use shared::aws::ItemKey;
use shared::origin::{Origin, Requests};
use shared::registry::{self, Record};
use shared::types::{InstanceId, InterfaceId, Malformed, Port};

use crate::entry::Entry;
use crate::spec::BindingSpec;

/// A binding's id, which is also its `PhysicalResourceId`: `binding-ORIGIN-SINK`, each part a hash.
pub type BindingId = String;

/// What the ids of bindings begin with.
pub const KIND: &str = "binding";

/// How a binding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It was written down and not worked on yet.
    Pending,
    /// The sink is what the source says.
    Synced,
    /// Changes are under way: a removal waits for its replacement, or the source is not done changing.
    Waiting,
    /// A removal is held back because it would be dangerous.
    Blocked,
    /// AWS refuses something that only its owner can mend.
    Failed,
    /// It is to go, and waits until what replaces its targets is healthy.
    Retiring,
    /// It is gone; what is left only keeps a late request from bringing it back.
    Deleted,
}

impl Status {
    /// The status as answers and events show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Synced => "SYNCED",
            Self::Waiting => "WAITING",
            Self::Blocked => "BLOCKED",
            Self::Failed => "FAILED",
            Self::Retiring => "RETIRING",
            Self::Deleted => "DELETED",
        }
    }
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its id.
    pub id: BindingId,
    /// Who asked for it.
    pub origin: Origin,
    /// What was asked for.
    pub spec: BindingSpec,
    /// What can't change about the sink, read when the binding was made.
    pub sink: SinkFacts,
    /// How it stands.
    pub status: Status,
    /// Why it stands so, for the reader; empty when all is well.
    pub reason: String,
    /// The addresses or instances that the source had when it was last looked at.
    pub addresses: Vec<String>,
    /// How often in a row a name server has left out an address that it gave before.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub misses: BTreeMap<Ipv4Addr, u32>,
    /// The source's interfaces then: an event that names only an interface finds its binding by them.
    pub interfaces: BTreeSet<InterfaceId>,
    /// The requests that made it what it is, so that a late one can't undo a later one.
    pub requests: Requests,
}

impl Binding {
    /// Where the registry has it.
    pub fn key(&self) -> ItemKey {
        registry::binding_key(&self.id)
    }

    /// A record of it, findable by its source.
    pub fn into_record(self, version: u64) -> Record<Self> {
        let (kind, id) = self.spec.source.index();
        let source = Some(registry::source_key(kind.as_str(), &id));
        Record { key: self.key(), version, source, expires_at_seconds: None, value: self }
    }

    /// The sink that it works on, as the ledger's key.
    pub fn ledger_key(&self) -> ItemKey {
        registry::sink_key(self.spec.sink.resource())
    }
}

/// What can't change about a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkFacts {
    /// What it takes.
    pub takes: Takes,
    /// The port that targets are registered with: the spec's or the group's. A security group has none.
    pub port: Option<Port>,
    /// The VPC of its targets; empty for a security group, which takes addresses of anywhere.
    pub vpc_id: String,
}

/// What a sink takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Takes {
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Instance ids.
    Instances,
}

/// Who owns what of a sink, and when it is to be looked at again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// How many rounds of changes there have been.
    pub rounds: u64,
    /// What Foregate added, each with the bindings that want it.
    pub claims: BTreeMap<Entry, BTreeMap<BindingId, Claim>>,
    /// The delayed re-checks that are under way, by binding.
    pub rechecks: BTreeMap<BindingId, Recheck>,
}

/// When something happened to a sink. What happened first is told by the round: two rounds can fall into one second.
///
/// Written as `ROUND@SECONDS`: the ledger of a large sink has to fit into one item of DynamoDB, 400 KB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment {
    /// The round of changes to the sink's claims, counted from 1.
    pub round: u64,
    /// The time, in seconds since the epoch.
    pub seconds: u64,
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        format!("{}@{}", moment.round, moment.seconds)
    }
}

impl TryFrom<String> for Moment {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        let parts =
            text.split_once('@').and_then(|(round, seconds)| Some((round.parse().ok()?, seconds.parse().ok()?)));
        let (round, seconds) = parts.ok_or_else(|| Malformed::new(&text, "a round and a time such as 3@1700000000"))?;
        Ok(Self { round, seconds })
    }
}

/// A binding's claim on an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// When it was made.
    pub since: Moment,
    /// Since when the source has been without it, while the removal waits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unwanted_since: Option<Moment>,
    /// Whether it has already replaced an entry that was removed.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub replaced_one: bool,
    /// The node whose address it is: EC2 forgets a terminated instance's address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<InstanceId>,
}

/// A delayed re-check of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recheck {
    /// When it is due, in seconds since the epoch.
    pub due_seconds: u64,
    /// How many there have been since the binding last stood still.
    pub attempt: u32,
}

impl Ledger {
    /// The round that comes next.
    pub fn next_round(&self, now_seconds: u64) -> Moment {
        Moment { round: self.rounds + 1, seconds: now_seconds }
    }

    /// The claims of one binding.
    pub fn of(&self, binding: &str) -> BTreeMap<Entry, Claim> {
        let mine = self.claims.iter().filter_map(|(entry, owners)| Some((entry.clone(), owners.get(binding)?.clone())));
        mine.collect()
    }

    /// What any other binding has a claim on.
    pub fn of_others(&self, binding: &str) -> BTreeSet<Entry> {
        let others = self.claims.iter().filter(|(_, owners)| owners.keys().any(|owner| owner != binding));
        others.map(|(entry, _)| entry.clone()).collect()
    }

    /// Writes down a binding's claim, over an earlier one.
    pub fn claim(&mut self, binding: &str, entry: &Entry, claim: Claim) {
        self.claims.entry(entry.clone()).or_default().insert(binding.to_owned(), claim);
    }

    /// Drops a binding's claim.
    pub fn release(&mut self, binding: &str, entry: &Entry) {
        if let Some(owners) = self.claims.get_mut(entry) {
            owners.remove(binding);
            if owners.is_empty() {
                self.claims.remove(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_as_many_owners_as_bindings_that_want_it() {
        let target: Entry = "10.0.0.1:443".parse().unwrap();
        let since = Moment { round: 1, seconds: 1 };
        let claim = Claim { since, unwanted_since: None, replaced_one: false, node: None };
        let mut ledger = Ledger::default();
        ledger.claim("a", &target, claim.clone());
        ledger.claim("b", &target, claim);
        assert!(ledger.of_others("a").contains(&target));
        ledger.release("b", &target);
        assert!(ledger.of_others("a").is_empty() && ledger.of("a").len() == 1);
        ledger.release("a", &target);
        assert!(ledger.claims.is_empty());
    }

    #[test]
    fn the_ledger_of_the_largest_sink_fits_into_one_item() {
        let mut ledger = Ledger { rounds: 1_000, ..Ledger::default() };
        let binding = Origin::Command { name: "pets".into() }.id(KIND, "sink");
        for n in 0..3_000_u32 {
            let since = Moment { round: 1_000, seconds: 1_800_000_000 };
            let node = "i-0a1b2c3d4e5f67890".parse().ok();
            let entry = Entry::Grant(Ipv4Addr::from(0x0aff_0000 + n), "tcp:30000-32767".parse().unwrap());
            ledger.claim(&binding, &entry, Claim { since, unwanted_since: None, replaced_one: false, node });
        }
        let bytes = serde_json::to_string(&ledger).unwrap().len();
        assert!(bytes < 400 * 1_024, "{bytes}");
        assert_eq!(serde_json::from_value::<Ledger>(serde_json::to_value(&ledger).unwrap()).unwrap(), ledger);
    }
}
