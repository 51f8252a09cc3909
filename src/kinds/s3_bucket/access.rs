//! Who may reach the bucket: the block against publicity, the policy, and who owns the objects.

use aws_sdk_s3::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{from_word, word};
use crate::aws::{Aws, Error, absent};
use crate::field::Policy;
use crate::kind::Cx;

/// The four locks against public access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Whose the objects are that other accounts write, and whether ACLs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Ownership {
    /// The bucket's owner owns everything and ACLs don't count.
    BucketOwnerEnforced,
    /// The bucket's owner owns what is written with the ACL `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// The writer owns what it writes.
    ObjectWriter,
}

impl Ownership {
    /// As `CreateBucket` and `PutBucketOwnershipControls` take it.
    pub fn to_aws(self) -> types::ObjectOwnership {
        word(&self).as_str().into()
    }
}

impl PublicAccessBlock {
    /// A lock that isn't mentioned is open.
    fn from_aws(live: Option<&types::PublicAccessBlockConfiguration>) -> Self {
        let lock = |of: fn(&types::PublicAccessBlockConfiguration) -> Option<bool>| {
            live.and_then(of).unwrap_or(false)
        };
        Self {
            block_public_acls: lock(|live| live.block_public_acls),
            ignore_public_acls: lock(|live| live.ignore_public_acls),
            block_public_policy: lock(|live| live.block_public_policy),
            restrict_public_buckets: lock(|live| live.restrict_public_buckets),
        }
    }

    fn to_aws(&self) -> types::PublicAccessBlockConfiguration {
        types::PublicAccessBlockConfiguration::builder()
            .block_public_acls(self.block_public_acls)
            .ignore_public_acls(self.ignore_public_acls)
            .block_public_policy(self.block_public_policy)
            .restrict_public_buckets(self.restrict_public_buckets)
            .build()
    }
}

/// No configuration is four open locks.
pub async fn read_block(aws: &Aws, bucket: &str) -> Result<PublicAccessBlock, Error> {
    let reply = absent(aws.s3.get_public_access_block().bucket(bucket).send().await)?;
    let live = reply.as_ref().and_then(|reply| reply.public_access_block_configuration());
    Ok(PublicAccessBlock::from_aws(live))
}

/// Sets the four locks.
pub async fn put_block(block: &PublicAccessBlock, cx: &Cx<'_>) -> Result<(), Error> {
    let call = cx.s3.put_public_access_block().bucket(cx.name);
    call.public_access_block_configuration(block.to_aws()).send().await?;
    Ok(())
}

/// No policy is an empty document.
pub async fn read_policy(aws: &Aws, bucket: &str) -> Result<Policy, Error> {
    let reply = absent(aws.s3.get_bucket_policy().bucket(bucket).send().await)?;
    let text = reply.as_ref().and_then(|reply| reply.policy());
    Ok(text.map_or_else(|| Policy(serde_json::json!({})), Policy::from_aws))
}

/// Replaces the policy; an empty document removes it.
pub async fn put_policy(policy: &Policy, cx: &Cx<'_>) -> Result<(), Error> {
    if policy.0.as_object().is_some_and(|document| document.is_empty()) {
        cx.s3.delete_bucket_policy().bucket(cx.name).send().await?;
        return Ok(());
    }
    let call = cx.s3.put_bucket_policy().bucket(cx.name).policy(policy.text());
    call.send().await.map_err(|error| refused(error.into()))?;
    Ok(())
}

/// S3 answers a public policy with a bare "access denied".
fn refused(error: Error) -> Error {
    if error.code == "AccessDenied" {
        return error.hint(
            "either your credentials lack s3:PutBucketPolicy, or the policy makes the bucket public, \
             which `public_access_block.block_public_policy` refuses",
        );
    }
    error
}

/// A bucket without controls is older than they are: the writer owns what it writes.
pub async fn read_ownership(aws: &Aws, bucket: &str) -> Result<Ownership, Error> {
    let reply = absent(aws.s3.get_bucket_ownership_controls().bucket(bucket).send().await)?;
    let controls = reply.as_ref().and_then(|reply| reply.ownership_controls());
    let rule = controls.and_then(|controls| controls.rules().first());
    let ownership = rule.and_then(|rule| from_word(rule.object_ownership().as_str()));
    Ok(ownership.unwrap_or(Ownership::ObjectWriter))
}

/// Sets whose the objects are.
pub async fn put_ownership(ownership: Ownership, cx: &Cx<'_>) -> Result<(), Error> {
    let rule =
        types::OwnershipControlsRule::builder().object_ownership(ownership.to_aws()).build()?;
    let controls = types::OwnershipControls::builder().rules(rule).build()?;
    let call = cx.s3.put_bucket_ownership_controls().bucket(cx.name);
    call.ownership_controls(controls).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_come_back_as_they_went() {
        let block = PublicAccessBlock { ignore_public_acls: false, ..Default::default() };
        assert_eq!(PublicAccessBlock::from_aws(Some(&block.to_aws())), block);
        assert!(!PublicAccessBlock::from_aws(None).block_public_policy);
    }

    #[test]
    fn every_ownership_is_one_of_awss() {
        use Ownership::*;
        for ownership in [BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter] {
            let sent = ownership.to_aws();
            assert!(types::ObjectOwnership::try_parse(sent.as_str()).is_ok());
            assert_eq!(from_word(sent.as_str()), Some(ownership));
        }
    }
}
