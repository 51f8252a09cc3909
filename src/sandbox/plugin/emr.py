"""EMR: clusters that start, run steps and end, by AWS's rules; moto's are up at once for ever."""

import json
import re

from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.emr.exceptions import InvalidRequestException, ValidationException
from moto.emr.models import ElasticMapReduceBackend, emr_backends
from moto.emr.responses import ElasticMapReduceResponse
from moto.iam.models import iam_backends

from .emr_clusters import ALIVE, CORE, MASTER, TASK, Cluster, Machines, Step, exists
from .patching import page, replaces

# EMR's own pages of clusters and steps.
PAGE = 50
LARGEST_IDLE = 604800


def tagged_resources(account_id, region_name):
    """What the tagging API sees: clusters that have ended linger."""
    for cluster in list(emr_backends[account_id][region_name].clusters.values()):
        yield TaggedResource(cluster.arn, dict(cluster.tags), "elasticmapreduce:cluster")


def uses_group(account_id, region_name, group_id):
    """Whether a cluster's machines stand in that security group."""
    clusters = list(emr_backends[account_id][region_name].clusters.values())
    return any(cluster.uses_group(group_id) for cluster in clusters)


def _asked(self):
    return json.loads(self.body or "{}")


def _cluster(self, cluster_id):
    found = self.backend.clusters.get(cluster_id)
    if found is None:
        raise InvalidRequestException(f"Cluster id '{cluster_id}' is not valid.")
    found.advance()
    return found


def _alive(self, cluster_id):
    found = _cluster(self, cluster_id)
    if found.state not in ALIVE:
        raise ValidationException(
            "A job flow that is shutting down, terminated, or finished may not be modified."
        )
    return found


# --- starting and ending --------------------------------------------------------------


@replaces(ElasticMapReduceResponse)
def run_job_flow(_original, self):
    """Start another cluster, as often as it is asked."""
    asked = _asked(self)
    trouble = _check(self.backend, asked)
    cluster = Cluster(self.backend, asked, _network(self.backend, asked["Instances"]), trouble)
    self.backend.clusters[cluster.id] = cluster
    return ActionResult({"JobFlowId": cluster.id, "ClusterArn": cluster.arn})


def _check(backend, asked):
    """Refuse what EMR refuses at once; return what will end the cluster later."""
    iam = iam_backends[backend.account_id]["aws"]
    instances = asked["Instances"]
    if re.search(r"[<>$|`]", asked["Name"]):
        raise ValidationException("Invalid characters in the cluster name.")
    if not re.fullmatch(r"emr-[4-7]\.\d+\.\d+", asked.get("ReleaseLabel", "")):
        label = asked.get("ReleaseLabel")
        raise ValidationException(f"The supplied release label is invalid: {label}.")
    profile = asked.get("JobFlowRole", "").rsplit("/", 1)[-1]
    profiles = list(iam.instance_profiles.values())
    if profile not in [one.name for one in profiles]:
        raise ValidationException(f"Invalid InstanceProfile: {profile}.")
    configuration = asked.get("SecurityConfiguration")
    if configuration and configuration not in backend.security_configurations:
        raise InvalidRequestException(
            f"Security configuration with name '{configuration}' does not exist."
        )
    _check_machines(instances)
    idle = asked.get("AutoTerminationPolicy", {}).get("IdleTimeout")
    _check_idle(idle)
    _check_scaling(asked.get("ManagedScalingPolicy"))
    return _trouble(backend, asked, iam)


def _check_machines(instances):
    groups, fleets = instances.get("InstanceGroups", []), instances.get("InstanceFleets", [])
    if bool(groups) == bool(fleets):
        raise ValidationException("Instance groups or instance fleets must be specified, not both.")
    roles = [one.get("InstanceRole", one.get("InstanceFleetType")) for one in groups + fleets]
    if roles.count(MASTER) != 1:
        raise ValidationException("A master instance group must be specified.")
    if TASK in roles and CORE not in roles:
        raise ValidationException("Task instance groups need a core instance group.")
    if fleets and "Ec2SubnetId" in instances:
        raise ValidationException("Instance fleets take Ec2SubnetIds.")


