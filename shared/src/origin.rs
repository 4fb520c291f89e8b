//! Who asked for something, and which of their requests was the latest: a resource of a stack, a command, Terraform.
//! Requests come twice, late and out of order.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// Who asked for something. Two requests of one origin are about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A resource of a stack.
    Stack {
        /// The stack's ARN.
        stack_id: String,
        /// The resource in it.
        logical_resource_id: String,
    },
    /// A command or an event; the name is the sender's.
    Command {
        /// The name.
        name: String,
    },
    /// A resource of Terraform's.
    Terraform {
        /// Its `name`, or what it is about where it has none.
        name: String,
    },
}

impl Origin {
    /// What the ids of all that this origin has asked for begin with: `KIND-HASH-`.
    pub fn id_prefix(&self, kind: &str) -> String {
        let origin = match self {
            Self::Stack { stack_id, logical_resource_id } => format!("stack\n{stack_id}\n{logical_resource_id}"),
            Self::Command { name } => format!("command\n{name}"),
            Self::Terraform { name } => format!("terraform\n{name}"),
        };
        format!("{kind}-{}-", &hash(&origin)[..20])
    }

    /// The id of what this origin has asked for, of that which must not change while it lives.
    pub fn id(&self, kind: &str, identity: &str) -> String {
        format!("{}{}", self.id_prefix(kind), &hash(identity)[..12])
    }

    /// Refuses to change from outside what a stack has asked for: the stack would not know of it.
    pub fn check_not_a_stacks(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Stack { stack_id, logical_resource_id } => Err(Error::conflict(format!(
                "{name} belongs to the resource {logical_resource_id} of the stack {stack_id}: remove it there"
            ))),
            Self::Command { .. } | Self::Terraform { .. } => Ok(()),
        }
    }

    /// The name that `list` shows: the sender's own, or `STACK/LOGICAL-ID`.
    pub fn name(&self) -> String {
        match self {
            Self::Stack { stack_id, logical_resource_id } => {
                let stack = stack_id.split('/').nth(1).unwrap_or(stack_id);
                format!("{stack}/{logical_resource_id}")
            }
            Self::Command { name } | Self::Terraform { name } => name.clone(),
        }
    }
}

/// SHA-256, in hexadecimal digits.
pub fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One request: what tells it from others, so that a late one can't undo a later one.
#[derive(Clone, Debug, Default)]
pub struct Stamp {
    /// Tells the request from others.
    pub fingerprint: String,
    /// When it was signed, where that is known.
    pub signed_at_seconds: Option<u64>,
}

/// The requests that a thing has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// When the newest was signed, in seconds since the epoch, where its URL says so.
    pub newest_seconds: Option<u64>,
    /// The newest ones' fingerprints, oldest first.
    pub fingerprints: Vec<String>,
}

/// Lambda repeats a request twice and CloudFormation has one operation per resource under way: this many is plenty.
const FINGERPRINTS_MAX: usize = 16;

impl Requests {
    /// Whether a request was overtaken by one that was made after it: by the dates, or, where a date is missing,
    /// because it was seen before another one came. (AWS reuses a request's id when a deployment is retried, so that
    /// having been seen says little where the dates say more.)
    pub fn supersede(&self, stamp: &Stamp) -> bool {
        if let (Some(this), Some(newest)) = (stamp.signed_at_seconds, self.newest_seconds) {
            return this < newest;
        }
        let seen = self.fingerprints.iter().rposition(|seen| *seen == stamp.fingerprint);
        seen.is_some_and(|position| position + 1 < self.fingerprints.len())
    }

    /// Notes a request as the newest.
    pub fn note(&mut self, stamp: Stamp) {
        self.newest_seconds = self.newest_seconds.max(stamp.signed_at_seconds);
        if self.fingerprints.last() != Some(&stamp.fingerprint) {
            self.fingerprints.push(stamp.fingerprint);
        }
        let surplus = self.fingerprints.len().saturating_sub(FINGERPRINTS_MAX);
        self.fingerprints.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_changes_with_what_it_is_about_and_with_who_asks() {
        let origin = Origin::Command { name: "pets".into() };
        assert_eq!(origin.id("binding", "arn:1"), origin.id("binding", "arn:1"));
        assert_ne!(origin.id("binding", "arn:1"), origin.id("binding", "arn:2"));
        assert!(origin.id("binding", "arn:1").starts_with(&origin.id_prefix("binding")));
        assert_ne!(origin.id_prefix("binding"), Origin::Terraform { name: "pets".into() }.id_prefix("binding"));
    }

    #[test]
    fn a_late_request_is_recognised_by_its_date_or_by_having_been_overtaken() {
        let stamp = |fingerprint: &str, signed_at_seconds| Stamp { fingerprint: fingerprint.into(), signed_at_seconds };
        let mut requests = Requests::default();
        requests.note(stamp("create", Some(100)));
        assert!(!requests.supersede(&stamp("create", Some(100))), "a repeated request is not a late one");
        requests.note(stamp("delete", Some(200)));
        assert!(requests.supersede(&stamp("create", Some(100))));
        assert!(requests.supersede(&stamp("create", None)), "without a date, its fingerprint gives it away");
        assert!(requests.supersede(&stamp("update", Some(150))), "never seen, but signed before the delete");
        assert!(!requests.supersede(&stamp("create", Some(300))), "the same again, made later, is a new request");
        for n in 0..100 {
            requests.note(stamp(&n.to_string(), None));
        }
        assert_eq!(requests.fingerprints.len(), FINGERPRINTS_MAX);
    }
}
