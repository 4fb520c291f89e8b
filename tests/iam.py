"""Holds every policy of template.yaml, as SAM translates it, and of the examples to AWS's tables of actions, resource types
and condition keys (Service authorization reference). The resource types are cfn-lint's copy, the condition keys
policy_sentry's: each has what the other lacks.
"""

import fnmatch
import functools
import itertools
import json
import pathlib
import re
import sys

import template
from cfnlint.data import AdditionalSpecs
from cfnlint.decode import decode
from cfnlint.helpers import load_resource
from policy_sentry.shared.iam_data import get_service_prefix_data

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Findings that are none, as they are printed: the reason, and AWS's page.
EXCEPTIONS = {}

# IAM user guide, "AWS global condition context keys"; those of tags are told by the tables, action by action.
GLOBAL_KEYS = """CalledVia CalledViaFirst CalledViaLast CurrentTime Ec2InstanceSourcePrivateIPv4 Ec2InstanceSourceVpc EpochTime
FederatedProvider MultiFactorAuthAge MultiFactorAuthPresent PrincipalAccount PrincipalArn PrincipalIsAWSService PrincipalOrgID
PrincipalOrgPaths PrincipalServiceName PrincipalServiceNamesList PrincipalType RequestedRegion ResourceAccount ResourceOrgID
ResourceOrgPaths SecureTransport SourceAccount SourceArn SourceIdentity SourceIp SourceOrgID SourceOrgPaths SourceVpc SourceVpcArn
SourceVpce SourceVpcAccount SourceVpcOrgID SourceVpcOrgPaths TokenIssueTime UserAgent Userid Username ViaAWSService VpcSourceIp VpceAccount VpceOrgID
VpceOrgPaths""".split()

# In every request of a function's (Lambda developer guide, "Using the lambda:SourceFunctionArn condition key").
SOURCE_FUNCTION = "lambda:SourceFunctionArn"

# What GetAtt and Ref answer (CloudFormation template reference, "Return values").
HERE = "eu-west-1:123456789012"
ARNS = {
    ("AWS::DynamoDB::Table", "Arn"): f"arn:aws:dynamodb:{HERE}:table/name",
    ("AWS::DynamoDB::Table", "StreamArn"): f"arn:aws:dynamodb:{HERE}:table/name/stream/label",
    ("AWS::EC2::VPCEndpoint", "Ref"): "vpce-0123456789abcdef0",
    ("AWS::EC2::VPC", "Ref"): "vpc-0123456789abcdef0",
    ("AWS::Events::EventBus", "Arn"): f"arn:aws:events:{HERE}:event-bus/name",
    ("AWS::Events::Rule", "Arn"): f"arn:aws:events:{HERE}:rule/name",
    ("AWS::IAM::Role", "Arn"): "arn:aws:iam::123456789012:role/name",
    ("AWS::IAM::Role", "Ref"): "name",
    ("AWS::Lambda::Function", "Arn"): f"arn:aws:lambda:{HERE}:function:name",
    ("AWS::Lambda::Function", "Ref"): "name",
    ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{HERE}:log-group:name:*",
    ("AWS::Logs::LogGroup", "Ref"): "name",
    ("AWS::SNS::Topic", "Ref"): f"arn:aws:sns:{HERE}:name",
    ("AWS::SQS::Queue", "Arn"): f"arn:aws:sqs:{HERE}:name",
}
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::URLSuffix": "amazonaws.com"}


# ---- what a template's values come to --------------------------------------------------------------------------------


class Document:
    def __init__(self, name, document):
        self.name, self.document = name, document

    def policies(self):
        """(logical id, statement) for whatever reads as a statement, both sides of every Fn::If."""
        for logical_id, resource in self.document["Resources"].items():
            for statement in statements_in(resource.get("Properties", {})):
                yield logical_id, {key: self.value(value) for key, value in statement.items()}

    def value(self, value):
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if not isinstance(value, dict):
            return value
        function, argument = next(iter(value.items()), ("", None))
        if function == "Ref":
            return self.attribute(argument, "Ref")
        if function == "Fn::GetAtt":
            return self.attribute(*(argument if isinstance(argument, list) else argument.split(".", 1)))
        if function == "Fn::Sub":
            return self.substituted(*(argument if isinstance(argument, list) else (argument, {})))
        if function == "Fn::If":
            return self.value(argument[1])
        if function.startswith("Fn::"):
            return "*"
        return {key: self.value(one) for key, one in value.items()}

    def attribute(self, logical_id, attribute):
        resource = self.document["Resources"].get(logical_id)
        if resource is None:
            return PSEUDO.get(logical_id, "*")  # a parameter
        known = ARNS.get((resource["Type"], attribute))
        if known is None:
            sys.exit(f"{self.name}: give {attribute} of {resource['Type']} ({logical_id}) a line in ARNS of tests/iam.py")
        return known

    def substituted(self, text, given):
        def one(match):
            name = match.group(1)
            if name in given:
                return str(self.value(given[name]))
            return self.attribute(*name.split(".", 1)) if "." in name else self.attribute(name, "Ref")

        return re.sub(r"\$\{([^}!]+)\}", one, text)


def statements_in(value):
    if isinstance(value, dict) and "Effect" in value and ("Action" in value or "NotAction" in value):
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from statements_in(one)


def listed(value):
    return value if isinstance(value, list) else [value]


# ---- AWS's tables ----------------------------------------------------------------------------------------------------


RESOURCE_TYPES = load_resource(AdditionalSpecs, "Policies.json")


