//! Nothing that holds data goes without a word in the stack, and what goes goes with care. lagoa
//! takes the sandbox for AWS here: for its own sandbox it lifts every protection.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/running.rs"]
mod running;
mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use cloud::wait;
use futures::{StreamExt, stream};
use lagoa::aws::ec2::{Direction, Filter, IpPermission, Peer};
use proxy::{Call, Deed, Proxy};
use running::Running;
use serde_json::{Map, Value, json};
use support::{Ran, Site, actions};

const DESTROY: &[&str] = &["destroy", "stack.yaml", "--yes"];

/// Objects that are put into the bucket, how many of them twice, and how many are deleted again.
const OBJECTS: usize = 900;
const TWICE: usize = 200;
const GONE: usize = 150;
const VERSIONS: usize = OBJECTS + TWICE + GONE;

fn resources(value: Value) -> Map<String, Value> {
    value.as_object().expect("resources are a mapping").clone()
}

/// lagoa with the sandbox for AWS.
fn lagoa(site: &Site, arguments: &[&str]) -> Ran {
    let mut command = site.command(arguments);
    site.aws(&mut command, &site.endpoint());
    Ran { arguments: arguments.join(" "), output: command.output().expect("run lagoa") }
}

fn apply(site: &Site, stack: &str, resources: &Value) -> Ran {
    site.stack(stack, &self::resources(site.real(resources.clone())));
    lagoa(site, &["apply", "stack.yaml", "--yes"])
}

fn plan(site: &Site, stack: &str, resources: &Value) -> String {
    site.stack(stack, &self::resources(site.real(resources.clone())));
    lagoa(site, &["plan", "stack.yaml"]).success().stdout()
}

#[track_caller]
fn tells(text: &str, words: &[&str]) {
    // Lines are broken where the terminal ends.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in words {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
}

fn s3(site: &Site) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&cloud::config(site))
}

/// Versions and delete markers; nothing when there is no such bucket.
fn versions(site: &Site, bucket: &str) -> Option<usize> {
    let s3 = s3(site);
    wait(async {
        s3.head_bucket().bucket(bucket).send().await.ok()?;
        let (mut count, mut after) = (0, (None, None));
        loop {
            let list = s3.list_object_versions().bucket(bucket);
            let list = list.set_key_marker(after.0).set_version_id_marker(after.1);
            let page = list.send().await.expect("list the versions");
            count += page.versions().len() + page.delete_markers().len();
            if page.is_truncated() != Some(true) {
                return Some(count);
            }
            after = (page.next_key_marker, page.next_version_id_marker);
        }
    })
}

fn fill(site: &Site, bucket: &str) {
    let s3 = s3(site);
    let key = |number: usize| format!("raw/{number}");
    wait(async {
        let puts = (0..OBJECTS).chain(0..TWICE).map(|number| {
            let put = s3.put_object().bucket(bucket).key(key(number)).body(b"1".to_vec().into());
            async { put.send().await.expect("put an object") }
        });
        stream::iter(puts).buffer_unordered(8).collect::<Vec<_>>().await;
        let object = |number| ObjectIdentifier::builder().key(key(number)).build().expect("a key");
        let gone = Delete::builder().set_objects(Some((0..GONE).map(object).collect()));
        let gone = gone.build().expect("objects");
        s3.delete_objects().bucket(bucket).delete(gone).send().await.expect("delete objects");
    });
}

fn empties(call: &Call) -> bool {
    call.service == "s3" && call.operation.starts_with("POST /") && call.asks.contains("<Delete")
}

/// Destroys in front of a terminal; what it shows, and how many versions each call deleted.
fn watched(site: &Site) -> (String, Vec<usize>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let judge = move |call: &Call| {
        if !empties(call) {
            return Deed::Pass;
        }
        seen.lock().expect("a list").push(call.asks.matches("<Key>").count());
        // So that there is something to watch.
        Deed::Delay(Duration::from_millis(400))
    };
    let proxy = Proxy::new(&site.endpoint(), Box::new(judge));
    let mut command = site.command(DESTROY);
    site.aws(&mut command, &proxy.endpoint);
    let (mut run, _screen) = Running::at_a_terminal(command);
    assert_eq!(run.ends_within(Duration::from_secs(60)), Some(0), "{}", run.said());
    let calls = calls.lock().expect("a list").clone();
    (run.said(), calls)
}

