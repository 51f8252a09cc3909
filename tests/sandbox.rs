//! The sandbox as lagoa uses it: started, asked, connected to, stopped.
//!
//! Skipped, loudly, where there is no python3; `LAGOA_REQUIRE_SANDBOX=1` makes that a failure.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_rds::types::DbInstance;
use aws_sdk_s3::types::{CreateBucketConfiguration, Delete, ObjectIdentifier, Tag};
use lagoa::sandbox::{self, Sandbox};
use mysql_async::prelude::Queryable;
use tokio::time::sleep;

/// A sandbox of its own in a temporary directory, stopped at the end.
struct Fixture {
    sandbox: Sandbox,
}

impl Fixture {
    async fn start(name: &str) -> Option<Self> {
        let home = temporary(name);
        let mut steps = Vec::new();
        match sandbox::start_in(&home, &mut |step| steps.push(step.to_owned())).await {
            Ok(sandbox) => Some(Self { sandbox }),
            Err(error) if std::env::var_os("LAGOA_REQUIRE_SANDBOX").is_none() => {
                eprintln!("SKIPPED: {error}");
                None
            }
            Err(error) => panic!("{error} after {steps:?}"),
        }
    }

    /// A configuration made of what `Sandbox::environment` says.
    fn config(&self) -> SdkConfig {
        let value = |wanted: &str| {
            let environment = self.sandbox.environment();
            let found = environment.into_iter().find(|(name, _)| *name == wanted);
            found.expect("set").1
        };
        let credentials = Credentials::new(
            value("AWS_ACCESS_KEY_ID"),
            value("AWS_SECRET_ACCESS_KEY"),
            None,
            None,
            "test",
        );
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(value("AWS_ENDPOINT_URL"))
            .build()
    }

    fn rds(&self) -> aws_sdk_rds::Client {
        aws_sdk_rds::Client::new(&self.config())
    }

    async fn create(&self, id: &str, engine: &str, version: &str) {
        self.rds()
            .create_db_instance()
            .db_instance_identifier(id)
            .engine(engine)
            .engine_version(version)
            .db_instance_class("db.t3.micro")
            .allocated_storage(20)
            .master_username("owner")
            .master_user_password("first-password")
            .db_name("coins")
            .send()
            .await
            .expect("created");
    }

