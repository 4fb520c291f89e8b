//! The local cloud, through AWS's own SDK; and the few routes of its wrapper for what no API of AWS's can do.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use aws_config::BehaviorVersion;
use aws_sdk_cloudformation::types::{Parameter, StackEvent};
use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};

/// Clients of the local cloud and the names of what is deployed to it.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// API Gateway.
    pub api_gateway: aws_sdk_apigateway::Client,
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// Auto Scaling.
    pub auto_scaling: aws_sdk_autoscaling::Client,
    /// Elastic Load Balancing.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// The queue of `bindings`.
    pub queue_url: String,
    /// Its dead letters.
    pub dead_letters_url: String,
    /// Foregate's bus.
    pub bus: String,
    /// The region.
    pub region: String,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    cloudformation: aws_sdk_cloudformation::Client,
    function: String,
    service_token: String,
    moto_url: String,
    http: reqwest::Client,
}

/// How a function failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The contract's error type.
    pub error_type: String,
    /// What the user reads.
    pub message: String,
}

impl fmt::Display for FunctionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.error_type, self.message)
    }
}

impl std::error::Error for FunctionError {}

/// The definition of a REST API with these methods, each as `get /cats`, to which IAM or else everybody is let in. Each has a
/// backend.
pub fn definition(methods: &[(&str, bool)]) -> Value {
    let mut paths = json!({});
    for (method, is_guarded) in methods {
        let (verb, path) = method.split_once(' ').unwrap_or(("get", method));
        let security = if *is_guarded { json!([{"sigv4": []}]) } else { json!([]) };
        paths[path][verb] = json!({
            "security": security, "responses": {"200": {"description": "OK"}},
            "x-amazon-apigateway-integration": {"type": "http_proxy", "httpMethod": "GET", "uri": "https://backend.example.com/"},
        });
    }
    let signature =
        json!({"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"});
    json!({
        "openapi": "3.0.1", "info": {"title": "theirs", "version": "1"}, "paths": paths,
        "components": {"securitySchemes": {"sigv4": signature}},
    })
}

/// How a stack ended.
#[derive(Clone, Debug)]
pub struct Stack {
    /// `CREATE_COMPLETE`, `ROLLBACK_COMPLETE`, …
    pub status: String,
    /// Its outputs.
    pub outputs: Vec<(String, String)>,
    /// Why resources failed.
    pub reasons: Vec<String>,
}

