//! The few AWS calls that Foregate makes, as traits over plain types.
//!
//! A function's `observe` and `apply` see only the traits. Behind them stand the adapters (`apigateway`, `autoscaling`, `ec2`,
//! `elbv2`, `dynamodb`, `sqs`, `eventbridge`, `lambda`: the only files that name an `aws_sdk_` crate; `dns` for the VPC's resolver; a cargo
//! feature for each, since they are slow to build) and the [`model`], a small stateful AWS with programmable faults for
//! simulations.

#[cfg(feature = "apigateway")]
mod api_keys;
#[cfg(feature = "apigateway")]
mod apigateway;
#[cfg(feature = "autoscaling")]
mod autoscaling;
pub mod clients;
#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "ec2")]
mod ec2;
#[cfg(feature = "elbv2")]
mod elbv2;
mod error;
#[cfg(feature = "eventbridge")]
mod eventbridge;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg(feature = "apigateway")]
mod members;
#[cfg(feature = "model")]
pub mod model;
#[cfg(feature = "organizations")]
mod organizations;
#[cfg(any(
    feature = "apigateway",
    feature = "autoscaling",
    feature = "dynamodb",
    feature = "ec2",
    feature = "elbv2",
    feature = "eventbridge",
    feature = "lambda",
    feature = "organizations",
    feature = "sqs"
))]
mod sdk;
#[cfg(feature = "sqs")]
mod sqs;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use error::{AwsError, Cause};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::rest_api::{ApiSummary, MethodSnapshot, Patch, RestApi};
use crate::types::{
    AccountId, Health, HostName, InstanceId, InterfaceId, LoadBalancerArn, Port, PortRange, Region, RestApiId, Secret,
    SecurityGroupId, StageName, TargetGroupArn, TargetId, VpcEndpointId, Zone,
};

/// The operation of an error that is not the call's, but that of the role that it was to be made with.
pub const ASSUME_ROLE: &str = "AssumeRole";

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

/// The calls of EC2 that say where a VPC endpoint or a load balancer can be reached.
pub trait Network: Send + Sync {
    /// DescribeVpcEndpoints for one id; `None` when it does not exist (any more).
    fn vpc_endpoint(&self, id: &VpcEndpointId) -> impl Future<Output = Answer<Option<VpcEndpoint>>> + Send;

    /// DescribeNetworkInterfaces for these ids, every page. An interface that went away in between fails the call
    /// with [`Cause::NotFound`].
    fn interfaces(&self, ids: &[InterfaceId]) -> impl Future<Output = Answer<Vec<Interface>>> + Send;

    /// DescribeNetworkInterfaces for those that AWS made itself (`requester-managed`) with exactly this description,
    /// every page.
    fn interfaces_described(&self, description: &str) -> impl Future<Output = Answer<Vec<Interface>>> + Send;

    /// DescribeSubnets of a VPC, every page: their IPv4 ranges.
    fn subnets(&self, vpc_id: &str) -> impl Future<Output = Answer<Vec<Ipv4Net>>> + Send;
}

/// How EC2 says that an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// It is being started.
    Pending,
    /// It runs.
    Running,
    /// It is being stopped, or is; it may come back.
    Stopped,
    /// It is being terminated, or is.
    Terminated,
}

/// An instance, from DescribeInstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// How it stands.
    pub state: InstanceState,
    /// The VPC that it is in; EC2 forgets it when the instance is terminated, as it does the addresses.
    pub vpc_id: Option<String>,
    /// Its primary private address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its first IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// One condition of DescribeInstances; several must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagFilter {
    /// The instance has one of these tags, whatever their values.
    AnyKey(Vec<String>),
    /// The instance has this tag with one of these values.
    Values(String, Vec<String>),
}

/// The calls of EC2 that say which instances there are.
pub trait Instances: Send + Sync {
    /// DescribeInstances by tags, every page. At least one filter: all instances of an account are nobody's nodes.
    fn instances(&self, filters: &[TagFilter]) -> impl Future<Output = Answer<Vec<Instance>>> + Send;

