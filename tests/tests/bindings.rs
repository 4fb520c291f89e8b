//! What a user of `bindings` sees, through every door, from the deployed function on the local cloud.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use serde_json::{Value, json};
use tests::{Cloud, EVENT_SECONDS_MAX, Listener, RETRY_SECONDS_MAX, Scene, event};

const ENDPOINT: &str = "vpce-0a1b2c3d4e5f67890";
const INTERFACE: &str = "eni-0a1b2c3d4e5f67890";

async fn apply(cloud: &Cloud, scene: &Scene, name: &str) -> Result<Value> {
    cloud.command(json!({"command": "apply", "name": name, "spec": scene.spec()})).await
}

async fn sync(cloud: &Cloud, name: &str) -> Result<Value> {
    cloud.command(json!({"command": "sync", "name": name})).await
}

fn sorted(mut addresses: Vec<String>) -> Vec<String> {
    addresses.sort();
    addresses
}

#[tokio::test]
async fn a_stack_fills_its_target_group_and_empties_it_when_it_goes() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "stack").await?;
    scene.put_target(&scene.group, "10.20.2.200").await?;
    let addresses = sorted(scene.addresses(&scene.endpoint).await?);

    let stack = cloud.deploy("stack", scene.spec()).await?;
    assert_eq!(stack.status, "CREATE_COMPLETE", "{:?}", stack.reasons);
    assert_eq!(stack.output("Addresses"), Some(addresses.join(",").as_str()));
    assert_eq!(stack.output("Count"), Some("2"));
    assert_eq!(stack.output("BindingId"), stack.output("Ref"));
    let registered: BTreeSet<String> = scene.registered(&scene.group).await?.into_iter().collect();
    assert!(addresses.iter().all(|address| registered.contains(address)));

    cloud.remove("stack").await?;
    assert_eq!(scene.registered(&scene.group).await?, ["10.20.2.200"], "somebody else's target stays");
    Ok(())
}

#[tokio::test]
async fn a_message_that_fails_once_is_worked_off_within_seconds() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "retried").await?;
    let binding = apply(&cloud, &scene, "retried").await?["id"].clone();
    let addresses = sorted(scene.registered(&scene.group).await?);
    scene.drop_target(&scene.group, &addresses[0]).await?;
    // As often as the SDK tries by itself: the function's call fails once.
    cloud.throttle_calls("DescribeTargetHealth", &scene.group, 5).await?;
    let recheck = bindings::events::recheck(binding.as_str().context("no id")?, 0, 0).body;
    cloud.send_event(&recheck).await?;
    let healed = async || Ok(sorted(scene.registered(&scene.group).await?) == addresses);
    cloud.until("the message came back", RETRY_SECONDS_MAX, healed).await
}

#[tokio::test]
async fn a_changed_source_keeps_the_binding_and_a_changed_sink_replaces_it() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "update").await?;
    let first = cloud.deploy("update", scene.spec()).await?;

    let endpoint = scene.add_endpoint(&[1, 2]).await?;
    let second = cloud.deploy("update", scene.spec_of(&endpoint, &scene.group)).await?;
    assert_eq!(second.status, "UPDATE_COMPLETE", "{:?}", second.reasons);
    assert_eq!(second.output("Ref"), first.output("Ref"));
    let moved = sorted(scene.addresses(&endpoint).await?);
    cloud
        .until("the targets are the new endpoint's", EVENT_SECONDS_MAX, async || {
            Ok(scene.registered(&scene.group).await? == moved)
        })
        .await?;

    let group = scene.add_group("update-other").await?;
    let third = cloud.deploy("update", scene.spec_of(&endpoint, &group)).await?;
    assert_eq!(third.status, "UPDATE_COMPLETE", "{:?}", third.reasons);
    assert_ne!(third.output("Ref"), first.output("Ref"));
    assert_eq!(scene.registered(&group).await?, moved);
    assert!(scene.registered(&scene.group).await?.is_empty(), "the old sink is left clean");
    cloud.remove("update").await
}

