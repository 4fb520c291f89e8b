//! The scenarios of `examples/`, each from its templates to its end state: the tests hold that against what the examples'
//! README files say, and `make demo SCENARIO=NAME` prints it.

mod cross_account;
mod eks_service;
mod federation;
mod nodeport;
mod private_api;

use anyhow::{Context, Result};
use aws_sdk_apigateway::types::{EndpointConfiguration, EndpointType};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::Cloud;

/// A scenario: its name, and what plays it and tells what came of it, a line each.
type Play = for<'a> fn(&'a Cloud) -> BoxFuture<'a, Result<Vec<String>>>;

/// All scenarios.
pub const ALL: &[(&str, Play)] = &[
    ("cross-account", |cloud| Box::pin(cross_account::play(cloud))),
    ("nodeport", |cloud| Box::pin(nodeport::play(cloud))),
    ("private-api", |cloud| Box::pin(private_api::play(cloud))),
    ("eks-service", |cloud| Box::pin(eks_service::play(cloud))),
    ("federation", |cloud| Box::pin(federation::play(cloud))),
];

/// Plays one scenario; the error names those that there are.
pub async fn play(cloud: &Cloud, name: &str) -> Result<Vec<String>> {
    let known: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    let scenario = ALL.iter().find(|(one, _)| *one == name);
    let (_, play) =
        scenario.with_context(|| format!("there is no scenario {name}: say one of {}", known.join(", ")))?;
    play(cloud).await
}

/// A regional REST API, as a template would make it.
async fn rest_api(cloud: &Cloud, name: &str) -> Result<String> {
    let regional = EndpointConfiguration::builder().types(EndpointType::Regional).build();
    let call = cloud.api_gateway.create_rest_api().name(name).endpoint_configuration(regional);
    Ok(call.send().await?.id().context("the API has no id")?.to_owned())
}

/// What clients of a stage meet, a line for each method: method, path, whom it lets in, where it goes, through which link.
async fn shown(cloud: &Cloud, api: &str, stage: &str) -> Result<Vec<String>> {
    let (_, document) = cloud.stage(api, stage).await?;
    let mut lines = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let method = method.trim_start_matches("x-amazon-apigateway-").to_uppercase();
            let integration = &operation["x-amazon-apigateway-integration"];
            let entries = operation["security"].as_array().into_iter().flatten().filter_map(Value::as_object);
            let keys = entries.flat_map(|entry| entry.keys().map(String::as_str));
            let auth = keys.collect::<Vec<_>>().join("+");
            let link = link_name(cloud, &integration["connectionId"]).await?;
            let auth = if auth.is_empty() { "open" } else { &auth };
            let uri = integration["uri"].as_str().unwrap_or("-");
            lines.push(format!("{} {path} [{auth}] -> {uri} through {link}", method.trim_end_matches("-METHOD")));
        }
    }
    Ok(lines)
}

async fn link_name(cloud: &Cloud, id: &Value) -> Result<String> {
    let Some(id) = id.as_str() else { return Ok("nothing".into()) };
    let link = cloud.api_gateway.get_vpc_link().vpc_link_id(id).send().await?;
    Ok(link.name().unwrap_or_default().to_owned())
}
