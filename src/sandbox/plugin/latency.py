"""How long things take: a moment, or what they take on AWS, scaled by LAGOA_SANDBOX_LATENCY."""

from . import settings

# Seconds on AWS: to make, to change, to delete.
ON_AWS = {
    "dms_connection": (30, 30, 5),
    "dms_endpoint": (2, 2, 30),
    "dms_replication_instance": (480, 300, 270),
    "dms_replication_task": (180, 60, 180),
    "dms_subnet_group": (1, 1, 1),
    "ec2_nat_gateway": (105, 0, 50),
    "ec2_vpc_endpoint": (120, 30, 120),
    "eks_access_entry": (2, 2, 2),
    "eks_addon": (60, 60, 30),
    "eks_cluster": (600, 300, 240),
    "eks_nodegroup": (150, 150, 240),
    "eks_pod_identity": (2, 2, 2),
    "emr_cluster": (420, 60, 180),
    "emr_serverless_application": (10, 10, 10),
    "emr_step": (60, 0, 0),
    "rds_cluster": (120, 60, 120),
    "rds_instance": (360, 180, 264),
    "redshift_cluster": (300, 180, 180),
    "redshift_serverless_namespace": (30, 20, 30),
    "redshift_serverless_workgroup": (180, 120, 120),
}
VERBS = ("create", "update", "delete")


def seconds(kind, verb, quick):
    """How long one thing of the kind takes; `quick` unless AWS's own durations are asked for."""
    if not settings.latency:
        return quick
    return ON_AWS[kind][VERBS.index(verb)] * settings.latency


def summary():
    """For whoever wants to know what was waited for."""
    scaled = {
        kind: {verb: on_aws * settings.latency for verb, on_aws in zip(VERBS, times, strict=True)}
        for kind, times in ON_AWS.items()
    }
    return {"scale": settings.latency, "seconds": scaled}
