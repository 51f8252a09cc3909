//! What the EKS kinds share: names within a cluster, tags, and words of the API.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_eks::types::{ErrorDetail, Update, UpdateStatus};
use futures::future::try_join_all;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Aws, Class, Error, absent};
use crate::field::Tags;
use crate::kind::{Cx, Grant, Phase};

const LISTS: &[&str] = &["eks:ListAccessEntries", "eks:ListPodIdentityAssociations"];
const LOOKS: &[&str] = &[
    "eks:DescribeAccessEntry",
    "eks:DescribePodIdentityAssociation",
    "eks:ListAssociatedAccessPolicies",
];

/// What it takes to look for access entries and pod identities of ours in a cluster, as a plan does
/// in every cluster that something of the stack is in.
pub const fn sweeping(
    clusters: &'static [&'static str],
    inside: &'static [&'static str],
) -> [Grant; 2] {
    [Grant::of(LISTS, clusters), Grant::of(LOOKS, inside)]
}

/// The same in the cluster that a resource is within.
pub const WITHIN: [Grant; 2] = sweeping(
    &["eks:{region}:{account}:cluster/{within}"],
    &[
        "eks:{region}:{account}:access-entry/{within}/*",
        "eks:{region}:{account}:podidentityassociation/{within}/*",
    ],
);

/// The cluster, and the name in it, of `cluster/name`.
pub fn split(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("", name))
}

