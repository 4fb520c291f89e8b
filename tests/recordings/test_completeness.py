"""Every recording of these files is replayed by a test here, or listed with the reason why it is not."""

import pathlib
import unittest

from tests.recordings.recording import recorded

# By the recording's file: what the names of the recorded tests contain, and why they are not replayed.
NOT_REPLAYED = {
    "lambda/sqs.json": {
        "test_failing_lambda_retries_after_visibility_timeout": "the first half of test_redrive_policy_with_failing_lambda",
        "test_report_batch_item_failures_on_lambda_error": "the same outcome as test_redrive_policy_with_failing_lambda",
        "test_report_batch_item_failures": "a FIFO queue; Foregate has none. For standard queues: a test of our own",
        "test_message_body_and_attributes_passed_correctly": "Foregate sends no message attributes",
        "test_fifo_message_group_parallelism": "a FIFO queue; Foregate has none",
        "filter": "Foregate's queues have no filters; those of streams are replayed",
        "test_event_source_mapping_default_batch_size": "the template gives its mappings a size and a window",
        "test_sqs_event_source_mapping": "what arrives is replayed with test_redrive_policy_with_failing_lambda",
        "test_duplicate_event_source_mappings": "CloudFormation makes each mapping once",
        "test_esm_with_not_existing_sqs_queue": "CloudFormation makes the queue first",
    },
    "lambda/dynamodb-streams.json": {
        "test_dynamodb_event_source_mapping": "what arrives is replayed with the batches that go well",
        "test_disabled_dynamodb_event_source_mapping": "Foregate disables none",
        "test_deletion_event_source_mapping_with_dynamodb": "Foregate deletes none but with its stack",
        "on_failure_destination": "what is told is replayed with the batches that fail; not to S3",
        "invalid_event_filter": "the template's filters are valid",
        "test_dynamodb_event_filter": "of the filters, those are replayed whose items the recording shows",
        "test_duplicate_event_source_mappings": "CloudFormation makes each mapping once",
        "test_esm_with_not_existing_dynamodb_stream": "CloudFormation makes the table first",
    },
    "lambda/aliases-and-permissions.json": {
        "test_alias_lifecycle": "versions; Foregate's aliases are of $LATEST",
        "test_alias_naming": "Foregate's names begin with letters",
        "test_non_existent_alias_update": "Foregate updates no alias",
        "TestLambdaRevisions": "Foregate sends no revision ids",
        "revisions": "Foregate sends no revision ids",
        "test_add_lambda_permission_aws": "the same as the first step of test_remove_multi_permissions",
        "test_create_multiple_lambda_permissions": "the same as test_remove_multi_permissions",
        "test_add_lambda_permission_optional_fields": "nothing is recorded",
        "test_add_lambda_permission_fields": "Foregate lets accounts in: a test of our own",
        "test_lambda_permission_versioning": "test_lambda_permission_fn_versioning is the newer one",
    },
    "dynamodb/dynamodb.json": {
        name: "Foregate does not use it"
        for name in (
            "secondary_index batch binary partiql execute_statement execute_transaction create_duplicate pay_per_request sse "
            "idempotent encoding continuous_backup describe_with_exclusive global_tables kinesis contributor gsi table_crud "
            "warm_throughput stream_destination transact_get_items"
        ).split()
    }
    | {
        "test_return_values_in_put_item": "Foregate asks for no old values but where a condition fails",
        "test_transaction_write_items": "nothing but that it goes well; test_transact_write_items_streaming shows more",
        "streaming": "of the streams, transactions are the harder case and replayed",
        "stream_view_type": "Foregate's stream has new and old images",
        "test_dynamodb_stream_records_with_update_item": "Foregate puts and deletes whole items",
    },
    "ec2/ec2.json": {
        name: "Foregate does not use it"
        for name in "route_table peering vpn_gateways FlowLogs volume availability_zones".split()
    },
}


class Completeness(unittest.TestCase):
    def test_every_recording_is_replayed_or_listed(self):
        sources = "".join(file.read_text() for file in pathlib.Path(__file__).parent.glob("test_[!c]*.py"))
        for file, listed in NOT_REPLAYED.items():
            for name in recorded(file):
                with self.subTest(f"{file} {name}"):
                    is_replayed = name.split("::")[-1].split("[")[0] in sources
                    self.assertTrue(is_replayed or any(part in name for part in listed))
