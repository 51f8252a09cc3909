//! Arguments that several commands share.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::failed::Failed;
use super::masks;
use crate::aws::Orders;
use crate::diagnostic::Problem;
use crate::document::{self, Yaml};
use crate::plan::Options;
use crate::report::terminal::{Colour, Terminal};
use crate::stack::Inputs;

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// When to use colours: auto, always or never; NO_COLOR in the environment turns auto off
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    pub color: When,
    /// Show what lagoa does on standard error; twice for every call to AWS
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl From<When> for Colour {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}

impl Global {
    /// Sends what is traced to standard error, if anything is wanted.
    /// Bodies of requests and answers are never traced: they may hold secrets.
    pub fn trace(&self, terminal: Terminal) {
        let filter = match self.verbose {
            0 => return,
            1 => "lagoa=info",
            // The SDK's spans name the operation and nothing of what was sent.
            _ => "lagoa=debug,aws_sdk=debug",
        };
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(io::stderr)
            .with_ansi(terminal.err.colour)
            // It would panic where it complains that nobody reads standard error any more.
            .log_internal_errors(false);
        // A second subscriber in one process happens in tests only, and the first one serves.
        let _ = subscriber.try_init();
    }
}

/// Which stack, with which values.
#[derive(Debug, Args)]
pub struct StackArguments {
    /// The stack file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    #[command(flatten)]
    pub variables: Variables,
    /// Work in the sandbox on this machine instead of AWS; it is started if it doesn't run
    #[arg(long)]
    pub sandbox: bool,
}

/// Values for the stack's variables.
#[derive(Clone, Debug, Default, Args)]
pub struct Variables {
    /// Give a variable its value (repeatable); LAGOA_VAR_name in the environment does the same
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    pub vars: Vec<(String, String)>,
    /// Take variables from a YAML or JSON file (repeatable; later files count before earlier ones)
    #[arg(long = "var-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// `NAME=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

impl Variables {
    /// Everything from outside the stack file that fills in its variables.
    pub fn inputs(&self) -> Result<Inputs, Failed> {
        let mut var_files = BTreeMap::new();
        for file in &self.files {
            var_files.extend(variable_file(file)?);
        }
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Ok(Inputs {
            vars: self.vars.iter().cloned().collect(),
            var_files,
            environment: environment.collect(),
        })
    }
}

fn variable_file(path: &Path) -> Result<BTreeMap<String, String>, Failed> {
    let source = document::read(path, &path.display().to_string())?;
    let root = document::parse(source)?;
    let entries = match &root.value {
        Yaml::Mapping(entries) => entries.as_slice(),
        Yaml::Null => &[],
        _ => {
            let problem = Problem::error("a variable file is a mapping of names to single values");
            return Err(problem.at(&root.place).help("write one `name: value` per line").into());
        }
    };
    let wrong = entries.iter().filter(|(_, node)| node.text().is_none());
    let wrong = wrong.map(|(key, node)| {
        let message = format!("`{}` must be a single value, not {}", key.text, node.shape());
        Problem::error(message).at(if node.place.range.is_empty() {
            &key.place
        } else {
            &node.place
        })
    });
    let wrong: Vec<Problem> = wrong.collect();
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    Ok(entries
        .iter()
        .filter_map(|(key, node)| Some((key.text.clone(), node.text()?.to_owned())))
        .collect())
}

/// How to plan.
#[derive(Debug, Default, Args)]
pub struct PlanArguments {
    /// Only this resource and what it needs (repeatable)
    #[arg(long = "target", value_name = "KEY")]
    pub targets: Vec<String>,
    /// Send the resource's write-only values, such as a password, again (repeatable)
    #[arg(long, value_name = "KEY")]
    pub rotate: Vec<String>,
    /// Run a seed again although it is done (repeatable)
    #[arg(long, value_name = "KEY")]
    pub seed_rerun: Vec<String>,
    /// Take a seed's changed files as done, without running them (repeatable)
    #[arg(long, value_name = "KEY")]
    pub seed_accept: Vec<String>,
    /// Lift the deletion protection of what must be deleted
    #[arg(long)]
    pub force_unprotect: bool,
    /// Ask the Rego rules in this folder too, beside policies/guardrails of the stack (repeatable)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub guardrails: Vec<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
}

impl PlanArguments {
    /// What AWS verbs have to know of these.
    pub fn orders(&self) -> Orders {
        let set = |list: &[String]| list.iter().cloned().collect();
        Orders {
            rotate: set(&self.rotate),
            seed_rerun: set(&self.seed_rerun),
            seed_accept: set(&self.seed_accept),
            listener: masks::listener(),
        }
    }

    /// What the planner has to know of these.
    pub fn options(&self) -> Options {
        Options {
            targets: self.targets.iter().cloned().collect(),
            unprotect: self.force_unprotect,
            careless: false,
            rotate: self.rotate.iter().cloned().collect(),
            rerun: self.seed_rerun.iter().cloned().collect(),
            accept: self.seed_accept.iter().cloned().collect(),
            run: run_name(),
        }
    }

    /// Every key that was named, so that a slip is noticed.
    pub fn keys(&self) -> BTreeSet<&str> {
        let lists = [&self.targets, &self.rotate, &self.seed_rerun, &self.seed_accept];
        lists.into_iter().flatten().map(String::as_str).collect()
    }
}

/// When the run began, for people, and what no other run has: two may begin within a second.
fn run_name() -> String {
    let time = jiff::Timestamp::now().strftime("%Y%m%d%H%M%S");
    format!("{time}-{:08x}", rand::random::<u32>())
}

/// How to carry out a plan.
#[derive(Debug, Default, Args)]
pub struct RunArguments {
    /// Go ahead without asking
    #[arg(short, long)]
    pub yes: bool,
    /// At most this many steps at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallelism: u16,
    /// When another run holds the stack's lock, wait for it this long: 30s, 10m, 1h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    parsed
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "write it as 10m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_the_same_second_have_names_of_their_own() {
        let names: BTreeSet<_> = (0..20).map(|_| PlanArguments::default().options().run).collect();
        assert_eq!(names.len(), 20);
        // What AWS takes in the name of a snapshot.
        let fits = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        assert!(names.iter().all(fits), "{names:?}");
    }
}