/// Tags in the shape that EKS takes.
pub fn to_aws(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags in the shape that EKS gives.
pub fn from_aws(tags: Option<&HashMap<String, String>>) -> Tags {
    let pairs = tags.into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Sets and removes what turns `live` into `desired`; nothing when they agree.
pub async fn update_tags(
    aws: &Aws,
    arn: Option<&String>,
    desired: &Tags,
    live: &Tags,
) -> Result<(), Error> {
    let arn = arn.ok_or_else(|| Error::internal("read from EKS without its ARN"))?;
    let (set, remove) = desired.change_from(live);
    if !set.is_empty() {
        let call = aws.eks.tag_resource().resource_arn(arn);
        call.set_tags(Some(to_aws(&Tags(set)))).send().await?;
    }
    if !remove.is_empty() {
        let call = aws.eks.untag_resource().resource_arn(arn);
        call.set_tag_keys(Some(remove)).send().await?;
    }
    Ok(())
}

/// What the status of something in a cluster means. What has complaints (`DEGRADED`), or failed to
/// change (`UPDATE_FAILED`), is there all the same.
pub fn phase(status: &str, issues: &[String]) -> Phase {
    match status {
        "CREATE_FAILED" | "DELETE_FAILED" => {
            Phase::Failed(format!("{status} {}", issues.join("; ")).trim_end().to_owned())
        }
        "CREATING" | "UPDATING" | "DELETING" => Phase::Pending(status.to_lowercase()),
        _ => Phase::Ready,
    }
}

/// A word of the API as ours; `None` for one that came later than this lagoa.
pub fn word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

/// A word of ours as the API writes it.
pub fn spelled(word: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(word).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// An update that has nothing to do is done.
pub fn already_is_fine<T, E: Into<Error>>(result: Result<T, E>) -> Result<(), Error> {
    match result.map_err(Into::into) {
        Err(error) if error.class != Class::Already => Err(error),
        _ => Ok(()),
    }
}

/// What EKS calls the looking for updates.
pub const LOOKS_AT_UPDATES: &[&str] = &["eks:DescribeUpdate", "eks:ListUpdates"];

/// Whose updates EKS lists: a cluster's own, or those of something in it, `cluster/name`.
#[derive(Clone, Copy, Debug)]
pub enum Updates<'a> {
    /// A cluster, by its name.
    Cluster(&'a str),
    /// A node group.
    Nodegroup(&'a str),
    /// An add-on.
    Addon(&'a str),
}

impl Updates<'_> {
    /// Fails with EKS's reasons when what this run asked for last has failed. EKS takes an update,
    /// works on it for minutes, and when it fails leaves everything as it was without a word; the
    /// same update once more would fail in the same way.
    pub async fn went_well(self, cx: &Cx<'_>) -> Result<(), Error> {
        if cx.turn == 0 {
            return Ok(());
        }
        let (cluster, group, addon) = match self {
            Self::Cluster(name) => (name, None, None),
            Self::Nodegroup(name) => (split(name).0, Some(split(name).1.to_owned()), None),
            Self::Addon(name) => (split(name).0, None, Some(split(name).1.to_owned())),
        };
        let call = cx.eks.list_updates().name(cluster);
        let call = call.set_nodegroup_name(group.clone()).set_addon_name(addon.clone());
        let ids: Result<Vec<String>, _> = call.into_paginator().items().send().collect().await;
        let (ids, group, addon) = (ids?, &group, &addon);
        let updates = try_join_all(ids.iter().map(|id| async move {
            let call = cx.eks.describe_update().name(cluster).update_id(id);
            let call = call.set_nodegroup_name(group.clone()).set_addon_name(addon.clone());
            Ok::<_, Error>(absent(call.send().await)?.and_then(|reply| reply.update))
        }));
        let updates = updates.await?.into_iter().flatten();
        let last = updates.max_by_key(|update| update.created_at().copied());
        last.as_ref().and_then(failure).map_or(Ok(()), Err)
    }
}

/// What became of an update that failed.
fn failure(update: &Update) -> Option<Error> {
    let status = update.status()?;
    if !matches!(status, UpdateStatus::Failed | UpdateStatus::Cancelled) {
        return None;
    }
    let code = |error: &ErrorDetail| error.error_code().map(|code| code.as_str().to_owned());
    let reasons = update.errors().iter().map(|error| {
        let code = code(error).unwrap_or_default();
        format!("{code}: {}", error.error_message().unwrap_or_default())
    });
    let reasons: Vec<String> = reasons.collect();
    let why = match reasons.as_slice() {
        [] => "without saying why".to_owned(),
        reasons => format!("with {}", reasons.join("; ")),
    };
    let status = status.as_str().to_lowercase();
    let error = Error::new(Class::Terminal, format!("the update {status} {why}"));
    let remedy = update.errors().iter().filter_map(code).find_map(|code| remedy(&code));
    Some(match remedy {
        Some(remedy) => error.hint(remedy),
        None => error,
    })
}

/// What a person can do about the reasons that AWS gives most.
fn remedy(code: &str) -> Option<&'static str> {
    match code {
        "PodEvictionFailure" => Some(
            "a disruption budget, or a pod that nothing would start again, keeps pods on the old \
             machines: loosen it, and apply again",
        ),
        "ConfigurationConflict" => Some(
            "somebody changed the add-on's settings in the cluster: write `resolve_conflicts: \
             OVERWRITE` to put EKS's back, or PRESERVE to keep them",
        ),
        "IpNotAvailable" | "InsufficientFreeAddresses" => {
            Some("the subnets have no free addresses left: name others, or make room in them")
        }
        _ => None,
    }
}

/// Clusters that hold something of this stack's, as far as the tagging API knows.
pub async fn clusters(aws: &Aws) -> Result<BTreeSet<String>, Error> {
    let mut clusters = BTreeSet::new();
    for part in swept(aws).await? {
        clusters.extend(part.split('/').nth(1).map(str::to_owned));
    }
    Ok(clusters)
}

/// `cluster/name` of what carries this stack's tag and is of that type: `nodegroup`, `addon`.
pub async fn owned(aws: &Aws, of: &str) -> Result<Vec<String>, Error> {
    let found = swept(aws).await?.into_iter().filter_map(|part| {
        let mut parts = part.split('/');
        let (kind, cluster, name) = (parts.next()?, parts.next()?, parts.next()?);
        (kind == of).then(|| format!("{cluster}/{name}"))
    });
    Ok(found.collect())
}

/// Every cluster, whoever owns it.
pub async fn all_clusters(aws: &Aws) -> Result<Vec<String>, Error> {
    let clusters: Result<Vec<String>, _> =
        aws.eks.list_clusters().into_paginator().items().send().collect().await;
    Ok(clusters?)
}

async fn swept(aws: &Aws) -> Result<Vec<String>, Error> {
    aws.swept("eks", "").await
}

/// What has no name in AWS is known by its key, which our mark holds.
pub fn marked_name(tags: &Tags, stack: &str) -> Option<String> {
    let ours = tags.get("lagoa:stack").is_some_and(|one| one == stack);
    tags.get("lagoa:name").filter(|_| ours).cloned()
}

/// `1.33` as a number that can be compared.
pub fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_cluster_before_it() {
        assert_eq!(split("lake/workers"), ("lake", "workers"));
        assert_eq!(split("workers"), ("", "workers"));
    }

    #[test]
    fn a_failure_says_why_and_complaints_are_none() {
        let issues = ["NodeCreationFailure: alone".to_owned()];
        let why = "CREATE_FAILED NodeCreationFailure: alone".to_owned();
        assert_eq!(phase("CREATE_FAILED", &issues), Phase::Failed(why));
        assert_eq!(phase("DELETE_FAILED", &[]), Phase::Failed("DELETE_FAILED".to_owned()));
        assert_eq!(phase("DELETING", &[]), Phase::Pending("deleting".to_owned()));
        for there in ["ACTIVE", "DEGRADED", "UPDATE_FAILED"] {
            assert_eq!(phase(there, &issues), Phase::Ready, "{there}");
        }
    }

    #[test]
    fn an_update_that_failed_says_why_and_what_to_do() {
        let update = |status, errors| Update::builder().status(status).set_errors(errors).build();
        let detail = ErrorDetail::builder()
            .error_code(aws_sdk_eks::types::ErrorCode::PodEvictionFailure)
            .error_message("Reached max retries while trying to evict pods")
            .build();
        let failed = failure(&update(UpdateStatus::Failed, Some(vec![detail]))).unwrap();
        assert_eq!(
            failed.message,
            "the update failed with PodEvictionFailure: Reached max retries while trying to evict \
             pods"
        );
        assert!(failed.hint.is_some_and(|hint| hint.contains("disruption budget")));
        let cancelled = failure(&update(UpdateStatus::Cancelled, None)).unwrap();
        assert_eq!(cancelled.message, "the update cancelled without saying why");
        for status in [UpdateStatus::InProgress, UpdateStatus::Successful] {
            assert_eq!(failure(&update(status, None)), None);
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(minor("1.9") < minor("1.31"));
        assert_eq!(minor("latest"), None);
    }
}
