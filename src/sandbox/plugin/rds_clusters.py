"""RDS clusters: their life, their fields, and the servers behind their endpoints."""

import socket

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBSubnetGroupNotFoundError, RDSClientError
from moto.rds.models import DBCluster, RDSBackend
from moto.rds.responses import RDSResponse

from . import databases, rds, rds_fields, rds_rules, settings
from .patching import page, replaces
from .rds_rules import invalid_combination, invalid_value

# For every major version its last one.
VERSIONS = {
    "aurora-postgresql": {"13": "13.21", "14": "14.18", "15": "15.13", "16": "16.9", "17": "17.5"},
    "aurora-mysql": {"5.7": "5.7.mysql_aurora.2.12.5", "8.0": "8.0.mysql_aurora.3.10.0"},
}
DEFAULT_MAJOR = {"aurora-postgresql": "16", "aurora-mysql": "8.0"}
# The server that stands in for Aurora.
SERVERS = {"aurora-postgresql": "postgres", "aurora-mysql": "mysql"}
DEFAULTS = {
    "allocated_storage": 1,
    "storage_type": "aurora",
    "network_type": "IPV4",
    "preferred_backup_window": "03:10-03:40",
    "preferred_maintenance_window": "sat:05:20-sat:05:50",
}


def _version(engine, asked):
    majors = VERSIONS[engine]
    return majors.get(asked or DEFAULT_MAJOR[engine], asked)


def _major(engine, version):
    return next((major for major in VERSIONS[engine] if version.startswith(f"{major}.")), version)


def _family(engine, version):
    return f"{engine}{_major(engine, version)}"


def _check_parameter_group(backend, engine, version, name):
    if name.startswith("default."):
        return
    group = backend.db_cluster_parameter_groups.get(name)
    if group is None:
        raise RDSClientError(
            "DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}"
        )
    if group.family != _family(engine, version):
        raise invalid_combination(
            f"The parameter group {name} with DBParameterGroupFamily {group.family} can't be used "
            f"for this cluster. Please use one of {_family(engine, version)}"
        )


@replaces(RDSBackend)
def create_db_cluster(original, self, kwargs):
    """Refuse what RDS refuses, fill in what it fills in, and start a server."""
    engine = kwargs.get("engine")
    if engine not in VERSIONS:
        return original(self, kwargs)
    name = kwargs["db_cluster_identifier"] = kwargs["db_cluster_identifier"].lower()
    if name in self.clusters:
        raise RDSClientError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    _fill_in(self, kwargs)
    if not kwargs.get("manage_master_user_password"):
        rds_rules.check_password(SERVERS[engine], kwargs.get("master_user_password") or "")
    rds_rules.check_security_groups(self, kwargs.get("vpc_security_group_ids") or [])
    asked_port = kwargs.get("port")
    database = _database(engine, name, asked_port)
    try:
        cluster = original(self, kwargs)
    except BaseException:
        if database:
            database.remove()
        raise
    cluster.database = database
    cluster._enable_http_endpoint = bool(kwargs.get("enable_http_endpoint"))
    if not kwargs.get("storage_encrypted"):
        cluster.kms_key_id = None
    _begin(cluster, "creating", lambda: _start_server(cluster))
    return cluster


def _fill_in(backend, kwargs):
    engine = kwargs["engine"]
    version = kwargs["engine_version"] = _version(engine, kwargs.get("engine_version"))
    for field, value in DEFAULTS.items():
        if kwargs.get(field) is None:
            kwargs[field] = value
    group = (kwargs.get("db_cluster_parameter_group_name") or "").lower()
    kwargs["db_cluster_parameter_group_name"] = group or f"default.{_family(engine, version)}"
    _check_parameter_group(backend, engine, version, kwargs["db_cluster_parameter_group_name"])
    subnet_group = (kwargs.get("db_subnet_group_name") or "").lower()
    if not subnet_group:
        subnet_group = rds_fields._default_subnet_group(backend).name
    if subnet_group not in backend.subnet_groups:
        raise DBSubnetGroupNotFoundError(subnet_group)
    kwargs["db_subnet_group_name"] = subnet_group
    if kwargs.get("storage_encrypted") and not kwargs.get("kms_key_id"):
        kwargs["kms_key_id"] = rds_fields._default_key(backend, "rds")
    if not kwargs.get("master_username"):
        raise invalid_value("The parameter MasterUsername must be provided and must not be blank.")


def _database(engine, name, port):
    if not databases.has_server(SERVERS[engine]):
        return None
    try:
        database = databases.Database(SERVERS[engine], f"cluster-{name}")
    except databases.ServerError as error:
        reason = f"The sandbox has {error}"
        raise RDSClientError("InsufficientDBClusterCapacityFault", reason) from None
    if port and _is_free(port):
        database.port = port
    return database


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _start_server(cluster):
    if cluster.database:
        password = cluster._master_user_password
        cluster.database.start(cluster.master_username, password, cluster.database_name)
        cluster.port = cluster.database.port


def _begin(cluster, status, work=None, then=None):
    # What begins and passes is what instances do; they are known by another name there.
    rds._begin(cluster, status, work, then)


