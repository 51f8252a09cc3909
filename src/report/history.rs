//! The history of a stack's runs: what is recorded of each, and how it is shown. No secrets.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::progress::time;
use super::style::{Ink, Style, columns, counted, harmless};

/// Name and version of the form that a record has.
pub const FORMAT: &str = "lagoa.run/1";

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// The stack.
    pub stack: String,
    /// The run's name, different for each.
    pub run: String,
    /// What was run: `apply`, `destroy`, `adopt`.
    pub command: String,
    /// The person's name on their machine, or in CI.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process on it.
    pub pid: u32,
    /// When it began.
    pub since: Timestamp,
    /// ARN of whoever the credentials belonged to.
    pub caller: String,
    /// The version of lagoa.
    pub lagoa: String,
    /// Digest of the stack.
    pub digest: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What it did.
    pub steps: Vec<RecordedStep>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It didn't, as far as is known: it runs, or was killed.
    Started,
    /// Everything was done.
    Done,
    /// Something failed.
    Failed,
    /// A person stopped it.
    Interrupted,
    /// It lost the lock.
    LockLost,
}

/// One step of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedStep {
    /// Key in the stack.
    pub key: String,
    /// What kind of thing.
    pub kind: String,
    /// Name in AWS.
    pub name: String,
    /// What was to be done.
    pub action: String,
    /// `planned` until the run has ended, then `done`, `failed`, `unfinished` or `not_started`.
    pub result: String,
    /// The steps that had to be done before, by their positions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<usize>,
    /// When it began, in seconds after the run's first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<f64>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The runs, one on each line.
pub fn list(records: &[Record], stack: &str, style: Style) -> String {
    if records.is_empty() {
        return format!("The stack {stack} has no recorded runs.\n");
    }
    let rows = records.iter().map(|record| {
        vec![
            record.since.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            harmless(&record.run),
            harmless(&format!("{}@{}", record.user, record.host)),
            harmless(&record.command),
            tally(record),
            outcome(record, style),
        ]
    });
    columns(&rows.collect::<Vec<_>>(), "")
}

fn tally(record: &Record) -> String {
    let done = record.steps.iter().filter(|step| step.result == "done").count();
    match record.steps.len() {
        0 => "no changes".to_owned(),
        all if all == done => counted(all, "step"),
        all => format!("{done} of {}", counted(all, "step")),
    }
}

fn outcome(record: &Record, style: Style) -> String {
    let took = record.ended.map(|ended| ended.duration_since(record.since));
    let took = took.and_then(|took| Duration::try_from(took).ok()).map(time).unwrap_or_default();
    match record.outcome {
        RunOutcome::Started => style.paint(Ink::Warn, "still running, or killed"),
        RunOutcome::Done => format!("{} in {took}", style.paint(Ink::Good, "done")),
        RunOutcome::Failed => format!("{} after {took}", style.paint(Ink::Bad, "failed")),
        RunOutcome::Interrupted => {
            format!("{} after {took}", style.paint(Ink::Warn, "interrupted"))
        }
        RunOutcome::LockLost => format!("{} after {took}", style.paint(Ink::Bad, "lost the lock")),
    }
}

/// One run with its steps.
pub fn page(record: &Record, style: Style) -> String {
    let row = |name: &str, value: String| vec![style.paint(Ink::Faint, name), harmless(&value)];
    let mut text = columns(
        &[
            row("run", record.run.clone()),
            row("command", format!("{} (lagoa {})", record.command, record.lagoa)),
            row("stack", record.stack.clone()),
            row("digest", record.digest.clone()),
            row("who", format!("{}@{}, pid {}", record.user, record.host, record.pid)),
            row("as", record.caller.clone()),
            row("since", record.since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ],
        "",
    );
    text.push_str(&format!("{}\n", outcome(record, style)));
    let rows = record.steps.iter().map(|step| {
        let took = step.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let mut result = step.result.replace('_', " ");
        if let Some(took) = took {
            result.push_str(&format!(" in {}", time(took)));
        }
        if let Some(error) = &step.error {
            result.push_str(&format!(": {error}"));
        }
        [&step.action, &step.kind, &step.key, &result].map(|cell| harmless(cell)).to_vec()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&columns(&rows, "  "));
    }
    text
}
