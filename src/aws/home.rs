//! The account's home bucket, where lagoa keeps its locks and the history of its runs.
//!
//! It is made when it is first written to. Every call names the account that must own it, so that
//! a bucket of that name in somebody else's account is refused, not used.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, DateTimeFormat};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, CreateBucketConfiguration,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    PublicAccessBlockConfiguration, Tag,
};
use jiff::Timestamp;

use super::{Aws, Class, Error, absent, gone_is_fine};
use crate::kind::Site;

/// The tag that the home bucket carries.
const TAG: &str = "lagoa:home";
/// Days that the record of a run is kept.
const HISTORY_DAYS: i32 = 400;
/// Bytes of an object that are read: a lock has a few hundred, the record of a run some for each
/// step.
const OBJECT_LIMIT: i64 = 16_000_000;
/// How often a write is tried that fell together with another one.
const CONFLICTS: u32 = 20;
const CONFLICT_PAUSE: Duration = Duration::from_millis(100);
/// How long reading an object may take, once it has begun to come.
const READING: Duration = Duration::from_secs(30);

/// The home bucket of an account and region.
#[derive(Clone, Debug)]
pub struct Home {
    s3: Client,
    bucket: String,
    site: Site,
}

/// What must be true for a write to happen.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// Nothing.
    None,
    /// There is no such object.
    Absent,
    /// The object has this version.
    Is(&'a str),
}

/// What became of a conditional write.
#[derive(Debug)]
pub enum Put {
    /// Written; the object's version now.
    Done(String),
    /// The condition was not met, by this time of the service.
    Refused(Timestamp),
}

/// An object as it was found.
#[derive(Debug)]
pub struct Kept {
    /// What is in it.
    pub body: Vec<u8>,
    /// Its version.
    pub etag: String,
    /// When it was written, by the service's clock, to the second.
    pub written: Timestamp,
}

impl Home {
    /// The home bucket of where the stack lives.
    pub fn new(aws: &Aws) -> Self {
        Self::at(aws.s3.clone(), aws.site.clone())
    }

    /// The home bucket of a site.
    pub fn at(s3: Client, site: Site) -> Self {
        let bucket = format!("lagoa-{}-{}", site.account, site.region);
        Self { s3, bucket, site }
    }

    /// Its name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Writes an object if the condition holds, and makes the bucket first if there is none.
    pub async fn put(&self, key: &str, body: &[u8], when: Condition<'_>) -> Result<Put, Error> {
        let mut tries = 0;
        loop {
            match self.try_put(key, body, when).await {
                // One that was made a moment ago may not be there for everybody yet.
                Err(error) if error.code == "NoSuchBucket" && tries < CONFLICTS => {
                    self.make().await?;
                    tokio::time::sleep(CONFLICT_PAUSE * tries).await;
                }
                Err(error) if error.class == Class::Busy && tries < CONFLICTS => {
                    tokio::time::sleep(CONFLICT_PAUSE).await;
                }
                other => return other.map_err(|error| self.explained(error)),
            }
            tries += 1;
        }
    }

    async fn try_put(&self, key: &str, body: &[u8], when: Condition<'_>) -> Result<Put, Error> {
        let mut call = self.s3.put_object().bucket(&self.bucket).key(key);
        call = match when {
            Condition::None => call,
            Condition::Absent => call.if_none_match("*"),
            Condition::Is(etag) => call.if_match(etag),
        };
        let call = call
            .expected_bucket_owner(&self.site.account)
            .content_type("application/json")
            .body(ByteStream::from(body.to_vec()));
        match call.send().await {
            Ok(reply) => Ok(Put::Done(reply.e_tag().unwrap_or_default().to_owned())),
            Err(error) => {
                let now = service_time(&error);
                let error = Error::from(error);
                let missing = matches!(when, Condition::Is(_)) && error.code == "NoSuchKey";
                if error.code == "PreconditionFailed" || missing {
                    return Ok(Put::Refused(now));
                }
                Err(error)
            }
        }
    }

