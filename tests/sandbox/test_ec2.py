"""Security groups and key pairs."""

from support import SandboxTest, client

ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]
PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9eXwRjKqs0bTzT4DYxkQzHbGm0WQqVY0nHEaIzM8QG me@here"
)


def tagged(kind):
    return [{"ResourceType": kind, "Tags": [{"Key": "lagoa:stack", "Value": "demo"}]}]


def tcp(port, **source):
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}]


class Ec2(SandboxTest):
    def setUp(self):
        super().setUp()
        self.ec2 = client("ec2")
        self.vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]

    def group(self, name):
        answer = self.ec2.create_security_group(
            GroupName=name,
            Description=name,
            VpcId=self.vpc,
            TagSpecifications=tagged("security-group"),
        )
        return answer["GroupId"]

    def describe(self, group_id):
        return self.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]

    def test_there_is_a_default_network(self):
        self.assertTrue(self.ec2.describe_vpcs()["Vpcs"][0]["IsDefault"])
        zones = {s["AvailabilityZone"] for s in self.ec2.describe_subnets()["Subnets"]}
        self.assertGreaterEqual(len(zones), 2)

    def test_a_new_group_lets_everything_out(self):
        group = self.describe(self.group("web"))
        self.assertEqual(group["IpPermissions"], [])
        self.assertEqual(group["IpPermissionsEgress"][0]["IpProtocol"], "-1")
        self.assertEqual(group["IpPermissionsEgress"][0]["IpRanges"], ANYWHERE)
        self.assertEqual(group["Tags"], [{"Key": "lagoa:stack", "Value": "demo"}])

    def test_names_are_taken_once(self):
        self.group("web")
        self.assertRefused(
            "InvalidGroup.Duplicate",
            self.ec2.create_security_group,
            GroupName="web",
            Description="again",
            VpcId=self.vpc,
        )

    def test_rules_come_all_or_none(self):
        group = self.group("db")
        allow = self.ec2.authorize_security_group_ingress
        allow(GroupId=group, IpPermissions=tcp(5432, IpRanges=[{"CidrIp": "10.0.0.5/24"}]))
        both = tcp(22, IpRanges=ANYWHERE) + tcp(5432, IpRanges=[{"CidrIp": "10.0.0.0/24"}])
        self.assertRefused("InvalidPermission.Duplicate", allow, GroupId=group, IpPermissions=both)
        permissions = self.describe(group)["IpPermissions"]
        self.assertEqual([p["FromPort"] for p in permissions], [5432])
        self.assertEqual(permissions[0]["IpRanges"], [{"CidrIp": "10.0.0.0/24"}])
        two = tcp(80, IpRanges=ANYWHERE) + tcp(443, IpRanges=ANYWHERE)
        added = allow(GroupId=group, IpPermissions=two)["SecurityGroupRules"]
        self.assertEqual([rule["FromPort"] for rule in added], [80, 443])

    def test_rules_are_found_by_group(self):
        group = self.group("db")
        answer = self.ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=tcp(5432, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "us"}]),
            TagSpecifications=tagged("security-group-rule"),
        )
        self.assertTrue(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"].startswith("sgr-"))
        rules = self.ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group]}]
        )["SecurityGroupRules"]
        ingress = [rule for rule in rules if not rule["IsEgress"]]
        self.assertEqual(len(rules), 2)
        self.assertEqual(ingress[0]["CidrIpv4"], "10.0.0.0/8")
        self.assertEqual(ingress[0]["Description"], "us")
        self.assertEqual(ingress[0]["Tags"], [{"Key": "lagoa:stack", "Value": "demo"}])

    def test_groups_are_found_by_tag_and_name(self):
        for name in "abcdef":
            self.group(name)
        by_tag = [{"Name": "tag:lagoa:stack", "Values": ["demo"]}]
        groups = self.ec2.describe_security_groups(Filters=by_tag)["SecurityGroups"]
        self.assertEqual(sorted(group["GroupName"] for group in groups), list("abcdef"))
        by_name = [
            {"Name": "group-name", "Values": ["a"]},
            {"Name": "vpc-id", "Values": [self.vpc]},
        ]
        groups = self.ec2.describe_security_groups(Filters=by_name)["SecurityGroups"]
        self.assertEqual([group["GroupName"] for group in groups], ["a"])
        paginator = self.ec2.get_paginator("describe_security_groups")
        pages = list(paginator.paginate(Filters=by_tag, PaginationConfig={"PageSize": 5}))
        self.assertEqual([len(page["SecurityGroups"]) for page in pages], [5, 1])

    def test_a_group_that_another_refers_to_stays(self):
        web, db = self.group("web"), self.group("db")
        pairs = [{"GroupId": web}]
        self.ec2.authorize_security_group_ingress(
            GroupId=db, IpPermissions=tcp(5432, UserIdGroupPairs=pairs)
        )
        delete = self.ec2.delete_security_group
        self.assertRefused("DependencyViolation", delete, GroupId=web)
        delete(GroupId=db)
        delete(GroupId=web)
        self.assertRefused("InvalidGroup.NotFound", delete, GroupId=web)

    def test_a_group_of_a_database_stays(self):
        group = self.group("db")
        rds = client("rds")
        rds.create_db_instance(
            DBInstanceIdentifier="coins",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="owner",
            MasterUserPassword="long-enough",
            VpcSecurityGroupIds=[group],
        )
        delete = self.ec2.delete_security_group
        self.assertRefused("DependencyViolation", delete, GroupId=group)
        rds.delete_db_instance(DBInstanceIdentifier="coins", SkipFinalSnapshot=True)
        self.assertRefused("DependencyViolation", delete, GroupId=group)
        self.eventually(lambda: not rds.describe_db_instances()["DBInstances"])
        delete(GroupId=group)

    def test_the_default_group_stays(self):
        filters = [{"Name": "group-name", "Values": ["default"]}]
        groups = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        default = next(group for group in groups if group["VpcId"] == self.vpc)
        self.assertRefused(
            "CannotDelete", self.ec2.delete_security_group, GroupId=default["GroupId"]
        )

    def test_keys_are_made(self):
        for kind, begin in ((None, "ssh-rsa "), ("rsa", "ssh-rsa "), ("ed25519", "ssh-ed25519 ")):
            name = f"key-{kind}"
            more = {"KeyType": kind} if kind else {}
            made = self.ec2.create_key_pair(
                KeyName=name, TagSpecifications=tagged("key-pair"), **more
            )
            self.assertIn("PRIVATE KEY", made["KeyMaterial"])
            pair = self.ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"][
                0
            ]
            self.assertEqual(pair["KeyType"], kind or "rsa")
            self.assertTrue(pair["PublicKey"].startswith(begin), pair["PublicKey"])
            self.assertEqual(pair["Tags"], [{"Key": "lagoa:stack", "Value": "demo"}])
            self.assertTrue(pair["KeyPairId"].startswith("key-"))
        self.assertRefused("InvalidKeyPair.Duplicate", self.ec2.create_key_pair, KeyName="key-rsa")

    def test_keys_are_imported(self):
        self.ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=PUBLIC_KEY.encode())
        pair = self.ec2.describe_key_pairs(KeyNames=["mine"], IncludePublicKey=True)["KeyPairs"][0]
        self.assertEqual(pair["KeyType"], "ed25519")
        self.assertEqual(pair["PublicKey"].split()[:2], PUBLIC_KEY.split()[:2])
        without = self.ec2.describe_key_pairs(KeyNames=["mine"])["KeyPairs"][0]
        self.assertNotIn("PublicKey", without)
        self.ec2.delete_key_pair(KeyName="mine")
        self.assertRefused(
            "InvalidKeyPair.NotFound", self.ec2.describe_key_pairs, KeyNames=["mine"]
        )
        self.assertRefused(
            "InvalidKey.Format",
            self.ec2.import_key_pair,
            KeyName="bad",
            PublicKeyMaterial=b"not a key",
        )
