//! What the security checks found, as text and for machines.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::problems;
use super::style::{Ink, Style, columns, counted, harmless};
use crate::checks::{Check, SETTLED, Severity};
use crate::diagnostic::Problem;
use crate::reference::shown;
use crate::stack::{self, Stack};

/// Resources that a line names before it counts the rest.
const NAMED: usize = 3;
/// Places that the text about one check shows before it counts the rest.
const PLACES: usize = 5;

/// A finding for machines.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The check: `S3-TLS`.
    pub id: &'static str,
    /// How much harm it can do.
    pub severity: Severity,
    /// Key of the resource.
    pub resource: String,
    /// Its kind.
    pub kind: &'static str,
    /// Paths of the fields that it is about.
    pub fields: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// The file that says so.
    pub file: String,
    /// The line in it, counted from 1.
    pub line: usize,
    /// The column in it, counted from 1.
    pub column: usize,
    /// What to write.
    pub remedy: &'static str,
    /// What Checkov calls the check.
    pub checkov: &'static [&'static str],
    /// What AWS's Foundational Security Best Practices call it.
    pub fsbp: &'static [&'static str],
    /// Whether the stack takes it as it is.
    pub suppressed: bool,
    /// Why it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Finding {
    fn new(one: &stack::Finding) -> Self {
        let (line, column) = one.place.line_column();
        Self {
            id: one.check.id,
            severity: one.check.severity,
            resource: shown(&one.key),
            kind: one.kind,
            fields: vec![one.field.clone()],
            message: shown(&one.message),
            file: one.place.source.name.clone(),
            line,
            column,
            remedy: one.check.remedy,
            checkov: one.check.checkov,
            fsbp: one.check.fsbp,
            suppressed: one.skipped.is_some(),
            reason: one.skipped.clone(),
        }
    }
}

/// Everything found in a stack, the worst first.
pub fn findings(stack: &Stack) -> Vec<Finding> {
    stack.findings.iter().map(Finding::new).collect()
}

/// Which findings are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// Those of low severity too.
    pub all: bool,
    /// Those too that the stack takes as they are.
    pub suppressed: bool,
}

impl Shown {
    fn shows(self, severity: Severity, suppressed: bool) -> bool {
        if suppressed { self.suppressed } else { self.all || severity > Severity::Low }
    }
}

/// How many of each severity, and how many the stack takes as they are: `1 high, 2 low`.
pub fn tally(findings: &[Finding]) -> String {
    let mut number: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings.iter().filter(|one| !one.suppressed) {
        *number.entry(finding.severity).or_default() += 1;
    }
    let mut parts: Vec<String> =
        number.iter().rev().map(|(severity, number)| format!("{number} {severity}")).collect();
    let suppressed = findings.iter().filter(|one| one.suppressed).count();
    if suppressed > 0 {
        parts.push(format!("{suppressed} suppressed"));
    }
    parts.join(", ")
}

fn ink(severity: Severity) -> Ink {
    match severity {
        Severity::Critical | Severity::High => Ink::Bad,
        Severity::Medium => Ink::Warn,
        Severity::Low => Ink::Faint,
    }
}

/// One line for each check that found something; empty when none did.
pub fn brief(findings: &[Finding], file: &str, which: Shown, style: Style) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{} {}.", style.paint(Ink::Strong, "Security:"), tally(findings));
    let more = if which.all { "" } else { " --all" };
    text.push_str(&format!(" `lagoa check {file}{more}` explains them.\n"));
    let mut rows = Vec::new();
    for group in grouped(findings, |one| which.shows(one.severity, one.suppressed)) {
        let Some(first) = group.first() else { continue };
        let severity = style.paint(ink(first.severity), &format!("{:<8}", first.severity));
        let mut row = vec![severity, first.id.to_owned(), among(&group)];
        row.extend(first.reason.as_ref().map(|why| format!("suppressed: {}", harmless(why))));
        rows.push(row);
    }
    text.push_str(&columns(&rows, "  "));
    text
}

