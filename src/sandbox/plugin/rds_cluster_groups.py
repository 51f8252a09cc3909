"""Parameter groups of RDS clusters, by the rules of those of instances."""

from moto.core.responses import ActionResult, EmptyResult
from moto.rds.exceptions import DBClusterParameterGroupNotFoundError, RDSClientError
from moto.rds.models import DBClusterParameterGroup, RDSBackend
from moto.rds.responses import RDSResponse

from . import rds_groups
from .patching import page, replaces
from .rds_rules import invalid_combination, invalid_value

ENGINES = {"aurora-postgresql": "postgres", "aurora-mysql": "mysql"}

# What instances' groups are asked for.
DBClusterParameterGroup.family = property(lambda self: self.db_parameter_group_family)


def _group(backend, name):
    group = backend.db_cluster_parameter_groups.get((name or "").lower())
    if group is None:
        raise DBClusterParameterGroupNotFoundError(name)
    return group


def _dynamics(group):
    engine = next((ours for aurora, ours in ENGINES.items() if group.family.startswith(aurora)), "")
    return rds_groups.DYNAMIC_PARAMETERS.get(engine, set())


def _clusters(backend, group):
    return [c for c in list(backend.clusters.values()) if c.parameter_group == group.name]


def _changed(backend, group, name, parameter):
    before = group.parameters.get(name, {}).get("ParameterValue")
    waits = parameter.get("ApplyMethod", "pending-reboot") != "immediate"
    if not waits or before == parameter.get("ParameterValue"):
        return
    for cluster in _clusters(backend, group):
        for member in cluster.members:
            member.cluster_reboot_pending = True


@replaces(RDSBackend)
def create_db_cluster_parameter_group(
    original, self, db_cluster_parameter_group_name, db_parameter_group_family, description, tags
):
    """Refuse what RDS refuses; names are lower case."""
    name = db_cluster_parameter_group_name.lower()
    if not rds_groups.GROUP_NAME.fullmatch(name) or len(name) > 255:
        raise invalid_value(
            f"The parameter DBClusterParameterGroupName is not a valid identifier: {name}"
        )
    family = db_parameter_group_family or ""
    if family and not family.startswith((*ENGINES, "postgres", "mysql", "neptune", "docdb")):
        raise invalid_value(f"ParameterGroupFamily {family} is not a valid parameter group family")
    return original(self, name, family, description, tags)


@replaces(RDSResponse)
def describe_db_cluster_parameter_groups(_original, self):
    """Page by page, and case does not matter."""
    request = self.params
    name = request.get("DBClusterParameterGroupName")
    all_groups = list(self.backend.db_cluster_parameter_groups.values())
    groups = [_group(self.backend, name)] if name else all_groups
    shown, marker = page(groups, request.get("Marker"), request.get("MaxRecords"))
    return ActionResult({"DBClusterParameterGroups": shown, "Marker": marker})


@replaces(RDSResponse)
def modify_db_cluster_parameter_group(_original, self):
    """Refuse what RDS refuses."""
    group = _group(self.backend, self.params["DBClusterParameterGroupName"])
    for parameter in rds_groups._asked_parameters(self.params):
        name = parameter["ParameterName"]
        static = name not in _dynamics(group) and name in rds_groups.STATIC_PARAMETERS
        if static and parameter.get("ApplyMethod") == "immediate":
            raise invalid_combination("cannot use immediate apply method for static parameter")
        _changed(self.backend, group, name, parameter)
        group.parameters[name] = {
            **rds_groups._default(name, "static" if static else "dynamic"),
            "ParameterValue": parameter.get("ParameterValue", ""),
            "ApplyMethod": parameter.get("ApplyMethod", "pending-reboot"),
            "Source": "user",
        }
    return ActionResult({"DBClusterParameterGroupName": group.name})


@replaces(RDSResponse)
def reset_db_cluster_parameter_group(_original, self):
    """moto lacks it."""
    group = _group(self.backend, self.params["DBClusterParameterGroupName"])
    if self.params.get("ResetAllParameters"):
        group.parameters.clear()
    for parameter in rds_groups._asked_parameters(self.params):
        _changed(self.backend, group, parameter["ParameterName"], parameter)
        group.parameters.pop(parameter["ParameterName"], None)
    return ActionResult({"DBClusterParameterGroupName": group.name})


@replaces(RDSResponse)
def describe_db_cluster_parameters(_original, self):
    """What the user has set, and of the engine's defaults some names."""
    request = self.params
    group = _group(self.backend, request["DBClusterParameterGroupName"])
    source = request.get("Source")
    parameters = list(group.parameters.values()) if source in (None, "user") else []
    if source in (None, "engine-default"):
        unset = sorted(_dynamics(group) - group.parameters.keys())
        parameters += [rds_groups._default(name, "dynamic") for name in unset]
    shown, marker = page(parameters, request.get("Marker"), request.get("MaxRecords"))
    return ActionResult({"Parameters": shown, "Marker": marker})


@replaces(RDSResponse)
def delete_db_cluster_parameter_group(_original, self):
    """A group with clusters stays."""
    group = _group(self.backend, self.params["DBClusterParameterGroupName"])
    if _clusters(self.backend, group):
        raise RDSClientError(
            "InvalidDBParameterGroupState",
            "One or more database clusters are still members of this parameter group "
            f"{group.name}, so the group cannot be deleted",
        )
    del self.backend.db_cluster_parameter_groups[group.name]
    return EmptyResult()
