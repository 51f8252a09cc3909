//! AWS misbehaves, by a seeded schedule: it throttles in each service's own words, breaks, resets
//! connections, loses answers, comes late, serves twice, shows what was, and can't take on roles
//! that were made a moment ago. Everything still succeeds and ends where an undisturbed run ends.
//! When a service is out altogether, its part fails with one clear error, and the rest is done.
//!
//! `LAGOA_FAULT_SEED=N` takes another schedule, `LAGOA_FAULT_ROUNDS=N` more of them.

#[path = "support/everything.rs"]
mod everything;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/shapes.rs"]
mod shapes;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lagoa::aws::Class;
use lagoa::aws::error::{BY_CODE, BY_MESSAGE, class};
use lagoa::aws::retry::patience;
use proxy::{Call, Deed, Judge, Proxy};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use support::{Ran, Site, actions};

/// How long AWS shows what was before a write, and can't take on a new role.
const MOMENT: Duration = Duration::from_millis(1500);

/// How long a service may be out before lagoa says so. Not lagoa's own figure, so that nobody
/// raises that one unnoticed.
const IN_TIME: Duration = Duration::from_secs(120);

/// What the consumers of a role say that can't be assumed yet.
const NOT_ASSUMABLE: &[(&str, &str, &str)] = &[
    (
        "rds",
        "InvalidParameterValue",
        "IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
    ),
    ("s3", "MalformedPolicy", "Invalid principal in policy"),
    ("secretsmanager", "MalformedPolicyDocumentException", "Invalid principal in policy"),
    ("dms", "AccessDeniedFault", "The IAM Role is not configured properly."),
    (
        "eks",
        "InvalidParameterException",
        "Role could not be assumed because the trusted entity is not correct",
    ),
    ("elasticmapreduce", "ValidationException", "Invalid InstanceProfile"),
];

fn seed() -> u64 {
    std::env::var("LAGOA_FAULT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2022)
}

fn rounds() -> u64 {
    std::env::var("LAGOA_FAULT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

fn codes(wanted: Class) -> Vec<&'static str> {
    BY_CODE.iter().filter(|(_, class)| *class == wanted).map(|(code, _)| *code).collect()
}

/// What is shown late. S3's objects never are, and lagoa's lock counts on that.
fn may_be_stale(call: &Call) -> bool {
    call.reads()
        && call.service != "sts"
        && (call.service != "s3" || call.asks.contains('?') && !call.asks.contains("/lagoa-"))
}

/// Lets one call in ten go wrong, and counts those.
fn one_in_ten(seed: u64) -> (Judge, Arc<AtomicUsize>) {
    let mut chance = SmallRng::seed_from_u64(seed);
    let faults = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&faults);
    let transient = codes(Class::Transient);
    let judge = move |call: &Call| {
        if chance.random_range(0..10) > 0 {
            return Deed::Pass;
        }
        counter.fetch_add(1, Ordering::SeqCst);
        let shape = shapes::of(&call.service);
        match chance.random_range(0..10) {
            0 => shape.throttled(),
            1 => Deed::Answer(500, String::new()),
            2 => Deed::Answer(503, String::new()),
            3 => shape.error(500, transient[chance.random_range(0..transient.len())], "try again"),
            4 => Deed::Drop,
            5 => Deed::Reset,
            6 => Deed::Lose,
            7 => Deed::LoseReset,
            8 => Deed::Delay(Duration::from_millis(300)),
            _ if may_be_stale(call) => Deed::Stale(MOMENT),
            _ if makes_another(call) => Deed::Lose,
            _ => Deed::Twice,
        }
    };
    (Box::new(judge), faults)
}

/// What AWS makes once more each time it is asked, without a name or a token by which it could tell
/// that a request came twice. lagoa sends these once, and looks before it sends them again.
fn makes_another(call: &Call) -> bool {
    let without_token = [
        "AddJobFlowSteps",
        "AllocateAddress",
        "CreateAccessKey",
        "CreateInternetGateway",
        "CreateKey",
        "CreateVpc",
        "RunJobFlow",
    ];
    without_token.contains(&call.operation.as_str())
}

/// Shows every second read that follows a write as it was before, and makes each role's consumers
/// wait.
fn late(seed: u64) -> (Judge, Arc<AtomicUsize>) {
    let mut chance = SmallRng::seed_from_u64(seed);
    let refused = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&refused);
    let mut roles: Vec<(String, Option<Instant>)> = Vec::new();
    let judge = move |call: &Call| {
        if call.operation == "CreateRole" {
            let name = call.asks.split("RoleName=").nth(1).and_then(|rest| rest.split('&').next());
            roles.push((name.unwrap_or_default().to_owned(), None));
        }
        let row = NOT_ASSUMABLE.iter().find(|(service, ..)| *service == call.service);
        let ours = call.asks.contains("/lagoa-");
        if let (false, Some((service, code, message))) = (call.reads() || ours, row) {
            let mut named = roles.iter_mut().filter(|(name, _)| call.asks.contains(name.as_str()));
            // However long ago it was made: this is the first its consumer hears of it.
            if named.any(|(_, heard)| heard.get_or_insert_with(Instant::now).elapsed() < MOMENT) {
                counter.fetch_add(1, Ordering::SeqCst);
                return shapes::of(service).error(400, code, message);
            }
        }
        if may_be_stale(call) && chance.random_bool(0.5) { Deed::Stale(MOMENT) } else { Deed::Pass }
    };
    (Box::new(judge), refused)
}

