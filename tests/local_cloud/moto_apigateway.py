"""moto's API Gateway (REST APIs), patched towards AWS: imports that are checked as a whole, deployments that are
snapshots, links that are known by id, and the documented rates of the control plane. Used by moto_aws.py; each patch says
what AWS does and where AWS says so."""

import copy
import json
import os
import re
import threading
import time

from moto.apigateway import models
from moto.apigateway.exceptions import ApiGatewayException, BadRequestException
from moto.apigateway.responses import APIGatewayResponse
from moto.core import DEFAULT_ACCOUNT_ID
from openapi_spec_validator import validate

# The quota, which an account can have raised.
RESOURCES_PER_API = int(os.environ.get("LOCAL_CLOUD_RESOURCES_PER_API", "300"))
ANY = "x-amazon-apigateway-any-method"
METHODS = ["get", "put", "post", "delete", "options", "head", "patch", ANY]
# "$context variables for data models, authorizers, mapping templates, and CloudWatch access logging"
CONTEXT = re.compile(
    r"^context\.((accountId|apiId|awsEndpointRequestId|deploymentId|domainName|domainPrefix|extendedRequestId|httpMethod"
    r"|isCanaryRequest|path|protocol|requestId|requestTime|requestTimeEpoch|resourceId|resourcePath|stage"
    r"|wafResponseCode|webaclArn)|(authorizer|error|identity|requestOverride|responseOverride)\..+)$"
)
PART = re.compile(r"^([a-zA-Z0-9._:-]+|\{[a-zA-Z0-9._-]+\+?\})$")


# ---- imports ---------------------------------------------------------------------------------------------------------


class LimitExceeded(ApiGatewayException):
    """API Gateway API reference, "Common errors of operations"."""

    code = 429

    def __init__(self, message):
        super().__init__("LimitExceededException", message)


def resources_of(paths):
    """Every path and each of its beginnings."""
    found = {"/"}
    for path in paths:
        parts = path.strip("/").split("/") if path != "/" else []
        found.update("/" + "/".join(parts[: n + 1]) for n in range(len(parts)))
    return found


def check_resources(paths):
    """What CreateResource refuses, in its words: the characters of a path part, a second variable under one parent, a
    child of a greedy variable (API Gateway API reference, CreateResource), and more resources than the quota ("Quotas for
    configuring and running a REST API")."""
    resources = resources_of(paths)
    variables = {}
    for resource in sorted(resources - {"/"}):
        parent, _, part = resource.rpartition("/")
        if not PART.match(part):
            raise BadRequestException(
                "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
                f"beginning and the end: {part}"
            )
        if parent.endswith("+}"):
            raise BadRequestException(f"Cannot create a child of a resource with a greedy path variable: {parent}")
        if part.startswith("{") and variables.setdefault(parent, part) != part:
            raise BadRequestException(
                f"A sibling ({variables[parent]}) of this resource already has a variable path part -- only one is allowed"
            )
    if len(resources) > RESOURCES_PER_API:
        raise LimitExceeded(f"Maximum number of resources for this API has been reached: {RESOURCES_PER_API}")


def check_operation(backend, where, operation, declared):
    """What PutIntegration refuses (API Gateway API reference, PutIntegration): no integration at all, a time-out outside
    50 ms to 29 s, an unknown VPC link, a parameter of the request that the method does not declare."""
    integration = operation.get("x-amazon-apigateway-integration")
    if not integration:
        raise BadRequestException(f"No integration defined for method {where}")
    if not 50 <= int(integration.get("timeoutInMillis", 29000)) <= 29000:
        raise BadRequestException(f"Timeout should be between 50 ms and 29000 ms: {where}")
    link = integration.get("connectionId", "")
    if integration.get("connectionType") == "VPC_LINK" and not link.startswith("${") and link not in backend.vpc_links:
        raise BadRequestException(f"Invalid VPC link id specified for method {where}: {link}")
    places = {"path": "path", "query": "querystring", "header": "header"}
    known = {f"method.request.{places[one['in']]}.{one['name']}" for one in declared if one["in"] in places}
    for source in integration.get("requestParameters", {}).values():
        is_known = CONTEXT.match(source) if source.startswith("context.") else source in known
        if source.startswith(("method.request.", "context.")) and not is_known:
            raise BadRequestException(f"Invalid mapping expression parameter specified: {source}")


