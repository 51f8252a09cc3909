//! A log group in CloudWatch Logs.

use std::path::Path;

use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::kms::same_key;
use crate::aws::words::parse;
use crate::aws::{Aws, Error, absent, gone_is_fine, json};
use crate::field::{Computed, Differs, Immutable, KmsKeyArn, Tags, leave_out};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Site, Wanted};
use crate::reference::is_marked;

/// A log group: where a service's logs go, how long they are kept and who can read them.
///
/// Many services make their own group at the first line that they write, and one that never
/// forgets. A group of the stack that is there first sets the days; one that a service was faster
/// with can be taken over with `adopt: true`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsGroup {
    /// Days for which log events are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400,
    /// 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653; 0 keeps them for ever, with which AWS
    /// starts.
    #[schemars(range(min = 0, max = 3653))]
    pub retention_days: Option<i32>,
    /// The KMS key that encrypts new log events: key or ARN. Its policy must let
    /// `logs.REGION.amazonaws.com` use it.
    pub kms_key: Option<KmsKeyArn>,
    /// `STANDARD`, `INFREQUENT_ACCESS` for half the price and fewer features, or `DELIVERY` for
    /// passing on. AWS starts with `STANDARD`.
    pub class: Option<Immutable<Class>>,
    /// AWS refuses to delete the group while this is on. AWS starts with false.
    pub deletion_protection: Option<bool>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:logs:region:account:log-group:name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Size of the log events that it holds; AWS counts late.
    #[serde(default)]
    pub stored_bytes: Computed<i64>,
}

/// What a group's log events can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Class {
    Standard,
    InfrequentAccess,
    Delivery,
}

/// The days that CloudWatch Logs takes.
const DAYS: &[i32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

impl Kind for LogsGroup {
    const EXAMPLE: &'static str = "
coins-logs:
  kind: logs_group
  name: /coins/ingestion
  retention_days: 30
  class: STANDARD
  deletion_protection: false
  tags: { Projeto: Bootcamp }
  on_destroy: delete
";
    const NAME: &'static str = r"^[.\-_/#A-Za-z0-9]{1,512}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["logs:DescribeLogGroups"], ANY),
            Grant::of(
                &["logs:ListTagsForResource"],
                &[
                    "logs:{region}:{account}:log-group:{name}",
                    "logs:{region}:{account}:log-group:{name}:*",
                ],
            ),
        ],
        write: &[Grant::of(
            &[
                "logs:AssociateKmsKey",
                "logs:CreateLogGroup",
                "logs:DeleteRetentionPolicy",
                "logs:PutLogGroupDeletionProtection",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            &[
                "logs:{region}:{account}:log-group:{name}",
                "logs:{region}:{account}:log-group:{name}:*",
            ],
        )],
        delete: &[Grant::of(
            &["logs:DeleteLogGroup", "logs:PutLogGroupDeletionProtection"],
            &[
                "logs:{region}:{account}:log-group:{name}",
                "logs:{region}:{account}:log-group:{name}:*",
            ],
        )],
        ..Access::NONE
    };
    const HOLDS: Option<&'static str> = Some("log events");
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = None;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let names: Vec<&str> = wanted.iter().map(|one| one.name.as_str()).collect();
        let groups = groups(aws, &names).await?;
        let found = try_join_all(groups.iter().map(|group| with_tags(aws, group))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("logs", "log-group:").await
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(listed(aws, "", |_| true).await?.into_iter().map(|one| one.log_group_name).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let members = json!({
            "logGroupName": cx.name,
            "kmsKeyId": self.kms_key,
            "logGroupClass": self.class,
            "deletionProtectionEnabled": self.deletion_protection,
            "tags": self.tags,
        });
        cx.logs.ask("CreateLogGroup", members).await
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        self.update_tags(live, cx).await?;
        let name = cx.name;
        match self.retention_days.filter(|_| self.retention_days.differs(&live.retention_days)) {
            Some(0) => {
                cx.logs.ask("DeleteRetentionPolicy", json!({ "logGroupName": name })).await?
            }
            Some(days) => {
                let members = json!({ "logGroupName": name, "retentionInDays": days });
                cx.logs.ask("PutRetentionPolicy", members).await?;
            }
            None => {}
        }
        if self.kms_key.differs(&live.kms_key) {
            let members = json!({ "logGroupName": name, "kmsKeyId": self.kms_key });
            cx.logs.ask("AssociateKmsKey", members).await?;
        }
        if self.deletion_protection.differs(&live.deletion_protection) {
            protect(cx, self.deletion_protection == Some(true)).await?;
        }
        Ok(())
    }

    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if farewell.unprotect && self.deletion_protection == Some(true) {
            gone_is_fine(protect(cx, false).await)?;
        }
        gone_is_fine(cx.logs.ask("DeleteLogGroup", json!({ "logGroupName": cx.name })).await)
    }

    fn accept(&mut self, live: &Self) {
        if self.kms_key.is_some() && same_key(self.kms_key.as_deref(), live.kms_key.as_deref()) {
            self.kms_key.clone_from(&live.kms_key);
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        self.arn = site.arn("logs", &site.region, &format!("log-group:{name}")).into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        leave_out(&mut self.retention_days, 0);
        leave_out(&mut self.deletion_protection, false);
        leave_out(&mut self.class, Immutable(Class::Standard));
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message: String| wrong.push((path.to_owned(), message));
        if let Some(days) = self.retention_days
            && days != 0
            && !DAYS.contains(&days)
        {
            let near = DAYS.iter().find(|one| **one > days).unwrap_or(&3653);
            say(
                "retention_days",
                format!("AWS doesn't take {days} days; the next longer is {near}"),
            );
        }
        if self.kms_key.as_ref().is_some_and(|key| !is_marked(key) && !key.starts_with("arn:")) {
            let message =
                "CloudWatch Logs takes only the ARN of a key, or a `kms_key` of the stack";
            say("kms_key", message.to_owned());
        }
        wrong
    }

    fn protected(&self) -> Option<String> {
        (self.deletion_protection == Some(true)).then(|| {
            "deletion protection is on: apply with `deletion_protection: false` first".to_owned()
        })
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        let bytes = self.stored_bytes.unwrap_or_default();
        Ok((bytes > 0).then(|| format!("{bytes} bytes of log events")))
    }
}

impl LogsGroup {
    async fn update_tags(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref();
        let (set, remove) = self.tags.change_from(&live.tags);
        if !set.is_empty() {
            let members = json!({ "resourceArn": arn, "tags": set });
            cx.logs.ask("TagResource", members).await?;
        }
        if !remove.is_empty() {
            let members = json!({ "resourceArn": arn, "tagKeys": remove });
            cx.logs.ask("UntagResource", members).await?;
        }
        Ok(())
    }
}

async fn protect(cx: &Cx<'_>, on: bool) -> Result<(), Error> {
    let members = json!({ "logGroupIdentifier": cx.name, "deletionProtectionEnabled": on });
    cx.logs.ask("PutLogGroupDeletionProtection", members).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Groups {
    #[serde(default, deserialize_with = "json::list")]
    log_groups: Vec<Group>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    log_group_name: String,
    /// With `:*` at its end.
    arn: Option<String>,
    retention_in_days: Option<i32>,
    kms_key_id: Option<String>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
    stored_bytes: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct GroupTags {
    #[serde(default)]
    tags: Tags,
}

/// The groups of these names: those of their common prefix, in pages.
async fn groups(aws: &Aws, names: &[&str]) -> Result<Vec<Group>, Error> {
    let mut found = listed(aws, common_prefix(names), |found| {
        // A prefix's own group comes first, so that one name takes one page.
        let there = |name: &&str| found.iter().any(|one| one.log_group_name == **name);
        names.len() > 1 && !names.iter().all(there)
    })
    .await?;
    found.retain(|group| names.contains(&group.log_group_name.as_str()));
    Ok(found)
}

/// The groups whose names begin so, page by page as long as there are more to find.
async fn listed(
    aws: &Aws,
    prefix: &str,
    more: impl Fn(&[Group]) -> bool,
) -> Result<Vec<Group>, Error> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let members = json!({
            "logGroupNamePrefix": (!prefix.is_empty()).then_some(prefix),
            "nextToken": token,
            "limit": 50,
        });
        let page: Groups = aws.logs.call("DescribeLogGroups", members).await?;
        found.extend(page.log_groups);
        token = page.next_token;
        if token.is_none() || !more(&found) {
            return Ok(found);
        }
    }
}

fn common_prefix<'a>(names: &[&'a str]) -> &'a str {
    let (Some(first), Some(last)) = (names.iter().min(), names.iter().max()) else { return "" };
    let same = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    first.get(..same).unwrap_or_default()
}

