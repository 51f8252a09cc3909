"""What RDS refuses, with its codes and words."""

import re

from moto.ec2.models import ec2_backends
from moto.rds.exceptions import DBSnapshotAlreadyExistsError, RDSClientError

from . import rds_engines

LONGEST_PASSWORD = {"postgres": 128, "mysql": 41, "mariadb": 41}
RESERVED_USERS = {
    "postgres": {"admin", "rdsadmin", "user", "public", "all", "replication"},
    "mysql": {"rdsadmin", "rdsrepladmin", "mysql.sys", "mysql.session"},
    "mariadb": {"rdsadmin", "rdsrepladmin", "mysql"},
}
INSTANCE_CLASS = re.compile(r"db\.[a-z0-9-]+\.[a-z0-9]+")
# A class that AWS's own names match, but that does not exist, is still refused.
INSTANCE_SIZES = re.compile(r"(micro|small|medium|large|\d*xlarge|metal)$")


def invalid_value(message):
    """The error that RDS has for most wrong parameters."""
    return RDSClientError("InvalidParameterValue", message)


def invalid_combination(message):
    """The error for parameters that do not go together, or not with what is there."""
    return RDSClientError("InvalidParameterCombination", message)


def check_create(backend, request):
    """Refuse a CreateDBInstance that RDS refuses."""
    check_instance_class(request.get("db_instance_class"))
    check_security_groups(backend, request.get("vpc_security_group_ids") or [])
    if request.get("db_cluster_identifier"):
        return
    engine = request["engine"]
    _check_master_user(engine, request)
    _check_storage(request)
    if engine == "postgres" and request.get("db_name"):
        _check_database_name(request["db_name"])


def _check_master_user(engine, request):
    user = request.get("master_username")
    if not user:
        raise invalid_value("The parameter MasterUsername must be provided and must not be blank.")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", user):
        raise invalid_value(
            "The parameter MasterUsername is not a valid identifier. Identifiers must begin with a "
            "letter; must contain only ASCII letters, digits, and underscores."
        )
    if user.lower() in RESERVED_USERS.get(engine, ()):
        raise invalid_value(
            f"MasterUsername {user} cannot be used as it is a reserved word used by the engine"
        )
    password = request.get("master_user_password")
    if request.get("manage_master_user_password"):
        if password:
            raise invalid_combination(
                "You can't specify MasterUserPassword for an instance with "
                "ManageMasterUserPassword enabled."
            )
        return
    if not password:
        raise invalid_value(
            "The parameter MasterUserPassword must be provided and must not be blank."
        )
    check_password(engine, password)


def check_password(engine, password):
    """Refuse a password that RDS refuses."""
    wrong = "The parameter MasterUserPassword is not a valid password"
    if len(password) < 8:
        raise invalid_value(f"{wrong} because it is shorter than 8 characters.")
    longest = LONGEST_PASSWORD.get(engine, 128)
    if len(password) > longest:
        raise invalid_value(f"{wrong} because it is longer than {longest} characters.")
    if re.search(r"[^!-~]|[/@\"]", password):
        raise invalid_value(
            f"{wrong}. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used."
        )


def _check_storage(request):
    asked = request.get("allocated_storage")
    if asked is None and request["engine"] in rds_engines.VERSIONS:
        raise invalid_value(
            "The parameter AllocatedStorage must be provided and must not be blank."
        )
    if asked is not None and not 5 <= int(asked) <= 65536:
        raise invalid_value(
            f"Invalid storage size for engine name {request['engine']} and storage type "
            f"{request.get('storage_type', 'gp3')}: {asked}"
        )
    tuned = request.get("iops") or request.get("storage_throughput")
    if request.get("storage_type") == "gp3" and tuned and int(asked or 400) < 400:
        raise invalid_combination(
            "You can't specify IOPS or storage throughput for engine "
            f"{request['engine']} and a storage size less than 400."
        )


def _check_database_name(name):
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        raise invalid_value(
            "DBName must begin with a letter and contain only alphanumeric characters."
        )


def check_instance_class(name):
    """Refuse an instance class that cannot exist."""
    if name == "db.serverless":
        return
    if name and not (INSTANCE_CLASS.fullmatch(name) and INSTANCE_SIZES.search(name)):
        raise invalid_value(f"Invalid DB Instance class: {name}")


def check_security_groups(backend, ids):
    """Refuse security groups that do not exist."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for group_id in ids:
        if ec2.get_security_group_from_id(group_id) is None:
            raise invalid_value(f"Invalid security group , groupId= {group_id}, groupName=.")


def check_parameter_group(backend, engine, version, name):
    """Refuse a parameter group made for another version."""
    group = backend.db_parameter_groups.get(name)
    family = rds_engines.family_of(engine, version)
    if group is not None and engine in rds_engines.VERSIONS and group.family != family:
        raise invalid_combination(
            f"The parameter group {name} with DBParameterGroupFamily {group.family} can't be used "
            f"for this instance. Please use a parameter group with DBParameterGroupFamily {family}"
        )


def check_available(instance):
    """Refuse to change an instance that is busy."""
    if instance.status not in ("available", "stopped", "storage-optimization"):
        raise RDSClientError(
            "InvalidDBInstanceState",
            f"Database instance is not in available state: {instance.db_instance_identifier} "
            f"is {instance.status}.",
        )


def check_modify(backend, instance, request):
    """Refuse a ModifyDBInstance that RDS refuses."""
    check_available(instance)
    check_instance_class(request.get("db_instance_class"))
    check_security_groups(backend, request.get("vpc_security_group_ids") or [])
    password = request.get("master_user_password")
    if password:
        managed = request.get(
            "manage_master_user_password", getattr(instance, "manage_master_user_password", False)
        )
        if managed:
            raise invalid_combination(
                "You can't specify MasterUserPassword for an instance with "
                "ManageMasterUserPassword enabled."
            )
        check_password(instance.engine, password)
    storage = request.get("allocated_storage")
    if storage is not None and int(storage) < int(instance.allocated_storage):
        raise invalid_combination(
            f"Requested storage size ({storage} GiB) cannot be less than the current size "
            f"({instance.allocated_storage} GiB)"
        )
    _check_upgrade(instance, request)


def _check_upgrade(instance, request):
    asked = request.get("engine_version")
    if not asked or asked == instance.engine_version:
        return
    engine, current = instance.engine, instance.engine_version
    if rds_engines.is_older(asked, current):
        raise invalid_combination(f"Cannot upgrade {engine} from {current} to {asked}")
    same_major = rds_engines.major_of(engine, asked) == rds_engines.major_of(engine, current)
    if not same_major and not request.get("allow_major_version_upgrade"):
        raise invalid_combination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major "
            "version."
        )


def check_delete(backend, instance, snapshot, skip):
    """Refuse a DeleteDBInstance that RDS refuses."""
    if instance.status == "deleting":
        raise RDSClientError(
            "InvalidDBInstanceState",
            f"Instance {instance.db_instance_identifier} is already being deleted.",
        )
    if instance.deletion_protection:
        raise invalid_combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again."
        )
    if instance.db_cluster_identifier or instance.is_replica:
        return
    if skip and snapshot:
        raise invalid_combination(
            "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot."
        )
    if not skip and not snapshot:
        raise invalid_combination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    if snapshot and snapshot in backend.database_snapshots:
        raise DBSnapshotAlreadyExistsError(snapshot)
