"""What the functions asked of AWS while the tests ran, held to AWS's models and to the roles' policies: each request is one
that AWS's models allow, each call is one that the role's policies allow, and nothing is allowed that no call needs.

Run it after the whole suite: `make calls`, or this with a local cloud's directory, which needs not run any more. The
evaluator is ministack's, the policies are those that were deployed.
"""

import dataclasses
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "local_cloud"))

import record
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

APPLICATION = "foregate"
ACCOUNT = "123456789012"

LAMBDA_LOGS = "Lambda writes the function's log with its role; the local cloud's writes none (Lambda developer guide, execution role)"
LAMBDA_POLLS = "Lambda's event source mapping reads with the function's role (Lambda developer guide, event source mapping permissions)"
LAMBDA_SUBNETS = "Lambda makes the function's network interfaces, with its role (Lambda developer guide, VPC permissions)"
LAMBDA_FAILURES = "Lambda hands in what failed for the last time, with the function's role (Lambda developer guide, destinations)"
LINKS_ASK = "API Gateway asks with the caller's permissions (API Gateway developer guide, permissions to create a VPC link)"

# What no call of the suite needs and AWS does: action, why.
BY_AWS = {
    "logs:CreateLogStream": LAMBDA_LOGS,
    "logs:PutLogEvents": LAMBDA_LOGS,
    "sqs:ReceiveMessage": LAMBDA_POLLS,
    "sqs:DeleteMessage": LAMBDA_POLLS,
    "sqs:GetQueueAttributes": LAMBDA_POLLS,
    "dynamodb:DescribeStream": LAMBDA_POLLS,
    "dynamodb:GetRecords": LAMBDA_POLLS,
    "dynamodb:GetShardIterator": LAMBDA_POLLS,
    "dynamodb:ListStreams": LAMBDA_POLLS,
    "ec2:CreateVpcEndpointServiceConfiguration": LINKS_ASK,
    "ec2:DeleteVpcEndpointServiceConfigurations": LINKS_ASK,
    "ec2:DescribeVpcEndpointServiceConfigurations": LINKS_ASK,
    "ec2:ModifyVpcEndpointServicePermissions": LINKS_ASK,
    "ec2:CreateNetworkInterface": LAMBDA_SUBNETS,
    "ec2:DeleteNetworkInterface": LAMBDA_SUBNETS,
    "ec2:AssignPrivateIpAddresses": LAMBDA_SUBNETS,
    "ec2:UnassignPrivateIpAddresses": LAMBDA_SUBNETS,
}
HEARTBEAT = "simulation_nodes.rs sends it: a drain has to take longer than half of the hook's time, which is 30 s at least"
ORGANIZATION = "simulation_catalog.rs asks for the accounts of an organization's root and units"
FIREHOSE = "API Gateway makes its own role with the first access log that goes to Firehose; no test has a delivery stream"
PRUNE = "simulation_go_live.rs makes more than 20 revisions and has a candidate stage of an earlier version"
API = "arn:aws:apigateway:eu-west-1::/restapis/*"
# What no call of the suite needs and stays: (role, statement, action or resource), why.
UNUSED = {
    ("BindingsRole", "LetGoOfNodes", "autoscaling:RecordLifecycleActionHeartbeat"): HEARTBEAT,
    ("CatalogRole", "AskTheOrganization", "organizations:ListAccountsForParent"): ORGANIZATION,
    ("CatalogRole", "AskTheOrganization", "organizations:ListOrganizationalUnitsForParent"): ORGANIZATION,
    ("CatalogRole", "AskTheOrganization", "arn:aws:organizations::*:root/*"): ORGANIZATION,
    ("CatalogRole", "AskTheOrganization", "arn:aws:organizations::*:ou/*"): ORGANIZATION,
    ("CatalogRole", "LookAtMembersApis", "arn:aws:iam::*:role/foregate-read-*"): "a discovery may name a RoleName of its own",
    **{
        (f"{function}Role", "HandInFailures", part): LAMBDA_FAILURES
        for function in ("Bindings", "Links", "Tenants", "Routes", "Publisher", "Catalog")
        for part in ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:foregate-failures")
    },
    **{
        ("PublisherRole", "LogToFirehose", part): FIREHOSE
        for part in (
            "iam:CreateServiceLinkedRole",
            "arn:aws:iam::123456789012:role/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway",
        )
    },
    **{
        ("PublisherRole", "Prune", part): PRUNE
        for part in ("apigateway:DELETE", f"{API}/deployments/*", f"{API}/stages/*-candidate")
    },
    **{
        ("SubscriptionsRole", "SeeWhetherAKeyIsOnAPlan", part): "asked after a refused CreateUsagePlanKey alone: two at once"
        for part in ("apigateway:GET", "arn:aws:apigateway:*::/usageplans/*/keys/*")
    },
}


