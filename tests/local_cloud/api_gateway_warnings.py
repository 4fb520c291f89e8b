"""What API Gateway's importer warns of. A warning refuses the import with `failonwarnings` and is told otherwise; what it is
about is left out. The texts are AWS's where somebody has reported them; where the words are ours, that is said.

Sources: rstudio/plumber issue 856 (`default`); aws/aws-cdk issue 20891 and usdot-jpo-ode's answer of the console (models,
servers); amazon-archives/aws-apigateway-importer issue 187 (authorizers); API Gateway developer guide, "Amazon API Gateway
important notes for REST APIs" (words of models); swagger-parser, whose messages the importer passes on (path parameters).
"""

from api_gateway_document import ANY

# The classes of swagger-parser that no model is made of when they stand in a response themselves.
SIMPLE = {"string": "StringSchema", "integer": "IntegerSchema", "number": "NumberSchema", "boolean": "BooleanSchema"}
# Words of OpenAPI's that API Gateway's models do not have.
WORDS = (
    "deprecated",
    "discriminator",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "multipleOf",
    "nullable",
    "readOnly",
    "uniqueItems",
    "writeOnly",
)
HOLDERS = ("items", "additionalProperties", "not")
LISTS = ("allOf", "anyOf", "oneOf")


def of_servers(servers):
    if len(servers or []) < 2:
        return []
    return ["More than one server provided. Ignoring all but the first for defining endpoint configuration"]


def of_default_response(where):
    return f"API Gateway does not support Swagger's 'default' method response (found on '{where}')"


def of_missing_authorizer(name):
    return (
        f"Unable to create authorizer from security definition: '{name}'. Extension x-amazon-apigateway-authorizer is "
        f"required. Any methods with security: '{name}' will not be created. If this security definition is not a custom "
        "authorizer, remove the x-amazon-apigateway-authtype extension and it will be ignored."
    )


def of_unknown_scheme(name, where):
    """In our words. The method is open all the same (reported: aws-apigateway-importer issue 165)."""
    return f"Security scheme '{name}' of method '{where}' is not defined. Ignoring."


def of_content(content, code, where, models):
    """Of a response, or of a request, whose code is none."""
    found = []
    for kind, one in content.items():
        schema = one.get("schema") or {}
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in models:
            found.append(f"Reference to model '{name}' not found. Ignoring.")
            found.append(f"Invalid format for model {kind} for method {where.split()[0]}")
        elif schema.get("type") in SIMPLE and code:
            found.append(
                f"Unsupported model type '{SIMPLE[schema['type']]}' in {code} response to method '{where}'. Ignoring."
            )
    return found


def of_model(name, schema):
    """In our words: which word of which model."""
    return [f"Unsupported keyword '{word}' in model '{name}'. Ignoring." for word in sorted(words_of(schema))]


def words_of(schema):
    if not isinstance(schema, dict):
        return set()
    found = {word for word in WORDS if word in schema}
    inner = [schema.get(key) for key in HOLDERS] + [one for key in LISTS for one in schema.get(key) or []]
    for one in [*inner, *(schema.get("properties") or {}).values()]:
        found |= words_of(one)
    return found


def of_path_parameters(path, item):
    """swagger-parser (OpenAPIDeserializer.java) wants every variable of a path among the parameters, and takes the `+` for a
    part of its name. It reads OpenAPI's own methods alone, and OpenAPI 2.0 by another parser (recorded: no warning)."""
    variables = [part[1:-1] for part in path.split("/") if part.startswith("{") and part.endswith("}")]
    shared = {one.get("name") for one in item.get("parameters") or [] if one.get("in") == "path"}
    operations = [value for key, value in item.items() if key != ANY and isinstance(value, dict) and "responses" in value]
    declared = [shared | {one.get("name") for one in operation.get("parameters") or []} for operation in operations]
    return [
        f"Parse issue: attribute paths.'{path}'. Declared path parameter {name} needs to be defined as a path parameter in "
        "path or operation level"
        for name in variables
        if any(name not in names for names in declared)
    ]