def patch_imports():
    """PutRestApi is refused as a whole or done as a whole; ANY methods, connection ids and security are kept; resources
    whose path stays keep their ids; `failonwarnings` also minds the document itself (API Gateway developer guide,
    "Configure a REST API using OpenAPI", "Import behavior", "OpenAPI extensions")."""

    def put_rest_api(self, function_id, api_doc, fail_on_warnings=False, mode="merge"):
        api = self.get_rest_api(function_id)
        if len(json.dumps(api_doc)) > 6 << 20:
            raise BadRequestException("The size of the OpenAPI document exceeds 6 MB")
        if fail_on_warnings:
            try:
                # A greedy variable is `{proxy+}` in a path and `proxy` among its parameters, which OpenAPI does not know.
                paths = {path.replace("+}", "}"): item for path, item in api_doc.get("paths", {}).items()}
                validate({**api_doc, "paths": paths})
            except Exception as error:
                raise BadRequestException(f"Unable to put API due to invalid document: {error}") from None
        sync(api)
        before = api.document if mode == "merge" else {}
        paths = {path: dict(item) for path, item in before.get("paths", {}).items()}
        for path, item in api_doc.get("paths", {}).items():
            paths.setdefault(path, {}).update(item)
        check_resources(paths)
        for path, item in paths.items():
            for key, operation in item.items():
                if key in METHODS:
                    declared = item.get("parameters", []) + operation.get("parameters", [])
                    check_operation(self, f"{key} {path}", operation, declared)
                elif key not in ("parameters", "summary", "description", "servers"):
                    raise BadRequestException(f"Unknown method {key} of {path}")
        # The title is the API's name; a definition that is put over another keeps nothing that it does not say.
        api.name = api_doc.get("info", {}).get("title", api.name)
        api.description = api_doc.get("info", {}).get("description", api.description if mode == "merge" else "")
        policy = api_doc.get("x-amazon-apigateway-policy")
        api.policy = json.dumps(policy) if policy else (api.policy if mode == "merge" else None)
        media = api_doc.get("x-amazon-apigateway-binary-media-types")
        api.binaryMediaTypes = media if media is not None or mode == "merge" else []
        sections = {**before.get("components", {}), **api_doc.get("components", {})}
        for name in sections:
            sections[name] = {**before.get("components", {}).get(name, {}), **api_doc.get("components", {}).get(name, {})}
        api.document = {**before, **api_doc, "paths": paths, "components": sections}
        if mode == "overwrite":
            api.gateway_responses = {}
            api.minimum_compression_size = api_doc.get("x-amazon-apigateway-minimum-compression-size")
            api.api_key_source = api_doc.get("x-amazon-apigateway-api-key-source", "HEADER")
        for name, one in api_doc.get("x-amazon-apigateway-gateway-responses", {}).items():
            parameters, templates = one.get("responseParameters", {}), one.get("responseTemplates", {})
            api.put_gateway_response(name, one.get("statusCode"), parameters, templates)
        rebuild(api)
        return api

    def rebuild(api):
        ids = {resource.get_path(): resource for resource in api.resources.values()}
        wanted = resources_of(api.document["paths"])
        api.resources = {one.id: one for path, one in ids.items() if path in wanted}
        for path in sorted(wanted - set(ids)):
            parent = ids[path.rpartition("/")[0] or "/"]
            ids[path] = api.add_child(path.rpartition("/")[2], parent.id)
        for path in wanted:
            ids[path].resource_methods = {}
            for key, operation in api.document["paths"].get(path, {}).items():
                if key in METHODS:
                    add_method(api, ids[path], "ANY" if key == ANY else key.upper(), operation)

    def add_method(api, resource, name, operation):
        schemes = api.document.get("components", {}).get("securitySchemes", {})
        used = {key: schemes.get(key, {}) for one in operation.get("security", []) for key in one}
        types = [one.get("x-amazon-apigateway-authtype") for one in used.values()]
        authorization = {"awsSigv4": "AWS_IAM", "cognito_user_pools": "COGNITO_USER_POOLS", "custom": "CUSTOM"}
        resource.add_method(
            name,
            next((authorization[one] for one in types if one), "NONE"),
            any(one.get("name") == "x-api-key" for one in used.values()),
        )
        given = operation["x-amazon-apigateway-integration"]
        integration = resource.add_integration(
            name,
            given["type"].upper(),
            given.get("uri"),
            integration_method=given.get("httpMethod"),
            request_parameters=given.get("requestParameters"),
            timeout_in_millis=given.get("timeoutInMillis", 29000),
            connection_type=given.get("connectionType", "INTERNET"),
        )
        integration.connection_id = given.get("connectionId")

    def delete_resource(self, function_id, resource_id):
        """With all that is below it (API reference, DeleteResource)."""
        api = self.get_rest_api(function_id)
        path = self.get_resource(function_id, resource_id).get_path()
        below = [one.id for one in api.resources.values() if one.get_path().startswith(f"{path}/")]
        for one in below:
            api.resources.pop(one)
        return api.resources.pop(resource_id)

    describe = models.Integration.to_json

    def to_json(self):
        """With the link (API reference, Integration, `connectionId`)."""
        link = getattr(self, "connection_id", None)
        return {**describe(self), **({"connectionId": link} if link else {})}

    models.Integration.to_json = to_json
    models.APIGatewayBackend.put_rest_api = put_rest_api
    models.APIGatewayBackend.delete_resource = delete_resource


