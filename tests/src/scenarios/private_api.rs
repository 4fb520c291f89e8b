//! A private API in front of two services of its VPC: `examples/private-api`.

use anyhow::{Context, Result, ensure};

use crate::example::Example;
use crate::{Cloud, Scene};

pub(super) async fn play(cloud: &Cloud) -> Result<Vec<String>> {
    let scene = Scene::build(cloud, "services").await?;
    let balancer = scene.add_balancer("orders-and-users", &[0, 1]).await?;
    let (orders, users) = (scene.add_security_group("orders").await?, scene.add_security_group("users").await?);
    let example = Example::load("private-api/template.yaml")?
        .with("OrdersSecurityGroupId", orders.clone())
        .with("UsersSecurityGroupId", users.clone())
        .with("LoadBalancer", balancer.clone());
    let stack = example.deploy(cloud, "orders-and-users").await?;
    let open = async |group: &str, port: i32| -> Result<Vec<String>> {
        Ok(scene.rules(group, port).await?.into_iter().map(|(range, _, _)| range).collect())
    };
    let addresses = async || -> Result<Vec<String>> {
        Ok(scene.balancer_addresses(&balancer).await?.iter().map(|one| format!("{one}/32")).collect())
    };
    ensure!(open(&orders, 8_080).await? == addresses().await? && open(&users, 8_081).await? == addresses().await?);
    let link = cloud.ask("links", None, serde_json::json!({"command": "get", "name": "orders-and-users"})).await??;
    ensure!(link["status"] == "AVAILABLE" && link["attributes"]["LoadBalancerArn"] == balancer, "{link}");
    let mut lines = vec![
        format!("VPC link orders-and-users: {} to {balancer}", link["status"].as_str().unwrap_or_default()),
        format!("orders let in: {}", open(&orders, 8_080).await?.join(" ")),
        format!("users let in: {}", open(&users, 8_081).await?.join(" ")),
    ];
    ensure!(stack.output("LoadBalancerAddresses").context("no addresses")?.split(',').count() == 2, "{stack:?}");

    // The load balancer moves to another subnet, and the security groups follow.
    let call = cloud.elb.set_subnets().load_balancer_arn(&balancer);
    call.set_subnets(Some(vec![scene.subnets[1].clone(), scene.subnets[2].clone()])).send().await?;
    let followed = async || {
        cloud.ask("bindings", None, serde_json::json!({"command": "sync"})).await?.ok();
        Ok(open(&orders, 8_080).await? == addresses().await?)
    };
    cloud.until("the services' security groups have followed", 60, followed).await?;
    lines.push(format!("after a move, orders let in: {}", open(&orders, 8_080).await?.join(" ")));
    cloud.remove("orders-and-users").await?;
    ensure!(open(&orders, 8_080).await?.is_empty() && open(&users, 8_081).await?.is_empty());
    lines.push("removed: no rule, no link".into());
    Ok(lines)
}
