//! Ctrl-C, a polite request to end, a terminal that closes, a reader that goes away.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloud::wait;
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

/// lagoa in the background, and what it has said so far.
struct Running {
    child: Child,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
}

fn collect(mut from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            let words = String::from_utf8_lossy(&chunk[..read]).into_owned();
            into.lock().expect("nobody panics with it").push_str(&words);
        }
    });
    text
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start lagoa");
        let out = collect(child.stdout.take().expect("its output"));
        let err = collect(child.stderr.take().expect("its errors"));
        Self { child, out, err }
    }

    /// A command on `stack.yaml` through the gate.
    fn through(site: &Site, gate: &Gate, arguments: &[&str]) -> Self {
        let mut command = site.command(arguments);
        site.aws(&mut command, &gate.endpoint);
        Self::start(command)
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a pid fits");
        // SAFETY: the child is ours and not waited for yet, so the pid is its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "send a signal");
    }

    fn said(&self) -> String {
        self.err.lock().expect("nobody panics with it").clone()
    }

    fn says(&self, word: &str) {
        let since = Instant::now();
        while !self.said().contains(word) {
            assert!(since.elapsed() < Duration::from_secs(60), "no `{word}` in: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its exit code; `None` when a signal killed it or it didn't end in time.
    fn ends_within(&mut self, limit: Duration) -> Option<i32> {
        let since = Instant::now();
        while since.elapsed() < limit {
            if let Some(status) = self.child.try_wait().expect("ask for lagoa") {
                std::thread::sleep(Duration::from_millis(50));
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().expect("kill lagoa");
        self.child.wait().expect("wait for lagoa");
        eprintln!("it didn't end: {}", self.said());
        None
    }

    fn printed(&self) -> String {
        self.out.lock().expect("nobody panics with it").clone()
    }
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
        let mut run = Running::through(&site, &gate, &[command, "stack.yaml", "--yes"]);
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
        let mut run = Running::through(&site, &gate, APPLY);
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
        let mut run = Running::through(&site, &gate, APPLY);
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
    let mut first = Running::through(&site, &gate, APPLY);
    gate.held();
    let waiting = [APPLY, &["--sandbox", "--wait", "10m"]].concat();
    let mut second = Running::start(site.command(&waiting));
    second.says("Waiting");
    second.signal(libc::SIGINT);
    assert_eq!(second.ends_within(SOON), Some(130), "{}", second.said());
    gate.open();
    assert_eq!(first.ends_within(SOON), Some(0), "{}", first.said());
}

/// A terminal of its own for a command: what is read from and written to it, and its other end.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: openpty writes to the two places it is given, and gives descriptors that are ours.
    unsafe {
        let opened = libc::openpty(&raw mut master, &raw mut slave, none, none.cast(), none.cast());
        assert_eq!(opened, 0, "open a terminal");
        libc::fcntl(master, libc::F_SETFD, libc::FD_CLOEXEC);
        (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

/// Starts the command as the leader of a session at a terminal; gives the terminal's other end.
fn at_a_terminal(mut command: Command) -> (Child, OwnedFd) {
    let (master, slave) = terminal();
    let copy = || Stdio::from(slave.try_clone().expect("another descriptor"));
    command.stdin(copy()).stdout(copy()).stderr(copy());
    let own = slave.as_raw_fd();
    // SAFETY: both calls are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            libc::ioctl(own, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    (command.spawn().expect("start lagoa"), master)
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
    let (child, master) = at_a_terminal(command);
    let screen = collect(std::fs::File::from(master.try_clone().expect("another descriptor")));
    let mut run = Running { child, out: Arc::default(), err: screen };
    run.says("Only 'yes' is accepted");
    // The reader of the screen holds the terminal open; this hangs it up all the same.
    std::fs::File::from(master).write_all(b"\x04").expect("type Ctrl-D");
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
    let (child, master) = at_a_terminal(command);
    let mut keyboard = std::fs::File::from(master.try_clone().expect("another descriptor"));
    let screen = collect(std::fs::File::from(master));
    let mut run = Running { child, out: Arc::default(), err: screen };
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