fn through(site: &Site, judge: Judge, command: &str) -> (Ran, Proxy) {
    let proxy = Proxy::new(&site.endpoint(), judge);
    let mut lagoa = site.through(&proxy.endpoint, &[command, "stack.yaml", "--yes"]);
    let output = lagoa.output().expect("run lagoa");
    (Ran { arguments: format!("{command} through a proxy"), output }, proxy)
}

/// A world with every kind in one stack, not yet applied; what an undisturbed apply makes of it;
/// what an undisturbed destroy leaves.
fn ground(site: &Site) -> (Value, Value) {
    everything::everything().write(site);
    let world = site.copy();
    world.stack_command("apply", &["--yes"]).success();
    let full = world.census();
    world.stack_command("destroy", &["--yes"]).success();
    (full, world.census())
}

/// Applies and destroys through such a proxy, and looks at both ends.
fn round(
    site: &Site,
    (full, bare): &(Value, Value),
    what: &str,
    judge: impl Fn() -> Judge,
) -> usize {
    let world = site.copy();
    let (ran, applied) = through(&world, judge(), "apply");
    assert_eq!(ran.code(), Some(0), "{what}: apply\n{}\n{}", ran.stdout(), ran.stderr());
    // A call that was served though its answer was lost may still be under way.
    applied.rest();
    let plan = world.stack_command("plan", &["--detailed-exitcode"]);
    assert_eq!(plan.code(), Some(0), "{what}: the plan after apply\n{}", plan.stdout());
    support::same(full, &world.census()).unwrap_or_else(|why| panic!("{what}: apply\n{why}"));
    let (ran, destroyed) = through(&world, judge(), "destroy");
    assert_eq!(ran.code(), Some(0), "{what}: destroy\n{}\n{}", ran.stdout(), ran.stderr());
    destroyed.rest();
    let left = world.stack_command("destroy", &["--yes", "--json"]).success().json();
    assert_eq!(actions(&left["plan"]), Vec::<String>::new(), "{what}: left after destroy");
    support::same(bare, &world.census()).unwrap_or_else(|why| panic!("{what}: destroy\n{why}"));
    applied.stale() + destroyed.stale()
}

