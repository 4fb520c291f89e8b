"""service_models.py catches each kind of request that AWS's models do not allow, in each protocol, and no other."""

import json
import unittest
from urllib.parse import urlencode

import boto3
import service_models
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.loaders import Loader

SIGNED = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261125/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"
VERSIONS = {"ec2": "2016-11-15", "elasticloadbalancing": "2015-12-01", "autoscaling": "2011-01-01", "sts": "2011-06-15"}
ROLE = "arn:aws:iam::123456789012:role/reader"


def faults(request):
    return service_models.check(request).faults


def form(service, action, **fields):
    body = urlencode({"Action": action, "Version": VERSIONS[service], **fields}).encode()
    headers = {"Authorization": SIGNED.format(service), "Content-Type": "application/x-www-form-urlencoded"}
    return service_models.request_of("POST", "/", headers, body, "")


def target(service, operation, body):
    headers = {"Authorization": SIGNED.format(service), "Content-Type": "application/x-amz-json-1.0"}
    headers["X-Amz-Target"] = operation
    return service_models.request_of("POST", "/", headers, json.dumps(body).encode(), "")


def rest(service, method, path, body=None, query=""):
    headers = {"Authorization": SIGNED.format(service), "Content-Type": "application/json"}
    return service_models.request_of(method, path, headers, json.dumps(body).encode() if body is not None else b"", query)


def stage(**change):
    return rest("apigateway", "PATCH", "/restapis/a1b2c3/stages/live", {"patchOperations": [{"op": "replace", **change}]})


def alias(**fields):
    return rest("lambda", "POST", "/2015-03-31/functions/foregate-routes/aliases", {"Name": "a", **fields})


def items(**fields):
    return target("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": "registry", **fields})


ITEM = {"pk": {"S": "ROUTE"}, "n": {"N": "1"}, "b": {"B": "AAEC"}, "m": {"M": {"l": {"L": [{"BOOL": True}]}}}}
WAIT = {"QueueUrl": "http://queue", "MaxNumberOfMessages": 10}
ALLOWED = {
    "a form": form("ec2", "DescribeInstances", **{"Filter.1.Name": "tag:a", "Filter.1.Value.1": "b", "MaxResults": 5}),
    "a form with lists": form("elasticloadbalancing", "RegisterTargets", **{"TargetGroupArn": "a", "Targets.member.1.Id": "i"}),
    "a boolean in a form": form("ec2", "DescribeInstances", DryRun="false"),
    "a tree": items(Item=ITEM),
    "no body": rest("apigateway", "GET", "/restapis", query="limit=500"),
    "any name in a query": rest("apigateway", "GET", "/restapis/a/stages/live/exports/oas30", query="extensions=apigateway"),
    "a bare document": rest("apigateway", "PUT", "/restapis/a", {"openapi": "3.0.1"}, "mode=overwrite&failonwarnings=true"),
    "an ARN in a path": rest("apigateway", "GET", "/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fa"),
    "a pattern": alias(FunctionVersion="$LATEST"),
}
REFUSED = [
    ("missing, in a form", form("sts", "AssumeRole", RoleArn=ROLE), 'Missing required parameter in input: "RoleSessionName"'),
    ("missing, in a tree", items(), 'Missing required parameter in input: "Item"'),
    ("missing, in REST", alias(), 'Missing required parameter in input: "FunctionVersion"'),
    ("no such value, in a form", form("ec2", "DescribeVpcs", **{"TagSpecification.1.ResourceType": "vpc"}), "TagSpecification.1"),
    (
        "no such value in an enumeration",
        form("ec2", "CreateVpc", **{"TagSpecification.1.ResourceType": "vcp"}),
        "TagSpecifications[0].ResourceType is 'vcp', which is none of",
    ),
    ("no such value in an enumeration, in REST", stage(op="set", path="/a"), "patchOperations[0].op is 'set', which is none of"),
    ("not the pattern", alias(FunctionVersion="newest"), "FunctionVersion is 'newest', which does not match"),
    ("a part of it is the pattern", alias(FunctionVersion="1 "), "which does not match"),
    ("too short", form("sts", "AssumeRole", RoleArn=ROLE, RoleSessionName="a"), "RoleSessionName"),
    ("too long", form("sts", "AssumeRole", RoleArn=ROLE, RoleSessionName="a" * 65), "RoleSessionName is 65, at most 64"),
    ("too much", form("sts", "AssumeRole", RoleArn=ROLE, RoleSessionName="ab", DurationSeconds=43201), "43201, at most 43200"),
    ("too little", form("sts", "AssumeRole", RoleArn=ROLE, RoleSessionName="ab", DurationSeconds=1), "DurationSeconds"),
    ("too few", target("events", "AWSEvents.PutEvents", {"Entries": []}), "Entries"),
    ("too many", target("events", "AWSEvents.PutEvents", {"Entries": [{}] * 11}), "Entries is 11, at most 10"),
    ("an unknown field", form("ec2", "DescribeInstances", **{"Filters.1.Name": "a"}), "Filters.1.Name"),
    ("an unknown field in a list", form("ec2", "DescribeInstances", **{"Filter.1.Names": "a"}), "Filter.1.Names"),
    ("a gap in a list", form("ec2", "DescribeInstances", **{"InstanceId.2": "i-1"}), "InstanceId.2"),
    ("an unknown member", items(Item=ITEM, ReturnValue="NONE"), "body.ReturnValue"),
    ("an unknown member below", items(Item={"pk": {"String": "a"}}), "body.Item.pk.String"),
    ("an unknown member, in REST", stage(path="/a", values="b"), "body.patchOperations[0].values"),
    ("an unknown name in a query", rest("apigateway", "GET", "/restapis", query="limits=5"), "limits"),
    ("a form of another version", form("ec2", "DescribeInstances", Version="2015-01-01"), "Version 2015-01-01"),
    ("a number that is text", target("sqs", "AmazonSQS.ReceiveMessage", {**WAIT, "WaitTimeSeconds": "5"}), "WaitTimeSeconds"),
    ("text that is no number", form("ec2", "DescribeInstances", MaxResults="many"), "MaxResults can't be read"),
    ("text that is no boolean", form("ec2", "DescribeInstances", DryRun="yes"), "DryRun can't be read: 'yes' is neither true nor false"),
    ("a list that is text", items(Item={"pk": {"SS": "a"}}), "StringSetAttributeValue can't be read"),
    ("no JSON", target("sqs", "AmazonSQS.ReceiveMessage", [WAIT]), "no JSON object"),
    ("an unknown action", form("ec2", "DescribeInstance"), "no operation for DescribeInstance"),
    ("an unknown target", target("sqs", "AmazonSQS.TakeMessage", {}), "no operation for AmazonSQS.TakeMessage"),
    ("an unknown path", rest("apigateway", "GET", "/restapi"), "no operation for GET /restapi"),
    ("too many segments", rest("apigateway", "GET", "/restapis/a/b"), "path /restapis/a/b"),
    ("an unknown method", rest("apigateway", "PATCH", "/restapis"), "no operation for PATCH /restapis"),
    ("a service without a model here", rest("sns", "GET", "/"), "no model is known for the service sns"),
]