    /// DescribeInstances by id; those that EC2 has forgotten are left out.
    fn instances_by_id(&self, ids: &BTreeSet<InstanceId>) -> impl Future<Output = Answer<Vec<Instance>>> + Send;
}

/// An inbound rule of a security group, from DescribeSecurityGroupRules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundRule {
    /// Its id, `sgr-…`.
    pub id: String,
    /// What it lets in; nothing here for one that Foregate would not make, such as all protocols.
    pub ports: Option<PortRange>,
    /// From where, if it names an IPv4 range and not a group, a prefix list or IPv6.
    pub cidr: Option<Ipv4Net>,
    /// Whether it counts against the quota of IPv4 rules; all but those for IPv6 ranges do.
    pub is_counted: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The calls of EC2 on a security group's inbound rules.
pub trait SecurityGroups: Send + Sync {
    /// DescribeSecurityGroups for one id: the account that owns it; `None` when it does not exist (any more).
    fn security_group_owner(&self, id: &SecurityGroupId) -> impl Future<Output = Answer<Option<String>>> + Send;

    /// DescribeSecurityGroupRules, every page, the inbound ones. A group that does not exist has none.
    fn inbound_rules(&self, id: &SecurityGroupId) -> impl Future<Output = Answer<Vec<InboundRule>>> + Send;

    /// AuthorizeSecurityGroupIngress: a rule for each range, with a description and a tag. All of them or none.
    fn authorize(
        &self,
        id: &SecurityGroupId,
        ports: PortRange,
        ranges: &[Ipv4Net],
        description: &str,
        tag: (&str, &str),
    ) -> impl Future<Output = Answer<()>> + Send;

    /// RevokeSecurityGroupIngress of these rules, by id.
    fn revoke(&self, id: &SecurityGroupId, rule_ids: &[String]) -> impl Future<Output = Answer<()>> + Send;
}

/// An instance's action of a lifecycle hook that waits to be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleAction {
    /// The Auto Scaling group.
    pub group: String,
    /// The lifecycle hook.
    pub hook: String,
    /// What Auto Scaling calls this very action.
    pub token: String,
    /// The instance.
    pub instance: InstanceId,
}

/// The calls of Auto Scaling on a group's instances.
pub trait AutoScaling: Send + Sync {
    /// DescribeAutoScalingGroups by name, every page: each instance with its lifecycle state, such as `InService` or
    /// `Terminating:Wait`. Groups that don't exist are left out.
    fn groups(
        &self,
        names: &BTreeSet<String>,
    ) -> impl Future<Output = Answer<BTreeMap<String, BTreeMap<InstanceId, String>>>> + Send;

    /// DescribeLifecycleHooks for one hook: how many seconds an action may go without a heartbeat; `None` when there is
    /// no such hook (any more).
    fn heartbeat_seconds(&self, group: &str, hook: &str) -> impl Future<Output = Answer<Option<u64>>> + Send;

    /// RecordLifecycleActionHeartbeat; false when the action does not wait any more.
    fn heartbeat(&self, action: &LifecycleAction) -> impl Future<Output = Answer<bool>> + Send;

    /// CompleteLifecycleAction with CONTINUE; false when the action does not wait any more.
    fn complete(&self, action: &LifecycleAction) -> impl Future<Output = Answer<bool>> + Send;
}

/// The VPC's name server.
pub trait Names: Send + Sync {
    /// The A records of a name, aliases followed; none for a name that does not exist or has no such record.
    fn addresses(&self, host: &HostName) -> impl Future<Output = Answer<BTreeSet<Ipv4Addr>>> + Send;
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

/// A load balancer, from DescribeLoadBalancers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// The VPC that it is in.
    pub vpc_id: String,
    /// `provisioning`, `active`, `active_impaired` or `failed`.
    pub state: String,
    /// The subnets of its zones; it has an interface in each, or several.
    pub subnet_ids: Vec<String>,
}

