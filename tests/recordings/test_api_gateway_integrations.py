"""Integrations, authorizers and private APIs held to what AWS answered: apigateway/integrations.json, basic.json, http.json."""

import json

from tests.recordings.api_gateway_replay import INVOCATION, deployable, replaced, replay, tests_of
from tests.recordings.ministack import ACCOUNT, REGION


def where(steps, **more):
    created = steps.client.create_rest_api(name="any")
    found = {"restApiId": created["id"], "resourceId": created["rootResourceId"], "httpMethod": "GET"}
    steps.client.put_method(**found, authorizationType="NONE", **more)
    return found


@replay("integrations.json", "test_put_integration_validation")
def what_an_integration_needs(steps):
    at = where(steps)
    s3 = {"uri": f"arn:aws:apigateway:{REGION}:s3:path/b/k", "integrationHttpMethod": "POST"}
    role = {"credentials": f"arn:aws:iam::{ACCOUNT}:role/service-role/testfunction-role-oe783psq"}
    function = {"uri": INVOCATION.replace(":any", ":MyLambda"), "integrationHttpMethod": "POST"}
    web = {"uri": "http://example.com"}
    posted = {**web, "integrationHttpMethod": "POST"}
    not_web = {"uri": "non-valid-http", "integrationHttpMethod": "POST"}
    given = {f"required-integration-method-{kind}": (kind, web) for kind in ("HTTP", "HTTP_PROXY", "AWS")}
    given |= {"not-required-integration-method-MOCK": ("MOCK", web)}
    given |= {f"http-method-{kind}": (kind, posted) for kind in ("HTTP", "HTTP_PROXY")}
    given |= {"aws-integration-AWS": ("AWS", {**s3, **role})}
    given |= {f"aws-integration-type-{kind}": (kind, function) for kind in ("AWS", "AWS_PROXY")}
    given |= {"no-s3-support-AWS_PROXY": ("AWS_PROXY", {**s3, **role})}
    given |= {f"invalid-uri-{kind}": (kind, not_web) for kind in ("HTTP", "HTTP_PROXY")}
    given |= {"invalid-uri-not-an-arn": ("AWS", {**not_web, "uri": "non-valid-arn"})}
    given |= {"invalid-uri-invalid-arn": ("AWS", {**not_web, "uri": "arn:aws:iam::0000000000:role/service-role/asdf"})}
    for step, (kind, integration) in given.items():
        steps.call(step, "put_integration", **at, type=kind, **integration)


@replay("integrations.json", "test_create_execute_api_vpc_endpoint")
def a_policys_short_form_is_written_out(steps):
    api_id = deployable(steps)
    endpoint = "vpce-0123456789abcdef0"
    operations = [
        {"op": "replace", "path": "/endpointConfiguration/types/EDGE", "value": "PRIVATE"},
        {"op": "add", "path": "/endpointConfiguration/vpcEndpointIds", "value": endpoint},
    ]
    steps.client.update_rest_api(restApiId=api_id, patchOperations=operations)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": ["execute-api:/*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    response = steps.client.update_rest_api(restApiId=api_id, patchOperations=replaced(policy=policy))
    # The answer has it escaped once more; the recording shows it parsed.
    response["policy"] = json.loads(json.loads(f'"{response["policy"]}"'))
    steps.match("api-details", response)


CARRIED = "what a client of the API gets: no emulator here carries requests on"
IMPORTED = "Foregate never makes this call: what it publishes comes in documents"
Integrations = tests_of(
    "integrations.json",
    [],
    {
        "TestApiGatewayHeaderRemapping::.*": CARRIED,
        "test_integration_mock_.*": CARRIED,
        "test_put_integration_response.*": IMPORTED,
        ("test_create_execute_api_vpc_endpoint", "endpoint-details"): "EC2's answer, which ec2.json is about",
    },
)


@replay("basic.json", "TestAPIGateway::test_update_rest_api_deployment")
def a_deployments_description_is_changed(steps):
    api_id = deployable(steps)
    deployment = steps.client.create_deployment(restApiId=api_id, description="my deployment")["id"]
    change = {"restApiId": api_id, "deploymentId": deployment}
    steps.client.update_deployment(**change, patchOperations=replaced(description="new-description"))
    steps.call("after-update", "get_deployment", **change)


Basic = tests_of(
    "basic.json",
    [],
    {
        "TestAPIGateway::test_(apigw_test_invoke_method_api|api_gateway_mock_integration)": CARRIED,
        "TestAPIGateway::test_apigateway_with_custom_authorization_method": IMPORTED,
        "TestIntegrations::.*": CARRIED,
    },
)
Http = tests_of("http.json", [], {".*": CARRIED})
