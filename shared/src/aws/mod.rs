//! The few AWS calls that Foregate makes, as traits over plain types.
//!
//! A function's `observe` and `apply` see only the traits. Behind them stand the adapters (`ec2`, `elbv2`, `dynamodb`,
//! `sqs`, `eventbridge`: the only files that name an `aws_sdk_` crate, a cargo feature for each service that is slow to
//! build) and the [`model`], a small stateful AWS with programmable faults for simulations.

pub mod clients;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "ec2")]
mod ec2;
#[cfg(feature = "elbv2")]
mod elbv2;
mod error;
#[cfg(feature = "eventbridge")]
mod eventbridge;
#[cfg(feature = "model")]
pub mod model;
#[cfg(any(feature = "dynamodb", feature = "ec2", feature = "elbv2", feature = "eventbridge", feature = "sqs"))]
mod sdk;
#[cfg(feature = "sqs")]
mod sqs;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use error::{AwsError, Cause};
use serde_json::Value;

use crate::types::{Health, InterfaceId, Port, TargetGroupArn, TargetId, VpcEndpointId, Zone};

/// What a call answers.
pub type Answer<T> = Result<T, AwsError>;

/// A VPC endpoint, from DescribeVpcEndpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcEndpoint {
    /// Its id.
    pub id: VpcEndpointId,
    /// The VPC that it is in.
    pub vpc_id: String,
    /// `Interface`, `Gateway`, `GatewayLoadBalancer`, …
    pub endpoint_type: String,
    /// `available`, `pending`, `deleting`, …, in lower case.
    pub state: String,
    /// One for each subnet, once AWS is done making them.
    pub subnet_ids: Vec<String>,
    /// Its interfaces so far.
    pub interface_ids: Vec<InterfaceId>,
}

/// A network interface, from DescribeNetworkInterfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its id.
    pub id: InterfaceId,
    /// The subnet that it is in.
    pub subnet_id: String,
    /// Its primary private address; an endpoint's interface can be listed before it has one.
    pub ipv4: Option<Ipv4Addr>,
    /// Its first IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
}

/// The calls of EC2 that say where a VPC endpoint can be reached.
pub trait Network: Send + Sync {
    /// DescribeVpcEndpoints for one id; `None` when it does not exist (any more).
    fn vpc_endpoint(&self, id: &VpcEndpointId) -> impl Future<Output = Answer<Option<VpcEndpoint>>> + Send;

    /// DescribeNetworkInterfaces for these ids, every page. An interface that went away in between fails the call
    /// with [`Cause::NotFound`].
    fn interfaces(&self, ids: &[InterfaceId]) -> impl Future<Output = Answer<Vec<Interface>>> + Send;
}

/// What a target group takes as targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetType {
    /// Instance ids.
    Instance,
    /// IP addresses.
    Ip,
    /// A load balancer or a function, which Foregate does not feed.
    Other,
}

/// A target group, from DescribeTargetGroups: the properties that can't change while it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: TargetGroupArn,
    /// What its targets are.
    pub target_type: TargetType,
    /// The VPC that its targets are in.
    pub vpc_id: String,
    /// Where traffic goes unless a target says otherwise; not every target type has one.
    pub port: Option<Port>,
    /// Whether its IP targets are IPv6 addresses.
    pub is_ipv6: bool,
}

/// A target of a target group and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What is registered, on which port.
    pub id: TargetId,
    /// Its state.
    pub health: Health,
}

/// The calls of Elastic Load Balancing on a target group.
pub trait TargetGroups: Send + Sync {
    /// DescribeTargetGroups for one ARN; `None` when it does not exist (any more).
    fn target_group(&self, arn: &TargetGroupArn) -> impl Future<Output = Answer<Option<TargetGroup>>> + Send;

    /// `preserve_client_ip.enabled` of DescribeTargetGroupAttributes; `None` where the group has no such attribute.
    fn preserves_client_ip(&self, arn: &TargetGroupArn) -> impl Future<Output = Answer<Option<bool>>> + Send;

    /// DescribeTargetHealth: every target, in one call.
    fn targets(&self, arn: &TargetGroupArn) -> impl Future<Output = Answer<Vec<Target>>> + Send;

    /// RegisterTargets with one batch. When AWS refuses one of them it registers none of them.
    fn register(
        &self,
        arn: &TargetGroupArn,
        targets: &[TargetId],
        zone: Option<&Zone>,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// DeregisterTargets with one batch, each with its port. Absent targets are no error.
    fn deregister(&self, arn: &TargetGroupArn, targets: &[TargetId]) -> impl Future<Output = Answer<()>> + Send;
}

/// Where an item of the registry's table stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemKey {
    /// The partition key, `pk`.
    pub partition: String,
    /// The sort key, `sk`.
    pub sort: String,
}

/// An item of the registry's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it stands.
    pub key: ItemKey,
    /// Counts the writes to this item, from 1; what conditional writes compare.
    pub version: u64,
    /// Its keys in the index `by-source`, if it is to be found there.
    pub source: Option<ItemKey>,
    /// When DynamoDB may delete it (TTL), in seconds since the epoch.
    pub expires_at_seconds: Option<u64>,
    /// The record itself, a map.
    pub body: Value,
}

/// What a query of the table asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemQuery {
    /// Whether to ask the index `by-source` instead of the table itself. The index is eventually consistent.
    pub by_source: bool,
    /// The partition.
    pub partition: String,
    /// What the sort key begins with; empty for all.
    pub sort_prefix: String,
}

/// The DynamoDB calls on the registry's table. Every write is conditional on the item's version.
pub trait Table: Send + Sync {
    /// GetItem, strongly consistent.
    fn get(&self, key: &ItemKey) -> impl Future<Output = Answer<Option<Item>>> + Send;

    /// PutItem of `item` if the stored version is `item.version - 1` (0: there is no item), else [`Cause::Conflict`].
    fn put(&self, item: &Item) -> impl Future<Output = Answer<()>> + Send;

    /// DeleteItem if the stored version is `version`, else [`Cause::Conflict`].
    fn delete(&self, key: &ItemKey, version: u64) -> impl Future<Output = Answer<()>> + Send;

    /// Query, every page, in the order of the sort key; the table's own partitions strongly consistent.
    fn query(&self, query: &ItemQuery) -> impl Future<Output = Answer<Vec<Item>>> + Send;
}

/// A message for a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// JSON.
    pub body: Value,
    /// How long the queue holds it back; SQS allows 900 seconds at most.
    pub delay_seconds: u32,
}

/// SendMessageBatch.
pub trait Queue: Send + Sync {
    /// Sends all messages, ten to a call (SQS's maximum); an entry that SQS refuses fails the call.
    fn send(&self, messages: &[Message]) -> impl Future<Output = Answer<()>> + Send;
}

/// An event of Foregate's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnEvent {
    /// `Binding Changed`, …
    pub detail_type: &'static str,
    /// The ids or ARNs that it is about.
    pub resources: Vec<String>,
    /// What happened.
    pub detail: Value,
}

/// PutEvents with source `foregate`.
pub trait Bus: Send + Sync {
    /// Sends all events, ten to a call (EventBridge's maximum); an entry that EventBridge refuses fails the call.
    fn put(&self, events: &[OwnEvent]) -> impl Future<Output = Answer<()>> + Send;
}
