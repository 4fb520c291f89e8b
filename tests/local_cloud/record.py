"""What the emulators were asked, for tests/calls.py: a line of JSON for each different request that AWS's models do not
allow, for each different permission that a call needed, and for each session's credentials. Nothing here knows Foregate.
"""

import json
import os
import pathlib
import re
import threading

APPLICATION = re.compile(r"\bapp/(\S+)")
KEY = re.compile(r"Credential=([^/]+)/")
LOCK = threading.Lock()
WRITTEN = set()


def write(kind, **entry):
    """Once, however often it happens. Nothing is written without LOCAL_CLOUD_RECORD, the file's name."""
    place = os.environ.get("LOCAL_CLOUD_RECORD")
    line = json.dumps({"kind": kind, **entry}, sort_keys=True)
    with LOCK:
        if place and line not in WRITTEN:
            WRITTEN.add(line)
            with open(place, "a") as file:
                file.write(line + "\n")


def application(headers):
    """Whose request it is, by the name that the SDK was given (`app/NAME` in its user agent)."""
    agent = f"{headers.get('User-Agent', '')} {headers.get('X-Amz-User-Agent', '')}"
    found = APPLICATION.search(agent)
    return found.group(1) if found else ""


def request(checked, headers):
    """Each operation is noted once, so that the check can tell that there were requests at all."""
    name = application(headers)
    write("operation", application=name, service=checked.service, operation=checked.operation)
    if checked.faults:
        key = KEY.search(headers.get("Authorization", "")).group(1)
        what = {"service": checked.service, "operation": checked.operation, "faults": checked.faults}
        write("fault", application=name, caller=key, **what)


def permission(caller, needed, context, denied):
    action, resource, region = needed
    write("permission", caller=caller, action=action, resource=resource, region=region, context=context, denied=denied)


def session(key, arn):
    write("session", key=key, arn=arn)


def read(directory):
    for file in sorted(pathlib.Path(directory).glob("*.jsonl")):
        yield from map(json.loads, file.read_text().splitlines())
