"""Runs every mapping template of the golden documents with Velocity, as API Gateway does, for what browsers and others send.

The engine is airspeed-ext, made to be like API Gateway's, which is Apache Velocity. `$input` and `$context` are as in the API Gateway
developer guide, "Mapping template and access logging variable reference"."""

import json
import pathlib
import sys

import airspeed

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "functions" / "publisher" / "src" / "plan" / "golden"
INTEGRATION = "x-amazon-apigateway-integration"
ALLOW_ORIGIN = "Access-Control-Allow-Origin"
# A template that Apache Velocity 1.7 refuses: a list has methods only once it is a variable's.
BROKEN = '#if(["https://a.example"].contains($origin))\nx#end\n'


class Map(dict):
    """java.util.Map, as far as templates use it: airspeed calls what Python has."""

    def containsKey(self, key):
        return key in self


class Input:
    """`$input`."""

    def __init__(self, headers, query):
        self.places = Map(path=Map(), querystring=Map(query), header=Map(headers))

    def params(self, name=None):
        if name is None:
            return self.places
        return next((self.places[place][name] for place in ("path", "querystring", "header") if name in self.places[place]), "")


def run(template, headers=None, query=None):
    """What the template makes, and the response's headers that it sets."""
    overrides = {}
    context = {"responseOverride": {"header": overrides}}
    made = airspeed.Template(template).merge({"input": Input(headers or {}, query or {}), "context": context})
    return made, overrides


def integrations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and INTEGRATION in operation:
                yield f"{method} {path}", operation[INTEGRATION]


def check_mock(where, mock):
    """A mock's request template is JSON with its statusCode, whatever asks; API Gateway takes no template for what is binary."""
    for template in mock["requestTemplates"].values():
        made = json.loads(run(template)[0])
        if str(made["statusCode"]) not in {one["statusCode"] for one in mock["responses"].values()}:
            yield f"{where}: the mock's status {made['statusCode']} has no response"
    if mock.get("contentHandling") != "CONVERT_TO_TEXT":
        yield f"{where}: with */* among the binary media types this mock answers 500"


def origins_of(template):
    """The origins that stand in the template."""
    parts = template.split('"')[1::2]
    return [part for part in parts if "://" in part]


def check_preflight(where, template):
    """The asking origin is named if it is known, however its header is written, and nobody else's is."""
    known = origins_of(template)
    cases = [({name: origin}, {}, {ALLOW_ORIGIN: origin}) for origin in known for name in ("origin", "Origin")]
    cases += [({"origin": "https://evil.example"}, {}, {}), ({"Origin": known[0] + ".evil.example"}, {}, {}), ({}, {}, {})]
    cases += [({}, {"Origin": known[0]}, {}), ({}, {"origin": known[0]}, {})]
    for headers, query, expected in cases:
        made, overrides = run(template, headers, query)
        if overrides != expected or made.strip():
            yield f"{where}: headers {headers}, query {query}: sets {overrides} and answers {made.strip()!r}"


def check(name, document):
    for where, integration in integrations(document):
        where = f"{name}: {where}"
        if integration["type"] == "mock":
            yield from check_mock(where, integration)
        for response in integration.get("responses", {}).values():
            for template in response.get("responseTemplates", {}).values():
                if ALLOW_ORIGIN in template:
                    yield from check_preflight(where, template)
                elif json.loads(run(template)[0]) is None:
                    yield f"{where}: the response is no JSON"


def refuses_what_velocity_refuses():
    try:
        run(BROKEN)
    except airspeed.TemplateSyntaxError:
        return []
    return ["the engine takes a method of a list literal, which Velocity refuses"]


def main():
    failures = refuses_what_velocity_refuses()
    files = sorted(GOLDEN.glob("*.json"))
    documents = {file.name: json.loads(file.read_text()) for file in files}
    for name, document in documents.items():
        failures += check(name, document)
    text = json.dumps(documents)
    if not files or "responseOverride" not in text:
        failures.append(f"no template that names an origin in {GOLDEN}")
    print("\n".join(failures) if failures else f"velocity: the templates of {len(files)} documents answer as they should")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
