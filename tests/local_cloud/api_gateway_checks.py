"""What API Gateway refuses in the parts of a REST API, in its own words where they are recorded: paths, integrations,
mapping expressions. Used by imports, which gather what is refused, and by the single calls."""

import os
import re

from moto.apigateway.exceptions import ApiGatewayException, BadRequestException

# The quota, which an account can have raised.
RESOURCES_PER_API = int(os.environ.get("LOCAL_CLOUD_RESOURCES_PER_API", "300"))
PART = re.compile(r"^([a-zA-Z0-9._:-]+|\{[a-zA-Z0-9._-]+\+?\})$")
# "$context variables for data models, authorizers, mapping templates, and CloudWatch access logging"
CONTEXT = re.compile(
    r"^context\.((accountId|apiId|awsEndpointRequestId|deploymentId|domainName|domainPrefix|extendedRequestId|httpMethod"
    r"|isCanaryRequest|path|protocol|requestId|requestTime|requestTimeEpoch|resourceId|resourcePath|stage"
    r"|wafResponseCode|webaclArn)|(authorizer|error|identity|requestOverride|responseOverride)\..+)$"
)
# "Amazon API Gateway API request and response data mapping reference", "Map data to integration request parameters"
TARGET = re.compile(r"^integration\.request\.(path|querystring|multivaluequerystring|header|multivalueheader)\.\S+$")
SOURCE = re.compile(
    r"^('.*'|stageVariables\.[A-Za-z0-9_]+|method\.request\.(body(\..+)?|multivalue(querystring|header)\.\S+"
    r"|(path|querystring|header)\.\S+)|context\.\S+)$",
    re.DOTALL,
)
TYPES = ("HTTP", "HTTP_PROXY", "AWS", "AWS_PROXY", "MOCK")
TIMEOUT_MAX = 29000
ENDPOINT = re.compile(r"^https?://[^/\s]+|^(https?://)?\$\{stageVariables\.[A-Za-z0-9_]+\}")
ARN = re.compile(r"^arn:[\w-]+:")
INVOCATION = re.compile(r"^arn:[\w-]+:apigateway:[^:]+:([\w-]+\.)?[\w-]+:(path|action)/")
VARIABLE = re.compile(r"^\$\{stageVariables\.([A-Za-z0-9_]+)\}$")


class LimitExceeded(ApiGatewayException):
    """API Gateway API reference, "Common errors of operations"."""

    code = 429

    def __init__(self, message):
        super().__init__("LimitExceededException", message)


def resources_of(paths):
    """Every path and each of its beginnings."""
    found = {"/"}
    for path in paths:
        parts = path.strip("/").split("/") if path.strip("/") else []
        found.update("/" + "/".join(parts[: n + 1]) for n in range(len(parts)))
    return found


def wrong_resources(paths, known=()):
    """{path: why}: what CreateResource refuses, in its words: the characters of a path part, a second variable under one
    parent, a child of a greedy variable (API Gateway API reference, CreateResource; recorded). More resources than the
    quota are refused as a whole ("Quotas for configuring and running a REST API")."""
    resources = resources_of(paths)
    # The quota counts what is below the root (recorded: 300 resources beside "/").
    if len(resources) > RESOURCES_PER_API:
        raise LimitExceeded(f"Maximum number of resources for this API has been reached: {RESOURCES_PER_API}")
    variables, wrong = {}, {}
    # What there is already is not what is wrong.
    known = resources_of(known)
    for resource in sorted(known - {"/"}) + sorted(resources - known):
        parent, _, part = resource.rpartition("/")
        if not PART.match(part):
            wrong[resource] = (
                "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
                "beginning and the end."
            )
        elif parent.endswith("+}"):
            greedy = parent.rpartition("/")[2]
            wrong[resource] = f"Cannot create a child of a resource with a greedy path variable: {greedy}"
        elif part.startswith("{") and variables.setdefault(parent, part) != part:
            wrong[resource] = (
                f"A sibling ({variables[parent]}) of this resource already has a variable path part -- only one is allowed"
            )
    return wrong


def wrong_integration(given, links, declared):
    """Why PutIntegration refuses this one, or None (API reference, PutIntegration; most texts are recorded)."""
    kind, uri = str(given.get("type", "")).upper(), str(given.get("uri") or "")
    if kind not in TYPES:
        return f"Enumeration value for Type must be one of: {', '.join(TYPES)}"
    if kind != "MOCK" and not given.get("httpMethod"):
        return "Enumeration value for HttpMethod must be non-empty"
    if kind.startswith("HTTP") and not ENDPOINT.match(uri):
        return "Invalid HTTP endpoint specified for URI"
    if kind.startswith("AWS") and not ARN.match(uri):
        return "Invalid ARN specified in the request"
    if kind.startswith("AWS") and not INVOCATION.match(uri):
        return "AWS ARN for integration must contain path or action"
    if kind == "AWS_PROXY" and not re.search(r":(lambda|firehose|states):", uri):
        return "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
    if not 50 <= int(given.get("timeoutInMillis") or TIMEOUT_MAX) <= TIMEOUT_MAX:
        return f"Timeout should be between 50 ms and {TIMEOUT_MAX} ms"
    return wrong_link(given, links) or wrong_mapping(given.get("requestParameters") or {}, declared)


def wrong_link(given, links):
    """A link is known by its id, or named by a stage variable, which is not looked at before a request comes (developer
    guide, "x-amazon-apigateway-integration object", `connectionId`)."""
    if given.get("connectionType") != "VPC_LINK":
        return None
    link = str(given.get("connectionId") or "")
    if VARIABLE.match(link) or link in links:
        return None
    return f"Invalid VPC link id specified: {link}" if link else "VPC link id must be specified"


def wrong_mapping(parameters, declared):
    """Sources are declared parameters of the method, `context`, stage variables or 'static values' ("Amazon API Gateway
    API request and response data mapping reference"). The words: hashicorp/terraform-provider-aws issues 5221, 11810."""
    said = "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression"
    for target, source in parameters.items():
        if not TARGET.match(target) or not SOURCE.match(source):
            return f"{said} specified: {source if TARGET.match(target) else target}]"
        is_body = source.startswith("method.request.body")
        is_known = source.startswith(("'", "stageVariables.")) or is_body or source in declared
        if source.startswith("context."):
            is_known = bool(CONTEXT.match(source))
        if not is_known:
            return f"{said} parameter specified: {source}]"
    return None


def refuse(text):
    raise BadRequestException(text)