class AllowedOrNot(unittest.TestCase):
    def test_what_the_model_allows_has_no_fault(self):
        for name, request in ALLOWED.items():
            with self.subTest(name):
                self.assertEqual(faults(request), [])

    def test_what_the_model_does_not_allow_is_named(self):
        for name, request, expected in REFUSED:
            with self.subTest(name):
                found = faults(request)
                self.assertTrue(any(expected in fault for fault in found), found)

    def test_what_is_not_signed_is_no_call_of_a_service(self):
        self.assertIsNone(service_models.check(service_models.request_of("PUT", "/answer", {}, b"{}", "")))


class Sdk(unittest.TestCase):
    """boto3 writes requests by other code than that which reads them here."""

    def test_a_request_is_read_as_it_was_written(self):
        given = {
            ("ec2", "authorize_security_group_ingress"): {
                "GroupId": "sg-1",
                "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.1/32"}]}] * 12,
                "TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "b"}]}],
            },
            ("elbv2", "deregister_targets"): {"TargetGroupArn": "a", "Targets": [{"Id": "10.0.0.1", "Port": 80}]},
            ("autoscaling", "describe_auto_scaling_groups"): {"AutoScalingGroupNames": ["a", "b"], "MaxRecords": 100},
            ("dynamodb", "put_item"): {"TableName": "registry", "Item": {"pk": {"S": "a"}, "b": {"B": b"\0\1"}}},
            ("sqs", "send_message_batch"): {"QueueUrl": "http://q", "Entries": [{"Id": "1", "MessageBody": "a", "DelaySeconds": 9}]},
            ("lambda", "create_alias"): {"FunctionName": "f", "Name": "account-1", "FunctionVersion": "$LATEST"},
            ("apigateway", "update_stage"): {"restApiId": "a", "stageName": "b", "patchOperations": [{"op": "add", "path": "/c"}]},
        }
        for (service, method), parameters in given.items():
            with self.subTest(service):
                checked = service_models.check(sent(service, method, parameters))
                self.assertEqual((checked.faults, checked.parameters), ([], parameters))


def sent(service, method, parameters):
    session = boto3.Session("AKIDEXAMPLE", "local", region_name="eu-west-1")
    client = session.client(service, endpoint_url="http://localhost", config=Config(retries={"total_max_attempts": 1}))
    caught = []

    def catch(request, **_):
        caught.append(request)
        return AWSResponse(request.url, 500, {}, None)

    client.meta.events.register("before-send", catch)
    try:
        getattr(client, method)(**parameters)
    except Exception:  # the answer is none
        pass
    request = caught[0]
    path, _, query = request.url.removeprefix("http://localhost").partition("?")
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return service_models.request_of(request.method, path, request.headers, body, query)


class Patterns(unittest.TestCase):
    def test_every_pattern_of_the_models_is_understood_or_listed(self):
        seen = {one["pattern"] for one in shapes() if "pattern" in one}
        for text in seen - service_models.SKIPPED_PATTERNS.keys():
            with self.subTest(text):
                service_models.pattern(text)
        self.assertEqual(service_models.SKIPPED_PATTERNS.keys() - seen, set())

    def test_a_pair_of_halves_is_one_character(self):
        self.assertTrue(service_models.pattern("[\\uD800\\uDC00-\\uDBFF\\uDFFF]").fullmatch("\U0001f600"))


def shapes():
    for name in sum(service_models.MODELS.values(), []):
        yield from Loader().load_service_model(name, "service-2")["shapes"].values()


if __name__ == "__main__":
    unittest.main()
