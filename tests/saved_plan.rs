//! A plan that was looked at is carried out as it was, or not at all.

#[path = "support/cloud.rs"]
mod cloud;
mod support;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use cloud::wait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Ran, Site};

const STACK: &str = r#"
stack: saved
region: us-east-1
variables:
  zone: { default: raw }
resources:
  saved-data: { kind: s3_bucket, tags: { Zone: "${var.zone}" } }
  saved-more: { kind: s3_bucket }
  saved-role:
    kind: iam_role
    service: glue.amazonaws.com
    inline_policies: { read: policies/read.json }
"#;

fn policy(action: &str) -> String {
    let statement = json!([{ "Effect": "Allow", "Action": action, "Resource": "*" }]);
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

fn digest(plan: &Value) -> String {
    let sum = Sha256::digest(plan.to_string().as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn site(test: &str) -> Site {
    let site = Site::new(test);
    site.write("stack.yaml", STACK);
    site.write("policies/read.json", &policy("s3:GetObject"));
    site
}

fn save(site: &Site, more: &[&str]) {
    let arguments = [&["--out", "saved.plan"], more].concat();
    site.stack_command("plan", &arguments).success();
}

fn apply(site: &Site) -> Ran {
    site.run(&["apply", "saved.plan"])
}

#[track_caller]
fn refused(site: &Site, why: &str) {
    let before = site.get("/_lagoa/requests")["operations"].clone();
    let ran = apply(site).ends_with(1);
    assert!(ran.stderr().contains(why), "`{why}` is not in: {}", ran.stderr());
    let after = site.get("/_lagoa/requests")["operations"].clone();
    for write in ["s3:CreateBucket", "s3:PutBucketTagging", "iam:CreateRole", "iam:PutRolePolicy"] {
        assert_eq!(before[write], after[write], "{write} although it refused");
    }
}

#[test]
fn a_saved_plan_is_applied_without_asking() {
    let site = site("saved");
    save(&site, &["--var", "zone=curated"]);
    let text = std::fs::read_to_string(site.folder.join("saved.plan")).expect("read the plan");
    let plan: Value = serde_json::from_str(&text).expect("the plan is JSON");
    assert_eq!(plan["plan"]["total"]["create"], 3, "{text}");

    let applied = apply(&site).success();
    assert!(applied.stdout().contains("3 to create"), "{}", applied.stdout());
    site.stack_command("plan", &["--detailed-exitcode", "--var", "zone=curated"]).success();
    // The same plan a second time: the world has moved.
    refused(&site, "saved-data exists now");

    save(&site, &["--var", "zone=curated", "--destroy"]);
    apply(&site).success();
    let left = site.stack_command("plan", &["--destroy"]).success().stdout();
    assert!(left.contains("Nothing to destroy"), "{left}");
    site.run(&["apply", "saved.plan", "--var", "zone=x"]).ends_with(1);
    let over = site.stack_command("plan", &["--out", "stack.yaml"]).ends_with(1);
    assert!(over.stderr().contains("is no saved plan"), "{}", over.stderr());
}

#[test]
fn a_saved_plan_is_refused_when_something_changed() {
    let site = site("stale");
    save(&site, &[]);
    site.write("stack.yaml", &STACK.replace("saved-more", "saved-other"));
    refused(&site, "changed since the plan of");
    site.write("stack.yaml", &STACK.replace("Zone:", "Zona:"));
    refused(&site, "changed since the plan of");
    site.write("stack.yaml", &format!("# Only a comment.\n{STACK}"));
    site.write("policies/read.json", &policy("s3:*"));
    refused(&site, "a file that it names is not as it was");
    site.write("policies/read.json", &policy("s3:GetObject"));
    apply(&site).success();

    site.write("stack.yaml", &STACK.replace("raw }", "gold }"));
    save(&site, &[]);
    let s3 = aws_sdk_s3::Client::new(&cloud::config(&site));
    wait(async {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = s3.put_bucket_versioning().bucket("saved-data").versioning_configuration(on);
        put.send().await.expect("turn versioning on");
        s3.delete_bucket().bucket("saved-more").send().await.expect("delete a bucket");
    });
    refused(&site, "s3_bucket saved-more is gone");
    save(&site, &[]);
    apply(&site).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
}

#[test]
fn a_saved_plan_is_refused_when_it_was_tampered_with() {
    let site = site("tampered");
    save(&site, &[]);
    let path = site.folder.join("saved.plan");
    let text = std::fs::read_to_string(&path).expect("read the plan");
    for (from, to, why) in [
        ("saved-more", "saved-evil", "was changed or damaged"),
        ("\"force_unprotect\": false", "\"force_unprotect\": true", "was changed or damaged"),
        ("\"checksum\": \"", "\"checksum\": \"0", "was changed or damaged"),
        ("saved-plan/1", "saved-plan/2", "has the form lagoa.saved-plan/2"),
    ] {
        let tampered = text.replace(from, to);
        assert_ne!(tampered, text, "{from} is in the plan");
        std::fs::write(&path, tampered).expect("write the plan");
        refused(&site, why);
    }
    std::fs::write(&path, &text[..text.len() / 2]).expect("write the plan");
    refused(&site, "was changed or damaged");

    let mut plan: Value = serde_json::from_str(&text).expect("the plan is JSON");
    plan["lagoa"] = "0.0.1".into();
    plan.as_object_mut().expect("members").remove("checksum");
    plan["checksum"] = digest(&plan).into();
    std::fs::write(&path, plan.to_string()).expect("write the plan");
    refused(&site, "was made by lagoa 0.0.1");

    std::fs::write(&path, &text).expect("write the plan");
    apply(&site).success();
}
