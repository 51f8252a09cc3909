//! Rego rules over plans: the examples, and how plan, apply and destroy end.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use lagoa::guardrails::{File, Rule, judge};
use serde_json::{Value, json};
use support::Site;

#[test]
fn the_examples_say_what_they_promise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/guardrails/examples");
    let entries = fs::read_dir(folder).expect("the examples");
    let mut files: Vec<File> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            File { name, text: fs::read_to_string(&path).expect("a text") }
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let plan = json!({
        "dangers": [
            { "key": "db", "fate": "lost", "data": "a database will be deleted for good" },
            { "key": "old", "fate": "snapshot", "data": "kept in old-final-1" },
        ],
        "resources": [
            { "key": "raw", "action": "create", "fields": [{ "path": "tags", "new": { "Team": "Data" } }] },
            { "key": "paid", "action": "create", "fields": [{ "path": "tags", "new": { "CentroCusto": "TI" } }] },
            { "key": "gone", "action": "delete", "fields": [] },
        ],
        "findings": [
            { "id": "RDS-PUBLIC", "severity": "critical", "message": "open", "resource": "db", "suppressed": false },
            { "id": "S3-TLS", "severity": "medium", "message": "x", "resource": "raw", "suppressed": true, "reason": "as DATA-12 says" },
            { "id": "S3-LOGGING", "severity": "low", "message": "x", "resource": "raw", "suppressed": true, "reason": "later" },
        ],
    });
    let verdicts = judge(&files, &plan, Duration::from_secs(5));
    let verdicts = verdicts.unwrap_or_else(|broken| panic!("{}", broken.problem(&files).message));
    let told: Vec<(Rule, &str)> =
        verdicts.iter().map(|one| (one.rule, one.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (Rule::Deny, "RDS-PUBLIC: open"),
            (Rule::Deny, "db would lose its data: a database will be deleted for good"),
            (Rule::Deny, "raw has no tag CentroCusto"),
            (Rule::Warn, "S3-LOGGING is suppressed without a ticket"),
            (Rule::Warn, "old is kept in a snapshot only"),
        ]
    );
}

const STACK: &str = "\
stack: guarded
region: us-east-1
resources:
  guarded-raw: { kind: s3_bucket, versioning: true }
";

const NO_BUCKETS: &str = "\
package lagoa

deny contains verdict if {
  some one in input.resources
  one.kind == \"s3_bucket\"
  one.action == \"create\"
  verdict := { \"msg\": \"no new buckets\", \"resource\": one.key }
}

warn contains \"look twice\" if count(input.resources) > 0
";

#[track_caller]
fn nothing_was_made(site: &Site) {
    let requests = site.get("/_lagoa/requests")["operations"].clone();
    // The bucket that holds the lock has no versions.
    let versioning = &requests["s3:PutBucketVersioning"];
    assert_eq!(*versioning, Value::Null, "a bucket although it is denied");
}

#[test]
fn what_is_denied_is_not_done() {
    let site = Site::serverless("guardrails");
    site.write("stack.yaml", STACK);
    // Nothing to ask, nothing to say.
    site.stack_command("plan", &["--out", "saved.plan"]).ends_with(0);
    site.write("policies/guardrails/buckets.rego", NO_BUCKETS);
    let plan = site.stack_command("plan", &[]).ends_with(3);
    let told = plan.stderr();
    for words in [
        "denied: no new buckets (guarded-raw)",
        "policies/guardrails/buckets.rego:3: deny",
        "warning: look twice",
        "the guardrails forbid this plan: 1 denial",
    ] {
        assert!(told.contains(words), "`{words}` is not in: {told}");
    }
    let json = site.stack_command("plan", &["--json", "--detailed-exitcode"]).ends_with(3);
    let json: Value = serde_json::from_str(&json.stdout()).expect("JSON");
    assert_eq!(json["guardrails"][0]["rule"], "deny");
    assert_eq!(json["guardrails"][0]["file"], "policies/guardrails/buckets.rego");
    site.stack_command("apply", &[]).ends_with(3);
    // A plan that was saved before the rule was there is asked about again.
    site.run(&["apply", "saved.plan"]).ends_with(3);
    nothing_was_made(&site);

    // Broken and endless rules stop everything, too.
    site.write(
        "policies/guardrails/buckets.rego",
        "package lagoa\n\ndeny contains x if {\n  x :=\n}\n",
    );
    let broken = site.stack_command("apply", &[]).ends_with(1);
    assert!(broken.stderr().contains("policies/guardrails/buckets.rego:"), "{}", broken.stderr());
    let endless = "package lagoa\n\ndeny contains \"x\" if {\n  some a in numbers.range(1, 1000000)\n  \
        some b in numbers.range(1, 1000000)\n  a * b == 0\n}\n";
    site.write("policies/guardrails/buckets.rego", endless);
    let endless = site.stack_command("apply", &[]).ends_with(1);
    assert!(endless.stderr().contains("longer"), "{}", endless.stderr());
    nothing_was_made(&site);

    // A link out of the stack's folder isn't followed, and folders on the command line add to it.
    site.write("policies/guardrails/buckets.rego", "package lagoa\ndeny contains \"x\" if false\n");
    site.write("more/rules/strict.rego", NO_BUCKETS);
    site.stack_command("plan", &["--guardrails", "more/rules"]).ends_with(3);
    site.stack_command("plan", &["--guardrails", "nowhere"]).ends_with(1);
    let link = site.folder.join("policies/guardrails/link.rego");
    std::os::unix::fs::symlink(std::env::temp_dir().join("elsewhere.rego"), &link).expect("a link");
    fs::write(std::env::temp_dir().join("elsewhere.rego"), NO_BUCKETS).expect("a file");
    let linked = site.stack_command("plan", &[]).ends_with(1);
    assert!(linked.stderr().contains("link out of the stack's folder"), "{}", linked.stderr());
    fs::remove_file(link).expect("the link");

    site.stack_command("apply", &[]).ends_with(0);
    site.stack_command("plan", &["--fail-on", "medium"]).ends_with(3);
    site.stack_command("plan", &["--fail-on", "high"]).ends_with(0);
}
