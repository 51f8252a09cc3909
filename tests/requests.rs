//! How many requests a plan takes is a promise: reads are batched per kind, and a read fetches
//! only what the stack sets.

mod support;
#[path = "support/workloads.rs"]
mod workloads;

use support::Site;
use workloads::WORKLOADS;

#[test]
fn plans_take_no_more_requests_than_promised() {
    for workload in WORKLOADS {
        let site = Site::new(&format!("requests-{}", workload.name));
        site.stack(workload.name, &(workload.resources)());
        site.stack_command("apply", &["--yes"]).success();
        let plan = site.measure(&["plan", "stack.yaml", "--sandbox", "--detailed-exitcode"]);
        println!("{}: {} requests, at most {}", workload.what, plan.requests, workload.at_most);
        assert!(
            plan.requests <= workload.at_most,
            "{}: {} requests, at most {} are promised: {}",
            workload.what,
            plan.requests,
            workload.at_most,
            plan.by_operation
        );
    }
}
