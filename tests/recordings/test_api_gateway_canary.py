"""Canaries of stages held to what AWS answered: apigateway/canary.json."""

from tests.recordings.api_gateway_replay import deployable, replaced, replay, tests_of

CRUD = "TestStageCrudCanary::test_"


def canary(name, percent, **more):
    return {"percentTraffic": percent, "stageVariableOverrides": {"testVar": name}, **more}


def stage(steps, step, api_id, deployment_id, name="dev", **more):
    arguments = {"restApiId": api_id, "stageName": name, "deploymentId": deployment_id, "description": "dev stage", **more}
    steps.call(step, "create_stage", **arguments)


def update(steps, step, api_id, operations, name="dev"):
    steps.call(step, "update_stage", restApiId=api_id, stageName=name, patchOperations=operations)


@replay("canary.json", f"{CRUD}create_update_stages")
def a_stage_with_a_canary_is_made_and_loses_it(steps):
    api_id = deployable(steps)
    first, second = [steps.call(f"create-deployment-{n}", "create_deployment", restApiId=api_id)["id"] for n in (1, 2)]
    settings = canary("canary", 50, deploymentId=second)
    stage(steps, "create-stage", api_id, first, variables={"testVar": "default"}, canarySettings=settings)
    steps.call("get-stage", "get_stage", restApiId=api_id, stageName="dev")
    overrides = replaced(canarySettings__stageVariableOverrides__testVar="updated")
    update(steps, "update-stage-canary-settings-overrides", api_id, overrides)
    update(steps, "update-stage-remove-canary-settings", api_id, [{"op": "remove", "path": "/canarySettings"}])
    steps.call("get-stage-after-remove", "get_stage", restApiId=api_id, stageName="dev")


@replay("canary.json", f"{CRUD}create_canary_deployment_with_stage")
def a_deployment_becomes_a_stages_canary(steps):
    api_id = deployable(steps)
    first = steps.call("create-deployment", "create_deployment", restApiId=api_id)["id"]
    stage(steps, "create-stage", api_id, first, variables={"testVar": "default"})
    settings = {"restApiId": api_id, "stageName": "dev", "canarySettings": canary("canary", 50)}
    steps.call("create-canary-deployment", "create_deployment", **settings)
    steps.call("get-stage", "get_stage", restApiId=api_id, stageName="dev")


@replay("canary.json", f"{CRUD}create_canary_deployment")
def a_second_canary_takes_the_place_of_the_first(steps):
    api_id = deployable(steps)
    first = steps.call("create-deployment", "create_deployment", restApiId=api_id)["id"]
    variables = {"testVar": "default"}
    settings = canary("canary1", 40, deploymentId=first)
    stage(steps, "create-stage", api_id, first, "dev1", variables=variables, canarySettings=settings)
    arguments = {"restApiId": api_id, "stageName": "dev1", "canarySettings": canary("canary2", 50)}
    second = steps.call("create-canary-deployment", "create_deployment", **arguments)["id"]
    steps.call("get-stage-1", "get_stage", restApiId=api_id, stageName="dev1")
    settings = canary("canary-overridden", 60, deploymentId=second)
    stage(steps, "create-stage-2", api_id, first, "dev2", variables=variables, canarySettings=settings)
    stage(steps, "bad-canary-deployment-id", api_id, first, "dev3", canarySettings={"deploymentId": "deploy"})


@replay("canary.json", f"{CRUD}create_canary_deployment_by_stage_update")
def a_patch_makes_a_canary(steps):
    api_id = deployable(steps)
    first = steps.call("create-deployment", "create_deployment", restApiId=api_id)["id"]
    second = steps.call("create-deployment-2", "create_deployment", restApiId=api_id)["id"]
    stage(steps, "create-stage", api_id, first, variables={"testVar": "default"})
    update(steps, "update-stage-with-deployment", api_id, replaced(canarySettings__deploymentId=second))
    update(steps, "remove-stage-canary", api_id, [{"op": "remove", "path": "/canarySettings"}])
    update(steps, "update-stage-with-percent", api_id, replaced(canarySettings__percentTraffic="50"))
    steps.call("get-stage", "get_stage", restApiId=api_id, stageName="dev")


