//! A small stateful AWS for simulations: the traits of [`crate::aws`] over maps, with a clock that the simulation turns
//! and faults that it programs. It follows AWS's documentation: a refused batch registers nothing, absent targets
//! deregister without error, a deregistered target drains, conditional writes compare versions.
//!
//! Integration tests don't use it: they run the deployed function on independent implementations of AWS's APIs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::Ipv4Net;

use super::{
    Answer, AwsError, Bus, Cause, InboundRule, Instance, Interface, Item, ItemKey, ItemQuery, LifecycleAction,
    LoadBalancer, Message, Network, NetworkLoadBalancer, OwnEvent, Queue, Redelivery, Table, Target, TargetGroup,
    TargetGroups, TargetType, VpcEndpoint, VpcLink,
};
use crate::types::{
    AccountId, Health, HostName, InstanceId, InterfaceId, LoadBalancerArn, Port, RestApiId, SecurityGroupId,
    TargetGroupArn, TargetId, VpcEndpointId, Zone,
};

pub mod accounts;
pub mod apis;
mod nodes;
mod others;

/// What happens to a call that a simulation has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has no effect and fails.
    Fails(Cause),
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// The caller dies before it: this call never returns.
    Dies,
    /// It takes effect, and the caller dies before it hears of it.
    DiesAfter,
    /// It takes its time: whoever else runs beside the caller goes on first.
    Waits,
}

/// Entries per SendMessageBatch and PutEvents.
const ENTRIES_MAX: usize = 10;

/// Items of a page: few, so that simulations have several.
const PAGE_ITEMS: usize = 3;

/// An AWS. A clone is the same AWS.
#[derive(Clone, Debug, Default)]
pub struct Model {
    state: Arc<Mutex<State>>,
}

/// All there is, for a simulation to look into and to change at will.
#[derive(Debug, Default)]
pub struct State {
    /// The time, in seconds since the epoch.
    pub now_seconds: u64,
    /// How long a registered target is `initial`.
    pub healthy_after_seconds: u64,
    /// How long a deregistered target drains.
    pub deregistration_delay_seconds: u64,
    /// The quota of targets per group.
    pub targets_max: usize,
    /// The endpoints.
    pub endpoints: BTreeMap<VpcEndpointId, VpcEndpoint>,
    /// The interfaces of all endpoints.
    pub interfaces: BTreeMap<InterfaceId, Interface>,
    /// The interfaces of load balancers, by description.
    pub described: BTreeMap<String, Vec<Interface>>,
    /// The subnets of every VPC.
    pub subnets: Vec<Ipv4Net>,
    /// The load balancers.
    pub balancers: BTreeMap<LoadBalancerArn, LoadBalancer>,
    /// The instances.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// The Auto Scaling groups: their instances and these's lifecycle states.
    pub scaling_groups: BTreeMap<String, BTreeMap<InstanceId, String>>,
    /// How long a lifecycle action may go without a heartbeat.
    pub heartbeat_seconds: u64,
    /// The lifecycle actions that wait, each with when it ends by itself.
    pub actions: Vec<(LifecycleAction, u64)>,
    /// The security groups' inbound rules.
    pub security_groups: BTreeMap<SecurityGroupId, Vec<InboundRule>>,
    /// The quota of inbound rules per security group.
    pub rules_max: usize,
    /// What the name server answers: addresses, or that it is broken.
    pub names: BTreeMap<HostName, Result<BTreeSet<Ipv4Addr>, Cause>>,
    /// The target groups.
    pub groups: BTreeMap<TargetGroupArn, Group>,
    /// The REST APIs.
    pub apis: BTreeMap<RestApiId, apis::Api>,
    /// `DOMAIN/BASE-PATH` and the REST API and stage that it leads to.
    pub mappings: BTreeMap<String, (String, String)>,
    /// What each account has in each region, by `ACCOUNT/REGION`.
    pub accounts: BTreeMap<String, accounts::Account>,
    /// The accounts of each organizational unit.
    pub units: BTreeMap<String, BTreeSet<AccountId>>,
    /// The VPC links.
    pub vpc_links: Vec<VpcLink>,
    /// Network Load Balancers, as links find them.
    pub network_load_balancers: Vec<NetworkLoadBalancer>,
    /// The registry's table.
    pub items: BTreeMap<ItemKey, Item>,
    /// What was sent to the queue.
    pub messages: Vec<Message>,
    /// The failed messages that the queue was told to deliver again.
    pub redeliveries: Vec<Redelivery>,
    /// What was put on the bus.
    pub events: Vec<OwnEvent>,
    /// Every call since the last time that somebody took them, in order.
    pub calls: Vec<&'static str>,
    /// What happens to the coming calls, the first one first; `None` for nothing special.
    pub faults: VecDeque<Option<Fault>>,
    /// Operations that fail without effect, this often and for this cause, where `faults` says nothing.
    pub failing: BTreeMap<&'static str, (u32, Cause)>,
    made: u32,
    calls_made: u64,
}

