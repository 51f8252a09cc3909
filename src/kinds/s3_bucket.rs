//! An S3 bucket with its settings.

use std::collections::BTreeSet;

use aws_sdk_s3::operation::get_bucket_encryption::GetBucketEncryptionOutput;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Delete, ObjectIdentifier,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Class, Error, absent, gone_is_fine};
use crate::field::{Computed, Differs, Tags};
use crate::kind::{Cx, Farewell, Found, Kind, OnDestroy, Site, Wanted};

/// An S3 bucket. Closed to the public unless the stack says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Bucket {
    /// Whether overwritten and deleted objects are kept as versions.
    pub versioning: Option<bool>,
    /// How new objects are encrypted when the writer doesn't say. AWS starts with `AES256`.
    pub encryption: Option<Encryption>,
    /// What keeps the bucket from becoming public by mistake. All four are on by default.
    #[serde(default)]
    pub public_access_block: PublicAccessBlock,
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

/// How new objects are encrypted by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// `AES256` (keys of S3's own), `aws:kms` or `aws:kms:dsse` (two layers).
    pub algorithm: Algorithm,
    /// Id, ARN or alias of the KMS key; without one AWS uses its own `aws/s3` key.
    pub kms_key: Option<String>,
    /// One data key for many objects: fewer calls to KMS.
    pub bucket_key: Option<bool>,
}

/// A server-side encryption that S3 offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// Keys of S3's own.
    AES256,
    /// A key in KMS.
    #[serde(rename = "aws:kms")]
    Kms,
    /// A key in KMS, two layers.
    #[serde(rename = "aws:kms:dsse")]
    KmsDsse,
}

/// The four locks against public access.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PublicAccessBlock {
    /// Refuse new public ACLs. Default true.
    pub block_public_acls: bool,
    /// Ignore the public ACLs that there are. Default true.
    pub ignore_public_acls: bool,
    /// Refuse bucket policies that make the bucket public. Default true.
    pub block_public_policy: bool,
    /// Only this account and AWS services may use a bucket with a public policy. Default true.
    pub restrict_public_buckets: bool,
}

impl Default for PublicAccessBlock {
    fn default() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

impl Kind for S3Bucket {
    const EXAMPLE: &'static str = "
raw-coins:
  kind: s3_bucket
  versioning: true
  encryption: { algorithm: AES256 }
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$";
    const HOLDS: Option<&'static str> = Some("objects");
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = None;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let buckets = try_join_all(wanted.iter().map(|one| read_one(aws, one))).await?;
        Ok(buckets.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        aws.swept("s3", "").await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(tag_set(&self.tags)?));
        if cx.site.region != "us-east-1" {
            configuration = configuration
                .location_constraint(BucketLocationConstraint::from(cx.site.region.as_str()));
        }
        let call = cx.s3.create_bucket().bucket(cx.name);
        call.create_bucket_configuration(configuration.build()).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        if self.tags.change_from(&live.tags) != Default::default() {
            put_tags(&self.tags, &live.tags, cx).await?;
        }
        if self.versioning.differs(&live.versioning) {
            put_versioning(self.versioning == Some(true), cx).await?;
        }
        if let Some(encryption) = &self.encryption
            && self.encryption.differs(&live.encryption)
        {
            put_encryption(encryption, cx).await?;
        }
        if self.public_access_block != live.public_access_block {
            put_public_access_block(&self.public_access_block, cx).await?;
        }
        Ok(())
    }

    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if farewell.on_destroy == Some(OnDestroy::Delete) {
            gone_is_fine(cx.s3.delete_bucket_policy().bucket(cx.name).send().await)?;
            empty(cx).await?;
        }
        gone_is_fine(cx.s3.delete_bucket().bucket(cx.name).send().await)
    }

    fn accept(&mut self, live: &Self) {
        if let (Some(desired), Some(live)) = (&mut self.encryption, &live.encryption)
            && desired.kms_key.is_some()
            && same_key(desired.kms_key.as_deref(), live.kms_key.as_deref())
        {
            desired.kms_key = live.kms_key.clone();
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        self.arn = format!("arn:{}:s3:::{name}", site.partition).into();
        self.domain = format!("{name}.s3.{}.amazonaws.com", site.region).into();
    }

    async fn data(&self, cx: &Cx<'_>) -> Result<Option<String>, Error> {
        let page = cx.s3.list_object_versions().bucket(cx.name).max_keys(1).send();
        let Some(page) = absent(page.await)? else { return Ok(None) };
        let any = !page.versions().is_empty() || !page.delete_markers().is_empty();
        Ok(any.then(|| "objects".to_owned()))
    }
}

