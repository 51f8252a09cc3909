//! Lifecycle rules: when objects move to cheaper storage and when they go.

mod checks;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{from_word, word};
use crate::aws::{Aws, Error, absent};
use crate::kind::Cx;
use crate::reference::is_unknown;

pub use checks::check;

/// What becomes of objects as they age. S3 keeps a rule as one piece: what a rule leaves out
/// isn't done. Without prefix, tags and sizes it counts for every object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct LifecycleRule {
    /// Name of the rule, at most 255 characters, unique in the bucket. Left out, it is worked out
    /// from the rule's content.
    pub id: Option<String>,
    /// False keeps the rule without acting on it. Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Only objects whose key starts so, such as `raw/`. Default: all.
    #[serde(default)]
    pub prefix: String,
    /// Only objects that carry all these tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Only objects larger than this many bytes.
    pub object_size_greater_than_bytes: Option<i64>,
    /// Only objects smaller than this many bytes.
    pub object_size_less_than_bytes: Option<i64>,
    /// Days after its creation when an object is deleted; with versioning it becomes a version
    /// that isn't current.
    #[schemars(range(min = 1))]
    pub expiration_days: Option<i32>,
    /// Day from which the objects are deleted, as `2027-12-31` (midnight UTC).
    pub expiration_date: Option<String>,
    /// Remove delete markers that no version stands behind any more. Not together with
    /// `expiration_days`, `expiration_date` or `tags`. Default false.
    #[serde(default)]
    pub expired_object_delete_marker: bool,
    /// Days after which a version that is no longer current is deleted for good.
    #[schemars(range(min = 1))]
    pub noncurrent_expiration_days: Option<i32>,
    /// How many versions that aren't current are kept however old they are, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub newer_noncurrent_versions: Option<i32>,
    /// When objects move to another storage class.
    #[serde(default)]
    pub transitions: BTreeSet<Transition>,
    /// When versions that aren't current move to another storage class.
    #[serde(default)]
    pub noncurrent_transitions: BTreeSet<NoncurrentTransition>,
    /// Days after which the parts of an unfinished multipart upload are deleted. Not together
    /// with `tags` or object sizes.
    #[schemars(range(min = 1))]
    pub abort_incomplete_upload_days: Option<i32>,
}

/// A move to another storage class, by age or on a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// Days after the object's creation; at least 30 for `STANDARD_IA` and `ONEZONE_IA`.
    #[schemars(range(min = 0))]
    pub days: Option<i32>,
    /// Day from which objects move, as `2027-12-31` (midnight UTC), instead of `days`.
    pub date: Option<String>,
    /// Where to.
    pub storage_class: StorageClass,
}

/// A move of versions that aren't current to another storage class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoncurrentTransition {
    /// Days after the version stopped being current; at least 30 for `STANDARD_IA` and
    /// `ONEZONE_IA`.
    #[schemars(range(min = 0))]
    pub days: i32,
    /// How many of the newest such versions stay where they are, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub newer_noncurrent_versions: Option<i32>,
    /// Where to.
    pub storage_class: StorageClass,
}

/// A storage class that objects can move to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    /// Infrequent access, three availability zones.
    StandardIa,
    /// Infrequent access, one availability zone.
    OnezoneIa,
    /// S3 moves each object by how often it is read.
    IntelligentTiering,
    /// Archive that answers at once.
    GlacierIr,
    /// Archive that answers in minutes to hours.
    Glacier,
    /// Archive that answers within twelve to forty-eight hours.
    DeepArchive,
}

/// Which small objects lifecycle rules move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MinimumSize {
    /// Objects below 128 KiB stay where they are. What AWS starts with.
    #[serde(rename = "all_storage_classes_128K")]
    AllStorageClasses128K,
    /// Objects below 128 KiB move to Glacier classes, but not to the others.
    #[serde(rename = "varies_by_storage_class")]
    VariesByStorageClass,
}

/// Begins the ids that lagoa works out.
const GENERATED: &str = "lagoa-";

fn yes() -> bool {
    true
}

impl LifecycleRule {
    fn has_generated_id(&self) -> bool {
        self.id.as_ref().is_none_or(|id| id.starts_with(GENERATED))
    }