#[test]
fn one_call_in_ten_may_go_wrong() {
    let site = Site::quick("faulted");
    let ends = ground(&site);
    let points = AtomicUsize::new(0);
    for seed in seed()..seed() + rounds() {
        let counters = Mutex::new(Vec::new());
        round(&site, &ends, &format!("seed {seed}"), || {
            let (judge, faults) = one_in_ten(seed);
            counters.lock().expect("a list").push(faults);
            judge
        });
        for faults in counters.into_inner().expect("a list") {
            points.fetch_add(faults.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }
    let points = points.into_inner();
    println!("{points} calls went wrong");
    assert!(points > 50, "too few faults to mean anything: {points}");
}

#[test]
fn what_was_written_may_show_late() {
    for (service, code, message) in NOT_ASSUMABLE {
        assert_eq!(class(code, message, Some(400)), Class::Propagating, "{service}: {code}");
    }
    let site = Site::quick("faulted-late");
    let ends = ground(&site);
    let (mut stale, refused) = (0, Mutex::new(Vec::new()));
    for seed in seed()..seed() + rounds() {
        stale += round(&site, &ends, &format!("seed {seed}"), || {
            let (judge, counter) = late(seed);
            refused.lock().expect("a list").push(counter);
            judge
        });
    }
    let refused: Vec<_> = refused.into_inner().expect("a list");
    let refused: usize = refused.iter().map(|counter| counter.load(Ordering::SeqCst)).sum();
    println!("{stale} reads told of the past, {refused} calls found a role too young");
    assert!(stale > 50, "too few late answers to mean anything: {stale}");
    assert!(refused > 0, "no role was too young");
}

/// Two buckets, the second after the first, that are there already, and then change both: so the
/// second one's update stands on what this run did.
fn two_buckets(site: &Site, changed: bool) {
    let stack = json!({
        "rows-first": { "kind": "s3_bucket", "tags": { "Changed": changed.to_string() } },
        "rows-second": { "kind": "s3_bucket", "versioning": changed, "depends_on": ["rows-first"] },
    });
    site.stack("rows", stack.as_object().expect("a mapping"));
}

/// Every row of lagoa's table of errors: what is worth calling again is called again, and what
/// isn't is told at once, in AWS's words.
#[test]
fn every_row_of_the_table_is_retried_or_told() {
    let site = Site::serverless("faulted-rows");
    two_buckets(&site, false);
    site.stack_command("apply", &["--yes"]).success();
    two_buckets(&site, true);
    let by_code = BY_CODE.iter().map(|(code, class)| (*code, "in so many words", *class));
    let by_message = BY_MESSAGE.iter().map(|(code, part, class)| (*code, *part, *class));
    let rows: Vec<(&str, &str, Class)> = by_message.chain(by_code).collect();
    let turn = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(row) = rows.get(turn.fetch_add(1, Ordering::SeqCst)) {
                    try_row(&site, *row);
                }
            });
        }
    });
    println!("{} rows", rows.len());
}

fn try_row(site: &Site, (code, part, expected): (&str, &str, Class)) {
    let world = site.copy();
    let (code, message) = (code.to_owned(), format!("the test says {part}"));
    // A code may have another class with other words.
    assert_eq!(class(&code, &message, Some(400)), expected, "{code} {message}");
    let calls = Arc::new(AtomicUsize::new(0));
    let (counter, answer) = (Arc::clone(&calls), (code.clone(), message.clone()));
    let judge = move |call: &Call| {
        if !(call.operation.starts_with("PUT ") && call.operation.contains("?versioning")) {
            return Deed::Pass;
        }
        match counter.fetch_add(1, Ordering::SeqCst) {
            0 => shapes::of("s3").error(400, &answer.0, &answer.1),
            _ => Deed::Pass,
        }
    };
    let (ran, _) = through(&world, Box::new(judge), "apply");
    let (calls, said) = (calls.load(Ordering::SeqCst), ran.stderr() + &ran.stdout());
    if patience(expected).is_some() {
        assert_eq!(ran.code(), Some(0), "{code}: worth another call\n{said}");
        assert_eq!(calls, 2, "{code}: called again");
    } else {
        assert_eq!(ran.code(), Some(1), "{code}: not worth another call\n{said}");
        assert_eq!(calls, 1, "{code}: not called again");
        assert!(said.contains(&format!("{code}: {message}")), "AWS's words\n{said}");
        assert!(said.contains("s3_bucket rows-second could not be"), "what failed\n{said}");
    }
}

