"""ImportRestApi and PutRestApi held to what AWS answered: apigateway/import.json."""

from operator import itemgetter

from tests.recordings.api_gateway_replay import answer, replay, tests_of

TEST = "TestApiGatewayImportRestApi::test_"


def listed(steps, step, operation, api_id, key="name"):
    """A whole list, in the order of the recording."""
    found = getattr(steps.client, operation)(restApiId=api_id)
    found["items"] = sorted(found["items"], key=itemgetter(key))
    steps.match(step, found)
    return found["items"]


def methods(steps, api_id, resources, prefix=""):
    """Every method with its answer, its integration and its integration's answer."""
    reads = {
        "method": ("get_method", {}),
        "method-response": ("get_method_response", {"statusCode": "200"}),
        "integration": ("get_integration", {}),
        "integration-response": ("get_integration_response", {"statusCode": "200"}),
    }
    for resource in resources:
        for method in resource.get("resourceMethods", []):
            of = f"{resource['path'][1:] or 'root'}-{method.lower()}"
            for kind, (operation, more) in reads.items():
                arguments = {"restApiId": api_id, "resourceId": resource["id"], "httpMethod": method, **more}
                steps.call(f"{prefix}{kind}-{of}", operation, **arguments)


def imported(steps, step, name, **arguments):
    response = steps.client.import_rest_api(body=steps.document(name), failOnWarnings=True, **arguments)
    if step:
        steps.match(step, response)
    return response["id"]


@replay("import.json", f"{TEST}import_rest_api")
def a_swagger_document_with_media_types(steps):
    imported(steps, "import_rest_api", "openapi.spec.pulumi.json")


@replay("import.json", f"{TEST}import_swagger_api")
def authorizers_and_models_of_a_swagger_document(steps):
    api_id = imported(steps, "import-swagger", "petstore-authorizer.swagger.json")
    listed(steps, "get-authorizers", "get_authorizers", api_id)
    listed(steps, "get-models", "get_models", api_id)
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay(
    "import.json",
    f"{TEST}import_and_validate_rest_api[openapi.spec.tf.json]",
    f"{TEST}import_and_validate_rest_api[swagger-mock-cors.json]",
)
def documents_that_terraform_and_sam_made(steps, name):
    api_id = imported(steps, "import_tf_rest_api", name)
    listed(steps, "get-models", "get_models", api_id)
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay("import.json", *[f"{TEST}import_rest_apis_with_base_path_swagger[{one}]" for one in ("ignore", "prepend", "split")])
def a_swagger_document_without_a_base_path(steps, kind):
    api_id = imported(steps, None, "pets.json", parameters={"basepath": kind})
    methods(steps, api_id, listed(steps, "get-resources-no-base-path-swagger", "get_resources", api_id, "path"))


@replay("import.json", *[f"{TEST}import_rest_api_with_base_path_oas30[{one}]" for one in ("ignore", "prepend", "split")])
def base_paths_of_servers(steps, kind):
    api_id = steps.client.create_rest_api(name="any")["id"]
    documents = {"srv-var": "openapi-basepath-server-variable.yaml", "srv-url": "openapi-basepath-url.yaml"}
    for short, name in documents.items():
        arguments = {"restApiId": api_id, "body": steps.document(name), "mode": "overwrite", "parameters": {"basepath": kind}}
        steps.call(f"put-rest-api-oas30-{short}", "put_rest_api", **arguments)
        resources = listed(steps, f"get-resources-oas30-{short}", "get_resources", api_id, "path")
        methods(steps, api_id, resources, f"{short}-")


@replay("import.json", f"{TEST}import_with_global_api_key_authorizer")
def security_of_the_whole_document(steps):
    api_id = imported(steps, "import-swagger", "openapi.spec.global-auth.json")
    listed(steps, "get-authorizers", "get_authorizers", api_id)
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay("import.json", f"{TEST}import_with_circular_models")
def models_that_refer_to_each_other(steps):
    api_id = imported(steps, "import-api", "openapi.spec.circular-ref.json")
    listed(steps, "get-models", "get_models", api_id)
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay("import.json", f"{TEST}import_with_circular_models_and_request_validation")
def request_validators(steps):
    api_id = imported(steps, "import-api", "openapi.spec.circular-ref-with-request-body.json")
    listed(steps, "get-models", "get_models", api_id)
    steps.call("request-validators", "get_request_validators", restApiId=api_id)
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay("import.json", f"{TEST}import_with_http_method_integration")
def a_mock_forgets_its_http_method(steps):
    api_id = imported(steps, None, "openapi-http-method-integration.json")
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay("import.json", f"{TEST}import_with_cognito_auth_identity_source")
def scopes_and_identity_sources_of_user_pools(steps):
    api_id = imported(steps, "import-swagger", "openapi.cognito-auth.json")
    found = steps.client.get_authorizers(restApiId=api_id)["items"]
    steps.match("get-authorizers", sorted(found, key=itemgetter("name")))
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay("import.json", f"{TEST}import_with_integer_http_status_code")
def status_codes_that_are_numbers(steps):
    api_id = imported(steps, None, "openapi-method-int.spec.yaml")
    methods(steps, api_id, listed(steps, "resources", "get_resources", api_id, "path"))


@replay("import.json", *[f"{TEST}put_rest_api_mode_binary_media_types[{one}]" for one in ("merge", "overwrite")])
def a_merge_adds_binary_media_types(steps, mode):
    created = steps.call("create-rest-api", "create_rest_api", name="any", binaryMediaTypes=["image/heif"])
    steps.call("get-rest-api", "get_rest_api", restApiId=created["id"])
    steps.call("put-api", "put_rest_api", restApiId=created["id"], body=steps.document("pets.json"), mode=mode)


@replay("import.json", f"{TEST}import_api_bad_file")
def what_is_no_document(steps):
    api_id = steps.client.create_rest_api(name="any")["id"]
    for kind, body in {"yaml": b"{invalid-json}", "json": b"invalid-yaml: test: value"}.items():
        steps.match(f"import-api-bad-{kind}-file", answer(steps.client.import_rest_api, body=body))
        arguments = {"restApiId": api_id, "body": body}
        steps.match(f"put-rest-api-bad-{kind}-file", answer(steps.client.put_rest_api, **arguments))


DIFFERENCES = []
LEFT_OUT = {
    f"{TEST}import_with_stage_variables": "what a client of the API gets: no emulator here carries requests on",
    (f"{TEST}import_rest_apis_with_base_path_swagger.*", "(?!get-resources-no-base|.*pets).*"): (
        "the document with the base path is not among the recordings"
    ),
}
Imports = tests_of("import.json", DIFFERENCES, LEFT_OUT)
