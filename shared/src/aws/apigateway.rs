//! API Gateway (the front door's own REST APIs and VPC links), behind [`RestApis`] and [`VpcLinks`].

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::{
    EndpointAccessMode, EndpointConfiguration, EndpointType, IpAddressType, Op, PatchOperation, PutMode, SecurityPolicy,
};
use serde_json::Value;

use super::sdk::{every_page, failed, too_many_pages};
use super::{
    Answer, ApiSummary, AwsError, Cause, Deployment, GatewayResponse, ImportMode, MethodSnapshot, Patch, Resource,
    ResourceMethod, RestApi, RestApis, Stage, VpcLink, VpcLinks,
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
            disable_execute_api_endpoint: api.disable_execute_api_endpoint,
            vpc_endpoint_ids: api
                .endpoint_configuration
                .iter()
                .flat_map(|one| one.vpc_endpoint_ids())
                .cloned()
                .collect(),
            ip_address_type: (api.endpoint_configuration.as_ref())
                .and_then(|one| one.ip_address_type.as_ref())
                .map(|one| one.as_str().to_owned()),
            security_policy: api.security_policy.as_ref().map(|one| one.as_str().to_owned()),
            endpoint_access_mode: api.endpoint_access_mode.as_ref().map(|one| one.as_str().to_owned()),
            tags: api.tags.clone().unwrap_or_default().into_iter().collect(),
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

/// A stage as GetStage and GetStages have it: two types of the SDK's with the same fields.
macro_rules! stage_of {
    ($stage:expr) => {{
        let stage = $stage;
        // The settings of one method are called `~1cats/GET`, those of all together `*/*`.
        let settings = stage.method_settings.as_ref().and_then(|settings| settings.get("*/*"));
        Stage {
            deployment_id: stage.deployment_id.unwrap_or_default(),
            canary: stage.canary_settings.map(|canary| canary.deployment_id.unwrap_or_default()),
            variables: stage.variables.unwrap_or_default().into_iter().collect(),
            is_traced: stage.tracing_enabled,
            access_log: stage.access_log_settings.and_then(|log| Some((log.destination_arn?, log.format?))),
            throttling: settings.map(|one| (one.throttling_rate_limit, one.throttling_burst_limit)),
            web_acl_arn: stage.web_acl_arn,
        }
    }};
}

impl RestApis for FrontDoorApis {
    async fn get_rest_api(&self, id: &RestApiId) -> Answer<Option<RestApi>> {
        let call = self.client.get_rest_api().rest_api_id(id.as_str());
        let there = found(call.send().await.map_err(|e| failed("GetRestApi", id.as_str(), e)))?;
        there.map(|api| api_of!("GetRestApi", &api)).transpose()
    }

    async fn update_rest_api(&self, id: &RestApiId, patches: &[Patch]) -> Answer<()> {
        let call = self.client.update_rest_api().rest_api_id(id.as_str()).set_patch_operations(operations(patches));
        call.send().await.map(drop).map_err(|e| failed("UpdateRestApi", id.as_str(), e))
    }

    async fn put_rest_api(&self, id: &RestApiId, mode: ImportMode, document: &str) -> Answer<Vec<String>> {
        let mode = match mode {
            ImportMode::Overwrite => PutMode::Overwrite,
            ImportMode::Merge => PutMode::Merge,
        };
        let call = self.client.put_rest_api().rest_api_id(id.as_str()).mode(mode).fail_on_warnings(false);
        let call = call.parameters("ignore", "documentation").body(Blob::new(document.as_bytes()));
        let answer = call.send().await.map_err(|e| failed("PutRestApi", id.as_str(), e))?;
        Ok(answer.warnings.unwrap_or_default())
    }

    async fn get_gateway_responses(&self, id: &RestApiId) -> Answer<Vec<GatewayResponse>> {
        let call = self.client.get_gateway_responses().rest_api_id(id.as_str());
        let answer = call.send().await.map_err(|e| failed("GetGatewayResponses", id.as_str(), e))?;
        let set = answer.items.unwrap_or_default().into_iter().filter(|one| !one.default_response);
        Ok(set.filter_map(gateway_response).collect())
    }

    async fn get_authorizers(&self, id: &RestApiId) -> Answer<BTreeMap<String, String>> {
        let (mut found, mut position) = (BTreeMap::new(), None);
        for _ in 0..PAGES_MAX {
            let call = self.client.get_authorizers().rest_api_id(id.as_str()).limit(PAGE).set_position(position);
            let page = call.send().await.map_err(|e| failed("GetAuthorizers", id.as_str(), e))?;
            let named = page.items.unwrap_or_default().into_iter();
            found.extend(named.filter_map(|one| Some((one.id?, one.name.unwrap_or_default()))));
            position = page.position;
            if position.is_none() {
                return Ok(found);
            }
        }
        Err(too_many_pages("GetAuthorizers", id.as_str(), PAGES_MAX))
    }

    async fn get_resources(&self, id: &RestApiId) -> Answer<Vec<Resource>> {
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

    async fn create_deployment(&self, id: &RestApiId, description: &str) -> Answer<String> {
        let call = self.client.create_deployment().rest_api_id(id.as_str()).description(description);
        let answer = call.send().await.map_err(|e| failed("CreateDeployment", id.as_str(), e))?;
        answer.id.ok_or_else(|| unreadable("CreateDeployment", id.as_str(), "it has no id".into()))
    }

    async fn get_deployment(&self, id: &RestApiId, deployment_id: &str) -> Answer<Option<ApiSummary>> {
        let call = self.client.get_deployment().rest_api_id(id.as_str()).deployment_id(deployment_id);
        let answer = call.embed("apisummary").send().await.map_err(|e| failed("GetDeployment", deployment_id, e));
        let summary = found(answer)?.map(|one| one.api_summary.unwrap_or_default().into_iter());
        Ok(summary
            .map(|paths| paths.map(|(path, methods)| (path, methods.into_iter().map(snapshot).collect())).collect()))
    }

    async fn get_deployments(&self, id: &RestApiId) -> Answer<Vec<Deployment>> {
        let call = self.client.get_deployments().rest_api_id(id.as_str()).limit(PAGE);
        every_page!("GetDeployments", id.as_str(), PAGES_MAX, call, |page| {
            page.items.unwrap_or_default().into_iter().map(|one| Deployment {
                id: one.id.unwrap_or_default(),
                description: one.description.unwrap_or_default(),
                made_at_seconds: one.created_date.and_then(|at| at.secs().try_into().ok()).unwrap_or_default(),
            })
        })
    }

    async fn delete_deployment(&self, id: &RestApiId, deployment_id: &str) -> Answer<()> {
        let call = self.client.delete_deployment().rest_api_id(id.as_str()).deployment_id(deployment_id);
        found(call.send().await.map_err(|e| failed("DeleteDeployment", deployment_id, e))).map(drop)
    }

    async fn get_stage(&self, id: &RestApiId, name: &StageName) -> Answer<Option<Stage>> {
        let call = self.client.get_stage().rest_api_id(id.as_str()).stage_name(name.as_str());
        let there = found(call.send().await.map_err(|e| failed("GetStage", name.as_str(), e)))?;
        Ok(there.map(|one| stage_of!(one)))
    }

    async fn get_stages(&self, id: &RestApiId) -> Answer<BTreeMap<String, Stage>> {
        let call = self.client.get_stages().rest_api_id(id.as_str());
        let answer = call.send().await.map_err(|e| failed("GetStages", id.as_str(), e))?;
        let all = answer.item.unwrap_or_default().into_iter();
        Ok(all.map(|one| (one.stage_name.clone().unwrap_or_default(), stage_of!(one))).collect())
    }

    async fn create_stage(
        &self,
        id: &RestApiId,
        name: &StageName,
        deployment_id: &str,
        variables: &BTreeMap<String, String>,
        is_traced: bool,
    ) -> Answer<()> {
        let call = self.client.create_stage().rest_api_id(id.as_str()).stage_name(name.as_str());
        let variables = variables.clone().into_iter().collect();
        let call = call.deployment_id(deployment_id).set_variables(Some(variables)).tracing_enabled(is_traced);
        call.send().await.map(drop).map_err(|e| failed("CreateStage", name.as_str(), e))
    }

    async fn update_stage(&self, id: &RestApiId, name: &StageName, patches: &[Patch]) -> Answer<()> {
        let call = self.client.update_stage().rest_api_id(id.as_str()).stage_name(name.as_str());
        let done = call.set_patch_operations(operations(patches)).send().await;
        done.map(drop).map_err(|e| failed("UpdateStage", name.as_str(), e))
    }

    async fn delete_stage(&self, id: &RestApiId, name: &StageName) -> Answer<()> {
        let call = self.client.delete_stage().rest_api_id(id.as_str()).stage_name(name.as_str());
        found(call.send().await.map_err(|e| failed("DeleteStage", name.as_str(), e))).map(drop)
    }

    async fn create_rest_api(&self, api: &RestApi) -> Answer<RestApiId> {
        let RestApi { name, description, endpoint_types, disable_execute_api_endpoint, tags, .. } = api;
        let types = endpoint_types.iter().map(|one| EndpointType::from(one.as_str())).collect();
        let endpoint = EndpointConfiguration::builder().set_types(Some(types));
        let endpoint = endpoint.set_ip_address_type(api.ip_address_type.as_deref().map(IpAddressType::from)).build();
        let call = self.client.create_rest_api().name(name).set_description(description.clone());
        let call = call.endpoint_configuration(endpoint).disable_execute_api_endpoint(*disable_execute_api_endpoint);
        let call = call.set_security_policy(api.security_policy.as_deref().map(SecurityPolicy::from));
        let call = call.set_endpoint_access_mode(api.endpoint_access_mode.as_deref().map(EndpointAccessMode::from));
        let answer = call.set_tags(Some(tags.clone().into_iter().collect())).send().await;
        let id = answer.map_err(|e| failed("CreateRestApi", name, e))?.id.unwrap_or_default();
        id.parse().map_err(|e| unreadable("CreateRestApi", name, format!("its id: {e}")))
    }

    async fn find_rest_api(&self, name: &str, description: &str) -> Answer<Option<RestApiId>> {
        let is_it = |one: &aws_sdk_apigateway::types::RestApi| {
            one.name() == Some(name) && one.description() == Some(description)
        };
        let call = self.client.get_rest_apis().limit(PAGE);
        let found: Vec<String> = every_page!("GetRestApis", name, PAGES_MAX, call, |page| {
            page.items.unwrap_or_default().into_iter().filter(is_it).filter_map(|one| one.id)
        })?;
        Ok(found.into_iter().min().and_then(|id| id.parse().ok()))
    }

    async fn get_base_path_mapping(&self, domain: &str, base_path: &str) -> Answer<Option<(String, String)>> {
        let call = self.client.get_base_path_mapping().domain_name(domain).base_path(base_path);
        let there = found(call.send().await.map_err(|e| failed("GetBasePathMapping", base_path, e)))?;
        Ok(there.map(|one| (one.rest_api_id.unwrap_or_default(), one.stage.unwrap_or_default())))
    }

    async fn create_base_path_mapping(
        &self,
        domain: &str,
        base_path: &str,
        id: &RestApiId,
        stage: &StageName,
    ) -> Answer<()> {
        let call = self.client.create_base_path_mapping().domain_name(domain).base_path(base_path);
        let made = call.rest_api_id(id.as_str()).stage(stage.as_str()).send().await;
        made.map(drop).map_err(|e| failed("CreateBasePathMapping", base_path, e))
    }
}

fn operations(patches: &[Patch]) -> Option<Vec<PatchOperation>> {
    let operation = |patch: &Patch| {
        let (op, path, value) = match patch {
            Patch::Add(path, value) => (Op::Add, path, Some(value)),
            Patch::Replace(path, value) => (Op::Replace, path, Some(value)),
            Patch::Remove(path) => (Op::Remove, path, None),
        };
        PatchOperation::builder().op(op).path(path).set_value(value.cloned()).build()
    };
    Some(patches.iter().map(operation).collect())
}

fn snapshot((method, one): (String, aws_sdk_apigateway::types::MethodSnapshot)) -> (String, MethodSnapshot) {
    let authorization = one.authorization_type.unwrap_or_default();
    (method, MethodSnapshot { authorization, api_key_required: one.api_key_required })
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
            authorizer_id: method.authorizer_id,
            scopes: method.authorization_scopes.unwrap_or_default().into_iter().collect(),
            integration_type: integration.as_ref().and_then(|one| Some(one.r#type.as_ref()?.as_str().to_owned())),
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
