"""RDS without servers behind it: what it makes of requests, and what it refuses."""

import json

from support import SandboxTest, client

TAGS = [{"Key": "lagoa:stack", "Value": "demo"}]


class Rds(SandboxTest):
    def setUp(self):
        super().setUp()
        self.rds = client("rds")
        self.ec2 = client("ec2")

    def create(self, name="coins", **changes):
        return self.rds.create_db_instance(**self.request(name, **changes))["DBInstance"]

    def request(self, name="coins", **changes):
        request = {
            "DBInstanceIdentifier": name,
            "Engine": "postgres",
            "EngineVersion": "15",
            "DBInstanceClass": "db.t3.micro",
            "AllocatedStorage": 20,
            "MasterUsername": "owner",
            "MasterUserPassword": "long-enough",
            "DBName": "coins",
            **changes,
        }
        return {key: value for key, value in request.items() if value is not None}

    def instance(self, name="coins"):
        answer = self.rds.describe_db_instances(DBInstanceIdentifier=name)
        return answer["DBInstances"][0]

    def available(self, name="coins"):
        def look():
            instance = self.instance(name)
            return instance if instance["DBInstanceStatus"] == "available" else None

        return self.eventually(look)

    def modify(self, **changes):
        return self.rds.modify_db_instance(DBInstanceIdentifier="coins", **changes)["DBInstance"]

    def delete(self, **more):
        self.rds.delete_db_instance(DBInstanceIdentifier="coins", **more)
        self.eventually(lambda: not self.rds.describe_db_instances()["DBInstances"])

    def subnets(self):
        return self.ec2.describe_subnets()["Subnets"]

    def subnet_group(self, name="private"):
        ids = [subnet["SubnetId"] for subnet in self.subnets()[:2]]
        return self.rds.create_db_subnet_group(
            DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=ids, Tags=TAGS
        )["DBSubnetGroup"]

    def parameter_group(self, name="tuned", family="postgres15"):
        return self.rds.create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily=family, Description="d", Tags=TAGS
        )["DBParameterGroup"]


