//! Load balancers, security groups and the name server.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Model, State};
use crate::aws::{Answer, Cause, InboundRule, Interface, LoadBalancer, LoadBalancers, Names, SecurityGroups};
use crate::types::{HostName, LoadBalancerArn, PortRange, SecurityGroupId};

impl State {
    /// An active Network Load Balancer in the VPC, with an interface in each of so many subnets.
    pub fn add_balancer(&mut self, vpc_id: &str, subnets: usize) -> LoadBalancerArn {
        let name = self.next_id("balancer");
        let arn =
            format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/{name}/0123456789abcdef");
        let arn: LoadBalancerArn = arn.parse().unwrap_or_else(|e| panic!("{e}"));
        let balancer = LoadBalancer { vpc_id: vpc_id.into(), state: "active".into(), subnet_ids: Vec::new() };
        self.balancers.insert(arn.clone(), balancer);
        (0..subnets).for_each(|_| self.add_balancer_subnet(&arn));
        arn
    }

    /// One more subnet for the load balancer, with an interface that has an address never used before.
    pub fn add_balancer_subnet(&mut self, arn: &LoadBalancerArn) {
        let id = self.next_id("eni").parse().unwrap_or_else(|e| panic!("{e}"));
        let subnet_id = format!("subnet-{}", self.made);
        let ipv4 = Some(Ipv4Addr::from(0x0a00_0000 + self.made));
        let Some(balancer) = self.balancers.get_mut(arn) else { return };
        balancer.subnet_ids.push(subnet_id.clone());
        let interface = Interface { id, subnet_id, ipv4, ipv6: None };
        self.described.entry(format!("ELB {}", arn.name_and_id())).or_default().push(interface);
    }

    /// A security group without rules.
    pub fn add_security_group(&mut self) -> SecurityGroupId {
        let id: SecurityGroupId = self.next_id("sg").parse().unwrap_or_else(|e| panic!("{e}"));
        self.security_groups.insert(id.clone(), Vec::new());
        id
    }

    /// Adds a rule as somebody other than the code under test would.
    pub fn put_rule(&mut self, group: &SecurityGroupId, ports: PortRange, cidr: Ipv4Net, tags: &[(&str, &str)]) {
        let id = self.next_id("sgr");
        let tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let rule = InboundRule { id, ports: Some(ports), cidr: Some(cidr), is_counted: true, tags };
        if let Some(rules) = self.security_groups.get_mut(group) {
            rules.push(rule);
        }
    }

    /// The ranges that the security group lets in on these ports.
    pub fn let_in(&self, group: &SecurityGroupId, ports: PortRange) -> BTreeSet<Ipv4Net> {
        let rules = self.security_groups.get(group).map(Vec::as_slice).unwrap_or_default();
        rules.iter().filter(|rule| rule.ports == Some(ports)).filter_map(|rule| rule.cidr).collect()
    }

    fn rules(&mut self, operation: &'static str, group: &SecurityGroupId) -> Answer<&mut Vec<InboundRule>> {
        let missing = || Self::failure(operation, Cause::NotFound, "InvalidGroup.NotFound");
        self.security_groups.get_mut(group).ok_or_else(missing)
    }
}

impl LoadBalancers for Model {
    fn load_balancer(&self, arn: &LoadBalancerArn) -> impl Future<Output = Answer<Option<LoadBalancer>>> + Send {
        self.call("DescribeLoadBalancers", |state| Ok(state.balancers.get(arn).cloned()))
    }
}

impl SecurityGroups for Model {
    fn security_group_owner(&self, id: &SecurityGroupId) -> impl Future<Output = Answer<Option<String>>> + Send {
        self.call("DescribeSecurityGroups", |state| {
            Ok(state.security_groups.contains_key(id).then(|| "111122223333".to_owned()))
        })
    }

    fn inbound_rules(&self, id: &SecurityGroupId) -> impl Future<Output = Answer<Vec<InboundRule>>> + Send {
        self.call("DescribeSecurityGroupRules", |state| Ok(state.security_groups.get(id).cloned().unwrap_or_default()))
    }

    fn authorize(
        &self,
        id: &SecurityGroupId,
        ports: PortRange,
        ranges: &[Ipv4Net],
        _description: &str,
        tag: (&str, &str),
    ) -> impl Future<Output = Answer<()>> + Send {
        self.call("AuthorizeSecurityGroupIngress", move |state| {
            let operation = "AuthorizeSecurityGroupIngress";
            let rules_max = state.rules_max;
            let rules = state.rules(operation, id)?;
            let is_there =
                |range: &Ipv4Net| rules.iter().any(|rule| rule.ports == Some(ports) && rule.cidr == Some(*range));
            if ranges.iter().any(is_there) {
                return Err(State::failure(operation, Cause::Conflict, "InvalidPermission.Duplicate"));
            }
            if rules.iter().filter(|rule| rule.is_counted).count() + ranges.len() > rules_max {
                let code = "RulesPerSecurityGroupLimitExceeded";
                return Err(State::failure(operation, Cause::LimitExceeded, code));
            }
            ranges.iter().for_each(|range| state.put_rule(id, ports, *range, &[tag]));
            Ok(())
        })
    }

    fn revoke(&self, id: &SecurityGroupId, rule_ids: &[String]) -> impl Future<Output = Answer<()>> + Send {
        self.call("RevokeSecurityGroupIngress", |state| {
            let rules = state.rules("RevokeSecurityGroupIngress", id)?;
            if rule_ids.iter().any(|id| rules.iter().all(|rule| rule.id != *id)) {
                let code = "InvalidSecurityGroupRuleId.NotFound";
                return Err(State::failure("RevokeSecurityGroupIngress", Cause::NotFound, code));
            }
            rules.retain(|rule| !rule_ids.contains(&rule.id));
            Ok(())
        })
    }
}

impl Names for Model {
    fn addresses(&self, host: &HostName) -> impl Future<Output = Answer<BTreeSet<Ipv4Addr>>> + Send {
        self.call("DNS A", |state| match state.names.get(host) {
            None => Ok(BTreeSet::new()),
            Some(Ok(addresses)) => Ok(addresses.clone()),
            Some(Err(cause)) => Err(State::failure("DNS A", *cause, "")),
        })
    }
}

impl State {
    /// What the name server answers from now on.
    pub fn name(&mut self, host: &HostName, addresses: &[Ipv4Addr]) {
        self.names.insert(host.clone(), Ok(addresses.iter().copied().collect()));
    }

    /// The rules with the tag, by range.
    pub fn tagged(&self, group: &SecurityGroupId, key: &str) -> BTreeMap<Ipv4Net, PortRange> {
        let rules = self.security_groups.get(group).map(Vec::as_slice).unwrap_or_default();
        let tagged = rules.iter().filter(|rule| rule.tags.contains_key(key));
        tagged.filter_map(|rule| Some((rule.cidr?, rule.ports?))).collect()
    }
}
