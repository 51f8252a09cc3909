//! The process that serves the sandbox: starting it, asking it, ending it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::install::{Program, last_lines};
use super::{Database, Sandbox, SandboxError, Status, failed};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(25);

/// What the process writes when it listens.
#[derive(Deserialize)]
struct Announcement {
    pid: u32,
    endpoint: String,
    started: f64,
}

/// What it answers when asked.
#[derive(Deserialize)]
struct Health {
    pid: u32,
    requests: u64,
    databases: Vec<Database>,
}

/// Start the process and wait until it answers.
pub async fn start(home: &Path, cache: &Path, program: &Program) -> Result<Sandbox, SandboxError> {
    let announced = announcement_path(home);
    if let Err(error) = fs::remove_file(&announced)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(failed("cannot remove", &announced, error));
    }
    let log = home.join("sandbox.log");
    let mut child = spawn(home, cache, program, &log)?;
    let began = Instant::now();
    while began.elapsed() < START_TIMEOUT {
        if let Some(status) = status(home).await {
            return Ok(status.sandbox);
        }
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        sleep(PAUSE).await;
    }
    let _ = child.start_kill();
    let output = fs::read_to_string(&log).unwrap_or_default();
    Err(SandboxError::Start { log, output: last_lines(&output) })
}

fn spawn(home: &Path, cache: &Path, program: &Program, log: &Path) -> Result<Child, SandboxError> {
    let output = File::create(log).map_err(|e| failed("cannot write", log, e))?;
    let errors = output.try_clone().map_err(|e| failed("cannot write", log, e))?;
    // The process leaves our session itself, so it outlives this one.
    Command::new(&program.python)
        .args(["-m", program.package])
        .env_remove("PYTHONHOME")
        .env("PYTHONPATH", &program.path)
        .env("LAGOA_SANDBOX_HOME", home)
        .env("LAGOA_SANDBOX_CACHE", cache)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|e| failed("cannot run", &program.python, e))
}

/// Ask the process; nothing when it does not run.
pub async fn status(home: &Path) -> Option<Status> {
    let announcement = announcement(home)?;
    let health = ask(&announcement.endpoint, "GET", "/_lagoa/health").await.ok()?;
    let health: Health = serde_json::from_slice(&health).ok()?;
    if health.pid != announcement.pid {
        // The announcement is of a process that was killed, and another has its port now.
        return None;
    }
    Some(Status {
        sandbox: Sandbox {
            endpoint: announcement.endpoint,
            pid: announcement.pid,
            home: home.to_owned(),
            started: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(announcement.started),
        },
        databases: health.databases,
        requests: health.requests,
    })
}

/// Tell the process to end and wait until it has; false when it did not run.
pub async fn stop(home: &Path) -> Result<bool, SandboxError> {
    let Some(running) = status(home).await else {
        return Ok(false);
    };
    let Sandbox { endpoint, pid, .. } = running.sandbox;
    let _ = ask(&endpoint, "POST", "/_lagoa/stop").await;
    let began = Instant::now();
    while began.elapsed() < STOP_TIMEOUT {
        // It takes its announcement back last of all.
        if announcement(home).is_none_or(|now| now.pid != pid) {
            return Ok(true);
        }
        sleep(PAUSE).await;
    }
    Err(SandboxError::Stop { pid })
}

fn announcement_path(home: &Path) -> PathBuf {
    home.join("sandbox.json")
}

fn announcement(home: &Path) -> Option<Announcement> {
    let text = fs::read(announcement_path(home)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// One HTTP request to the sandbox itself; the body of its answer.
async fn ask(endpoint: &str, method: &str, path: &str) -> io::Result<Vec<u8>> {
    let address = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = timeout(ANSWER_TIMEOUT, exchange)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    match head {
        Some(end) => Ok(answer[end + 4..].to_vec()),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}
