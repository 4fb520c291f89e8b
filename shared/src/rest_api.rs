//! What API Gateway answers about a REST API, and how that is changed, as plain values: plans rest on them.

use std::collections::BTreeMap;

use serde_json::Value;

/// A REST API, from GetRestApi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestApi {
    /// Its name.
    pub name: String,
    /// `REGIONAL`, `PRIVATE` or `EDGE`.
    pub endpoint_types: Vec<String>,
    /// Its description, which an import would reset.
    pub description: Option<String>,
    /// Its binary media types, which an import would reset.
    pub binary_media_types: Vec<String>,
    /// Its resource policy, which an import would reset: JSON.
    pub policy: Option<Value>,
    /// From how many bytes on it compresses, which an import would reset.
    pub compressed_from_bytes: Option<i32>,
    /// `HEADER` or `AUTHORIZER`: where API keys come from, which an import would reset.
    pub api_key_source: Option<String>,
    /// Whether its default endpoint is off, which an import would reset.
    pub disable_execute_api_endpoint: bool,
    /// The VPC endpoints that are associated with it, which an import would reset.
    pub vpc_endpoint_ids: Vec<String>,
    /// `ipv4` or `dualstack`, which an import would reset.
    pub ip_address_type: Option<String>,
    /// The least TLS that it takes, such as `TLS_1_2`, where API Gateway says so; an import would reset it.
    pub security_policy: Option<String>,
    /// `BASIC` or `STRICT`, where API Gateway says so; an import would reset it.
    pub endpoint_access_mode: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What a deployment has, from GetDeployment: path, method, and who may call that.
pub type ApiSummary = BTreeMap<String, BTreeMap<String, MethodSnapshot>>;

/// Who may call a method, as a deployment has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodSnapshot {
    /// `NONE`, `AWS_IAM`, `CUSTOM` or `COGNITO_USER_POOLS`.
    pub authorization: String,
    /// Whether an API key is asked for.
    pub api_key_required: bool,
}

/// A change to one property, by its JSON Pointer.
/// <https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Adds a value to a list.
    Add(String, String),
    /// Sets a value, whether or not there is one.
    Replace(String, String),
    /// Takes a value away.
    Remove(String),
}
