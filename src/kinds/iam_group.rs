//! An IAM group and the policies that its members share.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{GroupDetail, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::policies::{Held, Holder, inline_of, managed_of};
use crate::aws::{Aws, Error, absent, gone_is_fine, iam};
use crate::field::{Computed, Derived, Policy, PolicyArn, leave_out};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Owner, Site, Wanted, When};

/// An IAM group: permissions that users share. Who is in it is said by each `iam_user`'s `groups`.
///
/// AWS has no tags for groups, so lagoa marks its own by their path: `/lagoa/<stack>/`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamGroup {
    /// Managed policies that members have: keys of `iam_policy`, ARNs, or names of AWS's own such
    /// as `ReadOnlyAccess` and `job-function/ViewOnlyAccess`. Others are detached. At most 10.
    #[serde(default)]
    pub managed_policies: BTreeSet<PolicyArn>,
    /// Policies written into the group, by name: documents, or files beside the stack. Others are
    /// deleted. All together 5,120 characters, spaces not counted.
    #[serde(default)]
    pub inline_policies: BTreeMap<String, Policy>,
    /// Folder of the group, with a slash at both ends, such as `/team/`; `/` in a new group.
    /// lagoa's mark comes after it.
    #[schemars(regex(pattern = r"^/([!-~]+/)?$"), length(max = 400))]
    pub path: Option<String>,
    /// The path in AWS, lagoa's mark included: `/team/lagoa/<stack>/`.
    #[serde(default)]
    pub marked_path: Derived<String>,
    /// `arn:aws:iam::account:group/lagoa/<stack>/name`.
    #[serde(default)]
    pub arn: Computed<String>,
}

/// In whatever folder it is, before or after a change.
const NAMED: &[&str] = &["iam::{account}:group/{name}", "iam::{account}:group/*/{name}"];

impl Kind for IamGroup {
    const EXAMPLE: &'static str = "
data-engineers:
  kind: iam_group
  path: /data/
  managed_policies: [AmazonAthenaFullAccess]
  inline_policies:
    read-raw:
      Version: '2012-10-17'
      Statement:
        - Effect: Allow
          Action: [s3:GetObject, s3:ListBucket]
          Resource: '*'
";
    const NAME: &'static str = r"^[a-zA-Z0-9_+=,.@-]{1,128}$";
    const ACCESS: Access = Access {
        sweep: &[Grant::of(&["iam:GetAccountAuthorizationDetails"], ANY)],
        write: &[
            Grant::of(
                &[
                    "iam:CreateGroup",
                    "iam:DeleteGroupPolicy",
                    "iam:DetachGroupPolicy",
                    "iam:PutGroupPolicy",
                    "iam:UpdateGroup",
                ],
                NAMED,
            ),
            Grant::of(&["iam:AttachGroupPolicy"], NAMED)
                .when(When::Attaching(&["{managed_policies}"])),
        ],
        delete: &[Grant::of(
            &[
                "iam:DeleteGroup",
                "iam:DeleteGroupPolicy",
                "iam:DetachGroupPolicy",
                "iam:GetGroup",
                "iam:ListAttachedGroupPolicies",
                "iam:ListGroupPolicies",
                "iam:RemoveUserFromGroup",
            ],
            NAMED,
        )],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let account = aws.account().await?;
        let found = wanted.iter().filter_map(|one| {
            let detail = iam::named(&account.groups, GroupDetail::group_name, &one.name)?;
            Some(Found { name: one.name.clone(), fields: from_aws(detail) })
        });
        Ok(found.collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        let ours = account.groups.iter().filter(|group| {
            iam::unmarked_path(group.path().unwrap_or_default()).1 == Some(&aws.site.stack)
        });
        Ok(ours.filter_map(|group| group.group_name.clone()).collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        Ok(account.groups.iter().filter_map(|group| group.group_name.clone()).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let path = self.path_in_aws(&cx.site);
        cx.iam.create_group().group_name(cx.name).path(path).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        if self.marked_path.is_some() && self.marked_path != live.marked_path {
            let call = cx.iam.update_group().group_name(cx.name);
            let call = call.set_new_path(self.marked_path.0.clone()).send().await;
            call.map_err(iam::settling)?;
        }
        Holder::Group(cx.name).converge(self.held(), live.held(), &cx.iam, &cx.site).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let members = cx.iam.get_group().group_name(cx.name).into_paginator().items().send();
        let members = members.collect::<Result<Vec<User>, _>>().await;
        for member in absent(members)?.unwrap_or_default() {
            let call = cx.iam.remove_user_from_group().group_name(cx.name);
            gone_is_fine(call.user_name(member.user_name()).send().await)?;
        }
        Holder::Group(cx.name).strip(&cx.iam).await?;
        gone_is_fine(cx.iam.delete_group().group_name(cx.name).send().await)
    }

    fn accept(&mut self, live: &Self) {
        if let (None, Some(path), Some((marked, stack))) =
            (&self.path, &live.path, self.marked_stack())
        {
            let kept = iam::marked_path(path, &stack);
            if kept != marked {
                self.marked_path = kept.into();
            }
        }
        if self.marked_path == live.marked_path {
            self.arn = live.arn.clone();
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        self.managed_policies = iam::managed_policies(&self.managed_policies, site);
        let path = self.path_in_aws(site);
        self.arn = site.arn("iam", "", &format!("group{path}{name}")).into();
        self.marked_path = path.into();
    }

    fn written(&mut self, _name: &str, site: &Site) {
        self.managed_policies = iam::short_policies(&self.managed_policies, site);
        let path = self.path.take();
        self.path = path.map(|path| iam::unmarked_path(&path).0.to_owned());
        leave_out(&mut self.path, "/".to_owned());
    }

    fn owner(&self) -> Option<Owner> {
        iam::owner_by_path(self.marked_path.as_deref()?)
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        iam::check_inline(&self.inline_policies, 5_120)
    }
}

impl IamGroup {
    fn held(&self) -> Held<'_> {
        Held { inline: &self.inline_policies, managed: &self.managed_policies }
    }

    fn path_in_aws(&self, site: &Site) -> String {
        iam::marked_path(self.path.as_deref().unwrap_or("/"), &site.stack)
    }

    /// The path with its mark, and the stack that the mark names.
    fn marked_stack(&self) -> Option<(String, String)> {
        let marked = self.marked_path.clone().0?;
        let stack = iam::unmarked_path(&marked).1?.to_owned();
        Some((marked, stack))
    }
}

fn from_aws(detail: &GroupDetail) -> IamGroup {
    let path = detail.path().unwrap_or("/");
    IamGroup {
        managed_policies: managed_of(detail.attached_managed_policies()),
        inline_policies: inline_of(detail.group_policy_list()),
        path: Some(iam::unmarked_path(path).0.to_owned()),
        marked_path: path.to_owned().into(),
        arn: detail.arn.clone().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(path: &str) -> IamGroup {
        from_aws(&GroupDetail::builder().group_name("g").path(path).build())
    }

    #[test]
    fn an_adopted_group_keeps_its_folder_and_gets_the_mark() {
        let mut desired: IamGroup = serde_json::from_str("{}").unwrap();
        desired.marked_path = "/lagoa/coins/".to_owned().into();
        desired.accept(&live("/team/"));
        assert_eq!(desired.marked_path.as_deref(), Some("/team/lagoa/coins/"));
        assert_eq!(live("/team/").owner(), None);
        assert_eq!(live("/team/lagoa/coins/").owner().unwrap().stack, "coins");
    }
}
