"""Redshift clusters: their life, what Redshift refuses, and the servers behind them."""

import re
import uuid

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.redshift.exceptions import (
    ClusterAlreadyExistsFaultError,
    ClusterNotFoundError,
    ClusterParameterGroupNotFoundError,
    ClusterSnapshotAlreadyExistsError,
    ClusterSubnetGroupNotFoundError,
    InvalidParameterCombinationError,
    InvalidParameterValueError,
    RedshiftClientError,
)
from moto.redshift.models import Snapshot, TaggableResourceMixin
from moto.redshift.responses import RedshiftResponse

from . import databases
from .patching import page, replaces
from .warehouse import Warehouse, weakness

IDENTIFIER = re.compile(r"[a-z](-?[a-z0-9])*")
NODE_TYPES = {
    "dc2.large": 1,
    "dc2.8xlarge": 2,
    "ra3.large": 1,
    "ra3.xlplus": 1,
    "ra3.4xlarge": 2,
    "ra3.16xlarge": 2,
}
RESERVED_USERS = {"rdsdb", "public", "all", "user"}
# What ModifyCluster sets as it is said.
SIMPLE = [
    "AutomatedSnapshotRetentionPeriod",
    "ManualSnapshotRetentionPeriod",
    "PubliclyAccessible",
    "EnhancedVpcRouting",
    "AllowVersionUpgrade",
    "ClusterVersion",
]


class Cluster(TaggableResourceMixin, Warehouse):
    """A cluster as DescribeClusters shows it; the shown fields are in a dictionary."""

    kind = "redshift_cluster"
    resource_type = "cluster"

    def __init__(self, backend, request):
        TaggableResourceMixin.__init__(
            self, backend.account_id, backend.region_name, list(request.get("Tags") or [])
        )
        name = request["ClusterIdentifier"]
        database = request.get("DBName") or "dev"
        Warehouse.__init__(
            self, backend.account_id, backend.region_name, name, request["MasterUsername"], database
        )
        self.backend = backend
        self.namespace = str(uuid.uuid4())
        self.roles = list(request.get("IamRoles") or [])
        self.group = request["ClusterParameterGroupName"]
        self.reboot_pending = False
        self.pending = {}
        self.port = request.get("Port") or 5439
        self.shown = _fill_in(backend, request)
        # What moto's snapshots copy.
        self.cluster_identifier = name
        self.master_username, self.master_user_password = self.admin, ""
        self.availability_zone = self.shown["AvailabilityZone"]
        self.cluster_version, self.node_type = "1.0", self.shown["NodeType"]
        self.number_of_nodes, self.db_name = self.shown["NumberOfNodes"], database
        self.enhanced_vpc_routing = self.shown["EnhancedVpcRouting"]
        self.encrypted = self.shown["Encrypted"]

    @property
    def resource_id(self):
        """The last part of the ARN."""
        return self.name

    def describe(self):
        """What DescribeClusters tells."""
        apply = "pending-reboot" if self.reboot_pending else "in-sync"
        shown = {
            **self.shown,
            "ClusterIdentifier": self.name,
            "ClusterStatus": self.status,
            "ClusterAvailabilityStatus": _availability(self.status),
            "MasterUsername": self.admin,
            "DBName": self.database,
            "ClusterParameterGroups": [
                {"ParameterGroupName": self.group, "ParameterApplyStatus": apply}
            ],
            "IamRoles": [{"IamRoleArn": role, "ApplyStatus": "in-sync"} for role in self.roles],
            "PendingModifiedValues": self.pending,
            "Tags": self.tags,
            "ClusterNamespaceArn": self.namespace_arn,
            "MasterPasswordSecretArn": self.secret_arn,
        }
        if self.secret is None:
            shown.pop("MasterPasswordSecretKmsKeyId", None)
        # Where SQL goes is the Data API's business; nobody connects to this port.
        if self.status != "creating":
            address = f"{self.name}.c0ffee.{self.region}.redshift.amazonaws.com"
            shown["Endpoint"] = {"Address": address, "Port": self.port}
        return {key: value for key, value in shown.items() if value is not None}

    @property
    def namespace_arn(self):
        """The ARN of what is in the cluster."""
        return f"arn:aws:redshift:{self.region}:{self.account_id}:namespace:{self.namespace}"


def _availability(status):
    if status == "available":
        return "Available"
    return {"creating": "Unavailable", "rebooting": "Unavailable"}.get(status, "Modifying")


