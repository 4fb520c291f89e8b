//! The files in `events/`: each is what its name says, wakes the function that it is named after, and passes the rules
//! of the template that was deployed. EventBridge's own TestEventPattern says what passes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use bindings::events::{Look, read};
use serde_json::{Value, json};
use shared::trigger::Trigger;
use tests::Cloud;

fn files() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}

#[test]
fn every_file_is_a_trigger_of_the_kind_that_it_is_named_after() {
    for (name, payload) in files() {
        let parts: Vec<&str> = name.split('.').collect();
        let ["bindings" | "catalog" | "links" | "publisher" | "routes" | "tenants", what, "json"] = parts[..] else {
            panic!("{name} is not called FUNCTION.WHAT-HAPPENED.json");
        };
        let is_for_bindings = parts[0] == "bindings";
        let trigger = Trigger::parse(payload).unwrap_or_else(|error| panic!("{name}: {error}"));
        let fits = match &trigger {
            Trigger::CustomResource(_) => what.starts_with("custom-resource-"),
            Trigger::Command(_) => what.starts_with("command-"),
            Trigger::Terraform(_) => what.starts_with("terraform-"),
            Trigger::Queue(messages) => what == "queue-batch" && messages.iter().all(|message| message.event.is_ok()),
            Trigger::Event(event) if is_for_bindings => !read(event, 0).looks.is_empty(),
            Trigger::Event(_) => {
                matches!(
                    what,
                    "route-apply"
                        | "route-delete"
                        | "scheduled"
                        | "recheck-due"
                        | "load-balancer-created"
                        | "load-balancer-in-use"
                        | "api-deployed"
                        | "api-deleted"
                        | "usage-plan-updated"
                )
            }
            Trigger::Stream(_) => false,
        };
        assert!(fits, "{name} is {trigger:?}");
    }
}

#[test]
fn an_event_of_several_endpoints_looks_at_each() {
    let event = files().remove("bindings.vpc-endpoints-deleted.json").unwrap();
    let Ok(Trigger::Event(event)) = Trigger::parse(event) else { panic!("not an event") };
    assert!(matches!(
        read(&event, 0).looks.into_iter().collect::<Vec<_>>()[..],
        [Look::VpcEndpoint(_), Look::VpcEndpoint(_)]
    ));
}

/// The patterns of the rules that lead to the queue of `bindings`.
async fn patterns(cloud: &Cloud) -> Result<Vec<String>> {
    let rules = cloud.events.list_rules().send().await?;
    Ok(rules.rules().iter().filter_map(|rule| rule.event_pattern().map(str::to_owned)).collect())
}

async fn passes(cloud: &Cloud, patterns: &[String], event: &Value) -> Result<usize> {
    let mut passed = 0;
    for pattern in patterns {
        let call = cloud.events.test_event_pattern().event_pattern(pattern).event(event.to_string());
        passed += usize::from(call.send().await?.result());
    }
    Ok(passed)
}

#[tokio::test]
async fn every_event_of_awss_passes_exactly_one_deployed_rule() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let patterns = patterns(&cloud).await?;
    assert_eq!(patterns.len(), 12);
    for (name, event) in files() {
        let is_scheduled = event["detail-type"] == "Scheduled Event";
        if event["source"].as_str().is_some_and(|source| source.starts_with("aws.")) && !is_scheduled {
            assert_eq!(passes(&cloud, &patterns, &event).await?, 1, "{name}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_event_that_changes_nothing_for_a_binding_wakes_nobody() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let patterns = patterns(&cloud).await?;
    let modified = files().remove("bindings.vpc-endpoint-modified.json").unwrap();
    let created = files().remove("bindings.vpc-endpoint-interface-created.json").unwrap();
    let running = files().remove("bindings.node-running.json").unwrap();
    let tagged = files().remove("bindings.node-tagged.json").unwrap();
    let health = files().remove("bindings.node-scheduled-change.json").unwrap();
    let subnets = files().remove("bindings.load-balancer-subnets-set.json").unwrap();
    let launched = files().remove("bindings.node-launched.json").unwrap();
    let deployed = files().remove("catalog.api-deployed.json").unwrap();
    let with = |event: &Value, pointer: &str, value: Value| {
        let mut event = event.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[field] = value;
        event
    };
    for (why, event) in [
        ("the call failed", with(&modified, "/detail/errorCode", json!("Client.UnauthorizedOperation"))),
        ("another call", with(&modified, "/detail/eventName", json!("DescribeVpcEndpoints"))),
        ("another service", with(&modified, "/source", json!("aws.s3"))),
        (
            "a pod's interface",
            with(&created, "/detail/requestParameters/description", json!("aws-K8S-i-0a1b2c3d4e5f67890")),
        ),
        ("an instance that is not up yet", with(&running, "/detail/state", json!("pending"))),
        ("another kind of EC2's", with(&running, "/detail-type", json!("EC2 Fast Launch State-change Notification"))),
        (
            "a volume's tag",
            with(&tagged, "/detail/requestParameters/resourcesSet", json!({"items": [{"resourceId": "vol-1a2b3c4d"}]})),
        ),
        ("another service's health", with(&health, "/detail/service", json!("RDS"))),
        ("an issue and no change", with(&health, "/detail/eventTypeCategory", json!("issue"))),
        ("another call on load balancers", with(&subnets, "/detail/eventName", json!("AddTags"))),
        ("a launch that failed", with(&launched, "/detail-type", json!("EC2 Instance Launch Unsuccessful"))),
        ("a call on API keys", with(&deployed, "/detail/eventName", json!("CreateApiKey"))),
        ("a deployment that failed", with(&deployed, "/detail/errorCode", json!("TooManyRequestsException"))),
        ("no description", with(&created, "/detail/requestParameters", json!({"subnetId": "subnet-1"}))),
    ] {
        assert_eq!(passes(&cloud, &patterns, &event).await?, 0, "{why}");
    }
    Ok(())
}

#[tokio::test]
async fn bindings_takes_every_event_although_it_knows_none_of_its_endpoints() -> Result<()> {
    let cloud = Cloud::connect().await?;
    for (name, event) in files().into_iter().filter(|(name, _)| name.starts_with("bindings.")) {
        if event.get("detail-type").is_some() || event.get("Records").is_some() {
            let answer = cloud.command(event).await?;
            let failures = answer.get("batchItemFailures").and_then(Value::as_array).map_or(0, Vec::len);
            assert_eq!(failures, 0, "{name}: {answer}");
        }
    }
    Ok(())
}
