//! The instance profile of the role's name.

use std::collections::BTreeMap;

use crate::aws::{Class, Error, absent, gone_is_fine, iam};
use crate::field::Tags;
use crate::kind::Cx;

/// Makes the profile and puts the role into it. A profile of that name that an earlier run left
/// without its role is taken up again; somebody else's is not.
pub async fn make(tags: &Tags, path: Option<&String>, cx: &Cx<'_>) -> Result<(), Error> {
    let call = cx.iam.create_instance_profile().instance_profile_name(cx.name);
    let call = call.set_path(path.cloned());
    let call = call.set_tags(Some(iam::tag_set(tags)?)).send().await.map_err(Error::from);
    match call {
        Err(error) if error.class == Class::Already => {
            if !is_ours(cx.name, tags, cx).await? {
                return Err(Error { class: Class::Terminal, ..error }.hint(format!(
                    "the instance profile {} isn't this stack's: delete it, or rename the role",
                    cx.name
                )));
            }
        }
        other => drop(other?),
    }
    let call = cx.iam.add_role_to_instance_profile().instance_profile_name(cx.name);
    match call.role_name(cx.name).send().await.map(drop).map_err(iam::settling) {
        // A read of the past didn't show the role that is in there already.
        Err(error) if error.code == FULL => match other_role(cx).await? {
            Some(role) => Err(error.hint(format!("the role {role} is in that profile"))),
            None => Ok(()),
        },
        answer => answer,
    }
}

/// A profile holds one role.
const FULL: &str = "LimitExceeded";

/// The role in the profile, if that is another one.
async fn other_role(cx: &Cx<'_>) -> Result<Option<String>, Error> {
    let reply = cx.iam.get_instance_profile().instance_profile_name(cx.name).send().await;
    let profile = absent(reply)?.and_then(|reply| reply.instance_profile);
    let roles = profile.map(|profile| profile.roles).unwrap_or_default();
    Ok(roles.into_iter().map(|role| role.role_name).find(|role| role != cx.name))
}

/// Takes the role out of the profile and deletes the profile if it is this stack's.
pub async fn remove(tags: &Tags, cx: &Cx<'_>) -> Result<(), Error> {
    leave(cx.name, cx).await?;
    discard(tags, cx).await
}

/// Deletes the profile, which has no role any more, if it is this stack's.
pub async fn discard(tags: &Tags, cx: &Cx<'_>) -> Result<(), Error> {
    if !is_ours(cx.name, tags, cx).await? {
        return Ok(());
    }
    let call = cx.iam.delete_instance_profile().instance_profile_name(cx.name);
    gone_is_fine(call.send().await)
}

/// Takes the role out of every profile, as IAM wants it before it deletes the role.
pub async fn leave_all(cx: &Cx<'_>) -> Result<(), Error> {
    let pages = cx.iam.list_instance_profiles_for_role().role_name(cx.name).into_paginator();
    let profiles = absent(pages.items().send().collect::<Result<Vec<_>, _>>().await)?;
    for profile in profiles.unwrap_or_default() {
        leave(profile.instance_profile_name(), cx).await?;
    }
    Ok(())
}

async fn leave(profile: &str, cx: &Cx<'_>) -> Result<(), Error> {
    let call = cx.iam.remove_role_from_instance_profile().instance_profile_name(profile);
    gone_is_fine(call.role_name(cx.name).send().await)
}

/// Gives the profile the role's change of tags.
pub async fn tag(
    set: &BTreeMap<String, String>,
    remove: &[String],
    cx: &Cx<'_>,
) -> Result<(), Error> {
    if !set.is_empty() {
        let tags = iam::tag_set(&Tags(set.clone()))?;
        let call = cx.iam.tag_instance_profile().instance_profile_name(cx.name);
        call.set_tags(Some(tags)).send().await.map_err(iam::settling)?;
    }
    if !remove.is_empty() {
        let call = cx.iam.untag_instance_profile().instance_profile_name(cx.name);
        call.set_tag_keys(Some(remove.to_vec())).send().await.map_err(iam::settling)?;
    }
    Ok(())
}

/// Whether the profile carries the same stack's tag as the role.
async fn is_ours(name: &str, tags: &Tags, cx: &Cx<'_>) -> Result<bool, Error> {
    let reply = cx.iam.get_instance_profile().instance_profile_name(name).send().await;
    let profile = absent(reply)?.and_then(|reply| reply.instance_profile);
    let stack = profile.map(|profile| iam::tags_of(profile.tags()).0.remove("lagoa:stack"));
    Ok(matches!(stack, Some(Some(stack)) if Some(&stack) == tags.get("lagoa:stack")))
}
