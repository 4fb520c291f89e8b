//! The nodes of a cluster, of Auto Scaling groups or with certain tags: what EC2 says of the instances and Auto Scaling
//! of those that are in a group, read one right after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use shared::aws::{AutoScaling, Instance, Instances};
use shared::error::Error;
use shared::types::InstanceId;

use super::{Member, SourceView};
use crate::nodes::{Announced, Membership, NodeSelector, Standing, scaling_group};
use crate::plan::Answer;
use crate::record::{SinkFacts, Takes};

pub(super) struct Nodes<'a> {
    pub(super) selector: &'a NodeSelector,
    pub(super) takes_launching: bool,
    /// Whether the sink lets nodes in, and sends them no traffic.
    pub(super) lets_in: bool,
    pub(super) announced: &'a BTreeMap<InstanceId, Announced>,
}

impl Nodes<'_> {
    pub(super) async fn observe<I: Instances, A: AutoScaling>(
        &self,
        instances: &I,
        scaling: &A,
        facts: &SinkFacts,
    ) -> Result<SourceView, Error> {
        let found = instances.instances(&self.selector.filters()).await?;
        let found: Vec<Instance> = found.into_iter().filter(|one| self.selector.selects(&one.tags)).collect();
        let named = found.iter().filter_map(|node| scaling_group(&node.tags));
        let names: BTreeSet<String> = named.chain(&self.selector.scaling_groups).cloned().collect();
        let groups = scaling.groups(&names).await?;
        let members: Vec<Member> = found
            .iter()
            .map(|node| {
                let group = scaling_group(&node.tags).and_then(|name| groups.get(name));
                let membership = match group.map(|group| group.get(&node.id)) {
                    None => Membership::NoGroup,
                    Some(Some(state)) => Membership::Listed(state),
                    Some(None) => Membership::Unlisted,
                };
                self.member(node, membership, facts)
            })
            .collect();
        let is_any = |wanted: &[Standing]| members.iter().any(|member| wanted.contains(&member.standing));
        let label = self.selector.label();
        let answer = match is_any(&[Standing::Wanted]) {
            true => Answer::Complete,
            false if is_any(&[Standing::NotYet]) => {
                Answer::Partial(format!("the nodes of {label} are on their way up"))
            }
            false => Answer::Empty(format!("no node of {label} is in service")),
        };
        let missing: Vec<&String> = self.selector.scaling_groups.iter().filter(|n| !groups.contains_key(*n)).collect();
        let unusable = missing.first().map(|name| {
            Error::not_found(format!(
                "Source.Nodes.AutoScalingGroupNames: {name} does not exist in this account and region"
            ))
        });
        Ok(SourceView { members, unusable, ..SourceView::nothing(answer) })
    }

    fn member(&self, node: &Instance, membership: Membership<'_>, facts: &SinkFacts) -> Member {
        let announced = self.announced.get(&node.id).copied();
        Member {
            address: match facts.takes {
                Takes::Ipv6 => node.ipv6.map(IpAddr::V6),
                Takes::Ipv4 | Takes::Instances => node.ipv4.map(IpAddr::V4),
            },
            node: Some(node.id.clone()),
            is_inside: node.vpc_id.as_ref() == Some(&facts.vpc_id),
            standing: if self.lets_in {
                self.selector.access(node)
            } else {
                self.selector.standing(node, membership, announced, self.takes_launching)
            },
        }
    }
}
