//! The addresses of a VPC endpoint's network interfaces.

use shared::aws::{Cause, Network, VpcEndpoint};
use shared::error::Error;
use shared::types::VpcEndpointId;

use super::{SourceView, members};
use crate::plan::Answer;
use crate::record::SinkFacts;

pub(super) async fn observe<N: Network>(
    network: &N,
    id: &VpcEndpointId,
    facts: &SinkFacts,
) -> Result<SourceView, Error> {
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
        return Ok(SourceView::nothing(Answer::Empty(format!("{id} is {}", endpoint.state))));
    }
    let interfaces = match network.interfaces(&endpoint.interface_ids).await {
        Ok(interfaces) => interfaces,
        Err(error) if error.cause == Cause::NotFound => {
            let why = format!("an interface of {id} went away while it was read");
            return Ok(SourceView::nothing(Answer::Partial(why)));
        }
        Err(error) => return Err(error.into()),
    };
    let members = members(&interfaces, &endpoint.vpc_id, facts);
    let answer = reliability(&endpoint, members.len());
    let interfaces = endpoint.interface_ids.into_iter().collect();
    Ok(SourceView { members, interfaces, ..SourceView::nothing(answer) })
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
