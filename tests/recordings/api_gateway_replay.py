"""Replays of API Gateway's recordings: each is a function that makes the calls of one recorded test, in its order, and says
at each step what came here. `@replay` registers it; `tests_of` makes the tests of a module out of them."""

import collections
import json
import re
import unittest

from botocore.exceptions import ClientError

from tests.recordings.comparison import Comparison
from tests.recordings.ministack import ACCOUNT, REGION
from tests.recordings.moto import moto
from tests.recordings.recording import folder, recorded

RECORDED_ACCOUNT = "111111111111"
KNOWN = {"<region>": REGION, "<partition>": "aws"}
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:any"
INVOCATION = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"

# Where what comes here is not what AWS answered, and why that is so: a test's name, a step, a place in the answer, each a
# regular expression for the whole of it.
Difference = collections.namedtuple("Difference", "test step where reason")
REPLAYS = collections.defaultdict(dict)


def replay(recording, *tests):
    """For a test that was recorded for several parameters, the function gets the one in brackets."""

    def register(function):
        for test in tests:
            REPLAYS[recording][test] = function
        return function

    return register


def answer(call, **arguments):
    """What a call answers, refusals too."""
    try:
        return call(**arguments)
    except ClientError as error:
        return error.response


def shown(response):
    """Of a refusal its code, its message and its status; of an answer all but the headers."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if "Error" in response:
        error = response["Error"]
        return {"Error": {"Code": error.get("Code"), "Message": error.get("Message")}, "status": status}
    return {**{key: value for key, value in response.items() if key != "ResponseMetadata"}, "status": status}


class Steps:
    """A recorded test being replayed."""

    def __init__(self, name, recording, differences):
        self.name, self.differences = name, differences
        self.recording = json.loads(json.dumps(recording).replace(RECORDED_ACCOUNT, ACCOUNT))
        self.comparison = Comparison(KNOWN)
        self.matched, self.used, self.found = set(), set(), []
        self.client = moto().client("apigateway")

    def match(self, step, response):
        was = self.recording[step]
        was = shown(was) if isinstance(was, dict) else was
        response = shown(response) if isinstance(response, dict) else response
        self.matched.add(step)
        for where, expected, is_now in self.comparison.differences(was, response):
            listed = self.listed(step, where)
            self.used |= {listed} - {None}
            if listed is None:
                self.found.append(f"{step} {where}: AWS {expected!r}, here {is_now!r}")
        return response

    def listed(self, step, where):
        fits = [one for one in self.differences if re.fullmatch(one.test, self.name) and re.fullmatch(one.step, step)]
        return next((one for one in fits if re.fullmatch(one.where, where)), None)

    def call(self, step, operation, **arguments):
        """Makes a call and matches its answer."""
        response = answer(getattr(self.client, operation), **arguments)
        self.match(step, response)
        return response

    def document(self, name):
        """A recorded document, with what was put into it."""
        text = (folder() / "apigateway" / "documents" / name).read_text()
        pool = f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_ABC123"
        placeholders = {
            "${authorizer_lambda_invocation_arn}": INVOCATION,
            "${lambda_invocation_arn}": INVOCATION,
            "${cognito_pool_arn}": pool,
            "${uri}": f"http://petstore.execute-api.{REGION}.amazonaws.com/petstore/pets",
            "arn:aws:iam::account-id:role": ROLE,
            "account-id": ACCOUNT,
            "us-east-1": REGION,
        }
        for placeholder, value in placeholders.items():
            text = text.replace(placeholder, value)
        return text.encode()


def tests_of(recording, differences, left_out):
    """The tests of one recording: a replay of each recorded test, that none is left out without a reason, and that no
    difference is listed that is none any more. `left_out`: {a test, or (test, step), each a regular expression: reason}."""
    used = set()

    def is_left_out(test, step=None):
        whole = [one for one in left_out if isinstance(one, str)]
        steps = [one for one in left_out if isinstance(one, tuple)]
        if step is None:
            return any(re.fullmatch(one, test) for one in whole)
        return any(re.fullmatch(one, test) and re.fullmatch(two, step) for one, two in steps)

    def run(self, test, function):
        steps = Steps(test, recorded(f"apigateway/{recording}")[test], differences)
        parameter = re.search(r"\[(.*)\]$", test)
        function(steps, parameter[1]) if parameter else function(steps)
        used.update(steps.used)
        missing = [step for step in steps.recording if step not in steps.matched and not is_left_out(test, step)]
        wrong = steps.found + [f"{step} is not replayed" for step in missing]
        self.assertFalse(wrong, "\n" + "\n".join(wrong))

    def every_recorded_test_is_replayed_or_left_out_for_a_reason(self):
        replayed = set(REPLAYS[recording])
        names = set(recorded(f"apigateway/{recording}"))
        self.assertEqual(set(), {one for one in names - replayed if not is_left_out(one)})
        self.assertEqual(set(), replayed - names)

    def z_every_listed_difference_is_one(self):
        folder()
        self.assertEqual(set(), {one for one in differences if one not in used})

    methods = {
        f"test_{re.sub(r'[^A-Za-z0-9]+', '_', test)}": lambda self, test=test, function=function: run(self, test, function)
        for test, function in REPLAYS[recording].items()
    }
    for each in (every_recorded_test_is_replayed_or_left_out_for_a_reason, z_every_listed_difference_is_one):
        methods[f"test_{each.__name__}"] = each
    return type(f"Replay_{recording.partition('.')[0]}", (unittest.TestCase,), methods)


def deployable(steps):
    """A new REST API with a mock behind GET /, as the recorded tests about stages make one: its id."""
    client = steps.client
    created = client.create_rest_api(name="any")
    where = {"restApiId": created["id"], "resourceId": created["rootResourceId"], "httpMethod": "GET"}
    client.put_method(**where, authorizationType="NONE")
    client.put_method_response(**where, statusCode="200")
    client.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    client.put_integration_response(**where, statusCode="200", selectionPattern="")
    return created["id"]


def replaced(**values):
    """Patch operations that replace; a name's `__` is a slash."""
    return [{"op": "replace", "path": f"/{name.replace('__', '/')}", "value": value} for name, value in values.items()]