/// Destroys, and kills it at its second call that empties a bucket.
fn killed(site: &Site) {
    let (reached, at) = mpsc::channel();
    let mut emptied = 0;
    let judge = move |call: &Call| {
        emptied += usize::from(empties(call));
        if emptied < 2 {
            return Deed::Pass;
        }
        // Whoever waits for this may be gone already.
        let _ = reached.send(());
        Deed::Drop
    };
    let proxy = Proxy::new(&site.endpoint(), Box::new(judge));
    let mut command = site.command(DESTROY);
    site.aws(&mut command, &proxy.endpoint);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("run lagoa");
    at.recv_timeout(Duration::from_secs(60)).expect("it empties the bucket");
    child.kill().expect("kill lagoa");
    child.wait().expect("lagoa ends");
    proxy.rest();
}

/// Destroys, and interrupts it at its first call that empties a bucket.
fn interrupted(site: &Site) {
    let (reached, at) = mpsc::channel();
    let judge = move |call: &Call| {
        if !empties(call) {
            return Deed::Pass;
        }
        // Whoever waits for this may have heard it before.
        let _ = reached.send(());
        Deed::Delay(Duration::from_secs(1))
    };
    let proxy = Proxy::new(&site.endpoint(), Box::new(judge));
    let mut run = Running::through(site, &proxy.endpoint, DESTROY);
    at.recv_timeout(Duration::from_secs(60)).expect("it empties the bucket");
    run.signal(libc::SIGINT);
    assert_eq!(run.ends_within(Duration::from_secs(30)), Some(130), "{}", run.said());
}

#[test]
fn a_bucket_is_emptied_on_purpose_only_and_in_batches() {
    let site = Site::new("careful-bucket");
    let lake = json!({ "careful-lake": { "kind": "s3_bucket", "versioning": true } });
    apply(&site, "careful-bucket", &lake).success();
    fill(&site, "careful-lake");
    assert_eq!(versions(&site, "careful-lake"), Some(VERSIONS));

    let refused = lagoa(&site, DESTROY).ends_with(1).stdout();
    tells(
        &refused,
        &[
            "it holds more than 1,000 object versions, and the stack doesn't say",
            "give careful-lake `on_destroy: delete` or `on_destroy: retain`",
        ],
    );
    assert_eq!(versions(&site, "careful-lake"), Some(VERSIONS), "something was deleted");

    let mut lake = lake;
    lake["careful-lake"]["on_destroy"] = "delete".into();
    site.stack("careful-bucket", &resources(lake));
    let told = lagoa(&site, &["plan", "stack.yaml", "--destroy"]).success().stdout();
    tells(&told, &["data: more than 1,000 object versions will be deleted for good"]);

    let copy = site.copy();
    killed(&copy);
    let left = versions(&copy, "careful-lake").expect("the bucket is still there");
    assert!((1..VERSIONS).contains(&left), "{left} versions are left");
    copy.unlock("careful-bucket");
    lagoa(&copy, DESTROY).success();
    assert_eq!(versions(&copy, "careful-lake"), None, "the next run finishes");

    let copy = site.copy();
    interrupted(&copy);
    let left = versions(&copy, "careful-lake");
    assert_eq!(left, Some(VERSIONS - 1000), "it stops after the page that it is at");
    lagoa(&copy, DESTROY).success();
    assert_eq!(versions(&copy, "careful-lake"), None, "the next run finishes");

    let (screen, calls) = watched(&site);
    tells(&screen, &["careful-lake emptying: 1,000 versions deleted"]);
    assert_eq!(versions(&site, "careful-lake"), None, "the bucket is gone");
    assert_eq!(calls.iter().sum::<usize>(), VERSIONS, "{calls:?}");
    assert!(calls.iter().all(|keys| *keys <= 1000), "S3 takes a thousand: {calls:?}");
    assert!(calls.len() <= VERSIONS / 100, "{calls:?}");
}

fn database(more: &Value) -> Value {
    let mut database = json!({
        "kind": "rds_instance", "engine": "postgres", "engine_version": "15",
        "instance_class": "db.t3.micro", "storage_gib": 20, "username": "postgres",
        "managed_password": true,
    });
    database.as_object_mut().expect("a mapping").extend(resources(more.clone()));
    json!({ "careful-db": database })
}

