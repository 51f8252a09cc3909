//! Plans without AWS, and the pull requests that get no others.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::server::Server;
use super::support::actions;
use super::{Folder, ran};

const STACK: &str = "\
stack: shop
region: us-east-1
resources:
  raw: { kind: s3_bucket, name: 'raw-${aws.account}' }
  reader:
    kind: iam_role
    service: dms
    inline_policies:
      raw:
        Version: '2012-10-17'
        Statement: { Effect: Allow, Action: s3:GetObject, Resource: '${raw.arn}/*' }
  access: { kind: ec2_security_group, description: Shop, vpc: '${aws.default_vpc}' }
  db-subnets: { kind: rds_subnet_group, description: Shop, subnets: default }
";

/// Counts whoever calls.
fn listener() -> (Server, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let server = Server::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        None
    });
    (server, calls)
}

#[test]
fn an_offline_plan_asks_nobody() {
    let folder = Folder::new("offline");
    folder.write("stack.yaml", STACK);
    let (server, calls) = listener();
    let plan = |more: &[&str]| {
        let mut command = folder.command(&["plan", "stack.yaml", "--offline"]);
        ran(command.args(more).env("AWS_ENDPOINT_URL", &server.endpoint))
    };
    let text = plan(&[]).success().stdout();
    assert!(text.starts_with("Offline: against an empty account. "), "{text}");
    assert!(text.contains("in account unknown, us-east-1"), "{text}");
    assert!(text.contains("raw-${aws.account}"), "{text}");
    assert!(text.contains("${aws.default_vpc} (known after apply)"), "{text}");
    assert!(text.contains("4 to create"), "{text}");

    let seen = plan(&["--json"]).success().json();
    assert_eq!(seen["offline"], "against an empty account");
    assert_eq!(seen["account"], "unknown");
    assert_eq!(seen["total"], json!({ "create": 4, "blocked": 0, "unchanged": 0 }));
    assert!(actions(&seen).iter().all(|action| action.starts_with("create ")));

    let known = plan(&["--account", "123456789012", "--json"]).success().json();
    assert_eq!(known["account"], "123456789012");
    assert_eq!(known["resources"][0]["name"], "raw-123456789012");

    plan(&["--detailed-exitcode"]).ends_with(2);
    plan(&["--account", "123"]).ends_with(1);
    plan(&["--out", "saved.plan"]).ends_with(1);
    assert_eq!(calls.load(Ordering::SeqCst), 0, "somebody was called");
}

/// The stacks of the repository, whatever they are made of.
#[test]
fn every_platform_can_be_planned_offline() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new("offline-platforms");
    let stacks = std::fs::read_dir(root.join("stacks")).expect("the stacks");
    for entry in stacks {
        let path = entry.expect("an entry").path();
        let mut command = folder.command(&["plan", "--offline", "--json"]);
        let plan = ran(command.arg(&path)).success().json();
        let total = plan["total"].as_object().expect("a mapping");
        let made = ["create", "seed"].iter().filter_map(|deed| total.get(*deed)?.as_u64());
        let resources = plan["resources"].as_array().expect("a list").len() as u64;
        assert_eq!(made.sum::<u64>(), resources, "{}: {total:?}", path.display());
        assert!(!plan.to_string().contains('\u{F0000}'), "a mark shows");
    }
}

/// A job for a pull request, without anything to get credentials with.
fn job(folder: &Folder, event: &serde_json::Value, arguments: &[&str]) -> Command {
    folder.write("event.json", &event.to_string());
    let mut command = folder.command(arguments);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "pull_request");
    command.env("GITHUB_EVENT_PATH", folder.0.join("event.json"));
    command
}

#[test]
fn a_pull_request_from_a_fork_is_planned_offline_and_no_other() {
    let folder = Folder::new("fork");
    folder.write("stack.yaml", STACK);
    let from = |head: &str| {
        json!({ "pull_request": {
            "head": { "repo": { "full_name": head, "fork": head != "acme/lake" } },
            "base": { "repo": { "full_name": "acme/lake", "fork": false } },
        } })
    };
    let (fork, own) = (from("eve/lake"), from("acme/lake"));
    let json = ["plan", "stack.yaml", "--json"];

    let plan = ran(&mut job(&folder, &fork, &json)).success().json();
    let offline = plan["offline"].as_str().expect("it says so");
    assert!(offline.contains("empty account") && offline.contains("from a fork"), "{offline}");

    // A branch of the repository itself lacks credentials because somebody forgot them.
    let told = ran(&mut job(&folder, &own, &json)).ends_with(1).stderr();
    assert!(told.contains("id-token: write") && told.contains("AWS_ROLE_ARN"), "{told}");

    // The target's workflow has the target's rights, and nothing outside GitHub is a fork.
    let mut target = job(&folder, &fork, &json);
    ran(target.env("GITHUB_EVENT_NAME", "pull_request_target")).ends_with(1);
    ran(job(&folder, &fork, &json).env_remove("GITHUB_ACTIONS")).ends_with(1);

    // Credentials that are refused are no lack of credentials.
    let (server, calls) = listener();
    let mut refused = job(&folder, &fork, &json);
    refused.env("AWS_ENDPOINT_URL", &server.endpoint).env("AWS_ACCESS_KEY_ID", "test");
    refused.env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_MAX_ATTEMPTS", "1");
    ran(&mut refused).ends_with(1);
    assert!(calls.load(Ordering::SeqCst) > 0, "AWS was asked");

    // What needs AWS itself doesn't do with less.
    for more in [["--out", "saved.plan"].as_slice(), &["--destroy"]] {
        let arguments = [&json[..2], more].concat();
        ran(&mut job(&folder, &fork, &arguments)).ends_with(1);
    }
    ran(&mut job(&folder, &fork, &["apply", "stack.yaml", "--yes"])).ends_with(1);
}
