"""Stages, deployments and usage plans held to what AWS answered: apigateway/common.json."""

from tests.recordings.api_gateway_replay import Difference, deployable, replaced, replay, tests_of

STAGES, DEPLOYMENTS = "TestStages::test_", "TestDeployments::test_"


def staged(steps):
    api_id = deployable(steps)
    deployment = steps.client.create_deployment(restApiId=api_id)["id"]
    about = {"deploymentId": deployment, "description": "my stage", "documentationVersion": "v123"}
    steps.call("create-stage", "create_stage", restApiId=api_id, stageName="s1", **about)
    return api_id


def update(steps, step, api_id, operations):
    steps.call(step, "update_stage", restApiId=api_id, stageName="s1", patchOperations=operations)


@replay("common.json", f"{STAGES}create_update_stages")
def a_methods_settings_begin_as_the_stages(steps):
    api_id = staged(steps)
    update(steps, "error-update-doc-version", api_id, replaced(documentation_version="123"))
    update(steps, "error-update-tags", api_id, replaced(tags__tag1="value1"))
    settings = {"*__*__throttling__burstLimit": "123", "*__*__caching__enabled": "true", "tracingEnabled": "true"}
    operations = replaced(description="stage new", variables__var1="test", variables__var2="test2", **settings)
    update(steps, "update-stage", api_id, operations + replaced(test__GET__throttling__burstLimit="124"))
    steps.call("get-stage", "get_stage", restApiId=api_id, stageName="s1")
    update(steps, "update-stage-override", api_id, replaced(**{"*__*__throttling__burstLimit": "100"}))


@replay("common.json", f"{STAGES}update_stage_remove_wildcard")
def a_stages_settings_are_removed_as_a_whole(steps):
    api_id, remove = staged(steps), [{"op": "remove", "path": "/*/*"}]
    steps.call("get-stage", "get_stage", restApiId=api_id, stageName="s1")
    update(steps, "delete-error", api_id, remove)
    update(steps, "update-stage", api_id, replaced(**{"*__*__caching__enabled": "true"}))
    update(steps, "update-stage-reset", api_id, remove)
    steps.call("get-stage-after-reset", "get_stage", restApiId=api_id, stageName="s1")


@replay("common.json", f"{DEPLOYMENTS}create_delete_deployments[True]", f"{DEPLOYMENTS}create_delete_deployments[False]")
def a_deployment_that_a_stage_shows_stays(steps, by_hand):
    api_id, client = deployable(steps), steps.client

    def deployed():
        if by_hand == "False":
            return client.create_deployment(restApiId=api_id, stageName="s1")["id"]
        made = client.create_deployment(restApiId=api_id)["id"]
        client.create_stage(restApiId=api_id, stageName="s1", deploymentId=made)
        return made

    deployment = deployed()
    steps.call("get-deployment", "get_deployment", restApiId=api_id, deploymentId=deployment)
    steps.call("get-stages", "get_stages", restApiId=api_id)
    for round_number in range(3):
        refused = {"restApiId": api_id, "deploymentId": deployment}
        steps.call(f"delete-deployment-error-{round_number}", "delete_deployment", **refused)
        client.delete_stage(restApiId=api_id, stageName="s1")
        client.delete_deployment(restApiId=api_id, deploymentId=deployment)
        deployment = deployed()
        steps.call(f"get-deployments-{round_number}", "get_deployments", restApiId=api_id)
        steps.call(f"get-stages-{round_number}", "get_stages", restApiId=api_id)


@replay("common.json", f"{DEPLOYMENTS}create_update_deployments")
def a_deployment_to_a_stage_takes_the_place_of_the_one_before(steps):
    api_id, client = deployable(steps), steps.client
    first = client.create_deployment(restApiId=api_id)["id"]
    client.create_stage(restApiId=api_id, stageName="s1", deploymentId=first)
    steps.call("get-deployment-1", "get_deployment", restApiId=api_id, deploymentId=first)
    steps.call("get-stages", "get_stages", restApiId=api_id)
    steps.call("delete-deployment-error", "delete_deployment", restApiId=api_id, deploymentId=first)
    second = client.create_deployment(restApiId=api_id, stageName="s1")["id"]
    steps.call("get-deployment-1-after-update", "get_deployment", restApiId=api_id, deploymentId=first)
    steps.call("get-deployment-2", "get_deployment", restApiId=api_id, deploymentId=second)
    steps.call("get-stages-after-update", "get_stages", restApiId=api_id)
    steps.call("delete-deployment-1", "delete_deployment", restApiId=api_id, deploymentId=first)
    steps.call("delete-deployment-2-error", "delete_deployment", restApiId=api_id, deploymentId=second)


