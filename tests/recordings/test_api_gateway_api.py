"""REST APIs, their resources, links, gateway responses and stages held to what AWS answered: apigateway/api.json."""

from operator import itemgetter

from tests.recordings.api_gateway_replay import Difference, deployable, replay, tests_of
from tests.recordings.ministack import ACCOUNT, REGION
from tests.recordings.moto import moto

APIS, RESOURCES = "TestApiGatewayApiRestApi::test_", "TestApiGatewayApiResource::test_"
RESPONSES, INTEGRATIONS = "TestApiGatewayGatewayResponse::test_", "TestApigatewayIntegration::test_"
LINKS, STAGES = "TestApiGatewayVpcLink::test_", "TestApiGatewayStage::test_"
PARAMETERS = {
    "gatewayresponse.header.x-request-path": "method.request.path.petId",
    "gatewayresponse.header.Access-Control-Allow-Origin": "'a.b.c'",
    "gatewayresponse.header.x-request-query": "method.request.querystring.q",
    "gatewayresponse.header.x-request-header": "method.request.header.Accept",
}


# ---- REST APIs -------------------------------------------------------------------------------------------------------


def no_apis(steps):
    for one in steps.client.get_rest_apis(limit=500)["items"]:
        steps.client.delete_rest_api(restApiId=one["id"])


@replay("api.json", f"{APIS}list_and_delete_apis")
def apis_are_listed_and_deleted(steps):
    no_apis(steps)
    first = steps.call("create-rest-api-1", "create_rest_api", name="first", description="this is my api")["id"]
    steps.call("create-rest-api-2", "create_rest_api", name="second", description="this is my api2")
    listed = steps.client.get_rest_apis()
    listed["items"].sort(key=itemgetter("name"))
    steps.match("get-rest-api-before-delete", listed)
    steps.call("delete-rest-api", "delete_rest_api", restApiId=first)
    steps.call("get-rest-api-after-delete", "get_rest_apis")


@replay("api.json", f"{APIS}get_api_case_insensitive")
def an_apis_id_has_its_case(steps):
    api_id = steps.call("create-rest-api", "create_rest_api", name="any", description="lower case api")["id"]
    steps.call("get-api-upper-case", "get_rest_api", restApiId=api_id.upper())


@replay("api.json", f"{APIS}create_rest_api_with_optional_params")
def what_need_not_be_said_of_an_api(steps):
    given = {
        "create-only-name": {},
        "create-empty-desc": {"description": ""},
        "create-with-version": {"version": "v1"},
        "create-with-empty-binary-media": {"binaryMediaTypes": []},
        "string-compression-size": {"minimumCompressionSize": -1},
    }
    for step, members in given.items():
        steps.call(step, "create_rest_api", name="any", **members)


@replay("api.json", f"{APIS}create_rest_api_with_binary_media_types")
def an_api_with_binary_media_types(steps):
    steps.call("create-with-binary-media", "create_rest_api", name="any", binaryMediaTypes=["image/png"])


@replay("api.json", f"{APIS}create_rest_api_with_tags")
def tags_are_listed(steps):
    no_apis(steps)
    about = {"name": "any", "description": "this is my api", "tags": {"MY_TAG1": "MY_VALUE1"}}
    api_id = steps.call("create-rest-api-w-tags", "create_rest_api", **about)["id"]
    steps.call("get-rest-api-w-tags", "get_rest_api", restApiId=api_id)
    steps.call("get-rest-apis-w-tags", "get_rest_apis")


def updated(steps, step, api_id, *operations):
    steps.call(step, "update_rest_api", restApiId=api_id, patchOperations=list(operations))


def operation(op, path, *value):
    return {"op": op, "path": path, **({"value": value[0]} if value else {})}


@replay("api.json", f"{APIS}update_rest_api_operation_add_remove")
def media_types_are_changed_like_a_map(steps):
    api_id = steps.client.create_rest_api(name="any", description="this is my api")["id"]
    png, jpeg, gif = [f"/binaryMediaTypes/image~1{one}" for one in ("png", "jpeg", "gif")]
    updated(steps, "update-rest-api-add", api_id, operation("add", png), operation("add", jpeg))
    updated(steps, "update-rest-api-replace", api_id, operation("replace", png, "image/gif"))
    updated(steps, "update-rest-api-remove", api_id, operation("remove", gif), operation("remove", "/description"))