class Life(Rds):
    def test_an_instance_passes_through_its_states(self):
        self.assertEqual(self.create()["DBInstanceStatus"], "creating")
        self.assertNotIn("Endpoint", self.instance())
        instance = self.available()
        self.assertIn("Address", instance["Endpoint"])
        self.assertEqual(instance["PendingModifiedValues"], {})
        answer = self.rds.delete_db_instance(DBInstanceIdentifier="coins", SkipFinalSnapshot=True)
        self.assertEqual(answer["DBInstance"]["DBInstanceStatus"], "deleting")
        self.assertEqual(self.instance()["DBInstanceStatus"], "deleting")
        self.eventually(lambda: not self.rds.describe_db_instances()["DBInstances"])
        self.assertRefused("DBInstanceNotFound", self.instance)

    def test_a_busy_instance_is_left_alone(self):
        self.create()
        self.assertRefused("InvalidDBInstanceState", self.modify, BackupRetentionPeriod=3)
        self.rds.delete_db_instance(DBInstanceIdentifier="coins", SkipFinalSnapshot=True)
        self.assertRefused("InvalidDBInstanceState", self.delete, SkipFinalSnapshot=True)

    def test_defaults_are_filled_in(self):
        instance = self.create("CoIns", Engine="postgres", Port=5433)
        self.assertEqual(instance["DBInstanceIdentifier"], "coins")
        self.assertRegex(instance["EngineVersion"], r"^15\.\d+$")
        self.assertEqual(instance["DbInstancePort"], 5433)
        self.assertEqual(instance["DBSubnetGroup"]["DBSubnetGroupName"], "default")
        self.assertEqual(instance["StorageType"], "gp3")
        self.assertIs(instance["PubliclyAccessible"], True)
        group = {"DBParameterGroupName": "default.postgres15", "ParameterApplyStatus": "in-sync"}
        self.assertEqual(instance["DBParameterGroups"], [group])
        self.assertEqual([g["Status"] for g in instance["VpcSecurityGroups"]], ["active"])
        self.assertEqual(
            instance["OptionGroupMemberships"][0]["OptionGroupName"], "default:postgres-15"
        )

    def test_what_is_set_is_given_back(self):
        given = {
            "MaxAllocatedStorage": 100,
            "StorageType": "gp2",
            "StorageEncrypted": True,
            "BackupRetentionPeriod": 7,
            "PreferredBackupWindow": "03:00-04:00",
            "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
            "MultiAZ": True,
            "AutoMinorVersionUpgrade": False,
            "PubliclyAccessible": False,
            "CopyTagsToSnapshot": True,
            "DeletionProtection": True,
            "PerformanceInsightsRetentionPeriod": 31,
            "DatabaseInsightsMode": "advanced",
            "NetworkType": "DUAL",
            "CACertificateIdentifier": "rds-ca-rsa4096-g1",
            "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        }
        self.create(
            EnablePerformanceInsights=True,
            EnableIAMDatabaseAuthentication=True,
            EnableCloudwatchLogsExports=["postgresql"],
            Tags=TAGS,
            **given,
        )
        instance = self.available()
        for key, value in given.items():
            self.assertEqual(instance[key], value, key)
        self.assertIs(instance["PerformanceInsightsEnabled"], True)
        self.assertIs(instance["IAMDatabaseAuthenticationEnabled"], True)
        self.assertEqual(instance["EnabledCloudwatchLogsExports"], ["postgresql"])
        self.assertEqual(instance["TagList"], TAGS)
        self.assertTrue(instance["KmsKeyId"].startswith("arn:aws:kms:"))

    def test_requests_are_refused(self):
        value, combination = "InvalidParameterValue", "InvalidParameterCombination"
        for code, changes in (
            (value, {"MasterUserPassword": "short"}),
            (value, {"MasterUserPassword": "with spaces in it"}),
            (value, {"MasterUserPassword": "with/a/slash"}),
            (value, {"MasterUserPassword": None}),
            (value, {"MasterUsername": None}),
            (value, {"MasterUsername": "admin"}),
            (value, {"AllocatedStorage": None}),
            (value, {"Engine": "posgres"}),
            (value, {"DBInstanceClass": "db.t3.tiny"}),
            (value, {"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}),
            (combination, {"StorageType": "gp3", "Iops": 4000}),
            (combination, {"EngineVersion": "99.9"}),
            (combination, {"EngineVersion": "15.99"}),
            (combination, {"ManageMasterUserPassword": True}),
            ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "none"}),
            ("DBParameterGroupNotFound", {"DBParameterGroupName": "none"}),
        ):
            with self.subTest(**changes):
                self.assertRefused(code, self.create, **changes)
        self.create()
        self.assertRefused("DBInstanceAlreadyExists", self.create)

    def test_deletion_is_refused(self):
        self.create(DeletionProtection=True)
        self.available()
        message = self.assertRefused(
            "InvalidParameterCombination", self.delete, SkipFinalSnapshot=True
        )
        self.assertIn("Cannot delete protected DB Instance", message)
        self.modify(DeletionProtection=False)
        self.available()
        for request in ({}, {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "s"}):
            self.assertRefused("InvalidParameterCombination", self.delete, **request)
        self.rds.create_db_snapshot(DBInstanceIdentifier="coins", DBSnapshotIdentifier="taken")
        self.assertRefused(
            "DBSnapshotAlreadyExists", self.delete, FinalDBSnapshotIdentifier="taken"
        )
        self.delete(FinalDBSnapshotIdentifier="final")
        found = self.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        self.assertEqual({s["DBSnapshotIdentifier"] for s in found}, {"taken", "final"})
        self.assertEqual(found[0]["DBInstanceIdentifier"], "coins")

    def test_instances_come_in_pages(self):
        for number in range(3):
            self.create(f"db{number}")
        paginator = self.rds.get_paginator("describe_db_instances")
        pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
        self.assertEqual([len(page["DBInstances"]) for page in pages], [2, 1])

    def test_versions_are_listed(self):
        paginator = self.rds.get_paginator("describe_db_engine_versions")
        versions = [
            version
            for page in paginator.paginate(Engine="postgres")
            for version in page["DBEngineVersions"]
        ]
        self.assertGreater(len(versions), 100)
        answer = self.rds.describe_db_engine_versions(Engine="mysql", EngineVersion="8.0.40")
        self.assertEqual(answer["DBEngineVersions"][0]["DBParameterGroupFamily"], "mysql8.0")
        default = self.rds.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)
        self.assertEqual(len(default["DBEngineVersions"]), 1)


