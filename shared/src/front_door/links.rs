//! What the registry keeps of a VPC link: `links` writes it, `publisher` leads routes through it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Name;
use super::stage::STAGE_VARIABLE_NAME_MAX;
pub use super::stage::STAGE_VARIABLE_PREFIX;
use crate::custom_resource::Later;
use crate::origin::{Origin, Requests, hash};
use crate::types::LoadBalancerArn;

/// The stage variable that holds the id of the link of this name: no two names have the same one. Its name may have letters,
/// digits and underscores, so an underscore stands for itself when it is doubled, and begins what stands for a dash or a dot.
/// <https://docs.aws.amazon.com/apigateway/latest/api/API_Stage.html>
pub fn stage_variable(link: &Name) -> String {
    let mut variable = STAGE_VARIABLE_PREFIX.to_owned();
    for character in link.as_str().chars() {
        match character {
            '_' => variable.push_str("__"),
            '-' => variable.push_str("_d"),
            '.' => variable.push_str("_p"),
            plain => variable.push(plain),
        }
    }
    if variable.len() > STAGE_VARIABLE_NAME_MAX {
        return format!("{STAGE_VARIABLE_PREFIX}_h{}", &hash(link.as_str())[..40]);
    }
    variable
}

/// Which load balancer a link leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selector {
    /// This one.
    Arn(LoadBalancerArn),
    /// The one of this name.
    Name(String),
    /// The one that a controller has made for a Kubernetes Service.
    KubernetesService {
        /// The cluster's name.
        cluster: String,
        /// The Service's namespace.
        namespace: String,
        /// The Service's name.
        name: String,
    },
}

impl fmt::Display for Selector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => out.write_str(arn.as_str()),
            Self::Name(name) => write!(out, "the load balancer {name}"),
            Self::KubernetesService { cluster, namespace, name } => {
                write!(out, "the load balancer of the Kubernetes Service {namespace}/{name} of the cluster {cluster}")
            }
        }
    }
}

/// A VPC link of API Gateway's that a name leads through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// The load balancer that it leads to.
    pub load_balancer_arn: String,
    /// That one's DNS name.
    pub dns_name: String,
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The load balancer is not there, or not ready.
    Waiting,
    /// API Gateway is making the link.
    Pending,
    /// Routes are led through it.
    Available,
    /// API Gateway could not make it.
    Failed,
    /// It is being deleted.
    Deleting,
    /// It is gone; what is left only keeps a late request from bringing it back.
    Deleted,
}

impl Status {
    /// The status as answers and events show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Pending => "PENDING",
            Self::Available => "AVAILABLE",
            Self::Failed => "FAILED",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
        }
    }
}

/// A load balancer's deletion that AWS has refused, because an endpoint service (a VPC link has one) uses it.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-delete.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// The load balancer.
    pub load_balancer_arn: String,
    /// When it was refused, the last times, in seconds since the epoch.
    pub refused_at_seconds: BTreeSet<u64>,
}

impl Departure {
    /// Whether somebody means it: a controller that deletes a Service's load balancer tries again and again, and one who
    /// was mistaken does not. Once nobody has tried for a while, the load balancer stays.
    pub fn is_meant(&self, now_seconds: u64) -> bool {
        let recent: Vec<u64> =
            self.refused_at_seconds.iter().copied().filter(|at| at + MEANT_SECONDS > now_seconds).collect();
        match (recent.first(), recent.last()) {
            (Some(first), Some(last)) => last - first >= APART_SECONDS,
            _ => false,
        }
    }

    /// Notes another refusal.
    pub fn note(&mut self, at_seconds: u64) {
        self.refused_at_seconds.insert(at_seconds);
        while self.refused_at_seconds.len() > REFUSALS_MAX {
            self.refused_at_seconds.pop_first();
        }
    }
}

/// How long a refusal counts: a controller's longest pause is about a quarter of an hour.
const MEANT_SECONDS: u64 = 1_800;
/// Two tries of one command, the SDK's own retries among them, are one try.
const APART_SECONDS: u64 = 10;
const REFUSALS_MAX: usize = 10;

/// A delayed look at a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recheck {
    /// When it is due, in seconds since the epoch.
    pub due_seconds: u64,
    /// How many there were since the link last changed.
    pub attempt: u32,
}

/// A VPC link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What routes call it.
    pub name: Name,
    /// Who asked for it.
    pub origin: Origin,
    /// Which load balancer it is to lead to.
    pub selector: Selector,
    /// How it stands.
    pub status: Status,
    /// Why it stands so, where that needs a word.
    #[serde(default)]
    pub reason: String,
    /// What routes are led through.
    #[serde(default)]
    pub current: Option<Held>,
    /// What is being made to take its place.
    #[serde(default)]
    pub next: Option<String>,
    /// What was replaced, and goes when nothing uses it.
    #[serde(default)]
    pub retiring: BTreeSet<String>,
    /// The load balancer that somebody wants to delete and can't, because the link holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<Departure>,
    /// The delayed look that was last sent for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Recheck>,
    /// The requests that made it what it is.
    #[serde(default)]
    pub requests: Requests,
    /// Whether it is to go.
    #[serde(default)]
    pub deleted: bool,
}

impl Link {
    /// The ids of all links that this one may still need.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.current.iter().map(|held| &held.id).chain(&self.next)
    }
}

/// An answer that a stack waits for: it hears when the link has settled, or when there is no time left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The link.
    pub name: Name,
    /// When it is told how the link stands, whatever that is; in seconds since the epoch.
    pub until_seconds: u64,
    /// Whether it waits for the link to be gone.
    pub is_delete: bool,
    /// Tells the request from others.
    pub fingerprint: String,
    /// Where and how to answer.
    pub later: Later,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_has_a_stage_variable_of_its_own_that_api_gateway_takes() {
        let long = format!("{}-a", "x".repeat(100));
        let other = format!("{}-b", "x".repeat(100));
        let names = [
            "gate",
            "private-apis",
            "private_apis",
            "private.apis",
            "a_d",
            "a-",
            "a_-",
            "a__d",
            "A_D",
            "h",
            &long,
            &other,
        ];
        let variables: BTreeSet<String> = names.iter().map(|name| stage_variable(&name.parse().unwrap())).collect();
        assert_eq!(variables.len(), names.len(), "{variables:?}");
        for variable in &variables {
            assert!(variable.len() <= STAGE_VARIABLE_NAME_MAX, "{variable}");
            assert!(variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{variable}");
        }
        assert_eq!(stage_variable(&"private-apis".parse().unwrap()), "link_private_dapis");
    }

    #[test]
    fn a_deletion_is_meant_when_it_is_tried_again_and_for_a_while() {
        for (refused_at_seconds, now, expected) in [
            (&[1_000][..], 1_001, false),
            (&[1_000, 1_003], 1_004, false),
            (&[1_000, 1_030], 1_031, true),
            (&[1_000, 1_030], 2_829, false),
            (&[1_000, 1_030, 2_800], 2_829, true),
            (&[], 1_000, false),
        ] {
            let refused_at_seconds = refused_at_seconds.iter().copied().collect();
            let departure = Departure { load_balancer_arn: "arn".into(), refused_at_seconds };
            assert_eq!(departure.is_meant(now), expected, "{departure:?} at {now}");
        }
    }
}