/// A target group.
#[derive(Debug)]
pub struct Group {
    /// What DescribeTargetGroups says.
    pub description: TargetGroup,
    /// Its attribute `preserve_client_ip.enabled`.
    pub preserves_client_ip: bool,
    /// Whether a listener forwards to it.
    pub is_used: bool,
    /// Targets that it refuses, whatever batch they come in.
    pub refuses: BTreeSet<TargetId>,
    targets: BTreeMap<TargetId, Registered>,
}

#[derive(Clone, Copy, Debug)]
struct Registered {
    since_seconds: u64,
    drained_seconds: Option<u64>,
    health: Option<Health>,
}

impl State {
    fn failure(operation: &'static str, cause: Cause, code: &str) -> AwsError {
        AwsError {
            operation,
            subject: "the model".into(),
            cause,
            code: code.into(),
            message: "the model says so".into(),
        }
    }

    /// How many calls there have been ever.
    pub fn calls_made(&self) -> u64 {
        self.calls_made
    }

    /// What happens to the next call, which is of `operation`.
    fn next_fault(&mut self, operation: &'static str) -> Option<Fault> {
        if let Some(fault) = self.faults.pop_front().flatten() {
            return Some(fault);
        }
        let (times, cause) = self.failing.get_mut(operation).filter(|(times, _)| *times > 0)?;
        *times -= 1;
        Some(Fault::Fails(*cause))
    }

    fn group(&self, operation: &'static str, arn: &TargetGroupArn) -> Answer<&Group> {
        self.groups.get(arn).ok_or_else(|| Self::failure(operation, Cause::NotFound, "TargetGroupNotFound"))
    }

    fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}-{:017x}", self.made)
    }

    /// An interface endpoint in the VPC, with an interface in each of so many subnets.
    pub fn add_endpoint(&mut self, vpc_id: &str, subnets: usize) -> VpcEndpointId {
        let id: VpcEndpointId = self.next_id("vpce").parse().unwrap_or_else(|e| panic!("{e}"));
        let endpoint = VpcEndpoint {
            id: id.clone(),
            vpc_id: vpc_id.into(),
            endpoint_type: "Interface".into(),
            state: "available".into(),
            subnet_ids: Vec::new(),
            interface_ids: Vec::new(),
        };
        self.endpoints.insert(id.clone(), endpoint);
        (0..subnets).for_each(|_| self.add_subnet(&id));
        id
    }

    /// One more subnet for the endpoint, with an interface that has an address never used before.
    pub fn add_subnet(&mut self, endpoint: &VpcEndpointId) {
        let id: InterfaceId = self.next_id("eni").parse().unwrap_or_else(|e| panic!("{e}"));
        let ipv4 = Some(Ipv4Addr::from(0x0a00_0000 + self.made));
        let subnet_id = format!("subnet-{}", self.made);
        let Some(endpoint) = self.endpoints.get_mut(endpoint) else { return };
        endpoint.subnet_ids.push(subnet_id.clone());
        endpoint.interface_ids.push(id.clone());
        self.interfaces.insert(id.clone(), Interface { id, subnet_id, ipv4, ipv6: None });
    }

    /// One subnet of the endpoint's fewer, the one that it has had longest.
    pub fn remove_subnet(&mut self, endpoint: &VpcEndpointId) {
        let Some(endpoint) = self.endpoints.get_mut(endpoint).filter(|one| !one.subnet_ids.is_empty()) else { return };
        endpoint.subnet_ids.remove(0);
        let interface = endpoint.interface_ids.remove(0);
        self.interfaces.remove(&interface);
    }

    /// The addresses that the endpoint has.
    pub fn addresses(&self, endpoint: &VpcEndpointId) -> BTreeSet<IpAddr> {
        let ids = self.endpoints.get(endpoint).map(|one| one.interface_ids.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| self.interfaces.get(id)?.ipv4).map(IpAddr::V4).collect()
    }

    /// A target group for IP addresses on port 443 that a listener forwards to.
    pub fn add_group(&mut self, vpc_id: &str) -> TargetGroupArn {
        self.add_group_of(TargetType::Ip, vpc_id)
    }

    /// A target group on port 443 that a listener forwards to.
    pub fn add_group_of(&mut self, target_type: TargetType, vpc_id: &str) -> TargetGroupArn {
        let id = self.next_id("group");
        let arn = format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/{id}/0123456789abcdef");
        let arn: TargetGroupArn = arn.parse().unwrap_or_else(|e| panic!("{e}"));
        let description = TargetGroup {
            arn: arn.clone(),
            target_type,
            vpc_id: vpc_id.into(),
            port: Port::try_from(443).ok(),
            is_ipv6: false,
        };
        let group = Group {
            description,
            preserves_client_ip: false,
            is_used: true,
            refuses: BTreeSet::new(),
            targets: BTreeMap::new(),
        };
        self.groups.insert(arn.clone(), group);
        arn
    }

    /// The targets of a group as DescribeTargetHealth has them now.
    pub fn targets(&self, arn: &TargetGroupArn) -> BTreeMap<TargetId, Health> {
        let Some(group) = self.groups.get(arn) else { return BTreeMap::new() };
        let states = group.targets.iter().filter_map(|(id, target)| Some((id.clone(), self.state_of(group, target)?)));
        states.collect()
    }

    /// None once it has drained.
    fn state_of(&self, group: &Group, target: &Registered) -> Option<Health> {
        match target.drained_seconds {
            Some(drained) if drained <= self.now_seconds => None,
            Some(_) => Some(Health::Draining),
            None if !group.is_used => Some(Health::Unused),
            None if target.health.is_some() => target.health,
            None if self.now_seconds < target.since_seconds + self.healthy_after_seconds => Some(Health::Initial),
            None => Some(Health::Healthy),
        }
    }

    /// Registers targets as somebody other than the code under test would.
    pub fn put_targets(&mut self, arn: &TargetGroupArn, targets: impl IntoIterator<Item = TargetId>) {
        let now = self.now_seconds;
        let Some(group) = self.groups.get_mut(arn) else { return };
        for target in targets {
            let fresh = Registered { since_seconds: now, drained_seconds: None, health: None };
            let registered = group.targets.entry(target).or_insert(fresh);
            if registered.drained_seconds.is_some() {
                *registered = fresh;
            }
        }
    }

    /// Deregisters a target as somebody other than the code under test would.
    pub fn drop_target(&mut self, arn: &TargetGroupArn, target: &TargetId) {
        let drained = self.now_seconds + self.deregistration_delay_seconds;
        let target = self.groups.get_mut(arn).and_then(|group| group.targets.get_mut(target));
        if let Some(target) = target.filter(|target| target.drained_seconds.is_none()) {
            target.drained_seconds = Some(drained);
        }
    }

    /// Pins a target's health; `None` gives it back to the clock.
    pub fn set_health(&mut self, arn: &TargetGroupArn, target: &TargetId, health: Option<Health>) {
        if let Some(target) = self.groups.get_mut(arn).and_then(|group| group.targets.get_mut(target)) {
            target.health = health;
        }
    }

    fn register(&mut self, arn: &TargetGroupArn, targets: &[TargetId]) -> Answer<()> {
        let group = self.group("RegisterTargets", arn)?;
        if targets.is_empty() {
            return Err(Self::failure("RegisterTargets", Cause::Refused, "ValidationError"));
        }
        if targets.iter().any(|target| group.refuses.contains(target) || !group.description.takes(&target.id)) {
            return Err(Self::failure("RegisterTargets", Cause::Refused, "InvalidTarget"));
        }
        let present: BTreeSet<TargetId> = self.targets(arn).into_keys().collect();
        let new: BTreeSet<&TargetId> = targets.iter().filter(|target| !present.contains(*target)).collect();
        if present.len() + new.len() > self.targets_max {
            return Err(Self::failure("RegisterTargets", Cause::LimitExceeded, "TooManyTargets"));
        }
        let now = self.now_seconds;
        if let Some(group) = self.groups.get_mut(arn) {
            group.targets.retain(|_, target| target.drained_seconds.is_none_or(|drained| drained > now));
        }
        self.put_targets(arn, targets.iter().cloned());
        Ok(())
    }
}

