"""Deployments of REST APIs, which are snapshots, and exports of them. Sources: API Gateway developer guide, "Deploy REST
APIs"; API reference, Deployment, CreateDeployment, GetDeployment, GetExport; recorded answers."""

import copy
import json
import re
import time

import api_gateway_stages as stages
from api_gateway_document import ANY, METHODS
from moto.apigateway import models
from moto.apigateway.exceptions import BadRequestException
from moto.apigateway.models import Deployment
from moto.apigateway.responses import APIGatewayResponse
from moto.apigateway.utils import ApigwDeploymentIdentifier
from moto_rest_apis import NotFound

INTEGRATION = "x-amazon-apigateway-integration"


def sync(api):
    """Brings the definition up to date with the resources, which CreateResource, PutMethod and the like change too."""
    api.document = getattr(api, "document", {"openapi": "3.0.1", "info": {}, "paths": {}})
    before, paths = api.document["paths"], {}
    for resource in api.resources.values():
        item = before.get(resource.get_path(), {})
        operations = {key: value for key, value in item.items() if key not in METHODS}
        for name, method in resource.resource_methods.items():
            key = ANY if name == "ANY" else name.lower()
            operations[key] = item[key] if key in item else operation_of(method)
        if any(key in METHODS for key in operations):
            paths[resource.get_path()] = operations
    api.document = {**api.document, "paths": paths}


def operation_of(method):
    """A method that PutMethod made."""
    operation = {"responses": {code: {"description": f"{code} response"} for code in method.method_responses}}
    integration = method.method_integration
    if integration:
        given = {"type": integration.integration_type.lower(), "uri": integration.uri, "httpMethod": integration.http_method}
        operation[INTEGRATION] = {key: value for key, value in given.items() if value}
    return operation


def summary_of(api):
    """API reference, Deployment, `apiSummary`: "a summary of the RestApi at the date and time that the deployment
    resource was created"."""
    return {
        resource.get_path(): {
            name: {"authorizationType": method.authorization_type, "apiKeyRequired": bool(method.api_key_required)}
            for name, method in resource.resource_methods.items()
        }
        for resource in api.resources.values()
        if resource.resource_methods
    }


def check_methods(api):
    """CreateDeployment needs methods, each with an integration (reported: serverless issue 993, terraform-provider-aws
    issue 21210: one method without one fails the whole deployment)."""
    methods = [method for resource in api.resources.values() for method in resource.resource_methods.values()]
    if not methods:
        raise BadRequestException("The REST API doesn't contain any methods")
    if not all(method.method_integration for method in methods):
        raise BadRequestException("No integration defined for method")


def create(backend, api, given):
    """`given`: CreateDeployment's members. A stage that is there shows the deployment, or its canary does."""
    check_methods(api)
    name, canary = given.get("stageName"), given.get("canarySettings")
    stage = api.stages.get(name)
    if canary and not name:
        said = "null" if name is None else name
        raise BadRequestException(
            "Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. "
            f"Provided value is {said}"
        )
    if canary and not stage:
        raise BadRequestException(
            f"Invalid deployment content specified.Stage {name} must already be created before making a canary release "
            "deployment"
        )
    known = list(api.deployments)
    deployment = Deployment(
        ApigwDeploymentIdentifier(api.account_id, api.region_name, stage_name=name).generate(known),
        name,
        given.get("description"),
    )
    sync(api)
    deployment.snapshot = copy.deepcopy(api.document)
    if api.policy:
        deployment.snapshot["x-amazon-apigateway-policy"] = json.loads(api.policy)
    deployment.summary = summary_of(api)
    api.deployments[deployment.id] = deployment
    variables = given.get("variables") or {}
    if canary:
        stage.canary = stages.canary_of(canary, api, deployment.id)
        stage.changed = int(time.time())
    elif stage:
        # It keeps its settings and its tags.
        stage.deployment_id, stage.changed = deployment.id, int(time.time())
        stage.variables |= variables
    elif name:
        backend.create_stage(
            api.id,
            name,
            deployment.id,
            variables=variables,
            description=given.get("stageDescription"),
            tracing_enabled=given.get("tracingEnabled"),
        )
    return deployment


def shows(stage, deployment_id):
    return deployment_id in (stage.deployment_id, (stage.canary or {}).get("deploymentId"))


def patch_deployments():
    """A stage shows its deployment's snapshot, whatever becomes of the API; one that a stage shows can't be deleted
    (recorded)."""

    def create_deployment(self, function_id, name, description=None, stage_variables=None):
        given = {"stageName": name, "description": description, "variables": stage_variables}
        return create(self, self.get_rest_api(function_id), given)

    def get_deployment(self, function_id, deployment_id):
        found = self.get_rest_api(function_id).deployments.get(deployment_id)
        if found is None:
            raise NotFound("Invalid Deployment identifier specified")
        return found

    def delete_deployment(self, function_id, deployment_id):
        api = self.get_rest_api(function_id)
        deployment = get_deployment(self, function_id, deployment_id)
        if any(shows(stage, deployment_id) for stage in api.stages.values()):
            raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
        return api.deployments.pop(deployment.id)

    def describe(self):
        about = {"description": self.description} if self.description else {}
        return {"id": self.id, "createdDate": self.created_date, **about}

    models.APIGatewayBackend.create_deployment = create_deployment
    models.APIGatewayBackend.get_deployment = get_deployment
    models.APIGatewayBackend.delete_deployment = delete_deployment
    models.Deployment.to_json = describe


