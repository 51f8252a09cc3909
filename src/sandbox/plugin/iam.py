"""IAM: policies that are checked, deletions that are refused, and users' boundaries."""

import json
import re

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import never_return, return_if_not_empty, url_encode
from moto.iam.exceptions import (
    DeleteConflictException,
    EntityAlreadyExists,
    MalformedPolicyDocument,
    NoSuchEntity,
)
from moto.iam.models import IAMBackend, User
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.iam.responses import IamResponse

from .patching import page, replaces

ACCOUNT_DETAILS = "GetAccountAuthorizationDetailsResponse"
IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER.update(
    {
        # Lists come without tags, whatever the shapes say.
        "ListInstanceProfilesResponse.InstanceProfiles.InstanceProfile.Tags": never_return,
        "ListInstanceProfilesForRoleResponse.InstanceProfiles.InstanceProfile.Tags": never_return,
        "ListUsersResponse.Users.User.PermissionsBoundary": never_return,
        # Documents come percent-encoded.
        "ListRolesResponse.Roles.Role.AssumeRolePolicyDocument": url_encode,
        "GetPolicyVersionResponse.PolicyVersion.Document": url_encode,
        f"{ACCOUNT_DETAILS}.RoleDetailList.RoleDetail.AssumeRolePolicyDocument": url_encode,
        "GetUserResponse.User.PermissionsBoundary": return_if_not_empty,
    }
)


_policies_of_aws = []


@replaces(IAMBackend)
def _init_aws_policies(original, self):
    """AWS's own policies, read once, and for the one partition that the sandbox is."""
    if self.region_name != "aws":
        return []
    if not _policies_of_aws:
        _policies_of_aws.extend(original(self))
    for policy in _policies_of_aws:
        policy.attachment_count = 0
    return list(_policies_of_aws)


# --- documents ------------------------------------------------------------------------


def _check_trust(backend, document):
    IAMTrustPolicyDocumentValidator(document).validate()
    statements = json.loads(document)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise MalformedPolicyDocument("Missing required field Principal")
        principal = statement.get("Principal")
        named = principal.get("AWS", []) if isinstance(principal, dict) else []
        for name in [named] if isinstance(named, str) else named:
            _check_principal(backend, name)


def _check_principal(backend, name):
    """A role or user of this account must exist to be named."""
    found = re.fullmatch(rf"arn:aws:iam::{backend.account_id}:(role|user)/(.*/)?([^/]+)", name)
    if not found:
        return
    kind, _, short = found.groups()
    known = backend.roles.values() if kind == "role" else backend.users.values()
    if not any(entity.name == short and entity.arn == name for entity in known):
        raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{name}"')


@replaces(IAMBackend)
def create_role(original, self, role_name, assume_role_policy_document, *args, **kwargs):
    """Refuse a trust policy that IAM refuses, and a name that differs only in case."""
    if "linked_service" not in kwargs:
        _check_trust(self, assume_role_policy_document)
    if any(role.name.lower() == role_name.lower() for role in list(self.roles.values())):
        raise EntityAlreadyExists(f"Role with name {role_name} already exists.")
    return original(self, role_name, assume_role_policy_document, *args, **kwargs)


@replaces(IAMBackend)
def update_assume_role_policy(original, self, role_name, policy_document):
    """As at creation."""
    _check_trust(self, policy_document)
    return original(self, role_name, policy_document)


# --- deleting -------------------------------------------------------------------------


def _conflict(condition, message):
    if condition:
        raise DeleteConflictException(f"Cannot delete {message}")


@replaces(IAMBackend)
def delete_policy(original, self, policy_arn):
    """A policy in use, or with older versions, stays."""
    policy = self.get_policy(policy_arn)
    entities = [*self.roles.values(), *self.users.values(), *self.groups.values()]
    attached = any(policy_arn in entity.managed_policies for entity in entities)
    bounds = any(getattr(e, "permissions_boundary_arn", None) == policy_arn for e in entities)
    _conflict(attached or bounds, "a policy attached to entities.")
    _conflict(
        len(policy.versions) > 1,
        "This policy has more than one version. Before you delete a policy, you must delete the "
        "policy's versions. The default version is deleted with the policy.",
    )
    return original(self, policy_arn)


@replaces(IAMBackend)
def delete_user(original, self, user_name):
    """A user with anything left stays."""
    user = self.get_user(user_name)
    _conflict(user.access_keys, "entity, must delete access keys first.")
    _conflict(user.password, "entity, must delete login profile first.")
    _conflict(user.mfa_devices, "entity, must delete MFA device first.")
    _conflict(user.ssh_public_keys, "entity, must delete SSH public keys first.")
    _conflict(user.signing_certificates, "entity, must delete signing certificates first.")
    _conflict(self.get_groups_for_user(user_name), "entity, must remove users from group first.")
    return original(self, user_name)


@replaces(IAMBackend)
def delete_group(original, self, group_name):
    """A group with anything in it stays."""
    group = self.get_group(group_name)
    _conflict(group.users, "entity, must remove users from group first.")
    _conflict(group.managed_policies, "entity, must detach all policies first.")
    _conflict(group.policies, "entity, must delete policies first.")
    return original(self, group_name)


# --- changing -------------------------------------------------------------------------


