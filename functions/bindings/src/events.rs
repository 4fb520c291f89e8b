//! What an event is about: which bindings to look at, and what it announces of a node. An event never says what to do,
//! so that late, doubled and reordered ones are harmless. One table; what is not in it is nothing of ours.

use std::collections::BTreeSet;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use chrono::DateTime;
use serde_json::{Value, json};
use shared::aws::{LifecycleAction, Message};
use shared::deliveries::{OWN_SOURCE, own_message};
use shared::types::{InstanceId, InterfaceId, LoadBalancerArn, VpcEndpointId};

use crate::notices::{Notice, Reason, Transition, Window};
use crate::record::BindingId;

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// At every binding: the schedule.
    All,
    /// At one binding: a delayed re-check, or one of the schedule's.
    Binding(BindingId),
    /// At the bindings of a VPC endpoint.
    VpcEndpoint(VpcEndpointId),
    /// At the bindings of a load balancer, by its name and id: `net/NAME/ID`.
    LoadBalancer(String),
    /// At the bindings whose source had this interface when it was last looked at.
    Interface(InterfaceId),
    /// At the bindings that this instance is a node of.
    Node(InstanceId),
}

/// What an event tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Where to look.
    pub looks: BTreeSet<Look>,
    /// What was announced of which node.
    pub notices: Vec<(InstanceId, Notice)>,
}

/// The `detail-type` of a message that says to look at one binding.
const RECHECK: &str = "Binding Recheck";
/// The `detail-type` of the schedule's rule.
const SCHEDULED: &str = "Scheduled Event";
/// The `detail-type` of what CloudTrail hands on.
const CLOUDTRAIL: &str = "AWS API Call via CloudTrail";

/// A message that says to look at `binding` after `delay_seconds`.
pub fn recheck(binding: &str, hops: u32, delay_seconds: u32) -> Message {
    own_message(RECHECK, json!({"bindingId": binding}), hops, delay_seconds)
}

/// What the event tells at `now_seconds`; nothing, if it is none of ours.
///
/// Announcements count from their arrival: what has waited in the queue was announced of a node that may still be there.
pub fn read(event: &EventBridgeEvent, now_seconds: u64) -> Told {
    let detail = &event.detail;
    let looks = |looks: BTreeSet<Look>| Told { looks, notices: Vec::new() };
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.events" | "aws.scheduler", SCHEDULED) => looks(BTreeSet::from([Look::All])),
        (OWN_SOURCE, RECHECK) => {
            let binding = detail.get("bindingId").and_then(Value::as_str);
            looks(binding.map(|id| Look::Binding(id.to_owned())).into_iter().collect())
        }
        ("aws.ec2" | "aws.elasticloadbalancing", CLOUDTRAIL) => looks(cloudtrail(detail)),
        ("aws.health", "AWS Health Event") => scheduled_change(detail, now_seconds),
        ("aws.autoscaling", kind) => scaling(kind, detail, now_seconds),
        ("aws.ec2", kind) => instance(kind, detail, now_seconds),
        _ => Told::default(),
    }
}

/// An interruption comes two minutes after its warning; a node that is still there this much later was spared.
const INTERRUPTION_SECONDS: u64 = 600;
/// A node that was recommended for rebalancing is left out for so long; spot may take it any time, or never.
const REBALANCE_SECONDS: u64 = 3_600;
/// How long a node that Auto Scaling terminates is known to end. Its hook may hold it longer, and then does so itself.
const TERMINATION_SECONDS: u64 = 3_600;
/// A node is taken out this long before a change that AWS has scheduled. Twice the default deregistration delay and the
/// default schedule, which finds it.
const SCHEDULED_CHANGE_LEAD_SECONDS: u64 = 900;
/// It comes back this long after the change was to end, if it still is what it was.
const SCHEDULED_CHANGE_TAIL_SECONDS: u64 = 3_600;

/// What EC2 tells of an instance, and what of it is an announcement, each for how long.
const INSTANCE_EVENTS: &[(&str, Option<(Reason, u64)>)] = &[
    ("EC2 Instance State-change Notification", None),
    ("EC2 Spot Instance Interruption Warning", Some((Reason::Interruption, INTERRUPTION_SECONDS))),
    ("EC2 Capacity Reservation Instance Interruption Warning", Some((Reason::Interruption, INTERRUPTION_SECONDS))),
    ("EC2 Instance Rebalance Recommendation", Some((Reason::Rebalance, REBALANCE_SECONDS))),
];