def sync(api):
    """Brings the definition up to date with the resources, which CreateResource, PutMethod and the like change too."""
    api.document = getattr(api, "document", {"openapi": "3.0.1", "info": {}, "paths": {}})
    before, paths = api.document["paths"], {}
    for resource in api.resources.values():
        item = before.get(resource.get_path(), {})
        operations = {key: value for key, value in item.items() if key not in METHODS}
        for name, method in resource.resource_methods.items():
            key = ANY if name == "ANY" else name.lower()
            operations[key] = copy.deepcopy(item.get(key, {"responses": {"default": {"description": ""}}}))
            integration = getattr(method, "method_integration", None)
            if integration:
                given = operations[key].setdefault("x-amazon-apigateway-integration", {})
                given["type"] = integration.integration_type.lower()
                if integration.uri:
                    given["uri"] = integration.uri
        if operations:
            paths[resource.get_path()] = operations
    api.document = {**api.document, "paths": paths}


# ---- deployments, stages, exports ------------------------------------------------------------------------------------


def patch_deployments():
    """A deployment is a snapshot of the API, and a stage shows its deployment's, whatever becomes of the API (API Gateway
    developer guide, "Deploy REST APIs"); GetExport exports a stage, with the extensions that are asked for and no others
    (API reference, GetExport); a stage can only be pointed at a deployment that there is; a deployment that a stage
    shows can't be deleted (API reference, DeleteDeployment)."""
    create = models.APIGatewayBackend.create_deployment
    create_stage = models.APIGatewayBackend.create_stage
    update_stage = models.APIGatewayBackend.update_stage

    def check(self, function_id, deployment_id):
        if deployment_id not in self.get_rest_api(function_id).deployments:
            raise BadRequestException("Deployment id does not exist")

    def create_deployment(self, function_id, name, description="", stage_variables=None):
        deployment = create(self, function_id, name, description, stage_variables)
        api = self.get_rest_api(function_id)
        sync(api)
        deployment.snapshot = copy.deepcopy(api.document)
        return deployment

    def checked_create_stage(self, function_id, stage_name, deploymentId, **kwargs):
        check(self, function_id, deploymentId)
        if len(self.get_rest_api(function_id).stages) >= 10:
            raise BadRequestException("Maximum number of stages for this API has been reached: 10")
        return create_stage(self, function_id, stage_name, deploymentId, **kwargs)

    def checked_update_stage(self, function_id, stage_name, patch_operations):
        for operation in patch_operations:
            if operation["path"] == "/deploymentId":
                check(self, function_id, operation["value"])
        return update_stage(self, function_id, stage_name, patch_operations)

    def get_export(self):
        api_id, stage_name, kind = self.path.rstrip("/").split("/")[-5::2]
        if kind not in ("oas30", "swagger"):
            raise BadRequestException(f"No API exporter for type '{kind}'")
        api = self.backend.get_rest_api(api_id)
        stage = self.backend.get_stage(api.id, stage_name)
        document = copy.deepcopy(api.deployments[stage.deployment_id].snapshot)
        base = {"basePath": {"default": stage.name}}
        url = f"https://{api.id}.execute-api.{api.region_name}.amazonaws.com/{{basePath}}"
        document["servers"] = [{"url": url, "variables": base}]
        asked = self._get_param("extensions") or ""
        if "integrations" not in asked and "apigateway" not in asked:
            for operation in [item[key] for item in document["paths"].values() for key in METHODS if key in item]:
                operation.pop("x-amazon-apigateway-integration", None)
        if "authorizers" not in asked and "apigateway" not in asked:
            for scheme in document.get("components", {}).get("securitySchemes", {}).values():
                scheme.pop("x-amazon-apigateway-authorizer", None)
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    models.APIGatewayBackend.create_deployment = create_deployment
    models.APIGatewayBackend.create_stage = checked_create_stage
    models.APIGatewayBackend.update_stage = checked_update_stage
    APIGatewayResponse.get_export = get_export


