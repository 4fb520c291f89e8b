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
    patch_secure_transport()
    # Here, since they bring the services along, which read the environment.
    import ministack_asynchronous
    import ministack_lambda
    import ministack_permissions
    import ministack_record
    import ministack_streams

    ministack_lambda.patch_batches()
    ministack_lambda.patch_recursive_loops()
    ministack_lambda.patch_aliases_and_permissions()
    ministack_streams.patch_streams()
    ministack_asynchronous.patch_asynchronous_invocations()
    ministack_permissions.patch_all()
    from ministack.app import main as serve

    ministack_record.patch()
    serve()


if __name__ == "__main__":
    main()