    /// The id of a rule that nobody gave one: always the same for the same content.
    fn generated_id(&self) -> String {
        let content = Self { id: None, ..self.clone() };
        let text = serde_json::to_string(&content).unwrap_or_default();
        let digest = Sha256::digest(text.as_bytes());
        let hex: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{GENERATED}{hex}")
    }

    fn same_but_for_id(&self, other: &Self) -> bool {
        Self { id: None, ..self.clone() } == Self { id: None, ..other.clone() }
    }
}

/// The rules, and which small objects they move. No configuration is an empty set of rules.
pub async fn read(
    aws: &Aws,
    bucket: &str,
) -> Result<(BTreeSet<LifecycleRule>, Option<MinimumSize>), Error> {
    let reply = absent(aws.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await)?;
    let Some(reply) = reply else { return Ok(Default::default()) };
    let minimum = reply.transition_default_minimum_object_size();
    let minimum = minimum.and_then(|minimum| from_word(minimum.as_str()));
    Ok((reply.rules().iter().map(LifecycleRule::from_aws).collect(), minimum))
}

/// Replaces all rules; none removes the configuration, because S3 refuses an empty one.
pub async fn put(
    rules: &BTreeSet<LifecycleRule>,
    minimum: Option<MinimumSize>,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    if rules.is_empty() {
        cx.s3.delete_bucket_lifecycle().bucket(cx.name).send().await?;
        return Ok(());
    }
    let rules = rules.iter().map(LifecycleRule::to_aws).collect::<Result<Vec<_>, _>>()?;
    let rules = types::BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()?;
    cx.s3
        .put_bucket_lifecycle_configuration()
        .bucket(cx.name)
        .lifecycle_configuration(rules)
        .set_transition_default_minimum_object_size(minimum.map(|m| word(&m).as_str().into()))
        .send()
        .await?;
    Ok(())
}

/// Gives an id to each rule that has none, once everything in it is known.
pub fn name_rules(rules: &mut BTreeSet<LifecycleRule>) {
    let named = std::mem::take(rules).into_iter().map(|mut rule| {
        let unknown = serde_json::to_value(&rule).is_ok_and(|rule| is_unknown(&rule));
        if rule.id.is_none() && !unknown {
            rule.id = Some(rule.generated_id());
        }
        rule
    });
    *rules = named.collect();
}

/// A rule without an id of its own takes over the id of the live rule that does the same.
pub fn take_over_ids(desired: &mut BTreeSet<LifecycleRule>, live: &BTreeSet<LifecycleRule>) {
    let same = std::mem::take(desired).into_iter().map(|rule| {
        let twin = live.iter().find(|live| rule.has_generated_id() && rule.same_but_for_id(live));
        twin.cloned().unwrap_or(rule)
    });
    *desired = same.collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(value: serde_json::Value) -> LifecycleRule {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_id_follows_from_the_content() {
        let mut rules = BTreeSet::from([rule(json!({ "expiration_days": 9 }))]);
        name_rules(&mut rules);
        let id = rules.first().unwrap().id.clone().unwrap();
        assert!(id.starts_with(GENERATED) && id.len() == GENERATED.len() + 8);
        let sent = rule(json!({ "expiration_days": 9 })).to_aws().unwrap();
        assert_eq!(sent.id(), Some(id.as_str()));
        assert_ne!(rule(json!({ "expiration_days": 8 })).generated_id(), id);
    }

    #[test]
    fn an_unknown_rule_gets_its_id_later() {
        let mark = crate::reference::Reference { key: "a".into(), field: "b".into() }.mark();
        let mut rules = BTreeSet::from([rule(json!({ "prefix": mark, "expiration_days": 9 }))]);
        name_rules(&mut rules);
        assert_eq!(rules.first().unwrap().id, None);
    }

    #[test]
    fn a_generated_id_gives_way_to_the_live_one() {
        let live = BTreeSet::from([rule(json!({ "id": "by-hand", "expiration_days": 9 }))]);
        let mut desired = BTreeSet::from([rule(json!({ "expiration_days": 9 }))]);
        name_rules(&mut desired);
        take_over_ids(&mut desired, &live);
        assert_eq!(desired, live);
        let mut named = BTreeSet::from([rule(json!({ "id": "mine", "expiration_days": 9 }))]);
        take_over_ids(&mut named, &live);
        assert_ne!(named, live);
    }
}