def _fill_in(backend, request):
    groups = request.get("VpcSecurityGroupIds") or _default_group(backend)
    subnet_group = request.get("ClusterSubnetGroupName") or "default"
    encrypted = request.get("Encrypted", True)
    track = request.get("MaintenanceTrackName") or "current"
    window = request.get("PreferredMaintenanceWindow") or "mon:03:00-mon:03:30"
    return {
        "NodeType": request["NodeType"],
        "NumberOfNodes": _number_of_nodes(request),
        "ClusterCreateTime": utcnow(),
        "VpcSecurityGroups": _memberships(groups),
        "ClusterSubnetGroupName": subnet_group.lower(),
        "VpcId": _vpc(backend, subnet_group),
        "AvailabilityZone": f"{backend.region_name}a",
        "PreferredMaintenanceWindow": window.lower(),
        "ClusterVersion": "1.0",
        "AllowVersionUpgrade": request.get("AllowVersionUpgrade", True),
        "PubliclyAccessible": request.get("PubliclyAccessible", False),
        "Encrypted": encrypted,
        "KmsKeyId": _key(backend, request.get("KmsKeyId")) if encrypted else None,
        "EnhancedVpcRouting": request.get("EnhancedVpcRouting", False),
        "AutomatedSnapshotRetentionPeriod": request.get("AutomatedSnapshotRetentionPeriod", 1),
        "ManualSnapshotRetentionPeriod": request.get("ManualSnapshotRetentionPeriod", -1),
        "MaintenanceTrackName": track,
        "DefaultIamRoleArn": request.get("DefaultIamRoleArn"),
        "MasterPasswordSecretKmsKeyId": _key(backend, request.get("MasterPasswordSecretKmsKeyId")),
    }


def _key(backend, asked):
    """The key as Redshift shows it: an ARN, of a key and never of an alias."""
    prefix = f"arn:aws:kms:{backend.region_name}:{backend.account_id}:"
    if asked and asked.startswith("arn:") and ":alias/" not in asked:
        return asked
    if asked and "alias/" not in asked:
        return f"{prefix}key/{asked}"
    alias = asked.rsplit(":", 1)[-1] if asked else "alias/aws/redshift"
    return f"{prefix}key/{uuid.uuid5(uuid.NAMESPACE_URL, alias)}"


def _memberships(groups):
    return [{"VpcSecurityGroupId": group, "Status": "active"} for group in groups]


def _ec2(backend):
    return ec2_backends[backend.account_id][backend.region_name]


def _default_group(backend):
    ec2 = _ec2(backend)
    vpc = ec2.get_default_vpc()
    groups = ec2.describe_security_groups(filters={"vpc-id": [vpc.id], "group-name": ["default"]})
    return [group.id for group in groups[:1]]


def _vpc(backend, subnet_group):
    group = backend.subnet_groups.get(subnet_group.lower())
    return group.vpc_id if group else _ec2(backend).get_default_vpc().id


def _number_of_nodes(request):
    kind = request.get("ClusterType") or "multi-node"
    number = request.get("NumberOfNodes")
    if kind == "single-node":
        return 1
    if not number or number < 2:
        raise InvalidParameterCombinationError(
            "Number of nodes for cluster type multi-node must be greater than or equal to 2"
        )
    return number


# --- refusing -------------------------------------------------------------------------


def _check_nodes(request):
    kind, number = request.get("NodeType"), _number_of_nodes(request)
    if kind not in NODE_TYPES:
        raise InvalidParameterValueError(f"Invalid node type: {kind}")
    if number < NODE_TYPES[kind]:
        raise InvalidParameterCombinationError(
            f"A {kind} cluster must have at least {NODE_TYPES[kind]} nodes."
        )


def _check_password(password):
    wrong = weakness(password)
    if wrong:
        raise InvalidParameterValueError(
            f"The parameter MasterUserPassword is not a valid password because it {wrong}."
        )


def _check_groups(backend, request):
    for group in request.get("VpcSecurityGroupIds") or []:
        if _ec2(backend).get_security_group_from_id(group) is None:
            raise InvalidParameterValueError(f"The security group '{group}' does not exist")
    name = request.get("ClusterParameterGroupName")
    if name is not None:
        request["ClusterParameterGroupName"] = name.lower()
        if name.lower() not in backend.parameter_groups:
            raise ClusterParameterGroupNotFoundError(name)
    name = request.get("ClusterSubnetGroupName")
    if name is not None and name.lower() not in backend.subnet_groups:
        raise ClusterSubnetGroupNotFoundError(name)