/// The call of Elastic Load Balancing on a load balancer.
pub trait LoadBalancers: Send + Sync {
    /// DescribeLoadBalancers for one ARN; `None` when it does not exist (any more).
    fn load_balancer(&self, arn: &LoadBalancerArn) -> impl Future<Output = Answer<Option<LoadBalancer>>> + Send;
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

    /// TransactWriteItems: each item as [`Table::put`] has it, all of them or none. DynamoDB takes 100 at most.
    fn put_all(&self, items: &[Item]) -> impl Future<Output = Answer<()>> + Send;

    /// Query, every page, in the order of the sort key; the table's own partitions strongly consistent.
    fn query(&self, query: &ItemQuery) -> impl Future<Output = Answer<Vec<Item>>> + Send;

    /// Query, the page that comes after this item; an empty one is the end.
    fn query_page(&self, query: &ItemQuery, after: Option<&ItemKey>) -> impl Future<Output = Answer<Vec<Item>>> + Send;
}

/// A message for a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// JSON.
    pub body: Value,
    /// How long the queue holds it back; SQS allows 900 seconds at most.
    pub delay_seconds: u32,
}

/// A delivered message that is to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redelivery {
    /// The delivery, as SQS knows it.
    pub receipt_handle: String,
    /// When the message can be received again; SQS allows twelve hours at most.
    pub after_seconds: u32,
}

/// The calls of SQS on the function's own queue.
pub trait Queue: Send + Sync {
    /// Sends all messages, ten to a call (SQS's maximum); an entry that SQS refuses fails the call.
    fn send(&self, messages: &[Message]) -> impl Future<Output = Answer<()>> + Send;

    /// ChangeMessageVisibilityBatch, ten to a call (SQS's maximum). All are tried; the first failure is the answer.
    fn change_message_visibility(&self, messages: &[Redelivery]) -> impl Future<Output = Answer<()>> + Send;
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

impl Default for RestApi {
    /// As CreateRestApi makes one of which nothing is said.
    fn default() -> Self {
        Self {
            name: String::new(),
            endpoint_types: vec!["REGIONAL".to_owned()],
            description: None,
            binary_media_types: Vec::new(),
            policy: None,
            compressed_from_bytes: None,
            api_key_source: None,
            disable_execute_api_endpoint: false,
            vpc_endpoint_ids: Vec::new(),
            ip_address_type: None,
            security_policy: None,
            endpoint_access_mode: None,
            tags: BTreeMap::new(),
        }
    }
}

/// GetRestApi and GetExport in any account that Foregate knows.
pub trait MemberApis: Send + Sync {
    /// The API, if it is one of that account's, read with the account's read-only role; where no account is given, one of
    /// the central account's, read with the function's own.
    fn rest_api(
        &self,
        account: Option<&AccountId>,
        region: Option<&Region>,
        id: &RestApiId,
    ) -> impl Future<Output = Answer<Option<RestApi>>> + Send;

    /// What the API's stage shows, as OpenAPI 3.0 with the integrations and the authorizers, read like the API; `None` when
    /// there is no such stage.
    fn exported(
        &self,
        account: Option<&AccountId>,
        region: Option<&Region>,
        id: &RestApiId,
        stage: &StageName,
    ) -> impl Future<Output = Answer<Option<Value>>> + Send;
}

/// As whom, and in which region, API Gateway is asked about another account's APIs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Access {
    /// The account and its role; the function's own where there is none.
    pub role: Option<MemberRole>,
    /// The region; the function's own where none is named.
    pub region: Option<Region>,
}

/// A role of an account that lets Foregate in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberRole {
    /// The account.
    pub account: AccountId,
    /// The role's name.
    pub name: String,
    /// What its trust policy wants to be told.
    pub external_id: Option<String>,
}