class Action:
    """A row of the tables: the types of resources that the action takes, with their ARNs, and the condition keys."""

    def __init__(self, service, name):
        self.name = f"{service}:{name}"
        resources = RESOURCE_TYPES[service]
        kinds = resources["Actions"][name.lower()].get("Resources", [])
        self.arns = [arn for kind in listed(kinds) for arn in resources["Resources"][kind.lower()]["ARNFormats"]]
        self.keys = {key for kind in listed(kinds) for key in resources["Resources"][kind.lower()].get("ConditionKeys", [])}
        conditions = get_service_prefix_data(service)
        proper = conditions["privileges_lower_name"].get(name.lower())
        rows = conditions["privileges"][proper]["resource_types"].values() if proper else []
        self.keys |= {key for row in rows for key in row["condition_keys"]}
        self.kinds_of_keys = {key.lower(): one["type"] for key, one in conditions["conditions"].items()}

    def fits(self, resource):
        return resource == "*" or any(arns_overlap(resource, arn_pattern(arn)) for arn in self.arns)

    def knows(self, key):
        service, _, name = key.partition(":")
        if service == "aws" and name in GLOBAL_KEYS or key == SOURCE_FUNCTION:
            return True
        return any(same_key(key, known) for known in self.keys)

    def is_list(self, key):
        return any(same_key(key, known) and kind.startswith("ArrayOf") for known, kind in self.kinds_of_keys.items())


@functools.lru_cache(maxsize=None)
def actions(pattern):
    """The actions that a pattern of a policy means."""
    service, _, name = pattern.partition(":")
    known = RESOURCE_TYPES.get(service, {}).get("Actions", {})
    return [Action(service, one) for one in fnmatch.filter(known, name.lower())]


def same_key(key, known):
    """`aws:ResourceTag/${TagKey}` stands for every tag; keys' names have no case."""
    prefix, variable, _ = known.lower().partition("${")
    return key.lower().startswith(prefix) if variable else key.lower() == prefix


def arn_pattern(arn):
    return re.sub(r"\$\{[^}]*\}|\.\*", "*", arn)


def arns_overlap(one, other):
    """Part by part, as IAM reads them: a `*` of the region is none of the resource's."""
    return all(itertools.starmap(overlap, itertools.zip_longest(one.split(":", 5), other.split(":", 5), fillvalue="")))


def overlap(one, other):
    """Whether some text matches both patterns, in which `*` is any characters."""

    @functools.lru_cache(maxsize=None)
    def some(i, j):
        if i == len(one) or j == len(other):
            return set(one[i:]) <= {"*"} and set(other[j:]) <= {"*"}
        if one[i] == "*":
            return some(i + 1, j) or some(i, j + 1)
        if other[j] == "*":
            return some(i, j + 1) or some(i + 1, j)
        return (one[i] == other[j] or "?" in (one[i], other[j])) and some(i + 1, j + 1)

    return some(0, 0)


# ---- the findings ----------------------------------------------------------------------------------------------------


def findings(statement):
    wanted = listed(statement.get("Action", statement.get("NotAction")))
    if wanted == ["*"]:
        return
    yield from (f"{name}: AWS knows no such action" for name in wanted if not actions(name))
    known = [action for name in wanted for action in actions(name)]
    # A resource that a resource policy leaves to API Gateway to complete (API Gateway developer guide, "API Gateway
    # resource policy examples").
    resources = [re.sub("^execute-api:/", "arn:aws:execute-api:*:*:*/", one) for one in listed(statement.get("Resource", []))]
    if resources:
        yield from resource_findings(wanted, known, resources)
    yield from condition_findings(statement, known)


def resource_findings(wanted, known, resources):
    for name in wanted:
        found = actions(name)
        if found and not any(action.fits(resource) for action in found for resource in resources):
            takes = ", ".join(sorted(set(itertools.chain.from_iterable(map(lambda one: one.arns, found))))) or "*"
            yield f"{name}: its Resource has to be {takes}"
    for resource in resources:
        if not any(action.fits(resource) for action in known):
            yield f"Resource {resource}: no action of the statement takes it"


def condition_findings(statement, known):
    for operator, keys in statement.get("Condition", {}).items():
        for key in keys:
            for action in known:
                if not action.knows(key):
                    yield f"{action.name}: it has no condition key {key}"
            if not any(action.is_list(key) for action in known):
                continue
            if operator != "Null" and not operator.startswith(("ForAllValues:", "ForAnyValue:")):
                yield f"Condition {key}: it has many values, so {operator} needs ForAllValues or ForAnyValue"
            # IAM user guide, "Set operators for multivalued context keys": ForAllValues holds where there is no key.
            absent = statement["Condition"].get("Null", {})
            if operator.startswith("ForAllValues:") and statement["Effect"] == "Allow" and key not in absent:
                yield f"Condition {key}: ForAllValues holds without the key, too; add Null"


def documents():
    yield Document("template.yaml", template.translated())
    for path in sorted((ROOT / "examples").glob("*/*.yaml")):
        if "AWSTemplateFormatVersion" in path.read_text():
            read, problems = decode(str(path))
            if problems:
                sys.exit("\n".join(f"{path}: {problem.message}" for problem in problems))
            yield Document(str(path.relative_to(ROOT)), json.loads(json.dumps(read)))


def main():
    count, found = 0, set()
    for document in documents():
        for logical_id, statement in document.policies():
            count += 1
            where = f"{document.name}: {logical_id} ({statement.get('Sid', 'no Sid')})"
            found |= {f"{where}: {finding}" for finding in findings(statement)}
    problems = sorted(found - EXCEPTIONS.keys())
    problems += [f"{known}: no such finding any more; take it out of EXCEPTIONS" for known in EXCEPTIONS.keys() - found]
    print("\n".join(problems) if problems else f"policies: {count} statements fit AWS's tables")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
