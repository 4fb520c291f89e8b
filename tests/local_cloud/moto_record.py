"""Holds each request to moto to AWS's models, and notes which permissions it needs. Used by moto_aws.py."""

import io
from urllib.parse import parse_qs

import moto_permissions
import record
import service_models
from ministack.core import iam_actions
from moto.core.request import Request


def check(environ, body):
    """What AWS's model says of the request; None when it is no call of an AWS service."""
    request = Request(environ)
    checked = service_models.check(request)
    environ["wsgi.input"] = io.BytesIO(body)
    if checked:
        record.request(checked, request.headers)
    return checked


def note(environ, body, caller, checked, denied):
    """The permissions that the call needs, beside whose it is: a role's ARN, or the key of credentials that were made
    elsewhere."""
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    whose = caller.session.role_arn if caller.session else caller.key
    for action, resource, context in needs(environ, headers, body, caller, checked):
        record.permission(whose, (action, resource, caller.region), context, denied)


def needs(environ, headers, body, caller, checked):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if caller.service == "apigateway":
        yield from api_gateway_needs(method, path, body, caller, checked)
        return
    form = parse_qs(body.decode("utf-8", "replace")) if headers["content-type"].startswith("application/x-www") else {}
    action = iam_actions.extract_iam_action(caller.service, method, path, headers, body, form)
    where = caller.region, caller.account
    resource = iam_actions.extract_resource_arn(caller.service, method, path, headers, body, form, *where)
    if caller.service == "organizations" and "ParentId" in checked.parameters:
        # Service authorization reference, "AWS Organizations": a parent is a root or an organizational unit.
        parent = checked.parameters["ParentId"]
        kind = "root" if parent.startswith("r-") else "ou"
        resource = f"arn:aws:organizations::{caller.account}:{kind}/o-local/{parent}"
    yield action, resource, {}
    yield from tags_needed(action, checked, *where)


def tags_needed(action, checked, region, account):
    """What is made with tags needs CreateTags, and the action itself, on what is made (EC2 user guide, "Grant permission
    to tag Amazon EC2 resources during creation")."""
    for made in checked.parameters.get("TagSpecifications", []):
        resource = f"arn:aws:ec2:{region}:{account}:{made['ResourceType']}/*"
        tags = {f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in made.get("Tags", [])}
        yield action, resource, tags
        yield "ec2:CreateTags", resource, {**tags, "ec2:CreateAction": action.removeprefix("ec2:")}


def api_gateway_needs(method, path, body, caller, checked):
    """Service authorization reference, "Amazon API Gateway Management": the action is the HTTP method."""
    asked = moto_permissions.tags_in(body)
    context = {f"aws:ResourceTag/{key}": value for key, value in moto_permissions.tags_of(caller, path).items()}
    context |= {f"aws:RequestTag/{key}": value for key, value in asked.items()}
    for action, resource in moto_permissions.needs(caller, method, path.rstrip("/"), asked):
        yield action, resource, context
    # A resource policy needs a permission of its own (API Gateway developer guide, "AWS IAM permissions required to
    # create an API Gateway resource policy").
    if checked.operation == "PutRestApi" and b"x-amazon-apigateway-policy" in body:
        yield "apigateway:UpdateRestApiPolicy", f"arn:aws:apigateway:{caller.region}::{path}", context
