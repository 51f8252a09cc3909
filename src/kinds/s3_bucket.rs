//! An S3 bucket with its settings. Each setting that S3 keeps as a document of its own lies in a
//! file of its own below; here is the whole.

mod access;
mod contents;
mod cors;
mod elsewhere;
mod encryption;
mod folders;
mod lifecycle;
mod live;
mod logging;
mod notifications;
mod object_lock;
mod permissions;
mod tags;

use std::collections::BTreeSet;

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    VersioningConfiguration,
};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Aws, Error, gone_is_fine};
use crate::field::{Computed, Differs, Policy, Tags, leave_out};
use crate::kind::{Access, Cx, Farewell, Found, Kind, OnDestroy, Site, Wanted};

pub use access::{Ownership, PublicAccessBlock};
pub use cors::CorsRule;
pub use encryption::Encryption;
pub use lifecycle::{LifecycleRule, MinimumSize};
pub use logging::Logging;
pub use notifications::Notifications;
pub use object_lock::ObjectLock;

/// An S3 bucket, where files are kept. It is closed to the public unless the stack says otherwise.
///
/// A setting that the stack doesn't mention stays as AWS has it. To take one away, write it empty:
/// `lifecycle: []`, `cors: []`, `notifications: {}`, `logging: {}`, `policy: {}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Bucket {
    /// Whether overwritten and deleted objects are kept as versions. AWS starts with false; once
    /// it was true, false suspends it and keeps the versions there are.
    pub versioning: Option<bool>,
    /// How new objects are encrypted when the writer doesn't say. AWS starts with `AES256`.
    pub encryption: Option<Encryption>,
    /// What keeps the bucket from becoming public by mistake. All four are on by default.
    #[serde(default)]
    pub public_access_block: PublicAccessBlock,
    /// Who may do what with the bucket and its objects: a document or a path to one. `{}` removes
    /// the policy. One that makes the bucket public also needs
    /// `public_access_block: { block_public_policy: false, restrict_public_buckets: false }`.
    pub policy: Option<Policy>,
    /// Whose the objects are that other accounts write. AWS starts with `BucketOwnerEnforced`.
    pub ownership: Option<Ownership>,
    /// When objects move to cheaper storage and when they are deleted, all rules of the bucket.
    /// `[]` removes them.
    pub lifecycle: Option<BTreeSet<LifecycleRule>>,
    /// Which small objects the lifecycle rules move. AWS starts with `all_storage_classes_128K`.
    pub transition_default_minimum_object_size: Option<MinimumSize>,
    /// Who is told when objects come and go, all receivers of the bucket. `{}` removes them.
    pub notifications: Option<Notifications>,
    /// Where the log of requests is written. `{}` ends it.
    pub logging: Option<Logging>,
    /// Which web pages may call the bucket; the first rule that fits counts. `[]` removes them.
    pub cors: Option<Vec<CorsRule>>,
    /// Whether versions can be locked against deletion. Needs versioning and turns it on.
    pub object_lock: Option<ObjectLock>,
    /// Folders, such as `raw/coins`. Made when nothing in the bucket has such a key; never
    /// removed, and an otherwise empty bucket is deleted with them.
    #[serde(default)]
    pub folders: BTreeSet<String>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:s3:::name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// `name.s3.region.amazonaws.com`.
    #[serde(default)]
    pub domain: Computed<String>,
}

