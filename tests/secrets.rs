//! No secret is ever in what lagoa prints, logs, tags or writes: every secret of a platform is
//! looked for everywhere.

#[path = "support/cloud.rs"]
mod cloud;
mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cloud::wait;
use serde_json::{Value, json};
use support::Site;

const PLANTED: &str = "Planted-9f31-password";

fn platform() -> Value {
    json!({
        "secrets-own": {
            "kind": "rds_instance", "engine": "postgres", "engine_version": "15", "instance_class": "db.t3.micro",
            "storage_gib": 20, "database": "coins", "username": "postgres", "password": "${env.PLANTED_PASSWORD}",
            "on_destroy": "delete",
        },
        "secrets-managed": {
            "kind": "rds_instance", "engine": "postgres", "engine_version": "15", "instance_class": "db.t3.micro",
            "storage_gib": 20, "database": "coins", "username": "postgres", "managed_password": true,
            "on_destroy": "delete",
        },
        "secrets-seed": { "kind": "postgres_seed", "database": "secrets-own", "scripts": ["seed.sql"] },
        "secrets-generated": { "kind": "secretsmanager_secret", "generate": { "length": 40 } },
        "secrets-given": { "kind": "secretsmanager_secret", "value": "${env.PLANTED_PASSWORD}" },
        "secrets-user": { "kind": "iam_user", "console": {}, "access_key": {} },
        "secrets-key": { "kind": "ec2_key_pair" },
    })
}

/// Every secret value in the account, and the parts of those that are JSON.
fn secrets(site: &Site) -> Vec<String> {
    let client = aws_sdk_secretsmanager::Client::new(&cloud::config(site));
    wait(async {
        let mut all = vec![PLANTED.to_owned()];
        let list = client.list_secrets().send().await.expect("list secrets");
        for secret in list.secret_list() {
            let arn = secret.arn().expect("a secret has an ARN");
            let value =
                client.get_secret_value().secret_id(arn).send().await.expect("get a secret");
            let text = value.secret_string().unwrap_or_default().to_owned();
            if let Ok(Value::Object(members)) = serde_json::from_str(&text) {
                let secret = ["password", "secret_access_key", "private_key"];
                all.extend(
                    secret.iter().filter_map(|name| Some(members.get(*name)?.as_str()?.to_owned())),
                );
            }
            all.push(text);
        }
        all
    })
}

/// The command lines of a process and of those it started.
fn command_lines(pid: u32) -> Vec<(u32, String)> {
    let read = |path: String| std::fs::read(path).unwrap_or_default();
    let line = read(format!("/proc/{pid}/cmdline"));
    let mut all = vec![(pid, String::from_utf8_lossy(&line).into_owned())];
    let children = read(format!("/proc/{pid}/task/{pid}/children"));
    let children = String::from_utf8_lossy(&children).into_owned();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    all.extend(children.flat_map(command_lines));
    all
}

fn files(folder: &Path, out: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("read a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, out);
        } else if let Ok(bytes) = std::fs::read(&path) {
            out.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

#[test]
fn no_secret_is_printed_logged_tagged_or_written() {
    let site = Site::new("secrets");
    site.write("seed.sql", "CREATE TABLE coins (id integer);\n");
    site.stack("secrets", platform().as_object().expect("resources"));
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut run = |arguments: &[&str], code: i32| {
        let mut command = site.command(arguments);
        command.env("PLANTED_PASSWORD", PLANTED).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("run lagoa");
        let said = arguments.join(" ");
        let pid = child.id();
        let output = std::thread::spawn(move || child.wait_with_output().expect("run lagoa"));
        while !output.is_finished() {
            for (process, line) in command_lines(pid) {
                let place = format!("arguments of {process} of {said}");
                if !seen.iter().any(|(known, _)| *known == place) {
                    seen.push((place, line));
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = output.join().expect("its output");
        assert_eq!(
            output.status.code(),
            Some(code),
            "lagoa {said}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        seen.push((
            format!("{said}, stdout"),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ));
        seen.push((
            format!("{said}, stderr"),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    };
    run(&["plan", "stack.yaml", "--sandbox", "-vvv"], 0);
    run(&["plan", "stack.yaml", "--sandbox", "--out", "first.plan"], 0);
    run(&["apply", "first.plan", "-vvv"], 0);
    run(&["plan", "stack.yaml", "--sandbox", "--json", "-vvv"], 0);
    run(&["apply", "stack.yaml", "--sandbox", "--json", "-vvv", "--rotate", "secrets-managed"], 0);
    run(&["show", "stack", "stack.yaml", "--sandbox"], 0);
    run(&["show", "outputs", "stack.yaml", "--sandbox"], 0);
    run(
        &["plan", "stack.yaml", "--sandbox", "--out", "second.plan", "--rotate", "secrets-managed"],
        0,
    );
    run(&["history", "stack.yaml", "--sandbox", "--json"], 0);

    let secrets = secrets(&site);
    assert!(seen.iter().any(|(place, _)| place.starts_with("arguments of")), "arguments are seen");
    assert!(secrets.len() >= 10, "a password, a key and more were made: {}", secrets.len());
    let tagging = aws_sdk_resourcegroupstagging::Client::new(&cloud::config(&site));
    let tags = wait(tagging.get_resources().send()).expect("read all tags");
    seen.push(("tags".to_owned(), format!("{:?}", tags.resource_tag_mapping_list())));
    files(&site.folder, &mut seen);
    for (place, text) in &seen {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "a secret is in: {place}");
        }
    }
    run_destroy(&site);
}

fn run_destroy(site: &Site) {
    let mut command = site.command(&["destroy", "stack.yaml", "--sandbox", "--yes"]);
    let output = command.env("PLANTED_PASSWORD", PLANTED).output().expect("run lagoa");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
