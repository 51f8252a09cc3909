//! Files, plans, answers and objects that somebody made to do harm: lagoa says no, soon, in
//! little memory, and reads nothing outside the stack's folder.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/damage.rs"]
mod damage;
#[path = "support/server.rs"]
mod server;
mod support;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cloud::wait;
use damage::{damaged, edits};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Map, Value, json};
use server::Server;
use support::Site;

/// The seed that CI runs with; `PROPTEST_RNG_SEED` takes another one.
const SEED: u64 = 20_221_121;

/// As many damaged texts as there are cases: `PROPTEST_CASES`, or so many.
fn damages(text: &str, cases: u32) -> Vec<String> {
    let default = Config::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(SEED),
        fixed => fixed,
    };
    let cases = if std::env::var("PROPTEST_CASES").is_ok() { default.cases } else { cases };
    let mut runner = TestRunner::new(Config { rng_seed, ..default });
    let mut one = || edits().new_tree(&mut runner).expect("edits").current();
    (0..cases).map(|_| damaged(text, &one())).collect()
}

/// When a run counts as hanging.
const LIMIT: Duration = Duration::from_secs(90);

/// A folder of a test's own, empty.
fn folder(test: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("make a folder");
    folder
}

fn write(path: PathBuf, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make a folder");
    std::fs::write(path, text).expect("write a file");
}

/// What a run of lagoa used.
struct Used {
    code: Option<i32>,
    said: String,
    peak_mb: u64,
    took: Duration,
}