impl Model {
    /// An empty AWS with AWS's defaults.
    pub fn new() -> Self {
        let model = Self::default();
        {
            let mut state = model.state();
            state.now_seconds = 1_000_000;
            state.healthy_after_seconds = 90;
            state.deregistration_delay_seconds = 300;
            state.targets_max = 1_000;
            state.rules_max = 60;
            state.heartbeat_seconds = 3_600;
        }
        model
    }

    /// The state, to look into or to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns the clock on.
    pub fn advance(&self, seconds: u64) {
        self.state().now_seconds += seconds;
    }

    /// The calls since the last time that this was asked.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().calls)
    }

    /// Notes the call and does it, or what its fault says.
    async fn call<T: Send>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut State) -> Answer<T> + Send,
    ) -> Answer<T> {
        let fault = {
            let mut state = self.state();
            state.calls.push(operation);
            state.calls_made += 1;
            state.next_fault(operation)
        };
        let unavailable = || State::failure(operation, Cause::Unavailable, "");
        match fault {
            None => act(&mut self.state()),
            Some(Fault::Fails(cause)) => Err(State::failure(operation, cause, "")),
            Some(Fault::AnswerLost) => act(&mut self.state()).and(Err(unavailable())),
            Some(Fault::Dies) => std::future::pending().await,
            Some(Fault::DiesAfter) => {
                // What it would have answered is of no use to the dead.
                let _ = act(&mut self.state());
                std::future::pending().await
            }
            Some(Fault::Waits) => {
                tokio::task::yield_now().await;
                act(&mut self.state())
            }
        }
    }
}

impl TargetGroup {
    /// Whether RegisterTargets takes such an id: an instance, or an address of the group's family that is private.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html>
    fn takes(&self, id: &str) -> bool {
        match (self.target_type, id.parse::<IpAddr>()) {
            (TargetType::Ip, Ok(IpAddr::V4(address))) => !self.is_ipv6 && is_private(address),
            (TargetType::Ip, Ok(IpAddr::V6(_))) => self.is_ipv6,
            (TargetType::Ip, Err(_)) => false,
            (TargetType::Instance, _) => id.starts_with("i-"),
            (TargetType::Other, _) => true,
        }
    }
}

/// RFC 1918 or RFC 6598.
fn is_private(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private() || (a == 100 && b & 0xc0 == 64)
}

impl Network for Model {
    fn vpc_endpoint(&self, id: &VpcEndpointId) -> impl Future<Output = Answer<Option<VpcEndpoint>>> + Send {
        self.call("DescribeVpcEndpoints", |state| Ok(state.endpoints.get(id).cloned()))
    }

    fn interfaces(&self, ids: &[InterfaceId]) -> impl Future<Output = Answer<Vec<Interface>>> + Send {
        self.call("DescribeNetworkInterfaces", |state| {
            let found: Option<Vec<Interface>> = ids.iter().map(|id| state.interfaces.get(id).cloned()).collect();
            found.ok_or_else(|| {
                State::failure("DescribeNetworkInterfaces", Cause::NotFound, "InvalidNetworkInterfaceID.NotFound")
            })
        })
    }

    fn interfaces_described(&self, description: &str) -> impl Future<Output = Answer<Vec<Interface>>> + Send {
        self.call("DescribeNetworkInterfaces", |state| {
            Ok(state.described.get(description).cloned().unwrap_or_default())
        })
    }

