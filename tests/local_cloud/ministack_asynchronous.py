"""ministack's asynchronous invocations, patched where they differ from Lambda's. Nothing here knows Foregate."""

import contextvars
import json
import logging
import time
from typing import NamedTuple

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, new_uuid
from ministack.services import eventbridge, lambda_svc, sqs
from ministack.services.cloudformation import custom_resource

LOG = logging.getLogger("lambda")


class Invoked(NamedTuple):
    """What an asynchronous invocation was asked of: the ARN with its qualifier, and that qualifier's settings."""

    arn: str
    role: str
    settings: dict

    @classmethod
    def of(cls, config):
        arn = config["FunctionArn"]
        name, qualifier = lambda_svc._lambda_function_name_and_qualifier_from_arn(arn)
        settings = lambda_svc._functions[name].get("event_invoke_configs", {}).get(qualifier or "$LATEST", {})
        return cls(arn if qualifier else f"{arn}:$LATEST", config.get("Role", ""), settings)


INVOKED = contextvars.ContextVar("invoked")
SERVICE_TOKEN = contextvars.ContextVar("service_token", default=None)


def patch_asynchronous_invocations():
    keep_settings_by_qualifier()
    retry_by_qualifier()
    deliver_failures()
    invoke_from_rules_asynchronously()
    invoke_from_stacks_asynchronously()


def keep_settings_by_qualifier():
    """What is set without a qualifier is set for $LATEST, as the ARN in the answer says, and for nothing else (Lambda API
    reference, "PutFunctionEventInvokeConfig": the qualifier is a version or an alias)."""
    get, put, delete = (getattr(lambda_svc, f"_{verb}_event_invoke_config") for verb in ("get", "put", "delete"))

    def putting(name, qualifier, data):
        function = lambda_svc._functions.get(name)
        destination = data.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if function and destination and not may_send(function["config"].get("Role", ""), destination):
            message = f"The function's execution role does not have permissions to call SendMessage on {destination}"
            return error_response_json("InvalidParameterValueException", message, 400)
        return put(name, qualifier or "$LATEST", data)

    lambda_svc._get_event_invoke_config = lambda name, qualifier=None: get(name, qualifier or "$LATEST")
    lambda_svc._put_event_invoke_config = putting
    lambda_svc._delete_event_invoke_config = lambda name, qualifier=None: delete(name, qualifier or "$LATEST")


def may_send(role, destination):
    """Whether the role may send to the destination; Lambda does so with the function's role (Lambda developer guide, "Capturing
    records of Lambda asynchronous invocations"). Only queues are asked about."""
    if ":sqs:" not in destination:
        return True
    name, account = role.rsplit("/", 1)[-1], get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/lambda",
        principal_type="AssumedRole",
        principal_account=account,
        action="sqs:SendMessage",
        resource_arn=destination,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    return iam_evaluator.evaluate(context, policies).decision == "Allow"


def retry_by_qualifier():
    """Retries, the event's age and the destination are the qualifier's own. ministack waits seconds between tries, AWS minutes."""
    original = lambda_svc.invoke_async_with_retry

    def invoking(function, event):
        invoked = Invoked.of(function.get("config") or function)
        INVOKED.set(invoked)
        original({**function, "event_invoke_config": invoked.settings, "event_invoke_configs": {}}, event)

    lambda_svc.invoke_async_with_retry = invoking


def deliver_failures():
    """A destination gets a record of the invocation, a dead-letter queue the event itself with the error as attributes (Lambda
    developer guide, "Capturing records of Lambda asynchronous invocations")."""
    original = lambda_svc._route_async_failure

    def routing(target, name, event, result):
        invoked = INVOKED.get()
        if ":sqs:" not in target:
            return original(target, name, event, result)
        queue = sqs._queue_by_arn(target)
        if queue is None or not may_send(invoked.role, target):
            LOG.warning("DestinationDeliveryFailures: %s can't send to %s", invoked.arn, target)
            return None
        is_destination = invoked.settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") == target
        message = invocation_record(invoked, event, result) if is_destination else dead_letter(event, result)
        url = sqs._queue_url(queue["name"])
        return sqs._act_send_message({"QueueUrl": url, **message}, url)

    lambda_svc._route_async_failure = routing


def invocation_record(invoked, event, result):
    record = {
        "version": "1.0",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": invoked.arn,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": invoked.settings.get("MaximumRetryAttempts", 2) + 1,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": result.get("function_error") or "Unhandled",
        },
        "responsePayload": result.get("body"),
    }
    return {"MessageBody": json.dumps(record)}


def dead_letter(event, result):
    body = result.get("body") if isinstance(result.get("body"), dict) else {}
    values = {
        "RequestID": ("String", new_uuid()),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", str(body.get("errorMessage") or "Unhandled")[:1024]),
    }
    attributes = {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in values.items()}
    return {"MessageBody": json.dumps(event), "MessageAttributes": attributes}


def invoke_asynchronously(arn, event):
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if function is None:
        LOG.warning("%s was to be invoked and is not there", arn)
        return
    record = lambda_svc._execution_record_for_config(function, {**config, "FunctionArn": arn})
    lambda_svc.invoke_async_with_retry(record, event)


def invoke_from_rules_asynchronously():
    """EventBridge invokes functions asynchronously (Lambda developer guide, "Invoking a Lambda function using a schedule or an
    event")."""
    eventbridge._dispatch_to_lambda = lambda arn, payload: invoke_asynchronously(arn, json.loads(payload))


def invoke_from_stacks_asynchronously():
    """A custom resource's function is invoked asynchronously, by the very ARN of the ServiceToken, and CloudFormation waits for
    the answer to the response URL (CloudFormation user guide, "Custom resources")."""
    invoke, execute = custom_resource.invoke_custom_resource, lambda_svc._execute_function_with_config_scope

    def invoking(request_type, logical_id, properties, *args, **kwargs):
        SERVICE_TOKEN.set(properties.get("ServiceToken"))
        try:
            return invoke(request_type, logical_id, properties, *args, **kwargs)
        finally:
            SERVICE_TOKEN.set(None)

    def executing(function, event):
        token = SERVICE_TOKEN.get()
        if token is None:
            return execute(function, event)
        SERVICE_TOKEN.set(None)
        return invoke_asynchronously(token, event)

    custom_resource.invoke_custom_resource, lambda_svc._execute_function_with_config_scope = invoking, executing
