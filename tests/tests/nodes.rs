//! Nodes that come and go, through the deployed function on the local cloud: they drain before AWS takes them, and a burst of
//! them is little work.

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use serde_json::{Value, json};
use tests::{Cloud, EVENT_SECONDS_MAX, Fleet, Scene, event, spec, to_group};

const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";

struct World {
    cloud: Cloud,
    scene: Scene,
    fleet: Fleet,
    group: String,
}

impl World {
    /// A cluster's nodes in an instance target group that drains for so many seconds.
    async fn build(name: &str, nodes: i32, drain_seconds: u32) -> Result<Self> {
        let cloud = Cloud::connect().await?;
        let scene = Scene::build(&cloud, name).await?;
        let fleet = Fleet::build(&cloud, &scene, name, nodes).await?;
        let group = scene.add_group_of(&format!("{name}-i"), TargetTypeEnum::Instance).await?;
        scene.set_attribute(&group, "deregistration_delay.timeout_seconds", &drain_seconds.to_string()).await?;
        Ok(Self { cloud, scene, fleet, group })
    }

    async fn bind(&self, options: Value) -> Result<Value> {
        let mut spec = spec(self.fleet.source(), to_group(&self.group));
        spec["Options"] = options;
        self.cloud.command(json!({"command": "apply", "name": self.fleet.name, "spec": spec})).await
    }

    async fn state(&self, node: &str) -> Result<String> {
        let targets = self.scene.targets(&self.group).await?;
        Ok(targets.get(&(node.to_owned(), 443)).cloned().unwrap_or_default())
    }

    async fn until_state(&self, node: &str, state: &str) -> Result<()> {
        let reached = async || Ok(self.state(node).await? == state);
        self.cloud.until(&format!("{node} is '{state}'"), EVENT_SECONDS_MAX, reached).await
    }
}

#[tokio::test]
async fn a_terminating_node_drains_first_and_its_hook_is_completed_after() -> Result<()> {
    let world = World::build("hook", 3, 6).await?;
    world.bind(json!({})).await?;
    world.fleet.add_hook("drain", TERMINATING).await?;
    let node = world.fleet.in_service().await?.remove(0);
    world.fleet.terminate(&node).await?;
    let token = world.fleet.tell_action("node-terminate-lifecycle-action", &node).await?;
    world.until_state(&node, "draining").await?;
    assert!(world.cloud.lifecycle_actions("hook").await?.1.is_empty(), "completed while the target drained");
    // A late event about it brings nothing back.
    world.fleet.tell("node-running", &node).await?;

    let completed = async || Ok(!world.cloud.lifecycle_actions("hook").await?.1.is_empty());
    world.cloud.until("the action is completed", EVENT_SECONDS_MAX, completed).await?;
    assert_eq!(world.state(&node).await?, "", "the target was drained by then");
    let (waiting, completed) = world.cloud.lifecycle_actions("hook").await?;
    assert!(waiting.is_empty());
    assert_eq!(
        (&completed[0]["LifecycleActionToken"], &completed[0]["LifecycleActionResult"]),
        (&json!(token), &json!("CONTINUE"))
    );
    assert_eq!(world.scene.registered(&world.group).await?, world.fleet.in_service().await?);
    Ok(())
}

#[tokio::test]
async fn a_node_that_spot_takes_drains_and_no_event_brings_it_back() -> Result<()> {
    let world = World::build("spot", 3, 300).await?;
    world.bind(json!({})).await?;
    let nodes = world.fleet.in_service().await?;
    for (node, notice) in nodes.iter().zip(["node-spot-interruption", "node-scheduled-change"]) {
        let mut told = event(notice, &[("i-0a1b2c3d4e5f67890", node)])?;
        // A change that is due now, whenever this runs.
        if notice == "node-scheduled-change" {
            let now = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            (told["detail"]["startTime"], told["detail"]["endTime"]) = (json!(now), json!(now));
        }
        world.cloud.send_event(&told).await?;
        world.until_state(node, "draining").await?;
    }
    for node in &nodes {
        world.fleet.tell("node-running", node).await?;
    }
    let answer = world.cloud.command(json!({"command": "sync", "name": "spot"})).await?;
    assert_eq!(answer["status"], "SYNCED");
    assert_eq!(world.scene.registered(&world.group).await?, nodes[2..]);
    Ok(())
}