@replay("canary.json", f"{CRUD}create_canary_deployment_validation")
def a_canary_needs_a_stage(steps):
    api_id = deployable(steps)
    names = {"no-stage": {}, "empty-stage": {"stageName": ""}, "non-existing-stage": {"stageName": "non-existing"}}
    for which, name in names.items():
        arguments = {"restApiId": api_id, "canarySettings": canary("canary", 50), **name}
        steps.call(f"create-canary-deployment-{which}", "create_deployment", **arguments)


@replay("canary.json", f"{CRUD}update_stage_canary_deployment_validation")
def what_a_patch_of_a_canary_is_refused_for(steps):
    api_id = deployable(steps)
    steps.client.create_deployment(restApiId=api_id, stageName="dev")
    steps.call("get-stage", "get_stage", restApiId=api_id, stageName="dev")
    steps.client.create_deployment(restApiId=api_id, stageName="dev", canarySettings=canary("canary", 50))
    of = "update-stage-canary-settings"
    update(steps, f"{of}-remove-overrides", api_id, [{"op": "remove", "path": "/canarySettings/stageVariableOverrides"}])
    update(steps, f"{of}-bad-path", api_id, [{"op": "remove", "path": "/canarySettings/badPath"}])
    update(steps, f"{of}-bad-path-2", api_id, replaced(canarySettings="test"))
    update(steps, f"{of}-replace-bad-path", api_id, replaced(canarySettings__badPath="badPath"))
    other = steps.client.create_deployment(restApiId=api_id, stageName="dev2")["id"]
    added = [{"op": "add", "path": "/canarySettings/deploymentId", "value": other}]
    update(steps, "update-stage-add-deployment", api_id, added, "dev2")
    update(steps, "update-stage-no-deployment", api_id, replaced(canarySettings__deploymentId="deploy"), "dev2")


@replay("canary.json", f"{CRUD}update_stage_with_copy_ops")
def a_canary_is_promoted(steps):
    api_id = deployable(steps)
    variables = {"testVar": "test", "testVar2": "test2"}
    steps.call("deployment-1", "create_deployment", restApiId=api_id, stageName="dev", variables=variables)
    overrides, deployment = "/canarySettings/stageVariableOverrides", "/canarySettings/deploymentId"

    def copies(*pairs):
        return [{"op": "copy", "from": source, "path": target} for source, target in pairs]

    wrong = copies(("/variables", overrides), ("/deploymentId", deployment))
    update(steps, "copy-with-bad-statement", api_id, wrong)
    right = copies((overrides, "/variables"), (deployment, "/deploymentId"))
    update(steps, "copy-with-no-replace", api_id, right)
    promotion = replaced(canarySettings__percentTraffic="0.0") + right[::-1]
    update(steps, "update-stage-with-copy", api_id, promotion)
    arguments = {"restApiId": api_id, "stageName": "dev", "canarySettings": canary("override", 50)}
    steps.call("deployment-canary", "create_deployment", **arguments)
    steps.call("get-stage", "get_stage", restApiId=api_id, stageName="dev")
    update(steps, "update-stage-with-copy-2", api_id, promotion)


@replay("canary.json", "TestCanaryDeployments::test_invoking_canary_deployment")
def a_canary_that_gets_all_requests(steps):
    api_id = deployable(steps)
    variables = {"testVar": "default", "defaultVar": "default"}
    steps.call("create-deployment-1", "create_deployment", restApiId=api_id, stageName="dev", variables=variables)
    settings = {"percentTraffic": 0, "stageVariableOverrides": {"testVar": "canary", "noStageVar": "canary"}}
    arguments = {"restApiId": api_id, "stageName": "dev", "canarySettings": settings}
    steps.call("create-deployment-2", "create_deployment", **arguments)
    update(steps, "update-stage", api_id, replaced(canarySettings__percentTraffic="100.0"))


DIFFERENCES = []
LEFT_OUT = {(".*", "response-.*"): "what a client of the API gets: no emulator here carries requests on"}
Canaries = tests_of("canary.json", DIFFERENCES, LEFT_OUT)
