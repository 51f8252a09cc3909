//! How close an apply comes to its critical path, with AWS's own durations scaled 1:100.
//!
//! Run with `cargo bench --bench critical_path`. The critical path is the longest chain of steps
//! that wait for each other, each as long as the sandbox lets it take; what lagoa adds is the time
//! until it notices that something is there, and the calls around it. Seeds take what they take.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;

use serde_json::Value;
use support::Site;

const STACKS: &[&str] = &["bootcamp", "sicredi"];
/// What an apply may take, as a multiple of its critical path.
const AT_MOST: f64 = 1.05;

fn main() {
    println!("{:<12} {:>6} {:>10} {:>10} {:>7}", "", "steps", "path s", "apply s", "ratio");
    let mut worst: f64 = 0.0;
    for stack in STACKS {
        let site = Site::scaled(&format!("bench-{stack}"), 0.01);
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = repository.join(format!("stacks/{stack}.yaml"));
        let file = file.to_str().expect("a path in UTF-8");
        site.run(&["apply", file, "--sandbox", "--yes"]).success();
        let runs = site.run(&["history", file, "--sandbox", "--json"]).success().json();
        let run = runs[0]["run"].as_str().expect("a run").to_owned();
        let run = site.run(&["history", "show", file, &run, "--sandbox", "--json"]);
        let run = run.success().json();
        let steps = run["steps"].as_array().expect("steps");
        let (path, took) = (critical_path(&site, steps), wall(steps));
        println!("{stack:<12} {:>6} {path:>10.2} {took:>10.2} {:>7.3}", steps.len(), took / path);
        worst = worst.max(took / path);
    }
    assert!(worst <= AT_MOST, "{worst:.3} is more than {AT_MOST} times the critical path");
}

fn seconds(step: &Value, of: &str) -> f64 {
    step[of].as_f64().unwrap_or_default()
}

/// From the first step's beginning to the last one's end.
fn wall(steps: &[Value]) -> f64 {
    let ends = steps.iter().map(|step| seconds(step, "began") + seconds(step, "seconds"));
    ends.fold(0.0, f64::max)
}

/// The longest chain. What the sandbox makes at once costs its calls, as measured.
fn critical_path(site: &Site, steps: &[Value]) -> f64 {
    let latency = site.get("/_lagoa/latency");
    let mut ends: Vec<f64> = Vec::new();
    for step in steps {
        let needs = step["needs"].as_array().into_iter().flatten();
        let begins = needs.filter_map(|need| ends.get(usize::try_from(need.as_u64()?).ok()?));
        let begins = begins.copied().fold(0.0, f64::max);
        let kind = step["kind"].as_str().unwrap_or_default();
        let takes = latency["create"][kind].as_f64();
        ends.push(begins + takes.unwrap_or_else(|| seconds(step, "seconds")));
    }
    ends.into_iter().fold(0.0, f64::max)
}
