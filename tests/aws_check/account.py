"""The account that is asked: clients, names, waiting, and the clean-up of everything that was made."""

import json
import os
import time
import uuid

import boto3
from botocore.config import Config

WAIT_SECONDS_MAX = 900  # a VPC link has taken over eight minutes (reported)


class Stopped(Exception):
    """Something that the reader can act on."""


class Account:
    def __init__(self, settings):
        self.settings = settings
        self.session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
        self.region = self.session.region_name
        if not self.region:
            raise Stopped("no region is set: pass --region, or set AWS_REGION")
        self.run = uuid.uuid4().hex[:8]
        self.undone = []
        self.clients = {}
        self.partition = self.session.get_partition_for_region(self.region)
        self.id = self.client("sts").get_caller_identity()["Account"]

    def client(self, service):
        if service not in self.clients:
            # API Gateway's control plane allows few calls a second: the SDK waits and tries again.
            config = Config(retries={"mode": "adaptive", "max_attempts": 10}, read_timeout=180)
            self.clients[service] = self.session.client(service, config=config)
        return self.clients[service]

    @property
    def gateway(self):
        return self.client("apigateway")

    @property
    def is_local(self):
        """Whether the calls go to the local cloud, which forwards no requests of API Gateway's clients."""
        return bool(os.environ.get("AWS_ENDPOINT_URL_API_GATEWAY"))

    def name(self, what):
        return f"foregate-check-{self.run}-{what}"

    def later(self, what, undo):
        """Remembers how to remove what was just made; the newest goes first."""
        self.undone.append((what, undo))

    def clean_up(self):
        """Removes everything, whatever fails; what stayed."""
        stayed = []
        while self.undone:
            what, undo = self.undone.pop()
            try:
                self.patiently(undo)
            except Exception as error:  # the rest is to be removed all the same
                stayed.append(f"{what}: {error}")
        return stayed

    def patiently(self, act, seconds_max=120):
        """Tries again while something else still holds on to it."""
        end = time.monotonic() + seconds_max
        while True:
            try:
                return act()
            except Exception:
                if self.is_local or time.monotonic() > end:
                    raise
                time.sleep(5)

    def until(self, what, check, seconds_max=WAIT_SECONDS_MAX):
        """Looks again until `check` answers something true; its answer."""
        end = time.monotonic() + seconds_max
        while True:
            answer = check()
            if answer:
                return answer
            if time.monotonic() > end:
                raise Stopped(f"{what} did not come about in {seconds_max} s")
            time.sleep(0.2 if self.is_local else 3)

    def invoke(self, function, payload):
        """What the function answers to a command; a failure is raised with the function's own words."""
        name = f"{self.settings.prefix}-{function}"
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload).encode())
        value = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise Stopped(f"{name} {payload.get('command')}: {value.get('errorType')}: {value.get('errorMessage')}")
        return value

    def scratch_api(self, what):
        """A REST API without methods, which is removed at the end."""
        name = self.name(what)
        tags = {"foregate-check": self.run}
        api = self.gateway.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]}, tags=tags)
        self.later(f"REST API {name} ({api['id']})", lambda: self.gateway.delete_rest_api(restApiId=api["id"]))
        return api["id"]

    def put(self, api_id, document, fail_on_warnings=False, mode="overwrite"):
        """PutRestApi, as the publisher calls it."""
        return self.gateway.put_rest_api(
            restApiId=api_id,
            mode=mode,
            failOnWarnings=fail_on_warnings,
            parameters={"ignore": "documentation"},
            body=json.dumps(document).encode(),
        )

    def methods(self, api_id):
        """What the REST API has: `GET /cats` and the method."""
        pages = self.gateway.get_paginator("get_resources").paginate(restApiId=api_id, embed=["methods"])
        return {
            f"{name} {resource['path']}": method
            for page in pages
            for resource in page["items"]
            for name, method in resource.get("resourceMethods", {}).items()
        }