def _check_create(backend, request):
    name, user = request["ClusterIdentifier"], request["MasterUsername"]
    if not IDENTIFIER.fullmatch(name) or len(name) > 63:
        raise InvalidParameterValueError(
            "The parameter ClusterIdentifier is not a valid identifier. Identifiers must begin "
            "with a letter; must contain only lowercase ASCII letters, digits, and hyphens; and "
            "must not end with a hyphen or contain two consecutive hyphens."
        )
    if name in backend.clusters:
        raise ClusterAlreadyExistsFaultError()
    if not re.fullmatch(r"[a-z_][a-z0-9_+.@-]{0,127}", user) or user in RESERVED_USERS:
        raise InvalidParameterValueError(f"The parameter MasterUsername is not valid: {user}")
    _check_nodes(request)
    password = request.get("MasterUserPassword")
    if bool(password) == bool(request.get("ManageMasterPassword")):
        raise InvalidParameterCombinationError(
            "Specify either MasterUserPassword or ManageMasterPassword."
        )
    if password:
        _check_password(password)
    _check_groups(backend, request)
    default, roles = request.get("DefaultIamRoleArn"), request.get("IamRoles") or []
    if default and default not in roles:
        raise InvalidParameterCombinationError(
            "The default IAM role must be associated with the cluster."
        )


def cluster_of(backend, name):
    """The cluster of that name, or the error."""
    if name not in backend.clusters:
        raise ClusterNotFoundError(name)
    return backend.clusters[name]


def _available(self):
    cluster = cluster_of(self.redshift_backend, self.params["ClusterIdentifier"])
    if cluster.status != "available":
        raise RedshiftClientError(
            "InvalidClusterState",
            "There is an operation running on the Cluster. Please try to "
            f"{self._get_action()} at a later time.",
        )
    return cluster


# --- the operations -------------------------------------------------------------------


@replaces(RedshiftResponse)
def create_cluster(_original, self):
    """Refuse what Redshift refuses, fill in what it fills in, and start a server."""
    backend, request = self.redshift_backend, dict(self.params)
    request.setdefault("ClusterParameterGroupName", "default.redshift-1.0")
    _check_create(backend, request)
    try:
        cluster = Cluster(backend, request)
    except databases.ServerError as error:
        raise RedshiftClientError("InsufficientClusterCapacity", f"The sandbox: {error}") from None
    if request.get("ManageMasterPassword"):
        cluster.manage_password(cluster.shown["MasterPasswordSecretKmsKeyId"])
    else:
        cluster.set_password(request["MasterUserPassword"])
    backend.clusters[cluster.name] = cluster
    cluster.begin("creating", "available", work=cluster.start)
    return ActionResult({"Cluster": cluster.describe()})


@replaces(RedshiftResponse)
def describe_clusters(_original, self):
    """One cluster, or all of them, page by page."""
    backend, request = self.redshift_backend, self.params
    if request.get("ClusterIdentifier"):
        return ActionResult(
            {"Clusters": [cluster_of(backend, request["ClusterIdentifier"]).describe()]}
        )
    clusters = [cluster.describe() for cluster in list(backend.clusters.values())]
    shown, marker = page(clusters, request.get("Marker"), request.get("MaxRecords"))
    return ActionResult({"Clusters": shown, "Marker": marker})


@replaces(RedshiftResponse)
def modify_cluster(_original, self):
    """Change what is said, a little later."""
    cluster, request = _available(self), dict(self.params)
    _check_groups(self.redshift_backend, request)
    if "NodeType" in request or "NumberOfNodes" in request:
        return _resize(cluster, {"NodeType": cluster.shown["NodeType"], **request})
    if request.get("MaintenanceTrackName") == cluster.shown["MaintenanceTrackName"]:
        raise InvalidParameterValueError("The maintenance track is already on current.")
    _change_password(cluster, request)
    changes = {name: request[name] for name in SIMPLE if name in request}
    if "PreferredMaintenanceWindow" in request:
        changes["PreferredMaintenanceWindow"] = request["PreferredMaintenanceWindow"].lower()
    if "VpcSecurityGroupIds" in request:
        changes["VpcSecurityGroups"] = _memberships(request["VpcSecurityGroupIds"])
    if "Encrypted" in request:
        encrypted, key = request["Encrypted"], request.get("KmsKeyId")
        changes["Encrypted"] = encrypted
        changes["KmsKeyId"] = _key(self.redshift_backend, key) if encrypted else None
    if "MaintenanceTrackName" in request:
        cluster.pending = {"MaintenanceTrackName": request["MaintenanceTrackName"]}

    def apply():
        cluster.shown.update(changes)
        cluster.port = request.get("Port", cluster.port)
        group = request.get("ClusterParameterGroupName", cluster.group)
        if group != cluster.group:
            cluster.group, cluster.reboot_pending = group, True

    cluster.begin("modifying", "available", then=apply)
    return ActionResult({"Cluster": cluster.describe()})


