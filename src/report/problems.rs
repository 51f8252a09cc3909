//! Problems as text in the manner of rustc: file, line, column, the source line, the mark.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};

use super::style::{Ink, Style, harmless};
use crate::diagnostic::{Place, Problem, Severity};

/// More than this says nothing new, and a generated file can have a hundred thousand.
const SHOWN: usize = 100;
/// Characters of a line that are given to the renderer before and after the mark's start. It
/// shows fewer, but its work grows with what it is given.
const AROUND: usize = 500;
/// Characters of a message shown at most; messages quote what the user wrote.
const MESSAGE_WIDTH: usize = 600;

/// Renders problems sorted by place, each once, and counts them in a last line.
pub fn render(problems: &[Problem], colour: bool) -> String {
    let sorted = sorted(problems);
    let shown = sorted.iter().take(SHOWN).map(|problem| one(problem, colour));
    let mut text: String = shown.collect();
    text.push_str(&count(&sorted));
    text
}

/// One problem with its source lines, and an empty line.
pub fn one(problem: &Problem, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let text = with_true_columns(renderer.render(&[group(problem)]), problem);
    format!("{text}\n\n")
}

/// A problem that has no place in a file, on two lines.
pub fn sentence(problem: &Problem, style: Style) -> String {
    let (ink, word) = match problem.severity {
        Severity::Error => (Ink::Bad, "error:"),
        Severity::Warning => (Ink::Warn, "warning:"),
    };
    let mut text = format!("{} {}\n", style.paint(ink, word), printable(&problem.message));
    if let Some(help) = &problem.help {
        text.push_str(&format!("{} {}\n", style.paint(Ink::Strong, "help:"), printable(help)));
    }
    text
}

/// Several lines are several lines; nothing else that steers a terminal passes.
fn printable(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(harmless).collect();
    first_characters(&lines.join("\n"), MESSAGE_WIDTH * 4)
}

/// The problems by place, without repetition: an alias shows one mistake many times.
pub(super) fn sorted(problems: &[Problem]) -> Vec<&Problem> {
    fn key(problem: &Problem) -> (Option<(&str, usize, usize)>, &str) {
        let place = problem.place.as_ref();
        let place = place.map(|p| (p.source.name.as_str(), p.range.start, p.range.end));
        (place, &problem.message)
    }
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by(|a, b| key(a).cmp(&key(b)));
    sorted.dedup_by(|a, b| key(a) == key(b));
    sorted
}

fn count(problems: &[&Problem]) -> String {
    let of = |severity| problems.iter().filter(|p| p.severity == severity).count();
    let counted = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}{}", if number == 1 { "" } else { "s" }));
    let mut line = counted.collect::<Vec<_>>().join(", ");
    if problems.len() > SHOWN {
        line.push_str(&format!(" (the first {SHOWN} are shown)"));
    }
    if !line.is_empty() {
        line.push('\n');
    }
    line
}

fn group(problem: &Problem) -> Group<'static> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(shortened(&problem.message)));
    if let Some(place) = &problem.place {
        group = marked(group, place, AnnotationKind::Primary, problem.label.as_deref());
    }
    for (place, text) in &problem.notes {
        group = marked(group, place, AnnotationKind::Context, Some(text));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(shortened(help)));
    }
    group
}

/// Adds the source line of `place` with its mark. The line goes in alone and clipped, so a
/// file of one enormous line costs no more than any other.
fn marked(
    group: Group<'static>,
    place: &Place,
    kind: AnnotationKind,
    label: Option<&str>,
) -> Group<'static> {
    let excerpt = Excerpt::of(place);
    let mark = kind.span(excerpt.mark).label(label.map(shortened));
    let snippet = Snippet::source(excerpt.text).line_start(excerpt.line).annotation(mark);
    group.element(snippet.path(name(place)))
}

fn name(place: &Place) -> String {
    normalize_untrusted_str(&place.source.name)
}