/// A REST API, from GetRestApis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApi {
    /// Its id.
    pub id: RestApiId,
    /// What GetRestApi says, too.
    pub api: RestApi,
    /// The least TLS that it takes, such as `TLS_1_2`, where API Gateway says so.
    pub security_policy: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A stage, from GetStages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedStage {
    /// Its name.
    pub name: String,
    /// The deployment that it shows.
    pub deployment_id: String,
    /// Whether it has access log settings.
    pub has_access_log: bool,
    /// The settings by method, `*/*` for all that have none of their own.
    pub settings: BTreeMap<String, MethodSettings>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
}

/// What a stage does with calls of a method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MethodSettings {
    /// `OFF`, `ERROR` or `INFO`; empty where nothing is said.
    pub logging: String,
    /// How many calls a second there may be; below 0 where nothing is said.
    pub calls_per_second: f64,
}

/// A usage plan, from GetUsagePlans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsagePlan {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The API's id and the stage of each that it is for.
    pub stages: BTreeSet<(String, String)>,
    /// Whether it has a throttle.
    pub has_throttle: bool,
}

/// The calls of API Gateway that say what REST APIs an account has. Each reads only.
pub trait ApisOfAccounts: Send + Sync {
    /// GetRestApis, every page.
    fn list_apis(&self, access: &Access) -> impl Future<Output = Answer<Vec<ListedApi>>> + Send;

    /// GetRestApi; `None` when AWS says that there is no such API.
    fn one_api(&self, access: &Access, id: &RestApiId) -> impl Future<Output = Answer<Option<ListedApi>>> + Send;

    /// GetStages, which has no pages; `None` when the API is gone.
    fn list_stages(
        &self,
        access: &Access,
        id: &RestApiId,
    ) -> impl Future<Output = Answer<Option<Vec<ListedStage>>>> + Send;

    /// GetUsagePlans, every page.
    fn list_plans(&self, access: &Access) -> impl Future<Output = Answer<Vec<UsagePlan>>> + Send;

    /// GetExport of a stage as OpenAPI 3.0, with the integrations and the authorizers: what its deployment shows. `None`
    /// when the stage is gone.
    fn export_stage(
        &self,
        access: &Access,
        id: &RestApiId,
        stage: &str,
    ) -> impl Future<Output = Answer<Option<Value>>> + Send;
}

/// The calls of API Gateway on API keys. A key's value is given by [`ApiKeys::key_value`] alone.
pub trait ApiKeys: Send + Sync {
    /// GetApiKeys without values, every page: the id of the key with exactly this name, of several always the same.
    fn find_key(&self, access: &Access, name: &str) -> impl Future<Output = Answer<Option<String>>> + Send;

    /// CreateApiKey, enabled, with one tag: its id.
    fn create_key(
        &self,
        access: &Access,
        name: &str,
        description: &str,
        tag: (&str, &str),
    ) -> impl Future<Output = Answer<String>> + Send;

    /// GetApiKey with its value; `None` when it does not exist (any more).
    fn key_value(&self, access: &Access, id: &str) -> impl Future<Output = Answer<Option<Secret>>> + Send;

    /// UpdateApiKey: whether it may be used. [`Cause::NotFound`] when it does not exist.
    fn enable_key(&self, access: &Access, id: &str, enabled: bool) -> impl Future<Output = Answer<()>> + Send;

    /// DeleteApiKey, which takes it off its usage plans; one that is gone is no error.
    fn delete_key(&self, access: &Access, id: &str) -> impl Future<Output = Answer<()>> + Send;