/// Runs lagoa without any AWS to talk to; ends it after a while.
fn lagoa(folder: &Path, endpoint: &str, arguments: &[&str]) -> Used {
    let err = folder.join(format!("said-{:x}", rand::random::<u64>()));
    let file = std::fs::File::create(&err).expect("a file for what it says");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lagoa"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("AWS_PROFILE")
        .env_remove("GITHUB_ACTIONS");
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ACCESS_KEY_ID", "test");
    command.env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_REGION", "us-east-1");
    command.stdin(Stdio::null()).stdout(file.try_clone().expect("once more")).stderr(file);
    let since = Instant::now();
    let mut child = command.spawn().expect("run lagoa");
    // What the kernel tells in the end counts this process as well, which the child was once.
    let status = format!("/proc/{}/status", child.id());
    let (mut peak_kb, mut code) = (0, None);
    while since.elapsed() < LIMIT {
        let now = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = now.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        let is_lagoa = now.starts_with("Name:\tlagoa");
        peak_kb = peak.filter(|_| is_lagoa).unwrap_or(peak_kb).max(peak_kb);
        if let Some(status) = child.try_wait().expect("ask for lagoa") {
            code = status.code();
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
    let took = since.elapsed();
    let said = String::from_utf8_lossy(&std::fs::read(&err).expect("what it said")).into_owned();
    let _ = std::fs::remove_file(err);
    Used { code, said, peak_mb: peak_kb / 1024, took }
}

const NOWHERE: &str = "http://127.0.0.1:9";

fn role(document: &str) -> String {
    json!({ "stack": "s", "resources": { "r": {
        "kind": "iam_role", "service": "ec2.amazonaws.com", "inline_policies": { "p": document },
    } } })
    .to_string()
}

fn seed(files: Value) -> String {
    let mut seed = json!({
        "kind": "postgres_seed",
        "database": { "host": "localhost", "port": 5432, "username": "p", "password": "${env.HOME}", "database": "d" },
    });
    for (name, value) in files.as_object().expect("fields") {
        seed[name] = value.clone();
    }
    json!({ "stack": "s", "variables": { "up": { "default": ".." } }, "resources": { "seed": seed } })
        .to_string()
}

#[test]
fn nothing_outside_the_stacks_folder_is_read() {
    let base = folder("hostile-paths");
    let outside = "{\"outside\": \"TOP-SECRET\"}\n";
    for name in ["above/x.json", "above/x.sql", "above/x.csv"] {
        write(base.join(name), outside);
    }
    let home = base.join("home");
    write(
        home.join("policies/read.json"),
        json!({ "Version": "2012-10-17", "Statement": [] }).to_string(),
    );
    write(home.join("sql/one.sql"), "SELECT 1;\n");
    write(home.join("rows.csv"), "a,b\n1,2\n");
    symlink("../above/x.json", home.join("link.json")).expect("a link");
    symlink("../above", home.join("folder")).expect("a link");
    symlink("../above/x.sql", home.join("linked.sql")).expect("a link");
    symlink("../above/x.csv", home.join("linked.csv")).expect("a link");
    symlink("/dev/zero", home.join("zero.json")).expect("a link");
    symlink("loop", home.join("loop")).expect("a link");
    symlink("policies/read.json", home.join("within.json")).expect("a link");
    symlink("../sql/one.sql", home.join("sql/two.sql")).expect("a link");
    let pipe = std::ffi::CString::new(home.join("pipe").into_os_string().into_encoded_bytes());
    // SAFETY: the path is a C string.
    assert_eq!(unsafe { libc::mkfifo(pipe.expect("no NUL").as_ptr(), 0o600) }, 0, "make a pipe");

    let mut refused: Vec<String> = [
        "../above/x.json",
        "/etc/hostname",
        "link.json",
        "folder/x.json",
        "zero.json",
        "pipe",
        "loop",
        "policies/../../above/x.json",
        "policies",
        "./../above/x.json",
    ]
    .iter()
    .map(|path| role(path))
    .collect();
    for files in [
        json!({ "scripts": ["../../**"] }),
        json!({ "scripts": ["../above/*.sql"] }),
        json!({ "scripts": ["/etc/*"] }),
        json!({ "scripts": ["folder/*.sql"] }),
        json!({ "scripts": ["*.sql"] }),
        json!({ "scripts": ["linked.sql"] }),
        json!({ "scripts": ["${var.up}/above/x.sql"] }),
        json!({ "scripts": ["pipe"] }),
        json!({ "scripts": ["pip*"] }),
        json!({ "csv": "linked.csv", "table": "t" }),
        json!({ "csv": "../above/x.csv", "table": "t" }),
        json!({ "csv": "*.csv", "table": "t" }),
        json!({ "csv": "pipe", "table": "t" }),
    ] {
        refused.push(seed(files));
    }
    for place in ["stack.yaml", "stacks/stack.yaml"] {
        for text in &refused {
            write(home.join(place), text);
            let used = lagoa(&home, NOWHERE, &["check", place]);
            assert_eq!(used.code, Some(1), "{text}\n{}", used.said);
            assert!(used.took < Duration::from_secs(20), "{text}: {:?}", used.took);
            assert!(!used.said.contains("TOP-SECRET"), "{text}\n{}", used.said);
            let reasons =
                ["out of the stack's folder", "is a directory", "no ordinary file", "no file"];
            assert!(reasons.iter().any(|why| used.said.contains(why)), "{text}\n{}", used.said);
        }
        let allowed = [
            role("within.json"),
            seed(json!({ "scripts": ["sql/**"] })),
            seed(json!({ "csv": "rows.csv", "table": "t" })),
        ];
        for text in allowed {
            write(home.join(place), &text);
            let used = lagoa(&home, NOWHERE, &["check", place]);
            assert_eq!(used.code, Some(0), "{text}\n{}", used.said);
        }
    }
}

/// Megabytes that lagoa may use whatever it is given, besides twice what it reads.
const MODEST: u64 = 150;

#[test]
fn enormous_input_costs_little_memory_and_time() {
    let home = folder("hostile-memory");
    let row = "x,".repeat(50_000_000);
    let files: [(&str, String, Value); 8] = [
        (
            "whole.sql",
            "INSERT INTO t VALUES (1);\n".repeat(4_000_000),
            json!({ "scripts": ["whole.sql"] }),
        ),
        (
            "string.sql",
            format!("SELECT '{}';", "x".repeat(20_000_000)),
            json!({ "scripts": ["string.sql"] }),
        ),
        ("many.sql", "SELECT 1;\n".repeat(1_000_000), json!({ "scripts": ["many.sql"] })),
        ("wide.csv", row, json!({ "csv": "wide.csv", "table": "t" })),
        (
            "quote.csv",
            format!("a,b\n\"{}", "x\n".repeat(50_000_000)),
            json!({ "csv": "quote.csv", "table": "t" }),
        ),
        ("line.csv", "x".repeat(100_000_000), json!({ "csv": "line.csv", "table": "t" })),
        (
            "bad.csv",
            format!("a,b\n{}", "1\n".repeat(5_000_000)),
            json!({ "csv": "bad.csv", "table": "t" }),
        ),
        (
            "rows.csv",
            format!("a,b\n{}", "1,2\n".repeat(2_500_000)),
            json!({ "csv": "rows.csv", "table": "t" }),
        ),
    ];
    for (name, text, fields) in files {
        let read_mb = text.len() as u64 / 1_000_000;
        write(home.join(name), text);
        write(home.join("stack.yaml"), seed(fields));
        let used = lagoa(&home, NOWHERE, &["check", "stack.yaml"]);
        println!(
            "{name}: {read_mb} MB, {} MB at the peak, {:?}, {:?}",
            used.peak_mb, used.took, used.code
        );
        assert!(used.code.is_some_and(|code| code <= 1), "{name}: {:?} {}", used.code, used.said);
        assert!(used.peak_mb < MODEST + 6 * read_mb.min(40), "{name}: {} MB", used.peak_mb);
        assert!(used.said.len() < 100_000, "{name}: it says too much");
        std::fs::remove_file(home.join(name)).expect("tidy up");
    }
    let item = |n: usize| format!("n{n}");
    let many: Vec<String> = (0..30_000).map(item).collect();
    let body: Map<String, Value> = (0..30_000).map(|n| (item(n), json!("x"))).collect();
    let long = "x".repeat(5_000_000);
    let stacks = [
        ("for_each over much", json!({ "stack": "s", "resources": { "a-${each.key}": {
            "kind": "s3_bucket", "for_each": &many, "tags": &body } } }).to_string()),
        ("a long variable used often", json!({ "stack": "s", "variables": { "v": { "default": long } },
            "resources": { "aaa": { "kind": "s3_bucket", "tags": (0..20_000).map(|n| (item(n), json!("${var.v}"))).collect::<Map<_, _>>() } } }).to_string()),
        ("laughs", format!("stack: s\nresources:\n  a0: &a0 [x, x]\n{}", (1..60).map(|n| format!("  a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1)).collect::<String>())),
        ("deep", format!("stack: s\nresources: {}", "[".repeat(1_000_000))),
        ("deep in blocks", format!("stack: s\nresources:\n{}", (0..3000).map(|n| format!("{}a:\n", " ".repeat(n + 1))).collect::<String>())),
        ("a long key", format!("stack: s\nresources:\n  {}: {{kind: s3_bucket}}\n", "k".repeat(9_000_000))),
        ("100 MB", format!("stack: s\n# {}", "x".repeat(100_000_000))),
        ("nested references", json!({ "stack": "s", "resources": { "aaa": { "kind": "s3_bucket",
            "tags": { "t": format!("{}{}", "${".repeat(300_000), "}".repeat(300_000)) } } } }).to_string()),
        ("a mapping used often", json!({ "stack": "s", "variables": { "v": { "default": body } },
            "resources": { "aaa": { "kind": "iam_role", "service": "ec2.amazonaws.com", "trust": many.iter().map(|_| "${var.v}").collect::<Vec<_>>() } } }).to_string()),
        ("references", json!({ "stack": "s", "resources": { "aaa": { "kind": "s3_bucket",
            "tags": { "t": "${b.arn}".repeat(500_000) } } } }).to_string()),
    ];
    for (name, text) in stacks {
        write(home.join("stack.yaml"), text);
        let used = lagoa(&home, NOWHERE, &["check", "stack.yaml"]);
        println!("{name}: {} MB at the peak, {:?}, {:?}", used.peak_mb, used.took, used.code);
        assert_eq!(
            used.code,
            Some(1),
            "{name}: {}",
            used.said.chars().take(2000).collect::<String>()
        );
        assert!(used.peak_mb < MODEST, "{name}: {} MB", used.peak_mb);
        assert!(used.took < Duration::from_secs(60), "{name}: {:?}", used.took);
        assert!(used.said.len() < 100_000, "{name}: it says too much");
    }
    let _ = std::fs::remove_dir_all(home);
}

/// Nothing of a panic, and nothing that moves the cursor.
#[track_caller]
fn sober(used: &Used, what: &str) {
    assert!(!used.said.contains("lagoa has a bug"), "{what}\n{}", used.said);
    assert!(used.code.is_some_and(|code| code <= 4), "{what}: {:?}\n{}", used.code, used.said);
    assert!(!used.said.contains(|c: char| c.is_control() && c != '\n'), "{what}: {:?}", used.said);
}

fn bucket(name: &str) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), json!({ "kind": "s3_bucket" }))])
}

#[test]
fn damaged_plans_are_refused() {
    let site = Site::new("hostile-plans");
    site.stack("plans", &bucket("plans-one"));
    let mut command = site.command(&["plan", "stack.yaml", "--out", "saved.plan"]);
    site.aws(&mut command, &site.endpoint());
    assert!(command.output().expect("run lagoa").status.success());
    let path = site.folder.join("saved.plan");
    let text = std::fs::read_to_string(&path).expect("read the plan");
    let whole: Value = serde_json::from_str(&text).expect("a plan is JSON");
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let server = Server::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Some(b"HTTP/1.1 403 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec())
    });
    let mut cases = damages(&text, 150);
    cases.extend([
        format!("{}{}", "[".repeat(100_000), text),
        text.replace("\"variables\": {}", &format!("\"variables\": {}", "{\"a\":".repeat(200))),
        "lagoa.saved-plan/1".to_owned(),
        "{\"format\": \"lagoa.saved-plan/1\"}".to_owned(),
        "{\"format\": \"lagoa.saved-plan/99999999999999999999\"}".to_owned(),
    ]);
    let mut equal = 0;
    for case in cases {
        std::fs::write(&path, &case).expect("write a plan");
        let before = calls.load(Ordering::SeqCst);
        let used = lagoa(&site.folder, &server.endpoint, &["apply", "saved.plan"]);
        sober(&used, &case);
        assert_eq!(used.code, Some(1), "{case}\n{}", used.said);
        if serde_json::from_str::<Value>(&case).is_ok_and(|same| same == whole) {
            equal += 1;
        } else {
            assert_eq!(calls.load(Ordering::SeqCst), before, "it asked AWS because of\n{case}");
        }
    }
    println!("{equal} meant the same");
    assert!(equal < 30, "most of the damage is damage");
}