@replay("api.json", f"{APIS}update_rest_api_compression")
def compression_is_a_size_or_nothing(steps):
    api_id = steps.client.create_rest_api(name="any", description="this is my api")["id"]
    values = {
        "enable-compression": "10",
        "disable-compression": "",
        "set-compression-zero": "0",
        "set-negative-compression": "-1",
        "set-string-compression": "test",
    }
    for step, value in values.items():
        updated(steps, step, api_id, operation("replace", "/minimumCompressionSize", value))
    updated(steps, "unsupported-operation", api_id, operation("add", "/minimumCompressionSize", "10"))


@replay("api.json", f"{APIS}update_rest_api_behaviour")
def media_types_are_no_array(steps):
    api_id = steps.client.create_rest_api(name="any", description="this is my api")["id"]
    updated(steps, "update-rest-api-array", api_id, operation("add", "/binaryMediaTypes/-", "image/png"))
    updated(steps, "update-rest-api-add-base-path", api_id, operation("add", "/binaryMediaTypes", "image/gif"))
    updated(steps, "update-rest-api-replace-base-path", api_id, operation("replace", "/binaryMediaTypes", "image/gif"))
    updated(steps, "update-rest-api-remove-base-path", api_id, operation("remove", "/binaryMediaTypes"))


@replay("api.json", f"{APIS}update_rest_api_invalid_api_id")
def an_api_that_there_is_not(steps):
    updated(steps, "not-found-update-rest-api", "api_id", operation("replace", "/name", "any"))


def endpoint(*types, address=None):
    return {"endpointConfiguration": {"types": list(types), **({"ipAddressType": address} if address else {})}}


@replay("api.json", f"{APIS}create_rest_api_with_endpoint_configuration")
def an_api_has_one_endpoint_type(steps):
    both = {**endpoint("wrong", address="wrong"), "description": "", "minimumCompressionSize": -1}
    given = {
        "create-with-empty-types": endpoint(),
        "create-with-invalid-ip-address-type": endpoint("EDGE", address="wrong"),
        "create-with-invalid-types": endpoint("wrong", address="ipv4"),
        "create-with-invalid-ip-address-type-and-types": endpoint("wrong", address="wrong"),
        "create-with-invalid-types-and-ip-address-type": endpoint("wrong", address="wrong"),
        "create-with-multiple-errors-1": both,
        "create-with-multiple-errors-2": {**both, **endpoint("EDGE", address="ipv4")},
        "create-with-two-types": endpoint("EDGE", "REGIONAL"),
        "create-with-endpoint-config-dualstack": endpoint("EDGE", address="dualstack"),
        "create-with-endpoint-config-regional": endpoint("REGIONAL", address="ipv4"),
    }
    for step, members in given.items():
        steps.call(step, "create_rest_api", name="any", **members)


@replay("api.json", f"{APIS}create_rest_api_private_type")
def a_private_api_is_dualstack(steps):
    kind = "create-with-private-type-and"
    steps.call(f"{kind}-ipv4-ip-address-type", "create_rest_api", name="any", **endpoint("PRIVATE", address="ipv4"))
    steps.call(f"{kind}-wrong-ip-address-type", "create_rest_api", name="any", **endpoint("PRIVATE", address="wrong"))
    members = {"name": "any", "description": "", **endpoint("PRIVATE", address="ipv4")}
    steps.call(f"{kind}-ipv4-ip-address-type-and-empty-description", "create_rest_api", **members)


@replay("api.json", f"{APIS}create_rest_api_verify_defaults")
def what_aws_fills_in_of_an_endpoint(steps):
    for kind in ("edge", "regional", "private"):
        steps.call(f"create-with-{kind}-default", "create_rest_api", name=kind, **endpoint(kind.upper()))
    steps.call("create-with-empty-default", "create_rest_api", name="empty", endpointConfiguration={})
    wrong = {"name": "any", **endpoint("wrong")}
    wrong["endpointConfiguration"]["ipAddressType"] = ""
    steps.call("create-with-empty-ip-address-type-and-wrong-type", "create_rest_api", **wrong)


