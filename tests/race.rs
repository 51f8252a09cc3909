//! Several people, or one and a killed run of theirs, at the same stack: one at a time, nobody
//! locked out for long, and a plan that needs no leave to write.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/everything.rs"]
mod everything;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/shapes.rs"]
mod shapes;
mod support;

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use cloud::wait;
use lagoa::aws::home::{Condition, Home, Put};
use lagoa::aws::lock::{self, Holder, Lock, Taken};
use lagoa::kind::Site as Place;
use proxy::{Call, Deed, Proxy};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};
use support::{Ran, Site};

const BUCKET: &str = "lagoa-123456789012-us-east-1";
const APPLY: &[&str] = &["apply", "stack.yaml", "--sandbox", "--yes"];

fn resources(value: Value) -> Map<String, Value> {
    value.as_object().expect("resources are a mapping").clone()
}

/// Takes long enough to be met on the way: its seed sleeps in the database.
fn slow(site: &Site, name: &str, seconds: u32) {
    site.write("wait.sql", &format!("SELECT pg_sleep({seconds});\n"));
    let stack = resources(json!({
        format!("{name}-data"): { "kind": "s3_bucket" },
        format!("{name}-db"): {
            "kind": "rds_instance", "engine": "postgres", "engine_version": "15",
            "instance_class": "db.t3.micro", "storage_gib": 20, "database": "coins",
            "username": "postgres", "managed_password": true, "on_destroy": "delete",
        },
        format!("{name}-seed"): {
            "kind": "postgres_seed", "database": format!("{name}-db"), "scripts": ["wait.sql"],
        },
        format!("{name}-after"): { "kind": "s3_bucket", "depends_on": [format!("{name}-seed")] },
    }));
    site.stack(name, &stack);
}

fn one_bucket(site: &Site, name: &str) {
    site.stack(name, &resources(json!({ format!("{name}-only"): { "kind": "s3_bucket" } })));
}

fn home(site: &Site) -> Home {
    let place = Place {
        partition: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        stack: "s".to_owned(),
    };
    Home::at(Client::new(&cloud::config(site)), place)
}

fn holder(run: &str) -> Holder {
    Holder {
        user: "ana".to_owned(),
        host: "laptop".to_owned(),
        pid: 77,
        run: run.to_owned(),
        command: "apply".to_owned(),
        since: jiff::Timestamp::now(),
    }
}

fn start(site: &Site, arguments: &[&str]) -> Child {
    let mut command = site.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start lagoa")
}

fn ended(child: Child) -> Ran {
    Ran {
        arguments: "in the background".to_owned(),
        output: child.wait_with_output().expect("wait for lagoa"),
    }
}

