//! What a person sees while a plan is carried out: a terminal of any size, and none.

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/running.rs"]
mod running;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use proxy::{Deed, Proxy};
use running::Running;
use serde_json::{Map, json};
use support::Site;

const APPLY: &[&str] = &["apply", "stack.yaml", "--yes"];
const DESTROY: &[&str] = &["destroy", "stack.yaml", "--yes"];

/// So many buckets; the services of others would take them more slowly.
fn buckets(site: &Site, name: &str, count: usize) {
    let one = |n: usize| (format!("{name}-lake-number-{n:04}"), json!({ "kind": "s3_bucket" }));
    site.stack(name, &(0..count).map(one).collect::<Map<_, _>>());
}

/// So many parameters, the last one after the first.
fn parameters(site: &Site, name: &str, count: usize) {
    let key = |n: usize| format!("{name}-setting-number-{n:04}");
    let one = |n: usize| {
        let after = if n == count - 1 { json!([key(0)]) } else { json!([]) };
        let name = format!("/{name}/{n}");
        (
            key(n),
            json!({ "kind": "ssm_parameter", "name": name, "value": "1", "depends_on": after }),
        )
    };
    site.stack(name, &(0..count).map(one).collect::<Map<_, _>>());
}

/// Lets every creation and deletion take its time, so that there is something to see.
fn slow(site: &Site, time: Duration) -> Proxy {
    let judge = move |call: &proxy::Call| match call.operation.as_str() {
        "PutParameter" | "DeleteParameter" | "DeleteParameters" => Deed::Delay(time),
        bucket if bucket.starts_with("PUT /pty-") && !bucket.contains('?') => Deed::Delay(time),
        _ => Deed::Pass,
    };
    Proxy::new(&site.endpoint(), Box::new(judge))
}

/// What the screen shows after all this was written to it, line by line.
fn screen(text: &str, (rows, columns): (u16, u16)) -> Vec<String> {
    let mut parser = vt100::Parser::new(rows, columns, 0);
    parser.process(text.as_bytes());
    parser.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
}

#[test]
fn a_terminal_shows_what_fits_it() {
    let site = Site::new("progress-pty");
    buckets(&site, "pty", 70);
    let proxy = slow(&site, Duration::from_millis(2_500));
    for size in [(24, 80), (12, 40)] {
        let mut command = site.command(APPLY);
        site.aws(&mut command, &proxy.endpoint);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let (mut run, _screen) = Running::at_a_terminal_of(command, size);
        run.says("pty-lake-number-");
        let since = Instant::now();
        let seen = loop {
            let seen = screen(&run.said(), size);
            if seen.iter().any(|line| line.contains("pty-lake-number-") && line.ends_with("  1 s"))
            {
                break seen;
            }
            assert!(since.elapsed() < Duration::from_secs(30), "{seen:#?}");
            std::thread::sleep(Duration::from_millis(50));
        };
        let rows = usize::from(size.0);
        let last = seen.iter().rposition(|line| !line.is_empty()).expect("something is said");
        assert!(seen[last].contains(" of 70 steps, "), "{seen:#?}");
        assert!(seen[last - 1].starts_with("  and ") && seen[last - 1].ends_with(" more"));
        assert_eq!(last, rows - 2, "the window is full, but for the cursor's line: {seen:#?}");
        let steps = seen.iter().filter(|line| line.contains("pty-lake-number-"));
        assert_eq!(steps.count(), rows - 3, "{seen:#?}");
        assert_eq!(run.ends_within(Duration::from_secs(60)), Some(0), "{}", run.said());
        let end = screen(&run.said(), (200, 200));
        assert!(end.iter().any(|line| line.starts_with("Done: 70 steps")), "{end:#?}");
        assert!(
            !end.iter().any(|line| line.contains("of 70 steps")),
            "the frame is gone: {end:#?}"
        );
        let done = end.iter().filter(|line| line.starts_with("✓ s3_bucket")).count();
        assert_eq!(done, 70, "{end:#?}");
        assert!(!run.said().contains("\u{1b}[32m"), "NO_COLOR");
        let mut command = site.command(DESTROY);
        site.aws(&mut command, &site.endpoint());
        assert_eq!(Running::start(command).ends_within(Duration::from_secs(60)), Some(0));
    }
}

