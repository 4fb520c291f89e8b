"""Who calls moto, and what IAM lets be done: who assumes a role, and what a role calls API Gateway for. Used by
moto_aws.py; a role that set_role was told nothing of is unrestricted. Nothing here knows Foregate."""

import json
import re
from urllib.parse import quote
from xml.sax.saxutils import escape

from moto.apigateway.models import apigateway_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError
from moto.iam.models import get_account_id_from
from moto.sts.models import STSBackend
from moto.sts.responses import TokenResponse

# By their ARNs, what set_role was told; by their access key ids, the sessions that AssumeRole made.
ROLES = {}
SESSIONS = {}
DENIED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>{}</Message></Error><RequestId>local</RequestId></ErrorResponse>"""
CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/([^/]+)/([^/]+)/aws4_request")


def set_role(wish):
    """{"RoleArn", "Statements"?: [] or null, "ExternalId"?, "Absent"?}: from now on its calls to API Gateway are only
    those that a statement allows (null: all), it is assumed with that external id only, or there is no such role. Each
    call says all of it anew."""
    ROLES[wish["RoleArn"]] = wish
    return {}


class Caller:
    """Whose a request is, by its signature (IAM user guide, "AWS API request signature elements")."""

    def __init__(self, environ):
        found = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        self.key, self.region, self.service = found.groups() if found else ("", "", "")
        self.session = SESSIONS.get(self.key)
        named = environ.get("HTTP_X_MOTO_ACCOUNT_ID")
        self.account = named or (self.session.account_id if self.session else get_account_id_from(self.key))
        self.role = self.session.role_arn.rpartition("/")[2] if self.session else ""


def patch_assume_role():
    """A role that is not there, or whose trust policy wants another external id, can't be assumed: AccessDenied either
    way (IAM user guide, "Access to AWS accounts owned by third parties"; STS API reference, "Common errors")."""
    answer = TokenResponse.assume_role
    assume = STSBackend.assume_role

    def checked_assume_role(self):
        arn = self._get_param("RoleArn")
        role = ROLES.get(arn, {})
        wanted = role.get("ExternalId")
        if role.get("Absent") or (wanted and wanted != self._get_param("ExternalId")):
            who = self.backend.get_caller_identity(self.get_access_key(), self.region)[1]
            message = f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            return 403, {"status": 403, "Content-Type": "text/xml"}, DENIED.format(escape(message))
        return answer(self)

    def assume_role(self, *args, **kwargs):
        session = assume(self, *args, **kwargs)
        SESSIONS[session.access_key_id] = session
        return session

    TokenResponse.assume_role = checked_assume_role
    STSBackend.assume_role = assume_role


# ---- calls to API Gateway --------------------------------------------------------------------------------------------


def listed(value):
    return value if isinstance(value, list) else [value]


def fits(pattern, text):
    """IAM user guide, "IAM JSON policy elements: Resource": `*` is any characters, `?` is one."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


def holds(condition, context):
    """StringEquals alone is understood; a statement with another condition matches nothing."""
    return all(
        operator == "StringEquals" and key in context and context[key] in listed(values)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def verdict(statements, action, resource, context):
    """None when it is allowed, otherwise why not (IAM user guide, "Policy evaluation logic", "Troubleshoot access
    denied error messages")."""
    effects = {
        one["Effect"]
        for one in statements
        if any(fits(pattern.lower(), action.lower()) for pattern in listed(one.get("Action", [])))
        and any(fits(pattern, resource) for pattern in listed(one.get("Resource", [])))
        and holds(one.get("Condition", {}), context)
    }
    if "Deny" in effects:
        return "with an explicit deny in an identity-based policy"
    return None if "Allow" in effects else f"because no identity-based policy allows the {action} action"


def tags_of(caller, path):
    """The tags of an API key, a usage plan, a VPC link or a REST API that is called itself, not of what is below it (Service
    authorization reference, "Amazon API Gateway Management", resource types)."""
    kind, _, name = path.strip("/").partition("/")
    finders = {"apikeys": "get_api_key", "usageplans": "get_usage_plan", "restapis": "get_rest_api", "vpclinks": "get_vpc_link"}
    find = finders.get(kind)
    try:
        return (find and getattr(apigateway_backends[caller.account][caller.region], find)(name).tags) or {}
    except JsonRESTError:
        return {}


def tags_in(body):
    """Those that the call gives to what it makes; an OpenAPI document has `tags` too, in a list."""
    try:
        tags = json.loads(body).get("tags")
    except (ValueError, AttributeError):
        return {}
    return tags if isinstance(tags, dict) else {}


def needs(caller, method, path, tags):
    """Action and resource: of the call and, when it makes something with tags, of its tags (Service authorization
    reference, "Amazon API Gateway Management": CreateApiKey needs POST and PUT; the resource as in
    mattclay/aws-terminator, pull request 284). The ARN of a /tags/ resource has the tagged one's ARN, URL-encoded."""
    prefix = f"arn:aws:apigateway:{caller.region}::"
    if path.startswith("/tags/"):
        path = "/tags/" + quote(path.removeprefix("/tags/"), safe="")
    yield f"apigateway:{method}", prefix + path
    if method == "POST" and tags:
        yield "apigateway:PUT", f"{prefix}/tags/{quote(f'{prefix}{path}/*', safe='*')}"


def refusal(caller, method, path, body):
    """Why the call is refused: by the role's policy, or by the session's own that AssumeRole was given (IAM user guide,
    "Policies and permissions", "Session policies"). None when it is not."""
    if caller.service != "apigateway" or caller.session is None:
        return None
    session = caller.session
    own = listed(json.loads(session.policy)["Statement"]) if session.policy else None
    policies = [one for one in (ROLES.get(session.role_arn, {}).get("Statements"), own) if one is not None]
    if not policies:
        return None
    asked = tags_in(body)
    path = path.rstrip("/")
    context = {"aws:RequestedRegion": caller.region}
    context |= {f"aws:ResourceTag/{key}": value for key, value in tags_of(caller, path).items()}
    context |= {f"aws:RequestTag/{key}": value for key, value in asked.items()}
    for action, resource in needs(caller, method, path, asked):
        for statements in policies:
            why = verdict(statements, action, resource, context)
            if why:
                return f"User: {session.arn} is not authorized to perform: {action} on resource: {resource} {why}"
    return None
