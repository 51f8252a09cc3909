//! What a plan costs: requests as the sandbox counts them, processor time and memory.
//!
//! Run with `cargo bench --bench requests`. Prints a table; the bounds are asserted in
//! `tests/requests.rs`, where the same stacks are counted.

#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/support/workloads.rs"]
mod workloads;

use support::Site;
use workloads::WORKLOADS;

fn main() {
    println!("{:<44} {:>8} {:>9} {:>8} {:>8}", "", "requests", "at most", "CPU s", "peak MB");
    for workload in WORKLOADS {
        let site = Site::new(&format!("bench-{}", workload.name));
        site.stack(workload.name, &(workload.resources)());
        site.stack_command("apply", &["--yes"]).success();
        let plan = site.measure(&["plan", "stack.yaml", "--sandbox"]);
        println!(
            "{:<44} {:>8} {:>9} {:>8.2} {:>8.0}",
            workload.what, plan.requests, workload.at_most, plan.cpu_seconds, plan.peak_mb
        );
    }
}
