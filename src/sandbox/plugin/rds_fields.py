"""The fields of RDS instances: those that RDS fills in, and those that moto forgets."""

import secrets as randomness
import string

from moto.ec2.models import ec2_backends
from moto.rds.models import DBSubnetGroup

from . import rds_engines, rds_rules

# Requests name these fields otherwise than answers do.
RENAMED = {
    "enable_performance_insights": "performance_insights_enabled",
    "enable_customer_owned_ip": "customer_owned_ip_enabled",
}
# Fields that moto drops, though RDS gives them back.
FORGOTTEN = [
    "performance_insights_kms_key_id",
    "performance_insights_retention_period",
    "database_insights_mode",
    "network_type",
    "engine_lifecycle_support",
    "dedicated_log_volume",
    "backup_target",
    "promotion_tier",
    "processor_features",
    "timezone",
    "nchar_character_set_name",
    "custom_iam_instance_profile",
    "multi_tenant",
]


def fill_in(backend, request):
    """Complete a CreateDBInstance with what RDS chooses itself."""
    engine = request["engine"]
    version = rds_engines.concrete_version(engine, request.get("engine_version"))
    if version:
        request["engine_version"] = version
    if engine in rds_engines.LICENSES:
        request.setdefault("license_model", rds_engines.LICENSES[engine])
    group = request.get("db_parameter_group_name")
    if group:
        request["db_parameter_group_name"] = group.lower()
        # What is in a cluster has the cluster's version.
        if version:
            rds_rules.check_parameter_group(backend, engine, version, group.lower())
    # moto doesn't know the default option groups, which are always there.
    asked = request.get("option_group_name")
    if asked and asked == _default_option_group(engine, version):
        del request["option_group_name"]
    _fill_in_storage(request)
    request.setdefault("ca_certificate_identifier", "rds-ca-rsa2048-g1")
    request.setdefault("backup_target", "region")
    request.setdefault("network_type", "IPV4")
    request.setdefault("database_insights_mode", "standard")
    request.setdefault("engine_lifecycle_support", "open-source-rds-extended-support")
    request.setdefault("enable_performance_insights", False)
    request.setdefault("dedicated_log_volume", False)
    if request["enable_performance_insights"]:
        request.setdefault("performance_insights_retention_period", 7)
    if request.get("storage_encrypted"):
        request.setdefault("kms_key_id", _default_key(backend, "rds"))
    if not request.get("db_subnet_group_name"):
        request["db_subnet_group_name"] = _default_subnet_group(backend).name
    if request.get("publicly_accessible") is None:
        request["publicly_accessible"] = _is_public(backend, request["db_subnet_group_name"])


def _fill_in_storage(request):
    if request.get("db_cluster_identifier"):
        return
    request.setdefault("storage_type", "io1" if request.get("iops") else "gp3")
    # A small gp3 volume comes with this much and can have no other.
    if request["storage_type"] == "gp3" and request["engine"] in rds_engines.VERSIONS:
        request.setdefault("iops", 3000)
        request.setdefault("storage_throughput", 125)


def settle_storage(instance):
    """After a change of its type, storage has the speed that belongs to the type."""
    if instance.storage_type == "gp3" and not instance.iops:
        instance.iops, instance.storage_throughput = 3000, 125
    elif instance.storage_type in ("gp2", "standard"):
        instance.iops = instance.storage_throughput = None


def _default_option_group(engine, version):
    if not version:
        return None
    return f"default:{engine}-{rds_engines.major_of(engine, version).replace('.', '-')}"


def _default_key(backend, service):
    return f"arn:aws:kms:{backend.region_name}:{backend.account_id}:key/{_key_id(service)}"


def _key_id(service):
    digits = service.encode().hex().ljust(32, "0")[:32]
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


def _default_subnet_group(backend):
    """RDS makes a subnet group of the default VPC's subnets when none is named."""
    if "default" not in backend.subnet_groups:
        ec2 = ec2_backends[backend.account_id][backend.region_name]
        subnets = [
            subnet
            for zone in ec2.subnets.values()
            for subnet in zone.values()
            if subnet.vpc_id == ec2.default_vpc.id
        ]
        backend.subnet_groups["default"] = DBSubnetGroup(backend, "default", "default", subnets, [])
    return backend.subnet_groups["default"]


def _is_public(backend, subnet_group_name):
    group = backend.describe_db_subnet_groups(subnet_group_name)[0]
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    gateways = ec2.internet_gateways.values()
    return group.vpc_id == ec2.default_vpc.id or any(
        g.vpc and g.vpc.id == group.vpc_id for g in gateways
    )


def keep(instance, request):
    """Give an instance the requested fields that moto drops."""
    for name in FORGOTTEN:
        if request.get(name) is not None:
            setattr(instance, name, request[name])
    for asked, shown in RENAMED.items():
        if request.get(asked) is not None:
            setattr(instance, shown, request[asked])


def remember(instance, request):
    """Give a new instance the fields that moto drops, and those that RDS makes up."""
    keep(instance, request)
    in_cluster = request.get("db_cluster_identifier")
    if not request.get("option_group_name") and not in_cluster:
        version = instance.engine_version
        instance.option_group_name = _default_option_group(instance.engine, version)
    letters = string.ascii_uppercase + string.digits
    instance.dbi_resource_id = "db-" + "".join(randomness.choice(letters) for _ in range(26))
    if instance.monitoring_interval:
        instance.enhanced_monitoring_resource_arn = (
            f"arn:aws:logs:{instance.region}:{instance.account_id}:log-group:RDSOSMetrics:"
            f"log-stream:{instance.dbi_resource_id}"
        )
