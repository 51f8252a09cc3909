"""Redshift subnet groups and parameter groups."""

import json
import re

from moto.core.responses import ActionResult
from moto.redshift.exceptions import (
    ClusterParameterGroupNotFoundError,
    ClusterSubnetGroupNotFoundError,
    InvalidParameterValueError,
    RedshiftClientError,
)
from moto.redshift.models import ParameterGroup
from moto.redshift.responses import RedshiftResponse

from .patching import page, replaces

MOST_PARAMETERS = 20
FAMILIES = {"redshift-1.0", "redshift-2.0"}
# Every parameter that there is, with its default.
DEFAULTS = {
    "auto_analyze": "true",
    "auto_mv": "true",
    "datestyle": "ISO, MDY",
    "enable_case_sensitive_identifier": "false",
    "enable_user_activity_logging": "false",
    "extra_float_digits": "0",
    "max_concurrency_scaling_clusters": "1",
    "query_group": "default",
    "require_ssl": "false",
    "search_path": "$user, public",
    "statement_timeout": "0",
    "use_fips_ssl": "false",
    "wlm_json_configuration": '[{"auto_wlm":true}]',
}


def _check_subnets(backend, ids):
    known = {subnet.id for subnet in backend.ec2_backend.describe_subnets()}
    unknown = [subnet for subnet in ids if subnet not in known]
    if unknown or not ids:
        raise RedshiftClientError("InvalidSubnet", f"Subnet {unknown} not found.")


def _users(backend, attribute, name):
    clusters = list(backend.clusters.values())
    return [one.name for one in clusters if attribute(one) == name]


def _subnet_group(backend, name):
    group = backend.subnet_groups.get(name.lower())
    if group is None:
        raise ClusterSubnetGroupNotFoundError(name)
    return group


@replaces(RedshiftResponse)
def create_cluster_subnet_group(original, self):
    """Names are kept in lower case, and one stands for one group."""
    name = self.params["ClusterSubnetGroupName"].lower()
    if name in self.redshift_backend.subnet_groups:
        raise RedshiftClientError(
            "ClusterSubnetGroupAlreadyExists", f"Cluster subnet group '{name}' already exists."
        )
    if not re.fullmatch("[a-z0-9-]{1,255}", name) or name == "default":
        raise InvalidParameterValueError(f"The name '{name}' is not a valid subnet group name.")
    self.params["ClusterSubnetGroupName"] = name
    _check_subnets(self.redshift_backend, self.params.get("SubnetIds") or [])
    return original(self)


@replaces(RedshiftResponse)
def modify_cluster_subnet_group(_original, self):
    """moto lacks it."""
    group = _subnet_group(self.redshift_backend, self.params["ClusterSubnetGroupName"])
    ids = self.params.get("SubnetIds") or []
    _check_subnets(self.redshift_backend, ids)
    group.subnet_ids = ids
    if self.params.get("Description") is not None:
        group.description = self.params["Description"]
    return ActionResult({"ClusterSubnetGroup": group})


@replaces(RedshiftResponse)
def delete_cluster_subnet_group(original, self):
    """A group with clusters stays."""
    group = _subnet_group(self.redshift_backend, self.params["ClusterSubnetGroupName"])
    name = group.cluster_subnet_group_name
    users = _users(
        self.redshift_backend, lambda cluster: cluster.shown["ClusterSubnetGroupName"], name
    )
    if users:
        raise RedshiftClientError(
            "InvalidClusterSubnetGroupStateFault",
            f"Cannot delete the subnet group '{name}' because at least one cluster is using it: "
            f"{', '.join(users)}.",
        )
    return original(self)


def _group(self):
    name = self.params["ParameterGroupName"].lower()
    if name not in self.redshift_backend.parameter_groups:
        raise ClusterParameterGroupNotFoundError(name)
    return self.redshift_backend.parameter_groups[name]


