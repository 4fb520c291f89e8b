"""A moto of its own for the tests of this folder, started as tests/local_cloud/cloud.py starts it."""

import atexit
import functools
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import boto3
from botocore.config import Config

from tests.recordings.ministack import ACCOUNT, NO_REPETITION, REGION, ROOT, START_SECONDS_MAX, wait_for


class Moto:
    """The process, and clients for it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="foregate-recordings-")
        port, names = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        log = pathlib.Path(self.directory.name) / "log"
        command = [sys.executable, str(ROOT / "tests" / "local_cloud" / "moto_aws.py")]
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [*command, "--port", str(port), "--name-server-port", str(names)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCAL_CLOUD_"))},
            )
        try:
            wait_for("moto", lambda: answers(port), START_SECONDS_MAX)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}: {log.read_text()}") from error

    def client(self, service, **settings):
        session = boto3.Session(ACCOUNT, "local", region_name=REGION)
        config = NO_REPETITION.merge(Config(**settings))
        return session.client(service, endpoint_url=self.url, config=config)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


@functools.cache
def moto():
    """One for all tests: it takes seconds to start."""
    started = Moto()
    atexit.register(started.stop)
    return started
