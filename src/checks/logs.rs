//! Logs.

use super::{Check, Severity, Spot, Subject};

pub const CHECKS: &[Check] = &[Check {
    id: "LOGS-RETENTION",
    severity: Severity::Low,
    kinds: &["logs_group"],
    requires: "Logs say how long they are kept, and are encrypted with a key of your own",
    remedy: "write `retention_days: 365` and `kms_key: KEY`",
    checkov: &["CKV_AWS_66", "CKV_AWS_158", "CKV_AWS_338"],
    fsbp: &["CloudWatch.16"],
    find: kept,
}];

fn kept(group: &Subject<'_>) -> Vec<Spot> {
    if group.left_out("retention_days") {
        return vec![Spot::new("retention_days", "logs are kept, and cost, for good")];
    }
    let message = "who may decrypt is AWS's to say: the key is AWS's own";
    Spot::when(group.left_out("kms_key"), "kms_key", message)
}
