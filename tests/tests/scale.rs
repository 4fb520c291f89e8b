//! The largest cases, through the deployed function on the local cloud: a full target group, and a cluster of which most
//! nodes are on later pages. Apart from the other tests, which would wait for the emulator meanwhile.

use anyhow::Result;
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use serde_json::{Value, json};
use tests::{Cloud, Fleet, Scene, event, spec, to_group};

#[tokio::test]
async fn a_target_group_of_a_thousand_targets_is_filled_in_five_calls_and_a_burst_of_a_thousand_events_is_one_look()
-> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "thousand").await?;
    let fleet = Fleet::build(&cloud, &scene, "thousand", 0).await?;
    let group = scene.add_group_of("thousand-i", TargetTypeEnum::Instance).await?;
    let answer = cloud.invoke({
        let spec = spec(fleet.source(), to_group(&group));
        json!({"command": "apply", "name": "thousand", "spec": spec})
    });
    assert_eq!(answer.await?.unwrap_err().error_type, "Blocked", "a cluster without nodes is no source to rely on");
    fleet.scale(1_000).await?;
    let nodes = fleet.in_service().await?;
    assert_eq!(nodes.len(), 1_000);

    let about = |call: &(String, String)| {
        call.1.contains(&group) || call.0 == "DescribeInstances" && call.1.contains("/thousand")
    };
    let calls = async || -> Result<Vec<String>> {
        Ok(cloud.calls().await?.into_iter().filter(about).map(|(action, _)| action).collect())
    };
    let before = calls().await?.len();
    let records: Vec<Value> = nodes
        .iter()
        .enumerate()
        .map(|(n, node)| {
            let event = event("node-running", &[("i-0a1b2c3d4e5f67890", node)])?;
            Ok(json!({"messageId": n.to_string(), "eventSource": "aws:sqs", "body": event.to_string()}))
        })
        .collect::<Result<_>>()?;
    let answer = cloud.command(json!({"Records": records})).await?;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(scene.registered(&group).await?, nodes);
    let made = calls().await?.split_off(before);
    let count = |action: &str| made.iter().filter(|one| *one == action).count();
    assert_eq!(count("DescribeInstances"), 1, "{made:?}");
    assert_eq!(count("DescribeTargetHealth"), 1, "{made:?}");
    assert_eq!(count("RegisterTargets"), 5, "{made:?}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_of_three_thousand_nodes_is_read_to_its_last_page() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let scene = Scene::build(&cloud, "pages").await?;
    let tags = |workload: &str| json!({"kubernetes.io/cluster/pages": "shared", "workload": workload});
    cloud.make_instances(&scene.subnets[0], 2_400, tags("batch")).await?;
    // Those that are wanted come last.
    let mut wanted = cloud.make_instances(&scene.subnets[1], 600, tags("gate")).await?;
    wanted.sort();
    let group = scene.add_group_of("pages-i", TargetTypeEnum::Instance).await?;
    let source = json!({"Nodes": {"ClusterName": "pages", "ExcludeTags": {"workload": "batch"}}});
    let apply = json!({"command": "apply", "name": "pages", "spec": spec(source, to_group(&group))});
    assert_eq!(cloud.command(apply).await?["attributes"]["Count"], 600);
    assert_eq!(scene.registered(&group).await?, wanted);

    let reads = async || -> Result<usize> {
        let calls = cloud.calls().await?;
        Ok(calls
            .iter()
            .filter(|(action, arguments)| action == "DescribeInstances" && arguments.contains("/pages"))
            .count())
    };
    let before = reads().await?;
    cloud.command(json!({"command": "sync", "name": "pages"})).await?;
    assert_eq!(reads().await? - before, 3, "a page holds 1,000");
    let all = json!({"Nodes": {"ClusterName": "pages"}});
    let apply = json!({"command": "apply", "name": "pages", "spec": spec(all, to_group(&group))});
    let refused = cloud.invoke(apply).await?.unwrap_err();
    assert_eq!(refused.error_type, "LimitExceeded");
    assert!(refused.message.contains("takes 1000 targets and the source has 3000"), "{refused}");
    Ok(())
}
