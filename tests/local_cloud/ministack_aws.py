"""ministack with IAM enforced, patched where its IAM differs from AWS's. Nothing here knows Foregate."""

import os

from ministack.core import iam_actions, iam_evaluator

# "To perform the batch actions you need the permission of the single one": SendMessageBatch is allowed by
# sqs:SendMessage, and so on (SQS developer guide, "Amazon SQS API permissions").
SAME_PERMISSION = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


# One alias, by its name, is another action than the list of them (Lambda API reference, "Service authorization").
ONE_ALIAS = {"GET": "lambda:GetAlias", "PUT": "lambda:UpdateAlias", "DELETE": "lambda:DeleteAlias"}
# Settings of a function that have actions of their own; ministack takes them for changes of its code.
SETTINGS = {"event-invoke-config": "FunctionEventInvokeConfig", "recursion-config": "FunctionRecursionConfig"}
VERBS = {"GET": "Get", "PUT": "Put", "POST": "Update", "DELETE": "Delete"}


def patch_actions():
    original = iam_actions.extract_iam_action

    def extract_iam_action(service, method, path, *args, **kwargs):
        action = original(service, method, path, *args, **kwargs)
        if action == "lambda:ListAliases" and path.rstrip("/").split("/")[-2] == "aliases":
            action = ONE_ALIAS.get(method, action)
        setting = SETTINGS.get(path.rstrip("/").split("/")[-1]) if service == "lambda" else None
        if setting:
            action = f"lambda:{VERBS[method]}{setting}"
        return SAME_PERMISSION.get(action, action)

    iam_actions.extract_iam_action = extract_iam_action


def patch_qualifiers():
    """What is asked of an alias or a version is allowed by that one's ARN (Lambda developer guide, "Resources and conditions
    for Lambda actions": a qualified ARN)."""
    original = iam_actions.extract_resource_arn

    def extract_resource_arn(service, method, path, headers, body, query_params, *where):
        arn = original(service, method, path, headers, body, query_params, *where)
        qualifier = query_params.get("Qualifier") if service == "lambda" else None
        return f"{arn}:{qualifier[0] if isinstance(qualifier, list) else qualifier}" if qualifier else arn

    iam_actions.extract_resource_arn = extract_resource_arn


# They have no resource type: a statement that names a bus allows neither (Service authorization reference, "Amazon
# EventBridge").
WITHOUT_RESOURCE = {"PutPermission", "RemovePermission"}


def patch_resources():
    original = iam_actions.extract_resource_arn

    def extract_resource_arn(service, method, path, headers, *rest):
        operation = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        is_without = service == "events" and operation in WITHOUT_RESOURCE
        return "*" if is_without else original(service, method, path, headers, *rest)

    iam_actions.extract_resource_arn = extract_resource_arn


def patch_conditions():
    """A condition compares what Fn::Join makes of a list, too (CloudFormation template reference, "Fn::Join"; a list that
    was left empty is commonly told so). ministack would compare the function itself."""
    from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

    original = engine._evaluate_conditions

    def joined(value, parameters):
        if isinstance(value, list):
            return [joined(one, parameters) for one in value]
        if isinstance(value, dict) and "Fn::Join" in value:
            return engine._resolve_refs(value, {}, parameters, {}, {}, "", "")
        return {key: joined(one, parameters) for key, one in value.items()} if isinstance(value, dict) else value

    def evaluate_conditions(template, parameters):
        return original({**template, "Conditions": joined(template.get("Conditions", {}), parameters)}, parameters)

    for module in (changesets, engine, handlers, provisioners, stacks):  # each has the name for itself
        module._evaluate_conditions = evaluate_conditions


def patch_secure_transport():
    """AWS's SDKs speak https to AWS, so that `aws:SecureTransport` is true (IAM user guide, "AWS global condition context
    keys"); here they speak http, over the loopback address and nothing else."""
    original = iam_evaluator.pin_request_origin

    def pin_request_origin(source_ip, secure_transport):
        original(source_ip, True)

    iam_evaluator.pin_request_origin = pin_request_origin


def main():
    os.environ["AUTH"] = "true"  # read when ministack's application is imported
    patch_actions()
    patch_qualifiers()
    patch_resources()
    patch_secure_transport()
    # Here, since they bring the services along, which read the environment.
    import ministack_asynchronous
    import ministack_lambda
    import ministack_permissions
    import ministack_record
    import ministack_rules
    import ministack_streams

    patch_conditions()
    ministack_lambda.patch_batches()
    ministack_lambda.patch_recursive_loops()
    ministack_lambda.patch_aliases_and_permissions()
    ministack_rules.patch_deliveries()
    ministack_streams.patch_streams()
    ministack_asynchronous.patch_asynchronous_invocations()
    ministack_permissions.patch_all()
    from ministack.app import main as serve

    ministack_record.patch()
    serve()


if __name__ == "__main__":
    main()
