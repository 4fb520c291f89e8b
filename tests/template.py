"""Holds template.yaml, as SAM translates it, to what AWS asks of it. The translator is AWS's own."""

import json
import pathlib
import re
import sys

from cfnlint.decode import decode
from ministack.services.cloudformation import engine
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "template.yaml"


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


def every_asynchronous_failure_ends_in_a_queue(template):
    """Lambda drops an asynchronous event after its last try, a stream's batch likewise, and so does EventBridge with what it can't
    deliver, unless there is a queue for it. The function's role needs to send there.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    configs = template.of_type("AWS::Lambda::EventInvokeConfig").values()
    for name in template.functions():
        destinations = [
            config["DestinationConfig"]["OnFailure"]["Destination"]
            for config in configs
            if named(config["FunctionName"]) == name and config.get("MaximumEventAgeInSeconds") == 3600
        ]
        if len(destinations) != 1:
            yield f"{name} has no queue for what fails"
        for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values():
            if "StartingPosition" in mapping and named(mapping["FunctionName"]) == name:
                destinations.append(mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
                if not mapping.get("BisectBatchOnFunctionError"):
                    yield f"{name}: one bad record of the stream holds up the others"
        sent = [to for one in template.statements(name) if "sqs:SendMessage" in listed(one["Action"]) for to in listed(one["Resource"])]
        yield from (f"{name} may not send to {to}" for to in destinations if to not in sent)
    policies = template.of_type("AWS::SQS::QueuePolicy").values()
    for name, rule in template.of_type("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue is None:
                yield f"{name}: what can't be delivered to {target['Id']} is lost"
            elif not any(lets_in(policy, queue, name) for policy in policies):
                yield f"{name} may not send to its dead-letter queue"


def lets_in(policy, queue, rule):
    """Whether the queue's policy lets EventBridge send what this rule could not deliver."""
    return any(
        statement["Effect"] == "Allow"
        and queue in listed(statement["Resource"])
        and rule in [named(arn) for arn in listed(statement["Condition"]["ArnEquals"]["aws:SourceArn"])]
        for statement in policy["PolicyDocument"]["Statement"]
    )


def aliases_and_the_template_have_the_same_asynchronous_settings(template):
    """They belong to a qualifier each: those of tenants' aliases are made by the function `tenants`."""
    environment = template.functions()["TenantsFunction"]["Environment"]["Variables"]
    configs = template.of_type("AWS::Lambda::EventInvokeConfig").values()
    for destination in {json.dumps(config["DestinationConfig"]["OnFailure"]["Destination"]) for config in configs}:
        if json.loads(destination) != environment["FOREGATE_FAILURES_ARN"]:
            yield f"FOREGATE_FAILURES_ARN is not {destination}"
    ages = re.findall(r"EVENT_AGE_SECONDS_MAX: i32 = ([\d_]+);", (ROOT / "functions/tenants/src/access.rs").read_text())
    if [int(age.replace("_", "")) for age in ages] != [3600]:
        yield f"functions/tenants/src/access.rs: EVENT_AGE_SECONDS_MAX is {ages}"


def alarms_are_told_to_somebody(template):
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items():
        if {"Ref": "AlarmTopicArn"} not in [one for either in branches(alarm.get("AlarmActions", {})) for one in listed(either)]:
            yield f"{name} is told to nobody"


def what_can_go_wrong_has_an_alarm(template):
    """And Foregate's own metrics are those that the functions count."""
    for name in template.functions():
        for metric in ["Errors", "Throttles", "Duration", "AsyncEventsDropped"]:
            if not alarms(template, "AWS/Lambda", metric, {"Ref": name}):
                yield f"{name} has no alarm on {metric}"
    for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values():
        function = mapping["FunctionName"]
        if "StartingPosition" in mapping:
            if not alarms(template, "AWS/Lambda", "IteratorAge", function):
                yield f"{named(function)} has no alarm on IteratorAge"
        elif not alarms(template, "AWS/SQS", "ApproximateAgeOfOldestMessage", {"Fn::GetAtt": [named(mapping["EventSourceArn"]), "QueueName"]}):
            yield f"{named(mapping['EventSourceArn'])} has no alarm on its oldest message"
    counted = re.findall(r"^    (\w+), Count, ", (ROOT / "shared/src/telemetry.rs").read_text(), re.M)
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items():
        if alarm["Namespace"] == "Foregate" and alarm["MetricName"] not in counted:
            yield f"{name}: no function counts {alarm['MetricName']}"


