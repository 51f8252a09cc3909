"""RDS subnet groups, parameter groups and tags."""

import re

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.rds.exceptions import (
    DBClusterNotFoundError,
    DBClusterParameterGroupNotFoundError,
    DBInstanceNotFoundError,
    DBParameterGroupNotFoundError,
    DBSnapshotNotFoundFault,
    DBSubnetGroupNotFoundError,
    InvalidSubnet,
    RDSClientError,
)
from moto.rds.models import DBSubnetGroup, RDSBackend
from moto.rds.responses import RDSResponse

from . import rds_engines
from .patching import page, replaces
from .rds_rules import invalid_combination, invalid_value

GROUP_NAME = re.compile(r"[A-Za-z](-?[A-Za-z0-9])*")
SUBNET_GROUP_NAME = re.compile(r"[A-Za-z0-9_. -]{1,255}")
MOST_PARAMETERS = 20
# Parameters that take effect when the server starts.
STATIC_PARAMETERS = {
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_replication_slots",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    "rds.logical_replication",
    "shared_buffers",
    "shared_preload_libraries",
    "wal_buffers",
    "track_activity_query_size",
    "innodb_buffer_pool_instances",
    "innodb_log_file_size",
    "lower_case_table_names",
    "performance_schema",
    "binlog_gtid_simple_recovery",
    "gtid-mode",
    "skip_name_resolve",
}
# Some of those that take effect at once.
DYNAMIC_PARAMETERS = {
    "postgres": {
        "autovacuum_vacuum_scale_factor",
        "effective_cache_size",
        "idle_in_transaction_session_timeout",
        "log_connections",
        "log_disconnections",
        "log_lock_waits",
        "log_min_duration_statement",
        "log_statement",
        "log_temp_files",
        "maintenance_work_mem",
        "random_page_cost",
        "rds.force_ssl",
        "statement_timeout",
        "wal_sender_timeout",
        "work_mem",
    },
    "mysql": {
        "binlog_checksum",
        "binlog_format",
        "binlog_row_image",
        "character_set_server",
        "collation_server",
        "event_scheduler",
        "general_log",
        "innodb_lock_wait_timeout",
        "local_infile",
        "long_query_time",
        "max_allowed_packet",
        "max_connections",
        "slow_query_log",
        "sql_mode",
        "time_zone",
        "wait_timeout",
    },
}
DYNAMIC_PARAMETERS["mariadb"] = DYNAMIC_PARAMETERS["mysql"]
NOT_FOUND = {
    "db": DBInstanceNotFoundError,
    "subgrp": DBSubnetGroupNotFoundError,
    "pg": DBParameterGroupNotFoundError,
    "snapshot": DBSnapshotNotFoundFault,
    "cluster": DBClusterNotFoundError,
    "cluster-pg": DBClusterParameterGroupNotFoundError,
}


# --- subnet groups --------------------------------------------------------------------