/// Logs reports the tags of a group in a call of their own.
async fn with_tags(aws: &Aws, group: &Group) -> Result<Option<Found<LogsGroup>>, Error> {
    let arn = group.arn.as_deref().unwrap_or_default().trim_end_matches(":*");
    let asked = aws.logs.call("ListTagsForResource", json!({ "resourceArn": arn })).await;
    let Some(GroupTags { tags }) = absent(asked)? else { return Ok(None) };
    let class = group.log_group_class.as_deref().and_then(parse);
    let fields = LogsGroup {
        retention_days: Some(group.retention_in_days.unwrap_or_default()),
        kms_key: group.kms_key_id.as_deref().map(KmsKeyArn::from),
        class: class.map(Immutable),
        deletion_protection: Some(group.deletion_protection_enabled.unwrap_or_default()),
        tags,
        arn: arn.to_owned().into(),
        stored_bytes: group.stored_bytes.into(),
    };
    Ok(Some(Found { name: group.log_group_name.clone(), fields }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_by_what_they_have_in_common() {
        assert_eq!(common_prefix(&["/coins/a", "/coins/b", "/coins/ab"]), "/coins/");
        assert_eq!(common_prefix(&["/coins/a"]), "/coins/a");
        assert_eq!(common_prefix(&["a", "b"]), "");
    }

    #[test]
    fn days_are_those_of_aws() {
        let group =
            |days| LogsGroup::deserialize(json!({ "retention_days": days })).expect("fields");
        let wrong = |days| group(days).check(Path::new("."));
        assert!(wrong(0).is_empty() && wrong(30).is_empty());
        assert!(wrong(31)[0].1.contains("60"));
    }
}