    /// Reads an object; `None` when there is none, or no bucket. One that is far too large, which
    /// lagoa never wrote, reads as an empty one.
    pub async fn get(&self, key: &str) -> Result<Option<Kept>, Error> {
        let call = self.s3.get_object().bucket(&self.bucket).key(key);
        let reply = call.expected_bucket_owner(&self.site.account).send().await;
        let Some(reply) = absent(reply).map_err(|error| self.explained(error))? else {
            return Ok(None);
        };
        let written =
            reply.last_modified().and_then(|time| Timestamp::from_second(time.secs()).ok());
        let etag = reply.e_tag().unwrap_or_default().to_owned();
        let written = written.unwrap_or_else(Timestamp::now);
        if reply.content_length().is_none_or(|length| length > OBJECT_LIMIT) {
            return Ok(Some(Kept { body: Vec::new(), etag, written }));
        }
        let unread =
            |why: String| Error::new(Class::Transient, format!("{key} could not be read: {why}"));
        let body = tokio::time::timeout(READING, reply.body.collect()).await;
        let body = body.map_err(|_| unread("it came too slowly".to_owned()))?;
        let body = body.map_err(|error| unread(error.to_string()))?;
        Ok(Some(Kept { body: body.to_vec(), etag, written }))
    }

    /// Deletes an object if it still has this version; false when it has another one.
    pub async fn delete(&self, key: &str, etag: &str) -> Result<bool, Error> {
        let mut tries = 0;
        loop {
            let call = self.s3.delete_object().bucket(&self.bucket).key(key).if_match(etag);
            let gone = gone_is_fine(call.expected_bucket_owner(&self.site.account).send().await);
            match gone {
                Ok(()) => return Ok(true),
                Err(error) if error.code == "PreconditionFailed" => return Ok(false),
                Err(error) if error.class == Class::Busy && tries < CONFLICTS => {
                    tokio::time::sleep(CONFLICT_PAUSE).await;
                }
                Err(error) => return Err(self.explained(error)),
            }
            tries += 1;
        }
    }

    /// The keys below a prefix, in lexical order; none when there is no bucket.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let call = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let call = call.expected_bucket_owner(&self.site.account);
        let mut pages = call.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = absent(page).map_err(|error| self.explained(error))?;
            let Some(page) = page else { break };
            keys.extend(page.contents().iter().filter_map(|one| one.key().map(str::to_owned)));
        }
        Ok(keys)
    }

    /// Makes the bucket. Public access is closed from the start, and said so once more.
    async fn make(&self) -> Result<(), Error> {
        let tag = Tag::builder().key(TAG).value("true").build()?;
        let mut with = CreateBucketConfiguration::builder().tags(tag);
        if self.site.region != "us-east-1" {
            with =
                with.location_constraint(BucketLocationConstraint::from(self.site.region.as_str()));
        }
        let create = self.s3.create_bucket().bucket(&self.bucket);
        let made = create.create_bucket_configuration(with.build()).send().await;
        match made.map_err(Error::from) {
            Ok(_) => {}
            Err(error) if error.code == "BucketAlreadyOwnedByYou" => return Ok(()),
            Err(error) => return Err(self.explained(error)),
        }
        let closed = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let close = self.s3.put_public_access_block().bucket(&self.bucket);
        close.public_access_block_configuration(closed).send().await?;
        let rule = LifecycleRule::builder()
            .id("history")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("history/").build())
            .expiration(LifecycleExpiration::builder().days(HISTORY_DAYS).build())
            .build()?;
        let rules = BucketLifecycleConfiguration::builder().rules(rule).build()?;
        let keep = self.s3.put_bucket_lifecycle_configuration().bucket(&self.bucket);
        keep.lifecycle_configuration(rules).send().await?;
        Ok(())
    }

    /// Names the bucket, which the person never wrote anywhere, and what it takes.
    fn explained(&self, error: Error) -> Error {
        let Error { code, .. } = &error;
        let hint = match code.as_str() {
            "AccessDenied" | "403" => format!(
                "lagoa keeps locks and history in the bucket {}, which must belong to account {}; \
                 it needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket there, and \
                 s3:CreateBucket to make it",
                self.bucket, self.site.account
            ),
            "BucketAlreadyExists" => format!(
                "lagoa keeps locks and history in the bucket {}, but that name is taken by \
                 another account",
                self.bucket
            ),
            _ => return error,
        };
        error.hint(hint)
    }
}

/// The time by the service's clock when it answered; ours when it didn't say.
fn service_time<E>(
    error: &SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> Timestamp {
    let date = error.raw_response().and_then(|reply| reply.headers().get("date"));
    let date = date.and_then(|text| {
        aws_sdk_s3::primitives::DateTime::from_str(text, DateTimeFormat::HttpDate).ok()
    });
    date.and_then(|date| Timestamp::from_second(date.secs()).ok()).unwrap_or_else(Timestamp::now)
}
