"""Holds every golden OpenAPI document against OpenAPI itself, with a validator that is not ours."""

import json
import pathlib
import sys

from openapi_spec_validator import OpenAPIV30SpecValidator

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "functions" / "publisher" / "src" / "plan" / "golden"


def main():
    files = sorted(GOLDEN.glob("*.json"))
    failures = [] if files else [f"no golden document in {GOLDEN}"]
    for file in files:
        document = json.loads(file.read_text())
        # API Gateway writes a greedy variable `{proxy+}` in a path and `proxy` among its parameters; OpenAPI has none.
        document["paths"] = {path.replace("+}", "}"): item for path, item in document["paths"].items()}
        failures += [f"{file.name}: {error.message}" for error in OpenAPIV30SpecValidator(document).iter_errors()]
    print(f"golden documents: {len(files)} are OpenAPI 3.0" if not failures else "\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
