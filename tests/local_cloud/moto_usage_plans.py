"""moto's API keys and usage plans, patched towards AWS. Used by moto_aws.py; each patch says what AWS does and where
AWS says so. Nothing here knows Foregate."""

import json
import time

from moto.apigateway import models
from moto.apigateway.exceptions import (
    ApiKeyNotFoundException,
    BadRequestException,
    ConflictException,
    UsagePlanNotFoundException,
)
from moto.apigateway.responses import APIGatewayResponse
from moto_rest_apis import NotFound


def stages_of(plan):
    return {(one.get("apiId"), one.get("stage")) for one in plan.api_stages}


def check_stages(backend, plan_name, stages):
    """What CreateUsagePlan and UpdateUsagePlan refuse: half of an API stage, and one that there is not (reported:
    aws/aws-sdk issue 354, serverless/serverless issue 2831)."""
    for api_id, stage in stages:
        if not api_id or not stage:
            raise BadRequestException(
                f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {plan_name}"
            )
        if api_id not in backend.apis or stage not in backend.apis[api_id].stages:
            raise NotFound(f"API Stage not found: {api_id}:{stage}")


def check_key(backend, key_id, plan_id, stages):
    """A key can be in several plans, but in one only for each stage of an API (API Gateway developer guide, "Usage
    plans and API keys for REST APIs")."""
    for other in backend.usage_plans.values():
        shared = stages & stages_of(other)
        if other.id != plan_id and shared and key_id in backend.usage_plan_keys.get(other.id, {}):
            api_id, stage = min(shared)
            raise ConflictException(
                f"API Key {key_id} cannot be added to Usage Plan {plan_id} because API Stages conflict with other "
                f"Usage Plans it is subscribed to. Conflicts: [{api_id}:{stage}={other.id}]"
            )


# Longer ones are refused, in these words (recorded).
KEY_LIMITS = {
    "name": (1024, "Invalid API Key name, can be at most 1024 characters."),
    "description": (125000, "Invalid API Key description specified."),
    "value": (128, "API Key value exceeds maximum size of 128 characters"),
}
KEY_PATHS = ("/description", "/enabled", "/name", "/customerId")


def check_key_members(members):
    for name, (most, text) in KEY_LIMITS.items():
        if len(members.get(name) or "") > most:
            raise BadRequestException(text)


def patch_api_keys():
    """A key that is deleted leaves its usage plans; one that is changed says when (API reference, ApiKey), and does not
    tell its value (recorded)."""
    create = models.APIGatewayBackend.create_api_key
    delete = models.APIGatewayBackend.delete_api_key
    update = models.APIGatewayBackend.update_api_key

    def delete_api_key(self, api_key_id):
        delete(self, api_key_id)
        for keys in self.usage_plan_keys.values():
            keys.pop(api_key_id, None)

    def create_api_key(self, payload):
        check_key_members(payload)
        return create(self, {key: value for key, value in payload.items() if value != ""})

    def update_api_key(self, api_key_id, patch_operations):
        for one in patch_operations:
            if one.get("path") not in KEY_PATHS:
                raise BadRequestException(
                    f"Invalid patch path  '{one.get('path')}' specified for op '{one['op']}'. Must be one of: "
                    f"[{', '.join(KEY_PATHS)}]"
                )
            check_key_members({one["path"][1:]: one.get("value")})
        key = update(self, api_key_id, patch_operations)
        key.last_updated_date = int(time.time())
        return key

    def answer_update(self):
        key = self.backend.update_api_key(self.path.split("/")[2], self._get_param("patchOperations")).to_json()
        return json.dumps({name: value for name, value in key.items() if name != "value"} | {"tags": key["tags"] or {}})

    models.APIGatewayBackend.create_api_key = create_api_key
    models.APIGatewayBackend.delete_api_key = delete_api_key
    models.APIGatewayBackend.update_api_key = update_api_key
    APIGatewayResponse.update_api_key = answer_update


