"""CloudWatch Logs: what moto forgets of a log group."""

from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import LogGroup, LogsBackend
from moto.logs.responses import LogsResponse

from .patching import replaces

CLASSES = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")
RETENTION_DAYS = {
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
}

LogGroup.log_group_class = "STANDARD"
LogGroup.deletion_protection = False


def _group(response, parameter="logGroupName"):
    name = response._get_param(parameter) or ""
    name = name.split(":log-group:")[-1].removesuffix(":*")
    group = response.logs_backend.groups.get(name)
    if group is None:
        raise ResourceNotFoundException()
    return group


@replaces(LogsResponse)
def create_log_group(original, self):
    """Keep the class and the protection."""
    log_group_class = self._get_param("logGroupClass") or "STANDARD"
    if log_group_class not in CLASSES:
        raise InvalidParameterException(f"Invalid logGroupClass {log_group_class}")
    _check_key(self._get_param("kmsKeyId"))
    answer = original(self)
    group = self.logs_backend.groups[self._get_param("logGroupName")]
    group.log_group_class = log_group_class
    group.deletion_protection = bool(self._get_param("deletionProtectionEnabled"))
    return answer


def _check_key(key):
    if key and not key.startswith("arn:"):
        raise InvalidParameterException(f"Specified ARN is not valid: {key}")


@replaces(LogGroup)
def to_describe_dict(original, self):
    """With the class and the protection."""
    return {
        **original(self),
        "logGroupClass": self.log_group_class,
        "deletionProtectionEnabled": self.deletion_protection,
    }


@replaces(LogsResponse)
def put_retention_policy(original, self):
    """Refuse days that are not in the list."""
    days = self._get_param("retentionInDays")
    if days not in RETENTION_DAYS:
        raise InvalidParameterException(
            f"Invalid retention value. Valid values are: {sorted(RETENTION_DAYS)}"
        )
    return original(self)


@replaces(LogsResponse)
def associate_kms_key(_original, self):
    """moto lacks it."""
    key = self._get_param("kmsKeyId")
    _check_key(key)
    _group(self).kms_key_id = key
    return ""


@replaces(LogsResponse)
def disassociate_kms_key(_original, self):
    """moto lacks it."""
    _group(self).kms_key_id = None
    return ""


@replaces(LogsResponse)
def put_log_group_deletion_protection(_original, self):
    """moto lacks it."""
    group = _group(self, "logGroupIdentifier")
    group.deletion_protection = bool(self._get_param("deletionProtectionEnabled"))
    return ""


@replaces(LogsBackend)
def delete_log_group(original, self, log_group_name):
    """Protected groups stay; tags go with the group."""
    group = self.groups.get(log_group_name)
    if group is not None and group.deletion_protection:
        raise InvalidParameterException(
            f"Log group {log_group_name} has deletion protection enabled."
        )
    original(self, log_group_name)
    self.tagger.delete_all_tags_for_resource(group.arn)


@replaces(LogsBackend)
def list_tags_for_resource(original, self, resource_arn):
    """Tags of what does not exist are an error."""
    name = resource_arn.split(":log-group:")[-1]
    if ":log-group:" in resource_arn and name not in self.groups:
        raise ResourceNotFoundException()
    return original(self, resource_arn)
