"""IAM as AWS checks, lists and deletes it."""

import json
import urllib.request

from support import SandboxTest, client, server

ACCOUNT = "123456789012"
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
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
TAGS = [{"Key": "lagoa:stack", "Value": "demo"}]


class Iam(SandboxTest):
    def setUp(self):
        super().setUp()
        self.iam = client("iam")

    def role(self, name="dms", **more):
        return self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, **more)["Role"]

    def policy(self, name="read"):
        answer = self.iam.create_policy(PolicyName=name, PolicyDocument=POLICY, Tags=TAGS)
        return answer["Policy"]["Arn"]

    def details(self, *kinds, **more):
        return self.iam.get_account_authorization_details(Filter=list(kinds), **more)

    def test_malformed_documents_are_refused(self):
        self.role()
        self.iam.create_user(UserName="ana")
        self.iam.create_group(GroupName="team")
        nobody = TRUST.replace("Service", "AWS").replace(
            "dms.amazonaws.com", f"arn:aws:iam::{ACCOUNT}:role/nobody"
        )
        refused = "MalformedPolicyDocument"
        for document in ("{", "{}", POLICY, nobody):
            self.assertRefused(
                refused, self.iam.create_role, RoleName="r", AssumeRolePolicyDocument=document
            )
            self.assertRefused(
                refused,
                self.iam.update_assume_role_policy,
                RoleName="dms",
                PolicyDocument=document,
            )
        for call, request in (
            (self.iam.create_policy, {}),
            (self.iam.put_role_policy, {"RoleName": "dms"}),
            (self.iam.put_user_policy, {"UserName": "ana"}),
            (self.iam.put_group_policy, {"GroupName": "team"}),
        ):
            self.assertRefused(refused, call, PolicyName="p", PolicyDocument="{}", **request)

    def test_boundaries_must_exist(self):
        none = f"arn:aws:iam::{ACCOUNT}:policy/none"
        for call, request in (
            (self.iam.create_role, {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}),
            (self.iam.create_user, {"UserName": "u"}),
        ):
            self.assertRefused("NoSuchEntity", call, PermissionsBoundary=none, **request)
        self.role()
        self.iam.create_user(UserName="ana")
        arn = self.policy()
        self.iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=arn)
        user = self.iam.get_user(UserName="ana")["User"]
        self.assertEqual(user["PermissionsBoundary"]["PermissionsBoundaryArn"], arn)
        self.assertRefused("DeleteConflict", self.iam.delete_policy, PolicyArn=arn)
        self.iam.delete_user_permissions_boundary(UserName="ana")
        self.assertNotIn("PermissionsBoundary", self.iam.get_user(UserName="ana")["User"])
        self.iam.delete_policy(PolicyArn=arn)

    def test_a_role_may_be_named_once_it_exists(self):
        arn = self.role()["Arn"]
        document = TRUST.replace("Service", "AWS").replace("dms.amazonaws.com", arn)
        self.iam.create_role(RoleName="other", AssumeRolePolicyDocument=document)

    def test_role_names_differ_by_more_than_case(self):
        self.role("Dms")
        self.assertRefused(
            "EntityAlreadyExists",
            self.iam.create_role,
            RoleName="dMS",
            AssumeRolePolicyDocument=TRUST,
        )

    def test_a_role_in_use_stays(self):
        self.role()
        delete = {"call": self.iam.delete_role, "RoleName": "dms"}
        self.iam.attach_role_policy(RoleName="dms", PolicyArn=ADMINISTRATOR)
        self.assertRefused("DeleteConflict", **delete)
        self.iam.detach_role_policy(RoleName="dms", PolicyArn=ADMINISTRATOR)
        self.iam.put_role_policy(RoleName="dms", PolicyName="p", PolicyDocument=POLICY)
        self.assertRefused("DeleteConflict", **delete)
        self.iam.delete_role_policy(RoleName="dms", PolicyName="p")
        self.iam.create_instance_profile(InstanceProfileName="i")
        self.iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="dms")
        self.assertRefused("DeleteConflict", **delete)
        self.iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName="dms")
        self.iam.delete_role(RoleName="dms")

    def test_a_policy_in_use_stays(self):
        arn = self.policy()
        self.role()
        delete = {"call": self.iam.delete_policy, "PolicyArn": arn}
        self.iam.attach_role_policy(RoleName="dms", PolicyArn=arn)
        self.assertRefused("DeleteConflict", **delete)
        self.iam.detach_role_policy(RoleName="dms", PolicyArn=arn)
        self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY)
        self.assertRefused("DeleteConflict", **delete)
        self.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        self.iam.delete_policy(PolicyArn=arn)

    def test_a_user_with_anything_left_stays(self):
        self.iam.create_user(UserName="ana")
        self.iam.create_group(GroupName="team")
        key = self.iam.create_access_key(UserName="ana")["AccessKey"]["AccessKeyId"]
        self.iam.create_login_profile(UserName="ana", Password="Secret-123")
        self.iam.add_user_to_group(UserName="ana", GroupName="team")
        self.iam.attach_user_policy(UserName="ana", PolicyArn=ADMINISTRATOR)
        self.iam.put_user_policy(UserName="ana", PolicyName="p", PolicyDocument=POLICY)
        for call, request in (
            (self.iam.delete_access_key, {"AccessKeyId": key}),
            (self.iam.delete_login_profile, {}),
            (self.iam.remove_user_from_group, {"GroupName": "team"}),
            (self.iam.detach_user_policy, {"PolicyArn": ADMINISTRATOR}),
            (self.iam.delete_user_policy, {"PolicyName": "p"}),
        ):
            self.assertRefused("DeleteConflict", self.iam.delete_user, UserName="ana")
            call(UserName="ana", **request)
        self.iam.delete_user(UserName="ana")

    def test_a_group_with_anything_in_it_stays(self):
        self.iam.create_user(UserName="ana")
        self.iam.create_group(GroupName="team")
        self.iam.add_user_to_group(UserName="ana", GroupName="team")
        self.assertRefused("DeleteConflict", self.iam.delete_group, GroupName="team")
        self.iam.remove_user_from_group(UserName="ana", GroupName="team")
        self.iam.put_group_policy(GroupName="team", PolicyName="p", PolicyDocument=POLICY)
        self.assertRefused("DeleteConflict", self.iam.delete_group, GroupName="team")
        self.iam.delete_group_policy(GroupName="team", PolicyName="p")
        self.iam.delete_group(GroupName="team")

    def test_lists_have_no_tags(self):
        self.role(Tags=TAGS)
        self.iam.create_user(UserName="ana", Tags=TAGS)
        self.policy()
        self.iam.create_instance_profile(InstanceProfileName="i", Tags=TAGS)
        for key, answer in (
            ("Roles", self.iam.list_roles()),
            ("Users", self.iam.list_users()),
            ("Policies", self.iam.list_policies(Scope="Local")),
            ("InstanceProfiles", self.iam.list_instance_profiles()),
        ):
            self.assertEqual(len(answer[key]), 1, key)
            self.assertFalse(answer[key][0].get("Tags"), key)
        self.assertEqual(self.iam.get_role(RoleName="dms")["Role"]["Tags"], TAGS)
        self.assertEqual(self.iam.get_user(UserName="ana")["User"]["Tags"], TAGS)
        tags = self.iam.list_instance_profile_tags(InstanceProfileName="i")["Tags"]
        self.assertEqual(tags, TAGS)

    def test_account_details_say_everything(self):
        boundary, read = self.policy("boundary"), self.policy()
        self.role(Tags=TAGS, PermissionsBoundary=boundary)
        self.iam.attach_role_policy(RoleName="dms", PolicyArn=read)
        self.iam.put_role_policy(RoleName="dms", PolicyName="inline", PolicyDocument=POLICY)
        self.iam.create_instance_profile(InstanceProfileName="i")
        self.iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="dms")
        self.iam.create_user(UserName="ana", Tags=TAGS, PermissionsBoundary=boundary)
        self.iam.create_group(GroupName="team", Path="/demo/")
        self.iam.add_user_to_group(UserName="ana", GroupName="team")
        answer = self.details("Role", "User", "Group", "LocalManagedPolicy")
        role, user = answer["RoleDetailList"][0], answer["UserDetailList"][0]
        self.assertEqual(role["Tags"], TAGS)
        self.assertEqual(role["AssumeRolePolicyDocument"], json.loads(TRUST))
        self.assertEqual(role["RolePolicyList"][0]["PolicyDocument"], json.loads(POLICY))
        self.assertEqual(role["AttachedManagedPolicies"][0]["PolicyArn"], read)
        self.assertEqual(role["PermissionsBoundary"]["PermissionsBoundaryArn"], boundary)
        self.assertEqual(role["InstanceProfileList"][0]["InstanceProfileName"], "i")
        self.assertEqual(user["Tags"], TAGS)
        self.assertEqual(user["GroupList"], ["team"])
        self.assertEqual(user["PermissionsBoundary"]["PermissionsBoundaryArn"], boundary)
        self.assertEqual(answer["GroupDetailList"][0]["Path"], "/demo/")
        policies = {policy["PolicyName"]: policy for policy in answer["Policies"]}
        self.assertEqual(set(policies), {"boundary", "read"})
        document = policies["read"]["PolicyVersionList"][0]["Document"]
        self.assertEqual(document, json.loads(POLICY))

    def test_documents_are_percent_encoded(self):
        self.role()
        self.iam.put_role_policy(RoleName="dms", PolicyName="p", PolicyDocument=POLICY)
        policy = self.policy()
        for action in (
            "Action=GetAccountAuthorizationDetails&Filter.member.1=Role",
            "Action=GetRole&RoleName=dms",
            "Action=ListRoles",
            "Action=GetRolePolicy&RoleName=dms&PolicyName=p",
            f"Action=GetPolicyVersion&VersionId=v1&PolicyArn={policy}",
        ):
            text = self.raw(action)
            self.assertIn("%7B%22Version%22", text, action)
            self.assertNotIn('"Version"', text, action)
            self.assertNotIn("%257B", text, action)

    def raw(self, form):
        request = urllib.request.Request(
            server().endpoint,
            data=f"{form}&Version=2010-05-08".encode(),
            headers={
                "Authorization": "AWS4-HMAC-SHA256 Credential=AKIALAGOASANDBOX0000/20260101/"
                "us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
            },
        )
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def test_account_details_come_in_pages(self):
        for number in range(5):
            self.role(f"r{number}")
        self.iam.create_user(UserName="ana")
        seen, marker, pages = [], None, 0
        while True:
            more = {"Marker": marker} if marker else {}
            answer = self.details("Role", "User", MaxItems=2, **more)
            pages += 1
            seen += [r["RoleName"] for r in answer["RoleDetailList"]]
            seen += [u["UserName"] for u in answer["UserDetailList"]]
            if not answer["IsTruncated"]:
                break
            marker = answer["Marker"]
        self.assertEqual(pages, 3)
        self.assertEqual(sorted(seen), ["ana", "r0", "r1", "r2", "r3", "r4"])
        roles = self.iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1})
        self.assertEqual(len(list(roles)), 1)

    def test_policies_of_aws_can_be_attached(self):
        self.role()
        self.iam.attach_role_policy(RoleName="dms", PolicyArn=ADMINISTRATOR)
        attached = self.iam.list_attached_role_policies(RoleName="dms")["AttachedPolicies"]
        self.assertEqual([policy["PolicyArn"] for policy in attached], [ADMINISTRATOR])
        self.assertRefused(
            "NoSuchEntity",
            self.iam.attach_role_policy,
            RoleName="dms",
            PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy",
        )

    def test_a_new_path_keeps_everything_else(self):
        self.iam.create_user(UserName="ana", Tags=TAGS)
        self.iam.update_user(UserName="ana", NewPath="/lake/")
        user = self.iam.get_user(UserName="ana")["User"]
        self.assertEqual((user["Path"], user["Tags"]), ("/lake/", TAGS))
        self.iam.create_group(GroupName="team")
        self.iam.update_group(GroupName="team", NewPath="/lake/")
        group = self.iam.get_group(GroupName="team")["Group"]
        self.assertEqual(group["Arn"], f"arn:aws:iam::{ACCOUNT}:group/lake/team")

    def test_a_role_that_is_in_no_profile_cannot_leave_it(self):
        self.role()
        self.iam.create_instance_profile(InstanceProfileName="dms")
        names = {"InstanceProfileName": "dms", "RoleName": "dms"}
        leave = self.iam.remove_role_from_instance_profile
        self.assertRefused("NoSuchEntity", leave, **names)
        self.iam.add_role_to_instance_profile(**names)
        leave(**names)

    def test_audiences_of_a_provider_change(self):
        url = "https://token.actions.githubusercontent.com"
        create = self.iam.create_open_id_connect_provider
        arn = create(Url=url, ClientIDList=["a"])["OpenIDConnectProviderArn"]
        said = self.assertRefused("EntityAlreadyExists", create, Url=url)
        self.assertIn("already exists", said)
        named = {"OpenIDConnectProviderArn": arn}
        for client_id in ("b", "b"):
            self.iam.add_client_id_to_open_id_connect_provider(**named, ClientID=client_id)
        for client_id in ("a", "a"):
            self.iam.remove_client_id_from_open_id_connect_provider(**named, ClientID=client_id)
        provider = self.iam.get_open_id_connect_provider(**named)
        self.assertEqual(provider["ClientIDList"], ["b"])
        self.assertEqual(len(provider["ThumbprintList"][0]), 40)

    def test_the_caller_is_known(self):
        self.assertEqual(client("sts").get_caller_identity()["Account"], ACCOUNT)
