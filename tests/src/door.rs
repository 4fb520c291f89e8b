//! A front door of a test's own, and teams that use it.

use anyhow::{Context, Result};
use aws_sdk_apigateway::types::{EndpointConfiguration, EndpointType};
use serde_json::{Value, json};

use crate::Cloud;
use crate::cloud::FunctionError;

/// A front door, with its REST API.
#[derive(Clone, Debug)]
pub struct Door {
    /// The local cloud.
    pub cloud: Cloud,
    /// The front door's name.
    pub name: String,
    /// The REST API.
    pub api: String,
}

/// The host that teams' `Http` backends name.
pub const HOST: &str = "nlb.example.com";

fn private_link(door: &str) -> String {
    format!("{door}-private")
}

impl Door {
    /// A REST API, a VPC link of the front door's name, another to private APIs, and the front door itself.
    pub async fn build(cloud: &Cloud, name: &str) -> Result<Self> {
        Self::build_with(cloud, name, json!({})).await
    }

    /// The same, with more said about the front door.
    pub async fn build_with(cloud: &Cloud, name: &str, fields: Value) -> Result<Self> {
        let gateway = &cloud.api_gateway;
        let regional = EndpointConfiguration::builder().types(EndpointType::Regional).build();
        let api = gateway.create_rest_api().name(name).endpoint_configuration(regional).send().await?;
        let api = api.id().context("the API has no id")?.to_owned();
        let target = format!(
            "arn:aws:elasticloadbalancing:{}:123456789012:loadbalancer/net/{name}/0123456789abcdef",
            cloud.region
        );
        for link in [name.to_owned(), private_link(name)] {
            gateway.create_vpc_link().name(link).target_arns(&target).send().await?;
        }
        let door = Self { cloud: cloud.clone(), name: name.to_owned(), api };
        door.set(fields).await?;
        Ok(door)
    }

    /// Says this and nothing else about the front door, besides what [`build`](Self::build) says.
    pub async fn set(&self, fields: Value) -> Result<()> {
        let mut spec = json!({"RestApiId": self.api, "StageName": "live", "PrivateApiLink": private_link(&self.name)});
        spec.as_object_mut().into_iter().for_each(|spec| spec.extend(fields.as_object().cloned().unwrap_or_default()));
        self.routes(None, json!({"command": "apply", "name": self.name, "spec": spec})).await??;
        Ok(())
    }

    /// Lets an account in.
    pub async fn tenant(&self, account: &str, prefixes: &[&str]) -> Result<Value> {
        let spec = json!({"AccountId": account, "Prefixes": prefixes, "BackendHosts": [HOST], "MaxRoutes": 2_000});
        Ok(self.cloud.ask("tenants", None, json!({"command": "apply", "spec": spec})).await??)
    }

    /// Asks `routes`, as an operator or as an account.
    pub async fn routes(&self, account: Option<&str>, payload: Value) -> Result<Result<Value, FunctionError>> {
        let alias = account.map(|account| format!("account-{account}"));
        self.cloud.ask("routes", alias.as_deref(), payload).await
    }

    /// Asks `publisher` about this front door.
    pub async fn publisher(&self, verb: &str, spec: Option<Value>) -> Result<Value> {
        let mut payload = json!({"command": verb, "name": self.name});
        if let Some(spec) = spec {
            payload["spec"] = spec;
        }
        Ok(self.cloud.ask("publisher", None, payload).await??)
    }

    /// A route's spec, through the front door's own link.
    pub fn route(&self, path: &str, methods: Value) -> Value {
        // What a greedy path takes has to go somewhere.
        let rest = if path.ends_with("{proxy+}") { "{proxy}" } else { "" };
        json!({
            "FrontDoor": self.name, "Path": path, "Methods": methods, "Auth": "AWS_IAM",
            "Backend": {"Http": {"Link": self.name, "Url": format!("http://{HOST}:8080/{rest}")}},
        })
    }

    /// What clients meet, as `get /cats`.
    pub async fn live(&self) -> Result<Vec<String>> {
        let (_, document) = self.cloud.stage(&self.api, "live").await?;
        let paths = document["paths"].as_object().cloned().unwrap_or_default();
        let methods = |(path, item): (String, Value)| {
            let keys: Vec<String> = item.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
            keys.into_iter().map(move |key| format!("{} {path}", key.trim_start_matches("x-amazon-apigateway-")))
        };
        Ok(paths.into_iter().flat_map(methods).collect())
    }
}