fn instance(kind: &str, detail: &Value, now_seconds: u64) -> Told {
    let announces = INSTANCE_EVENTS.iter().find(|(name, _)| *name == kind).map(|(_, announces)| *announces);
    let node = detail.get("instance-id").and_then(Value::as_str).and_then(|id| id.parse::<InstanceId>().ok());
    let (Some(announces), Some(node)) = (announces, node) else {
        return Told::default();
    };
    let window = |seconds| Window { from_seconds: now_seconds, until_seconds: now_seconds + seconds };
    let notice = announces.map(|(reason, seconds)| (node.clone(), Notice::Leaving(reason, window(seconds))));
    Told { looks: BTreeSet::from([Look::Node(node)]), notices: notice.into_iter().collect() }
}

/// What Auto Scaling tells of an instance: that it waits in a lifecycle hook, or that an activity has ended.
fn scaling(kind: &str, detail: &Value, now_seconds: u64) -> Told {
    const TRANSITIONS: &[(&str, Transition)] = &[
        ("autoscaling:EC2_INSTANCE_LAUNCHING", Transition::Launching),
        ("autoscaling:EC2_INSTANCE_TERMINATING", Transition::Terminating),
    ];
    const ENDED: &[&str] = &["EC2 Instance Launch Successful", "EC2 Instance Terminate Successful"];
    const TERMINATES: &str = "EC2 Instance-terminate Lifecycle Action";
    const LAUNCHES: &str = "EC2 Instance-launch Lifecycle Action";
    const WAITS: &[&str] = &[LAUNCHES, TERMINATES];
    let text = |field: &str| detail.get(field).and_then(Value::as_str);
    let node = text("EC2InstanceId").and_then(|id| id.parse::<InstanceId>().ok());
    let Some(node) = node.filter(|_| ENDED.contains(&kind) || WAITS.contains(&kind)) else {
        return Told::default();
    };
    let to_warm_pool = text("Destination") == Some("WarmPool");
    let waiting = || {
        // No target becomes healthy in a warm pool: whoever prepares the instance completes this one.
        if to_warm_pool && kind == LAUNCHES {
            return None;
        }
        let transition = TRANSITIONS.iter().find(|(name, _)| text("LifecycleTransition") == Some(*name))?.1;
        let action = LifecycleAction {
            group: text("AutoScalingGroupName")?.to_owned(),
            hook: text("LifecycleHookName")?.to_owned(),
            token: text("LifecycleActionToken")?.to_owned(),
            instance: node.clone(),
        };
        Some(Notice::Hook(action, transition))
    };
    // After the action, too, the node is not coming back; one that goes to the warm pool may.
    let ends = kind == TERMINATES && !to_warm_pool;
    let window = Window { from_seconds: now_seconds, until_seconds: now_seconds + TERMINATION_SECONDS };
    let leaving = ends.then_some(Notice::Leaving(Reason::Termination, window));
    let notices = waiting().into_iter().chain(leaving).map(|notice| (node.clone(), notice)).collect();
    Told { looks: BTreeSet::from([Look::Node(node)]), notices }
}

/// AWS Health's scheduled changes. An entity is an instance's id or its ARN, which ends with it.
fn scheduled_change(detail: &Value, now_seconds: u64) -> Told {
    let text = |field: &str| detail.get(field).and_then(Value::as_str);
    if (text("service"), text("eventTypeCategory")) != (Some("EC2"), Some("scheduledChange")) {
        return Told::default();
    }
    let time = |field: &str| {
        let time = DateTime::parse_from_rfc2822(text(field)?).ok()?;
        u64::try_from(time.timestamp()).ok()
    };
    let from_seconds =
        time("startTime").map_or(now_seconds, |start| start.saturating_sub(SCHEDULED_CHANGE_LEAD_SECONDS));
    let end = time("endTime").unwrap_or(now_seconds).max(from_seconds).max(now_seconds);
    let until_seconds = match text("statusCode") {
        Some("closed") => now_seconds,
        _ => end + SCHEDULED_CHANGE_TAIL_SECONDS,
    };
    let entities = detail.get("affectedEntities").and_then(Value::as_array).cloned().unwrap_or_default();
    let node = |entity: &Value| {
        let value = entity.get("entityValue")?.as_str()?;
        value.rsplit('/').next()?.parse::<InstanceId>().ok()
    };
    let mut told = Told::default();
    for node in entities.iter().filter_map(node) {
        let window = Window { from_seconds, until_seconds };
        told.notices.push((node.clone(), Notice::Leaving(Reason::ScheduledChange, window)));
        told.looks.insert(Look::Node(node));
    }
    told
}

