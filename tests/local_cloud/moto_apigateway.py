"""moto's API Gateway (REST APIs), patched towards AWS: the order of the patches, and what no API of AWS's can do. The
patches themselves are in api_gateway_*.py; each says what AWS does and where AWS says so. Used by moto_aws.py."""

import api_gateway_deployments as deployments
import api_gateway_links as links
import api_gateway_resources as resources
import api_gateway_responses as responses
import api_gateway_rest_apis as rest_apis
import api_gateway_stages as stages
import moto_rest_apis
import moto_usage_plans
from api_gateway_throttle import Throttle
from moto.apigateway import models
from moto.core import DEFAULT_ACCOUNT_ID

THROTTLE = Throttle()


def patch():
    for each in (
        rest_apis.patch_rest_apis,
        resources.patch_resources,
        rest_apis.patch_answers,
        rest_apis.patch_base_path_mappings,
        responses.patch_gateway_responses,
        stages.patch_stages,
        deployments.patch_deployments,
        deployments.patch_answers,
        links.patch_links,
        moto_rest_apis.patch_pages,
        moto_rest_apis.patch_rest_apis,
        moto_rest_apis.patch_tags,
        moto_usage_plans.patch_api_keys,
        moto_usage_plans.patch_usage_plans,
        moto_usage_plans.patch_usage_plan_keys,
    ):
        each()


def backend_of(wish):
    return models.apigateway_backends[DEFAULT_ACCOUNT_ID][wish["Region"]]


def show_stage(wish):
    return deployments.show_stage(backend_of(wish), wish)


def set_link_status(wish):
    return links.set_link_status(backend_of(wish), wish)


set_link_seconds = links.set_link_seconds
