"""What DMS keeps, the states it passes through, and how it refuses."""

import threading
import time
import uuid

from moto.core.exceptions import JsonRESTError
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from . import latency

VPC_ROLE = "dms-vpc-role"
LOGS_ROLE = "dms-cloudwatch-logs-role"


class Refused(JsonRESTError):
    """DMS's answer to what it does not do."""

    code = 400


def missing(what):
    return Refused("ResourceNotFoundFault", f"{what} not found.")


def wrong_state(message):
    return Refused("InvalidResourceStateFault", message)


def invalid(message):
    return Refused("InvalidParameterValueException", message)


# What ARNs call the kinds.
KINDS = {
    "endpoint": "dms_endpoint",
    "rep": "dms_replication_instance",
    "task": "dms_replication_task",
}


class Thing(dict):
    """One thing as DMS shows it; what begins with an underscore stays inside."""

    status_field = "Status"

    def __init__(self, arn_field, status_field, shown):
        super().__init__(shown)
        self.arn = shown.get(arn_field)
        self.status_field = status_field
        self.hidden = {}
        self.until = None
        self.then = None

    @property
    def status(self):
        return self.get(self.status_field)

    def begin(self, status, then):
        """Enter a passing status; `then` is called when its time is over."""
        self[self.status_field] = status
        kind = KINDS.get((self.arn or "::::::").split(":")[5], "dms_connection")
        self.until, self.then = time.monotonic() + latency.seconds(kind, status), then

    def become(self, status):
        self[self.status_field] = status

    def settle(self):
        """Leave the passing status if its time is over."""
        if self.until is not None and time.monotonic() >= self.until:
            then, self.until, self.then = self.then, None, None
            then()


class Store:
    """DMS in one account and region."""

    def __init__(self, backend):
        self.account, self.region = backend.account_id, backend.region_name
        self.partition = backend.partition
        self.lock = threading.RLock()
        self.groups, self.instances, self.endpoints = {}, {}, {}
        self.tasks, self.certificates, self.connections = {}, {}, {}
        self.tags = {}

    def families(self):
        return (self.groups, self.instances, self.endpoints, self.tasks, self.certificates)

    def settle(self):
        """Let time pass for everything."""
        for family in (*self.families(), self.connections):
            for thing in list(family.values()):
                thing.settle()

    def arn(self, kind, identifier=None):
        end = identifier or uuid.uuid4().hex.upper()[:26]
        return f"arn:{self.partition}:dms:{self.region}:{self.account}:{kind}:{end}"

    def tag(self, arn, tags):
        own = self.tags.setdefault(arn, {})
        own.update({tag["Key"]: tag.get("Value", "") for tag in tags or []})

    def by_arn(self, family, arn, what):
        found = next((thing for thing in family.values() if thing.arn == arn), None)
        if found is None:
            raise missing(f"{what} {arn}")
        return found

    def add(self, family, name, thing, tags):
        family[name] = thing
        self.tag(thing.arn, tags)
        return thing

    def refuse_double(self, family, name, what):
        if name in family:
            raise Refused("ResourceAlreadyExistsFault", f"{what} {name} already exists.")

    def drop(self, family, name):
        thing = family.pop(name, None)
        if thing is not None:
            self.tags.pop(thing.arn, None)

    @property
    def ec2(self):
        return ec2_backends[self.account][self.region]

    def require_role(self, name, policy):
        """A role of that name with that policy."""
        roles = [role for role in iam_backends[self.account]["aws"].get_roles()]
        role = next((role for role in roles if role.name == name), None)
        attached = role.managed_policies if role else {}
        if not any(arn.endswith(f"/{policy}") for arn in attached):
            arn = f"arn:{self.partition}:iam::{self.account}:role/{name}"
            raise Refused("AccessDeniedFault", f"The IAM Role {arn} is not configured properly.")

    def require_role_arn(self, arn):
        roles = iam_backends[self.account]["aws"].get_roles()
        if not any(role.arn == arn for role in roles):
            raise Refused("AccessDeniedFault", f"The IAM Role {arn} is not configured properly.")


def store(backend):
    """The store of a backend; a reset makes a new backend."""
    if not hasattr(backend, "lagoa_store"):
        backend.lagoa_store = Store(backend)
    return backend.lagoa_store


def filtered(things, request, fields):
    """Those that pass the request's filters; DMS says so when there is none."""
    found = list(things)
    for asked in request.get("Filters") or []:
        name, values = asked["Name"], asked["Values"]
        if name not in fields:
            raise invalid(f"{name} is not a valid filter")
        found = [one for one in found if str(one.get(fields[name])) in values]
    if request.get("Filters") and not found:
        raise missing("What was asked for")
    return found