/// Nobody would know of a key whose answer was lost, and it would open the account for ever.
#[test]
fn an_access_key_whose_answer_is_lost_is_not_left_over() {
    let site = Site::serverless("faulted-key");
    let stack = json!({ "key-ana": { "kind": "iam_user", "access_key": {} } });
    site.stack("keys", stack.as_object().expect("a mapping"));
    let mut lost = false;
    let judge = move |call: &Call| match call.operation == "CreateAccessKey" && !lost {
        true => {
            lost = true;
            Deed::Lose
        }
        false => Deed::Pass,
    };
    let (ran, applied) = through(&site, Box::new(judge), "apply");
    assert_eq!(ran.code(), Some(0), "{}\n{}", ran.stdout(), ran.stderr());
    applied.rest();
    let asked = site.get("/_lagoa/requests");
    let count = |operation: &str| asked["operations"][operation].as_u64();
    assert_eq!((count("iam:CreateAccessKey"), count("iam:DeleteAccessKey")), (Some(2), Some(1)));
}

/// Two of a service, one that needs one of them, one that one of them needs, and three that have
/// nothing to do with it.
fn mixed(site: &Site) {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }],
    });
    let stack = json!({
        "out-base": { "kind": "s3_bucket" },
        "out-one": { "kind": "rds_parameter_group", "family": "postgres15" },
        "out-two": { "kind": "rds_parameter_group", "family": "postgres16", "depends_on": ["out-base"] },
        "out-needs": { "kind": "s3_bucket", "depends_on": ["out-one"] },
        "out-bucket": { "kind": "s3_bucket" },
        "out-policy": { "kind": "iam_policy", "document": policy },
        "out-role": { "kind": "iam_role", "service": "ec2.amazonaws.com", "managed_policies": ["out-policy"] },
    });
    site.stack("outage", stack.as_object().expect("a mapping"));
}

/// What can't be read can't be planned, nor what needs it; everything else is done.
#[test]
fn a_service_that_is_out_from_the_start_leaves_the_rest_to_be_done() {
    let site = Site::serverless("faulted-unread");
    mixed(&site);
    let start = Instant::now();
    let rds_is_out = |call: &Call| match call.service.as_str() {
        "rds" => throttled(),
        _ => Deed::Pass,
    };
    let (ran, _) = through(&site, Box::new(rds_is_out), "apply");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(start.elapsed() < IN_TIME, "it took {:?}", start.elapsed());
    let said = ran.stderr();
    let shown = ran.stdout();
    assert_eq!((said.clone() + &shown).matches("error:").count(), 1, "one error: {said}{shown}");
    assert!(
        said.contains("rds_parameter_group")
            && said.contains("cannot be read: Throttling: Rate exceeded"),
        "{said}"
    );
    assert!(shown.contains("4 steps done, 3 not started"), "{shown}");
    for (key, why) in [
        ("out-one", "can't be read now"),
        ("out-two", "can't be read now"),
        ("out-needs", "needs out-one"),
    ] {
        let row = shown.lines().find(|line| line.contains(key) && line.contains(why));
        assert!(row.is_some(), "{key}: {why}\n{shown}");
    }
    let left = ["create out-needs", "create out-one", "create out-two"];
    assert_eq!(actions(&site.plan()), left, "the rest is done");
    site.stack_command("apply", &["--yes"]).success();

    // What goes that nobody unseen needs.
    let (ran, _) = through(&site, Box::new(rds_is_out), "destroy");
    assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
    assert!(ran.stdout().contains("4 steps done, 3 not started"), "{}", ran.stdout());
    let plan = site.stack_command("plan", &["--destroy", "--json"]).success().json();
    assert_eq!(actions(&plan), ["delete out-base", "delete out-one", "delete out-two"]);
}

fn throttled() -> Deed {
    shapes::of("rds").throttled()
}

