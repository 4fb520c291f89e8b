//! Step 2, observe: what AWS says now of a binding's source and sink. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use shared::aws::{Cause, Network, TargetGroups, TargetType, VpcEndpoint};
use shared::error::Error;
use shared::types::{Health, InterfaceId, TargetGroupArn, TargetId, VpcEndpointId};

use crate::plan::Answer;
use crate::record::SinkFacts;
use crate::spec::{Source, TargetGroupSink};

/// What a source says.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceView {
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// How far they can be relied on.
    pub answer: Answer,
    /// The interfaces that they belong to.
    pub interfaces: BTreeSet<InterfaceId>,
    /// The VPC that the addresses are in, if the source is in one.
    pub vpc_id: Option<String>,
    /// Why nobody could bind this source, if so: for the user who asks for it.
    pub unusable: Option<Error>,
}

impl SourceView {
    fn without_addresses(answer: Answer, vpc_id: Option<String>) -> Self {
        Self { addresses: BTreeSet::new(), answer, interfaces: BTreeSet::new(), vpc_id, unusable: None }
    }

    fn unusable(error: Error) -> Self {
        let answer = Answer::Empty(error.message.clone());
        Self { unusable: Some(error), ..Self::without_addresses(answer, None) }
    }
}

/// What the source says now.
pub async fn source<N: Network>(network: &N, source: &Source, is_ipv6: bool) -> Result<SourceView, Error> {
    match source {
        Source::VpcEndpoint(id) => vpc_endpoint(network, id, is_ipv6).await,
    }
}

async fn vpc_endpoint<N: Network>(network: &N, id: &VpcEndpointId, is_ipv6: bool) -> Result<SourceView, Error> {
    let Some(endpoint) = network.vpc_endpoint(id).await? else {
        return Ok(SourceView::unusable(Error::not_found(format!(
            "Source.VpcEndpoint: {id} does not exist in this account and region"
        ))));
    };
    if endpoint.endpoint_type != "Interface" {
        return Ok(SourceView::unusable(Error::invalid(format!(
            "Source.VpcEndpoint: {id} is a {} endpoint, which has no network interfaces to bind: use an endpoint of type \
             Interface",
            endpoint.endpoint_type
        ))));
    }
    if let "deleting" | "deleted" | "rejected" | "failed" | "expired" = endpoint.state.as_str() {
        let why = format!("{id} is {}", endpoint.state);
        return Ok(SourceView::without_addresses(Answer::Empty(why), Some(endpoint.vpc_id)));
    }
    let interfaces = match network.interfaces(&endpoint.interface_ids).await {
        Ok(interfaces) => interfaces,
        Err(error) if error.cause == Cause::NotFound => {
            let why = format!("an interface of {id} went away while it was read");
            return Ok(SourceView::without_addresses(Answer::Partial(why), Some(endpoint.vpc_id)));
        }
        Err(error) => return Err(error.into()),
    };
    let address = |interface: &shared::aws::Interface| match is_ipv6 {
        true => interface.ipv6.map(IpAddr::V6),
        false => interface.ipv4.map(IpAddr::V4),
    };
    let addresses: BTreeSet<IpAddr> = interfaces.iter().filter_map(address).collect();
    let answer = reliability(&endpoint, addresses.len());
    let interfaces = endpoint.interface_ids.into_iter().collect();
    Ok(SourceView { addresses, answer, interfaces, vpc_id: Some(endpoint.vpc_id), unusable: None })
}

/// An endpoint has one interface for each subnet, and an interface can be listed before it has an address.
fn reliability(endpoint: &VpcEndpoint, addresses: usize) -> Answer {
    let wanted = endpoint.subnet_ids.len().max(endpoint.interface_ids.len());
    match endpoint.state.as_str() {
        "available" if wanted == 0 => Answer::Empty(format!("{} has no network interface", endpoint.id)),
        "available" if addresses == wanted => Answer::Complete,
        "available" => {
            Answer::Partial(format!("{addresses} of {wanted} interfaces of {} have an address", endpoint.id))
        }
        state => Answer::Partial(format!("{} is {state}", endpoint.id)),
    }
}

/// What the sink has now; `None` when the target group is gone.
pub async fn sink<G: TargetGroups>(
    groups: &G,
    arn: &TargetGroupArn,
) -> Result<Option<BTreeMap<TargetId, Health>>, Error> {
    match groups.targets(arn).await {
        Ok(targets) => Ok(Some(targets.into_iter().map(|target| (target.id, target.health)).collect())),
        Err(error) if error.cause == Cause::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What can't change about the sink, and whether it takes what a VPC endpoint has; asked when a binding is made.
pub async fn sink_facts<G: TargetGroups>(groups: &G, sink: &TargetGroupSink) -> Result<SinkFacts, Error> {
    let arn = &sink.arn;
    let Some(group) = groups.target_group(arn).await? else {
        return Err(Error::not_found(format!("Sink.TargetGroup: {arn} does not exist in this account and region")));
    };
    if group.target_type != TargetType::Ip {
        return Err(Error::invalid(format!(
            "Sink.TargetGroup: {arn} does not take IP addresses, which are all that a VPC endpoint has: use a target \
             group of target type ip"
        )));
    }
    let port = sink.port.or(group.port).ok_or_else(|| {
        Error::invalid(format!(
            "Sink.TargetGroup.Port is missing: {arn} has no port of its own, give for example Port: 443"
        ))
    })?;
    // An endpoint's interface answers to the address that the load balancer has, not to the client's.
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    if groups.preserves_client_ip(arn).await? == Some(true) {
        return Err(Error::invalid(format!(
            "Sink.TargetGroup: {arn} preserves client IP addresses, with which traffic to a VPC endpoint is lost: set its \
             attribute preserve_client_ip.enabled to false"
        )));
    }
    Ok(SinkFacts { port, vpc_id: group.vpc_id, is_ipv6: group.is_ipv6 })
}
