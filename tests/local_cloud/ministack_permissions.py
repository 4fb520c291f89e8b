"""Who lets whom in: ministack's event bus policies and Lambda permissions, as AWS has them. Nothing here knows Foregate."""

import json
import time

from ministack.core import iam_actions
from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge

# "The permission policy on the event bus cannot exceed 10 KB in size."
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
BUS_POLICY_CHARACTERS_MAX = 10_240
# AWS refuses a change during another one and does not say how long one takes.
CHANGE_SECONDS = 0.05


def patch_bus_policies():
    """PutPermission with `Policy` replaces the whole policy; two changes at once are refused, and a policy that is too long."""
    original = {"PutPermission": eventbridge._put_permission, "RemovePermission": eventbridge._remove_permission}
    changed_at = {}

    def at_once(data):
        bus, now = data.get("EventBusName", "default"), time.monotonic()
        if now - changed_at.get(bus, -CHANGE_SECONDS) < CHANGE_SECONDS:
            message = "EventBus policy is being modified by another request"
            return error_response_json("ConcurrentModificationException", message, 400)
        changed_at[bus] = now
        return None

    def put_permission(data):
        refused = at_once(data)
        if refused or "Policy" not in data:
            return refused or original["PutPermission"](data)
        bus = data.get("EventBusName", "default")
        if bus not in eventbridge._event_buses:
            return error_response_json("ResourceNotFoundException", f"Event bus {bus} does not exist.", 400)
        if len(data["Policy"]) > BUS_POLICY_CHARACTERS_MAX:
            message = f"The policy is longer than {BUS_POLICY_CHARACTERS_MAX} characters"
            return error_response_json("PolicyLengthExceededException", message, 400)
        eventbridge._event_bus_policies[bus] = json.loads(data["Policy"])
        return json_response({})

    def remove_permission(data):
        return at_once(data) or original["RemovePermission"](data)

    eventbridge._put_permission = put_permission
    eventbridge._remove_permission = remove_permission


def patch_lambda_actions():
    """The list of asynchronous settings has an action of its own, and AddPermission says whom it lets in (condition key
    `lambda:Principal`; service authorization reference, "Actions, resources, and condition keys for AWS Lambda")."""
    action_of, context_of = iam_actions.extract_iam_action, iam_actions.request_tag_context

    def extract_iam_action(service, method, path, *args, **kwargs):
        if service == "lambda" and path.endswith("/event-invoke-config/list"):
            return "lambda:ListFunctionEventInvokeConfigs"
        return action_of(service, method, path, *args, **kwargs)

    def request_tag_context(service, iam_action, body, params):
        context = context_of(service, iam_action, body, params)
        if iam_action == "lambda:AddPermission":
            context["lambda:Principal"] = json.loads(body or b"{}").get("Principal", "")
        return context

    iam_actions.extract_iam_action = extract_iam_action
    iam_actions.request_tag_context = request_tag_context


def patch_bus_arn():
    """DescribeEventBus is about a bus: ministack takes its `Name` for a rule's."""
    resource_of = iam_actions.extract_resource_arn

    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        if service == "events" and headers.get("x-amz-target", "").endswith(".DescribeEventBus"):
            return f"arn:aws:events:{region}:{account_id}:event-bus/{json.loads(body or b'{}').get('Name', 'default')}"
        return resource_of(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = extract_resource_arn


def patch_all():
    patch_bus_policies()
    patch_bus_arn()
    patch_lambda_actions()
