"""DMS: what it makes, the states it passes through, and what it refuses."""

import json

from support import SandboxTest, client

TAGS = [{"Key": "lagoa:stack", "Value": "demo"}]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "dms.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ALL = json.dumps(
    {
        "rules": [
            {
                "rule-type": "selection",
                "rule-id": "1",
                "rule-name": "1",
                "object-locator": {"schema-name": "%", "table-name": "%"},
                "rule-action": "include",
            }
        ]
    }
)
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


class Dms(SandboxTest):
    def setUp(self):
        super().setUp()
        self.dms, self.iam = client("dms"), client("iam")

    def role(self, name, policy=None):
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        if policy:
            path = f"arn:aws:iam::aws:policy/service-role/{policy}"
            self.iam.attach_role_policy(RoleName=name, PolicyArn=path)
        return arn

    def subnets(self):
        return [one["SubnetId"] for one in client("ec2").describe_subnets()["Subnets"]]

    def instance(self, name="Dms-Instance", **more):
        answer = self.dms.create_replication_instance(
            ReplicationInstanceIdentifier=name, ReplicationInstanceClass="dms.t3.micro", **more
        )
        arn = answer["ReplicationInstance"]["ReplicationInstanceArn"]
        self.eventually(lambda: self.instance_status(arn) == "available")
        return arn

    def instance_status(self, arn):
        filters = [{"Name": "replication-instance-arn", "Values": [arn]}]
        answer = self.dms.describe_replication_instances(Filters=filters)
        return answer["ReplicationInstances"][0]["ReplicationInstanceStatus"]

    def s3(self, name, way, **settings):
        return self.dms.create_endpoint(
            EndpointIdentifier=name,
            EndpointType=way,
            EngineName="s3",
            S3Settings={"BucketName": "raw", "ServiceAccessRoleArn": self.s3_role, **settings},
        )["Endpoint"]["EndpointArn"]

    def lake(self):
        """An instance, and two endpoints on one bucket."""
        self.role("dms-vpc-role", "AmazonDMSVPCManagementRole")
        self.s3_role = self.role("dms-s3")
        client("s3").create_bucket(Bucket="raw")
        return self.instance(), self.s3("source", "source"), self.s3("target", "target")

    def task(self, instance, source, target, **more):
        request = {
            "ReplicationTaskIdentifier": "task-01",
            "SourceEndpointArn": source,
            "TargetEndpointArn": target,
            "ReplicationInstanceArn": instance,
            "MigrationType": "full-load",
            "TableMappings": ALL,
            **more,
        }
        arn = self.dms.create_replication_task(**request)["ReplicationTask"]["ReplicationTaskArn"]
        self.eventually(lambda: self.shown(arn)["Status"] == "ready")
        return arn

    def shown(self, arn):
        filters = [{"Name": "replication-task-arn", "Values": [arn]}]
        return self.dms.describe_replication_tasks(Filters=filters)["ReplicationTasks"][0]

    def connect(self, instance, *ends):
        for end in ends:
            self.dms.test_connection(ReplicationInstanceArn=instance, EndpointArn=end)
        done = {"successful", "failed"}
        self.eventually(lambda: {one["Status"] for one in self.connections()} <= done)

    def connections(self):
        return self.dms.describe_connections()["Connections"]

    def start(self, arn, how="start-replication"):
        return self.dms.start_replication_task(ReplicationTaskArn=arn, StartReplicationTaskType=how)


