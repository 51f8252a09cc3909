//! Lifecycle rules: when objects move to cheaper storage and when they go.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::types;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{from_word, word};
use crate::aws::{Aws, Class, Error, absent};
use crate::kind::Cx;
use crate::reference::{is_marked, is_unknown, shown};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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

    fn from_aws(rule: &types::LifecycleRule) -> Self {
        let expiration = rule.expiration();
        let noncurrent = rule.noncurrent_version_expiration();
        let filter = Filter::from_aws(rule);
        Self {
            id: rule.id().map(str::to_owned),
            enabled: rule.status() == &types::ExpirationStatus::Enabled,
            prefix: filter.prefix,
            tags: filter.tags,
            object_size_greater_than_bytes: filter.greater_than,
            object_size_less_than_bytes: filter.less_than,
            expiration_days: expiration.and_then(|e| e.days()),
            expiration_date: expiration.and_then(|e| e.date()).and_then(day_from_aws),
            expired_object_delete_marker: expiration
                .and_then(|e| e.expired_object_delete_marker())
                .unwrap_or(false),
            noncurrent_expiration_days: noncurrent.and_then(|n| n.noncurrent_days()),
            newer_noncurrent_versions: noncurrent.and_then(|n| n.newer_noncurrent_versions()),
            transitions: rule.transitions().iter().filter_map(Transition::from_aws).collect(),
            noncurrent_transitions: rule
                .noncurrent_version_transitions()
                .iter()
                .filter_map(NoncurrentTransition::from_aws)
                .collect(),
            abort_incomplete_upload_days: rule
                .abort_incomplete_multipart_upload()
                .and_then(|abort| abort.days_after_initiation()),
        }
    }

    fn to_aws(&self) -> Result<types::LifecycleRule, Error> {
        let status = if self.enabled { "Enabled" } else { "Disabled" };
        let transitions = self.transitions.iter().map(Transition::to_aws);
        let noncurrent = self.noncurrent_transitions.iter().map(NoncurrentTransition::to_aws);
        let abort = |days| {
            types::AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build()
        };
        let rule = types::LifecycleRule::builder()
            .id(self.id.clone().unwrap_or_else(|| self.generated_id()))
            .status(status.into())
            .filter(Filter::of(self).to_aws()?)
            .set_expiration(self.expiration_to_aws()?)
            .set_transitions(given(transitions.collect::<Result<_, _>>()?))
            .set_noncurrent_version_transitions(given(noncurrent.collect()))
            .set_noncurrent_version_expiration(self.noncurrent_expiration_to_aws())
            .set_abort_incomplete_multipart_upload(self.abort_incomplete_upload_days.map(abort));
        Ok(rule.build()?)
    }

    fn expiration_to_aws(&self) -> Result<Option<types::LifecycleExpiration>, Error> {
        let date = self.expiration_date.as_deref().map(day_to_aws).transpose()?;
        let marker = self.expired_object_delete_marker;
        let any = date.is_some() || self.expiration_days.is_some() || marker;
        let expiration = types::LifecycleExpiration::builder()
            .set_days(self.expiration_days)
            .set_date(date)
            .set_expired_object_delete_marker(marker.then_some(true));
        Ok(any.then(|| expiration.build()))
    }

    fn noncurrent_expiration_to_aws(&self) -> Option<types::NoncurrentVersionExpiration> {
        self.noncurrent_expiration_days?;
        let expiration = types::NoncurrentVersionExpiration::builder()
            .set_noncurrent_days(self.noncurrent_expiration_days)
            .set_newer_noncurrent_versions(self.newer_noncurrent_versions);
        Some(expiration.build())
    }
}

fn given<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Which objects a rule counts for, in one piece.
#[derive(Default)]
struct Filter {
    prefix: String,
    tags: BTreeMap<String, String>,
    greater_than: Option<i64>,
    less_than: Option<i64>,
}

impl Filter {
    fn of(rule: &LifecycleRule) -> Self {
        Self {
            prefix: rule.prefix.clone(),
            tags: rule.tags.clone(),
            greater_than: rule.object_size_greater_than_bytes,
            less_than: rule.object_size_less_than_bytes,
        }
    }

    /// S3 has three forms for it: a prefix beside the rule (old), one condition, or several
    /// below `And`. No filter and an empty prefix mean the same.
    fn from_aws(rule: &types::LifecycleRule) -> Self {
        let pair = |tag: &types::Tag| (tag.key().to_owned(), tag.value().to_owned());
        let Some(filter) = rule.filter() else {
            #[allow(deprecated, reason = "rules that older tools wrote come back in this form")]
            let prefix = rule.prefix().unwrap_or_default().to_owned();
            return Self { prefix, ..Self::default() };
        };
        match filter.and() {
            Some(and) => Self {
                prefix: and.prefix().unwrap_or_default().to_owned(),
                tags: and.tags().iter().map(pair).collect(),
                greater_than: and.object_size_greater_than(),
                less_than: and.object_size_less_than(),
            },
            None => Self {
                prefix: filter.prefix().unwrap_or_default().to_owned(),
                tags: filter.tag().map(pair).into_iter().collect(),
                greater_than: filter.object_size_greater_than(),
                less_than: filter.object_size_less_than(),
            },
        }
    }