def _subnets(backend, ids):
    """The subnets of these ids, which must cover two zones."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    known = {s.id: s for zone in list(ec2.subnets.values()) for s in list(zone.values())}
    unknown = [subnet_id for subnet_id in ids if subnet_id not in known]
    if unknown:
        raise InvalidSubnet(unknown)
    subnets = [known[subnet_id] for subnet_id in dict.fromkeys(ids)]
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        raise RDSClientError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            "Current AZ coverage: "
            + ", ".join(sorted({s.availability_zone for s in subnets}))
            + ". Add subnets to cover at least 2 AZs.",
        )
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise InvalidSubnet([subnet.id for subnet in subnets])
    return subnets


@replaces(RDSResponse)
def create_db_subnet_group(_original, self):
    """Refuse what RDS refuses."""
    request = self.params
    name = request["DBSubnetGroupName"].lower()
    if not SUBNET_GROUP_NAME.fullmatch(name) or name == "default":
        raise invalid_value(f"The parameter DBSubnetGroupName is not a valid identifier: {name}")
    if name in self.backend.subnet_groups:
        raise RDSClientError(
            "DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists."
        )
    if not request.get("DBSubnetGroupDescription"):
        raise invalid_value("The parameter DBSubnetGroupDescription must be provided.")
    subnets = _subnets(self.backend, request.get("SubnetIds", []))
    description, tags = request["DBSubnetGroupDescription"], request.get("Tags", [])
    group = DBSubnetGroup(self.backend, name, description, subnets, tags)
    self.backend.subnet_groups[name] = group
    return ActionResult({"DBSubnetGroup": group})


@replaces(RDSResponse)
def modify_db_subnet_group(_original, self):
    """moto loses a group that is modified."""
    request = self.params
    group = self.backend.describe_db_subnet_groups(request["DBSubnetGroupName"])[0]
    group.subnets = _subnets(self.backend, request.get("SubnetIds", []))
    if request.get("DBSubnetGroupDescription") is not None:
        group.description = request["DBSubnetGroupDescription"]
    return ActionResult({"DBSubnetGroup": group})


@replaces(RDSResponse)
def describe_db_subnet_groups(_original, self):
    """Page by page."""
    request = self.params
    groups = self.backend.describe_db_subnet_groups(request.get("DBSubnetGroupName"))
    shown, marker = page(groups, request.get("Marker"), request.get("MaxRecords"))
    return ActionResult({"DBSubnetGroups": shown, "Marker": marker})


@replaces(RDSBackend)
def delete_subnet_group(original, self, subnet_name):
    """A group with instances stays."""
    for instance in list(self.databases.values()):
        group = getattr(instance, "db_subnet_group", None)
        if group is not None and group.name == subnet_name.lower():
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnetGroup '{group.name}' because at least one database "
                f"instance: {instance.db_instance_identifier} is still using it.",
            )
    for cluster in list(self.clusters.values()):
        if cluster.db_subnet_group_name == subnet_name.lower():
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnetGroup '{subnet_name}' because at least one database "
                f"cluster: {cluster.db_cluster_identifier} is still using it.",
            )
    return original(self, subnet_name)


# --- parameter groups -----------------------------------------------------------------


@replaces(RDSBackend)
def create_db_parameter_group(original, self, request):
    """Refuse what RDS refuses."""
    name, family = request["db_parameter_group_name"], request.get("db_parameter_group_family")
    if not GROUP_NAME.fullmatch(name) or len(name) > 255:
        raise invalid_value(
            f"The parameter DBParameterGroupName is not a valid identifier: {name}. Identifiers "
            "must begin with a letter; must contain only ASCII letters, digits, and hyphens; and "
            "must not end with a hyphen or contain two consecutive hyphens."
        )
    if family and not rds_engines.is_known_family(family):
        raise invalid_value(f"ParameterGroupFamily {family} is not a valid parameter group family")
    return original(self, request)


def _group(backend, name):
    group = backend.db_parameter_groups.get(name)
    if group is None:
        raise DBParameterGroupNotFoundError(name)
    return group


@replaces(RDSBackend)
def describe_db_parameter_groups(_original, self, request):
    """A name that does not exist is an error, and case does not matter."""
    name = request.get("db_parameter_group_name")
    return [_group(self, name)] if name else list(self.db_parameter_groups.values())


@replaces(RDSBackend)
def delete_db_parameter_group(original, self, db_parameter_group_name):
    """A default group stays, and one with instances."""
    group = _group(self, db_parameter_group_name)
    in_use = any(
        group in instance.db_parameter_groups() for instance in list(self.databases.values())
    )
    if group.name.startswith("default."):
        message = f"Default DBParameterGroup cannot be deleted: {group.name}"
        raise RDSClientError("InvalidDBParameterGroupState", message)
    if in_use:
        raise RDSClientError(
            "InvalidDBParameterGroupState",
            "One or more database instances are still members of this parameter group "
            f"{group.name}, so the group cannot be deleted",
        )
    return original(self, db_parameter_group_name)


def _asked_parameters(request):
    parameters = [dict(p.original_dict()) for p in request.get("Parameters") or []]
    if len(parameters) > MOST_PARAMETERS:
        raise invalid_value(
            f"The request must contain at most {MOST_PARAMETERS} parameters, not {len(parameters)}"
        )
    return parameters


def _dynamics(group):
    engine = next((e for e in DYNAMIC_PARAMETERS if group.family.startswith(e)), None)
    return DYNAMIC_PARAMETERS.get(engine, set())


def _dynamic(group, name):
    return name in _dynamics(group) or name not in STATIC_PARAMETERS


def _changed(backend, group, name, parameter):
    """Servers have to start again before a change that waits for that counts."""
    before = group.parameters.get(name, {}).get("ParameterValue")
    waits = parameter.get("ApplyMethod", "pending-reboot") != "immediate"
    if not waits or before == parameter.get("ParameterValue"):
        return
    for instance in list(backend.databases.values()):
        if group in instance.db_parameter_groups():
            instance.reboot_pending = True


@replaces(RDSResponse)
def modify_db_parameter_group(_original, self):
    """Refuse what RDS refuses."""
    group = _group(self.backend, self.params["DBParameterGroupName"])
    if group.name.startswith("default."):
        message = f"Default DBParameterGroup cannot be modified: {group.name}"
        raise RDSClientError("InvalidDBParameterGroupState", message)
    for parameter in _asked_parameters(self.params):
        name = parameter["ParameterName"]
        static = not _dynamic(group, name)
        if static and parameter.get("ApplyMethod") == "immediate":
            raise invalid_combination("cannot use immediate apply method for static parameter")
        _changed(self.backend, group, name, parameter)
        group.parameters[name] = {
            "ParameterName": name,
            "ParameterValue": parameter.get("ParameterValue", ""),
            "ApplyMethod": parameter.get("ApplyMethod", "pending-reboot"),
            "ApplyType": "static" if static else "dynamic",
            "DataType": "string",
            "IsModifiable": True,
            "Source": "user",
        }
    return ActionResult({"DBParameterGroupName": group.name})


@replaces(RDSResponse)
def reset_db_parameter_group(_original, self):
    """moto lacks it."""
    group = _group(self.backend, self.params["DBParameterGroupName"])
    if self.params.get("ResetAllParameters"):
        group.parameters.clear()
    for parameter in _asked_parameters(self.params):
        _changed(self.backend, group, parameter["ParameterName"], parameter)
        group.parameters.pop(parameter["ParameterName"], None)
    return ActionResult({"DBParameterGroupName": group.name})


def _default(name, apply_type):
    return {
        "ParameterName": name,
        "ApplyType": apply_type,
        "ApplyMethod": "pending-reboot",
        "DataType": "string",
        "IsModifiable": True,
        "Source": "engine-default",
    }


@replaces(RDSResponse)
def describe_db_parameters(_original, self):
    """What the user has set, and of the engine's defaults some names: the sandbox has no table."""
    request = self.params
    group = _group(self.backend, request["DBParameterGroupName"])
    source = request.get("Source")
    parameters = list(group.parameters.values()) if source in (None, "user") else []
    if source in (None, "engine-default"):
        unset = sorted(_dynamics(group) - group.parameters.keys())
        parameters += [_default(name, "dynamic") for name in unset]
    shown, marker = page(parameters, request.get("Marker"), request.get("MaxRecords"))
    return ActionResult({"Parameters": shown, "Marker": marker})


# --- tags -----------------------------------------------------------------------------


@replaces(RDSBackend)
def _get_resource_for_tagging(original, self, arn):
    """Tags of what does not exist are an error."""
    resource = original(self, arn)
    kind, name = arn.split(":")[-2:]
    if resource is None and kind in NOT_FOUND:
        raise NOT_FOUND[kind](name)
    return resource