/// Reads the sub-settings that the stack sets or whose defaults are compared, each with its own
/// call because S3 has no bulk read. The tags come first: they tell whether the bucket is there.
async fn read_one(aws: &Aws, wanted: &Wanted<S3Bucket>) -> Result<Option<Found<S3Bucket>>, Error> {
    let name = wanted.name.as_str();
    let tags = match aws.s3.get_bucket_tagging().bucket(name).send().await.map_err(Error::from) {
        Ok(reply) => reply.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        Err(error) if error.code == "NoSuchTagSet" => Tags::default(),
        Err(error) if error.is_gone() => return Ok(None),
        Err(error) => return Err(foreign_or(error, name)),
    };
    let desired = wanted.desired.as_ref();
    let wants = |set: fn(&S3Bucket) -> bool| desired.is_some_and(set);
    let (versioning, encryption, public_access_block) = futures::try_join!(
        when(wants(|b| b.versioning.is_some()), read_versioning(aws, name)),
        when(wants(|b| b.encryption.is_some()), read_encryption(aws, name)),
        when(desired.is_some(), read_public_access_block(aws, name)),
    )?;
    let mut fields = S3Bucket {
        versioning,
        encryption: encryption.flatten(),
        public_access_block: public_access_block.unwrap_or_default(),
        tags,
        arn: Computed::default(),
        domain: Computed::default(),
    };
    fields.predict(name, &aws.site, &aws.root);
    Ok(Some(Found { name: name.to_owned(), fields }))
}

async fn when<T>(wanted: bool, read: impl Future<Output = Result<T, Error>>) -> Result<Option<T>, Error> {
    if wanted { read.await.map(Some) } else { Ok(None) }
}

fn foreign_or(error: Error, name: &str) -> Error {
    if error.code == "AccessDenied" || error.code == "403" {
        return error.hint(format!(
            "bucket names are shared by all of AWS: {name} may belong to another account, or your \
             credentials lack s3:GetBucketTagging"
        ));
    }
    error
}

async fn read_versioning(aws: &Aws, name: &str) -> Result<bool, Error> {
    let reply = aws.s3.get_bucket_versioning().bucket(name).send().await?;
    Ok(reply.status() == Some(&BucketVersioningStatus::Enabled))
}

async fn read_encryption(aws: &Aws, name: &str) -> Result<Option<Encryption>, Error> {
    let reply = absent(aws.s3.get_bucket_encryption().bucket(name).send().await)?;
    Ok(reply.as_ref().and_then(encryption_of))
}

fn encryption_of(reply: &GetBucketEncryptionOutput) -> Option<Encryption> {
    let rule = reply.server_side_encryption_configuration()?.rules().first()?;
    let by_default = rule.apply_server_side_encryption_by_default()?;
    let algorithm = match by_default.sse_algorithm() {
        ServerSideEncryption::AwsKms => Algorithm::Kms,
        ServerSideEncryption::AwsKmsDsse => Algorithm::KmsDsse,
        _ => Algorithm::AES256,
    };
    let kms_key = by_default.kms_master_key_id().map(str::to_owned);
    Some(Encryption { algorithm, kms_key, bucket_key: Some(rule.bucket_key_enabled().unwrap_or(false)) })
}

async fn read_public_access_block(aws: &Aws, name: &str) -> Result<PublicAccessBlock, Error> {
    let reply = absent(aws.s3.get_public_access_block().bucket(name).send().await)?;
    let live = reply.and_then(|reply| reply.public_access_block_configuration);
    let flag = |of: fn(&PublicAccessBlockConfiguration) -> Option<bool>| live.as_ref().and_then(of).unwrap_or(false);
    Ok(PublicAccessBlock {
        block_public_acls: flag(|live| live.block_public_acls),
        ignore_public_acls: flag(|live| live.ignore_public_acls),
        block_public_policy: flag(|live| live.block_public_policy),
        restrict_public_buckets: flag(|live| live.restrict_public_buckets),
    })
}

fn tag_set(tags: &Tags) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(|error| Error::internal(error.to_string()))
}

