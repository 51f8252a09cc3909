"""Services that moto lacks, or answers without thought: JSON over HTTP, answered here."""

import json
import re


class Refusal(Exception):
    """An error as the service gives it."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code = code
        self.status = status


_services = {}


def service(name, operations):
    """Answer for a service: functions by the names of operations, each of (region, request)."""
    _services[name] = operations


def has(name):
    """Whether the service is answered here."""
    return name in _services


def answer(name, operation, environ, start_response):
    """One request."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    request = json.loads(environ["wsgi.input"].read(length) or b"{}")
    try:
        function = _services[name].get(operation)
        if function is None:
            raise Refusal("NotImplemented", f"The sandbox does not have {name}:{operation}.", 501)
        status, reply = 200, function(_region(environ), request)
    except Refusal as refusal:
        status, reply = refusal.status, {"__type": refusal.code, "message": str(refusal)}
    body = json.dumps(reply).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {'OK' if status == 200 else 'Error'}", headers)
    return [body]


def _region(environ):
    found = re.search(r"Credential=[^/]+/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return found.group(1) if found else "us-east-1"