#[test]
fn damaged_locks_and_records_are_read_or_left_out() {
    let site = Site::new("hostile-home");
    site.stack("home", &bucket("home-one"));
    let stack = ["apply", "stack.yaml", "--sandbox"];
    site.stack_command("apply", &["--yes"]).success();
    let s3 = aws_sdk_s3::Client::new(&cloud::config(&site));
    let home = "lagoa-123456789012-us-east-1";
    let list = wait(s3.list_objects_v2().bucket(home).prefix("history/").send()).expect("list");
    let key = list.contents()[0].key().expect("a key").to_owned();
    let get = |key: &str| {
        wait(async {
            let object = s3.get_object().bucket(home).key(key).send().await.expect("get");
            let bytes = object.body.collect().await.expect("read").to_vec();
            String::from_utf8(bytes).expect("text")
        })
    };
    let put = |key: &str, body: Vec<u8>| {
        let put = s3.put_object().bucket(home).key(key).body(body.into());
        wait(put.send()).expect("put an object");
    };
    let endpoint = site.endpoint();
    let run = |arguments: &[&str]| lagoa(&site.folder, &endpoint, arguments);
    let record = get(&key);
    let mut records: Vec<Vec<u8>> =
        damages(&record, 25).into_iter().map(String::into_bytes).collect();
    let since = record.find("\"since\": \"").expect("a time") + 10;
    let whens = ["-009999-01-02T01:59:59Z", "9999-12-30T22:00:00Z", "0000-01-01T00:00:00Z"];
    records.extend(
        whens.map(|when| record.replacen(&record[since..since + 20], when, 1).into_bytes()),
    );
    records.push(record.replace("\"user\": \"", "\"user\": \"\\u001b[2J\\u202e").into_bytes());
    records.push(record.replace("\"seconds\": ", "\"seconds\": -1e308, \"x\": ").into_bytes());
    records.push(vec![0xff; 100_000]);
    records.push("[".repeat(500_000).into_bytes());
    for record in records {
        put(&key, record.clone());
        let what = String::from_utf8_lossy(&record[..record.len().min(3000)]).into_owned();
        sober(&run(&["history", "stack.yaml"]), &what);
        sober(&run(&["history", "show", "stack.yaml", ""]), &what);
    }
    for key in ["history/home/", "history/home/-", "history/home/x.json", "history/home/a b-c.json"]
    {
        put(key, record.clone().into_bytes());
    }
    let used = run(&["history", "stack.yaml"]);
    sober(&used, "strange keys");
    assert_eq!(used.code, Some(0), "{}", used.said);

    let lock = json!({ "format": "lagoa.lock/1", "user": "bo", "host": "ci", "pid": 5, "run": "other",
        "command": "destroy", "since": "2026-01-01T00:00:00Z", "lease_ms": 60000, "renewals": 0 });
    let lock = lock.to_string();
    let mut locks: Vec<Vec<u8>> = damages(&lock, 12).into_iter().map(String::into_bytes).collect();
    locks.extend(whens.map(|when| lock.replace("2026-01-01T00:00:00Z", when).into_bytes()));
    locks.push(lock.replace("60000", &u64::MAX.to_string()).into_bytes());
    locks.push(lock.replace("bo", "\\u001b[2J\\u202e").into_bytes());
    locks.push(Vec::new());
    locks.push(vec![0xff; 1000]);
    for lock in locks {
        put("locks/home.json", lock.clone());
        let what = String::from_utf8_lossy(&lock).into_owned();
        let used = run(&[stack[0], stack[1], "--yes"]);
        sober(&used, &what);
        assert_eq!(
            used.code,
            Some(4),
            "a lock that can't be read is somebody's: {what}\n{}",
            used.said
        );
        let used = run(&["unlock", "stack.yaml", "--yes"]);
        sober(&used, &what);
        assert_eq!(used.code, Some(0), "{what}\n{}", used.said);
    }
    // What is far too large for a lock or a record isn't held in memory.
    put("locks/home.json", vec![b' '; 200_000_000]);
    put(&key, vec![b' '; 200_000_000]);
    let used = run(&[stack[0], stack[1], "--yes"]);
    sober(&used, "an enormous lock");
    assert!(
        used.code == Some(4) && used.peak_mb < MODEST,
        "{} MB, {:?} {}",
        used.peak_mb,
        used.code,
        used.said
    );
    sober(&run(&["unlock", "stack.yaml", "--yes"]), "an enormous lock");
    let used = run(&["history", "stack.yaml"]);
    sober(&used, "an enormous record");
    assert!(used.peak_mb < MODEST, "{} MB", used.peak_mb);
    site.stack_command("apply", &["--yes"]).success();
}

