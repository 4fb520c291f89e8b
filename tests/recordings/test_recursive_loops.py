"""Lambda stops a function that feeds its own queue. The function here uses AWS's SDK for Python, which sends the trace on as
the one for Rust does."""

import json

from tests.recordings.ministack import MinistackTest, wait_for

INVOCATIONS_MAX = 16


class RecursiveLoops(MinistackTest):
    def looping_function(self, hidden_seconds=10):
        """A function, its queue, that queue's dead-letter queue, and the queue that tells of invocations."""
        seen, _ = self.queue("seen")
        dead, dead_arn = self.queue("dead")
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
        own, own_arn = self.queue("own", VisibilityTimeout=str(hidden_seconds), RedrivePolicy=redrive)
        function = self.function("loop", {"SEEN": seen})
        self.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=own_arn, BatchSize=1)
        return function, own, dead, seen

    def send(self, queue, **command):
        self.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(command))

    def count(self, queue):
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def test_a_function_that_feeds_its_own_queue_is_stopped_after_16_invocations(self):
        function, own, dead, seen = self.looping_function()
        self.send(own, again=own)
        dropped = self.receive(dead, 1)[0]
        self.assertEqual(json.loads(dropped["Body"]), {"again": own})
        self.assertIn("Lineage=", dropped["Attributes"]["AWSTraceHeader"])
        self.assertEqual(self.count(seen), INVOCATIONS_MAX)
        self.assertIn(f"RecursiveInvocationsDropped: invocation 17 of {function}", self.ministack.log.read_text())

    def test_a_function_that_may_loop_goes_on(self):
        function, own, dead, seen = self.looping_function()
        self.client("lambda").put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")
        self.send(own, again=own)
        wait_for("more than 16 invocations", lambda: self.count(seen) > INVOCATIONS_MAX + 4)
        self.assertEqual(self.count(dead), 0)
        self.client("lambda").delete_function(FunctionName=function)

    def test_events_from_outside_begin_a_chain_each(self):
        _, own, dead, seen = self.looping_function(hidden_seconds=60)
        for _ in range(INVOCATIONS_MAX + 4):
            self.send(own, answer="done")
        self.receive(seen, INVOCATIONS_MAX + 4)
        self.assertEqual(self.count(dead), 0)

    def test_a_stack_says_whether_a_function_may_loop(self):
        for value, template in (("Allow", {"RecursiveLoop": "Allow"}), ("Terminate", {})):
            code = {"ZipFile": "def handler(event, context): pass"}
            settings = {"Code": code, "Handler": "index.handler", "Runtime": "python3.12", "Role": self.role(value, [])}
            function = {"Type": "AWS::Lambda::Function", "Properties": {**settings, **template, "FunctionName": value}}
            body = json.dumps({"Resources": {"Function": function}})
            self.client("cloudformation").create_stack(StackName=value, TemplateBody=body)
            self.client("cloudformation").get_waiter("stack_create_complete").wait(
                StackName=value, WaiterConfig={"Delay": 1}
            )
            answer = self.client("lambda").get_function_recursion_config(FunctionName=value)
            self.assertEqual(answer["RecursiveLoop"], value)
