"""Exports, API keys and their plans held to what AWS answered: apigateway/extended.json."""

import json

from tests.recordings.api_gateway_replay import replaced, replay, tests_of

KEYS = "TestApigatewayApiKeysCrud::test_"
EXPORTED = {"get-export": {}, "get-export-with-extensions": {"parameters": {"extensions": "apigateway"}}}


@replay("extended.json", "test_export_oas30_openapi[TEST_IMPORT_PETS]")
def an_export_as_openapi_3(steps, _):
    response = steps.client.import_rest_api(body=steps.document("pets.json"), failOnWarnings=True)
    steps.match("import-api", response)
    steps.client.create_deployment(restApiId=response["id"], stageName="local")
    for step, more in EXPORTED.items():
        exported = steps.client.get_export(restApiId=response["id"], stageName="local", exportType="oas30", **more)
        steps.match(step, {**exported, "body": json.loads(exported["body"].read())})


def no_keys(steps):
    for one in steps.client.get_api_keys(limit=500)["items"]:
        steps.client.delete_api_key(apiKey=one["id"])


def listed(steps, step, operation, **arguments):
    """In the order of the recording, which is no promise of AWS's."""
    found = getattr(steps.client, operation)(**arguments)
    was = [steps.comparison.resolve(one["id"]) for one in steps.recording[step]["items"]]
    found["items"].sort(key=lambda one: was.index(one["id"]) if one["id"] in was else len(was))
    return steps.match(step, found)


@replay("extended.json", f"{KEYS}get_api_keys")
def keys_are_listed_by_name(steps):
    no_keys(steps)
    first, second = "test-key-1234", "test-key-5678"
    listed(steps, "get-api-keys", "get_api_keys")
    steps.call("create-api-key", "create_api_key", name=first)
    listed(steps, "get-api-keys-after-create-1", "get_api_keys")
    queries = {
        "wrong-name-query": second,
        "prefix-name-query": first[:8],
        "prefix-name-query-cased": first[:8].upper(),
        "postfix-name-query": first[2:],
        "infix-name-query": first[2:8],
    }
    for step, query in queries.items():
        listed(steps, f"get-api-keys-{step}", "get_api_keys", nameQuery=query)
    steps.call("create-api-key-2", "create_api_key", name=second)
    listed(steps, "get-api-keys-after-create-2", "get_api_keys")
    listed(steps, "get-api-keys-name-query", "get_api_keys", nameQuery=second)
    listed(steps, "get-api-keys-prefix-name-query-2", "get_api_keys", nameQuery=second[:8])


@replay("extended.json", f"{KEYS}get_usage_plan_api_keys")
def keys_of_a_plan_are_listed_by_name(steps):
    no_keys(steps)
    first, second = "test-key-1234", "test-key-5678"
    listed(steps, "get-api-keys", "get_api_keys")
    names = {"create-api-key": first, "create-api-key-2": second}
    keys = [steps.call(step, "create_api_key", name=name)["id"] for step, name in names.items()]
    listed(steps, "get-api-keys-after-create-1", "get_api_keys")
    plan = steps.call("create-usage-plan", "create_usage_plan", name="any")["id"]
    listed(steps, "get-up-keys-before-create", "get_usage_plan_keys", usagePlanId=plan)
    for step, key in zip(("create-up-key", "create-up-key-2"), keys):
        steps.call(step, "create_usage_plan_key", usagePlanId=plan, keyId=key, keyType="API_KEY")
    queries = {
        "get-up-keys": {},
        "get-up-keys-name-query": {"nameQuery": "test-key"},
        "get-up-keys-name-query-cased": {"nameQuery": "TEST-key"},
        "get-up-keys-name-query-key-name": {"nameQuery": first},
        "get-up-keys-bad-query": {"nameQuery": "nothing"},
    }
    for step, query in queries.items():
        listed(steps, step, "get_usage_plan_keys", usagePlanId=plan, **query)
    for key in keys:
        steps.client.delete_api_key(apiKey=key)
    listed(steps, "get-up-keys-after-delete", "get_usage_plan_keys", usagePlanId=plan)


@replay("extended.json", f"{KEYS}negative_get_usage_plan_api_keys")
def a_key_is_renamed(steps):
    no_keys(steps)
    key = steps.call("create-api-key", "create_api_key", name="key-enabled-false", enabled=False)["id"]
    steps.call("update-api-key-name", "update_api_key", apiKey=key, patchOperations=replaced(name="new-name"))


@replay("extended.json", f"{KEYS}create_api_key_with_invalid_name")
def names_of_keys(steps):
    steps.call("create-api-key-name-too-long", "create_api_key", name="a" * 1025)
    steps.call("create-api-key-empty-name", "create_api_key", name="")
    steps.call("create-api-key-no-name", "create_api_key")


@replay("extended.json", f"{KEYS}create_api_key_with_invalid_value")
def values_of_keys(steps):
    steps.call("create-api-key-short-value", "create_api_key", value="short")
    steps.call("create-api-key-invalid-value-too-long", "create_api_key", value="a" * 129)
    steps.call("create-api-key-empty-value", "create_api_key", value="")


@replay("extended.json", f"{KEYS}update_api_key_invalid_description_length")
def descriptions_of_keys(steps):
    steps.call("create-api-key-description-too-long", "create_api_key", description="a" * 125001)
    key = steps.client.create_api_key()["id"]
    change = replaced(description="a" * 125001)
    steps.call("update-api-key-description-too-long", "update_api_key", apiKey=key, patchOperations=change)


@replay("extended.json", f"{KEYS}update_api_key_invalid_enabled_type")
def what_is_not_true_is_false(steps):
    key = steps.client.create_api_key()["id"]
    change = replaced(enabled="not-a-boolean")
    steps.call("update-api-key-invalid-enabled-type", "update_api_key", apiKey=key, patchOperations=change)


@replay("extended.json", f"{KEYS}update_api_key_immutable_field")
def a_keys_id_stays(steps):
    key = steps.client.create_api_key()["id"]
    steps.call("update-api-key-immutable-field", "update_api_key", apiKey=key, patchOperations=replaced(id="new-id"))


@replay("extended.json", f"{KEYS}create_usage_plan_with_throttle")
def a_burst_may_be_more_than_the_rate(steps):
    throttle = {"rateLimit": 10, "burstLimit": 20}
    steps.call("create-usage-plan-burst-gt-rate", "create_usage_plan", name="any", throttle=throttle)


DIFFERENCES = []
LEFT_OUT = {
    r"test_export_.*\[TEST_IMPORT_PETSTORE_SWAGGER\]": "the document is not among the recordings",
    r"test_export_swagger.*": "Foregate asks for OpenAPI 3.0 only",
    (f"{KEYS}get_api_keys", "get-apis-keys-pagination.*"): "the order of keys is AWS's own; pages are tested in local_cloud.rs",
    (f"{KEYS}get_usage_plan_api_keys", "get-up-keys-bad-usage-plan"): "here an unknown plan is an error, as for GetUsagePlan",
    (f"{KEYS}negative_get_usage_plan_api_keys", ".*invalid-limit"): "a limit below zero, which no SDK of Foregate's sends",
}
Extended = tests_of("extended.json", DIFFERENCES, LEFT_OUT)
