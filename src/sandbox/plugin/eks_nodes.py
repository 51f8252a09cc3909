"""EKS: node groups and add-ons."""

import copy
import uuid
from functools import partial

from moto.iam.models import iam_backends

from . import eks_rules as rules
from .eks_access import add_entry
from .eks_things import (
    Thing,
    answer,
    arn_of,
    cluster_of,
    ec2_of,
    one_of,
    operation,
    paged,
    present,
    refuse,
    start_update,
)


@operation
def create_nodegroup(self):
    """Refuse what EKS refuses, fill in what it fills in."""
    cluster, asked = cluster_of(self, active=True), self.params
    name, inside = asked["nodegroupName"], cluster.fields["name"]
    taken = present(cluster.nodegroups).get(name)
    if taken is not None:
        if asked.get("clientRequestToken") == taken.token:
            return answer("nodegroup", taken)
        refuse(
            "ResourceInUseException",
            f"NodeGroup already exists with name {name} and cluster name {inside}",
        )
    version = asked.get("version") or cluster.fields["version"]
    rules.check_node_version(refuse, version, cluster.fields["version"])
    rules.check_role(refuse, iam_backends, self.current_account, asked["nodeRole"], "ec2")
    rules.check_subnets(refuse, ec2_of(self), asked["subnets"], zones=1)
    sizes = {"minSize": 1, "maxSize": 2, "desiredSize": 2, **(asked.get("scalingConfig") or {})}
    rules.check_sizes(refuse, sizes)
    marker = str(uuid.uuid4())
    fields = {
        "nodegroupName": name,
        "nodegroupArn": arn_of(self, f"nodegroup/{inside}/{name}/{marker}"),
        "clusterName": inside,
        "version": version,
        "releaseVersion": asked.get("releaseVersion") or rules.release(version),
        "capacityType": asked.get("capacityType", "ON_DEMAND"),
        "scalingConfig": sizes,
        "instanceTypes": asked.get("instanceTypes") or ["t3.medium"],
        "subnets": asked["subnets"],
        "amiType": asked.get("amiType", "AL2023_x86_64_STANDARD"),
        "nodeRole": asked["nodeRole"],
        "labels": asked.get("labels") or {},
        "taints": [_taint(taint) for taint in asked.get("taints") or []],
        "resources": {"autoScalingGroups": [{"name": f"eks-{name}-{marker}"}]},
        "diskSize": asked.get("diskSize", 20),
        "health": {"issues": []},
        "updateConfig": asked.get("updateConfig") or {"maxUnavailable": 1},
        "tags": asked.get("tags") or {},
    }
    if asked.get("remoteAccess"):
        fields["remoteAccess"] = asked["remoteAccess"]
    group = Thing(fields, asked.get("clientRequestToken"))
    cluster.nodegroups[name] = group
    group.begin("CREATING")
    if cluster.fields["accessConfig"]["authenticationMode"] != "CONFIG_MAP":
        add_entry(self, cluster, asked["nodeRole"], {"type": "EC2_LINUX"})
    return answer("nodegroup", group)


def _taint(taint):
    return {"value": "", **taint}


def _nodegroup(response, free=False):
    cluster = cluster_of(response)
    group = one_of(cluster.nodegroups, response.params["nodegroupName"], "node group")
    if free and group.passing:
        name = group.fields["nodegroupName"]
        message = f"Nodegroup {name} cannot be updated as it is currently not in Active State"
        refuse("ResourceInUseException", message)
    return cluster, group


@operation
def describe_nodegroup(self):
    """The node group as it is now."""
    return answer("nodegroup", _nodegroup(self)[1])


@operation
def list_nodegroups(self):
    """Names only."""
    return paged(self, "nodegroups", sorted(present(cluster_of(self).nodegroups)))


