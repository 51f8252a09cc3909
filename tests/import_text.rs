//! From plain values to the text of a stack file, without AWS.

use std::collections::BTreeMap;
use std::path::Path;

use lagoa::diagnostic::Source;
use lagoa::document;
use lagoa::import::{self, Around, Thing};
use lagoa::kind::{Live, Owner, Phase, Site};
use lagoa::kinds;
use lagoa::live::World;
use lagoa::stack::{self, Inputs};
use serde_json::{Value, json};

fn site() -> Site {
    let text = str::to_owned;
    Site {
        partition: text("aws"),
        account: text("123456789012"),
        region: text("us-east-1"),
        stack: text("imported"),
    }
}

fn thing(kind: &str, name: &str, fields: Value) -> Thing {
    let kind = kinds::find(kind).expect("a kind");
    let fields = kind.complete(&fields).expect("fields of the kind");
    let live = Live { name: name.to_owned(), fields, phase: Phase::Ready, owner: None };
    Thing { kind, live }
}

/// The text of a new stack, after it was read back and found to say what is there.
fn written(things: Vec<Thing>) -> String {
    let draft = import::draft(things, &Around::default(), &site());
    let text = import::file(&draft, &site());
    let document = document::document(Source::new("written.yaml", text.as_str()));
    let document = document.unwrap_or_else(|problems| panic!("{text}\n{problems:?}"));
    let checked = stack::check(&document, Path::new("."), &Inputs::default());
    let (mut stack, graph) = checked.unwrap_or_else(|problems| panic!("{text}\n{problems:?}"));
    stack.settle(&site());
    let lives = draft.entries.iter().map(|entry| (entry.key.clone(), entry.thing.live.clone()));
    let world = World { resources: lives.collect(), ..World::default() };
    let unlike = import::unlike(&draft.entries, &stack, &graph, &world, &site());
    assert_eq!(unlike, BTreeMap::new(), "{text}");
    text
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"glue.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn trust() -> Value {
    serde_json::from_str(TRUST).expect("JSON")
}

fn vpc(name: &str, id: &str) -> Thing {
    let tags = json!({ "Name": name, "Team": "Lake" });
    thing(
        "ec2_vpc",
        name,
        json!({ "cidr": "10.0.0.0/16", "dns_hostnames": false, "tenancy": "default", "tags": tags, "id": id }),
    )
}

#[test]
fn ids_and_arns_become_keys_and_defaults_are_left_out() {
    let rule = |id: &str| json!({ "protocol": "tcp", "ports": "5432", "security_group": id, "id": "sgr-1" });
    let group = |name: &str, id: &str, peer: &str| {
        let fields = json!({
            "description": "d", "vpc": "vpc-0a1b2c3d", "ingress": [rule(peer)],
            "egress": [{ "protocol": "all", "cidr": "0.0.0.0/0", "id": "sgr-2" }],
            "tags": { "Team": "Lake" }, "id": id, "owner": "123456789012",
        });
        thing("ec2_security_group", name, fields)
    };
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": ["arn:aws:s3:::raw.coins", "arn:aws:s3:::raw.coins/${aws:username}/*", "arn:aws:s3:::raw.coins-2/*"],
    }] });
    let text = written(vec![
        thing(
            "iam_role",
            "etl",
            json!({
                "trust": trust(), "inline_policies": { "lake": policy }, "path": "/", "max_session_seconds": 3600,
                "managed_policies": ["arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole"],
                "description": "", "tags": { "Team": "Lake", "version": "1.10" }, "arn": "arn:aws:iam::123456789012:role/etl",
            }),
        ),
        thing(
            "s3_bucket",
            "raw.coins",
            json!({
                "versioning": true, "tags": { "Team": "Lake" }, "arn": "arn:aws:s3:::raw.coins",
            }),
        ),
        group("web", "sg-0a1b2c3d", "sg-0a1b2c3e"),
        group("database", "sg-0a1b2c3e", "sg-0a1b2c3d"),
        thing(
            "ec2_subnet",
            "subnet-0a1b2c3d",
            json!({
                "vpc": "vpc-0a1b2c3d", "cidr": "10.0.1.0/24", "zone": "us-east-1a",
                "tags": { "Team": "Lake" }, "id": "subnet-0a1b2c3d",
            }),
        ),
        thing(
            "ec2_subnet",
            "elsewhere",
            json!({
                "vpc": "vpc-0a1b2c3e", "cidr": "10.1.1.0/24", "tags": { "Name": "elsewhere", "Team": "Lake" }, "id": "subnet-0a1b2c3e",
            }),
        ),
        vpc("etl", "vpc-0a1b2c3d"),
    ]);
    insta::assert_snapshot!(text);
}

#[test]
fn a_secret_becomes_a_variable_of_the_environment() {
    let text = written(vec![
        thing(
            "rds_instance",
            "coins",
            json!({
                "engine": "postgres", "engine_version": "15.7", "instance_class": "db.t3.micro", "storage_gib": 20,
                "storage_type": "gp2", "username": "postgres", "multi_az": false, "backup_window": "04:00-04:30",
                "deletion_protection": true, "parameter_group": "default.postgres15", "security_groups": ["sg-0a1b2c3d"],
                "port": 5432, "reboot_pending": false, "password_of_snapshot": false,
            }),
        ),
        thing("ssm_parameter", "/coins/key", json!({ "type": "SecureString", "tier": "Standard" })),
    ]);
    insta::assert_snapshot!(text);
}

#[test]
fn what_the_stack_owns_keeps_its_key_and_the_words_on_its_end() {
    let mut bucket = thing(
        "s3_bucket",
        "raw-coins-2026",
        json!({
            "tags": { "lagoa:stack": "imported", "lagoa:name": "raw", "lagoa:protect": "true", "lagoa:on_destroy": "retain" },
        }),
    );
    bucket.live.owner = Some(Owner { stack: "imported".to_owned(), key: Some("raw".to_owned()) });
    insta::assert_snapshot!(written(vec![bucket]));
}

#[test]
fn names_that_are_no_keys_get_one() {
    let group = |name: &str| thing("logs_group", name, json!({}));
    let secret = |name: &str| {
        thing("secretsmanager_secret", name, json!({ "has_value": true, "recovery_days": 30 }))
    };
    let text =
        written(vec![group("/a/b"), group("a-b"), secret("a/b"), secret("var"), secret("yes")]);
    insta::assert_snapshot!(text);
}
