"""What Lambda makes of a queue's messages: which come back, when, and what arrives with them."""

import json
import time

from tests.recordings.ministack import MinistackTest
from tests.recordings.recording import recorded

HIDDEN_SECONDS = 6


class QueueBatches(MinistackTest):
    def mapped_function(self, max_receives=2, **mapping):
        """The queue that feeds a function, the queue that tells of its invocations, and the dead-letter queue."""
        seen, _ = self.queue("seen")
        dead, dead_arn = self.queue("dead")
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": max_receives})
        own, arn = self.queue("own", VisibilityTimeout=str(HIDDEN_SECONDS), RedrivePolicy=redrive)
        function = self.function("function", {"SEEN": seen})
        # So that the first batch does not wait for a cold start longer than it is hidden.
        self.client("lambda").invoke(FunctionName=function, Payload="{}")
        self.receive(seen, 1)
        settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], **mapping}
        answer = self.client("lambda").create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, **settings
        )
        return own, seen, dead, answer

    def send(self, queue, *commands):
        entries = [{"Id": str(at), "MessageBody": json.dumps(command)} for at, command in enumerate(commands)]
        self.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)

    def invocation(self, seen):
        return json.loads(self.receive(seen, 1)[0]["Body"])["event"]["Records"]

    def recording(self, name):
        return recorded("lambda/sqs.json")[name]

    def seen_by_recorded_function(self, name, step):
        """The records of an invocation, as the recorded function told of them."""
        body = self.recording(name)[step]["Messages"][0]["Body"]
        return body["event"]["Records"]

    def test_a_failed_message_comes_back_after_the_whole_visibility_timeout_and_ends_as_a_dead_letter(self):
        own, seen, dead, _ = self.mapped_function()
        began = time.monotonic()
        self.send(own, {"fail": True})
        first, second = self.invocation(seen), self.invocation(seen)
        self.assertGreaterEqual(time.monotonic() - began, HIDDEN_SECONDS)
        name = "test_redrive_policy_with_failing_lambda"
        for ours, step in ((first, "first_attempt"), (second, "second_attempt")):
            said = self.seen_by_recorded_function(name, step)
            self.assertEqual(
                [one["attributes"]["ApproximateReceiveCount"] for one in ours],
                [one["attributes"]["ApproximateReceiveCount"] for one in said],
            )
            self.assertEqual(set(ours[0]), set(said[0]))
            self.assertEqual(set(ours[0]["attributes"]), set(said[0]["attributes"]))
        self.assertEqual(self.receive(dead, 1)[0]["MessageId"], first[0]["messageId"])

    def test_of_a_batch_only_the_named_messages_come_back(self):
        own, seen, dead, _ = self.mapped_function(BatchSize=10)
        answer = {"batchItemFailures": [{"itemIdentifier": "MESSAGE"}]}
        began = time.monotonic()
        self.send(own, {"answer": answer}, {"well": 1}, {"well": 2})
        told = self.invocation(seen)
        while len(told) < 3:
            told += self.invocation(seen)
        again = self.invocation(seen)
        self.assertGreaterEqual(time.monotonic() - began, HIDDEN_SECONDS)
        self.assertEqual([json.loads(one["body"]) for one in again], [{"answer": answer}])
        self.receive(dead, 1)

    def test_a_failed_item_without_an_identifier_fails_the_batch(self):
        name = "test_report_batch_item_failures_invalid_result_json_batch_fails"
        said = self.recording(name)
        answer = said["first_invocation"]["Messages"][0]["Body"]["result"]
        own, seen, dead, _ = self.mapped_function()
        self.send(own, {"answer": answer})
        self.assertEqual(self.invocation(seen)[0]["attributes"]["ApproximateReceiveCount"], "1")
        self.assertEqual(self.invocation(seen)[0]["attributes"]["ApproximateReceiveCount"], "2")
        self.receive(dead, len(said["dlq_response"]["Messages"]))

    def test_an_empty_answer_means_that_the_batch_went_well(self):
        said = self.recording("test_report_batch_item_failures_empty_json_batch_succeeds")
        own, seen, dead, _ = self.mapped_function(max_receives=1)
        self.send(own, {"answer": said["first_invocation"]["Messages"][0]["Body"]["result"]})
        self.invocation(seen)
        self.send(own, {"fail": True})
        # The one that failed is the first to end here: the other did not.
        self.assertEqual(json.loads(self.receive(dead, 1)[0]["Body"]), {"fail": True})

    def test_a_batch_has_as_many_messages_as_the_mapping_says(self):
        name = "TestSQSEventSourceMapping::test_sqs_event_source_mapping_batch_size[15]"
        said = self.recording(name)["create-event-source-mapping-response"]
        own, seen, _, answer = self.mapped_function(BatchSize=said["BatchSize"], MaximumBatchingWindowInSeconds=5)
        self.assertEqual(answer["BatchSize"], said["BatchSize"])
        self.send(own, *[{"well": at} for at in range(10)])
        self.send(own, *[{"well": at} for at in range(5)])
        told = 0
        while told < 15:
            told += len(self.invocation(seen))
        self.assertEqual(told, 15)
