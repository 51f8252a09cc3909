//! What the tests that run lagoa against the sandbox share: a sandbox of their own, stacks made
//! of plain values, and lagoa as its user runs it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use lagoa::aws::ec2::{Client, Filter};
use lagoa::document::{Node, Yaml};
use serde_json::{Map, Value, json};

/// What the made-up ids of subnets in examples begin with.
const MADE_UP_SUBNET: &str = "subnet-0a1b2c3d4e5f6000";

/// Where lagoa keeps its locks in the sandbox.
const HOME_BUCKETS: [&str; 2] = ["lagoa-123456789012-us-east-1", "lagoa-123456789012-us-east-2"];

/// The sandbox checks who signs, not the signature.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, \
    SignedHeaders=host, Signature=0";

/// A folder with stack files, and a sandbox that belongs to it alone.
pub struct Site {
    pub folder: PathBuf,
    home: PathBuf,
    keeps: Keeps,
}

/// What goes with a site.
#[derive(PartialEq)]
enum Keeps {
    /// Its sandbox, started for it.
    Sandbox,
    /// Its copy of another site's sandbox.
    Copy,
    Nothing,
}

impl Site {
    /// A fresh folder and a sandbox of its own, named after the test.
    pub fn new(test: &str) -> Self {
        Self::with(test, &[])
    }

    /// One whose databases come and go at once.
    pub fn quick(test: &str) -> Self {
        Self::with(test, &[("LAGOA_SANDBOX_DELAY", "0.05")])
    }

    /// One where everything takes as long as on AWS, scaled, and nothing else takes time: requests
    /// aren't checked.
    pub fn scaled(test: &str, scale: f64) -> Self {
        let scale = scale.to_string();
        Self::with(test, &[("LAGOA_SANDBOX_LATENCY", &scale), ("LAGOA_SANDBOX_VALIDATE", "0")])
    }

    /// A quick one whose databases have no server behind them.
    pub fn serverless(test: &str) -> Self {
        Self::with(test, &[("LAGOA_SANDBOX_DELAY", "0.05"), ("LAGOA_SANDBOX_DATABASES", "off")])
    }

    fn with(test: &str, settings: &[(&str, &str)]) -> Self {
        let base =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        // Databases run as another user, so their home must be reachable for anyone.
        let home = std::env::temp_dir().join(format!("lagoa-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&base).expect("make the test's folder");
        let site = Self { folder: base, home, keeps: Keeps::Sandbox };
        let mut start = site.command(&["sandbox", "start"]);
        let output = start.envs(settings.iter().copied()).output().expect("run lagoa");
        Ran { arguments: "sandbox start".to_owned(), output }.success();
        site
    }

    /// A folder for commands that need no AWS.
    pub fn unstarted(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("make the test's folder");
        Self { folder: folder.to_owned(), home: folder.to_owned(), keeps: Keeps::Nothing }
    }

    /// Another folder that works with the same sandbox, as a checkout on another machine would.
    pub fn elsewhere(&self, name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("make a folder");
        Self { folder, home: self.home.clone(), keeps: Keeps::Nothing }
    }

    /// A world of its own that begins where this site's sandbox stands now, with the same files.
    pub fn copy(&self) -> Self {
        let copy = serde_json::from_str::<Value>(&self.http("POST", "/_lagoa/fork"));
        let copy = copy.expect("the sandbox tells where its copy is");
        let home = copy["home"].as_str().expect("a copy has a home");
        Self { folder: self.folder.clone(), home: home.into(), keeps: Keeps::Copy }
    }

    /// The same world with files of its own.
    pub fn folder(mut self, name: &str) -> Self {
        self.folder = self.folder.join(name);
        std::fs::create_dir_all(&self.folder).expect("make a folder");
        self
    }

    /// A command line whose calls go through a proxy.
    pub fn through(&self, proxy: &str, arguments: &[&str]) -> Command {
        let home = self.home.join(proxy.rsplit(':').next().unwrap_or_default());
        std::fs::create_dir_all(&home).expect("make a folder");
        let mut sandbox = self.announced();
        sandbox["endpoint"] = proxy.into();
        std::fs::write(home.join("sandbox.json"), sandbox.to_string()).expect("write a file");
        let mut command = self.command(arguments);
        command.arg("--sandbox").env("LAGOA_SANDBOX_HOME", home);
        command
    }

    /// Counts of everything in the sandbox, whatever the service, and of all rows.
    pub fn census(&self) -> Value {
        self.get("/_lagoa/census")
    }

    /// Takes a stack's lock away, as `lagoa unlock` does, but without asking.
    pub fn unlock(&self, stack: &str) {
        for bucket in HOME_BUCKETS {
            self.http("DELETE", &format!("/{bucket}/locks/{stack}.json"));
        }
    }

    /// Writes a file below the folder.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder"))
            .expect("make a folder");
        std::fs::write(path, text).expect("write a file");
    }

    /// Writes `stack.yaml` (JSON is YAML).
    pub fn stack(&self, name: &str, resources: &Map<String, Value>) {
        let stack = json!({
            "stack": name,
            "region": "us-east-1",
            "tags": { "Team": "Stack" },
            "resources": resources,
        });
        self.write("stack.yaml", &format!("{stack:#}\n"));
    }

    /// The command line, ready for more.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lagoa"));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("LAGOA_SANDBOX_HOME", &self.home)
            .env("LAGOA_SANDBOX_DELAY", "0.2")
            .env("LAGOA_SANDBOX_VALIDATE", "1")
            .env("LAGOA_TEST_PASSWORD", "correct-horse-battery")
            .env("LAGOA_TEST_WAREHOUSE_PASSWORD", "Correct-horse-9")
            .env_remove("AWS_PROFILE")
            // What is tried here is tried as on a laptop, wherever the tests run.
            .env_remove("GITHUB_ACTIONS")
            .stdin(Stdio::null());
        command
    }

