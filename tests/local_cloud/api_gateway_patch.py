"""What PATCH requests of API Gateway have in common (API reference, "Patch Operations"; texts recorded)."""

from moto.apigateway.exceptions import ApiGatewayException, BadRequestException

OPERATIONS = ("add", "remove", "move", "test", "replace", "copy")


class ValidationException(ApiGatewayException):
    def __init__(self, found):
        kind = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
        super().__init__("ValidationException", f"{kind} detected: {'; '.join(found)}")


def check(operations, request):
    """`op` is one of six words, whatever the resource."""
    wrong = [
        f"Value '{one.get('op')}' at '{request}.patchOperations.{at}.member.op' failed to satisfy constraint: Member must "
        f"satisfy enum value set: [{', '.join(OPERATIONS)}]"
        for at, one in enumerate(operations or [], 1)
        if one.get("op") not in OPERATIONS
    ]
    if wrong:
        raise ValidationException(wrong)


def segments(path):
    """The parts of a JSON pointer; "Any slash character appearing in path names must be escaped with ~1"."""
    return [one.replace("~1", "/").replace("~0", "~") for one in str(path).split("/")[1:]]


def only(operation, *allowed):
    if operation["op"] not in allowed:
        raise BadRequestException(f"Invalid patch operation specified. Must be one of: [{', '.join(allowed)}]")


def boolean(value):
    return str(value).lower() == "true"
