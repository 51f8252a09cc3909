//! Migrations.

use super::{Check, Severity, Spot, Subject};

const INSTANCE: &[&str] = &["dms_replication_instance"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "DMS-PUBLIC",
        severity: Severity::Critical,
        kinds: INSTANCE,
        requires: "A replication instance has no public address",
        remedy: "leave `publicly_accessible` out; it then needs NAT or VPC endpoints to reach S3",
        checkov: &["CKV_AWS_89"],
        fsbp: &["DMS.1"],
        find: public,
    },
    Check {
        id: "DMS-SSL",
        severity: Severity::Medium,
        kinds: &["dms_endpoint"],
        requires: "DMS speaks with databases over TLS",
        remedy: "write `ssl_mode: require`, or `verify-ca` with a `certificate` for MySQL",
        checkov: &["CKV2_AWS_49"],
        fsbp: &["DMS.9"],
        find: tls,
    },
    Check {
        id: "DMS-TASKLOG",
        severity: Severity::Low,
        kinds: &["dms_replication_task"],
        requires: "A migration logs what it does",
        remedy: "write `settings: { Logging: { EnableLogging: true } }`",
        checkov: &[],
        fsbp: &["DMS.7", "DMS.8"],
        find: logging,
    },
    Check {
        id: "DMS-KMS",
        severity: Severity::Low,
        kinds: &["dms_replication_instance", "dms_endpoint"],
        requires: "DMS encrypts with a key of your own",
        remedy: "write `kms_key: KEY` with a `kms_key` of the stack",
        checkov: &["CKV_AWS_212", "CKV_AWS_296"],
        fsbp: &[],
        find: own_key,
    },
    Check {
        id: "DMS-MINOR",
        severity: Severity::Low,
        kinds: INSTANCE,
        requires: "A replication instance gets AWS's mended versions by itself",
        remedy: "leave `auto_minor_version_upgrade` out",
        checkov: &["CKV_AWS_222"],
        fsbp: &["DMS.6"],
        find: minor_versions,
    },
];

fn public(instance: &Subject<'_>) -> Vec<Spot> {
    let open = instance.flag("publicly_accessible") == Some(true);
    let message = "the replication instance has an address that the internet can reach";
    Spot::when(open, "publicly_accessible", message)
}

fn tls(endpoint: &Subject<'_>) -> Vec<Spot> {
    let engine = endpoint.text("engine").unwrap_or_default();
    // These are reached through AWS's own APIs, which have nothing else.
    if matches!(engine, "s3" | "dynamodb" | "redshift") {
        return Vec::new();
    }
    // With `rds`, PostgreSQL is reached with `require` unless the stack says otherwise.
    let follows = !endpoint.left_out("rds") && engine.contains("postgres");
    let mode = endpoint.text("ssl_mode").unwrap_or(if follows { "require" } else { "none" });
    Spot::when(mode == "none", "ssl_mode", "rows and the password travel in clear")
}

fn logging(task: &Subject<'_>) -> Vec<Spot> {
    let on = &task.fields["settings"]["Logging"]["EnableLogging"];
    Spot::when(on != true, "settings", "nobody can tell later why a row is missing")
}

fn own_key(subject: &Subject<'_>) -> Vec<Spot> {
    let message = "who may decrypt is AWS's to say: the key is AWS's own";
    Spot::when(subject.left_out("kms_key"), "kms_key", message)
}

fn minor_versions(instance: &Subject<'_>) -> Vec<Spot> {
    let off = instance.flag("auto_minor_version_upgrade") == Some(false);
    Spot::when(
        off,
        "auto_minor_version_upgrade",
        "known holes stay open until somebody upgrades it",
    )
}
