"""Secrets."""

from support import SandboxTest, client

TAGS = [{"Key": "lagoa:stack", "Value": "demo"}]


class SecretsManager(SandboxTest):
    def setUp(self):
        super().setUp()
        self.secrets = client("secretsmanager")

    def create(self, name="db", **more):
        return self.secrets.create_secret(Name=name, SecretString="s3cret", **more)

    def test_a_name_that_waits_for_deletion_is_taken(self):
        self.create()
        self.assertRefused("ResourceExistsException", self.create)
        self.secrets.delete_secret(SecretId="db")
        self.assertRefused("InvalidRequestException", self.create)
        self.assertRefused("InvalidRequestException", self.secrets.get_secret_value, SecretId="db")
        self.secrets.restore_secret(SecretId="db")
        value = self.secrets.get_secret_value(SecretId="db")
        self.assertEqual(value["SecretString"], "s3cret")
        self.secrets.delete_secret(SecretId="db", ForceDeleteWithoutRecovery=True)
        self.create()

    def test_values_are_written_once_per_token(self):
        token = "0123456789abcdef0123456789abcdef"
        self.create()
        for _ in range(2):
            self.secrets.put_secret_value(
                SecretId="db", SecretString="new", ClientRequestToken=token
            )
        self.assertEqual(self.secrets.get_secret_value(SecretId="db")["VersionId"], token)

    def test_secrets_are_listed_with_tags_by_filter_and_page(self):
        for number in range(3):
            self.create(f"app/{number}", Tags=TAGS)
        self.create("other")
        found = self.secrets.list_secrets(Filters=[{"Key": "tag-key", "Values": ["lagoa:stack"]}])
        self.assertEqual(len(found["SecretList"]), 3)
        self.assertEqual(found["SecretList"][0]["Tags"], TAGS)
        found = self.secrets.list_secrets(Filters=[{"Key": "name", "Values": ["app/1"]}])
        self.assertEqual([s["Name"] for s in found["SecretList"]], ["app/1"])
        paginator = self.secrets.get_paginator("list_secrets")
        pages = list(paginator.paginate(PaginationConfig={"PageSize": 3}))
        self.assertEqual([len(page["SecretList"]) for page in pages], [3, 1])

    def test_a_description_can_be_emptied(self):
        self.create(Description="old")
        self.secrets.update_secret(SecretId="db", Description="")
        self.assertFalse(self.secrets.describe_secret(SecretId="db").get("Description"))

    def test_passwords_are_made(self):
        answer = self.secrets.get_random_password(PasswordLength=20, ExcludePunctuation=True)
        self.assertRegex(answer["RandomPassword"], r"^[A-Za-z0-9]{20}$")