/// `PutBucketTagging` replaces the whole set, so tags that aren't ours to touch are sent along.
async fn put_tags(tags: &Tags, live: &Tags, cx: &Cx<'_>) -> Result<(), Error> {
    let kept = live.iter().filter(|(key, _)| crate::field::reserved_tag(key) && !key.starts_with("aws:"));
    let all = kept.chain(tags.iter()).map(|(k, v)| (k.clone(), v.clone())).collect::<Tags>();
    let tagging = Tagging::builder().set_tag_set(Some(tag_set(&all)?)).build();
    let tagging = tagging.map_err(|error| Error::internal(error.to_string()))?;
    cx.s3.put_bucket_tagging().bucket(cx.name).tagging(tagging).send().await?;
    Ok(())
}

async fn put_versioning(on: bool, cx: &Cx<'_>) -> Result<(), Error> {
    let status = if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    let configuration = VersioningConfiguration::builder().status(status).build();
    cx.s3.put_bucket_versioning().bucket(cx.name).versioning_configuration(configuration).send().await?;
    Ok(())
}

async fn put_encryption(encryption: &Encryption, cx: &Cx<'_>) -> Result<(), Error> {
    let algorithm = match encryption.algorithm {
        Algorithm::AES256 => ServerSideEncryption::Aes256,
        Algorithm::Kms => ServerSideEncryption::AwsKms,
        Algorithm::KmsDsse => ServerSideEncryption::AwsKmsDsse,
    };
    let invalid = |error: aws_sdk_s3::error::BuildError| Error::internal(error.to_string());
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(encryption.kms_key.clone())
        .build()
        .map_err(invalid)?;
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .set_bucket_key_enabled(encryption.bucket_key)
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(invalid)?;
    let call = cx.s3.put_bucket_encryption().bucket(cx.name);
    call.server_side_encryption_configuration(configuration).send().await?;
    Ok(())
}

async fn put_public_access_block(block: &PublicAccessBlock, cx: &Cx<'_>) -> Result<(), Error> {
    let configuration = PublicAccessBlockConfiguration::builder()
        .block_public_acls(block.block_public_acls)
        .ignore_public_acls(block.ignore_public_acls)
        .block_public_policy(block.block_public_policy)
        .restrict_public_buckets(block.restrict_public_buckets)
        .build();
    let call = cx.s3.put_public_access_block().bucket(cx.name);
    call.public_access_block_configuration(configuration).send().await?;
    Ok(())
}

/// A key id and its ARN name the same key.
fn same_key(a: Option<&str>, b: Option<&str>) -> bool {
    let id = |key: &str| key.rsplit('/').next().map(str::to_owned);
    a.and_then(id) == b.and_then(id)
}

/// Deletes every version and delete marker, a thousand at a time.
async fn empty(cx: &Cx<'_>) -> Result<(), Error> {
    let mut deleted = 0;
    loop {
        let page = cx.s3.list_object_versions().bucket(cx.name).send().await;
        let Some(page) = absent(page)? else { return Ok(()) };
        let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let objects = versions.chain(markers).filter_map(|(key, version)| {
            ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
        });
        let objects: BTreeSet<_> = objects.map(|o| (o.key, o.version_id)).collect();
        if objects.is_empty() {
            return Ok(());
        }
        deleted += delete_batch(objects, cx).await?;
        (cx.status)(format!("emptying: {deleted} versions deleted"));
    }
}

/// `DeleteObjects` answers 200 even when it deleted nothing, so each error inside counts.
async fn delete_batch(objects: BTreeSet<(String, Option<String>)>, cx: &Cx<'_>) -> Result<usize, Error> {
    let count = objects.len();
    let objects = objects.into_iter().map(|(key, version)| {
        ObjectIdentifier::builder().key(key).set_version_id(version).build()
    });
    let objects = objects.collect::<Result<Vec<_>, _>>().map_err(|e| Error::internal(e.to_string()))?;
    let batch = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let batch = batch.map_err(|error| Error::internal(error.to_string()))?;
    let reply = cx.s3.delete_objects().bucket(cx.name).delete(batch).send().await?;
    match reply.errors().first() {
        None => Ok(count),
        Some(error) => Err(Error {
            code: error.code().unwrap_or_default().to_owned(),
            ..Error::new(Class::Terminal, format!(
                "{} of {count} objects could not be deleted, the first: {}: {}",
                reply.errors().len(), error.key().unwrap_or_default(), error.message().unwrap_or_default()
            ))
        }),
    }
}
