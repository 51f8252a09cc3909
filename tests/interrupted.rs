//! Ctrl-C, a polite request to end, a terminal that closes, a reader that goes away.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/running.rs"]
mod running;
#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloud::wait;
use running::{Running, at_a_terminal};
use serde_json::{Map, Value, json};
use server::Gate;
use support::Site;

/// Long enough for a call to the sandbox, far too short for a lease or a database.
const SOON: Duration = Duration::from_secs(4);

fn resources(value: Value) -> Map<String, Value> {
    value.as_object().expect("resources are a mapping").clone()
}

/// Two buckets, the second one after the first.
fn pair(site: &Site, name: &str) {
    let (first, then) = (format!("{name}-first"), format!("{name}-then"));
    let stack = json!({
        &first: { "kind": "s3_bucket", "versioning": true },
        &then: { "kind": "s3_bucket", "depends_on": [&first] },
    });
    site.stack(name, &resources(stack));
}

/// Holds the call that makes the first bucket of the pair.
fn before_the_first(site: &Site, name: &str) -> Gate {
    let call = format!("PUT /{name}-first");
    Gate::new(&site.endpoint(), move |request| request.line.starts_with(&call))
}

fn exists(site: &Site, bucket: &str) -> bool {
    let s3 = aws_sdk_s3::Client::new(&cloud::config(site));
    wait(s3.head_bucket().bucket(bucket).send()).is_ok()
}