@operation
def update_nodegroup_config(self):
    """Everything but the machines themselves."""
    cluster, group = _nodegroup(self, free=True)
    asked = self.params
    fields = copy.deepcopy(group.fields)
    labels = asked.get("labels") or {}
    fields["labels"].update(labels.get("addOrUpdateLabels") or {})
    for key in labels.get("removeLabels") or []:
        fields["labels"].pop(key, None)
    taints = asked.get("taints") or {}
    known = {(taint["key"], taint["effect"]): taint for taint in fields["taints"]}
    for taint in taints.get("removeTaints") or []:
        known.pop((taint["key"], taint["effect"]), None)
    for taint in taints.get("addOrUpdateTaints") or []:
        known[taint["key"], taint["effect"]] = _taint(taint)
    fields["taints"] = list(known.values())
    fields["scalingConfig"].update(asked.get("scalingConfig") or {})
    rules.check_sizes(refuse, fields["scalingConfig"])
    if asked.get("updateConfig"):
        fields["updateConfig"] = asked["updateConfig"]
    changed = {key: fields[key] for key in ("labels", "taints", "scalingConfig", "updateConfig")}
    then = partial(group.fields.update, changed)
    return start_update(cluster, "ConfigUpdate", thing=group, then=then)


@operation
def update_nodegroup_version(self):
    """Other machines, of the cluster's version at most."""
    cluster, group = _nodegroup(self, free=True)
    asked = self.params
    version = asked.get("version") or group.fields["version"]
    rules.check_node_version(refuse, version, cluster.fields["version"], group.fields["version"])
    release = asked.get("releaseVersion") or rules.release(version)
    then = partial(group.fields.update, version=version, releaseVersion=release)
    return start_update(cluster, "VersionUpdate", thing=group, then=then)


@operation
def delete_nodegroup(self):
    """It takes a while."""
    _, group = _nodegroup(self)
    group.begin("DELETING", lambda: setattr(group, "gone", True))
    return answer("nodegroup", group)


@operation
def create_addon(self):
    """Known add-ons only, each once."""
    cluster, asked = cluster_of(self, active=True), self.params
    name, inside = asked["addonName"], cluster.fields["name"]
    taken = present(cluster.addons).get(name)
    if taken is not None:
        if asked.get("clientRequestToken") == taken.token:
            return answer("addon", taken)
        refuse("ResourceInUseException", "Addon already exists.")
    versions = rules.addon_versions(refuse, name)
    version = asked.get("addonVersion") or versions[-1]
    rules.check_addon(refuse, name, version, asked.get("configurationValues"))
    fields = {
        "addonName": name,
        "clusterName": inside,
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": arn_of(self, f"addon/{inside}/{name}/{uuid.uuid4()}"),
        "tags": asked.get("tags") or {},
        "publisher": "eks",
        "owner": "aws",
    }
    for key in ("serviceAccountRoleArn", "configurationValues"):
        if asked.get(key):
            fields[key] = asked[key]
    addon = Thing(fields, asked.get("clientRequestToken"))
    cluster.addons[name] = addon
    addon.begin("CREATING")
    return answer("addon", addon)


def _addon(response):
    cluster = cluster_of(response)
    addon = one_of(cluster.addons, response.params["addonName"], "addon")
    needs_nodes = addon.fields["addonName"] in rules.NEED_NODES
    if needs_nodes and not addon.passing:
        alone = not present(cluster.nodegroups)
        message = "The add-on is unhealthy because it doesn't have the desired number of replicas."
        issue = {"code": "InsufficientNumberOfReplicas", "message": message}
        addon.fields["status"] = "DEGRADED" if alone else "ACTIVE"
        addon.fields["health"] = {"issues": [issue] if alone else []}
    return cluster, addon


@operation
def describe_addon(self):
    """The add-on as it is now."""
    return answer("addon", _addon(self)[1])


@operation
def list_addons(self):
    """Names only."""
    return paged(self, "addons", sorted(present(cluster_of(self).addons)))


@operation
def update_addon(self):
    """What isn't said is put back."""
    cluster, addon = _addon(self)
    asked = self.params
    if addon.passing:
        refuse("ResourceInUseException", "Addon update is in progress")
    version = asked.get("addonVersion") or addon.fields["addonVersion"]
    rules.check_addon(refuse, asked["addonName"], version, asked.get("configurationValues"))

    def then():
        addon.fields["addonVersion"] = version
        for key in ("serviceAccountRoleArn", "configurationValues"):
            addon.fields.pop(key, None)
            if asked.get(key):
                addon.fields[key] = asked[key]

    return start_update(cluster, "AddonUpdate", thing=addon, then=then)


@operation
def delete_addon(self):
    """It takes a while."""
    _, addon = _addon(self)
    addon.begin("DELETING", lambda: setattr(addon, "gone", True))
    return answer("addon", addon)
