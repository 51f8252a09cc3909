//! A plan as text for a reviewer.

use serde_json::Value;

use super::dangers;
use super::policy::{self, Line};
use super::style::{Ink, Style, harmless, wrapped};
use super::value::{self, KNOWN_LATER};
use super::view::{Deed, Entry, Field, Total, View};

/// Columns that prose is broken at.
const WIDTH: usize = 96;
/// Where a resource's lines start.
const INDENT: &str = "      ";
/// A value wider than this is written member by member.
const NARROW: usize = 70;

/// The whole plan: what is done with each resource, and the total.
pub fn render(view: &View, style: Style) -> String {
    let mut text = String::new();
    if let Some(offline) = &view.offline {
        let words = style.paint(Ink::Warn, &format!("Offline: {offline}."));
        text.push_str(&format!("{words} Nothing was read from AWS.\n\n"));
    }
    if !view.resources.is_empty() {
        text.push_str(&heading(view, style));
        text.push_str(&dangers::render(&view.dangers, style));
        let mut short = false;
        for entry in &view.resources {
            let lines = resource(entry, style);
            let was_short = std::mem::replace(&mut short, lines.lines().count() == 1);
            // Entries of one line stand together.
            if !(short && was_short) {
                text.push('\n');
            }
            text.push_str(&lines);
        }
        text.push('\n');
    }
    text.push_str(&total(view, style));
    text
}

fn heading(view: &View, style: Style) -> String {
    let mut used: Vec<Deed> = Vec::new();
    for entry in &view.resources {
        if entry.blocked.is_none() && !used.contains(&entry.action) {
            used.push(entry.action);
        }
    }
    used.sort();
    let mut legend: Vec<String> = used
        .into_iter()
        .map(|deed| {
            let (sign, ink, words) = sign(deed);
            format!("{} {words}", style.paint(ink, sign))
        })
        .collect();
    if view.total.blocked > 0 {
        legend.push(format!("{} blocked", style.paint(Ink::Bad, "!")));
    }
    format!(
        "Stack {} in account {}, {}\n{}\n",
        style.paint(Ink::Strong, &view.stack),
        view.account,
        view.region,
        legend.join("   ")
    )
}

fn sign(deed: Deed) -> (&'static str, Ink, &'static str) {
    match deed {
        Deed::Create => ("+", Ink::Good, "create"),
        Deed::Update => ("~", Ink::Warn, "change in place"),
        Deed::Replace => ("-/+", Ink::Bad, "delete and create anew"),
        Deed::Adopt => ("<", Ink::Warn, "take over what exists"),
        Deed::Seed => (">", Ink::Data, "seed"),
        Deed::Delete => ("-", Ink::Bad, "delete"),
        Deed::Retain => ("=", Ink::Faint, "leave in the account"),
        Deed::Unread => ("?", Ink::Bad, "can't be read"),
    }
}

/// One resource with everything a reviewer should know of it.
fn resource(entry: &Entry, style: Style) -> String {
    let (sign, ink, _) = match entry.blocked {
        Some(_) => ("!", Ink::Bad, ""),
        None => sign(entry.action),
    };
    let key = style.paint(Ink::Strong, &harmless(&entry.key));
    let mut text =
        format!("{}{} {} {key}", " ".repeat(4 - sign.len()), style.paint(ink, sign), entry.kind);
    if entry.name != entry.key {
        text.push_str(&format!(" ({})", harmless(&entry.name)));
    }
    if entry.orphan {
        text.push_str(": no longer in the stack");
    }
    text.push('\n');
    for reason in &entry.because {
        prose(&mut text, style, Ink::Bad, "replaced: ", reason);
    }
    let said = |data: &String| {
        entry.blocked.as_ref().is_some_and(|blocked| blocked.reason.starts_with(data))
    };
    if let Some(data) = entry.data.as_ref().filter(|data| !said(data)) {
        prose(&mut text, style, Ink::Warn, "data: ", data);
    }
    if let Some(blocked) = &entry.blocked {
        prose(&mut text, style, Ink::Bad, "blocked: ", &blocked.reason);
        prose(&mut text, style, Ink::Strong, "help: ", &blocked.remedy);
    }
    for note in &entry.notes {
        prose(&mut text, style, Ink::Faint, "", note);
    }
    text.push_str(&fields(entry, style));
    text
}

