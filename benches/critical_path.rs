//! How close an apply comes to its critical path, with AWS's own durations scaled 1:100.
//!
//! Run with `cargo bench --bench critical_path`, or `… -- 30` for 1:30. The critical path is the
//! longest chain of steps that wait for each other, each as long as the sandbox lets it take; what
//! lagoa adds is the time until it notices that something is there, and the calls around it. What
//! AWS has no duration for takes what it takes here: seeds, and things that are there at once.
//! Below each stack stand the steps of the chain that was the longest, and what each took.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;

use serde_json::Value;
use support::Site;

const STACKS: &[&str] = &["bootcamp", "sicredi"];
/// What an apply may take, as a multiple of its critical path.
const AT_MOST: f64 = 1.05;

fn main() {
    // Cargo itself adds `--bench`.
    let scale = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let scale: f64 = 1.0 / scale.unwrap_or(100.0);
    println!("{:<32} {:>10} {:>10} {:>7}", "", "path s", "apply s", "ratio");
    let mut worst: f64 = 0.0;
    for stack in STACKS {
        let site = Site::scaled(&format!("bench-{stack}"), scale);
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = repository.join(format!("stacks/{stack}.yaml"));
        let file = file.to_str().expect("a path in UTF-8");
        site.run(&["apply", file, "--sandbox", "--yes"]).success();
        let runs = site.run(&["history", file, "--sandbox", "--json"]).success().json();
        let run = runs[0]["run"].as_str().expect("a run").to_owned();
        let run = site.run(&["history", "show", file, &run, "--sandbox", "--json"]);
        let run = run.success().json();
        let steps = run["steps"].as_array().expect("steps");
        let takes = site.get("/_lagoa/latency");
        let least = |step: &Value| least(&takes, step);
        let path = longest(steps, least).last().map_or(0.0, |last| last.end);
        let took = steps.iter().map(end).fold(0.0, f64::max);
        let what = format!("{stack}, {} steps", steps.len());
        println!("{what:<32} {path:>10.2} {took:>10.2} {:>7.3}", took / path);
        for link in longest(steps, |step| seconds(step, "seconds")) {
            let key = link.step["key"].as_str().unwrap_or_default();
            let (least, took) = (least(link.step), seconds(link.step, "seconds"));
            println!("  {key:<30} {least:>10.2} {took:>10.2}");
        }
        worst = worst.max(took / path);
    }
    assert!(worst <= AT_MOST, "{worst:.3} is more than {AT_MOST} times the critical path");
}

fn seconds(step: &Value, of: &str) -> f64 {
    step[of].as_f64().unwrap_or_default()
}

fn end(step: &Value) -> f64 {
    seconds(step, "began") + seconds(step, "seconds")
}

/// What a step takes at least. What the sandbox makes at once costs its calls, as measured.
fn least(takes: &Value, step: &Value) -> f64 {
    let kind = step["kind"].as_str().unwrap_or_default();
    let takes = takes["create"][kind].as_f64().filter(|takes| *takes > 0.0);
    takes.unwrap_or_else(|| seconds(step, "seconds"))
}

/// A step of a chain, and when it is done.
struct Link<'a> {
    step: &'a Value,
    end: f64,
}

/// The longest chain of steps, each of which takes so long.
fn longest(steps: &[Value], takes: impl Fn(&Value) -> f64) -> Vec<Link<'_>> {
    let mut ends: Vec<(f64, Option<usize>)> = Vec::new();
    for step in steps {
        let needs = step["needs"].as_array().into_iter().flatten();
        let needs = needs.filter_map(|need| usize::try_from(need.as_u64()?).ok());
        let last = needs
            .filter(|need| *need < ends.len())
            .max_by(|one, other| ends[*one].0.total_cmp(&ends[*other].0));
        let begins = last.map_or(0.0, |need| ends[need].0);
        ends.push((begins + takes(step), last));
    }
    let mut chain = Vec::new();
    let all = 0..ends.len();
    let mut next = all.max_by(|one, other| ends[*one].0.total_cmp(&ends[*other].0));
    while let Some(step) = next {
        chain.push(Link { step: &steps[step], end: ends[step].0 });
        next = ends[step].1;
    }
    chain.reverse();
    chain
}
