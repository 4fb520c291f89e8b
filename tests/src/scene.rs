//! A VPC with subnets in three zones, an `execute-api` endpoint in the first two, and an NLB whose listener forwards to
//! an IP target group: what stands between a central API and private ones.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_ec2::types::VpcEndpointType;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, LoadBalancerSchemeEnum, LoadBalancerTypeEnum, ProtocolEnum, TargetDescription,
    TargetGroupAttribute, TargetTypeEnum,
};
use serde_json::{Value, json};

use crate::Cloud;

/// A small world to bind in.
#[derive(Clone, Debug)]
pub struct Scene {
    cloud: Cloud,
    /// The VPC.
    pub vpc: String,
    /// A subnet in each zone.
    pub subnets: Vec<String>,
    /// The endpoint.
    pub endpoint: String,
    /// The target group.
    pub group: String,
}

const ZONES: [&str; 3] = ["a", "b", "c"];

impl Scene {
    /// Builds it; `name` is part of what is named.
    pub async fn build(cloud: &Cloud, name: &str) -> Result<Self> {
        let answer = cloud.ec2.create_vpc().cidr_block("10.20.0.0/16").send().await?;
        let vpc = answer.vpc().and_then(|vpc| vpc.vpc_id()).context("no VPC")?.to_owned();
        let mut subnets = Vec::new();
        for (n, zone) in ZONES.iter().enumerate() {
            let call = cloud.ec2.create_subnet().vpc_id(&vpc).cidr_block(format!("10.20.{n}.0/24"));
            let answer = call.availability_zone(format!("{}{zone}", cloud.region)).send().await?;
            subnets.push(answer.subnet().and_then(|subnet| subnet.subnet_id()).context("no subnet")?.to_owned());
        }
        let mut scene = Self { cloud: cloud.clone(), vpc, subnets, endpoint: String::new(), group: String::new() };
        scene.endpoint = scene.add_endpoint(&[0, 1]).await?;
        scene.group = scene.add_group(name).await?;
        Ok(scene)
    }

    /// One more endpoint, in these of the subnets.
    pub async fn add_endpoint(&self, subnets: &[usize]) -> Result<String> {
        let call = self.cloud.ec2.create_vpc_endpoint().vpc_id(&self.vpc).vpc_endpoint_type(VpcEndpointType::Interface);
        let call = call.service_name(format!("com.amazonaws.{}.execute-api", self.cloud.region));
        let call = call.set_subnet_ids(Some(subnets.iter().map(|n| self.subnets[*n].clone()).collect()));
        let answer = call.private_dns_enabled(true).send().await?;
        let id = answer.vpc_endpoint().and_then(|endpoint| endpoint.vpc_endpoint_id());
        Ok(id.context("no endpoint")?.to_owned())
    }