#[test]
fn a_service_that_is_out_fails_alone_and_in_time() {
    let site = Site::serverless("faulted-out");
    mixed(&site);
    let deeds = [("throttled", throttled as fn() -> Deed), ("reset", || Deed::Reset)];
    std::thread::scope(|scope| {
        for (what, deed) in deeds {
            let world = site.copy();
            scope.spawn(move || {
                let mut working = false;
                let judge = move |call: &Call| {
                    working |= !call.reads() && !call.asks.contains("/lagoa-");
                    if working && call.service == "rds" { deed() } else { Deed::Pass }
                };
                let start = Instant::now();
                let (ran, _) = through(&world, Box::new(judge), "apply");
                let took = start.elapsed();
                let said = ran.stderr() + &ran.stdout();
                assert_eq!(ran.code(), Some(1), "{what}: {said}");
                assert!(took < IN_TIME, "{what}: it took {took:?}");
                for key in ["out-one", "out-two"] {
                    let named = format!("rds_parameter_group {key} could not be created");
                    assert!(said.contains(&named), "{what}: {said}");
                }
                let reason = if what == "throttled" {
                    "Throttling: Rate exceeded"
                } else {
                    "no answer from AWS"
                };
                assert!(said.contains(reason), "{what}: {said}");
                assert!(said.contains("rds:"), "{what}: it names the service's operation: {said}");
                assert!(said.contains("4 steps done, 2 failed, 1 not started"), "{what}: {said}");
                // The service is back: the next run goes on.
                let plan = world.plan();
                let left = ["create out-needs", "create out-one", "create out-two"];
                assert_eq!(actions(&plan), left, "{what}");
                world.stack_command("apply", &["--yes"]).success();
                println!("{what}: given up after {took:.0?}");
            });
        }
    });
}

/// Answers that say 200 and hold failures.
#[test]
fn failures_inside_of_success_are_seen() {
    let site = Site::serverless("faulted-batches");
    let group = |ports: u16| json!({ "kind": "ec2_security_group", "ingress": [{ "protocol": "tcp", "ports": ports, "cidr": "10.0.0.0/8" }] });
    let write = |ports: u16| {
        let stack = json!({
            "batch-bucket": { "kind": "s3_bucket", "folders": ["one", "two"], "versioning": true, "on_destroy": "delete" },
            "batch-group": group(ports),
        });
        site.stack("batches", stack.as_object().expect("a mapping"));
    };
    write(80);
    site.stack_command("apply", &["--yes"]).success();

    // Objects that stay although the batch was a success.
    let world = site.copy();
    let inside = "<DeleteResult><Error><Key>one/</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>";
    let mut asked = 0;
    let judge = move |call: &Call| {
        asked += usize::from(call.operation.contains("?delete"));
        // Whoever takes it for success asks for ever: that one gets through, and is found out.
        if call.operation.contains("?delete") && asked < 50 {
            Deed::Answer(200, inside.to_owned())
        } else {
            Deed::Pass
        }
    };
    let (ran, _) = through(&world, Box::new(judge), "destroy");
    let said = ran.stderr() + &ran.stdout();
    assert_eq!(ran.code(), Some(1), "{said}");
    assert!(said.contains("could not be deleted, such as one/"), "{said}");

    // A passing failure inside is worth another call.
    let world = site.copy();
    let inside = "<DeleteResult><Error><Key>one/</Key><Code>InternalError</Code><Message>try again</Message></Error></DeleteResult>";
    let mut failed = false;
    let judge = move |call: &Call| {
        let first = call.operation.contains("?delete") && !std::mem::replace(&mut failed, true);
        if first { Deed::Answer(200, inside.to_owned()) } else { Deed::Pass }
    };
    let (ran, _) = through(&world, Box::new(judge), "destroy");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());

    // Rules that EC2 says it doesn't know, in an answer that looks like success.
    write(81);
    let world = site.copy();
    let inside = "<RevokeSecurityGroupIngressResponse><return>true</return><unknownIpPermissionSet><item><ipProtocol>tcp</ipProtocol></item></unknownIpPermissionSet></RevokeSecurityGroupIngressResponse>";
    let revoked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&revoked);
    let judge = move |call: &Call| {
        let revokes = call.operation == "RevokeSecurityGroupIngress";
        let first = revokes && counter.fetch_add(1, Ordering::SeqCst) == 0;
        if first { Deed::Answer(200, inside.to_owned()) } else { Deed::Pass }
    };
    let (ran, _) = through(&world, Box::new(judge), "apply");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(revoked.load(Ordering::SeqCst) > 1, "it took the answer for success");
    world.stack_command("plan", &["--detailed-exitcode"]).success();
}