impl Stack {
    /// An output's value.
    pub fn output(&self, key: &str) -> Option<&str> {
        self.outputs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

const STACK_SECONDS_MAX: u64 = 60;

fn setting(name: &str) -> Result<String> {
    std::env::var(name)
        .with_context(|| format!("{name} is not set: start the local cloud (make up), then `. .local/env`"))
}

impl Cloud {
    /// Connects to the local cloud that the environment names.
    pub async fn connect() -> Result<Self> {
        let moto_url = setting("MOTO_URL")?;
        let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
        Ok(Self {
            api_gateway: aws_sdk_apigateway::Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            auto_scaling: aws_sdk_autoscaling::Client::new(&config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            queue_url: setting("FOREGATE_QUEUE_URL")?,
            dead_letters_url: setting("BINDINGS_DEAD_LETTERS_URL")?,
            bus: setting("FOREGATE_BUS")?,
            region: setting("AWS_REGION")?,
            function: setting("BINDINGS_FUNCTION")?,
            service_token: setting("BINDINGS_SERVICE_TOKEN")?,
            moto_url,
            http: reqwest::Client::new(),
        })
    }

    /// Invokes `bindings` and waits for its answer.
    pub async fn invoke(&self, payload: Value) -> Result<Result<Value, FunctionError>> {
        self.invoke_as(None, payload).await
    }

    /// Invokes `bindings` through an alias, which is made if it isn't there.
    pub async fn invoke_as(&self, alias: Option<&str>, payload: Value) -> Result<Result<Value, FunctionError>> {
        if let Some(alias) = alias {
            let version = self.lambda.publish_version().function_name(&self.function).send().await?;
            let call = self.lambda.create_alias().function_name(&self.function).name(alias);
            call.function_version(version.version().unwrap_or("1")).send().await?;
        }
        let call = self.lambda.invoke().function_name(&self.function).set_qualifier(alias.map(str::to_owned));
        let call = call.payload(Blob::new(payload.to_string()));
        let answer = call.send().await.context("failed to invoke bindings")?;
        let body: Value = serde_json::from_slice(answer.payload().map(Blob::as_ref).unwrap_or(b"null"))?;
        if answer.function_error().is_none() {
            return Ok(Ok(body));
        }
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        Ok(Err(FunctionError { error_type: text("errorType"), message: text("errorMessage") }))
    }

    /// Invokes another of Foregate's functions, perhaps through an alias, and waits for its answer.
    pub async fn ask(
        &self,
        function: &str,
        alias: Option<&str>,
        payload: Value,
    ) -> Result<Result<Value, FunctionError>> {
        let name = format!("{}-{function}", setting("PREFIX")?);
        let call = self.lambda.invoke().function_name(&name).set_qualifier(alias.map(str::to_owned));
        let call = call.payload(Blob::new(payload.to_string()));
        let answer = call.send().await.with_context(|| format!("failed to invoke {name}"))?;
        let body: Value = serde_json::from_slice(answer.payload().map(Blob::as_ref).unwrap_or(b"null"))?;
        if answer.function_error().is_none() {
            return Ok(Ok(body));
        }
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        Ok(Err(FunctionError { error_type: text("errorType"), message: text("errorMessage") }))
    }

    /// Invokes `bindings` with what must succeed.
    pub async fn command(&self, payload: Value) -> Result<Value> {
        let said = payload.to_string();
        self.invoke(payload).await?.with_context(|| format!("failed: {said}"))
    }

    /// Puts an event on the queue of `bindings`, as EventBridge's rules do.
    pub async fn send_event(&self, event: &Value) -> Result<()> {
        self.sqs.send_message().queue_url(&self.queue_url).message_body(event.to_string()).send().await?;
        Ok(())
    }

    /// Waits until `check` says yes, up to `seconds_max`.
    pub async fn until<F>(&self, what: &str, seconds_max: u64, mut check: impl FnMut() -> F) -> Result<()>
    where
        F: Future<Output = Result<bool>>,
    {
        let end = Instant::now() + Duration::from_secs(seconds_max);
        while !check().await? {
            if Instant::now() > end {
                bail!("not within {seconds_max} s: {what}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Creates or updates a stack of these resources and waits for its end; each resource is a `Custom::Route`, whose
    /// attributes are the stack's outputs, as `NAME` and `NAMERevision`.
    pub async fn deploy_routes(&self, name: &str, routes: &[(String, Value)]) -> Result<Stack> {
        let token = setting("ROUTES_SERVICE_TOKEN")?;
        let (mut resources, mut outputs) = (serde_json::Map::new(), serde_json::Map::new());
        for (id, properties) in routes {
            let mut properties = properties.clone();
            properties["ServiceToken"] = json!(token);
            resources.insert(id.clone(), json!({"Type": "Custom::Route", "Properties": properties}));
            outputs.insert(id.clone(), json!({"Value": {"Fn::GetAtt": [id, "Url"]}}));
            outputs.insert(format!("{id}Revision"), json!({"Value": {"Fn::GetAtt": [id, "Revision"]}}));
        }
        let template = json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, "Outputs": outputs});
        self.deploy_template(name, template).await
    }

    /// Creates or updates a stack with a `Custom::Binding` called `Binding` and waits for its end.
    pub async fn deploy(&self, name: &str, properties: Value) -> Result<Stack> {
        let mut properties = properties;
        properties["ServiceToken"] = json!(self.service_token);
        let get_att = |attribute: &str| json!({"Value": {"Fn::GetAtt": ["Binding", attribute]}});
        let template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Resources": {"Binding": {"Type": "Custom::Binding", "Properties": properties}},
            "Outputs": {
                "Ref": {"Value": {"Ref": "Binding"}},
                "BindingId": get_att("BindingId"),
                "Addresses": get_att("Addresses"),
                "Count": get_att("Count"),
            },
        });
        self.deploy_template(name, template).await
    }

    /// Creates or updates a stack and waits for its end.
    pub async fn deploy_template(&self, name: &str, template: Value) -> Result<Stack> {
        let known = self.stack(name).await.is_ok();
        let body = template.to_string();
        let none: Option<Vec<Parameter>> = None;
        if known {
            let call = self.cloudformation.update_stack().stack_name(name).template_body(body).set_parameters(none);
            call.send().await.with_context(|| format!("failed to update the stack {name}"))?;
        } else {
            let call = self.cloudformation.create_stack().stack_name(name).template_body(body).set_parameters(none);
            call.send().await.with_context(|| format!("failed to create the stack {name}"))?;
        }
        self.settled(name).await
    }

    /// Deletes a stack and waits for its end.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let id = self.stack_id(name).await?;
        self.cloudformation.delete_stack().stack_name(name).send().await?;
        match self.settled(&id).await {
            Ok(stack) if stack.status == "DELETE_COMPLETE" => Ok(()),
            Ok(stack) => Err(anyhow!("the stack {name} ended as {}: {:?}", stack.status, stack.reasons)),
            // A stack that nobody remembers is gone.
            Err(_) => Ok(()),
        }
    }

    async fn stack_id(&self, name: &str) -> Result<String> {
        let answer = self.cloudformation.describe_stacks().stack_name(name).send().await?;
        let id = answer.stacks().first().and_then(|stack| stack.stack_id());
        id.map(str::to_owned).with_context(|| format!("there is no stack {name}"))
    }

    async fn stack(&self, name: &str) -> Result<Stack> {
        let answer = self.cloudformation.describe_stacks().stack_name(name).send().await?;
        let stack = answer.stacks().first().with_context(|| format!("there is no stack {name}"))?;
        let status = stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
        if status == "DELETE_COMPLETE" && !name.starts_with("arn:") {
            bail!("the stack {name} was deleted");
        }
        let output =
            |one: &aws_sdk_cloudformation::types::Output| Some((one.output_key()?.into(), one.output_value()?.into()));
        let outputs = stack.outputs().iter().filter_map(output).collect();
        Ok(Stack { status, outputs, reasons: Vec::new() })
    }

    async fn settled(&self, name: &str) -> Result<Stack> {
        let end = Instant::now() + Duration::from_secs(STACK_SECONDS_MAX);
        loop {
            let stack = self.stack(name).await?;
            if !stack.status.ends_with("_IN_PROGRESS") {
                let events = self.cloudformation.describe_stack_events().stack_name(name).send().await?;
                let failed =
                    |event: &&StackEvent| event.resource_status().is_some_and(|s| s.as_str().ends_with("_FAILED"));
                let reasons =
                    events.stack_events().iter().filter(failed).filter_map(|event| event.resource_status_reason());
                return Ok(Stack { reasons: reasons.map(str::to_owned).collect(), ..stack });
            }
            if Instant::now() > end {
                bail!("the stack {name} is still {} after {STACK_SECONDS_MAX} s", stack.status);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn wish(&self, route: &str, wish: Value) -> Result<Value> {
        let call = self.http.post(format!("{}/local-cloud/{route}", self.moto_url)).body(wish.to_string());
        let answer = call.send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Pins a target's health, be it registered or not; `None` gives it back to the clock.
    pub async fn set_health(&self, group: &str, id: &str, state: Option<&str>) -> Result<()> {
        let wish = json!({"TargetGroupArn": group, "Id": id, "Port": 443, "State": state});
        self.wish("target-health", wish).await.map(|_| ())
    }

    /// What AWS does on its own when an endpoint's interface fails: a new one, with a new address.
    pub async fn replace_interface(&self, endpoint: &str, subnet: &str) -> Result<()> {
        let wish = json!({"VpcEndpointId": endpoint, "SubnetId": subnet, "Region": self.region});
        self.wish("replace-endpoint-interface", wish).await.map(|_| ())
    }

    /// Gives an interface another address, or takes the one that it has.
    pub async fn set_address(&self, interface: &str, address: Option<&str>) -> Result<()> {
        let wish = json!({"NetworkInterfaceId": interface, "PrivateIpAddress": address, "Region": self.region});
        self.wish("interface-address", wish).await.map(|_| ())
    }

    /// Makes many running instances fast; their ids.
    pub async fn make_instances(&self, subnet: &str, count: usize, tags: Value) -> Result<Vec<String>> {
        let wish = json!({"Region": self.region, "SubnetId": subnet, "Count": count, "Tags": tags});
        let answer = self.wish("instances", wish).await?;
        let ids = answer["InstanceIds"].as_array().cloned().unwrap_or_default();
        Ok(ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect())
    }

    /// What a client of the stage meets: its deployment's id, and its OpenAPI document.
    pub async fn stage(&self, api: &str, stage: &str) -> Result<(String, Value)> {
        let wish = json!({"Region": self.region, "RestApiId": api, "StageName": stage});
        let answer = self.wish("stage", wish).await?;
        Ok((answer["DeploymentId"].as_str().unwrap_or_default().to_owned(), answer["Document"].clone()))
    }

    /// A REST API of another account, `PRIVATE` or `REGIONAL`; its id.
    pub async fn foreign_api(&self, account: &str, endpoint_type: &str) -> Result<String> {
        self.foreign_api_with(account, endpoint_type, None).await
    }

    /// The same, with a resource policy.
    pub async fn foreign_api_with(&self, account: &str, endpoint_type: &str, policy: Option<&Value>) -> Result<String> {
        let mut body = json!({"name": account, "endpointConfiguration": {"types": [endpoint_type]}});
        if let Some(policy) = policy {
            body["policy"] = json!(policy.to_string());
        }
        let answer = self.post_as(account, "restapis", body).await?;
        answer["id"].as_str().map(str::to_owned).context("the API has no id")
    }

    /// A POST to the API Gateway of any account, as its root.
    pub async fn post_as(&self, account: &str, path: &str, body: Value) -> Result<Value> {
        let credential = format!("AWS4-HMAC-SHA256 Credential=a/20260101/{}/apigateway/aws4_request", self.region);
        let call = self.http.post(format!("{}/{path}", self.moto_url)).body(body.to_string());
        // moto reads the account from there, and the region from what a signature would name.
        let call = call.header("x-moto-account-id", account).header("authorization", credential);
        let answer = call.header("content-type", "application/json").send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Makes many REST APIs of an account fast, each with these stages; with a usage plan's name the last stage is in it. Their
    /// ids, and the plan's.
    pub async fn make_apis(
        &self,
        account: &str,
        count: usize,
        stages: &[&str],
        plan: Option<&str>,
    ) -> Result<(Vec<String>, String)> {
        let wish = json!({
            "Account": account, "Region": self.region, "Count": count, "Prefix": "api-", "Stages": stages, "UsagePlan": plan,
        });
        let answer = self.wish("rest-apis", wish).await?;
        let ids = answer["RestApiIds"].as_array().cloned().unwrap_or_default();
        let ids = ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
        Ok((ids, answer["UsagePlanId"].as_str().unwrap_or_default().to_owned()))
    }

    /// Changes a REST API of another account: its `Document`, its `Policy`, what it has deployed (`Deploy`), or deletes it
    /// (`Delete`).
    pub async fn change_api(&self, account: &str, id: &str, change: Value) -> Result<()> {
        let mut wish = json!({"Account": account, "Region": self.region, "RestApiId": id});
        wish.as_object_mut().into_iter().for_each(|wish| wish.extend(change.as_object().cloned().unwrap_or_default()));
        self.wish("rest-api", wish).await.map(drop)
    }

    /// What a role may do at API Gateway from now on, by statements of IAM's, and what it wants to be told to be assumed.
    pub async fn set_role(&self, arn: &str, statements: Value, external_id: Option<&str>) -> Result<()> {
        let mut wish = json!({"RoleArn": arn, "Statements": statements});
        if let Some(external_id) = external_id {
            wish["ExternalId"] = json!(external_id);
        }
        self.wish("role-policy", wish).await.map(drop)
    }

    /// The calls of API Gateway that Foregate has made in an account: each action, and the role that it was made with.
    pub async fn calls_in(&self, account: &str) -> Result<Vec<(String, String)>> {
        let answer = self.wish("calls", json!({"Application": "foregate"})).await?;
        let calls = answer["calls"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_account = calls.iter().filter(|call| call["arguments"]["account"] == account);
        Ok(of_account.map(|call| (text(&call["action"]), text(&call["arguments"]["role"]))).collect())
    }

    /// Turns API Gateway's documented rates on or off; how many calls were refused for them so far.
    pub async fn throttle(&self, is_on: bool) -> Result<u64> {
        let answer = self.wish("throttle", json!({"Enabled": is_on})).await?;
        Ok(answer["Throttled"].as_u64().unwrap_or_default())
    }

    /// Has Elastic Load Balancing throttle the next `count` calls of the action that Foregate makes with this argument.
    pub async fn throttle_calls(&self, action: &str, argument: &str, count: u32) -> Result<()> {
        self.wish("throttle-calls", json!({"Action": action, "Argument": argument, "Count": count})).await.map(drop)
    }

    /// How long a VPC link of this name takes, to be made and to be deleted.
    pub async fn set_link_seconds(&self, name: &str, seconds: u32) -> Result<()> {
        self.wish("vpc-link-seconds", json!({"Name": name, "Seconds": seconds})).await.map(drop)
    }

    /// What the name server answers from now on: these A records, or a code such as `SERVFAIL`.
    pub async fn set_name(&self, name: &str, addresses: &[&str], code: &str) -> Result<()> {
        let wish = json!({"Name": name, "Addresses": addresses, "Code": code});
        self.wish("name", wish).await.map(|_| ())
    }

    /// An Auto Scaling group's lifecycle actions: those that wait, and those that were completed.
    pub async fn lifecycle_actions(&self, group: &str) -> Result<(Vec<Value>, Vec<Value>)> {
        let answer = self.wish("lifecycle-actions", json!({"AutoScalingGroupName": group})).await?;
        let list = |field: &str| answer[field].as_array().cloned().unwrap_or_default();
        Ok((list("waiting"), list("completed")))
    }

    /// The calls of EC2, Auto Scaling, Elastic Load Balancing and API Gateway that Foregate has made, oldest first: each
    /// action and its arguments.
    pub async fn calls(&self) -> Result<Vec<(String, String)>> {
        let answer = self.wish("calls", json!({"Application": "foregate"})).await?;
        let calls = answer["calls"].as_array().cloned().unwrap_or_default();
        Ok(calls
            .iter()
            .map(|c| (c["action"].as_str().unwrap_or_default().to_owned(), c["arguments"].to_string()))
            .collect())
    }
}