    fn to_aws(&self) -> Result<types::LifecycleRuleFilter, Error> {
        let tag = |(key, value): (&String, &String)| types::Tag::builder().key(key).value(value).build();
        let tags = self.tags.iter().map(tag).collect::<Result<Vec<_>, _>>()?;
        let prefix = (!self.prefix.is_empty()).then(|| self.prefix.clone());
        let sizes = [self.greater_than, self.less_than].into_iter().flatten().count();
        let conditions = usize::from(prefix.is_some()) + tags.len() + sizes;
        let filter = types::LifecycleRuleFilter::builder();
        if conditions > 1 {
            let and = types::LifecycleRuleAndOperator::builder()
                .set_prefix(prefix)
                .set_tags(given(tags))
                .set_object_size_greater_than(self.greater_than)
                .set_object_size_less_than(self.less_than);
            return Ok(filter.and(and.build()).build());
        }
        let everything = (conditions == 0).then(String::new);
        Ok(filter
            .set_prefix(prefix.or(everything))
            .set_tag(tags.into_iter().next())
            .set_object_size_greater_than(self.greater_than)
            .set_object_size_less_than(self.less_than)
            .build())
    }
}

impl Transition {
    fn from_aws(live: &types::Transition) -> Option<Self> {
        let storage_class = from_word(live.storage_class()?.as_str())?;
        // S3 leaves out the zero days of a move on the first day.
        let date = live.date().and_then(day_from_aws);
        let days = if date.is_some() { None } else { Some(live.days().unwrap_or(0)) };
        Some(Self { days, date, storage_class })
    }

    fn to_aws(&self) -> Result<types::Transition, Error> {
        let transition = types::Transition::builder()
            .set_days(self.days)
            .set_date(self.date.as_deref().map(day_to_aws).transpose()?)
            .storage_class(word(&self.storage_class).as_str().into());
        Ok(transition.build())
    }
}

impl NoncurrentTransition {
    fn from_aws(live: &types::NoncurrentVersionTransition) -> Option<Self> {
        Some(Self {
            days: live.noncurrent_days().unwrap_or(0),
            newer_noncurrent_versions: live.newer_noncurrent_versions(),
            storage_class: from_word(live.storage_class()?.as_str())?,
        })
    }

    fn to_aws(&self) -> types::NoncurrentVersionTransition {
        types::NoncurrentVersionTransition::builder()
            .noncurrent_days(self.days)
            .set_newer_noncurrent_versions(self.newer_noncurrent_versions)
            .storage_class(word(&self.storage_class).as_str().into())
            .build()
    }
}

fn day_from_aws(date: &DateTime) -> Option<String> {
    date.fmt(Format::DateTime).ok()?.get(..10).map(str::to_owned)
}

