"""Stages of REST APIs: what CreateStage and UpdateStage take and refuse, method settings, canaries. Sources: API reference,
Stage, CreateStage, UpdateStage, "Patch Operations"; recorded answers."""

import copy
import re
import time

import api_gateway_patch as patches
from moto.apigateway import models
from moto.apigateway.exceptions import BadRequestException, ConflictException

# Method settings by the end of their patch path, with what they are read as.
SETTINGS = {
    "metrics/enabled": ("metricsEnabled", patches.boolean),
    "logging/dataTrace": ("dataTraceEnabled", patches.boolean),
    "logging/loglevel": ("loggingLevel", str),
    "throttling/burstLimit": ("throttlingBurstLimit", int),
    "throttling/rateLimit": ("throttlingRateLimit", float),
    "caching/ttlInSeconds": ("cacheTtlInSeconds", int),
    "caching/enabled": ("cachingEnabled", patches.boolean),
    "caching/dataEncrypted": ("cacheDataEncrypted", patches.boolean),
    "caching/requireAuthorizationForCacheControl": ("requireAuthorizationForCacheControl", patches.boolean),
    "caching/unauthorizedCacheControlHeaderStrategy": ("unauthorizedCacheControlHeaderStrategy", str),
}
# Recorded; AWS-wide throttling is what a stage's settings begin with.
SETTING_DEFAULTS = {
    "cacheDataEncrypted": False,
    "cacheTtlInSeconds": 300,
    "cachingEnabled": False,
    "dataTraceEnabled": False,
    "metricsEnabled": False,
    "requireAuthorizationForCacheControl": True,
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10000.0,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
# Recorded, its missing commas too.
PATHS = (
    "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "
    "/accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, "
    "/{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, "
    "/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/"
    "{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, "
    "/{resourcePath}/{httpMethod}/caching/dataEncrypted, "
    "/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, "
    "/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, "
    "/*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit "
    "/*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, "
    "/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, "
    "/variables/{variable_name}, /tracingEnabled"
)
LOG_PATHS = ("destinationArn", "format")
METHOD_SETTING = re.compile(r"^/([^/]+/[^/]+)/([^/]+/[^/]+)$")
VARIABLES_MAX, VARIABLE_MAX = 100, 512
VARIABLE_NAME = re.compile(r"^[A-Za-z0-9_]+$")
VARIABLE_VALUE = re.compile(r"^[A-Za-z0-9\-._~:/?#&=,]+$")
STAGES_MAX = 10
CANARY = {"percentTraffic": 0.0, "useStageCache": False}


def check_deployment(api, deployment_id):
    if deployment_id not in api.deployments:
        raise BadRequestException("Deployment id does not exist")


def check_variables(variables):
    """"Amazon API Gateway quotas": 100 a stage, 64 and 512 characters; API reference, CreateStage, `variables`: "Variable
    names can have alphanumeric and underscore characters, and the values must match [A-Za-z0-9-._~:/?#&=,]+"."""
    if len(variables) > VARIABLES_MAX:
        raise BadRequestException(f"Maximum number of stage variables has been reached: {VARIABLES_MAX}")
    for name, value in variables.items():
        if len(name) > 64 or len(value) > VARIABLE_MAX or not VARIABLE_NAME.match(name) or not VARIABLE_VALUE.match(value):
            raise BadRequestException(f"Invalid stage variable {name}: {value}")


# ---- UpdateStage -----------------------------------------------------------------------------------------------------


def apply(stage, api, operations):
    """All operations or none: a copy is changed, and takes the stage's place when nothing was refused."""
    patches.check(operations, "updateStageInput")
    draft = copy.deepcopy(stage)
    check_promotion(operations, draft)
    for operation in operations:
        change(draft, api, operation)
    check_variables(draft.variables)
    draft.changed = int(time.time())
    stage.__dict__.update(draft.__dict__)
    return stage


def change(stage, api, operation):
    op, path, value = operation["op"], operation.get("path") or "", operation.get("value")
    head = (patches.segments(path) or [""])[0]
    if head == "canarySettings":
        change_canary(stage, api, operation)
    elif op == "copy":
        return
    elif op == "remove":
        remove(stage, path)
    elif head == "variables" and path.count("/") == 2:
        stage.variables[patches.segments(path)[1]] = value or ""
    elif head == "accessLogSettings":
        change_log(stage, path, value)
    elif METHOD_SETTING.match(path):
        change_setting(stage, path, value)
    elif op == "replace" and path == "/deploymentId":
        check_deployment(api, value)
        stage.deployment_id = value
    elif op == "replace" and path in ("/description", "/clientCertificateId", "/documentationVersion"):
        names = {"/description": "description", "/clientCertificateId": "certificate", "/documentationVersion": "documentation"}
        setattr(stage, names[path], value)
    elif op == "replace" and path == "/tracingEnabled":
        stage.tracing_enabled = patches.boolean(value)
    elif op == "replace" and path == "/cacheClusterEnabled":
        stage.cache_cluster_enabled = patches.boolean(value)
        stage.cache_cluster_status = "AVAILABLE" if stage.cache_cluster_enabled else "NOT_AVAILABLE"
    elif op == "replace" and path == "/cacheClusterSize":
        stage.cache_cluster_size = str(value)
    elif op == "add":
        raise BadRequestException(f"Invalid add operation with path: {path}")
    else:
        raise BadRequestException(f"Invalid method setting path: {path}. Must be one of: [{PATHS}]")


def remove(stage, path):
    """What there is not can't be removed, whatever the path (recorded)."""
    parts = patches.segments(path)
    if path == "/accessLogSettings" and stage.access_log_settings:
        stage.access_log_settings = None
    elif parts[0] == "variables" and len(parts) == 2 and parts[1] in stage.variables:
        del stage.variables[parts[1]]
    elif path in ("/description", "/clientCertificateId"):
        setattr(stage, {"/description": "description", "/clientCertificateId": "certificate"}[path], None)
    elif path[1:] in stage.method_settings:
        del stage.method_settings[path[1:]]
    else:
        raise BadRequestException(
            f"Cannot remove method setting {path[1:]} because there is no method setting for this method "
        )


def change_log(stage, path, value):
    parts = patches.segments(path)
    if len(parts) != 2 or parts[1] not in LOG_PATHS:
        allowed = ", ".join(f"/accessLogSettings/{one}" for one in LOG_PATHS)
        raise BadRequestException(f"Invalid accessLogSettings path. Must be one of : [{allowed}]")
    if not value:
        raise BadRequestException("Access Log value must not be empty")
    stage.access_log_settings = {**(stage.access_log_settings or {}), parts[1]: value}


def change_setting(stage, path, value):
    """A method's settings begin as the stage's own, */* (recorded). A path's slashes stay escaped in the map's keys (AWS
    CLI reference, update-stage, examples)."""
    key, setting = METHOD_SETTING.match(path).groups()
    if setting not in SETTINGS:
        raise BadRequestException(f"Invalid method setting path: {path}. Must be one of: [{PATHS}]")
    name, read = SETTINGS[setting]
    try:
        read_value = read(value)
    except (TypeError, ValueError):
        raise BadRequestException(f"Invalid value for {path}: {value}") from None
    begin = stage.method_settings.get("*/*", SETTING_DEFAULTS)
    stage.method_settings[key] = {**stage.method_settings.get(key, begin), name: read_value}


# ---- canaries --------------------------------------------------------------------------------------------------------


def check_promotion(operations, stage):
    """`copy` leads from the canary to the stage, and needs a canary, or one that the same request makes (recorded)."""
    sources = {"/deploymentId": "/canarySettings/deploymentId", "/variables": "/canarySettings/stageVariableOverrides"}
    for one in [one for one in operations if one["op"] == "copy"]:
        if sources.get(one.get("path")) != one.get("from"):
            raise BadRequestException(
                f"Invalid copy operation with path: {one.get('path')} and from {one.get('from')}. Valid copy:path are "
                "[/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, "
                "/canarySettings/stageVariableOverrides]"
            )
    copied = any(one["op"] == "copy" for one in operations)
    makes = any(one["op"] == "replace" and str(one.get("path")).startswith("/canarySettings") for one in operations)
    if copied and not stage.canary and not makes:
        raise BadRequestException("Promotion not available. Canary does not exist.")
    if copied and stage.canary:
        stage.deployment_id = stage.canary["deploymentId"]
        stage.variables |= stage.canary.get("stageVariableOverrides") or {}


def change_canary(stage, api, operation):
    op, path, value = operation["op"], operation["path"], operation.get("value")
    parts = patches.segments(path)
    if op == "add":
        raise BadRequestException(f"Invalid add operation with path: {path}")
    if op == "remove":
        if len(parts) == 1 and stage.canary:
            stage.canary = None
            return
        if len(parts) == 3 and parts[1] == "stageVariableOverrides" and stage.canary:
            (stage.canary.get("stageVariableOverrides") or {}).pop(parts[2], None)
            return
        raise BadRequestException(
            f"Cannot remove method setting {path[1:]} because there is no method setting for this method "
        )
    canary = {**CANARY, "deploymentId": stage.deployment_id, **(stage.canary or {})}
    if parts[1:] == ["deploymentId"]:
        check_deployment(api, value)
        canary["deploymentId"] = value
    elif parts[1:] == ["percentTraffic"]:
        canary["percentTraffic"] = float(value)
    elif parts[1:] == ["useStageCache"]:
        canary["useStageCache"] = patches.boolean(value)
    elif len(parts) == 3 and parts[1] == "stageVariableOverrides":
        canary["stageVariableOverrides"] = {**canary.get("stageVariableOverrides", {}), parts[2]: value}
    else:
        raise BadRequestException(f"Invalid method setting path: {path}. Must be one of: [{PATHS}]")
    stage.canary = canary


def canary_of(given, api, deployment_id):
    """As CreateStage and CreateDeployment take it."""
    canary = {**CANARY, "deploymentId": deployment_id, **{key: value for key, value in given.items() if value is not None}}
    check_deployment(api, canary["deploymentId"])
    canary["percentTraffic"] = float(canary["percentTraffic"])
    return canary


# ---- moto's objects --------------------------------------------------------------------------------------------------


def to_json(stage):
    """Members that are not set are left out (recorded)."""
    described = {
        "stageName": stage.name,
        "deploymentId": stage.deployment_id,
        "description": stage.description or None,
        "cacheClusterEnabled": bool(stage.cache_cluster_enabled),
        "cacheClusterStatus": stage.cache_cluster_status or "NOT_AVAILABLE",
        "cacheClusterSize": stage.cache_cluster_size or ("0.5" if stage.cache_cluster_enabled else None),
        "methodSettings": stage.method_settings,
        "variables": stage.variables or None,
        "accessLogSettings": stage.access_log_settings or None,
        "canarySettings": stage.canary,
        "clientCertificateId": stage.certificate,
        "documentationVersion": stage.documentation,
        "tracingEnabled": bool(stage.tracing_enabled),
        "webAclArn": stage.web_acl_arn,
        "tags": stage.tags or None,
        "createdDate": stage.created,
        "lastUpdatedDate": stage.changed,
    }
    return {key: value for key, value in described.items() if value is not None}


def patch_stages():
    """Stages as AWS answers, makes and changes them."""
    make = models.Stage.__init__

    def __init__(self, *args, **kwargs):
        make(self, *args, **kwargs)
        self.canary = self.certificate = self.documentation = None
        self.created = self.changed = int(time.time())

    def create_stage(self, function_id, stage_name, deploymentId, **given):
        api = self.get_rest_api(function_id)
        canary, documentation = given.pop("canary", None), given.pop("documentation", None)
        check_deployment(api, deploymentId)
        check_variables(given.get("variables") or {})
        if stage_name in api.stages:
            raise ConflictException("Stage already exists")
        if len(api.stages) >= STAGES_MAX:
            raise BadRequestException(f"Maximum number of stages for this API has been reached: {STAGES_MAX}")
        stage = models.Stage(name=stage_name, deployment_id=deploymentId, **given)
        stage.canary = canary_of(canary, api, deploymentId) if canary else None
        stage.documentation = documentation
        api.stages[stage_name] = stage
        return stage

    def update_stage(self, function_id, stage_name, patch_operations):
        return apply(self.get_stage(function_id, stage_name), self.get_rest_api(function_id), patch_operations or [])

    models.Stage.__init__ = __init__
    models.Stage.to_json = to_json
    models.APIGatewayBackend.create_stage = create_stage
    models.APIGatewayBackend.update_stage = update_stage
