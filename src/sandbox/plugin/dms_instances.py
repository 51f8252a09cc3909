"""DMS's subnet groups, replication instances and certificates."""

import re
import time

from .dms_store import VPC_ROLE, Refused, Thing, filtered, invalid, missing, wrong_state

VPC_POLICY = "AmazonDMSVPCManagementRole"
NAME = re.compile(r"[a-z](-?[a-z0-9])*")
GROUP_NAME = re.compile(r"[a-z0-9._-]{1,255}")
CLASS = re.compile(r"dms\.(t2|t3|c4|c5|c6i|c7i|r4|r5|r6i|r7i)\.(micro|small|medium|\d*x?large)")
# Those that can be made today; the first is what DMS takes by itself.
VERSIONS = ["3.5.4", "3.6.1"]
INSTANCE = ("ReplicationInstanceArn", "ReplicationInstanceStatus")


def checked_name(name, what):
    name = (name or "").lower()
    if not NAME.fullmatch(name) or len(name) > 255:
        raise invalid(
            f"The parameter {what} must be provided and must not be blank, must begin with a "
            "letter, contain only ASCII letters, digits and hyphens, and not end with a hyphen or "
            "contain two consecutive hyphens."
        )
    return name


# --- subnet groups --------------------------------------------------------------------


def _subnets(store, ids):
    known = {s.id: s for zone in list(store.ec2.subnets.values()) for s in list(zone.values())}
    unknown = [one for one in ids if one not in known]
    if unknown:
        raise Refused("InvalidSubnet", f"The subnet {unknown[0]} is invalid.")
    subnets = [known[one] for one in dict.fromkeys(ids)]
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        raise Refused(
            "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
            "Replication Subnet Group should cover at least two Availability Zones.",
        )
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise Refused("InvalidSubnet", "The subnets are not all in the same VPC.")
    return {
        "VpcId": subnets[0].vpc_id,
        "Subnets": [
            {
                "SubnetIdentifier": subnet.id,
                "SubnetAvailabilityZone": {"Name": subnet.availability_zone},
                "SubnetStatus": "Active",
            }
            for subnet in subnets
        ],
    }


def _new_group(store, name, description, ids):
    shown = {
        "ReplicationSubnetGroupIdentifier": name,
        "ReplicationSubnetGroupDescription": description,
        "SubnetGroupStatus": "Complete",
        "SupportedNetworkTypes": ["IPV4"],
        **_subnets(store, ids),
    }
    group = Thing("", "SubnetGroupStatus", shown)
    group.arn = store.arn("subgrp", name)
    return group


def create_replication_subnet_group(store, request):
    store.require_role(VPC_ROLE, VPC_POLICY)
    name = request["ReplicationSubnetGroupIdentifier"].lower()
    if not GROUP_NAME.fullmatch(name) or name == "default":
        raise invalid(f"ReplicationSubnetGroupIdentifier {name} is not valid.")
    store.refuse_double(store.groups, name, "Replication subnet group")
    description = request["ReplicationSubnetGroupDescription"]
    group = _new_group(store, name, description, request["SubnetIds"])
    store.add(store.groups, name, group, request.get("Tags"))
    return {"ReplicationSubnetGroup": group}


def modify_replication_subnet_group(store, request):
    group = _group(store, request["ReplicationSubnetGroupIdentifier"])
    group.update(_subnets(store, request["SubnetIds"]))
    if request.get("ReplicationSubnetGroupDescription"):
        group["ReplicationSubnetGroupDescription"] = request["ReplicationSubnetGroupDescription"]
    return {"ReplicationSubnetGroup": group}


def describe_replication_subnet_groups(store, request):
    fields = {"replication-subnet-group-id": "ReplicationSubnetGroupIdentifier"}
    return {"ReplicationSubnetGroups": filtered(store.groups.values(), request, fields)}


def delete_replication_subnet_group(store, request):
    group = _group(store, request["ReplicationSubnetGroupIdentifier"])
    name = group["ReplicationSubnetGroupIdentifier"]
    if any(one.hidden["group"] is group for one in store.instances.values()):
        raise wrong_state(f"Replication subnet group {name} is in use.")
    store.drop(store.groups, name)
    return {}


def _group(store, name):
    group = store.groups.get(name.lower())
    if group is None:
        raise missing(f"Replication subnet group {name}")
    return group


