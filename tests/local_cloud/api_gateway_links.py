"""VPC links: they take their time, and one that a deployed method uses can't be deleted. Sources: API reference, VpcLink,
DeleteVpcLink; API Gateway developer guide, "Known issues"."""

import json
import time

from api_gateway_checks import VARIABLE
from api_gateway_document import METHODS
from moto.apigateway import models
from moto.apigateway.exceptions import BadRequestException
from moto.apigateway.responses import APIGatewayResponse
from moto_rest_apis import NotFound

# How long a link of a name is PENDING, and DELETING when it is deleted; minutes, at AWS's.
LINK_SECONDS = {}


def link_of(integration, variables):
    """The link that an integration names, by its id or by one of the stage's variables."""
    link = str(integration.get("connectionId") or "")
    named = VARIABLE.match(link)
    return variables.get(named.group(1)) if named else link


def uses(api, stage):
    """{link: where a stage's deployment uses it}."""
    shown = getattr(api.deployments.get(stage.deployment_id), "snapshot", {"paths": {}})
    found = {}
    for path, item in shown["paths"].items():
        for method, operation in item.items():
            integration = operation.get("x-amazon-apigateway-integration") or {} if method in METHODS else {}
            if integration.get("connectionType") == "VPC_LINK":
                found[link_of(integration, stage.variables)] = f"[{method.upper()}:{path}:{stage.name}]"
    return found


def patch_links():
    """A link is PENDING while it is made and DELETING while it is deleted (API reference, VpcLink, `status`); one that a
    deployed method uses can't be deleted ("Cannot delete vpc link ... referenced in [METHOD:RESOURCE:STAGE]")."""
    create = models.APIGatewayBackend.create_vpc_link
    list_all = models.APIGatewayBackend.get_vpc_links
    describe = models.VpcLink.to_json
    create_answer = APIGatewayResponse.create_vpc_link

    def settle(self):
        now = time.monotonic()
        for link in list(self.vpc_links.values()):
            if now >= getattr(link, "settles_at", now):
                if link.status == "DELETING":
                    del self.vpc_links[link.id]
                elif link.status == "PENDING" and hasattr(link, "settles_at"):
                    link.status = "AVAILABLE"

    def create_vpc_link(self, name, description, target_arns, tags):
        """The words are recorded."""
        if not name:
            raise BadRequestException("Name cannot be empty")
        for arn in target_arns or []:
            if not arn.startswith("arn:"):
                raise BadRequestException(f"Invalid ARN. ARN is not well formed {arn}")
        link = create(self, name, description, target_arns, tags)
        if name in LINK_SECONDS:
            link.status, link.settles_at = "PENDING", time.monotonic() + LINK_SECONDS[name]
        return link

    def delete_vpc_link(self, vpc_link_id):
        link = get_vpc_link(self, vpc_link_id)
        for api in self.apis.values():
            for stage in api.stages.values():
                where = uses(api, stage).get(vpc_link_id)
                if where:
                    raise BadRequestException(
                        f"Cannot delete vpc link. Vpc link '{vpc_link_id}', is referenced in {where} in format of "
                        "[Method:Resource:Stage]."
                    )
        link.status, link.settles_at = "DELETING", time.monotonic() + LINK_SECONDS.get(link.name, 0.0)

    def get_vpc_link(self, vpc_link_id):
        settle(self)
        if vpc_link_id not in self.vpc_links:
            raise NotFound("Invalid Vpc Link identifier specified")
        return self.vpc_links[vpc_link_id]

    def get_vpc_links(self):
        settle(self)
        return list_all(self)

    def to_json(self):
        """In a list no tags where there are none; alone, none as a map (both recorded)."""
        status = {"statusMessage": "Your vpc link is ready for use"} if self.status == "AVAILABLE" else {}
        return {key: value for key, value in {**describe(self), **status}.items() if value not in (None, {})}

    def answer_get(self):
        link = self.backend.get_vpc_link(self.path.split("/")[-1]).to_json()
        return json.dumps({"tags": {}, **link})

    def answer_create(self):
        """PENDING, however soon it is not (recorded)."""
        status, headers, body = create_answer(self)
        link = {**json.loads(body), "status": "PENDING"}
        link.pop("statusMessage", None)
        return status, headers, json.dumps(link)

    models.VpcLink.to_json = to_json
    APIGatewayResponse.create_vpc_link = answer_create
    APIGatewayResponse.get_vpc_link = answer_get
    models.APIGatewayBackend.create_vpc_link = create_vpc_link
    models.APIGatewayBackend.delete_vpc_link = delete_vpc_link
    models.APIGatewayBackend.get_vpc_link = get_vpc_link
    models.APIGatewayBackend.get_vpc_links = get_vpc_links


def set_link_seconds(wish):
    """{"Name", "Seconds"}: how long a link of that name takes, to be made and to be deleted."""
    LINK_SECONDS[wish["Name"]] = float(wish["Seconds"])
    return {}


def set_link_status(backend, wish):
    """{"Region", "VpcLinkId", "Status"}: as if AWS were still at it, or had failed."""
    backend.vpc_links[wish["VpcLinkId"]].status = wish["Status"]
    return {}