/// The calls that change an endpoint, an interface, a load balancer's subnets or an instance's tags, and where they name
/// it.
const CLOUDTRAIL_CALLS: &[(&str, &str)] = &[
    ("CreateVpcEndpoint", "/responseElements/CreateVpcEndpointResponse/vpcEndpoint/vpcEndpointId"),
    ("ModifyVpcEndpoint", "/requestParameters/ModifyVpcEndpointRequest/VpcEndpointId"),
    ("DeleteVpcEndpoints", "/requestParameters/DeleteVpcEndpointsRequest/VpcEndpointId"),
    // The endpoint stands in the description, `VPC Endpoint Interface vpce-…`, or the load balancer, `ELB net/NAME/ID`.
    ("CreateNetworkInterface", "/requestParameters/description"),
    ("CreateNetworkInterface", "/responseElements/networkInterface/description"),
    ("DeleteNetworkInterface", "/requestParameters/networkInterfaceId"),
    ("ModifyNetworkInterfaceAttribute", "/requestParameters/networkInterfaceId"),
    ("AssignPrivateIpAddresses", "/requestParameters/networkInterfaceId"),
    ("UnassignPrivateIpAddresses", "/requestParameters/networkInterfaceId"),
    ("AssignIpv6Addresses", "/requestParameters/networkInterfaceId"),
    ("AssignIpv6Addresses", "/requestParameters/AssignIpv6AddressesRequest/NetworkInterfaceId"),
    ("UnassignIpv6Addresses", "/requestParameters/networkInterfaceId"),
    ("UnassignIpv6Addresses", "/requestParameters/UnassignIpv6AddressesRequest/NetworkInterfaceId"),
    ("CreateLoadBalancer", "/responseElements/loadBalancers"),
    ("SetSubnets", "/requestParameters/loadBalancerArn"),
    ("DeleteLoadBalancer", "/requestParameters/loadBalancerArn"),
    ("CreateTags", "/requestParameters/resourcesSet"),
    ("DeleteTags", "/requestParameters/resourcesSet"),
];

fn cloudtrail(detail: &Value) -> BTreeSet<Look> {
    let call = detail.get("eventName").and_then(Value::as_str).unwrap_or_default();
    let pointers = CLOUDTRAIL_CALLS.iter().filter(|(name, _)| *name == call);
    let mut words = Vec::new();
    for (_, pointer) in pointers {
        strings(detail.pointer(pointer).unwrap_or(&Value::Null), &mut words);
    }
    words.into_iter().flat_map(str::split_whitespace).filter_map(look_at).collect()
}

