//! What AWS has of a stack, as text.

use super::style::{Ink, Style, columns, counted, harmless};
use crate::kind::{AnyKind, Live, Phase};

/// One resource as `show stack` lists it.
pub struct Row<'a> {
    /// Key in the stack; for an orphan the key it had.
    pub key: String,
    /// What kind of thing.
    pub kind: &'static dyn AnyKind,
    /// As AWS has it; `None` when AWS doesn't have it.
    pub live: Option<&'a Live>,
    /// It isn't in the stack file.
    pub orphan: bool,
}

/// The rows as a table, and how many there are.
pub fn render(rows: &[Row<'_>], stack: &str, style: Style) -> String {
    let mut lines = vec![["KEY", "KIND", "NAME", "STATE"].map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| cells(row, stack)));
    let there = rows.iter().filter(|row| row.live.is_some()).count();
    let missing = rows.len() - there;
    let mut count = format!("{} in AWS", counted(there, "resource"));
    if missing > 0 {
        count.push_str(&format!(", {missing} not there"));
    }
    let table = columns(&lines, "");
    let (head, body) = table.split_once('\n').unwrap_or((&table, ""));
    format!("{}\n{body}\n{count}.\n", style.paint(Ink::Strong, head))
}

fn cells(row: &Row<'_>, stack: &str) -> Vec<String> {
    let name = row.live.map_or("", |live| live.name.as_str());
    let mut state = match row.live.map(|live| &live.phase) {
        None => "not there".to_owned(),
        Some(Phase::Ready) => "ready".to_owned(),
        Some(Phase::Pending(words)) => words.clone(),
        Some(Phase::Failed(words)) => format!("failed: {words}"),
    };
    if row.orphan {
        state.push_str(", no longer in the stack");
    }
    let owner = row.live.and_then(|live| live.owner.as_ref());
    // A seed is done or not; nobody owns it.
    if row.live.is_some()
        && !row.kind.facts().seed
        && owner.is_none_or(|owner| owner.stack != stack)
    {
        match owner {
            Some(owner) => state.push_str(&format!(", belongs to the stack {}", owner.stack)),
            None => state.push_str(", not lagoa's"),
        }
    }
    vec![harmless(&row.key), row.kind.facts().name.to_owned(), harmless(name), harmless(&state)]
}
