"""moto's API Gateway, patched towards AWS in what a reader of many REST APIs meets: pages, resource policies, stages
and tags; and routes that make and change REST APIs of any account. Used by moto_aws.py; each patch says what AWS does
and where AWS says so. Nothing here knows Foregate."""

import json
import re
import time
from urllib.parse import unquote

from moto.apigateway import models, urls
from moto.apigateway.exceptions import NotFoundException
from moto.apigateway.responses import APIGatewayResponse

PAGE = 25
PAGE_MAX = 500
PAGED = (
    "get_rest_apis",
    "get_api_keys",
    "get_usage_plans",
    "get_usage_plan_keys",
    "get_resources",
    "get_deployments",
    "get_models",
    "get_request_validators",
    "get_authorizers",
    "get_vpc_links",
)


class NotFound(NotFoundException):
    """API reference, "Common errors of operations": NotFoundException is a 404, which moto's is not."""

    code = 404


# ---- reading ---------------------------------------------------------------------------------------------------------


def patch_pages():
    """A page has 25 items unless `limit` says otherwise, and 500 at most; `position` goes on from it (API reference of
    each of these lists). GetStages has no pages."""
    for name in PAGED:
        list_all = getattr(APIGatewayResponse, name)

        def list_page(self, list_all=list_all):
            most = min(self._get_int_param("limit") or PAGE, PAGE_MAX)
            # A position is the last id told: an item that goes between two pages neither hides nor repeats another.
            position = self._get_param("position") or ""
            items = sorted(json.loads(list_all(self))["item"], key=lambda item: item["id"])
            items = [item for item in items if item["id"] > position]
            more = {"position": items[most - 1]["id"]} if len(items) > most else {}
            return json.dumps({"item": items[:most], **more})

        setattr(APIGatewayResponse, name, list_page)


def patch_rest_apis():
    """`policy` is a JSON string whose quotes and slashes are escaped once more, without quotes around it (AWS CLI
    reference, get-rest-api, and Terraform's provider, pull requests 4211 and 4606); an unknown API is NotFoundException
    for DeleteRestApi too (API reference, DeleteRestApi)."""
    describe = models.RestAPI.to_dict
    delete = models.APIGatewayBackend.delete_rest_api

    def to_dict(self):
        policy = {"policy": json.dumps(self.policy)[1:-1].replace("/", "\\/")} if self.policy else {}
        return {**describe(self), **policy}

    def delete_rest_api(self, function_id):
        self.get_rest_api(function_id)
        return delete(self, function_id)

    models.RestAPI.to_dict = to_dict
    models.APIGatewayBackend.delete_rest_api = delete_rest_api


def show(stage, deployment):
    stage.deployment_id, stage.changed = deployment.id, int(time.time())
    return stage


TAGGED = re.compile(r"^arn:aws:apigateway:[^:]*::/(restapis|apikeys|usageplans|vpclinks)/([^/]+)(?:/stages/([^/]+))?$")


def patch_tags():
    """API keys, REST APIs, usage plans and VPC links have tags too (API Gateway developer guide, "API Gateway resources
    that can be tagged"); moto knows those of stages only."""
    pattern = "{0}/tags/arn:(?P<partition>[^/]+):apigateway:(?P<region_name>[^/]+)::/(?P<kind>[^/]+)/(?P<name>[^/]+)$"
    urls.url_paths[pattern] = APIGatewayResponse.dispatch

    def tagged(self):
        found = TAGGED.match(unquote(self.path.split("/tags/")[1]))
        if not found:
            raise NotFound("Invalid resource ARN specified")
        kind, name, stage = found.groups()
        if stage:
            return self.backend.get_stage(name, stage)
        find = {"restapis": "get_rest_api", "apikeys": "get_api_key", "usageplans": "get_usage_plan"}
        return getattr(self.backend, find.get(kind, "get_vpc_link"))(name)

    def get_tags(self):
        return json.dumps({"tags": tagged(self).tags or {}})

    def tag_resource(self):
        one = tagged(self)
        one.tags = {**(one.tags or {}), **(self._get_param("tags") or {})}
        return 204, {"status": 204}, ""

    def untag_resource(self):
        one, keys = tagged(self), self.querystring.get("tagKeys", [])
        one.tags = {key: value for key, value in (one.tags or {}).items() if key not in keys}
        return 204, {"status": 204}, ""

    APIGatewayResponse.get_tags = get_tags
    APIGatewayResponse.tag_resource = tag_resource
    APIGatewayResponse.untag_resource = untag_resource


# ---- what no API of AWS's can do -------------------------------------------------------------------------------------

SAMPLE = {
    "openapi": "3.0.1",
    "info": {"version": "1.0"},
    "paths": {
        "/items": {
            "get": {
                "responses": {"200": {"description": "OK"}},
                "x-amazon-apigateway-integration": {"type": "MOCK"},
            }
        }
    },
}


def backend_of(wish):
    return models.apigateway_backends[wish["Account"]][wish["Region"]]


def deploy_to(backend, api, names):
    deployment = backend.create_deployment(api.id, None)
    for name in names:
        if name in api.stages:
            show(api.stages[name], deployment)
        else:
            backend.create_stage(api.id, name, deployment.id)
    return deployment.id


def make_rest_apis(wish):
    """{"Account", "Region", "Count", "Prefix", "Stages"?: [], "EndpointType"?, "Document"?, "UsagePlan"?: a name}: that
    many REST APIs, PREFIX0 and on, deployed to the stages, the last of which is put into the usage plan, which is made
    if there is none; {"RestApiIds", "UsagePlanId"}."""
    backend, stages = backend_of(wish), wish.get("Stages") or []
    document = wish.get("Document") or SAMPLE
    made = []
    for number in range(wish["Count"]):
        name = f"{wish['Prefix']}{number}"
        endpoint = {"types": [wish.get("EndpointType", "REGIONAL")]}
        api = backend.create_rest_api(name, "", endpoint_configuration=endpoint)
        titled = {**document, "info": {**document.get("info", {}), "title": name}}
        backend.put_rest_api(api.id, titled, mode="overwrite")
        if stages:
            deploy_to(backend, api, stages)
        made.append(api.id)
    plan = None
    if wish.get("UsagePlan"):
        plans = [one for one in backend.usage_plans.values() if one.name == wish["UsagePlan"]]
        plan = plans[0] if plans else backend.create_usage_plan({"name": wish["UsagePlan"]})
        plan.api_stages += [{"apiId": api_id, "stage": stages[-1]} for api_id in made]
    return {"RestApiIds": made, "UsagePlanId": plan and plan.id}


def change_rest_api(wish):
    """{"Account", "Region", "RestApiId", "Document"?, "Policy"?, "Deploy"?: [stages], "Delete"?: true}: puts the
    definition over the one that is there, then the resource policy (null for none), then deploys; {"DeploymentId"}."""
    backend = backend_of(wish)
    api = backend.get_rest_api(wish["RestApiId"])
    if wish.get("Delete"):
        backend.delete_rest_api(api.id)
        return {"DeploymentId": None}
    if wish.get("Document"):
        backend.put_rest_api(api.id, wish["Document"], mode="overwrite")
    if "Policy" in wish:
        api.policy = json.dumps(wish["Policy"]) if isinstance(wish["Policy"], dict) else wish["Policy"]
    return {"DeploymentId": deploy_to(backend, api, wish["Deploy"]) if wish.get("Deploy") else None}