#[test]
fn where_nothing_can_be_redrawn_lines_are_plain() {
    let site = Site::new("progress-plain");
    parameters(&site, "plain", 3);
    for (name, value) in [("TERM", "dumb"), ("GITHUB_ACTIONS", "true")] {
        for command in [APPLY, DESTROY] {
            let mut command = site.command(command);
            site.aws(&mut command, &site.endpoint());
            command.env("TERM", "xterm").env("NO_COLOR", "1").env(name, value);
            let (mut run, _screen) = Running::at_a_terminal(command);
            assert_eq!(run.ends_within(Duration::from_secs(60)), Some(0), "{}", run.said());
            let said = run.said();
            assert!(!said.contains('\u{1b}'), "{name}: {said:?}");
            assert_eq!(said.matches("✓ ssm_parameter plain-setting-number-").count(), 3, "{said}");
            assert_eq!(said.matches("ing …").count(), 3, "{said}");
        }
    }
}

#[test]
fn hundreds_of_steps_are_told_in_few_lines() {
    let site = Site::new("progress-many");
    buckets(&site, "many", 110);
    // Elsewhere than at a terminal: a line for each that is done.
    let mut command = site.command(APPLY);
    site.aws(&mut command, &site.endpoint());
    let mut run = Running::start(command);
    assert_eq!(run.ends_within(Duration::from_secs(120)), Some(0), "{}", run.said());
    assert_eq!(run.said().lines().count(), 110, "{}", run.said());
    // At a terminal: how many are done.
    let mut command = site.command(DESTROY);
    site.aws(&mut command, &site.endpoint());
    command.env("TERM", "xterm");
    let (mut run, _screen) = Running::at_a_terminal(command);
    assert_eq!(run.ends_within(Duration::from_secs(120)), Some(0), "{}", run.said());
    assert!(run.said().contains(" of 110 steps, ") && !run.said().contains("✓ "), "{}", run.said());
}

#[test]
fn a_timeline_is_drawn_however_a_run_ends() {
    let site = Site::new("progress-timeline");
    parameters(&site, "line", 3);
    let picture = || fs::read_to_string(site.folder.join("run.svg"));
    let drawing = |command: &str| {
        [command, "stack.yaml", "--yes", "--timeline", "run.svg"].map(str::to_owned)
    };
    let run = |command: &str, endpoint: &str| {
        let arguments = drawing(command);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Running::through(&site, endpoint, &arguments)
    };
    // Well.
    assert_eq!(run("apply", &site.endpoint()).ends_within(Duration::from_secs(30)), Some(0));
    let svg = picture().expect("the picture");
    assert_eq!(svg.matches("<rect class=\"create").count(), 3, "{svg}");
    assert_eq!(svg.matches("<rect class=\"create critical").count(), 2, "{svg}");
    // Nothing to do.
    fs::remove_file(site.folder.join("run.svg")).expect("take it away");
    let mut idle = run("apply", &site.endpoint());
    assert_eq!(idle.ends_within(Duration::from_secs(30)), Some(0));
    assert!(idle.said().contains("no timeline") && picture().is_err(), "{}", idle.said());
    // Badly.
    let judge = |call: &proxy::Call| match call.operation.starts_with("DeleteParameter") {
        true => {
            Deed::Answer(400, r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned())
        }
        false => Deed::Pass,
    };
    let proxy = Proxy::new(&site.endpoint(), Box::new(judge));
    assert_eq!(run("destroy", &proxy.endpoint).ends_within(Duration::from_secs(60)), Some(1));
    let svg = picture().expect("the picture");
    assert!(svg.contains("<rect class=\"failed"), "{svg}");
    drop(proxy);
    // Stopped, and stopped at once.
    for presses in [1, 2] {
        fs::remove_file(site.folder.join("run.svg")).expect("take it away");
        let proxy = slow(&site, Duration::from_secs(if presses == 1 { 1 } else { 20 }));
        let mut stopped = run("destroy", &proxy.endpoint);
        stopped.says("deleting");
        for _ in 0..presses {
            std::thread::sleep(Duration::from_millis(200));
            stopped.signal(libc::SIGINT);
        }
        assert_eq!(stopped.ends_within(Duration::from_secs(10)), Some(130), "{}", stopped.said());
        assert!(picture().expect("the picture").contains("<rect class="), "{presses}");
        drop(proxy);
        assert_eq!(run("apply", &site.endpoint()).ends_within(Duration::from_secs(30)), Some(0));
    }
    // Where it can't be.
    let refused = site.stack_command("apply", &["--timeline", "nowhere/run.svg"]);
    assert!(refused.stderr().contains("name a file in a folder that exists"));
}
