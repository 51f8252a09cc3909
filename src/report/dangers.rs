//! What a plan does to data, told apart from everything else.

use serde::Serialize;

use super::style::{Ink, Style, harmless, wrapped};
use super::view::{Deed, Entry};
use crate::kind::OnDestroy;
use crate::plan::{Fate, Step};
use crate::reference::shown;

/// Columns that prose is broken at.
const WIDTH: usize = 96;

/// A deletion or replacement of something that holds data.
#[derive(Clone, Debug, Serialize)]
pub struct Danger {
    /// Key of the resource.
    pub key: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its name in AWS.
    pub name: String,
    /// What is done with it.
    pub action: Deed,
    /// `file:line` of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What becomes of the data.
    pub fate: Fate,
    /// The same in words.
    pub data: String,
    /// How to prevent it.
    pub prevent: String,
}

/// The danger of an entry whose delete is `step`; `None` when nothing is at stake.
pub fn danger(entry: &Entry, step: &Step) -> Option<Danger> {
    let fate = step.fate.filter(|fate| *fate != Fate::Kept)?;
    if entry.blocked.is_some() {
        return None;
    }
    Some(Danger {
        key: shown(&entry.key),
        kind: entry.kind,
        name: entry.name.clone(),
        action: entry.action,
        place: entry.place.clone(),
        fate,
        data: entry.data.clone()?,
        prevent: prevent(entry, step, fate),
    })
}

fn prevent(entry: &Entry, step: &Step, fate: Fate) -> String {
    let allowed = step.kind.facts().on_destroy;
    let snapshot = fate == Fate::Lost && allowed.contains(&OnDestroy::Snapshot);
    let retain = allowed.contains(&OnDestroy::Retain);
    let key = shown(&entry.key);
    if entry.action == Deed::Replace {
        let fixed = entry.fields.iter().filter(|field| field.forces_replacement);
        let fixed: Vec<String> = fixed.map(|field| format!("`{}`", field.path)).collect();
        let undo = match fixed.as_slice() {
            [] => "undo what replaces it".to_owned(),
            fields => format!("undo the change of {}", fields.join(", ")),
        };
        let kept = if snapshot { ", or keep a copy with `on_destroy: snapshot`" } else { "" };
        return format!("{undo}{kept}");
    }
    let words: Vec<&str> = [(snapshot, "`on_destroy: snapshot`"), (retain, "`on_destroy: retain`")]
        .into_iter()
        .filter_map(|(may, word)| may.then_some(word))
        .collect();
    match (entry.orphan, words.as_slice()) {
        (true, []) => format!("put {key} back into the stack"),
        (true, words) => format!(
            "put {key} back into the stack; to let it go and keep the data, with {} first",
            words.join(" or ")
        ),
        (false, words) => {
            let mut all = words.to_vec();
            all.push("`protect: true`");
            format!("give {key} {}", all.join(" or "))
        }
    }
}

/// How many of them lose data for good.
pub fn lost(dangers: &[Danger]) -> usize {
    dangers.iter().filter(|danger| danger.fate == Fate::Lost).count()
}

/// What is at stake, the worst first; empty when nothing is.
pub fn render(dangers: &[Danger], style: Style) -> String {
    if dangers.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", style.paint(Ink::Bad, "Data at stake"));
    for danger in dangers {
        let done = if danger.action == Deed::Replace { "is replaced" } else { "is deleted" };
        let key = style.paint(Ink::Strong, &harmless(&danger.key));
        text.push_str(&format!("   ! {} {key} {done}\n", danger.kind));
        for (label, words) in [("", &danger.data), ("to prevent it: ", &danger.prevent)] {
            for (number, line) in wrapped(&harmless(words), WIDTH - label.len()).iter().enumerate()
            {
                let label = if number == 0 { label } else { "  " };
                text.push_str(&format!("      {label}{line}\n"));
            }
        }
    }
    text
}
