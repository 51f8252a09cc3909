"""Notes what lagoa asked for: each operation with the names, ids and ARNs that were in the request,
for tests that compare it with the policy that lagoa prints. Nothing secret is kept."""

import threading

SECRET = ("password", "secretstring", "pem", "value")
LONGEST = 512


class Calls:
    """The different calls since the sandbox started, or since the last reset."""

    def __init__(self):
        self._lock = threading.Lock()
        self._calls = {}

    def note(self, service, operation, value):
        """Note a request that was made plain; see `validation`."""
        members = {}
        _flatten(value, "", members)
        call = {"service": service, "operation": operation, "members": members}
        with self._lock:
            self._calls[repr(sorted(members.items())) + service + operation] = call

    def summary(self):
        """Every call once."""
        with self._lock:
            return list(self._calls.values())

    def reset(self):
        """Forget what was asked so far."""
        with self._lock:
            self._calls.clear()


def _flatten(value, path, into):
    """Texts by path: `S3Settings.BucketName`; the items of a list share one."""
    if isinstance(value, dict):
        tag = next((value[key] for key in ("Key", "TagKey", "key") if key in value), None)
        text = next((value[key] for key in ("Value", "TagValue", "value") if key in value), None)
        if isinstance(tag, str) and isinstance(text, str):
            into.setdefault(f"tag:{tag}", []).append(text)
            return
        for key, inner in value.items():
            if path.lower().endswith("tags") and isinstance(inner, str):
                into.setdefault(f"tag:{key}", []).append(inner)
            else:
                _flatten(inner, f"{path}.{key}" if path else key, into)
    elif isinstance(value, list):
        for inner in value:
            _flatten(inner, path, into)
    elif isinstance(value, str) and len(value) <= LONGEST:
        if not path.lower().endswith(SECRET):
            into.setdefault(path, []).append(value)
