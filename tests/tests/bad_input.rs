//! What must not be done: each wrong request gets an error of the contract that names the field and the fix, the custom
//! resource is answered FAILED with that text, and no target is touched.

use anyhow::Result;
use aws_sdk_ec2::types::VpcEndpointType;
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use serde_json::{Value, json};
use tests::{Cloud, Scene};

/// A spec with one thing changed.
fn with(spec: &Value, pointer: &str, value: Value) -> Value {
    let mut spec = spec.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(parent) = spec.pointer_mut(parent) {
        parent[field] = value;
    }
    spec
}

#[tokio::test]
async fn a_wrong_spec_is_refused_by_name_through_commands_and_stacks_alike() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "bad-input").await?;
    let spec = scene.spec();
    let instances = scene.add_unused_group("bad-instances", TargetTypeEnum::Instance).await?;
    let preserving = scene.add_unused_group("bad-preserving", TargetTypeEnum::Ip).await?;
    scene.set_attribute(&preserving, "preserve_client_ip.enabled", "true").await?;
    let gateway = cloud.ec2.create_vpc_endpoint().vpc_id(&scene.vpc).vpc_endpoint_type(VpcEndpointType::Gateway);
    let gateway = gateway.service_name(format!("com.amazonaws.{}.s3", cloud.region)).send().await?;
    let gateway = gateway.vpc_endpoint().and_then(|one| one.vpc_endpoint_id()).unwrap_or_default().to_owned();
    let no_group = scene.group.replace("targetgroup/", "targetgroup/not-");
    let elsewhere = scene.group.replace("123456789012", "999999999999");
    let both = json!({"VpcEndpoint": {"VpcEndpointId": scene.endpoint}, "Dns": {"HostName": "db.example.com"}});

    for (spec, error_type, text) in [
        (with(&spec, "/Colour", json!("red")), "InvalidInput", "Colour: unknown field"),
        (with(&spec, "/Sink", json!(null)), "InvalidInput", "Sink is missing"),
        (
            with(&spec, "/Sink/TargetGroup/Port", json!("70000")),
            "InvalidInput",
            "Sink.TargetGroup.Port: '70000' is not a port",
        ),
        (with(&spec, "/Source", both), "InvalidInput", "found VpcEndpoint and Dns"),
        (
            with(&spec, "/Source/VpcEndpoint/VpcEndpointId", json!("vpce-0fffffffffffffff0")),
            "NotFound",
            "vpce-0fffffffffffffff0 does not exist",
        ),
        (
            with(&spec, "/Source/VpcEndpoint/VpcEndpointId", json!(gateway)),
            "InvalidInput",
            "is a Gateway endpoint, which has no network interfaces",
        ),
        (
            with(&spec, "/Sink/TargetGroup/TargetGroupArn", json!(no_group)),
            "NotFound",
            "does not exist in this account and region",
        ),
        (
            with(&spec, "/Sink/TargetGroup/TargetGroupArn", json!(elsewhere)),
            "InvalidInput",
            "belongs to account 999999999999",
        ),
        (
            with(&spec, "/Sink/TargetGroup/TargetGroupArn", json!(instances)),
            "InvalidInput",
            "use a target group of target type ip",
        ),
        (
            with(&spec, "/Sink/TargetGroup/TargetGroupArn", json!(preserving)),
            "InvalidInput",
            "preserve_client_ip.enabled to false",
        ),
        (
            with(&spec, "/Options", json!({"MaxRemovalPercent": "101"})),
            "InvalidInput",
            "Options.MaxRemovalPercent: '101'",
        ),
    ] {
        let error = cloud.invoke(json!({"command": "apply", "name": "bad-input", "spec": spec})).await?.unwrap_err();
        assert!(error.error_type == error_type && error.message.contains(text), "{spec}: {error}");
        let error = cloud.invoke(json!({"command": "plan", "name": "bad-input", "spec": spec})).await?.unwrap_err();
        assert!(error.error_type == error_type && error.message.contains(text), "{spec}: {error}");
        let stack = cloud.deploy("bad-input", spec.clone()).await?;
        assert_eq!(stack.status, "ROLLBACK_COMPLETE", "{spec}");
        let expected =
            stack.reasons.iter().any(|reason| reason.contains(&format!("{error_type}: ")) && reason.contains(text));
        assert!(expected, "{spec}: {:?}", stack.reasons);
        cloud.remove("bad-input").await?;
    }
    for group in [&scene.group, &instances, &preserving] {
        assert!(scene.targets(group).await?.is_empty(), "no target was touched");
    }
    let error = cloud.invoke(json!({"command": "get", "name": "bad-input"})).await?.unwrap_err();
    assert_eq!(error.error_type, "NotFound", "nothing was written down");
    Ok(())
}

