"""A ministack of its own for a test, started as tests/local_cloud/cloud.py starts it, and what tests need of one."""

import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
ACCOUNT = "123456789012"
START_SECONDS_MAX = 60
WAIT_SECONDS_MAX = 30
NO_REPETITION = Config(retries={"total_max_attempts": 1})


def wait_for(what, check, seconds_max=WAIT_SECONDS_MAX):
    """Polls `check` until it answers something true; its answer."""
    end = time.monotonic() + seconds_max
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about in {seconds_max} s")
        time.sleep(0.05)


class Ministack:
    """The process, and clients for it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="foregate-recordings-")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = pathlib.Path(self.directory.name) / "log"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "local_cloud" / "ministack_aws.py")],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment(port),
                start_new_session=True,
            )
        try:
            wait_for("ministack", self.answers, START_SECONDS_MAX)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}: {self.log.read_text()}") from error

    def environment(self, port):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **inherited,
            "TMPDIR": self.directory.name,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",  # it would listen on a fixed port
        }

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("ministack ended at once")
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def client(self, service, key=ACCOUNT, secret="local", token=None):
        """A client; as the account's root unless another key is given."""
        return boto3.Session(key, secret, token, REGION).client(service, endpoint_url=self.url, config=NO_REPETITION)

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.directory.cleanup()


class MinistackTest(unittest.TestCase):
    """Tests that share one ministack."""

    @classmethod
    def setUpClass(cls):
        cls.ministack = Ministack()
        cls.addClassCleanup(cls.ministack.stop)
        cls.client = staticmethod(cls.ministack.client)

    def name(self, suffix):
        """A name that no other test has."""
        return f"{self._testMethodName[-50:].strip('_')}-{suffix}"

    def queue(self, suffix, **attributes):
        """A new queue: its URL and its ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=self.name(suffix), Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def receive(self, url, count, seconds_max=WAIT_SECONDS_MAX):
        """The next `count` messages, each taken out of the queue."""
        sqs, taken = self.client("sqs"), []

        def more():
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(10, count - len(taken)),
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                taken.append(message)
            return len(taken) == count

        try:
            wait_for(f"{count} messages in {url}", more, seconds_max)
        except AssertionError as error:
            raise AssertionError(f"{error}; there were {len(taken)}") from error
        return taken

    def role(self, suffix, statements):
        """A role that Lambda can assume and that may do what the statements say; its ARN."""
        iam, name = self.client("iam"), self.name(suffix)[-64:]
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        if statements:
            policy = {"Version": "2012-10-17", "Statement": statements}
            iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=json.dumps(policy))
        return arn

    def function(self, suffix, environment, **settings):
        """A function with the code of echo_function.py; its name."""
        everything = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
        name = self.name(suffix)
        self.client("lambda").create_function(
            **{
                "FunctionName": name,
                "Runtime": "provided.al2023",
                "Handler": "bootstrap",
                "Role": settings.pop("Role", None) or self.role(suffix, everything),
                "Timeout": 10,
                "Code": {"ZipFile": bootstrap()},
                "Environment": {"Variables": environment},
                **settings,
            }
        )
        return name


def bootstrap():
    """A zip with echo_function.py as the program that Lambda starts."""
    source = pathlib.Path(__file__).with_name("echo_function.py").read_text()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, f"#!{sys.executable}\n{source}")
    return buffer.getvalue()
