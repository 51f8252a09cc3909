"""KMS keys."""

from support import SandboxTest, client

TAGS = [{"TagKey": "lagoa:stack", "TagValue": "demo"}]


class Kms(SandboxTest):
    def setUp(self):
        super().setUp()
        self.kms = client("kms")
        self.id = self.kms.create_key(Tags=TAGS)["KeyMetadata"]["KeyId"]

    def test_an_alias_leads_to_one_key(self):
        self.kms.create_alias(AliasName="alias/data", TargetKeyId=self.id)
        self.assertEqual(self.kms.describe_key(KeyId="alias/data")["KeyMetadata"]["KeyId"], self.id)
        self.assertRefused(
            "AlreadyExistsException",
            self.kms.create_alias,
            AliasName="alias/data",
            TargetKeyId=self.id,
        )
        self.assertRefused("NotFoundException", self.kms.describe_key, KeyId="alias/other")

    def test_rotation_has_a_period(self):
        self.kms.enable_key_rotation(KeyId=self.id)
        status = self.kms.get_key_rotation_status(KeyId=self.id)
        self.assertEqual(
            (status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 365)
        )
        self.kms.enable_key_rotation(KeyId=self.id, RotationPeriodInDays=180)
        status = self.kms.get_key_rotation_status(KeyId=self.id)
        self.assertEqual(status["RotationPeriodInDays"], 180)
        self.kms.disable_key_rotation(KeyId=self.id)
        status = self.kms.get_key_rotation_status(KeyId=self.id)
        self.assertNotIn("RotationPeriodInDays", status)

    def test_a_key_that_waits_for_deletion_can_only_be_kept(self):
        self.assertRefused("KMSInvalidStateException", self.kms.cancel_key_deletion, KeyId=self.id)
        self.kms.schedule_key_deletion(KeyId=self.id, PendingWindowInDays=7)
        for refused in (
            lambda: self.kms.enable_key(KeyId=self.id),
            lambda: self.kms.tag_resource(KeyId=self.id, Tags=TAGS),
            lambda: self.kms.schedule_key_deletion(KeyId=self.id),
        ):
            self.assertRefused("KMSInvalidStateException", refused)
        self.assertEqual(self.kms.list_resource_tags(KeyId=self.id)["Tags"], TAGS)
        self.kms.cancel_key_deletion(KeyId=self.id)
        self.assertEqual(
            self.kms.describe_key(KeyId=self.id)["KeyMetadata"]["KeyState"], "Disabled"
        )
        self.kms.enable_key(KeyId=self.id)
