//! EC2, behind [`Network`], [`Instances`] and [`SecurityGroups`].

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_ec2::operation::describe_instances::builders::DescribeInstancesFluentBuilder;
use aws_sdk_ec2::operation::describe_network_interfaces::builders::DescribeNetworkInterfacesFluentBuilder;
use aws_sdk_ec2::types::{
    Filter, Instance as SdkInstance, InstanceStateName, IpPermission, IpRange, NetworkInterface, ResourceType,
    SecurityGroupRule, Tag, TagSpecification, VpcEndpoint as SdkVpcEndpoint,
};
use ipnet::Ipv4Net;

use super::sdk::{every_page, failed};
use super::{
    Answer, Cause, InboundRule, Instance, InstanceState, Instances, Interface, Network, SecurityGroups, TagFilter,
    VpcEndpoint,
};
use crate::types::{InstanceId, InterfaceId, Port, PortRange, SecurityGroupId, VpcEndpointId};

/// How many ids or filter values one call is asked for, EC2's maximum of values per filter.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>
const IDS_MAX: usize = 200;

/// How much one page holds, EC2's maximum of these calls. Beside ids EC2 takes no `MaxResults`.
const PAGE_MAX: i32 = 1_000;

/// How many pages of one list are followed; a part of it must not pass for the whole.
const PAGES_MAX: usize = 20;

/// EC2 in the function's account and region.
#[derive(Clone, Debug)]
pub struct Ec2 {
    client: aws_sdk_ec2::Client,
}

impl Ec2 {
    /// A client; makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_ec2::Client::new(config) }
    }
}

impl Network for Ec2 {
    async fn vpc_endpoint(&self, id: &VpcEndpointId) -> Answer<Option<VpcEndpoint>> {
        let call = self.client.describe_vpc_endpoints().vpc_endpoint_ids(id.as_str());
        match call.send().await.map_err(|e| failed("DescribeVpcEndpoints", id.as_str(), e)) {
            Ok(answer) => Ok(answer.vpc_endpoints().iter().find_map(|found| read_endpoint(id, found))),
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn interfaces(&self, ids: &[InterfaceId]) -> Answer<Vec<Interface>> {
        let mut interfaces = Vec::new();
        for chunk in ids.chunks(IDS_MAX) {
            let chunk: Vec<String> = chunk.iter().map(ToString::to_string).collect();
            let subject = chunk.join(", ");
            let call = self.describe_network_interfaces().set_network_interface_ids(Some(chunk));
            interfaces.extend(self.interface_pages(&subject, call).await?);
        }
        Ok(interfaces)
    }

    async fn interfaces_described(&self, description: &str) -> Answer<Vec<Interface>> {
        let call = self.describe_network_interfaces().max_results(PAGE_MAX);
        // Whoever may make interfaces may describe them as he likes: only AWS makes requester-managed ones.
        let call = call.filters(filter("description", [exactly(description)]));
        self.interface_pages(description, call.filters(filter("requester-managed", ["true".into()]))).await
    }

    async fn subnets(&self, vpc_id: &str) -> Answer<Vec<Ipv4Net>> {
        let call = self.client.describe_subnets().filters(filter("vpc-id", [vpc_id.into()])).max_results(PAGE_MAX);
        let range = |subnet: &aws_sdk_ec2::types::Subnet| subnet.cidr_block()?.parse::<Ipv4Net>().ok();
        every_page!("DescribeSubnets", vpc_id, PAGES_MAX, call, |page| {
            page.subnets().iter().filter_map(range).collect::<Vec<_>>()
        })
    }
}

impl Ec2 {
    /// An account may hide what AWS manages in it, such as the nodes of EKS Auto Mode, from whoever does not ask for them.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
    fn describe_instances(&self) -> DescribeInstancesFluentBuilder {
        self.client.describe_instances().include_managed_resources(true).max_results(PAGE_MAX)
    }

    /// The same for what AWS manages: the interfaces of such nodes, and of what it makes by itself.
    fn describe_network_interfaces(&self) -> DescribeNetworkInterfacesFluentBuilder {
        self.client.describe_network_interfaces().include_managed_resources(true)
    }

    async fn interface_pages(
        &self,
        subject: &str,
        call: DescribeNetworkInterfacesFluentBuilder,
    ) -> Answer<Vec<Interface>> {
        every_page!("DescribeNetworkInterfaces", subject, PAGES_MAX, call, |page| {
            page.network_interfaces().iter().filter_map(read_interface).collect::<Vec<_>>()
        })
    }

    async fn instance_pages(&self, subject: &str, filters: Vec<Filter>) -> Answer<Vec<Instance>> {
        let call = self.describe_instances().set_filters(Some(filters));
        every_page!("DescribeInstances", subject, PAGES_MAX, call, |page| {
            let instances = page.reservations().iter().flat_map(|reservation| reservation.instances());
            instances.filter_map(read_instance).collect::<Vec<_>>()
        })
    }
}

impl Instances for Ec2 {
    async fn instances(&self, filters: &[TagFilter]) -> Answer<Vec<Instance>> {
        let filters: Vec<Filter> = filters.iter().map(tag_filter).collect();
        let subject = filters.iter().filter_map(Filter::name).collect::<Vec<_>>().join(", ");
        self.instance_pages(&subject, filters).await
    }

    async fn instances_by_id(&self, ids: &BTreeSet<InstanceId>) -> Answer<Vec<Instance>> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS_MAX) {
            // As a filter: an id that EC2 has forgotten would fail the call as a parameter.
            let filters = vec![filter("instance-id", chunk.iter().cloned())];
            found.extend(self.instance_pages(&chunk.join(", "), filters).await?);
        }
        Ok(found)
    }
}

