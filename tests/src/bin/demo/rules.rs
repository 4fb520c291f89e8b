//! The backends' way: a security group lets in an NLB's addresses, and a target group follows a host name whose name server
//! does not always answer.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::{Cloud, Scene, event, spec, to_group, to_security_group};

use crate::{headline, until};

/// Plays it.
pub async fn play(cloud: &Cloud) -> Result<()> {
    let scene = Scene::build(cloud, "backends").await?;
    let_in_a_load_balancer(cloud, &scene).await?;
    follow_a_name(cloud, &scene).await
}

async fn let_in_a_load_balancer(cloud: &Cloud, scene: &Scene) -> Result<()> {
    headline("The backends' security group lets in the NLB's addresses, and somebody else's range");
    let (balancer, group) = (scene.add_balancer("front", &[0, 1]).await?, scene.add_security_group("backends").await?);
    scene.put_rule(&group, "192.168.0.0/16", 8443).await?;
    let source = json!({"LoadBalancer": {"LoadBalancerArn": balancer}});
    cloud.deploy("backends", spec(source, to_security_group(&group))).await?;
    show(scene, &group).await?;

    headline("The NLB moves to the second and third zone");
    let subnets = vec![scene.subnets[1].clone(), scene.subnets[2].clone()];
    cloud.elb.set_subnets().load_balancer_arn(&balancer).set_subnets(Some(subnets)).send().await?;
    let example = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/private-apis/0123456789abcdef";
    cloud.send_event(&event("load-balancer-subnets-set", &[(example, &balancer)])?).await?;
    until(cloud, "the rules have followed", async || {
        let mut wanted: Vec<String> =
            scene.balancer_addresses(&balancer).await?.iter().map(|address| format!("{address}/32")).collect();
        wanted.push("192.168.0.0/16".into());
        Ok(scene.let_in(&group, 8443).await? == wanted)
    })
    .await?;
    show(scene, &group).await?;
    cloud.remove("backends").await?;
    ensure!(scene.let_in(&group, 8443).await? == ["192.168.0.0/16"], "somebody else's rule is gone, or ours is not");
    Ok(())
}

async fn show(scene: &Scene, group: &str) -> Result<()> {
    println!("{:>9} | {:<18} | {:<10} | description", "", "lets in", "foregate");
    for (range, description, tag) in scene.rules(group, 8443).await? {
        println!("{:>9} | {range:<18} | {:<10} | {description}", "", tag.unwrap_or_default());
    }
    Ok(())
}

async fn follow_a_name(cloud: &Cloud, scene: &Scene) -> Result<()> {
    headline("A target group follows a database's name; the name server answers, fails, and answers otherwise");
    let name = "orders.example.test";
    let spec = spec(json!({"Dns": {"HostName": name}}), to_group(&scene.group));
    for (addresses, code) in [
        (&["10.20.0.70", "10.20.16.70"][..], "NOERROR"),
        (&[][..], "SERVFAIL"),
        (&["10.20.0.70", "10.20.32.70"][..], "NOERROR"),
    ] {
        cloud.set_name(name, addresses, code).await?;
        cloud.command(json!({"command": "apply", "name": "orders", "spec": spec})).await?;
        println!(
            "{code:>9} | {:<24} | targets: {}",
            addresses.join(" "),
            scene.registered(&scene.group).await?.join(" ")
        );
    }
    let kept = ["10.20.0.70", "10.20.16.70", "10.20.32.70"];
    ensure!(scene.registered(&scene.group).await? == kept, "an address went that was left out once");
    cloud.command(json!({"command": "delete", "name": "orders"})).await?;
    ensure!(scene.registered(&scene.group).await?.is_empty(), "targets were left behind");
    Ok(())
}
