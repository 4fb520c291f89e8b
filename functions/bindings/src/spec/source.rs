//! Where a binding's addresses or nodes come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Error;
use shared::fields::exactly_one;
use shared::types::{HostName, LoadBalancerArn, VpcEndpointId};

use crate::nodes::{NodeSelector, TagValues};

/// Where a binding's addresses or nodes come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The private addresses of an interface endpoint's network interfaces.
    VpcEndpoint(VpcEndpointId),
    /// Instances: a cluster's nodes, an Auto Scaling group's, or those with certain tags.
    Nodes(NodeSelector),
    /// The private addresses of a load balancer's network interfaces.
    LoadBalancer(LoadBalancerArn),
    /// The A records of a host name.
    Dns(HostName),
}

/// The kinds of sources, by which the registry's index has bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// [`Source::VpcEndpoint`].
    VpcEndpoint,
    /// [`Source::Nodes`].
    Nodes,
    /// [`Source::LoadBalancer`].
    LoadBalancer,
    /// [`Source::Dns`].
    Dns,
}

impl SourceKind {
    /// The kind as the spec and the index have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VpcEndpoint => "VpcEndpoint",
            Self::Nodes => "Nodes",
            Self::LoadBalancer => "LoadBalancer",
            Self::Dns => "Dns",
        }
    }
}

impl Source {
    /// Its kind.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::VpcEndpoint(_) => SourceKind::VpcEndpoint,
            Self::Nodes(_) => SourceKind::Nodes,
            Self::LoadBalancer(_) => SourceKind::LoadBalancer,
            Self::Dns(_) => SourceKind::Dns,
        }
    }

    /// The kind and id that the registry's index has the binding under.
    pub fn index(&self) -> (SourceKind, String) {
        let id = match self {
            Self::VpcEndpoint(id) => id.to_string(),
            Self::Nodes(selector) => selector.label().to_owned(),
            Self::LoadBalancer(arn) => arn.name_and_id().to_owned(),
            Self::Dns(host) => host.to_string(),
        };
        (self.kind(), id)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VpcEndpoint(id) => write!(out, "VPC endpoint {id}"),
            Self::Nodes(selector) => write!(out, "nodes of {}", selector.label()),
            Self::LoadBalancer(arn) => write!(out, "load balancer {}", arn.name_and_id()),
            Self::Dns(host) => write!(out, "name {host}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct WrittenSource {
    vpc_endpoint: Option<WrittenVpcEndpoint>,
    nodes: Option<WrittenNodes>,
    load_balancer: Option<WrittenLoadBalancer>,
    dns: Option<WrittenDns>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenVpcEndpoint {
    vpc_endpoint_id: VpcEndpointId,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenNodes {
    cluster_name: Option<String>,
    nodegroup_names: Option<Strings>,
    auto_scaling_group_names: Option<Strings>,
    tags: Option<BTreeMap<String, Strings>>,
    exclude_tags: Option<BTreeMap<String, Strings>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenLoadBalancer {
    load_balancer_arn: LoadBalancerArn,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenDns {
    #[serde(deserialize_with = "host_name")]
    host_name: HostName,
}

/// Names are the same in either case and with or without the root's dot.
fn host_name<'de, D: Deserializer<'de>>(input: D) -> Result<HostName, D::Error> {
    let text = String::deserialize(input)?.to_ascii_lowercase();
    text.strip_suffix('.').unwrap_or(&text).parse().map_err(D::Error::custom)
}

/// One string or several.
struct Strings(Vec<String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let given = match Value::deserialize(input)? {
            Value::Array(values) => values,
            value => vec![value],
        };
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            other => Err(D::Error::custom(format!("{other} is not a tag's value"))),
        };
        given.into_iter().map(text).collect::<Result<_, _>>().map(Self)
    }
}

enum Given {
    VpcEndpoint(WrittenVpcEndpoint),
    Nodes(WrittenNodes),
    LoadBalancer(WrittenLoadBalancer),
    Dns(WrittenDns),
}

impl WrittenSource {
    pub(super) fn check(self) -> Result<Source, Error> {
        let given = exactly_one(
            "Source",
            vec![
                ("VpcEndpoint", self.vpc_endpoint.map(Given::VpcEndpoint)),
                ("Nodes", self.nodes.map(Given::Nodes)),
                ("LoadBalancer", self.load_balancer.map(Given::LoadBalancer)),
                ("Dns", self.dns.map(Given::Dns)),
            ],
        )?;
        match given.1 {
            Given::VpcEndpoint(endpoint) => Ok(Source::VpcEndpoint(endpoint.vpc_endpoint_id)),
            Given::Nodes(nodes) => nodes.check().map(Source::Nodes),
            Given::LoadBalancer(balancer) => Ok(Source::LoadBalancer(balancer.load_balancer_arn)),
            Given::Dns(dns) => Ok(Source::Dns(dns.host_name)),
        }
    }
}

/// As many values as EC2 takes in one filter.
const VALUES_MAX: usize = 200;
/// EC2's longest tag keys and values, in characters.
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

impl WrittenNodes {
    fn check(self) -> Result<NodeSelector, Error> {
        if let Some(cluster) = self.cluster_name.as_deref().filter(|name| !is_cluster_name(name)) {
            return Err(Error::invalid(format!(
                "Source.Nodes.ClusterName: '{}' is not a cluster's name of 1 to 100 letters, digits, dashes and \
                 underscores",
                cluster.chars().take(120).collect::<String>()
            )));
        }
        let selector = NodeSelector {
            cluster: self.cluster_name,
            nodegroups: names("NodegroupNames", self.nodegroup_names)?,
            scaling_groups: names("AutoScalingGroupNames", self.auto_scaling_group_names)?,
            tags: tags("Tags", self.tags)?,
            exclude_tags: tags("ExcludeTags", self.exclude_tags)?,
        };
        match selector.filters().is_empty() {
            false => Ok(selector),
            true => Err(Error::invalid(
                "Source.Nodes: say which nodes: give ClusterName, NodegroupNames, AutoScalingGroupNames or Tags",
            )),
        }
    }
}

/// As EKS takes it.
/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>
fn is_cluster_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn names(field: &str, given: Option<Strings>) -> Result<BTreeSet<String>, Error> {
    let Some(Strings(given)) = given else {
        return Ok(BTreeSet::new());
    };
    let wrong = given.iter().any(|name| name.is_empty() || name.chars().count() > VALUE_CHARS_MAX);
    match wrong || !(1..=VALUES_MAX).contains(&given.len()) {
        true => Err(Error::invalid(format!("Source.Nodes.{field}: give one name or several, or leave the field out"))),
        false => Ok(given.into_iter().collect()),
    }
}

fn tags(field: &str, given: Option<BTreeMap<String, Strings>>) -> Result<BTreeMap<String, TagValues>, Error> {
    let check = |(key, Strings(values)): (String, Strings)| {
        let long = values.iter().any(|value| value.chars().count() > VALUE_CHARS_MAX);
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || long || !(1..=VALUES_MAX).contains(&values.len()) {
            let key: String = key.chars().take(KEY_CHARS_MAX).collect();
            return Err(Error::invalid(format!(
                "Source.Nodes.{field}.{key}: give a tag's key of at most {KEY_CHARS_MAX} characters and one value or \
                 several, '*' for any"
            )));
        }
        Ok((key, TagValues(values.into_iter().collect())))
    };
    given.unwrap_or_default().into_iter().map(check).collect()
}
