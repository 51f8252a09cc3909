"""The Parameter Store."""

from support import SandboxTest, client


class Ssm(SandboxTest):
    def setUp(self):
        super().setUp()
        self.ssm = client("ssm")

    def put(self, value="x", **more):
        return self.ssm.put_parameter(Name="/app/x", Value=value, **{"Type": "String", **more})

    def test_a_type_stays(self):
        self.put()
        self.assertRefused("ParameterAlreadyExists", self.put)
        self.assertRefused(
            "HierarchyTypeMismatchException", self.put, Type="SecureString", Overwrite=True
        )
        self.assertEqual(self.put("y", Overwrite=True)["Version"], 2)

    def test_advanced_does_not_become_standard(self):
        self.assertRefused("ValidationException", self.put, value="x" * 5000)
        self.put("x" * 5000, Tier="Intelligent-Tiering")
        [found] = self.ssm.describe_parameters()["Parameters"]
        self.assertEqual(found["Tier"], "Advanced")
        self.assertRefused("ValidationException", self.put, Tier="Standard", Overwrite=True)

    def test_values_fit_the_pattern(self):
        self.assertRefused(
            "ParameterPatternMismatchException", self.put, value="abc", AllowedPattern="^[0-9]+$"
        )
        self.put("123", AllowedPattern="^[0-9]+$")

    def test_secrets_have_a_key(self):
        self.put(Type="SecureString")
        [found] = self.ssm.describe_parameters()["Parameters"]
        self.assertEqual(found["KeyId"], "alias/aws/ssm")
        plain = self.ssm.get_parameter(Name="/app/x", WithDecryption=True)["Parameter"]["Value"]
        self.assertEqual(plain, "x")
        sealed = self.ssm.get_parameter(Name="/app/x")["Parameter"]["Value"]
        self.assertNotEqual(sealed, "x")
