//! A managed policy of the account's own.

use std::collections::BTreeSet;

use aws_sdk_iam::types::{ManagedPolicyDetail, PolicyUsageType, PolicyVersion};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::policies::Holder;
use crate::aws::{Aws, Error, absent, gone_is_fine, iam};
use crate::field::{Computed, Immutable, Policy, Tags, leave_out};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Owner, Site, Wanted, When};

/// A managed IAM policy, which roles, users and groups attach by its key.
///
/// Besides being tagged, a policy is marked as the stack's by its path: `/lagoa/<stack>/`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamPolicy {
    /// The policy: a document, or a file beside the stack. At most 6,144 characters, spaces not
    /// counted. A change makes a new default version; AWS keeps five, and the oldest goes.
    pub document: Policy,
    /// What the policy is for. AWS can't change it later, so a change replaces the policy.
    #[schemars(length(max = 1000))]
    pub description: Option<Immutable<String>>,
    /// Folder of the policy, with a slash at both ends, such as `/team/`; `/` in a new policy.
    /// lagoa's mark comes after it. AWS can't change it later, so a change replaces the policy.
    #[schemars(regex(pattern = r"^((/[A-Za-z0-9.,+@=_-]+)*)/$"), length(max = 400))]
    pub path: Option<Immutable<String>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:iam::account:policy/lagoa/<stack>/name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Unique id, which starts with `ANPA` and isn't used again when the policy is made anew.
    #[serde(default)]
    pub id: Computed<String>,
}

/// In whatever folder it is, before or after a change.
const NAMED: &[&str] = &["iam::{account}:policy/{name}", "iam::{account}:policy/*/{name}"];

