"""Aurora clusters and their parameter groups."""

from support import SandboxTest, client

FAMILY = "aurora-postgresql16"


class RdsClusters(SandboxTest):
    def setUp(self):
        super().setUp()
        self.rds = client("rds")

    def create(self, name="app", **more):
        settings = {
            "Engine": "aurora-postgresql",
            "MasterUsername": "app",
            "MasterUserPassword": "s3cret-s3cret",
        }
        return self.rds.create_db_cluster(DBClusterIdentifier=name, **{**settings, **more})

    def cluster(self, name="app"):
        [cluster] = self.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        return cluster

    def settle(self, status="available"):
        self.eventually(lambda: self.cluster()["Status"] == status)

    def test_a_cluster_comes_up_and_keeps_what_it_was_made_with(self):
        self.create(
            "App",
            EngineVersion="16",
            EnableHttpEndpoint=True,
            ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4},
        )
        self.assertEqual(self.cluster()["Status"], "creating")
        self.settle()
        cluster = self.cluster()
        self.assertEqual(cluster["EngineVersion"], "16.9")
        self.assertTrue(cluster["HttpEndpointEnabled"])
        self.assertEqual(cluster["ServerlessV2ScalingConfiguration"]["MinCapacity"], 0.5)
        self.assertEqual(cluster["DBClusterParameterGroup"], f"default.{FAMILY}")
        self.assertRefused("DBClusterAlreadyExistsFault", self.create)

    def test_a_cluster_goes_with_a_snapshot_or_without(self):
        self.create()
        self.settle()
        self.assertRefused(
            "InvalidParameterCombination", self.rds.delete_db_cluster, DBClusterIdentifier="app"
        )
        self.rds.delete_db_cluster(DBClusterIdentifier="app", SkipFinalSnapshot=True)
        self.assertEqual(self.cluster()["Status"], "deleting")
        self.eventually(lambda: not self.rds.describe_db_clusters()["DBClusters"])
        self.create()
        self.settle()

    def test_the_http_endpoint_is_switched(self):
        arn = self.create()["DBCluster"]["DBClusterArn"]
        self.settle()
        self.rds.enable_http_endpoint(ResourceArn=arn)
        self.assertTrue(self.cluster()["HttpEndpointEnabled"])
        self.rds.disable_http_endpoint(ResourceArn=arn)
        self.assertFalse(self.cluster()["HttpEndpointEnabled"])

    def test_parameter_groups_are_set_reset_and_kept_while_used(self):
        name = {"DBClusterParameterGroupName": "Pg"}
        self.rds.create_db_cluster_parameter_group(
            **name, DBParameterGroupFamily=FAMILY, Description="d"
        )
        parameter = {"ParameterName": "log_statement", "ParameterValue": "ddl"}
        parameter["ApplyMethod"] = "immediate"
        self.rds.modify_db_cluster_parameter_group(**name, Parameters=[parameter])
        listed = self.rds.describe_db_cluster_parameters(**name, Source="user")["Parameters"]
        self.assertEqual([p["ParameterValue"] for p in listed], ["ddl"])
        self.rds.reset_db_cluster_parameter_group(**name, Parameters=[parameter])
        listed = self.rds.describe_db_cluster_parameters(**name, Source="user")["Parameters"]
        self.assertEqual(listed, [])
        self.create(DBClusterParameterGroupName="pg")
        self.assertRefused(
            "InvalidDBParameterGroupState", self.rds.delete_db_cluster_parameter_group, **name
        )

    def test_servers_of_a_cluster_come_change_and_go(self):
        self.create()
        self.settle()
        server = {"DBInstanceIdentifier": "writer"}
        self.rds.create_db_instance(
            **server,
            DBClusterIdentifier="app",
            Engine="aurora-postgresql",
            DBInstanceClass="db.serverless",
            PromotionTier=0,
        )

        def described():
            [instance] = self.rds.describe_db_instances(**server)["DBInstances"]
            return instance

        self.eventually(lambda: described()["DBInstanceStatus"] == "available")
        self.assertEqual(described()["DBClusterIdentifier"], "app")
        self.assertEqual(described()["PromotionTier"], 0)
        self.rds.modify_db_instance(
            **server, DBInstanceClass="db.r6g.large", PromotionTier=3, ApplyImmediately=True
        )
        self.eventually(lambda: described()["DBInstanceClass"] == "db.r6g.large")
        self.assertEqual(described()["PromotionTier"], 3)
        [member] = self.cluster()["DBClusterMembers"]
        self.assertTrue(member["IsClusterWriter"])
        self.assertRefused(
            "InvalidDBClusterStateFault",
            self.rds.delete_db_cluster,
            DBClusterIdentifier="app",
            SkipFinalSnapshot=True,
        )
        self.eventually(lambda: described()["DBInstanceStatus"] == "available")
        self.rds.delete_db_instance(**server, SkipFinalSnapshot=True)
        self.eventually(lambda: not self.rds.describe_db_instances()["DBInstances"])
