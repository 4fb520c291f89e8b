//! Nodes: which instances a `Source.Nodes` is about, and how each stands. Pure.
//!
//! How a node stands is told by EC2 and Auto Scaling together, and by what AWS has announced of it, since neither alone
//! knows: an instance that Auto Scaling terminates runs until its lifecycle hook is completed, and one that spot is about
//! to take looks like any other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shared::aws::{Instance, InstanceState, TagFilter};

/// Which instances are nodes of a source. All conditions must hold; at least one is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSelector {
    /// The cluster's name.
    pub cluster: Option<String>,
    /// EKS node groups; any of them.
    pub nodegroups: BTreeSet<String>,
    /// Auto Scaling groups; any of them.
    pub scaling_groups: BTreeSet<String>,
    /// Tags; all of them.
    pub tags: BTreeMap<String, TagValues>,
    /// Tags of nodes that are left out; any of them.
    pub exclude_tags: BTreeMap<String, TagValues>,
}

/// The values of a tag that will do; `*` is any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagValues(pub BTreeSet<String>);

impl TagValues {
    fn is_any(&self) -> bool {
        self.0.contains("*")
    }

    fn matches(&self, value: &str) -> bool {
        self.is_any() || self.0.contains(value)
    }
}

/// The tag that Auto Scaling gives its instances.
const SCALING_GROUP_TAG: &str = "aws:autoscaling:groupName";
/// The tags that name a node's cluster: EKS's of managed nodes, and EKS Auto Mode's and Karpenter's.
const CLUSTER_TAGS: [&str; 2] = ["eks:cluster-name", "eks:eks-cluster-name"];
/// The tags that name a node's group: EKS's, and eksctl's of self-managed ones.
const NODEGROUP_TAGS: [&str; 2] = ["eks:nodegroup-name", "alpha.eksctl.io/nodegroup-name"];

/// Kubernetes' labels and taints of nodes that take no traffic, or are about to go. From EC2 only tags of the same names
/// are visible; like the labels, they count whatever their values are.
/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-exclude-from-external-load-balancers>
pub const EXCLUSION_TAGS: [&str; 4] = [
    "node.kubernetes.io/exclude-from-external-load-balancers",
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
];

fn cluster_tag(cluster: &str) -> String {
    format!("kubernetes.io/cluster/{cluster}")
}

impl NodeSelector {
    /// What tells the source from others, for people and for the registry's index.
    pub fn label(&self) -> &str {
        let names = [self.cluster.as_ref(), self.nodegroups.first(), self.scaling_groups.first()];
        names.into_iter().flatten().chain(self.tags.keys()).next().map_or("", String::as_str)
    }

    /// The filters that EC2 narrows its answer by. EC2 can't say "this tag or that one with this value", so that what it
    /// answers is more than [`Self::selects`] lets through.
    pub fn filters(&self) -> Vec<TagFilter> {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let mut filters = Vec::new();
        if let Some(cluster) = &self.cluster {
            filters.push(TagFilter::AnyKey([vec![cluster_tag(cluster)], owned(&CLUSTER_TAGS)].concat()));
        }
        if !self.nodegroups.is_empty() {
            filters.push(TagFilter::AnyKey(owned(&NODEGROUP_TAGS)));
        }
        if !self.scaling_groups.is_empty() {
            let names = self.scaling_groups.iter().cloned().collect();
            filters.push(TagFilter::Values(SCALING_GROUP_TAG.into(), names));
        }
        filters.extend(self.tags.iter().map(|(key, values)| match values.is_any() {
            true => TagFilter::AnyKey(vec![key.clone()]),
            false => TagFilter::Values(key.clone(), values.0.iter().cloned().collect()),
        }));
        filters
    }

    /// Whether an instance with these tags is a node of the source, be it one that is left out or not.
    pub fn selects(&self, tags: &BTreeMap<String, String>) -> bool {
        let value_of = |keys: &[&str], wanted: &dyn Fn(&str) -> bool| {
            keys.iter().any(|key| tags.get(*key).is_some_and(|value| wanted(value)))
        };
        let in_cluster = self.cluster.as_ref().is_none_or(|cluster| {
            tags.contains_key(&cluster_tag(cluster)) || value_of(&CLUSTER_TAGS, &|value| value == cluster)
        });
        let in_nodegroup =
            self.nodegroups.is_empty() || value_of(&NODEGROUP_TAGS, &|value| self.nodegroups.contains(value));
        let in_scaling_group = self.scaling_groups.is_empty()
            || value_of(&[SCALING_GROUP_TAG], &|value| self.scaling_groups.contains(value));
        let has = |(key, values): (&String, &TagValues)| tags.get(key).is_some_and(|value| values.matches(value));
        in_cluster && in_nodegroup && in_scaling_group && self.tags.iter().all(has)
    }

    /// Whether the user wants nodes with these tags left out.
    fn leaves_out(&self, tags: &BTreeMap<String, String>) -> bool {
        let has = |(key, values): (&String, &TagValues)| tags.get(key).is_some_and(|value| values.matches(value));
        self.exclude_tags.iter().any(has)
    }

