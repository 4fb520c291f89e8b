"""ministack's Lambda, patched where it differs from AWS's: recursive loops. Nothing here knows Foregate."""

import contextvars
import hashlib
import logging
import secrets
import time
from typing import NamedTuple

from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

LOG = logging.getLogger("lambda")
INVOCATIONS_MAX = lambda_svc.MAX_INVOKE_DEPTH

# The trace that the running invocation belongs to, and the one that came with the request to SQS.
TRACE = contextvars.ContextVar("trace", default=None)
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