def _default_group(store):
    subnets = [
        subnet
        for zone in store.ec2.subnets.values()
        for subnet in zone.values()
        if subnet.default_for_az in (True, "true")
    ]
    if not subnets:
        raise Refused("InvalidSubnet", "There is no default VPC.")
    name = f"default-{subnets[0].vpc_id}"
    if name not in store.groups:
        ids = [subnet.id for subnet in subnets]
        store.add(store.groups, name, _new_group(store, name, "default group", ids), [])
    return store.groups[name]


# --- instances ------------------------------------------------------------------------


def _groups_of(store, ids, vpc):
    known = store.ec2.groups.get(vpc, {})
    if not ids:
        return [one.id for one in known.values() if one.name == "default"]
    for one in ids:
        if one not in known:
            raise invalid(f"The security group {one} does not exist in {vpc}.")
    return ids


def _memberships(ids):
    return [{"VpcSecurityGroupId": one, "Status": "active"} for one in ids]


def _check_sizes(request):
    kind = request.get("ReplicationInstanceClass")
    if kind is not None and not CLASS.fullmatch(kind):
        raise invalid(f"Replication instance class {kind} is not valid.")
    version = request.get("EngineVersion")
    if version is not None and version not in VERSIONS:
        raise invalid(f"No replication engine found with version: {version}")
    storage = request.get("AllocatedStorage")
    if storage is not None and not 5 <= storage <= 6144:
        raise invalid(f"AllocatedStorage {storage} is not between 5 and 6144.")


def create_replication_instance(store, request):
    store.require_role(VPC_ROLE, VPC_POLICY)
    name = checked_name(request["ReplicationInstanceIdentifier"], "ReplicationInstanceIdentifier")
    if len(name) > 63:
        raise invalid("ReplicationInstanceIdentifier has more than 63 characters.")
    store.refuse_double(store.instances, name, "Replication instance")
    _check_sizes(request)
    asked = request.get("ReplicationSubnetGroupIdentifier")
    group = _group(store, asked) if asked else _default_group(store)
    ids = _groups_of(store, request.get("VpcSecurityGroupIds"), group["VpcId"])
    public = request.get("PubliclyAccessible", True)
    multi = request.get("MultiAZ", False)
    zones = [one["SubnetAvailabilityZone"]["Name"] for one in group["Subnets"]]
    if multi and request.get("AvailabilityZone"):
        raise Refused(
            "InvalidParameterCombinationException",
            "AvailabilityZone can't be set when MultiAZ is true.",
        )
    shown = {
        "ReplicationInstanceIdentifier": name,
        "ReplicationInstanceClass": request["ReplicationInstanceClass"],
        "AllocatedStorage": request.get("AllocatedStorage", 50),
        "InstanceCreateTime": time.time(),
        "VpcSecurityGroups": _memberships(ids),
        "AvailabilityZone": request.get("AvailabilityZone", zones[0]),
        "ReplicationSubnetGroup": group,
        "PreferredMaintenanceWindow": request.get(
            "PreferredMaintenanceWindow", "sat:05:20-sat:05:50"
        ).lower(),
        "PendingModifiedValues": {},
        "MultiAZ": multi,
        "EngineVersion": request.get("EngineVersion", VERSIONS[0]),
        "AutoMinorVersionUpgrade": request.get("AutoMinorVersionUpgrade", True),
        "KmsKeyId": request.get("KmsKeyId", _own_key(store)),
        "ReplicationInstanceArn": store.arn("rep", request.get("ResourceIdentifier")),
        "PubliclyAccessible": public,
        "DnsNameServers": request.get("DnsNameServers"),
        "NetworkType": request.get("NetworkType", "IPV4"),
        "ReplicationInstancePrivateIpAddresses": ["172.31.0.10"],
        "ReplicationInstancePublicIpAddresses": ["198.51.100.10"] if public else [],
    }
    instance = Thing(*INSTANCE, shown)
    instance.hidden = {"group": group, "groups": ids}
    instance.begin("creating", lambda: instance.become("available"))
    store.add(store.instances, name, instance, request.get("Tags"))
    return {"ReplicationInstance": instance}


def _own_key(store):
    return f"arn:{store.partition}:kms:{store.region}:{store.account}:key/{'0' * 8}-aws-dms"


def _free_instance(store, arn):
    instance = store.by_arn(store.instances, arn, "Replication instance")
    if instance.status != "available":
        raise wrong_state(f"Replication instance {arn} is {instance.status}.")
    return instance


