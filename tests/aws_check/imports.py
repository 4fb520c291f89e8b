"""Experiments on PutRestApi: what the importer takes, warns about, resets and keeps."""

import json
import pathlib
import threading

from aws_check.report import experiment
from botocore.exceptions import ClientError

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "functions" / "publisher" / "src" / "plan" / "golden"
IAM = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
RENDER = "functions/publisher/src/plan/render"


def mock(**integration):
    given = {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
    return {**given, "responses": {"default": {"statusCode": "200"}}, **integration}


def operation(responses=None, security=(), parameters=(), integration=None):
    return {
        "security": list(security),
        "parameters": list(parameters),
        "responses": responses or {"200": {"description": "OK"}},
        "x-amazon-apigateway-integration": integration or mock(),
    }


def document(path="/x", schemes=None, **fields):
    one = operation(**fields)
    info = {"title": "foregate-check", "version": "1"}
    schemes = {"aws_iam": IAM, "api_key": KEY} if schemes is None else schemes
    return {"openapi": "3.0.1", "info": info, "paths": {path: {"get": one}}, "components": {"securitySchemes": schemes}}


def refusal(act):
    """How a call was refused, as CODE: MESSAGE; nothing when it was done."""
    try:
        act()
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return None


def scratch(account, context):
    """One REST API for all experiments: each imports over it."""
    if not hasattr(context, "scratch"):
        context.scratch = account.scratch_api("imports")
    return context.scratch


@experiment(
    "default-method-response",
    "rstudio/plumber issue 856",
    "a warning; with failonwarnings the import is refused",
    "imports a method response called `default`, without and with `failonwarnings`",
    f"{RENDER}: method responses have numbers",
)
def default_method_response(account, context):
    api, asked = scratch(account, context), document(responses={"default": {"description": "OK"}})
    warned = any("default" in warning for warning in account.put(api, asked).get("warnings", []))
    refused = refusal(lambda: account.put(api, asked, fail_on_warnings=True))
    found = "a warning" if warned else "no warning"
    return f"{found}; with failonwarnings the import is {'refused' if refused else 'done'}"


def golden_documents():
    """What the publisher renders, but for authorizers: those name functions and user pools that this account lacks."""
    for path in sorted(GOLDEN.glob("*.json")):
        text = path.read_text()
        if "x-amazon-apigateway-authorizer" not in text:
            yield path.stem, json.loads(text)


@experiment(
    "golden-documents",
    "reviews of real imports; swagger-parser, OpenAPIDeserializer",
    "no warning but of path parameters that end in +",
    "imports every golden document that names no authorizer, and reads `warnings`",
    f"{RENDER}; the publisher reports each warning with its route",
)
def golden_warnings(account, context):
    api, found = scratch(account, context), []
    for name, asked in golden_documents():
        warnings = account.put(api, asked).get("warnings", [])
        found += [f"{name}: {one}" for one in warnings if "Declared path parameter proxy+" not in one]
    return "; ".join(found) or "no warning but of path parameters that end in +"


@experiment(
    "iam-and-api-key",
    "aws/serverless-application-model, swagger.py; AWS's exports",
    "AWS_IAM with API key",
    "imports `security` with two entries, one for IAM and one for the API key, and reads the method",
    f"{RENDER}: two entries in `security`",
)
def iam_and_api_key(account, context):
    api = scratch(account, context)
    account.put(api, document(security=[{"aws_iam": []}, {"api_key": []}]))
    method = account.methods(api)["GET /x"]
    return method["authorizationType"] + (" with API key" if method.get("apiKeyRequired") else " without API key")


@experiment(
    "undefined-scheme",
    "none found",
    "NONE",
    "imports `security` with a scheme that the document does not define, and reads the method",
    "the publisher never renders one, and holds what was imported against the document before it deploys",
)
def undefined_scheme(account, context):
    api = scratch(account, context)
    refused = refusal(lambda: account.put(api, document(security=[{"nobody": []}])))
    return refused or account.methods(api)["GET /x"]["authorizationType"]


def endpoint_settings(account, api):
    return account.gateway.get_rest_api(restApiId=api).get("disableExecuteApiEndpoint", False)


def disable_endpoint(account, api):
    patch = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}]
    account.gateway.update_rest_api(restApiId=api, patchOperations=patch)


@experiment(
    "overwrite-resets-endpoint",
    "developer guide, api-gateway-import-api-update; hashicorp/terraform-provider-aws, rest_api.go",
    "open again",
    "disables the default endpoint, imports a document that does not name it, and reads the REST API",
    "observe: what an overwrite resets is in the document",
)
def overwrite_resets_endpoint(account, context):
    api = scratch(account, context)
    disable_endpoint(account, api)
    account.put(api, document())
    return "closed" if endpoint_settings(account, api) else "open again"


