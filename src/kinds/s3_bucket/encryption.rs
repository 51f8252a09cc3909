//! How new objects are encrypted when the writer doesn't say.

use aws_sdk_s3::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{from_word, word};
use crate::aws::kms::same_name;
use crate::aws::{Aws, Error, absent};
use crate::field::KmsKeyArn;
use crate::kind::Cx;
use crate::reference::is_marked;

/// How new objects are encrypted by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// `AES256` (keys of S3's own), `aws:kms` or `aws:kms:dsse` (two layers).
    pub algorithm: Algorithm,
    /// The KMS key: key, id, ARN or alias. Without one the key stays; a bucket that had none uses
    /// AWS's own `aws/s3`.
    pub kms_key: Option<KmsKeyArn>,
    /// One data key for many objects: fewer calls to KMS.
    pub bucket_key: Option<bool>,
}

/// A server-side encryption that S3 offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

impl Encryption {
    /// What S3 gives every bucket by itself.
    pub fn is_usual(&self) -> bool {
        self.algorithm == Algorithm::AES256 && self.bucket_key != Some(true)
    }

    fn from_aws(live: &types::ServerSideEncryptionConfiguration) -> Option<Self> {
        let rule = live.rules().first()?;
        let by_default = rule.apply_server_side_encryption_by_default()?;
        Some(Self {
            algorithm: from_word(by_default.sse_algorithm().as_str())?,
            kms_key: by_default.kms_master_key_id().map(KmsKeyArn::from),
            bucket_key: Some(rule.bucket_key_enabled().unwrap_or(false)),
        })
    }

    fn to_aws(&self) -> Result<types::ServerSideEncryptionConfiguration, Error> {
        let by_default = types::ServerSideEncryptionByDefault::builder()
            .sse_algorithm(word(&self.algorithm).as_str().into())
            .set_kms_master_key_id(self.kms_key.as_deref().map(str::to_owned))
            .build()?;
        let rule = types::ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(by_default)
            .set_bucket_key_enabled(self.bucket_key)
            .build();
        Ok(types::ServerSideEncryptionConfiguration::builder().rules(rule).build()?)
    }

    /// With what the stack leaves open as AWS has it, because S3 replaces the setting as a whole.
    pub fn over(&self, live: Option<&Self>) -> Self {
        let live = live.filter(|live| live.algorithm == self.algorithm);
        Self {
            algorithm: self.algorithm,
            kms_key: self.kms_key.clone().or_else(|| live?.kms_key.clone()),
            bucket_key: self.bucket_key.or_else(|| live?.bucket_key),
        }
    }

    /// Takes over the live spelling of the same key.
    pub fn accept(&mut self, live: &Self) {
        if let (Some(desired), Some(live)) = (&self.kms_key, &live.kms_key)
            && same_name(desired, live)
        {
            self.kms_key = Some(live.clone());
        }
    }

    /// What S3 would refuse.
    pub fn check(&self) -> Option<&'static str> {
        let key = self.kms_key.as_deref()?;
        if self.algorithm == Algorithm::AES256 {
            return Some("`kms_key` needs the algorithm aws:kms or aws:kms:dsse");
        }
        (!is_marked(key) && !may_be_key(key)).then_some(
            "`kms_key` is no KMS key: write the key of a `kms_key`, an id, an ARN or `alias/…`; S3 \
             takes any text, and refuses every object after that",
        )
    }
}

/// An ARN, an alias, or an id, which is a UUID or begins with `mrk-`.
fn may_be_key(text: &str) -> bool {
    let uuid = text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    uuid || ["arn:", "alias/", "mrk-"].iter().any(|begin| text.starts_with(begin))
}

/// How new objects are encrypted, if the bucket says.
pub async fn read(aws: &Aws, bucket: &str) -> Result<Option<Encryption>, Error> {
    let reply = absent(aws.s3.get_bucket_encryption().bucket(bucket).send().await)?;
    let live = reply.as_ref().and_then(|reply| reply.server_side_encryption_configuration());
    Ok(live.and_then(Encryption::from_aws))
}

/// Replaces the setting.
pub async fn put(encryption: &Encryption, cx: &Cx<'_>) -> Result<(), Error> {
    let configuration = encryption.to_aws()?;
    let call = cx.s3.put_bucket_encryption().bucket(cx.name);
    call.server_side_encryption_configuration(configuration).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(
        algorithm: Algorithm,
        kms_key: Option<&str>,
        bucket_key: Option<bool>,
    ) -> Encryption {
        Encryption { algorithm, kms_key: kms_key.map(KmsKeyArn::from), bucket_key }
    }

    #[test]
    fn encryption_comes_back_as_it_went() {
        for one in [
            encryption(Algorithm::AES256, None, Some(false)),
            encryption(Algorithm::Kms, Some("alias/lake"), Some(true)),
            encryption(Algorithm::KmsDsse, None, Some(false)),
        ] {
            assert_eq!(Encryption::from_aws(&one.to_aws().unwrap()), Some(one));
        }
    }

    #[test]
    fn what_s3_would_take_for_a_key_is_refused() {
        let said = |key| encryption(Algorithm::Kms, Some(key), None).check();
        for key in [
            "alias/lake",
            "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000001",
            "0a1b2c3d-0000-4000-8000-000000000001",
            "mrk-0a1b2c3d",
        ] {
            assert_eq!(said(key), None, "{key}");
        }
        assert!(said("lake-keys").is_some_and(|why| why.contains("alias/")));
        assert!(encryption(Algorithm::AES256, Some("alias/lake"), None).check().is_some());
    }

    #[test]
    fn what_is_left_open_stays() {
        let live = encryption(Algorithm::Kms, Some("k"), Some(false));
        let desired = encryption(Algorithm::Kms, None, Some(true));
        assert_eq!(desired.over(Some(&live)), encryption(Algorithm::Kms, Some("k"), Some(true)));
        let desired = encryption(Algorithm::AES256, None, None);
        assert_eq!(desired.over(Some(&live)), desired);
    }
}
