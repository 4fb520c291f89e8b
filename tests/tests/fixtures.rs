//! Events as others publish them (the fixtures of the Lambda crate for Rust, what the SAM CLI generates), through the
//! queue of the deployed function: what is about nodes is worked on, and nothing else does any harm.

use std::collections::BTreeMap;

use anyhow::Result;
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use serde_json::{Value, json};
use tests::{Cloud, Fleet, Scene, fixtures, spec, to_group};

/// All of them, by folder and name.
fn all() -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for folder in ["lambda-rust", "sam"] {
        let files = fixtures(&format!("fixtures/{folder}"))?;
        all.extend(files.into_iter().map(|(name, event)| (format!("{folder}/{name}"), event)));
    }
    Ok(all)
}

fn as_batch(event: &Value) -> Value {
    json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": event.to_string()}]})
}

#[tokio::test]
async fn every_published_event_is_taken_from_the_queue_and_what_is_none_goes_back() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let mut taken = 0;
    for (name, event) in all()? {
        // CloudWatch's alarm action of that name is no EventBridge event; it mentions one.
        let is_event = event.get("detail-type").is_some() && event.get("detail").is_some();
        let answer = cloud.command(as_batch(&event)).await?;
        let failed = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
        assert_eq!(failed, usize::from(!is_event), "{name}: {answer}");
        taken += usize::from(is_event);
    }
    assert_eq!(taken, 18, "all that are EventBridge's");
    Ok(())
}

#[tokio::test]
async fn the_lambda_crates_auto_scaling_events_drain_the_node_that_they_name() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "fixtures").await?;
    let fleet = Fleet::build(&cloud, &scene, "fixtures", 2).await?;
    let group = scene.add_group_of("fixtures-i", TargetTypeEnum::Instance).await?;
    let wanted = spec(fleet.source(), to_group(&group));
    cloud.command(json!({"command": "apply", "name": "fixtures", "spec": wanted})).await?;

    let nodes = fleet.in_service().await?;
    let files = fixtures("fixtures/lambda-rust")?;
    for (name, event) in files.iter().filter(|(name, _)| name.starts_with("example-autoscaling-")) {
        let mut event = event.clone();
        event["detail"]["EC2InstanceId"] = json!(nodes[0]);
        event["detail"]["AutoScalingGroupName"] = json!(fleet.name);
        cloud.send_event(&event).await?;
        if name == "example-autoscaling-event-terminate-action.json" {
            break;
        }
    }
    cloud
        .until("the node drains", tests::EVENT_SECONDS_MAX, async || Ok(scene.registered(&group).await? == nodes[1..]))
        .await?;
    Ok(())
}
