//! What IAM has to allow for a bucket. S3 has names of its own for the actions: the calls for
//! encryption, lifecycle, … are named after what they configure.

use crate::kind::{Access, Grant};

const BUCKET: &[&str] = &["s3:::{name}"];
const OBJECTS: &[&str] = &["s3:::{name}/*"];

pub const ACCESS: Access = Access {
    read: &[Grant::of(
        &[
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketNotification",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:ListBucket",
            "s3:ListBucketVersions",
        ],
        BUCKET,
    )],
    write: &[
        Grant::of(
            &[
                "s3:CreateBucket",
                "s3:DeleteBucketPolicy",
                "s3:PutBucketCORS",
                "s3:PutBucketLogging",
                "s3:PutBucketNotification",
                "s3:PutBucketObjectLockConfiguration",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:TagResource",
            ],
            BUCKET,
        ),
        Grant::of(&["s3:PutObject"], OBJECTS).given("folders"),
    ],
    delete: &[
        Grant::of(
            &["s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:ListBucketMultipartUploads"],
            BUCKET,
        ),
        Grant::of(
            &[
                "s3:AbortMultipartUpload",
                // What `--force-unprotect` says to any bucket, whether it has a lock or not.
                "s3:BypassGovernanceRetention",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
            ],
            OBJECTS,
        ),
    ],
    ..Access::NONE
};
