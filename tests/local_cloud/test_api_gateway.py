"""What API Gateway's recordings taught, and what its documentation says, held to the patches: these need no recordings.

`make recordings` runs them too. The API Gateway here is moto's backend itself, patched, without a server.
"""

import json
import time
import unittest

import api_gateway_rest_apis as rest_apis
import moto_apigateway
from moto.apigateway import models
from moto.apigateway.exceptions import ApiGatewayException

moto_apigateway.patch()
MOCK = {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
ACCOUNT, REGION = "123456789012", "eu-west-1"


def operation(**more):
    return {"responses": {"200": {"description": ""}}, "x-amazon-apigateway-integration": MOCK, **more}


def http(**more):
    return {"type": "http_proxy", "httpMethod": "GET", "uri": "http://backend.example.com/", **more}


def document(paths, **more):
    return {"openapi": "3.0.1", "info": {"title": "any", "version": "1"}, "paths": paths, **more}


class ApiGatewayTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.backend = models.APIGatewayBackend(REGION, ACCOUNT)
        # Resources find their parents through the account's backend.
        models.apigateway_backends[ACCOUNT][REGION] = self.backend
        self.api = rest_apis.create(self.backend, {"name": "any"})

    def put(self, paths, mode="overwrite", strict=False, **more):
        return rest_apis.put(self.backend, self.api, document(paths, **more), mode, strict)

    def refusal(self, call, *arguments, **more):
        with self.assertRaises(ApiGatewayException) as caught:
            call(*arguments, **more)
        return caught.exception.message

    def methods(self):
        return {
            f"{name} {one.get_path()}": method
            for one in self.api.resources.values()
            for name, method in one.resource_methods.items()
        }


class Imports(ApiGatewayTest):
    def test_a_default_method_response_is_warned_of_and_left_out(self):
        paths = {"/echo": {"get": operation(responses={"default": {"description": ""}, "200": {"description": ""}})}}
        text = "API Gateway does not support Swagger's 'default' method response (found on 'GET /echo')"
        self.assertEqual([text], self.put(paths))
        self.assertEqual(["200"], list(self.methods()["GET /echo"].method_responses))

    def test_with_failonwarnings_a_warning_changes_nothing(self):
        self.put({"/before": {"get": operation()}})
        paths = {"/echo": {"get": operation(responses={"default": {"description": ""}})}}
        text = self.refusal(self.put, paths, strict=True)
        self.assertTrue(text.startswith("Warnings found during import:\n\tAPI Gateway does not support"), text)
        self.assertEqual(["GET /before"], list(self.methods()))

    def test_every_refused_method_is_named_and_nothing_changes(self):
        self.put({"/before": {"get": operation()}})
        bad = {"x-amazon-apigateway-integration": http(uri="nowhere")}
        variable = {"x-amazon-apigateway-integration": http(requestParameters={"integration.request.header.x": "$context.x"})}
        paths = {"/a": {"get": operation(**bad)}, "/b": {"get": operation(**variable)}, "/c/{one}": {}, "/c/{two}": {}}
        self.assertEqual(
            "Errors found during import:\n"
            "\tUnable to put integration on 'GET' for resource at path '/a': Invalid HTTP endpoint specified for URI\n"
            "\tUnable to put integration on 'GET' for resource at path '/b': Invalid mapping expression specified: Validation "
            "Result: warnings : [], errors : [Invalid mapping expression specified: $context.x]\n"
            "\tUnable to create resource at path '/c/{two}': A sibling ({one}) of this resource already has a variable path "
            "part -- only one is allowed",
            self.refusal(self.put, paths),
        )
        self.assertEqual(["GET /before"], list(self.methods()))

    def test_an_undefined_scheme_leaves_the_method_open_with_a_warning(self):
        self.assertEqual(1, len(self.put({"/a": {"get": operation(security=[{"nowhere": []}])}})))
        self.assertEqual("NONE", self.methods()["GET /a"].authorization_type)

    def test_a_scheme_with_an_authtype_and_no_authorizer_loses_its_methods(self):
        schemes = {"team": {"type": "apiKey", "name": "Auth", "in": "header", "x-amazon-apigateway-authtype": "custom"}}
        paths = {"/a": {"get": operation(security=[{"team": []}]), "post": operation()}}
        (warning,) = self.put(paths, components={"securitySchemes": schemes})
        self.assertIn("Any methods with security: 'team' will not be created", warning)
        self.assertEqual(["POST /a"], list(self.methods()))

    def test_iam_and_an_api_key_are_two_entries(self):
        schemes = {
            "iam": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
            "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
        }
        paths = {"/a": {"get": operation(security=[{"iam": []}, {"key": []}])}}
        self.assertEqual([], self.put(paths, components={"securitySchemes": schemes}))
        method = self.methods()["GET /a"]
        self.assertEqual(("AWS_IAM", True), (method.authorization_type, method.api_key_required))

    def test_words_that_models_do_not_have_are_warned_of(self):
        schema = {"type": "object", "properties": {"example": {"type": "string", "nullable": True}}}
        warnings = self.put({"/a": {"get": operation()}}, components={"schemas": {"Cat": schema}})
        self.assertEqual(["Unsupported keyword 'nullable' in model 'Cat'. Ignoring."], warnings)

    def test_an_undeclared_path_parameter_is_warned_of_and_declared(self):
        paths = {"/cats/{id}": {"get": operation()}, "/dogs/{proxy+}": {"x-amazon-apigateway-any-method": operation()}}
        (warning,) = self.put(paths)
        self.assertIn("paths.'/cats/{id}'. Declared path parameter id needs to be defined", warning)
        self.assertEqual({"method.request.path.proxy": True}, self.methods()["ANY /dogs/{proxy+}"].request_parameters)

    def test_an_operation_without_an_integration_is_imported_and_never_deployed(self):
        self.assertEqual([], self.put({"/a": {"get": {"responses": {"200": {"description": ""}}}, "post": operation()}}))
        text = self.refusal(self.backend.create_deployment, self.api.id, None)
        self.assertEqual("No integration defined for method", text)

    def test_an_overwrite_resets_what_the_document_does_not_name(self):
        changes = {"disableExecuteApiEndpoint": "true", "securityPolicy": "TLS_1_2", "minimumCompressionSize": "10"}
        operations = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in changes.items()]
        self.backend.update_rest_api(self.api.id, operations)
        self.put({"/a": {"get": operation()}}, components={"schemas": {"Cat": {"type": "object"}}})
        self.put({"/a": {"get": operation()}})
        described = self.api.to_dict()
        self.assertFalse(described["disableExecuteApiEndpoint"])
        self.assertFalse({"securityPolicy", "minimumCompressionSize"} & set(described))
        self.assertEqual({}, self.api.models)

    def test_settings_of_the_endpoint_stand_below_servers(self):
        settings = {"x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": True}}
        self.put({"/a": {"get": operation()}}, **settings)
        self.assertFalse(self.api.to_dict()["disableExecuteApiEndpoint"])
        self.put({"/a": {"get": operation()}}, servers=[{"url": "/", **settings}])
        self.assertTrue(self.api.to_dict()["disableExecuteApiEndpoint"])

    def test_a_merge_leaves_what_the_document_does_not_name(self):
        self.put({"/a": {"get": operation()}, "/b": {"get": operation()}})
        self.put({"/b": {"put": operation()}}, mode="merge")
        self.assertEqual({"GET /a", "GET /b", "PUT /b"}, set(self.methods()))

    def test_a_policys_short_form_is_written_out(self):
        statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
        self.put({"/a": {"get": operation()}}, **{"x-amazon-apigateway-policy": {"Statement": [statement]}})
        resource = json.loads(self.api.policy)["Statement"][0]["Resource"]
        self.assertEqual(f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.api.id}/*", resource)

    def test_what_is_refused_of_the_settings_changes_no_method(self):
        self.put({"/before": {"get": operation()}})
        statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
        too_long = {"x-amazon-apigateway-policy": {"Statement": [statement] * 100}}
        text = self.refusal(self.put, {"/after": {"get": operation()}}, **too_long)
        self.assertIn("8192", text)
        half = {"x-amazon-apigateway-security-policy": "SecurityPolicy_TLS13_1_3_2025_09"}
        self.assertIn("access mode", self.refusal(self.put, {"/after": {"get": operation()}}, **half))
        self.assertEqual(["GET /before"], list(self.methods()))
        self.put({"/after": {"get": operation()}}, **half, **{"x-amazon-apigateway-endpoint-access-mode": "STRICT"})
        self.assertEqual("STRICT", self.api.to_dict()["endpointAccessMode"])

    def test_the_work_of_an_import_grows_with_its_routes_and_no_faster(self):
        paths = {f"/r{n}/{{proxy+}}": {"x-amazon-apigateway-any-method": operation()} for n in range(140)}
        few, many = dict(list(paths.items())[:14]), paths
        spent = []
        for some in (few, many):
            before = time.process_time()
            for _ in range(3):
                self.put(some)
            spent.append(time.process_time() - before)
        # Ten times the routes: ten times the work, and as much again for noise; a hundred times would be its square.
        self.assertLess(spent[1], 40 * max(spent[0], 0.001))


class Deployments(ApiGatewayTest):
    def deploy(self, **more):
        return self.backend.create_deployment(self.api.id, None, **more).id

    def test_a_deployment_keeps_its_summary(self):
        self.put({"/a": {"x-amazon-apigateway-any-method": operation()}})
        first = self.deploy()
        self.put({"/b": {"get": operation()}})
        summary = {"/a": {"ANY": {"authorizationType": "NONE", "apiKeyRequired": False}}}
        self.assertEqual(summary, self.backend.get_deployment(self.api.id, first).summary)

    def test_a_stage_is_changed_as_a_whole_or_not_at_all(self):
        self.put({"/a": {"get": operation()}})
        self.backend.create_stage(self.api.id, "live", self.deploy(), variables={"link": "one"})
        operations = [
            {"op": "replace", "path": "/variables/link", "value": "two"},
            {"op": "replace", "path": "/deploymentId", "value": "nowhere"},
        ]
        text = self.refusal(self.backend.update_stage, self.api.id, "live", operations)
        self.assertEqual("Deployment id does not exist", text)
        self.assertEqual({"link": "one"}, self.api.stages["live"].variables)

    def test_a_link_that_a_stage_variable_names_can_not_be_deleted(self):
        link = self.backend.create_vpc_link("any", "", ["arn:aws:elasticloadbalancing:any"], None)
        other = self.backend.create_vpc_link("other", "", ["arn:aws:elasticloadbalancing:any"], None)
        integration = http(connectionType="VPC_LINK", connectionId="${stageVariables.link}")
        self.put({"/a": {"get": operation(**{"x-amazon-apigateway-integration": integration})}})
        self.backend.create_stage(self.api.id, "live", self.deploy(), variables={"link": link.id})
        self.assertIn("[GET:/a:live]", self.refusal(self.backend.delete_vpc_link, link.id))
        change = [{"op": "replace", "path": "/variables/link", "value": other.id}]
        self.backend.update_stage(self.api.id, "live", change)
        self.backend.delete_vpc_link(link.id)
        self.assertIn("[GET:/a:live]", self.refusal(self.backend.delete_vpc_link, other.id))

    def test_a_deployment_that_a_stage_shows_stays(self):
        self.put({"/a": {"get": operation()}})
        deployment = self.deploy()
        self.backend.create_stage(self.api.id, "live", deployment)
        text = self.refusal(self.backend.delete_deployment, self.api.id, deployment)
        self.assertEqual("Active stages pointing to this deployment must be moved or deleted", text)

    def test_gateway_responses_that_were_not_put_are_aws_own(self):
        responses = {"MISSING_AUTHENTICATION_TOKEN": {"statusCode": 404}}
        self.put({"/a": {"get": operation()}}, **{"x-amazon-apigateway-gateway-responses": responses})
        found = {one.response_type: one for one in self.backend.get_gateway_responses(self.api.id)}
        self.assertEqual(21, len(found))
        put = found["MISSING_AUTHENTICATION_TOKEN"]
        self.assertEqual(("404", False), (put.status_code, put.default_response))
        self.assertTrue(found["ACCESS_DENIED"].default_response)


if __name__ == "__main__":
    unittest.main()
