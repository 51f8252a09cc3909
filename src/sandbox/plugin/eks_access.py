"""EKS: who may enter a cluster, and what its pods may do."""

import re
import secrets as randomness
import uuid

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.iam.models import iam_backends

from . import eks_rules as rules
from .eks_things import (
    Thing,
    answer,
    arn_of,
    cluster_of,
    one_of,
    operation,
    paged,
    refuse,
)


# The groups that EKS puts machines into.
OF_MACHINES = {
    "EC2_LINUX": ["system:nodes"],
    "EC2_WINDOWS": ["eks:kube-proxy-windows", "system:nodes"],
}


def _entries(response):
    cluster = cluster_of(response)
    if cluster.fields["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        refuse(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] "
            "to perform this operation.",
        )
    return cluster


def add_entry(response, cluster, principal, asked):
    """The principal's entry, made unless it is there."""
    kind, role = principal.split(":")[-1].split("/")[0], principal.split("/")[-1]
    account = response.current_account
    session = f"arn:aws:sts::{account}:assumed-role/{role}/{{{{SessionName}}}}"
    inside = cluster.fields["name"]
    marker = uuid.uuid4()
    sort = asked.get("type") or "STANDARD"
    groups = asked.get("kubernetesGroups") or OF_MACHINES.get(sort, [])
    entry = Thing(
        {
            "clusterName": inside,
            "principalArn": principal,
            "kubernetesGroups": list(groups),
            "accessEntryArn": arn_of(
                response, f"access-entry/{inside}/{kind}/{account}/{role}/{marker}"
            ),
            "tags": asked.get("tags") or {},
            "username": asked.get("username") or (session if kind == "role" else principal),
            "type": sort,
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


@operation
def create_access_entry(self):
    """Each principal once."""
    cluster, asked = _entries(self), self.params
    principal = asked["principalArn"]
    rules.check_principal(refuse, iam_backends, self.current_account, principal)
    if asked.get("type", "STANDARD") != "STANDARD" and asked.get("kubernetesGroups"):
        message = "Kubernetes groups can't be given to this type of entry."
        refuse("InvalidParameterException", message)
    if any(group.startswith("system:") for group in asked.get("kubernetesGroups") or []):
        refuse("InvalidParameterException", "The kubernetes group name is invalid: system:")
    if principal in cluster.entries:
        refuse(
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
        )
    return answer("accessEntry", add_entry(self, cluster, principal, asked))


@operation
def describe_access_entry(self):
    """With its tags, without its policies."""
    return answer("accessEntry", _entry(self)[1])


@operation
def list_access_entries(self):
    """Principals only."""
    return paged(self, "accessEntries", sorted(_entries(self).entries))


@operation
def update_access_entry(self):
    """Groups, of people and programs only, and name."""
    _, entry = _entry(self)
    if entry.fields["type"] != "STANDARD" and "kubernetesGroups" in self.params:
        refuse("InvalidRequestException", "Groups of this type of entry can't be changed.")
    for key in ("kubernetesGroups", "username"):
        if key in self.params:
            entry.fields[key] = self.params[key]
    return answer("accessEntry", entry)


@operation
def delete_access_entry(self):
    """At once."""
    cluster, entry = _entry(self)
    del cluster.entries[entry.fields["principalArn"]]
    return EmptyResult()


@operation
def associate_access_policy(self):
    """EKS's own policies only, and only for people and programs."""
    _, entry = _entry(self)
    policy = self.params["policyArn"]
    if entry.fields["type"] not in ("STANDARD", "EC2"):
        refuse("InvalidRequestException", "Policies can't be associated to this type of entry.")
    if not re.fullmatch(r"arn:aws:eks::aws:cluster-access-policy/Amazon\w+Policy", policy):
        refuse(
            "InvalidParameterException", f"The policyArn parameter format is not valid: {policy}"
        )
    scope = {"namespaces": [], **self.params["accessScope"]}
    now = utcnow()
    associated = {"policyArn": policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now}
    entry.policies[policy] = associated
    answer = {"clusterName": entry.fields["clusterName"], "associatedAccessPolicy": associated}
    return ActionResult({**answer, "principalArn": entry.fields["principalArn"]})


@operation
def disassociate_access_policy(self):
    """At once."""
    _, entry = _entry(self)
    if entry.policies.pop(self.params["policyArn"], None) is None:
        refuse("ResourceNotFoundException", "The policy isn't associated with the access entry.")
    return EmptyResult()


@operation
def list_associated_access_policies(self):
    """The policies of one entry."""
    _, entry = _entry(self)
    return paged(self, "associatedAccessPolicies", list(entry.policies.values()))


@operation
def create_pod_identity_association(self):
    """Each service account once."""
    cluster, asked = cluster_of(self, active=True), self.params
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
        "associationArn": arn_of(self, f"podidentityassociation/{inside}/{id_}"),
        "associationId": id_,
        "tags": asked.get("tags") or {},
        "disableSessionTags": asked.get("disableSessionTags", False),
    }
    if asked.get("targetRoleArn"):
        fields["targetRoleArn"] = asked["targetRoleArn"]
        fields["externalId"] = f"{self.region}/{self.current_account}/{inside}/{'/'.join(place)}"
    cluster.associations[id_] = Thing(fields)
    return answer("association", cluster.associations[id_])


def _association(response):
    cluster = cluster_of(response)
    return cluster, one_of(cluster.associations, response.params["associationId"], "association")


@operation
def describe_pod_identity_association(self):
    """With its tags."""
    return answer("association", _association(self)[1])


@operation
def list_pod_identity_associations(self):
    """Without tags."""
    asked = self.params
    shown = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
    found = [
        {key: one.fields[key] for key in shown}
        for one in cluster_of(self).associations.values()
        if asked.get("namespace") in (None, one.fields["namespace"])
        and asked.get("serviceAccount") in (None, one.fields["serviceAccount"])
    ]
    return paged(self, "associations", found)


@operation
def update_pod_identity_association(self):
    """Another role."""
    _, association = _association(self)
    for key in ("roleArn", "targetRoleArn", "disableSessionTags"):
        if key in self.params:
            association.fields[key] = self.params[key]
    return answer("association", association)


@operation
def delete_pod_identity_association(self):
    """At once."""
    cluster, association = _association(self)
    del cluster.associations[association.fields["associationId"]]
    return answer("association", association)