def _check_idle(idle):
    if idle is not None and not 60 <= idle <= LARGEST_IDLE:
        raise ValidationException("IdleTimeout must be between 60 and 604800 seconds.")


def _check_scaling(policy):
    limits = (policy or {}).get("ComputeLimits")
    if limits and not 0 < limits["MinimumCapacityUnits"] <= limits["MaximumCapacityUnits"]:
        raise ValidationException(
            "MinimumCapacityUnits must be positive and at most MaximumCapacityUnits."
        )


def _trouble(backend, asked, iam):
    role = asked["ServiceRole"].rsplit("/", 1)[-1]
    if role not in [one.name for one in list(iam.roles.values())]:
        return "VALIDATION_ERROR", f"Service role {role} has insufficient EC2 permissions"
    key = asked["Instances"].get("Ec2KeyName")
    pairs = ec2_backends[backend.account_id][backend.region_name].key_pairs
    if key and key not in pairs:
        return "VALIDATION_ERROR", f"The given SSH key name {key} was invalid"
    for number, action in enumerate(asked.get("BootstrapActions", []), start=1):
        path = action["ScriptBootstrapAction"]["Path"]
        if path.startswith("s3://") and not exists(backend.account_id, path):
            message = (
                f"On the master instance (i-0123456789abcdef0), bootstrap action {number} "
                "returned a non-zero return code"
            )
            return "BOOTSTRAP_FAILURE", message
    return None


