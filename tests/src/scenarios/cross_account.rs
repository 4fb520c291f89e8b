//! One front door for private APIs of several accounts: `examples/cross-account`.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{rest_api, shown};
use crate::example::Example;
use crate::{Cloud, Scene, definition};

/// The local cloud carries no stack's request from one account to another, so that the cats' stack is the central account's.
const CATS: &str = "123456789012";
const DOGS: &str = "222233334444";

pub(super) async fn play(cloud: &Cloud) -> Result<Vec<String>> {
    let scene = Scene::build(cloud, "pets").await?;
    let api = rest_api(cloud, "public-pets").await?;
    let balancer = scene.balancer_of(&scene.group).await?;
    let platform = Example::load("cross-account/platform.yaml")?
        .with("CatsAccountId", CATS)
        .with("DogsAccountId", DOGS)
        .with("ExecuteApiEndpoint", scene.endpoint.clone())
        .with("TargetGroup", scene.group.clone())
        .with("LoadBalancer", balancer)
        .with("PublicPets", api.clone());
    let stack = platform.deploy(cloud, "front-door").await?;
    let mut lines = vec![format!("target group: {}", scene.registered(&scene.group).await?.join(" "))];
    let addresses = scene.interfaces(&scene.endpoint).await?;
    ensure!(lines[0].split(' ').skip(2).count() == addresses.len(), "{lines:?} and {addresses:?}");

    let cats = Example::load("cross-account/team-cats.yaml")?
        .with("RoutesServiceToken", stack.output("CatsRoutesServiceToken").context("no token")?)
        .with("VpcEndpointId", scene.endpoint.clone())
        .with("RoutesRoleArn", format!("arn:aws:iam::{CATS}:role/foregate-RoutesRole-1A2B3C4D5E6F"));
    let policy = cats.properties("PrivateCats")?["Policy"].clone();
    let cats_api = cloud.foreign_api_with(CATS, "PRIVATE", Some(&policy)).await?;
    let served = definition(&[("get /cats", false), ("get /owners", false)]);
    let deployed = json!({"Document": served, "Policy": policy, "Deploy": ["prd"]});
    cloud.change_api(CATS, &cats_api, deployed).await?;
    let cats = cats.with("PrivateCats", cats_api.clone()).with("CatsStage", "prd");
    let stack = cats.deploy(cloud, "cats").await?;
    ensure!(stack.output("CatsUrl").is_some_and(|url| url.ends_with(".amazonaws.com/live/cats")), "{stack:?}");

    // The dogs' policy lets in another endpoint at first: Foregate says so, rather than publish what does not work.
    let dogs = Example::load("cross-account/team-dogs.yaml")?.with("DogsStage", "prd");
    let policy = |endpoint: &str| -> Result<serde_json::Value> {
        Ok(dogs.clone().with("VpcEndpointId", endpoint.to_owned()).properties("PrivateDogs")?["Policy"].clone())
    };
    let (right, wrong) = (policy(&scene.endpoint)?, policy("vpce-0123456789abcdef0")?);
    let served = definition(&[("get /dogs", false), ("get /owners", false)]);
    let dogs_api = cloud.foreign_api_with(DOGS, "PRIVATE", Some(&right)).await?;
    let deployed = json!({"Document": served, "Policy": right, "Deploy": ["prd"]});
    cloud.change_api(DOGS, &dogs_api, deployed).await?;
    let shut_api = cloud.foreign_api_with(DOGS, "PRIVATE", Some(&wrong)).await?;
    let dogs = dogs.with("RoutesServiceToken", "(the alias that is invoked)");
    let apply = async |name: &str, path: &str, api: &str| {
        let mut spec = dogs.clone().with("PrivateDogs", api.to_owned()).properties("DogsRoute")?;
        spec.as_object_mut().context("no route")?.remove("ServiceToken");
        spec["Path"] = json!(path);
        let payload = json!({"command": "apply", "name": name, "spec": spec});
        cloud.ask("routes", Some(&format!("account-{DOGS}")), payload).await
    };
    let refused = apply("dogs", "/dogs", &shut_api).await?.err().context("an API that our endpoint can't reach")?;
    lines.push(format!("the dogs' API lets in another endpoint: {refused}"));
    apply("dogs", "/dogs", &dogs_api).await??;
    let refused = apply("owners", "/owners", &dogs_api).await?.err().context("the dogs were given the cats' owners")?;
    lines.push(format!("the dogs ask for /owners: {refused}"));
    let routes = shown(cloud, &api, "live").await?;
    let to = |api: &str, path: &str| {
        format!("GET {path} [open] -> https://{api}.execute-api.eu-west-1.amazonaws.com/prd{path} through private-apis")
    };
    ensure!(routes == [to(&cats_api, "/cats"), to(&dogs_api, "/dogs"), to(&cats_api, "/owners")], "{routes:#?}");
    lines.extend(routes);

    // The teams go first, then the platform, and nothing is left.
    cloud.ask("routes", Some(&format!("account-{DOGS}")), json!({"command": "delete", "name": "dogs"})).await??;
    cloud.remove("cats").await?;
    cloud.remove("front-door").await?;
    let links = cloud.api_gateway.get_vpc_links().limit(500).send().await?;
    ensure!(!links.items().iter().any(|link| link.name() == Some("private-apis")), "the VPC link is still there");
    lines.push(format!("removed: {}", shown(cloud, &api, "live").await?.join(", ")));
    Ok(lines)
}