    /// CreateUsagePlanKey; a key that is on the plan already is no error.
    fn attach_key(&self, access: &Access, plan_id: &str, key_id: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// The calls of AWS Organizations.
pub trait Organization: Send + Sync {
    /// ListAccountsForParent and ListOrganizationalUnitsForParent, every page: the active accounts of the unit and of all
    /// units below it.
    fn accounts_below(&self, unit_id: &str) -> impl Future<Output = Answer<BTreeSet<AccountId>>> + Send;
}

/// A stage, from GetStage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// The deployment that it shows.
    pub deployment_id: String,
    /// The deployment that an active canary shows.
    pub canary: Option<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Whether requests are traced.
    pub is_traced: bool,
    /// Where its access log goes, and each line's format.
    pub access_log: Option<(String, String)>,
    /// For all methods together, requests per second and at once, where somebody has set them.
    pub throttling: Option<(f64, i32)>,
    /// The web ACL that guards it.
    pub web_acl_arn: Option<String>,
}

/// A gateway response that somebody has set, from GetGatewayResponses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayResponse {
    /// `DEFAULT_4XX`, `UNAUTHORIZED`, …
    pub response_type: String,
    /// The status code, where it is not the type's own.
    pub status_code: Option<String>,
    /// Headers and the like, by their place.
    pub parameters: BTreeMap<String, String>,
    /// Bodies by content type.
    pub templates: BTreeMap<String, String>,
}

/// A resource of a REST API, from GetResources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its id.
    pub id: String,
    /// Its whole path, with its own names of variables.
    pub path: String,
    /// Its methods by name, `ANY` among them.
    pub methods: BTreeMap<String, ResourceMethod>,
}

/// What of a method an edit by hand could change for its users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceMethod {
    /// `NONE`, `AWS_IAM`, `CUSTOM` or `COGNITO_USER_POOLS`.
    pub authorization: String,
    /// Whether an API key is asked for.
    pub api_key_required: bool,
    /// The authorizer's id.
    pub authorizer_id: Option<String>,
    /// The scopes that the authorizer asks for.
    pub scopes: BTreeSet<String>,
    /// `HTTP_PROXY`, `MOCK`, …; none where it has no integration.
    pub integration_type: Option<String>,
    /// Where requests go.
    pub uri: Option<String>,
    /// The VPC link that they take, or the stage variable that has its id.
    pub connection_id: Option<String>,
}

/// A deployment, from GetDeployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Its description.
    pub description: String,
    /// When it was made, in seconds since the epoch.
    pub made_at_seconds: u64,
}

/// What an import does with what its document does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// It goes.
    Overwrite,
    /// It stays; a method that the document names is put in the place of one that is there.
    Merge,
}

/// A VPC link, from GetVpcLinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcLink {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `AVAILABLE`, `PENDING`, `DELETING` or `FAILED`.
    pub status: String,
    /// What API Gateway says about that.
    pub message: String,
    /// The ARN of the load balancer that it leads to.
    pub target: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The calls of API Gateway on VPC links.
pub trait VpcLinks: Send + Sync {
    /// GetVpcLinks, every page.
    fn vpc_links(&self) -> impl Future<Output = Answer<Vec<VpcLink>>> + Send;

    /// CreateVpcLink, with one tag: one in 15 seconds, per account. The link's id; it is PENDING for minutes.
    fn create_link(&self, name: &str, target: &str, tag: (&str, &str)) -> impl Future<Output = Answer<String>> + Send;

    /// DeleteVpcLink: one in 30 seconds, per account. One that is gone is no error, one that an API uses is.
    fn delete_link(&self, id: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// A Network Load Balancer, from DescribeLoadBalancers and DescribeTags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkLoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its DNS name.
    pub dns_name: String,
    /// `provisioning`, `active`, `active_impaired` or `failed`.
    pub state: String,
    /// When it was made, in seconds since the epoch.
    pub made_at_seconds: i64,
    /// Its tags, where they were asked for.
    pub tags: BTreeMap<String, String>,
}

/// The calls of Elastic Load Balancing that find Network Load Balancers.
pub trait BalancerSearch: Send + Sync {
    /// DescribeLoadBalancers for one ARN: one or none.
    fn by_arn(&self, arn: &LoadBalancerArn) -> impl Future<Output = Answer<Vec<NetworkLoadBalancer>>> + Send;