impl SecurityGroups for Ec2 {
    async fn security_group_owner(&self, id: &SecurityGroupId) -> Answer<Option<String>> {
        let call = self.client.describe_security_groups().group_ids(id.as_str());
        match call.send().await.map_err(|e| failed("DescribeSecurityGroups", id.as_str(), e)) {
            Ok(answer) => {
                let owner = answer.security_groups().first().map(|group| group.owner_id().unwrap_or_default());
                Ok(owner.map(str::to_owned))
            }
            Err(error) if error.cause == Cause::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn inbound_rules(&self, id: &SecurityGroupId) -> Answer<Vec<InboundRule>> {
        let call = self.client.describe_security_group_rules().filters(filter("group-id", [id.as_str().into()]));
        every_page!("DescribeSecurityGroupRules", id.as_str(), PAGES_MAX, call.max_results(PAGE_MAX), |page| {
            page.security_group_rules().iter().filter_map(read_rule).collect::<Vec<_>>()
        })
    }

    async fn authorize(
        &self,
        id: &SecurityGroupId,
        ports: PortRange,
        ranges: &[Ipv4Net],
        description: &str,
        tag: (&str, &str),
    ) -> Answer<()> {
        let ranges = ranges.iter().map(|range| IpRange::builder().cidr_ip(range.to_string()).description(description));
        let permission = IpPermission::builder()
            .ip_protocol(ports.protocol.as_str())
            .from_port(i32::from(ports.from.number()))
            .to_port(i32::from(ports.to.number()))
            .set_ip_ranges(Some(ranges.map(|range| range.build()).collect()));
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::SecurityGroupRule)
            .tags(Tag::builder().key(tag.0).value(tag.1).build());
        let call = self.client.authorize_security_group_ingress().group_id(id.as_str());
        let call = call.ip_permissions(permission.build()).tag_specifications(tags.build());
        call.send().await.map(|_| ()).map_err(|e| failed("AuthorizeSecurityGroupIngress", id.as_str(), e))
    }

    async fn revoke(&self, id: &SecurityGroupId, rule_ids: &[String]) -> Answer<()> {
        let call = self.client.revoke_security_group_ingress().group_id(id.as_str());
        let call = call.set_security_group_rule_ids(Some(rule_ids.to_vec()));
        call.send().await.map(|_| ()).map_err(|e| failed("RevokeSecurityGroupIngress", id.as_str(), e))
    }
}

fn filter(name: impl Into<String>, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// A filter's value that means itself: EC2 takes `*` and `?` for wildcards.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
fn exactly(value: &str) -> String {
    value.chars().flat_map(|c| matches!(c, '*' | '?' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

fn tag_filter(wanted: &TagFilter) -> Filter {
    match wanted {
        TagFilter::AnyKey(keys) => filter("tag-key", keys.iter().map(|key| exactly(key))),
        TagFilter::Values(key, values) => filter(format!("tag:{key}"), values.iter().map(|value| exactly(value))),
    }
}

fn read_instance(found: &SdkInstance) -> Option<Instance> {
    let state = found.state().and_then(|state| state.name())?;
    let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    let ipv6 = found.network_interfaces().iter().flat_map(|interface| interface.ipv6_addresses());
    Some(Instance {
        id: found.instance_id()?.parse().ok()?,
        state: match state {
            InstanceStateName::Running => InstanceState::Running,
            InstanceStateName::Stopping | InstanceStateName::Stopped => InstanceState::Stopped,
            InstanceStateName::ShuttingDown | InstanceStateName::Terminated => InstanceState::Terminated,
            // One that AWS adds some day is neither added nor removed.
            _ => InstanceState::Pending,
        },
        vpc_id: found.vpc_id().map(str::to_owned),
        ipv4: found.private_ip_address().and_then(|address| address.parse().ok()),
        ipv6: ipv6.filter_map(|address| address.ipv6_address()?.parse().ok()).next(),
        tags: found.tags().iter().filter_map(tag).collect(),
    })
}

fn read_rule(found: &SecurityGroupRule) -> Option<InboundRule> {
    if found.is_egress() != Some(false) {
        return None;
    }
    let port = |port: Option<i32>| Port::try_from(u32::try_from(port?).ok()?).ok();
    let ports = || {
        let protocol = found.ip_protocol()?.parse().ok()?;
        Some(PortRange { protocol, from: port(found.from_port())?, to: port(found.to_port())? })
    };
    let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    Some(InboundRule {
        id: found.security_group_rule_id()?.to_owned(),
        ports: ports(),
        cidr: found.cidr_ipv4().and_then(|cidr| cidr.parse().ok()),
        is_counted: found.cidr_ipv6().is_none(),
        tags: found.tags().iter().filter_map(tag).collect(),
    })
}

fn read_endpoint(id: &VpcEndpointId, found: &SdkVpcEndpoint) -> Option<VpcEndpoint> {
    (found.vpc_endpoint_id() == Some(id.as_str())).then(|| VpcEndpoint {
        id: id.clone(),
        vpc_id: found.vpc_id().unwrap_or_default().to_owned(),
        endpoint_type: found.vpc_endpoint_type().map_or("Gateway", |kind| kind.as_str()).to_owned(),
        state: found.state().map_or("", |state| state.as_str()).to_ascii_lowercase(),
        subnet_ids: found.subnet_ids().to_vec(),
        interface_ids: found.network_interface_ids().iter().filter_map(|id| id.parse().ok()).collect(),
    })
}

fn read_interface(found: &NetworkInterface) -> Option<Interface> {
    let ipv6 = found.ipv6_addresses().iter().find_map(|address| address.ipv6_address()?.parse().ok());
    Some(Interface {
        id: found.network_interface_id()?.parse().ok()?,
        subnet_id: found.subnet_id().unwrap_or_default().to_owned(),
        ipv4: found.private_ip_address().and_then(|address| address.parse().ok()),
        ipv6,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{State, VpcEndpointType};

    use super::*;

    #[test]
    fn instances_and_interfaces_that_aws_manages_are_asked_for() {
        let config = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::v2026_01_12()).build();
        let ec2 = Ec2::new(&config);
        assert_eq!(ec2.describe_instances().get_include_managed_resources(), &Some(true));
        assert_eq!(ec2.describe_network_interfaces().get_include_managed_resources(), &Some(true));
    }

    #[test]
    fn an_endpoint_is_read_whole() {
        let id: VpcEndpointId = "vpce-1a2b3c4d".parse().unwrap();
        let found = SdkVpcEndpoint::builder()
            .vpc_endpoint_id(id.as_str())
            .vpc_id("vpc-1")
            .vpc_endpoint_type(VpcEndpointType::Interface)
            .state(State::from("Available"))
            .subnet_ids("subnet-1")
            .network_interface_ids("eni-1a2b3c4d")
            .build();
        let expected = VpcEndpoint {
            id: id.clone(),
            vpc_id: "vpc-1".into(),
            endpoint_type: "Interface".into(),
            state: "available".into(),
            subnet_ids: vec!["subnet-1".into()],
            interface_ids: vec!["eni-1a2b3c4d".parse().unwrap()],
        };
        assert_eq!(read_endpoint(&id, &found), Some(expected));
    }

    #[test]
    fn a_filters_value_means_itself() {
        assert_eq!(exactly(r"a*b?c\d"), r"a\*b\?c\\d");
        assert_eq!(tag_filter(&TagFilter::Values("team".into(), vec!["*".into()])).values(), [r"\*"]);
    }

    #[test]
    fn only_inbound_rules_that_foregate_could_have_made_have_ports() {
        let rule = || SecurityGroupRule::builder().security_group_rule_id("sgr-1").is_egress(false).ip_protocol("tcp");
        let found = read_rule(&rule().from_port(443).to_port(443).cidr_ipv4("10.0.0.1/32").build()).unwrap();
        assert_eq!((found.ports, found.is_counted), ("tcp:443".parse().ok(), true));
        assert_eq!(found.cidr, "10.0.0.1/32".parse().ok());
        let all = read_rule(&rule().ip_protocol("-1").from_port(-1).to_port(-1).cidr_ipv6("::/0").build()).unwrap();
        assert_eq!((all.ports, all.cidr, all.is_counted), (None, None, false));
        assert_eq!(read_rule(&rule().is_egress(true).build()), None);
    }

    #[test]
    fn a_terminated_instance_has_tags_and_no_address() {
        let state = aws_sdk_ec2::types::InstanceState::builder().name(InstanceStateName::Terminated).build();
        let tag = Tag::builder().key("team").value("web").build();
        let found = SdkInstance::builder().instance_id("i-1a2b3c4d").state(state).tags(tag).build();
        let read = read_instance(&found).unwrap();
        assert_eq!((read.state, read.ipv4), (InstanceState::Terminated, None));
        assert_eq!(read.tags["team"], "web");
    }

    #[test]
    fn an_interface_can_be_without_an_address() {
        let found = NetworkInterface::builder().network_interface_id("eni-1a2b3c4d").build();
        assert_eq!(read_interface(&found).map(|interface| interface.ipv4), Some(None));
    }
}
