"""EC2: security groups that are in use stay, rules come all or none."""

import ipaddress

from cryptography.exceptions import UnsupportedAlgorithm
from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    DependencyViolationError,
    EC2ClientError,
    InvalidSecurityGroupNotFoundError,
)
from moto.ec2.models import EC2Backend
from moto.ec2.models.key_pairs import KeyPairBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.security_groups import SecurityGroups
from moto.rds.models import rds_backends

from . import emr
from .patching import page, replaces


@replaces(EC2Backend)
def delete_security_group(original, self, name=None, group_id=None):
    """Refuse while the group is the default one, or anything refers to it."""
    group = self.get_security_group_by_name_or_id(group_id or name)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(group_id or name)
    if group.is_default:
        raise EC2ClientError(
            "CannotDelete",
            f'the specified group: "{group.id}" name: "default" cannot be deleted by a user',
        )
    if _is_in_use(self, group):
        raise DependencyViolationError(f"resource {group.id} has a dependent object")
    return original(self, group_id=group.id)


def _is_in_use(ec2, group):
    others = [g for groups in list(ec2.groups.values()) for g in list(groups.values())]
    referring = any(
        rule.source_group.get("GroupId") == group.id
        for other in others
        if other.id != group.id
        for rule in [*other.ingress_rules, *other.egress_rules]
        if rule.source_group
    )
    interfaces = any(
        group.id in [member.id for member in interface.group_set]
        for interface in list(ec2.enis.values())
    )
    instances = rds_backends[ec2.account_id][ec2.region_name].databases.values()
    databases = any(group.id in (i.vpc_security_group_ids or []) for i in list(instances))
    clusters = emr.uses_group(ec2.account_id, ec2.region_name, group.id)
    return referring or interfaces or databases or clusters


@replaces(SecurityGroupRule)
def __init__(original, self, *args, **kwargs):
    """Networks are kept without host bits, ICMPv6 by its name."""
    original(self, *args, **kwargs)
    if str(self.ip_protocol).lower() in ("58", "icmpv6"):
        self.ip_protocol = "icmpv6"
    for key in ("CidrIp", "CidrIpv6"):
        if self.ip_range and key in self.ip_range:
            network = str(ipaddress.ip_network(self.ip_range[key], strict=False))
            self.ip_range = {**self.ip_range, key: network}


def _authorize(self, rules_name, authorize):
    """Add all rules of a request or, if one is refused, none; and return all of them."""
    requested = list(self._process_rules_from_querystring())
    name = requested[0]["group_name_or_id"] if requested else None
    group = self.ec2_backend.get_security_group_by_name_or_id(name)
    before = list(getattr(group, rules_name)) if group else []
    added = []
    try:
        for rule in requested:
            added += authorize(**rule)[0]
    except BaseException:
        if group:
            setattr(group, rules_name, before)
        raise
    return ActionResult({"Return": True, "SecurityGroupRules": added})


@replaces(SecurityGroups)
def authorize_security_group_ingress(_original, self):
    """All or none."""
    return _authorize(self, "ingress_rules", self.ec2_backend.authorize_security_group_ingress)


@replaces(SecurityGroups)
def authorize_security_group_egress(_original, self):
    """All or none."""
    return _authorize(self, "egress_rules", self.ec2_backend.authorize_security_group_egress)


def _paged(self, result, key):
    token = self._get_param("NextToken")
    shown, token = page(result.result[key], token, self._get_param("MaxResults"), default=1000)
    return ActionResult({key: shown, "NextToken": token})


@replaces(SecurityGroups)
def describe_security_groups(original, self):
    """moto gives all of them at once."""
    return _paged(self, original(self), "SecurityGroups")


@replaces(SecurityGroups)
def describe_security_group_rules(original, self):
    """moto gives all of them at once."""
    return _paged(self, original(self), "SecurityGroupRules")


@replaces(KeyPairBackend)
def create_key_pair(original, self, name, key_type, tags):
    """A key is an RSA key unless asked otherwise."""
    return original(self, name, key_type or "rsa", tags)


@replaces(KeyPairBackend)
def import_key_pair(original, self, *args, **kwargs):
    """What is no key is refused, not a failure."""
    try:
        return original(self, *args, **kwargs)
    except (ValueError, UnsupportedAlgorithm):
        pass
    except EC2ClientError as error:
        if error.code != "InvalidKeyPair.Format":
            raise
    raise EC2ClientError("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