@replaces(RedshiftResponse)
def create_cluster_parameter_group(original, self):
    """Names are kept in lower case, and one stands for one group."""
    name = self.params["ParameterGroupName"].lower()
    if name in self.redshift_backend.parameter_groups:
        raise RedshiftClientError(
            "ClusterParameterGroupAlreadyExists", f"Parameter group {name} already exists"
        )
    if not re.fullmatch("[a-z](-?[a-z0-9])*", name):
        raise InvalidParameterValueError(f"The parameter group name {name} is not valid.")
    if self.params["ParameterGroupFamily"] not in FAMILIES:
        family = self.params["ParameterGroupFamily"]
        raise InvalidParameterValueError(f"{family} is not a valid parameter group family.")
    self.params["ParameterGroupName"] = name
    return original(self)


@replaces(RedshiftResponse)
def delete_cluster_parameter_group(original, self):
    """A default group stays, and one with clusters."""
    group = _group(self)
    users = _users(self.redshift_backend, lambda cluster: cluster.group, group.name)
    if users or group.name.startswith("default."):
        raise RedshiftClientError(
            "InvalidClusterParameterGroupState",
            f"The parameter group {group.name} is in use or a default: {', '.join(users)}",
        )
    return original(self)


def _change(self, parameters, value_of):
    group = _group(self)
    if group.name.startswith("default."):
        raise RedshiftClientError(
            "InvalidClusterParameterGroupState", "A default parameter group cannot be modified."
        )
    if len(parameters) > MOST_PARAMETERS:
        raise InvalidParameterValueError("Only 20 parameters may be modified at once.")
    before = dict(group.values)
    for parameter in parameters:
        name = parameter["ParameterName"]
        if name not in DEFAULTS:
            raise InvalidParameterValueError(f"Could not find parameter with name: {name}")
        value = value_of(parameter)
        if name == "wlm_json_configuration" and value is not None:
            _check_json(value)
        if value is None or value == DEFAULTS[name]:
            group.values.pop(name, None)
        else:
            group.values[name] = value
    if group.values != before:
        for cluster in list(self.redshift_backend.clusters.values()):
            cluster.reboot_pending |= cluster.group == group.name
    status = "Your parameter group has been updated"
    return ActionResult({"ParameterGroupName": group.name, "ParameterGroupStatus": status})


def _check_json(text):
    try:
        json.loads(text)
    except ValueError:
        raise InvalidParameterValueError("The WLM configuration is not valid JSON.") from None


@replaces(RedshiftResponse)
def modify_cluster_parameter_group(_original, self):
    """moto lacks it."""
    return _change(self, self.params["Parameters"], lambda one: one.get("ParameterValue"))


@replaces(RedshiftResponse)
def reset_cluster_parameter_group(_original, self):
    """moto lacks it."""
    asked = self.params.get("Parameters") or []
    if self.params.get("ResetAllParameters", not asked):
        asked = [{"ParameterName": name} for name in _group(self).values]
    return _change(self, asked, lambda _: None)


@replaces(RedshiftResponse)
def describe_cluster_parameters(_original, self):
    """What was set, what wasn't, or both."""
    group, source = _group(self), self.params.get("Source")
    parameters = [
        {
            "ParameterName": name,
            "ParameterValue": group.values.get(name, default),
            "Source": "user" if name in group.values else "engine-default",
            "DataType": "string",
            "ApplyType": "static",
            "IsModifiable": True,
        }
        for name, default in DEFAULTS.items()
    ]
    wanted = [one for one in parameters if source in (None, "", one["Source"])]
    shown, marker = page(wanted, self.params.get("Marker"), self.params.get("MaxRecords"))
    return ActionResult({"Parameters": shown, "Marker": marker})


@replaces(ParameterGroup)
def __init__(original, self, *arguments, **named):
    """A group has values."""
    original(self, *arguments, **named)
    self.values = {}
