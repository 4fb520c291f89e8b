//! Elastic Load Balancing, behind [`TargetGroups`] and [`LoadBalancers`].

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::DescribeLoadBalancersOutput;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as SdkLoadBalancer, LoadBalancerTypeEnum, TargetDescription, TargetGroup as SdkTargetGroup,
    TargetGroupIpAddressTypeEnum, TargetHealthDescription, TargetHealthStateEnum, TargetTypeEnum,
};

use super::sdk::{every_page, failed};
use super::{
    Answer, BalancerSearch, Cause, LoadBalancer, LoadBalancers, NetworkLoadBalancer, Target, TargetGroup, TargetGroups,
    TargetType,
};
use crate::types::{Health, LoadBalancerArn, Port, TargetGroupArn, TargetId, Zone};

/// Elastic Load Balancing in the function's account and region.
#[derive(Clone, Debug)]
pub struct Elbv2 {
    client: aws_sdk_elasticloadbalancingv2::Client,
}

impl Elbv2 {
    /// A client; makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_elasticloadbalancingv2::Client::new(config) }
    }
}

impl TargetGroups for Elbv2 {
    async fn target_group(&self, arn: &TargetGroupArn) -> Answer<Option<TargetGroup>> {
        let call = self.client.describe_target_groups().target_group_arns(arn.as_str());
        match call.send().await.map_err(|e| failed("DescribeTargetGroups", arn.as_str(), e)) {
            Ok(answer) => Ok(answer.target_groups().first().map(|found| read_group(arn, found))),
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn preserves_client_ip(&self, arn: &TargetGroupArn) -> Answer<Option<bool>> {
        let call = self.client.describe_target_group_attributes().target_group_arn(arn.as_str());
        let answer = call.send().await.map_err(|e| failed("DescribeTargetGroupAttributes", arn.as_str(), e))?;
        let attribute = answer.attributes().iter().find(|one| one.key() == Some("preserve_client_ip.enabled"));
        Ok(attribute.and_then(|one| one.value()).map(|value| value == "true"))
    }

    async fn targets(&self, arn: &TargetGroupArn) -> Answer<Vec<Target>> {
        // DescribeTargetHealth has no pages.
        let call = self.client.describe_target_health().target_group_arn(arn.as_str());
        let answer = call.send().await.map_err(|e| failed("DescribeTargetHealth", arn.as_str(), e))?;
        Ok(answer.target_health_descriptions().iter().filter_map(read_target).collect())
    }

    async fn register(&self, arn: &TargetGroupArn, targets: &[TargetId], zone: Option<&Zone>) -> Answer<()> {
        let zone = zone.map(|zone| zone.as_str().to_owned());
        let targets = targets.iter().map(|target| describe(target).set_availability_zone(zone.clone()).build());
        let call = self.client.register_targets().target_group_arn(arn.as_str());
        let call = call.set_targets(Some(targets.collect()));
        call.send().await.map(|_| ()).map_err(|e| failed("RegisterTargets", arn.as_str(), e))
    }

    async fn deregister(&self, arn: &TargetGroupArn, targets: &[TargetId]) -> Answer<()> {
        let targets = targets.iter().map(|target| describe(target).build());
        let call = self.client.deregister_targets().target_group_arn(arn.as_str());
        let call = call.set_targets(Some(targets.collect()));
        call.send().await.map(|_| ()).map_err(|e| failed("DeregisterTargets", arn.as_str(), e))
    }
}

impl LoadBalancers for Elbv2 {
    async fn load_balancer(&self, arn: &LoadBalancerArn) -> Answer<Option<LoadBalancer>> {
        let call = self.client.describe_load_balancers().load_balancer_arns(arn.as_str());
        match call.send().await.map_err(|e| failed("DescribeLoadBalancers", arn.as_str(), e)) {
            Ok(answer) => Ok(answer.load_balancers().first().map(read_balancer)),
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// DescribeLoadBalancers' largest page.
const PAGE: i32 = 400;
const PAGES_MAX: usize = 50;
/// Load balancers per DescribeTags, Elastic Load Balancing's maximum.
const TAGGED_MAX: usize = 20;

impl BalancerSearch for Elbv2 {
    async fn by_arn(&self, arn: &LoadBalancerArn) -> Answer<Vec<NetworkLoadBalancer>> {
        let call = self.client.describe_load_balancers().load_balancer_arns(arn.as_str());
        one_or_none(call.send().await.map_err(|e| failed("DescribeLoadBalancers", arn.as_str(), e)))
    }

    async fn by_name(&self, name: &str) -> Answer<Vec<NetworkLoadBalancer>> {
        let call = self.client.describe_load_balancers().names(name);
        one_or_none(call.send().await.map_err(|e| failed("DescribeLoadBalancers", name, e)))
    }

    async fn tagged(&self) -> Answer<Vec<NetworkLoadBalancer>> {
        let call = self.client.describe_load_balancers().page_size(PAGE);
        let mut found: Vec<NetworkLoadBalancer> =
            every_page!("DescribeLoadBalancers", "the account", PAGES_MAX, call, |page| {
                page.load_balancers().iter().filter_map(read_network).collect::<Vec<_>>()
            })?;
        for some in found.chunks_mut(TAGGED_MAX) {
            let arns: Vec<String> = some.iter().map(|one| one.arn.clone()).collect();
            let call = self.client.describe_tags().set_resource_arns(Some(arns));
            let answer = match call.send().await.map_err(|e| failed("DescribeTags", "load balancers", e)) {
                Ok(answer) => answer,
                // One of them has gone meanwhile; the next look has the others.
                Err(error) if error.cause == Cause::NotFound => continue,
                Err(error) => return Err(error),
            };
            for described in answer.tag_descriptions() {
                let tags = described.tags().iter();
                let tags =
                    tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
                if let Some(one) = some.iter_mut().find(|one| Some(one.arn.as_str()) == described.resource_arn()) {
                    one.tags = tags.collect();
                }
            }
        }
        Ok(found)
    }
}

fn one_or_none(answer: Answer<DescribeLoadBalancersOutput>) -> Answer<Vec<NetworkLoadBalancer>> {
    match answer {
        Ok(answer) => Ok(answer.load_balancers().iter().filter_map(read_network).collect()),
        Err(error) if error.cause == Cause::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn read_network(found: &SdkLoadBalancer) -> Option<NetworkLoadBalancer> {
    if found.r#type() != Some(&LoadBalancerTypeEnum::Network) {
        return None;
    }
    Some(NetworkLoadBalancer {
        arn: found.load_balancer_arn()?.to_owned(),
        dns_name: found.dns_name().unwrap_or_default().to_owned(),
        state: found.state().and_then(|state| state.code()).map_or("", |code| code.as_str()).to_owned(),
        made_at_seconds: found.created_time().map_or(0, |time| time.secs()),
        tags: Default::default(),
    })
}

fn read_balancer(found: &SdkLoadBalancer) -> LoadBalancer {
    let zones = found.availability_zones().iter();
    LoadBalancer {
        vpc_id: found.vpc_id().unwrap_or_default().to_owned(),
        state: found.state().and_then(|state| state.code()).map_or("", |code| code.as_str()).to_owned(),
        subnet_ids: zones.filter_map(|zone| zone.subnet_id().map(str::to_owned)).collect(),
    }
}

fn describe(target: &TargetId) -> aws_sdk_elasticloadbalancingv2::types::builders::TargetDescriptionBuilder {
    TargetDescription::builder().id(&target.id).port(i32::from(target.port.number()))
}

fn read_port(port: Option<i32>) -> Option<Port> {
    port.and_then(|port| u32::try_from(port).ok()).and_then(|port| Port::try_from(port).ok())
}

fn read_group(arn: &TargetGroupArn, found: &SdkTargetGroup) -> TargetGroup {
    TargetGroup {
        arn: arn.clone(),
        target_type: match found.target_type() {
            Some(TargetTypeEnum::Ip) => TargetType::Ip,
            Some(TargetTypeEnum::Instance) => TargetType::Instance,
            _ => TargetType::Other,
        },
        vpc_id: found.vpc_id().unwrap_or_default().to_owned(),
        port: read_port(found.port()),
        is_ipv6: found.ip_address_type() == Some(&TargetGroupIpAddressTypeEnum::Ipv6),
    }
}

/// A target, or nothing where AWS describes one that isn't in the group, or one without a port (a function).
fn read_target(found: &TargetHealthDescription) -> Option<Target> {
    let target = found.target()?;
    let id = TargetId { id: target.id()?.to_owned(), port: read_port(target.port())? };
    let health = found.target_health()?;
    if health.reason().is_some_and(|reason| reason.as_str() == "Target.NotRegistered") {
        return None;
    }
    Some(Target { id, health: read_state(health.state()?) })
}

/// A state that AWS adds some day is taken for one that serves nobody.
fn read_state(state: &TargetHealthStateEnum) -> Health {
    match state {
        TargetHealthStateEnum::Healthy => Health::Healthy,
        TargetHealthStateEnum::Initial => Health::Initial,
        TargetHealthStateEnum::Unused => Health::Unused,
        TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining => Health::Draining,
        TargetHealthStateEnum::Unavailable => Health::Unavailable,
        _ => Health::Unhealthy,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{TargetHealth, TargetHealthReasonEnum};

    use super::*;

    #[test]
    fn states_are_read_as_aws_documents_them() {
        for (state, health) in [
            ("initial", Health::Initial),
            ("healthy", Health::Healthy),
            ("unhealthy", Health::Unhealthy),
            ("unused", Health::Unused),
            ("draining", Health::Draining),
            ("unhealthy.draining", Health::Draining),
            ("unavailable", Health::Unavailable),
            ("something.new", Health::Unhealthy),
        ] {
            assert_eq!(read_state(&TargetHealthStateEnum::from(state)), health, "{state}");
        }
    }

    #[test]
    fn a_target_that_is_not_in_the_group_is_left_out() {
        let description = |reason: &str| {
            let health = TargetHealth::builder()
                .state(TargetHealthStateEnum::Unused)
                .reason(TargetHealthReasonEnum::from(reason))
                .build();
            let target = TargetDescription::builder().id("10.0.0.1").port(443).build();
            TargetHealthDescription::builder().target(target).target_health(health).build()
        };
        assert!(read_target(&description("Target.NotRegistered")).is_none());
        assert_eq!(read_target(&description("Target.NotInUse")).map(|target| target.health), Some(Health::Unused));
    }
}
