"""Both emulators refuse what AWS's models do not allow before they look at it, and note it with whose request it was."""

import asyncio
import io
import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock
from urllib.parse import urlencode

import record
from test_service_models import SIGNED, VERSIONS

AGENT = "aws-sdk-rust/1.5.0 ua/2.1 app/foregate"


def answered_by(application, environ):
    """Status, headers and body of a WSGI application's answer."""
    answer = {}

    def start_response(status, headers):
        answer.update(status=status, headers=dict(headers))

    body = b"".join(application(environ, start_response))
    return answer["status"], answer["headers"], body.decode()


class Entrance(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        file = pathlib.Path(self.place.name) / "requests.jsonl"
        self.enterContext(mock.patch.dict(os.environ, {"LOCAL_CLOUD_RECORD": str(file), "AUTH": "true"}))
        self.enterContext(mock.patch.object(record, "WRITTEN", set()))

    def noted(self, kind):
        return [entry for entry in record.read(self.place.name) if entry["kind"] == kind]

    def moto(self, **fields):
        import moto_aws

        asked = []

        def emulator(environ, start_response):
            asked.append(environ["wsgi.input"].read())
            start_response("200 OK", [])
            return [b"taken"]

        body = urlencode({"Version": VERSIONS["ec2"], **fields}).encode()
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        environ |= {"CONTENT_TYPE": "application/x-www-form-urlencoded", "HTTP_AUTHORIZATION": SIGNED.format("ec2")}
        environ |= {"HTTP_X_AMZ_USER_AGENT": AGENT, "SERVER_NAME": "local", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
        return body, asked, answered_by(moto_aws.LocalCloud(emulator), environ)

    def test_moto_gets_what_the_model_allows_as_it_was_sent(self):
        body, asked, (status, _, answer) = self.moto(Action="RevokeSecurityGroupIngress", GroupId="sg-1")
        self.assertEqual((status, answer, asked), ("200 OK", "taken", [body]))
        needed = self.noted("permission")[0]
        resource = "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-1"
        self.assertEqual((needed["action"], needed["resource"]), ("ec2:RevokeSecurityGroupIngress", resource))
        self.assertEqual((needed["caller"], needed["region"]), ("AKIDEXAMPLE", "eu-west-1"))

    def test_moto_does_not_get_what_the_model_does_not_allow(self):
        _, asked, (status, _, answer) = self.moto(Action="DescribeInstances", Filters="a")
        self.assertEqual((status, asked), ("400 Bad Request", []))
        self.assertIn("<Code>InvalidParameterValue</Code>", answer)
        self.assertIn("Unknown parameter: Filters", answer)
        noted = self.noted("fault")[0]
        self.assertEqual((noted["application"], noted["faults"]), ("foregate", ["Unknown parameter: Filters"]))

    def test_what_is_made_with_tags_needs_the_permission_to_tag_it(self):
        rule = {"TagSpecification.1.ResourceType": "security-group-rule"}
        tag = {"TagSpecification.1.Tag.1.Key": "foregate", "TagSpecification.1.Tag.1.Value": "a"}
        self.moto(Action="AuthorizeSecurityGroupIngress", GroupId="sg-1", **rule, **tag)
        tagging = [one for one in self.noted("permission") if one["action"] == "ec2:CreateTags"][0]
        context = {"ec2:CreateAction": "AuthorizeSecurityGroupIngress", "aws:RequestTag/foregate": "a"}
        self.assertEqual(tagging["context"], context)

    def ministack(self, body):
        import ministack_record

        async def emulator(*_):
            return 200, {}, b"taken"

        headers = {"authorization": SIGNED.format("events"), "x-amz-target": "AWSEvents.PutEvents", "user-agent": AGENT}
        headers["content-type"] = "application/x-amz-json-1.1"
        with mock.patch.object(ministack_record.app, "_dispatch_service_request", emulator):
            ministack_record.patch_requests()
            asked = ("POST", "/", headers, json.dumps(body).encode(), {}, "id")
            return asyncio.run(ministack_record.app._dispatch_service_request(*asked))

    def test_ministack_gets_what_the_model_allows_alone(self):
        entry = {"Source": "foregate", "DetailType": "Route Published", "Detail": "{}"}
        self.assertEqual(self.ministack({"Entries": [entry]}), (200, {}, b"taken"))
        status, headers, answer = self.ministack({"Entries": [{**entry, "Details": "{}"}]})
        self.assertEqual((status, headers["x-amzn-errortype"]), (400, "ValidationException"))
        self.assertIn("Unknown parameter: body.Entries[0].Details", json.loads(answer)["message"])
        self.assertEqual(self.noted("fault")[0]["operation"], "PutEvents")


if __name__ == "__main__":
    unittest.main()
