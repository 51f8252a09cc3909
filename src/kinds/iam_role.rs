//! An IAM role with its policies, and the instance profile that carries it to EC2.

pub mod profile;
pub mod trust;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{Role, RoleDetail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::policies::{Held, Holder, inline_of, managed_of};
use crate::aws::{Aws, Error, absent, dms, gone_is_fine, iam};
use crate::field::{Computed, Differs, Immutable, Policy, PolicyArn, Tags, leave_out};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted, When};
use trust::Services;

/// An IAM role: what a service, or somebody who assumes the role, may do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamRole {
    /// The service that may assume the role, or a list of them: `dms.amazonaws.com`, or `dms` for
    /// short. Becomes `trust`; a role has one or the other.
    pub service: Option<Services>,
    /// Who may assume the role: a policy document, or a file beside the stack. At most 2,048
    /// characters, spaces not counted.
    pub trust: Option<Policy>,
    /// Policies written into the role, by name: documents, or files beside the stack. Others are
    /// deleted. All together 10,240 characters, spaces not counted.
    #[serde(default)]
    pub inline_policies: BTreeMap<String, Policy>,
    /// Managed policies: keys of `iam_policy`, ARNs, or names of AWS's own such as
    /// `AdministratorAccess` and `service-role/AWSGlueServiceRole`. Others are detached.
    /// At most 10, unless the account's quota is higher.
    #[serde(default)]
    pub managed_policies: BTreeSet<PolicyArn>,
    /// The managed policy that bounds what the role may do at most: the key of an `iam_policy`, an
    /// ARN, or the name of one of AWS's own. An empty text removes the boundary there is.
    pub permissions_boundary: Option<PolicyArn>,
    /// What the role is for.
    #[schemars(length(max = 1000))]
    pub description: Option<String>,
    /// Folder of the role, with a slash at both ends, such as `/team/`; `/` in a new role.
    /// Part of the ARN, but not of what makes a name unique.
    #[schemars(regex(pattern = r"^/([!-~]+/)?$"), length(max = 512))]
    pub path: Option<Immutable<String>>,
    /// How long a session of whoever assumes the role may last, in seconds: 3600 (AWS's default)
    /// to 43200.
    #[schemars(range(min = 3600, max = 43200))]
    pub max_session_seconds: Option<u32>,
    /// Whether there is an instance profile of the role's name, through which EC2 and EMR give the
    /// role to machines. Default false.
    #[serde(default)]
    pub instance_profile: bool,
    /// Tags, merged over the stack's own; the instance profile gets them too.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:iam::account:role/name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Unique id, which starts with `AROA` and isn't used again when the role is made anew.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:iam::account:instance-profile/name`, when there is one.
    #[serde(default)]
    pub instance_profile_arn: Computed<String>,
}

/// The instance profile of the role's name, which goes when the field does.
const PROFILE: &[&str] =
    &["iam::{account}:instance-profile/{name}", "iam::{account}:instance-profile/*/{name}"];

/// In whatever folder it is, before or after a change.
const NAMED: &[&str] = &["iam::{account}:role/{name}", "iam::{account}:role/*/{name}"];