fn day_to_aws(day: &str) -> Result<DateTime, Error> {
    DateTime::from_str(&format!("{day}T00:00:00Z"), Format::DateTime)
        .map_err(|error| Error::new(Class::Terminal, format!("{day} is not a day: {error}")))
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

/// What S3 would refuse about the rules.
pub fn check(rules: &BTreeSet<LifecycleRule>) -> Vec<String> {
    let mut ids = BTreeSet::new();
    let mut complaints = Vec::new();
    for rule in rules {
        if let Some(id) = &rule.id
            && !ids.insert(id)
        {
            complaints.push(format!("two rules have the id {id}; give each its own"));
        }
        let whose = match &rule.id {
            Some(id) => format!("rule {id}"),
            None if rule.prefix.is_empty() => "the rule for all objects".to_owned(),
            None => format!("the rule for {}", shown(&rule.prefix)),
        };
        complaints.extend(check_one(rule).into_iter().map(|what| format!("{whose}: {what}")));
    }
    complaints
}

fn check_one(rule: &LifecycleRule) -> Vec<String> {
    let by_age = rule.expiration_days.is_some() || rule.expiration_date.is_some();
    let sized = rule.object_size_greater_than_bytes.or(rule.object_size_less_than_bytes).is_some();
    let acts = by_age
        || rule.expired_object_delete_marker
        || rule.noncurrent_expiration_days.is_some()
        || rule.abort_incomplete_upload_days.is_some()
        || !(rule.transitions.is_empty() && rule.noncurrent_transitions.is_empty());
    let mut wrong = Vec::new();
    let mut refuse = |refused: bool, why: &str| {
        if refused {
            wrong.push(why.to_owned());
        }
    };
    refuse(!acts, "it does nothing; give it `expiration_days`, `transitions` or another action");
    refuse(
        rule.expiration_days.is_some() && rule.expiration_date.is_some(),
        "`expiration_days` and `expiration_date` exclude each other",
    );
    refuse(
        rule.expired_object_delete_marker && (by_age || !rule.tags.is_empty()),
        "`expired_object_delete_marker` needs a rule without expiration and without tags",
    );
    refuse(
        rule.newer_noncurrent_versions.is_some() && rule.noncurrent_expiration_days.is_none(),
        "`newer_noncurrent_versions` needs `noncurrent_expiration_days`",
    );
    refuse(
        rule.abort_incomplete_upload_days.is_some() && (sized || !rule.tags.is_empty()),
        "unfinished uploads have no tags and no size; move `abort_incomplete_upload_days` to a \
         rule of its own",
    );
    let early = |class: StorageClass, days: Option<i32>| {
        matches!(class, StorageClass::StandardIa | StorageClass::OnezoneIa)
            && days.is_some_and(|days| days < 30)
    };
    refuse(
        rule.transitions.iter().any(|move_| early(move_.storage_class, move_.days))
            || rule.noncurrent_transitions.iter().any(|m| early(m.storage_class, Some(m.days))),
        "objects move to STANDARD_IA and ONEZONE_IA after 30 days at the earliest",
    );
    refuse(
        rule.transitions.iter().any(|move_| move_.days.is_some() == move_.date.is_some()),
        "each transition needs either `days` or `date`",
    );
    let days = rule.transitions.iter().filter_map(|move_| move_.date.as_ref());
    for day in days.chain(&rule.expiration_date) {
        let fits = day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok();
        refuse(!fits && !is_marked(day), &format!("{day} is not a day; write it as 2027-12-31"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(value: serde_json::Value) -> LifecycleRule {
        serde_json::from_value(value).unwrap()
    }

    fn returned(rule: &LifecycleRule) -> LifecycleRule {
        LifecycleRule::from_aws(&rule.to_aws().unwrap())
    }

    #[test]
    fn rules_come_back_as_they_went() {
        for value in [
            json!({ "id": "a", "expiration_days": 90 }),
            json!({ "id": "b", "enabled": false, "prefix": "raw/", "expiration_date": "2027-12-31" }),
            json!({ "id": "c", "tags": { "tier": "cold" }, "transitions": [
                { "days": 30, "storage_class": "STANDARD_IA" },
                { "date": "2028-01-01", "storage_class": "DEEP_ARCHIVE" } ] }),
            json!({ "id": "d", "prefix": "x/", "tags": { "a": "1", "b": "2" },
                "object_size_greater_than_bytes": 1024, "object_size_less_than_bytes": 4096,
                "noncurrent_expiration_days": 7, "newer_noncurrent_versions": 3,
                "noncurrent_transitions": [
                    { "days": 0, "storage_class": "GLACIER_IR", "newer_noncurrent_versions": 2 } ] }),
            json!({ "id": "e", "object_size_less_than_bytes": 10, "expiration_days": 1 }),
            json!({ "id": "f", "expired_object_delete_marker": true, "abort_incomplete_upload_days": 3 }),
        ] {
            let rule = rule(value);
            assert_eq!(returned(&rule), rule);
        }
    }

    #[test]
    fn no_filter_and_an_empty_prefix_mean_the_same() {
        let sent = rule(json!({ "id": "a", "expiration_days": 9 })).to_aws().unwrap();
        assert_eq!(sent.filter().unwrap().prefix(), Some(""));
        let mut bare = sent.clone();
        bare.filter = None;
        assert_eq!(LifecycleRule::from_aws(&sent), LifecycleRule::from_aws(&bare));
    }

    #[test]
    fn an_id_follows_from_the_content() {
        let mut rules = BTreeSet::from([rule(json!({ "expiration_days": 9 }))]);
        name_rules(&mut rules);
        let id = rules.first().unwrap().id.clone().unwrap();
        assert!(id.starts_with(GENERATED) && id.len() == GENERATED.len() + 8);
        assert_eq!(returned(&rule(json!({ "expiration_days": 9 }))).id, Some(id.clone()));
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

    #[test]
    fn what_s3_refuses_is_refused_first() {
        for (value, part) in [
            (json!({ "prefix": "a/" }), "does nothing"),
            (json!({ "expiration_days": 1, "expiration_date": "2027-01-01" }), "exclude"),
            (json!({ "expiration_date": "31/12/2027" }), "not a day"),
            (json!({ "expiration_days": 1, "newer_noncurrent_versions": 2 }), "needs `noncurrent"),
            (json!({ "abort_incomplete_upload_days": 1, "tags": { "a": "b" } }), "uploads"),
            (json!({ "transitions": [{ "storage_class": "GLACIER" }] }), "either"),
            (json!({ "transitions": [{ "days": 3, "storage_class": "ONEZONE_IA" }] }), "30 days"),
        ] {
            let said = check(&BTreeSet::from([rule(value)]));
            assert!(said.len() == 1 && said[0].contains(part), "{said:?}");
        }
        assert!(check(&BTreeSet::from([rule(json!({ "expiration_days": 1 }))])).is_empty());
    }
}
