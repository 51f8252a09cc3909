//! What lagoa itself asks of AWS, whatever the kinds: who it is, what carries the stack's tag, the
//! lock and the history of runs, secrets that fields name.

use serde_json::Value;

use super::Purpose;
use super::statement::{Condition, Statement};
use super::template::Filler;
use crate::kind::{ANY, Grant, Site};
use crate::stack::Stack;

/// Every command: the account, and a hint on what is there.
const ALWAYS: &[Grant] = &[Grant::of(&["sts:GetCallerIdentity", "tag:GetResources"], ANY)];

/// Stacks that name the account's default network.
const DEFAULT_NETWORK: &[Grant] = &[Grant::of(&["ec2:DescribeSubnets", "ec2:DescribeVpcs"], ANY)];

/// Commands that write: the lock, the history, and the bucket they are in, which the first run
/// makes. Without the list of a bucket, S3 says of an object that isn't there that it is denied.
const HOME: &[Grant] = &[
    Grant::of(
        &[
            "s3:CreateBucket",
            "s3:ListBucket",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutLifecycleConfiguration",
            "s3:TagResource",
        ],
        &["s3:::lagoa-{account}-{region}"],
    ),
    Grant::of(
        &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
        &["s3:::lagoa-{account}-{region}/locks/{stack}.json"],
    ),
    Grant::of(&["s3:PutObject"], &["s3:::lagoa-{account}-{region}/history/{stack}/*"]),
];

/// What the engine needs.
pub fn statements(stack: &Stack, site: &Site, purpose: Purpose) -> Vec<Statement> {
    let mut grants = vec![ALWAYS];
    if !stack.look_ups().is_empty() {
        grants.push(DEFAULT_NETWORK);
    }
    if purpose != Purpose::Plan {
        grants.push(HOME);
    }
    let filler = Filler::without_resource(site);
    grants.into_iter().flatten().filter_map(|grant| filler.fill(grant)).collect()
}

/// What it takes to fetch the secrets that fields name, `schema` saying which fields those are.
pub fn secrets(schema: &Value, fields: &Value, site: &Site) -> Vec<Statement> {
    let mut statements = Vec::new();
    if is_secret(schema) {
        statements.extend(named(fields, "secret").map(|name| {
            // An ARN has six letters of AWS's at its end, a name hasn't.
            let arn = if name.starts_with("arn:") {
                name
            } else {
                site.arn("secretsmanager", &site.region, &format!("secret:{name}-??????"))
            };
            allow("secretsmanager:GetSecretValue", arn)
        }));
        statements.extend(named(fields, "parameter").map(|name| {
            let name = name.trim_start_matches('/');
            allow("ssm:GetParameter", site.arn("ssm", &site.region, &format!("parameter/{name}")))
        }));
        if !statements.is_empty() {
            statements.push(decrypting(site));
        }
    }
    let inner = ["anyOf", "oneOf"].iter().filter_map(|word| schema[*word].as_array()).flatten();
    for schema in inner {
        statements.extend(secrets(schema, fields, site));
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        statements.extend(secrets(schema, &fields[name.as_str()], site));
    }
    statements
}

fn is_secret(schema: &Value) -> bool {
    schema["x-secret"] == true
}

fn named(fields: &Value, word: &str) -> Option<String> {
    super::template::text(&fields[word])
}

fn allow(action: &str, resource: String) -> Statement {
    Statement { actions: [action.to_owned()].into(), resources: [resource].into(), condition: None }
}

/// A secret may be encrypted with a key of the account's own.
fn decrypting(site: &Site) -> Statement {
    let services = ["secretsmanager", "ssm"];
    let services = services.map(|one| format!("{one}.{}.amazonaws.com", site.region));
    let operator = if site.region == "*" { "StringLike" } else { "StringEquals" };
    let condition = Condition::new(operator, "kms:ViaService", services.into());
    let keys = site.arn("kms", &site.region, "key/*");
    Statement { condition: Some(condition), ..allow("kms:Decrypt", keys) }
}
