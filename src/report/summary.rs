//! How a run ended: what is done, what failed and why, what was not started, and the outputs.

use serde::Serialize;
use serde_json::Value;

use super::style::{Ink, Style, columns, counted, harmless, wrapped};
use super::value;
use super::view::remedy;
use crate::execution::{Failure, Outcome};
use crate::plan::{Action, Plan, Step};
use crate::reference::{is_unknown, shown};
use crate::stack::Stack;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Every step, in the plan's order.
    pub steps: Vec<Ended>,
    /// The run was stopped from outside.
    pub interrupted: bool,
    /// Outputs that are known.
    pub outputs: Vec<(String, Value)>,
}

/// One step and how it ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Key in the stack.
    pub key: String,
    /// What kind of thing.
    pub kind: &'static str,
    /// Name in AWS.
    pub name: String,
    /// What the step did.
    pub action: Action,
    /// `file:line` of its key.
    pub place: Option<String>,
    /// How it ended.
    pub ending: Ending,
}

/// How a step ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// Well.
    Done,
    /// Badly.
    Failed(Trouble),
    /// It was under way when the run was stopped, and would have waited for this.
    Unfinished(String),
    /// Whether anything was to be done couldn't be known.
    Unread,
    /// It was not begun: because of these, or because the run was stopped when there are none.
    NotStarted(Vec<String>),
}

/// Why a step failed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trouble {
    /// The plan said so already, and nothing was tried.
    #[serde(skip)]
    pub blocked: bool,
    /// In one sentence; the service's words where it spoke.
    pub message: String,
    /// The service's code.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// For AWS's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Trouble {
    /// What went wrong with a step.
    pub fn new(step: &Step, failure: &Failure, file: &str) -> Self {
        match failure {
            Failure::Blocked => {
                let blocked = step.blocked.as_ref();
                Self {
                    message: blocked.map(|b| shown(&b.reason)).unwrap_or_default(),
                    help: blocked.map(|b| remedy(b, file)),
                    blocked: true,
                    ..Self::default()
                }
            }
            Failure::Changed(what) => Self {
                message: format!("it changed since the plan was made: {}", shown(what)),
                help: Some("run it again to plan with what is there now".to_owned()),
                ..Self::default()
            },
            Failure::Aws(error) => Self {
                message: shown(&error.message),
                code: error.code.clone(),
                request_id: error.request_id.clone(),
                help: error.hint.as_deref().map(shown).or_else(|| permission(&error.code)),
                blocked: false,
            },
            Failure::Stopped(what) => Self { message: left(what), ..Self::default() },
            Failure::Unread => {
                Self { message: "it couldn't be read".to_owned(), ..Self::default() }
            }
        }
    }

    /// Code and message.
    pub fn words(&self) -> String {
        match (self.code.as_str(), self.message.as_str()) {
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        }
    }
}

/// What a step that was left would have waited for.
pub fn left(what: &str) -> String {
    format!("stopped while waiting for {}", shown(what))
}

/// What a refusal means when AWS says no more.
pub fn permission(code: &str) -> Option<String> {
    let denied =
        ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"];
    if denied.contains(&code) {
        let lacks = "the role or user that runs lagoa lacks a permission for this call";
        return Some(format!("{lacks}; `lagoa policy` prints what a stack takes"));
    }
    let expired =
        ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"];
    expired
        .contains(&code)
        .then(|| "the credentials have expired or are wrong; sign in again".to_owned())
}

impl Summary {
    /// Arranges what became of a plan.
    pub fn new(plan: &Plan, stack: &Stack, outcome: &Outcome, file: &str) -> Self {
        let steps = plan.steps.iter().map(|step| {
            let resource = stack.resource(&step.key).filter(|_| !step.orphan);
            Ended {
                key: shown(&step.key),
                kind: step.kind.facts().name,
                name: shown(&step.name),
                action: step.action,
                place: resource.map(|resource| {
                    format!("{}:{}", resource.place.source.name, resource.place.line_column().0)
                }),
                ending: ending(step, plan, outcome, file),
            }
        });
        let filled = plan.outputs.iter().map(|(name, v)| (name.clone(), outcome.fill(plan, v)));
        let known = filled.filter(|(_, value)| !is_unknown(value));
        Self { steps: steps.collect(), interrupted: outcome.stopped, outputs: known.collect() }
    }

    /// Whether everything is done.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.ending, Ending::Done))
    }
}

fn ending(step: &Step, plan: &Plan, outcome: &Outcome, file: &str) -> Ending {
    if let Some(Failure::Unread) = outcome.failed.get(&step.id) {
        return Ending::Unread;
    }
    if let Some(failure) = outcome.failed.get(&step.id) {
        return Ending::Failed(Trouble::new(step, failure, file));
    }
    if outcome.done.contains(&step.id) {
        return Ending::Done;
    }
    if let Some(what) = outcome.unfinished.get(&step.id) {
        return Ending::Unfinished(left(what));
    }
    let mut causes: Vec<String> = Vec::new();
    let mut next: Vec<usize> = step.needs.iter().copied().collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(id) = next.pop() {
        if !seen.insert(id) {
            continue;
        }
        if outcome.failed.contains_key(&id) {
            causes.push(match &plan.steps[id] {
                other if other.key == step.key => "the old one to go".to_owned(),
                other => shown(&other.key),
            });
        } else if outcome.skipped.contains(&id) {
            next.extend(plan.steps[id].needs.iter().copied());
        }
    }
    causes.sort();
    causes.dedup();
    Ending::NotStarted(causes)
}

