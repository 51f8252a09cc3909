//! What happens behind lagoa's back is in the ordinary plan, apply repairs it, and what isn't
//! ours is never touched.

#[path = "support/cloud.rs"]
mod cloud;
mod support;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use cloud::wait;
use lagoa::aws::ec2::{Direction, IpPermission, Peer};
use serde_json::{Map, Value, json};
use support::{Site, actions, changed};

fn resources(value: Value) -> Map<String, Value> {
    value.as_object().expect("resources are a mapping").clone()
}

fn platform() -> Map<String, Value> {
    resources(json!({
        "drift-raw": { "kind": "s3_bucket", "versioning": true, "tags": { "Zone": "raw" } },
        "drift-gone": { "kind": "s3_bucket" },
        "drift-access": {
            "kind": "ec2_security_group",
            "ingress": [{ "protocol": "tcp", "ports": 5432, "cidr": "203.0.113.7/32" }],
        },
        "drift-role": { "kind": "iam_role", "service": "glue.amazonaws.com" },
    }))
}

#[test]
fn drift_is_in_the_plan_and_apply_repairs_it() {
    let site = Site::new("drift");
    site.stack("drift", &platform());
    site.stack_command("apply", &["--yes"]).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
    let config = cloud::config(&site);
    let s3 = aws_sdk_s3::Client::new(&config);
    let ec2 = lagoa::aws::ec2::Client::new(&config);
    let iam = aws_sdk_iam::Client::new(&config);
    wait(async {
        let suspended =
            VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
        s3.put_bucket_versioning()
            .bucket("drift-raw")
            .versioning_configuration(suspended)
            .send()
            .await
            .expect("suspend");
        let mine = ["lagoa:stack", "lagoa:name"].map(|key| {
            let value = if key == "lagoa:stack" { "drift" } else { "drift-raw" };
            aws_sdk_s3::types::Tag::builder().key(key).value(value).build().expect("a tag")
        });
        let tagging = aws_sdk_s3::types::Tagging::builder()
            .set_tag_set(Some(mine.into()))
            .build()
            .expect("tags");
        s3.put_bucket_tagging()
            .bucket("drift-raw")
            .tagging(tagging)
            .send()
            .await
            .expect("take tags away");
        s3.delete_bucket().bucket("drift-gone").send().await.expect("delete a bucket");
        let name = lagoa::aws::ec2::Filter::new("group-name", ["drift-access".to_owned()]);
        let groups = ec2.describe_security_groups(&[name]).await.expect("find the group");
        let open = IpPermission {
            protocol: "tcp".into(),
            from_port: Some(22),
            to_port: Some(22),
            peer: Peer::Ipv4("0.0.0.0/0".into()),
            description: None,
        };
        ec2.authorize_security_group(Direction::Ingress, &groups[0].group_id, &[open])
            .await
            .expect("add a rule");
        iam.attach_role_policy()
            .role_name("drift-role")
            .policy_arn("arn:aws:iam::aws:policy/AdministratorAccess")
            .send()
            .await
            .expect("attach a policy");
    });

    let plan = site.plan();
    assert_eq!(
        actions(&plan),
        ["create drift-gone", "update drift-access", "update drift-raw", "update drift-role"]
    );
    let changed = changed(&plan);
    for path in [
        "drift-access: ingress",
        "drift-raw: tags.Team",
        "drift-raw: tags.Zone",
        "drift-raw: versioning",
        "drift-role: managed_policies",
    ] {
        assert!(changed.iter().any(|one| one == path), "{path} is missing in {changed:?}");
    }
    site.stack_command("apply", &["--yes"]).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
}

#[test]
fn a_fresh_checkout_elsewhere_plans_the_same() {
    let site = Site::new("checkout");
    site.stack("checkout", &platform());
    site.stack_command("apply", &["--yes"]).success();
    let there = site.elsewhere("checkout-there");
    there.stack("checkout", &platform());
    there.stack_command("plan", &["--detailed-exitcode"]).success();

    let fewer = platform().into_iter().filter(|(key, _)| key != "drift-role").collect();
    there.stack("checkout", &fewer);
    assert_eq!(actions(&there.plan()), ["delete drift-role"]);
    site.stack("checkout", &fewer);
    assert_eq!(site.plan()["resources"], there.plan()["resources"]);
}

#[test]
fn what_is_not_ours_is_never_touched() {
    let site = Site::new("foreign");
    let s3 = aws_sdk_s3::Client::new(&cloud::config(&site));
    wait(async {
        s3.create_bucket().bucket("somebody-elses").send().await.expect("make a bucket")
    });
    let stack = resources(json!({
        "somebody-elses": { "kind": "s3_bucket", "versioning": true },
        "our-own": { "kind": "s3_bucket" },
    }));
    site.stack("foreign", &stack);
    let text = site.stack_command("plan", &[]).success().stdout();
    assert!(text.contains("adopt: true"), "the plan names the way out:\n{text}");

    site.stack_command("apply", &["--yes"]).ends_with(1);
    let versioning =
        wait(async { s3.get_bucket_versioning().bucket("somebody-elses").send().await });
    assert_eq!(versioning.expect("read it").status(), None, "a foreign bucket was changed");
    assert!(
        actions(&site.plan()).iter().all(|action| action != "create our-own"),
        "the neighbour was made"
    );
    site.stack_command("destroy", &["--yes"]).success();
    wait(async { s3.head_bucket().bucket("somebody-elses").send().await })
        .expect("it is still there");

    site.stack("foreign", &stack);
    site.run(&["adopt", "stack.yaml", "somebody-elses", "--sandbox", "--yes"]).success();
    site.stack_command("apply", &["--yes"]).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
}

#[test]
fn data_is_not_lost_without_a_word() {
    let site = Site::new("careful");
    let bucket = |word: Option<&str>| {
        let mut bucket = json!({ "kind": "s3_bucket" });
        if let Some(word) = word {
            bucket["on_destroy"] = word.into();
        }
        resources(json!({ "with-data": bucket }))
    };
    site.stack("careful", &bucket(None));
    site.stack_command("apply", &["--yes"]).success();
    let s3 = aws_sdk_s3::Client::new(&cloud::config(&site));
    let put = s3.put_object().bucket("with-data").key("row").body(b"1".to_vec().into());
    wait(put.send()).expect("put an object");

    site.stack("careful", &Map::new());
    let text = site.stack_command("plan", &[]).success().stdout();
    assert!(text.contains("on_destroy"), "the plan says what to write:\n{text}");
    site.stack_command("apply", &["--yes"]).ends_with(1);
    wait(s3.head_object().bucket("with-data").key("row").send())
        .expect("the object is still there");

    site.stack("careful", &bucket(Some("retain")));
    site.stack_command("apply", &["--yes"]).success();
    site.stack("careful", &Map::new());
    site.stack_command("apply", &["--yes"]).success();
    wait(s3.head_object().bucket("with-data").key("row").send())
        .expect("a retained object is still there");

    site.stack("careful", &bucket(Some("delete")));
    site.stack_command("apply", &["--yes"]).success();
    site.stack("careful", &Map::new());
    site.stack_command("apply", &["--yes"]).success();
    assert!(wait(s3.head_bucket().bucket("with-data").send()).is_err(), "the bucket is gone");
}
