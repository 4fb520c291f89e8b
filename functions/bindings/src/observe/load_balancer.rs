//! The private addresses of a load balancer's network interfaces. They are found by their description, which AWS
//! documents; a load balancer's own security group would do only where it has one, and would find others' interfaces.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html#target-security-groups>

use std::collections::BTreeSet;

use shared::aws::{Interface, LoadBalancer, LoadBalancers, Network};
use shared::error::Error;
use shared::types::LoadBalancerArn;

use super::{SourceView, members};
use crate::plan::Answer;
use crate::record::{SinkFacts, Takes};

pub(super) async fn observe<B: LoadBalancers, N: Network>(
    balancers: &B,
    network: &N,
    arn: &LoadBalancerArn,
    facts: &SinkFacts,
) -> Result<SourceView, Error> {
    let Some(balancer) = balancers.load_balancer(arn).await? else {
        return Ok(SourceView::unusable(Error::not_found(format!(
            "Source.LoadBalancer: {arn} does not exist in this account and region"
        ))));
    };
    let interfaces = network.interfaces_described(&format!("ELB {}", arn.name_and_id())).await?;
    let members = members(&interfaces, &balancer.vpc_id, facts);
    let answer = reliability(arn.name_and_id(), &balancer, &interfaces, facts);
    let interfaces = interfaces.into_iter().map(|interface| interface.id).collect();
    Ok(SourceView { members, interfaces, ..SourceView::nothing(answer) })
}

/// A load balancer has an interface in each subnet, an Application Load Balancer one or more.
fn reliability(name: &str, balancer: &LoadBalancer, interfaces: &[Interface], facts: &SinkFacts) -> Answer {
    let has_address = |interface: &&Interface| match facts.takes {
        Takes::Ipv6 => interface.ipv6.is_some(),
        Takes::Ipv4 | Takes::Instances => interface.ipv4.is_some(),
    };
    let subnets: BTreeSet<&String> = balancer.subnet_ids.iter().collect();
    let ready: BTreeSet<&String> =
        interfaces.iter().filter(has_address).map(|interface| &interface.subnet_id).collect();
    let nameless = interfaces.len() - interfaces.iter().filter(has_address).count();
    match balancer.state.as_str() {
        "active" | "active_impaired" if subnets.is_empty() => Answer::Empty(format!("{name} has no subnet")),
        // An interface in a subnet that was taken away is on its way out.
        "active" | "active_impaired" if nameless == 0 && ready == subnets => Answer::Complete,
        "active" | "active_impaired" => {
            let here = ready.intersection(&subnets).count();
            Answer::Partial(format!("{here} of {} subnets of {name} have an interface with an address", subnets.len()))
        }
        state => Answer::Partial(format!("{name} is {state}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_balancer_answers_wholly_when_each_of_its_subnets_has_an_address() {
        let balancer = |state: &str, subnets: &[&str]| LoadBalancer {
            vpc_id: "vpc-1".into(),
            state: state.into(),
            subnet_ids: subnets.iter().map(|subnet| subnet.to_string()).collect(),
        };
        let interface = |subnet: &str, ipv4: &str| Interface {
            id: "eni-1a2b3c4d".parse().unwrap(),
            subnet_id: subnet.into(),
            ipv4: ipv4.parse().ok(),
            ipv6: None,
        };
        let facts = SinkFacts { takes: Takes::Ipv4, port: None, vpc_id: String::new() };
        let (a, b) = (interface("a", "10.0.0.1"), interface("b", "10.0.1.1"));
        for (state, subnets, interfaces, whole) in [
            ("active", &["a", "b"][..], vec![a.clone(), b.clone()], true),
            ("active_impaired", &["a", "b"][..], vec![a.clone(), b.clone()], true),
            ("active", &["a"][..], vec![a.clone(), interface("a", "10.0.0.2")], true),
            ("active", &["a", "b"][..], vec![a.clone()], false),
            ("active", &["a", "b"][..], vec![a.clone(), interface("b", "none")], false),
            ("active", &["a"][..], vec![a.clone(), b], false),
            ("provisioning", &["a"][..], vec![a], false),
        ] {
            let answer = reliability("net/web/1", &balancer(state, subnets), &interfaces, &facts);
            assert_eq!(answer == Answer::Complete, whole, "{answer:?}");
        }
    }
}
