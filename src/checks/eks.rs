//! Kubernetes.

use serde_json::Value;

use super::{Check, Severity, Spot, Subject};

const CLUSTER: &[&str] = &["eks_cluster"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "EKS-ENDPOINT",
        severity: Severity::Critical,
        kinds: CLUSTER,
        requires: "Not all of the internet reaches the Kubernetes API",
        remedy: "name the networks that may in `public_access_cidrs`, or write \
                 `endpoint_public_access: false`",
        checkov: &["CKV_AWS_38", "CKV_AWS_39"],
        fsbp: &["EKS.1"],
        find: endpoint,
    },
    Check {
        id: "EKS-LOGS",
        severity: Severity::Medium,
        kinds: CLUSTER,
        requires: "The control plane keeps its logs",
        remedy: "write `logging: [api, audit, authenticator, controllerManager, scheduler]`",
        checkov: &["CKV_AWS_37"],
        fsbp: &["EKS.8"],
        find: logs,
    },
    Check {
        id: "EKS-NODE-SSH",
        severity: Severity::High,
        kinds: &["eks_nodegroup"],
        requires: "Not all of the internet reaches SSH on the nodes",
        remedy: "name in `remote_access.security_groups` who may log in, or leave `remote_access` out",
        checkov: &["CKV_AWS_100"],
        fsbp: &[],
        find: remote_access,
    },
];

fn endpoint(cluster: &Subject<'_>) -> Vec<Spot> {
    if cluster.flag("endpoint_public_access") == Some(false) {
        return Vec::new();
    }
    let message = "the Kubernetes API can be reached from all of the internet";
    if cluster.left_out("public_access_cidrs") {
        return vec![Spot::new("endpoint_public_access", message)];
    }
    let ranges = cluster.fields["public_access_cidrs"].as_array().into_iter().flatten();
    let open =
        ranges.filter_map(Value::as_str).any(|range| range == "0.0.0.0/0" || range == "::/0");
    Spot::when(open, "public_access_cidrs", message)
}

const LOGS: &[&str] = &["api", "audit", "authenticator", "controllerManager", "scheduler"];

fn logs(cluster: &Subject<'_>) -> Vec<Spot> {
    let kept = cluster.fields["logging"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing: Vec<&str> =
        LOGS.iter().copied().filter(|log| !kept.iter().any(|one| one == log)).collect();
    let message = format!("the control plane doesn't log {}", missing.join(", "));
    Spot::when(!missing.is_empty(), "logging", &message)
}

fn remote_access(nodes: &Subject<'_>) -> Vec<Spot> {
    let access = &nodes.fields["remote_access"];
    let groups = access["security_groups"].as_array().map_or(0, Vec::len);
    let message = "EKS opens SSH on the nodes to all of the internet";
    let by_key = !access["key_pair"].is_null();
    Spot::when(by_key && groups == 0, "remote_access", message)
}
