//! A large apply keeps to the pace that AWS allows: in no stretch of time is an operation called
//! more often than its burst and its rate.

mod support;

use std::collections::BTreeMap;

use jiff::Timestamp;
use lagoa::aws::pacing::rate;
use serde_json::{Map, Value, json};
use support::Site;

/// Widths of the windows, in seconds.
const WINDOWS: [f64; 4] = [0.2, 1.0, 5.0, 20.0];
/// What the network adds to the gap between two calls, and takes from the next, in seconds.
const JITTER: f64 = 0.5;

fn resources() -> Map<String, Value> {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" }],
    });
    let of = |count: usize, name: &'static str, entry: Value| {
        (0..count).map(move |n| (format!("pace-{name}-{n}"), entry.clone()))
    };
    of(400, "bucket", json!({ "kind": "s3_bucket" }))
        .chain(of(50, "policy", json!({ "kind": "iam_policy", "document": document })))
        .chain(of(50, "group", json!({ "kind": "ec2_security_group" })))
        .collect()
}

/// When each operation was called, in seconds, in order.
fn calls(site: &Site) -> BTreeMap<(String, String), Vec<f64>> {
    let log = std::fs::read_to_string(site.sandbox_file("requests.jsonl")).expect("the log");
    let mut calls: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let word = |name: &str| line[name].as_str().expect("a word").to_owned();
        let time: Timestamp = word("time").parse().expect("a time");
        let seconds = time.as_nanosecond() as f64 / 1e9;
        calls.entry((word("service"), word("operation"))).or_default().push(seconds);
    }
    calls.values_mut().for_each(|times| times.sort_by(f64::total_cmp));
    calls
}

/// The most calls in a window of that width that begins with a call.
fn peak(times: &[f64], width: f64) -> usize {
    let within =
        |start: &f64| times.iter().filter(|at| (*start..start + width).contains(at)).count();
    times.iter().map(within).max().unwrap_or_default()
}

#[test]
fn five_hundred_resources_come_at_the_pace_that_aws_allows() {
    let site = Site::new("pacing");
    let resources = resources();
    assert_eq!(resources.len(), 500);
    site.stack("pacing", &resources);
    site.stack_command("apply", &["--yes", "--parallelism", "200"]).success();
    let mut slowed = Vec::new();
    for ((service, operation), times) in calls(&site) {
        let allowed = rate(&service, &operation);
        for width in WINDOWS {
            let most = allowed.burst + allowed.per_second * (width + JITTER);
            let peak = peak(&times, width);
            assert!(
                peak as f64 <= most,
                "{service}:{operation}: {peak} calls in {width} s, at most {most} are allowed"
            );
        }
        let took = times.last().unwrap_or(&0.0) - times.first().unwrap_or(&0.0);
        println!(
            "{service}:{operation}: {} calls in {took:.1} s, at most {} in one second",
            times.len(),
            peak(&times, 1.0)
        );
        if times.len() as f64 > allowed.burst + 1.0 {
            slowed.push(format!("{service}:{operation}"));
        }
    }
    for operation in ["iam:CreatePolicy", "ec2:CreateSecurityGroup"] {
        assert!(slowed.iter().any(|one| one == operation), "{operation} was never too fast");
    }
}