    /// Makes a command talk to this endpoint as if it were AWS.
    pub fn aws(&self, command: &mut Command, endpoint: &str) {
        command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ACCESS_KEY_ID", "test");
        command.env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_EC2_METADATA_DISABLED", "true");
    }

    /// Runs lagoa.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("run lagoa");
        Ran { arguments: arguments.join(" "), output }
    }

    /// Runs a command on `stack.yaml` in the sandbox.
    pub fn stack_command(&self, command: &str, more: &[&str]) -> Ran {
        let mut arguments = vec![command, "stack.yaml", "--sandbox"];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// The plan as JSON.
    pub fn plan(&self) -> Value {
        self.stack_command("plan", &["--json"]).success().json()
    }

    /// Runs lagoa, and tells what it cost.
    #[allow(
        clippy::zombie_processes,
        reason = "it is waited for by its pid, which tells what it used"
    )]
    pub fn measure(&self, arguments: &[&str]) -> Cost {
        self.post("/_lagoa/requests/reset");
        let child = self.command(arguments).stdout(Stdio::null()).spawn().expect("run lagoa");
        let (status, usage) = wait(child.id());
        assert_eq!(status, 0, "lagoa {}", arguments.join(" "));
        let counts = self.get("/_lagoa/requests");
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Cost {
            requests: counts["total"].as_u64().expect("the sandbox counts requests"),
            by_operation: counts["operations"].clone(),
            cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            peak_mb: usage.ru_maxrss as f64 / 1024.0,
        }
    }

    /// A file of the sandbox's own.
    pub fn sandbox_file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Asks the sandbox itself.
    pub fn get(&self, path: &str) -> Value {
        let reply = self.http("GET", path);
        serde_json::from_str(&reply).unwrap_or_else(|error| panic!("GET {path}: {error}: {reply}"))
    }

    /// Tells the sandbox itself.
    pub fn post(&self, path: &str) {
        self.http("POST", path);
    }

    fn http(&self, method: &str, path: &str) -> String {
        let endpoint = self.endpoint();
        let address = endpoint.strip_prefix("http://").expect("the sandbox speaks plain HTTP");
        let mut stream = TcpStream::connect(address).expect("connect to the sandbox");
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: {SIGNED}\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("ask the sandbox");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("read the sandbox's answer");
        reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("an HTTP reply")
    }

    /// Puts the sandbox's own default subnets in the place of the made-up `subnet-0a1b2c3d4e5f60001`
    /// and on, in order of their zones.
    pub fn real(&self, value: Value) -> Value {
        let mut text = value.to_string();
        if text.contains(MADE_UP_SUBNET) {
            for (index, subnet) in self.default_subnets().iter().enumerate() {
                text = text.replace(&format!("{MADE_UP_SUBNET}{}", index + 1), subnet);
            }
        }
        serde_json::from_str(&text).expect("still JSON")
    }

    fn default_subnets(&self) -> Vec<String> {
        let default = Filter::new("default-for-az", &["true".to_owned()]);
        let subnets = self.ec2(async |ec2| ec2.describe_subnets(&[default]).await);
        let subnets = subnets.expect("list the subnets");
        let mut subnets: Vec<_> =
            subnets.into_iter().map(|one| (one.availability_zone, one.subnet_id)).collect();
        subnets.sort();
        subnets.into_iter().map(|(_, id)| id).collect()
    }

    /// Asks the sandbox's EC2.
    pub fn ec2<T>(&self, ask: impl AsyncFnOnce(Client) -> T) -> T {
        let config = aws_types::SdkConfig::builder()
            .endpoint_url(self.endpoint())
            .region(aws_types::region::Region::new("us-east-1"))
            .behavior_version(aws_config::BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "test", "test", None, None, "test",
            )))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("start a runtime")
            .block_on(ask(Client::new(&config)))
    }

    /// Every request that lagoa sent was one that AWS's service models allow.
    fn are_valid(&self) {
        // A test may have stopped the sandbox itself.
        if std::thread::panicking() || !self.home.join("sandbox.json").exists() {
            return;
        }
        let seen = self.get("/_lagoa/validation");
        println!("{} requests agree with AWS's service models", seen["checked"]);
        assert_eq!(seen["invalid"], json!([]), "requests that AWS's service models don't allow");
    }

    /// The endpoint of the sandbox.
    pub fn endpoint(&self) -> String {
        let announced = self.announced();
        announced["endpoint"].as_str().expect("the sandbox tells its endpoint").to_owned()
    }

    fn announced(&self) -> Value {
        let text = std::fs::read_to_string(self.home.join("sandbox.json"));
        serde_json::from_str(&text.expect("the sandbox runs")).expect("JSON")
    }
}