/// All but those that AWS makes by itself.
fn snapshots(site: &Site) -> BTreeSet<String> {
    let rds = aws_sdk_rds::Client::new(&cloud::config(site));
    let all = wait(rds.describe_db_snapshots().send()).expect("list the snapshots");
    let names = all.db_snapshots().iter().filter_map(|one| one.db_snapshot_identifier());
    names.filter(|name| !name.starts_with("rds:")).map(str::to_owned).collect()
}

/// What the plan or the summary calls the final snapshot.
fn named_snapshot(text: &str) -> String {
    let after = text.split("the final snapshot").nth(1).expect("it names the final snapshot");
    let name = after.split_whitespace().next().expect("a name");
    name.trim_end_matches(';').to_owned()
}

#[test]
fn a_database_leaves_a_snapshot_each_time_and_protection_holds() {
    let site = Site::serverless("careful-database");
    let on = |more: &Value| apply(&site, "careful-database", &database(more));

    // The last snapshot is there when the next one is made.
    let mut names = BTreeSet::new();
    for round in 1..=2 {
        on(&json!({ "on_destroy": "snapshot" })).success();
        let said = lagoa(&site, DESTROY).success().stdout();
        names.insert(named_snapshot(&said));
        assert_eq!(names.len(), round, "{names:?}");
        assert_eq!(snapshots(&site), names, "each is kept under the name that was told");
    }

    // Deletion protection is lifted by its own flag only.
    on(&json!({ "on_destroy": "snapshot", "deletion_protection": true })).success();
    let refused = lagoa(&site, DESTROY).ends_with(1).stdout();
    tells(&refused, &["blocked: deletion protection is on", "add --force-unprotect"]);
    assert_eq!(snapshots(&site).len(), 2);
    let refused = plan(
        &site,
        "careful-database",
        &database(&json!({ "on_destroy": "snapshot", "username": "careful",
            "deletion_protection": true })),
    );
    tells(&refused, &["blocked: deletion protection is on"]);

    // `protect` isn't lifted by that flag.
    let forced = [DESTROY, &["--force-unprotect"]].concat();
    on(&json!({ "on_destroy": "delete", "deletion_protection": true, "protect": true })).success();
    let refused = lagoa(&site, &forced).ends_with(1).stdout();
    tells(&refused, &["it is protected by `protect: true`", "remove `protect` from the stack"]);
    on(&json!({ "deletion_protection": true })).success();
    lagoa(&site, &forced).success();
    assert_eq!(snapshots(&site).len(), 3, "without a word there is a final snapshot");
}

/// Who stops a server for the night wants it back in the morning.
#[test]
fn a_database_at_rest_is_left_alone() {
    let site = Site::serverless("careful-rest");
    let stack = database(&json!({ "on_destroy": "delete" }));
    apply(&site, "careful-rest", &stack).success();
    let rds = aws_sdk_rds::Client::new(&cloud::config(&site));
    wait(rds.stop_db_instance().db_instance_identifier("careful-db").send()).expect("stop it");
    tells(&plan(&site, "careful-rest", &stack), &["No changes"]);
}