fn outcomes(site: &Site) -> Vec<String> {
    let runs = site.stack_command("history", &["--json"]).success().json();
    let runs = runs.as_array().expect("runs").iter();
    runs.map(|run| run["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The lock is free and the next apply goes on from there.
#[track_caller]
fn converges(site: &Site) {
    site.stack_command("apply", &["--yes"]).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
}

const APPLY: &[&str] = &["apply", "stack.yaml", "--yes"];

#[test]
fn the_first_interrupt_lets_calls_in_flight_finish_and_starts_nothing_new() {
    let site = Site::new("int");
    pair(&site, "int");
    for (signal, command) in [
        (libc::SIGINT, "apply"),
        (libc::SIGTERM, "destroy"),
        (libc::SIGTERM, "apply"),
        (libc::SIGINT, "destroy"),
    ] {
        let (held, first, second) = match command {
            "apply" => {
                site.stack_command("destroy", &["--yes"]).success();
                ("PUT /int-first", "int-first", "int-then")
            }
            _ => {
                converges(&site);
                ("DELETE /int-then", "int-then", "int-first")
            }
        };
        let gate = Gate::new(&site.endpoint(), move |request| request.line.starts_with(held));
        let mut run = Running::through(&site, &gate.endpoint, &[command, "stack.yaml", "--yes"]);
        gate.held();
        run.signal(signal);
        run.says("Stopping:");
        assert!(run.child.try_wait().expect("ask").is_none(), "the call in flight may finish");
        gate.open();
        assert_eq!(run.ends_within(SOON), Some(130), "{command}: {}", run.said());
        let printed = run.printed();
        let (done, not) = printed.split_once("Not started:").expect("what isn't done is said");
        assert!(not.contains(&format!("{second}  the run was stopped")), "{printed}");
        assert!(not.contains("Stopped: 1 step done, 1 not started in"), "{printed}");
        assert!(done.contains(first) && run.said().contains(&format!("✓ s3_bucket {first}")));
        assert_eq!(exists(&site, first), command == "apply", "the call in flight was finished");
        assert_eq!(exists(&site, second), command == "destroy", "nothing new was started");
        assert_eq!(outcomes(&site)[0], "interrupted");
        let run = site.stack_command("history", &["--json"]).success().json()[0].clone();
        assert_eq!(run["steps"][0]["result"], "done", "{run}");
        assert_eq!(run["steps"][1]["result"], "not_started", "{run}");
    }
    site.stack_command("destroy", &["--yes"]).success();
}

#[test]
fn nobody_waits_for_a_database_after_an_interrupt() {
    let site = Site::new("int-slow");
    site.run(&["sandbox", "stop"]).success();
    let mut start = site.command(&["sandbox", "start"]);
    let started = start.env("LAGOA_SANDBOX_DELAY", "12").output().expect("run lagoa");
    assert!(started.status.success());
    let stack = json!({
        "int-db": {
            "kind": "rds_instance", "engine": "postgres", "engine_version": "15",
            "instance_class": "db.t3.micro", "storage_gib": 20, "database": "coins",
            "username": "postgres", "managed_password": true, "on_destroy": "delete",
        },
        "int-after": { "kind": "s3_bucket", "depends_on": ["int-db"] },
    });
    site.stack("int-slow", &resources(stack));
    let mut command = site.command(APPLY);
    site.aws(&mut command, &site.endpoint());
    let mut run = Running::start(command);
    run.says("int-db: creating");
    std::thread::sleep(Duration::from_secs(1));
    run.signal(libc::SIGTERM);
    assert_eq!(run.ends_within(SOON), Some(130), "{}", run.said());
    let printed = run.printed();
    assert!(printed.contains("Begun, not finished:"), "{printed}");
    assert!(printed.contains("which reports it as creating"), "{printed}");
    assert!(printed.contains("1 not finished, 1 not started"), "{printed}");
    converges(&site);
}

#[test]
fn the_second_interrupt_ends_it_at_once() {
    let site = Site::new("int-twice");
    pair(&site, "twice");
    for (signal, unreachable) in
        [(libc::SIGINT, false), (libc::SIGTERM, false), (libc::SIGINT, true)]
    {
        let gate = before_the_first(&site, "twice");
        let mut run = Running::through(&site, &gate.endpoint, APPLY);
        gate.held();
        run.signal(libc::SIGINT);
        run.says("Stopping:");
        if unreachable {
            gate.shut();
        }
        let since = Instant::now();
        run.signal(signal);
        assert_eq!(run.ends_within(SOON), Some(130), "{}", run.said());
        assert!(since.elapsed() < Duration::from_millis(2_500), "{:?}", since.elapsed());
        assert!(run.said().contains("Stopped at once"), "{}", run.said());
        drop(gate);
        if unreachable {
            site.stack_command("unlock", &["--yes"]).success();
        } else {
            assert_eq!(outcomes(&site)[0], "interrupted");
        }
        converges(&site);
        site.stack_command("destroy", &["--yes"]).success();
    }
}

#[test]
fn an_interrupt_before_anything_is_done_leaves_nothing_behind() {
    let site = Site::new("int-early");
    pair(&site, "early");
    // Once on the way to the lock, once while reading what AWS has.
    for held in ["PUT /lagoa-123456789012-us-east-1/locks/", "GET /early-first"] {
        let gate = Gate::new(&site.endpoint(), move |request| {
            request.line.starts_with(held) || request.line.replace("HEAD", "GET").starts_with(held)
        });
        let mut run = Running::through(&site, &gate.endpoint, APPLY);
        gate.held();
        run.signal(libc::SIGINT);
        std::thread::sleep(Duration::from_millis(200));
        gate.open();
        assert_eq!(run.ends_within(SOON), Some(130), "{}", run.said());
        assert!(!exists(&site, "early-first"));
        let free = site.stack_command("unlock", &["--yes"]).success().stdout();
        assert!(free.contains("Nobody holds"), "{held}: {free}");
    }
    // And while another run holds the lock.
    let gate = before_the_first(&site, "early");
    let mut first = Running::through(&site, &gate.endpoint, APPLY);
    gate.held();
    let waiting = [APPLY, &["--sandbox", "--wait", "10m"]].concat();
    let mut second = Running::start(site.command(&waiting));
    second.says("Waiting");
    second.signal(libc::SIGINT);
    assert_eq!(second.ends_within(SOON), Some(130), "{}", second.said());
    gate.open();
    assert_eq!(first.ends_within(SOON), Some(0), "{}", first.said());
}

#[test]
fn a_closed_terminal_changes_nothing() {
    let site = Site::new("int-hangup");
    pair(&site, "hangup");
    for verbose in [None, Some("-vv")] {
        let gate = before_the_first(&site, "hangup");
        let mut command = site.command(APPLY);
        command.args(verbose);
        site.aws(&mut command, &gate.endpoint);
        let (child, master) = at_a_terminal(command);
        // What nobody reads is held back in the end, so somebody reads until then.
        let mut screen = std::fs::File::from(master);
        // SAFETY: changes nothing but how the descriptor is read.
        unsafe { libc::fcntl(screen.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let since = Instant::now();
        while !gate.is_held() {
            let _ = screen.read(&mut [0; 4096]);
            assert!(since.elapsed() < Duration::from_secs(60), "the call never came");
        }
        drop(screen);
        let nothing = || Arc::new(Mutex::new(String::new()));
        let mut run = Running { child, out: nothing(), err: nothing() };
        std::thread::sleep(Duration::from_millis(300));
        gate.open();
        assert_eq!(run.ends_within(Duration::from_secs(20)), Some(0), "{verbose:?}");
        assert_eq!(outcomes(&site)[0], "done");
        site.stack_command("plan", &["--detailed-exitcode"]).success();
        site.stack_command("destroy", &["--yes"]).success();
    }
    // Nobody has agreed to what was asked at a terminal that is gone.
    let mut command = site.command(&["apply", "stack.yaml"]);
    site.aws(&mut command, &site.endpoint());
    let (mut run, mut screen) = Running::at_a_terminal(command);
    run.says("Only 'yes' is accepted");
    // The reader of the screen holds the terminal open; this hangs it up all the same.
    screen.write_all(b"\x04").expect("type Ctrl-D");
    assert_eq!(run.ends_within(SOON), Some(1), "{}", run.said());
    assert!(!exists(&site, "hangup-first"));
}

#[test]
fn ctrl_c_at_a_terminal_is_heard() {
    let site = Site::new("int-key");
    pair(&site, "key");
    let gate = before_the_first(&site, "key");
    let mut command = site.command(APPLY);
    site.aws(&mut command, &gate.endpoint);
    let (mut run, mut keyboard) = Running::at_a_terminal(command);
    gate.held();
    keyboard.write_all(b"\x03").expect("press Ctrl-C");
    run.says("Stopping:");
    gate.open();
    assert_eq!(run.ends_within(SOON), Some(130), "{}", run.said());
    run.says("1 step done");
    converges(&site);
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let site = Site::new("int-pipe");
    pair(&site, "pipe");
    for verbose in [None, Some("-vv")] {
        let mut command = site.command(APPLY);
        command.args(verbose).arg("--sandbox").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start lagoa");
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().expect("wait for lagoa").code(), Some(0), "{verbose:?}");
        assert_eq!(outcomes(&site)[0], "done");
        site.stack_command("plan", &["--detailed-exitcode"]).success();
        site.stack_command("destroy", &["--yes"]).success();
    }
    let lagoa = env!("CARGO_BIN_EXE_lagoa");
    for shell in [
        format!(
            "{lagoa} apply stack.yaml --yes --sandbox -vv 2>&1 | head -1; exit ${{PIPESTATUS[0]}}"
        ),
        format!("exec {lagoa} apply stack.yaml --yes --sandbox <&- >&- 2>&-"),
    ] {
        let mut command = Command::new("bash");
        let like = site.command(&[]);
        let variables = like.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.args(["-c", &shell]).envs(variables).current_dir(&site.folder);
        let output = command.env_remove("AWS_PROFILE").output().expect("run a shell");
        assert_eq!(output.status.code(), Some(0), "{shell}: {output:?}");
        site.stack_command("plan", &["--detailed-exitcode"]).success();
        site.stack_command("destroy", &["--yes"]).success();
    }
}
