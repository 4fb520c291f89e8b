"""Gateway responses: an API has one of every type, AWS's own where none was put (API reference, GatewayResponse; API Gateway
developer guide, "Gateway response types"; recorded)."""

from api_gateway_checks import refuse
from moto.apigateway import models
from moto.apigateway.models import GatewayResponse
from moto.apigateway.responses import APIGatewayResponse
from moto_rest_apis import NotFound

STATUS = {
    "ACCESS_DENIED": "403",
    "API_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_FAILURE": "500",
    "BAD_REQUEST_BODY": "400",
    "BAD_REQUEST_PARAMETERS": "400",
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": "403",
    "INTEGRATION_FAILURE": "504",
    "INTEGRATION_TIMEOUT": "504",
    "INVALID_API_KEY": "403",
    "INVALID_SIGNATURE": "403",
    "MISSING_AUTHENTICATION_TOKEN": "403",
    "QUOTA_EXCEEDED": "429",
    "REQUEST_TOO_LARGE": "413",
    "RESOURCE_NOT_FOUND": "404",
    "THROTTLED": "429",
    "UNAUTHORIZED": "401",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "WAF_FILTERED": "403",
}
TEMPLATES = {"application/json": '{"message":$context.error.messageString}'}


def made(kind, status=None, parameters=None, templates=None):
    """What is not said is AWS's own, whatever DEFAULT_4XX or DEFAULT_5XX say (recorded)."""
    if kind not in STATUS:
        refuse(f"Invalid gateway response type: {kind}")
    return GatewayResponse(kind, str(status or STATUS[kind] or "") or None, parameters or {}, templates or TEMPLATES)


def shown(api, kind):
    """A type that was not put is the default of its class, if that was put, or AWS's own (recorded)."""
    if kind in api.gateway_responses:
        return api.gateway_responses[kind]
    of_class = api.gateway_responses.get(f"DEFAULT_{STATUS[kind][0]}XX") if STATUS[kind] else None
    found = made(kind)
    if of_class:
        status = of_class.status_code or STATUS[kind]
        found = made(kind, status, of_class.response_parameters, of_class.response_templates)
    found.default_response = True
    return found


def patch_gateway_responses():
    """Those that were put, and AWS's own for all others."""

    def put_gateway_response(self, rest_api_id, response_type, status_code, response_parameters, response_templates):
        api = self.get_rest_api(rest_api_id)
        found = made(response_type, status_code, response_parameters, response_templates)
        api.gateway_responses[response_type] = found
        return found

    def get_gateway_response(self, rest_api_id, response_type):
        return shown(self.get_rest_api(rest_api_id), response_type)

    def get_gateway_responses(self, rest_api_id):
        api = self.get_rest_api(rest_api_id)
        return [shown(api, kind) for kind in STATUS]

    def delete_gateway_response(self, rest_api_id, response_type):
        if self.get_rest_api(rest_api_id).gateway_responses.pop(response_type, None) is None:
            raise NotFound("Gateway response type not defined on api")

    for each in (put_gateway_response, get_gateway_response, get_gateway_responses, delete_gateway_response):
        setattr(models.APIGatewayBackend, each.__name__, each)

    for name, status in {"put_gateway_response": 201, "delete_gateway_response": 202}.items():
        act = getattr(APIGatewayResponse, name)
        answer = lambda self, act=act, status=status: (status, {"status": status}, act(self)[2])
        setattr(APIGatewayResponse, name, answer)
