//! A network in a few lines against the sandbox: it stands, changes its way out, and leaves nothing.

mod support;

use serde_json::{Map, Value, json};
use support::{Site, actions};

fn resources(nat: &str) -> Map<String, Value> {
    let resources = json!({
        "lake": { "kind": "network", "zones": 2, "nat": nat },
        "databases": { "kind": "rds_subnet_group", "subnets": "lake" },
        "clients": { "kind": "ec2_security_group", "vpc": "lake" },
        "small": { "kind": "rds_subnet_group", "subnets": "default" },
    });
    resources.as_object().expect("a mapping").clone()
}

#[test]
fn a_network_comes_changes_and_goes() {
    let site = Site::new("network");
    for nat in ["one", "each", "none"] {
        site.stack("network", &resources(nat));
        site.stack_command("apply", &["--yes"]).success();
        assert_eq!(actions(&site.plan()), Vec::<String>::new(), "nat: {nat}");
    }
    site.stack_command("destroy", &["--yes"]).success();
    let left = site.stack_command("destroy", &["--yes", "--json"]).success().json();
    assert_eq!(actions(&left["plan"]), Vec::<String>::new());
}

#[test]
fn what_is_left_of_a_gateway_goes_with_it() {
    let site = Site::new("left-over");
    site.stack("left-over", &resources("one"));
    site.stack_command("apply", &["--yes"]).success();
    // Somebody deletes the gateway; its address stays, and is given back before another one comes.
    site.ec2(async |ec2| {
        let gateways = ec2.describe_nat_gateways(&[]).await.expect("ask");
        ec2.delete_nat_gateway(&gateways[0].nat_gateway_id).await.expect("delete the gateway");
    });
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(actions(&site.plan()).contains(&"replace lake-nat-a".to_owned()));
    site.stack_command("apply", &["--yes"]).success();
    assert_eq!(actions(&site.plan()), Vec::<String>::new());
    let addresses = site.ec2(async |ec2| ec2.describe_addresses(&[]).await.expect("ask"));
    assert_eq!(addresses.len(), 1);
    site.stack_command("destroy", &["--yes"]).success();
    let addresses = site.ec2(async |ec2| ec2.describe_addresses(&[]).await.expect("ask"));
    assert!(addresses.is_empty());
}
