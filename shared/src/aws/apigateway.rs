//! API Gateway (the front door's own REST APIs and VPC links), behind [`RestApis`] and [`VpcLinks`].

use aws_config::SdkConfig;
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::{EndpointConfiguration, EndpointType, Op, PatchOperation, PutMode};
use serde_json::Value;

use super::sdk::{every_page, failed};
use super::{
    Answer, AwsError, Cause, GatewayResponse, ImportMode, Resource, ResourceMethod, RestApi, RestApis, Stage, VpcLink,
    VpcLinks,
};
use crate::types::{RestApiId, StageName};

/// API Gateway's maximum; its default is 25.
pub(super) const PAGE: i32 = 500;
/// An account has some tens of VPC links, 10,000 API keys at most, and fewer of everything else.
pub(super) const PAGES_MAX: usize = 20;

/// REST APIs of this account and region.
#[derive(Clone, Debug)]
pub struct FrontDoorApis {
    client: Client,
}

impl FrontDoorApis {
    /// A client; makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }
}

/// An API as GetRestApi and GetRestApis have it: two types of the SDK's with the same fields.
macro_rules! api_of {
    ($operation:expr, $api:expr) => {{
        let (api, id) = ($api, $api.id.clone().unwrap_or_default());
        let types = api.endpoint_configuration.iter().flat_map(|one| one.types());
        let policy = api.policy.as_deref().map(|escaped| $crate::aws::apigateway::policy_of($operation, &id, escaped));
        policy.transpose().map(|policy| $crate::aws::RestApi {
            policy,
            endpoint_types: types.map(|one| one.as_str().to_owned()).collect(),
            name: api.name.clone().unwrap_or_default(),
            description: api.description.clone(),
            binary_media_types: api.binary_media_types.clone().unwrap_or_default(),
            compressed_from_bytes: api.minimum_compression_size,
            api_key_source: api.api_key_source.as_ref().map(|source| source.as_str().to_owned()),
        })
    }};
}
pub(super) use api_of;

/// A policy arrives as JSON in a string whose quotes are escaped once more, without quotes around it.
pub(super) fn policy_of(operation: &'static str, id: &str, escaped: &str) -> Answer<Value> {
    let unreadable = |e: serde_json::Error| unreadable(operation, id, format!("its policy is not JSON: {e}"));
    if let Ok(policy) = serde_json::from_str(escaped) {
        return Ok(policy);
    }
    let text: String = serde_json::from_str(&format!("\"{escaped}\"")).map_err(unreadable)?;
    serde_json::from_str(&text).map_err(unreadable)
}

/// GetExport of a stage as OpenAPI 3.0, with these extensions.
pub(super) async fn export(client: &Client, id: &RestApiId, stage: &str, extensions: &str) -> Answer<Value> {
    let call = client.get_export().rest_api_id(id.as_str()).stage_name(stage).export_type("oas30");
    let call = call.parameters("extensions", extensions).accepts("application/json");
    let subject = format!("{id}/{stage}");
    let answer = call.send().await.map_err(|e| failed("GetExport", &subject, e))?;
    let body = answer.body.map(Blob::into_inner).unwrap_or_default();
    serde_json::from_slice(&body).map_err(|e| unreadable("GetExport", &subject, e.to_string()))
}