#[test]
fn a_replacement_says_what_becomes_of_the_data_and_needs_a_word() {
    let site = Site::serverless("careful-replacement");
    let lock =
        |enabled: bool| json!({ "kind": "s3_bucket", "object_lock": { "enabled": enabled } });
    let stack = |more: &Value, locked: bool| {
        let mut all = database(more);
        all["careful-locked"] = lock(locked);
        all["careful-kept"] = json!({ "kind": "s3_bucket", "on_destroy": "retain" });
        all
    };
    let name = "careful-replacement";
    apply(&site, name, &stack(&json!({}), true)).success();
    for bucket in ["careful-locked", "careful-kept"] {
        let put = s3(&site).put_object().bucket(bucket).key("row").body(b"1".to_vec().into());
        wait(put.send()).expect("put an object");
    }

    // Neither the default nor the full bucket is a word.
    let other = json!({ "username": "careful" });
    let told = plan(&site, name, &stack(&other, false));
    tells(
        &told,
        &[
            "data: the data is kept in the final snapshot careful-db-final-",
            "the new one doesn't get it by itself",
            "and the stack doesn't say what should happen to what it holds (a database)",
            "give careful-db `on_destroy: snapshot` or `on_destroy: delete`",
            "blocked: it holds 1 object, and the stack doesn't say what should happen to them",
        ],
    );
    apply(&site, name, &stack(&other, false)).ends_with(1);
    assert_eq!(versions(&site, "careful-locked"), Some(1));
    assert_eq!(snapshots(&site), BTreeSet::new());

    // With a word it is done as it was told.
    let other = json!({ "username": "careful", "on_destroy": "snapshot" });
    let done = apply(&site, name, &stack(&other, true)).success().stdout();
    tells(&done, &["replaced: username can't be changed in place"]);
    assert_eq!(snapshots(&site), BTreeSet::from([named_snapshot(&done)]));

    // What is retained is neither replaced nor deleted.
    let retained = json!({ "username": "third", "on_destroy": "retain" });
    tells(&plan(&site, name, &stack(&retained, true)), &["and on_destroy is retain"]);
    let mut stack = stack(&json!({ "username": "careful", "on_destroy": "delete" }), true);
    stack["careful-locked"]["on_destroy"] = "delete".into();
    apply(&site, name, &stack).success();
    let gone = lagoa(&site, DESTROY).success().stdout();
    tells(
        &gone,
        &["s3_bucket careful-kept data: nothing is deleted", "1 object will be deleted for good"],
    );
    assert_eq!(versions(&site, "careful-kept"), Some(1));
    assert_eq!(versions(&site, "careful-locked"), None);
    assert_eq!(snapshots(&site).len(), 1, "on_destroy: delete makes no snapshot");
}

/// Things that use each other: rules, groups, subnets, a database, policies, roles.
fn web() -> Value {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" }],
    });
    let mut web = database(&json!({
        "on_destroy": "delete",
        "security_groups": ["careful-inside"],
        "subnet_group": "careful-subnets",
        "parameter_group": "careful-settings",
    }));
    let others = json!({
        "careful-stays": { "kind": "iam_group" },
        "careful-access": { "kind": "ec2_security_group" },
        "careful-inside": {
            "kind": "ec2_security_group",
            "ingress": [{ "protocol": "tcp", "ports": 5432, "security_group": "careful-access" }],
        },
        "careful-subnets": {
            "kind": "rds_subnet_group",
            "subnets": ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"],
        },
        "careful-settings": { "kind": "rds_parameter_group", "family": "postgres15" },
        "careful-list": { "kind": "iam_policy", "document": document },
        "careful-reader": {
            "kind": "iam_role", "service": "glue.amazonaws.com",
            "managed_policies": ["careful-list"],
        },
    });
    web.as_object_mut().expect("a mapping").extend(resources(others));
    web
}

#[test]
fn what_left_the_file_at_once_goes_in_order() {
    let site = Site::serverless("careful-orphans");
    apply(&site, "careful-orphans", &web()).success();
    site.stack("careful-orphans", &resources(json!({ "careful-stays": { "kind": "iam_group" } })));

    let deletes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&deletes);
    let judge = move |call: &Call| {
        if call.operation.starts_with("Delete") && call.service != "s3" {
            seen.lock().expect("a list").push(call.operation.clone());
        }
        Deed::Pass
    };
    let proxy = Proxy::new(&site.endpoint(), Box::new(judge));
    let run = &["apply", "stack.yaml", "--yes"];
    let mut run = Running::through(&site, &proxy.endpoint, run);
    assert_eq!(run.ends_within(Duration::from_secs(60)), Some(0), "{}", run.said());
    let deletes = deletes.lock().expect("a list").clone();
    let at = |operation: &str| {
        let found: Vec<_> = (0..deletes.len()).filter(|n| deletes[*n] == operation).collect();
        assert_eq!(found.len(), 1, "AWS refused none: {deletes:?}");
        found[0]
    };
    let database = at("DeleteDBInstance");
    assert!(database < at("DeleteDBSubnetGroup") && database < at("DeleteDBParameterGroup"));
    assert!(at("DeleteRole") < at("DeletePolicy"), "{deletes:?}");
    let groups: Vec<_> =
        (0..deletes.len()).filter(|n| deletes[*n] == "DeleteSecurityGroup").collect();
    assert_eq!(groups.len(), 2, "AWS refused none: {deletes:?}");
    assert!(groups.iter().all(|group| *group > database), "{deletes:?}");
    assert_eq!(actions(&site.plan()), Vec::<String>::new());
}

