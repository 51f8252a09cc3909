"""EKS: clusters, their versions, and what lives in them. moto's own forgets most of it."""

import copy
import re
import secrets as randomness
import time
import uuid
from datetime import datetime, timezone

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.eks import urls
from moto.eks.models import eks_backends
from moto.eks.responses import EKSResponse
from moto.iam.models import iam_backends

from . import eks_rules as rules
from . import settings
from .patching import page, replaces

FREE = "/clusters/(?P<name>[^/]+)"
PATHS = [
    "/updates$",
    "/updates/(?P<updateId>[^/]+)$",
    "/encryption-config/associate$",
    "/node-groups/(?P<nodegroupName>[^/]+)/update-version$",
    "/addons$",
    "/addons/(?P<addonName>[^/]+)$",
    "/addons/(?P<addonName>[^/]+)/update$",
    "/access-entries$",
    "/access-entries/(?P<principalArn>.+)$",
    "/pod-identity-associations$",
    "/pod-identity-associations/(?P<associationId>[^/]+)$",
]
for path in PATHS:
    urls.url_paths["{0}" + FREE + path] = urls.response.dispatch


class Thing:
    """What has a status that passes by itself: a cluster, a node group, an add-on."""

    def __init__(self, fields, token=None):
        self.fields = fields
        self.token = token
        self.passing = None
        self.gone = False
        self.fields["createdAt"] = _now()

    def begin(self, status, then=None, final="ACTIVE"):
        """Enter a passing status, and leave it when the delay is over."""
        self.fields["status"] = status
        self.passing = (time.monotonic() + settings.eks_delay, then, final)
        self.settle()

    def settle(self):
        """Whoever looks finds what has become of it by now."""
        if self.passing and time.monotonic() >= self.passing[0]:
            _, then, final = self.passing
            self.passing = None
            self.fields["status"] = final
            if then:
                then()


class Cluster(Thing):
    """A cluster, and what is in it."""

    def __init__(self, fields, token):
        super().__init__(fields, token)
        self.nodegroups = {}
        self.addons = {}
        self.entries = {}
        self.associations = {}
        self.updates = {}


def _now():
    return datetime.now(timezone.utc)


class Refusal(ServiceException):
    """An error of EKS's."""

    # moto looks the error up in the model of the service whose module it is from.
    __module__ = "moto.eks.exceptions"


def refuse(code, message):
    """Answer with an error."""
    raise Refusal(code, message)


def _arn(response, resource):
    return f"arn:aws:eks:{response.region}:{response.current_account}:{resource}"


# --- finding --------------------------------------------------------------------------


def _clusters(response):
    clusters = eks_backends[response.current_account][response.region].clusters
    for name, cluster in list(clusters.items()):
        cluster.settle()
        if cluster.gone:
            del clusters[name]
    return clusters


def _cluster(response, active=False):
    asked = response.params
    name = asked.get("clusterName") or asked.get("name")
    cluster = _clusters(response).get(name)
    if cluster is None:
        refuse("ResourceNotFoundException", f"No cluster found for name: {name}.")
    if active and cluster.fields["status"] not in ("ACTIVE", "UPDATING"):
        refuse("InvalidRequestException", f"Cluster '{name}' is not in ACTIVE status")
    return cluster


def _one(things, name, what):
    found = _present(things).get(name)
    if found is None:
        refuse("ResourceNotFoundException", f"No {what} found for name: {name}.")
    return found


def _present(things):
    for name, thing in list(things.items()):
        thing.settle()
        if thing.gone:
            del things[name]
    return things


def _paged(response, key, items):
    asked = response.params
    shown, token = page(items, asked.get("nextToken"), asked.get("maxResults"))
    return ActionResult({key: shown, "nextToken": token})


def _answer(key, thing):
    return ActionResult({key: copy.deepcopy(thing.fields)})