/// What AWS does not know is not there.
pub(super) fn found<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.cause == Cause::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl RestApis for FrontDoorApis {
    async fn rest_api(&self, id: &RestApiId) -> Answer<Option<RestApi>> {
        let call = self.client.get_rest_api().rest_api_id(id.as_str());
        let there = found(call.send().await.map_err(|e| failed("GetRestApi", id.as_str(), e)))?;
        there.map(|api| api_of!("GetRestApi", &api)).transpose()
    }

    async fn import(&self, id: &RestApiId, mode: ImportMode, document: &str) -> Answer<()> {
        let mode = match mode {
            ImportMode::Overwrite => PutMode::Overwrite,
            ImportMode::Merge => PutMode::Merge,
        };
        let call = self.client.put_rest_api().rest_api_id(id.as_str()).mode(mode).fail_on_warnings(true);
        let call = call.body(Blob::new(document.as_bytes()));
        call.send().await.map(|_| ()).map_err(|e| failed("PutRestApi", id.as_str(), e))
    }

    async fn gateway_responses(&self, id: &RestApiId) -> Answer<Vec<GatewayResponse>> {
        let call = self.client.get_gateway_responses().rest_api_id(id.as_str());
        let answer = call.send().await.map_err(|e| failed("GetGatewayResponses", id.as_str(), e))?;
        let set = answer.items.unwrap_or_default().into_iter().filter(|one| !one.default_response);
        Ok(set.filter_map(gateway_response).collect())
    }

    async fn resources(&self, id: &RestApiId) -> Answer<Vec<Resource>> {
        let call = self.client.get_resources().rest_api_id(id.as_str()).limit(PAGE).embed("methods");
        every_page!("GetResources", id.as_str(), PAGES_MAX, call, |page| {
            page.items.unwrap_or_default().into_iter().map(resource)
        })
    }

    async fn delete_resource(&self, id: &RestApiId, resource_id: &str) -> Answer<()> {
        let call = self.client.delete_resource().rest_api_id(id.as_str()).resource_id(resource_id);
        found(call.send().await.map_err(|e| failed("DeleteResource", resource_id, e))).map(drop)
    }

    async fn delete_method(&self, id: &RestApiId, resource_id: &str, method: &str) -> Answer<()> {
        let call = self.client.delete_method().rest_api_id(id.as_str()).resource_id(resource_id).http_method(method);
        found(call.send().await.map_err(|e| failed("DeleteMethod", resource_id, e))).map(drop)
    }

    async fn deploy(&self, id: &RestApiId, description: &str) -> Answer<String> {
        let call = self.client.create_deployment().rest_api_id(id.as_str()).description(description);
        let answer = call.send().await.map_err(|e| failed("CreateDeployment", id.as_str(), e))?;
        answer.id.ok_or_else(|| unreadable("CreateDeployment", id.as_str(), "it has no id".into()))
    }

    async fn stage(&self, id: &RestApiId, name: &StageName) -> Answer<Option<Stage>> {
        let call = self.client.get_stage().rest_api_id(id.as_str()).stage_name(name.as_str());
        let stage = found(call.send().await.map_err(|e| failed("GetStage", name.as_str(), e)))?;
        Ok(stage.map(|stage| Stage {
            has_canary: stage.canary_settings.is_some(),
            deployment_id: stage.deployment_id.unwrap_or_default(),
        }))
    }

    async fn point_stage(&self, id: &RestApiId, name: &StageName, exists: bool, deployment_id: &str) -> Answer<()> {
        if !exists {
            let call = self.client.create_stage().rest_api_id(id.as_str()).stage_name(name.as_str());
            let made = call.deployment_id(deployment_id).send().await;
            return made.map(|_| ()).map_err(|e| failed("CreateStage", name.as_str(), e));
        }
        let patch = PatchOperation::builder().op(Op::Replace).path("/deploymentId").value(deployment_id).build();
        let call = self.client.update_stage().rest_api_id(id.as_str()).stage_name(name.as_str());
        let done = call.patch_operations(patch).send().await;
        done.map(|_| ()).map_err(|e| failed("UpdateStage", name.as_str(), e))
    }

    async fn export(&self, id: &RestApiId, stage: &StageName) -> Answer<Value> {
        export(&self.client, id, stage.as_str(), "integrations").await
    }

    async fn create_api(&self, name: &str, description: &str, endpoint_type: &str) -> Answer<RestApiId> {
        let endpoint = EndpointConfiguration::builder().types(EndpointType::from(endpoint_type)).build();
        let call = self.client.create_rest_api().name(name).description(description).endpoint_configuration(endpoint);
        let answer = call.send().await.map_err(|e| failed("CreateRestApi", name, e))?;
        let id = answer.id.unwrap_or_default();
        id.parse().map_err(|e| unreadable("CreateRestApi", name, format!("its id: {e}")))
    }

    async fn find_api(&self, name: &str, description: &str) -> Answer<Option<RestApiId>> {
        let is_it = |one: &aws_sdk_apigateway::types::RestApi| {
            one.name() == Some(name) && one.description() == Some(description)
        };
        let call = self.client.get_rest_apis().limit(PAGE);
        let found: Vec<String> = every_page!("GetRestApis", name, PAGES_MAX, call, |page| {
            page.items.unwrap_or_default().into_iter().filter(is_it).filter_map(|one| one.id)
        })?;
        Ok(found.into_iter().min().and_then(|id| id.parse().ok()))
    }

    async fn mapping(&self, domain: &str, base_path: &str) -> Answer<Option<(String, String)>> {
        let call = self.client.get_base_path_mapping().domain_name(domain).base_path(base_path);
        let there = found(call.send().await.map_err(|e| failed("GetBasePathMapping", base_path, e)))?;
        Ok(there.map(|one| (one.rest_api_id.unwrap_or_default(), one.stage.unwrap_or_default())))
    }

    async fn map(&self, domain: &str, base_path: &str, id: &RestApiId, stage: &StageName) -> Answer<()> {
        let call = self.client.create_base_path_mapping().domain_name(domain).base_path(base_path);
        let made = call.rest_api_id(id.as_str()).stage(stage.as_str()).send().await;
        made.map(|_| ()).map_err(|e| failed("CreateBasePathMapping", base_path, e))
    }
}

