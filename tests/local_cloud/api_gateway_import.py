"""ImportRestApi and PutRestApi: a document becomes resources, methods, integrations, models, validators and authorizers,
as a whole or not at all.

`Plan` reads a document that api_gateway_document.py has put in shape and gathers what AWS refuses (errors) and what it
warns of (warnings); `put` carries it out on moto's objects. Sources: API Gateway developer guide, "Configure a REST API
using OpenAPI", "API Gateway extensions to OpenAPI"; answers that AWS gave (recorded); texts of errors and warnings as
users reported them, named where they stand.
"""

import copy
import json
import re

import api_gateway_warnings as warnings
from api_gateway_checks import TIMEOUT_MAX, resources_of, wrong_integration, wrong_resources
from api_gateway_document import ANY, METHODS
from moto.apigateway.exceptions import BadRequestException
from moto.apigateway.models import Authorizer, Integration, IntegrationResponse, Method, MethodResponse, Model
from moto.apigateway.models import RequestValidator
from moto.apigateway.utils import ApigwAuthorizerIdentifier, ApigwModelIdentifier, ApigwRequestValidatorIdentifier

EXTENSION = "x-amazon-apigateway-"
INTEGRATION = f"{EXTENSION}integration"
PLACES = {"path": "path", "query": "querystring", "header": "header"}
VARIABLE_PART = re.compile(r"\{([^}+]+)\+?\}")
ITEM_WORDS = ("parameters", "summary", "description", "servers")
# Where a model's reference leads, in a model's schema (recorded).
MODELS_URL = "https://apigateway.amazonaws.com/restapis"


def method_name(key):
    return "ANY" if key == ANY else key.upper()


def last(reference):
    return str(reference).rpartition("/")[2]