def _network(backend, instances):
    """The subnet, and the groups that EMR makes there and never deletes."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    wanted = instances.get("Ec2SubnetIds") or [instances.get("Ec2SubnetId")]
    if wanted[0] is None:
        wanted = [subnet.id for subnet in ec2.get_default_subnets().values()]
    subnets = {subnet.id: subnet for zone in ec2.subnets.values() for subnet in zone.values()}
    if wanted[0] not in subnets:
        raise ValidationException(f"The subnet {wanted[0]} does not exist.")
    vpc = subnets[wanted[0]].vpc_id
    groups = {}
    for role, kind in (("master", "Master"), ("slave", "Slave")):
        own = instances.get(f"EmrManaged{kind}SecurityGroup")
        groups[role] = own or _managed_group(ec2, f"ElasticMapReduce-{role}", vpc, kind)
    more = [
        *instances.get("AdditionalMasterSecurityGroups", []),
        *instances.get("AdditionalSlaveSecurityGroups", []),
    ]
    return {"subnet": wanted[0], **groups, "groups": [*groups.values(), *more]}


def _managed_group(ec2, name, vpc, kind):
    group = ec2.get_security_group_by_name_or_id(name, vpc)
    if group is None:
        description = f"{kind} group for Elastic MapReduce created on 2026-01-01"
        group = ec2.create_security_group(name, description, vpc)
    return group.id


@replaces(ElasticMapReduceResponse)
def terminate_job_flows(_original, self):
    """Ending takes a while; protected clusters stay, the others of the request go."""
    clusters = [_cluster(self, one) for one in _asked(self)["JobFlowIds"]]
    for cluster in clusters:
        if not cluster.protected:
            cluster.terminate("USER_REQUEST", "Terminated by user request")
    if any(cluster.protected and cluster.state in ALIVE for cluster in clusters):
        raise ValidationException(
            "Could not shut down one or more job flows since they are termination protected."
        )
    return EmptyResult()


# --- reading --------------------------------------------------------------------------


@replaces(ElasticMapReduceResponse)
def list_clusters(_original, self):
    """The newest first, those that have ended too; without tags."""
    asked = _asked(self)
    clusters = list(self.backend.clusters.values())
    for cluster in clusters:
        cluster.advance()
    states = asked.get("ClusterStates")
    after = asked.get("CreatedAfter", 0)
    found = [c for c in clusters if (not states or c.state in states) and c.created >= after]
    found.sort(key=lambda cluster: -cluster.created)
    shown, marker = page(found, asked.get("Marker"), PAGE)
    return ActionResult({"Clusters": [c.summary() for c in shown], "Marker": marker})


@replaces(ElasticMapReduceResponse)
def describe_cluster(_original, self):
    """Everything but machines, policies and steps."""
    return ActionResult({"Cluster": _cluster(self, _asked(self)["ClusterId"]).describe()})


def _machines(self, fleet):
    cluster = _cluster(self, _asked(self)["ClusterId"])
    return [one.describe(cluster) for one in cluster.machines if one.fleet == fleet]


@replaces(ElasticMapReduceResponse)
def list_instance_groups(_original, self):
    """The groups."""
    return ActionResult({"InstanceGroups": _machines(self, fleet=False)})


@replaces(ElasticMapReduceResponse)
def list_instance_fleets(_original, self):
    """The fleets."""
    return ActionResult({"InstanceFleets": _machines(self, fleet=True)})


@replaces(ElasticMapReduceResponse)
def list_instances(_original, self):
    """The machines, those that have gone too."""
    asked = _asked(self)
    found = _cluster(self, asked["ClusterId"]).instances()
    states = asked.get("InstanceStates")
    shown = [one for one in found if not states or one["Status"]["State"] in states]
    return ActionResult({"Instances": shown})


@replaces(ElasticMapReduceResponse)
def list_bootstrap_actions(_original, self):
    """The scripts."""
    actions = _cluster(self, _asked(self)["ClusterId"]).asked.get("BootstrapActions", [])
    shown = [
        {
            "Name": one["Name"],
            "ScriptPath": one["ScriptBootstrapAction"]["Path"],
            "Args": one["ScriptBootstrapAction"].get("Args", []),
        }
        for one in actions
    ]
    return ActionResult({"BootstrapActions": shown})


# --- changing -------------------------------------------------------------------------


def _switch(name, parameter):
    def action(_original, self):
        asked = _asked(self)
        for cluster_id in asked["JobFlowIds"]:
            setattr(_alive(self, cluster_id), name, asked[parameter])
        return EmptyResult()

    return action


for operation, field, parameter_name in (
    ("set_termination_protection", "protected", "TerminationProtected"),
    ("set_visible_to_all_users", "visible", "VisibleToAllUsers"),
    ("set_unhealthy_node_replacement", "replaces_nodes", "UnhealthyNodeReplacement"),
    ("set_keep_job_flow_alive_when_no_steps", "keep_alive", "KeepJobFlowAliveWhenNoSteps"),
):
    changed = _switch(field, parameter_name)
    changed.__name__ = operation
    replaces(ElasticMapReduceResponse)(changed)


@replaces(ElasticMapReduceResponse)
def modify_cluster(_original, self):
    """How many steps run at once."""
    asked = _asked(self)
    level = asked["StepConcurrencyLevel"]
    if not 1 <= level <= 256:
        raise ValidationException("StepConcurrencyLevel must be between 1 and 256.")
    _alive(self, asked["ClusterId"]).concurrency = level
    return ActionResult({"StepConcurrencyLevel": level})


@replaces(ElasticMapReduceResponse)
def modify_instance_groups(_original, self):
    """Resize groups, or reconfigure them; not both at once, and not while they still change."""
    asked = _asked(self)
    cluster = _alive(self, asked["ClusterId"])
    groups = {one.id: one for one in cluster.machines}
    for change in asked["InstanceGroups"]:
        group = groups.get(change["InstanceGroupId"])
        if group is None:
            raise ValidationException("The instance group does not exist.")
        if "InstanceCount" in change and "Configurations" in change:
            raise ValidationException("An instance group is resized or reconfigured, not both.")
        if group.role == MASTER and "InstanceCount" in change:
            raise ValidationException("The master instance group can't be resized.")
        if group.role == CORE and change.get("InstanceCount") == 0:
            raise ValidationException("The core instance group needs an instance.")
        state = group.state(cluster)
        if state != "RUNNING":
            raise ValidationException(f"The instance group {group.id} is {state}.")
        if "InstanceCount" in change:
            group.change({"InstanceCount": change["InstanceCount"]}, "RESIZING")
        else:
            group.change({"Configurations": change["Configurations"]}, "RECONFIGURING")
    return EmptyResult()


@replaces(ElasticMapReduceResponse)
def add_instance_groups(_original, self):
    """Task groups, as many as 48."""
    asked = _asked(self)
    cluster = _alive(self, asked["JobFlowId"])
    added = [Machines(one, one["InstanceRole"], fleet=False) for one in asked["InstanceGroups"]]
    if any(one.role == MASTER for one in added):
        raise ValidationException("A cluster has one master instance group.")
    for one in added:
        one.change({}, "PROVISIONING")
    cluster.machines += added
    return ActionResult({"JobFlowId": cluster.id, "InstanceGroupIds": [one.id for one in added]})


@replaces(ElasticMapReduceResponse)
def modify_instance_fleet(_original, self):
    """Resize a fleet."""
    asked = _asked(self)
    cluster = _alive(self, asked["ClusterId"])
    change = asked["InstanceFleet"]
    for fleet in cluster.machines:
        if fleet.id == change["InstanceFleetId"]:
            capacities = ("TargetOnDemandCapacity", "TargetSpotCapacity")
            fleet.change({name: change[name] for name in capacities if name in change}, "RESIZING")
            return EmptyResult()
    raise InvalidRequestException("The instance fleet does not exist.")


@replaces(ElasticMapReduceResponse)
def add_instance_fleet(_original, self):
    """A task fleet, once."""
    asked = _asked(self)
    cluster = _alive(self, asked["ClusterId"])
    fleet = Machines(asked["InstanceFleet"], asked["InstanceFleet"]["InstanceFleetType"], True)
    if any(one.role == fleet.role for one in cluster.machines):
        raise InvalidRequestException(f"The cluster has a {fleet.role} instance fleet already.")
    fleet.change({}, "PROVISIONING")
    cluster.machines.append(fleet)
    return ActionResult({"ClusterId": cluster.id, "InstanceFleetId": fleet.id})


@replaces(ElasticMapReduceResponse)
def put_managed_scaling_policy(_original, self):
    """The limits of managed scaling."""
    asked = _asked(self)
    _check_scaling(asked["ManagedScalingPolicy"])
    _alive(self, asked["ClusterId"]).scaling = asked["ManagedScalingPolicy"]
    return EmptyResult()


@replaces(ElasticMapReduceResponse)
def get_managed_scaling_policy(_original, self):
    """Nothing when there is none."""
    policy = _cluster(self, _asked(self)["ClusterId"]).scaling
    return ActionResult({"ManagedScalingPolicy": policy} if policy else {})


@replaces(ElasticMapReduceResponse)
def remove_managed_scaling_policy(_original, self):
    """Fine when there is none."""
    _alive(self, _asked(self)["ClusterId"]).scaling = None
    return EmptyResult()


@replaces(ElasticMapReduceResponse)
def put_auto_termination_policy(_original, self):
    """After how many seconds without work the cluster ends."""
    asked = _asked(self)
    _check_idle(asked["AutoTerminationPolicy"]["IdleTimeout"])
    _alive(self, asked["ClusterId"]).idle = asked["AutoTerminationPolicy"]
    return EmptyResult()


@replaces(ElasticMapReduceResponse)
def get_auto_termination_policy(_original, self):
    """Nothing when there is none."""
    policy = _cluster(self, _asked(self)["ClusterId"]).idle
    return ActionResult({"AutoTerminationPolicy": policy} if policy else {})


@replaces(ElasticMapReduceResponse)
def remove_auto_termination_policy(_original, self):
    """Fine when there is none."""
    _alive(self, _asked(self)["ClusterId"]).idle = None
    return EmptyResult()


@replaces(ElasticMapReduceResponse)
def add_tags(_original, self):
    """By id."""
    asked = _asked(self)
    tags = {tag["Key"]: tag.get("Value", "") for tag in asked["Tags"]}
    _cluster(self, asked["ResourceId"]).tags.update(tags)
    return EmptyResult()


@replaces(ElasticMapReduceResponse)
def remove_tags(_original, self):
    """By id."""
    asked = _asked(self)
    tags = _cluster(self, asked["ResourceId"]).tags
    for key in asked["TagKeys"]:
        tags.pop(key, None)
    return EmptyResult()


# --- steps ----------------------------------------------------------------------------


@replaces(ElasticMapReduceResponse)
def add_job_flow_steps(_original, self):
    """At most 256 that haven't ended."""
    asked = _asked(self)
    cluster = _alive(self, asked["JobFlowId"])
    active = [step for step in cluster.steps if step.state in ("PENDING", "RUNNING")]
    if len(active) + len(asked["Steps"]) > 256:
        raise ValidationException(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel Pending') "
            "for cluster exceeded."
        )
    added = [Step(one) for one in asked["Steps"]]
    cluster.steps += added
    return ActionResult({"StepIds": [step.id for step in added]})