    /// How one of the source's nodes stands for a sink that lets it in, and sends it no traffic. It makes connections while it
    /// comes up, and goes on to do so while it drains.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html>
    pub fn access(&self, node: &Instance) -> Standing {
        match node.state {
            InstanceState::Stopped | InstanceState::Terminated => Standing::Taken,
            _ if self.leaves_out(&node.tags) => Standing::Unwanted,
            InstanceState::Pending | InstanceState::Running => Standing::Wanted,
        }
    }

    /// How one of the source's nodes stands.
    ///
    /// `membership` is what its Auto Scaling group says of it; `announced` is what AWS has announced of it.
    pub fn standing(
        &self,
        node: &Instance,
        membership: Membership<'_>,
        announced: Option<Announced>,
        takes_launching: bool,
    ) -> Standing {
        let by_group = match membership {
            Membership::NoGroup => Standing::Wanted,
            Membership::Listed(state) => of_lifecycle(state, takes_launching),
            Membership::Unlisted => Standing::Unwanted,
        };
        match node.state {
            InstanceState::Stopped | InstanceState::Terminated => Standing::Taken,
            _ if announced == Some(Announced::Taken) || by_group == Standing::Taken => Standing::Taken,
            _ if announced == Some(Announced::AtRisk) || self.leaves_out(&node.tags) => Standing::Unwanted,
            _ if EXCLUSION_TAGS.iter().any(|key| node.tags.contains_key(*key)) => Standing::Unwanted,
            InstanceState::Pending if by_group == Standing::Wanted || membership == Membership::Unlisted => {
                Standing::NotYet
            }
            InstanceState::Pending | InstanceState::Running => by_group,
        }
    }
}

/// What DescribeAutoScalingGroups says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership<'a> {
    /// Its tags name no group, or one that there is not.
    NoGroup,
    /// Its group lists it, with this lifecycle state.
    Listed(&'a str),
    /// Its group does not list it: it is in the group's warm pool, or about to be.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
    Unlisted,
}

/// The Auto Scaling group that an instance with these tags is in.
pub fn scaling_group(tags: &BTreeMap<String, String>) -> Option<&String> {
    tags.get(SCALING_GROUP_TAG)
}

/// What AWS has announced of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// It will be taken.
    Taken,
    /// It may be taken.
    AtRisk,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is to be in the sink.
    Wanted,
    /// It is on its way up: it is not added, and stays if it is there.
    NotYet,
    /// It is not to be in the sink, and would serve on if it were.
    Unwanted,
    /// AWS takes it, or has taken it: it serves no more, whatever the sink says.
    Taken,
}

