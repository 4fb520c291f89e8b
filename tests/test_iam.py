"""iam.py finds each kind of statement that AWS's tables have no room for, and lets the others be."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import iam

GROUP = "arn:aws:ec2:eu-west-1:123456789012:security-group/*"
RULE = "arn:aws:ec2:eu-west-1:123456789012:security-group-rule/*"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/foregate"
REST_APIS = "arn:aws:apigateway:eu-west-1::/restapis/*"
LINKS = "arn:aws:apigateway:eu-west-1::/vpclinks/*"
OWN = {"StringEquals": {"aws:ResourceTag/foregate": "foregate"}}
PRESENT = {"Null": {"events:source": "false"}}


def statement(action, resource, condition=None, effect="Allow"):
    return {"Effect": effect, "Action": action, "Resource": resource, "Condition": condition or {}}


FITTING = [
    statement("ec2:RevokeSecurityGroupIngress", GROUP, OWN),
    statement(["ec2:DescribeInstances", "ec2:DescribeSubnets"], "*", {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
    statement("ec2:CreateTags", RULE, {"StringEquals": {"ec2:CreateAction": "a", "aws:RequestTag/foregate": "b"}}),
    statement("events:PutPermission", "*"),
    statement("events:PutEvents", BUS, {"ForAllValues:StringEquals": {"events:source": "a"}, **PRESENT}),
    statement("apigateway:DELETE", LINKS, OWN),
    statement(["apigateway:PUT", "apigateway:UpdateRestApiPolicy"], REST_APIS),
    statement("sqs:*", "arn:aws:sqs:eu-west-1:123456789012:a", {"Bool": {"aws:SecureTransport": "false"}}, "Deny"),
    statement("execute-api:Invoke", "execute-api:/*"),
    statement("sts:AssumeRole", "arn:aws:iam::*:role/foregate-read", {"StringEquals": {"sts:ExternalId": "a"}}),
    statement("*", "*"),
]
UNFIT = [
    (statement("ec2:DescribeInstance", "*"), "AWS knows no such action"),
    (statement("nothing:Describe*", "*"), "AWS knows no such action"),
    (statement("events:PutPermission", BUS), "its Resource has to be *"),
    (statement("ec2:RevokeSecurityGroupIngress", RULE), "its Resource has to be arn:${Partition}:ec2:${Region}:${Account}:sec"),
    (statement("ec2:RevokeSecurityGroupIngress", [GROUP, RULE]), f"Resource {RULE}: no action of the statement takes it"),
    (statement(["ec2:DescribeInstances", "ec2:RevokeSecurityGroupIngress"], GROUP), "ec2:DescribeInstances: its Resource has to"),
    (statement("apigateway:UpdateRestApiPolicy", LINKS), "its Resource has to be"),
    (statement("events:PutEvents", BUS, {"StringEquals": {"events:sauce": "a"}}), "it has no condition key events:sauce"),
    (statement("dynamodb:ListStreams", "*", OWN), "it has no condition key aws:ResourceTag/foregate"),
    (statement("events:PutEvents", BUS, {"StringEquals": {"aws:PrincipalOrganization": "a"}}), "it has no condition key aws:Princ"),
    (statement("events:PutEvents", BUS, {"StringEquals": {"events:source": "a"}}), "it has many values, so StringEquals needs"),
    (statement("events:PutEvents", BUS, {"ForAllValues:StringEquals": {"events:source": "a"}}), "holds without the key, too"),
]


class Statements(unittest.TestCase):
    def test_what_fits_has_no_finding(self):
        for fitting in FITTING:
            with self.subTest(fitting):
                self.assertEqual(list(iam.findings(fitting)), [])

    def test_what_does_not_fit_is_found(self):
        for unfit, expected in UNFIT:
            with self.subTest(unfit):
                found = list(iam.findings(unfit))
                self.assertTrue(any(expected in finding for finding in found), found)


class Templates(unittest.TestCase):
    def test_values_come_to_what_cloudformation_makes_of_them(self):
        queue = {"Type": "AWS::SQS::Queue"}
        document = iam.Document("a", {"Resources": {"Queue": queue}})
        given = {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${Prefix}-a"}
        cases = [
            ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:eu-west-1:123456789012:name"),
            ({"Fn::Sub": "${Queue.Arn}/a"}, "arn:aws:sqs:eu-west-1:123456789012:name/a"),
            ({"Fn::Sub": ["${A}", {"A": {"Ref": "AWS::Region"}}]}, "eu-west-1"),
            (given, "arn:aws:sqs:eu-west-1:123456789012:*-a"),
            ({"Fn::ImportValue": "a"}, "*"),
        ]
        for value, expected in cases:
            self.assertEqual(document.value(value), expected)

    def test_the_statements_of_both_sides_of_a_condition_are_looked_at(self):
        one, other = statement("a:b", "*"), statement("c:d", "*")
        self.assertEqual(list(iam.statements_in({"Fn::If": ["A", {"Statement": [one]}, other]})), [one, other])


if __name__ == "__main__":
    unittest.main()
