"""Deliveries of ministack's EventBridge, as the targets' own policies allow them. Nothing here knows Foregate."""

import logging

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, sqs

LOG = logging.getLogger("eventbridge")
ACTIONS = {"sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction"}


def patch_deliveries():
    """A queue or a function gets a rule's events where its policy lets EventBridge in, for that rule; what can't be delivered goes
    to the target's dead-letter queue, if that one's policy does (EventBridge user guide, "Using resource-based policies for
    Amazon EventBridge" and "Using dead-letter queues to process undelivered events")."""
    original = eventbridge._invoke_target

    def invoking(target, event, rule, view=None):
        # The scheduler delivers as its own role, and calls this, too.
        if ":rule/" not in rule.get("Arn", "") or may_deliver(rule["Arn"], target["Arn"]):
            original(target, event, rule, view)
            return
        dead_letters = target.get("DeadLetterConfig", {}).get("Arn")
        LOG.warning("FailedInvocations: %s may not deliver to %s", rule["Arn"], target["Arn"])
        if dead_letters and may_deliver(rule["Arn"], dead_letters):
            original({**target, "Arn": dead_letters}, event, rule, view)

    eventbridge._invoke_target = invoking


def may_deliver(rule, target):
    service = target.split(":")[2]
    if service not in ACTIONS:
        return True
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=ACTIONS[service],
        resource_arn=target,
        region=get_region(),
        secure_transport=True,
        service_context={"aws:sourcearn": rule, "aws:sourceaccount": get_account_id()},
    )
    policy = policy_of(service, target)
    return iam_evaluator.evaluate_resource_policy(policy, context, "events.amazonaws.com").decision == "Allow"


def policy_of(service, target):
    if service == "sqs":
        return (sqs._queue_by_arn(target) or {}).get("attributes", {}).get("Policy")
    found = lambda_svc.function_policy_for_arn(target)
    return found[0] if found else None
