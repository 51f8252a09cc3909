//! Databases.

use super::{Check, Severity, Spot, Subject};

const INSTANCE: &[&str] = &["rds_instance"];
const SERVERS: &[&str] = &["rds_instance", "rds_cluster_instance"];
const STORES: &[&str] = &["rds_instance", "rds_cluster"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "RDS-PUBLIC",
        severity: Severity::Critical,
        kinds: SERVERS,
        requires: "A database has no public address",
        remedy: "leave `publicly_accessible` out, and go in over a VPN or a host in the network",
        checkov: &["CKV_AWS_17"],
        fsbp: &["RDS.2"],
        find: public,
    },
    Check {
        id: "RDS-ENCRYPT",
        severity: Severity::High,
        kinds: STORES,
        requires: "A database is encrypted on disk",
        remedy: "write `storage_encrypted: true`; it costs nothing, but can be said at creation only",
        checkov: &["CKV_AWS_16", "CKV_AWS_96"],
        fsbp: &["RDS.3", "RDS.27"],
        find: encrypted,
    },
    Check {
        id: "RDS-BACKUP",
        severity: Severity::Medium,
        kinds: STORES,
        requires: "A database can be put back to any minute of a week",
        remedy: "write `backup_retention_days: 7`",
        checkov: &["CKV_AWS_133"],
        fsbp: &["RDS.11"],
        find: backup,
    },
    Check {
        id: "RDS-DELPROT",
        severity: Severity::Medium,
        kinds: STORES,
        requires: "AWS itself refuses to delete a database",
        remedy: "write `deletion_protection: true`; `--force-unprotect` lifts it",
        checkov: &["CKV_AWS_293"],
        fsbp: &["RDS.7", "RDS.8"],
        find: deletion_protection,
    },
    Check {
        id: "RDS-MULTIAZ",
        severity: Severity::Low,
        kinds: INSTANCE,
        requires: "A database survives the loss of a zone",
        remedy: "write `multi_az: true`; it doubles the price",
        checkov: &["CKV_AWS_157"],
        fsbp: &["RDS.5", "RDS.15"],
        find: multi_az,
    },
    Check {
        id: "RDS-IAM-AUTH",
        severity: Severity::Low,
        kinds: STORES,
        requires: "A database takes IAM's short-lived logins",
        remedy: "write `iam_authentication: true`",
        checkov: &["CKV_AWS_161", "CKV_AWS_162"],
        fsbp: &["RDS.10", "RDS.12"],
        find: iam_authentication,
    },
    Check {
        id: "RDS-TLS",
        severity: Severity::Medium,
        kinds: &["rds_parameter_group", "rds_cluster_parameter_group"],
        requires: "A database refuses connections without TLS",
        remedy: "under `parameters` write `rds.force_ssl: \"1\"` (PostgreSQL) or \
                 `require_secure_transport: \"1\"` (MySQL, MariaDB)",
        checkov: &["CKV2_AWS_69"],
        fsbp: &["RDS.38", "RDS.39"],
        find: tls,
    },
    Check {
        id: "RDS-MINOR",
        severity: Severity::Low,
        kinds: SERVERS,
        requires: "A database gets AWS's mended versions by itself",
        remedy: "leave `auto_minor_version_upgrade` out",
        checkov: &["CKV_AWS_226"],
        fsbp: &["RDS.13"],
        find: minor_versions,
    },
    Check {
        id: "RDS-EXTSUPPORT",
        severity: Severity::Low,
        kinds: &["rds_instance", "eks_cluster"],
        requires: "Nothing slips into the paid support of old versions",
        remedy: "write `engine_lifecycle_support: open-source-rds-extended-support-disabled` for a \
                 database, `support_type: STANDARD` for a cluster: AWS upgrades it then",
        checkov: &[],
        fsbp: &[],
        find: extended_support,
    },
];

fn public(server: &Subject<'_>) -> Vec<Spot> {
    let open = server.flag("publicly_accessible") == Some(true);
    Spot::when(
        open,
        "publicly_accessible",
        "the database has an address that the internet can reach",
    )
}

fn encrypted(store: &Subject<'_>) -> Vec<Spot> {
    let plain = store.flag("storage_encrypted") != Some(true);
    let message = "the data is not encrypted on disk: AWS's own default is off";
    Spot::when(plain, "storage_encrypted", message)
}

fn backup(store: &Subject<'_>) -> Vec<Spot> {
    let days = store.number("backup_retention_days");
    let message = match days {
        Some(0) => "there are no backups".to_owned(),
        Some(days) => format!("backups are kept for {days} of at least 7 days"),
        None => "backups are kept for a day: AWS's own default".to_owned(),
    };
    Spot::when(days.unwrap_or(1) < 7, "backup_retention_days", &message)
}

fn deletion_protection(store: &Subject<'_>) -> Vec<Spot> {
    let open = store.flag("deletion_protection") != Some(true);
    Spot::when(open, "deletion_protection", "anybody who may delete can delete it with one call")
}

fn multi_az(server: &Subject<'_>) -> Vec<Spot> {
    let single = server.flag("multi_az") != Some(true);
    Spot::when(single, "multi_az", "it stands in one zone, and goes down with it")
}

fn iam_authentication(store: &Subject<'_>) -> Vec<Spot> {
    let off = store.flag("iam_authentication") != Some(true);
    Spot::when(off, "iam_authentication", "it takes passwords only")
}

/// The first PostgreSQL whose default asks for TLS.
const ASKING: u32 = 15;

fn tls(group: &Subject<'_>) -> Vec<Spot> {
    let Some(family) = group.text("family") else { return Vec::new() };
    let postgres = family.trim_start_matches("aurora-").strip_prefix("postgres");
    let version = |rest: &str| {
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(0)
    };
    let (parameter, default) = match postgres {
        Some(rest) => ("rds.force_ssl", version(rest) >= ASKING && !family.starts_with("aurora")),
        None if family.contains("mysql") || family.starts_with("mariadb") => {
            ("require_secure_transport", false)
        }
        None => return Vec::new(),
    };
    let written = group.fields["parameters"][parameter].as_str();
    let on =
        written.map_or(default, |word| matches!(word.to_lowercase().as_str(), "1" | "on" | "true"));
    let message = format!("connections may be in clear: `{parameter}` is off");
    let field = match written {
        Some(_) => format!("parameters.{parameter}"),
        None => "parameters".to_owned(),
    };
    Spot::when(!on, &field, &message)
}

fn minor_versions(server: &Subject<'_>) -> Vec<Spot> {
    let off = server.flag("auto_minor_version_upgrade") == Some(false);
    Spot::when(
        off,
        "auto_minor_version_upgrade",
        "known holes stay open until somebody upgrades it",
    )
}

fn extended_support(subject: &Subject<'_>) -> Vec<Spot> {
    if subject.kind == "eks_cluster" {
        let message = "from the end of standard support the cluster costs $0.60 an hour instead of \
                       $0.10: that is what EKS takes unless `support_type` is STANDARD";
        return Spot::when(
            subject.text("support_type") != Some("STANDARD"),
            "support_type",
            message,
        );
    }
    let open_source = matches!(subject.text("engine"), Some("postgres" | "mysql"));
    let off = subject.text("engine_lifecycle_support")
        == Some("open-source-rds-extended-support-disabled");
    let message = "from the end of standard support each processor costs extra by the hour: that is \
                   what RDS takes unless it is told otherwise";
    Spot::when(open_source && !off, "engine_lifecycle_support", message)
}
