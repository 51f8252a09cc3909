"""A cluster of EMR: its life by the clock, its machines and its steps."""

import datetime
import random
import string
import time

from moto.s3.models import s3_backends

from . import latency, settings

ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
MASTER, CORE, TASK = "MASTER", "CORE", "TASK"


def new_id(prefix):
    """An id as EMR makes them."""
    letters = random.choices(string.ascii_uppercase + string.digits, k=13)
    return f"{prefix}-{''.join(letters)}"


def moment(seconds):
    """A moment of our clock as the API writes it."""
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


class Machines:
    """An instance group, or an instance fleet."""

    def __init__(self, asked, role, fleet):
        self.id = new_id("if" if fleet else "ig")
        self.asked = asked
        self.role = role
        self.fleet = fleet
        self.moving_until = 0.0
        self.moving = "RESIZING"

    def change(self, changes, moving):
        """Takes a while."""
        self.asked.update(changes)
        self.moving = moving
        self.moving_until = time.time() + latency.seconds("emr_cluster", moving)

    def state(self, cluster):
        if cluster.state not in ("RUNNING", "WAITING"):
            return {"STARTING": "PROVISIONING"}.get(cluster.state, cluster.state)
        return self.moving if time.time() < self.moving_until else "RUNNING"

    def count(self):
        if self.fleet:
            return self.asked.get("TargetOnDemandCapacity", 0) + self.asked.get(
                "TargetSpotCapacity", 0
            )
        return self.asked["InstanceCount"]

    def describe(self, cluster):
        state = self.state(cluster)
        status = {"State": state, "StateChangeReason": {"Message": ""}, "Timeline": {}}
        asked = self.asked
        if self.fleet:
            return {
                "Id": self.id,
                "Name": asked.get("Name"),
                "Status": status,
                "InstanceFleetType": self.role,
                "TargetOnDemandCapacity": asked.get("TargetOnDemandCapacity", 0),
                "TargetSpotCapacity": asked.get("TargetSpotCapacity", 0),
                "ProvisionedOnDemandCapacity": asked.get("TargetOnDemandCapacity", 0),
                "ProvisionedSpotCapacity": asked.get("TargetSpotCapacity", 0),
                "InstanceTypeSpecifications": [
                    {
                        "InstanceType": one["InstanceType"],
                        "WeightedCapacity": one.get("WeightedCapacity", 1),
                        "BidPriceAsPercentageOfOnDemandPrice": one.get(
                            "BidPriceAsPercentageOfOnDemandPrice", 100.0
                        ),
                        "EbsBlockDevices": devices(one),
                    }
                    for one in asked.get("InstanceTypeConfigs", [])
                ],
                "LaunchSpecifications": asked.get("LaunchSpecifications"),
            }
        return {
            "Id": self.id,
            "Name": asked.get("Name"),
            "Market": asked.get("Market", "ON_DEMAND"),
            "InstanceGroupType": self.role,
            "BidPrice": asked.get("BidPrice"),
            "InstanceType": asked["InstanceType"],
            "RequestedInstanceCount": asked["InstanceCount"],
            "RunningInstanceCount": asked["InstanceCount"] if state == "RUNNING" else 0,
            "Status": status,
            "Configurations": asked.get("Configurations", []),
            "EbsBlockDevices": devices(asked),
            "ShrinkPolicy": {},
        }


def devices(asked):
    """Each disk of a machine; EMR gives one to machines that have none of their own."""
    configs = asked.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs")
    if configs is None:
        configs = [{"VolumeSpecification": {"VolumeType": "gp2", "SizeInGB": 32}}]
    found = []
    for config in configs:
        specification = dict(config["VolumeSpecification"])
        if specification["VolumeType"] == "gp3":
            specification = {"Iops": 3000, "Throughput": 125, **specification}
        for _ in range(config.get("VolumesPerInstance", 1)):
            device = f"/dev/sd{chr(ord('b') + len(found))}"
            found.append({"VolumeSpecification": specification, "Device": device})
    return found


class Step:
    """A step: it waits its turn, runs a while and ends."""

    def __init__(self, asked):
        self.id = new_id("s")
        self.asked = asked
        self.state = "PENDING"
        self.created = time.time()
        self.started = self.ended = None
        self.failure = None

    def end(self, state, failure=None):
        self.state, self.failure, self.ended = state, failure, time.time()

    def describe(self):
        jar = self.asked["HadoopJarStep"]
        status = {
            "State": self.state,
            "StateChangeReason": {},
            "Timeline": {
                "CreationDateTime": moment(self.created),
                "StartDateTime": moment(self.started),
                "EndDateTime": moment(self.ended),
            },
        }
        if self.failure:
            status["FailureDetails"] = self.failure
        return {
            "Id": self.id,
            "Name": self.asked["Name"],
            "ActionOnFailure": self.asked.get("ActionOnFailure", "TERMINATE_CLUSTER"),
            "Status": status,
            "Config": {
                "Jar": jar["Jar"],
                "MainClass": jar.get("MainClass"),
                "Args": jar.get("Args", []),
                "Properties": {one["Key"]: one["Value"] for one in jar.get("Properties", [])},
            },
        }


