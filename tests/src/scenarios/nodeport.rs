//! A webhook of a NodePort service: `examples/nodeport`.

use anyhow::{Context, Result, ensure};
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use serde_json::json;

use super::{rest_api, shown};
use crate::example::Example;
use crate::{Cloud, Fleet, Scene};

const NODE_PORT: i32 = 30_084;

pub(super) async fn play(cloud: &Cloud) -> Result<Vec<String>> {
    let scene = Scene::build(cloud, "gate").await?;
    let fleet = Fleet::build(cloud, &scene, "gate", 2).await?;
    let group = scene.add_group_of("gate-nodes", TargetTypeEnum::Instance).await?;
    let balancer = scene.balancer_of(&group).await?;
    let nodes_group = scene.add_security_group("gate-nodes").await?;
    let api = rest_api(cloud, "foregate-nodeport").await?;
    let dns_name = scene.dns_name(&balancer).await?;
    let example = Example::load("nodeport/template.yaml")?
        .with("ClusterName", "gate")
        .with("NodeSecurityGroupId", nodes_group.clone())
        .with("AllowedCidrs", json!(["192.0.2.0/24"]))
        .with("TargetGroup", group.clone())
        .with("LoadBalancer", balancer.clone())
        .with_attribute("LoadBalancer.DNSName", dns_name.clone())
        .with("Api", api.clone());
    let stack = example.deploy(cloud, "spinnaker").await?;
    let nodes = fleet.in_service().await?;
    ensure!(stack.output("NodeCount") == Some("2") && scene.registered(&group).await? == nodes, "{stack:?}");
    let rules = scene.rules(&nodes_group, NODE_PORT).await?;
    let open: Vec<String> = rules.into_iter().map(|(range, _, _)| range).collect();
    let addresses = scene.balancer_addresses(&balancer).await?;
    ensure!(open == addresses.iter().map(|one| format!("{one}/32")).collect::<Vec<_>>(), "{open:?}");
    let routes = shown(cloud, &api, "live").await?;
    let expected =
        format!("POST /webhooks/{{p2}} [aws_iam] -> http://{dns_name}:8084/webhooks/webhook/{{source}} through gate");
    ensure!(routes == [expected], "{routes:#?}");
    let (_, document) = cloud.stage(&api, "live").await?;
    let policy = document["x-amazon-apigateway-policy"].to_string();
    ensure!(policy.contains("192.0.2.0/24"), "{policy}");
    let mut lines = vec![
        format!("nodes registered: {}", nodes.join(" ")),
        format!("NodePort {NODE_PORT} open for: {}", open.join(" ")),
    ];
    lines.extend(routes);
    lines.push(format!("front door: {}", stack.output("WebhooksUrl").context("no URL")?));
    lines.push("let in: 192.0.2.0/24".into());
    cloud.remove("spinnaker").await?;
    ensure!(scene.registered(&group).await?.is_empty() && scene.rules(&nodes_group, NODE_PORT).await?.is_empty());
    lines.push("removed: no node, no rule".into());
    Ok(lines)
}
