"""Holds template.yaml, as SAM translates it, to what AWS asks of it. The translator is AWS's own."""

import json
import pathlib
import sys

from cfnlint.decode import decode
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

TEMPLATE = pathlib.Path(__file__).resolve().parents[1] / "template.yaml"


class Region:
    """All that the translator asks of a boto3 session."""

    region_name = "eu-west-1"


def translated():
    template, problems = decode(str(TEMPLATE))
    if problems:
        sys.exit("\n".join(f"{TEMPLATE.name}: {problem.message}" for problem in problems))
    plain = json.loads(json.dumps(template))
    for resource in plain["Resources"].values():
        if "CodeUri" in resource.get("Properties", {}):
            resource["Properties"]["CodeUri"] = "s3://bucket/key"  # what `sam package` puts there
    return Translator({}, Parser(), boto_session=Region()).translate(plain, parameter_values={})


class Template:
    def __init__(self, document):
        self.document = document
        self.resources = document["Resources"]

    def of_type(self, kind):
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind}

    def functions(self):
        return self.of_type("AWS::Lambda::Function")

    def statements(self, function):
        """The statements of the function's role."""
        role = named(self.functions()[function]["Role"])
        policies = [either for policy in self.resources[role]["Properties"]["Policies"] for either in branches(policy)]
        policies += [one for one in self.of_type("AWS::IAM::Policy").values() if {"Ref": role} in one["Roles"]]
        documents = [policy["PolicyDocument"] for policy in policies if "PolicyDocument" in policy]
        statements = [either for document in documents for one in document["Statement"] for either in branches(one)]
        return [one for one in statements if "Effect" in one]


def named(value):
    """The logical id that a Ref or GetAtt names."""
    if "Ref" in value:
        return value["Ref"]
    attribute = value["Fn::GetAtt"]
    return attribute[0] if isinstance(attribute, list) else attribute.split(".")[0]


def branches(value):
    """What a Fn::If may become; anything else is itself."""
    return [leaf for one in value["Fn::If"][1:] for leaf in branches(one)] if "Fn::If" in value else [value]


def listed(value):
    return value if isinstance(value, list) else [value]


def a_function_that_may_send_to_its_own_queue_may_do_so_for_ever(template):
    """Lambda ends the chain of a function that feeds its own queue after 16 invocations, unless it is allowed.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html"""
    mappings = template.of_type("AWS::Lambda::EventSourceMapping").values()
    feeding = []
    for name, function in template.functions().items():
        sources = [one["EventSourceArn"] for one in mappings if named(one["FunctionName"]) == name]
        sends = [one for one in template.statements(name) if "sqs:SendMessage" in listed(one["Action"])]
        if any(source in listed(one["Resource"]) for one in sends for source in sources):
            feeding.append(name)
            if function.get("RecursiveLoop") != "Allow":
                yield f"{name} may send to the queue that wakes it, and its RecursiveLoop is not Allow"
            if not alarms(template, "AWS/Lambda", "RecursiveInvocationsDropped", {"Ref": name}):
                yield f"{name} has no alarm on RecursiveInvocationsDropped"
    if not feeding:
        yield "no function sends to its own queue: this rule has lost its subject"


def alarms(template, namespace, metric, subject):
    """The alarms on this metric of this resource."""
    return [
        name
        for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items()
        if (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric)
        and subject in [dimension["Value"] for dimension in alarm["Dimensions"]]
    ]


RULES = [
    a_function_that_may_send_to_its_own_queue_may_do_so_for_ever,
]


def main():
    template = Template(translated())
    failures = [f"{rule.__name__}: {failure}" for rule in RULES for failure in rule(template)]
    print(f"template.yaml: {len(RULES)} rules hold" if not failures else "\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
