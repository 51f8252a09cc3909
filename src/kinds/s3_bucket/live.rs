//! What S3 has of a bucket.

use std::collections::BTreeSet;

use aws_sdk_s3::types::BucketVersioningStatus;

use super::{
    S3Bucket, access, cors, elsewhere, encryption, folders, lifecycle, logging, notifications,
    object_lock, tags,
};
use crate::aws::{Aws, Error, absent};
use crate::field::{Computed, Tags};
use crate::kind::{Found, Kind, Wanted};

/// The tags come first: they tell whether the bucket is there.
pub async fn read(aws: &Aws, wanted: &Wanted<S3Bucket>) -> Result<Option<Found<S3Bucket>>, Error> {
    let name = wanted.name.as_str();
    let Some(tags) = read_tags(aws, name).await? else { return Ok(None) };
    // Gone again, or just made and not yet known everywhere.
    let settings = absent(read_settings(aws, wanted).await)?;
    let Some(settings) = settings else { return Ok(None) };
    let mut fields = S3Bucket { tags, ..settings };
    fields.predict(name, &aws.site, &aws.root);
    Ok(Some(Found { name: name.to_owned(), fields }))
}

/// Reads the sub-settings that the stack sets or whose defaults are compared, each with its own
/// call because S3 has no bulk read.
async fn read_settings(aws: &Aws, wanted: &Wanted<S3Bucket>) -> Result<S3Bucket, Error> {
    let name = wanted.name.as_str();
    let no_folders = BTreeSet::new();
    let wants = |set: fn(&S3Bucket) -> bool| wanted.asks(set);
    let rules =
        |b: &S3Bucket| b.lifecycle.is_some() || b.transition_default_minimum_object_size.is_some();
    let (
        versioning,
        encryption,
        block,
        policy,
        ownership,
        lifecycle,
        notifications,
        logging,
        cors,
        object_lock,
        folders,
    ) = futures::try_join!(
        when(wants(|b| b.versioning.is_some()), read_versioning(aws, name)),
        when(wants(|b| b.encryption.is_some()), encryption::read(aws, name)),
        when(wants(|_| true), access::read_block(aws, name)),
        when(wants(|b| b.policy.is_some()), access::read_policy(aws, name)),
        when(wants(|b| b.ownership.is_some()), access::read_ownership(aws, name)),
        when(wants(rules), lifecycle::read(aws, name)),
        when(wants(|b| b.notifications.is_some()), notifications::read(aws, name)),
        when(wants(|b| b.logging.is_some()), logging::read(aws, name)),
        when(wants(|b| b.cors.is_some()), cors::read(aws, name)),
        when(wants(|b| b.object_lock.is_some()), object_lock::read(aws, name)),
        folders::read(aws, name, wanted.desired.as_ref().map_or(&no_folders, |b| &b.folders)),
    )?;
    let (lifecycle, minimum) = lifecycle.unzip();
    Ok(S3Bucket {
        versioning,
        encryption: encryption.flatten(),
        public_access_block: block.unwrap_or_default(),
        policy,
        ownership,
        lifecycle,
        transition_default_minimum_object_size: minimum.flatten(),
        notifications,
        logging,
        cors,
        object_lock,
        folders,
        tags: Tags::default(),
        arn: Computed::default(),
        domain: Computed::default(),
    })
}

async fn when<T>(
    wanted: bool,
    read: impl Future<Output = Result<T, Error>>,
) -> Result<Option<T>, Error> {
    if wanted { read.await.map(Some) } else { Ok(None) }
}

/// `None` when there is no such bucket.
async fn read_tags(aws: &Aws, name: &str) -> Result<Option<Tags>, Error> {
    let answer = aws.s3.get_bucket_tagging().bucket(name).send().await;
    let region = answer.as_ref().err().and_then(elsewhere::region_of);
    match answer.map_err(Error::from) {
        Ok(reply) => Ok(Some(tags::from_aws(reply.tag_set()))),
        Err(error) if error.code == "NoSuchTagSet" => Ok(Some(Tags::default())),
        Err(error) => match absent::<Tags, _>(Err(error)) {
            Ok(tags) => Ok(tags),
            Err(error) => {
                Err(elsewhere::explained(error, name, &aws.site.region, region.as_deref()))
            }
        },
    }
}

async fn read_versioning(aws: &Aws, name: &str) -> Result<bool, Error> {
    let reply = aws.s3.get_bucket_versioning().bucket(name).send().await?;
    Ok(reply.status() == Some(&BucketVersioningStatus::Enabled))
}
