//! The cluster's way: nodes behind an instance target group. One is terminated by Auto Scaling and drains before it goes,
//! a new one takes its place.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use tests::{Cloud, Fleet, Scene, spec, to_group};

use crate::{headline, until};

const CLUSTER: &str = "spinnaker";

struct Demo {
    cloud: Cloud,
    scene: Scene,
    fleet: Fleet,
    group: String,
}

/// Plays it.
pub async fn play(cloud: &Cloud) -> Result<()> {
    headline(
        "A cluster of three nodes in an Auto Scaling group with a termination hook, an NLB with an instance target group",
    );
    let scene = Scene::build(cloud, CLUSTER).await?;
    let fleet = Fleet::build(cloud, &scene, CLUSTER, 3).await?;
    fleet.add_hook("drain", "autoscaling:EC2_INSTANCE_TERMINATING").await?;
    let group = scene.add_group_of("gate", TargetTypeEnum::Instance).await?;
    scene.set_attribute(&group, "deregistration_delay.timeout_seconds", "10").await?;
    let demo = Demo { cloud: cloud.clone(), scene, fleet, group };

    headline("A stack with a Custom::Binding from the cluster's nodes to the target group");
    let stack = cloud.deploy(CLUSTER, spec(demo.fleet.source(), to_group(&demo.group))).await?;
    ensure!(stack.status == "CREATE_COMPLETE", "the stack failed: {:?}", stack.reasons);
    demo.until_serving("all nodes are healthy targets").await?;
    demo.lose_a_node().await?;
    demo.gain_a_node().await?;
    cloud.remove(CLUSTER).await?;
    ensure!(demo.scene.registered(&demo.group).await?.is_empty(), "targets were left behind");
    Ok(())
}

impl Demo {
    async fn lose_a_node(&self) -> Result<()> {
        headline("Auto Scaling terminates a node: it drains first, its lifecycle action is completed after");
        let node = self.fleet.in_service().await?.remove(0);
        self.fleet.terminate(&node).await?;
        self.fleet.tell_action("node-terminate-lifecycle-action", &node).await?;
        let state = async || -> Result<String> {
            let targets = self.scene.targets(&self.group).await?;
            Ok(targets.get(&(node.clone(), 443)).cloned().unwrap_or_default())
        };
        until(&self.cloud, "its target drains", async || Ok(state().await? == "draining")).await?;
        self.show("meanwhile").await?;
        let completed = async || Ok(!self.cloud.lifecycle_actions(CLUSTER).await?.1.is_empty());
        ensure!(!completed().await?, "the action was completed before the target was drained");
        until(&self.cloud, "its lifecycle action is completed", completed).await?;
        ensure!(state().await?.is_empty(), "the action was completed before the target was drained");
        self.show("after").await
    }

    async fn gain_a_node(&self) -> Result<()> {
        headline("A new node comes up");
        let before = self.fleet.in_service().await?;
        self.fleet.scale(3).await?;
        let now = self.fleet.in_service().await?;
        let new = now.iter().find(|node| !before.contains(node)).context("no new node")?;
        self.fleet.tell("node-running", new).await?;
        self.until_serving("it is a healthy target").await
    }

    async fn until_serving(&self, what: &str) -> Result<()> {
        until(&self.cloud, what, async || {
            let targets = self.scene.targets(&self.group).await?;
            let healthy = targets.into_iter().filter(|(_, state)| state == "healthy").map(|((id, _), _)| id);
            Ok(healthy.collect::<Vec<_>>() == self.fleet.in_service().await?)
        })
        .await?;
        self.show("after").await
    }

    /// The nodes beside the group's targets.
    async fn show(&self, when: &str) -> Result<()> {
        let nodes = self.fleet.nodes().await?;
        let targets = self.scene.targets(&self.group).await?;
        let ids: BTreeSet<&String> =
            nodes.iter().map(|(id, _, _)| id).chain(targets.keys().map(|(id, _)| id)).collect();
        println!("{when:>9} | {:<19} | {:<16} | target group", "node", "Auto Scaling");
        for id in ids {
            let lifecycle = nodes.iter().find(|(node, _, _)| node == id).map_or("", |(_, state, _)| state);
            let state = targets.get(&(id.clone(), 443)).map_or("", String::as_str);
            println!("{:>9} | {id:<19} | {lifecycle:<16} | {state}", "");
        }
        Ok(())
    }
}
