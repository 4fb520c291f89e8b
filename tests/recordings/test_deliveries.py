"""Rules deliver where the target's policy lets them, and nowhere else."""

import json

from tests.recordings.ministack import MinistackTest


class Deliveries(MinistackTest):
    def policy(self, queue, rules):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": rules}},
        }
        return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}

    def rule(self, name, **target):
        events = self.client("events")
        arn = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
        events.put_targets(Rule=name, Targets=[{"Id": "one", "Input": json.dumps({"rule": name}), **target}])
        return arn

    def happen(self, *names):
        entries = [{"Source": name, "DetailType": "test", "Detail": "{}"} for name in names]
        self.client("events").put_events(Entries=entries)

    def test_a_queue_gets_what_the_rules_of_its_policy_send_and_the_dead_letter_queue_the_rest(self):
        queue, arn = self.queue("queue")
        dead, dead_arn = self.queue("dead")
        target = {"Arn": arn, "DeadLetterConfig": {"Arn": dead_arn}}
        allowed, denied = self.rule("allowed", **target), self.rule("denied", **target)
        sqs = self.client("sqs")
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=self.policy(arn, [allowed]))
        sqs.set_queue_attributes(QueueUrl=dead, Attributes=self.policy(dead_arn, [allowed, denied]))
        self.happen("denied", "allowed")
        self.assertEqual(json.loads(self.receive(queue, 1)[0]["Body"]), {"rule": "allowed"})
        self.assertEqual(json.loads(self.receive(dead, 1)[0]["Body"]), {"rule": "denied"})

    def test_a_function_is_invoked_by_the_rules_that_its_policy_names(self):
        seen, _ = self.queue("seen")
        name = self.function("function", {"SEEN": seen})
        lambda_ = self.client("lambda")
        arn = lambda_.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        self.rule("unknown", Arn=arn)
        known = self.rule("known", Arn=arn)
        lambda_.add_permission(
            FunctionName=name,
            StatementId="known",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=known,
        )
        self.happen("unknown", "known")
        self.assertEqual(json.loads(self.receive(seen, 1)[0]["Body"])["event"], {"rule": "known"})
