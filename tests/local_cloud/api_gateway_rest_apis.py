"""REST APIs: what CreateRestApi, UpdateRestApi, ImportRestApi and PutRestApi set, and what is answered.
Sources: API reference, RestApi, "Patch Operations"; API Gateway developer guide, "API Gateway extensions to OpenAPI";
recorded answers."""

import copy
import json
import re

import api_gateway_deployments as deployments
import api_gateway_document as documents
import api_gateway_import as imports
import api_gateway_patch as patches
import api_gateway_responses as responses
from api_gateway_checks import refuse
from moto.apigateway import models
from moto.apigateway.models import RestAPI
from moto.apigateway.responses import APIGatewayResponse
from moto_rest_apis import NotFound

COMPRESSION_MAX = 10485760
TYPES = ("PRIVATE", "EDGE", "REGIONAL")
POLICY_MAX = 8192
EXTENSION = "x-amazon-apigateway-"
# The one that is put on an endpoint of this type unless another is named (recorded).
ADDRESS_TYPES = {"PRIVATE": "dualstack"}


def compression_of(value):
    """A whole number to 10 MB; nothing turns it off (recorded)."""
    if value in (None, ""):
        return None
    if not re.match(r"^\d+$", str(value)) or int(value) > COMPRESSION_MAX:
        refuse(f"Invalid minimum compression size, must be between 0 and {COMPRESSION_MAX}")
    return int(value)


def address_type_of(endpoint):
    kind = endpoint["types"][0]
    return endpoint.get("ipAddressType") or ADDRESS_TYPES.get(kind, "ipv4")


def endpoint_of(given):
    """With what AWS fills in, or refused (recorded)."""
    types = (given or {}).get("types", ["EDGE"])
    wrong = []
    if set(types) - set(TYPES):
        wrong.append(
            f"Value '[{', '.join(types)}]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: "
            f"Member must satisfy constraint: [Member must satisfy enum value set: [{', '.join(TYPES)}]]"
        )
    address_type = (given or {}).get("ipAddressType")
    if address_type not in (None, "", "ipv4", "dualstack"):
        wrong.append(
            f"Value '{address_type}' at 'createRestApiInput.endpointConfiguration.ipAddressType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [ipv4, dualstack]"
        )
    if wrong:
        raise patches.ValidationException(wrong)
    return {**(given or {}), "types": types}


