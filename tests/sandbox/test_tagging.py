"""What the Resource Groups Tagging API finds, and the sandbox's own endpoints."""

from support import SandboxTest, client, server
from test_iam import POLICY, TRUST

TAGS = [{"Key": "lagoa:stack", "Value": "demo"}, {"Key": "lagoa:name", "Value": "x"}]
FILTERS = [{"Key": "lagoa:stack", "Values": ["demo"]}]


class Tagging(SandboxTest):
    def setUp(self):
        super().setUp()
        self.tagging = client("resourcegroupstaggingapi")

    def fill(self):
        """One of everything, tagged."""
        ec2, rds, iam = client("ec2"), client("rds"), client("iam")
        client("s3").create_bucket(Bucket="lake", CreateBucketConfiguration={"Tags": TAGS})
        ec2.create_security_group(
            GroupName="g",
            Description="g",
            TagSpecifications=[{"ResourceType": "security-group", "Tags": TAGS}],
        )
        ec2.create_key_pair(
            KeyName="k",
            KeyType="ed25519",
            TagSpecifications=[{"ResourceType": "key-pair", "Tags": TAGS}],
        )
        subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"][:2]]
        rds.create_db_subnet_group(
            DBSubnetGroupName="g", DBSubnetGroupDescription="g", SubnetIds=subnets, Tags=TAGS
        )
        rds.create_db_parameter_group(
            DBParameterGroupName="g",
            DBParameterGroupFamily="postgres15",
            Description="g",
            Tags=TAGS,
        )
        rds.create_db_instance(
            DBInstanceIdentifier="coins",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="owner",
            MasterUserPassword="long-enough",
            Tags=TAGS,
        )
        client("secretsmanager").create_secret(Name="s", SecretString="s", Tags=TAGS)
        iam.create_policy(PolicyName="p", PolicyDocument=POLICY, Tags=TAGS)
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, Tags=TAGS)
        iam.create_user(UserName="u", Tags=TAGS)

    def kinds(self, region="us-east-1", **request):
        tagging = client("resourcegroupstaggingapi", region)
        pages = tagging.get_paginator("get_resources").paginate(TagFilters=FILTERS, **request)
        found = [r["ResourceARN"] for page in pages for r in page["ResourceTagMappingList"]]
        return sorted(
            ":".join(arn.split(":")[2:3] + arn.split(":")[5:6]).split("/")[0] for arn in found
        )

    def test_everything_but_users_and_roles_is_found(self):
        self.fill()
        expected = [
            "ec2:key-pair",
            "ec2:security-group",
            "iam:policy",
            "rds:db",
            "rds:pg",
            "rds:subgrp",
            "s3:lake",
            "secretsmanager:secret",
        ]
        self.assertEqual(self.kinds(), expected)
        self.assertEqual(self.kinds(PaginationConfig={"PageSize": 3}), expected)
        self.assertEqual(self.kinds("eu-west-1"), [])
        self.assertEqual(
            self.kinds(ResourceTypeFilters=["rds", "s3:bucket"]),
            ["rds:db", "rds:pg", "rds:subgrp", "s3:lake"],
        )

    def test_filters_go_together(self):
        client("s3").create_bucket(Bucket="lake", CreateBucketConfiguration={"Tags": TAGS})
        for filters, count in (
            ([{"Key": "lagoa:stack"}], 1),
            ([*FILTERS, {"Key": "lagoa:name", "Values": ["x", "y"]}], 1),
            ([*FILTERS, {"Key": "lagoa:name", "Values": ["y"]}], 0),
            ([{"Key": "lagoa:stack", "Values": ["other"]}], 0),
        ):
            answer = self.tagging.get_resources(TagFilters=filters)
            self.assertEqual(len(answer["ResourceTagMappingList"]), count, filters)


class OwnEndpoints(SandboxTest):
    def test_requests_are_counted(self):
        s3 = client("s3")
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="a/b", Body=b"")
        s3.get_bucket_encryption(Bucket="lake")
        s3.list_objects_v2(Bucket="lake")
        client("iam").list_roles()
        client("secretsmanager").list_secrets()
        self.assertEqual(
            server().get("/_lagoa/requests"),
            {
                "total": 6,
                "operations": {
                    "iam:ListRoles": 1,
                    "s3:CreateBucket": 1,
                    "s3:GetBucketEncryption": 1,
                    "s3:ListObjectsV2": 1,
                    "s3:PutObject": 1,
                    "secretsmanager:ListSecrets": 1,
                },
            },
        )
        self.assertEqual(server().get("/_lagoa/health")["requests"], 6)
        server().post("/_lagoa/requests/reset")
        self.assertEqual(server().get("/_lagoa/requests")["total"], 0)

    def test_a_reset_forgets_everything(self):
        client("s3").create_bucket(Bucket="lake")
        server().post("/_lagoa/reset")
        self.assertEqual(client("s3").list_buckets()["Buckets"], [])

    def test_what_is_missing_is_said(self):
        message = self.assertRefused("NotImplemented", client("rds").describe_account_attributes)
        self.assertIn("rds:DescribeAccountAttributes", message)