impl Kind for S3Bucket {
    const EXAMPLE: &'static str = "
raw-coins:
  kind: s3_bucket
  versioning: true
  encryption: { algorithm: AES256, bucket_key: false }
  ownership: BucketOwnerEnforced
  policy:
    Version: \"2012-10-17\"
    Statement:
      - Sid: TheAccountReads
        Effect: Allow
        Principal: { AWS: \"${aws.account}\" }
        Action: [\"s3:GetObject\", \"s3:ListBucket\"]
        Resource: [\"arn:aws:s3:::raw-coins\", \"arn:aws:s3:::raw-coins/*\"]
  lifecycle:
    - id: raw-gets-cold
      prefix: raw/
      transitions:
        - { days: 30, storage_class: STANDARD_IA }
        - { days: 90, storage_class: GLACIER }
      expiration_days: 365
      noncurrent_expiration_days: 30
    - abort_incomplete_upload_days: 7
  notifications: { event_bridge: true }
  logging: { bucket: access-logs, prefix: raw-coins/ }
  cors:
    - allowed_methods: [GET, HEAD]
      allowed_origins: [\"https://example.com\"]
      max_age_seconds: 3600
  folders: [raw/coins, curated]
  on_destroy: delete
  tags: { Projeto: Bootcamp }

access-logs:
  kind: s3_bucket
  on_destroy: delete
  policy:
    Version: \"2012-10-17\"
    Statement:
      - Effect: Allow
        Principal: { Service: logging.s3.amazonaws.com }
        Action: \"s3:PutObject\"
        Resource: \"arn:aws:s3:::access-logs/*\"
        Condition: { StringEquals: { \"aws:SourceAccount\": \"${aws.account}\" } }
";
    const NAME: &'static str = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$";
    const ACCESS: Access = permissions::ACCESS;
    const HOLDS: Option<&'static str> = Some("objects");
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = None;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let buckets = try_join_all(wanted.iter().map(|one| live::read(aws, one))).await?;
        Ok(buckets.into_iter().flatten().collect())
    }

    /// The sweep also knows access points and the like, whose names hold a slash.
    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut names = aws.swept("s3", "").await?;
        names.retain(|name| !name.contains('/'));
        Ok(names)
    }

    /// Those of the region; the one with lagoa's own locks and history isn't a resource.
    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let call = aws.s3.list_buckets().bucket_region(&aws.site.region);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let names = all?.into_iter().filter_map(|bucket| bucket.name);
        let home = format!("lagoa-{}-{}", aws.site.account, aws.site.region);
        Ok(names.filter(|name| *name != home).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let mut configuration =
            CreateBucketConfiguration::builder().set_tags(Some(tags::to_aws(&self.tags)?));
        if cx.site.region != "us-east-1" {
            configuration = configuration
                .location_constraint(BucketLocationConstraint::from(cx.site.region.as_str()));
        }
        let locked = self.object_lock.as_ref().is_some_and(|lock| lock.enabled);
        cx.s3
            .create_bucket()
            .bucket(cx.name)
            .create_bucket_configuration(configuration.build())
            .set_object_ownership(self.ownership.map(Ownership::to_aws))
            .set_object_lock_enabled_for_bucket(locked.then_some(true))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        if self.tags.change_from(&live.tags) != Default::default() {
            tags::put(&self.tags, &live.tags, cx).await?;
        }
        self.update_access(live, cx).await?;
        self.update_storage(live, cx).await?;
        if let Some(notifications) = news(&self.notifications, &live.notifications) {
            notifications::put(notifications, cx).await?;
        }
        if let Some(logging) = news(&self.logging, &live.logging) {
            logging::put(logging, cx).await?;
        }
        if let Some(rules) = news(&self.cors, &live.cors) {
            cors::put(rules, cx).await?;
        }
        folders::put(&self.folders, &live.folders, cx).await
    }

    /// S3 itself refuses to delete a bucket that holds anything. Emptying starts with the policy,
    /// which may deny the very deleting.
    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let emptied = farewell.on_destroy == Some(OnDestroy::Delete);
        if emptied {
            gone_is_fine(cx.s3.delete_bucket_policy().bucket(cx.name).send().await)?;
            contents::abort_uploads(cx).await?;
            contents::empty(farewell.unprotect, cx).await?;
        }
        let delete = || async { gone_is_fine(cx.s3.delete_bucket().bucket(cx.name).send().await) };
        match delete().await {
            Err(error) if error.code == "BucketNotEmpty" && !emptied => {
                if !contents::clear_folders(cx).await? {
                    return Err(contents::not_empty(error, emptied));
                }
                delete().await.map_err(|error| contents::not_empty(error, emptied))
            }
            answer => answer.map_err(|error| contents::not_empty(error, emptied)),
        }
    }

    fn accept(&mut self, live: &Self) {
        if let (Some(desired), Some(live)) = (&mut self.encryption, &live.encryption) {
            desired.accept(live);
        }
        if let (Some(desired), Some(live)) = (&mut self.lifecycle, &live.lifecycle) {
            lifecycle::take_over_ids(desired, live);
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        let domain = if site.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        self.arn = format!("arn:{}:s3:::{name}", site.partition).into();
        self.domain = format!("{name}.s3.{}.{domain}", site.region).into();
        if let Some(rules) = &mut self.lifecycle {
            lifecycle::name_rules(rules);
        }
        if self.versioning.is_none() && self.object_lock.as_ref().is_some_and(|lock| lock.enabled) {
            self.versioning = Some(true);
        }
        folders::normalise(&mut self.folders);
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        leave_out(&mut self.versioning, false);
        leave_out(&mut self.lifecycle, BTreeSet::new());
        leave_out(&mut self.cors, Vec::new());
        leave_out(&mut self.notifications, Notifications::default());
        leave_out(&mut self.logging, Logging::default());
        leave_out(&mut self.ownership, Ownership::BucketOwnerEnforced);
        self.encryption.take_if(|encryption| encryption.is_usual());
        self.object_lock.take_if(|lock| !lock.enabled);
    }

    fn replace_because(&self, live: &Self) -> Option<String> {
        let off = self.object_lock.as_ref().is_some_and(|lock| !lock.enabled);
        let on = live.object_lock.as_ref().is_some_and(|lock| lock.enabled);
        (off && on).then(|| "an object lock can't be switched off".to_owned())
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut complaints = Vec::new();
        let mut complain = |field: &str, what: String| complaints.push((field.to_owned(), what));
        if let Some(what) = self.encryption.as_ref().and_then(Encryption::check) {
            complain("encryption", what.to_owned());
        }
        let no_rules = self.lifecycle.as_ref().is_none_or(BTreeSet::is_empty);
        for what in self.lifecycle.as_ref().map(lifecycle::check).unwrap_or_default() {
            complain("lifecycle", what);
        }
        if no_rules && self.transition_default_minimum_object_size.is_some() {
            complain(
                "transition_default_minimum_object_size",
                "needs `lifecycle` rules".to_owned(),
            );
        }
        for (list, what) in
            self.notifications.as_ref().map(notifications::check).unwrap_or_default()
        {
            complain(&format!("notifications.{list}"), what);
        }
        if let Some(what) = self.logging.as_ref().and_then(Logging::check) {
            complain("logging", what.to_owned());
        }
        if let Some(lock) = &self.object_lock {
            if let Some(what) = lock.check() {
                complain("object_lock", what.to_owned());
            }
            if lock.enabled && self.versioning == Some(false) {
                complain(
                    "versioning",
                    "`object_lock` needs versioning; write true or leave it out".to_owned(),
                );
            }
        }
        for what in folders::check(&self.folders) {
            complain("folders", what);
        }
        complaints
    }

    async fn data(&self, cx: &Cx<'_>) -> Result<Option<String>, Error> {
        contents::describe(cx).await
    }
}

impl S3Bucket {
    /// A policy that makes the bucket public is refused while `block_public_policy` is on: so
    /// opening starts with the locks and closing ends with them.
    async fn update_access(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let locks = self.public_access_block != live.public_access_block;
        let opening = !self.public_access_block.block_public_policy;
        if locks && opening {
            access::put_block(&self.public_access_block, cx).await?;
        }
        if let Some(policy) = news(&self.policy, &live.policy) {
            access::put_policy(policy, cx).await?;
        }
        if locks && !opening {
            access::put_block(&self.public_access_block, cx).await?;
        }
        if let Some(ownership) = news(&self.ownership, &live.ownership) {
            access::put_ownership(*ownership, cx).await?;
        }
        Ok(())
    }

    /// Versioning comes first: an object lock is refused without it.
    async fn update_storage(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        if let Some(on) = news(&self.versioning, &live.versioning) {
            put_versioning(*on, cx).await?;
        }
        if let Some(encryption) = &self.encryption {
            let whole = encryption.over(live.encryption.as_ref());
            if Some(&whole) != live.encryption.as_ref() {
                encryption::put(&whole, cx).await?;
            }
        }
        if let Some(lock) = news(&self.object_lock, &live.object_lock)
            && lock.enabled
        {
            object_lock::put(lock, live.object_lock.as_ref(), cx).await?;
        }
        let minimum = self.transition_default_minimum_object_size;
        let live_minimum = live.transition_default_minimum_object_size;
        if self.lifecycle.differs(&live.lifecycle) || minimum.differs(&live_minimum) {
            let rules = self.lifecycle.as_ref().or(live.lifecycle.as_ref());
            let rules = rules.cloned().unwrap_or_default();
            lifecycle::put(&rules, minimum.or(live_minimum), cx).await?;
        }
        Ok(())
    }
}

/// The desired value when there is one and AWS has another.
fn news<'a, T: PartialEq>(desired: &'a Option<T>, live: &Option<T>) -> Option<&'a T> {
    desired.as_ref().filter(|_| desired.differs(live))
}

async fn put_versioning(on: bool, cx: &Cx<'_>) -> Result<(), Error> {
    let status =
        if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    let configuration = VersioningConfiguration::builder().status(status).build();
    cx.s3
        .put_bucket_versioning()
        .bucket(cx.name)
        .versioning_configuration(configuration)
        .send()
        .await?;
    Ok(())
}

/// A value of one of the enums as AWS spells it.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The value that AWS spells so; `None` when it is newer than lagoa.
fn from_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::diff;
    use crate::kind::{AnyKind, Registered};
    use serde_json::json;

    fn bucket(value: Value) -> S3Bucket {
        serde_json::from_value(value).unwrap()
    }

    fn predicted(value: Value) -> S3Bucket {
        let site = Site {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "sa-east-1".into(),
            stack: "s".into(),
        };
        let mut bucket = bucket(value);
        bucket.predict("raw", &site, std::path::Path::new(""));
        bucket
    }

    fn changes(desired: Value, live: Value) -> Vec<(String, Value, Value)> {
        let kind = Registered::<S3Bucket>::new("s3_bucket");
        let typed = |value| serde_json::to_value(bucket(value)).unwrap();
        let changes = diff(kind.schema(), &typed(desired), &typed(live), &[]);
        changes.into_iter().map(|change| (change.path, change.old, change.new)).collect()
    }

    #[test]
    fn names_follow_from_the_site() {
        let bucket = predicted(json!({}));
        assert_eq!(bucket.arn.as_deref(), Some("arn:aws:s3:::raw"));
        assert_eq!(bucket.domain.as_deref(), Some("raw.s3.sa-east-1.amazonaws.com"));
        assert_eq!(bucket.versioning, None);
    }

    #[test]
    fn an_object_lock_brings_versioning_and_stays() {
        assert_eq!(predicted(json!({ "object_lock": {} })).versioning, Some(true));
        let (on, off) =
            (json!({ "object_lock": {} }), json!({ "object_lock": { "enabled": false } }));
        assert!(bucket(off.clone()).replace_because(&bucket(on.clone())).is_some());
        assert!(bucket(on.clone()).replace_because(&bucket(off)).is_none());
        assert!(bucket(json!({})).replace_because(&bucket(on)).is_none());
        let wrong = bucket(json!({ "object_lock": {}, "versioning": false }));
        assert_eq!(wrong.check(std::path::Path::new("")).len(), 1);
    }

    #[test]
    fn what_is_taken_out_of_a_rule_is_a_change() {
        let rule = |days| {
            json!({ "lifecycle": [{ "id": "a", "transitions": [
            { "days": 30, "storage_class": "GLACIER" }], "expiration_days": days }] })
        };
        assert_eq!(changes(rule(json!(null)), rule(json!(90))).len(), 1);
        assert!(changes(rule(json!(90)), rule(json!(90))).is_empty());
        let cors = |age| {
            json!({ "cors": [{ "allowed_methods": ["GET"], "allowed_origins": ["*"],
            "max_age_seconds": age }] })
        };
        assert_eq!(changes(cors(json!(null)), cors(json!(5)))[0].0, "cors[0]");
        let logging = json!({ "logging": { "bucket": "logs", "prefix": "a/" } });
        assert_eq!(changes(json!({ "logging": {} }), logging.clone())[0].0, "logging");
        assert!(changes(json!({}), logging).is_empty());
    }

    #[test]
    fn an_empty_policy_is_none() {
        let policy = json!({ "policy": { "Version": "2012-10-17", "Statement": [] } });
        assert!(changes(json!({ "policy": {} }), json!({ "policy": {} })).is_empty());
        assert_eq!(changes(json!({ "policy": {} }), policy.clone()).len(), 1);
        assert!(news(&bucket(policy.clone()).policy, &bucket(policy).policy).is_none());
    }
}
