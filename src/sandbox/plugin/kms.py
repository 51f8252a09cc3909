"""KMS: keys that wait for their deletion, and how often keys rotate."""

import json

from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

from .patching import replaces

MOST_DAYS, FEWEST_DAYS = 2560, 90
SHORTEST_WINDOW, LONGEST_WINDOW = 7, 30


class InvalidState(JsonRESTError):
    """The key's state does not allow the operation."""

    code = 400

    def __init__(self, key):
        words = {"PendingDeletion": "pending deletion", "Disabled": "disabled"}
        state = words.get(key.key_state, "not pending deletion")
        name = "DisabledException" if key.key_state == "Disabled" else "KMSInvalidStateException"
        super().__init__(name, f"{key.arn} is {state}.")


def _key(backend, key_id):
    return backend.keys[backend.any_id_to_key_id(key_id)]


def _refusing_the_doomed(operation):
    """What can't be done to a key that is pending deletion."""

    def method(original, self, key_id, *args, **kwargs):
        key = _key(self, key_id)
        if key.key_state == "PendingDeletion":
            raise InvalidState(key)
        return original(self, key_id, *args, **kwargs)

    method.__name__ = operation
    replaces(KmsBackend)(method)


for _operation in (
    "enable_key",
    "disable_key",
    "update_key_description",
    "disable_key_rotation",
    "tag_resource",
    "untag_resource",
):
    _refusing_the_doomed(_operation)


@replaces(KmsBackend)
def cancel_key_deletion(original, self, key_id):
    """Only what is pending deletion can be kept."""
    key = _key(self, key_id)
    if key.key_state != "PendingDeletion":
        raise InvalidState(key)
    return original(self, key_id)


@replaces(KmsBackend)
def schedule_key_deletion(original, self, key_id, pending_window_in_days):
    """Once only, and within a week or a month."""
    key = _key(self, key_id)
    if key.key_state == "PendingDeletion":
        raise InvalidState(key)
    if not SHORTEST_WINDOW <= pending_window_in_days <= LONGEST_WINDOW:
        raise JsonRESTError("ValidationException", "PendingWindowInDays must be between 7 and 30")
    return original(self, key_id, pending_window_in_days)


@replaces(KmsResponse)
def enable_key_rotation(original, self):
    """moto forgets the period."""
    key = _key(self.kms_backend, self._get_param("KeyId"))
    if key.key_state != "Enabled":
        raise InvalidState(key)
    if key.key_spec != "SYMMETRIC_DEFAULT":
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} can't be rotated.")
    days = self._get_param("RotationPeriodInDays")
    if days is not None and not FEWEST_DAYS <= days <= MOST_DAYS:
        raise JsonRESTError("ValidationException", "RotationPeriodInDays must be 90 to 2560")
    answer = original(self)
    key.rotation_period = days or getattr(key, "rotation_period", 365)
    return answer


@replaces(KmsResponse)
def get_key_rotation_status(original, self):
    """With the period, as long as the key rotates."""
    answer = json.loads(original(self))
    key = _key(self.kms_backend, self._get_param("KeyId"))
    if key.key_spec != "SYMMETRIC_DEFAULT":
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} can't be rotated.")
    if answer["KeyRotationEnabled"]:
        answer["RotationPeriodInDays"] = getattr(key, "rotation_period", 365)
    return json.dumps(answer)
