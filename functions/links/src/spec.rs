//! `Custom::VpcLink`: what a user writes, parsed and checked as far as that needs nobody's answer.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Error;
use shared::fields::{exactly_one, read};
use shared::front_door::Name;
use shared::front_door::links::Selector;
use shared::types::LoadBalancerArn;

/// A VPC link as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSpec {
    /// What routes call it.
    pub name: Name,
    /// Which load balancer it leads to.
    pub load_balancer: Selector,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    name: Name,
    load_balancer: WrittenLoadBalancer,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenLoadBalancer {
    load_balancer_arn: Option<LoadBalancerArn>,
    load_balancer_name: Option<String>,
    kubernetes_service: Option<WrittenService>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenService {
    cluster_name: String,
    namespace: String,
    name: String,
}

impl LinkSpec {
    /// Reads a spec; the error names the field.
    pub fn parse(spec: Value) -> Result<Self, Error> {
        let Written { name, load_balancer } = read(spec)?;
        let WrittenLoadBalancer { load_balancer_arn, load_balancer_name, kubernetes_service } = load_balancer;
        let arn = load_balancer_arn.map(network).transpose()?;
        let by_name = load_balancer_name.map(|name| word("LoadBalancerName", name, 32)).transpose()?;
        let service = kubernetes_service.map(service).transpose()?;
        let (_, load_balancer) = exactly_one(
            "LoadBalancer",
            vec![
                ("LoadBalancerArn", arn.map(Selector::Arn)),
                ("LoadBalancerName", by_name.map(Selector::Name)),
                ("KubernetesService", service),
            ],
        )?;
        Ok(Self { name, load_balancer })
    }
}

/// API Gateway's VPC links for REST APIs lead to Network Load Balancers only.
fn network(arn: LoadBalancerArn) -> Result<LoadBalancerArn, Error> {
    match arn.as_str().contains(":loadbalancer/net/") {
        true => Ok(arn),
        false => Err(Error::invalid(format!(
            "LoadBalancer.LoadBalancerArn: {} is no Network Load Balancer's, and a REST API's VPC link takes no other",
            arn.as_str()
        ))),
    }
}

fn service(given: WrittenService) -> Result<Selector, Error> {
    let WrittenService { cluster_name, namespace, name } = given;
    Ok(Selector::KubernetesService {
        cluster: word("KubernetesService.ClusterName", cluster_name, 100)?,
        namespace: word("KubernetesService.Namespace", namespace, 63)?,
        name: word("KubernetesService.Name", name, 63)?,
    })
}

/// What AWS and Kubernetes allow in such names: letters, digits, dashes; of a cluster's also underscores.
fn word(field: &str, given: String, length_max: usize) -> Result<String, Error> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    match (1..=length_max).contains(&given.len()) && given.bytes().all(is_word) {
        true => Ok(given),
        false => Err(Error::invalid(format!(
            "LoadBalancer.{field}: '{}' is not 1 to {length_max} letters, digits, dashes and underscores",
            given.chars().take(120).collect::<String>()
        ))),
    }
}

impl fmt::Display for LinkSpec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} to {}", self.name, self.load_balancer)
    }
}

impl Serialize for LinkSpec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_names_one_load_balancer_in_one_of_three_ways() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/gate/0123456789abcdef";
        let service = json!({"ClusterName": "prod", "Namespace": "shop", "Name": "web"});
        for (given, read_as) in [
            (json!({"LoadBalancerArn": arn}), format!("gate to {arn}")),
            (json!({"LoadBalancerName": "gate"}), "gate to the load balancer gate".to_owned()),
            (
                json!({"KubernetesService": service}),
                "gate to the load balancer of the Kubernetes Service shop/web of the cluster prod".to_owned(),
            ),
        ] {
            let spec = LinkSpec::parse(json!({"Name": "gate", "LoadBalancer": given})).unwrap();
            assert_eq!(spec.to_string(), read_as);
        }
        for (given, why) in [
            (json!({}), "give exactly one of LoadBalancerArn, LoadBalancerName, KubernetesService"),
            (json!({"LoadBalancerArn": arn, "LoadBalancerName": "gate"}), "give exactly one of"),
            (json!({"LoadBalancerArn": arn.replace("/net/", "/app/")}), "is no Network Load Balancer's"),
            (json!({"LoadBalancerArn": "gate"}), "LoadBalancerArn"),
            (json!({"LoadBalancerName": "a b"}), "LoadBalancerName: 'a b' is not 1 to 32"),
            (json!({"KubernetesService": {"ClusterName": "prod", "Namespace": "shop/x", "Name": "web"}}), "Namespace"),
            (json!({"KubernetesService": {"ClusterName": "prod", "Namespace": "shop"}}), "Name"),
        ] {
            let error = LinkSpec::parse(json!({"Name": "gate", "LoadBalancer": given})).unwrap_err();
            assert!(error.message.contains(why), "{given}: {error}");
        }
    }
}
