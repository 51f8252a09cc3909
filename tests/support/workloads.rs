//! Stacks whose plans are counted.

use serde_json::{Map, Value, json};

/// A stack, and how many requests its plan may take.
pub struct Workload {
    pub name: &'static str,
    pub what: &'static str,
    pub resources: fn() -> Map<String, Value>,
    pub at_most: u64,
}

/// From the smallest to the largest.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "one", what: "one bucket", resources: one, at_most: 8 },
    Workload {
        name: "platform",
        what: "3 buckets, role, security group, database",
        resources: platform,
        at_most: 25,
    },
    Workload { name: "lake", what: "100 buckets, 50 roles", resources: lake, at_most: 360 },
    Workload { name: "many", what: "500 buckets", resources: many, at_most: 1_010 },
];

fn map(entries: impl Iterator<Item = (String, Value)>) -> Map<String, Value> {
    entries.collect()
}

fn one() -> Map<String, Value> {
    map([("only-bucket".to_owned(), json!({ "kind": "s3_bucket" }))].into_iter())
}

fn platform() -> Map<String, Value> {
    let bucket =
        json!({ "kind": "s3_bucket", "versioning": true, "encryption": { "algorithm": "AES256" } });
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "${raw-data.arn}/*" }],
    });
    let role = json!({ "kind": "iam_role", "service": "dms.amazonaws.com", "inline_policies": { "read": policy } });
    let group = json!({
        "kind": "ec2_security_group",
        "ingress": [{ "protocol": "tcp", "ports": 5432, "cidr": "203.0.113.7/32" }],
    });
    let database = json!({
        "kind": "rds_instance", "engine": "postgres", "engine_version": "15", "instance_class": "db.t3.micro",
        "storage_gib": 20, "username": "postgres", "managed_password": true, "security_groups": ["database-access"],
    });
    let buckets = ["raw-data", "processed-data", "curated-data"]
        .map(|name| (name.to_owned(), bucket.clone()));
    let others = [("reader", role), ("database-access", group), ("database", database)];
    map(buckets.into_iter().chain(others.map(|(key, value)| (key.to_owned(), value))))
}

fn lake() -> Map<String, Value> {
    let block = json!({ "block_public_acls": true });
    let bucket = json!({ "kind": "s3_bucket", "versioning": true, "public_access_block": block, "tags": { "Zone": "raw" } });
    let buckets = (0..100).map(|n| (format!("lake-bucket-{n}"), bucket.clone()));
    let role = json!({ "kind": "iam_role", "service": "glue.amazonaws.com" });
    let roles = (0..50).map(|n| (format!("lake-role-{n}"), role.clone()));
    map(buckets.chain(roles))
}

fn many() -> Map<String, Value> {
    let bucket = json!({ "kind": "s3_bucket", "tags": { "Zone": "raw" } });
    map((0..500).map(|n| (format!("many-bucket-{n}"), bucket.clone())))
}
