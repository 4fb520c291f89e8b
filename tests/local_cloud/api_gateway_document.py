"""OpenAPI documents as API Gateway's importer reads them: Swagger 2.0 or OpenAPI 3.0, JSON or YAML, in one shape, that of
OpenAPI 3.0, with the base path in the paths. Pure: nothing here knows an API.

API Gateway developer guide: "Configure a REST API using OpenAPI", "Set the OpenAPI basePath property", "API Gateway
extensions to OpenAPI". What is called recorded is an answer that AWS gave (see recordings.py).
"""

import json

import yaml
from moto.apigateway.exceptions import BadRequestException

ANY = "x-amazon-apigateway-any-method"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", ANY)
JSON = "application/json"
BYTES_MAX = 6 << 20


def read(body):
    """The document in a request's body: "Invalid OpenAPI input." is recorded, for JSON and for YAML."""
    if len(body) > BYTES_MAX:
        raise BadRequestException("The size of the OpenAPI document exceeds 6 MB")
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        # JSON is YAML, but Python's JSON is fifty times as fast.
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        document = None
    if not isinstance(document, dict) or not {"swagger", "openapi"} & set(document):
        raise BadRequestException("Invalid OpenAPI input.")
    return document


def normal(document, base_path="ignore"):
    """In OpenAPI 3.0's shape, its base path ignored, prepended or split ("Set the OpenAPI basePath property")."""
    is_swagger = "swagger" in document
    prefix = base_of(document, is_swagger)
    shaped = from_swagger(document) if is_swagger else dict(document)
    if base_path == "split":
        # "the top-most part of the base path" is left out.
        prefix = "/" + "/".join(prefix.strip("/").split("/")[1:])
    paths = shaped.get("paths") or {}
    if base_path in ("prepend", "split") and prefix.strip("/"):
        paths = {f"/{prefix.strip('/')}{path if path != '/' else ''}": item for path, item in paths.items()}
    return {**shaped, "paths": paths}


def base_of(document, is_swagger):
    if is_swagger:
        return document.get("basePath") or "/"
    server = (document.get("servers") or [{}])[0]
    variables = {name: str(one.get("default", "")) for name, one in (server.get("variables") or {}).items()}
    # A variable called basePath is the base path, "even if it isn't referenced in the server.url".
    if "basePath" in variables:
        return variables["basePath"]
    url = server.get("url") or "/"
    for name, value in variables.items():
        url = url.replace(f"{{{name}}}", value)
    _, scheme, rest = url.partition("://")
    return f"/{rest.partition('/')[2]}" if scheme else url


def from_swagger(document):
    """OpenAPI 2.0's words in 3.0's places."""
    moved = refer(document)
    dropped = ("swagger", "definitions", "securityDefinitions", "produces", "consumes", "basePath", "host", "schemes")
    shaped = {key: value for key, value in moved.items() if key not in dropped}
    media = {"consumes": moved.get("consumes") or [JSON], "produces": moved.get("produces") or [JSON]}
    shaped["openapi"] = "3.0.1"
    shaped["components"] = {
        "schemas": moved.get("definitions") or {},
        "securitySchemes": moved.get("securityDefinitions") or {},
    }
    shared = moved.get("parameters") or {}
    shaped.pop("parameters", None)
    for path, item in (moved.get("paths") or {}).items():
        shaped["paths"][path] = {
            key: operation_from_swagger(value, media, item.get("parameters") or [], shared) if key in METHODS else value
            for key, value in item.items()
            if key != "parameters"
        }
    return shaped


def refer(value):
    """With every reference to a definition leading to where OpenAPI 3.0 keeps it."""
    if isinstance(value, dict):
        return {
            key: one.replace("#/definitions/", "#/components/schemas/") if key == "$ref" and isinstance(one, str) else refer(one)
            for key, one in value.items()
        }
    return [refer(one) for one in value] if isinstance(value, list) else value


def operation_from_swagger(operation, media, inherited, shared):
    shaped = {key: value for key, value in operation.items() if key not in ("consumes", "produces", "parameters")}
    parameters = []
    for one in inherited + (operation.get("parameters") or []):
        one = shared.get(str(one.get("$ref", "")).rpartition("/")[2], one)
        if one.get("in") == "body":
            content = {"schema": one.get("schema") or {}}
            kinds = operation.get("consumes") or media["consumes"]
            shaped["requestBody"] = {"content": {kind: content for kind in kinds}, "required": one.get("required", False)}
        elif one.get("in") != "formData":
            words = ("name", "in", "required", "description")
            schema = {key: value for key, value in one.items() if key not in words}
            parameters.append({**{key: one[key] for key in words if key in one}, "schema": schema})
    if parameters:
        shaped["parameters"] = parameters
    shaped["responses"] = {
        code: response_from_swagger(response, operation.get("produces") or media["produces"])
        for code, response in (operation.get("responses") or {}).items()
    }
    return shaped


def response_from_swagger(response, produces):
    shaped = {key: value for key, value in response.items() if key not in ("schema", "headers", "examples")}
    if response.get("headers"):
        shaped["headers"] = {name: {"schema": one} for name, one in response["headers"].items()}
    if response.get("schema"):
        shaped["content"] = {kind: {"schema": response["schema"]} for kind in produces}
    return shaped
