"""RDS instances: their life, their fields, and the servers behind them."""

import json
import secrets as randomness
import string
import threading
import time

from moto.core.responses import ActionResult
from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse

from . import databases, latency, rds_engines, rds_fields, rds_rules
from .patching import page, replaces

# What waits for the maintenance window unless it is to be applied at once.
PARKED = {
    "db_instance_class": "DBInstanceClass",
    "allocated_storage": "AllocatedStorage",
    "port": "Port",
    "backup_retention_period": "BackupRetentionPeriod",
    "multi_az": "MultiAZ",
    "engine_version": "EngineVersion",
    "license_model": "LicenseModel",
    "iops": "Iops",
    "storage_throughput": "StorageThroughput",
    "storage_type": "StorageType",
    "ca_certificate_identifier": "CACertificateIdentifier",
}
# Changes that restart the server, so that it reads its parameter group too.
RESTARTING = {"DBInstanceClass", "Port", "EngineVersion"}
# What a modification says beside the changes.
NOT_CHANGES = {"db_instance_identifier", "allow_major_version_upgrade", "apply_immediately"}
PASSWORD_LETTERS = string.ascii_letters + string.digits + "!#$%&()*+,-.:;<=>?[]^_{|}~"


# --- creating -------------------------------------------------------------------------


@replaces(RDSBackend)
def create_db_instance(original, self, request):
    """Refuse what RDS refuses, fill in what it fills in, and start a server."""
    rds_rules.check_create(self, request)
    rds_fields.fill_in(self, request)
    database = None
    if databases.has_server(request["engine"]) and not request.get("db_cluster_identifier"):
        _check_not_taken(self, request)
        database = _database(request)
    try:
        instance = original(self, request)
    except BaseException:
        if database:
            database.remove()
        raise
    rds_fields.remember(instance, request)
    instance.pending_modified_values = {}
    instance.database = database
    _begin(instance, "creating", lambda: _start_server(instance))
    return instance


def _check_not_taken(backend, request):
    """Before a server is made ready for it."""
    if request["db_instance_identifier"] in backend.databases:
        raise RDSClientError("DBInstanceAlreadyExists", "DB instance already exists")


def _database(request):
    try:
        return databases.Database(request["engine"], request["db_instance_identifier"].lower())
    except databases.ServerError as error:
        reason = f"The sandbox has {error}"
        raise RDSClientError("InsufficientDBInstanceCapacity", reason) from None


def _start_server(instance):
    if instance.database:
        password = instance._master_user_password
        instance.database.start(instance.master_username, password, instance.db_name)


# --- transitions ----------------------------------------------------------------------


def _delay(thing, status):
    kind = "rds_instance" if isinstance(thing, DBInstance) else "rds_cluster"
    return latency.seconds(kind, status)


def _begin(instance, status, work=None, then=None):
    """Enter a passing status; leave it when the work is done and the delay is over."""
    instance.status = status
    thread = threading.Thread(target=_pass, args=(instance, status, work, then), daemon=True)
    thread.start()
    if _delay(instance, status) == 0 and work is None:
        thread.join()


def _pass(instance, status, work, then):
    ready_at = time.monotonic() + _delay(instance, status)
    final = "available"
    try:
        if work:
            work()
    except Exception as error:  # whatever it was, the instance has failed
        databases.note(f"{instance.db_instance_identifier} failed while {status}: {error}")
        final = "failed"
    time.sleep(max(0, ready_at - time.monotonic()))
    if instance.status != status:
        return
    if then:
        then()
    if instance.status == status:
        instance.status = final


@replaces(RDSBackend)
def reboot_db_instance(original, self, db_instance_identifier):
    """Rebooting takes a while, and applies what was waiting."""
    instance = original(self, db_instance_identifier)
    rds_rules.check_available(instance)
    _begin(instance, "rebooting", then=lambda: _restart(instance))
    return instance


def _restart(instance):
    """A server that starts reads its parameter group."""
    _apply_pending(instance)
    instance.reboot_pending = False


# --- modifying ------------------------------------------------------------------------


@replaces(RDSBackend)
def modify_db_instance(original, self, db_instance_identifier, request):
    """Park what waits for the maintenance window; apply the rest."""
    instance = self.describe_db_instances(db_instance_identifier)[0]
    _normalise_modification(self, instance, request)
    rds_rules.check_modify(self, instance, request)
    at_once = request.get("apply_immediately")
    parked = _take_parked(instance, request)
    password = request.get("master_user_password")
    groups = instance.db_parameter_groups()
    _set_log_exports(instance, request)
    original(self, instance.db_instance_identifier, request)
    rds_fields.keep(instance, request)
    if instance.db_parameter_groups() != groups:
        instance.reboot_pending = True
    if request.get("manage_master_user_password") or request.get("rotate_master_user_password"):
        password = instance._master_user_password
    _change_password(instance, password)
    instance.pending_modified_values = {**instance.pending_modified_values, **parked}
    if at_once:
        _begin(instance, "modifying", then=lambda: _apply_pending(instance))
    elif request.keys() - NOT_CHANGES:
        _begin(instance, "modifying")
    return instance


def _normalise_modification(backend, instance, request):
    asked = request.get("engine_version")
    if asked and rds_engines.major_of(instance.engine, instance.engine_version) == asked:
        request["engine_version"] = instance.engine_version
    elif asked:
        request["engine_version"] = rds_engines.concrete_version(instance.engine, asked)
    if request.get("db_port_number") is not None:
        request["port"] = request.pop("db_port_number")
    group = request.get("db_parameter_group_name")
    if group:
        group = request["db_parameter_group_name"] = group.lower()
        if instance.is_default_parameter_group(group):
            instance.db_parameter_groups()
        version = request.get("engine_version", instance.engine_version)
        rds_rules.check_parameter_group(backend, instance.engine, version, group)