class Plan:
    """What an import makes, complete before anything changes: {path: {method: Method}}, models, validators and
    authorizers by name, errors and warnings in AWS's words."""

    def __init__(self, document, api, links, is_openapi=True):
        self.document, self.api, self.links, self.is_openapi = document, api, links, is_openapi
        self.errors, self.warnings = [], []
        # Schemes whose methods are not made.
        self.unusable = set()
        components = document.get("components") or {}
        self.schemas = components.get("schemas") or {}
        self.schemes = components.get("securitySchemes") or {}
        self.parameters = components.get("parameters") or {}
        self.models = {name: self.model(name, schema) for name, schema in self.schemas.items()}
        self.warnings += [one for name, schema in self.schemas.items() for one in warnings.of_model(name, schema)]
        self.validators = self.read_validators()
        self.authorizers = self.read_authorizers()
        self.methods = {path: self.read_item(path, item or {}) for path, item in document["paths"].items()}
        self.warnings += warnings.of_servers(document.get("servers"))

    # ---- what an API has beside its methods ----

    def identifier(self, make, name):
        return make(self.api.account_id, self.api.region_name, name).generate()

    def model(self, name, schema):
        known = self.api.models.get(name)
        made = Model(
            known.id if known else self.identifier(ApigwModelIdentifier, name),
            name,
            description=schema.get("description"),
            schema=json.dumps(self.canonical(schema)),
            content_type="application/json",
        )
        return made

    def canonical(self, value):
        """With references in AWS's form, `required` in order (both recorded)."""
        if isinstance(value, list):
            return [self.canonical(one) for one in value]
        if not isinstance(value, dict):
            return value
        made = {key: self.canonical(one) for key, one in value.items()}
        if isinstance(made.get("required"), list):
            made["required"] = sorted(made["required"])
        if isinstance(made.get("$ref"), str) and made["$ref"].startswith("#/"):
            made["$ref"] = f"{MODELS_URL}/{self.api.id}/models/{last(made['$ref'])}"
        return made

    def read_validators(self):
        """"x-amazon-apigateway-request-validators object"."""
        known = {one.name: one.id for one in self.api.request_validators.values()}
        return {
            name: RequestValidator(
                known.get(name) or self.identifier(ApigwRequestValidatorIdentifier, name),
                name,
                bool(one.get("validateRequestBody")),
                bool(one.get("validateRequestParameters")),
            )
            for name, one in (self.document.get(f"{EXTENSION}request-validators") or {}).items()
        }

    def read_authorizers(self):
        """"x-amazon-apigateway-authorizer object". The identity source is the scheme's header unless the authorizer names
        another; what is not said about caching is left unsaid (both recorded)."""
        known = {one.name: one.id for one in self.api.authorizers.values()}
        found = {}
        for name, scheme in self.schemes.items():
            given = scheme.get(f"{EXTENSION}authorizer")
            authtype = str(scheme.get(f"{EXTENSION}authtype", "awsSigv4"))
            if not given and authtype.lower() != "awssigv4":
                self.warnings.append(warnings.of_missing_authorizer(name))
                self.unusable.add(name)
            if not given:
                continue
            header = f"method.request.header.{scheme.get('name', 'Authorization')}"
            found[name] = Authorizer(
                known.get(name) or self.identifier(ApigwAuthorizerIdentifier, name),
                name,
                str(given.get("type", "")).upper(),
                provider_arns=given.get("providerARNs"),
                auth_type=scheme.get(f"{EXTENSION}authtype"),
                authorizer_uri=given.get("authorizerUri"),
                authorizer_credentials=given.get("authorizerCredentials"),
                identity_source=given.get("identitySource") or header,
                identity_validation_expression=given.get("identityValidationExpression"),
                authorizer_result_ttl=given.get("authorizerResultTtlInSeconds"),
            )
        return found

    # ---- methods ----

    def read_item(self, path, item):
        # What is variable in the path is a parameter of every method, declared or not (recorded).
        inherited = [{"in": "path", "name": name} for name in VARIABLE_PART.findall(path)] + (item.get("parameters") or [])
        methods = {}
        if self.is_openapi:
            self.warnings += warnings.of_path_parameters(path, item)
        for key, operation in item.items():
            if key in METHODS and not self.unusable & set(self.used_schemes(operation)):
                methods[method_name(key)] = self.read_operation(path, key, operation, inherited)
            elif key in METHODS:
                continue
            elif key not in ITEM_WORDS and not key.startswith("x-"):
                self.errors.append(f"Unknown method {key} of {path}")
        return methods

    def read_operation(self, path, key, operation, inherited):
        where = f"{method_name(key)} {path}"
        declared = self.declared(inherited, operation.get("parameters") or [])
        method = Method(
            method_name(key),
            "NONE",
            request_parameters=declared or None,
            request_models=self.models_of((operation.get("requestBody") or {}).get("content") or {}, None, where),
            operation_name=operation.get("operationId"),
            request_validator_id=self.validator_of(operation, where),
        )
        self.authorize(method, operation, where)
        for code, response in (operation.get("responses") or {}).items():
            self.add_response(method, str(code), response or {}, where)
        given = operation.get(INTEGRATION)
        if given:
            self.integrate(method, given, path, declared)
        return method

    def declared(self, inherited, own):
        """A path parameter always is required (recorded)."""
        found = {}
        for one in inherited + own:
            one = self.parameters.get(last(one.get("$ref", "")), one)
            if one.get("in") in PLACES:
                name = f"method.request.{PLACES[one['in']]}.{one['name']}"
                found[name] = one["in"] == "path" or bool(one.get("required"))
        return found

    def models_of(self, content, code, where):
        self.warnings += warnings.of_content(content, code, where, self.models)
        named = {kind: last((one.get("schema") or {}).get("$ref", "")) for kind, one in content.items()}
        return {kind: name for kind, name in named.items() if name in self.models} or None

    def validator_of(self, operation, where):
        """"x-amazon-apigateway-request-validator property": an operation's own, or the document's."""
        name = operation.get(f"{EXTENSION}request-validator", self.document.get(f"{EXTENSION}request-validator"))
        if name is None:
            return None
        if name not in self.validators:
            self.errors.append(f"Unable to find request validator '{name}' for method '{where}'")
            return None
        return self.validators[name].id

    def used_schemes(self, operation):
        entries = operation.get("security", self.document.get("security")) or []
        return {name: scopes for entry in entries for name, scopes in entry.items()}

    def authorize(self, method, operation, where):
        """By the operation's `security`, or the document's (recorded for OpenAPI 3.0). An object's keys and the list's
        entries count alike: AWS's own exports write IAM and an API key as two entries."""
        for name, scopes in self.used_schemes(operation).items():
            scheme = self.schemes.get(name, {})
            authorizer = self.authorizers.get(name)
            if name not in self.schemes:
                self.warnings.append(warnings.of_unknown_scheme(name, where))
            elif authorizer:
                is_pool = authorizer.type == "COGNITO_USER_POOLS"
                method.authorization_type = "COGNITO_USER_POOLS" if is_pool else "CUSTOM"
                method.authorizer_id = authorizer.id
                method.authorization_scopes = scopes or None
            elif str(scheme.get(f"{EXTENSION}authtype", "")).lower() == "awssigv4":
                method.authorization_type = "AWS_IAM"
            elif str(scheme.get("name", "")).lower() == "x-api-key":
                method.api_key_required = True

    def add_response(self, method, code, response, where):
        if code == "default":
            self.warnings.append(warnings.of_default_response(where))
            return
        headers = response.get("headers") or {}
        method.method_responses[code] = MethodResponse(
            code,
            self.models_of(response.get("content") or {}, code, where),
            {f"method.response.header.{name}": False for name in headers} or None,
        )

    def integrate(self, method, given, path, declared):
        parameters = {}
        for target, source in (given.get("requestParameters") or {}).items():
            if isinstance(source, str):
                parameters[target] = source
            else:
                # Recorded.
                self.warnings.append(
                    "Invalid format for 'requestParameters'. Expected type string for property "
                    f"'{target}' of resource '{path}' and method '{method.http_method}' but got '{json.dumps(source)}'"
                )
        given = {**given, "requestParameters": parameters}
        wrong = wrong_integration(given, self.links, declared)
        if wrong:
            # Reported: ustayready/fireprox issue 37 and many more.
            self.errors.append(f"Unable to put integration on '{method.http_method}' for resource at path '{path}': {wrong}")
            return
        method.method_integration = integration_of(given, parameters)


