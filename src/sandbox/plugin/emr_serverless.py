"""EMR Serverless: applications that start, stop and can be changed only while they are stopped."""

import json
import random
import string
import time
from urllib.parse import unquote

from moto.core.exceptions import JsonRESTError
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.emrserverless import urls
from moto.emrserverless.models import emrserverless_backends
from moto.emrserverless.responses import EMRServerlessResponse

from . import latency
from .emr_clusters import moment
from .patching import page, replaces

PASSING = {"CREATING": "CREATED", "STARTING": "STARTED", "STOPPING": "STOPPED"}
# What UpdateApplication takes.
CHANGEABLE = (
    "releaseLabel",
    "architecture",
    "initialCapacity",
    "maximumCapacity",
    "autoStartConfiguration",
    "autoStopConfiguration",
    "networkConfiguration",
    "imageConfiguration",
    "monitoringConfiguration",
    "interactiveConfiguration",
    "runtimeConfiguration",
)

urls.url_paths["{0}/tags/(?P<resourceArn>.+)$"] = EMRServerlessResponse.dispatch


class ValidationException(JsonRESTError):
    """The request cannot be."""

    code = 400

    def __init__(self, message):
        super().__init__("ValidationException", message)


class NotFound(JsonRESTError):
    """There is no such thing."""

    code = 404

    def __init__(self, resource):
        super().__init__("ResourceNotFoundException", f"Application {resource} does not exist")


class Application:
    """An application, as it was asked for."""

    def __init__(self, backend, asked):
        self.id = "00f" + "".join(random.choices(string.ascii_lowercase + string.digits, k=13))
        self.arn = (
            f"arn:aws:emr-serverless:{backend.region_name}:{backend.account_id}"
            f":/applications/{self.id}"
        )
        self.token = asked["clientToken"]
        self.tags = asked.get("tags", {})
        self.asked = asked
        self.created = time.time()
        self._enter("CREATING")

    def _enter(self, state):
        self.state, self.since = state, time.time()

    def advance(self):
        """Catch up with the clock."""
        takes = latency.seconds("emr_serverless_application", self.state)
        if self.state in PASSING and time.time() >= self.since + takes:
            self._enter(PASSING[self.state])

    def move(self, allowed, state):
        """Enter a state from one of those allowed."""
        if self.state not in allowed:
            raise ValidationException(
                f"Application {self.id} must be in one of the following statuses "
                f"[{', '.join(allowed)}]. Current status: {self.state}"
            )
        self._enter(state)

    def describe(self):
        asked = self.asked
        told = {key: asked[key] for key in CHANGEABLE if asked.get(key)}
        capacity = {
            job: {
                **one,
                "workerConfiguration": {"disk": "20 GB", **one["workerConfiguration"]},
            }
            for job, one in told.get("initialCapacity", {}).items()
        }
        return {
            "architecture": "X86_64",
            "autoStartConfiguration": {"enabled": True},
            **told,
            "autoStopConfiguration": {
                "enabled": True,
                "idleTimeoutMinutes": 15,
                **told.get("autoStopConfiguration", {}),
            },
            "initialCapacity": capacity or None,
            "applicationId": self.id,
            "name": asked.get("name"),
            "arn": self.arn,
            "type": asked["type"].capitalize(),
            "state": self.state,
            "stateDetails": "",
            "createdAt": moment(self.created),
            "updatedAt": moment(self.since),
            "tags": self.tags,
        }

    def summary(self):
        told = self.describe()
        keys = ("name", "arn", "releaseLabel", "type", "state", "createdAt", "updatedAt")
        return {"id": self.id, **{key: told[key] for key in keys}}


def tagged_resources(account_id, region_name):
    """What the tagging API sees."""
    for one in list(emrserverless_backends[account_id][region_name].applications.values()):
        yield TaggedResource(one.arn, dict(one.tags), "emr-serverless:applications")


def _asked(self):
    return json.loads(self.body or "{}")


def _application(self):
    applications = self.emrserverless_backend.applications
    asked = self._get_param("applicationId")
    if asked not in applications:
        raise NotFound(asked)
    applications[asked].advance()
    return applications[asked]


@replaces(EMRServerlessResponse)
def create_application(_original, self):
    """One for each token."""
    backend, asked = self.emrserverless_backend, _asked(self)
    if asked["type"].upper() not in ("SPARK", "HIVE"):
        raise ValidationException("Type must be SPARK or HIVE.")
    same = [one for one in backend.applications.values() if one.token == asked["clientToken"]]
    one = same[0] if same else Application(backend, asked)
    backend.applications[one.id] = one
    return ActionResult({"applicationId": one.id, "name": asked.get("name"), "arn": one.arn})


@replaces(EMRServerlessResponse)
def list_applications(_original, self):
    """Those that are deleted too, for a while."""
    applications = list(self.emrserverless_backend.applications.values())
    for one in applications:
        one.advance()
    states = self._get_param("states") or []
    found = [one.summary() for one in applications if not states or one.state in states]
    shown, token = page(found, self._get_param("nextToken"), self._get_param("maxResults"), 50)
    return ActionResult({"applications": shown, "nextToken": token})


@replaces(EMRServerlessResponse)
def get_application(_original, self):
    """Everything about it."""
    return ActionResult({"application": _application(self).describe()})


@replaces(EMRServerlessResponse)
def update_application(_original, self):
    """Only while it is stopped."""
    one = _application(self)
    one.move(("CREATED", "STOPPED"), one.state)
    asked = _asked(self)
    one.asked.update({key: asked[key] for key in CHANGEABLE if key in asked})
    return ActionResult({"application": one.describe()})


@replaces(EMRServerlessResponse)
def start_application(_original, self):
    """It takes a while."""
    one = _application(self)
    if one.state not in ("STARTED", "STARTING"):
        one.move(("CREATED", "STOPPED"), "STARTING")
    return EmptyResult()


@replaces(EMRServerlessResponse)
def stop_application(_original, self):
    """It takes a while."""
    one = _application(self)
    if one.state not in ("STOPPED", "STOPPING"):
        one.move(("STARTED",), "STOPPING")
    return EmptyResult()


@replaces(EMRServerlessResponse)
def delete_application(_original, self):
    """Only while it is stopped."""
    _application(self).move(("CREATED", "STOPPED"), "TERMINATED")
    return EmptyResult()


def _tags(self):
    arn = unquote(self.path.split("/tags/", 1)[1].split("?")[0])
    for one in self.emrserverless_backend.applications.values():
        if one.arn == arn:
            return one.tags
    raise NotFound(arn)


@replaces(EMRServerlessResponse)
def list_tags_for_resource(_original, self):
    """By ARN."""
    return ActionResult({"tags": _tags(self)})


@replaces(EMRServerlessResponse)
def tag_resource(_original, self):
    """By ARN."""
    _tags(self).update(_asked(self)["tags"])
    return EmptyResult()


@replaces(EMRServerlessResponse)
def untag_resource(_original, self):
    """By ARN."""
    tags = _tags(self)
    for key in self.querystring.get("tagKeys", []):
        tags.pop(key, None)
    return EmptyResult()