#[tokio::test]
async fn nodes_at_risk_go_only_as_far_as_the_rules_allow() -> Result<()> {
    let world = World::build("rebalance", 4, 300).await?;
    world.bind(json!({"MaxRemovalPercent": 25})).await?;
    let nodes = world.fleet.in_service().await?;
    world.fleet.tell("node-rebalance", &nodes[0]).await?;
    world.until_state(&nodes[0], "draining").await?;
    // The second is one of three: more than a quarter.
    world.fleet.tell("node-rebalance", &nodes[1]).await?;
    let blocked = async || {
        let binding = world.cloud.command(json!({"command": "get", "name": "rebalance"})).await?;
        Ok(binding["status"] == "BLOCKED")
    };
    world.cloud.until("the binding is blocked", EVENT_SECONDS_MAX, blocked).await?;
    assert_eq!(world.state(&nodes[1]).await?, "healthy", "it serves on, as spot may never take it");
    Ok(())
}

#[tokio::test]
async fn a_launching_node_is_let_into_service_when_its_target_is_healthy() -> Result<()> {
    let world = World::build("launch", 1, 300).await?;
    world.fleet.add_hook("warm-up", LAUNCHING).await?;
    world.bind(json!({"CompleteLaunchHooks": true})).await?;
    world.fleet.scale(2).await?;
    let nodes = world.fleet.nodes().await?;
    let (node, _, _) = nodes.iter().find(|(_, state, _)| state == "Pending:Wait").context("nobody waits")?;
    world.cloud.set_health(&world.group, node, Some("initial")).await?;
    world.fleet.tell_action("node-launch-lifecycle-action", node).await?;
    world.until_state(node, "initial").await?;
    assert!(world.cloud.lifecycle_actions("launch").await?.1.is_empty(), "completed before it was healthy");
    world.cloud.set_health(&world.group, node, None).await?;
    let in_service = async || Ok(world.fleet.in_service().await?.contains(node));
    world.cloud.until("the node is in service", EVENT_SECONDS_MAX, in_service).await
}

#[tokio::test]
async fn a_burst_through_the_queue_is_looked_at_as_often_as_there_are_batches_and_not_events() -> Result<()> {
    let world = World::build("burst", 2, 300).await?;
    world.bind(json!({})).await?;
    let nodes = world.fleet.in_service().await?;
    let looks = async || -> Result<usize> {
        let calls = world.cloud.calls().await?;
        let is_look = |(action, arguments): &&(String, String)| {
            action == "DescribeTargetHealth" && arguments.contains(&world.group)
        };
        Ok(calls.iter().filter(is_look).count())
    };
    let before = looks().await?;
    let left = world.fleet.nodes().await?;
    for n in 0..100 {
        world.fleet.tell("node-running", &nodes[n % 2]).await?;
    }
    let empty = async || {
        let call = world.cloud.sqs.get_queue_attributes().queue_url(&world.cloud.queue_url);
        let answer = call.attribute_names(aws_sdk_sqs::types::QueueAttributeName::All).send().await?;
        let waiting = answer.attributes().into_iter().flatten().filter(|(name, _)| {
            matches!(name.as_str(), "ApproximateNumberOfMessages" | "ApproximateNumberOfMessagesNotVisible")
        });
        Ok(waiting.map(|(_, count)| count.parse::<u32>().unwrap_or(1)).sum::<u32>() == 0)
    };
    world.cloud.until("the queue is worked off", EVENT_SECONDS_MAX, empty).await?;
    // The local queue hands over ten at a time; AWS's gathers for five seconds.
    let looked = looks().await? - before;
    assert!((1..=20).contains(&looked), "{looked} looks for 100 events");
    assert_eq!(left, world.fleet.nodes().await?);
    Ok(())
}