def patch_answers():
    """The requests' members that moto leaves out."""

    def create_deployment(self):
        api = self.backend.get_rest_api(self.path.split("/")[2])
        return 201, {"status": 201}, json.dumps(create(self.backend, api, json.loads(self.body or "{}")).to_json())

    def get_deployment(self):
        _, _, api_id, _, deployment_id = self.path.rstrip("/").split("/")
        deployment = self.backend.get_deployment(api_id, deployment_id)
        asked = ",".join(self.querystring.get("embed", [])).split(",")
        embedded = {"apiSummary": deployment.summary} if "apisummary" in asked else {}
        return json.dumps({**deployment.to_json(), **embedded})

    def update_deployment(self):
        _, _, api_id, _, deployment_id = self.path.rstrip("/").split("/")
        deployment = self.backend.get_deployment(api_id, deployment_id)
        for one in self._get_param("patchOperations") or []:
            if (one["op"], one.get("path")) != ("replace", "/description"):
                raise BadRequestException(f"Invalid patch path {one.get('path')}")
            deployment.description = one.get("value")
        return json.dumps(deployment.to_json())

    def create_stage(self):
        given = json.loads(self.body or "{}")
        names = {
            "variables": "variables",
            "description": "description",
            "cacheClusterEnabled": "cacheClusterEnabled",
            "cacheClusterSize": "cacheClusterSize",
            "tags": "tags",
            "tracingEnabled": "tracing_enabled",
            "canarySettings": "canary",
            "documentationVersion": "documentation",
        }
        members = {name: given[key] for key, name in names.items() if given.get(key) is not None}
        stage = self.backend.create_stage(self.path.split("/")[2], given["stageName"], given["deploymentId"], **members)
        return 201, {"status": 201}, json.dumps(stage.to_json())

    def get_stages(self):
        """`deploymentId` leaves the others out (recorded)."""
        wanted = self._get_param("deploymentId")
        found = self.backend.get_stages(self.path.split("/")[2])
        return json.dumps({"item": [one.to_json() for one in found if wanted in (None, one.deployment_id)]})

    for patched in (create_deployment, get_deployment, update_deployment, create_stage, get_stages, get_export):
        setattr(APIGatewayResponse, patched.__name__, patched)


def get_export(self):
    """With the extensions that are asked for and no others (API reference, GetExport; recorded)."""
    api_id, stage_name, kind = self.path.rstrip("/").split("/")[-5::2]
    if kind not in ("oas30", "swagger"):
        raise BadRequestException(f"No API exporter for type '{kind}'")
    api = self.backend.get_rest_api(api_id)
    stage = self.backend.get_stage(api.id, stage_name)
    document = exported(api.deployments[stage.deployment_id].snapshot, self._get_param("extensions") or "")
    base = {"basePath": {"default": stage.name}}
    url = f"https://{api.id}.execute-api.{api.region_name}.amazonaws.com/{{basePath}}"
    document["servers"] = [{"url": url, "variables": base}]
    name = f"{kind}_{document.get('info', {}).get('version')}.json"
    headers = {"Content-Type": "application/octet-stream", "Content-Disposition": f'attachment; filename="{name}"'}
    return 200, headers, json.dumps(document).encode()


def exported(snapshot, asked):
    """What is empty is left out, but a response's content."""
    document = copy.deepcopy(snapshot)
    has_all = "apigateway" in asked
    for operation in [item[key] for item in document["paths"].values() for key in METHODS if key in item]:
        if not has_all and "integrations" not in asked:
            operation.pop(INTEGRATION, None)
        for response in (operation.get("responses") or {}).values():
            response.setdefault("content", {})
    sections = document.get("components") or {}
    if not has_all and "authorizers" not in asked:
        for scheme in sections.get("securitySchemes", {}).values():
            scheme.pop("x-amazon-apigateway-authorizer", None)
    document["components"] = {name: section for name, section in sections.items() if section}
    if not asked:
        document = {key: value for key, value in document.items() if not key.startswith("x-amazon-apigateway-")}
    return document


def show_stage(backend, wish):
    """{"Region", "RestApiId", "StageName"}: what a client of the stage meets, {"DeploymentId", "Document",
    "Variables"}, with the variables' values in the document."""
    api = backend.get_rest_api(wish["RestApiId"])
    stage = api.stages[wish["StageName"]]
    snapshot = json.dumps(api.deployments[stage.deployment_id].snapshot)
    shown = re.sub(r"\$\{stageVariables\.(\w+)\}", lambda it: stage.variables.get(it[1], it[0]), snapshot)
    return {"DeploymentId": stage.deployment_id, "Document": json.loads(shown), "Variables": stage.variables}
