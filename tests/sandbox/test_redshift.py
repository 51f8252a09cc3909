"""Redshift without servers behind it: its states, and what it refuses."""

from botocore.exceptions import ClientError, ParamValidationError
from support import SandboxTest, client

TAGS = [{"Key": "lagoa:stack", "Value": "demo"}]


class Redshift(SandboxTest):
    def setUp(self):
        super().setUp()
        self.redshift = client("redshift")
        self.ec2 = client("ec2")

    def request(self, name="warehouse", **changes):
        request = {
            "ClusterIdentifier": name,
            "NodeType": "ra3.large",
            "ClusterType": "multi-node",
            "NumberOfNodes": 2,
            "MasterUsername": "admin",
            "MasterUserPassword": "Long-enough-1",
            "Tags": TAGS,
            **changes,
        }
        return {key: value for key, value in request.items() if value is not None}

    def create(self, name="warehouse", **changes):
        cluster = self.redshift.create_cluster(**self.request(name, **changes))["Cluster"]
        self.assertEqual(cluster["ClusterStatus"], "creating")
        return self.available(name)

    def cluster(self, name="warehouse"):
        return self.redshift.describe_clusters(ClusterIdentifier=name)["Clusters"][0]

    def available(self, name="warehouse"):
        def look():
            cluster = self.cluster(name)
            return cluster if cluster["ClusterStatus"] == "available" else None

        return self.eventually(look)

    def subnet_group(self):
        ids = [subnet["SubnetId"] for subnet in self.ec2.describe_subnets()["Subnets"][:2]]
        return self.redshift.create_cluster_subnet_group(
            ClusterSubnetGroupName="Private", Description="d", SubnetIds=ids, Tags=TAGS
        )["ClusterSubnetGroup"]

    def test_a_cluster_lives_and_leaves_a_snapshot(self):
        cluster = self.create()
        self.assertEqual(cluster["DBName"], "dev")
        self.assertTrue(cluster["Encrypted"])
        self.assertEqual(cluster["ClusterAvailabilityStatus"], "Available")
        self.assertEqual(cluster["Tags"], TAGS)
        self.assertRefused(
            "InvalidParameterCombination",
            self.redshift.delete_cluster,
            ClusterIdentifier="warehouse",
        )
        self.redshift.delete_cluster(
            ClusterIdentifier="warehouse", FinalClusterSnapshotIdentifier="last"
        )
        self.assertEqual(self.cluster()["ClusterStatus"], "final-snapshot")
        self.eventually(lambda: not self.redshift.describe_clusters()["Clusters"])
        snapshots = self.redshift.describe_cluster_snapshots()["Snapshots"]
        self.assertIn("last", [one["SnapshotIdentifier"] for one in snapshots])

    def test_what_redshift_refuses(self):
        for code, changes in [
            ("InvalidParameterValue", {"ClusterIdentifier": "Upper"}),
            ("InvalidParameterValue", {"MasterUserPassword": "weak"}),
            ("InvalidParameterValue", {"MasterUserPassword": "nonumbersHere"}),
            ("InvalidParameterValue", {"NodeType": "huge.large"}),
            ("InvalidParameterCombination", {"NumberOfNodes": 1}),
            ("InvalidParameterCombination", {"MasterUserPassword": None}),
            ("ClusterSubnetGroupNotFoundFault", {"ClusterSubnetGroupName": "none"}),
            ("ClusterParameterGroupNotFound", {"ClusterParameterGroupName": "none"}),
            ("InvalidParameterValue", {"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}),
        ]:
            with self.subTest(changes):
                self.assertRefused(code, self.redshift.create_cluster, **self.request(**changes))
        self.create()
        self.assertRefused("ClusterAlreadyExists", self.redshift.create_cluster, **self.request())

    def test_a_busy_cluster_refuses_the_next_change(self):
        self.create()
        self.redshift.resize_cluster(ClusterIdentifier="warehouse", NumberOfNodes=4)
        self.assertRefused(
            "InvalidClusterState",
            self.redshift.modify_cluster,
            ClusterIdentifier="warehouse",
            PubliclyAccessible=True,
        )
        self.assertEqual(self.available()["NumberOfNodes"], 4)

    def test_a_parameter_waits_for_a_restart(self):
        self.redshift.create_cluster_parameter_group(
            ParameterGroupName="Tuned", ParameterGroupFamily="redshift-1.0", Description="d"
        )
        self.create(ClusterParameterGroupName="tuned")

        def apply_status():
            return self.cluster()["ClusterParameterGroups"][0]["ParameterApplyStatus"]

        self.assertEqual(apply_status(), "in-sync")
        parameters = [{"ParameterName": "require_ssl", "ParameterValue": "true"}]
        self.redshift.modify_cluster_parameter_group(
            ParameterGroupName="tuned", Parameters=parameters
        )
        self.assertEqual(apply_status(), "pending-reboot")
        self.redshift.reboot_cluster(ClusterIdentifier="warehouse")
        self.available()
        self.assertEqual(apply_status(), "in-sync")
        self.assertRefused(
            "InvalidClusterParameterGroupState",
            self.redshift.delete_cluster_parameter_group,
            ParameterGroupName="tuned",
        )
        self.assertRefused(
            "InvalidParameterValue",
            self.redshift.modify_cluster_parameter_group,
            ParameterGroupName="tuned",
            Parameters=[{"ParameterName": "no_such", "ParameterValue": "1"}],
        )

    def test_a_subnet_group_in_use_stays(self):
        group = self.subnet_group()
        self.assertEqual(group["ClusterSubnetGroupName"], "private")
        self.create(ClusterSubnetGroupName="private")
        self.assertRefused(
            "InvalidClusterSubnetGroupStateFault",
            self.redshift.delete_cluster_subnet_group,
            ClusterSubnetGroupName="private",
        )
        self.assertRefused(
            "InvalidSubnet",
            self.redshift.modify_cluster_subnet_group,
            ClusterSubnetGroupName="private",
            SubnetIds=["subnet-0123456789abcdef0"],
        )

    def test_the_managed_password_is_in_a_secret(self):
        cluster = self.create(MasterUserPassword=None, ManageMasterPassword=True)
        secret = cluster["MasterPasswordSecretArn"]
        value = client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        self.assertIn('"username": "admin"', value)
        self.redshift.modify_cluster(
            ClusterIdentifier="warehouse",
            ManageMasterPassword=False,
            MasterUserPassword="Own-password-2",
        )
        self.assertNotIn("MasterPasswordSecretArn", self.available())

    def test_tags_are_found(self):
        self.create()
        self.subnet_group()
        found = client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"]
        arns = [one["ResourceARN"] for one in found]
        self.assertIn("arn:aws:redshift:us-east-1:123456789012:cluster:warehouse", arns)
        self.assertIn("arn:aws:redshift:us-east-1:123456789012:subnetgroup:private", arns)


class Serverless(SandboxTest):
    def setUp(self):
        super().setUp()
        self.serverless = client("redshift-serverless")

    def status(self, what, name):
        read = getattr(self.serverless, f"get_{what}")
        return read(**{f"{what}Name": name})[what]["status"]

    def create(self):
        self.serverless.create_namespace(
            namespaceName="data",
            manageAdminPassword=True,
            tags=[{"key": "lagoa:stack", "value": "demo"}],
        )
        self.eventually(lambda: self.status("namespace", "data") == "AVAILABLE")
        self.serverless.create_workgroup(workgroupName="work", namespaceName="data")
        self.eventually(lambda: self.status("workgroup", "work") == "AVAILABLE")

    def test_a_namespace_outlives_its_workgroup(self):
        self.create()
        self.assertRefused(
            "ConflictException", self.serverless.delete_namespace, namespaceName="data"
        )
        self.serverless.delete_workgroup(workgroupName="work")
        self.eventually(lambda: not self.serverless.list_workgroups()["workgroups"])
        self.serverless.delete_namespace(namespaceName="data", finalSnapshotName="last")
        self.eventually(lambda: not self.serverless.list_namespaces()["namespaces"])

    def test_a_workgroup_changes_one_thing_at_a_time(self):
        self.create()
        self.assertRefused(
            "ValidationException",
            self.serverless.update_workgroup,
            workgroupName="work",
            baseCapacity=8,
            port=5450,
        )
        self.serverless.update_workgroup(workgroupName="work", baseCapacity=8)
        self.assertRefused(
            "ConflictException",
            self.serverless.update_workgroup,
            workgroupName="work",
            port=5450,
        )
        self.assertRefused(
            "ValidationException",
            self.serverless.create_workgroup,
            workgroupName="other",
            namespaceName="data",
            baseCapacity=9,
        )

    def test_tags_come_in_a_call_of_their_own(self):
        self.create()
        namespace = self.serverless.get_namespace(namespaceName="data")["namespace"]
        self.assertNotIn("tags", namespace)
        arn = namespace["namespaceArn"]
        tags = self.serverless.list_tags_for_resource(resourceArn=arn)["tags"]
        self.assertEqual(tags, [{"key": "lagoa:stack", "value": "demo"}])
        found = client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"]
        self.assertIn(arn, [one["ResourceARN"] for one in found])


class DataApi(SandboxTest):
    """Its limits; what it does to rows is tried where there are servers."""

    def setUp(self):
        super().setUp()
        redshift = client("redshift")
        redshift.create_cluster(
            ClusterIdentifier="warehouse",
            NodeType="ra3.large",
            ClusterType="single-node",
            MasterUsername="admin",
            MasterUserPassword="Long-enough-1",
        )
        self.eventually(
            lambda: redshift.describe_clusters()["Clusters"][0]["ClusterStatus"] == "available"
        )
        self.data = client("redshift-data")

    def request(self, sqls=("select 1",), **changes):
        request = {"ClusterIdentifier": "warehouse", "Database": "dev", "DbUser": "admin"}
        request.update(Sqls=list(sqls), **changes)
        return {key: value for key, value in request.items() if value is not None}

    def test_a_batch_has_limits(self):
        for changes in [
            {"sqls": ["select 1"] * 41},
            {"sqls": []},
            {"sqls": ["select '" + "x" * 102_400 + "'"]},
            {"sqls": ["  "]},
            {"ClusterIdentifier": "none"},
            {"WorkgroupName": "both"},
            {"ClientToken": "x" * 65},
        ]:
            with self.subTest(list(changes)):
                self.assertRaises(
                    (ClientError, ParamValidationError),
                    self.data.batch_execute_statement,
                    **self.request(**changes),
                )
        done = self.data.batch_execute_statement(**self.request(["select 1"] * 40))
        self.assertIn(done["Status"], ("SUBMITTED", "STARTED", "FINISHED"))

    def test_a_token_stands_for_one_request(self):
        first = self.data.batch_execute_statement(**self.request(ClientToken="one"))
        again = self.data.batch_execute_statement(**self.request(ClientToken="one"))
        self.assertEqual(first["Id"], again["Id"])
        self.assertRefused(
            "ValidationException",
            self.data.batch_execute_statement,
            **self.request(["select 2"], ClientToken="one"),
        )

    def test_a_statement_comes_to_its_end(self):
        sent = self.data.batch_execute_statement(**self.request(["select 1", "select 2"]))
        end = self.data.describe_statement(Id=sent["Id"], WaitTimeSeconds=5)
        self.assertEqual(end["Status"], "FINISHED")
        self.assertEqual(len(end["SubStatements"]), 2)
        self.assertRefused(
            "ResourceNotFoundException",
            self.data.describe_statement,
            Id="00000000-0000-0000-0000-000000000000",
        )
