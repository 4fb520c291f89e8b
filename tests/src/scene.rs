//! A VPC with subnets in three zones, an `execute-api` endpoint in the first two, and an NLB whose listener forwards to
//! an IP target group: what stands between a central API and private ones.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, VpcEndpointType};
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

/// A binding's spec.
pub fn spec(source: Value, sink: Value) -> Value {
    json!({"Source": source, "Sink": sink})
}

/// The sink that is a target group.
pub fn to_group(arn: &str) -> Value {
    json!({"TargetGroup": {"TargetGroupArn": arn}})
}

/// The sink that is a security group's rules on TCP port 8443.
pub fn to_security_group(id: &str) -> Value {
    json!({"SecurityGroup": {"GroupId": id, "Protocol": "tcp", "FromPort": 8443, "ToPort": 8443}})
}

const ZONES: [&str; 3] = ["a", "b", "c"];

impl Scene {
    /// Builds it; `name` is part of what is named.
    pub async fn build(cloud: &Cloud, name: &str) -> Result<Self> {
        let answer = cloud.ec2.create_vpc().cidr_block("10.20.0.0/16").send().await?;
        let vpc = answer.vpc().and_then(|vpc| vpc.vpc_id()).context("no VPC")?.to_owned();
        let mut subnets = Vec::new();
        for (n, zone) in ZONES.iter().enumerate() {
            // Room for 4,091 addresses each.
            let call = cloud.ec2.create_subnet().vpc_id(&vpc).cidr_block(format!("10.20.{}.0/20", 16 * n));
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
        self.add_group_of(name, TargetTypeEnum::Ip).await
    }

    /// One more target group of this type behind an NLB of its own.
    pub async fn add_group_of(&self, name: &str, target_type: TargetTypeEnum) -> Result<String> {
        let balancer = self.add_balancer(name, &[0, 1, 2]).await?;
        let group = self.add_unused_group(name, target_type).await?;
        let forward = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(&group).build();
        let call = self.cloud.elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Tcp).port(443);
        call.default_actions(forward).send().await?;
        Ok(group)
    }

    /// An internal NLB in these of the subnets.
    pub async fn add_balancer(&self, name: &str, subnets: &[usize]) -> Result<String> {
        let call = self.cloud.elb.create_load_balancer().name(name).r#type(LoadBalancerTypeEnum::Network);
        let subnets = subnets.iter().map(|n| self.subnets[*n].clone()).collect();
        let call = call.scheme(LoadBalancerSchemeEnum::Internal).set_subnets(Some(subnets));
        let answer = call.send().await?;
        Ok(answer.load_balancers().first().and_then(|lb| lb.load_balancer_arn()).context("no NLB")?.to_owned())
    }

    /// The NLB that a target group is behind.
    pub async fn balancer_of(&self, group: &str) -> Result<String> {
        let answer = self.cloud.elb.describe_target_groups().target_group_arns(group).send().await?;
        let found = answer.target_groups().first().and_then(|one| one.load_balancer_arns().first());
        found.cloned().context("nothing forwards to the target group")
    }

    /// An NLB's DNS name.
    pub async fn dns_name(&self, balancer: &str) -> Result<String> {
        let answer = self.cloud.elb.describe_load_balancers().load_balancer_arns(balancer).send().await?;
        let name = answer.load_balancers().first().and_then(|one| one.dns_name());
        name.map(str::to_owned).context("no NLB")
    }

    /// The addresses of an NLB's interfaces, sorted.
    pub async fn balancer_addresses(&self, arn: &str) -> Result<Vec<String>> {
        let (_, name) = arn.split_once(":loadbalancer/").context("no NLB")?;
        let filter = Filter::builder().name("description").values(format!("ELB {name}")).build();
        let answer = self.cloud.ec2.describe_network_interfaces().filters(filter).send().await?;
        let addresses = answer.network_interfaces().iter().filter_map(|one| one.private_ip_address());
        let mut addresses: Vec<String> = addresses.map(str::to_owned).collect();
        addresses.sort();
        Ok(addresses)
    }

    /// A security group without inbound rules.
    pub async fn add_security_group(&self, name: &str) -> Result<String> {
        let call = self.cloud.ec2.create_security_group().group_name(name).description(name).vpc_id(&self.vpc);
        Ok(call.send().await?.group_id().context("no security group")?.to_owned())
    }

    /// Lets an address in as somebody else would.
    pub async fn put_rule(&self, group: &str, cidr: &str, port: i32) -> Result<()> {
        let range = IpRange::builder().cidr_ip(cidr).description("somebody else's").build();
        let permission = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port).ip_ranges(range);
        let call = self.cloud.ec2.authorize_security_group_ingress().group_id(group);
        call.ip_permissions(permission.build()).send().await?;
        Ok(())
    }

    /// The ranges that a security group lets in on a port, sorted, each with its description and the value of Foregate's
    /// tag.
    pub async fn rules(&self, group: &str, port: i32) -> Result<Vec<(String, String, Option<String>)>> {
        let filter = Filter::builder().name("group-id").values(group).build();
        let answer = self.cloud.ec2.describe_security_group_rules().filters(filter).send().await?;
        let rules = answer.security_group_rules().iter();
        let rules = rules.filter(|rule| rule.is_egress() == Some(false) && rule.from_port() == Some(port));
        let mut rules: Vec<_> = rules
            .filter_map(|rule| {
                let tag = rule.tags().iter().find(|tag| tag.key() == Some("foregate")).and_then(|tag| tag.value());
                let description = rule.description().unwrap_or_default().to_owned();
                Some((rule.cidr_ipv4()?.to_owned(), description, tag.map(str::to_owned)))
            })
            .collect();
        rules.sort();
        Ok(rules)
    }

    /// The ranges alone.
    pub async fn let_in(&self, group: &str, port: i32) -> Result<Vec<String>> {
        Ok(self.rules(group, port).await?.into_iter().map(|(range, _, _)| range).collect())
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
        spec(json!({"VpcEndpoint": {"VpcEndpointId": endpoint}}), to_group(group))
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