/// Every string in `value`: CloudTrail writes a list of one as `{"content": "…", "tag": 1}`, and a longer one as an
/// array of those.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn look_at(word: &str) -> Option<Look> {
    let kinds: [fn(&str) -> Option<Look>; 5] = [
        |word| word.parse().map(Look::VpcEndpoint).ok(),
        |word| word.parse().map(Look::Interface).ok(),
        |word| word.parse().map(Look::Node).ok(),
        |word| word.parse::<LoadBalancerArn>().map(|arn| Look::LoadBalancer(arn.name_and_id().to_owned())).ok(),
        |word| {
            let is_balancer = ["net/", "app/"].iter().any(|kind| word.starts_with(kind));
            is_balancer.then(|| Look::LoadBalancer(word.to_owned()))
        },
    ];
    kinds.iter().find_map(|kind| kind(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(source: &str, detail_type: &str, detail: Value) -> EventBridgeEvent {
        serde_json::from_value(json!({"source": source, "detail-type": detail_type, "detail": detail})).unwrap()
    }

    fn looks(event: &EventBridgeEvent) -> BTreeSet<Look> {
        read(event, NOW).looks
    }

    const NOW: u64 = 1_700_000_000;

    fn call(name: &str, request: Value, response: Value) -> EventBridgeEvent {
        let detail = json!({"eventName": name, "requestParameters": request, "responseElements": response});
        event("aws.ec2", CLOUDTRAIL, detail)
    }

    #[test]
    fn an_event_says_where_to_look() {
        let (a, b, eni) = ("vpce-0a1b2c3d4e5f67890", "vpce-1a2b3c4d", "eni-0a1b2c3d4e5f67890");
        let endpoint = |id: &str| Look::VpcEndpoint(id.parse().unwrap());
        let interface = Look::Interface(eni.parse().unwrap());
        for (event, expected) in [
            (event("aws.events", SCHEDULED, json!({})), vec![Look::All]),
            (serde_json::from_value(recheck("binding-1", 0, 0).body).unwrap(), vec![Look::Binding("binding-1".into())]),
            (
                call(
                    "CreateVpcEndpoint",
                    json!({}),
                    json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": a}}}),
                ),
                vec![endpoint(a)],
            ),
            (
                call("ModifyVpcEndpoint", json!({"ModifyVpcEndpointRequest": {"VpcEndpointId": a}}), json!({})),
                vec![endpoint(a)],
            ),
            (
                call(
                    "DeleteVpcEndpoints",
                    json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": [{"content": a, "tag": 1}, {"content": b, "tag": 2}]}}),
                    json!({}),
                ),
                vec![endpoint(a), endpoint(b)],
            ),
            (
                call(
                    "DeleteVpcEndpoints",
                    json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"content": a, "tag": 1}}}),
                    json!({}),
                ),
                vec![endpoint(a)],
            ),
            (
                call(
                    "CreateNetworkInterface",
                    json!({"description": format!("VPC Endpoint Interface {a}")}),
                    json!({}),
                ),
                vec![endpoint(a)],
            ),
            (call("DeleteNetworkInterface", json!({"networkInterfaceId": eni}), json!({})), vec![interface]),
        ] {
            assert_eq!(looks(&event), expected.into_iter().collect(), "{event:?}");
        }
    }

    #[test]
    fn an_event_that_is_none_of_ours_says_nothing() {
        for event in [
            event("aws.s3", "Object Created", json!({})),
            event("aws.ec2", "EC2 Instance State-change Notification", json!({"instance-id": "i-1"})),
            event("aws.ec2", "EBS Volume Notification", json!({"instance-id": "i-1a2b3c4d"})),
            event("aws.autoscaling", "EC2 Instance Launch Unsuccessful", json!({"EC2InstanceId": "i-1a2b3c4d"})),
            event("aws.autoscaling", "EC2 Instance Launch Successful", json!({"EC2InstanceId": ""})),
            call("CreateTags", json!({"resourcesSet": {"items": [{"resourceId": "vol-1a2b3c4d"}]}}), json!(null)),
            call("RunInstances", json!({"networkInterfaceId": "eni-0a1b2c3d4e5f67890"}), json!({})),
            call("CreateNetworkInterface", json!({"description": "aws-K8S-i-0a1b"}), json!(null)),
            call("ModifyVpcEndpoint", json!(null), json!(null)),
            event("somebody.else", RECHECK, json!({"bindingId": "binding-1"})),
        ] {
            assert!(looks(&event).is_empty(), "{event:?}");
        }
    }

    fn node() -> InstanceId {
        "i-1a2b3c4d".parse().unwrap()
    }

    fn leaving(reason: Reason, from: i64, until: i64) -> Notice {
        let at = |seconds: i64| NOW.saturating_add_signed(seconds);
        Notice::Leaving(reason, Window { from_seconds: at(from), until_seconds: at(until) })
    }

    #[test]
    fn what_ec2_tells_of_an_instance_is_a_look_and_sometimes_an_announcement() {
        for (kind, notice) in [
            ("EC2 Instance State-change Notification", None),
            ("EC2 Spot Instance Interruption Warning", Some(leaving(Reason::Interruption, 0, 600))),
            ("EC2 Capacity Reservation Instance Interruption Warning", Some(leaving(Reason::Interruption, 0, 600))),
            ("EC2 Instance Rebalance Recommendation", Some(leaving(Reason::Rebalance, 0, 3_600))),
        ] {
            let told = read(&event("aws.ec2", kind, json!({"instance-id": "i-1a2b3c4d"})), NOW);
            assert_eq!(told.looks, BTreeSet::from([Look::Node(node())]), "{kind}");
            assert_eq!(told.notices, notice.map(|notice| (node(), notice)).into_iter().collect::<Vec<_>>(), "{kind}");
        }
    }

    #[test]
    fn a_scheduled_change_counts_from_shortly_before_it_until_it_is_called_off() {
        let change = |status: &str, start: &str, entity: &str| {
            let detail = json!({
                "service": "EC2", "eventTypeCategory": "scheduledChange", "statusCode": status, "startTime": start,
                "endTime": start, "affectedEntities": [{"entityValue": entity}, {"entityValue": "vol-1a2b3c4d"}],
            });
            read(&event("aws.health", "AWS Health Event", detail), NOW)
        };
        // NOW is Tue, 14 Nov 2023 22:13:20 GMT.
        let (soon, past) = ("Tue, 14 Nov 2023 23:13:20 GMT", "Sat, 05 Jun 2021 15:10:09 GMT");
        let arn = "arn:aws:ec2:eu-west-1:111122223333:instance/i-1a2b3c4d";
        let window = leaving(Reason::ScheduledChange, 2_700, 7_200);
        assert_eq!(change("upcoming", soon, "i-1a2b3c4d").notices, [(node(), window.clone())]);
        assert_eq!(change("upcoming", soon, arn).notices, [(node(), window)]);
        assert!(matches!(
            &change("open", past, arn).notices[..],
            [(_, Notice::Leaving(_, Window { from_seconds, until_seconds }))] if *from_seconds < NOW && *until_seconds > NOW
        ));
        let called_off = change("closed", soon, arn).notices;
        assert!(matches!(&called_off[..], [(_, Notice::Leaving(_, window))] if window.until_seconds == NOW));
    }

    #[test]
    fn a_lifecycle_action_is_announced_with_its_token() {
        let detail = |transition: &str| {
            json!({
                "LifecycleActionToken": "t", "AutoScalingGroupName": "asg", "LifecycleHookName": "drain",
                "EC2InstanceId": "i-1a2b3c4d", "LifecycleTransition": transition,
            })
        };
        let action = LifecycleAction { group: "asg".into(), hook: "drain".into(), token: "t".into(), instance: node() };
        for (kind, name, transition) in [
            (
                "EC2 Instance-terminate Lifecycle Action",
                "autoscaling:EC2_INSTANCE_TERMINATING",
                Transition::Terminating,
            ),
            ("EC2 Instance-launch Lifecycle Action", "autoscaling:EC2_INSTANCE_LAUNCHING", Transition::Launching),
        ] {
            let told = read(&event("aws.autoscaling", kind, detail(name)), NOW);
            let mut expected = vec![(node(), Notice::Hook(action.clone(), transition))];
            if transition == Transition::Terminating {
                expected.push((node(), leaving(Reason::Termination, 0, 3_600)));
            }
            assert_eq!(told.notices, expected);
        }
        let mut to_warm_pool = detail("autoscaling:EC2_INSTANCE_TERMINATING");
        to_warm_pool["Destination"] = json!("WarmPool");
        let told = read(&event("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", to_warm_pool), NOW);
        assert_eq!(told.notices, [(node(), Notice::Hook(action, Transition::Terminating))]);
    }

    #[test]
    fn calls_on_load_balancers_and_tags_are_found() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/web/0123456789abcdef";
        let balancer = BTreeSet::from([Look::LoadBalancer("net/web/0123456789abcdef".into())]);
        for (event, expected) in [
            (
                call("SetSubnets", json!({"loadBalancerArn": arn, "subnets": ["subnet-1"]}), json!(null)),
                balancer.clone(),
            ),
            (
                call("CreateLoadBalancer", json!({}), json!({"loadBalancers": [{"loadBalancerArn": arn}]})),
                balancer.clone(),
            ),
            (
                call("CreateNetworkInterface", json!({"description": "ELB net/web/0123456789abcdef"}), json!(null)),
                balancer,
            ),
            (
                call("CreateTags", json!({"resourcesSet": {"items": [{"resourceId": "i-1a2b3c4d"}]}}), json!(null)),
                BTreeSet::from([Look::Node(node())]),
            ),
        ] {
            assert_eq!(looks(&event), expected);
        }
    }

    /// JSON of any shape, made of the words that events are made of.
    fn json_of_any_shape() -> impl Strategy<Value = Value> {
        const WORDS: &[&str] = &[
            "instance-id",
            "EC2InstanceId",
            "LifecycleTransition",
            "affectedEntities",
            "entityValue",
            "eventName",
            "CreateTags",
            "requestParameters",
            "resourcesSet",
            "i-1a2b3c4d",
            "startTime",
            "service",
            "EC2",
            "",
            "eventTypeCategory",
            "scheduledChange",
            "bindingId",
            "\u{0}",
            "net/",
            "9999-99-99",
        ];
        let word = (0..WORDS.len()).prop_map(|n| WORDS[n].to_owned());
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| json!(n)),
            word.clone().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map(word.clone(), inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_event_of_whatever_shape_does_harm(
            source in prop_oneof![Just("aws.ec2"), Just("aws.health"), Just("aws.autoscaling"), Just("foregate"), Just("")],
            kind in prop_oneof![
                Just(CLOUDTRAIL), Just(RECHECK), Just("AWS Health Event"), Just("EC2 Instance Rebalance Recommendation"),
                Just("EC2 Instance-terminate Lifecycle Action"), Just(""),
            ],
            detail in json_of_any_shape(),
        ) {
            for (node, _) in read(&event(source, kind, detail), NOW).notices {
                prop_assert!(node.as_str().starts_with("i-"));
            }
        }
    }
}
