//! The main job, from nothing to the end, on a local cloud that `make demo` has started: a stack binds a VPC endpoint to
//! a target group, the endpoint changes, the targets follow, and what would be dangerous is not done. Ends with an error
//! where anything differs from what is expected.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{Cloud, Scene};

const SECONDS_MAX: u64 = 60;
const STACK: &str = "private-apis";

struct Demo {
    cloud: Cloud,
    scene: Scene,
}

#[tokio::main]
async fn main() -> ExitCode {
    match play().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThis is not as expected: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Result<()> {
    let began = Instant::now();
    let cloud = Cloud::connect().await?;
    let demo = Demo::set_up(cloud).await?;
    demo.bind().await?;
    demo.add_a_zone().await?;
    demo.replace_an_interface().await?;
    demo.lose_the_endpoint().await?;
    demo.clean_up().await?;
    println!("\nEverything was as expected, after {:.0} s.", began.elapsed().as_secs_f64());
    Ok(())
}

fn headline(text: &str) {
    println!("\n== {text}");
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
        self.until("the new address is registered", async || Ok(!state(&new).await?.is_empty())).await?;
        self.show("meanwhile").await?;
        ensure!(state(&old).await? == "healthy", "the old address went before the new one was healthy");
        self.until("the new address is healthy and the old one drains", async || {
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
        self.until("the binding is blocked", blocked).await?;
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
    async fn tell(&self, event: &str, example_id: &str, id: &str) -> Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../events/bindings.{event}.json"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("{path:?}"))?;
        let event: Value = serde_json::from_str(&text.replace(example_id, id))?;
        self.cloud.send_event(&event).await
    }

    async fn until_followed(&self, what: &str) -> Result<()> {
        self.until(what, async || {
            let mut addresses = self.scene.addresses(&self.scene.endpoint).await?;
            addresses.sort();
            let targets = self.scene.targets(&self.scene.group).await?;
            let healthy = targets.into_iter().filter(|(_, state)| state == "healthy").map(|((id, _), _)| id);
            Ok(healthy.collect::<Vec<_>>() == addresses)
        })
        .await?;
        self.show("after").await
    }

    async fn until(&self, what: &str, check: impl AsyncFn() -> Result<bool>) -> Result<()> {
        print!("waiting until {what} ");
        let began = Instant::now();
        let dotted = async || {
            print!(".");
            std::io::stdout().flush()?;
            check().await
        };
        let waited = self.cloud.until(what, SECONDS_MAX, dotted).await;
        println!(" {:.1} s", began.elapsed().as_secs_f64());
        waited
    }

    /// The endpoint's addresses beside the group's targets.
    async fn show(&self, when: &str) -> Result<()> {
        let addresses = self.scene.addresses(&self.scene.endpoint).await.unwrap_or_default();
        let targets = self.scene.targets(&self.scene.group).await?;
        let ids: std::collections::BTreeSet<String> =
            addresses.iter().cloned().chain(targets.keys().map(|(id, _)| id.clone())).collect();
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