fn prose(text: &mut String, style: Style, ink: Ink, label: &str, words: &str) {
    let hanging = " ".repeat(label.chars().count().max(2));
    for (number, line) in wrapped(&harmless(words), WIDTH - label.len()).iter().enumerate() {
        let label = if number == 0 { style.paint(ink, label) } else { hanging.clone() };
        text.push_str(&format!("{INDENT}{label}{line}\n"));
    }
}

/// Fields, their values aligned.
fn fields(entry: &Entry, style: Style) -> String {
    let news =
        |field: &Field| field.old.is_null() || field.old.as_array().is_some_and(Vec::is_empty);
    let all_new = entry.fields.iter().all(news);
    // The notes say in words what a new seed holds.
    if entry.action == Deed::Seed && all_new && !entry.notes.is_empty() {
        return String::new();
    }
    let bare = matches!(entry.action, Deed::Create | Deed::Seed) && all_new;
    let rows: Vec<(String, Vec<String>)> = entry
        .fields
        .iter()
        .flat_map(|field| if bare { set(field) } else { vec![changed(field, style)] })
        .filter(|(_, lines)| !lines.is_empty())
        .collect();
    let width = rows.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0).min(40);
    let mut text = String::new();
    for (path, lines) in rows {
        for (number, line) in lines.iter().enumerate() {
            let path = if number == 0 { path.as_str() } else { "" };
            let pad = " ".repeat(width.saturating_sub(path.chars().count()));
            text.push_str(&format!("{INDENT}{}{pad}  {line}\n", harmless(path)));
        }
    }
    text
}

/// A field that is set on something new; a wide one member by member.
pub(super) fn set(field: &Field) -> Vec<(String, Vec<String>)> {
    if field.policy && field.new.is_object() {
        let statements = policy::statements(&field.new);
        return vec![(field.path.clone(), statements.iter().flat_map(|one| folded(one)).collect())];
    }
    if field.tags {
        return vec![(field.path.clone(), tags(&field.new))];
    }
    let wide = value::flow(&field.new).chars().count() > NARROW;
    match &field.new {
        Value::Object(map) if wide => {
            let members =
                map.iter().filter(|(_, value)| !value::is_hollow(value)).map(|(key, new)| Field {
                    path: format!("{}.{key}", field.path),
                    new: new.clone(),
                    known_after_apply: new.to_string().contains("${") && field.known_after_apply,
                    ..field.clone()
                });
            members.flat_map(|member| set(&member)).collect()
        }
        Value::Array(items) if wide && items.len() > 1 => {
            vec![(field.path.clone(), items.iter().map(value::line).collect())]
        }
        new => vec![(field.path.clone(), vec![later(value::line(new), field.known_after_apply)])],
    }
}

/// A statement on as many lines as it needs: what a policy allows is never cut off.
fn folded(statement: &str) -> Vec<String> {
    let lines = wrapped(&harmless(statement), WIDTH - 16);
    let indented = |(number, line)| if number == 0 { line } else { format!("    {line}") };
    lines.into_iter().enumerate().map(indented).collect()
}

/// A value that holds references names them, and says that they aren't known.
fn later(text: String, unknown: bool) -> String {
    if unknown { format!("{text} {KNOWN_LATER}") } else { text }
}

/// The tags on one line; lagoa's own go without saying.
fn tags(tags: &Value) -> Vec<String> {
    let Some(tags) = tags.as_object() else { return vec![value::line(tags)] };
    let own = tags.iter().filter(|(key, _)| !key.starts_with("lagoa:"));
    let words: Vec<String> =
        own.map(|(key, value)| format!("{key}={}", value::flow(value))).collect();
    if words.is_empty() { Vec::new() } else { vec![harmless(&words.join(", "))] }
}