#[tokio::test]
async fn events_through_the_queue_make_the_targets_follow() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "follow").await?;
    apply(&cloud, &scene, "follow").await?;
    let followed =
        async || Ok(scene.registered(&scene.group).await? == sorted(scene.addresses(&scene.endpoint).await?));

    scene.change_subnets(&scene.endpoint, Some(2), None).await?;
    cloud.send_event(&event("vpc-endpoint-modified", &[(ENDPOINT, &scene.endpoint)])?).await?;
    cloud.until("the third zone's address is registered", EVENT_SECONDS_MAX, followed).await?;

    let (interface, old) = scene.interfaces(&scene.endpoint).await?.remove(0);
    cloud.replace_interface(&scene.endpoint, &scene.subnets[0]).await?;
    cloud.send_event(&event("interface-deleted", &[(INTERFACE, &interface)])?).await?;
    cloud.until("the replaced interface's address took the old one's place", EVENT_SECONDS_MAX, followed).await?;
    let old = old.context("no address")?;
    assert_eq!(scene.targets(&scene.group).await?.get(&(old, 443)).map(String::as_str), Some("draining"));
    Ok(())
}

#[tokio::test]
async fn a_replacement_is_healthy_before_its_predecessor_goes() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "replace").await?;
    apply(&cloud, &scene, "replace").await?;
    let before = sorted(scene.addresses(&scene.endpoint).await?);
    scene.change_subnets(&scene.endpoint, Some(2), Some(0)).await?;
    let new = scene.addresses(&scene.endpoint).await?.pop().context("no address")?;

    cloud.set_health(&scene.group, &new, Some("initial")).await?;
    assert_eq!(sync(&cloud, "replace").await?["status"], "WAITING");
    assert_eq!(sync(&cloud, "replace").await?["status"], "WAITING");
    assert!(scene.registered(&scene.group).await?.contains(&before[0]));

    cloud.set_health(&scene.group, &new, Some("healthy")).await?;
    assert_eq!(sync(&cloud, "replace").await?["status"], "SYNCED");
    assert!(!scene.registered(&scene.group).await?.contains(&before[0]));
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_gone_blocks_and_empties_nothing() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "gone").await?;
    apply(&cloud, &scene, "gone").await?;
    let before = scene.registered(&scene.group).await?;
    cloud.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&scene.endpoint).send().await?;

    let error = cloud.invoke(json!({"command": "sync", "name": "gone"})).await?.unwrap_err();
    assert_eq!(error.error_type, "Blocked");
    assert!(error.message.contains("does not exist") && error.message.contains("Options.AllowEmpty"), "{error}");
    assert_eq!(scene.registered(&scene.group).await?, before);
    let answer = cloud.command(json!({"command": "get", "name": "gone"})).await?;
    assert_eq!(answer["status"], "BLOCKED");
    Ok(())
}

#[tokio::test]
async fn an_interface_without_an_address_removes_nothing_and_what_is_there_is_added() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "partial").await?;
    apply(&cloud, &scene, "partial").await?;
    let before = scene.registered(&scene.group).await?;
    let (interface, _) = scene.interfaces(&scene.endpoint).await?.remove(0);
    cloud.set_address(&interface, None).await?;
    scene.change_subnets(&scene.endpoint, Some(2), None).await?;

    let error = cloud.invoke(json!({"command": "sync", "name": "partial"})).await?.unwrap_err();
    assert!(error.error_type == "Blocked" && error.message.contains("2 of 3 interfaces"), "{error}");
    let now = scene.registered(&scene.group).await?;
    assert!(now.len() == 3 && before.iter().all(|address| now.contains(address)), "{now:?}");
    Ok(())
}