class Modify(Rds):
    def setUp(self):
        super().setUp()
        self.create()
        self.available()

    def test_changes_wait_unless_applied_at_once(self):
        answer = self.modify(DBInstanceClass="db.t3.small", AllocatedStorage=30)
        pending = {"DBInstanceClass": "db.t3.small", "AllocatedStorage": 30}
        self.assertEqual(answer["PendingModifiedValues"], pending)
        instance = self.available()
        self.assertEqual(instance["DBInstanceClass"], "db.t3.micro")
        self.assertEqual(instance["PendingModifiedValues"], pending)
        self.modify(DBInstanceClass="db.t3.micro")
        self.assertEqual(self.available()["PendingModifiedValues"], {"AllocatedStorage": 30})
        answer = self.modify(DBInstanceClass="db.t3.medium", ApplyImmediately=True)
        self.assertEqual(answer["DBInstanceStatus"], "modifying")
        instance = self.available()
        self.assertEqual(instance["PendingModifiedValues"], {})
        self.assertEqual(instance["DBInstanceClass"], "db.t3.medium")
        self.assertEqual(instance["AllocatedStorage"], 30)

    def test_other_changes_do_not_wait(self):
        group = self.ec2.create_security_group(GroupName="g", Description="g")["GroupId"]
        self.parameter_group()
        self.modify(
            VpcSecurityGroupIds=[group],
            DBParameterGroupName="Tuned",
            PubliclyAccessible=False,
            EnablePerformanceInsights=True,
            EnableIAMDatabaseAuthentication=True,
            CopyTagsToSnapshot=True,
            MaxAllocatedStorage=200,
            CloudwatchLogsExportConfiguration={"EnableLogTypes": ["postgresql"]},
        )
        instance = self.available()
        self.assertEqual([g["VpcSecurityGroupId"] for g in instance["VpcSecurityGroups"]], [group])
        self.assertEqual(instance["DBParameterGroups"][0]["DBParameterGroupName"], "tuned")
        self.assertIs(instance["PubliclyAccessible"], False)
        self.assertIs(instance["PerformanceInsightsEnabled"], True)
        self.assertIs(instance["IAMDatabaseAuthenticationEnabled"], True)
        self.assertIs(instance["CopyTagsToSnapshot"], True)
        self.assertEqual(instance["MaxAllocatedStorage"], 200)
        self.assertEqual(instance["EnabledCloudwatchLogsExports"], ["postgresql"])
        self.assertEqual(instance["PendingModifiedValues"], {})

    def test_storage_gets_the_speed_of_its_type(self):
        self.modify(StorageType="gp2", ApplyImmediately=True)
        instance = self.available()
        self.assertEqual(instance["StorageType"], "gp2")
        self.assertNotIn("StorageThroughput", instance)
        self.modify(StorageType="gp3", ApplyImmediately=True)
        instance = self.available()
        self.assertEqual((instance["Iops"], instance["StorageThroughput"]), (3000, 125))

    def test_versions_go_up(self):
        self.assertRefused("InvalidParameterCombination", self.modify, EngineVersion="14")
        self.assertRefused("InvalidParameterCombination", self.modify, EngineVersion="16")
        self.assertRefused("InvalidParameterCombination", self.modify, EngineVersion="16.99")
        self.assertEqual(self.modify(EngineVersion="15")["PendingModifiedValues"], {})
        self.available()
        self.modify(EngineVersion="16", AllowMajorVersionUpgrade=True, ApplyImmediately=True)
        self.assertRegex(self.available()["EngineVersion"], r"^16\.")

    def test_wrong_changes_are_refused(self):
        value, combination = "InvalidParameterValue", "InvalidParameterCombination"
        for code, changes in (
            (combination, {"AllocatedStorage": 10}),
            (value, {"MasterUserPassword": "short"}),
            (value, {"DBInstanceClass": "t3.micro"}),
            (value, {"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}),
            ("DBParameterGroupNotFound", {"DBParameterGroupName": "none"}),
        ):
            with self.subTest(**changes):
                self.assertRefused(code, self.modify, ApplyImmediately=True, **changes)
        self.parameter_group("old", "postgres14")
        self.assertRefused(combination, self.modify, DBParameterGroupName="old")

    def test_a_password_can_be_handed_to_secrets_manager(self):
        secrets = client("secretsmanager")
        self.modify(ManageMasterUserPassword=True, ApplyImmediately=True)
        arn = self.available()["MasterUserSecret"]["SecretArn"]
        self.assertEqual(len(secrets.list_secrets()["SecretList"]), 1)
        first = secrets.get_secret_value(SecretId=arn)["SecretString"]
        self.modify(RotateMasterUserPassword=True, ApplyImmediately=True)
        self.available()
        self.assertNotEqual(secrets.get_secret_value(SecretId=arn)["SecretString"], first)
        self.modify(
            ManageMasterUserPassword=False, MasterUserPassword="own-again", ApplyImmediately=True
        )
        self.assertNotIn("MasterUserSecret", self.available())
        self.assertEqual(secrets.list_secrets()["SecretList"], [])

    def test_a_reboot_takes_a_while(self):
        answer = self.rds.reboot_db_instance(DBInstanceIdentifier="coins")
        self.assertEqual(answer["DBInstance"]["DBInstanceStatus"], "rebooting")
        self.available()


class ManagedPassword(Rds):
    def test_the_secret_opens_the_database(self):
        self.create(MasterUserPassword=None, ManageMasterUserPassword=True)
        secret = self.available()["MasterUserSecret"]
        self.eventually(lambda: self.instance()["MasterUserSecret"]["SecretStatus"] == "active")
        self.assertIn(":secret:rds!db-", secret["SecretArn"])
        self.assertTrue(secret["KmsKeyId"].startswith("arn:aws:kms:"))
        secrets = client("secretsmanager")
        value = json.loads(secrets.get_secret_value(SecretId=secret["SecretArn"])["SecretString"])
        self.assertEqual(set(value), {"username", "password"})
        self.assertEqual(value["username"], "owner")
        self.assertGreaterEqual(len(value["password"]), 20)
        self.delete(SkipFinalSnapshot=True)
        self.assertEqual(secrets.list_secrets()["SecretList"], [])


class SubnetGroups(Rds):
    def test_a_group_can_be_made_once(self):
        self.assertEqual(self.subnet_group("Private")["DBSubnetGroupName"], "private")
        self.assertRefused("DBSubnetGroupAlreadyExists", self.subnet_group)

    def test_a_group_covers_two_zones(self):
        subnets = self.subnets()
        one = {"DBSubnetGroupName": "g", "DBSubnetGroupDescription": "d"}
        self.assertRefused(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            self.rds.create_db_subnet_group,
            SubnetIds=[subnets[0]["SubnetId"]],
            **one,
        )
        self.assertRefused(
            "InvalidSubnet", self.rds.create_db_subnet_group, SubnetIds=["subnet-0123"], **one
        )

    def test_a_group_in_use_stays(self):
        self.subnet_group()
        self.create(DBSubnetGroupName="Private")
        self.assertEqual(self.available()["DBSubnetGroup"]["DBSubnetGroupName"], "private")
        delete = {"call": self.rds.delete_db_subnet_group, "DBSubnetGroupName": "private"}
        self.assertRefused("InvalidDBSubnetGroupStateFault", **delete)
        self.delete(SkipFinalSnapshot=True)
        self.rds.delete_db_subnet_group(DBSubnetGroupName="private")
        self.assertRefused("DBSubnetGroupNotFoundFault", **delete)

    def test_a_group_can_be_changed(self):
        self.subnet_group()
        ids = [subnet["SubnetId"] for subnet in self.subnets()[1:4]]
        self.rds.modify_db_subnet_group(
            DBSubnetGroupName="private", DBSubnetGroupDescription="new", SubnetIds=ids
        )
        answer = self.rds.describe_db_subnet_groups(DBSubnetGroupName="private")
        group = answer["DBSubnetGroups"][0]
        self.assertEqual([s["SubnetIdentifier"] for s in group["Subnets"]], ids)
        self.assertEqual(group["DBSubnetGroupDescription"], "new")

    def test_groups_come_in_pages(self):
        for number in range(3):
            self.subnet_group(f"g{number}")
        paginator = self.rds.get_paginator("describe_db_subnet_groups")
        pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
        self.assertEqual([len(page["DBSubnetGroups"]) for page in pages], [2, 1])


class ParameterGroups(Rds):
    def set(self, **parameters):
        self.rds.modify_db_parameter_group(
            DBParameterGroupName="tuned",
            Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
                for name, (value, method) in parameters.items()
            ],
        )

    def user_values(self):
        answer = self.rds.describe_db_parameters(DBParameterGroupName="tuned", Source="user")
        return {p["ParameterName"]: p["ParameterValue"] for p in answer["Parameters"]}

    def test_parameters_are_set_and_reset(self):
        self.parameter_group("Tuned")
        self.set(work_mem=("8192", "immediate"), max_connections=("50", "pending-reboot"))
        self.assertEqual(self.user_values(), {"work_mem": "8192", "max_connections": "50"})
        self.rds.reset_db_parameter_group(
            DBParameterGroupName="tuned",
            Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}],
        )
        self.assertEqual(self.user_values(), {"max_connections": "50"})
        self.rds.reset_db_parameter_group(DBParameterGroupName="tuned", ResetAllParameters=True)
        self.assertEqual(self.user_values(), {})

    def test_wrong_parameters_are_refused(self):
        self.parameter_group()
        self.assertRefused(
            "InvalidParameterCombination", self.set, max_connections=("50", "immediate")
        )
        many = {f"p{number}": ("1", "immediate") for number in range(21)}
        self.assertRefused("InvalidParameterValue", self.set, **many)

    def test_wrong_groups_are_refused(self):
        self.assertRefused("InvalidParameterValue", self.parameter_group, family="postgres99")
        self.assertRefused("InvalidParameterValue", self.parameter_group, name="under_score")
        self.parameter_group()
        self.assertRefused("DBParameterGroupAlreadyExists", self.parameter_group)
        self.assertRefused(
            "DBParameterGroupNotFound",
            self.rds.describe_db_parameter_groups,
            DBParameterGroupName="none",
        )

    def test_a_group_in_use_stays(self):
        self.parameter_group()
        self.create(DBParameterGroupName="tuned")
        self.available()
        delete = {"call": self.rds.delete_db_parameter_group, "DBParameterGroupName": "tuned"}
        self.assertRefused("InvalidDBParameterGroupState", **delete)
        self.delete(SkipFinalSnapshot=True)
        self.rds.delete_db_parameter_group(DBParameterGroupName="tuned")
        self.assertRefused("DBParameterGroupNotFound", **delete)


class Tags(Rds):
    def test_tags_come_and_go(self):
        arns = [
            self.create(Tags=TAGS)["DBInstanceArn"],
            self.subnet_group()["DBSubnetGroupArn"],
            self.parameter_group()["DBParameterGroupArn"],
        ]
        more = {"Key": "team", "Value": "data"}
        for arn in arns:
            with self.subTest(arn):
                self.assertEqual(self.tags(arn), TAGS)
                self.rds.add_tags_to_resource(ResourceName=arn, Tags=[more])
                self.assertEqual(self.tags(arn), [*TAGS, more])
                self.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["lagoa:stack"])
                self.assertEqual(self.tags(arn), [more])
        for kind, code in (("db", "DBInstanceNotFound"), ("pg", "DBParameterGroupNotFound")):
            self.assertRefused(code, self.tags, arn=f"arn:aws:rds:us-east-1:123456789012:{kind}:no")

    def tags(self, arn):
        return self.rds.list_tags_for_resource(ResourceName=arn)["TagList"]
