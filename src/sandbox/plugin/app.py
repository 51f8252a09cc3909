"""The HTTP server: moto's services behind our request log and our own endpoints."""

import json
import os
import threading
import time

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from . import (
    databases,
    ec2,
    eks,
    eks_access,
    eks_nodes,
    iam,
    iam_providers,
    missing,
    rds,
    rds_groups,
    s3,
    secrets_manager,
    tagging,
)
from .request_log import RequestLog, identify

# Importing these corrected moto's classes; naming them here shows that it is on purpose.
CORRECTIONS = (
    ec2,
    eks,
    eks_access,
    eks_nodes,
    iam,
    iam_providers,
    missing,
    rds,
    rds_groups,
    s3,
    secrets_manager,
    tagging,
)


class Handler(MotoRequestHandler):
    """Writes no access log: the request log says more."""

    def log_request(self, code="-", size="-"):
        pass


class Application(DomainDispatcherApplication):
    """Dispatches to moto, and answers under /_lagoa/ itself."""

    def __init__(self, home, on_stop):
        super().__init__(create_backend_app)
        self.log = RequestLog(home / "requests.jsonl")
        self._on_stop = on_stop
        self._own = {
            ("GET", "/_lagoa/health"): self._health,
            ("GET", "/_lagoa/requests"): self.log.summary,
            ("POST", "/_lagoa/requests/reset"): self._reset_log,
            ("POST", "/_lagoa/reset"): self._reset,
            ("POST", "/_lagoa/stop"): self._stop,
        }

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_lagoa/"):
            return self._answer(environ["REQUEST_METHOD"], path, start_response)
        began = time.monotonic()
        service, operation = identify(environ, self._get_body(environ))

        def noting(status, headers, *rest):
            took = time.monotonic() - began
            self.log.add(service, operation, int(status.split()[0]), took)
            return start_response(status, headers, *rest)

        return super().__call__(environ, noting)

    def _answer(self, method, path, start_response):
        answer = self._own.get((method, path))
        body = json.dumps(answer() if answer else {"error": "no such endpoint"}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("200 OK" if answer else "404 Not Found", headers)
        return [body]

    def _health(self):
        return {
            "pid": os.getpid(),
            "requests": self.log.summary()["total"],
            "databases": databases.running(),
        }

    def _reset_log(self):
        self.log.reset()
        return {}

    def _reset(self):
        """Forget everything."""
        databases.remove_all()
        BackendDict.reset()
        reset_model_data()
        self.log.reset()
        return {}

    def _stop(self):
        """Answer first: the process ends once the databases have."""
        threading.Timer(0.05, self._on_stop).start()
        return {}


def serve(home, on_stop):
    """Listen on a free port of the loopback address; return the server, already running."""
    application = Application(home, on_stop)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
