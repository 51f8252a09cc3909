//! `lagoa sandbox`, and what `--sandbox` does before everything else.

use clap::{Args, Subcommand};

use super::Exit;
use super::failed::Failed;
use crate::report::json;
use crate::report::style::{Ink, columns, counted};
use crate::report::terminal::Terminal;
use crate::sandbox::{self, CLEARED, Status};

/// AWS on this machine, for trying things out without an account
///
/// A stand-in for AWS that behaves like it, with a real PostgreSQL or MariaDB server behind every
/// RDS instance. What is made in it lasts as long as it runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa sandbox start
  lagoa sandbox status
  eval \"$(lagoa sandbox status --env)\"    Lead the AWS CLI to it too
  lagoa sandbox stop")]
pub struct Sandbox {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start it; the first time installs what it needs
    Start,
    /// Stop it, with its databases and everything in it
    Stop,
    /// Show whether it runs, where, and its databases
    Status {
        /// Print the environment that leads an AWS client to it, as shell commands
        #[arg(long)]
        env: bool,
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
}

/// Where the sandbox is when nobody says.
const REGION: &str = "us-east-1";

impl Sandbox {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        match self.verb {
            Verb::Start => {
                let sandbox = start(terminal).await?;
                terminal.out(&format!("The sandbox runs at {}.\n", sandbox.endpoint));
            }
            Verb::Stop => {
                let stopped = sandbox::stop().await?;
                terminal.out(if stopped {
                    "The sandbox is stopped.\n"
                } else {
                    "No sandbox runs.\n"
                });
            }
            Verb::Status { env, json } => {
                let status = sandbox::status().await?;
                terminal.out(&match (&status, env, json) {
                    (status, _, true) => as_json(status.as_ref()),
                    (Some(status), true, _) => environment(status),
                    (Some(status), false, _) => describe(status),
                    (None, true, _) => {
                        return Err(Failed::helping(
                            "no sandbox runs",
                            "start it with `lagoa sandbox start`",
                        ));
                    }
                    (None, false, _) => "No sandbox runs.\n".to_owned(),
                });
            }
        }
        Ok(Exit::Well)
    }
}

async fn start(terminal: Terminal) -> Result<sandbox::Sandbox, Failed> {
    let mut progress = |step: &str| {
        terminal
            .err(&format!("{}\n", terminal.err.paint(Ink::Faint, &format!("sandbox: {step} …"))));
    };
    Ok(sandbox::start(&mut progress).await?)
}

/// Starts the sandbox if it doesn't run, and leads this process to it.
pub fn enter(terminal: Terminal) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::saying(format!("cannot start: {error}")))?;
    let sandbox = runtime.block_on(start(terminal))?;
    drop(runtime);
    let region =
        ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().all(|name| std::env::var_os(name).is_none());
    // SAFETY: the runtime and its helper threads have ended, so this is the only thread.
    #[expect(unsafe_code, reason = "every client reads the environment, and there is one thread")]
    unsafe {
        for name in CLEARED {
            std::env::remove_var(name);
        }
        for (name, value) in sandbox.environment() {
            std::env::set_var(name, value);
        }
        if region {
            std::env::set_var("AWS_REGION", REGION);
        }
    }
    Ok(())
}

fn describe(status: &Status) -> String {
    let sandbox = &status.sandbox;
    let mut rows = vec![
        vec!["endpoint".to_owned(), sandbox.endpoint.clone()],
        vec!["process".to_owned(), sandbox.pid.to_string()],
        vec!["home".to_owned(), sandbox.home.display().to_string()],
        vec!["requests".to_owned(), status.requests.to_string()],
    ];
    if let Ok(age) = sandbox.started.elapsed() {
        rows.insert(1, vec!["running for".to_owned(), crate::report::progress::time(age)]);
    }
    let databases = status.databases.iter();
    rows.extend(databases.map(|one| {
        vec![
            "database".to_owned(),
            format!("{} ({}) at 127.0.0.1:{}", one.id, one.engine, one.port),
        ]
    }));
    let count = counted(status.databases.len(), "database");
    format!("The sandbox runs, with {count}.\n{}", columns(&rows, "  "))
}

fn environment(status: &Status) -> String {
    let unset = CLEARED.iter().map(|name| format!("unset {name}\n"));
    let set = status.sandbox.environment().into_iter();
    unset.chain(set.map(|(name, value)| format!("export {name}='{value}'\n"))).collect()
}

fn as_json(status: Option<&Status>) -> String {
    json::text(&match status {
        None => serde_json::json!({ "running": false }),
        Some(status) => serde_json::json!({
            "running": true,
            "endpoint": status.sandbox.endpoint,
            "pid": status.sandbox.pid,
            "home": status.sandbox.home,
            "requests": status.requests,
            "databases": status.databases.iter().map(|one| serde_json::json!({
                "id": one.id, "engine": one.engine, "port": one.port,
            })).collect::<Vec<_>>(),
        }),
    })
}