/// The renderer counts columns in the excerpt it was given; this puts the true ones in.
fn with_true_columns(mut rendered: String, problem: &Problem) -> String {
    let notes = problem.notes.iter().map(|(place, _)| place);
    for place in problem.place.iter().chain(notes) {
        let excerpt = Excerpt::of(place);
        if excerpt.skipped > 0 {
            let (line, column) = place.line_column();
            let counted = format!("{}:{line}:{}", name(place), column - excerpt.skipped);
            let truly = format!("{}:{line}:{column}", name(place));
            rendered = rendered.replacen(&counted, &truly, 1);
        }
    }
    rendered
}

/// A source line, or the part of it around a mark.
struct Excerpt {
    text: String,
    /// The marked bytes in `text`.
    mark: Range<usize>,
    line: usize,
    /// Characters of the line left out before `text`.
    skipped: usize,
}

impl Excerpt {
    fn of(place: &Place) -> Self {
        let (line, range) = place.source.line_at(place.range.start);
        let text = place.source.text.get(range.clone()).unwrap_or("");
        let start = place.range.start.saturating_sub(range.start).min(text.len());
        let end = place.range.end.saturating_sub(range.start).clamp(start, text.len());
        let (before, rest) = text.split_at(start);
        let shown_before = before.char_indices().rev().nth(AROUND - 1);
        let cut = shown_before.map_or(0, |(at, _)| at);
        let shown = first_characters(rest, AROUND);
        // A mark that is cut off ends with the ellipsis, not inside it.
        let kept = rest.char_indices().nth(AROUND).map_or(rest.len(), |(at, _)| at);
        let mark_end = if end - start <= kept { end - start } else { shown.len() };
        Self {
            text: format!("{}{shown}", &before[cut..]),
            mark: start - cut..start - cut + mark_end,
            line,
            skipped: before[..cut].chars().count(),
        }
    }
}

fn first_characters(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Messages quote what the user wrote, which may be long or hold terminal control codes.
fn shortened(message: &str) -> String {
    normalize_untrusted_str(&first_characters(message, MESSAGE_WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    #[test]
    fn marks_place_note_and_help_and_sorts() {
        let source = Source::new("stack.yaml", "stack: a\nstack: b\nregoin: x\n");
        let first = Place::new(&source, 0..5);
        let second = Place::new(&source, 9..14);
        let third = Place::new(&source, 18..24);
        let problems = [
            Problem::error("unknown key `regoin`").at(&third).help("did you mean `region`?"),
            Problem::error("the key `stack` is given twice")
                .at(&second)
                .label("given again here")
                .note(&first, "first given here"),
            Problem::warning("nothing to do"),
        ];
        insta::assert_snapshot!(render(&problems, false));
    }

    #[test]
    fn an_enormous_line_is_clipped_around_the_mark() {
        let text = format!("{}mark{}", "ã".repeat(3_000_000), "b".repeat(3_000_000));
        let source = Source::new("wide.yaml", text);
        let place = Place::new(&source, 6_000_000..6_000_004);
        insta::assert_snapshot!(render(&[Problem::error("here").at(&place)], false));
    }

    #[test]
    fn an_enormous_mark_and_message_are_clipped() {
        let source = Source::new("wide.yaml", "x".repeat(1_000_000));
        let place = Place::new(&source, 0..1_000_000);
        let problem = Problem::error("y".repeat(1_000_000)).at(&place);
        assert!(render(&[problem], false).len() < 2_000);
    }

    #[test]
    fn control_codes_never_reach_the_terminal() {
        let source = Source::new("a\u{1b}[31m.yaml", "a: \u{1b}[31m\0\u{202e}\n");
        let place = Place::new(&source, 3..4);
        let problem =
            Problem::error("bad \u{1b}[31m").at(&place).label("l\u{1b}[1m").help("h\u{1b}[1m");
        let text = render(&[problem], false);
        assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{text:?}");
    }

    #[test]
    fn colour_is_a_choice() {
        let problem = [Problem::error("no")];
        assert!(render(&problem, true).contains('\u{1b}'));
        assert_eq!(render(&problem, false), "error: no\n\n1 error\n");
        assert_eq!(render(&[], false), "");
    }

    #[test]
    fn a_flood_is_counted_not_shown() {
        let problems: Vec<_> = (0..5_000).map(|n| Problem::error(format!("{n:05}"))).collect();
        let text = render(&problems, false);
        assert!(text.ends_with("5000 errors (the first 100 are shown)\n"));
    }
}
