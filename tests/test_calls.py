"""calls.py tells which requests AWS would not take, which calls a role may not make, and what nothing needs."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import calls

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/registry"
LINK = "arn:aws:apigateway:eu-west-1::/vpclinks/a"
STATEMENTS = [
    {"Sid": "Keep", "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"], "Resource": [TABLE, f"{TABLE}/index/a"]},
    {
        "Sid": "Delete",
        "Effect": "Allow",
        "Action": "apigateway:DELETE",
        "Resource": "arn:aws:apigateway:eu-west-1::/vpclinks/*",
        "Condition": {"StringEquals": {"aws:ResourceTag/foregate": "ours"}},
    },
    {"Sid": "Poll", "Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"},
    {"Sid": "Never", "Effect": "Deny", "Action": "dynamodb:PutItem", "Resource": f"{TABLE}/index/a"},
]
POLICIES = {"LinksRole": {"role": "foregate-LinksRole-1", "policies": {"links": {"Statement": STATEMENTS}}}}
SESSION = {"kind": "session", "key": "ASIAEXAMPLE", "arn": "arn:aws:sts::123456789012:assumed-role/foregate-LinksRole-1/links"}


def needed(action, resource, caller="ASIAEXAMPLE", **context):
    entry = {"kind": "permission", "caller": caller, "action": action, "resource": resource, "region": "eu-west-1"}
    return {**entry, "context": context, "denied": False}


def fault(application, caller="AKIDEXAMPLE"):
    entry = {"kind": "fault", "application": application, "caller": caller, "service": "ec2", "operation": "DescribeInstances"}
    return {**entry, "faults": ["Unknown parameter: Filters.1.Name"]}


GET = needed("dynamodb:GetItem", TABLE)
PUT = needed("dynamodb:PutItem", TABLE)
INDEX = needed("dynamodb:GetItem", f"{TABLE}/index/a")
DELETE = needed("apigateway:DELETE", LINK, **{"aws:ResourceTag/foregate": "ours"})
EVERYTHING = [SESSION, GET, PUT, INDEX, DELETE]
CASES = [
    ("everything is needed and allowed", EVERYTHING, []),
    ("the role itself is told by its ARN", [*EVERYTHING, needed("a:b", "*", "arn:aws:iam::1:role/foregate-LinksRole-1")], ["a:b on *"]),
    ("another role's calls are none of ours", [*EVERYTHING, needed("a:b", "*", "arn:aws:iam::1:role/other")], []),
    ("a request that AWS would not take", [*EVERYTHING, fault("foregate")], ["Unknown parameter: Filters.1.Name"]),
    ("one of a client without a name", [*EVERYTHING, fault("", "ASIAEXAMPLE")], ["Unknown parameter: Filters.1.Name"]),
    ("a test's own rubbish", [*EVERYTHING, fault("")], []),
    ("an action that is not allowed", [*EVERYTHING, needed("dynamodb:Query", TABLE)], ["dynamodb:Query on"]),
    ("a resource that is not allowed", [*EVERYTHING, needed("dynamodb:GetItem", f"{TABLE}s")], ["table/registrys with {} is not"]),
    ("a condition that does not hold", [*EVERYTHING, needed("apigateway:DELETE", LINK)], ["vpclinks/a with {} is not allowed"]),
    ("what is denied", [*EVERYTHING, needed("dynamodb:PutItem", f"{TABLE}/index/a")], ["is not allowed (Deny)"]),
    ("an action that nothing needs", [SESSION, GET, INDEX, DELETE], ["LinksRole Keep dynamodb:PutItem: allowed, and no call"]),
    ("a resource that nothing needs", [SESSION, GET, PUT, DELETE], [f"LinksRole Keep {TABLE}/index/a: allowed, and no call"]),
    ("a statement that nothing needs", [SESSION, GET, PUT, INDEX], ["Delete apigateway:DELETE: allowed", "Delete arn:aws:apig"]),
]


def problems(entries):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "record").mkdir()
        (directory / "record" / "moto.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        (directory / "policies.json").write_text(json.dumps(POLICIES))
        return calls.problems(calls.Recorded(directory), unused={})


class Calls(unittest.TestCase):
    def test_each_kind_of_problem_is_told_and_nothing_else(self):
        for name, entries, expected in CASES:
            with self.subTest(name):
                found = problems(entries)
                self.assertEqual(len(found), len(expected), found)
                for text in expected:
                    self.assertTrue(any(text in one for one in found), found)

    def test_an_exception_that_is_needed_no_more_is_told(self):
        self.assertIn("is used by now", calls.stale({("LinksRole", "Keep", "dynamodb:GetItem"): "why"}, set())[0])


if __name__ == "__main__":
    unittest.main()
