//! Where the record of who asked for what is kept.

use aws_sdk_s3::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{from_word, word};
use crate::aws::{Aws, Error};
use crate::field::BucketName;
use crate::kind::Cx;

/// Where S3 writes the log of requests to this bucket, minutes to hours later. `{}` writes none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Logging {
    /// Bucket that takes the log, in the same region and account and not this one. Its policy
    /// must allow `logging.s3.amazonaws.com` to put objects.
    pub bucket: Option<BucketName>,
    /// What the keys of the log's objects start with, such as `access/raw/`.
    #[serde(default)]
    pub prefix: String,
    /// Sorts the log's objects into folders by account, region, bucket and day, where the day is
    /// that of the request (`EventTime`) or of the delivery (`DeliveryTime`). Default: no folders.
    pub partition_date_source: Option<PartitionDateSource>,
}

/// The day that an object of the log belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PartitionDateSource {
    /// When the requests were made.
    EventTime,
    /// When the log was written.
    DeliveryTime,
}

impl Logging {
    fn from_aws(live: Option<&types::LoggingEnabled>) -> Self {
        let Some(live) = live else { return Self::default() };
        let partition = live.target_object_key_format().and_then(|form| form.partitioned_prefix());
        let source = partition.map(|partition| {
            let source = partition.partition_date_source().map(|source| source.as_str());
            source.and_then(from_word).unwrap_or(PartitionDateSource::DeliveryTime)
        });
        Self {
            bucket: Some(live.target_bucket().into()),
            prefix: live.target_prefix().to_owned(),
            partition_date_source: source,
        }
    }

    fn to_aws(&self) -> Result<Option<types::LoggingEnabled>, Error> {
        let Some(bucket) = &self.bucket else { return Ok(None) };
        let form = self.partition_date_source.map(|source| {
            let source = word(&source).as_str().into();
            let partition =
                types::PartitionedPrefix::builder().partition_date_source(source).build();
            types::TargetObjectKeyFormat::builder().partitioned_prefix(partition).build()
        });
        let enabled = types::LoggingEnabled::builder()
            .target_bucket(&**bucket)
            .target_prefix(&self.prefix)
            .set_target_object_key_format(form);
        Ok(Some(enabled.build()?))
    }

    /// What would be lost in silence.
    pub fn check(&self) -> Option<&'static str> {
        let idle = self.bucket.is_none() && *self != Self::default();
        idle.then_some("`bucket` is missing: where should the log go?")
    }
}

/// No logging is an empty one.
pub async fn read(aws: &Aws, bucket: &str) -> Result<Logging, Error> {
    let reply = aws.s3.get_bucket_logging().bucket(bucket).send().await?;
    Ok(Logging::from_aws(reply.logging_enabled()))
}

/// Replaces the setting; an empty one ends the log.
pub async fn put(logging: &Logging, cx: &Cx<'_>) -> Result<(), Error> {
    let status = types::BucketLoggingStatus::builder().set_logging_enabled(logging.to_aws()?);
    cx.s3.put_bucket_logging().bucket(cx.name).bucket_logging_status(status.build()).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn logging_comes_back_as_it_went() {
        for value in [
            json!({}),
            json!({ "bucket": "logs" }),
            json!({ "bucket": "logs", "prefix": "a/", "partition_date_source": "EventTime" }),
        ] {
            let logging: Logging = serde_json::from_value(value).unwrap();
            assert_eq!(Logging::from_aws(logging.to_aws().unwrap().as_ref()), logging);
        }
    }

    #[test]
    fn a_prefix_needs_a_bucket() {
        let wrong: Logging = serde_json::from_value(json!({ "prefix": "a/" })).unwrap();
        assert!(wrong.check().is_some());
        assert!(Logging::default().check().is_none());
    }
}