def modify_replication_instance(store, request):
    instance = _free_instance(store, request["ReplicationInstanceArn"])
    _check_sizes(request)
    plain = {
        "ReplicationInstanceClass",
        "AllocatedStorage",
        "MultiAZ",
        "EngineVersion",
        "NetworkType",
        "PreferredMaintenanceWindow",
        "AutoMinorVersionUpgrade",
    }
    changes = {name: request[name] for name in plain if request.get(name) is not None}
    groups = request.get("VpcSecurityGroupIds")
    if not changes and groups is None:
        raise Refused("InvalidParameterCombinationException", "No modifications were requested")
    if changes.get("AllocatedStorage", instance["AllocatedStorage"]) < instance["AllocatedStorage"]:
        raise invalid("Storage can't be decreased.")
    if _number(changes.get("EngineVersion", "9.9.9")) < _number(instance["EngineVersion"]):
        raise invalid("The engine version can't be downgraded.")
    if groups is not None:
        vpc = instance.hidden["group"]["VpcId"]
        instance.hidden["groups"] = _groups_of(store, groups, vpc)
        instance["VpcSecurityGroups"] = _memberships(instance.hidden["groups"])

    def apply():
        instance.update(changes)
        instance["PendingModifiedValues"] = {}
        instance.become("available")

    shown = {"ReplicationInstanceClass", "AllocatedStorage", "MultiAZ", "EngineVersion"}
    pending = {name: value for name, value in changes.items() if name in shown}
    instance["PendingModifiedValues"] = pending
    instance.begin("modifying", apply)
    return {"ReplicationInstance": instance}


def _number(version):
    return [int(part) for part in version.split(".")]


def describe_replication_instances(store, request):
    fields = {
        "replication-instance-id": "ReplicationInstanceIdentifier",
        "replication-instance-arn": "ReplicationInstanceArn",
        "replication-instance-class": "ReplicationInstanceClass",
        "engine-version": "EngineVersion",
    }
    return {"ReplicationInstances": filtered(store.instances.values(), request, fields)}


def delete_replication_instance(store, request):
    arn = request["ReplicationInstanceArn"]
    instance = store.by_arn(store.instances, arn, "Replication instance")
    if instance.status in ("creating", "modifying", "deleting"):
        raise wrong_state(f"Replication instance {arn} is {instance.status}.")
    if any(task["ReplicationInstanceArn"] == arn for task in store.tasks.values()):
        raise wrong_state(f"Replication instance {arn} has tasks.")
    name = instance["ReplicationInstanceIdentifier"]
    for pair in [pair for pair in store.connections if pair[0] == arn]:
        del store.connections[pair]
    instance.begin("deleting", lambda: store.drop(store.instances, name))
    return {"ReplicationInstance": instance}


# --- certificates ---------------------------------------------------------------------


def import_certificate(store, request):
    name = checked_name(request["CertificateIdentifier"], "CertificateIdentifier")
    store.refuse_double(store.certificates, name, "Certificate")
    pem = request.get("CertificatePem", "")
    if "-----BEGIN CERTIFICATE-----" not in pem or "-----END CERTIFICATE-----" not in pem:
        raise Refused("InvalidCertificateFault", "The certificate was not valid.")
    shown = {
        "CertificateIdentifier": name,
        "CertificateArn": store.arn("cert"),
        "CertificatePem": pem,
        "CertificateOwner": store.account,
        "CertificateCreationDate": time.time(),
        "ValidToDate": time.time() + 10 * 365 * 86400,
        "KmsKeyId": request.get("KmsKeyId", _own_key(store)),
    }
    certificate = Thing("CertificateArn", "Status", shown)
    store.add(store.certificates, name, certificate, request.get("Tags"))
    return {"Certificate": certificate}


def describe_certificates(store, request):
    fields = {"certificate-id": "CertificateIdentifier", "certificate-arn": "CertificateArn"}
    return {"Certificates": filtered(store.certificates.values(), request, fields)}


def delete_certificate(store, request):
    arn = request["CertificateArn"]
    certificate = store.by_arn(store.certificates, arn, "Certificate")
    if any(one.get("CertificateArn") == arn for one in store.endpoints.values()):
        raise wrong_state(f"Certificate {arn} is in use.")
    store.drop(store.certificates, certificate["CertificateIdentifier"])
    return {"Certificate": certificate}
