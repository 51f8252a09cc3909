//! Lifecycle rules as S3 sends and takes them.

use std::collections::BTreeMap;

use aws_sdk_s3::types;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::{LifecycleRule, NoncurrentTransition, Transition, from_word, word};
use crate::aws::{Class, Error};

impl LifecycleRule {
    pub(super) fn from_aws(rule: &types::LifecycleRule) -> Self {
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

    pub(super) fn to_aws(&self) -> Result<types::LifecycleRule, Error> {
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
        let tag =
            |(key, value): (&String, &String)| types::Tag::builder().key(key).value(value).build();
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
}
