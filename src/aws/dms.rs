//! What everything in DMS shares: tags by ARN, names behind ARNs, and the two roles of fixed name
//! that DMS itself works with.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_databasemigration::types::{Filter, Tag};

use super::fixed_role::{self, FixedRole};
use super::kms::same_key;
use super::{Aws, Class, Error};
use crate::field::{Immutable, KmsKeyArn, Tags};
use crate::kind::Wanted;

/// Whether DMS made up the end of an ARN by itself, where nobody gave a `resource_identifier`.
pub fn is_made_up(identifier: &str) -> bool {
    let made = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    identifier.len() >= 20 && identifier.chars().all(made)
}

/// Whether DMS made a subnet group by itself, for an instance that was asked for without one. It is
/// the whole account's.
pub fn is_default_group(name: &str) -> bool {
    name == "default" || name.starts_with("default-vpc-")
}

/// All roles that DMS looks for under a fixed name.
pub const FIXED_ROLES: [FixedRole; 3] = [VPC_ROLE, LOGS_ROLE, ENDPOINT_ROLE];

/// DMS puts its instances into the account's network with this role.
pub const VPC_ROLE: FixedRole = FixedRole {
    name: "dms-vpc-role",
    services: &["dms.amazonaws.com"],
    policy: "service-role/AmazonDMSVPCManagementRole",
};

/// DMS writes the logs of its tasks with this role.
pub const LOGS_ROLE: FixedRole = FixedRole {
    name: "dms-cloudwatch-logs-role",
    services: &["dms.amazonaws.com"],
    policy: "service-role/AmazonDMSCloudWatchLogsRole",
};

/// DMS copies files into Redshift's bucket with this role.
pub const ENDPOINT_ROLE: FixedRole = FixedRole {
    name: "dms-access-for-endpoint",
    services: &["dms.amazonaws.com", "redshift.amazonaws.com"],
    policy: "service-role/AmazonDMSRedshiftS3Role",
};

/// Makes the role when the account has none, then calls. A role that is minutes old isn't visible
/// to DMS everywhere yet, so a refusal passes.
pub async fn with_role<T>(
    aws: &Aws,
    role: &FixedRole,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let is_new = fixed_role::ensure(aws, role).await?;
    call.await.map_err(|error| match error.code.as_str() {
        "AccessDeniedFault" if is_new => Error { class: Class::Transient, ..error },
        _ => error,
    })
}

/// What a reviewer should know when one of these roles may be made.
pub fn role_note(role: &FixedRole) -> String {
    format!("makes the role {} if the account has none; it stays when this goes", role.name)
}

/// The most ARNs that one call about tags is asked for.
const ARNS: usize = 50;

/// Whether only the phase of the thing of that name is asked for while it is pending.
pub fn is_glanced<K>(wanted: &[Wanted<K>], name: &str) -> bool {
    wanted.iter().any(|one| one.glance && one.name == name)
}

/// The tags of all things with these ARNs, by ARN. What is gone has none.
pub async fn tags(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, Error> {
    let mut found = BTreeMap::new();
    for some in arns.chunks(ARNS) {
        match tags_of(aws, some).await {
            Err(error) if error.is_gone() && some.len() > 1 => {
                for one in some {
                    match tags_of(aws, std::slice::from_ref(one)).await {
                        Err(error) if error.is_gone() => {}
                        tags => found.extend(tags?),
                    }
                }
            }
            Err(error) if error.is_gone() => {}
            tags => found.extend(tags?),
        }
    }
    Ok(found)
}

async fn tags_of(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, Error> {
    let call = aws.dms.list_tags_for_resource();
    let reply = match arns {
        [one] => call.resource_arn(one).send().await?,
        _ => call.set_resource_arn_list(Some(arns.to_vec())).send().await?,
    };
    let mut found: BTreeMap<String, Tags> =
        arns.iter().map(|arn| (arn.clone(), Tags::default())).collect();
    for tag in reply.tag_list() {
        // Asked for one thing, DMS doesn't say again which.
        let arn = tag.resource_arn().or(arns.first().map(String::as_str)).unwrap_or_default();
        if let (Some(tags), Some(key)) = (found.get_mut(arn), tag.key()) {
            tags.0.insert(key.to_owned(), tag.value().unwrap_or_default().to_owned());
        }
    }
    Ok(found)
}

/// Sets and removes what turns `live` into `desired`; nothing when they agree.
pub async fn update_tags(aws: &Aws, arn: &str, desired: &Tags, live: &Tags) -> Result<(), Error> {
    let (set, remove) = desired.change_from(live);
    if !set.is_empty() {
        let call = aws.dms.add_tags_to_resource().resource_arn(arn);
        call.set_tags(Some(to_aws(&Tags(set)))).send().await?;
    }
    if !remove.is_empty() {
        let call = aws.dms.remove_tags_from_resource().resource_arn(arn);
        call.set_tag_keys(Some(remove)).send().await?;
    }
    Ok(())
}

/// Tags in the shape that the create calls take.
pub fn to_aws(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// A filter for the things of this name, when there is only one; a page of all serves more.
pub fn only<'a>(
    of: &str,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<Option<Vec<Filter>>, Error> {
    let mut names = names.into_iter();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(Some(vec![Filter::builder().name(of).values(name).build()?])),
        _ => Ok(None),
    }
}

/// Takes over AWS's spelling of the same key.
pub fn fold_key(ours: &mut Option<Immutable<KmsKeyArn>>, live: Option<&Immutable<KmsKeyArn>>) {
    if ours.is_some() && same_key(ours.as_ref().map(|key| &***key), live.map(|key| &***key)) {
        *ours = live.cloned();
    }
}

/// The ARNs of this stack's things of one sort, such as `endpoint:`, by their tags.
pub async fn swept(aws: &Aws, prefix: &str) -> Result<BTreeSet<String>, Error> {
    let ends = aws.swept("dms", prefix).await?;
    let region = &aws.site.region;
    Ok(ends.iter().map(|end| aws.site.arn("dms", region, &format!("{prefix}{end}"))).collect())
}
