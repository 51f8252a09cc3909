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
    dms,
    ec2,
    ec2_nat_gateways,
    ec2_network,
    ec2_vpc_endpoints,
    eks,
    eks_access,
    eks_nodes,
    emr,
    emr_serverless,
    iam,
    iam_providers,
    json_services,
    kms,
    latency,
    logs,
    missing,
    rds,
    rds_cluster_groups,
    rds_clusters,
    rds_groups,
    redshift,
    redshift_data,
    redshift_groups,
    redshift_serverless,
    s3,
    secrets_manager,
    ssm,
    tagging,
)
from .announcement import announce
from .census import census
from .enforcement import enforce
from .fork import fork
from .request_log import RequestLog, identify
from .unmark import unmark
from .validation import Validation

# Importing these corrected moto's classes; naming them here shows that it is on purpose.
CORRECTIONS = (
    dms,
    ec2,
    ec2_nat_gateways,
    ec2_network,
    ec2_vpc_endpoints,
    eks,
    eks_access,
    eks_nodes,
    emr,
    emr_serverless,
    iam,
    iam_providers,
    kms,
    logs,
    missing,
    rds,
    rds_cluster_groups,
    rds_clusters,
    rds_groups,
    redshift,
    redshift_groups,
    s3,
    secrets_manager,
    ssm,
    tagging,
)
# These answer for services of their own.
SERVICES = (redshift_data, redshift_serverless)


class Handler(MotoRequestHandler):
    """Writes no access log: the request log says more."""

    def log_request(self, code="-", size="-"):
        pass


class Application(DomainDispatcherApplication):
    """Dispatches to moto, and answers under /_lagoa/ itself."""

    def __init__(self, home, on_stop):
        super().__init__(create_backend_app)
        self.log = RequestLog(home / "requests.jsonl")
        self.validation = Validation()
        self._on_stop = on_stop
        self.server = None
        self._own = {
            ("GET", "/_lagoa/health"): self._health,
            ("GET", "/_lagoa/requests"): self.log.summary,
            ("POST", "/_lagoa/requests/reset"): self._reset_log,
            ("GET", "/_lagoa/census"): census,
            ("GET", "/_lagoa/latency"): latency.summary,
            ("GET", "/_lagoa/validation"): self.validation.summary,
            ("GET", "/_lagoa/calls"): self.validation.calls.summary,
            ("POST", "/_lagoa/enforce"): enforce,
            ("POST", "/_lagoa/fork"): self._fork,
            ("POST", "/_lagoa/reset"): self._reset,
            ("POST", "/_lagoa/stop"): self._stop,
            ("POST", "/_lagoa/unmark"): unmark,
        }

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_lagoa/"):
            return self._answer(environ["REQUEST_METHOD"], path, start_response)
        began = time.monotonic()
        service, operation = identify(environ, self._get_body(environ))
        self.validation.look(environ, service, operation)

        def noting(status, headers, *rest):
            took = time.monotonic() - began
            self.log.add(service, operation, int(status.split()[0]), took)
            return start_response(status, headers, *rest)

        if json_services.has(service):
            return json_services.answer(service, operation, environ, noting)
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
        self.validation.calls.reset()
        return {}

    def _reset(self):
        """Forget everything."""
        databases.remove_all()
        BackendDict.reset()
        reset_model_data()
        for service in SERVICES:
            service.reset()
        self.log.reset()
        return {}

    def _fork(self):
        """Make a copy of this sandbox; it has the same applications, made for another home."""
        return fork(self._serve_copy)

    def _serve_copy(self, home, on_stop):
        """As the copy: away from the original's socket, and from its locks."""
        self.lock = threading.Lock()
        self.log = RequestLog(home / "requests.jsonl")
        self._on_stop = on_stop
        self.server.socket.close()
        serve_application(self)
        announce(home, self.server.server_port)
        return f"http://127.0.0.1:{self.server.server_port}"

    def _stop(self):
        """Answer first: the process ends once the databases have."""
        threading.Timer(0.05, self._on_stop).start()
        return {}


def serve(home, on_stop):
    """Listen on a free port of the loopback address; return the server, already running."""
    application = Application(home, on_stop)
    serve_application(application)
    return application.server


def serve_application(application):
    """Let an application listen."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    application.server = server
    threading.Thread(target=server.serve_forever, daemon=True).start()