impl Kind for IamPolicy {
    const EXAMPLE: &'static str = "
read-raw:
  kind: iam_policy
  description: Reads the raw layer of the lake
  path: /lake/
  document:
    Version: '2012-10-17'
    Statement:
      - Sid: Read
        Effect: Allow
        Action: [s3:GetObject, s3:ListBucket]
        Resource: ['arn:aws:s3:::raw-coins', 'arn:aws:s3:::raw-coins/*']
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = r"^[a-zA-Z0-9_+=,.@-]{1,128}$";
    const ACCESS: Access = Access {
        sweep: &[Grant::of(&["iam:GetAccountAuthorizationDetails"], ANY)],
        read: &[Grant::of(&["iam:GetPolicy"], &["iam::{account}:policy/*"])],
        write: &[Grant::of(
            &[
                "iam:CreatePolicy",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicyVersion",
                "iam:ListPolicyVersions",
                "iam:TagPolicy",
                "iam:UntagPolicy",
            ],
            NAMED,
        )],
        delete: &[
            Grant::of(
                &[
                    "iam:DeletePolicy",
                    "iam:DeletePolicyVersion",
                    "iam:ListEntitiesForPolicy",
                    "iam:ListPolicyVersions",
                ],
                NAMED,
            ),
            Grant::of(
                &["iam:DetachGroupPolicy", "iam:DetachRolePolicy", "iam:DetachUserPolicy"],
                &["iam::{account}:group/*", "iam::{account}:role/*", "iam::{account}:user/*"],
            )
            .when(When::Attaching(NAMED)),
        ],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let account = aws.account().await?;
        let found = wanted.iter().filter_map(|one| {
            let detail = iam::named(&account.policies, name_of, &one.name)?;
            Some(read_one(aws, &one.name, detail))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    /// By path; an adopted policy, whose path can't change, is known by its tags only.
    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        let ours = account.policies.iter().filter(|policy| {
            iam::unmarked_path(policy.path().unwrap_or_default()).1 == Some(&aws.site.stack)
        });
        let mut names: BTreeSet<_> = ours.filter_map(name_of).map(str::to_owned).collect();
        let swept = aws.swept("iam", "policy/").await?;
        names.extend(swept.iter().map(|path| last_part(path).to_owned()));
        Ok(names.into_iter().collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        Ok(account.policies.iter().filter_map(name_of).map(str::to_owned).collect())
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let long = iam::too_long(std::iter::once(&self.document), 6_144);
        long.map(|message| ("document".to_owned(), message)).into_iter().collect()
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        cx.iam
            .create_policy()
            .policy_name(cx.name)
            .path(self.path_in_aws(&cx.site))
            .policy_document(self.document.text())
            .set_description(self.description.as_deref().cloned())
            .set_tags(Some(iam::tag_set(&self.tags)?))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn()?;
        if self.document != live.document {
            make_room(arn, cx).await?;
            let call = cx.iam.create_policy_version().policy_arn(arn).set_as_default(true);
            let call = call.policy_document(self.document.text()).customize();
            let made = call.config_override(iam::once()).send().await;
            made.map_err(iam::settling)?;
        }
        let (set, remove) = self.tags.change_from(&live.tags);
        if !set.is_empty() {
            let tags = iam::tag_set(&Tags(set))?;
            let call = cx.iam.tag_policy().policy_arn(arn).set_tags(Some(tags));
            call.send().await.map_err(iam::settling)?;
        }
        if !remove.is_empty() {
            let call = cx.iam.untag_policy().policy_arn(arn).set_tag_keys(Some(remove));
            call.send().await.map_err(iam::settling)?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = self.arn()?;
        detach_everywhere(arn, cx).await?;
        for version in absent(versions(arn, cx).await)?.unwrap_or_default() {
            if !version.is_default_version() {
                delete_version(arn, &version, cx).await?;
            }
        }
        gone_is_fine(cx.iam.delete_policy().policy_arn(arn).send().await)
    }

    fn accept(&mut self, live: &Self) {
        if self.path.is_none() || self.path == live.path {
            self.arn = live.arn.clone();
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        let path = self.path_in_aws(site);
        self.arn = site.arn("iam", "", &format!("policy{path}{name}")).into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        let path = self.path.take();
        self.path = path.map(|path| Immutable(iam::unmarked_path(&path).0.to_owned()));
        leave_out(&mut self.path, Immutable("/".to_owned()));
    }

    /// The tags count before the path: they can be changed when another stack takes over.
    fn owner(&self) -> Option<Owner> {
        match self.tags.get("lagoa:stack") {
            Some(stack) => {
                Some(Owner { stack: stack.clone(), key: self.tags.get("lagoa:name").cloned() })
            }
            None => iam::owner_by_path(path_of(self.arn.as_deref()?)?),
        }
    }
}

impl IamPolicy {
    fn path_in_aws(&self, site: &Site) -> String {
        let path = self.path.as_deref().map_or("/", |path| path.as_str());
        iam::marked_path(path, &site.stack)
    }

    fn arn(&self) -> Result<&str, Error> {
        self.arn.as_deref().ok_or_else(|| Error::internal("a policy without an ARN"))
    }
}

/// `GetPolicy` is the only read that has description and tags.
async fn read_one(
    aws: &Aws,
    name: &str,
    detail: &ManagedPolicyDetail,
) -> Result<Option<Found<IamPolicy>>, Error> {
    let arn = detail.arn().unwrap_or_default();
    let reply = absent(aws.iam.get_policy().policy_arn(arn).send().await)?;
    let Some(policy) = reply.and_then(|reply| reply.policy) else { return Ok(None) };
    let Some(document) = default_document(detail) else { return Ok(None) };
    let path = iam::unmarked_path(detail.path().unwrap_or("/")).0.to_owned();
    let fields = IamPolicy {
        document,
        description: Some(Immutable(policy.description().unwrap_or_default().to_owned())),
        path: Some(Immutable(path)),
        tags: iam::tags_of(policy.tags()),
        arn: detail.arn.clone().into(),
        id: policy.policy_id.clone().into(),
    };
    Ok(Some(Found { name: name.to_owned(), fields }))
}

fn default_document(detail: &ManagedPolicyDetail) -> Option<Policy> {
    let version = detail.policy_version_list().iter().find(|version| version.is_default_version());
    version.and_then(PolicyVersion::document).map(Policy::from_aws)
}

/// `/lake/` of `arn:aws:iam::account:policy/lake/name`.
fn path_of(arn: &str) -> Option<&str> {
    let start = arn.find(":policy/")? + ":policy".len();
    let end = arn.rfind('/')? + 1;
    arn.get(start..end)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The name ends the ARN, which every reply has.
fn name_of(policy: &ManagedPolicyDetail) -> Option<&str> {
    policy.arn().map(last_part)
}

async fn versions(arn: &str, cx: &Cx<'_>) -> Result<Vec<PolicyVersion>, Error> {
    let pages = cx.iam.list_policy_versions().policy_arn(arn).into_paginator();
    Ok(pages.items().send().collect::<Result<_, _>>().await?)
}

async fn delete_version(arn: &str, version: &PolicyVersion, cx: &Cx<'_>) -> Result<(), Error> {
    let call = cx.iam.delete_policy_version().policy_arn(arn);
    gone_is_fine(call.set_version_id(version.version_id.clone()).send().await)
}

/// AWS keeps five versions.
const VERSIONS: usize = 5;

/// Deletes the oldest version that isn't the default, when there is no room for another.
async fn make_room(arn: &str, cx: &Cx<'_>) -> Result<(), Error> {
    let versions = versions(arn, cx).await.map_err(iam::settling)?;
    if versions.len() < VERSIONS {
        return Ok(());
    }
    match oldest(&versions) {
        Some(oldest) => delete_version(arn, oldest, cx).await,
        None => Ok(()),
    }
}

/// The lowest number: versions are `v1`, `v2`, … and numbers are never used again.
fn oldest(versions: &[PolicyVersion]) -> Option<&PolicyVersion> {
    let number = |version: &&PolicyVersion| {
        version.version_id().and_then(|id| id.strip_prefix('v')?.parse::<u32>().ok())
    };
    versions.iter().filter(|version| !version.is_default_version()).min_by_key(number)
}

/// AWS refuses to delete a policy that is attached. One that serves as a boundary stays in use
/// until whoever is bounded by it changes.
async fn detach_everywhere(arn: &str, cx: &Cx<'_>) -> Result<(), Error> {
    let call = cx.iam.list_entities_for_policy().policy_arn(arn);
    let call = call.policy_usage_filter(PolicyUsageType::PermissionsPolicy);
    let mut pages = call.into_paginator().send();
    let mut entities = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = absent(page)? else { return Ok(()) };
        entities.push(page);
    }
    for page in &entities {
        let roles = page.policy_roles().iter().filter_map(|role| role.role_name());
        let users = page.policy_users().iter().filter_map(|user| user.user_name());
        let groups = page.policy_groups().iter().filter_map(|group| group.group_name());
        let holders = roles.map(Holder::Role).chain(users.map(Holder::User));
        for holder in holders.chain(groups.map(Holder::Group)) {
            gone_is_fine(holder.detach(arn, &cx.iam).await)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_stands_in_the_arn() {
        for (arn, path) in [
            ("arn:aws:iam::1:policy/name", "/"),
            ("arn:aws:iam::1:policy/lake/lagoa/coins/name", "/lake/lagoa/coins/"),
        ] {
            assert_eq!(path_of(arn), Some(path));
        }
    }

    #[test]
    fn the_oldest_version_goes_by_number_and_spares_the_default() {
        let version = |id: &str, default| {
            PolicyVersion::builder().version_id(id).is_default_version(default).build()
        };
        let versions = [version("v10", false), version("v2", true), version("v9", false)];
        assert_eq!(oldest(&versions).and_then(PolicyVersion::version_id), Some("v9"));
        assert!(oldest(&[version("v1", true)]).is_none());
    }
}
