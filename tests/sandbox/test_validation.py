"""Requests are checked against AWS's service models."""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from support import SandboxTest, server


def client(service):
    """A client that says it is lagoa's, and sends whatever it is told to."""
    return boto3.client(
        service,
        endpoint_url=server().endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIALAGOASANDBOX0000",
        aws_secret_access_key="sandbox",
        config=Config(
            retries={"max_attempts": 0},
            user_agent_extra="aws-sdk-rust/1",
            parameter_validation=False,
            s3={"addressing_style": "path"},
        ),
    )


class Validation(SandboxTest):
    def seen_of(self, service, operation, request):
        """What is found in one request."""
        before = server().get("/_lagoa/validation")
        try:
            getattr(client(service), operation)(**request)
        except (ClientError, ValueError):
            # What the sandbox makes of it is not asked here.
            pass
        after = server().get("/_lagoa/validation")
        self.assertEqual(after["checked"], before["checked"] + 1)
        return after["invalid"][len(before["invalid"]) :]

    def test_good_requests_of_every_protocol_pass(self):
        tags = [{"Key": "lagoa:stack", "Value": "à la carte"}]
        rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        selector = {"ResourceType": "security-group", "Tags": tags}
        for service, operation, request in [
            (
                "iam",
                "create_role",
                {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": tags},
            ),
            (
                "rds",
                "create_db_instance",
                {
                    "DBInstanceIdentifier": "db",
                    "DBInstanceClass": "db.t3.micro",
                    "Engine": "postgres",
                    "Tags": tags,
                    "VpcSecurityGroupIds": ["sg-1", "sg-2"],
                    "MultiAZ": False,
                },
            ),
            (
                "ec2",
                "create_security_group",
                {"GroupName": "g", "Description": "d", "TagSpecifications": [selector]},
            ),
            ("ec2", "describe_subnets", {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}),
            ("s3", "list_buckets", {}),
            ("s3", "put_bucket_tagging", {"Bucket": "abc", "Tagging": {"TagSet": tags}}),
            (
                "s3",
                "put_bucket_lifecycle_configuration",
                {"Bucket": "abc", "LifecycleConfiguration": {"Rules": [rule]}},
            ),
            ("s3", "get_object", {"Bucket": "abc", "Key": "a/b c+d"}),
            ("s3", "delete_objects", {"Bucket": "abc", "Delete": {"Objects": [{"Key": "k"}]}}),
            ("secretsmanager", "create_secret", {"Name": "s", "SecretString": "x", "Tags": tags}),
            (
                "eks",
                "create_nodegroup",
                {
                    "clusterName": "c",
                    "nodegroupName": "n",
                    "subnets": ["subnet-1"],
                    "nodeRole": "arn:aws:iam::123456789012:role/r",
                    "labels": {"a": "b"},
                },
            ),
            ("eks", "list_clusters", {"maxResults": 10}),
            ("dms", "describe_endpoints", {"Filters": [{"Name": "endpoint-id", "Values": ["e"]}]}),
        ]:
            with self.subTest(operation):
                self.assertEqual(self.seen_of(service, operation, request), [])

    def test_bad_requests_of_every_protocol_are_found(self):
        for service, operation, request, wrong in [
            ("iam", "create_role", {"AssumeRolePolicyDocument": "{}"}, "RoleName: missing"),
            ("iam", "create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": "{}"}, "match"),
            (
                "iam",
                "create_role",
                {"RoleName": "r" * 65, "AssumeRolePolicyDocument": "{}"},
                "65 characters",
            ),
            ("rds", "create_db_subnet_group", {"DBSubnetGroupName": "g"}, "SubnetIds: missing"),
            (
                "ec2",
                "create_security_group",
                {
                    "GroupName": "g",
                    "Description": "d",
                    "TagSpecifications": [{"ResourceType": "cabbage", "Tags": []}],
                },
                "cabbage",
            ),
            (
                "s3",
                "put_bucket_versioning",
                {"Bucket": "abc", "VersioningConfiguration": {"Status": "On"}},
                "'On' is none of",
            ),
            ("secretsmanager", "create_secret", {"SecretString": "x"}, "Name: missing"),
            (
                "secretsmanager",
                "delete_secret",
                {"SecretId": "s", "RecoveryWindowInDays": "soon"},
                "no long",
            ),
            ("eks", "create_cluster", {"name": "c", "roleArn": "r"}, "resourcesVpcConfig: missing"),
            (
                "dms",
                "create_endpoint",
                {"EndpointIdentifier": "e", "EndpointType": "sideways", "EngineName": "s3"},
                "sideways",
            ),
        ]:
            with self.subTest(operation):
                self.assertIn(wrong, " ".join(self.seen_of(service, operation, request)))