def _change_password(cluster, request):
    key = request.get("MasterPasswordSecretKmsKeyId")
    if key:
        cluster.shown["MasterPasswordSecretKmsKeyId"] = _key(cluster.backend, key)
    if request.get("ManageMasterPassword"):
        shown = cluster.shown
        shown["MasterPasswordSecretKmsKeyId"] = _key(cluster.backend, key)
        cluster.manage_password(shown["MasterPasswordSecretKmsKeyId"])
        return
    password = request.get("MasterUserPassword")
    managed = cluster.secret is not None and request.get("ManageMasterPassword") is not False
    if password and managed:
        raise InvalidParameterCombinationError(
            "You can't specify MasterUserPassword while ManageMasterPassword is enabled."
        )
    if request.get("ManageMasterPassword") is False and not password:
        raise InvalidParameterCombinationError("MasterUserPassword is required.")
    if password:
        _check_password(password)
        cluster.forget_secret()
        cluster.set_password(password)


def _resize(cluster, request):
    _check_nodes(request)
    number = _number_of_nodes(request)
    before = cluster.shown["NumberOfNodes"]
    same = (request["NodeType"], number) == (cluster.shown["NodeType"], before)
    if same:
        raise RedshiftClientError(
            "UnsupportedOperation", "The cluster has this node type and number of nodes."
        )
    small = request["NodeType"].startswith("dc2") and 1 in (before, number)
    if small and not request.get("Classic"):
        raise RedshiftClientError(
            "UnsupportedOperation", "Elastic resize is not supported from or to a single node."
        )
    asked = {"NodeType": request["NodeType"], "NumberOfNodes": number}
    waiting, cluster.pending = cluster.pending, {**cluster.pending, **asked}

    def apply():
        cluster.pending = waiting
        cluster.shown.update(NodeType=request["NodeType"], NumberOfNodes=number)

    cluster.begin("resizing", "available", then=apply)
    return ActionResult({"Cluster": cluster.describe()})


@replaces(RedshiftResponse)
def resize_cluster(_original, self):
    """moto lacks it."""
    cluster = _available(self)
    return _resize(cluster, {"NodeType": cluster.shown["NodeType"], **self.params})


@replaces(RedshiftResponse)
def reboot_cluster(_original, self):
    """moto lacks it. A cluster that starts reads its parameter group."""
    cluster = _available(self)

    def apply():
        cluster.reboot_pending = False

    cluster.begin("rebooting", "available", then=apply)
    return ActionResult({"Cluster": cluster.describe()})


@replaces(RedshiftResponse)
def modify_cluster_iam_roles(_original, self):
    """moto lacks it."""
    cluster, request = _available(self), self.params
    gone = request.get("RemoveIamRoles") or []
    roles = [role for role in cluster.roles if role not in gone]
    roles += [role for role in request.get("AddIamRoles") or [] if role not in roles]
    default = request.get("DefaultIamRoleArn", cluster.shown["DefaultIamRoleArn"])
    if default and default not in roles:
        raise InvalidParameterCombinationError(
            "The default IAM role must be associated with the cluster."
        )

    def apply():
        cluster.roles, cluster.shown["DefaultIamRoleArn"] = roles, default

    cluster.begin("modifying", "available", then=apply)
    return ActionResult({"Cluster": cluster.describe()})


@replaces(RedshiftResponse)
def delete_cluster(_original, self):
    """Keep the cluster in `deleting` for a while, then let it go with its server."""
    backend, request = self.redshift_backend, self.params
    cluster = cluster_of(backend, request["ClusterIdentifier"])
    if cluster.status not in ("available", "paused", "hardware-failure"):
        raise RedshiftClientError(
            "InvalidClusterState",
            "There is an operation running on the Cluster. Please try to delete it at a later "
            "time.",
        )
    skip = request.get("SkipFinalClusterSnapshot", False)
    snapshot = request.get("FinalClusterSnapshotIdentifier")
    if bool(skip) == bool(snapshot):
        raise InvalidParameterCombinationError(
            "FinalClusterSnapshotIdentifier is required unless SkipFinalClusterSnapshot is "
            "specified."
        )
    if snapshot in backend.snapshots:
        raise ClusterSnapshotAlreadyExistsError(snapshot)
    if snapshot:
        backend.snapshots[snapshot] = Snapshot(
            cluster, snapshot, backend.account_id, backend.region_name, cluster.tags
        )

    def gone():
        if backend.clusters.get(cluster.name) is cluster:
            del backend.clusters[cluster.name]

    passing = "final-snapshot" if snapshot else "deleting"
    cluster.begin(passing, passing, work=cluster.remove, then=gone)
    return ActionResult({"Cluster": cluster.describe()})
