//! Step 2, observe: what AWS says now of a binding's source and sink. Reads only. A file for each kind of source.

mod dns;
mod endpoint;
mod load_balancer;
mod node;
mod sink;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use shared::aws::Interface;
use shared::error::Error;
use shared::types::{InstanceId, InterfaceId};
pub use sink::{OWN_TAG, SinkView, sink, sink_facts};

use crate::nodes::{Announced, Standing};
use crate::plan::Answer;
use crate::record::{SinkFacts, Takes};
use crate::spec::{BindingSpec, Sink, Source};
use crate::world::World;

/// What a source says.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceView {
    /// What it has.
    pub members: Vec<Member>,
    /// How far that can be relied on.
    pub answer: Answer,
    /// The interfaces that the addresses belong to.
    pub interfaces: BTreeSet<InterfaceId>,
    /// How often in a row the name server has left out an address that it gave before.
    pub misses: BTreeMap<Ipv4Addr, u32>,
    /// Why nobody could bind this source, if so: for the user who asks for it.
    pub unusable: Option<Error>,
}

/// An address or a node of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The address; a node that is gone has none.
    pub address: Option<IpAddr>,
    /// The node, if it is one.
    pub node: Option<InstanceId>,
    /// Whether the address is in the sink's VPC.
    pub is_inside: bool,
    /// Whether it is to be in the sink.
    pub standing: Standing,
}

impl SourceView {
    /// A source that has nothing, or says nothing.
    pub fn nothing(answer: Answer) -> Self {
        Self { members: Vec::new(), answer, interfaces: BTreeSet::new(), misses: BTreeMap::new(), unusable: None }
    }

    fn unusable(error: Error) -> Self {
        let answer = Answer::Empty(error.message.clone());
        Self { unusable: Some(error), ..Self::nothing(answer) }
    }

    /// What is to be in the sink, as the user reads it.
    pub fn wanted(&self) -> Vec<String> {
        let wanted = self.members.iter().filter(|member| member.standing == Standing::Wanted);
        let mut texts: Vec<String> = wanted
            .filter_map(|member| match (member.address, &member.node) {
                (Some(address), _) => Some(address.to_string()),
                (None, node) => node.as_ref().map(ToString::to_string),
            })
            .collect();
        texts.sort();
        texts
    }
}

/// What is known from before and can't be read anew.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What AWS has announced of nodes.
    pub announced: BTreeMap<InstanceId, Announced>,
    /// The addresses that a name server gave before, and how often in a row it has left each out since.
    pub names: BTreeMap<Ipv4Addr, u32>,
}

/// What the source says now.
pub async fn source<W: World>(
    world: &W,
    spec: &BindingSpec,
    facts: &SinkFacts,
    memory: &Memory,
) -> Result<SourceView, Error> {
    match &spec.source {
        Source::VpcEndpoint(id) => endpoint::observe(world.ec2(), id, facts).await,
        Source::LoadBalancer(arn) => load_balancer::observe(world.elb(), world.ec2(), arn, facts).await,
        Source::Dns(host) => dns::observe(world.names(), world.ec2(), host, facts, &memory.names).await,
        Source::Nodes(selector) => {
            let takes_launching = spec.options.complete_launch_hooks;
            let lets_in = matches!(spec.sink, Sink::SecurityGroup(_));
            let nodes = node::Nodes { selector, takes_launching, lets_in, announced: &memory.announced };
            nodes.observe(world.ec2(), world.auto_scaling(), facts).await
        }
    }
}

/// The members that interfaces are, as far as they have an address of the kind that the sink takes.
fn members(interfaces: &[Interface], vpc_id: &str, facts: &SinkFacts) -> Vec<Member> {
    let address = |interface: &Interface| match facts.takes {
        Takes::Ipv6 => interface.ipv6.map(IpAddr::V6),
        Takes::Ipv4 | Takes::Instances => interface.ipv4.map(IpAddr::V4),
    };
    let is_inside = facts.vpc_id == vpc_id;
    let member = |address| Member { address: Some(address), node: None, is_inside, standing: Standing::Wanted };
    interfaces.iter().filter_map(address).collect::<BTreeSet<_>>().into_iter().map(member).collect()
}