@replay("common.json", "TestUsagePlans::test_api_key_required_for_methods")
def a_key_is_put_into_a_plan_and_disabled(steps):
    api_id = deployable(steps)
    steps.client.create_deployment(restApiId=api_id, stageName="dev")
    plan = {
        "name": "any",
        "description": "Test Usage Plan for API key",
        "quota": {"limit": 10, "period": "DAY", "offset": 0},
        "throttle": {"rateLimit": 2, "burstLimit": 1},
        "apiStages": [{"apiId": api_id, "stage": "dev"}],
        "tags": {"tag_key": "tag_value"},
    }
    plan_id = steps.call("create-usage-plan", "create_usage_plan", **plan)["id"]
    key = steps.call("create-api-key", "create_api_key", name="any key", enabled=True)["id"]
    steps.call("create-usage-plan-key", "create_usage_plan_key", usagePlanId=plan_id, keyId=key, keyType="API_KEY")
    steps.call("update-api-key-disabled", "update_api_key", apiKey=key, patchOperations=replaced(enabled="false"))


@replay("common.json", "TestUsagePlans::test_usage_plan_crud")
def a_usage_plan_is_changed(steps):
    api_id, client = deployable(steps), steps.client
    client.create_deployment(restApiId=api_id, stageName="dev")
    for one in client.get_usage_plans()["items"]:
        for stage in one.get("apiStages", []):
            operation = {"op": "remove", "path": "/apiStages", "value": f"{stage['apiId']}:{stage['stage']}"}
            client.update_usage_plan(usagePlanId=one["id"], patchOperations=[operation])
        client.delete_usage_plan(usagePlanId=one["id"])
    plan = {"name": "any", "description": "any plan", "apiStages": [{"apiId": api_id, "stage": "dev"}]}
    plan_id = steps.call("create-usage-plan", "create_usage_plan", **plan)["id"]
    steps.call("get-usage-plan", "get_usage_plan", usagePlanId=plan_id)
    steps.call("get-usage-plans", "get_usage_plans")
    limits = {"throttle__burstLimit": "100", "throttle__rateLimit": "200"}
    quota = {"quota__period": "MONTH", "quota__limit": "5000"}
    steps.call("update-usage-plan", "update_usage_plan", usagePlanId=plan_id, patchOperations=replaced(**limits, **quota))
    steps.call("update-wrong-id", "update_usage_plan", usagePlanId=f"{plan_id}1", patchOperations=replaced(**limits))
    removals = {
        "no-value": {},
        "wrong-api": {"value": f"{api_id}b:dev"},
        "wrong-stage": {"value": f"{api_id}:fakestagename"},
        "wrong-value": {"value": "fakevalue"},
    }
    for which, value in removals.items():
        operations = [{"op": "remove", "path": "/apiStages", **value}]
        arguments = {"usagePlanId": plan_id, "patchOperations": operations}
        steps.call(f"update-wrong-api-stages-{which}", "update_usage_plan", **arguments)
    steps.call("get-usage-plan-after-update", "get_usage_plan", usagePlanId=plan_id)
    steps.call("get-usage-plans-after-update", "get_usage_plans")


DIFFERENCES = []
CARRIED = "what a client of the API gets: no emulator here carries requests on"
LEFT_OUT = {
    "TestApiGatewayCommon::.*": CARRIED,
    "TestApigatewayRouting::.*": CARRIED,
    "TestDocumentations::.*": "Foregate neither makes nor reads documentation parts",
}
Common = tests_of("common.json", DIFFERENCES, LEFT_OUT)