class Networks(Dms):
    def create(self, ids=None, name="Subnets"):
        return self.dms.create_replication_subnet_group(
            ReplicationSubnetGroupIdentifier=name,
            ReplicationSubnetGroupDescription="d",
            SubnetIds=ids or self.subnets()[:2],
            Tags=TAGS,
        )["ReplicationSubnetGroup"]

    def test_nothing_goes_without_the_role_of_fixed_name(self):
        self.assertRefused("AccessDeniedFault", self.create)
        self.assertRefused("AccessDeniedFault", self.instance)
        self.role("dms-vpc-role")
        self.assertRefused("AccessDeniedFault", self.create)

    def test_subnet_groups(self):
        self.role("dms-vpc-role", "AmazonDMSVPCManagementRole")
        self.assertEqual(self.create()["ReplicationSubnetGroupIdentifier"], "subnets")
        self.assertRefused("ResourceAlreadyExistsFault", self.create)
        self.assertRefused("InvalidSubnet", self.create, ids=["subnet-1", "subnet-2"], name="b")
        few = self.subnets()[:1]
        self.assertRefused(
            "ReplicationSubnetGroupDoesNotCoverEnoughAZs", self.create, ids=few, name="b"
        )
        changed = self.dms.modify_replication_subnet_group(
            ReplicationSubnetGroupIdentifier="subnets", SubnetIds=self.subnets()[1:4]
        )
        self.assertEqual(len(changed["ReplicationSubnetGroup"]["Subnets"]), 3)
        instance = self.instance(ReplicationSubnetGroupIdentifier="subnets")
        delete = self.dms.delete_replication_subnet_group
        self.assertRefused(
            "InvalidResourceStateFault", delete, ReplicationSubnetGroupIdentifier="subnets"
        )
        self.dms.delete_replication_instance(ReplicationInstanceArn=instance)
        self.eventually(
            lambda: not self.dms.describe_replication_instances()["ReplicationInstances"]
        )
        delete(ReplicationSubnetGroupIdentifier="subnets")
        filters = [{"Name": "replication-subnet-group-id", "Values": ["subnets"]}]
        describe = self.dms.describe_replication_subnet_groups
        self.assertRefused("ResourceNotFoundFault", describe, Filters=filters)

    def test_instances_change_and_are_refused(self):
        self.role("dms-vpc-role", "AmazonDMSVPCManagementRole")
        arn = self.instance(Tags=TAGS, ResourceIdentifier="mine")
        self.assertTrue(arn.endswith(":rep:mine"))
        self.assertRefused("ResourceAlreadyExistsFault", self.instance)
        bad = "InvalidParameterValueException"
        self.assertRefused(bad, self.instance, name="other", EngineVersion="3.4.6")
        modify = self.dms.modify_replication_instance
        self.assertRefused(
            "InvalidParameterCombinationException", modify, ReplicationInstanceArn=arn
        )
        self.assertRefused(bad, modify, ReplicationInstanceArn=arn, AllocatedStorage=20)
        modify(ReplicationInstanceArn=arn, AllocatedStorage=60, ApplyImmediately=True)
        self.assertRefused(
            "InvalidResourceStateFault", modify, ReplicationInstanceArn=arn, AllocatedStorage=70
        )
        self.eventually(lambda: self.instance_status(arn) == "available")

    def test_tags_are_listed_for_many(self):
        self.role("dms-vpc-role", "AmazonDMSVPCManagementRole")
        arns = [self.instance(), self.instance("two")]
        self.dms.add_tags_to_resource(ResourceArn=arns[0], Tags=[{"Key": "a", "Value": "1"}])
        listed = self.dms.list_tags_for_resource(ResourceArnList=arns)["TagList"]
        self.assertEqual(listed, [{"Key": "a", "Value": "1", "ResourceArn": arns[0]}])
        self.dms.remove_tags_from_resource(ResourceArn=arns[0], TagKeys=["a"])
        self.assertEqual(self.dms.list_tags_for_resource(ResourceArn=arns[0])["TagList"], [])
        gone = "arn:aws:dms:us-east-1:123456789012:rep:X"
        self.assertRefused(
            "ResourceNotFoundFault", self.dms.list_tags_for_resource, ResourceArn=gone
        )


class Endpoints(Dms):
    def server(self, name="db", engine="postgres", **more):
        request = {
            "ServerName": "db.example.com",
            "Port": 5432,
            "Username": "u",
            "Password": "p",
            **more,
        }
        return self.dms.create_endpoint(
            EndpointIdentifier=name, EndpointType="source", EngineName=engine, **request
        )["Endpoint"]

    def test_endpoints_give_back_what_they_were_given(self):
        endpoint = self.server(PostgreSQLSettings={"HeartbeatEnable": True}, DatabaseName="coins")
        self.assertEqual(endpoint["EndpointType"], "SOURCE")
        self.assertEqual(endpoint["PostgreSQLSettings"]["DatabaseName"], "coins")
        self.assertNotIn("p", endpoint["PostgreSQLSettings"].values())
        arn = endpoint["EndpointArn"]
        settings = {"PluginName": "pglogical"}
        modify = self.dms.modify_endpoint
        self.assertRefused(
            "InvalidParameterCombinationException",
            modify,
            EndpointArn=arn,
            PostgreSQLSettings=settings,
        )
        changed = modify(EndpointArn=arn, EngineName="postgres", PostgreSQLSettings=settings)
        self.assertTrue(changed["Endpoint"]["PostgreSQLSettings"]["HeartbeatEnable"])

    def test_endpoints_are_refused(self):
        self.server()
        bad = "InvalidParameterValueException"
        self.assertRefused("ResourceAlreadyExistsFault", self.server)
        self.assertRefused(bad, self.server, name="a", engine="excel")
        self.assertRefused(bad, self.server, name="a", S3Settings={"BucketName": "b"})
        self.assertRefused(bad, self.server, name="a", engine="mysql", SslMode="require")
        self.s3_role = "arn:aws:iam::123456789012:role/nobody"
        self.assertRefused("AccessDeniedFault", self.s3, name="b", way="target")

    def test_certificates(self):
        imported = self.dms.import_certificate
        self.assertRefused(
            "InvalidCertificateFault", imported, CertificateIdentifier="c", CertificatePem="x"
        )
        arn = imported(CertificateIdentifier="c", CertificatePem=PEM)["Certificate"][
            "CertificateArn"
        ]
        endpoint = self.server(SslMode="verify-full", CertificateArn=arn)
        delete = self.dms.delete_certificate
        self.assertRefused("InvalidResourceStateFault", delete, CertificateArn=arn)
        self.dms.delete_endpoint(EndpointArn=endpoint["EndpointArn"])
        self.eventually(lambda: not self.dms.describe_endpoints()["Endpoints"])
        delete(CertificateArn=arn)