@experiment(
    "endpoint-in-servers",
    "developer guide, api-gateway-swagger-extensions-endpoint-configuration; aws/serverless-application-model issue 2396",
    "closed in `servers`, open at the root",
    "imports `x-amazon-apigateway-endpoint-configuration` below `servers`, then at the root of an OpenAPI 3 document",
    f"{RENDER}: `servers`",
)
def endpoint_in_servers(account, context):
    api, setting = scratch(account, context), {"disableExecuteApiEndpoint": True}
    key = "x-amazon-apigateway-endpoint-configuration"
    account.put(api, {**document(), "servers": [{"url": "/", key: setting}]})
    below = "closed" if endpoint_settings(account, api) else "open"
    account.put(api, document())
    account.put(api, {**document(), key: setting})
    root = "closed" if endpoint_settings(account, api) else "open"
    return f"{below} in `servers`, {root} at the root"


@experiment(
    "read-after-write",
    "none found",
    "0 of 5 answers were stale",
    "imports five documents one after the other, each with a path of its own, and reads the resources at once",
    "apply/verify: three tries before the verdict",
)
def read_after_write(account, context):
    api, stale = scratch(account, context), 0
    for number in range(5):
        account.put(api, document(path=f"/n{number}"))
        stale += f"GET /n{number}" not in account.methods(api)
    return f"{stale} of 5 answers were stale"


@experiment(
    "concurrent-imports",
    "hashicorp/terraform-provider-aws issues 776, 16439, 27027",
    "each import is done, throttled, or told of a concurrent modification",
    "imports two documents at the same time",
    "apply/import: a concurrent modification is no refusal of a route",
)
def concurrent_imports(account, context):
    api, answers = scratch(account, context), []
    act = lambda: answers.append(refusal(lambda: account.put(api, document())))
    threads = [threading.Thread(target=act) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    known = lambda answer: answer is None or "TooManyRequests" in answer or "oncurrent" in answer
    odd = [answer for answer in answers if not known(answer)]
    return "; ".join(odd) or "each import is done, throttled, or told of a concurrent modification"


@experiment(
    "refusal-names-the-method",
    "hashicorp/terraform-provider-aws issues with \"Unable to put integration on\"",
    "names method and path",
    "imports a method whose mapping is no expression",
    "apply/import: the culprit is taken from the message, and looked for by halving without",
)
def refusal_names_the_method(account, context):
    broken = {"type": "http_proxy", "httpMethod": "GET", "uri": "http://example.com/",
              "requestParameters": {"integration.request.header.X-A": "context.nonsense"}}
    message = refusal(lambda: account.put(scratch(account, context), document(path="/culprit", integration=broken)))
    if message and "/culprit" in message and "GET" in message:
        return "names method and path"
    return message or "the import was done"


@experiment(
    "merge-replaces-a-method",
    "developer guide, api-gateway-import-api-update",
    "the mapping and the API key are gone",
    "imports a method with a mapping and an API key, then merges it without either",
    "`Mode: Merge`",
)
def merge_replaces_a_method(account, context):
    api = scratch(account, context)
    proxy = {"type": "http_proxy", "httpMethod": "GET", "uri": "http://example.com/"}
    mapped = {**proxy, "requestParameters": {"integration.request.header.X-A": "'a'"}}
    account.put(api, document(security=[{"api_key": []}], integration=mapped))
    account.put(api, document(integration=proxy), mode="merge")
    method = account.methods(api)["GET /x"]
    left = [
        *(["the mapping"] if method["methodIntegration"].get("requestParameters") else []),
        *(["the API key"] if method.get("apiKeyRequired") else []),
    ]
    return "the mapping and the API key are gone" if not left else " and ".join(left) + " stayed"


@experiment(
    "variable-names",
    "none found",
    "accepted",
    "imports a path variable called `a.b-c_d` and maps it into the backend's URL",
    "shared/src/front_door/path.rs: what a variable may be called",
)
def variable_names(account, context):
    name = "a.b-c_d"
    integration = {
        "type": "http_proxy", "httpMethod": "GET", "uri": f"http://example.com/{{{name}}}",
        "requestParameters": {f"integration.request.path.{name}": f"method.request.path.{name}"},
    }
    parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    asked = document(path=f"/v/{{{name}}}", parameters=[parameter], integration=integration)
    return refusal(lambda: account.put(scratch(account, context), asked)) or "accepted"