/// Those that are wanted by check and reason, in their order.
fn grouped(findings: &[Finding], wanted: impl Fn(&Finding) -> bool) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for one in findings.iter().filter(|one| wanted(one)) {
        let mine = |group: &&mut Vec<&Finding>| {
            group.first().is_some_and(|first| first.id == one.id && first.reason == one.reason)
        };
        match groups.iter_mut().find(mine) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// `rds-server (line 12), other (15) and 2 more`.
fn among(group: &[&Finding]) -> String {
    let mut named: Vec<String> = Vec::new();
    for (at, one) in group.iter().take(NAMED).enumerate() {
        let line = if at == 0 { "line " } else { "" };
        named.push(format!("{} ({line}{})", harmless(&one.resource), one.line));
    }
    let rest = group.len().saturating_sub(NAMED);
    let tail = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{tail}", named.join(", "))
}

/// Everything about what was found, with the source lines.
pub fn full(stack: &Stack, which: Shown, colour: bool) -> String {
    problems(stack, which).iter().map(|one| problems::one(one, colour)).collect()
}

/// One problem for each check that found something.
pub fn problems(stack: &Stack, which: Shown) -> Vec<Problem> {
    let mut groups: Vec<Vec<&stack::Finding>> = Vec::new();
    for one in &stack.findings {
        if !which.shows(one.check.severity, one.skipped.is_some()) {
            continue;
        }
        let same = |group: &&mut Vec<&stack::Finding>| {
            group.first().is_some_and(|first| {
                (first.check.id, &first.skipped) == (one.check.id, &one.skipped)
            })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups.iter().filter_map(|group| problem(group)).collect()
}

/// One problem for all that a check found.
fn problem(group: &[&stack::Finding]) -> Option<Problem> {
    let (first, others) = group.split_first()?;
    let Check { id, severity, remedy, .. } = first.check;
    let skipped = first.skipped.as_ref().map(|why| format!(", suppressed ({why})"));
    let message = shown(&first.message);
    let title = format!("{id}, {severity}{}: {message}", skipped.unwrap_or_default());
    let mut problem = Problem::warning(title).at(&first.place).label(shown(&first.key));
    let mut told = vec![first.place.range.clone()];
    for one in others {
        if told.contains(&one.place.range) || told.len() >= PLACES {
            continue;
        }
        told.push(one.place.range.clone());
        let own = shown(&one.message);
        let words = if own == message { "here too".to_owned() } else { own };
        problem = problem.note(&one.place, format!("{}: {words}", shown(&one.key)));
    }
    let rest = group.len().saturating_sub(told.len());
    let more = if rest > 0 { format!("; {} more", counted(rest, "place")) } else { String::new() };
    Some(problem.help(format!("{remedy}{}{more}", elsewhere(first.check))))
}

/// What others call the check.
fn elsewhere(check: &Check) -> String {
    let names: Vec<&str> = check.checkov.iter().chain(check.fsbp).copied().collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// Every check, for `lagoa show checks`.
pub fn list<'a>(checks: impl Iterator<Item = &'a Check>, style: Style) -> String {
    let mut rows = Vec::new();
    for check in checks {
        rows.push(vec![
            style.paint(Ink::Strong, check.id),
            check.severity.to_string(),
            check.kinds.join(", "),
            format!("{}{}", check.requires, elsewhere(check)),
        ]);
    }
    let mut text = columns(&rows, "");
    let settled = |always: bool| -> Vec<Vec<String>> {
        let those = SETTLED.iter().filter(|one| one.always == always);
        those.map(|one| vec![one.id.to_owned(), one.why.to_owned()]).collect()
    };
    text.push_str("\nAlways met\n");
    text.push_str(&columns(&settled(true), "  "));
    text.push_str("\nNot looked at\n");
    text.push_str(&columns(&settled(false), "  "));
    text
}

/// The same for machines.
pub fn listed<'a>(checks: impl Iterator<Item = &'a Check>) -> Value {
    let checks = checks.map(|check| {
        json!({
            "id": check.id, "severity": check.severity, "kinds": check.kinds,
            "requires": check.requires, "remedy": check.remedy,
            "checkov": check.checkov, "fsbp": check.fsbp,
        })
    });
    json!({ "format": "lagoa.checks/1", "checks": checks.collect::<Vec<_>>() })
}