def check_endpoint(endpoint):
    if not endpoint["types"]:
        refuse("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    if len(endpoint["types"]) > 1:
        refuse("Cannot create an api with multiple Endpoint Types.")
    endpoint["ipAddressType"] = address_type_of(endpoint)
    if endpoint["types"] == ["PRIVATE"] and endpoint["ipAddressType"] == "ipv4":
        refuse("Only dualstack ipAddressType is supported for Private APIs.")
    if endpoint.get("vpcEndpointIds") and endpoint["types"] != ["PRIVATE"]:
        refuse("VPCEndpoints can only be specified with PRIVATE apis.")


def create(backend, given):
    """CreateRestApi; `given` are its members."""
    endpoint = endpoint_of(given.get("endpointConfiguration"))
    if given.get("description") == "":
        refuse("Description cannot be an empty string")
    check_endpoint(endpoint)
    api = backend.create_rest_api(
        given.get("name"),
        given.get("description"),
        api_key_source=given.get("apiKeySource"),
        endpoint_configuration=endpoint,
        tags=given.get("tags"),
        minimum_compression_size=compression_of(given.get("minimumCompressionSize")),
        disable_execute_api_endpoint=given.get("disableExecuteApiEndpoint"),
    )
    set_policy(api, given.get("policy"))
    api.version = given.get("version")
    api.binaryMediaTypes = given.get("binaryMediaTypes") or []
    api.security_policy, api.access_mode = given.get("securityPolicy"), given.get("endpointAccessMode")
    check_security(api)
    return api


def check_security(api):
    """"If you create a security policy that starts with SecurityPolicy_, you must also set the endpoint access mode"
    ("x-amazon-apigateway-security-policy"), which there is for those alone (API reference, RestApi). The words are ours."""
    if bool(api.access_mode) != str(api.security_policy).startswith("SecurityPolicy_"):
        refuse(f"Endpoint access mode {api.access_mode} does not fit security policy {api.security_policy}")


def set_policy(api, policy):
    """"API Gateway converts the abbreviated syntax to the full ARN when you save the policy" ("API Gateway resource policy
    examples"; recorded, as is that a list of one becomes that one)."""
    if not policy:
        api.policy = None
        return
    try:
        document = json.loads(policy)
    except ValueError:
        refuse("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
    arn = f"arn:aws:execute-api:{api.region_name}:{api.account_id}:{api.id}/"
    statements = document.get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        for name in {"Resource", "NotResource"} & set(statement):
            given = statement[name] if isinstance(statement[name], list) else [statement[name]]
            full = [re.sub(r"^execute-api:/", arn, one) for one in given]
            statement[name] = full if len(full) > 1 else full[0]
    api.policy = json.dumps(document)
    # "Quotas for configuring and running a REST API".
    if len(api.policy) > POLICY_MAX:
        refuse(f"Resource policy exceeds the maximum size of {POLICY_MAX} characters")


# ---- UpdateRestApi ---------------------------------------------------------------------------------------------------


def update(api, operations):
    """All or nothing."""
    patches.check(operations, "updateRestApiInput")
    draft = copy.copy(api)
    draft.binaryMediaTypes = list(api.binaryMediaTypes)
    draft.endpoint_configuration = copy.deepcopy(api.endpoint_configuration)
    for operation in operations:
        change(draft, operation)
    check_security(draft)
    api.__dict__.update(draft.__dict__)
    return api


# Members that a `replace` sets, with the object's name for them and how they are read.
MEMBERS = {
    "/name": ("name", str),
    "/description": ("description", str),
    "/version": ("version", str),
    "/apiKeySource": ("api_key_source", str),
    "/minimumCompressionSize": ("minimum_compression_size", compression_of),
    "/disableExecuteApiEndpoint": ("disableExecuteApiEndpoint", patches.boolean),
    "/securityPolicy": ("security_policy", str),
    "/endpointAccessMode": ("access_mode", str),
}


def change(api, operation):
    path, value = operation.get("path") or "", operation.get("value")
    parts = patches.segments(path)
    if path == "/description" and operation["op"] == "remove":
        api.description = None
    elif path in MEMBERS:
        patches.only(operation, "replace")
        name, read = MEMBERS[path]
        setattr(api, name, read(value))
    elif path == "/policy":
        set_policy(api, value)
    elif parts and parts[0] == "binaryMediaTypes" and len(parts) == 2:
        change_media(api.binaryMediaTypes, operation["op"], parts[1], value)
    elif parts and parts[0] == "endpointConfiguration" and len(parts) > 1:
        change_endpoint(api.endpoint_configuration, operation, parts)
    else:
        refuse(f"Invalid patch path {path}")


def change_media(media, op, name, value):
    """A list that is changed like a map (recorded)."""
    if op in ("remove", "replace") and name in media:
        media.remove(name)
    added = value if op == "replace" else name
    if op in ("add", "replace") and added not in media:
        media.append(added)


def change_endpoint(endpoint, operation, parts):
    op, value = operation["op"], operation.get("value")
    if parts[1] == "ipAddressType":
        patches.only(operation, "replace")
        if value not in ("ipv4", "dualstack"):
            refuse("ipAddressType must be either ipv4 or dualstack.")
        endpoint["ipAddressType"] = value
    elif parts[1] == "types" and op == "remove":
        refuse("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
    elif parts[1] == "types":
        if value not in TYPES:
            refuse("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
        endpoint["types"] = [value]
        if value == "PRIVATE":
            endpoint["ipAddressType"] = "dualstack"
    elif parts[1] == "vpcEndpointIds":
        ids = [one for one in endpoint.get("vpcEndpointIds") or [] if one != value]
        endpoint["vpcEndpointIds"] = ids + [value] if op == "add" else ids
    else:
        refuse(f"Invalid patch path {operation['path']}")
    check_endpoint(endpoint)


# What an import settles beside methods and what these name.
SETTINGS = (
    "name",
    "version",
    "description",
    "policy",
    "binaryMediaTypes",
    "minimum_compression_size",
    "api_key_source",
    "security_policy",
    "access_mode",
    "disableExecuteApiEndpoint",
    "endpoint_configuration",
    "gateway_responses",
)


# ---- imports ---------------------------------------------------------------------------------------------------------


def put(backend, api, document, mode="merge", fail_on_warnings=False, parameters=None):
    """PutRestApi; the warnings."""
    parameters = parameters or {}
    shaped = documents.normal(document, parameters.get("basepath", "ignore"))
    is_openapi = "openapi" in document
    deployments.sync(api)
    # Settled on a copy first: what is refused of the settings refuses the methods too.
    draft = copy.copy(api)
    settle(draft, shaped, mode, endpoint_named(document, is_openapi))
    warnings = imports.put(backend, api, shaped, mode, fail_on_warnings, is_openapi)
    for name in SETTINGS:
        setattr(api, name, getattr(draft, name))
    api.document = imports.merged(api.document, shaped) if mode == "merge" else shaped
    return warnings


def endpoint_named(document, is_openapi):
    """ "x-amazon-apigateway-endpoint-configuration object": at the root of OpenAPI 2.0, of a server in OpenAPI 3.0, where
    one at the root is ignored (reported: aws/serverless-application-model issue 2396)."""
    if not is_openapi:
        return document.get(f"{EXTENSION}endpoint-configuration") or {}
    return ((document.get("servers") or [{}])[0]).get(f"{EXTENSION}endpoint-configuration") or {}


def settle(api, document, mode, endpoint):
    """The API's own settings. "overwrite ... any API configuration not in the body is reset, including security policy,
    authorization configuration and other API-level properties" ("Update an existing API from an OpenAPI file"); the
    endpoint's type stays. A merge adds binary media types (recorded)."""
    info, is_fresh = document.get("info") or {}, mode == "overwrite"
    api.name = info.get("title", api.name)
    api.version = str(info["version"]) if "version" in info else api.version
    api.description = info.get("description", None if is_fresh else api.description)
    policy = document.get(f"{EXTENSION}policy")
    if policy or is_fresh:
        set_policy(api, json.dumps(policy) if policy else None)
    media = document.get(f"{EXTENSION}binary-media-types") or []
    kept = [] if is_fresh else api.binaryMediaTypes
    api.binaryMediaTypes = kept + [one for one in media if one not in kept]
    members = {
        "minimum_compression_size": (document.get(f"{EXTENSION}minimum-compression-size"), None),
        "api_key_source": (document.get(f"{EXTENSION}api-key-source"), "HEADER"),
        "security_policy": (document.get(f"{EXTENSION}security-policy"), None),
        "access_mode": (document.get(f"{EXTENSION}endpoint-access-mode"), None),
        "disableExecuteApiEndpoint": (endpoint.get("disableExecuteApiEndpoint"), False),
    }
    for name, (said, default) in members.items():
        if said is not None or is_fresh:
            setattr(api, name, default if said is None else said)
    kept = {"types": api.endpoint_configuration["types"]} if is_fresh else api.endpoint_configuration
    named = {key: endpoint[key] for key in ("vpcEndpointIds", "ipAddressType") if endpoint.get(key)}
    api.endpoint_configuration = {**kept, **named}
    check_endpoint(api.endpoint_configuration)
    check_security(api)
    api.gateway_responses = {} if is_fresh else dict(api.gateway_responses)
    for name, one in (document.get(f"{EXTENSION}gateway-responses") or {}).items():
        said = (one.get("statusCode"), one.get("responseParameters"), one.get("responseTemplates"))
        api.gateway_responses[name] = responses.made(name, *said)


# ---- moto's objects --------------------------------------------------------------------------------------------------


def to_dict(api):
    """Members that are not set are left out (recorded)."""
    described = {
        "id": api.id,
        "name": api.name,
        "description": api.description or None,
        "createdDate": api.create_date,
        "version": api.version,
        "binaryMediaTypes": api.binaryMediaTypes or None,
        "minimumCompressionSize": api.minimum_compression_size,
        "apiKeySource": api.api_key_source,
        "endpointConfiguration": api.endpoint_configuration,
        "policy": api.policy,
        "tags": api.tags or {},
        "disableExecuteApiEndpoint": bool(api.disableExecuteApiEndpoint),
        "rootResourceId": api.root_resource_id,
        "securityPolicy": api.security_policy,
        "endpointAccessMode": api.access_mode,
    }
    return {key: value for key, value in described.items() if value is not None}


def patch_rest_apis():
    """REST APIs as AWS answers, makes and changes them; an import is done as a whole or not at all."""
    make = RestAPI.__init__

    def __init__(self, *args, **kwargs):
        make(self, *args, **kwargs)
        self.version = kwargs.get("version")
        self.security_policy = self.access_mode = None
        endpoint = self.endpoint_configuration
        self.endpoint_configuration = {**endpoint, "ipAddressType": address_type_of(endpoint)}

    def put_rest_api(self, function_id, api_doc, fail_on_warnings=False, mode="merge"):
        api = self.get_rest_api(function_id)
        put(self, api, api_doc, mode, fail_on_warnings)
        return api

    def update_rest_api(self, function_id, patch_operations):
        return update(self.get_rest_api(function_id), patch_operations or [])

    def get_rest_api(self, function_id):
        if function_id not in self.apis:
            raise NotFound(f"Invalid API identifier specified {self.account_id}:{function_id}")
        return self.apis[function_id]

    RestAPI.__init__ = __init__
    RestAPI.to_dict = to_dict
    for each in (put_rest_api, update_rest_api, get_rest_api):
        setattr(models.APIGatewayBackend, each.__name__, each)


def patch_answers():
    """The requests' members that moto leaves out."""

    def import_or_create(self):
        if self._get_param("mode") != "import":
            api = create(self.backend, json.loads(self.body or "{}"))
            return 201, {"status": 201}, json.dumps(answer_of(api))
        parameters = {key: values[0] for key, values in self.querystring.items()}
        types = parameters.get("endpointConfigurationTypes")
        document = documents.read(self.body)
        endpoint = {"endpointConfiguration": {"types": [types]}} if types else {}
        api = create(self.backend, {"name": "imported", **endpoint})
        try:
            warnings = put(self.backend, api, document, "overwrite", is_strict(self), parameters)
        except Exception:
            self.backend.apis.pop(api.id)
            raise
        return 201, {"status": 201}, json.dumps({**answer_of(api), **told(warnings)})

    def answer_of(api):
        """No tags where there are none, as in lists, unlike in other answers (recorded)."""
        described = api.to_dict()
        return described if api.tags else {key: value for key, value in described.items() if key != "tags"}

    def get_rest_apis(self):
        return json.dumps({"item": [answer_of(api) for api in self.backend.list_apis()]})

    def delete_rest_api(self):
        self.backend.delete_rest_api(self.path.split("/")[2])
        return 202, {"status": 202}, ""

    def put_rest_api(self):
        api = self.backend.get_rest_api(self.path.replace("/restapis/", "", 1).split("/")[0])
        document = documents.read(self.body)
        parameters = {key: values[0] for key, values in self.querystring.items()}
        warnings = put(self.backend, api, document, self._get_param("mode", "merge"), is_strict(self), parameters)
        return 200, {}, json.dumps({**api.to_dict(), **told(warnings)})

    def update_rest_api(self):
        api_id = self.path.replace("/restapis/", "", 1).split("/")[0]
        return 200, {}, json.dumps(self.backend.update_rest_api(api_id, self._get_param("patchOperations")).to_dict())

    for patched in (get_rest_apis, delete_rest_api, put_rest_api, update_rest_api):
        setattr(APIGatewayResponse, patched.__name__, patched)
    APIGatewayResponse.import_rest_api = import_or_create
    APIGatewayResponse.create_rest_api = import_or_create


def is_strict(request):
    return str(request._get_param("failonwarnings")).lower() == "true"


def told(warnings):
    return {"warnings": warnings} if warnings else {}


def patch_base_path_mappings():
    """A domain name without base path mappings answers that there is none (API reference, GetBasePathMapping)."""
    for name in ("get_base_path_mapping", "get_base_path_mappings", "delete_base_path_mapping"):
        act = getattr(models.APIGatewayBackend, name)

        def patched(self, domain_name, *arguments, act=act):
            if domain_name in self.domain_names:
                self.base_path_mappings.setdefault(domain_name, {})
            return act(self, domain_name, *arguments)

        setattr(models.APIGatewayBackend, name, patched)
