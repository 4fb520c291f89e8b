"""The local cloud: `up` starts ministack and moto, deploys template.yaml as it is and writes DIR/env; `down` ends them.

Ports are whatever is free, so that two checkouts can run side by side. All that `up` starts is in DIR/state.json, by
process group; a failed or interrupted start ends what it began.
"""

import argparse
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
ACCOUNT = "123456789012"
STACK = "foregate"
PREFIX = "foregate"
BUCKET = "foregate-artifacts"
START_SECONDS_MAX = 60
DEPLOY_SECONDS_MAX = 180
STOP_SECONDS_MAX = 10

# Which service's calls go to moto; all others go to ministack. The names are those that the SDKs derive.
MOTO_SERVICES = ["EC2", "ELASTIC_LOAD_BALANCING_V2", "AUTO_SCALING", "API_GATEWAY", "STS", "ORGANIZATIONS"]


class Failed(Exception):
    """Something that the reader can act on."""


def say(text):
    print(f"local cloud: {text}", flush=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what, seconds_max, check):
    """Polls `check` until it answers something true; its answer."""
    end = time.monotonic() + seconds_max
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what} did not come about in {seconds_max} s")
        time.sleep(0.1)


class Cloud:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        self.state_file = self.directory / "state.json"

    # ---- processes ----

    def start(self, name, command, environment):
        log = self.directory / f"{name}.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=self.directory,
                start_new_session=True,
            )
        # With its start time, so that another process that got its number later is never taken for it.
        self.remember(name, {"pid": process.pid, "started": started(process.pid)})
        return process

    def remember(self, name, value):
        state = self.state()
        state[name] = value
        self.state_file.write_text(json.dumps(state, indent=1))

    def state(self):
        return json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

    def down(self):
        was_started_here = self.state_file.exists()
        groups = [
            entry["pid"]
            for entry in self.state().values()
            if entry["started"] is not None and started(entry["pid"]) == entry["started"]
        ]
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for group in groups:
                try:
                    os.killpg(group, sent)
                except ProcessLookupError:
                    pass
            try:
                wait_for("the end", STOP_SECONDS_MAX, lambda: not any(alive(group) for group in groups))
                break
            except Failed:
                continue
        self.state_file.unlink(missing_ok=True)
        (self.directory / "env").unlink(missing_ok=True)
        if was_started_here:
            # ministack leaves each function's unpacked binary there: 36 MB a start.
            shutil.rmtree(self.directory / "tmp", ignore_errors=True)
        return len(groups)

    # ---- up ----

    def up(self, binaries):
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.down():
            say("ended the one that was running here")
        # A caller that goes away (Ctrl-C, a closed terminal) must not leave servers behind.
        for sent in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sent, lambda *_: sys.exit(1))
        began = time.monotonic()
        try:
            self.start_servers()
            self.deploy(binaries)
        except BaseException:
            self.down()
            raise
        say(f"up after {time.monotonic() - began:.1f} s; settings: . {self.shown(self.directory / 'env')}")

    def shown(self, path):
        return os.path.relpath(path)

    def start_servers(self):
        self.ports = {name: free_port() for name in ("ministack", "moto", "names", "answers")}
        self.urls = {name: f"http://127.0.0.1:{self.ports[name]}" for name in ("ministack", "moto")}
        self.endpoints = {
            "AWS_ENDPOINT_URL": self.urls["ministack"],
            **{f"AWS_ENDPOINT_URL_{service}": self.urls["moto"] for service in MOTO_SERVICES},
        }
        self.client_settings = {
            "AWS_ACCESS_KEY_ID": ACCOUNT,  # the account's root, as both emulators read it
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            **self.endpoints,
        }
        temporary = self.directory / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {**os.environ, **self.client_settings, "TMPDIR": str(temporary)}
        host = f"127.0.0.1:{self.ports['ministack']}"
        ministack = {
            **environment,
            "GATEWAY_PORT": str(self.ports["ministack"]),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",  # it would listen on a fixed port
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            # CloudFormation's, and a test that speaks to a function in its place.
            "FOREGATE_RESPONSE_HOSTS": f"{host},127.0.0.1:{self.ports['answers']}",
            "FOREGATE_NAME_SERVER": f"127.0.0.1:{self.ports['names']}",
        }
        ours = ROOT / "tests" / "local_cloud"
        ministack_command = [sys.executable, str(ours / "ministack_aws.py")]
        moto_command = [sys.executable, str(ours / "moto_aws.py"), "--port", str(self.ports["moto"])]
        moto_command += ["--name-server-port", str(self.ports["names"])]
        # An account that has had its quota raised: a burst of a thousand routes needs it.
        environment["LOCAL_CLOUD_RESOURCES_PER_API"] = "3000"
        shutil.rmtree(self.directory / "record", ignore_errors=True)
        (self.directory / "record").mkdir()
        for name, settings in (("ministack", ministack), ("moto", environment)):
            settings["LOCAL_CLOUD_RECORD"] = str(self.directory / "record" / f"{name}.jsonl")
        processes = {
            "ministack": self.start("ministack", ministack_command, ministack),
            "moto": self.start("moto", moto_command, environment),
        }
        for name, process in processes.items():
            wait_for(f"{name} (log: {self.shown(self.directory / name)}.log)", START_SECONDS_MAX, lambda: self.answers(name, process))
            say(f"{name} answers on {self.urls[name]}")

    def answers(self, name, process):
        if process.poll() is not None:
            raise Failed(f"{name} ended at once: see {self.shown(self.directory / name)}.log")
        path = {"ministack": "/_ministack/health", "moto": "/moto-api/data.json"}[name]
        try:
            with urllib.request.urlopen(self.urls[name] + path, timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def client(self, service):
        session = boto3.Session(ACCOUNT, "local", region_name=REGION)
        return session.client(service, endpoint_url=self.urls["ministack"])

    def deploy(self, binaries):
        template = self.package((ROOT / "template.yaml").read_text(), pathlib.Path(binaries))
        (self.directory / "packaged.yaml").write_text(template)
        cloudformation = self.client("cloudformation")
        # Through the bucket, as `sam deploy` does: a template that is sent itself has 51,200 bytes at most.
        self.client("s3").put_object(Bucket=BUCKET, Key="packaged.yaml", Body=template.encode())
        cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=f"{self.urls['ministack']}/{BUCKET}/packaged.yaml",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[
                {"ParameterKey": "Prefix", "ParameterValue": PREFIX},
                {"ParameterKey": "Architecture", "ParameterValue": "x86_64"},
                # Tests count calls: what the schedule does, they start themselves.
                {"ParameterKey": "SyncSchedule", "ParameterValue": "rate(1 day)"},
                {"ParameterKey": "CatalogSchedule", "ParameterValue": "rate(1 day)"},
                # An account that has had its rate raised: the catalogue's pace has a test of its own.
                {"ParameterKey": "CatalogCallsPerSecond", "ParameterValue": "1000"},
            ],
        )

        def settled():
            stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
            return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

        stack = wait_for(f"the stack {STACK}", DEPLOY_SECONDS_MAX, settled)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
                for event in events
                if event["ResourceStatus"].endswith("_FAILED")
            ]
            raise Failed("the stack ended as " + "; ".join([stack["StackStatus"], *reasons]))
        self.write_environment({one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]})
        self.write_policies()
        say(f"deployed template.yaml as stack {STACK}")

    def write_policies(self):
        """What each role of the template may do, by its logical id, as it was deployed."""
        iam, roles = self.client("iam"), {}
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        for resource in pages.search("StackResourceSummaries[?ResourceType=='AWS::IAM::Role']"):
            role = resource["PhysicalResourceId"]
            names = iam.list_role_policies(RoleName=role)["PolicyNames"]
            documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
            roles[resource["LogicalResourceId"]] = {"role": role, "policies": dict(zip(names, documents))}
        (self.directory / "policies.json").write_text(json.dumps(roles, indent=1))

    def package(self, template, binaries):
        """Puts each function's binary into the bucket and points its CodeUri there, as `sam package` does. Nothing else
        of the template changes."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

        def upload(match):
            name = match.group(2).rsplit("/", 1)[-1]
            code = zip_binary(binaries / name, self.directory / "tmp")
            key = f"{name}-{hashlib.sha256(code).hexdigest()[:16]}.zip"
            s3.put_object(Bucket=BUCKET, Key=key, Body=code)
            return f"{match.group(1)}s3://{BUCKET}/{key}"

        return re.sub(r"(?m)^(\s+CodeUri: )(\S+)", upload, template)

    def write_environment(self, outputs):
        settings = {
            **self.client_settings,
            "PREFIX": PREFIX,
            "STACK_NAME": STACK,
            "FOREGATE_TABLE": outputs["TableName"],
            "FOREGATE_BUS": outputs["BusName"],
            "FOREGATE_QUEUE_URL": outputs["BindingsQueueUrl"],
            "BINDINGS_FUNCTION": outputs["BindingsFunctionName"],
            "BINDINGS_SERVICE_TOKEN": outputs["BindingsServiceToken"],
            "BINDINGS_DEAD_LETTERS_URL": outputs["BindingsDeadLettersUrl"],
            "ROUTES_FUNCTION": outputs["RoutesFunctionName"],
            "ROUTES_SERVICE_TOKEN": outputs["RoutesServiceToken"],
            "PUBLISHER_FUNCTION": outputs["PublisherFunctionName"],
            "TENANTS_FUNCTION": outputs["TenantsFunctionName"],
            "LINKS_FUNCTION": outputs["LinksFunctionName"],
            "LINKS_SERVICE_TOKEN": outputs["LinksServiceToken"],
            "LINKS_QUEUE_URL": outputs["LinksQueueUrl"],
            "TENANTS_SERVICE_TOKEN": outputs["TenantsServiceToken"],
            "CATALOG_SERVICE_TOKEN": outputs["CatalogServiceToken"],
            "CATALOG_QUEUE_URL": outputs["CatalogQueueUrl"],
            "FAILURES_URL": outputs["FailuresUrl"],
            "ANSWERS_PORT": str(self.ports["answers"]),
            "MINISTACK_URL": self.urls["ministack"],
            "MOTO_URL": self.urls["moto"],
            "LOCAL_CLOUD_DIR": str(self.directory),
        }
        # A profile or a session token of the reader's own would be used beside these, or instead.
        lines = ["unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN\n"]
        lines += [f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()]
        (self.directory / "env").write_text("".join(lines))


def leave_outside():
    """Drops what the caller has set for the real AWS, and the proxies: all that is talked to here is on 127.0.0.1."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            del os.environ[name]


def started(pid):
    """When the process began, in clock ticks since the machine did; None when there is none."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except OSError:
        return None


def alive(group):
    """Whether any process of the group runs; reaps those that are our own children."""
    try:
        os.waitpid(-group, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def zip_binary(binary, temporary):
    """A zip with the binary as `bootstrap`, without its debug information."""
    if not binary.exists():
        raise Failed(f"{binary} is not there: run make build")
    stripped = temporary / f"{binary.name}.stripped"
    subprocess.run(["strip", "-o", str(stripped), str(binary)], check=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, stripped.read_bytes())
    stripped.unlink()
    return buffer.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["up", "down"])
    parser.add_argument("--dir", default=".local", help="where state and logs are kept")
    parser.add_argument("--binaries", help="where cargo puts binaries")
    arguments = parser.parse_args()
    cloud = Cloud(arguments.dir)
    leave_outside()
    try:
        if arguments.verb == "up":
            cloud.up(arguments.binaries)
        else:
            say("down" if cloud.down() else "nothing was running")
    except (Failed, ClientError) as error:
        sys.exit(f"local cloud: {error}")
    except KeyboardInterrupt:
        sys.exit("local cloud: interrupted; nothing was left running")


if __name__ == "__main__":
    main()
