"""S3 buckets as AWS makes, guards and deletes them."""

import json

from support import SandboxTest, client


class S3(SandboxTest):
    def setUp(self):
        super().setUp()
        self.s3 = client("s3")

    def encryption(self):
        answer = self.s3.get_bucket_encryption(Bucket="lake")
        return answer["ServerSideEncryptionConfiguration"]["Rules"]

    def test_a_new_bucket_has_the_defaults_of_aws(self):
        self.s3.create_bucket(Bucket="lake")
        default = {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": False,
        }
        self.assertEqual(self.encryption(), [default])
        block = self.s3.get_public_access_block(Bucket="lake")["PublicAccessBlockConfiguration"]
        self.assertEqual(set(block.values()), {True})
        self.assertEqual(len(block), 4)
        controls = self.s3.get_bucket_ownership_controls(Bucket="lake")["OwnershipControls"]
        self.assertEqual(controls["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}])
        self.assertRefused("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket="lake")

    def test_without_its_own_encryption_a_bucket_has_the_default(self):
        self.s3.create_bucket(Bucket="lake")
        rule = {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
            "BucketKeyEnabled": True,
        }
        self.s3.put_bucket_encryption(
            Bucket="lake", ServerSideEncryptionConfiguration={"Rules": [rule]}
        )
        self.assertEqual(self.encryption(), [rule])
        self.s3.delete_bucket_encryption(Bucket="lake")
        algorithm = self.encryption()[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
        self.assertEqual(algorithm, "AES256")

    def test_bad_names_are_refused(self):
        for name in ("ab", "Upper", "under_score", "a..b", "192.168.0.1", "-start", "x-s3alias"):
            self.assertRefused("InvalidBucketName", self.raw_create, Bucket=name)

    def raw_create(self, Bucket):
        # boto3 checks some names itself.
        events = self.s3.meta.events
        events.unregister("before-parameter-build.s3", _validate_name())
        self.s3.create_bucket(Bucket=Bucket)

    def test_tags_are_set_at_creation(self):
        tags = [{"Key": "lagoa:stack", "Value": "demo"}, {"Key": "empty", "Value": ""}]
        self.s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"Tags": tags})
        self.assertEqual(self.s3.get_bucket_tagging(Bucket="lake")["TagSet"], tags)

    def test_tags_end_with_the_bucket(self):
        tags = [{"Key": "a", "Value": "b"}]
        self.s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"Tags": tags})
        self.s3.delete_bucket(Bucket="lake")
        self.s3.create_bucket(Bucket="lake")
        self.assertRefused("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket="lake")

    def test_a_bucket_with_versions_stays(self):
        self.s3.create_bucket(Bucket="lake")
        self.s3.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket="lake", Key="k", Body=b"1")
        self.assertRefused("BucketNotEmpty", self.s3.delete_bucket, Bucket="lake")
        self.s3.delete_object(Bucket="lake", Key="k")
        self.assertRefused("BucketNotEmpty", self.s3.delete_bucket, Bucket="lake")
        versions = self.s3.list_object_versions(Bucket="lake")
        self.s3.delete_object(
            Bucket="lake", Key="k", VersionId=versions["Versions"][0]["VersionId"]
        )
        self.assertRefused("BucketNotEmpty", self.s3.delete_bucket, Bucket="lake")
        self.s3.delete_object(
            Bucket="lake", Key="k", VersionId=versions["DeleteMarkers"][0]["VersionId"]
        )
        self.s3.delete_bucket(Bucket="lake")
        self.assertRefused("404", self.s3.head_bucket, Bucket="lake")

    def test_a_policy_is_kept_but_not_enforced(self):
        self.s3.create_bucket(Bucket="lake")
        statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.s3.put_bucket_policy(Bucket="lake", Policy=policy)
        self.s3.put_object(Bucket="lake", Key="k", Body=b"")
        self.assertEqual(self.s3.get_bucket_policy(Bucket="lake")["Policy"], policy)

    def test_notifications_to_eventbridge_are_given_back(self):
        self.s3.create_bucket(Bucket="lake")
        get = self.s3.get_bucket_notification_configuration
        self.assertNotIn("EventBridgeConfiguration", get(Bucket="lake"))
        self.s3.put_bucket_notification_configuration(
            Bucket="lake", NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        self.assertEqual(get(Bucket="lake")["EventBridgeConfiguration"], {})

    def test_lifecycle_rules_are_given_back_whole(self):
        self.s3.create_bucket(Bucket="lake")
        noncurrent = {"NoncurrentDays": 3, "NewerNoncurrentVersions": 4}
        sizes = {"Prefix": "a/", "ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 9}
        rules = [
            {
                "ID": "sizes",
                "Status": "Enabled",
                "Filter": {"And": sizes},
                "NoncurrentVersionExpiration": noncurrent,
            },
            {"Status": "Disabled", "Filter": {"ObjectSizeLessThan": 9}, "Expiration": {"Days": 1}},
        ]
        self.s3.put_bucket_lifecycle_configuration(
            Bucket="lake",
            LifecycleConfiguration={"Rules": rules},
            TransitionDefaultMinimumObjectSize="varies_by_storage_class",
        )
        answer = self.s3.get_bucket_lifecycle_configuration(Bucket="lake")
        self.assertEqual(answer["Rules"][0], rules[0])
        self.assertTrue(answer["Rules"][1].pop("ID"))
        self.assertEqual(answer["Rules"][1], rules[1])
        minimum = answer["TransitionDefaultMinimumObjectSize"]
        self.assertEqual(minimum, "varies_by_storage_class")
        self.s3.delete_bucket_lifecycle(Bucket="lake")
        self.assertRefused(
            "NoSuchLifecycleConfiguration",
            self.s3.get_bucket_lifecycle_configuration,
            Bucket="lake",
        )

    def test_a_full_bucket_may_get_a_lock_once_it_has_versions(self):
        self.s3.create_bucket(Bucket="lake")
        self.s3.put_object(Bucket="lake", Key="a", Body=b"1")
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
        lock = {
            "Bucket": "lake",
            "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": rule},
        }
        put = self.s3.put_object_lock_configuration
        self.assertRefused("InvalidBucketState", put, **lock)
        versioning = {"Bucket": "lake", "VersioningConfiguration": {"Status": "Enabled"}}
        self.s3.put_bucket_versioning(**versioning)
        put(**lock)
        answer = self.s3.get_object_lock_configuration(Bucket="lake")
        self.assertEqual(answer["ObjectLockConfiguration"]["ObjectLockEnabled"], "Enabled")
        versioning["VersioningConfiguration"]["Status"] = "Suspended"
        self.assertRefused("InvalidBucketState", self.s3.put_bucket_versioning, **versioning)

    def test_the_form_of_log_keys_is_given_back(self):
        policy = {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::logs/*",
        }
        for name in ("lake", "logs"):
            self.s3.create_bucket(Bucket=name)
        self.s3.put_bucket_policy(Bucket="logs", Policy=json.dumps({"Statement": [policy]}))
        form = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
        logging = {"TargetBucket": "logs", "TargetPrefix": "", "TargetObjectKeyFormat": form}
        self.s3.put_bucket_logging(Bucket="lake", BucketLoggingStatus={"LoggingEnabled": logging})
        self.assertEqual(self.s3.get_bucket_logging(Bucket="lake")["LoggingEnabled"], logging)
        self.assertNotIn("LoggingEnabled", self.s3.get_bucket_logging(Bucket="logs"))

    def test_access_lists_are_refused(self):
        self.s3.create_bucket(Bucket="lake")
        self.assertRefused(
            "AccessControlListNotSupported",
            self.s3.put_bucket_acl,
            Bucket="lake",
            ACL="public-read",
        )

    def test_broken_policies_are_refused(self):
        self.s3.create_bucket(Bucket="lake")
        for policy in ("{", "{}", '{"Statement": [{"Effect": "Allow"}]}'):
            self.assertRefused(
                "MalformedPolicy", self.s3.put_bucket_policy, Bucket="lake", Policy=policy
            )


def _validate_name():
    from botocore.handlers import validate_bucket_name

    return validate_bucket_name
