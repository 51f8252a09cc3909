//! The sandbox: AWS on this machine, for people without an account and for tests.
//!
//! A detached Python process serves moto, corrected to behave as AWS does, and runs a real
//! PostgreSQL or MariaDB server behind every RDS instance. Its state lives as long as the process.
//!
//! Where it differs from AWS:
//! - An RDS endpoint is 127.0.0.1 with a free port; the requested port is in `DbInstancePort`.
//! - The server has its own version, whatever `EngineVersion` says; parameter groups are kept, but
//!   do not reach it; it speaks no TLS; its master user may do everything.
//! - Snapshots are listed, but hold no data.
//! - Nothing is denied: policies are checked for their form, not enforced.
//! - What was written can be read at once, everywhere.

mod daemon;
mod install;

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

/// A running sandbox.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Where it listens: `http://127.0.0.1:<port>`.
    pub endpoint: String,
    /// The process that serves it.
    pub pid: u32,
    /// Where it keeps its log and the data of its databases.
    pub home: PathBuf,
    /// Since when it runs.
    pub started: SystemTime,
}

/// What a running sandbox says of itself.
#[derive(Debug, Clone)]
pub struct Status {
    /// The sandbox itself.
    pub sandbox: Sandbox,
    /// The database servers behind its RDS instances.
    pub databases: Vec<Database>,
    /// How many API requests it has answered.
    pub requests: u64,
}

/// A database server behind an RDS instance.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Database {
    /// The RDS instance's identifier.
    pub id: String,
    /// The engine, as RDS names it.
    pub engine: String,
    /// The port it listens on at 127.0.0.1.
    pub port: u16,
}

/// Why the sandbox could not be started, stopped or asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "the sandbox needs Python {}.{} or newer as python3; {found}",
        install::OLDEST_PYTHON.0,
        install::OLDEST_PYTHON.1
    )]
    Python { found: String },
    #[error(
        "python3 cannot make a virtual environment{}:\n{output}",
        if *debian { ": install it with `apt install python3-venv`" } else { "" }
    )]
    Venv { debian: bool, output: String },
    #[error("pip could not install what the sandbox needs; is there a network?\n{output}")]
    Pip { output: String },
    #[error("the sandbox did not start; the end of {}:\n{output}", log.display())]
    Start { log: PathBuf, output: String },
    #[error("the sandbox (process {pid}) does not stop; end it with `kill -9 {pid}`")]
    Stop { pid: u32 },
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
}

/// Settings of the user's that would lead a client past the sandbox; remove them from the
/// environment in which `Sandbox::environment` is set.
pub const CLEARED: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_RDS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API",
];

impl Sandbox {
    /// The variables that lead an AWS client to the sandbox. The region is left to the user.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "AKIALAGOASANDBOX0000".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }
}

/// Where the sandbox lives: `$LAGOA_SANDBOX_HOME`, else `lagoa/sandbox` in the user's cache.
pub fn home() -> PathBuf {
    match env::var_os("LAGOA_SANDBOX_HOME") {
        Some(home) if !home.is_empty() => PathBuf::from(home),
        _ => cache().join("sandbox"),
    }
}

/// What all sandboxes of a user share: the Python environment and the database servers.
fn cache() -> PathBuf {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let base = given("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| given("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("lagoa")
}

/// Start the sandbox, or find the one that runs. What is missing is installed first; `progress`
/// hears of every step that takes long.
pub async fn start(progress: &mut dyn FnMut(&str)) -> Result<Sandbox, SandboxError> {
    start_in(&home(), progress).await
}

/// Start the sandbox that lives in `home`.
pub async fn start_in(
    home: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Sandbox, SandboxError> {
    make_directory(home)?;
    let home = absolute(home)?;
    let _lock = lock(&home.join("lock")).await?;
    if let Some(status) = daemon::status(&home).await {
        return Ok(status.sandbox);
    }
    let program = install::install(&cache(), progress).await?;
    progress("starting the sandbox");
    daemon::start(&home, &absolute(&cache())?, &program).await
}

/// Stop the sandbox with its databases; false when none was running.
pub async fn stop() -> Result<bool, SandboxError> {
    stop_in(&home()).await
}

/// Stop the sandbox that lives in `home`.
pub async fn stop_in(home: &Path) -> Result<bool, SandboxError> {
    if !home.is_dir() {
        return Ok(false);
    }
    let home = absolute(home)?;
    let _lock = lock(&home.join("lock")).await?;
    daemon::stop(&home).await
}

/// What the sandbox says of itself; nothing when none is running.
pub async fn status() -> Result<Option<Status>, SandboxError> {
    status_in(&home()).await
}

/// What the sandbox that lives in `home` says of itself.
pub async fn status_in(home: &Path) -> Result<Option<Status>, SandboxError> {
    if !home.is_dir() {
        return Ok(None);
    }
    Ok(daemon::status(&absolute(home)?).await)
}

/// Take a lock that other processes respect; it is given back when the file is dropped.
async fn lock(path: &Path) -> Result<File, SandboxError> {
    let owned = path.to_owned();
    let locked = tokio::task::spawn_blocking(move || {
        File::create(owned).and_then(|file| file.lock().map(|()| file))
    });
    let file = locked.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    file.map_err(|source| failed("cannot lock", path, source))
}

fn make_directory(path: &Path) -> Result<(), SandboxError> {
    fs::create_dir_all(path).map_err(|source| failed("cannot create", path, source))
}

fn absolute(path: &Path) -> Result<PathBuf, SandboxError> {
    std::path::absolute(path).map_err(|source| failed("cannot find", path, source))
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> SandboxError {
    SandboxError::File { what, path: path.to_owned(), source }
}
