"""EventBridge's patterns: what AWS matches, does not match and refuses, asked of TestEventPattern, of PutRule and of rules that
deliver. And the patterns of template.yaml use no operator that these recordings say nothing of."""

import json
import unittest

from botocore.exceptions import ClientError
from cfnlint.decode import decode

from tests.recordings.ministack import MinistackTest
from tests.recordings.recording import ROOT, folder, json5, recorded

# Where ministack answers otherwise and Foregate does not mind.
DIFFERENT = {
    "content_wildcard_complex_EXC": "AWS refuses patterns that are costly to match; no rule here has a wildcard",
    "dot_joining_event": "AWS takes a dot in a field's name for a level; no event that Foregate reads has such a name",
    "nested_json_NEG": "a detail that is a string of JSON: EventBridge's events all have objects there",
}
# What PutEvents brings of an event; EventBridge fills in the rest itself.
BROUGHT = {"source", "detail-type", "detail", "resources"}


def cases():
    """Name, event and pattern of each recording."""
    for file in sorted((folder() / "events" / "patterns").glob("*.json5")):
        case = json5(file.read_text())
        yield file.stem, case["Event"], case["EventPattern"]


def expected(name):
    return "refused" if name.endswith("_EXC") else "no match" if name.endswith("_NEG") else "match"


def can_be_put(event, pattern):
    """Whether PutEvents can bring all of the event that the pattern asks about. It takes no event of AWS's own."""
    is_whole = isinstance(event.get("detail", {}), dict) and isinstance(event.get("resources", []), list)
    names = [event.get("source"), event.get("detail-type")]
    is_ours = all(isinstance(one, str) for one in names) and not names[0].startswith("aws.")
    return is_whole and is_ours and set(pattern) <= BROUGHT


def refusal(call):
    """The code of the error that the call ends with; None when it ends well."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


class EventPatterns(MinistackTest):
    def test_a_pattern_is_answered_as_aws_answers_it(self):
        events = self.client("events")
        for name, event, pattern in cases():
            with self.subTest(name):
                try:
                    answer = events.test_event_pattern(Event=json.dumps(event), EventPattern=json.dumps(pattern))
                    verdict = "match" if answer["Result"] else "no match"
                except ClientError as error:
                    self.assertEqual(error.response["Error"]["Code"], "InvalidEventPatternException")
                    verdict = "refused"
                self.assertEqual(verdict == expected(name), name not in DIFFERENT, verdict)

    def test_a_refused_pattern_makes_no_rule(self):
        events = self.client("events")
        for name, _, pattern in cases():
            with self.subTest(name):
                code = refusal(lambda: events.put_rule(Name="one", EventPattern=json.dumps(pattern)))
                is_refused = expected(name) == "refused" and name not in DIFFERENT
                self.assertEqual(code, "InvalidEventPatternException" if is_refused else None)

    def test_a_rule_delivers_what_its_pattern_matches_and_nothing_else(self):
        events = self.client("events")
        sender = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**sender, "Resource": "*"}]}
        url, arn = self.queue("delivered", Policy=json.dumps(policy))
        wanted = set()
        for name, event, pattern in cases():
            if expected(name) == "refused" or name in DIFFERENT or not can_be_put(event, pattern):
                continue
            self.rule(events, name, pattern, arn)
            self.assertEqual(events.put_events(Entries=[self.entry(event, name)])["FailedEntryCount"], 0, name)
            if expected(name) == "match":
                wanted.add(name)
        self.assertGreater(len(wanted), 40)
        # It comes last: when it is there, all others were decided.
        self.rule(events, "last", {"source": ["last"]}, arn)
        events.put_events(Entries=[{"EventBusName": "last", "Source": "last", "DetailType": "last", "Detail": "{}"}])
        delivered = {json.loads(message["Body"])["case"] for message in self.receive(url, len(wanted) + 1)}
        self.assertEqual(delivered, wanted | {"last"})

    @staticmethod
    def rule(events, name, pattern, arn):
        """A bus with one rule, whose deliveries have the case's name."""
        events.create_event_bus(Name=name)
        events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps(pattern))
        target = {"Id": "queue", "Arn": arn, "Input": json.dumps({"case": name})}
        events.put_targets(Rule=name, EventBusName=name, Targets=[target])

    @staticmethod
    def entry(event, bus):
        entry = {
            "EventBusName": bus,
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event.get("detail", {})),
        }
        return {**entry, "Resources": event["resources"]} if event.get("resources") else entry


def operators(pattern):
    """The operators of a pattern, and `value` for a value itself."""
    if isinstance(pattern, dict):
        for value in pattern.values():
            yield from operators(value)
    for choice in pattern if isinstance(pattern, list) else []:
        if isinstance(choice, list):  # one of the two that Fn::If chooses from
            yield from operators(choice)
        else:
            yield from choice if isinstance(choice, dict) else ["value"]


class TemplatePatterns(unittest.TestCase):
    # All cases that are recorded of these are answered here as AWS answers them.
    ALIKE = {"value", "exists", "prefix", "suffix", "anything-but", "equals-ignore-case", "numeric", "cidr"}

    def test_rules_use_only_operators_that_are_answered_here_as_aws_answers_them(self):
        template, _ = decode(str(ROOT / "template.yaml"))
        rules = [one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::Events::Rule"]
        patterns = [rule["EventPattern"] for rule in rules if "EventPattern" in rule]
        self.assertGreater(len(patterns), 10)
        for pattern in patterns:
            self.assertLessEqual(set(operators(pattern)), self.ALIKE, pattern)