def _update(cluster, kind, *, begin=True, thing=None, then=None):
    """Start an update of a cluster or of something in it."""
    thing = thing or cluster
    update = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [],
        "createdAt": _now(),
        "errors": [],
    }
    cluster.updates[update["id"]] = update

    def done():
        update["status"] = "Successful"
        if then:
            then()

    if begin:
        thing.begin("UPDATING", done)
    else:
        done()
    return ActionResult({"update": dict(update)})


# --- clusters -------------------------------------------------------------------------


def create_cluster(self):
    """Refuse what EKS refuses, fill in what it fills in."""
    asked = self.params
    name = asked["name"]
    taken = _clusters(self).get(name)
    if taken is not None:
        if asked.get("clientRequestToken") == taken.token:
            return _answer("cluster", taken)
        refuse("ResourceInUseException", f"Cluster already exists with name: {name}")
    network = asked["resourcesVpcConfig"]
    version = asked.get("version") or rules.DEFAULT_VERSION
    rules.check_version(refuse, version)
    rules.check_role(refuse, iam_backends, self.current_account, asked["roleArn"], "eks")
    ec2 = ec2_backends[self.current_account][self.region]
    vpc = rules.check_subnets(refuse, ec2, network.get("subnetIds") or [])
    rules.check_groups(refuse, ec2, vpc, network.get("securityGroupIds") or [])
    rules.check_endpoints(refuse, network)
    access = asked.get("accessConfig") or {}
    issuer = randomness.token_hex(16).upper()
    fields = {
        "name": name,
        "arn": _arn(self, f"cluster/{name}"),
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
    _clusters(self)[name] = cluster

    def made():
        group = _own_group(ec2, name, vpc)
        fields["resourcesVpcConfig"]["clusterSecurityGroupId"] = group
        fields["endpoint"] = f"https://{issuer}.gr7.{self.region}.eks.amazonaws.com"
        fields["certificateAuthority"] = {"data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"}
        issuer_url = f"https://oidc.eks.{self.region}.amazonaws.com/id/{issuer}"
        fields["identity"] = {"oidc": {"issuer": issuer_url}}

    cluster.begin("CREATING", made)
    return _answer("cluster", cluster)


def _own_group(ec2, name, vpc):
    group = ec2.create_security_group(
        f"eks-cluster-sg-{name}-{randomness.randbelow(10**9)}",
        "EKS created security group applied to ENI that is attached to EKS Control Plane",
        vpc_id=vpc,
        tags={f"kubernetes.io/cluster/{name}": "owned", "aws:eks:cluster-name": name},
    )
    return group.id


def describe_cluster(self):
    """The cluster as it is now."""
    return _answer("cluster", _cluster(self))


def list_clusters(self):
    """Names only."""
    return _paged(self, "clusters", sorted(_clusters(self)))


def _check_free(cluster, what="update"):
    if cluster.passing:
        name = cluster.fields["name"]
        refuse(
            "ResourceInUseException",
            f"Cannot {what} because cluster {name} currently has an update in progress",
        )


def update_cluster_config(self):
    """One kind of change for each call, one call at a time."""
    cluster, asked = _cluster(self, active=True), self.params
    _check_free(cluster)
    kinds = [key for key in asked if key not in ("name", "clientRequestToken")]
    network = asked.get("resourcesVpcConfig") or {}
    kinds += ["subnets"] if network.keys() & {"subnetIds", "securityGroupIds"} else []
    kinds = [kind for kind in kinds if kind != "resourcesVpcConfig" or _endpoints(network)]
    if len(kinds) != 1:
        refuse("InvalidParameterException", "Only one type of update can be allowed.")
    changed = rules.changed(refuse, cluster.fields, asked, self._ec2())
    types = {"logging": "LoggingUpdate", "subnets": "VpcConfigUpdate"}
    types |= {"resourcesVpcConfig": "EndpointAccessUpdate", "accessConfig": "AccessConfigUpdate"}
    types |= {"upgradePolicy": "UpgradePolicyUpdate", "zonalShiftConfig": "ZonalShiftConfigUpdate"}
    then = lambda: cluster.fields.update(changed)  # noqa: E731
    return _update(cluster, types.get(kinds[0], "DeletionProtectionUpdate"), then=then)


def _endpoints(network):
    names = {"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"}
    return bool(network.keys() & names)


def update_cluster_version(self):
    """One minor version up."""
    cluster, asked = _cluster(self, active=True), self.params
    _check_free(cluster)
    nodes = [group.fields["version"] for group in _present(cluster.nodegroups).values()]
    rules.check_upgrade(refuse, cluster.fields["version"], asked["version"], nodes)
    then = lambda: cluster.fields.update(version=asked["version"])  # noqa: E731
    return _update(cluster, "VersionUpdate", then=then)


def associate_encryption_config(self):
    """Once, and for good."""
    cluster = _cluster(self, active=True)
    _check_free(cluster)
    if cluster.fields["encryptionConfig"]:
        refuse("InvalidParameterException", "Encryption is already enabled on the cluster.")
    config = self.params["encryptionConfig"]
    then = lambda: cluster.fields.update(encryptionConfig=config)  # noqa: E731
    return _update(cluster, "AssociateEncryptionConfig", then=then)


def delete_cluster(self):
    """Refuse while it is protected, busy, or has nodes."""
    cluster = _cluster(self)
    name = cluster.fields["name"]
    if cluster.fields["deletionProtection"]:
        refuse("InvalidRequestException", f"Cluster {name} has deletion protection enabled.")
    if _present(cluster.nodegroups):
        refuse("ResourceInUseException", "Cluster has nodegroups attached")
    if cluster.fields["status"] == "UPDATING":
        _check_free(cluster, "delete")

    def gone():
        cluster.gone = True
        group = cluster.fields["resourcesVpcConfig"].get("clusterSecurityGroupId")
        if group:
            self._ec2().delete_security_group(group_id=group)

    cluster.begin("DELETING", gone)
    return _answer("cluster", cluster)


def describe_update(self):
    """How an update goes."""
    cluster = _cluster(self)
    for things in (cluster.nodegroups, cluster.addons):
        _present(things)
    update = cluster.updates.get(self.params["updateId"])
    if update is None:
        refuse("ResourceNotFoundException", "No update found for ID: " + self.params["updateId"])
    return ActionResult({"update": dict(update)})


def list_updates(self):
    """Ids only."""
    return _paged(self, "updateIds", list(_cluster(self).updates))


# --- node groups ----------------------------------------------------------------------


def create_nodegroup(self):
    """Refuse what EKS refuses, fill in what it fills in."""
    cluster, asked = _cluster(self, active=True), self.params
    name, inside = asked["nodegroupName"], cluster.fields["name"]
    taken = _present(cluster.nodegroups).get(name)
    if taken is not None:
        if asked.get("clientRequestToken") == taken.token:
            return _answer("nodegroup", taken)
        refuse(
            "ResourceInUseException",
            f"NodeGroup already exists with name {name} and cluster name {inside}",
        )
    version = asked.get("version") or cluster.fields["version"]
    rules.check_node_version(refuse, version, cluster.fields["version"])
    rules.check_role(refuse, iam_backends, self.current_account, asked["nodeRole"], "ec2")
    rules.check_subnets(refuse, self._ec2(), asked["subnets"], zones=1)
    sizes = {"minSize": 1, "maxSize": 2, "desiredSize": 2, **(asked.get("scalingConfig") or {})}
    rules.check_sizes(refuse, sizes)
    marker = str(uuid.uuid4())
    fields = {
        "nodegroupName": name,
        "nodegroupArn": _arn(self, f"nodegroup/{inside}/{name}/{marker}"),
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
        _add_entry(self, cluster, asked["nodeRole"], {"type": "EC2_LINUX"})
    return _answer("nodegroup", group)


def _taint(taint):
    return {"value": "", **taint}


def _nodegroup(response, free=False):
    cluster = _cluster(response)
    group = _one(cluster.nodegroups, response.params["nodegroupName"], "node group")
    if free and group.passing:
        name = group.fields["nodegroupName"]
        message = f"Nodegroup {name} cannot be updated as it is currently not in Active State"
        refuse("ResourceInUseException", message)
    return cluster, group


def describe_nodegroup(self):
    """The node group as it is now."""
    return _answer("nodegroup", _nodegroup(self)[1])


def list_nodegroups(self):
    """Names only."""
    return _paged(self, "nodegroups", sorted(_present(_cluster(self).nodegroups)))


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
    then = lambda: group.fields.update(changed)  # noqa: E731
    return _update(cluster, "ConfigUpdate", thing=group, then=then)


def update_nodegroup_version(self):
    """Other machines, of the cluster's version at most."""
    cluster, group = _nodegroup(self, free=True)
    asked = self.params
    version = asked.get("version") or group.fields["version"]
    rules.check_node_version(refuse, version, cluster.fields["version"], group.fields["version"])
    release = asked.get("releaseVersion") or rules.release(version)
    then = lambda: group.fields.update(version=version, releaseVersion=release)  # noqa: E731
    return _update(cluster, "VersionUpdate", thing=group, then=then)


def delete_nodegroup(self):
    """It takes a while."""
    _, group = _nodegroup(self)
    group.begin("DELETING", lambda: setattr(group, "gone", True))
    return _answer("nodegroup", group)


# --- add-ons --------------------------------------------------------------------------


def create_addon(self):
    """Known add-ons only, each once."""
    cluster, asked = _cluster(self, active=True), self.params
    name, inside = asked["addonName"], cluster.fields["name"]
    taken = _present(cluster.addons).get(name)
    if taken is not None:
        if asked.get("clientRequestToken") == taken.token:
            return _answer("addon", taken)
        refuse("ResourceInUseException", "Addon already exists.")
    versions = rules.addon_versions(refuse, name)
    version = asked.get("addonVersion") or versions[-1]
    rules.check_addon(refuse, name, version, asked.get("configurationValues"))
    fields = {
        "addonName": name,
        "clusterName": inside,
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": _arn(self, f"addon/{inside}/{name}/{uuid.uuid4()}"),
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
    return _answer("addon", addon)


def _addon(response):
    cluster = _cluster(response)
    addon = _one(cluster.addons, response.params["addonName"], "addon")
    needs_nodes = addon.fields["addonName"] in rules.NEED_NODES
    if needs_nodes and not addon.passing:
        alone = not _present(cluster.nodegroups)
        message = "The add-on is unhealthy because it doesn't have the desired number of replicas."
        issue = {"code": "InsufficientNumberOfReplicas", "message": message}
        addon.fields["status"] = "DEGRADED" if alone else "ACTIVE"
        addon.fields["health"] = {"issues": [issue] if alone else []}
    return cluster, addon


def describe_addon(self):
    """The add-on as it is now."""
    return _answer("addon", _addon(self)[1])


def list_addons(self):
    """Names only."""
    return _paged(self, "addons", sorted(_present(_cluster(self).addons)))


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

    return _update(cluster, "AddonUpdate", thing=addon, then=then)


def delete_addon(self):
    """It takes a while."""
    _, addon = _addon(self)
    addon.begin("DELETING", lambda: setattr(addon, "gone", True))
    return _answer("addon", addon)


# --- who may enter --------------------------------------------------------------------


def _entries(response):
    cluster = _cluster(response)
    if cluster.fields["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        refuse(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] "
            "to perform this operation.",
        )
    return cluster


def _add_entry(response, cluster, principal, asked):
    kind, role = principal.split(":")[-1].split("/")[0], principal.split("/")[-1]
    account = response.current_account
    session = f"arn:aws:sts::{account}:assumed-role/{role}/{{{{SessionName}}}}"
    inside = cluster.fields["name"]
    marker = uuid.uuid4()
    entry = Thing(
        {
            "clusterName": inside,
            "principalArn": principal,
            "kubernetesGroups": asked.get("kubernetesGroups") or [],
            "accessEntryArn": _arn(
                response, f"access-entry/{inside}/{kind}/{account}/{role}/{marker}"
            ),
            "tags": asked.get("tags") or {},
            "username": asked.get("username") or (session if kind == "role" else principal),
            "type": asked.get("type") or "STANDARD",
        }
    )
    entry.policies = {}
    return cluster.entries.setdefault(principal, entry)


def _entry(response):
    cluster = _entries(response)
    principal = response.params["principalArn"]
    entry = cluster.entries.get(principal)
    if entry is None:
        message = f"The specified principalArn could not be found: {principal}"
        refuse("ResourceNotFoundException", message)
    return cluster, entry


def create_access_entry(self):
    """Each principal once."""
    cluster, asked = _entries(self), self.params
    principal = asked["principalArn"]
    rules.check_principal(refuse, iam_backends, self.current_account, principal)
    if any(group.startswith("system:") for group in asked.get("kubernetesGroups") or []):
        refuse("InvalidParameterException", "The kubernetes group name is invalid: system:")
    if principal in cluster.entries:
        refuse(
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
        )
    return _answer("accessEntry", _add_entry(self, cluster, principal, asked))


def describe_access_entry(self):
    """With its tags, without its policies."""
    return _answer("accessEntry", _entry(self)[1])


def list_access_entries(self):
    """Principals only."""
    return _paged(self, "accessEntries", sorted(_entries(self).entries))


def update_access_entry(self):
    """Groups and name."""
    _, entry = _entry(self)
    for key in ("kubernetesGroups", "username"):
        if key in self.params:
            entry.fields[key] = self.params[key]
    return _answer("accessEntry", entry)


def delete_access_entry(self):
    """At once."""
    cluster, entry = _entry(self)
    del cluster.entries[entry.fields["principalArn"]]
    return EmptyResult()


def associate_access_policy(self):
    """EKS's own policies only, and only for people and programs."""
    _, entry = _entry(self)
    policy = self.params["policyArn"]
    if entry.fields["type"] != "STANDARD":
        refuse("InvalidRequestException", "Policies can't be associated to this type of entry.")
    if not re.fullmatch(r"arn:aws:eks::aws:cluster-access-policy/Amazon\w+Policy", policy):
        refuse(
            "InvalidParameterException", f"The policyArn parameter format is not valid: {policy}"
        )
    scope = {"namespaces": [], **self.params["accessScope"]}
    now = _now()
    associated = {"policyArn": policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now}
    entry.policies[policy] = associated
    answer = {"clusterName": entry.fields["clusterName"], "associatedAccessPolicy": associated}
    return ActionResult({**answer, "principalArn": entry.fields["principalArn"]})


def disassociate_access_policy(self):
    """At once."""
    _, entry = _entry(self)
    if entry.policies.pop(self.params["policyArn"], None) is None:
        refuse("ResourceNotFoundException", "The policy isn't associated with the access entry.")
    return EmptyResult()


def list_associated_access_policies(self):
    """The policies of one entry."""
    _, entry = _entry(self)
    return _paged(self, "associatedAccessPolicies", list(entry.policies.values()))


# --- the roles of pods ----------------------------------------------------------------


def create_pod_identity_association(self):
    """Each service account once."""
    cluster, asked = _cluster(self, active=True), self.params
    place = (asked["namespace"], asked["serviceAccount"])
    for id_, other in cluster.associations.items():
        if (other.fields["namespace"], other.fields["serviceAccount"]) == place:
            refuse("ResourceInUseException", f"Association already exists: {id_}")
    rules.check_role(refuse, iam_backends, self.current_account, asked["roleArn"], "pods.eks")
    inside, id_ = cluster.fields["name"], "a-" + randomness.token_hex(9)[:17]
    fields = {
        "clusterName": inside,
        "namespace": asked["namespace"],
        "serviceAccount": asked["serviceAccount"],
        "roleArn": asked["roleArn"],
        "associationArn": _arn(self, f"podidentityassociation/{inside}/{id_}"),
        "associationId": id_,
        "tags": asked.get("tags") or {},
        "disableSessionTags": asked.get("disableSessionTags", False),
    }
    if asked.get("targetRoleArn"):
        fields["targetRoleArn"] = asked["targetRoleArn"]
        fields["externalId"] = f"{self.region}/{self.current_account}/{inside}/{'/'.join(place)}"
    cluster.associations[id_] = Thing(fields)
    return _answer("association", cluster.associations[id_])


def _association(response):
    cluster = _cluster(response)
    return cluster, _one(cluster.associations, response.params["associationId"], "association")


def describe_pod_identity_association(self):
    """With its tags."""
    return _answer("association", _association(self)[1])


def list_pod_identity_associations(self):
    """Without tags."""
    asked = self.params
    shown = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
    found = [
        {key: one.fields[key] for key in shown}
        for one in _cluster(self).associations.values()
        if asked.get("namespace") in (None, one.fields["namespace"])
        and asked.get("serviceAccount") in (None, one.fields["serviceAccount"])
    ]
    return _paged(self, "associations", found)


def update_pod_identity_association(self):
    """Another role."""
    _, association = _association(self)
    for key in ("roleArn", "targetRoleArn", "disableSessionTags"):
        if key in self.params:
            association.fields[key] = self.params[key]
    return _answer("association", association)


def delete_pod_identity_association(self):
    """At once."""
    cluster, association = _association(self)
    del cluster.associations[association.fields["associationId"]]
    return _answer("association", association)


# --- tags -----------------------------------------------------------------------------


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
            for thing in list(_present(found).values()):
                yield thing.fields[arn], f"eks:{kind}", thing.fields


def _tags(response):
    wanted = response.params["resourceArn"]
    for arn, _, fields in things(response.current_account, response.region):
        if arn == wanted:
            return fields["tags"]
    return refuse("NotFoundException", f"Resource was not found: {wanted}")


def tag_resource(self):
    """At once, whatever the status."""
    _tags(self).update(self.params["tags"])
    return EmptyResult()


def untag_resource(self):
    """At once, whatever the status."""
    tags = _tags(self)
    for key in self.params["tagKeys"]:
        tags.pop(key, None)
    return EmptyResult()


def list_tags_for_resource(self):
    """The tags of one thing."""
    return ActionResult({"tags": dict(_tags(self))})


@replaces(EKSResponse)
def __init__(original, self):
    """Requests are read by AWS's own model of them."""
    original(self)
    self.automated_parameter_parsing = True


EKSResponse._ec2 = lambda self: ec2_backends[self.current_account][self.region]
for operation in (
    create_cluster,
    describe_cluster,
    list_clusters,
    update_cluster_config,
    update_cluster_version,
    associate_encryption_config,
    delete_cluster,
    describe_update,
    list_updates,
    create_nodegroup,
    describe_nodegroup,
    list_nodegroups,
    update_nodegroup_config,
    update_nodegroup_version,
    delete_nodegroup,
    create_addon,
    describe_addon,
    list_addons,
    update_addon,
    delete_addon,
    create_access_entry,
    describe_access_entry,
    list_access_entries,
    update_access_entry,
    delete_access_entry,
    associate_access_policy,
    disassociate_access_policy,
    list_associated_access_policies,
    create_pod_identity_association,
    describe_pod_identity_association,
    list_pod_identity_associations,
    update_pod_identity_association,
    delete_pod_identity_association,
    tag_resource,
    untag_resource,
    list_tags_for_resource,
):
    setattr(EKSResponse, operation.__name__, operation)
