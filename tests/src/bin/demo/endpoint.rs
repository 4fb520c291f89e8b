//! The private APIs' way: a stack binds a VPC endpoint to a target group, the endpoint changes, the targets follow, and
//! what would be dangerous is not done.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::{Cloud, Scene, event};

use crate::{headline, until};

const STACK: &str = "private-apis";

struct Demo {
    cloud: Cloud,
    scene: Scene,
}

/// Plays it.
pub async fn play(cloud: &Cloud) -> Result<()> {
    let demo = Demo::set_up(cloud.clone()).await?;
    demo.bind().await?;
    demo.add_a_zone().await?;
    demo.replace_an_interface().await?;
    demo.lose_the_endpoint().await?;
    demo.clean_up().await
}

impl Demo {
    async fn set_up(cloud: Cloud) -> Result<Self> {
        headline(
            "A VPC, subnets in three zones, an execute-api endpoint in two of them, an NLB with an IP target group",
        );
        let scene = Scene::build(&cloud, STACK).await?;
        println!("endpoint     {}", scene.endpoint);
        println!("target group {}", scene.group);
        let demo = Self { cloud, scene };
        demo.show("before").await?;
        ensure!(demo.scene.targets(&demo.scene.group).await?.is_empty(), "the target group is not empty at first");
        Ok(demo)
    }

    async fn bind(&self) -> Result<()> {
        headline("A stack with a Custom::Binding");
        let stack = self.cloud.deploy(STACK, self.scene.spec()).await?;
        println!("{} is {}; Addresses = {}", STACK, stack.status, stack.output("Addresses").unwrap_or("?"));
        ensure!(stack.status == "CREATE_COMPLETE", "the stack failed: {:?}", stack.reasons);
        self.until_followed("the target group is filled and healthy").await
    }

    async fn add_a_zone(&self) -> Result<()> {
        headline("The endpoint gets a subnet in the third zone; CloudTrail's event wakes Foregate");
        self.scene.change_subnets(&self.scene.endpoint, Some(2), None).await?;
        self.tell("vpc-endpoint-modified", "vpce-0a1b2c3d4e5f67890", &self.scene.endpoint).await?;
        self.until_followed("the targets have followed and are healthy").await
    }

    async fn replace_an_interface(&self) -> Result<()> {
        headline(
            "AWS replaces the interface in the first zone: the new address comes first, the old one goes when it is healthy",
        );
        let (interface, old) = self.scene.interfaces(&self.scene.endpoint).await?.remove(0);
        let old = old.context("the interface has no address")?;
        self.cloud.replace_interface(&self.scene.endpoint, &self.scene.subnets[0]).await?;
        let new = self.scene.addresses(&self.scene.endpoint).await?.remove(0);
        self.tell("interface-deleted", "eni-0a1b2c3d4e5f67890", &interface).await?;
        let state = async |address: &str| -> Result<String> {
            let targets = self.scene.targets(&self.scene.group).await?;
            Ok(targets.get(&(address.to_owned(), 443)).cloned().unwrap_or_default())
        };
        until(&self.cloud, "the new address is registered", async || Ok(!state(&new).await?.is_empty())).await?;
        self.show("meanwhile").await?;
        ensure!(state(&old).await? == "healthy", "the old address went before the new one was healthy");
        until(&self.cloud, "the new address is healthy and the old one drains", async || {
            Ok(state(&old).await? == "draining" && state(&new).await? == "healthy")
        })
        .await?;
        self.show("after").await
    }

    async fn lose_the_endpoint(&self) -> Result<()> {
        headline("Somebody deletes the endpoint: nothing would be left, so nothing is removed");
        let before = self.scene.registered(&self.scene.group).await?;
        self.cloud.ec2.delete_vpc_endpoints().vpc_endpoint_ids(&self.scene.endpoint).send().await?;
        self.tell("vpc-endpoints-deleted", "vpce-0a1b2c3d4e5f67890", &self.scene.endpoint).await?;
        let name = format!("{STACK}/Binding");
        let get = json!({"command": "get", "name": name});
        let blocked = async || Ok(self.cloud.command(get.clone()).await?["status"] == "BLOCKED");
        until(&self.cloud, "the binding is blocked", blocked).await?;
        let plan = self.cloud.command(json!({"command": "plan", "name": name})).await?;
        println!("the plan is\n  {}", plan["plan"].as_str().unwrap_or_default().trim_end().replace('\n', "\n  "));
        self.show("after").await?;
        ensure!(
            plan["plan"].as_str().is_some_and(|text| text.starts_with("! the source has no address")),
            "not blocked"
        );
        ensure!(self.scene.registered(&self.scene.group).await? == before, "targets were removed all the same");
        Ok(())
    }

    async fn clean_up(&self) -> Result<()> {
        headline("The stack goes, and takes along what it added");
        self.cloud.remove(STACK).await?;
        self.show("after").await?;
        ensure!(self.scene.registered(&self.scene.group).await?.is_empty(), "targets were left behind");
        Ok(())
    }

    /// Puts an event of `events/` on the queue, about `id`.
    async fn tell(&self, name: &str, example_id: &str, id: &str) -> Result<()> {
        self.cloud.send_event(&event(name, &[(example_id, id)])?).await
    }

    async fn until_followed(&self, what: &str) -> Result<()> {
        until(&self.cloud, what, async || {
            let mut addresses = self.scene.addresses(&self.scene.endpoint).await?;
            addresses.sort();
            let targets = self.scene.targets(&self.scene.group).await?;
            let healthy = targets.into_iter().filter(|(_, state)| state == "healthy").map(|((id, _), _)| id);
            Ok(healthy.collect::<Vec<_>>() == addresses)
        })
        .await?;
        self.show("after").await
    }

    /// The endpoint's addresses beside the group's targets.
    async fn show(&self, when: &str) -> Result<()> {
        let addresses = self.scene.addresses(&self.scene.endpoint).await.unwrap_or_default();
        let targets = self.scene.targets(&self.scene.group).await?;
        let ids: BTreeSet<String> = addresses.iter().cloned().chain(targets.keys().map(|(id, _)| id.clone())).collect();
        println!("{when:>9} | {:<14} | {:<16} | target group", "address", "VPC endpoint");
        if ids.is_empty() {
            println!("{:>9} | {:<14} | {:<16} |", "", "none", "");
        }
        for id in ids {
            let has = if addresses.contains(&id) { "has it" } else { "" };
            let state = targets.get(&(id.clone(), 443)).map_or("", String::as_str);
            println!("{:>9} | {id:<14} | {has:<16} | {state}", "");
        }
        Ok(())
    }
}
