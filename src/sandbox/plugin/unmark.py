"""Takes lagoa's marks off everything that the sandbox holds, as if another tool had made it: for
tests of what is taken over."""

import sys

from moto.core.base_backend import BackendDict

MARK = "lagoa:"
# How services call the key of a tag.
KEYS = ("Key", "key", "TagKey", "tagKey")
# Ours keep what they hold in modules of this package.
PACKAGE = __name__.partition(".")[0]


def unmark():
    """Remove every tag that begins with `lagoa:`."""
    seen = set()
    for backends in list(BackendDict._instances):
        for regions in list(backends.values()):
            for region in list(regions.values()):
                _clean(region, seen)
    for name, module in list(sys.modules.items()):
        if module is not None and name.startswith(f"{PACKAGE}."):
            for value in list(vars(module).values()):
                _clean(value, seen)
    return {}


def _clean(thing, seen):
    if id(thing) in seen or isinstance(thing, type):
        return
    if isinstance(thing, dict):
        seen.add(id(thing))
        for key in [key for key in thing if isinstance(key, str) and key.startswith(MARK)]:
            del thing[key]
        for value in list(thing.values()):
            _clean(value, seen)
    elif isinstance(thing, (list, set, tuple)):
        seen.add(id(thing))
        if isinstance(thing, list):
            thing[:] = [one for one in thing if not _is_mark(one)]
        for one in list(thing):
            _clean(one, seen)
    elif type(thing).__module__.partition(".")[0] in ("moto", PACKAGE):
        seen.add(id(thing))
        _clean(getattr(thing, "__dict__", {}), seen)


def _is_mark(one):
    if not isinstance(one, dict):
        return False
    return any(str(one.get(key, "")).startswith(MARK) for key in KEYS)