    /// DescribeLoadBalancers for one name: one or none.
    fn by_name(&self, name: &str) -> impl Future<Output = Answer<Vec<NetworkLoadBalancer>>> + Send;

    /// DescribeLoadBalancers, every page, and DescribeTags, twenty to a call: all of the account and region.
    fn tagged(&self) -> impl Future<Output = Answer<Vec<NetworkLoadBalancer>>> + Send;
}

/// The calls of API Gateway on the front door's own REST API.
pub trait RestApis: Send + Sync {
    /// GetRestApi; `None` when it does not exist (any more).
    fn get_rest_api(&self, id: &RestApiId) -> impl Future<Output = Answer<Option<RestApi>>> + Send;

    /// UpdateRestApi, all patches or none.
    fn update_rest_api(&self, id: &RestApiId, patches: &[Patch]) -> impl Future<Output = Answer<()>> + Send;

    /// PutRestApi with `failonwarnings=false` and `ignore=documentation`: one per second and account. Its warnings.
    fn put_rest_api(
        &self,
        id: &RestApiId,
        mode: ImportMode,
        document: &str,
    ) -> impl Future<Output = Answer<Vec<String>>> + Send;

    /// GetGatewayResponses (which has no pages): those that somebody has set.
    fn get_gateway_responses(&self, id: &RestApiId) -> impl Future<Output = Answer<Vec<GatewayResponse>>> + Send;

    /// GetAuthorizers, every page: each one's name by its id.
    fn get_authorizers(&self, id: &RestApiId) -> impl Future<Output = Answer<BTreeMap<String, String>>> + Send;

    /// GetResources with the methods, every page: five in two seconds, per account.
    fn get_resources(&self, id: &RestApiId) -> impl Future<Output = Answer<Vec<Resource>>> + Send;

    /// DeleteResource, with all that is below it: five per second and account. One that is gone is no error.
    fn delete_resource(&self, id: &RestApiId, resource_id: &str) -> impl Future<Output = Answer<()>> + Send;

    /// DeleteMethod; one that is gone is no error.
    fn delete_method(&self, id: &RestApiId, resource_id: &str, method: &str)
    -> impl Future<Output = Answer<()>> + Send;

    /// CreateDeployment without a stage: one per five seconds and account. The deployment's id.
    fn create_deployment(&self, id: &RestApiId, description: &str) -> impl Future<Output = Answer<String>> + Send;

    /// GetDeployment with its API's summary; `None` when there is no such deployment.
    fn get_deployment(
        &self,
        id: &RestApiId,
        deployment_id: &str,
    ) -> impl Future<Output = Answer<Option<ApiSummary>>> + Send;

    /// GetDeployments, every page.
    fn get_deployments(&self, id: &RestApiId) -> impl Future<Output = Answer<Vec<Deployment>>> + Send;

    /// DeleteDeployment; one that is gone is no error, one that a stage shows is.
    fn delete_deployment(&self, id: &RestApiId, deployment_id: &str) -> impl Future<Output = Answer<()>> + Send;

    /// GetStage; `None` when there is no such stage.
    fn get_stage(&self, id: &RestApiId, name: &StageName) -> impl Future<Output = Answer<Option<Stage>>> + Send;

    /// GetStages (which has no pages), by name.
    fn get_stages(&self, id: &RestApiId) -> impl Future<Output = Answer<BTreeMap<String, Stage>>> + Send;

