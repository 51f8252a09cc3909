"""EKS: clusters and their versions. moto's own forgets most of them."""

import secrets as randomness
from functools import partial

from moto.core.responses import ActionResult, EmptyResult
from moto.eks.models import eks_backends
from moto.iam.models import iam_backends

from . import eks_rules as rules
from .eks_things import (
    Cluster,
    answer,
    arn_of,
    cluster_of,
    clusters_of,
    ec2_of,
    operation,
    owner,
    paged,
    present,
    refuse,
    start_update,
)


@operation
def create_cluster(self):
    """Refuse what EKS refuses, fill in what it fills in."""
    asked = self.params
    name = asked["name"]
    taken = clusters_of(self).get(name)
    if taken is not None:
        if asked.get("clientRequestToken") == taken.token:
            return answer("cluster", taken)
        refuse("ResourceInUseException", f"Cluster already exists with name: {name}")
    network = asked["resourcesVpcConfig"]
    version = asked.get("version") or rules.DEFAULT_VERSION
    rules.check_version(refuse, version)
    rules.check_role(refuse, iam_backends, self.current_account, asked["roleArn"], "eks")
    ec2 = ec2_of(self)
    vpc = rules.check_subnets(refuse, ec2, network.get("subnetIds") or [])
    rules.check_groups(refuse, ec2, vpc, network.get("securityGroupIds") or [])
    rules.check_endpoints(refuse, network)
    access = asked.get("accessConfig") or {}
    issuer = randomness.token_hex(16).upper()
    fields = {
        "name": name,
        "arn": arn_of(self, f"cluster/{name}"),
        "version": version,
        "roleArn": asked["roleArn"],
        "resourcesVpcConfig": {
            "subnetIds": network.get("subnetIds") or [],
            "securityGroupIds": network.get("securityGroupIds") or [],
            "vpcId": vpc,
            "endpointPublicAccess": network.get("endpointPublicAccess", True),
            "endpointPrivateAccess": network.get("endpointPrivateAccess", False),
            "publicAccessCidrs": network.get("publicAccessCidrs") or ["0.0.0.0/0"],
        },
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": "10.100.0.0/16",
            "ipFamily": "ipv4",
            **(asked.get("kubernetesNetworkConfig") or {}),
        },
        "logging": rules.merged_logging(None, asked.get("logging")),
        "platformVersion": "eks.7",
        "tags": asked.get("tags") or {},
        "encryptionConfig": asked.get("encryptionConfig") or [],
        "health": {"issues": []},
        "accessConfig": {
            "authenticationMode": access.get("authenticationMode", "CONFIG_MAP"),
            "bootstrapClusterCreatorAdminPermissions": access.get(
                "bootstrapClusterCreatorAdminPermissions", True
            ),
        },
        "upgradePolicy": asked.get("upgradePolicy") or {"supportType": "EXTENDED"},
        "zonalShiftConfig": asked.get("zonalShiftConfig") or {"enabled": False},
        "deletionProtection": asked.get("deletionProtection", False),
    }
    cluster = Cluster(fields, asked.get("clientRequestToken"))
    clusters_of(self)[name] = cluster

    def made():
        group = _own_group(ec2, name, vpc)
        fields["resourcesVpcConfig"]["clusterSecurityGroupId"] = group
        fields["endpoint"] = f"https://{issuer}.gr7.{self.region}.eks.amazonaws.com"
        fields["certificateAuthority"] = {"data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"}
        issuer_url = f"https://oidc.eks.{self.region}.amazonaws.com/id/{issuer}"
        fields["identity"] = {"oidc": {"issuer": issuer_url}}

    cluster.begin("CREATING", made)
    return answer("cluster", cluster)


def _own_group(ec2, name, vpc):
    group = ec2.create_security_group(
        f"eks-cluster-sg-{name}-{randomness.randbelow(10**9)}",
        "EKS created security group applied to ENI that is attached to EKS Control Plane",
        vpc_id=vpc,
        tags={f"kubernetes.io/cluster/{name}": "owned", "aws:eks:cluster-name": name},
    )
    return group.id


@operation
def describe_cluster(self):
    """The cluster as it is now."""
    return answer("cluster", cluster_of(self))


@operation
def list_clusters(self):
    """Names only."""
    return paged(self, "clusters", sorted(clusters_of(self)))


def _check_free(cluster, what="update"):
    if cluster.passing:
        name = cluster.fields["name"]
        refuse(
            "ResourceInUseException",
            f"Cannot {what} because cluster {name} currently has an update in progress",
        )