    /// One more target group behind an NLB of its own.
    pub async fn add_group(&self, name: &str) -> Result<String> {
        let elb = &self.cloud.elb;
        let call = elb.create_load_balancer().name(name).r#type(LoadBalancerTypeEnum::Network);
        let call = call.scheme(LoadBalancerSchemeEnum::Internal).set_subnets(Some(self.subnets.clone()));
        let answer = call.send().await?;
        let balancer = answer.load_balancers().first().and_then(|lb| lb.load_balancer_arn()).context("no NLB")?;
        let group = self.add_unused_group(name, TargetTypeEnum::Ip).await?;
        let forward = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(&group).build();
        let call = elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Tcp).port(443);
        call.default_actions(forward).send().await?;
        Ok(group)
    }

    /// One more target group, behind nothing.
    pub async fn add_unused_group(&self, name: &str, target_type: TargetTypeEnum) -> Result<String> {
        let call = self.cloud.elb.create_target_group().name(name).protocol(ProtocolEnum::Tcp).port(443);
        let call = call.target_type(target_type).vpc_id(&self.vpc);
        let answer = call.health_check_protocol(ProtocolEnum::Https).health_check_path("/ping").send().await?;
        Ok(answer.target_groups().first().and_then(|group| group.target_group_arn()).context("no group")?.to_owned())
    }

    /// Sets an attribute of a target group.
    pub async fn set_attribute(&self, group: &str, key: &str, value: &str) -> Result<()> {
        let attribute = TargetGroupAttribute::builder().key(key).value(value).build();
        self.cloud.elb.modify_target_group_attributes().target_group_arn(group).attributes(attribute).send().await?;
        Ok(())
    }

    /// The spec that binds the endpoint to the target group.
    pub fn spec(&self) -> Value {
        self.spec_of(&self.endpoint, &self.group)
    }

    /// The spec that binds any endpoint to any target group.
    pub fn spec_of(&self, endpoint: &str, group: &str) -> Value {
        json!({
            "Source": {"VpcEndpoint": {"VpcEndpointId": endpoint}},
            "Sink": {"TargetGroup": {"TargetGroupArn": group}},
        })
    }

    /// The endpoint's interfaces: each id with its address, in the order of the subnets.
    pub async fn interfaces(&self, endpoint: &str) -> Result<Vec<(String, Option<String>)>> {
        let answer = self.cloud.ec2.describe_vpc_endpoints().vpc_endpoint_ids(endpoint).send().await?;
        let ids = answer.vpc_endpoints().first().context("no endpoint")?.network_interface_ids().to_vec();
        let answer = self.cloud.ec2.describe_network_interfaces().set_network_interface_ids(Some(ids)).send().await?;
        let mut found: Vec<_> = answer.network_interfaces().to_vec();
        found.sort_by_key(|one| self.subnets.iter().position(|subnet| one.subnet_id() == Some(subnet)));
        let pair = |one: &aws_sdk_ec2::types::NetworkInterface| {
            Some((one.network_interface_id()?.to_owned(), one.private_ip_address().map(str::to_owned)))
        };
        Ok(found.iter().filter_map(pair).collect())
    }

    /// The endpoint's addresses, in the order of the subnets.
    pub async fn addresses(&self, endpoint: &str) -> Result<Vec<String>> {
        Ok(self.interfaces(endpoint).await?.into_iter().filter_map(|(_, address)| address).collect())
    }

    /// Gives the endpoint a subnet, or takes one.
    pub async fn change_subnets(&self, endpoint: &str, add: Option<usize>, remove: Option<usize>) -> Result<()> {
        let call = self.cloud.ec2.modify_vpc_endpoint().vpc_endpoint_id(endpoint);
        let call = call.set_add_subnet_ids(add.map(|n| vec![self.subnets[n].clone()]));
        call.set_remove_subnet_ids(remove.map(|n| vec![self.subnets[n].clone()])).send().await?;
        Ok(())
    }

    /// The targets of a group: each address and port with its state.
    pub async fn targets(&self, group: &str) -> Result<BTreeMap<(String, i32), String>> {
        let answer = self.cloud.elb.describe_target_health().target_group_arn(group).send().await?;
        let target = |one: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
            let target = one.target()?;
            let state = one.target_health()?.state()?.as_str().to_owned();
            Some(((target.id()?.to_owned(), target.port()?), state))
        };
        Ok(answer.target_health_descriptions().iter().filter_map(target).collect())
    }

    /// The addresses that a group has, less those that drain, sorted.
    pub async fn registered(&self, group: &str) -> Result<Vec<String>> {
        let targets = self.targets(group).await?;
        Ok(targets.into_iter().filter(|(_, state)| state != "draining").map(|((id, _), _)| id).collect())
    }

    /// Registers a target as somebody else would.
    pub async fn put_target(&self, group: &str, address: &str) -> Result<()> {
        let target = TargetDescription::builder().id(address).port(443).build();
        self.cloud.elb.register_targets().target_group_arn(group).targets(target).send().await?;
        Ok(())
    }

    /// Deregisters a target as somebody else would.
    pub async fn drop_target(&self, group: &str, address: &str) -> Result<()> {
        let target = TargetDescription::builder().id(address).port(443).build();
        self.cloud.elb.deregister_targets().target_group_arn(group).targets(target).send().await?;
        Ok(())
    }
}
