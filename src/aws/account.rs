//! Everything IAM holds, from the only bulk call that has it all.

use aws_sdk_iam::types::{EntityType, GroupDetail, ManagedPolicyDetail, RoleDetail, UserDetail};

use super::Error;

/// Roles, users, groups and the account's own managed policies.
/// Tags of managed policies are not in it, and groups have none.
#[derive(Debug, Default)]
pub struct AccountDetails {
    /// Roles with trust, inline and attached policies, boundary, instance profiles and tags.
    pub roles: Vec<RoleDetail>,
    /// Users with groups, policies, boundary and tags.
    pub users: Vec<UserDetail>,
    /// Groups with policies.
    pub groups: Vec<GroupDetail>,
    /// Managed policies with all versions and their documents.
    pub policies: Vec<ManagedPolicyDetail>,
}

/// Reads all pages.
pub async fn read(iam: aws_sdk_iam::Client) -> Result<AccountDetails, Error> {
    let mut details = AccountDetails::default();
    let mut pages = iam
        .get_account_authorization_details()
        .filter(EntityType::Role)
        .filter(EntityType::User)
        .filter(EntityType::Group)
        .filter(EntityType::LocalManagedPolicy)
        .max_items(1000)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page?;
        details.roles.extend(page.role_detail_list.unwrap_or_default());
        details.users.extend(page.user_detail_list.unwrap_or_default());
        details.groups.extend(page.group_detail_list.unwrap_or_default());
        details.policies.extend(page.policies.unwrap_or_default());
    }
    Ok(details)
}