class Tasks(Dms):
    def test_a_full_load_runs_to_its_end_once_connections_are_tested(self):
        instance, source, target = self.lake()
        task = self.task(instance, source, target)
        self.assertRefused("InvalidResourceStateFault", self.start, arn=task)
        self.connect(instance, source, target)
        self.start(task)
        self.assertRefused(
            "InvalidResourceStateFault",
            self.dms.delete_replication_task,
            ReplicationTaskArn=task,
        )
        self.eventually(lambda: self.shown(task)["Status"] == "stopped")
        self.assertIn("FULL_LOAD_ONLY_FINISHED", self.shown(task)["StopReason"])
        self.assertRefused(
            "InvalidParameterCombinationException",
            self.start,
            arn=task,
            how="resume-processing",
        )
        self.start(task, "reload-target")

    def test_only_what_stands_still_is_changed(self):
        instance, source, target = self.lake()
        task = self.task(instance, source, target, MigrationType="cdc")
        self.connect(instance, source, target)
        self.start(task)
        self.eventually(lambda: self.shown(task)["Status"] == "running")
        modify = self.dms.modify_replication_task
        settings = json.dumps({"TargetMetadata": {"LobMaxSize": 64}})
        request = {"ReplicationTaskArn": task, "ReplicationTaskSettings": settings}
        self.assertRefused("InvalidResourceStateFault", modify, **request)
        endpoint = {"EndpointArn": source, "EngineName": "s3"}
        self.assertRefused("InvalidResourceStateFault", self.dms.modify_endpoint, **endpoint)
        self.dms.stop_replication_task(ReplicationTaskArn=task)
        self.eventually(lambda: self.shown(task)["Status"] == "stopped")
        modify(**request)
        self.assertEqual(self.shown(task)["Status"], "modifying")
        self.eventually(lambda: self.shown(task)["Status"] == "stopped")
        metadata = json.loads(self.shown(task)["ReplicationTaskSettings"])["TargetMetadata"]
        self.assertEqual((metadata["LobMaxSize"], metadata["SupportLobs"]), (64, True))
        other = self.instance("other")
        self.dms.move_replication_task(ReplicationTaskArn=task, TargetReplicationInstanceArn=other)
        self.eventually(lambda: self.shown(task)["ReplicationInstanceArn"] == other)

    def test_what_is_used_stays(self):
        instance, source, target = self.lake()
        self.task(instance, source, target)
        refused = "InvalidResourceStateFault"
        delete = self.dms.delete_replication_instance
        self.assertRefused(refused, delete, ReplicationInstanceArn=instance)
        self.assertRefused(refused, self.dms.delete_endpoint, EndpointArn=source)

    def test_tasks_are_refused(self):
        ends = self.lake()
        bad = "InvalidParameterValueException"
        for mappings in ("{", '{"rules": []}', '{"rules": [{"rule-type": "selection"}]}'):
            with self.subTest(mappings):
                with self.assertRaises(self.dms.exceptions.ClientError) as caught:
                    self.task(*ends, TableMappings=mappings)
                self.assertEqual(caught.exception.response["Error"]["Code"], bad)
        instance, source, target = ends
        with self.assertRaises(self.dms.exceptions.ClientError):
            self.task(instance, target, source)
        logging = json.dumps({"Logging": {"EnableLogging": True}})
        with self.assertRaises(self.dms.exceptions.AccessDeniedFault):
            self.task(*ends, ReplicationTaskSettings=logging)
        self.role("dms-cloudwatch-logs-role", "AmazonDMSCloudWatchLogsRole")
        self.task(*ends, ReplicationTaskSettings=logging)

    def test_a_bucket_that_is_not_there_fails_the_connection(self):
        instance, source, _ = self.lake()
        client("s3").delete_bucket(Bucket="raw")
        self.connect(instance, source)
        self.assertIn("raw", self.connections()[0]["LastFailureMessage"])
        pair = {"ReplicationInstanceArn": instance, "EndpointArn": source}
        self.dms.delete_connection(**pair)
        self.assertEqual(self.connections(), [])