class Cluster:
    """What RunJobFlow was asked for, and what has become of it."""

    def __init__(self, backend, asked, network, trouble):
        self.id = new_id("j")
        self.backend = backend
        self.asked = asked
        self.network = network
        self.arn = (
            f"arn:aws:elasticmapreduce:{backend.region_name}:{backend.account_id}:cluster/{self.id}"
        )
        self.created = time.time()
        self.trouble = trouble
        self.state = "STARTING"
        self.reason = {}
        self.ending = None
        self.ended = None
        self.tags = {tag["Key"]: tag.get("Value", "") for tag in asked.get("Tags", [])}
        instances = asked["Instances"]
        self.keep_alive = instances.get("KeepJobFlowAliveWhenNoSteps", False)
        self.protected = instances.get("TerminationProtected")
        self.replaces_nodes = instances.get("UnhealthyNodeReplacement")
        self.visible = asked.get("VisibleToAllUsers", True)
        self.concurrency = asked.get("StepConcurrencyLevel", 1)
        self.scaling = asked.get("ManagedScalingPolicy")
        self.idle = asked.get("AutoTerminationPolicy")
        self.machines = [
            Machines(group, group["InstanceRole"], fleet=False)
            for group in instances.get("InstanceGroups", [])
        ] + [
            Machines(fleet, fleet["InstanceFleetType"], fleet=True)
            for fleet in instances.get("InstanceFleets", [])
        ]
        if self.protected is None:
            self.protected = any(m.role == MASTER and m.count() == 3 for m in self.machines)
        self.steps = [Step(step) for step in asked.get("Steps", [])]

    # --- the clock --------------------------------------------------------------------

    def advance(self):
        """Catch up with the clock."""
        # It passes through two states before it is ready.
        now, delay = time.time(), latency.seconds("emr_cluster", "CREATING") / 2
        if self.ending is not None:
            takes = latency.seconds("emr_cluster", "TERMINATING")
            if self.ended is None and now >= self.ending + takes:
                failed = self.reason.get("Code") not in ("USER_REQUEST", "ALL_STEPS_COMPLETED")
                self.state = "TERMINATED_WITH_ERRORS" if failed else "TERMINATED"
                self.ended = now
            return
        if self.state == "STARTING" and now >= self.created + delay:
            self.state = "BOOTSTRAPPING"
        if self.state == "BOOTSTRAPPING" and now >= self.created + 2 * delay:
            if self.trouble:
                self.terminate(*self.trouble)
                return
            self.state = "WAITING"
        if self.state in ("RUNNING", "WAITING"):
            self._run_steps(now, latency.seconds("emr_step", "CREATING"))

    def _run_steps(self, now, delay):
        for step in self.steps:
            if step.state == "RUNNING" and now >= step.started + delay:
                self._finish(step)
        if self.ending is not None:
            return
        running = sum(step.state == "RUNNING" for step in self.steps)
        for step in self.steps:
            if step.state == "PENDING" and running < self.concurrency:
                step.state, step.started = "RUNNING", now
                running += 1
        self.state = "RUNNING" if running else "WAITING"
        if not running and not self.keep_alive:
            self.terminate("ALL_STEPS_COMPLETED", "Steps completed")

    def _finish(self, step):
        failure = self._failure(step)
        if failure is None:
            step.end("COMPLETED")
            return
        logs = self.asked.get("LogUri")
        if logs:
            failure["LogFile"] = f"{logs.rstrip('/')}/{self.id}/steps/{step.id}/stderr.gz"
        step.end("FAILED", failure)
        action = step.asked.get("ActionOnFailure", "TERMINATE_CLUSTER")
        if action == "CANCEL_AND_WAIT":
            for other in self.steps:
                if other.state == "PENDING":
                    other.end("CANCELLED")
        elif action != "CONTINUE":
            self.terminate("STEP_FAILURE", "Shut down as step failed")

    def _failure(self, step):
        """A step fails when it runs `false`, or names a file in S3 that is not there."""
        jar = step.asked["HadoopJarStep"]
        args = jar.get("Args", [])
        if args[:1] == ["false"]:
            return {"Reason": "Unknown Error.", "Message": "command exited with code 1"}
        for uri in [jar["Jar"], *args]:
            if uri.startswith("s3://") and not exists(self.backend.account_id, uri):
                return {"Reason": "Unable to find the file.", "Message": f"{uri} does not exist"}
        return None

    def terminate(self, code, message):
        """Begin to end; whatever still runs is cancelled."""
        if self.ending is None:
            self.state, self.ending = "TERMINATING", time.time()
            self.reason = {"Code": code, "Message": message}
            for step in self.steps:
                if step.state in ("PENDING", "RUNNING"):
                    step.end("CANCELLED")

    # --- what is told -----------------------------------------------------------------

    def instances(self):
        """The machines; they go a while after the cluster."""
        gone = self.ended is not None and time.time() >= self.ended + settings.delay / 2
        state = "TERMINATED" if gone else "RUNNING"
        return [
            {"Id": f"ci-{m.id[3:]}{n:03}", "InstanceGroupId": m.id, "Status": {"State": state}}
            for m in self.machines
            for n in range(m.count())
        ]

    def uses_group(self, group_id):
        """Whether machines stand in that security group."""
        self.advance()
        machines = any(one["Status"]["State"] != "TERMINATED" for one in self.instances())
        return machines and group_id in self.network["groups"]

    def status(self):
        return {
            "State": self.state,
            "StateChangeReason": self.reason,
            "Timeline": {
                "CreationDateTime": moment(self.created),
                "EndDateTime": moment(self.ended),
            },
        }

    def summary(self):
        return {
            "Id": self.id,
            "Name": self.asked["Name"],
            "Status": self.status(),
            "NormalizedInstanceHours": 0,
            "ClusterArn": self.arn,
        }

    def describe(self):
        asked, instances = self.asked, self.asked["Instances"]
        fleets = "InstanceFleets" in instances
        logs = asked.get("LogUri")
        up = self.state in ("RUNNING", "WAITING")
        applications = asked.get("Applications") or [{"Name": "Hadoop"}]
        return {
            **self.summary(),
            "Ec2InstanceAttributes": {
                "Ec2KeyName": instances.get("Ec2KeyName"),
                "Ec2SubnetId": self.network["subnet"],
                "RequestedEc2SubnetIds": instances.get("Ec2SubnetIds", []),
                "IamInstanceProfile": asked["JobFlowRole"],
                "EmrManagedMasterSecurityGroup": self.network["master"],
                "EmrManagedSlaveSecurityGroup": self.network["slave"],
                "ServiceAccessSecurityGroup": instances.get("ServiceAccessSecurityGroup"),
                "AdditionalMasterSecurityGroups": instances.get(
                    "AdditionalMasterSecurityGroups", []
                ),
                "AdditionalSlaveSecurityGroups": instances.get("AdditionalSlaveSecurityGroups", []),
            },
            "InstanceCollectionType": "INSTANCE_FLEET" if fleets else "INSTANCE_GROUP",
            "LogUri": logs and logs.replace("s3://", "s3n://").rstrip("/") + "/",
            "LogEncryptionKmsKeyId": asked.get("LogEncryptionKmsKeyId"),
            "ReleaseLabel": asked["ReleaseLabel"],
            "AutoTerminate": not self.keep_alive,
            "TerminationProtected": self.protected,
            "UnhealthyNodeReplacement": self.replaces_nodes
            if self.replaces_nodes is not None
            else self.protected,
            "VisibleToAllUsers": self.visible,
            "Applications": [{"Name": one["Name"], "Version": "3.5.0"} for one in applications],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            "ServiceRole": asked["ServiceRole"],
            "MasterPublicDnsName": "ec2-203-0-113-10.compute-1.amazonaws.com" if up else None,
            "Configurations": asked.get("Configurations", []),
            "SecurityConfiguration": asked.get("SecurityConfiguration"),
            "AutoScalingRole": asked.get("AutoScalingRole"),
            "ScaleDownBehavior": asked.get("ScaleDownBehavior", "TERMINATE_AT_TASK_COMPLETION"),
            "CustomAmiId": asked.get("CustomAmiId"),
            "EbsRootVolumeSize": asked.get("EbsRootVolumeSize"),
            "EbsRootVolumeIops": asked.get("EbsRootVolumeIops"),
            "EbsRootVolumeThroughput": asked.get("EbsRootVolumeThroughput"),
            "StepConcurrencyLevel": self.concurrency,
            "OSReleaseLabel": asked.get("OSReleaseLabel", "2.0.20250929.0"),
        }


def exists(account_id, uri):
    """Whether there is such an object in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found = s3_backends[account_id]["aws"].buckets.get(bucket)
    return found is not None and key in found.keys
