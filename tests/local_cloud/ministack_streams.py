"""ministack's mappings of DynamoDB streams to functions, made anew: partial failures, a bound on retries, the destination for what
failed, and filters by EventBridge's matcher. Nothing here knows Foregate."""

import logging
import time
from typing import NamedTuple

from ministack.core.arn import parse_arn
from ministack.core.responses import _request_account_id, _request_region
from ministack.services import dynamodb, eventbridge, lambda_svc

LOG = logging.getLogger("lambda")
BATCH_SIZE = 100
RETRY_SECONDS = lambda_svc._ESM_BACKOFF_SECONDS
# How often each mapping's next batch has failed, by the mapping's id.
FAILURES = {}


def patch_streams():
    lambda_svc._poll_dynamodb_streams = poll
    lambda_svc._match_esm_filter = matches


def matches(record, pattern):
    """A filter is a pattern of EventBridge's (Lambda developer guide, "Control which events Lambda sends to your function")."""
    return any(eventbridge._matches_detail(record, one) for one in eventbridge._compile_pattern(pattern))


class Batch(NamedTuple):
    """Records of a stream from a position on, and those of them that the mapping's filters let through."""

    mapping: dict
    function: dict
    position: int
    records: list
    matching: list

    def advance(self, count):
        with lambda_svc._dynamodb_stream_positions_lock:
            lambda_svc._dynamodb_stream_positions[self.mapping["UUID"]] = self.position + count
        FAILURES.pop(self.mapping["UUID"], None)


def poll():
    """One look at each mapping; whether any had records."""
    had_any = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        tokens = _request_account_id.set(account), _request_region.set(region)
        try:
            batch = next_batch(mapping)
            if batch and batch.matching:
                lambda_svc._dispatch_esm_batch(mapping["UUID"], run, batch)
            elif batch:
                batch.advance(len(batch.records))
            had_any = had_any or batch is not None
        finally:
            _request_account_id.reset(tokens[0])
            _request_region.reset(tokens[1])
    return had_any


def next_batch(mapping):
    """A shard has one batch in work at a time, in order."""
    source, identifier = mapping.get("EventSourceArn", ""), mapping["UUID"]
    is_busy = lambda_svc._esm_inflight.get(identifier) or lambda_svc._esm_backoff_until.get(identifier, 0) > time.time()
    if ":dynamodb:" not in source or not mapping.get("Enabled", True) or is_busy:
        return None
    name, _ = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(source))
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    table = dynamodb._tables.get(name)
    if function is None or table is None or table.get("LatestStreamArn") != source:
        return None
    lambda_svc._init_stream_position(identifier, source, mapping.get("StartingPosition", "LATEST"))
    position = max(lambda_svc._dynamodb_stream_positions[identifier], dynamodb.stream_start_position(name))
    records = dynamodb.stream_records_since(name, position, mapping.get("BatchSize", BATCH_SIZE))
    matching = lambda_svc._apply_filter_criteria(records, mapping)
    return Batch(mapping, function, position, records, matching) if records else None


def run(batch):
    """Invokes the function. What comes after the failed record is tried again with it, as often as the mapping says."""
    mapping, identifier = batch.mapping, batch.mapping["UUID"]
    result = lambda_svc._execute_function(batch.function, {"Records": batch.matching})
    failed = first_failed(batch, result)
    if failed is None:
        mapping["LastProcessingResult"] = f"OK - {len(batch.matching)} records"
        return batch.advance(len(batch.records))
    mapping["LastProcessingResult"] = "FAILED"
    LOG.warning("%s failed on records of %s: %s", mapping["FunctionName"], mapping["EventSourceArn"], result.get("body"))
    if failed > 0:
        batch.advance(failed)
    else:
        FAILURES[identifier] = FAILURES.get(identifier, 0) + 1
    retries = mapping.get("MaximumRetryAttempts", -1)
    if -1 < retries < FAILURES.get(identifier, 0):
        give_up(batch, result)
    else:
        lambda_svc._esm_backoff_until[identifier] = time.time() + RETRY_SECONDS
    return None


def first_failed(batch, result):
    """Where in the batch the first record is that is to be tried again; None when all went well. A batch has failed as a whole
    where the answer names no record of it (recorded; Lambda developer guide, "Configuring partial batch response with DynamoDB
    and Lambda")."""
    if result.get("error"):
        return 0
    answer = result.get("body")
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not failures or "ReportBatchItemFailures" not in batch.mapping.get("FunctionResponseTypes", []):
        return None
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch.records]
    named = [failure.get("itemIdentifier") for failure in failures]
    return 0 if set(named) - set(numbers) else min(numbers.index(one) for one in named)


def give_up(batch, result):
    """Tells the destination, and goes on behind the batch."""
    mapping = batch.mapping
    told = mapping, batch.function, batch.matching, mapping["EventSourceArn"], result, "RetryAttemptsExhausted"
    lambda_svc._send_ddb_stream_failure_record(*told)
    batch.advance(len(batch.records))