#[tokio::test]
async fn a_failed_update_rolls_back_to_what_was_there() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "bad-update").await?;
    cloud.deploy("bad-update", scene.spec()).await?;
    let stack = cloud
        .deploy("bad-update", with(&scene.spec(), "/Source/VpcEndpoint/VpcEndpointId", json!("vpce-0fffffffffffffff0")))
        .await?;
    assert_eq!(stack.status, "UPDATE_ROLLBACK_COMPLETE", "{:?}", stack.reasons);
    assert_eq!(scene.registered(&scene.group).await?.len(), 2);
    cloud.remove("bad-update").await
}

#[tokio::test]
async fn a_payload_that_is_nothing_says_what_to_send() -> Result<()> {
    let cloud = Cloud::connect().await?;
    for (payload, error_type, text) in [
        (json!({}), "InvalidInput", "send a command"),
        (json!("list"), "InvalidInput", "not a JSON object"),
        (json!({"command": "destroy"}), "InvalidInput", "'destroy' is none of apply, delete, plan, get, list, sync"),
        (json!({"command": "apply", "name": "x"}), "InvalidInput", "spec is missing"),
        (json!({"command": "apply", "spec": {}}), "InvalidInput", "name is missing"),
        (json!({"command": "apply", "name": "a/b", "spec": {}}), "InvalidInput", "name: 'a/b'"),
        (json!({"command": "sync", "name": "nobody"}), "NotFound", "there is no binding called 'nobody'"),
        (json!({"command": "list", "colour": 1}), "InvalidInput", "'colour' is not a field"),
        (json!({"tf": {"action": "explode"}}), "InvalidInput", "tf: unknown variant"),
        (json!({"Records": [{"eventSource": "aws:s3"}]}), "InvalidInput", "records of aws:s3 are not accepted"),
    ] {
        let error = cloud.invoke(payload.clone()).await?.unwrap_err();
        assert!(error.error_type == error_type && error.message.contains(text), "{payload}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_comes_through_an_alias_is_no_operator() -> Result<()> {
    let cloud = Cloud::connect().await?;
    for (alias, text) in
        [("account-444455556666", "account 444455556666 may not use bindings"), ("live", "belongs to no account")]
    {
        let error = cloud.invoke_as(Some(alias), json!({"command": "list"})).await?.unwrap_err();
        assert!(error.error_type == "Forbidden" && error.message.contains(text), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn an_event_of_an_unknown_source_is_no_error_and_does_nothing() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let foreign = json!({"source": "somebody.else", "detail-type": "Something Happened", "detail": {"a": 1}});
    cloud.command(foreign.clone()).await?;
    let record = json!({"messageId": "m1", "eventSource": "aws:sqs", "body": foreign.to_string()});
    assert_eq!(cloud.command(json!({"Records": [record]})).await?, json!({"batchItemFailures": []}));
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_no_event_goes_back_and_the_others_do_not() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let good = json!({"source": "aws.ec2", "detail-type": "Something", "detail": {}}).to_string();
    let records = json!([
        {"messageId": "cut", "eventSource": "aws:sqs", "body": "{\"source\": \"aws.e"},
        {"messageId": "good", "eventSource": "aws:sqs", "body": good},
    ]);
    let answer = cloud.command(json!({"Records": records})).await?;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "cut"}]}));
    Ok(())
}

#[tokio::test]
async fn a_custom_resource_request_that_did_not_come_from_cloudformation_is_answered_to_nobody() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "forged").await?;
    let forged = |url: &str, stack: &str| {
        json!({
            "RequestType": "Create", "ResponseURL": url, "StackId": stack, "RequestId": "r1",
            "ResourceType": "Custom::Binding", "LogicalResourceId": "Binding", "ResourceProperties": scene.spec(),
        })
    };
    let stack = "arn:aws:cloudformation:eu-west-1:123456789012:stack/forged/1";
    for (payload, error_type, text) in [
        (forged("https://evil.example/answer", stack), "Forbidden", "ResponseURL is not CloudFormation's"),
        (forged("http://169.254.169.254/latest", stack), "Forbidden", "ResponseURL is not CloudFormation's"),
        (json!({"RequestType": "Create", "LogicalResourceId": "Binding"}), "InvalidInput", "StackId is missing"),
    ] {
        let error = cloud.invoke(payload).await?.unwrap_err();
        assert!(error.error_type == error_type && error.message.contains(text), "{error}");
        assert!(!error.message.contains("evil"), "the URL is not repeated: {error}");
    }
    assert!(scene.targets(&scene.group).await?.is_empty());
    Ok(())
}