def tenants_lets_accounts_in_by_aliases_alone(template):
    """Whoever may invoke a function without an alias is an operator."""
    for statement in template.statements("TenantsFunction"):
        actions = listed(statement["Action"])
        if not {"lambda:AddPermission", "lambda:RemovePermission"}.isdisjoint(actions):
            for resource in listed(statement["Resource"]):
                if not str(resource.get("Fn::Sub", "")).endswith(":account-*"):
                    yield f"{actions} on {resource}"
        if "lambda:AddPermission" in actions and statement.get("Condition") != {"StringLike": {"lambda:Principal": "?" * 12}}:
            yield "lambda:AddPermission lets in more than accounts"


def roles_are_passed_only_to_api_gateway_and_only_those_that_are_named(template):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    passing = [one for name in template.functions() for one in template.statements(name) if "iam:PassRole" in listed(one["Action"])]
    if not passing:
        yield "no role can be passed"
    for one in passing:
        if one["Resource"] != {"Ref": "PassableRoleArns"}:
            yield f"{one['Resource']} may be passed"
        if one["Condition"] != {"StringEquals": {"iam:PassedToService": "apigateway.amazonaws.com"}}:
            yield f"roles may be passed to {one['Condition']}"


def the_registry_outlives_the_stack(template):
    table = template.resources["Table"]
    if table["DeletionPolicy"] != "Retain" or table["UpdateReplacePolicy"] != "Retain":
        yield "the table goes with the stack"
    if not table["Properties"].get("DeletionProtectionEnabled"):
        yield "the table is not protected"


ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/old"
# What is given, and the parameter that the refusal names; None where it is taken.
DEPLOYMENTS = [
    ({}, None),
    ({"Prefix": "default"}, "Prefix"),
    ({"Prefix": "Pets"}, "1 to 32 lower-case letters"),
    ({"SubnetIds": "subnet-1,subnet-2"}, "SecurityGroupIds"),
    ({"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}, None),
    ({"ExistingTableName": "old"}, "ExistingTableStreamArn"),
    ({"ExistingTableName": "old", "ExistingTableStreamArn": f"{ARN}/stream/2026-11-25T06:00:00.000"}, None),
    ({"SyncSchedule": "5 minutes"}, "EventBridge schedule"),
    ({"SyncSchedule": "rate(1 minutes)"}, "EventBridge schedule"),
    ({"SyncSchedule": "rate(10 minutes)", "CatalogSchedule": "cron(0 6 * * ? *)"}, None),
    ({"AlarmTopicArn": "alarms"}, "SNS topic"),
    ({"RolePath": "foregate"}, "path"),
]


def what_can_not_work_is_refused_before_it_begins(template):
    """By the section Rules and the parameters' patterns. The evaluator is ministack's."""
    for given, named_in_refusal in DEPLOYMENTS:
        provided = [{"Key": key, "Value": value} for key, value in given.items()]
        refusal = None
        try:
            values = engine._resolve_parameters(template.document, provided)
            engine._evaluate_rules(template.document, values, {})
        except ValueError as error:
            refusal = str(error)
        if named_in_refusal is None and refusal:
            yield f"{given}: {refusal}"
        if named_in_refusal and named_in_refusal not in (refusal or ""):
            yield f"{given} is not refused by naming {named_in_refusal}: {refusal}"


def cloudformation_takes_it(template):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
    if len(json.dumps(template.document)) > 1 << 20 or len(template.resources) > 500 or len(template.document["Parameters"]) > 200:
        yield "the translated template is larger than CloudFormation allows"


RULES = [
    a_function_that_may_send_to_its_own_queue_may_do_so_for_ever,
    every_asynchronous_failure_ends_in_a_queue,
    aliases_and_the_template_have_the_same_asynchronous_settings,
    alarms_are_told_to_somebody,
    what_can_go_wrong_has_an_alarm,
    tenants_lets_accounts_in_by_aliases_alone,
    roles_are_passed_only_to_api_gateway_and_only_those_that_are_named,
    the_registry_outlives_the_stack,
    what_can_not_work_is_refused_before_it_begins,
    cloudformation_takes_it,
]


def main():
    template = Template(translated())
    failures = [f"{rule.__name__}: {failure}" for rule in RULES for failure in rule(template)]
    print(f"template.yaml: {len(RULES)} rules hold" if not failures else "\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
