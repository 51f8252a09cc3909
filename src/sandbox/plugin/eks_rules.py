"""What EKS refuses, and what it makes of what it is told."""

import json

VERSIONS = ["1.31", "1.32", "1.33", "1.34", "1.35", "1.36"]
DEFAULT_VERSION = "1.35"
# How many minor versions nodes may be behind their control plane.
SKEW = 3
ADDONS = {
    "vpc-cni": ["v1.19.0-eksbuild.1", "v1.20.4-eksbuild.2"],
    "coredns": ["v1.11.4-eksbuild.2", "v1.12.4-eksbuild.1"],
    "kube-proxy": ["v1.34.1-eksbuild.2", "v1.35.0-eksbuild.1"],
    "eks-pod-identity-agent": ["v1.3.8-eksbuild.2", "v1.3.9-eksbuild.1"],
    "aws-ebs-csi-driver": ["v1.50.1-eksbuild.1", "v1.51.0-eksbuild.1"],
}
NEED_NODES = {"coredns", "aws-ebs-csi-driver"}
MODES = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]
LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def _minor(version):
    return int(version.split(".")[1])


def release(version):
    """The release of the machines' image."""
    return f"{version}.0-20261015"


def check_version(refuse, version):
    """A version that EKS makes clusters of."""
    if version not in VERSIONS:
        refuse("InvalidParameterException", f"unsupported Kubernetes version {version}")


def check_upgrade(refuse, old, new, nodes):
    """One minor version up, and not too far from the nodes."""
    if old == new:
        refuse("InvalidParameterException", f"Cluster is already at version {old}")
    check_version(refuse, new)
    if _minor(new) != _minor(old) + 1:
        refuse(
            "InvalidParameterException",
            f"Unsupported Kubernetes minor version update from {old} to {new}",
        )
    if any(_minor(new) - _minor(node) > SKEW for node in nodes):
        refuse(
            "InvalidRequestException",
            f"Kubelet version of Fargate pods/managed nodegroups must be updated to match cluster "
            f"version {old} before updating cluster version; please recycle all offending pod "
            f"replicas",
        )


def check_node_version(refuse, version, cluster, old=None):
    """Never above the cluster, never down."""
    check_version(refuse, version)
    if _minor(version) > _minor(cluster):
        refuse(
            "InvalidParameterException",
            f"Requested Nodegroup Kubernetes version {version} is greater than the cluster's "
            f"version {cluster}",
        )
    if old and _minor(version) < _minor(old):
        message = f"Nodegroup Kubernetes version can't be downgraded from {old} to {version}"
        refuse("InvalidParameterException", message)


def check_sizes(refuse, sizes):
    """Fewest, most and now."""
    if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
        message = f"desired capacity {sizes['desiredSize']} isn't between minSize and maxSize"
        refuse("InvalidParameterException", message)


def check_role(refuse, iam_backends, account, arn, service):
    """A role that exists and that the service may assume."""
    role = _role(iam_backends, account, arn)
    if role is None or f"{service}.amazonaws.com" not in role.assume_role_policy_document:
        refuse(
            "InvalidParameterException",
            f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted "
            f"entity is not correct",
        )


def _role(iam_backends, account, arn):
    roles = iam_backends[account]["aws"].roles.values()
    return next((role for role in list(roles) if role.arn == arn), None)


def check_principal(refuse, iam_backends, account, arn):
    """A role or a user that exists."""
    users = [user.arn for user in list(iam_backends[account]["aws"].users.values())]
    if _role(iam_backends, account, arn) is None and arn not in users:
        message = "The specified principalArn is invalid: invalid principal"
        refuse("InvalidParameterException", message)


def check_subnets(refuse, ec2, ids, zones=2):
    """Subnets that exist, of one VPC, in several zones; returns the VPC."""
    found = {}
    for by_zone in list(ec2.subnets.values()):
        found.update(by_zone)
    for id_ in ids:
        if id_ not in found:
            refuse("InvalidParameterException", f"The subnet ID '{id_}' does not exist")
    chosen = [found[id_] for id_ in ids]
    if len({subnet.availability_zone for subnet in chosen}) < zones:
        message = "Subnets specified must be in at least two different AZs"
        refuse("InvalidParameterException", message)
    vpcs = {subnet.vpc_id for subnet in chosen}
    if len(vpcs) != 1:
        refuse("InvalidParameterException", "Subnets must be in the same VPC")
    return vpcs.pop()