def patch_base_path_mappings():
    """A domain name without base path mappings answers that there is none (API reference, GetBasePathMapping)."""
    for name in ("get_base_path_mapping", "get_base_path_mappings", "delete_base_path_mapping"):
        act = getattr(models.APIGatewayBackend, name)

        def patched(self, domain_name, *arguments, act=act):
            if domain_name in self.domain_names:
                self.base_path_mappings.setdefault(domain_name, {})
            return act(self, domain_name, *arguments)

        setattr(models.APIGatewayBackend, name, patched)


# ---- links -----------------------------------------------------------------------------------------------------------

# How long a link of a name is PENDING, and DELETING when it is deleted; minutes, at AWS's.
LINK_SECONDS = {}


def patch_links():
    """A link is PENDING while it is made and DELETING while it is deleted (API reference, VpcLink, `status`); one that a
    deployed method uses can't be deleted ("Cannot delete vpc link ... referenced in [METHOD:RESOURCE:STAGE]")."""
    create = models.APIGatewayBackend.create_vpc_link
    list_all = models.APIGatewayBackend.get_vpc_links
    get_one = models.APIGatewayBackend.get_vpc_link

    def settle(self):
        now = time.monotonic()
        for link in list(self.vpc_links.values()):
            if now >= getattr(link, "settles_at", now):
                if link.status == "DELETING":
                    del self.vpc_links[link.id]
                elif link.status == "PENDING" and hasattr(link, "settles_at"):
                    link.status = "AVAILABLE"

    def create_vpc_link(self, name, description, target_arns, tags):
        link = create(self, name, description, target_arns, tags)
        if name in LINK_SECONDS:
            link.status, link.settles_at = "PENDING", time.monotonic() + LINK_SECONDS[name]
        return link

    def delete_vpc_link(self, vpc_link_id):
        link = get_vpc_link(self, vpc_link_id)
        for api in self.apis.values():
            for stage in api.stages.values():
                shown = getattr(api.deployments.get(stage.deployment_id), "snapshot", {"paths": {}})
                for path, item in shown["paths"].items():
                    for method, operation in item.items():
                        integration = operation.get("x-amazon-apigateway-integration", {}) if method in METHODS else {}
                        if integration.get("connectionId") == vpc_link_id:
                            where = f"[{method.upper()}:{path}:{stage.name}]"
                            raise BadRequestException(
                                f"Cannot delete vpc link. Vpc link '{vpc_link_id}', is referenced in {where} in format of "
                                "[Method:Resource:Stage]."
                            )
        link.status, link.settles_at = "DELETING", time.monotonic() + LINK_SECONDS.get(link.name, 0.0)

    def get_vpc_link(self, vpc_link_id):
        settle(self)
        return get_one(self, vpc_link_id)

    def get_vpc_links(self):
        settle(self)
        return list_all(self)

    models.APIGatewayBackend.create_vpc_link = create_vpc_link
    models.APIGatewayBackend.delete_vpc_link = delete_vpc_link
    models.APIGatewayBackend.get_vpc_link = get_vpc_link
    models.APIGatewayBackend.get_vpc_links = get_vpc_links