    /// CreateStage: the stage shows that deployment, with these variables, traced or not.
    fn create_stage(
        &self,
        id: &RestApiId,
        name: &StageName,
        deployment_id: &str,
        variables: &BTreeMap<String, String>,
        is_traced: bool,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// UpdateStage, all patches or none.
    fn update_stage(
        &self,
        id: &RestApiId,
        name: &StageName,
        patches: &[Patch],
    ) -> impl Future<Output = Answer<()>> + Send;

    /// DeleteStage; one that is gone is no error.
    fn delete_stage(&self, id: &RestApiId, name: &StageName) -> impl Future<Output = Answer<()>> + Send;

    /// CreateRestApi: one in three seconds, per account.
    fn create_rest_api(&self, api: &RestApi) -> impl Future<Output = Answer<RestApiId>> + Send;

    /// GetRestApis, every page: one of this name and description, of several always the same.
    fn find_rest_api(&self, name: &str, description: &str) -> impl Future<Output = Answer<Option<RestApiId>>> + Send;

    /// GetBasePathMapping: the REST API and the stage that a domain's base path leads to.
    fn get_base_path_mapping(
        &self,
        domain: &str,
        base_path: &str,
    ) -> impl Future<Output = Answer<Option<(String, String)>>> + Send;

    /// CreateBasePathMapping.
    fn create_base_path_mapping(
        &self,
        domain: &str,
        base_path: &str,
        id: &RestApiId,
        stage: &StageName,
    ) -> impl Future<Output = Answer<()>> + Send;
}

/// What Lambda does with asynchronous invocations, of a function or of one alias.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventInvokeConfig {
    /// How old an event may be when the function gets it; Lambda's own limit is six hours.
    pub age_seconds_max: i32,
    /// The ARN that gets an event with which the function has failed for the last time.
    pub on_failure: String,
}

/// The calls of Lambda that let another account invoke a function, through an alias of its own.
pub trait InvokePermissions: Send + Sync {
    /// CreateAlias on the function's unpublished version; [`Cause::Conflict`] when there is one of this name.
    fn create_alias(&self, function: &str, alias: &str) -> impl Future<Output = Answer<()>> + Send;

    /// ListAliases, every page: their names.
    fn list_aliases(&self, function: &str) -> impl Future<Output = Answer<BTreeSet<String>>> + Send;

    /// DeleteAlias; one that is gone is no error.
    fn delete_alias(&self, function: &str, alias: &str) -> impl Future<Output = Answer<()>> + Send;

    /// GetPolicy of the alias; `None` where it has none, or where there is no alias.
    fn get_policy(&self, function: &str, alias: &str) -> impl Future<Output = Answer<Option<Value>>> + Send;

    /// AddPermission: the account may invoke the alias. [`Cause::Conflict`] when the alias has a statement of this name, and
    /// also while Lambda is busy with the function.
    fn add_permission(
        &self,
        function: &str,
        alias: &str,
        account: &AccountId,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// RemovePermission; one that is gone is no error.
    fn remove_permission(&self, function: &str, alias: &str) -> impl Future<Output = Answer<()>> + Send;

    /// PutFunctionEventInvokeConfig of the alias.
    fn put_event_invoke_config(
        &self,
        function: &str,
        alias: &str,
        config: &EventInvokeConfig,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// ListFunctionEventInvokeConfigs, every page: by alias.
    fn list_event_invoke_configs(
        &self,
        function: &str,
    ) -> impl Future<Output = Answer<BTreeMap<String, EventInvokeConfig>>> + Send;
}

/// The calls of EventBridge that say who may put events on Foregate's bus.
pub trait BusPolicy: Send + Sync {
    /// DescribeEventBus: the bus' resource policy; `None` where it has none.
    fn describe_event_bus(&self) -> impl Future<Output = Answer<Option<Value>>> + Send;

    /// PutPermission with `Policy`: the whole policy. [`Cause::Conflict`] while another call changes it.
    fn put_permission(&self, policy: &Value) -> impl Future<Output = Answer<()>> + Send;

    /// RemovePermission of one statement; one that is gone is no error.
    fn remove_permission(&self, statement_id: &str) -> impl Future<Output = Answer<()>> + Send;
}

/// The alias through which an account reaches a function.
pub fn alias_of(account: &AccountId) -> String {
    format!("account-{account}")
}