@operation
def update_cluster_config(self):
    """One kind of change for each call, one call at a time."""
    cluster, asked = cluster_of(self, active=True), self.params
    _check_free(cluster)
    kinds = [key for key in asked if key not in ("name", "clientRequestToken")]
    network = asked.get("resourcesVpcConfig") or {}
    kinds += ["subnets"] if network.keys() & {"subnetIds", "securityGroupIds"} else []
    kinds = [kind for kind in kinds if kind != "resourcesVpcConfig" or _endpoints(network)]
    if len(kinds) != 1:
        refuse("InvalidParameterException", "Only one type of update can be allowed.")
    changed = rules.changed(refuse, cluster.fields, asked, ec2_of(self))
    types = {"logging": "LoggingUpdate", "subnets": "VpcConfigUpdate"}
    types |= {"resourcesVpcConfig": "EndpointAccessUpdate", "accessConfig": "AccessConfigUpdate"}
    types |= {"upgradePolicy": "UpgradePolicyUpdate", "zonalShiftConfig": "ZonalShiftConfigUpdate"}
    then = partial(cluster.fields.update, changed)
    return start_update(cluster, types.get(kinds[0], "DeletionProtectionUpdate"), then=then)


def _endpoints(network):
    names = {"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"}
    return bool(network.keys() & names)


@operation
def update_cluster_version(self):
    """One minor version up."""
    cluster, asked = cluster_of(self, active=True), self.params
    _check_free(cluster)
    nodes = [group.fields["version"] for group in present(cluster.nodegroups).values()]
    rules.check_upgrade(refuse, cluster.fields["version"], asked["version"], nodes)
    then = partial(cluster.fields.update, version=asked["version"])
    return start_update(cluster, "VersionUpdate", then=then)


@operation
def associate_encryption_config(self):
    """Once, and for good."""
    cluster = cluster_of(self, active=True)
    _check_free(cluster)
    if cluster.fields["encryptionConfig"]:
        refuse("InvalidParameterException", "Encryption is already enabled on the cluster.")
    config = self.params["encryptionConfig"]
    then = partial(cluster.fields.update, encryptionConfig=config)
    return start_update(cluster, "AssociateEncryptionConfig", then=then)


@operation
def delete_cluster(self):
    """Refuse while it is protected, busy, or has nodes."""
    cluster = cluster_of(self)
    name = cluster.fields["name"]
    if cluster.fields["deletionProtection"]:
        refuse("InvalidRequestException", f"Cluster {name} has deletion protection enabled.")
    if present(cluster.nodegroups):
        refuse("ResourceInUseException", "Cluster has nodegroups attached")
    if cluster.fields["status"] == "UPDATING":
        _check_free(cluster, "delete")

    def gone():
        cluster.gone = True
        group = cluster.fields["resourcesVpcConfig"].get("clusterSecurityGroupId")
        if group:
            ec2_of(self).delete_security_group(group_id=group)

    cluster.begin("DELETING", gone)
    return answer("cluster", cluster)


@operation
def describe_update(self):
    """How an update goes."""
    cluster = cluster_of(self)
    for things in (cluster.nodegroups, cluster.addons):
        present(things)
    of, update = cluster.updates.get(self.params["updateId"], (None, None))
    if of != owner(self.params):
        refuse("ResourceNotFoundException", "No update found for ID: " + self.params["updateId"])
    return ActionResult({"update": dict(update)})


@operation
def list_updates(self):
    """Ids only; those of a node group or add-on are listed apart."""
    asked = owner(self.params)
    found = [id_ for id_, (of, _) in cluster_of(self).updates.items() if of == asked]
    return paged(self, "updateIds", found)


def things(account, region):
    """Every thing of EKS's that has tags, with its ARN and its type."""
    for cluster in list(eks_backends[account][region].clusters.values()):
        cluster.settle()
        if cluster.gone:
            continue
        yield cluster.fields["arn"], "eks:cluster", cluster.fields
        inside = (
            ("nodegroup", cluster.nodegroups, "nodegroupArn"),
            ("addon", cluster.addons, "addonArn"),
            ("access-entry", cluster.entries, "accessEntryArn"),
            ("podidentityassociation", cluster.associations, "associationArn"),
        )
        for kind, found, arn in inside:
            for thing in list(present(found).values()):
                yield thing.fields[arn], f"eks:{kind}", thing.fields


def _tags(response):
    wanted = response.params["resourceArn"]
    for arn, _, fields in things(response.current_account, response.region):
        if arn == wanted:
            return fields["tags"]
    return refuse("NotFoundException", f"Resource was not found: {wanted}")


@operation
def tag_resource(self):
    """At once, whatever the status."""
    _tags(self).update(self.params["tags"])
    return EmptyResult()


@operation
def untag_resource(self):
    """At once, whatever the status."""
    tags = _tags(self)
    for key in self.params["tagKeys"]:
        tags.pop(key, None)
    return EmptyResult()


@operation
def list_tags_for_resource(self):
    """The tags of one thing."""
    return ActionResult({"tags": dict(_tags(self))})