impl VpcLinks for FrontDoorApis {
    async fn vpc_links(&self) -> Answer<Vec<VpcLink>> {
        let call = self.client.get_vpc_links().limit(PAGE);
        every_page!("GetVpcLinks", "the account", PAGES_MAX, call, |page| {
            page.items.unwrap_or_default().into_iter().map(vpc_link)
        })
    }

    async fn create_link(&self, name: &str, target: &str, (key, value): (&str, &str)) -> Answer<String> {
        let call = self.client.create_vpc_link().name(name).target_arns(target).tags(key, value);
        let answer = call.send().await.map_err(|e| failed("CreateVpcLink", name, e))?;
        answer.id.ok_or_else(|| unreadable("CreateVpcLink", name, "it has no id".into()))
    }

    async fn delete_link(&self, id: &str) -> Answer<()> {
        let call = self.client.delete_vpc_link().vpc_link_id(id);
        found(call.send().await.map_err(|e| failed("DeleteVpcLink", id, e))).map(drop)
    }
}

fn vpc_link(link: aws_sdk_apigateway::types::VpcLink) -> VpcLink {
    VpcLink {
        status: link.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        id: link.id.unwrap_or_default(),
        name: link.name.unwrap_or_default(),
        message: link.status_message.unwrap_or_default(),
        target: link.target_arns.unwrap_or_default().into_iter().next().unwrap_or_default(),
        tags: link.tags.unwrap_or_default().into_iter().collect(),
    }
}

fn gateway_response(one: aws_sdk_apigateway::types::GatewayResponse) -> Option<GatewayResponse> {
    Some(GatewayResponse {
        response_type: one.response_type?.as_str().to_owned(),
        status_code: one.status_code,
        parameters: one.response_parameters.unwrap_or_default().into_iter().collect(),
        templates: one.response_templates.unwrap_or_default().into_iter().collect(),
    })
}

fn resource(one: aws_sdk_apigateway::types::Resource) -> Resource {
    let method = |(name, method): (String, aws_sdk_apigateway::types::Method)| {
        let integration = method.method_integration;
        let seen = ResourceMethod {
            authorization: method.authorization_type.unwrap_or_default(),
            api_key_required: method.api_key_required.unwrap_or_default(),
            uri: integration.as_ref().and_then(|one| one.uri.clone()),
            connection_id: integration.and_then(|one| one.connection_id),
        };
        (name, seen)
    };
    Resource {
        id: one.id.unwrap_or_default(),
        path: one.path.unwrap_or_default(),
        methods: one.resource_methods.unwrap_or_default().into_iter().map(method).collect(),
    }
}

pub(super) fn unreadable(operation: &'static str, subject: &str, message: String) -> AwsError {
    AwsError { operation, subject: subject.to_owned(), cause: Cause::Unavailable, code: String::new(), message }
}
