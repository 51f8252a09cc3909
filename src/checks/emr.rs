//! Clusters of EMR.

use serde_json::Value;

use super::{Check, Severity, Spot, Subject};

const CLUSTER: &[&str] = &["emr_cluster"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "EMR-PUBLIC",
        severity: Severity::High,
        kinds: CLUSTER,
        requires: "A cluster stands in private subnets, closed to the internet",
        remedy: "write `subnets: NETWORK` with a `network` of the stack: its private ones",
        checkov: &["CKV2_AWS_7", "CKV_AWS_390"],
        fsbp: &["EMR.1", "EMR.2"],
        find: public,
    },
    Check {
        id: "EMR-SECCONF",
        severity: Severity::High,
        kinds: &["emr_cluster", "emr_security_configuration"],
        requires: "A cluster encrypts what it keeps and what it sends",
        remedy: "write `security_configuration: KEY` with an `emr_security_configuration` that turns \
                 on EnableAtRestEncryption and EnableInTransitEncryption",
        checkov: &["CKV2_AWS_55", "CKV_AWS_171", "CKV_AWS_349", "CKV_AWS_350", "CKV_AWS_351"],
        fsbp: &["EMR.3", "EMR.4"],
        find: encryption,
    },
];

const GROUPS: &[&str] = &[
    "primary_security_group",
    "core_security_group",
    "additional_primary_security_groups",
    "additional_core_security_groups",
];

fn public(cluster: &Subject<'_>) -> Vec<Spot> {
    if cluster.left_out("subnets") {
        let message = "the machines stand in the default VPC, whose subnets are public";
        return vec![Spot::new("subnets", message)];
    }
    let subnets = cluster.among.referred(&cluster.fields["subnets"]);
    let open = |(_, fields): &(&str, &Value)| fields["public_ip_on_launch"] == true;
    if subnets.iter().any(open) {
        return vec![Spot::new(
            "subnets",
            "the machines get addresses that the internet can reach",
        )];
    }
    let reached = GROUPS.iter().find(|field| {
        let groups = cluster.among.referred(&cluster.fields[**field]);
        groups.iter().any(|(_, group)| {
            let mut rules = group["ingress"].as_array().into_iter().flatten();
            rules.any(|rule| matches!(rule["cidr"].as_str(), Some("0.0.0.0/0" | "::/0")))
        })
    });
    reached
        .map(|field| Spot::new(*field, "this security group lets in all of the internet"))
        .into_iter()
        .collect()
}

fn encryption(subject: &Subject<'_>) -> Vec<Spot> {
    if subject.kind == "emr_cluster" {
        let message = "data on the machines' disks and between them isn't encrypted";
        return Spot::when(
            subject.left_out("security_configuration"),
            "security_configuration",
            message,
        );
    }
    let encryption = &subject.fields["configuration"]["EncryptionConfiguration"];
    let off = |flag: &str| encryption[flag] != true;
    let words = match (off("EnableAtRestEncryption"), off("EnableInTransitEncryption")) {
        (false, false) => return Vec::new(),
        (true, false) => "data at rest isn't encrypted",
        (false, true) => "data between the machines isn't encrypted",
        (true, true) => "nothing is encrypted",
    };
    vec![Spot::new("configuration", words)]
}
