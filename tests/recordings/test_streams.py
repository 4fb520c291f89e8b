"""What Lambda makes of a DynamoDB stream's records: what arrives, what is tried again and how often, what filters let through."""

import json

from tests.recordings.ministack import MinistackTest
from tests.recordings.recording import recorded

CLASS = "TestDynamoDBEventSourceMapping"
RETRIES = 3
# What the function names as failed, by the recording's name; None where the invocation ends as an error.
FAILURES = {
    "empty_string_item_identifier_failure": [{"itemIdentifier": ""}],
    "null_item_identifier_failure": [{"itemIdentifier": None}],
    "invalid_key_foo_failure": [{"foo": "bar"}],
    "invalid_key_foo_null_value_failure": [{"foo": None}],
    "item_identifier_not_present_failure": [{"itemIdentifier": "123"}],
    "unhandled_exception_in_function": None,
}
# What the function answers, by the recording's name.
SUCCESSES = {
    "empty_list_success": [],
    "null_success": None,
    "empty_dict_success": {},
    "empty_batch_item_failure_success": {"batchItemFailures": []},
    "null_batch_item_failure_success": {"batchItemFailures": None},
}


class Streams(MinistackTest):
    def said(self, name):
        return recorded("lambda/dynamodb-streams.json")[f"{CLASS}::{name}"]

    def table(self, label):
        """A table with a stream: its name, and the stream's ARN."""
        answer = self.client("dynamodb").create_table(
            TableName=self.name(label)[-40:].strip("-_"),
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        return answer["TableName"], answer["LatestStreamArn"]

    def map(self, stream, label, **mapping):
        """Lets the stream feed a function; the queue that tells of its invocations, and the one for failures."""
        seen, _ = self.queue(f"{label[:20]}-seen")
        failures, failures_arn = self.queue(f"{label[:20]}-failures")
        self.client("lambda").create_event_source_mapping(
            FunctionName=self.function(label[:20], {"SEEN": seen}),
            EventSourceArn=stream,
            StartingPosition="TRIM_HORIZON",
            DestinationConfig={"OnFailure": {"Destination": failures_arn}},
            **{"MaximumRetryAttempts": RETRIES, "FunctionResponseTypes": ["ReportBatchItemFailures"], **mapping},
        )
        return seen, failures

    def put(self, table, identifier, **command):
        item = {"id": {"S": identifier}, "command": {"S": json.dumps(command)}}
        self.client("dynamodb").put_item(TableName=table, Item=item)

    def invocation(self, seen):
        return json.loads(self.receive(seen, 1)[0]["Body"])["event"]["Records"]

    def keys(self, seen):
        return [record["dynamodb"]["Keys"]["id"]["S"] for record in self.invocation(seen)]

    def fed_functions(self, recording, commands):
        """By name: what is recorded of it, its table, and the queues of a function that got the command. All work at once."""
        fed = {}
        for name, command in commands.items():
            table, stream = self.table(name)
            self.put(table, "one", **command)
            fed[name] = (self.said(f"{recording}[{name}]"), table, *self.map(stream, name))
        return fed.items()

    def test_a_batch_that_fails_is_tried_as_often_as_recorded_and_then_told(self):
        commands = {
            name: {"fail": True} if items is None else {"answer": {"batchItemFailures": items}}
            for name, items in FAILURES.items()
        }
        fed = self.fed_functions("test_dynamodb_report_batch_item_failure_scenarios", commands)
        for name, (said, table, seen, failures) in fed:
            with self.subTest(name):
                record = json.loads(self.receive(failures, 1)[0]["Body"])
                self.receive(seen, len(said["dynamodb_events"]))
                expected = said["destination_queue_messages"]["Messages"][0]["Body"]
                self.assertEqual(record["requestContext"]["condition"], expected["requestContext"]["condition"])
                batch = record["DDBStreamBatchInfo"]
                self.assertEqual(batch["batchSize"], expected["DDBStreamBatchInfo"]["batchSize"])
                self.assertEqual(set(batch), set(expected["DDBStreamBatchInfo"]))
                # The stream goes on behind the batch, which was tried no more often.
                self.put(table, "two")
                self.assertEqual(self.keys(seen), ["two"])

    def test_a_batch_that_went_well_is_not_tried_again(self):
        commands = {name: {"answer": answer} for name, answer in SUCCESSES.items()}
        fed = self.fed_functions("test_dynamodb_report_batch_item_success_scenarios", commands)
        for name, (said, table, seen, _) in fed:
            with self.subTest(name):
                record, expected = self.invocation(seen)[0], said["dynamodb_events"][0]["Records"][0]
                self.assertEqual(set(record), set(expected))
                self.assertEqual(set(record["dynamodb"]), set(expected["dynamodb"]))
                self.put(table, "two")
                self.assertEqual(self.keys(seen), ["two"])

    def test_after_a_partial_failure_only_the_rest_of_the_batch_is_tried_again(self):
        said = self.said("test_dynamodb_report_batch_item_failures")
        shown = [one["dynamodb"]["Keys"]["my_partition_key"]["S"] for one in said["dynamodb_records"]["Records"]]
        table, stream = self.table("partial")
        for key in dict.fromkeys(shown[:-1]):
            self.put(table, key)
        self.put(table, shown[-1], answer={"batchItemFailures": [{"itemIdentifier": "RECORD"}]})
        seen, failures = self.map(stream, "partial", BatchSize=said["create_event_source_mapping_response"]["BatchSize"])
        record = json.loads(self.receive(failures, 1)[0]["Body"])
        self.assertEqual(record["DDBStreamBatchInfo"]["batchSize"], 1)
        told = []
        while len(told) < len(shown):
            told += self.keys(seen)
        self.assertEqual(told, shown)

    def test_filters_let_through_what_is_recorded(self):
        other, present = {"presentKey": {"S": "another"}}, {"presentKey": {"S": "presentValue"}}
        for name, items, expected in (
            ("content_filter_type", [other, present, other], ["1"]),
            # The key is there and is no leaf: for a pattern it does not exist, and AWS let it through.
            ("exists_false_filter", [{}, present], ["0", "1"]),
        ):
            with self.subTest(name):
                said = self.said(f"test_dynamodb_event_filter[{name}]")
                mapping = said["create_event_source_mapping_response"]["FilterCriteria"]["Filters"]
                filters = [{"Pattern": json.dumps(one["Pattern"])} for one in mapping]
                self.assertEqual(len(said["lambda-multiple-log-events"]), len(expected))
                table, stream = self.table(name)
                for at, item in enumerate(items):
                    self.client("dynamodb").put_item(TableName=table, Item={"id": {"S": f"{at}"}, **item})
                seen, _ = self.map(stream, name, FilterCriteria={"Filters": filters})
                self.assertEqual(self.keys(seen), expected)
