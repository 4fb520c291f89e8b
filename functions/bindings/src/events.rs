//! Which bindings an event is about. An event never says what to do: it only says where to look, so that late, doubled
//! and reordered ones are harmless. One table; what is not in it is nothing of ours.

use std::collections::BTreeSet;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::{Value, json};
use shared::aws::Message;
use shared::types::{InterfaceId, VpcEndpointId};

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
    /// At the bindings whose source had this interface when it was last looked at.
    Interface(InterfaceId),
}

/// The `source` of Foregate's own messages.
const OWN_SOURCE: &str = "foregate";
/// The `detail-type` of a message that says to look at one binding.
const RECHECK: &str = "Binding Recheck";
/// The `detail-type` of the schedule's rule.
const SCHEDULED: &str = "Scheduled Event";
/// The `detail-type` of what CloudTrail hands on.
const CLOUDTRAIL: &str = "AWS API Call via CloudTrail";

/// A message that says to look at `binding` after `delay_seconds`.
pub fn recheck(binding: &str, delay_seconds: u32) -> Message {
    let body = json!({"source": OWN_SOURCE, "detail-type": RECHECK, "detail": {"bindingId": binding}});
    Message { body, delay_seconds }
}

/// Where the event says to look; nowhere for an event that is none of ours.
pub fn looks(event: &EventBridgeEvent) -> BTreeSet<Look> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.events" | "aws.scheduler", SCHEDULED) => BTreeSet::from([Look::All]),
        (OWN_SOURCE, RECHECK) => {
            let binding = event.detail.get("bindingId").and_then(Value::as_str);
            binding.map(|id| Look::Binding(id.to_owned())).into_iter().collect()
        }
        ("aws.ec2", CLOUDTRAIL) => cloudtrail(&event.detail),
        _ => BTreeSet::new(),
    }
}

/// The calls of EC2 that change an endpoint or an interface, and where they name it.
const CLOUDTRAIL_CALLS: &[(&str, &str)] = &[
    ("CreateVpcEndpoint", "/responseElements/CreateVpcEndpointResponse/vpcEndpoint/vpcEndpointId"),
    ("ModifyVpcEndpoint", "/requestParameters/ModifyVpcEndpointRequest/VpcEndpointId"),
    ("DeleteVpcEndpoints", "/requestParameters/DeleteVpcEndpointsRequest/VpcEndpointId"),
    // The endpoint's id stands in the description: `VPC Endpoint Interface vpce-…`.
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
    let endpoint = word.parse().map(Look::VpcEndpoint);
    endpoint.or_else(|_| word.parse().map(Look::Interface)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(source: &str, detail_type: &str, detail: Value) -> EventBridgeEvent {
        serde_json::from_value(json!({"source": source, "detail-type": detail_type, "detail": detail})).unwrap()
    }

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
            (serde_json::from_value(recheck("binding-1", 0).body).unwrap(), vec![Look::Binding("binding-1".into())]),
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
            call("RunInstances", json!({"networkInterfaceId": "eni-0a1b2c3d4e5f67890"}), json!({})),
            call("CreateNetworkInterface", json!({"description": "aws-K8S-i-0a1b"}), json!(null)),
            call("ModifyVpcEndpoint", json!(null), json!(null)),
            event("somebody.else", RECHECK, json!({"bindingId": "binding-1"})),
        ] {
            assert!(looks(&event).is_empty(), "{event:?}");
        }
    }
}