/// Waits until somebody holds the stack's lock; gives the lock's text.
fn locked(site: &Site, stack: &str) -> Value {
    let home = home(site);
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let kept = wait(home.get(&format!("locks/{stack}.json"))).expect("read the lock");
        if let Some(kept) = kept {
            return serde_json::from_slice(&kept.body).expect("the lock is JSON");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody takes the lock of {stack}");
}

async fn ours(home: &Home, run: &str, lease: Duration) -> Lock {
    match lock::take(home.clone(), "s", holder(run), lease).await.expect("take the lock") {
        Taken::Ours(lock) => lock,
        Taken::Theirs(held) => panic!("{run}: held by {}", held.holder),
    }
}

async fn theirs(home: &Home, run: &str) -> Option<String> {
    match lock::take(home.clone(), "s", holder(run), lock::LEASE).await.expect("try the lock") {
        Taken::Ours(_) => None,
        Taken::Theirs(held) => Some(held.holder.run),
    }
}

#[test]
fn of_two_applies_one_works_and_the_other_says_who_does() {
    let site = Site::new("race");
    slow(&site, "race", 4);
    let (first, second) = (start(&site, APPLY), start(&site, APPLY));
    let pids = [first.id(), second.id()];
    let ran = [ended(first), ended(second)];
    let mut codes: Vec<_> = ran.iter().map(Ran::code).collect();
    codes.sort();
    assert_eq!(codes, [Some(0), Some(4)], "{}\n{}", ran[0].stderr(), ran[1].stderr());
    let loser = ran.iter().position(|ran| ran.code() == Some(4)).expect("one lost");
    let said = ran[loser].stderr();
    assert!(said.contains("is locked by"), "{said}");
    assert!(said.contains(&format!("pid {}", pids[1 - loser])), "it names the holder: {said}");
    assert!(said.contains("since") && said.contains("until") && said.contains("--wait"), "{said}");
    site.stack_command("plan", &["--detailed-exitcode"]).success();
    assert!(
        wait(home(&site).get("locks/race.json")).expect("look").is_none(),
        "the lock is given back"
    );
}

#[test]
fn who_waits_works_next() {
    let site = Site::new("race-wait");
    slow(&site, "race-wait", 6);
    let first = start(&site, APPLY);
    let holder = locked(&site, "race-wait");
    assert_eq!(holder["pid"], first.id());

    // A plan asks nobody.
    site.stack_command("plan", &[]).success();
    site.stack_command("destroy", &["--yes"]).ends_with(4);
    let early = site.stack_command("apply", &["--yes", "--wait", "1s"]).ends_with(4);
    assert!(
        early.stderr().contains("Waiting: the stack race-wait is locked by"),
        "{}",
        early.stderr()
    );

    let second = site.stack_command("apply", &["--yes", "--wait", "10m"]).success();
    assert!(second.stderr().contains("Waiting"), "{}", second.stderr());
    assert!(
        second.stdout().contains("No changes"),
        "it planned after the first was done: {}",
        second.stdout()
    );
    ended(first).success();
    let runs = site.stack_command("history", &["--json"]).success().json();
    let outcomes: Vec<_> =
        runs.as_array().expect("runs").iter().map(|run| run["outcome"].clone()).collect();
    assert_eq!(outcomes, ["done", "done"]);
}

#[test]
fn the_lock_of_a_killed_run_frees_itself() {
    let site = Site::new("race-killed");
    slow(&site, "race-killed", 3);
    let mut first = start(&site, APPLY);
    locked(&site, "race-killed");
    std::thread::sleep(Duration::from_secs(2));
    first.kill().expect("kill lagoa");
    first.wait().expect("wait for lagoa");
    let killed = Instant::now();
    site.stack_command("apply", &["--yes"]).ends_with(4);
    let runs = site.stack_command("history", &[]).success().stdout();
    assert!(runs.contains("still running, or killed"), "{runs}");

    site.stack_command("apply", &["--yes", "--wait", "3m"]).success();
    let seconds = killed.elapsed().as_secs();
    assert!((40..100).contains(&seconds), "free after {seconds} s");
    site.stack_command("plan", &["--detailed-exitcode"]).success();
    site.stack_command("destroy", &["--yes"]).success();
}

#[test]
fn unlock_shows_and_takes_away_and_the_run_stops() {
    let site = Site::new("race-unlock");
    slow(&site, "race-unlock", 45);
    let nobody = site.stack_command("unlock", &["--yes"]).success();
    assert!(nobody.stdout().contains("Nobody holds"), "{}", nobody.stdout());
    let first = start(&site, APPLY);
    locked(&site, "race-unlock");
    let pid = format!("pid {}", first.id());
    let asked = site.stack_command("unlock", &[]).ends_with(1);
    assert!(asked.stdout().contains(&pid), "{}", asked.stdout());
    assert!(asked.stderr().contains("--yes"), "{}", asked.stderr());
    std::thread::sleep(Duration::from_secs(6));
    let done = site.stack_command("unlock", &["--yes"]).success();
    assert!(
        done.stdout().contains(&pid) && done.stdout().contains("The lock is gone"),
        "{}",
        done.stdout()
    );
    let first = ended(first).ends_with(1);
    assert!(first.stderr().contains("the lock is lost: it was removed"), "{}", first.stderr());
    let s3 = Client::new(&cloud::config(&site));
    let after = wait(s3.head_bucket().bucket("race-unlock-after").send());
    assert!(after.is_err(), "it went on without the lock");
    let runs = site.stack_command("history", &[]).success().stdout();
    assert!(runs.contains("lost the lock"), "{runs}");
}

#[test]
fn a_lock_is_renewed_expires_and_is_noticed_when_lost() {
    let site = Site::new("race-lease");
    let home = home(&site);
    wait(async {
        // Of many who ask at once one gets it.
        let attempts = (0..8).map(|n| {
            let home = home.clone();
            async move { lock::take(home, "many", holder(&format!("r{n}")), lock::LEASE).await }
        });
        let taken = futures::future::join_all(attempts).await;
        let mine = taken.iter().filter(|one| matches!(one, Ok(Taken::Ours(_)))).count();
        assert_eq!(mine, 1, "one of eight");

        // Renewed: nobody gets it although the lease has passed several times.
        let first = ours(&home, "first", Duration::from_secs(2)).await;
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!(first.is_lost(), None);
        assert_eq!(theirs(&home, "second").await.as_deref(), Some("first"));
        // Given back: free at once.
        first.release().await.expect("release");
        let second = ours(&home, "second", Duration::from_secs(2)).await;
        // Dead: free after its lease and not before.
        drop(second);
        assert_eq!(theirs(&home, "third").await.as_deref(), Some("second"));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let third = ours(&home, "third", Duration::from_secs(3)).await;

        third.release().await.expect("release");

        // Taken by a write whose answer got lost, and found a while later: it begins anew.
        drop(ours(&home, "twice", Duration::from_secs(2)).await);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let twice = ours(&home, "twice", Duration::from_secs(30)).await;
        assert_eq!(theirs(&home, "other").await.as_deref(), Some("twice"));
        twice.release().await.expect("release");

        // Overwritten behind its back: noticed at the next renewal, and the other's lock stays.
        let third = ours(&home, "third", Duration::from_secs(3)).await;
        let other = json!({ "format": "lagoa.lock/1", "user": "bo", "host": "ci", "pid": 5, "run": "other",
            "command": "destroy", "since": "2026-01-01T00:00:00Z", "lease_ms": 60000, "renewals": 0 });
        let put = home.put("locks/s.json", other.to_string().as_bytes(), Condition::None).await;
        assert!(matches!(put, Ok(Put::Done(_))));
        let why =
            tokio::time::timeout(Duration::from_secs(3), third.lost()).await.expect("it notices");
        assert_eq!(why, "bo@ci (destroy, pid 5) took it over");
        third.release().await.expect("nothing to release");
        assert_eq!(
            theirs(&home, "fourth").await.as_deref(),
            Some("other"),
            "it is still the other's"
        );
    });
    wait(async {
        // Out of reach: lost before the lease ends.
        let place = Place {
            partition: "aws".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            stack: "s".to_owned(),
        };
        let lock = {
            let home = Home::at(Client::new(&cloud::config(&site)), place);
            match lock::take(home, "cut", holder("cut"), Duration::from_secs(3)).await {
                Ok(Taken::Ours(lock)) => lock,
                _ => panic!("the lock is free"),
            }
        };
        let since = Instant::now();
        site.command(&["sandbox", "stop"]).output().expect("stop the sandbox");
        let why =
            tokio::time::timeout(Duration::from_secs(20), lock.lost()).await.expect("it notices");
        assert!(why.contains("could not be renewed"), "{why}");
        assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    });
}

#[test]
fn a_plan_takes_no_lock_and_writes_nothing() {
    let site = Site::new("race-plan");
    one_bucket(&site, "race-plan");
    for applied in [false, true] {
        if applied {
            site.stack_command("apply", &["--yes"]).success();
            one_bucket(&site, "race-plan");
        }
        let cost = site.measure(&["plan", "stack.yaml", "--sandbox"]);
        for (operation, count) in cost.by_operation.as_object().expect("operations") {
            let verb = operation.rsplit(':').next().unwrap_or_default();
            let reads =
                ["Get", "List", "Head", "Describe"].iter().any(|read| verb.starts_with(read));
            assert!(reads, "a plan calls {operation} {count} times");
            assert!(!verb.contains("Object"), "a plan looks at locks: {operation}");
        }
    }
}

#[test]
fn the_home_bucket_is_closed_and_tagged() {
    let site = Site::new("race-home");
    one_bucket(&site, "race-home");
    site.stack_command("apply", &["--yes"]).success();
    let s3 = Client::new(&cloud::config(&site));
    wait(async {
        let block =
            s3.get_public_access_block().bucket(BUCKET).send().await.expect("read the block");
        let block = block.public_access_block_configuration().expect("a block").clone();
        assert_eq!(block.restrict_public_buckets(), Some(true));
        let tags = s3.get_bucket_tagging().bucket(BUCKET).send().await.expect("read tags");
        let tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
        assert_eq!(tags, [("lagoa:home", "true")]);
        let rules = s3
            .get_bucket_lifecycle_configuration()
            .bucket(BUCKET)
            .send()
            .await
            .expect("read rules");
        assert_eq!(rules.rules().len(), 1);
    });
    // An apply with nothing to do costs its plan, the lock and one record.
    let plan = site.measure(&["plan", "stack.yaml", "--sandbox"]).requests;
    let apply = site.measure(APPLY).requests;
    assert!(apply <= plan + 4, "plan {plan}, apply {apply}");
    site.stack_command("destroy", &["--yes"]).success();

    let runs = site.stack_command("history", &["--json"]).success().json();
    let told: Vec<_> = runs
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| {
            format!(
                "{} {} {}",
                run["command"],
                run["outcome"],
                run["steps"].as_array().map_or(0, Vec::len)
            )
        })
        .collect();
    assert_eq!(told, [r#""destroy" "done" 1"#, r#""apply" "done" 0"#, r#""apply" "done" 1"#]);
    let run = runs[0]["run"].as_str().expect("a run has a name");
    let page =
        site.run(&["history", "show", "stack.yaml", &run[..8], "--sandbox"]).success().stdout();
    assert!(
        page.contains("delete") && page.contains("race-home-only") && page.contains("done in"),
        "{page}"
    );
    site.run(&["history", "show", "stack.yaml", "zzz", "--sandbox"]).ends_with(1);
}

/// A key whose owner may do what `lagoa init` lets plans do in GitHub Actions: read what is there,
/// and write nothing.
fn reader(site: &Site) -> (String, String) {
    let policy = include_str!("../src/cli/init/github-plan.json");
    // The sandbox knows some actions by the service that is signed for, and by the HTTP method.
    let policy = policy
        .replace("\"tag:GetResources\"", "\"tagging:GetResources\"")
        .replace("\"s3:ListBucket\"", "\"s3:ListBucket\", \"s3:HeadBucket\"");
    let iam = aws_sdk_iam::Client::new(&cloud::config(site));
    wait(async {
        iam.create_user().user_name("reader").send().await.expect("make a user");
        let put = iam.put_user_policy().user_name("reader").policy_name("reads");
        put.policy_document(policy).send().await.expect("give it a policy");
        let key = iam.create_access_key().user_name("reader").send().await.expect("make a key");
        let key = key.access_key().expect("a key").clone();
        (key.access_key_id, key.secret_access_key)
    })
}

/// The sandbox enforces the policy: what it denies fails, and that shows that it does. The stack has
/// every kind, planned when all of it is there, and when nothing is.
#[test]
fn a_plan_works_where_every_write_is_denied() {
    let site = Site::quick("race-reader");
    everything::everything().write(&site);
    let (id, secret) = reader(&site);
    let empty = site.copy();
    site.stack_command("apply", &["--yes"]).success();
    let read = |world: &Site, arguments: &[&str]| {
        let mut lagoa = world.command(arguments);
        lagoa.env("AWS_ENDPOINT_URL", world.endpoint()).env("AWS_EC2_METADATA_DISABLED", "true");
        lagoa.env("AWS_ACCESS_KEY_ID", &id).env("AWS_SECRET_ACCESS_KEY", &secret);
        Ran { arguments: arguments.join(" "), output: lagoa.output().expect("run lagoa") }
    };
    for (world, code) in [(&empty, 2), (&site, 0)] {
        world.post("/_lagoa/enforce");
        read(world, &["plan", "stack.yaml", "--detailed-exitcode"]).ends_with(code);
        for writes in ["apply", "destroy"] {
            let denied = read(world, &[writes, "stack.yaml", "--yes"]).ends_with(1);
            assert!(denied.stderr().contains("AccessDenied"), "{writes}: {}", denied.stderr());
        }
    }
}

/// Every write that isn't to the home bucket, with when it was served.
type Writes = Arc<Mutex<Vec<Instant>>>;

/// Half of the calls to S3 are throttled; what else is written is noted.
fn throttling(site: &Site, seed: u64) -> (Proxy, Writes) {
    let mut chance = SmallRng::seed_from_u64(seed);
    let writes = Writes::default();
    let noted = Arc::clone(&writes);
    let judge = move |call: &Call| {
        if call.service == "s3" && chance.random_bool(0.5) {
            return shapes::of("s3").throttled();
        }
        if !call.reads() && !call.asks.contains("/lagoa-") {
            noted.lock().expect("a list").push(Instant::now());
        }
        Deed::Pass
    };
    (Proxy::new(&site.endpoint(), Box::new(judge)), writes)
}

/// An apply that takes longer than its lease, while half of the calls to S3 are throttled: it
/// keeps its lock, or stops before its next write. Another one that waits for the lock never
/// writes before the first has written its last.
#[test]
fn a_throttled_lock_is_kept_or_the_run_stops() {
    let site = Site::new("race-throttled");
    slow(&site, "race-throttled", 75);
    let (first, writes) = throttling(&site, 1);
    let (second, others) = throttling(&site, 2);
    let begin = |proxy: &Proxy, more: &[&str]| {
        let mut arguments = vec!["apply", "stack.yaml", "--yes"];
        arguments.extend(more);
        let mut lagoa = site.through(&proxy.endpoint, &arguments);
        lagoa.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start lagoa")
    };
    let holder = begin(&first, &[]);
    locked(&site, "race-throttled");
    let waiting = begin(&second, &["--wait", "5m"]);
    let (holder, waiting) = (ended(holder), ended(waiting).success());
    let kept = holder.code() == Some(0);
    assert!(kept || holder.stderr().contains("the lock is lost"), "{}", holder.stderr());
    let (writes, others) = (writes.lock().expect("a list"), others.lock().expect("a list"));
    let last = writes.iter().max().expect("the first run wrote something");
    assert!(others.iter().all(|write| write > last), "two writers at once");
    if kept {
        assert!(waiting.stdout().contains("No changes"), "{}", waiting.stdout());
    }
    site.stack_command("plan", &["--detailed-exitcode"]).success();
}