fn output(mut command: Command) -> Output {
    command.output().expect("run lagoa")
}

#[test]
fn damaged_answers_end_in_an_error_or_a_plan() {
    let site = Site::quick("hostile-answers");
    let stack = json!({
        "ans-bucket": { "kind": "s3_bucket", "versioning": true },
        "ans-role": { "kind": "iam_role", "service": "glue.amazonaws.com", "inline_policies": { "p": { "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }] } } },
        "ans-access": { "kind": "ec2_security_group", "ingress": [{ "protocol": "tcp", "ports": 22, "cidr": "10.0.0.0/8" }] },
        "ans-secret": { "kind": "secretsmanager_secret", "generate": {}, "recovery_days": 0 },
        "ans-db": { "kind": "rds_instance", "engine": "postgres", "engine_version": "15", "instance_class": "db.t3.micro",
            "storage_gib": 20, "username": "postgres", "managed_password": true, "on_destroy": "delete" },
    });
    site.stack("answers", stack.as_object().expect("resources"));
    site.stack_command("apply", &["--yes"]).success();
    // Each run damages one answer in four, always others.
    let damages = damages_of_answers(20);
    for (number, edits) in damages.into_iter().enumerate() {
        let count = AtomicUsize::new(number);
        let target = site.endpoint();
        let server = Server::new(move |request| {
            let answer = request.forward(&target)?;
            if !count.fetch_add(1, Ordering::SeqCst).is_multiple_of(4) {
                return Some(answer);
            }
            let text = String::from_utf8_lossy(&answer).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let body = damaged(body, &edits);
            let kept = head.lines().filter(|line| {
                let line = line.to_ascii_lowercase();
                !line.starts_with("content-length") && !line.starts_with("transfer-encoding")
            });
            let head = kept.collect::<Vec<_>>().join("\r\n");
            Some(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
        });
        let used = lagoa(&site.folder, &server.endpoint, &["plan", "stack.yaml"]);
        sober(&used, &format!("round {number}"));
    }
    let plan = output(site.command(&["plan", "stack.yaml", "--sandbox", "--detailed-exitcode"]));
    assert_eq!(plan.status.code(), Some(0), "nothing was changed");
}

fn damages_of_answers(cases: u32) -> Vec<Vec<damage::Edit>> {
    let mut runner =
        TestRunner::new(Config { rng_seed: RngSeed::Fixed(SEED), ..Config::default() });
    (0..cases).map(|_| edits().new_tree(&mut runner).expect("edits").current()).collect()
}

#[test]
fn garbage_for_an_answer_ends_in_an_error() {
    let home = folder("hostile-garbage");
    write(home.join("stack.yaml"), json!({ "stack": "s", "region": "us-east-1", "resources": {
        "garbage": { "kind": "s3_bucket" }, "role": { "kind": "iam_role", "service": "glue.amazonaws.com" },
        "pair": { "kind": "ec2_key_pair" } } }).to_string());
    let ok = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>U</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let garbage: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", ok("")),
        ("a login page", ok("<!DOCTYPE html><html><body>Sign in</body></html>")),
        ("half of it", ok("<GetCallerIdentityResponse><GetCallerId")),
        ("JSON", ok("{\"__type\":\"x\",\"message\":{\"a\":[]}}")),
        ("deep JSON", ok(&"[".repeat(300_000))),
        ("deep XML", ok(&"<a>".repeat(300_000))),
        ("entities", ok("<!DOCTYPE a [<!ENTITY b \"cccccccc\"><!ENTITY d \"&b;&b;&b;&b;\">]><a>&d;</a>")),
        ("no UTF-8", [ok(&"x".repeat(400)), vec![0xff; 40]].concat()),
        ("no HTTP", b"220 smtp.example.com ESMTP\r\n".to_vec()),
        ("a lie about its length", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nx".to_vec()),
        ("no chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        ("a redirect to itself", b"HTTP/1.1 301 X\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()),
        ("terminal codes", b"HTTP/1.1 400 X\r\nContent-Length: 81\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Code>\x1b[2J</Code><Message>\x1b]0;x\x07</Message></Error></Error>".to_vec()),
        ("20 MB", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b'<'; 20_000_000]].concat()),
    ];
    let runs = garbage.into_iter().flat_map(|(what, answer)| {
        // Once from the first call on, once after lagoa knows where it is.
        [true, false].map(|all| {
            (format!("{what}, {}", if all { "always" } else { "later" }), answer.clone(), all)
        })
    });
    let threads: Vec<_> = runs
        .map(|(what, answer, all)| {
            let home = home.clone();
            let caller = ok(caller);
            std::thread::spawn(move || {
                let server = Server::new(move |request| {
                    let identity = !all && request.body.contains("GetCallerIdentity");
                    Some(if identity { caller.clone() } else { answer.clone() })
                });
                let used = lagoa(&home, &server.endpoint, &["plan", "stack.yaml"]);
                println!(
                    "{what}: {:?}, {} MB, {:?}",
                    used.took,
                    used.peak_mb,
                    used.said.lines().find(|l| l.contains("error"))
                );
                sober(&used, &what);
                assert_eq!(used.code, Some(1), "{what}\n{}", used.said);
                assert!(used.said.contains("error"), "{what}\n{}", used.said);
                assert!(used.said.len() < 20_000, "{what}: it says too much");
                assert!(used.peak_mb < 6 * 20 + MODEST, "{what}: {} MB", used.peak_mb);
            })
        })
        .collect();
    let failed = threads.into_iter().map(|one| one.join()).filter(Result::is_err).count();
    assert_eq!(failed, 0, "see above");
}
