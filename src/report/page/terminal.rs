//! Reference pages in a terminal, for 80 columns.

use super::{Change, Field, Page, by_service};
use crate::report::style::{Ink, Style, wrapped};
use crate::report::value;

/// Columns that every terminal has.
const WIDTH: usize = 80;

/// Every kind with its first sentence, by service.
pub fn kinds(pages: &[Page], style: Style) -> String {
    let widest = pages.iter().map(|page| page.kind.len()).max().unwrap_or(0) + 4;
    let mut text = String::new();
    for (title, pages) in by_service(pages) {
        text.push_str(&format!("{}\n", style.paint(Ink::Strong, title)));
        for page in pages {
            let name = format!("  {}", style.paint(Ink::Good, page.kind));
            let pad = " ".repeat(widest - page.kind.len() - 2);
            let mut lines = wrapped(&page.summary, WIDTH - widest).into_iter();
            text.push_str(&format!("{name}{pad}{}\n", lines.next().unwrap_or_default()));
            let deeper = " ".repeat(widest);
            text.extend(lines.map(|line| format!("{deeper}{line}\n")));
        }
        text.push('\n');
    }
    text.push_str("`lagoa show kind NAME` shows the page of one.\n");
    text
}

/// A kind's page: what must be written first, the example last.
pub fn page(page: &Page, style: Style) -> String {
    let mut text = format!("{}\n", style.paint(Ink::Strong, page.kind));
    for part in page.text.iter().chain(&page.rules()) {
        text.push('\n');
        paragraph(&mut text, "", part);
    }
    let (required, optional): (Vec<_>, Vec<_>) =
        page.fields.iter().partition(|field| field.required);
    let lists = [
        ("Required", required),
        ("Optional", optional),
        ("Reported by AWS: ${key.field} in others", page.reported.iter().collect()),
        ("Worked out by lagoa", page.followed.iter().collect()),
    ];
    for (title, fields) in lists.into_iter().filter(|(_, fields)| !fields.is_empty()) {
        text.push_str(&format!("\n{}\n", style.paint(Ink::Strong, title)));
        for one in fields {
            field(&mut text, page.kind, one, style);
        }
    }
    text.push_str(&format!("\n{}\n", style.paint(Ink::Strong, "Example")));
    for line in page.example.lines() {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
    text
}

/// A part of a kind's page: one field and what is in it.
pub fn part(kind: &str, whole: &Field, style: Style) -> String {
    let path = format!("{kind}.{}", whole.path);
    let mut text =
        format!("{}\n\n  {}\n", style.paint(Ink::Strong, &path), marks(whole).join(", "));
    for part in &whole.text {
        text.push('\n');
        paragraph(&mut text, "  ", part);
    }
    meanings(&mut text, whole, "    ");
    if !whole.fields.is_empty() {
        text.push('\n');
    }
    for one in &whole.fields {
        field(&mut text, kind, one, style);
    }
    text
}

/// A list of fields, such as those that every resource may have.
pub fn fields(title: &str, list: &[Field], style: Style) -> String {
    let mut text = format!("{}\n", style.paint(Ink::Strong, title));
    for one in list {
        field(&mut text, "", one, style);
    }
    text
}

fn field(text: &mut String, kind: &str, field: &Field, style: Style) {
    const DEEPER: &str = "      ";
    let name = style.paint(Ink::Good, &field.name);
    let marks = marks(field).join(", ");
    let mut lines = wrapped(&marks, WIDTH - 4 - field.name.chars().count()).into_iter();
    text.push_str(&format!("  {name}  {}\n", lines.next().unwrap_or_default()));
    // What didn't fit beside the name has the whole width below it.
    let rest = lines.collect::<Vec<_>>().join(" ");
    paragraph(text, DEEPER, &rest);
    for part in &field.text {
        paragraph(text, DEEPER, part);
    }
    meanings(text, field, DEEPER);
    if field.fields.is_empty() {
        return;
    }
    let names: Vec<&str> = field.fields.iter().map(|field| field.name.as_str()).collect();
    paragraph(text, DEEPER, &format!("In it: {}.", names.join(", ")));
    if !kind.is_empty() {
        let more = format!("{DEEPER}lagoa show kind {kind}.{}", field.plain_path());
        text.push_str(&format!("{}\n", style.paint(Ink::Faint, &more)));
    }
}

/// What each word means, where the words have meanings of their own.
fn meanings(text: &mut String, field: &Field, indent: &str) {
    for word in &field.words {
        if let Some(meaning) = &word.text {
            paragraph(text, indent, &format!("{}: {meaning}", word.word));
        }
    }
}

/// The type, and what else is short.
fn marks(field: &Field) -> Vec<String> {
    let words: Vec<&str> = field.words.iter().map(|word| word.word.as_str()).collect();
    let form = match (words.is_empty(), field.form.as_str()) {
        (true, form) => form.to_owned(),
        (false, "word") => words.join(" | "),
        (false, form) => format!("{form}: {}", words.join(" | ")),
    };
    let mut marks = vec![form.replace('`', "")];
    if let Some(pattern) = &field.pattern {
        marks.push(format!("like {pattern}"));
    }
    if let Some(default) = &field.default {
        marks.push(format!("default {}", value::line(default)));
    }
    if matches!(field.change, Change::Replaces | Change::Sent) {
        let words = field.change.words().replace('`', "");
        let replaces = field.change == Change::Replaces;
        marks.push(if replaces { format!("a change {words}") } else { words });
    }
    marks
}

fn paragraph(text: &mut String, indent: &str, words: &str) {
    for line in wrapped(words, WIDTH - indent.len()) {
        text.push_str(&format!("{indent}{line}\n"));
    }
}