@replaces(RDSBackend)
def modify_db_cluster(original, self, kwargs):
    """Refuse what RDS refuses, and keep what moto forgets."""
    name = kwargs["db_cluster_identifier"] = kwargs["db_cluster_identifier"].lower()
    cluster = self.describe_db_clusters(name)[0]
    if cluster.engine not in VERSIONS:
        return original(self, kwargs)
    if cluster.status != "available":
        raise RDSClientError(
            "InvalidDBClusterStateFault",
            f"DB cluster {name} is not in the available state: {cluster.status}.",
        )
    _check_modification(self, cluster, kwargs)
    password = kwargs.pop("master_user_password", None)
    logs = kwargs.pop("cloudwatch_logs_export_configuration", None) or {}
    port = kwargs.pop("port", None)
    iam = kwargs.pop("enable_iam_database_authentication", None)
    original(self, kwargs)
    if iam is not None:
        cluster.iam_auth = iam
    off = set(logs.get("DisableLogTypes") or [])
    kept = [kind for kind in cluster.enabled_cloudwatch_logs_exports if kind not in off]
    on = logs.get("EnableLogTypes") or []
    cluster.enabled_cloudwatch_logs_exports = list(dict.fromkeys([*kept, *on]))
    if port and not cluster.database:
        cluster.port = port
    if kwargs.get("rotate_master_user_password") or cluster.manage_master_user_password:
        password = cluster._master_user_password
    if password:
        cluster._master_user_password = password
        if cluster.database:
            cluster.database.set_password(cluster.master_username, password)
    _begin(cluster, "modifying")
    return cluster


def _check_modification(backend, cluster, kwargs):
    rds_rules.check_security_groups(backend, kwargs.get("vpc_security_group_ids") or [])
    asked = kwargs.get("engine_version")
    if asked:
        engine = cluster.engine
        version = kwargs["engine_version"] = _version(engine, asked)
        is_major = _major(engine, version) != _major(engine, cluster.engine_version)
        if is_major and not kwargs.get("allow_major_version_upgrade"):
            raise invalid_combination(
                "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major "
                "version."
            )
        if not cluster.members:
            raise invalid_combination("Cannot modify engine version without a primary instance")
    group = kwargs.get("db_cluster_parameter_group_name")
    if group:
        group = kwargs["db_cluster_parameter_group_name"] = group.lower()
        version = kwargs.get("engine_version") or cluster.engine_version
        _check_parameter_group(backend, cluster.engine, version, group)
    password = kwargs.get("master_user_password")
    if password:
        rds_rules.check_password(SERVERS[cluster.engine], password)


@replaces(RDSResponse)
def describe_db_clusters(_original, self):
    """Page by page."""
    request = self.params
    name = request.get("DBClusterIdentifier")
    filters = {f["Name"]: f["Values"] for f in request.get("Filters", [])}
    clusters = self.backend.describe_db_clusters(
        db_cluster_identifier=name and name.lower(), filters=filters
    )
    shown, marker = page(clusters, request.get("Marker"), request.get("MaxRecords"))
    return ActionResult({"DBClusters": shown, "Marker": marker})


def _set_http_endpoint(response, on):
    name = response.params["ResourceArn"].split(":")[-1]
    cluster = response.backend.describe_db_clusters(name)[0]
    cluster._enable_http_endpoint = on
    return ActionResult({"ResourceArn": cluster.arn, "HttpEndpointEnabled": on})


@replaces(RDSResponse)
def enable_http_endpoint(_original, self):
    """moto lacks it."""
    return _set_http_endpoint(self, True)


@replaces(RDSResponse)
def disable_http_endpoint(_original, self):
    """moto lacks it."""
    return _set_http_endpoint(self, False)


@replaces(RDSResponse)
def delete_db_cluster(original, self):
    """A final snapshot is made, or said not to be wanted."""
    request = self.params
    skip, snapshot = request.get("SkipFinalSnapshot"), request.get("FinalDBSnapshotIdentifier")
    if bool(skip) == bool(snapshot):
        raise invalid_combination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    request["DBClusterIdentifier"] = request["DBClusterIdentifier"].lower()
    return original(self)


@replaces(RDSBackend)
def delete_db_cluster(  # noqa: F811
    original, self, cluster_identifier, snapshot_name=None
):
    """Keep the cluster in `deleting` for a while, then let it go with its server."""
    cluster = self.clusters.get(cluster_identifier)
    if cluster is not None and cluster.status == "deleting":
        raise RDSClientError(
            "InvalidDBClusterStateFault",
            f"DB cluster {cluster_identifier} is already being deleted.",
        )
    cluster = original(self, cluster_identifier, snapshot_name)
    if settings.delay > 0:
        self.clusters[cluster_identifier] = cluster

    def gone():
        if self.clusters.get(cluster_identifier) is cluster:
            del self.clusters[cluster_identifier]

    _begin(cluster, "deleting", cluster.database.remove if cluster.database else None, then=gone)
    return cluster


@replaces(DBCluster)
def save_automated_backup(original, self):
    """Of a new cluster: what an earlier one of that name left went with it."""
    snapshots = self.backend.cluster_snapshots
    for name in [n for n in snapshots if n.startswith(f"rds:{self.db_cluster_identifier}-")]:
        del snapshots[name]
    return original(self)


def _status(self):
    return self._status


def _set_status(self, value):
    self._status = value


def _endpoint(self):
    if self.database:
        return "127.0.0.1"
    name = f"{self.db_cluster_identifier}.cluster-{self.url_identifier}"
    return f"{name}.{self.region}.rds.amazonaws.com"


DBCluster.database = None
DBCluster.status = property(_status, _set_status)
DBCluster.endpoint = property(_endpoint)
DBCluster.db_instance_identifier = property(lambda self: self.db_cluster_identifier)