#[tokio::test]
async fn an_empty_endpoint_empties_the_group_only_where_that_is_allowed() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "allowed").await?;
    let mut spec = scene.spec();
    spec["Options"] = json!({"AllowEmpty": "true"});
    cloud.command(json!({"command": "apply", "name": "allowed", "spec": spec})).await?;
    cloud.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&scene.endpoint).send().await?;
    cloud.send_event(&event("vpc-endpoints-deleted", &[(ENDPOINT, &scene.endpoint)])?).await?;
    cloud
        .until("the group is empty", EVENT_SECONDS_MAX, async || Ok(scene.registered(&scene.group).await?.is_empty()))
        .await
}

#[tokio::test]
async fn commands_and_their_answers() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "commands").await?;
    let addresses = sorted(scene.addresses(&scene.endpoint).await?);
    let plan = cloud.command(json!({"command": "plan", "name": "commands", "spec": scene.spec()})).await?;
    assert_eq!(plan["plan"], format!("+ {}:443\n+ {}:443\n", addresses[0], addresses[1]));
    assert!(scene.registered(&scene.group).await?.is_empty(), "plan changes nothing");
    let get = json!({"command": "get", "name": "commands"});
    assert_eq!(cloud.invoke(get.clone()).await?.unwrap_err().error_type, "NotFound", "and writes nothing");

    let applied = apply(&cloud, &scene, "commands").await?;
    assert_eq!(applied["name"], "commands");
    assert_eq!(applied["status"], "SYNCED");
    assert_eq!(applied["attributes"]["Addresses"], addresses.join(","));
    assert_eq!(applied["attributes"]["Count"], 2);
    assert_eq!(applied["attributes"]["BindingId"], applied["id"]);
    assert_eq!(apply(&cloud, &scene, "commands").await?, applied, "the same again, the same answer");
    assert_eq!(cloud.command(get.clone()).await?, applied);
    let by_id = json!({"command": "sync", "name": applied["id"]});
    assert_eq!(cloud.command(by_id).await?["status"], "SYNCED");
    let listed = cloud.command(json!({"command": "list"})).await?;
    assert!(listed["items"].as_array().context("no items")?.contains(&applied));
    let plan = cloud.command(json!({"command": "plan", "name": "commands"})).await?;
    assert_eq!(plan["plan"], "nothing to do\n");

    let delete = json!({"command": "delete", "name": "commands"});
    assert_eq!(cloud.command(delete.clone()).await?["status"], "DELETED");
    assert!(scene.registered(&scene.group).await?.is_empty());
    assert_eq!(cloud.command(delete).await?["status"], "DELETED", "deleting what is not there succeeds");
    assert_eq!(cloud.invoke(get).await?.unwrap_err().error_type, "NotFound");
    Ok(())
}

#[tokio::test]
async fn a_batch_tries_every_item_and_names_those_that_failed() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "batch").await?;
    let bad = scene.spec_of("vpce-0fffffffffffffff0", &scene.group);
    let items = json!([{"name": "batch-bad", "spec": bad}, {"name": "batch-good", "spec": scene.spec()}]);
    let error = cloud.invoke(json!({"command": "apply", "items": items})).await?.unwrap_err();
    assert_eq!(error.error_type, "NotFound");
    assert!(error.message.starts_with("1 of 2 items failed; batch-bad: NotFound: Source.VpcEndpoint"), "{error}");
    assert_eq!(scene.registered(&scene.group).await?.len(), 2);
    let answer = cloud.command(json!({"command": "sync", "items": [{"name": "batch-good"}]})).await?;
    assert_eq!(answer["items"][0]["status"], "SYNCED");

    let twins: Vec<Value> = (0..4).map(|n| json!({"name": format!("batch-{n}"), "spec": scene.spec()})).collect();
    let answer = cloud.command(json!({"command": "apply", "items": twins})).await?;
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(4), "four on one target group do not trip each other up");
    Ok(())
}

#[tokio::test]
async fn a_stacks_binding_is_not_deleted_behind_its_back() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "owned").await?;
    cloud.deploy("owned", scene.spec()).await?;
    let error = cloud.invoke(json!({"command": "delete", "name": "owned/Binding"})).await?.unwrap_err();
    assert_eq!(error.error_type, "Conflict");
    assert_eq!(scene.registered(&scene.group).await?.len(), 2);
    cloud.remove("owned").await
}