/// A field that differs: old → new, or the members that come and go.
fn changed(field: &Field, style: Style) -> (String, Vec<String>) {
    let mut lines =
        if field.policy { policy_lines(field, style) } else { None }.unwrap_or_else(|| {
            if field.members {
                return members(field, style);
            }
            let new = later(value::line(&field.new), field.known_after_apply);
            // What a large value was is in the way of what it becomes.
            let old = value::clipped(
                &value::line(&field.old),
                if field.old.is_object() { 40 } else { NARROW },
            );
            let (old, new) = (style.paint(Ink::Faint, &old), style.paint(Ink::Strong, &new));
            vec![format!("{old} → {new}")]
        });
    if let (true, Some(first)) = (field.forces_replacement, lines.first_mut()) {
        first.push_str(&style.paint(Ink::Bad, "  (forces the replacement)"));
    }
    (field.path.clone(), lines)
}

fn members(field: &Field, style: Style) -> Vec<String> {
    let each = |list: &Value, sign: &str, ink| -> Vec<String> {
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        items
            .iter()
            .map(|item| style.paint(ink, &format!("{sign} {}", value::line(item))))
            .collect()
    };
    let mut lines = each(&field.new, "+", Ink::Good);
    if let (true, Some(last)) = (field.known_after_apply, lines.last_mut()) {
        last.push(' ');
        last.push_str(KNOWN_LATER);
    }
    lines.extend(each(&field.old, "-", Ink::Bad));
    lines
}

fn policy_lines(field: &Field, style: Style) -> Option<Vec<String>> {
    let lines = match (&field.old, &field.new) {
        (Value::Null, new) if new.is_object() => {
            policy::statements(new).into_iter().map(Line::Comes).collect()
        }
        (old, Value::Null) if old.is_object() => {
            policy::statements(old).into_iter().map(Line::Goes).collect()
        }
        (old, new) => policy::difference(old, new)?,
    };
    if lines.is_empty() {
        return None;
    }
    let painted = lines.into_iter().flat_map(|line| {
        let (ink, text) = match line {
            Line::Comes(text) => (Ink::Good, format!("+ {text}")),
            Line::Goes(text) => (Ink::Bad, format!("- {text}")),
            Line::Changes(text) => (Ink::Warn, format!("~ {text}")),
        };
        folded(&text).into_iter().map(move |line| style.paint(ink, &line))
    });
    Some(painted.collect())
}

/// The last line: how many of each.
pub fn total(view: &View, style: Style) -> String {
    let kept = view.total.deeds.get(&Deed::Retain).copied().unwrap_or(0);
    if !view.changes() {
        let mut line = match view.destroy {
            _ if view.offline.is_some() => "Nothing to create in an empty account.".to_owned(),
            true => format!("Nothing to destroy: AWS has nothing of the stack {}.", view.stack),
            false if !view.unread.is_empty() => "No changes in what can be read.".to_owned(),
            false => format!("No changes. AWS matches {}.", view.file),
        };
        if kept > 0 {
            line =
                format!("Nothing to do; {kept} left in the account as `on_destroy: retain` says.");
        }
        return format!("{}\n", style.paint(Ink::Good, &line));
    }
    let mut parts = words(&view.total);
    if view.total.blocked > 0 {
        parts.push(style.paint(Ink::Bad, &format!("{} blocked", view.total.blocked)));
    }
    let unchanged = match view.total.unchanged {
        0 => String::new(),
        number => format!("; {number} unchanged"),
    };
    format!("{} {}{unchanged}.\n", style.paint(Ink::Strong, "Plan:"), parts.join(", "))
}

/// `3 to create`, `1 to change`, …
pub fn words(total: &Total) -> Vec<String> {
    let each = total.deeds.iter().map(|(deed, number)| {
        let word = match deed {
            Deed::Create => "to create",
            Deed::Update => "to change",
            Deed::Replace => "to replace",
            Deed::Adopt => "to take over",
            Deed::Seed => "to seed",
            Deed::Delete => "to delete",
            Deed::Retain => "to leave in the account",
            Deed::Unread => "that can't be read",
        };
        format!("{number} {word}")
    });
    each.collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
