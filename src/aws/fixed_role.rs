//! Roles that a service looks for under a fixed name: one serves the whole account. They are made
//! when they are missing, carry no stack's mark and are never taken away.

use std::time::{Duration, SystemTime};

use super::{Aws, Class, Error, absent};
use crate::field::PolicyArn;
use crate::kind::{Grant, When};

/// A role that a service insists on.
#[derive(Clone, Copy, Debug)]
pub struct FixedRole {
    /// The name that the service looks for.
    pub name: &'static str,
    /// Who assumes it: `dms.amazonaws.com`.
    pub services: &'static [&'static str],
    /// The policy of AWS's own that it needs, with its path: `service-role/AmazonDMSVPCManagementRole`.
    pub policy: &'static str,
}

/// What it takes to look for such a role and to make it.
pub const fn making(on: &'static [&'static str]) -> Grant {
    const ACTIONS: &[&str] =
        &["iam:CreateRole", "iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"];
    Grant::of(ACTIONS, on)
}

/// What it takes to give it its policy.
pub const fn filling(on: &'static [&'static str], policy: &'static [&'static str]) -> Grant {
    Grant::of(&["iam:AttachRolePolicy"], on).when(When::Attaching(policy))
}

/// How long a new role may be unknown to the service that assumes it.
const NEW: Duration = Duration::from_secs(180);

/// Makes the role when there is none. What somebody made under that name stays as it is, except
/// that a role without any policy, as a run that was killed leaves it, gets its own.
/// Says whether the role is so new that its service may not see it yet.
pub async fn ensure(aws: &Aws, role: &FixedRole) -> Result<bool, Error> {
    if let Some(reply) = absent(aws.iam.get_role().role_name(role.name).send().await)? {
        let made = reply.role().map(|role| *role.create_date());
        let made = made.and_then(|made| SystemTime::try_from(made).ok());
        let is_new = made
            .and_then(|made| SystemTime::now().duration_since(made).ok())
            .is_none_or(|age| age < NEW);
        if is_new && is_bare(aws, role).await? {
            attach(aws, role).await?;
        }
        return Ok(is_new);
    }
    let created = aws
        .iam
        .create_role()
        .role_name(role.name)
        .description(format!("Used by {} in the whole account", role.services.join(" and ")))
        .assume_role_policy_document(trust(role.services))
        .send()
        .await;
    match created.map_err(Error::from) {
        // Another step of this run was faster.
        Err(error) if error.class == Class::Already => {}
        created => {
            created?;
        }
    }
    attach(aws, role).await?;
    Ok(true)
}

fn trust(services: &[&str]) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": services },
            "Action": "sts:AssumeRole",
        }],
    })
    .to_string()
}

async fn is_bare(aws: &Aws, role: &FixedRole) -> Result<bool, Error> {
    let attached = aws.iam.list_attached_role_policies().role_name(role.name).send().await?;
    let inline = aws.iam.list_role_policies().role_name(role.name).send().await?;
    Ok(attached.attached_policies().is_empty() && inline.policy_names().is_empty())
}

async fn attach(aws: &Aws, role: &FixedRole) -> Result<(), Error> {
    let policy = super::iam::managed_policy(&PolicyArn::from(role.policy), &aws.site);
    let call = aws.iam.attach_role_policy().role_name(role.name).policy_arn(&*policy);
    call.send().await.map_err(super::iam::settling)?;
    Ok(())
}
