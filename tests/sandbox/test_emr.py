"""EMR: clusters that come up, change, run steps and end."""

import json

from support import SandboxTest, client

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


class Emr(SandboxTest):
    def setUp(self):
        super().setUp()
        self.emr = client("emr")
        iam = client("iam")
        for role in ("service", "nodes"):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
        iam.create_instance_profile(InstanceProfileName="nodes")

    def start(self, **more):
        groups = [
            {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
        ]
        instances = {"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True}
        instances.update(more.pop("Instances", {}))
        request = {
            "Name": "spark",
            "ReleaseLabel": "emr-7.9.0",
            "ServiceRole": "service",
            "JobFlowRole": "nodes",
            "Instances": instances,
            "Tags": [{"Key": "lagoa:stack", "Value": "demo"}],
        }
        return self.emr.run_job_flow(**{**request, **more})["JobFlowId"]

    def describe(self, cluster):
        return self.emr.describe_cluster(ClusterId=cluster)["Cluster"]

    def state(self, cluster):
        return self.describe(cluster)["Status"]["State"]

    def reaches(self, cluster, state):
        return self.eventually(lambda: self.state(cluster) == state)

    def up(self, **more):
        cluster = self.start(**more)
        self.reaches(cluster, "WAITING")
        return cluster

    def test_a_cluster_comes_up_and_ends(self):
        cluster = self.start()
        self.assertEqual(self.state(cluster), "STARTING")
        self.reaches(cluster, "BOOTSTRAPPING")
        self.reaches(cluster, "WAITING")
        self.emr.terminate_job_flows(JobFlowIds=[cluster])
        self.assertEqual(self.state(cluster), "TERMINATING")
        self.reaches(cluster, "TERMINATED")
        states = ["RUNNING"]
        left = self.emr.list_instances(ClusterId=cluster, InstanceStates=states)["Instances"]
        self.assertEqual(len(left), 3)
        self.eventually(
            lambda: not self.emr.list_instances(ClusterId=cluster, InstanceStates=states)[
                "Instances"
            ]
        )

    def test_names_may_be_doubled(self):
        self.assertNotEqual(self.start(), self.start())
        names = [one["Name"] for one in self.emr.list_clusters()["Clusters"]]
        self.assertEqual(names, ["spark", "spark"])

    def test_what_was_asked_for_is_told(self):
        cluster = self.describe(
            self.start(
                LogUri="s3://logs/emr", Configurations=[{"Classification": "a", "Properties": {}}]
            )
        )
        self.assertEqual(cluster["LogUri"], "s3n://logs/emr/")
        self.assertEqual(cluster["Configurations"][0]["Classification"], "a")
        self.assertEqual(cluster["Tags"], [{"Key": "lagoa:stack", "Value": "demo"}])
        self.assertFalse(cluster["AutoTerminate"])
        self.assertTrue(cluster["Ec2InstanceAttributes"]["Ec2SubnetId"].startswith("subnet-"))

    def test_a_cluster_that_nothing_keeps_alive_ends(self):
        cluster = self.start(Instances={"KeepJobFlowAliveWhenNoSteps": False})
        self.reaches(cluster, "TERMINATED")
        reason = self.describe(cluster)["Status"]["StateChangeReason"]
        self.assertEqual(reason["Code"], "ALL_STEPS_COMPLETED")

    def test_bad_scripts_and_roles_end_a_cluster(self):
        script = {"Name": "x", "ScriptBootstrapAction": {"Path": "s3://nowhere/x.sh"}}
        for code, more in (
            ("BOOTSTRAP_FAILURE", {"BootstrapActions": [script]}),
            ("VALIDATION_ERROR", {"ServiceRole": "nobody"}),
        ):
            cluster = self.start(**more)
            self.reaches(cluster, "TERMINATED_WITH_ERRORS")
            reason = self.describe(cluster)["Status"]["StateChangeReason"]
            self.assertEqual(reason["Code"], code)

    def test_what_cannot_start_is_refused(self):
        message = self.assertRefused("ValidationException", self.start, JobFlowRole="nobody")
        self.assertIn("Invalid InstanceProfile", message)
        self.assertRefused("ValidationException", self.start, ReleaseLabel="emr-99.0.0")
        self.assertRefused(
            "ValidationException", self.start, Instances={"Ec2SubnetId": "subnet-0a1b2c3d"}
        )

    def test_protected_clusters_stay(self):
        cluster = self.up(Instances={"TerminationProtected": True})
        message = self.assertRefused(
            "ValidationException", self.emr.terminate_job_flows, JobFlowIds=[cluster]
        )
        self.assertIn("termination protected", message)
        self.emr.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=False)
        self.emr.terminate_job_flows(JobFlowIds=[cluster])

    def test_groups_are_resized_one_change_at_a_time(self):
        cluster = self.up()

        def core():
            groups = self.emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
            return next(one for one in groups if one["InstanceGroupType"] == "CORE")

        change = [{"InstanceGroupId": core()["Id"], "InstanceCount": 3}]
        self.emr.modify_instance_groups(ClusterId=cluster, InstanceGroups=change)
        self.assertEqual(core()["Status"]["State"], "RESIZING")
        self.assertRefused(
            "ValidationException",
            self.emr.modify_instance_groups,
            ClusterId=cluster,
            InstanceGroups=change,
        )
        self.eventually(lambda: core()["Status"]["State"] == "RUNNING")
        self.assertEqual(core()["RequestedInstanceCount"], 3)

    def test_policies_are_put_and_removed(self):
        cluster = self.up()
        limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}
        self.emr.put_managed_scaling_policy(
            ClusterId=cluster, ManagedScalingPolicy={"ComputeLimits": limits}
        )
        policy = self.emr.get_managed_scaling_policy(ClusterId=cluster)["ManagedScalingPolicy"]
        self.assertEqual(policy["ComputeLimits"], limits)
        self.emr.remove_managed_scaling_policy(ClusterId=cluster)
        self.assertNotIn(
            "ManagedScalingPolicy", self.emr.get_managed_scaling_policy(ClusterId=cluster)
        )
        self.assertRefused(
            "ValidationException",
            self.emr.put_auto_termination_policy,
            ClusterId=cluster,
            AutoTerminationPolicy={"IdleTimeout": 30},
        )

    def test_fleets_are_resized(self):
        fleet = {
            "InstanceFleetType": "MASTER",
            "TargetOnDemandCapacity": 1,
            "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
        }
        core = {**fleet, "InstanceFleetType": "CORE", "TargetSpotCapacity": 2}
        instances = {"InstanceFleets": [fleet, core], "KeepJobFlowAliveWhenNoSteps": True}
        cluster = self.emr.run_job_flow(
            Name="fleets",
            ReleaseLabel="emr-7.9.0",
            ServiceRole="service",
            JobFlowRole="nodes",
            Instances=instances,
        )["JobFlowId"]
        self.reaches(cluster, "WAITING")
        fleets = self.emr.list_instance_fleets(ClusterId=cluster)["InstanceFleets"]
        change = {"InstanceFleetId": fleets[1]["Id"], "TargetSpotCapacity": 5}
        self.emr.modify_instance_fleet(ClusterId=cluster, InstanceFleet=change)
        fleets = self.emr.list_instance_fleets(ClusterId=cluster)["InstanceFleets"]
        self.assertEqual(fleets[1]["TargetSpotCapacity"], 5)
        self.assertEqual(fleets[1]["TargetOnDemandCapacity"], 1)

    def test_steps_run_and_fail(self):
        cluster = self.up()

        def step(*args):
            jar = {"Jar": "command-runner.jar", "Args": list(args)}
            one = {"Name": "s", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
            return self.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[one])["StepIds"][0]

        def ends(step_id, state):
            def status():
                step = self.emr.describe_step(ClusterId=cluster, StepId=step_id)["Step"]
                return step["Status"] if step["Status"]["State"] == state else None

            return self.eventually(status)

        good, bad, last = step("true"), step("spark-submit", "s3://nowhere/x.py"), step("true")
        self.emr.cancel_steps(ClusterId=cluster, StepIds=[last])
        ends(good, "COMPLETED")
        failure = ends(bad, "FAILED")["FailureDetails"]
        self.assertIn("s3://nowhere/x.py", failure["Message"])
        ends(last, "CANCELLED")
        names = [one["Id"] for one in self.emr.list_steps(ClusterId=cluster)["Steps"]]
        self.assertEqual(names, [last, bad, good])

    def test_security_configurations_in_use_stay(self):
        self.emr.create_security_configuration(Name="a", SecurityConfiguration="{}")
        listed = self.emr.list_security_configurations()["SecurityConfigurations"]
        self.assertEqual([one["Name"] for one in listed], ["a"])
        cluster = self.up(SecurityConfiguration="a")
        delete = self.emr.delete_security_configuration
        self.assertIn("in use", self.assertRefused("InvalidRequestException", delete, Name="a"))
        self.emr.terminate_job_flows(JobFlowIds=[cluster])
        self.reaches(cluster, "TERMINATED")
        delete(Name="a")
        self.assertRefused("InvalidRequestException", delete, Name="a")

    def test_clusters_hold_their_security_groups(self):
        cluster = self.up()
        group = self.describe(cluster)["Ec2InstanceAttributes"]["EmrManagedMasterSecurityGroup"]
        delete = client("ec2").delete_security_group
        self.assertRefused("DependencyViolation", delete, GroupId=group)
        self.emr.terminate_job_flows(JobFlowIds=[cluster])
        self.reaches(cluster, "TERMINATED")
        groups = client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
        self.assertEqual(groups[0]["GroupName"], "ElasticMapReduce-master")

    def test_the_tagging_api_sees_clusters(self):
        cluster = self.start()
        tagging = client("resourcegroupstaggingapi")
        found = tagging.get_resources(TagFilters=[{"Key": "lagoa:stack"}])
        arns = [one["ResourceARN"] for one in found["ResourceTagMappingList"]]
        self.assertIn(f"cluster/{cluster}", arns[0])
