"""The Parameter Store: what can't become what."""

import re

from moto.core.exceptions import JsonRESTError
from moto.ssm.models import SimpleSystemManagerBackend

from .patching import replaces

LONGEST_STANDARD = 4096


def _refuse(code, message):
    raise JsonRESTError(code, message)


@replaces(SimpleSystemManagerBackend)
def put_parameter(original, self, name, description, value, parameter_type, *args, **kwargs):
    """A parameter's type stays, and Advanced does not become Standard."""
    names = ("allowed_pattern", "keyid", "overwrite", "tags", "data_type", "tier", "policies")
    asked = {**dict(zip(names, args, strict=False)), **kwargs}
    versions = self._parameters[name] if name in self._parameters else []
    before = versions[-1] if versions else None
    if before is not None and asked.get("overwrite"):
        if parameter_type and parameter_type != before.parameter_type:
            _refuse(
                "HierarchyTypeMismatchException",
                "Parameter Store does not support changing a parameter type in a hierarchy.",
            )
        if asked.get("tier") == "Standard" and before.tier == "Advanced":
            _refuse(
                "ValidationException",
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter "
                "from the advanced-parameter tier to the standard-parameter tier.",
            )
    tier = asked.get("tier")
    if tier == "Intelligent-Tiering":
        tier = "Advanced" if len(value or "") > LONGEST_STANDARD else "Standard"
    elif tier != "Advanced" and len(value or "") > LONGEST_STANDARD:
        _refuse(
            "ValidationException",
            "Standard tier parameters support a maximum parameter value of 4096 characters.",
        )
    pattern = asked.get("allowed_pattern")
    if pattern and not re.search(pattern, value or ""):
        _refuse(
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )
    if parameter_type == "SecureString" and not asked.get("keyid") and before is None:
        asked["keyid"] = "alias/aws/ssm"
    asked["tier"] = tier
    return original(self, name, description, value, parameter_type, **asked)