/// A call of EC2's that lagoa doesn't make.
fn ec2(site: &Site, form: &str) -> String {
    let endpoint = site.endpoint();
    let address = endpoint.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("connect to the sandbox");
    let request = format!(
        "POST / HTTP/1.0\r\nHost: {address}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).expect("ask the sandbox");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("read the answer");
    assert!(reply.contains(" 200 "), "{reply}");
    reply
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split(start).nth(1).expect("it is in the answer");
    rest.split(end).next().expect("it ends")
}

#[test]
fn what_is_in_the_way_is_named() {
    let site = Site::serverless("careful-way");
    let stack = json!({ "careful-access": { "kind": "ec2_security_group" } });
    apply(&site, "careful-way", &stack).success();
    let named = |name: &str| Filter::new("group-name", [name.to_owned()]);
    let (group, subnet) = site.ec2(async |ec2| {
        let groups = ec2.describe_security_groups(&[named("careful-access")]).await;
        let subnets = ec2.describe_subnets(&[]).await.expect("list the subnets");
        (groups.expect("find the group")[0].group_id.clone(), subnets[0].subnet_id.clone())
    });
    let interface = ec2(
        &site,
        &format!(
            "Action=CreateNetworkInterface&Version=2016-11-15&SubnetId={subnet}\
             &SecurityGroupId.1={group}&Description=of+somebody+else"
        ),
    );
    let interface = between(&interface, "<networkInterfaceId>", "<").to_owned();
    let other = site.ec2(async |ec2| {
        ec2.create_security_group("somebody-elses", "theirs", None, &Default::default())
            .await
            .expect("make a group");
        let groups = ec2.describe_security_groups(&[named("somebody-elses")]).await;
        let other = groups.expect("find it")[0].group_id.clone();
        let peer = Peer::Group { group_id: group.clone(), user_id: None };
        let rule = IpPermission {
            protocol: "tcp".into(),
            from_port: Some(5432),
            to_port: Some(5432),
            peer,
            description: None,
        };
        ec2.authorize_security_group(Direction::Ingress, &other, &[rule]).await.expect("a rule");
        other
    });

    // Named while it waits, and when it is told to stop waiting.
    let mut command = site.command(DESTROY);
    site.aws(&mut command, &site.endpoint());
    let (mut run, _screen) = Running::at_a_terminal(command);
    let words = format!("still used by network interface {interface} (of somebody else)");
    run.says(&words);
    run.signal(libc::SIGINT);
    assert_eq!(run.ends_within(Duration::from_secs(10)), Some(130), "{}", run.said());
    let said = run.said();
    let end = said.split("Begun, not finished:").nth(1).expect("what isn't done is told");
    tells(end, &[&words, &format!("a rule of security group somebody-elses ({other})")]);

    // And it goes as soon as nothing is in the way any more.
    let mut run = Running::through(&site, &site.endpoint(), DESTROY);
    ec2(
        &site,
        &format!("Action=DeleteNetworkInterface&Version=2016-11-15&NetworkInterfaceId={interface}"),
    );
    ec2(&site, &format!("Action=DeleteSecurityGroup&Version=2016-11-15&GroupId={other}"));
    assert_eq!(run.ends_within(Duration::from_secs(30)), Some(0), "{}", run.said());
}

/// An account has one provider for each URL, and other stacks may stand on it.
#[test]
fn a_provider_that_makes_way_for_another_url_stays() {
    let site = Site::serverless("careful-oidc");
    for url in ["https://old.example", "https://new.example"] {
        let issuer = json!({ "issuer": { "kind": "iam_oidc_provider", "url": url } });
        apply(&site, "issuers", &issuer).success();
        lagoa(&site, &["plan", "stack.yaml", "--detailed-exitcode"]).success();
    }
    let iam = aws_sdk_iam::Client::new(&cloud::config(&site));
    let marked = |host: &str| {
        let all = wait(iam.list_open_id_connect_providers().send()).expect("list the providers");
        let mut arns = all.open_id_connect_provider_list().iter().filter_map(|one| one.arn());
        let arn = arns.find(|arn| arn.ends_with(host)).expect("it is there");
        let one = wait(iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send());
        one.expect("it can be read").tags().iter().any(|tag| tag.key() == "lagoa:stack")
    };
    assert!(marked("new.example") && !marked("old.example"));
}
