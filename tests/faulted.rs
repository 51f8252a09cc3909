//! One call in ten goes wrong, by a seeded schedule: throttled in the service's own words, broken,
//! lost, late or served twice. Everything still succeeds and ends in the same state.
//!
//! `LAGOA_FAULT_SEED=N` takes another schedule.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/everything.rs"]
mod everything;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proxy::{Call, Deed, Proxy};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use support::Site;

/// Each service's own way to say "too many calls".
fn throttled(service: &str) -> Deed {
    let (status, body) = match service {
        "s3" => (
            503,
            "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
        ),
        "ec2" => (
            503,
            "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message>\
             </Error></Errors><RequestID>r</RequestID></Response>",
        ),
        "secretsmanager" | "tagging" => {
            (400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#)
        }
        _ => (
            400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>",
        ),
    };
    Deed::Answer(status, body.to_owned())
}

/// A judge that lets one call in ten go wrong, and counts those.
fn fault(seed: u64) -> (proxy::Judge, Arc<AtomicUsize>) {
    let mut chance = SmallRng::seed_from_u64(seed);
    let faults = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&faults);
    let judge = move |call: &Call| {
        if chance.random_range(0..10) > 0 {
            return Deed::Pass;
        }
        counter.fetch_add(1, Ordering::SeqCst);
        match chance.random_range(0..7) {
            0 => throttled(&call.service),
            1 => Deed::Answer(500, String::new()),
            2 => Deed::Answer(503, String::new()),
            3 => Deed::Drop,
            4 => Deed::Lose,
            5 => Deed::Delay(Duration::from_millis(300)),
            _ => Deed::Twice,
        }
    };
    (Box::new(judge), faults)
}

fn seed() -> u64 {
    std::env::var("LAGOA_FAULT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2022)
}

#[test]
fn one_call_in_ten_may_go_wrong() {
    let site = Site::quick("faulted");
    everything::write(&site);
    let mut points = 0;
    for round in 0..3 {
        let seed = seed() + round;
        for command in ["apply", "destroy"] {
            let (judge, faults) = fault(seed);
            let proxy = Proxy::new(&site.endpoint(), judge);
            let mut lagoa = site.command(&[command, "stack.yaml", "--yes"]);
            site.aws(&mut lagoa, &proxy.endpoint);
            let output =
                lagoa.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("run lagoa");
            assert!(
                output.status.success(),
                "{command}, seed {seed}:\n{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            points += faults.load(Ordering::SeqCst);
            if command == "apply" {
                let plan = site.stack_command("plan", &["--detailed-exitcode"]);
                assert_eq!(plan.code(), Some(0), "seed {seed}: {}", plan.stdout());
                let iam = aws_sdk_iam::Client::new(&cloud::config(&site));
                let keys = cloud::wait(iam.list_access_keys().user_name("every-user").send())
                    .expect("list keys");
                assert_eq!(keys.access_key_metadata().len(), 1, "seed {seed}: one access key");
            }
        }
        let left = site.stack_command("destroy", &["--yes", "--json"]).success().json();
        assert_eq!(
            support::actions(&left["plan"]),
            Vec::<String>::new(),
            "seed {seed}: left after destroy"
        );
    }
    println!("{points} calls went wrong");
    assert!(points > 30, "too few faults to mean anything: {points}");
}
