//! Objects that nobody can delete or overwrite for a while.

use aws_sdk_s3::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{from_word, word};
use crate::aws::{Aws, Error, absent};
use crate::kind::Cx;

/// Whether versions of objects can be locked, and for how long new ones are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectLock {
    /// Can be switched on at any time and never off: `false` replaces a bucket that has it.
    /// Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How long new objects are locked when the writer doesn't say. `{}` locks none.
    pub default_retention: Option<Retention>,
}

/// For how long, and how firmly, an object is locked: a mode with either days or years.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Retention {
    /// `GOVERNANCE`: those with a special permission may lift the lock; `COMPLIANCE`: nobody may.
    pub mode: Option<RetentionMode>,
    /// Days from the object's creation.
    #[schemars(range(min = 1))]
    pub days: Option<i32>,
    /// Years from the object's creation.
    #[schemars(range(min = 1))]
    pub years: Option<i32>,
}

/// How firmly an object is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RetentionMode {
    /// Those with a special permission may lift the lock.
    Governance,
    /// Nobody may lift the lock before its time, the account's root included.
    Compliance,
}

fn yes() -> bool {
    true
}

impl ObjectLock {
    fn from_aws(live: Option<&types::ObjectLockConfiguration>) -> Self {
        let enabled = live.and_then(|live| live.object_lock_enabled()).is_some();
        let rule = live.and_then(|live| live.rule()).and_then(|rule| rule.default_retention());
        let default_retention = rule.map(|rule| Retention {
            mode: rule.mode().and_then(|mode| from_word(mode.as_str())),
            days: rule.days().filter(|days| *days > 0),
            years: rule.years().filter(|years| *years > 0),
        });
        Self { enabled, default_retention: Some(default_retention.unwrap_or_default()) }
    }

    fn to_aws(&self) -> types::ObjectLockConfiguration {
        let rule = self.default_retention.as_ref().filter(|rule| rule.mode.is_some()).map(|rule| {
            let retention = types::DefaultRetention::builder()
                .set_mode(rule.mode.map(|mode| word(&mode).as_str().into()))
                .set_days(rule.days)
                .set_years(rule.years)
                .build();
            types::ObjectLockRule::builder().default_retention(retention).build()
        });
        types::ObjectLockConfiguration::builder()
            .object_lock_enabled(types::ObjectLockEnabled::Enabled)
            .set_rule(rule)
            .build()
    }

    /// What S3 would refuse, whatever the rest of the bucket.
    pub fn check(&self) -> Option<&'static str> {
        let rule = self.default_retention.as_ref().filter(|rule| **rule != Retention::default())?;
        if !self.enabled {
            return Some("`default_retention` needs `enabled: true`");
        }
        let one_length = rule.days.is_some() != rule.years.is_some();
        (rule.mode.is_none() || !one_length).then_some("give `mode` and either `days` or `years`")
    }
}

/// No configuration is a lock that isn't enabled.
pub async fn read(aws: &Aws, bucket: &str) -> Result<ObjectLock, Error> {
    let reply = absent(aws.s3.get_object_lock_configuration().bucket(bucket).send().await)?;
    Ok(ObjectLock::from_aws(reply.as_ref().and_then(|reply| reply.object_lock_configuration())))
}

/// Enables the lock, on a bucket that exists too, and replaces the retention; one that the stack
/// leaves open stays as it is.
pub async fn put(lock: &ObjectLock, live: Option<&ObjectLock>, cx: &Cx<'_>) -> Result<(), Error> {
    let kept = live.and_then(|live| live.default_retention.clone());
    let default_retention = lock.default_retention.clone().or(kept);
    let configuration = ObjectLock { enabled: true, default_retention }.to_aws();
    let call = cx.s3.put_object_lock_configuration().bucket(cx.name);
    call.object_lock_configuration(configuration).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lock(value: serde_json::Value) -> ObjectLock {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn locks_come_back_as_they_went() {
        for value in [
            json!({ "default_retention": {} }),
            json!({ "default_retention": { "mode": "GOVERNANCE", "days": 3 } }),
            json!({ "default_retention": { "mode": "COMPLIANCE", "years": 7 } }),
        ] {
            let lock = lock(value);
            assert_eq!(ObjectLock::from_aws(Some(&lock.to_aws())), lock);
        }
        assert!(!ObjectLock::from_aws(None).enabled);
    }

    #[test]
    fn half_a_retention_is_refused() {
        assert!(lock(json!({ "default_retention": { "mode": "GOVERNANCE" } })).check().is_some());
        assert!(lock(json!({ "default_retention": { "days": 3 } })).check().is_some());
        let both = json!({ "default_retention": { "mode": "GOVERNANCE", "days": 3, "years": 1 } });
        assert!(lock(both).check().is_some());
        let off =
            json!({ "enabled": false, "default_retention": { "mode": "GOVERNANCE", "days": 3 } });
        assert!(lock(off).check().is_some());
        assert!(lock(json!({ "enabled": false })).check().is_none());
        assert!(lock(json!({ "default_retention": {} })).check().is_none());
    }
}
