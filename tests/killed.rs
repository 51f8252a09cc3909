//! Killed at every call of apply and of destroy, before it is sent and after it was served but
//! before the answer arrived: the next run ends where an undisturbed one ends.
//! The killed run's lock is taken away by hand, so that the walk needn't wait for its lease.
//!
//! Every few points by default; `LAGOA_WALK=all cargo test --test killed` takes every one.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/everything.rs"]
mod everything;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cloud::wait;
use proxy::{Deed, Proxy};
use support::Site;

/// How far apart the points of the short walk are.
const STRIDE: usize = 15;

fn stride() -> usize {
    if std::env::var("LAGOA_WALK").is_ok_and(|walk| walk == "all") { 1 } else { STRIDE }
}

fn start(site: &Site, proxy: &Proxy, command: &str) -> Child {
    let mut lagoa = site.command(&[command, "stack.yaml", "--yes", "--force-unprotect"]);
    if command == "apply" {
        lagoa = site.command(&[command, "stack.yaml", "--yes"]);
    }
    site.aws(&mut lagoa, &proxy.endpoint);
    lagoa.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("run lagoa")
}

/// Runs the command and kills it at its call of that number; false when it ended before.
fn kill_at(site: &Site, command: &str, number: usize, deed: &Deed) -> bool {
    let (reached, at) = mpsc::channel();
    let deed = deed.clone();
    let judge = move |call: &proxy::Call| {
        if call.number < number {
            return Deed::Pass;
        }
        // Whoever waits for this may be gone already.
        let _ = reached.send(());
        if call.number == number { deed.clone() } else { Deed::Drop }
    };
    let proxy = Proxy::new(&site.endpoint(), Box::new(judge));
    let mut child = start(site, &proxy, command);
    loop {
        if at.recv_timeout(Duration::from_millis(20)).is_ok() {
            // A lost answer is served first; killing right away is the hardest case.
            child.kill().expect("kill lagoa");
            child.wait().expect("lagoa ends");
            return true;
        }
        if let Some(status) = child.try_wait().expect("ask for lagoa") {
            assert!(status.success(), "{command} undisturbed until call {number}");
            return false;
        }
    }
}

/// An empty account; its subnets have other ids than the last one's.
fn fresh(site: &Site) {
    site.post("/_lagoa/reset");
    everything::write(site);
}

/// What the account holds besides what plans compare: nothing may be doubled.
fn census(site: &Site) -> Vec<String> {
    let config = cloud::config(site);
    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let iam = aws_sdk_iam::Client::new(&config);
    wait(async {
        let list = secrets.list_secrets().send().await.expect("list secrets");
        let mut all: Vec<String> =
            list.secret_list().iter().map(|s| format!("secret {}", managed(s.name()))).collect();
        if let Ok(keys) = iam.list_access_keys().user_name("every-user").send().await {
            all.push(format!("{} access keys", keys.access_key_metadata().len()));
        }
        let profiles = iam.list_instance_profiles().send().await.expect("list profiles");
        all.extend(
            profiles
                .instance_profiles()
                .iter()
                .map(|p| format!("profile {}", p.instance_profile_name())),
        );
        all.sort();
        all
    })
}

/// RDS names the secrets it manages at random.
fn managed(name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    if name.starts_with("rds!") { "of a database".to_owned() } else { name.to_owned() }
}

fn rows(site: &Site) -> i64 {
    let status = site.run(&["sandbox", "status", "--json"]).success().json();
    let port = status["databases"][0]["port"].as_u64().expect("a database");
    let secrets = aws_sdk_secretsmanager::Client::new(&cloud::config(site));
    wait(async {
        let list = secrets.list_secrets().send().await.expect("list secrets");
        let own = list
            .secret_list()
            .iter()
            .find(|s| s.name().is_some_and(|name| name.starts_with("rds!")));
        let arn = own.and_then(|secret| secret.arn()).expect("the database's secret");
        let value = secrets.get_secret_value().secret_id(arn).send().await.expect("its value");
        let value: serde_json::Value =
            serde_json::from_str(value.secret_string().unwrap_or_default()).expect("JSON");
        let password = value["password"].as_str().expect("a password");
        let url =
            format!("host=127.0.0.1 port={port} user=postgres dbname=coins password='{password}'");
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connect");
        tokio::spawn(connection);
        client.query_one("SELECT count(*) FROM coins", &[]).await.expect("count").get(0)
    })
}

#[test]
fn apply_killed_anywhere_converges() {
    let site = Site::quick("killed-apply");
    everything::write(&site);
    site.stack_command("apply", &["--yes"]).success();
    let (expected, expected_rows) = (census(&site), rows(&site));
    assert_eq!(expected_rows, 201);
    let mut points = 0;
    for deed in [Deed::Drop, Deed::Lose] {
        let mut number = points % stride();
        loop {
            fresh(&site);
            if !kill_at(&site, "apply", number, &deed) {
                break;
            }
            site.stack_command("unlock", &["--yes"]).success();
            site.stack_command("apply", &["--yes"]).success();
            let plan = site.stack_command("plan", &["--detailed-exitcode"]);
            assert_eq!(
                plan.code(),
                Some(0),
                "{deed:?} at {number}: {}{}",
                plan.stdout(),
                plan.stderr()
            );
            assert_eq!(census(&site), expected, "{deed:?} at call {number}");
            assert_eq!(rows(&site), expected_rows, "{deed:?} at call {number}");
            points += 1;
            number += stride();
        }
    }
    println!("killed apply at {points} points");
}

#[test]
fn destroy_killed_anywhere_leaves_nothing() {
    let site = Site::quick("killed-destroy");
    everything::write(&site);
    let mut points = 0;
    for deed in [Deed::Drop, Deed::Lose] {
        let mut number = points % stride();
        loop {
            fresh(&site);
            site.stack_command("apply", &["--yes"]).success();
            if !kill_at(&site, "destroy", number, &deed) {
                break;
            }
            site.stack_command("unlock", &["--yes"]).success();
            site.stack_command("destroy", &["--yes"]).success();
            let left = site.stack_command("destroy", &["--yes", "--json"]).success().json();
            assert_eq!(
                support::actions(&left["plan"]),
                Vec::<String>::new(),
                "{deed:?} at call {number}"
            );
            assert_eq!(census(&site), Vec::<String>::new(), "{deed:?} at call {number}");
            points += 1;
            number += stride();
        }
    }
    println!("killed destroy at {points} points");
}
