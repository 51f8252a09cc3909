//! Warehouses.

use super::{Check, Severity, Spot, Subject};

const CLUSTER: &[&str] = &["redshift_cluster"];
const REACHED: &[&str] = &["redshift_cluster", "redshift_serverless_workgroup"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "REDSHIFT-PUBLIC",
        severity: Severity::Critical,
        kinds: REACHED,
        requires: "A warehouse has no public address",
        remedy: "leave `publicly_accessible` out; seeds and the Data API need none",
        checkov: &["CKV_AWS_87"],
        fsbp: &["Redshift.1"],
        find: public,
    },
    Check {
        id: "REDSHIFT-ENCRYPT",
        severity: Severity::High,
        kinds: CLUSTER,
        requires: "A warehouse is encrypted on disk",
        remedy: "leave `encrypted` out: it is on then",
        checkov: &["CKV_AWS_64", "CKV_AWS_142", "CKV_AWS_282"],
        fsbp: &["Redshift.10"],
        find: encrypted,
    },
    Check {
        id: "REDSHIFT-SSL",
        severity: Severity::Medium,
        kinds: &["redshift_parameter_group"],
        requires: "A warehouse refuses connections without TLS",
        remedy: "write `parameters: { require_ssl: \"true\" }`",
        checkov: &["CKV_AWS_105"],
        fsbp: &["Redshift.2"],
        find: tls,
    },
    Check {
        id: "REDSHIFT-LOG",
        severity: Severity::Medium,
        kinds: &["redshift_serverless_namespace"],
        requires: "A warehouse logs who logs in and what they ask",
        remedy: "write `log_exports: [connectionlog, userlog, useractivitylog]`",
        checkov: &["CKV_AWS_71"],
        fsbp: &["Redshift.4"],
        find: audit,
    },
    Check {
        id: "REDSHIFT-VPCROUTE",
        severity: Severity::Low,
        kinds: REACHED,
        requires: "COPY and UNLOAD go through the VPC",
        remedy: "write `enhanced_vpc_routing: true`; the subnets then need a way to S3",
        checkov: &["CKV_AWS_321"],
        fsbp: &["Redshift.7"],
        find: routing,
    },
];

fn public(warehouse: &Subject<'_>) -> Vec<Spot> {
    let open = warehouse.flag("publicly_accessible") == Some(true);
    let message = "the warehouse has an address that the internet can reach";
    Spot::when(open, "publicly_accessible", message)
}

fn encrypted(cluster: &Subject<'_>) -> Vec<Spot> {
    let plain = cluster.flag("encrypted") == Some(false);
    Spot::when(plain, "encrypted", "the data is not encrypted on disk")
}

fn tls(group: &Subject<'_>) -> Vec<Spot> {
    let written = group.fields["parameters"]["require_ssl"].as_str();
    // From the second family on it is the default.
    let default = group.text("family") != Some("redshift-1.0");
    let on = written.map_or(default, |word| word.eq_ignore_ascii_case("true"));
    let field = if written.is_some() { "parameters.require_ssl" } else { "parameters" };
    Spot::when(!on, field, "connections may be in clear: `require_ssl` is off")
}

fn audit(namespace: &Subject<'_>) -> Vec<Spot> {
    let silent = namespace.left_out("log_exports");
    Spot::when(silent, "log_exports", "nobody can tell later who asked for what")
}

fn routing(warehouse: &Subject<'_>) -> Vec<Spot> {
    let off = warehouse.flag("enhanced_vpc_routing") != Some(true);
    let message = "COPY and UNLOAD pass by the VPC's rules and endpoints";
    Spot::when(off, "enhanced_vpc_routing", message)
}