def set_link_seconds(wish):
    """{"Name", "Seconds"}: how long a link of that name takes, to be made and to be deleted."""
    LINK_SECONDS[wish["Name"]] = float(wish["Seconds"])
    return {}


# ---- what no API of AWS's can do -------------------------------------------------------------------------------------


def backend_of(wish):
    return models.apigateway_backends[DEFAULT_ACCOUNT_ID][wish["Region"]]


def show_stage(wish):
    """{"Region", "RestApiId", "StageName"}: what a client of the stage meets, {"DeploymentId", "Document"}."""
    api = backend_of(wish).get_rest_api(wish["RestApiId"])
    stage = api.stages[wish["StageName"]]
    return {"DeploymentId": stage.deployment_id, "Document": api.deployments[stage.deployment_id].snapshot}


def set_link_status(wish):
    """{"Region", "VpcLinkId", "Status"}: as if AWS were still at it, or had failed."""
    backend_of(wish).vpc_links[wish["VpcLinkId"]].status = wish["Status"]
    return {}


class Throttle:
    """The documented rates of API Gateway's control plane, per account and region: "Amazon API Gateway quotas",
    "creating, deploying and managing an API". Off until somebody asks for it."""

    # What a call is by its method and path, with how many there may be at once and per second. The first that fits.
    RATES = [
        ("CreateDeployment", "POST", r"^/restapis/[^/]+/deployments/?$", 1, 1 / 5),
        ("PutRestApi", "PUT", r"^/restapis/[^/]+/?$", 1, 1),
        ("GetResources", "GET", r"^/restapis/[^/]+/resources/?$", 5, 5 / 2),
        ("CreateVpcLink", "POST", r"^/vpclinks/?$", 1, 1 / 15),
        ("CreateApiKey", "POST", r"^/apikeys/?$", 5, 5),
        ("DeleteApiKey", "DELETE", r"^/apikeys/[^/]+/?$", 5, 5),
        ("UpdateUsagePlan", "PATCH", r"^/usageplans/[^/]+/?$", 1, 1 / 20),
        ("other calls", "", r"^/(restapis|vpclinks|apikeys|usageplans|domainnames)", 40, 10),
    ]

    def __init__(self):
        self.lock = threading.Lock()
        self.is_on = False
        self.buckets = {}
        self.throttled = 0

    def set(self, wish):
        """{"Enabled"}: {"Throttled"}, how many calls have been refused so far."""
        with self.lock:
            self.is_on = wish.get("Enabled", self.is_on)
            return {"Throttled": self.throttled}

    def refuses(self, account, region, method, path):
        kind = next((one for one in self.RATES if one[1] in ("", method) and re.match(one[2], path)), None)
        with self.lock:
            if kind is None or not self.is_on:
                return False
            name, _, _, burst, per_second = kind
            bucket, now = (account, region, name), time.monotonic()
            left, since = self.buckets.get(bucket, (burst, now))
            left = min(burst, left + (now - since) * per_second)
            self.buckets[bucket] = (left - 1, now) if left >= 1 else (left, now)
            self.throttled += left < 1
            return left < 1


THROTTLE = Throttle()