@replaces(IAMBackend)
def update_group(original, self, group_name, new_group_name, new_path):
    """moto takes a new path only together with a new name."""
    group = self.get_group(group_name)
    if new_path:
        group.path = new_path
    if new_group_name and new_group_name != group_name:
        original(self, group_name, new_group_name, None)


@replaces(IAMBackend)
def update_user(original, self, user_name, new_path=None, new_user_name=None):
    """moto keeps tags by ARN, and forgets them with the old one."""
    user = self.get_user(user_name)
    before, tags = user.arn, user.tags or []
    original(self, user_name, new_path, new_user_name)
    self.tagger.delete_all_tags_for_resource(before)
    self.tagger.tag_resource(user.arn, tags)


@replaces(IAMBackend)
def remove_role_from_instance_profile(original, self, profile_name, role_name):
    """moto fails where the role isn't in the profile."""
    if self.get_role(role_name) not in self.get_instance_profile(profile_name).roles:
        raise NoSuchEntity(
            f"Instance Profile {profile_name} does not contain the role {role_name}."
        )
    return original(self, profile_name, role_name)


# --- boundaries ----------------------------------------------------------------------


def _boundary(user):
    arn = user.permissions_boundary_arn
    kind = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    return kind if arn else None


def _check_boundary(self):
    """A boundary is a policy that exists."""
    arn = self._get_param("PermissionsBoundary")
    if arn and arn not in self.backend.managed_policies:
        raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
    return arn


User.permissions_boundary_arn = None
User.permissions_boundary = property(_boundary)


@replaces(IamResponse)
def create_user(original, self):
    """moto ignores the boundary."""
    arn = _check_boundary(self)
    result = original(self)
    result.result["User"].permissions_boundary_arn = arn
    return result


@replaces(IamResponse)
def put_user_permissions_boundary(_original, self):
    """moto has none for users."""
    user = self.backend.get_user(self._get_param("UserName"))
    user.permissions_boundary_arn = _check_boundary(self)
    return EmptyResult()


@replaces(IamResponse)
def delete_user_permissions_boundary(_original, self):
    """moto has none for users."""
    self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = None
    return EmptyResult()


def _with_checked_boundary(name):
    original = getattr(IamResponse, name)

    def checked(self):
        _check_boundary(self)
        return original(self)

    setattr(IamResponse, name, checked)


for _name in ("create_role", "put_role_permissions_boundary"):
    _with_checked_boundary(_name)


# --- reading --------------------------------------------------------------------------


def _one_page(self, items):
    return page(items, self._get_param("Marker"), self._get_param("MaxItems"))


def _below_path(self, items):
    prefix = self._get_param("PathPrefix") or "/"
    return [item for item in list(items) if item.path.startswith(prefix)]


def _paged(self, key, items):
    shown, marker = _one_page(self, items)
    return ActionResult({key: shown, "Marker": marker, "IsTruncated": marker is not None})


@replaces(IamResponse)
def list_users(_original, self):
    """moto gives all of them at once."""
    return _paged(self, "Users", _below_path(self, self.backend.users.values()))


@replaces(IamResponse)
def list_groups(_original, self):
    """moto gives all of them at once."""
    return _paged(self, "Groups", _below_path(self, self.backend.groups.values()))


@replaces(IamResponse)
def list_instance_profiles(_original, self):
    """moto gives all of them at once."""
    profiles = self.backend.instance_profiles.values()
    return _paged(self, "InstanceProfiles", _below_path(self, profiles))


@replaces(IamResponse)
def list_instance_profile_tags(_original, self):
    """moto lacks it."""
    profile = self.backend.get_instance_profile(self._get_param("InstanceProfileName"))
    return _paged(self, "Tags", profile.tags)


@replaces(IamResponse)
def get_account_authorization_details(_original, self):
    """Users, groups, roles and policies in one list, page by page."""
    kinds = self._get_param("Filter") or [
        *("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")
    ]
    ours, theirs = _policies(self.backend)
    sources = {
        "User": ("UserDetailList", self.backend.users.values()),
        "Group": ("GroupDetailList", self.backend.groups.values()),
        "Role": ("RoleDetailList", self.backend.roles.values()),
        "LocalManagedPolicy": ("Policies", ours),
        "AWSManagedPolicy": ("Policies", theirs),
    }
    everything = [
        (sources[kind][0], item)
        for kind in sources
        if kind in kinds
        for item in list(sources[kind][1])
    ]
    shown, marker = _one_page(self, everything)
    result = {"Marker": marker, "IsTruncated": marker is not None}
    for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
        result[name] = [item for key, item in shown if key == name]
    return ActionResult(result)


def _policies(backend):
    """The account's own policies, and those of AWS that something uses."""
    ours, theirs = [], []
    for policy in list(backend.managed_policies.values()):
        if not policy.arn.startswith("arn:aws:iam::aws:"):
            ours.append(_policy_detail(policy))
        elif policy.attachment_count > 0:
            theirs.append(_policy_detail(policy))
    return ours, theirs


def _policy_detail(policy):
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": policy.attachment_count,
        "IsAttachable": True,
        "Description": policy.description or None,
        "CreateDate": policy.create_date,
        "UpdateDate": policy.update_date,
        "PolicyVersionList": policy.policy_version_list,
    }
