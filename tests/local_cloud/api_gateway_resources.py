"""Resources, methods and integrations of REST APIs: what the single calls answer and refuse. Sources: API reference,
Resource, Method, Integration; recorded answers."""

import json

import api_gateway_import as imports
from api_gateway_checks import refuse, wrong_integration, wrong_resources
from moto.apigateway import models
from moto.apigateway.exceptions import ConflictException
from moto.apigateway.models import Integration, IntegrationResponse, Method, MethodResponse, Resource
from moto.apigateway.responses import APIGatewayResponse
from moto_rest_apis import NotFound


class Backend:
    """In the place of moto's methods of the same names."""

    def get_resource(self, function_id, resource_id):
        found = self.get_rest_api(function_id).resources.get(resource_id)
        if found is None:
            raise NotFound("Invalid Resource identifier specified")
        return found

    def create_resource(self, function_id, parent_resource_id, path_part):
        api = self.get_rest_api(function_id)
        parent = self.get_resource(function_id, parent_resource_id).get_path().rstrip("/")
        paths = {one.get_path() for one in api.resources.values()}
        wrong = wrong_resources(paths | {f"{parent}/{path_part}"}, paths)
        if wrong:
            refuse(next(iter(wrong.values())))
        if f"{parent}/{path_part}" in paths:
            raise ConflictException(f"Another resource with the same parent already has this name: {path_part}")
        return api.add_child(path_part, parent_resource_id)

    def delete_resource(self, function_id, resource_id):
        """With all that is below it (API reference, DeleteResource)."""
        api = self.get_rest_api(function_id)
        path = self.get_resource(function_id, resource_id).get_path()
        for one in [one.id for one in api.resources.values() if one.get_path().startswith(f"{path}/")]:
            api.resources.pop(one)
        return api.resources.pop(resource_id)

    def get_method(self, function_id, resource_id, method_type):
        found = self.get_resource(function_id, resource_id).resource_methods.get(method_type)
        if found is None:
            raise NotFound("Invalid Method identifier specified")
        return found

    def delete_method(self, function_id, resource_id, method_type):
        self.get_method(function_id, resource_id, method_type)
        self.get_resource(function_id, resource_id).delete_method(method_type)

    def get_integration(self, function_id, resource_id, method_type):
        resource = self.apis[function_id].resources.get(resource_id) if function_id in self.apis else None
        if resource is None:
            raise NotFound("Invalid Resource identifier specified")
        found = self.get_method(function_id, resource_id, method_type).method_integration
        if found is None:
            raise NotFound("Invalid Integration identifier specified")
        return found

    def get_method_response(self, function_id, resource_id, method_type, response_code):
        found = self.get_method(function_id, resource_id, method_type).get_response(response_code)
        if found is None:
            raise NotFound("Invalid Response status code specified")
        return found

    def get_integration_response(self, function_id, resource_id, method_type, status_code):
        found = self.get_integration(function_id, resource_id, method_type)
        response = (found.integration_responses or {}).get(status_code)
        if response is None:
            raise NotFound("Invalid Response status code specified")
        return response


class Answers:
    """In the place of moto's answers to the calls of the same names."""

    def put_integration(self):
        _, _, api_id, _, resource_id, _, method_name, _ = self.path.rstrip("/").split("/")
        method = self.backend.get_method(api_id, resource_id, method_name)
        given = json.loads(self.body or "{}")
        wrong = wrong_integration(given, self.backend.vpc_links, method.request_parameters or {})
        if wrong:
            refuse(wrong)
        integration = imports.integration_of(given, given.get("requestParameters"))
        integration.cache_namespace = integration.cache_namespace or resource_id
        method.method_integration = integration
        return 201, {"status": 201}, json.dumps(integration.to_json())

    def get_resources(self):
        api_id = self.path.replace("/restapis/", "", 1).split("/")[0]
        has_methods = "methods" in self.querystring.get("embed", [])
        return json.dumps({"item": [resource_of(one, has_methods) for one in self.backend.get_resources(api_id)]})

    def get_resource(self):
        api_id, resource_id = self.path.split("/")[2], self.path.split("/")[-1]
        has_methods = "methods" in self.querystring.get("embed", [])
        return json.dumps(resource_of(self.backend.get_resource(api_id, resource_id), has_methods))


def without_nothing(described, *kept):
    return {key: value for key, value in described.items() if key in kept or value not in (None, {}, [])}


def resource_of(resource, has_methods):
    """Its methods' names alone, unless they are to be embedded (recorded)."""
    described = Resource.to_dict(resource)
    if described.get("resourceMethods") and not has_methods:
        described["resourceMethods"] = {name: {} for name in described["resourceMethods"]}
    return described


def patch_descriptions():
    """What is not set is left out (recorded); a link and its target are told (API reference, Integration)."""
    describe_method, describe_integration = Method.to_json, Integration.to_json
    for kind in (IntegrationResponse, MethodResponse):
        kind.to_json = lambda self, describe=kind.to_json: without_nothing(describe(self))

    def method(self):
        return without_nothing({**describe_method(self), "apiKeyRequired": bool(self.api_key_required)})

    def integration(self):
        described = describe_integration(self)
        described["connectionId"] = getattr(self, "connection_id", None)
        described["integrationTarget"] = getattr(self, "target", None)
        return without_nothing(described, "cacheKeyParameters")

    Method.to_json, Integration.to_json = method, integration


def patch_resources():
    for target, source in ((models.APIGatewayBackend, Backend), (APIGatewayResponse, Answers)):
        for name, value in vars(source).items():
            if not name.startswith("__"):
                setattr(target, name, value)
    patch_descriptions()
