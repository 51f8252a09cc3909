"""Log groups."""

from support import SandboxTest, client


class Logs(SandboxTest):
    def setUp(self):
        super().setUp()
        self.logs = client("logs")

    def only(self):
        [group] = self.logs.describe_log_groups(logGroupNamePrefix="app")["logGroups"]
        return group

    def test_what_a_group_is_made_with_is_kept(self):
        self.logs.create_log_group(
            logGroupName="app",
            logGroupClass="INFREQUENT_ACCESS",
            deletionProtectionEnabled=True,
            tags={"lagoa:stack": "demo"},
        )
        group = self.only()
        self.assertEqual(group["logGroupClass"], "INFREQUENT_ACCESS")
        self.assertTrue(group["deletionProtectionEnabled"])
        arn = group["logGroupArn"]
        tags = self.logs.list_tags_for_resource(resourceArn=arn)["tags"]
        self.assertEqual(tags, {"lagoa:stack": "demo"})

    def test_a_protected_group_stays(self):
        self.logs.create_log_group(logGroupName="app", deletionProtectionEnabled=True)
        self.assertRefused(
            "InvalidParameterException", self.logs.delete_log_group, logGroupName="app"
        )
        self.logs.put_log_group_deletion_protection(
            logGroupIdentifier="app", deletionProtectionEnabled=False
        )
        arn = self.only()["logGroupArn"]
        self.logs.delete_log_group(logGroupName="app")
        self.assertRefused(
            "ResourceNotFoundException", self.logs.list_tags_for_resource, resourceArn=arn
        )

    def test_days_are_those_of_the_list(self):
        self.logs.create_log_group(logGroupName="app")
        self.assertRefused(
            "InvalidParameterException",
            self.logs.put_retention_policy,
            logGroupName="app",
            retentionInDays=31,
        )
        self.logs.put_retention_policy(logGroupName="app", retentionInDays=30)
        self.assertEqual(self.only()["retentionInDays"], 30)

    def test_keys_come_and_go(self):
        key = "arn:aws:kms:us-east-1:123456789012:key/5f2d8f9e-1f0a-4c1e-9d6a-2f1f5a5b0c11"
        self.logs.create_log_group(logGroupName="app")
        self.logs.associate_kms_key(logGroupName="app", kmsKeyId=key)
        self.assertEqual(self.only()["kmsKeyId"], key)
        self.logs.disassociate_kms_key(logGroupName="app")
        self.assertNotIn("kmsKeyId", self.only())