def patch_usage_plans():
    """The API stages of a plan are ones that there are; a plan that has any can't be deleted ("Cannot delete Usage Plan
    ... because there are API Stages associated with it", reported: aws/aws-sdk-js issue 3841); an unknown plan is
    NotFoundException (API reference, DeleteUsagePlan). A stage or an API that is deleted leaves its plans (reported:
    hashicorp/terraform-provider-aws issue 14100)."""
    create = models.APIGatewayBackend.create_usage_plan
    update = models.APIGatewayBackend.update_usage_plan
    delete = models.APIGatewayBackend.delete_usage_plan
    delete_api = models.APIGatewayBackend.delete_rest_api
    delete_one_stage = models.APIGatewayBackend.delete_stage

    def create_usage_plan(self, payload):
        stages = [(one.get("apiId"), one.get("stage")) for one in payload.get("apiStages") or []]
        check_stages(self, payload["name"], stages)
        return create(self, payload)

    def update_usage_plan(self, usage_plan_id, patch_operations):
        plan = self.get_usage_plan(usage_plan_id)
        for operation in [one for one in patch_operations if one["path"] == "/apiStages"]:
            api_id, _, stage = operation.get("value", "").partition(":")
            if operation["op"] == "remove" and not stage:
                raise BadRequestException("Invalid API Stage specified")
            if operation["op"] == "remove" and (api_id, stage) not in stages_of(plan):
                raise NotFound(f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {plan.id}")
            if operation["op"] == "add":
                check_stages(self, plan.name, [(api_id, stage)])
                for key_id in self.usage_plan_keys.get(usage_plan_id, {}):
                    check_key(self, key_id, usage_plan_id, {(api_id, stage)})
        changed = update(self, usage_plan_id, patch_operations)
        if changed.quota:
            changed.quota.setdefault("offset", 0)
        return changed

    def answer(plan):
        """Tags too where there are none, unlike in lists (recorded)."""
        return json.dumps({**plan.to_json(), "tags": plan.tags or {}})

    def answer_get(self):
        return answer(self.backend.get_usage_plan(self.path.split("/")[2]))

    def answer_update(self):
        plan_id = self.path.split("/")[2]
        return answer(self.backend.update_usage_plan(plan_id, self._get_param("patchOperations")))

    def delete_usage_plan(self, usage_plan_id):
        stages = stages_of(self.get_usage_plan(usage_plan_id))
        if stages:
            raise BadRequestException(
                f"Cannot delete Usage Plan {usage_plan_id} because there are API Stages associated with it, including "
                f"{':'.join(min(stages))}"
            )
        self.usage_plan_keys.pop(usage_plan_id, None)
        delete(self, usage_plan_id)

    def leave(self, is_gone):
        for plan in self.usage_plans.values():
            plan.api_stages = [one for one in plan.api_stages if not is_gone(one)]

    def delete_rest_api(self, function_id):
        api = delete_api(self, function_id)
        leave(self, lambda one: one["apiId"] == function_id)
        return api

    def delete_stage(self, function_id, stage_name):
        delete_one_stage(self, function_id, stage_name)
        leave(self, lambda one: (one["apiId"], one["stage"]) == (function_id, stage_name))

    APIGatewayResponse.get_usage_plan = answer_get
    APIGatewayResponse.update_usage_plan = answer_update
    models.APIGatewayBackend.create_usage_plan = create_usage_plan
    models.APIGatewayBackend.update_usage_plan = update_usage_plan
    models.APIGatewayBackend.delete_usage_plan = delete_usage_plan
    models.APIGatewayBackend.delete_rest_api = delete_rest_api
    models.APIGatewayBackend.delete_stage = delete_stage


def patch_usage_plan_keys():
    """A key is put into a plan once, is in one plan per API stage, and both are there (API reference,
    CreateUsagePlanKey, DeleteUsagePlanKey, GetUsagePlanKeys: ConflictException, NotFoundException)."""
    create = models.APIGatewayBackend.create_usage_plan_key
    delete = models.APIGatewayBackend.delete_usage_plan_key
    list_all = models.APIGatewayBackend.get_usage_plan_keys

    def create_usage_plan_key(self, usage_plan_id, payload):
        plan, key = self.get_usage_plan(usage_plan_id), self.get_api_key(payload.get("keyId"))
        if payload.get("keyType") != "API_KEY":
            raise BadRequestException("Invalid Key Type specified")
        if key.id in self.usage_plan_keys.get(plan.id, {}):
            raise ConflictException(f"API Key {key.id} is already associated with Usage Plan {plan.id}")
        check_key(self, key.id, plan.id, stages_of(plan))
        return create(self, usage_plan_id, payload)

    def delete_usage_plan_key(self, usage_plan_id, key_id):
        self.get_usage_plan(usage_plan_id)
        if key_id not in self.usage_plan_keys.get(usage_plan_id, {}):
            raise ApiKeyNotFoundException()
        delete(self, usage_plan_id, key_id)

    def get_usage_plan_keys(self, usage_plan_id, name=None):
        self.get_usage_plan(usage_plan_id)
        return list_all(self, usage_plan_id, name)

    models.APIGatewayBackend.create_usage_plan_key = create_usage_plan_key
    models.APIGatewayBackend.delete_usage_plan_key = delete_usage_plan_key
    models.APIGatewayBackend.get_usage_plan_keys = get_usage_plan_keys
