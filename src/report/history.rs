//! The history of a stack's runs as text.

use std::time::Duration;

use super::progress::time;
use super::style::{Ink, Style, columns, counted, harmless};
use crate::aws::history::{Record, RunOutcome};

/// The runs, one on each line.
pub fn list(records: &[Record], stack: &str, style: Style) -> String {
    if records.is_empty() {
        return format!("The stack {stack} has no recorded runs.\n");
    }
    let rows = records.iter().map(|record| {
        vec![
            record.holder.since.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            harmless(&record.holder.run),
            harmless(&format!("{}@{}", record.holder.user, record.holder.host)),
            harmless(&record.holder.command),
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
    let took = record.ended.map(|ended| ended.duration_since(record.holder.since));
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
    let holder = &record.holder;
    let row = |name: &str, value: String| vec![style.paint(Ink::Faint, name), harmless(&value)];
    let mut text = columns(
        &[
            row("run", holder.run.clone()),
            row("command", format!("{} (lagoa {})", holder.command, record.lagoa)),
            row("stack", record.stack.clone()),
            row("digest", record.digest.clone()),
            row("who", format!("{}@{}, pid {}", holder.user, holder.host, holder.pid)),
            row("as", record.caller.clone()),
            row("since", holder.since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
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
