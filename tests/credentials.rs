//! Credentials that lagoa makes stay whole: lost, thrown away or rotated, the next apply makes
//! them anew, in the same secret, and the old ones open nothing any more.

#[path = "support/cloud.rs"]
mod cloud;
mod support;

use aws_config::SdkConfig;
use cloud::wait;
use serde_json::{Value, json};
use support::{Site, changed};

/// The value of a secret that must be there.
async fn value(config: &SdkConfig, name: &str) -> String {
    let secrets = aws_sdk_secretsmanager::Client::new(config);
    let reply = secrets.get_secret_value().secret_id(name).send().await.expect("read a secret");
    reply.secret_string.expect("a secret has a value")
}

/// What the three secrets hold, after making sure that it fits what AWS has.
async fn credentials(config: &SdkConfig) -> [String; 3] {
    let member = |text: &str, name: &str| {
        let value: Value = serde_json::from_str(text).expect("the secret is JSON");
        value[name].as_str().expect("it has the member").to_owned()
    };
    let password = value(config, "credentials-ana/console").await;
    let key = value(config, "credentials-ana/access-key").await;
    let pair = value(config, "credentials-pair/private-key").await;

    let iam = aws_sdk_iam::Client::new(config);
    let keys = iam.list_access_keys().user_name("credentials-ana").send().await.expect("list keys");
    let keys: Vec<_> =
        keys.access_key_metadata().iter().filter_map(|key| key.access_key_id()).collect();
    assert_eq!(keys, [member(&key, "access_key_id")], "the user has the key in the secret alone");
    let profile = iam.get_login_profile().user_name("credentials-ana").send().await;
    profile.expect("the user may sign in");

    let ec2 = lagoa::aws::ec2::Client::new(config);
    let name = lagoa::aws::ec2::Filter::new("key-name", ["credentials-pair"]);
    let pairs = ec2.describe_key_pairs(&[name]).await.expect("describe key pairs");
    assert_eq!(pairs[0].key_pair_id, member(&pair, "key_pair_id"));
    assert!(member(&pair, "private_key").contains("PRIVATE KEY"));
    [password, key, pair]
}

#[test]
fn credentials_are_made_anew_when_they_are_lost_or_rotated() {
    let site = Site::new("credentials");
    let stack = json!({
        "credentials-ana": { "kind": "iam_user", "console": {}, "access_key": {} },
        "credentials-pair": { "kind": "ec2_key_pair" },
    });
    site.stack("credentials", stack.as_object().expect("a mapping"));
    site.stack_command("apply", &["--yes"]).success();
    let config = cloud::config(&site);
    let first = wait(credentials(&config));

    let rotate = ["--yes", "--rotate", "credentials-ana", "--rotate", "credentials-pair"];
    site.stack_command("apply", &rotate).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
    let second = wait(credentials(&config));
    assert!(first.iter().zip(&second).all(|(old, new)| old != new), "all are new");

    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let names =
        ["credentials-ana/console", "credentials-ana/access-key", "credentials-pair/private-key"];
    for name in names {
        wait(secrets.delete_secret().secret_id(name).send()).expect("delete a secret");
    }
    let paths = [
        "credentials-ana: access_key",
        "credentials-ana: console",
        "credentials-pair: private_key",
    ];
    assert_eq!(changed(&site.plan()), paths);
    site.stack_command("apply", &["--yes"]).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
    let third = wait(credentials(&config));
    assert!(second.iter().zip(&third).all(|(old, new)| old != new), "none is used again");

    let iam = aws_sdk_iam::Client::new(&config);
    let id: Value = serde_json::from_str(&third[1]).expect("the secret is JSON");
    let id = id["access_key_id"].as_str().expect("it has an id");
    wait(iam.delete_access_key().user_name("credentials-ana").access_key_id(id).send())
        .expect("delete a key");
    wait(iam.delete_login_profile().user_name("credentials-ana").send()).expect("end the sign-in");
    site.stack_command("apply", &["--yes"]).success();
    let fourth = wait(credentials(&config));
    assert_eq!(third[0], fourth[0], "the password in the secret is set again");
    assert_ne!(third[1], fourth[1]);

    site.stack_command("destroy", &["--yes"]).success();
    let left = wait(secrets.list_secrets().send()).expect("list secrets");
    assert!(left.secret_list().is_empty(), "{:?} are left", left.secret_list());
}

#[test]
fn dms_is_given_the_password_that_rds_has_rotated() {
    let site = Site::serverless("credentials-dms");
    let stack = json!({
        "rotated-db": {
            "kind": "rds_instance", "engine": "postgres", "instance_class": "db.t3.micro",
            "storage_gib": 20, "username": "coins", "managed_password": true,
            "on_destroy": "delete",
        },
        "rotated-source": {
            "kind": "dms_endpoint", "type": "source", "engine": "postgres", "rds": "rotated-db",
        },
    });
    site.stack("credentials-dms", stack.as_object().expect("a mapping"));
    site.stack_command("apply", &["--yes"]).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();

    site.stack_command("apply", &["--yes", "--rotate", "rotated-db"]).success();
    assert_eq!(changed(&site.plan()), ["rotated-source: password_outdated"]);
    site.stack_command("apply", &["--yes"]).success();
    site.stack_command("plan", &["--detailed-exitcode"]).success();
    site.stack_command("destroy", &["--yes"]).success();
}