impl Kind for IamRole {
    const EXAMPLE: &'static str = "
emr-nodes:
  kind: iam_role
  service: [ec2, glue.amazonaws.com]
  description: What the cluster's machines may do
  path: /lake/
  max_session_seconds: 7200
  instance_profile: true
  managed_policies: [read-raw, AmazonSSMManagedInstanceCore]
  permissions_boundary: read-raw
  inline_policies:
    write-logs:
      Version: '2012-10-17'
      Statement:
        - Effect: Allow
          Action: s3:PutObject
          Resource: arn:aws:s3:::logs-coins/*
  tags: { Projeto: Bootcamp }

read-raw:
  kind: iam_policy
  document:
    Version: '2012-10-17'
    Statement:
      - Effect: Allow
        Action: s3:GetObject
        Resource: arn:aws:s3:::raw-coins/*
";
    const NAME: &'static str = r"^[a-zA-Z0-9_+=,.@-]{1,64}$";
    const ACCESS: Access = Access {
        sweep: &[Grant::of(&["iam:GetAccountAuthorizationDetails"], ANY)],
        read: &[
            Grant::of(&["iam:GetRole"], &["iam::{account}:role/*"]),
            Grant::of(&["iam:ListRoles"], ANY),
        ],
        write: &[
            Grant::of(
                &[
                    "iam:CreateRole",
                    "iam:DeleteRolePermissionsBoundary",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:PutRolePermissionsBoundary",
                    "iam:PutRolePolicy",
                    "iam:TagRole",
                    "iam:UntagRole",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateRole",
                ],
                NAMED,
            ),
            Grant::of(&["iam:AttachRolePolicy"], NAMED)
                .when(When::Attaching(&["{managed_policies}"])),
            Grant::of(
                &[
                    "iam:AddRoleToInstanceProfile",
                    "iam:CreateInstanceProfile",
                    "iam:TagInstanceProfile",
                    "iam:UntagInstanceProfile",
                ],
                PROFILE,
            )
            .given("instance_profile"),
            Grant::of(
                &[
                    "iam:DeleteInstanceProfile",
                    "iam:GetInstanceProfile",
                    "iam:RemoveRoleFromInstanceProfile",
                ],
                PROFILE,
            ),
            Grant::passing(NAMED, &["ec2.amazonaws.com"]).given("instance_profile"),
        ],
        delete: &[
            Grant::of(
                &[
                    "iam:DeleteRole",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListInstanceProfilesForRole",
                    "iam:ListRolePolicies",
                ],
                NAMED,
            ),
            Grant::of(
                &[
                    "iam:DeleteInstanceProfile",
                    "iam:GetInstanceProfile",
                    "iam:RemoveRoleFromInstanceProfile",
                ],
                PROFILE,
            ),
        ],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let account = aws.account().await?;
        let mut found: Vec<_> =
            wanted.iter().filter_map(|one| found_in(&account.roles, one)).collect();
        read_details(aws, wanted, &mut found).await?;
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        let roles = account.roles.iter().map(|role| (role.role_name(), role.tags()));
        Ok(iam::tagged(roles, &aws.site.stack))
    }

    /// Those of services (`AWSServiceRoleFor…`) and of single sign-on (`AWSReservedSSO_…`) are AWS's,
    /// and those of DMS are the whole account's.
    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        let by_aws = |role: &&RoleDetail| {
            let path = role.path().unwrap_or_default();
            let name = role.role_name().unwrap_or_default();
            path.starts_with("/aws-service-role/")
                || path.starts_with("/aws-reserved/")
                || dms::FIXED_ROLES.iter().any(|fixed| fixed.name == name)
        };
        let made = account.roles.iter().filter(|role| !by_aws(role));
        Ok(made.filter_map(|role| role.role_name.clone()).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let boundary = self.permissions_boundary.as_ref().filter(|policy| !policy.is_empty());
        let boundary = boundary.map(|policy| iam::managed_policy(policy, &cx.site).0);
        cx.iam
            .create_role()
            .role_name(cx.name)
            .assume_role_policy_document(self.trust()?.text())
            .set_path(self.path.as_deref().cloned())
            .set_description(self.description.clone())
            .set_max_session_duration(self.max_session())
            .set_permissions_boundary(boundary)
            .set_tags(Some(iam::tag_set(&self.tags)?))
            .send()
            .await
            // The boundary may be a moment old.
            .map_err(iam::settling)?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let trust = self.trust()?;
        if Some(&trust) != live.trust.as_ref() {
            let call = cx.iam.update_assume_role_policy().role_name(cx.name);
            let call = call.policy_document(trust.text()).send().await;
            call.map_err(iam::settling)?;
        }
        self.update_details(live, cx).await?;
        self.update_boundary(live, cx).await?;
        Holder::Role(cx.name).converge(self.held(), live.held(), &cx.iam, &cx.site).await?;
        if self.instance_profile && !live.instance_profile {
            profile::make(&self.tags, live.path.as_deref(), cx).await?;
        } else if live.instance_profile && !self.instance_profile {
            profile::remove(&live.tags, cx).await?;
        }
        self.update_tags(live, cx).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        profile::leave_all(cx).await?;
        profile::discard(&self.tags, cx).await?;
        Holder::Role(cx.name).strip(&cx.iam).await?;
        gone_is_fine(cx.iam.delete_role().role_name(cx.name).send().await)
    }

    fn accept(&mut self, live: &Self) {
        iam::accept_boundary(&mut self.permissions_boundary, live.permissions_boundary.as_ref());
        if self.path.is_none() || self.path == live.path {
            self.arn = live.arn.clone();
        }
    }

    /// The shorthand for the trust policy becomes the policy, which is what AWS knows.
    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        if let (None, Some(service)) = (&self.trust, &self.service) {
            self.trust = Some(service.trust());
            self.service = None;
        }
        self.managed_policies = iam::managed_policies(&self.managed_policies, site);
        self.permissions_boundary =
            self.permissions_boundary.as_ref().map(|policy| iam::managed_policy(policy, site));
        let path = self.path.as_deref().map_or("/", |path| path.as_str());
        self.arn = site.arn("iam", "", &format!("role{path}{name}")).into();
        if self.instance_profile {
            let arn = site.arn("iam", "", &format!("instance-profile{path}{name}"));
            self.instance_profile_arn = arn.into();
        }
    }

    fn written(&mut self, _name: &str, site: &Site) {
        let service = self.trust.as_ref().and_then(Services::short_for);
        if service.is_some() {
            (self.service, self.trust) = (service, None);
        }
        self.managed_policies = iam::short_policies(&self.managed_policies, site);
        let boundary = self.permissions_boundary.take();
        self.permissions_boundary = boundary.map(|policy| iam::short_policy(&policy, site));
        leave_out(&mut self.path, Immutable("/".to_owned()));
        leave_out(&mut self.max_session_seconds, 3600);
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = iam::check_inline(&self.inline_policies, 10_240);
        match (&self.service, &self.trust) {
            (None, None) => wrong.push((
                String::new(),
                "nobody could assume this role: write `service: glue`, or a policy in `trust`"
                    .into(),
            )),
            (Some(_), Some(_)) => wrong.push((
                "service".into(),
                "`service` is short for `trust`: keep one of the two".into(),
            )),
            (Some(service), None) => wrong.extend(service.check()),
            (None, Some(_)) => {}
        }
        wrong
    }
}

impl IamRole {
    fn held(&self) -> Held<'_> {
        Held { inline: &self.inline_policies, managed: &self.managed_policies }
    }

    fn trust(&self) -> Result<Policy, Error> {
        let trust = self.trust.clone().or_else(|| self.service.as_ref().map(Services::trust));
        trust.ok_or_else(|| Error::internal("a role without a trust policy"))
    }

    fn max_session(&self) -> Option<i32> {
        self.max_session_seconds.and_then(|seconds| i32::try_from(seconds).ok())
    }

    /// `UpdateRole` puts what it isn't told back to AWS's default, so it is always told both.
    async fn update_details(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let session = self.max_session_seconds.differs(&live.max_session_seconds);
        if !session && !self.description.differs(&live.description) {
            return Ok(());
        }
        cx.iam
            .update_role()
            .role_name(cx.name)
            .set_description(self.description.clone().or_else(|| live.description.clone()))
            .set_max_session_duration(self.max_session().or_else(|| live.max_session()))
            .send()
            .await
            .map_err(iam::settling)?;
        Ok(())
    }

    async fn update_boundary(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (desired, live) = (&self.permissions_boundary, &live.permissions_boundary);
        match iam::boundary(desired.as_ref(), live.as_ref(), &cx.site) {
            iam::Boundary::Keep => Ok(()),
            iam::Boundary::Set(policy) => {
                let call = cx.iam.put_role_permissions_boundary().role_name(cx.name);
                let call = call.permissions_boundary(policy.0).send().await;
                call.map(drop).map_err(iam::settling)
            }
            iam::Boundary::Remove => {
                let call = cx.iam.delete_role_permissions_boundary().role_name(cx.name);
                gone_is_fine(call.send().await)
            }
        }
    }

    /// The profile before the role: the role's tags tell the next run what is left to do.
    async fn update_tags(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (set, remove) = self.tags.change_from(&live.tags);
        if self.instance_profile && live.instance_profile {
            profile::tag(&set, &remove, cx).await?;
        }
        if !set.is_empty() {
            let call = cx.iam.tag_role().role_name(cx.name);
            let call = call.set_tags(Some(iam::tag_set(&Tags(set))?)).send().await;
            call.map_err(iam::settling)?;
        }
        if !remove.is_empty() {
            let call = cx.iam.untag_role().role_name(cx.name);
            call.set_tag_keys(Some(remove)).send().await.map_err(iam::settling)?;
        }
        Ok(())
    }
}

fn found_in(roles: &[RoleDetail], wanted: &Wanted<IamRole>) -> Option<Found<IamRole>> {
    let detail = iam::named(roles, RoleDetail::role_name, &wanted.name)?;
    let boundary = detail.permissions_boundary();
    let profile = detail.instance_profile_list().iter();
    let profile =
        profile.clone().find(|one| Some(one.instance_profile_name()) == detail.role_name());
    let fields = IamRole {
        service: None,
        trust: detail.assume_role_policy_document().map(Policy::from_aws),
        inline_policies: inline_of(detail.role_policy_list()),
        managed_policies: managed_of(detail.attached_managed_policies()),
        permissions_boundary: boundary
            .and_then(|boundary| boundary.permissions_boundary_arn().map(PolicyArn::from)),
        description: None,
        path: detail.path.clone().map(Immutable),
        max_session_seconds: None,
        instance_profile: profile.is_some(),
        tags: iam::tags_of(detail.tags()),
        arn: detail.arn.clone().into(),
        id: detail.role_id.clone().into(),
        instance_profile_arn: profile.map(|profile| profile.arn().to_owned()).into(),
    };
    Some(Found { name: wanted.name.clone(), fields })
}

/// Description and session length aren't in the bulk call that has all the rest: one `GetRole`
/// for one role, one list for several, and neither when the stack sets neither.
async fn read_details(
    aws: &Aws,
    wanted: &[Wanted<IamRole>],
    found: &mut [Found<IamRole>],
) -> Result<(), Error> {
    let asks = |role: &IamRole| role.description.is_some() || role.max_session_seconds.is_some();
    let asking = wanted.iter().filter(|one| one.asks(asks));
    let asking: BTreeSet<&str> = asking.map(|one| one.name.as_str()).collect();
    let mut found: Vec<_> =
        found.iter_mut().filter(|one| asking.contains(one.name.as_str())).collect();
    let roles: Vec<Role> = match found.as_slice() {
        [] => return Ok(()),
        [one] => {
            let reply = absent(aws.iam.get_role().role_name(&one.name).send().await)?;
            reply.and_then(|reply| reply.role).into_iter().collect()
        }
        _ => {
            let pages = aws.iam.list_roles().max_items(1000).into_paginator();
            pages.items().send().collect::<Result<_, _>>().await?
        }
    };
    for one in &mut found {
        if let Some(role) = iam::named(&roles, |role| Some(role.role_name()), &one.name) {
            one.fields.description = Some(role.description().unwrap_or_default().to_owned());
            one.fields.max_session_seconds =
                role.max_session_duration().and_then(|seconds| u32::try_from(seconds).ok());
        }
    }
    Ok(())
}
