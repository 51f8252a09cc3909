//! The fields of a resource as lines for a fence: what is set, or what goes and what comes.

use serde_json::Value;

use super::super::plan::set;
use super::super::policy::{self, Line};
use super::super::value::{self, KNOWN_LATER};
use super::super::view::{Deed, Entry, Field};
use super::text::fence;

/// Characters of one value that are shown.
const WIDTH: usize = 240;

/// The fields between fences; empty when there is nothing to show.
pub fn block(entry: &Entry) -> String {
    let news =
        |field: &Field| field.old.is_null() || field.old.as_array().is_some_and(Vec::is_empty);
    let all_new = entry.fields.iter().all(news);
    // The notes say in words what a new seed holds.
    if entry.action == Deed::Seed && all_new && !entry.notes.is_empty() {
        return String::new();
    }
    let bare = matches!(entry.action, Deed::Create | Deed::Seed) && all_new;
    let (language, lines): (_, Vec<String>) = match bare {
        true => ("yaml", entry.fields.iter().flat_map(given).collect()),
        false => ("diff", entry.fields.iter().flat_map(changed).collect()),
    };
    if lines.is_empty() { String::new() } else { fence(language, &lines) }
}

/// A field that is set on something new.
fn given(field: &Field) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, values) in set(field) {
        match values.as_slice() {
            [] => {}
            [one] => lines.push(format!("{path}: {one}")),
            several => {
                lines.push(format!("{path}:"));
                lines.extend(several.iter().map(|value| format!("  {value}")));
            }
        }
    }
    lines
}

/// A field that differs, as a diff has it: `-` goes, `+` comes, `!` changes within.
fn changed(field: &Field) -> Vec<String> {
    let path = &field.path;
    let forces = if field.forces_replacement { "  # forces the replacement" } else { "" };
    let later = if field.known_after_apply { format!("  # {KNOWN_LATER}") } else { String::new() };
    if let Some(lines) = policy_lines(field) {
        return std::iter::once(format!("  {path}:{forces}")).chain(lines).collect();
    }
    if field.members {
        let each = |list: &Value, sign: &str| -> Vec<String> {
            let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().map(|item| format!("{sign}   {}", shown(item))).collect()
        };
        let mut lines = vec![format!("  {path}:{forces}{later}")];
        lines.extend(each(&field.old, "-"));
        lines.extend(each(&field.new, "+"));
        return lines;
    }
    let mut lines = Vec::new();
    if !field.old.is_null() {
        lines.push(format!("- {path}: {}", shown(&field.old)));
    }
    if !field.new.is_null() {
        lines.push(format!("+ {path}: {}{later}", shown(&field.new)));
    }
    if let Some(last) = lines.last_mut() {
        last.push_str(forces);
    }
    lines
}

fn shown(value: &Value) -> String {
    value::clipped(&value::flow(value), WIDTH)
}

fn policy_lines(field: &Field) -> Option<Vec<String>> {
    if !field.policy {
        return None;
    }
    let lines = match (&field.old, &field.new) {
        (Value::Null, new) if new.is_object() => {
            policy::statements(new).into_iter().map(Line::Comes).collect()
        }
        (old, Value::Null) if old.is_object() => {
            policy::statements(old).into_iter().map(Line::Goes).collect()
        }
        (old, new) => policy::difference(old, new)?,
    };
    let line = |line| match line {
        Line::Comes(text) => format!("+   {text}"),
        Line::Goes(text) => format!("-   {text}"),
        Line::Changes(text) => format!("!   {text}"),
    };
    (!lines.is_empty()).then(|| lines.into_iter().map(line).collect())
}
