"""Runs one sandbox for all tests, without database servers, and gives clients for it.

<venv>/bin/python -m unittest discover -s tests/sandbox
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

PLUGIN = Path(__file__).parents[2] / "src/sandbox/plugin"
DELAY = 0.15


class Server:
    """A sandbox process in a temporary directory."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="lagoa-test-"))
        atexit.register(self.stop)
        (self.home / "code").mkdir()
        (self.home / "code/lagoa_sandbox").symlink_to(PLUGIN)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.home / "code"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAGOA_SANDBOX_HOME": str(self.home),
            "LAGOA_SANDBOX_CACHE": str(self.home / "cache"),
            "LAGOA_SANDBOX_DELAY": str(DELAY),
            "LAGOA_SANDBOX_DATABASES": "off",
            "LAGOA_SANDBOX_VALIDATE": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lagoa_sandbox"], env=environment, cwd=self.home
        )
        self.endpoint = self._wait()

    def _wait(self):
        announcement = self.home / "sandbox.json"
        for _ in range(600):
            if announcement.exists():
                return json.loads(announcement.read_text())["endpoint"]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("the sandbox did not start")

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def get(self, path):
        with urllib.request.urlopen(self.endpoint + path) as answer:
            return json.load(answer)

    def post(self, path):
        request = urllib.request.Request(self.endpoint + path, method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


_server = None


def server():
    """The sandbox that all tests share."""
    global _server
    if _server is None:
        _server = Server()
    return _server


_clients = {}


def client(service, region="us-east-1"):
    """A client that does not retry, so that a refusal is seen at once."""
    if (service, region) not in _clients:
        _clients[service, region] = boto3.client(
            service,
            endpoint_url=server().endpoint,
            region_name=region,
            aws_access_key_id="AKIALAGOASANDBOX0000",
            aws_secret_access_key="sandbox",
            config=Config(retries={"max_attempts": 0}),
        )
    return _clients[service, region]


class SandboxTest(unittest.TestCase):
    """Every test begins with an empty account."""

    def setUp(self):
        server().post("/_lagoa/reset")

    def assertRefused(self, code, call, **request):
        """The call is refused with this code; returns the message."""
        with self.assertRaises(ClientError) as caught:
            call(**request)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        return error["Message"]

    def eventually(self, condition, seconds=5):
        """Wait until the condition holds, and return what it gave."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        return self.fail("it did not happen")