def _take_parked(instance, request):
    """What differs from the instance and takes effect later."""
    parked = {}
    for name, shown in PARKED.items():
        value = request.pop(name, None)
        if value is not None and str(value) != str(getattr(instance, name)):
            parked[shown] = value
        elif value is not None:
            # Asking for what is takes back what was asked for before.
            instance.pending_modified_values.pop(shown, None)
    return parked


def _apply_pending(instance):
    pending, instance.pending_modified_values = instance.pending_modified_values, {}
    # The storage of what is in a cluster is the cluster's.
    limit = None if instance.db_cluster_identifier else instance._max_allocated_storage
    for name, shown in PARKED.items():
        if shown in pending:
            setattr(instance, name, pending[shown])
    if pending.keys() & RESTARTING:
        instance.reboot_pending = False
    if limit is not None:
        instance._max_allocated_storage = max(limit, instance.allocated_storage)
        rds_fields.settle_storage(instance)


def _set_log_exports(instance, request):
    asked = request.pop("cloudwatch_logs_export_configuration", None) or {}
    off = set(asked.get("DisableLogTypes") or [])
    on = [kind for kind in asked.get("EnableLogTypes") or []]
    kept = [kind for kind in instance.enabled_cloudwatch_logs_exports if kind not in off]
    instance.enabled_cloudwatch_logs_exports = list(dict.fromkeys([*kept, *on]))


def _change_password(instance, password):
    if not password:
        return
    instance._master_user_password = password
    if instance.database:
        instance.database.set_password(instance.master_username, password)


# --- deleting -------------------------------------------------------------------------


@replaces(RDSBackend)
def delete_db_instance(
    original,
    self,
    db_instance_identifier,
    final_db_snapshot_identifier=None,
    skip_final_snapshot=None,
    **options,
):
    """Keep the instance in `deleting` for a while, then let it go with its server."""
    if db_instance_identifier in self.databases:
        instance = self.databases[db_instance_identifier]
        rds_rules.check_delete(self, instance, final_db_snapshot_identifier, skip_final_snapshot)
    instance = original(
        self, db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot, **options
    )
    name = instance.db_instance_identifier
    if _delay(instance, "deleting") > 0:
        self.databases[name] = instance

    def gone():
        if self.databases.get(name) is instance:
            del self.databases[name]

    database = getattr(instance, "database", None)
    _begin(instance, "deleting", database.remove if database else None, then=gone)
    return instance


# --- reading --------------------------------------------------------------------------


def _endpoint(self):
    """Where the real server is; nothing as long as the instance is being created.

    The port that was asked for stays in DbInstancePort, so that a plan sees no difference.
    """
    if self.status in ("creating", "failed"):
        return None
    cluster = getattr(self, "cluster", None)
    database = getattr(self, "database", None) or getattr(cluster, "database", None)
    if database:
        return {"Address": "127.0.0.1", "Port": database.port, "HostedZoneId": "Z2R2ITUGPM61AM"}
    return {"Address": self.address, "Port": self.port}


def _default_family(self):
    family = rds_engines.family_of(self.engine, self.engine_version)
    return family, f"default.{family}"


def _parameter_group_statuses(self):
    status = "pending-reboot" if self.reboot_pending else "in-sync"
    return [
        {"DBParameterGroupName": group.name, "ParameterApplyStatus": status}
        for group in self.db_parameter_groups()
    ]


DBInstance.database = None
DBInstance.pending_modified_values = {}
DBInstance.reboot_pending = False
DBInstance.performance_insights_enabled = False
DBInstance.endpoint = property(_endpoint)
DBInstance.default_db_parameter_group_details = _default_family
DBInstance.db_parameter_group_status_list = property(_parameter_group_statuses)


@replaces(RDSResponse)
def describe_db_engine_versions(_original, self):
    """moto has no table of versions."""
    request = self.params
    versions = rds_engines.listed(
        request.get("Engine"),
        request.get("EngineVersion"),
        request.get("DBParameterGroupFamily"),
        request.get("DefaultOnly"),
    )
    shown, marker = page(versions, request.get("Marker"), request.get("MaxRecords"))
    return ActionResult({"DBEngineVersions": shown, "Marker": marker})


@replaces(RDSResponse)
def describe_db_snapshots(original, self):
    """moto gives all snapshots at once."""
    result = original(self)
    request = self.params
    snapshots, marker = page(
        result.result["DBSnapshots"], request.get("Marker"), request.get("MaxRecords")
    )
    return ActionResult({"DBSnapshots": snapshots, "Marker": marker})


# --- the managed password -------------------------------------------------------------


@replaces(MasterUserSecret)
def _generate_secret_string(_original, self):
    """moto's secrets all say the same; this one opens the database."""
    instance = self.resource
    instance._master_user_password = "".join(randomness.choice(PASSWORD_LETTERS) for _ in range(28))
    return _credentials(instance)


def _credentials(instance):
    return json.dumps(
        {"username": instance.master_username, "password": instance._master_user_password}
    )


@replaces(MasterUserSecret)
def rotate_secret(_original, self):
    """Write a new version, as RDS does without a Lambda function."""
    self._status = "rotating"
    self.secretsmanager.put_secret_value(
        self.secret.arn,
        secret_string=self._generate_secret_string(),
        secret_binary=None,
        client_request_token=None,
        version_stages=["AWSCURRENT"],
    )
