//! Problems as a list.

use super::super::problems::sorted;
use super::text::{link, plain, prose};
use super::{Links, fitted};
use crate::diagnostic::{Place, Problem, Severity};

/// The problems, the worst first, as many as fit into `budget` bytes.
pub fn section(problems: &[Problem], links: &Links, budget: usize) -> String {
    let mut sorted = sorted(problems);
    sorted.sort_by_key(|problem| problem.severity != Severity::Error);
    let (items, left) = fitted(sorted.iter().map(|problem| item(problem, links)), budget);
    let mut text = format!("<ul>\n{items}</ul>\n\n");
    if left > 0 {
        text.push_str(&format!("<p><b>{left} more</b> are left out here.</p>\n\n"));
    }
    text
}

fn item(problem: &Problem, links: &Links) -> String {
    let sign = match problem.severity {
        Severity::Error => "🛑",
        Severity::Warning => "⚠️",
    };
    let mut text = format!("<li>{sign} {}", prose(&problem.message));
    if let Some(place) = &problem.place {
        text.push_str(&format!(" ({})", spot(place, links)));
    }
    if let Some(label) = &problem.label {
        text.push_str(&format!("<br>here: {}", prose(label)));
    }
    for (place, note) in &problem.notes {
        text.push_str(&format!("<br>{} ({})", prose(note), spot(place, links)));
    }
    if let Some(help) = &problem.help {
        text.push_str(&format!("<br><b>help:</b> {}", prose(help)));
    }
    text.push_str("</li>\n");
    text
}

fn spot(place: &Place, links: &Links) -> String {
    let (line, column) = place.line_column();
    let words = plain(&format!("{}:{line}:{column}", place.source.name));
    match links.page(&place.source.name) {
        Some(page) => link(&format!("{page}#L{line}"), &words),
        None => words,
    }
}
