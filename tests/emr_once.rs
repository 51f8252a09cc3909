//! EMR starts another cluster, and another step, as often as it is asked: an answer that got lost
//! must not make a second one.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use aws_sdk_emr::types::ClusterState;
use proxy::{Call, Deed, Judge, Proxy};
use serde_json::{Map, Value, json};
use support::Site;

fn resources() -> Map<String, Value> {
    let resources = json!({
        "service": { "kind": "iam_role", "service": "elasticmapreduce.amazonaws.com" },
        "nodes": { "kind": "iam_role", "service": "ec2.amazonaws.com", "instance_profile": true },
        "spark": {
            "kind": "emr_cluster", "release_label": "emr-7.9.0", "applications": ["Spark"],
            "service_role": "service", "instance_profile": "nodes",
            "primary": { "instance_type": "m5.xlarge" }, "on_destroy": "delete",
        },
        "pi": { "kind": "emr_step", "cluster": "spark", "args": ["spark-example", "SparkPi", "10"] },
    });
    resources.as_object().expect("a mapping").clone()
}

/// Does this with the first calls of that operation, so many of them.
fn first(operation: &'static str, times: usize, deed: Deed) -> Judge {
    let mut seen = 0;
    Box::new(move |call: &Call| {
        if call.operation != operation || seen == times {
            return Deed::Pass;
        }
        seen += 1;
        deed.clone()
    })
}

/// Ids of the clusters that are up, and names of their steps.
fn there(site: &Site) -> (Vec<String>, Vec<String>) {
    let emr = aws_sdk_emr::Client::new(&cloud::config(site));
    cloud::wait(async {
        let states = [
            ClusterState::Starting,
            ClusterState::Bootstrapping,
            ClusterState::Running,
            ClusterState::Waiting,
        ];
        let call = emr.list_clusters().set_cluster_states(Some(states.to_vec()));
        let clusters = call.send().await.expect("listed");
        let ids = clusters.clusters().iter().filter_map(|one| one.id.clone());
        let ids: Vec<String> = ids.collect();
        let mut steps = Vec::new();
        for id in &ids {
            let reply = emr.list_steps().cluster_id(id).send().await.expect("listed");
            steps.extend(reply.steps().iter().filter_map(|one| one.name.clone()));
        }
        (ids, steps)
    })
}

#[test]
fn a_lost_answer_makes_no_second_cluster_and_no_second_step() {
    let site = Site::quick("emr-once");
    site.stack("once", &resources());
    for (operation, times, deed) in [
        ("RunJobFlow", 1, Deed::Lose),
        ("RunJobFlow", 1, Deed::Drop),
        ("ListClusters", 3, Deed::Lose),
        ("AddJobFlowSteps", 1, Deed::Lose),
        ("AddJobFlowSteps", 1, Deed::Drop),
    ] {
        let what = format!("{deed:?} {operation} {times} times");
        let proxy = Proxy::new(&site.endpoint(), first(operation, times, deed));
        let mut lagoa = site.command(&["apply", "stack.yaml", "--yes"]);
        site.aws(&mut lagoa, &proxy.endpoint);
        let output = lagoa.output().expect("run lagoa");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}:\n{said}");
        let (clusters, steps) = there(&site);
        assert_eq!((clusters.len(), steps.len()), (1, 1), "{what}: {clusters:?} {steps:?}");
        let plan = site.stack_command("plan", &["--detailed-exitcode"]);
        assert_eq!(plan.code(), Some(0), "{what}:\n{}", plan.stdout());
        site.stack_command("destroy", &["--yes"]).success();
        assert!(there(&site).0.is_empty(), "{what}: left after destroy");
    }
}