/// The lifecycle states of Auto Scaling that are not `InService`, by how they begin.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>
fn of_lifecycle(state: &str, takes_launching: bool) -> Standing {
    const STATES: &[(&str, Standing)] = &[
        ("Pending", Standing::NotYet),
        ("ReplacingRootVolume", Standing::NotYet),
        ("RootVolumeReplaced", Standing::NotYet),
        ("Terminat", Standing::Taken),
        ("Detach", Standing::Unwanted),
        ("EnteringStandby", Standing::Unwanted),
        ("Standby", Standing::Unwanted),
        ("Quarantined", Standing::Unwanted),
    ];
    if takes_launching && state.starts_with("Pending:") {
        return Standing::Wanted;
    }
    let found = STATES.iter().find(|(beginning, _)| state.starts_with(beginning));
    found.map_or(Standing::Wanted, |(_, standing)| *standing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn strings(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|one| one.to_string()).collect()
    }

    fn selector() -> NodeSelector {
        NodeSelector {
            cluster: Some("pets".into()),
            nodegroups: BTreeSet::new(),
            scaling_groups: BTreeSet::new(),
            tags: BTreeMap::new(),
            exclude_tags: BTreeMap::new(),
        }
    }

    #[test]
    fn a_clusters_nodes_are_known_by_any_of_its_tags() {
        let karpenters = [("kubernetes.io/cluster/pets", "owned"), ("karpenter.sh/nodepool", "default")];
        for (own, mine) in [
            (&karpenters[..], true),
            (&[("kubernetes.io/cluster/pets", "shared")][..], true),
            (&[("eks:cluster-name", "pets"), ("eks:nodegroup-name", "blue")][..], true),
            (&[("eks:eks-cluster-name", "pets")][..], true),
            (&[("eks:cluster-name", "birds")][..], false),
            (&[("kubernetes.io/cluster/pets-2", "owned")][..], false),
            (&[][..], false),
        ] {
            assert_eq!(selector().selects(&tags(own)), mine, "{own:?}");
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let selector = NodeSelector {
            nodegroups: strings(&["blue", "green"]),
            scaling_groups: strings(&["asg-1"]),
            tags: BTreeMap::from([
                ("role".into(), TagValues(strings(&["gate"]))),
                ("zone".into(), TagValues(strings(&["*"]))),
            ]),
            ..selector()
        };
        let whole = [
            ("eks:cluster-name", "pets"),
            ("eks:nodegroup-name", "green"),
            ("aws:autoscaling:groupName", "asg-1"),
            ("role", "gate"),
            ("zone", "a"),
        ];
        assert!(selector.selects(&tags(&whole)));
        for left_out in 0..whole.len() {
            let mut some = whole.to_vec();
            some.remove(left_out);
            assert!(!selector.selects(&tags(&some)), "without {:?}", whole[left_out]);
        }
        assert_eq!(selector.filters().len(), 5);
    }

    #[test]
    fn how_a_node_stands_is_told_by_ec2_auto_scaling_and_announcements_together() {
        use InstanceState::{Pending, Running, Stopped, Terminated};
        use Membership::{Listed, NoGroup, Unlisted};
        use Standing::{NotYet, Taken, Unwanted, Wanted};
        let selector = NodeSelector {
            exclude_tags: BTreeMap::from([("drain".into(), TagValues(strings(&["yes"])))]),
            ..selector()
        };
        let none: &[(&str, &str)] = &[];
        for (state, membership, announced, own, standing) in [
            (Running, NoGroup, None, none, Wanted),
            (Running, Listed("InService"), None, none, Wanted),
            (Pending, Listed("InService"), None, none, NotYet),
            (Pending, NoGroup, None, none, NotYet),
            (Running, Listed("Pending"), None, none, NotYet),
            (Running, Listed("Pending:Wait"), None, none, NotYet),
            (Running, Listed("Terminating:Wait"), None, none, Taken),
            (Running, Listed("Terminating"), None, none, Taken),
            (Running, Listed("Terminated"), None, none, Taken),
            // In the warm pool: its group does not list it, and EC2 says that it runs while it warms up, or for good.
            (Running, Unlisted, None, none, Unwanted),
            (Running, Unlisted, Some(Announced::Taken), none, Taken),
            (Pending, Unlisted, None, none, NotYet),
            (Stopped, Unlisted, None, none, Taken),
            (Terminated, Unlisted, None, none, Taken),
            (Running, Listed("Standby"), None, none, Unwanted),
            (Running, Listed("EnteringStandby"), None, none, Unwanted),
            (Running, Listed("Detaching"), None, none, Unwanted),
            (Running, Listed("InService"), Some(Announced::Taken), none, Taken),
            (Running, Listed("InService"), Some(Announced::AtRisk), none, Unwanted),
            (Running, Listed("Terminating:Wait"), Some(Announced::AtRisk), none, Taken),
            (Stopped, Listed("InService"), None, none, Taken),
            (Terminated, NoGroup, None, none, Taken),
            (Running, NoGroup, None, &[("drain", "no")][..], Wanted),
            (Running, NoGroup, None, &[("drain", "yes")][..], Unwanted),
            (Running, NoGroup, None, &[("node.kubernetes.io/exclude-from-external-load-balancers", "")][..], Unwanted),
            (Running, NoGroup, None, &[("ToBeDeletedByClusterAutoscaler", "1700000000")][..], Unwanted),
            (Running, NoGroup, None, &[("karpenter.sh/disrupted", "")][..], Unwanted),
        ] {
            let node = Instance {
                id: "i-1a2b3c4d".parse().unwrap(),
                state,
                vpc_id: None,
                ipv4: None,
                ipv6: None,
                tags: tags(own),
            };
            let found = selector.standing(&node, membership, announced, false);
            assert_eq!(found, standing, "{state:?} {membership:?} {announced:?} {own:?}");
        }
    }

    #[test]
    fn a_node_has_access_from_its_first_second_to_its_last() {
        let selector = NodeSelector {
            exclude_tags: BTreeMap::from([("drain".into(), TagValues(strings(&["yes"])))]),
            ..selector()
        };
        for (state, own, standing) in [
            (InstanceState::Pending, &[][..], Standing::Wanted),
            (InstanceState::Running, &[], Standing::Wanted),
            (InstanceState::Running, &[("karpenter.sh/disrupted", "")], Standing::Wanted),
            (InstanceState::Running, &[("drain", "yes")], Standing::Unwanted),
            (InstanceState::Stopped, &[], Standing::Taken),
            (InstanceState::Terminated, &[], Standing::Taken),
        ] {
            let id = "i-1a2b3c4d".parse().unwrap();
            let node = Instance { id, state, vpc_id: None, ipv4: None, ipv6: None, tags: tags(own) };
            assert_eq!(selector.access(&node), standing, "{state:?} {own:?}");
        }
    }

    #[test]
    fn a_node_that_waits_in_a_launch_hook_is_wanted_if_the_user_asked_for_it() {
        assert_eq!(of_lifecycle("Pending:Wait", true), Standing::Wanted);
        assert_eq!(of_lifecycle("Pending", true), Standing::NotYet);
        assert_eq!(of_lifecycle("Pending:Wait", false), Standing::NotYet);
    }
}
