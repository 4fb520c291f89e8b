"""Experiments with requests through API Gateway to the demo's backend, which answers with what it got. Only AWS can run
them: the local cloud forwards no requests."""

import http.client
import json
from urllib.parse import urlsplit

from aws_check.report import experiment, open_question


def send(context, method, path, headers=()):
    """The status, the headers and the body; the path goes out as it stands."""
    url = urlsplit(context.url)
    connection = http.client.HTTPSConnection(url.netloc, timeout=30)
    connection.putrequest(method, url.path + path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def echoed(context, path, headers=()):
    """What the backend got: its request line, and its headers as pairs."""
    status, _, body = send(context, "GET", path, headers)
    if status != 200:
        return {"line": f"status {status}: {body[:200]}", "headers": []}
    return json.loads(body)


@experiment(
    "anonymous-callers",
    "IAM user guide, aws:PrincipalArn; API Gateway developer guide, authorization flow",
    "200",
    "calls an open path of the demo's front door, whose policy allows whoever has no `aws:PrincipalArn`",
    "`AllowedCidrs`",
    needs="traffic",
)
def anonymous_callers(account, context):
    return str(send(context, "GET", "/health")[0])


@experiment(
    "preflight",
    "Velocity; AWS known issues: header names are case-sensitive",
    "204 for Origin, 204 for origin, the asking origin named",
    "sends a browser's preflight with `Origin` and with `origin`",
    "functions/publisher/src/plan/render: preflights",
    needs="traffic",
)
def preflight(account, context):
    asked, found = "https://two.example.com", []
    for name in ("Origin", "origin"):
        headers = [(name, asked), ("Access-Control-Request-Method", "GET")]
        status, answer, _ = send(context, "OPTIONS", "/open/1", headers)
        found.append((status, name, answer.get("access-control-allow-origin")))
    named = "the asking origin named" if all(one[2] == asked for one in found) else f"named {[one[2] for one in found]}"
    return ", ".join(f"{status} for {name}" for status, name, _ in found) + f", {named}"


@experiment(
    "header-in-another-case",
    "AWS known issues: header names are case-sensitive",
    "the backend gets the route's value alone",
    "sends `x-team: evil` to a route whose `Headers` set `X-Team`",
    "README: a backend takes the route's own spelling for true",
    needs="traffic",
)
def header_in_another_case(account, context):
    got = [value for name, value in echoed(context, "/open/1", [("x-team", "evil")])["headers"] if name.lower() == "x-team"]
    return "the backend gets the route's value alone" if got == ["cats"] else f"the backend gets {got}"


@experiment(
    "encoded-slash",
    "API Gateway important notes: path parameters are decoded before they reach the backend",
    "the backend's path begins with /items/",
    "calls `/open/..%2F..%2Fadmin` and reads the backend's request line",
    "a route reaches what its backend path names",
    needs="traffic",
)
def encoded_slash(account, context):
    line = echoed(context, "/open/..%2F..%2Fadmin")["line"]
    path = line.split(" ")[1] if " " in line else line
    inside = path.startswith("/items/") and "/../" not in path
    return "the backend's path begins with /items/" if inside else f"the backend got {line}"


@experiment(
    "not-published",
    "recorded: any path without a resource answers 403 unless a gateway response says otherwise",
    "403",
    "calls a path that nothing is published on",
    "README: what clients meet where nothing is published",
    needs="traffic",
)
def not_published(account, context):
    return str(send(context, "GET", "/nothing/here")[0])


open_question(
    "private-api-header",
    "API Gateway developer guide, apigateway-private-api-test-invoke-url; AWS documents no precedence",
    "the execute-api endpoint takes the API from the route's `x-apigw-api-id`, whatever the client sends",
    "sends another API's `x-apigw-api-id` to a PrivateApi route, in both cases of the name",
    "functions/publisher/src/plan/render sets the header on every PrivateApi backend",
)
open_question(
    "vpc-endpoint-ids-after-overwrite",
    "aws-cdk issue 15760 and the import documentation",
    "an overwrite without them resets `vpcEndpointIds`",
    "imports over a private REST API with endpoints and reads it",
    "observe: they are carried in `servers`",
)
