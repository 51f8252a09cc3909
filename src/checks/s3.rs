//! Buckets.

use serde_json::Value;

use super::access::{allowed, denied};
use super::{Check, Severity, Spot, Subject};
use crate::reference::references;

const BUCKET: &[&str] = &["s3_bucket"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "S3-PAB",
        severity: Severity::High,
        kinds: BUCKET,
        requires: "A bucket blocks public access in all four ways",
        remedy: "leave `public_access_block` out: all four are on then",
        checkov: &["CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56"],
        fsbp: &["S3.8"],
        find: public_access_block,
    },
    Check {
        id: "S3-VERSIONING",
        severity: Severity::Medium,
        kinds: BUCKET,
        requires: "A bucket keeps what is overwritten or deleted",
        remedy: "write `versioning: true`, and a `lifecycle` rule with `noncurrent_expiration_days`",
        checkov: &["CKV_AWS_21"],
        fsbp: &["S3.14"],
        find: versioning,
    },
    Check {
        id: "S3-LOGGING",
        severity: Severity::Low,
        kinds: BUCKET,
        requires: "A bucket logs who reads and writes it",
        remedy: "write `logging: { bucket: KEY, prefix: NAME/ }` with a bucket for the logs",
        checkov: &["CKV_AWS_18"],
        fsbp: &["S3.9"],
        find: logging,
    },
    Check {
        id: "S3-TLS",
        severity: Severity::Medium,
        kinds: BUCKET,
        requires: "A bucket's policy denies what comes without TLS",
        remedy: "give `policy` a statement with `Effect: Deny`, `Principal: \"*\"`, `Action: s3:*` and \
                 `Condition: { Bool: { aws:SecureTransport: false } }`",
        checkov: &[],
        fsbp: &["S3.5"],
        find: tls,
    },
    Check {
        id: "S3-PUBLIC-POLICY",
        severity: Severity::Critical,
        kinds: BUCKET,
        requires: "A bucket's policy lets nobody in who isn't named",
        remedy: "name accounts or roles under `Principal`, or add a `Condition` such as \
                 `StringEquals: { aws:PrincipalOrgID: … }`",
        checkov: &["CKV_AWS_70"],
        fsbp: &["S3.2", "S3.3"],
        find: public_policy,
    },
    Check {
        id: "S3-XACCOUNT",
        severity: Severity::High,
        kinds: BUCKET,
        requires: "A bucket's policy lets no other account change who may do what",
        remedy: "name the actions that the other account needs, such as `s3:GetObject`",
        checkov: &[],
        fsbp: &["S3.6"],
        find: other_accounts,
    },
    Check {
        id: "S3-LIFECYCLE",
        severity: Severity::Low,
        kinds: BUCKET,
        requires: "A bucket throws away uploads that were never finished",
        remedy: "write `lifecycle: [{ id: unfinished, abort_incomplete_upload_days: 7 }]`",
        checkov: &["CKV_AWS_300", "CKV2_AWS_61"],
        fsbp: &["S3.13"],
        find: lifecycle,
    },
    Check {
        id: "S3-ACL",
        severity: Severity::High,
        kinds: BUCKET,
        requires: "A bucket has no access control lists",
        remedy: "leave `ownership` out, or write BucketOwnerEnforced",
        checkov: &["CKV_AWS_20", "CKV_AWS_57"],
        fsbp: &["S3.12"],
        find: acl,
    },
];

fn public_access_block(bucket: &Subject<'_>) -> Vec<Spot> {
    let flags = bucket.fields["public_access_block"].as_object().into_iter().flatten();
    let off = flags.filter(|(_, on)| **on == false);
    off.map(|(flag, _)| {
        Spot::new(format!("public_access_block.{flag}"), format!("`{flag}` is off"))
    })
    .collect()
}

fn versioning(bucket: &Subject<'_>) -> Vec<Spot> {
    // An object lock brings versioning with it.
    let on =
        bucket.flag("versioning") == Some(true) || bucket.fields["object_lock"]["enabled"] == true;
    let message = "what is overwritten or deleted is lost: the bucket keeps no versions";
    Spot::when(!on, "versioning", message)
}

fn logging(bucket: &Subject<'_>) -> Vec<Spot> {
    let takes_logs = |(_, kind, fields): &(&str, &str, &Value)| {
        let target = &fields["logging"]["bucket"];
        *kind == "s3_bucket" && references(target).iter().any(|one| one.key == bucket.key)
    };
    let is_target = bucket.among.all.iter().any(takes_logs);
    let message = "nobody can tell later who read or wrote what: access isn't logged";
    Spot::when(bucket.left_out("logging") && !is_target, "logging", message)
}

fn tls(bucket: &Subject<'_>) -> Vec<Spot> {
    let refuses = denied(&bucket.fields["policy"]).iter().any(|one| {
        let plain = one.compared(|key| key == "aws:securetransport");
        one.anybody() && plain.contains(&"false")
    });
    Spot::when(!refuses, "policy", "no policy refuses requests without TLS")
}

fn public_policy(bucket: &Subject<'_>) -> Vec<Spot> {
    let open = allowed(&bucket.fields["policy"]);
    let open = open.iter().any(|one| one.anybody() && !one.conditional());
    Spot::when(open, "policy", "the policy lets everybody in the world in")
}

/// What lets another account change who may do what (FSBP S3.6).
const DELEGATING: &[&str] = &[
    "s3:deletebucketpolicy",
    "s3:putbucketacl",
    "s3:putbucketpolicy",
    "s3:putencryptionconfiguration",
    "s3:putobjectacl",
];

fn other_accounts(bucket: &Subject<'_>) -> Vec<Spot> {
    let open = allowed(&bucket.fields["policy"]);
    let found = open.iter().find_map(|one| {
        let who = one.named_accounts().first().map(|who| (*who).to_owned())?;
        let everything = one.actions().contains(&"*").then(|| "*".to_owned());
        Some((who, everything.or_else(|| one.grants(DELEGATING))?))
    });
    found
        .map(|(who, action)| {
            Spot::new(
                "policy",
                format!("the policy allows {who} `{action}`, and with it to let others in"),
            )
        })
        .into_iter()
        .collect()
}

fn lifecycle(bucket: &Subject<'_>) -> Vec<Spot> {
    let rules = bucket.fields["lifecycle"].as_array().into_iter().flatten();
    let aborts = rules
        .filter(|rule| rule["enabled"] != false)
        .any(|rule| !rule["abort_incomplete_upload_days"].is_null());
    let message = "parts of unfinished uploads stay, and cost, for good";
    Spot::when(!aborts, "lifecycle", message)
}

fn acl(bucket: &Subject<'_>) -> Vec<Spot> {
    let lists = bucket.text("ownership").is_some_and(|word| word != "BucketOwnerEnforced");
    let message = "whoever writes an object may share it by an access control list";
    Spot::when(lists, "ownership", message)
}