    async fn available(&self, id: &str) -> DbInstance {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(90) {
            let answer = self.rds().describe_db_instances().db_instance_identifier(id).send().await;
            let instance = answer.expect("described").db_instances.unwrap_or_default().remove(0);
            match instance.db_instance_status() {
                Some("available") => return instance,
                Some("failed") => panic!("{id} has failed: {}", log_of(&self.sandbox.home)),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("{id} did not become available");
    }

    async fn stop(self) {
        assert!(sandbox::stop_in(&self.sandbox.home).await.expect("stopped"));
        std::fs::remove_dir_all(&self.sandbox.home).expect("removed");
    }
}

fn temporary(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("lagoa-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

fn log_of(home: &Path) -> String {
    std::fs::read_to_string(home.join("sandbox.log")).unwrap_or_default()
}

fn port_of(instance: &DbInstance) -> u16 {
    let endpoint = instance.endpoint().expect("an endpoint");
    assert_eq!(endpoint.address(), Some("127.0.0.1"));
    endpoint.port().and_then(|port| port.try_into().ok()).expect("a port")
}

async fn in_postgres(port: u16, password: &str, query: &str) -> Result<String, String> {
    let place = format!("host=127.0.0.1 port={port} user=owner password={password} dbname=coins");
    let connected = tokio_postgres::connect(&place, tokio_postgres::NoTls).await;
    let (client, connection) = connected.map_err(|error| format!("{error:?}"))?;
    let background = tokio::spawn(connection);
    let answer = client.query_one(query, &[]).await.map(|row| row.get(0));
    drop(client);
    background.await.expect("no panic").expect("a connection to the end");
    answer.map_err(|error| format!("{error:?}"))
}

async fn in_mariadb(port: u16, password: &str, query: &str) -> Result<String, String> {
    let options = mysql_async::OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("owner"))
        .pass(Some(password))
        .db_name(Some("coins"))
        .prefer_socket(false);
    let connected = mysql_async::Conn::new(options).await;
    let mut connection = connected.map_err(|error| error.to_string())?;
    let answer: Option<String> =
        connection.query_first(query).await.map_err(|error| error.to_string())?;
    connection.disconnect().await.expect("disconnected");
    Ok(answer.unwrap_or_default())
}

async fn closed(port: u16) -> bool {
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn starts_once_and_stops() {
    let home = temporary("twice");
    let (mut first_steps, mut second_steps) = (Vec::new(), Vec::new());
    // Both at once: one starts it, the other waits and finds it.
    let (mut first_progress, mut second_progress) = (
        |step: &str| first_steps.push(step.to_owned()),
        |step: &str| second_steps.push(step.to_owned()),
    );
    let (first, second) = tokio::join!(
        sandbox::start_in(&home, &mut first_progress),
        sandbox::start_in(&home, &mut second_progress),
    );
    let first = match first {
        Ok(first) => first,
        Err(error) if std::env::var_os("LAGOA_REQUIRE_SANDBOX").is_none() => {
            eprintln!("SKIPPED: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let second = second.expect("found");
    assert_eq!(first.endpoint, second.endpoint);
    assert_eq!(first.pid, second.pid);
    let status = sandbox::status_in(&home).await.expect("asked").expect("running");
    assert_eq!(status.requests, 0);
    assert_eq!(status.databases, []);
    assert!(sandbox::stop_in(&home).await.expect("stopped"));
    assert!(sandbox::status_in(&home).await.expect("asked").is_none());
    assert!(!sandbox::stop_in(&home).await.expect("nothing to stop"));
    std::fs::remove_dir_all(&home).expect("removed");
}

#[tokio::test]
async fn a_postgres_instance_is_a_postgres_server() {
    let Some(fixture) = Fixture::start("postgres").await else {
        return;
    };
    fixture.create("Coins", "postgres", "15").await;
    let instance = fixture.available("coins").await;
    let port = port_of(&instance);
    assert_eq!(instance.db_instance_port(), Some(5432));
    assert!(instance.engine_version().is_some_and(|version| version.starts_with("15.")));
    let version = in_postgres(port, "first-password", "select version()").await.expect("queried");
    assert!(version.starts_with("PostgreSQL"), "{version}");

    let status = sandbox::status_in(&fixture.sandbox.home).await.expect("asked").expect("running");
    assert_eq!(status.databases.len(), 1);
    assert_eq!((status.databases[0].id.as_str(), status.databases[0].port), ("coins", port));

    let modify = fixture.rds().modify_db_instance().db_instance_identifier("coins");
    modify.master_user_password("second-password").send().await.expect("modified");
    in_postgres(port, "first-password", "select 'in'").await.expect_err("the old password");
    in_postgres(port, "second-password", "select 'in'").await.expect("the new password");

    fixture.available("coins").await;
    let delete = fixture.rds().delete_db_instance().db_instance_identifier("coins");
    delete.skip_final_snapshot(true).send().await.expect("deleted");
    assert!(closed(port).await, "the server ends with its instance");
    fixture.stop().await;
}

#[tokio::test]
async fn a_mariadb_instance_is_a_mariadb_server() {
    let Some(fixture) = Fixture::start("mariadb").await else {
        return;
    };
    fixture.create("shop", "mysql", "8.0").await;
    let port = port_of(&fixture.available("shop").await);
    let version = in_mariadb(port, "first-password", "select version()").await.expect("queried");
    assert!(!version.is_empty());
    let modify = fixture.rds().modify_db_instance().db_instance_identifier("shop");
    modify.master_user_password("second-password").send().await.expect("modified");
    in_mariadb(port, "first-password", "select 'in'").await.expect_err("the old password");
    in_mariadb(port, "second-password", "select 'in'").await.expect("the new password");
    fixture.stop().await;
    assert!(closed(port).await, "the server ends with the sandbox");
}

#[tokio::test]
async fn a_killed_sandbox_takes_its_databases_along() {
    let Some(fixture) = Fixture::start("killed").await else {
        return;
    };
    fixture.create("coins", "postgres", "16").await;
    let port = port_of(&fixture.available("coins").await);
    let pid = fixture.sandbox.pid.to_string();
    let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
    assert!(killed.expect("kill runs").success());
    let home = fixture.sandbox.home.clone();
    if cfg!(target_os = "linux") {
        assert!(closed(port).await, "the server ends with the sandbox");
    }
    assert!(sandbox::status_in(&home).await.expect("asked").is_none());

    let again = Fixture::start("killed-again").await.expect("starts");
    again.stop().await;
    let restarted = sandbox::start_in(&home, &mut |_| ()).await.expect("starts in the same place");
    assert_ne!(restarted.pid, fixture.sandbox.pid);
    assert!(closed(port).await, "what was left is cleaned up");
    Fixture { sandbox: restarted }.stop().await;
}

/// The plugin's own tests, in the Python environment that the sandbox made.
#[tokio::test]
async fn the_plugin_behaves_as_aws() {
    let Some(fixture) = Fixture::start("plugin").await else {
        return;
    };
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sandbox");
    let python = python_of(fixture.sandbox.pid);
    let ran = tokio::process::Command::new(python)
        .args(["-m", "unittest", "discover", "-s", tests])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await
        .expect("python runs");
    fixture.stop().await;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// The Python that runs a process: the one with moto in it.
fn python_of(pid: u32) -> String {
    let asked = std::process::Command::new("ps")
        .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
        .output()
        .expect("ps runs");
    let command = String::from_utf8(asked.stdout).expect("text");
    command.split_whitespace().next().expect("a command").to_owned()
}

#[tokio::test]
async fn the_sdk_of_rust_is_understood() {
    let Some(fixture) = Fixture::start("sdk").await else {
        return;
    };
    let s3 = aws_sdk_s3::Client::new(&fixture.config());
    let tag = Tag::builder().key("lagoa:stack").value("demo & co").build().unwrap();
    let tags = CreateBucketConfiguration::builder().tags(tag).build();
    let create = s3.create_bucket().bucket("lake").create_bucket_configuration(tags);
    create.send().await.expect("created");
    let tagging = s3.get_bucket_tagging().bucket("lake").send().await.expect("tagged");
    assert_eq!(tagging.tag_set()[0].value(), "demo & co");

    let body = vec![b'x'; 3_000_000];
    let put = s3.put_object().bucket("lake").key("raw/a b.csv").body(body.clone().into());
    put.send().await.expect("written");
    let object = s3.get_object().bucket("lake").key("raw/a b.csv").send().await.expect("found");
    assert_eq!(object.body.collect().await.expect("read").to_vec(), body);
    let put = s3.put_object().bucket("lake").key("raw/a b.csv").if_none_match("*");
    let refused = put.send().await.expect_err("it is there").into_service_error();
    assert_eq!(refused.meta().code(), Some("PreconditionFailed"));
    let key = ObjectIdentifier::builder().key("raw/a b.csv").build().unwrap();
    let delete = Delete::builder().objects(key).build().unwrap();
    s3.delete_objects().bucket("lake").delete(delete).send().await.expect("emptied");
    s3.delete_bucket().bucket("lake").send().await.expect("deleted");

    let sts = aws_sdk_sts::Client::new(&fixture.config());
    let caller = sts.get_caller_identity().send().await.expect("known");
    assert_eq!(caller.account(), Some("123456789012"));

    let secrets = aws_sdk_secretsmanager::Client::new(&fixture.config());
    let password = secrets.get_random_password().password_length(24).send().await.expect("made");
    assert_eq!(password.random_password().map(str::len), Some(24));

    let status = sandbox::status_in(&fixture.sandbox.home).await.expect("asked").expect("running");
    assert_eq!(status.requests, 9);
    fixture.stop().await;
}