def check_groups(refuse, ec2, vpc, ids):
    """Security groups of the VPC."""
    for id_ in ids:
        if id_ not in ec2.groups.get(vpc, {}):
            message = f"The security group '{id_}' does not exist in VPC {vpc}"
            refuse("InvalidParameterException", message)


def check_endpoints(refuse, network):
    """Somebody has to reach the cluster."""
    public = network.get("endpointPublicAccess", True)
    if not public and not network.get("endpointPrivateAccess", False):
        message = "Private and public endpoint access cannot be false"
        refuse("InvalidParameterException", message)
    if not public and network.get("publicAccessCidrs"):
        message = "Public access CIDRs are not allowed when public endpoint access is disabled"
        refuse("InvalidParameterException", message)


def merged_logging(old, new):
    """All types of log, on or off."""
    on = {
        kind
        for setup in (old or {}).get("clusterLogging", [])
        if setup["enabled"]
        for kind in setup["types"]
    }
    for setup in (new or {}).get("clusterLogging", []):
        if setup.get("enabled"):
            on |= set(setup["types"])
        else:
            on -= set(setup["types"])
    setups = [
        ([kind for kind in LOG_TYPES if (kind in on) == enabled], enabled)
        for enabled in (True, False)
    ]
    setups = [{"types": types, "enabled": enabled} for types, enabled in setups if types]
    return {"clusterLogging": setups}


def changed(refuse, fields, asked, ec2):
    """What an update of the configuration leaves behind; nothing new is refused."""
    new = {}
    if "logging" in asked:
        new["logging"] = merged_logging(fields["logging"], asked["logging"])
        if new["logging"] == fields["logging"]:
            message = "No changes needed for the logging config provided"
            refuse("InvalidParameterException", message)
    if "resourcesVpcConfig" in asked:
        new["resourcesVpcConfig"] = _network(refuse, fields, asked["resourcesVpcConfig"], ec2)
    if "accessConfig" in asked:
        old = fields["accessConfig"]["authenticationMode"]
        mode = asked["accessConfig"]["authenticationMode"]
        if MODES.index(mode) - MODES.index(old) not in (0, 1):
            message = f"Unsupported authentication mode update from {old} to {mode}"
            refuse("InvalidParameterException", message)
        new["accessConfig"] = {**fields["accessConfig"], "authenticationMode": mode}
    for key in ("upgradePolicy", "zonalShiftConfig", "deletionProtection"):
        if key in asked:
            new[key] = asked[key]
    if all(fields[key] == value for key, value in new.items()):
        message = "Cluster is already at the desired configuration"
        refuse("InvalidParameterException", message)
    return new


def _network(refuse, fields, asked, ec2):
    old = fields["resourcesVpcConfig"]
    if asked.get("subnetIds"):
        vpc = check_subnets(refuse, ec2, asked["subnetIds"])
        if vpc != old["vpcId"]:
            message = "Subnets must belong to the VPC of the cluster"
            refuse("InvalidParameterException", message)
    check_groups(refuse, ec2, old["vpcId"], asked.get("securityGroupIds") or [])
    asked_for = {key: value for key, value in asked.items() if value is not None and key != "vpcId"}
    new = {**old, **asked_for}
    check_endpoints(refuse, {**new, "publicAccessCidrs": asked.get("publicAccessCidrs")})
    return new


def addon_versions(refuse, name):
    """The versions there are of an add-on."""
    if name not in ADDONS:
        refuse("InvalidParameterException", f"Addon {name} specified is not supported")
    return ADDONS[name]


def check_addon(refuse, name, version, settings):
    """A version there is, and settings that can be read."""
    if version not in addon_versions(refuse, name):
        message = f"Addon version specified is not supported, addonVersion: {version}"
        refuse("InvalidParameterException", message)
    if settings:
        try:
            json.loads(settings)
        except ValueError:
            message = "ConfigurationValue provided in request is not supported"
            refuse("InvalidParameterException", message)
