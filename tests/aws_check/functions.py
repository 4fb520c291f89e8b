"""Experiments on what surrounds the functions: Lambda, EventBridge, Auto Scaling."""

import json

from aws_check import demo
from aws_check.imports import refusal
from aws_check.report import experiment, open_question


@experiment(
    "recursion-is-allowed",
    "Lambda developer guide, invocation-recursion",
    "Allow, Allow, Allow",
    "reads the recursion setting of bindings, links and catalog",
    "template.yaml: `RecursiveLoop: Allow`",
)
def recursion_is_allowed(account, context):
    ask = lambda name: account.client("lambda").get_function_recursion_config(
        FunctionName=f"{account.settings.prefix}-{name}")["RecursiveLoop"]
    return ", ".join(ask(name) for name in ("bindings", "links", "catalog"))


@experiment(
    "tenant-is-admitted",
    "service authorization reference: events:PutPermission has no resource type",
    "ACTIVE, with an alias that its account may invoke",
    "onboards a tenant with `Events: true` by the deployed function and its role, and reads the alias's policy",
    "template.yaml: what `tenants` may do",
)
def tenant_is_admitted(account, context):
    arn = context.tenant["attributes"]["RoutesServiceToken"]
    name, qualifier = arn.rsplit(":", 1)
    policy = json.loads(account.client("lambda").get_policy(FunctionName=name, Qualifier=qualifier)["Policy"])
    admitted = account.settings.tenant_account in json.dumps(policy)
    return context.tenant["status"] + (", with an alias that its account may invoke" if admitted else f", policy {policy}")


@experiment(
    "bus-statement",
    "EventBridge API reference, PutPermission",
    "the account is in the bus's policy",
    "reads the policy of Foregate's bus after the tenant was onboarded with `Events: true`",
    "functions/tenants: one statement for all tenants that asked",
)
def bus_statement(account, context):
    bus = account.client("events").describe_event_bus(Name=account.settings.prefix)
    found = account.settings.tenant_account in bus.get("Policy", "")
    return "the account is in the bus's policy" if found else f"policy {bus.get('Policy')}"


@experiment(
    "alias-has-its-own-settings",
    "Lambda developer guide, invocation-async-configuring: settings are of a function, a version or an alias",
    "the alias has a destination for failures",
    "reads the asynchronous settings of the tenant's alias",
    "functions/tenants sets them for every alias",
)
def alias_has_its_own_settings(account, context):
    name, qualifier = context.tenant["attributes"]["RoutesServiceToken"].rsplit(":", 1)
    answer = account.client("lambda").get_function_event_invoke_config(FunctionName=name, Qualifier=qualifier)
    destination = answer.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return "the alias has a destination for failures" if destination else "it has none"


@experiment(
    "permission-is-there-already",
    "Lambda API reference, AddPermission, ResourceConflictException",
    "ResourceConflictException that says the statement exists",
    "adds the permission of the tenant's alias a second time",
    "shared/src/aws: told apart from an operation in progress",
)
def permission_is_there_already(account, context):
    name, qualifier = context.tenant["attributes"]["RoutesServiceToken"].rsplit(":", 1)
    message = refusal(
        lambda: account.client("lambda").add_permission(
            FunctionName=name, Qualifier=qualifier, StatementId=qualifier, Action="lambda:InvokeFunction",
            Principal=account.settings.tenant_account,
        )
    )
    said = message and message.startswith("ResourceConflict") and "already exists" in message
    return "ResourceConflictException that says the statement exists" if said else str(message)


@experiment(
    "node-drains-first",
    "Auto Scaling user guide, lifecycle hooks",
    "draining, deregistered, released",
    "has Auto Scaling terminate one of the demo's instances and watches its target and its lifecycle state",
    "functions/bindings",
)
def node_drains_first(account, context):
    return ", ".join(demo.drain(account, context))


open_question(
    "alias-quota",
    "Lambda API reference, CreateAlias, AliasLimitExceededException: the number is not documented",
    "more aliases than a platform has tenants",
    "creates aliases on one function until AWS refuses",
    "LimitExceeded, with what to do",
)
open_question(
    "organization-events",
    "EventBridge user guide, eb-use-conditions: `events:source` is multi-valued",
    "a member's `aws.apigateway` events arrive",
    "puts a CloudTrail event through a member account's rule and looks for it in the catalog's queue",
    "template.yaml: OrganizationMaySend",
)
open_question(
    "link-by-the-function",
    "API Gateway developer guide, set-up-private-integration permissions",
    "CreateVpcLink calls EC2 as the caller, through API Gateway (`aws:ViaAWSService`)",
    "limits the endpoint-service actions of links to `aws:ViaAWSService` and makes a link",
    "template.yaml: what `links` may do",
)
open_question(
    "endpoint-interface-events",
    "none found",
    "CloudTrail tells of CreateNetworkInterface for the interfaces of a VPC endpoint",
    "makes an interface endpoint and looks at the trail's events",
    "functions/bindings; the schedule covers it",
)
open_question(
    "warm-pool-instances",
    "Auto Scaling user guide, ec2-auto-scaling-warm-pools",
    "DescribeAutoScalingGroups does not list them, and their tags do",
    "gives a group a warm pool of running instances and reads both lists",
    "functions/bindings: they are no targets",
)
