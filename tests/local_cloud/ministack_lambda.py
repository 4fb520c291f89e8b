"""ministack's Lambda, patched where it differs from AWS's: recursive loops, batches, permissions. Nothing here knows Foregate."""

import contextvars
import hashlib
import inspect
import logging
import secrets
import time
from typing import NamedTuple

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

LOG = logging.getLogger("lambda")
INVOCATIONS_MAX = lambda_svc.MAX_INVOKE_DEPTH

# Of the running invocation: the trace that it belongs to, and whether its answer may name the messages that failed.
TRACE = contextvars.ContextVar("trace", default=None)
REPORTS_FAILURES = contextvars.ContextVar("reports_failures", default=False)
# The trace that came with the request to SQS.
SENDERS_TRACE = contextvars.ContextVar("senders_trace", default=None)


class Trace(NamedTuple):
    """The header `X-Amzn-Trace-Id`, as far as Lambda counts with it. AWS says of `Lineage` only that Lambda and other services
    append it (X-Ray developer guide, "Tracing header"): here it is, by function, how often the chain has invoked it before."""

    root: str
    lineage: dict[str, int]

    @classmethod
    def parse(cls, header):
        fields = dict(field.strip().split("=", 1) for field in (header or "").split(";") if "=" in field)
        entries = [entry.split(":") for entry in fields.get("Lineage", "").split("|") if entry.count(":") == 2]
        lineage = {function: int(count) for _, function, count in entries if count.isdigit()}
        return cls(fields.get("Root") or f"1-{int(time.time()):08x}-{secrets.token_hex(12)}", lineage)

    def invoking(self, function):
        """The trace of the next invocation of this function, and which one of the chain's it is."""
        before = self.lineage.get(function, -1) + 1
        return Trace(self.root, {**self.lineage, function: before}), before + 1

    def header(self):
        lineage = "|".join(f"1:{function}:{count}" for function, count in self.lineage.items())
        return f"Root={self.root};Parent={secrets.token_hex(8)};Sampled=0;Lineage={lineage}"


def lineage_id(function):
    """What stands for a function in a lineage."""
    return hashlib.sha256(lambda_svc._func_arn(function).encode()).hexdigest()[:8]


def is_stopped(function, headers):
    """Whether Lambda stops this invocation, the chain having invoked the function 16 times; sets the trace if it does not."""
    steps = [Trace.parse(header).invoking(lineage_id(function)) for header in headers or [None]]
    trace, invocation = max(steps, key=lambda step: step[1])
    if lambda_svc._recursive_loop_drop(function, lambda_svc._functions[function], invocation) is not None:
        LOG.warning("RecursiveInvocationsDropped: invocation %d of %s in one chain", invocation, function)
        return True
    TRACE.set(trace.header())
    return False


def patch_recursive_loops():
    """Lambda counts how often one chain of requests invokes a function, by the trace that AWS's SDKs send on, and stops the 17th
    invocation. An event source mapping gets a RecursiveInvocationException then, and a message stays in its queue until the
    redrive policy takes it to the dead-letter queue. (Lambda developer guide, "Use Lambda recursive loop detection to prevent
    infinite loops"; AWS Compute Blog, "Detecting and stopping recursive loops in AWS Lambda functions".)"""
    carry_senders_trace()
    stop_batches()
    stop_invocations()
    take_property_of_stacks()


def carry_senders_trace():
    """A message has the trace of the request that sent it as AWSTraceHeader (SQS API reference, "SendMessage"; SQS developer
    guide, "Amazon SQS message metadata")."""
    handle_request, build_attributes = sqs.handle_request, sqs._build_send_sys_attrs

    async def handling_request(method, path, headers, body, query_params):
        SENDERS_TRACE.set(headers.get("x-amzn-trace-id"))
        return await handle_request(method, path, headers, body, query_params)

    def building_attributes(now, given):
        trace = {"AWSTraceHeader": SENDERS_TRACE.get()} if SENDERS_TRACE.get() else {}
        return {**trace, **build_attributes(now, given)}

    sqs.handle_request, sqs._build_send_sys_attrs = handling_request, building_attributes


def stop_batches():
    run_batch = lambda_svc._run_sqs_batch

    def running_batch(mapping, function, event, *rest):
        """Runs in a context of its own. Of the chains that meet in a batch, the longest counts."""
        if is_stopped(mapping["FunctionName"], [one["attributes"].get("AWSTraceHeader") for one in event["Records"]]):
            mapping["LastProcessingResult"] = "PROBLEM: RecursiveInvocationException"
            return
        run_batch(mapping, function, event, *rest)

    def trace_of_invocation(config, inbound=None):
        """Every invocation has one, whether X-Ray samples it or not."""
        first, _ = Trace.parse(inbound).invoking(lineage_id(config["FunctionName"]))
        return TRACE.get() or first.header()

    lambda_svc._run_sqs_batch, lambda_svc._xray_trace_id_for_invocation = running_batch, trace_of_invocation


