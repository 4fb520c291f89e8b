"""Experiments on deployments, stages and VPC links, and on what the deployed publisher does with them."""

import time

from aws_check.demo import command
from aws_check.imports import document, refusal, scratch
from aws_check.report import experiment, open_question


@experiment(
    "deployment-summary",
    "API reference, GetDeployment, Deployment.apiSummary",
    "AWS_IAM with API key",
    "reads the demo's deployment with `embed=apisummary`, without a stage of its own",
    "apply/verify: the summary is checked before the stage is switched",
)
def deployment_summary(account, context):
    answer = account.gateway.get_deployment(restApiId=context.api, deploymentId=context.deployment, embed=["apisummary"])
    keyed = next((methods for path, methods in answer["apiSummary"].items() if path.startswith("/keyed/")), {})
    method = keyed.get("GET", {})
    return method.get("authorizationType", "-") + (" with API key" if method.get("apiKeyRequired") else " without API key")


@experiment(
    "link-as-stage-variable",
    "developer guide, set-up-api-with-vpclink-cli and api-gateway-extensions-integration",
    "kept as a stage variable, which has the link's id",
    "reads the demo's method and its stage",
    "the publisher leads a stage to a link by one UpdateStage",
)
def link_as_stage_variable(account, context):
    method = next(one for name, one in account.methods(context.api).items() if name.startswith("GET /open/"))
    reference = method["methodIntegration"].get("connectionId", "-")
    variables = account.gateway.get_stage(restApiId=context.api, stageName="live").get("variables", {})
    found = variables.get(reference.removeprefix("${stageVariables.").removesuffix("}"))
    if found == context.link["attributes"]["VpcLinkId"]:
        return "kept as a stage variable, which has the link's id"
    return f"connectionId {reference}, variables {variables}"


@experiment(
    "deployment-without-the-variable",
    "none found",
    "accepted",
    "deploys a method whose `connectionId` is a stage variable that no stage has",
    "the publisher deploys before it sets the variable",
)
def deployment_without_the_variable(account, context):
    api = scratch(account, context)
    integration = {
        "type": "http_proxy", "httpMethod": "GET", "uri": "http://example.com/", "connectionType": "VPC_LINK",
        "connectionId": "${stageVariables.nowhere}",
    }
    account.put(api, document(integration=integration))
    return refusal(lambda: account.gateway.create_deployment(restApiId=api)) or "accepted"


@experiment(
    "rest-rests",
    "none found",
    "no revision is added",
    "publishes the demo's front door twice more and counts its revisions: AWS gives policies and settings back as it keeps them",
    "observe: what is carried over is put in one form before it is compared",
)
def rest_rests(account, context):
    count = lambda: len(command(account, "publisher", "history", context.name)["items"])
    before = count()
    for _ in range(2):
        command(account, "publisher", "publish", context.name)
    added = count() - before
    return "no revision is added" if added == 0 else f"{added} revisions are added"


@experiment(
    "stage-has-no-twin",
    "reviews of the first version",
    "live",
    "lists the demo's stages",
    "there is no candidate stage",
)
def stage_has_no_twin(account, context):
    stages = account.gateway.get_stages(restApiId=context.api)["item"]
    return ", ".join(sorted(stage["stageName"] for stage in stages))


@experiment(
    "link-tags",
    "API reference, GetVpcLinks",
    "the links have their tags",
    "lists the VPC links and looks for the tag `foregate` of the demo's",
    "functions/links: a link is ours by its tag",
)
def link_tags(account, context):
    wanted = context.link["attributes"]["VpcLinkId"]
    for page in account.gateway.get_paginator("get_vpc_links").paginate():
        for link in page["items"]:
            if link["id"] == wanted:
                return "the links have their tags" if "foregate" in link.get("tags", {}) else f"its tags: {link.get('tags')}"
    return "the link is not in the list"


@experiment(
    "link-comes-free",
    "developer guide, known issues: a hard-coded VPC link reference dangles, a stage variable does not",
    "deleted",
    "takes the demo's routes off, lets its link go, and waits until the link is gone",
    "functions/links deletes a link that no stage leads to",
)
def link_comes_free(account, context):
    from aws_check import demo

    for name in demo.routes(account, context):
        command(account, "routes", "delete", name)
    link = account.name("link")
    end, message = time.monotonic() + 600, ""
    while time.monotonic() < end:
        message = refusal(lambda: account.gateway.get_vpc_link(vpcLinkId=context.link["attributes"]["VpcLinkId"]))
        if message and message.startswith("NotFound"):
            return "deleted"
        try:
            command(account, "links", "delete", link)
        except Exception as error:  # Blocked, as long as a stage leads to it
            message = str(error)
        time.sleep(0.5 if account.is_local else 10)
    return f"still there: {message}"


open_question(
    "a-thousand-deployments",
    "none found: AWS documents no quota of deployments",
    "20 deployments and those that stages show are kept, the older ones are deleted",
    "makes 1,000 deployments on one REST API and lists them",
    "the publisher prunes",
)
open_question(
    "web-acl-before-traffic",
    "WAF developer guide, AssociateWebACL",
    "a stage that was just created takes a web ACL within seconds",
    "creates a stage and associates a web ACL at once, ten times",
    "`Stage.WebAclArn`",
)
