//! A stack that has every kind, for walks through all its calls.

use serde_json::{Value, json};

use super::support::Site;

/// The stack's name.
pub const NAME: &str = "everything";

/// Writes the stack and the files it needs.
pub fn write(site: &Site) {
    site.write(
        "everything/schema.sql",
        "CREATE TABLE coins (id integer PRIMARY KEY, name text NOT NULL);\n",
    );
    site.write("everything/more.sql", "INSERT INTO coins VALUES (1000, 'from a script');\n");
    let rows: String = (0..200).map(|n| format!("{n},coin {n}\n")).collect();
    site.write("everything/coins.csv", &format!("id,name\n{rows}"));
    let Value::Object(resources) = site.real(resources()) else { unreachable!() };
    site.stack(NAME, &resources);
}

fn resources() -> Value {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "${every-raw.arn}/*" }],
    });
    json!({
        "every-raw": {
            "kind": "s3_bucket", "versioning": true, "encryption": { "algorithm": "AES256" },
            "folders": ["in"], "on_destroy": "delete",
        },
        "every-policy": { "kind": "iam_policy", "document": policy },
        "every-role": {
            "kind": "iam_role", "service": "ec2.amazonaws.com", "instance_profile": true,
            "managed_policies": ["every-policy"], "inline_policies": { "read": policy },
        },
        "every-group": { "kind": "iam_group", "managed_policies": ["every-policy"] },
        "every-user": { "kind": "iam_user", "groups": ["every-group"], "console": {}, "access_key": {} },
        "every-access": {
            "kind": "ec2_security_group",
            "ingress": [{ "protocol": "tcp", "ports": 5432, "cidr": "203.0.113.7/32" }],
        },
        "every-key": { "kind": "ec2_key_pair" },
        "every-secret": { "kind": "secretsmanager_secret", "generate": {}, "recovery_days": 0 },
        "every-parameters": {
            "kind": "rds_parameter_group", "family": "postgres15", "description": "for all",
            "parameters": { "log_min_duration_statement": "500" },
        },
        "every-subnets": { "kind": "rds_subnet_group", "description": "for all", "subnets": ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"] },
        "every-postgres": {
            "kind": "rds_instance", "engine": "postgres", "engine_version": "15", "instance_class": "db.t3.micro",
            "storage_gib": 20, "database": "coins", "username": "postgres", "managed_password": true,
            "security_groups": ["every-access"], "subnet_group": "every-subnets",
            "parameter_group": "every-parameters", "on_destroy": "delete",
        },
        "every-schema": {
            "kind": "postgres_seed", "database": "every-postgres",
            "scripts": ["everything/schema.sql", "everything/more.sql"],
        },
        "every-rows": {
            "kind": "postgres_seed", "database": "every-postgres", "csv": "everything/coins.csv",
            "table": "coins", "depends_on": ["every-schema"],
        },
    })
}
