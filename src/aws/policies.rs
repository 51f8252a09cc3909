//! The policies of those who can hold them: roles, users and groups, inline and attached alike.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{AttachedPolicy, PolicyDetail};

use super::{Class, Error, absent, gone_is_fine, iam};
use crate::field::{Policy, PolicyArn, set_change};
use crate::kind::Site;

/// Who holds policies, by name.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// A role.
    Role(&'a str),
    /// A user.
    User(&'a str),
    /// A group.
    Group(&'a str),
}

/// The policies that somebody holds.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// Written into the holder, by name.
    pub inline: &'a BTreeMap<String, Policy>,
    /// Attached to the holder.
    pub managed: &'a BTreeSet<PolicyArn>,
}

/// Inline policies in a reply of IAM's.
pub fn inline_of(policies: &[PolicyDetail]) -> BTreeMap<String, Policy> {
    let named = policies.iter().filter_map(|policy| {
        let document = Policy::from_aws(policy.policy_document()?);
        Some((policy.policy_name()?.to_owned(), document))
    });
    named.collect()
}

/// Attached policies in a reply of IAM's.
pub fn managed_of(policies: &[AttachedPolicy]) -> BTreeSet<PolicyArn> {
    policies.iter().filter_map(|policy| policy.policy_arn().map(PolicyArn::from)).collect()
}

impl Holder<'_> {
    /// Turns the policies that the holder has into those it should have.
    /// What goes, goes first: the numbers and sizes that IAM allows may be used up.
    pub async fn converge(
        &self,
        desired: Held<'_>,
        live: Held<'_>,
        aws: &Client,
        site: &Site,
    ) -> Result<(), Error> {
        let managed = iam::managed_policies(desired.managed, site);
        let (attach, detach) = set_change(&managed, live.managed);
        for policy in detach {
            gone_is_fine(self.detach(&policy, aws).await)?;
        }
        for name in live.inline.keys().filter(|name| !desired.inline.contains_key(*name)) {
            gone_is_fine(self.delete_inline(name, aws).await)?;
        }
        for policy in attach {
            self.attach(&policy, aws).await.map_err(|error| unattached(error, &policy))?;
        }
        for (name, policy) in desired.inline {
            if live.inline.get(name) != Some(policy) {
                self.put_inline(name, policy, aws).await.map_err(iam::settling)?;
            }
        }
        Ok(())
    }

    /// Takes every policy away, as IAM wants it before it deletes the holder.
    pub async fn strip(&self, aws: &Client) -> Result<(), Error> {
        for policy in absent(self.attached(aws).await)?.unwrap_or_default() {
            gone_is_fine(self.detach(&policy, aws).await)?;
        }
        for name in absent(self.inline(aws).await)?.unwrap_or_default() {
            gone_is_fine(self.delete_inline(&name, aws).await)?;
        }
        Ok(())
    }

    async fn attach(&self, policy: &str, aws: &Client) -> Result<(), Error> {
        match *self {
            Self::Role(name) => {
                aws.attach_role_policy().role_name(name).policy_arn(policy).send().await?;
            }
            Self::User(name) => {
                aws.attach_user_policy().user_name(name).policy_arn(policy).send().await?;
            }
            Self::Group(name) => {
                aws.attach_group_policy().group_name(name).policy_arn(policy).send().await?;
            }
        }
        Ok(())
    }

    /// Takes an attached policy away.
    pub async fn detach(&self, policy: &str, aws: &Client) -> Result<(), Error> {
        match *self {
            Self::Role(name) => {
                aws.detach_role_policy().role_name(name).policy_arn(policy).send().await?;
            }
            Self::User(name) => {
                aws.detach_user_policy().user_name(name).policy_arn(policy).send().await?;
            }
            Self::Group(name) => {
                aws.detach_group_policy().group_name(name).policy_arn(policy).send().await?;
            }
        }
        Ok(())
    }

    async fn put_inline(&self, policy: &str, text: &Policy, aws: &Client) -> Result<(), Error> {
        let text = text.text();
        match *self {
            Self::Role(name) => {
                let call = aws.put_role_policy().role_name(name).policy_name(policy);
                call.policy_document(text).send().await?;
            }
            Self::User(name) => {
                let call = aws.put_user_policy().user_name(name).policy_name(policy);
                call.policy_document(text).send().await?;
            }
            Self::Group(name) => {
                let call = aws.put_group_policy().group_name(name).policy_name(policy);
                call.policy_document(text).send().await?;
            }
        }
        Ok(())
    }

    async fn delete_inline(&self, policy: &str, aws: &Client) -> Result<(), Error> {
        match *self {
            Self::Role(name) => {
                aws.delete_role_policy().role_name(name).policy_name(policy).send().await?;
            }
            Self::User(name) => {
                aws.delete_user_policy().user_name(name).policy_name(policy).send().await?;
            }
            Self::Group(name) => {
                aws.delete_group_policy().group_name(name).policy_name(policy).send().await?;
            }
        }
        Ok(())
    }

    async fn attached(&self, aws: &Client) -> Result<Vec<PolicyArn>, Error> {
        let policies: Vec<AttachedPolicy> = match *self {
            Self::Role(name) => {
                let pages = aws.list_attached_role_policies().role_name(name).into_paginator();
                pages.items().send().collect::<Result<_, _>>().await?
            }
            Self::User(name) => {
                let pages = aws.list_attached_user_policies().user_name(name).into_paginator();
                pages.items().send().collect::<Result<_, _>>().await?
            }
            Self::Group(name) => {
                let pages = aws.list_attached_group_policies().group_name(name).into_paginator();
                pages.items().send().collect::<Result<_, _>>().await?
            }
        };
        Ok(managed_of(&policies).into_iter().collect())
    }

    async fn inline(&self, aws: &Client) -> Result<Vec<String>, Error> {
        match *self {
            Self::Role(name) => {
                let pages = aws.list_role_policies().role_name(name).into_paginator();
                Ok(pages.items().send().collect::<Result<_, _>>().await?)
            }
            Self::User(name) => {
                let pages = aws.list_user_policies().user_name(name).into_paginator();
                Ok(pages.items().send().collect::<Result<_, _>>().await?)
            }
            Self::Group(name) => {
                let pages = aws.list_group_policies().group_name(name).into_paginator();
                Ok(pages.items().send().collect::<Result<_, _>>().await?)
            }
        }
    }
}

/// A policy of AWS's own that isn't there never will be; one of the account's may only be new.
fn unattached(error: Error, policy: &str) -> Error {
    match policy.split_once(":iam::aws:policy/") {
        Some((_, name)) if error.is_gone() && error.message.starts_with("Policy ") => {
            Error { class: Class::Terminal, ..error }.hint(format!(
                "AWS has no policy of its own that is called {name}, and the stack has no \
                 iam_policy of that name; some have a folder in front, such as `service-role/…`: \
                 see `aws iam list-policies --scope AWS`"
            ))
        }
        _ => iam::settling(error),
    }
}