    fn subnets(&self, _vpc_id: &str) -> impl Future<Output = Answer<Vec<Ipv4Net>>> + Send {
        self.call("DescribeSubnets", |state| Ok(state.subnets.clone()))
    }
}

impl TargetGroups for Model {
    fn target_group(&self, arn: &TargetGroupArn) -> impl Future<Output = Answer<Option<TargetGroup>>> + Send {
        self.call("DescribeTargetGroups", |state| Ok(state.groups.get(arn).map(|group| group.description.clone())))
    }

    fn preserves_client_ip(&self, arn: &TargetGroupArn) -> impl Future<Output = Answer<Option<bool>>> + Send {
        self.call("DescribeTargetGroupAttributes", |state| {
            state.group("DescribeTargetGroupAttributes", arn).map(|group| Some(group.preserves_client_ip))
        })
    }

    fn targets(&self, arn: &TargetGroupArn) -> impl Future<Output = Answer<Vec<Target>>> + Send {
        self.call("DescribeTargetHealth", |state| {
            state.group("DescribeTargetHealth", arn)?;
            Ok(state.targets(arn).into_iter().map(|(id, health)| Target { id, health }).collect())
        })
    }

    fn register(
        &self,
        arn: &TargetGroupArn,
        targets: &[TargetId],
        _zone: Option<&Zone>,
    ) -> impl Future<Output = Answer<()>> + Send {
        self.call("RegisterTargets", |state| state.register(arn, targets))
    }

    fn deregister(&self, arn: &TargetGroupArn, targets: &[TargetId]) -> impl Future<Output = Answer<()>> + Send {
        self.call("DeregisterTargets", |state| {
            state.group("DeregisterTargets", arn)?;
            targets.iter().for_each(|target| state.drop_target(arn, target));
            Ok(())
        })
    }
}

impl Table for Model {
    fn get(&self, key: &ItemKey) -> impl Future<Output = Answer<Option<Item>>> + Send {
        self.call("GetItem", |state| Ok(state.items.get(key).cloned()))
    }

    fn put(&self, item: &Item) -> impl Future<Output = Answer<()>> + Send {
        self.call("PutItem", |state| {
            let stored = state.items.get(&item.key).map_or(0, |stored| stored.version);
            if stored != item.version.saturating_sub(1) {
                return Err(State::failure("PutItem", Cause::Conflict, "ConditionalCheckFailedException"));
            }
            state.items.insert(item.key.clone(), item.clone());
            Ok(())
        })
    }

    fn put_all(&self, items: &[Item]) -> impl Future<Output = Answer<()>> + Send {
        self.call("TransactWriteItems", move |state| {
            for item in items {
                let stored = state.items.get(&item.key).map_or(0, |stored| stored.version);
                if stored != item.version.saturating_sub(1) {
                    let code = "TransactionCanceledException";
                    return Err(State::failure("TransactWriteItems", Cause::Conflict, code));
                }
            }
            state.items.extend(items.iter().map(|item| (item.key.clone(), item.clone())));
            Ok(())
        })
    }

    fn delete(&self, key: &ItemKey, version: u64) -> impl Future<Output = Answer<()>> + Send {
        self.call("DeleteItem", move |state| {
            if state.items.get(key).map(|stored| stored.version) != Some(version) {
                return Err(State::failure("DeleteItem", Cause::Conflict, "ConditionalCheckFailedException"));
            }
            state.items.remove(key);
            Ok(())
        })
    }

    fn query(&self, query: &ItemQuery) -> impl Future<Output = Answer<Vec<Item>>> + Send {
        self.call("Query", |state| {
            let key = |item: &Item| if query.by_source { item.source.clone() } else { Some(item.key.clone()) };
            let matches = |key: ItemKey| key.partition == query.partition && key.sort.starts_with(&query.sort_prefix);
            let mut items: Vec<Item> =
                state.items.values().filter(|item| key(item).is_some_and(matches)).cloned().collect();
            items.sort_by_key(|item| key(item));
            Ok(items)
        })
    }

