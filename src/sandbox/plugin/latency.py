"""How long things take: a moment, or what they take on AWS, scaled by LAGOA_SANDBOX_LATENCY."""

from . import settings

# Seconds on AWS: to make, to change, to delete.
ON_AWS = {
    "dms_connection": (30, 30, 5),
    "dms_endpoint": (0, 0, 30),
    "dms_replication_instance": (480, 300, 270),
    "dms_replication_task": (60, 60, 120),
    "ec2_nat_gateway": (105, 0, 50),
    "ec2_vpc_endpoint": (120, 30, 120),
    "eks_addon": (60, 60, 30),
    "eks_cluster": (600, 300, 240),
    "eks_nodegroup": (150, 150, 240),
    "emr_cluster": (420, 60, 180),
    "emr_serverless_application": (10, 10, 10),
    "emr_step": (60, 0, 0),
    "rds_cluster": (120, 60, 120),
    "rds_instance": (360, 180, 264),
    "redshift_cluster": (300, 180, 180),
    "redshift_serverless_namespace": (30, 20, 30),
    "redshift_serverless_workgroup": (180, 120, 120),
}
CREATE, UPDATE, DELETE = range(3)
# What making one passes through, where that is more than its own creation: stages, each as long as
# the longest of what happens in it at once. A task is made while its connections are tested, and
# then it starts.
STAGES = {
    "dms_replication_task": [
        [("dms_replication_task", CREATE), ("dms_connection", CREATE)],
        [("dms_replication_task", UPDATE)],
    ],
}
# Seconds that things of a kind have really worked, the longest: that isn't scaled.
_worked = {}


def seconds(kind, status):
    """How long one thing of the kind is in a passing status."""
    if not settings.latency:
        return settings.delay
    status = status.lower()
    verb = UPDATE
    if status.startswith(("creat", "pending", "testing")):
        verb = CREATE
    elif status.startswith(("delet", "terminat", "final")):
        verb = DELETE
    return ON_AWS[kind][verb] * settings.latency


def worked(kind, seconds):
    """Remember how long the work itself took, such as the load of a task."""
    _worked[kind] = max(seconds, _worked.get(kind, 0))


def summary():
    """How long making one of each kind takes in all."""
    making = {}
    for kind in ON_AWS:
        stages = STAGES.get(kind, [[(kind, CREATE)]])
        scaled = sum(max(ON_AWS[one][verb] for one, verb in stage) for stage in stages)
        making[kind] = scaled * settings.latency + _worked.get(kind, 0)
    return {"create": making}
