//! Keys.

use super::access::allowed;
use super::{Check, Severity, Spot, Subject};

const KEY: &[&str] = &["kms_key"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "KMS-ROTATE",
        severity: Severity::Medium,
        kinds: KEY,
        requires: "A key gets new material every year",
        remedy: "write `rotation: true`",
        checkov: &["CKV_AWS_7"],
        fsbp: &["KMS.4"],
        find: rotation,
    },
    Check {
        id: "KMS-POLICY",
        severity: Severity::Critical,
        kinds: KEY,
        requires: "Nobody uses a key who isn't named",
        remedy: "name accounts or roles under `Principal`, or add a `Condition` such as \
                 `StringEquals: { kms:CallerAccount: \"${aws.account}\" }`",
        checkov: &["CKV_AWS_33"],
        fsbp: &["KMS.5"],
        find: public_policy,
    },
];

fn rotation(key: &Subject<'_>) -> Vec<Spot> {
    let symmetric = key.text("spec").is_none_or(|spec| spec == "SYMMETRIC_DEFAULT");
    let off = key.flag("rotation") != Some(true);
    Spot::when(symmetric && off, "rotation", "one key material encrypts everything for good")
}

fn public_policy(key: &Subject<'_>) -> Vec<Spot> {
    let open = allowed(&key.fields["policy"]);
    let open = open.iter().any(|one| one.anybody() && !one.conditional());
    Spot::when(open, "policy", "the policy lets everybody in the world use the key")
}