@replaces(ElasticMapReduceResponse)
def list_steps(_original, self):
    """The newest first."""
    asked = _asked(self)
    cluster = _cluster(self, asked["ClusterId"])
    states, ids = asked.get("StepStates"), asked.get("StepIds")
    found = [
        step
        for step in reversed(cluster.steps)
        if (not states or step.state in states) and (not ids or step.id in ids)
    ]
    shown, marker = page(found, asked.get("Marker"), PAGE)
    return ActionResult({"Steps": [step.describe() for step in shown], "Marker": marker})


@replaces(ElasticMapReduceResponse)
def describe_step(_original, self):
    """One step."""
    asked = _asked(self)
    for step in _cluster(self, asked["ClusterId"]).steps:
        if step.id == asked["StepId"]:
            return ActionResult({"Step": step.describe()})
    wrong = asked["StepId"]
    raise InvalidRequestException(f"Step id '{wrong}' is not valid.")


@replaces(ElasticMapReduceResponse)
def cancel_steps(_original, self):
    """Steps that haven't ended."""
    asked = _asked(self)
    cluster = _alive(self, asked["ClusterId"])
    answers = []
    for step in cluster.steps:
        if step.id in asked["StepIds"]:
            cancelled = step.state in ("PENDING", "RUNNING")
            if cancelled:
                step.end("CANCELLED")
            answers.append({"StepId": step.id, "Status": "SUBMITTED" if cancelled else "FAILED"})
    return ActionResult({"CancelStepsInfoList": answers})