def integration_of(given, parameters):
    kind = str(given.get("type", "")).upper()
    made = Integration(
        kind,
        None if kind == "MOCK" else given.get("uri"),
        given.get("httpMethod"),
        request_templates=given.get("requestTemplates"),
        passthrough_behavior=str(given.get("passthroughBehavior") or "WHEN_NO_MATCH").upper(),
        cache_key_parameters=given.get("cacheKeyParameters"),
        tls_config=given.get("tlsConfig"),
        cache_namespace=given.get("cacheNamespace"),
        timeout_in_millis=given.get("timeoutInMillis") or TIMEOUT_MAX,
        request_parameters=parameters or None,
        content_handling=given.get("contentHandling"),
        credentials=given.get("credentials"),
        connection_type=given.get("connectionType") or ("INTERNET" if kind.startswith("HTTP") else None),
    )
    made.connection_id, made.target = given.get("connectionId"), given.get("integration-target", given.get("integrationTarget"))
    responses = [integration_response_of(pattern, one) for pattern, one in (given.get("responses") or {}).items()]
    made.integration_responses = {one.status_code: one for one in responses} or None
    return made


def integration_response_of(pattern, one):
    return IntegrationResponse(
        str(one.get("statusCode")),
        None if pattern == "default" else pattern,
        dict(one.get("responseTemplates") or {}),
        one.get("responseParameters"),
        one.get("contentHandling"),
    )


def text_of(errors, warned):
    """As reported: aws/aws-cdk issue 20891, ustayready/fireprox issue 37."""
    if not errors:
        return "Warnings found during import:\n\t" + "\n\t".join(warned)
    more = "\nAdditionally, these warnings were found:\n\t" + "\n\t".join(warned) if warned else ""
    return "Errors found during import:\n\t" + "\n\t".join(errors) + more


def put(backend, api, document, mode, fail_on_warnings, is_openapi):
    """The warnings. A refusal changes nothing ("Errors and warnings during import": with `failonwarnings` the API is not
    updated)."""
    if mode not in ("merge", "overwrite"):
        raise BadRequestException("Enumeration value of OpenAPI import mode must be merge or overwrite")
    plan = Plan(document, api, backend.vpc_links, is_openapi)
    before = {} if mode == "overwrite" else {one.get_path(): one for one in api.resources.values()}
    wrong = wrong_resources(set(document["paths"]) | set(before), set(before))
    plan.errors += [f"Unable to create resource at path '{path}': {why}" for path, why in wrong.items()]
    if plan.errors or (plan.warnings and fail_on_warnings):
        raise BadRequestException(text_of(plan.errors, plan.warnings))
    if mode == "overwrite":
        api.models, api.request_validators, api.authorizers = {}, {}, {}
    api.models.update(plan.models)
    api.request_validators.update({one.id: one for one in plan.validators.values()})
    api.authorizers.update({one.id: one for one in plan.authorizers.values()})
    build(api, plan.methods, mode)
    return plan.warnings


def build(api, methods, mode):
    """Resources whose path stays keep their ids."""
    known = {one.get_path(): one for one in api.resources.values()}
    wanted = resources_of(set(methods) | (set(known) if mode == "merge" else set()))
    api.resources = {one.id: one for path, one in known.items() if path in wanted}
    for path in sorted(wanted - set(known)):
        known[path] = api.add_child(path.rpartition("/")[2], known[path.rpartition("/")[0] or "/"].id)
    for path in wanted:
        resource = known[path]
        if mode == "overwrite":
            resource.resource_methods = {}
        for name, method in methods.get(path, {}).items():
            if method.method_integration and not method.method_integration.cache_namespace:
                method.method_integration.cache_namespace = resource.id
            resource.resource_methods[name] = method


def merged(before, document):
    """The definition that a merge leaves: "merge" overrides method by method and leaves what the document does not name."""
    paths = {path: dict(item) for path, item in (before.get("paths") or {}).items()}
    for path, item in document["paths"].items():
        paths.setdefault(path, {}).update(item or {})
    sections = copy.copy(before.get("components") or {})
    for name, section in (document.get("components") or {}).items():
        sections[name] = {**sections.get(name, {}), **(section or {})}
    return {**before, **document, "paths": paths, "components": sections}