    fn query_page(&self, query: &ItemQuery, after: Option<&ItemKey>) -> impl Future<Output = Answer<Vec<Item>>> + Send {
        self.call("Query", move |state| {
            let is_after = |key: &ItemKey| after.is_none_or(|after| key > after);
            let matches = |key: &ItemKey| key.partition == query.partition && key.sort.starts_with(&query.sort_prefix);
            let items = state.items.iter().filter(|(key, _)| matches(key) && is_after(key));
            Ok(items.take(PAGE_ITEMS).map(|(_, item)| item.clone()).collect())
        })
    }
}

impl Queue for Model {
    async fn send(&self, messages: &[Message]) -> Answer<()> {
        for batch in messages.chunks(ENTRIES_MAX) {
            self.call("SendMessageBatch", |state| {
                state.messages.extend_from_slice(batch);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn change_message_visibility(&self, messages: &[Redelivery]) -> Answer<()> {
        for batch in messages.chunks(ENTRIES_MAX) {
            self.call("ChangeMessageVisibilityBatch", |state| {
                state.redeliveries.extend_from_slice(batch);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

impl Bus for Model {
    async fn put(&self, events: &[OwnEvent]) -> Answer<()> {
        for batch in events.chunks(ENTRIES_MAX) {
            self.call("PutEvents", |state| {
                state.events.extend_from_slice(batch);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(n: u8) -> TargetId {
        format!("10.0.0.{n}:443").parse().unwrap()
    }

    #[tokio::test]
    async fn a_refused_batch_registers_nothing() {
        let model = Model::new();
        let arn = model.state().add_group("vpc-1");
        model.state().groups.get_mut(&arn).unwrap().refuses.insert(target(2));
        let error = model.register(&arn, &[target(1), target(2)], None).await.unwrap_err();
        assert_eq!(error.code, "InvalidTarget");
        assert!(model.state().targets(&arn).is_empty());
    }

    #[tokio::test]
    async fn what_is_no_private_address_is_refused() {
        let model = Model::new();
        let arn = model.state().add_group("vpc-1");
        for wrong in ["8.8.8.8:443", "i-0a1b2c3d:443", "[fd00::1]:443", "100.128.0.1:443"] {
            let batch = [target(1), wrong.parse().unwrap()];
            assert_eq!(model.register(&arn, &batch, None).await.unwrap_err().code, "InvalidTarget", "{wrong}");
        }
        assert_eq!(model.register(&arn, &[], None).await.unwrap_err().cause, Cause::Refused);
        assert!(model.state().targets(&arn).is_empty());
        model.register(&arn, &["100.64.0.1:443".parse().unwrap()], None).await.unwrap();
    }

    #[tokio::test]
    async fn the_quota_counts_what_drains_and_nothing_twice() {
        let model = Model::new();
        let arn = model.state().add_group("vpc-1");
        model.state().targets_max = 2;
        model.register(&arn, &[target(1), target(1), target(2)], None).await.unwrap();
        model.deregister(&arn, &[target(2)]).await.unwrap();
        let error = model.register(&arn, &[target(3)], None).await.unwrap_err();
        assert_eq!((error.cause, error.code.as_str()), (Cause::LimitExceeded, "TooManyTargets"));
        model.register(&arn, &[target(2)], None).await.unwrap();
        assert_eq!(model.state().targets(&arn).len(), 2, "what drains keeps its place");
    }

    #[tokio::test]
    async fn a_group_that_nothing_forwards_to_has_unused_targets() {
        let model = Model::new();
        let arn = model.state().add_group("vpc-1");
        model.register(&arn, &[target(1)], None).await.unwrap();
        model.advance(1_000);
        model.state().groups.get_mut(&arn).unwrap().is_used = false;
        assert_eq!(model.state().targets(&arn)[&target(1)], Health::Unused);
    }

    #[tokio::test]
    async fn messages_go_out_by_tens_and_those_before_a_failure_are_sent() {
        let model = Model::new();
        let message = Message { body: serde_json::json!({}), delay_seconds: 0 };
        model.send(&[]).await.unwrap();
        assert!(model.take_calls().is_empty());
        model.state().faults.extend([None, Some(Fault::Fails(Cause::Throttled))]);
        assert_eq!(model.send(&vec![message; 25]).await.unwrap_err().cause, Cause::Throttled);
        assert_eq!(model.state().messages.len(), 10);
        assert_eq!(model.take_calls().len(), 2);
    }

    #[tokio::test]
    async fn an_operation_can_fail_for_a_while() {
        let model = Model::new();
        let arn = model.state().add_group("vpc-1");
        model.state().failing.insert("RegisterTargets", (2, Cause::Denied));
        for _ in 0..2 {
            assert!(model.targets(&arn).await.is_ok());
            assert_eq!(model.register(&arn, &[target(1)], None).await.unwrap_err().cause, Cause::Denied);
        }
        model.register(&arn, &[target(1)], None).await.unwrap();
    }

    #[tokio::test]
    async fn a_call_that_waits_lets_another_go_first() {
        let model = Model::new();
        let key = ItemKey { partition: "A".into(), sort: "B".into() };
        let item = |n| Item {
            key: key.clone(),
            version: 1,
            source: None,
            expires_at_seconds: None,
            body: serde_json::json!(n),
        };
        let (slow, fast) = (item("slow"), item("fast"));
        model.state().faults.push_back(Some(Fault::Waits));
        let (slow, fast) = tokio::join!(Table::put(&model, &slow), Table::put(&model, &fast));
        assert_eq!((slow.unwrap_err().cause, fast), (Cause::Conflict, Ok(())));
    }

    #[tokio::test]
    async fn a_target_comes_up_drains_and_is_gone() {
        let model = Model::new();
        let arn = model.state().add_group("vpc-1");
        let health = || model.state().targets(&arn).get(&target(1)).copied();
        model.register(&arn, &[target(1)], None).await.unwrap();
        assert_eq!(health(), Some(Health::Initial));
        model.advance(90);
        assert_eq!(health(), Some(Health::Healthy));
        let other_port = "10.0.0.1:80".parse().unwrap();
        model.deregister(&arn, &[other_port]).await.unwrap();
        assert_eq!(health(), Some(Health::Healthy), "another port is another target");
        model.deregister(&arn, &[target(1)]).await.unwrap();
        assert_eq!(health(), Some(Health::Draining));
        model.register(&arn, &[target(1)], None).await.unwrap();
        assert_eq!(health(), Some(Health::Initial), "a draining target can come back");
        model.deregister(&arn, &[target(1)]).await.unwrap();
        model.advance(300);
        assert_eq!(health(), None);
    }

    #[tokio::test]
    async fn a_write_over_another_version_is_refused() {
        let model = Model::new();
        let key = ItemKey { partition: "A".into(), sort: "B".into() };
        let body = serde_json::json!({});
        let item =
            |version| Item { key: key.clone(), version, source: None, expires_at_seconds: None, body: body.clone() };
        Table::put(&model, &item(1)).await.unwrap();
        assert_eq!(Table::put(&model, &item(1)).await.unwrap_err().cause, Cause::Conflict);
        Table::put(&model, &item(2)).await.unwrap();
        assert_eq!(Table::delete(&model, &key, 1).await.unwrap_err().cause, Cause::Conflict);
        Table::delete(&model, &key, 2).await.unwrap();
    }

    #[tokio::test]
    async fn faults_come_in_the_order_that_they_were_programmed() {
        let model = Model::new();
        let arn = model.state().add_group("vpc-1");
        let faults = [None, Some(Fault::Fails(Cause::Throttled)), Some(Fault::AnswerLost)];
        model.state().faults.extend(faults);
        assert!(model.register(&arn, &[target(1)], None).await.is_ok());
        assert_eq!(model.register(&arn, &[target(2)], None).await.unwrap_err().cause, Cause::Throttled);
        assert_eq!(model.register(&arn, &[target(3)], None).await.unwrap_err().cause, Cause::Unavailable);
        let registered: Vec<TargetId> = model.state().targets(&arn).into_keys().collect();
        assert_eq!(registered, [target(1), target(3)]);
        assert_eq!(model.take_calls(), ["RegisterTargets"; 3]);
    }
}