/// The summary as text: failures, what was not started, the count, the outputs.
pub fn render(summary: &Summary, elapsed: &str, style: Style) -> String {
    let mut text = String::new();
    for step in &summary.steps {
        if let Ending::Failed(trouble) = &step.ending {
            text.push_str(&failure(step, trouble, style));
        }
    }
    text.push_str(&unfinished(summary, style));
    text.push_str(&not_started(summary, style));
    text.push_str(&count(summary, elapsed, style));
    if summary.is_complete() || !summary.outputs.is_empty() {
        text.push_str(&outputs(&summary.outputs, style));
    }
    text
}

fn failure(step: &Ended, trouble: &Trouble, style: Style) -> String {
    let place = step.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    let verb = verb(step.action, trouble);
    let mut text =
        format!("{} {} {} {verb}{place}\n", style.paint(Ink::Bad, "error:"), step.kind, step.key);
    for line in trouble.words().lines() {
        for line in wrapped(&harmless(line), 96) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    if let Some(id) = &trouble.request_id {
        text.push_str(&format!("  request id {}\n", harmless(id)));
    }
    if let Some(help) = &trouble.help {
        text.push_str(&format!("{} {}\n", style.paint(Ink::Strong, "help:"), harmless(help)));
    }
    text.push('\n');
    text
}

/// What became of a step that failed.
pub(super) fn verb(action: Action, trouble: &Trouble) -> &'static str {
    match action {
        _ if trouble.blocked => "is blocked",
        Action::Create => "could not be created",
        Action::Update => "could not be changed",
        Action::Adopt => "could not be taken over",
        Action::Seed => "could not be seeded",
        Action::Delete => "could not be deleted",
        Action::Retain => "could not be left",
        Action::Unread => "could not be read",
    }
}

fn unfinished(summary: &Summary, style: Style) -> String {
    let rows = summary.steps.iter().filter_map(|step| match &step.ending {
        Ending::Unfinished(why) => {
            Some(vec![step.kind.to_owned(), step.key.clone(), harmless(why)])
        }
        _ => None,
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("{}\n{}\n", style.paint(Ink::Warn, "Begun, not finished:"), columns(&rows, "  "))
}

fn not_started(summary: &Summary, style: Style) -> String {
    let rows: Vec<Vec<String>> = summary
        .steps
        .iter()
        .filter_map(|step| match &step.ending {
            Ending::Unread => {
                Some(vec![step.kind.to_owned(), step.key.clone(), "can't be read now".to_owned()])
            }
            Ending::NotStarted(causes) if causes.is_empty() => {
                Some(vec![step.kind.to_owned(), step.key.clone(), "the run was stopped".to_owned()])
            }
            Ending::NotStarted(causes) => Some(vec![
                step.kind.to_owned(),
                step.key.clone(),
                format!("needs {}", causes.join(", ")),
            ]),
            _ => None,
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("{}\n{}\n", style.paint(Ink::Warn, "Not started:"), columns(&rows, "  "))
}

/// How many steps ended how, in a line.
pub(super) fn count(summary: &Summary, elapsed: &str, style: Style) -> String {
    let of =
        |wanted: fn(&Ending) -> bool| summary.steps.iter().filter(|s| wanted(&s.ending)).count();
    let done = of(|ending| matches!(ending, Ending::Done));
    let failed = of(|ending| matches!(ending, Ending::Failed(_)));
    let begun = of(|ending| matches!(ending, Ending::Unfinished(_)));
    let waiting = of(|ending| matches!(ending, Ending::NotStarted(_) | Ending::Unread));
    let all = failed + begun + waiting == 0;
    let mut parts = vec![format!("{}{}", counted(done, "step"), if all { "" } else { " done" })];
    if failed > 0 {
        parts.push(style.paint(Ink::Bad, &format!("{failed} failed")));
    }
    if begun > 0 {
        parts.push(style.paint(Ink::Warn, &format!("{begun} not finished")));
    }
    if waiting > 0 {
        parts.push(style.paint(Ink::Warn, &format!("{waiting} not started")));
    }
    let word = match (summary.interrupted, all) {
        (true, _) => style.paint(Ink::Warn, "Stopped:"),
        (false, true) => style.paint(Ink::Good, "Done:"),
        (false, false) => style.paint(Ink::Bad, "Not finished:"),
    };
    let again = if !all { " The next run goes on from here." } else { "" };
    format!("{word} {} in {elapsed}.{again}\n", parts.join(", "))
}

/// Outputs, one per line; nothing when there are none.
pub fn outputs(outputs: &[(String, Value)], style: Style) -> String {
    if outputs.is_empty() {
        return String::new();
    }
    let plain = |value: &Value| value.as_str().map_or_else(|| value::flow(value), str::to_owned);
    let rows = outputs.iter().map(|(name, value)| vec![name.clone(), harmless(&plain(value))]);
    format!(
        "\n{}\n{}",
        style.paint(Ink::Strong, "Outputs:"),
        columns(&rows.collect::<Vec<_>>(), "  ")
    )
}
