"""Asynchronous invocations: an alias has settings of its own, failures are tried again and then told to the destination."""

import json

from botocore.exceptions import ClientError

from tests.recordings.ministack import MinistackTest
from tests.recordings.recording import recorded


class AsynchronousInvocations(MinistackTest):
    def function_with_alias(self, **settings):
        """A function, the queue that tells of its invocations, and one for failures."""
        seen, _ = self.queue("seen")
        failures, failures_arn = self.queue("failures")
        function = self.function("function", {"SEEN": seen}, **settings)
        self.client("lambda").create_alias(FunctionName=function, Name="blue", FunctionVersion="$LATEST")
        return function, seen, failures, failures_arn

    def set(self, function, destination, retries, **qualifier):
        return self.client("lambda").put_function_event_invoke_config(
            FunctionName=function,
            MaximumRetryAttempts=retries,
            DestinationConfig={"OnFailure": {"Destination": destination}},
            **qualifier,
        )

    def count(self, queue):
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def fail(self, function, **qualifier):
        payload = json.dumps({"fail": True})
        self.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload, **qualifier)

    def test_what_is_set_for_the_function_does_not_hold_for_its_alias(self):
        function, seen, failures, failures_arn = self.function_with_alias()
        answer = self.set(function, failures_arn, 0)
        self.assertTrue(answer["FunctionArn"].endswith(f":{function}:$LATEST"), answer)
        with self.assertRaises(ClientError) as refused:
            self.client("lambda").get_function_event_invoke_config(FunctionName=function, Qualifier="blue")
        self.assertEqual(refused.exception.response["Error"]["Code"], "ResourceNotFoundException")
        self.fail(function, Qualifier="blue")
        arns = {json.loads(message["Body"])["arn"] for message in self.receive(seen, 3)}
        self.assertEqual([arn.rsplit(":", 1)[1] for arn in arns], ["blue"])
        self.fail(function)
        self.receive(failures, 1)
        self.assertEqual(self.count(failures), 0)
        self.assertEqual(len(self.receive(seen, 1)), 1)

    def test_an_aliass_failure_is_told_after_its_own_number_of_tries(self):
        function, seen, failures, failures_arn = self.function_with_alias()
        self.set(function, failures_arn, 1, Qualifier="blue")
        self.fail(function, Qualifier="blue")
        record = json.loads(self.receive(failures, 1)[0]["Body"])
        self.assertEqual(self.count(seen), 2)
        context = record["requestContext"]
        self.assertTrue(context["functionArn"].endswith(f":{function}:blue"), context)
        self.assertEqual((context["condition"], context["approximateInvokeCount"]), ("RetriesExhausted", 2))
        self.assertEqual(record["requestPayload"], {"fail": True})
        self.assertEqual(record["responsePayload"]["errorMessage"], "asked to fail")

    def test_a_rules_event_is_tried_three_times_and_then_told(self):
        function, seen, failures, failures_arn = self.function_with_alias()
        self.set(function, failures_arn, 2, Qualifier="blue")
        arn = self.client("lambda").get_alias(FunctionName=function, Name="blue")["AliasArn"]
        permission = {"StatementId": "rule", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
        self.client("lambda").add_permission(FunctionName=function, Qualifier="blue", **permission)
        events = self.client("events")
        events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["test"]}))
        events.put_targets(Rule="rule", Targets=[{"Id": "one", "Arn": arn, "Input": json.dumps({"fail": True})}])
        events.put_events(Entries=[{"Source": "test", "DetailType": "test", "Detail": "{}"}])
        self.receive(failures, 1)
        self.assertEqual({json.loads(message["Body"])["arn"] for message in self.receive(seen, 3)}, {arn})

    def test_a_custom_resources_request_is_tried_three_times_by_the_arn_of_its_service_token(self):
        function, seen, failures, failures_arn = self.function_with_alias()
        self.set(function, failures_arn, 2, Qualifier="blue")
        arn = self.client("lambda").get_alias(FunctionName=function, Name="blue")["AliasArn"]
        properties = {"ServiceToken": arn, "ServiceTimeout": 20, "fail": "true"}
        body = json.dumps({"Resources": {"Custom": {"Type": "Custom::Thing", "Properties": properties}}})
        self.client("cloudformation").create_stack(StackName="asks", TemplateBody=body, OnFailure="DO_NOTHING")
        record = json.loads(self.receive(failures, 1)[0]["Body"])
        self.assertEqual(record["requestPayload"]["LogicalResourceId"], "Custom")
        self.assertEqual({json.loads(message["Body"])["arn"] for message in self.receive(seen, 3)}, {arn})

    def test_a_role_that_may_not_send_can_have_no_destination(self):
        seen, seen_arn = self.queue("seen")
        statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": seen_arn}
        function = self.function("function", {"SEEN": seen}, Role=self.role("narrow", [statement]))
        _, other = self.queue("other")
        with self.assertRaises(ClientError) as refused:
            self.set(function, other, 2)
        self.assertEqual(refused.exception.response["Error"]["Code"], "InvalidParameterValueException")
        self.set(function, seen_arn, 2)

    def test_a_dead_letter_queue_gets_the_event_as_recorded(self):
        dead, dead_arn = self.queue("dead")
        function, *_ = self.function_with_alias(DeadLetterConfig={"TargetArn": dead_arn})
        self.fail(function)
        message = self.receive(dead, 1)[0]
        said = recorded("lambda/sqs.json")["test_sqs_queue_as_lambda_dead_letter_queue"]["messages"]["Messages"][0]
        self.assertEqual(json.loads(message["Body"]), {"fail": True})
        for attributes in (message["MessageAttributes"], said["MessageAttributes"]):
            kinds = {name: one["DataType"] for name, one in attributes.items()}
            self.assertEqual(kinds, {"RequestID": "String", "ErrorCode": "Number", "ErrorMessage": "String"})
        self.assertEqual(message["MessageAttributes"]["ErrorCode"], said["MessageAttributes"]["ErrorCode"])
