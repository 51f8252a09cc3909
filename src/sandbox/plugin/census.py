"""Counts everything that the sandbox holds, whatever the service: for tests that nothing is
doubled and nothing lost."""

import re
from collections import Counter

from moto.core.base_backend import BackendDict, BaseBackend
from moto.kms.models import Key
from moto.s3.models import FakeBucket, FakeKey
from moto.utilities.tagging_service import TaggingService

from . import databases

CONTAINERS = (dict, list, set, tuple)
# What happened, not what there is: events, a secret's values of former times, the tags of EC2's
# resources, which moto keeps when the resource goes, and the names of parameters that were asked
# for.
HISTORY = {
    "EC2Backend.tags",
    "FakeSecret.versions",
    "LogFileManager.log_files",
    "RDSBackend.events",
    "SimpleSystemManagerBackend._parameters",
}
# What others call attributes of a thing: a plan compares them, and moto forgets to delete them.
ATTRIBUTES = (TaggingService,)

# How S3 names the objects of its logs.
LOG = re.compile(r"\d{4}(-\d\d){5}-[0-9A-F]{16}$")


def census():
    """How many things each backend's and each model's containers hold, and each table's rows."""
    counts = Counter()
    for backends in list(BackendDict._instances):
        for regions in list(backends.values()):
            for region in list(regions.values()):
                _count_object(region, counts, set())
    things = {path: count for path, count in sorted(counts.items()) if count}
    return {"things": things, "rows": databases.rows()}


def _count_object(thing, counts, seen):
    for name, value in list(getattr(thing, "__dict__", {}).items()):
        path = f"{type(thing).__name__}.{name}"
        if path not in HISTORY:
            _count(value, f"{type(thing).__module__}.{path}", counts, seen)


def _count(value, path, counts, seen):
    if id(value) in seen or isinstance(value, ATTRIBUTES) or _is_noise(value):
        return
    if isinstance(value, CONTAINERS):
        seen.add(id(value))
        inside = list(value.values() if isinstance(value, dict) else value)
        counts[path] += sum(not _is_noise(one) for one in inside)
        for one in inside:
            _count(one, path, counts, seen)
    elif type(value).__module__.startswith("moto.") and not isinstance(value, BaseBackend):
        seen.add(id(value))
        _count_object(value, counts, seen)


def _is_noise(thing):
    """What there may be any number of: the history of lagoa's runs, S3's logs of requests, and the
    keys that AWS makes for its own services, of which two at once may make two."""
    if isinstance(thing, Key):
        return any(alias.startswith("alias/aws/") for alias in thing.aliases)
    if isinstance(thing, FakeBucket):
        return thing.name.startswith("lagoa-")
    return isinstance(thing, FakeKey) and LOG.search(thing.name) is not None