/// What a run of lagoa cost.
pub struct Cost {
    pub requests: u64,
    pub by_operation: Value,
    pub cpu_seconds: f64,
    pub peak_mb: f64,
}

/// Waits for a child as `wait` does, and tells what it used.
fn wait(pid: u32) -> (i32, libc::rusage) {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one, and wait4 writes to the two places it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let pid = i32::try_from(pid).expect("a pid fits");
        assert_eq!(libc::wait4(pid, &raw mut status, 0, &raw mut usage), pid, "wait for lagoa");
        usage
    };
    (libc::WEXITSTATUS(status), usage)
}

impl Drop for Site {
    fn drop(&mut self) {
        if !matches!(self.keeps, Keeps::Nothing) {
            self.are_valid();
        }
        match self.keeps {
            Keeps::Sandbox => {
                let _ = self.command(&["sandbox", "stop"]).output();
                let _ = std::fs::remove_dir_all(&self.home);
            }
            // It cleans up after itself.
            Keeps::Copy => _ = self.http("POST", "/_lagoa/stop"),
            Keeps::Nothing => {}
        }
    }
}

/// What a run of lagoa gave.
pub struct Ran {
    pub arguments: String,
    pub output: Output,
}

impl Ran {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    #[track_caller]
    pub fn success(self) -> Self {
        self.ends_with(0)
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            Some(code),
            "lagoa {}\n--- stdout\n{}\n--- stderr\n{}",
            self.arguments,
            self.stdout(),
            self.stderr()
        );
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.output.stdout)
            .unwrap_or_else(|error| panic!("lagoa {}: {error}\n{}", self.arguments, self.stdout()))
    }
}

/// Nothing doubled, nothing lost, nothing orphaned: all counts are those of an undisturbed run.
pub fn same(expected: &Value, found: &Value) -> Result<(), String> {
    differing(expected, found, |expected, found| expected == found)
}

/// Nothing orphaned: nothing is there that an undisturbed run doesn't leave too, and as often.
pub fn no_more(most: &Value, found: &Value) -> Result<(), String> {
    differing(most, found, |most, found| match (most, found) {
        (_, None) => true,
        (Some(most), Some(found)) => match (most.as_u64(), found.as_u64()) {
            (Some(most), Some(found)) => found <= most,
            _ => most == found,
        },
        _ => false,
    })
}

type Count = Option<Value>;

fn differing(
    expected: &Value,
    found: &Value,
    fits: impl Fn(&Count, &Count) -> bool,
) -> Result<(), String> {
    let counts = |census: &Value| -> BTreeMap<String, Value> {
        let parts = census.as_object().into_iter().flatten();
        let lines = parts.flat_map(|(part, all)| {
            let all = all.as_object().into_iter().flatten();
            all.map(move |(path, count)| (format!("{part} {path}"), count.clone()))
        });
        lines.collect()
    };
    let (expected, found) = (counts(expected), counts(found));
    let paths: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let said = |count: Count| count.map_or("nothing".to_owned(), |count| count.to_string());
    let differences = paths.into_iter().filter_map(|path| {
        let (expected, found) = (expected.get(path).cloned(), found.get(path).cloned());
        let differs = !fits(&expected, &found);
        differs.then(|| format!("{path}: {} instead of {}", said(found), said(expected)))
    });
    let differences: Vec<String> = differences.collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// Every path that a plan changes, as `key: path`, sorted.
pub fn changed(plan: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for resource in plan["resources"].as_array().into_iter().flatten() {
        let key = resource["key"].as_str().unwrap_or_default();
        for field in resource["fields"].as_array().into_iter().flatten() {
            all.push(format!("{key}: {}", field["path"].as_str().unwrap_or_default()));
        }
    }
    all.sort();
    all
}

/// Each resource that a plan touches, as `action key`, sorted.
pub fn actions(plan: &Value) -> Vec<String> {
    let resources = plan["resources"].as_array().into_iter().flatten();
    let mut all: Vec<String> = resources
        .map(|r| {
            format!(
                "{} {}",
                r["action"].as_str().unwrap_or_default(),
                r["key"].as_str().unwrap_or_default()
            )
        })
        .collect();
    all.sort();
    all
}

/// YAML text as a plain value.
pub fn yaml(text: &str) -> Value {
    let source = lagoa::diagnostic::Source::new("text", text);
    value(&lagoa::document::parse(source).expect("the text is YAML"))
}

fn value(node: &Node) -> Value {
    match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Scalar(scalar) if scalar.plain => {
            serde_json::from_str(&scalar.text).unwrap_or_else(|_| scalar.text.clone().into())
        }
        Yaml::Scalar(scalar) => scalar.text.clone().into(),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(entries) => Value::Object(
            entries.iter().map(|(key, node)| (key.text.clone(), value(node))).collect(),
        ),
    }
}