@dataclasses.dataclass(frozen=True)
class Permission:
    role: str
    action: str
    resource: str
    region: str
    context: str

    def evaluated(self, statements):
        context = {key.lower(): value for key, value in json.loads(self.context).items()}
        who = f"arn:aws:iam::{ACCOUNT}:role/{self.role}"
        asked = self.action, self.resource, self.region
        # AWS's SDKs speak https to AWS.
        where = EvalContext(who, "AssumedRole", ACCOUNT, *asked, secure_transport=True, service_context=context)
        return evaluate(where, [statements]).decision


class Recorded:
    """What a local cloud has noted, and its roles' policies by the roles' logical ids."""

    def __init__(self, directory):
        deployed = json.loads((directory / "policies.json").read_text())
        self.entries = list(record.read(directory / "record"))
        self.policies = {
            name: [one for document in role["policies"].values() for one in parse_policy_document(document)]
            for name, role in deployed.items()
        }
        self.by_role = {role["role"]: name for name, role in deployed.items()}
        self.by_key = {one["key"]: one["arn"] for one in self.entries if one["kind"] == "session"}

    def role(self, caller):
        """`arn:aws:sts::…:assumed-role/ROLE/SESSION` or `arn:aws:iam::…:role/ROLE`; None for a role of another's."""
        parts = self.by_key.get(caller, caller).split(":", 5)[-1].split("/")
        return self.by_role.get(parts[1]) if len(parts) > 1 else None

    def permissions(self):
        """Those that calls needed, by the role that made them."""
        found = {role: set() for role in self.policies}
        for one in self.entries:
            role = self.role(one["caller"]) if one["kind"] == "permission" else None
            if role:
                context = json.dumps(one["context"], sort_keys=True)
                found[role].add(Permission(role, one["action"], one["resource"], one["region"], context))
        return found


def refused_by_models(recorded):
    """The tests' own requests may be rubbish: those of the functions are told by the SDK's name for them, or by the role."""
    for one in recorded.entries:
        if one["kind"] == "fault" and (one["application"] == APPLICATION or recorded.role(one["caller"])):
            yield f"{one['service']} {one['operation']}: AWS's model does not allow it: {'; '.join(one['faults'])}"


def not_allowed(recorded):
    for role, asked in recorded.permissions().items():
        for one in asked:
            decision = one.evaluated(recorded.policies[role])
            if decision != "Allow":
                yield f"{role}: {one.action} on {one.resource} with {one.context} is not allowed ({decision})"


def not_needed(recorded):
    """(role, statement, action or resource) that is allowed and that no call needed."""
    wanted = recorded.permissions()
    for role, statements in recorded.policies.items():
        for index, statement in enumerate(statements):
            if statement.effect == "Allow":
                name = statement.sid or f"statement {index + 1}"
                yield from ((role, name, part) for part in unused_parts(statement, wanted[role]))


def unused_parts(statement, asked):
    """The actions of the statement that no call needed and, of those that are needed, the resources."""
    ours = [action for action in statement.actions if action not in BY_AWS]
    for action in ours:
        if not any(allows(statement, one, actions=[action]) for one in asked):
            yield action
    for resource in statement.resources if ours else []:
        if not any(allows(statement, one, resources=[resource]) for one in asked):
            yield resource


def allows(statement, one, **narrower):
    return one.evaluated([dataclasses.replace(statement, **narrower)]) == "Allow"


def stale(exceptions, found):
    return [f"{' '.join(one)}: is used by now; take it out of UNUSED" for one in exceptions.keys() - found]


def problems(recorded, unused):
    found = set(not_needed(recorded))
    left = [f"{' '.join(one)}: allowed, and no call needed it" for one in found - unused.keys()]
    return sorted([*refused_by_models(recorded), *not_allowed(recorded), *left, *stale(unused, found)])


def main():
    recorded = Recorded(pathlib.Path(sys.argv[1]))
    found = problems(recorded, UNUSED)
    operations = sum(one["kind"] == "operation" and one["application"] == APPLICATION for one in recorded.entries)
    permissions = sum(map(len, recorded.permissions().values()))
    print("\n".join(found) or f"calls: {operations} operations, {permissions} permissions, all as AWS has it")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