def stop_invocations():
    invoke = lambda_svc._invoke

    async def invoking(name, event, headers, *args, **kwargs):
        if name in lambda_svc._functions and is_stopped(name, [headers.get("x-amzn-trace-id")]):
            return lambda_svc._recursive_loop_drop(name, lambda_svc._functions[name], INVOCATIONS_MAX + 1)
        return await invoke(name, event, headers, *args, **kwargs)

    lambda_svc._invoke = invoking


def take_property_of_stacks():
    """`RecursiveLoop` of AWS::Lambda::Function (CloudFormation template reference)."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]

    def with_property(provision, properties_at):
        def provisioning(*args, **kwargs):
            name, attributes = provision(*args, **kwargs)
            lambda_svc._functions[name]["recursive_loop"] = args[properties_at].get("RecursiveLoop", "Terminate")
            return name, attributes

        return provisioning

    handlers["create"] = with_property(handlers["create"], 1)
    handlers["update"] = with_property(handlers["update"], 2)


def patch_batches():
    """A batch has failed as a whole where the function names a failed item without its identifier (Lambda developer guide,
    "Implementing partial batch responses"). And a batch has as many messages as the mapping says, not ten."""
    run_batch, receive, execute = lambda_svc._run_sqs_batch, sqs._receive_messages_for_esm, lambda_svc._execute_function

    def running_batch(mapping, *rest):
        REPORTS_FAILURES.set("ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []))
        run_batch(mapping, *rest)

    def executing(function, event):
        result = execute(function, event)
        if REPORTS_FAILURES.get() and names_no_item(result.get("body")):
            return {**result, "error": True, "body": {"errorMessage": "a failed item has no itemIdentifier"}}
        return result

    def receiving(url, size):
        batch = receive(url, size)
        while batch and len(batch) < int(size) and (more := receive(url, int(size) - len(batch))):
            batch += more
        return batch

    lambda_svc._run_sqs_batch, lambda_svc._execute_function = running_batch, executing
    sqs._receive_messages_for_esm = receiving


def names_no_item(answer):
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    return any(not isinstance(failure, dict) or not failure.get("itemIdentifier") for failure in failures or [])


def patch_aliases_and_permissions():
    """Each qualifier has a policy of its own, in which a statement's id is unique; $LATEST has none; an account is let in as its
    root; an alias that is not there is deleted without an error. All of it is recorded."""
    add_permission, delete_alias = for_one_policy(lambda_svc._add_permission), lambda_svc._delete_alias
    lambda_svc._remove_permission = for_one_policy(lambda_svc._remove_permission)
    lambda_svc._get_policy = for_one_policy(lambda_svc._get_policy)

    def adding_permission(name, data, query=None, path_qualifier=None):
        if lambda_svc._qualifier_from_path_or_query(path_qualifier, query) == "$LATEST":
            message = "We currently do not support adding policies for $LATEST."
            return error_response_json("InvalidParameterValueException", message, 400)
        principal = data.get("Principal", "")
        arn = f"arn:aws:iam::{principal}:root" if principal.isdigit() else principal
        return add_permission(name, {**data, "Principal": arn}, query, path_qualifier)

    def deleting_alias(function, alias):
        is_gone = alias not in lambda_svc._functions.get(function, {}).get("aliases", {alias})
        return (204, {}, b"") if is_gone else delete_alias(function, alias)

    lambda_svc._add_permission, lambda_svc._delete_alias = adding_permission, deleting_alias


def for_one_policy(operation):
    """The operation, with nothing but the qualifier's own statements in the function's policy."""

    def operating(name, *arguments, **named):
        asked = inspect.signature(operation).bind(name, *arguments, **named).arguments
        qualifier = lambda_svc._qualifier_from_path_or_query(asked.get("path_qualifier"), asked.get("query_params"))
        function = lambda_svc._functions.get(name)
        if function is None:
            return operation(name, *arguments, **named)
        own, policy = lambda_svc._policy_resource_arn(name, qualifier), function["policy"]
        others = [statement for statement in policy["Statement"] if statement["Resource"] != own]
        policy["Statement"] = [statement for statement in policy["Statement"] if statement["Resource"] == own]
        try:
            if operation.__name__ == "_get_policy" and not policy["Statement"]:
                return error_response_json("ResourceNotFoundException", "The resource you requested does not exist.", 404)
            return operation(name, *arguments, **named)
        finally:
            policy["Statement"] += others

    return operating