@replay("api.json", f"{APIS}update_rest_api_ip_address_type")
def an_endpoint_is_changed(steps):
    api_id = steps.client.create_rest_api(name="any")["id"]
    kind, address = "/endpointConfiguration/types/0", "/endpointConfiguration/ipAddressType"
    types = [operation("replace", kind, one) for one in ("EDGE", "REGIONAL", "PRIVATE")]
    updated(steps, "update-rest-api-replace-type", api_id, *types)
    for step, change in {
        "update-rest-api-replace-to-ipv4-within-private-type": operation("replace", address, "ipv4"),
        "update-rest-api-wrong-ipAddressType": operation("replace", address, "wrong"),
        "update-rest-api-wrong-type": operation("replace", kind, "wrong"),
        "update-rest-api-invalid-operation-on-ipAddressType": operation("remove", address, "dualstack"),
        "update-rest-api-invalid-operation-on-type": operation("remove", kind, "EDGE"),
        "update-rest-api-replace-ip-address-type": operation("replace", address, "dualstack"),
    }.items():
        updated(steps, step, api_id, change)


# ---- resources -------------------------------------------------------------------------------------------------------


def listed(steps, step, api_id):
    found = steps.client.get_resources(restApiId=api_id)
    was = [steps.comparison.resolve(one["path"]) for one in steps.recording[step]["items"]]
    found["items"].sort(key=lambda one: was.index(one["path"]) if one["path"] in was else len(was))
    steps.match(step, found)


def child(steps, step, api_id, parent, part):
    arguments = {"restApiId": api_id, "parentId": parent, "pathPart": part}
    return steps.call(step, "create_resource", **arguments).get("id")


@replay("api.json", f"{RESOURCES}delete_resource")
def a_resource_goes_with_what_is_below_it(steps):
    created = steps.client.create_rest_api(name="any")
    api_id = created["id"]
    pets = steps.client.create_resource(restApiId=api_id, parentId=created["rootResourceId"], pathPart="pets")["id"]
    below = steps.client.create_resource(restApiId=api_id, parentId=pets, pathPart="subpets")["id"]
    steps.call("delete-resource", "delete_resource", restApiId=api_id, resourceId=pets)
    listed(steps, "get-resources", api_id)
    steps.call("delete-subresource", "delete_resource", restApiId=api_id, resourceId=below)


@replay("api.json", f"{RESOURCES}create_resource_parent_invalid")
def a_resource_has_a_parent(steps):
    api_id = steps.client.create_rest_api(name="any")["id"]
    child(steps, "wrong-resource-parent-id", api_id, "fake-resource-id", "subpets")


@replay("api.json", f"{RESOURCES}create_proxy_resource")
def greedy_resources_beside_others(steps):
    created = steps.client.create_rest_api(name="any")
    api_id, root = created["id"], created["rootResourceId"]
    child(steps, "create-base-proxy-resource", api_id, root, "{proxy+}")
    parent = steps.client.create_resource(restApiId=api_id, parentId=root, pathPart="parent")["id"]
    steps.match("create-proxy-sibling-resource", parent)
    greedy = child(steps, "create-proxy-sibling-proxy-child-resource", api_id, parent, "{proxy+}")
    static = child(steps, "create-proxy-sibling-static-child-resource", api_id, parent, "child")
    child(steps, "create-static-child-proxy-resource", api_id, static, "{proxy+}")
    listed(steps, "all-resources", api_id)
    steps.client.delete_resource(restApiId=api_id, resourceId=greedy)
    variable = child(steps, "create-proxy-sibling-dynamic-child-resource", api_id, parent, "{child}")
    child(steps, "create-dynamic-child-proxy-resource", api_id, variable, "{proxy+}")
    listed(steps, "all-resources-2", api_id)


@replay("api.json", f"{RESOURCES}create_proxy_resource_validation")
def what_stands_beside_and_below_a_greedy_resource(steps):
    created = steps.client.create_rest_api(name="any")
    api_id, root = created["id"], created["rootResourceId"]
    greedy = child(steps, "create-base-proxy-resource", api_id, root, "{proxy+}")
    child(steps, "create-proxy-dynamic-sibling-resource", api_id, root, "{dynamic}")
    child(steps, "create-proxy-static-child-resource", api_id, greedy, "child")
    child(steps, "create-proxy-dynamic-child-resource", api_id, greedy, "{child}")
    parent = steps.client.create_resource(restApiId=api_id, parentId=root, pathPart="parent")["id"]
    child(steps, "create-greedy-child-resource", api_id, parent, "{child+}")