# --- security configurations ----------------------------------------------------------


@replaces(ElasticMapReduceResponse)
def list_security_configurations(_original, self):
    """Names and dates."""
    shown = [
        {"Name": one.name, "CreationDateTime": one.creation_date_time}
        for one in list(self.backend.security_configurations.values())
    ]
    return ActionResult({"SecurityConfigurations": shown})


@replaces(ElasticMapReduceBackend)
def create_security_configuration(original, self, name, security_configuration):
    """Refuse what isn't JSON."""
    try:
        json.loads(security_configuration)
    except ValueError:
        raise InvalidRequestException("The security configuration is not valid JSON.") from None
    return original(self, name, security_configuration)


@replaces(ElasticMapReduceBackend)
def get_security_configuration(_original, self, name):
    """EMR has one code for all that it can't do."""
    if name not in self.security_configurations:
        raise InvalidRequestException(f"Security configuration with name '{name}' does not exist.")
    return self.security_configurations[name]


@replaces(ElasticMapReduceBackend)
def delete_security_configuration(_original, self, name):
    """Refuse while a cluster uses it."""
    self.get_security_configuration(name)
    for cluster in list(self.clusters.values()):
        cluster.advance()
        if cluster.state in ALIVE and cluster.asked.get("SecurityConfiguration") == name:
            raise InvalidRequestException(f"Security configuration '{name}' is in use.")
    del self.security_configurations[name]