#[tokio::test]
async fn terraform_creates_updates_and_deletes() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "terraform").await?;
    let input = |spec: Value, action: &str, previous: Option<Value>| {
        let mut input = spec;
        input["tf"] = json!({"action": action, "prev_input": previous});
        input
    };
    let created = cloud.command(input(scene.spec(), "create", None)).await?;
    assert_eq!(created["attributes"]["Count"], 2);
    let group = scene.add_group("terraform-other").await?;
    let moved = scene.spec_of(&scene.endpoint, &group);
    let updated = cloud.command(input(moved.clone(), "update", Some(scene.spec()))).await?;
    assert_ne!(updated["id"], created["id"]);
    assert!(scene.registered(&scene.group).await?.is_empty() && scene.registered(&group).await?.len() == 2);
    cloud.command(input(moved.clone(), "delete", Some(moved))).await?;
    assert!(scene.registered(&group).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn two_at_once_on_one_binding_end_as_one() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "at-once").await?;
    let work = (0..6).map(|_| apply(&cloud, &scene, "at-once"));
    for answer in futures::future::join_all(work).await {
        assert_eq!(answer?["status"], "SYNCED");
    }
    assert_eq!(scene.registered(&scene.group).await?, sorted(scene.addresses(&scene.endpoint).await?));
    Ok(())
}

#[tokio::test]
async fn a_verified_sync_costs_three_calls_and_a_burst_costs_one_sync() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "calls").await?;
    let group = scene.add_unused_group("calls-only", TargetTypeEnum::Ip).await?;
    let spec = scene.spec_of(&scene.endpoint, &group);
    cloud.command(json!({"command": "apply", "name": "calls", "spec": spec})).await?;
    let endpoint_id = scene.interfaces(&scene.endpoint).await?.remove(0).0;
    let of_this = async || -> Result<Vec<String>> {
        let mine = [&scene.endpoint, &group, &endpoint_id];
        let calls = cloud.calls().await?.into_iter();
        Ok(calls
            .filter(|(_, arguments)| mine.iter().any(|id| arguments.contains(*id)))
            .map(|(action, _)| action)
            .collect())
    };
    let cost = async |payload: Value| -> Result<Vec<String>> {
        let before = of_this().await?.len();
        cloud.command(payload).await?;
        Ok(of_this().await?.split_off(before))
    };
    let verified = ["DescribeTargetHealth", "DescribeVpcEndpoints", "DescribeNetworkInterfaces"];
    assert_eq!(cost(json!({"command": "sync", "name": "calls"})).await?, verified);

    let burst = event("vpc-endpoint-modified", &[(ENDPOINT, &scene.endpoint)])?.to_string();
    let records: Vec<Value> =
        (0..1_000).map(|n| json!({"messageId": format!("m{n}"), "eventSource": "aws:sqs", "body": burst})).collect();
    assert_eq!(cost(json!({"Records": records})).await?, verified, "a thousand events are one piece of work");
    Ok(())
}

#[tokio::test]
async fn what_happened_is_told_on_the_bus() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "told").await?;
    let listener = Listener::start(&cloud, "told", json!({"sink": [scene.group]})).await?;

    apply(&cloud, &scene, "told").await?;
    cloud.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&scene.endpoint).send().await?;
    for _ in 0..2 {
        let _ = cloud.invoke(json!({"command": "sync", "name": "told"})).await?;
    }
    let told = listener.events(2).await?;
    let types: BTreeSet<&str> = told.iter().filter_map(|event| event["detail-type"].as_str()).collect();
    assert_eq!(types, ["Binding Blocked", "Binding Changed"].into());
    let changed = told.iter().find(|event| event["detail-type"] == "Binding Changed").context("no change")?;
    assert_eq!(changed["detail"]["registered"].as_array().map(Vec::len), Some(2));
    Ok(())
}