# ---- integrations and links ------------------------------------------------------------------------------------------


@replay("api.json", f"{INTEGRATIONS}create_integration_with_vpc_link")
def a_link_is_a_stage_variable(steps):
    created = steps.client.create_rest_api(name="any")
    where = {"restApiId": created["id"], "resourceId": created["rootResourceId"], "httpMethod": "GET"}
    steps.client.put_method(**where, authorizationType="NONE")
    integration = {
        "type": "HTTP_PROXY",
        "uri": f"http://my-vpclink-test-nlb-1234567890abcdef.{REGION}.amazonaws.com",
        "integrationHttpMethod": "GET",
        "connectionType": "VPC_LINK",
        "connectionId": "${stageVariables.vpcLinkId}",
    }
    steps.call("put-integration-vpc-link", "put_integration", **where, **integration)
    steps.call("get-integration-vpc-link", "get_integration", **where)


@replay("api.json", f"{INTEGRATIONS}put_integration_response_validation")
def integrations_of_methods_that_there_are_not(steps):
    created = steps.client.create_rest_api(name="any")
    where = {"restApiId": created["id"], "resourceId": created["rootResourceId"]}
    mock = {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
    said = {"statusCode": "200", "selectionPattern": "", "responseTemplates": {"application/json": "{}"}}
    steps.client.put_method(**where, httpMethod="POST", authorizationType="NONE")
    elsewhere = {**where, "resourceId": "badresource", "httpMethod": "GET"}
    steps.call("put-integration-wrong-method", "put_integration", **where, httpMethod="GET", **mock)
    steps.call("put-integration-wrong-resource", "put_integration", **elsewhere, **mock)
    steps.client.put_integration(**where, httpMethod="POST", **mock)
    steps.call("put-integration-response-wrong-method", "put_integration_response", **where, httpMethod="GET", **said)
    steps.call("put-integration-response-wrong-resource", "put_integration_response", **elsewhere, **said)


@replay("api.json", f"{INTEGRATIONS}get_integration_non_existent")
def integrations_that_there_are_not(steps):
    created = steps.client.create_rest_api(name="any")
    where = {"restApiId": created["id"], "resourceId": created["rootResourceId"], "httpMethod": "GET"}
    steps.call("get-integration-no-api", "get_integration", **{**where, "restApiId": "anything"})
    steps.call("get-integration-no-resource", "get_integration", **{**where, "resourceId": "anything"})
    steps.call("get-integration-no-method", "get_integration", **where)
    steps.client.put_method(**where, authorizationType="NONE")
    steps.call("get-integration-no-integration", "get_integration", **where)


@replay("api.json", f"{LINKS}vpc_link_lifecycle")
def a_links_life(steps):
    balancer = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/my-load-balancer/50dc6c495c0c9188"
    steps.match("nlb-arn", balancer)
    link = steps.call("create_vpc_link", "create_vpc_link", name="any", targetArns=[balancer])["id"]
    steps.call("get_vpc_link", "get_vpc_link", vpcLinkId=link)
    found = steps.client.get_vpc_links()
    found["items"] = [one for one in found["items"] if one["id"] == link]
    steps.match("get_vpc_links", found)
    steps.call("delete_vpc_link", "delete_vpc_link", vpcLinkId=link)


@replay("api.json", f"{LINKS}create_vpc_link_invalid_parameters")
def what_no_link_is_made_of(steps):
    steps.call("create_vpc_link_invalid_target_arn", "create_vpc_link", name="any", targetArns=["invalid-arn"])
    steps.call("create_vpc_link_empty_name", "create_vpc_link", name="", targetArns=[])


@replay("api.json", *[f"{LINKS}{one}_vpc_link_invalid_id" for one in ("get", "delete")])
def a_link_that_there_is_not(steps):
    (step,) = steps.recording
    steps.call(step, step.removesuffix("_invalid_id"), vpcLinkId="invalid-id")


@replay("api.json", "TestApiGatewayApiAuthorizer::test_authorizer_crud_no_api")
def authorizers_of_an_api_that_there_is_not(steps):
    steps.call("wrong-rest-api-id-get-authorizers", "get_authorizers", restApiId="test-fake-rest-id")


# ---- gateway responses -----------------------------------------------------------------------------------------------


def gateway(steps, step, verb, api_id, kind, **more):
    steps.call(step, f"{verb}_gateway_response", restApiId=api_id, responseType=kind, **more)


def all_gateway(steps, step, api_id):
    found = steps.client.get_gateway_responses(restApiId=api_id)
    found["items"].sort(key=itemgetter("responseType"))
    steps.match(step, found)


def template_of(steps, step):
    """The recorded template: its text is put in, not repeated here."""
    return steps.recording[step]["responseTemplates"]


@replay("api.json", f"{RESPONSES}gateway_response_crud")
def a_gateway_response_is_set_and_taken_back(steps):
    api_id = steps.client.create_rest_api(name="any")["id"]
    kind = "MISSING_AUTHENTICATION_TOKEN"
    gateway(steps, "get-gateway-response-default", "get", api_id, kind)
    said = {"responseParameters": PARAMETERS, "responseTemplates": template_of(steps, "put-gateway-response")}
    gateway(steps, "put-gateway-response", "put", api_id, kind, statusCode="404", **said)
    all_gateway(steps, "get-gateway-responses", api_id)
    gateway(steps, "get-gateway-response", "get", api_id, kind)
    gateway(steps, "delete-gateway-response", "delete", api_id, kind)
    gateway(steps, "get-deleted-gw-response", "get", api_id, kind)


@replay("api.json", f"{RESPONSES}gateway_response_put")
def a_gateway_response_has_its_defaults(steps):
    api_id = steps.client.create_rest_api(name="any")["id"]
    kind, header = "MISSING_AUTHENTICATION_TOKEN", "gatewayresponse.header.x-request-header"
    template = template_of(steps, "put-gateway-response-all-value")
    asked = {"responseParameters": {header: "method.request.header.Accept"}}
    said = {"statusCode": "404", "responseParameters": PARAMETERS, "responseTemplates": template}
    put = "put-gateway-response"
    gateway(steps, f"{put}-all-value", "put", api_id, kind, **said)
    gateway(steps, f"{put}-status-only", "put", api_id, kind, statusCode="404")
    gateway(steps, f"{put}-response-parameters-only", "put", api_id, kind, **asked)
    gateway(steps, f"{put}-response-templates-only", "put", api_id, kind, responseTemplates=template)
    template = template_of(steps, f"{put}-default-5xx")
    gateway(steps, f"{put}-default-5xx", "put", api_id, "DEFAULT_5XX", statusCode="599", responseTemplates=template, **asked)
    bar = {"responseParameters": {"gatewayresponse.header.foo": "'bar'"}}
    gateway(steps, f"{put}-default-ignored", "put", api_id, "AUTHORIZER_FAILURE", **bar)
    all_gateway(steps, "get-gateway-responses", api_id)


@replay("api.json", f"{RESPONSES}gateway_response_validation")
def gateway_responses_that_there_are_not(steps):
    api_id = steps.client.create_rest_api(name="any")["id"]
    steps.client = moto().client("apigateway", parameter_validation=False)
    fake, kind, wrong = "fake-api-id", "DEFAULT_4XX", "FAKE_RESPONSE_TYPE"
    steps.call("get-gateway-responses-no-api", "get_gateway_responses", restApiId=fake)
    gateway(steps, "get-gateway-response-no-api", "get", fake, kind)
    gateway(steps, "delete-gateway-response-no-api", "delete", fake, kind)
    gateway(steps, "delete-gateway-response-not-set", "delete", api_id, kind)
    gateway(steps, "get-gateway-response-wrong-response-type", "get", api_id, wrong)
    gateway(steps, "delete-gateway-response-wrong-response-type", "delete", api_id, wrong)
    said = {"statusCode": "404", "responseParameters": {}, "responseTemplates": {}}
    gateway(steps, "put-gateway-response-wrong-response-type", "put", api_id, wrong, **said)


# ---- stages ----------------------------------------------------------------------------------------------------------


@replay("api.json", f"{STAGES}get_stages_filters_by_deployment_id")
def stages_of_one_deployment(steps):
    api_id = deployable(steps)
    deployments = [steps.client.create_deployment(restApiId=api_id, stageName=f"stage{n}")["id"] for n in (1, 2)]
    steps.call("all-stages", "get_stages", restApiId=api_id)
    for number, deployment in enumerate(deployments, 1):
        steps.call(f"stages-deploy{number}", "get_stages", restApiId=api_id, deploymentId=deployment)


def logged(steps):
    api_id = deployable(steps)
    deployment = steps.call("create-deployment", "create_deployment", restApiId=api_id)["id"]
    about = {"stageName": "dev", "deploymentId": deployment, "description": "dev stage"}
    steps.call("create-stage", "create_stage", restApiId=api_id, **about)

    def update(step, op, path, *value):
        change = [operation(op, f"/accessLogSettings{path}", *value)]
        steps.call(step, "update_stage", restApiId=api_id, stageName="dev", patchOperations=change)

    return update


LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:any"


@replay("api.json", f"{STAGES}stage_access_log_settings")
def access_logs_are_turned_on_and_off(steps):
    update, step = logged(steps), "update-stage-access-log"
    update(f"{step}-dest-add", "add", "/destinationArn", LOG_GROUP)
    update(f"{step}-dest-replace", "replace", "/destinationArn", f"{LOG_GROUP}a")
    update(f"{step}-format-add", "add", "/format", "$context.requestId $context.identity.sourceIp")
    update(f"{step}-remove-all", "remove", "")


@replay("api.json", f"{STAGES}stage_access_log_settings_validation")
def what_a_patch_of_access_logs_is_refused_for(steps):
    update = logged(steps)
    for op in ("add", "remove", "replace"):
        update(f"invalid-path-{op}", op, "/randomValue", "updated")
        update(f"star-and-{op}", op, "/*", "updated")
    for op in ("add", "replace"):
        update(f"root-and-{op}", op, "", "test")
    update("update-stage-access-log-dest-add", "add", "/destinationArn", LOG_GROUP)
    for path in ("destinationArn", "format"):
        update(f"update-stage-access-log-{path}-empty", "replace", f"/{path}", "")
    update("update-stage-access-log-dest-remove", "remove", "/destinationArn")


MODEL = "refused before it gets here, since AWS's service model does not allow it, in other words than AWS's"
DIFFERENCES = [
    Difference(f"{APIS}.*", ".*", "/Error/(Code|Message)", MODEL),
    Difference(f"{RESPONSES}gateway_response_validation", ".*wrong-response-type", "/Error/(Code|Message)", MODEL),
    Difference(f"{APIS}get_api_case_insensitive", "create-rest-api", ".*/ipAddressType", "recorded before AWS had address types"),
]
IMPORTED = "Foregate never makes this call: what it publishes comes in documents"
LEFT_OUT = {
    f"{RESOURCES}(resource_lifecycle|update_resource_behaviour|update_resource_on_root)": (
        "UpdateResource, which Foregate never calls: paths come in documents"
    ),
    "TestApiGatewayApiMethod::.*": IMPORTED,
    "TestApigatewayMethodResponse::.*": IMPORTED,
    "TestApigatewayIntegrationResponse::.*": IMPORTED,
    f"{INTEGRATIONS}put_integration_(wrong_type|request_parameter_bool_type|response_templates)": IMPORTED,
    "TestApiGatewayApiModels::.*": IMPORTED,
    "TestApiGatewayApiRequestValidator::.*": IMPORTED,
    f"{RESPONSES}update_gateway_response": IMPORTED,
    "TestApiGatewayApiDocumentationPart::.*": "Foregate neither makes nor reads documentation parts",
    "TestApigatewayTestInvoke::.*": "what a client of the API gets: no emulator here carries requests on",
    f"{APIS}update_rest_api_concatenation_of_errors": "operations that no SDK can send: they are none of the six",
    (f"{RESPONSES}gateway_response_validation", "update-.*"): IMPORTED,
    (f"{INTEGRATIONS}create_integration_with_vpc_link", ".*update.*"): IMPORTED,
    f"{LINKS}update_vpc_link_invalid_id": "UpdateVpcLink, which Foregate never calls: it makes a link anew",
    (f"{LINKS}vpc_link_lifecycle", "update_vpc_link"): "UpdateVpcLink, which Foregate never calls: it makes a link anew",
    (".*authorizer_crud_no_api", "wrong-rest-api-id-create-authorizer"): IMPORTED,
}
Apis = tests_of("api.json", DIFFERENCES, LEFT_OUT)
