//! What this room refuses, in words: one problem each, with its place and its remedy.

use std::rc::Rc;

use granit_parser::{ErrorKind, ScanError};

use super::{DEPTH_LIMIT, NODE_LIMIT};
use crate::diagnostic::{Place, Problem, Source};

const QUOTE_IT: &str = "if it is meant as text, put it in quotes";

pub(super) fn empty(source: &Rc<Source>) -> Problem {
    Problem::error(format!("`{}` is empty", source.name))
        .at(&Place::new(source, 0..0))
        .label("nothing here but white space and comments")
}

pub(super) fn several_documents(place: &Place) -> Problem {
    Problem::error("a file holds one YAML document")
        .at(place)
        .label("a second one starts here")
        .help("give each document its own file")
}

pub(super) fn too_deep(place: &Place) -> Problem {
    Problem::error(format!("nested deeper than {DEPTH_LIMIT} levels")).at(place)
}

pub(super) fn too_many_nodes(place: &Place) -> Problem {
    Problem::error(format!("more than {NODE_LIMIT} values in one file"))
        .at(place)
        .label("the limit is reached here")
        .help("split the stack, or move the data into files that a seed names")
}

pub(super) fn too_much_by_alias(place: &Place) -> Problem {
    Problem::error("the aliases stand for more than a file may hold")
        .at(place)
        .label("the limit is reached while writing this out")
        .help(format!(
            "aliases of aliases multiply; a file may have {NODE_LIMIT} values once they are written out"
        ))
}

pub(super) fn alias_of_itself(place: &Place) -> Problem {
    Problem::error(format!("`{}` stands inside what it stands for", place.text()))
        .at(place)
        .label("this would never end")
        .help("move the anchor to a value that does not contain the alias")
}

pub(super) fn unknown_alias<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str>,
    place: &Place,
) -> Problem {
    let problem = Problem::error(format!("there is no anchor `&{name}` above this alias"))
        .at(place)
        .help(format!("an unquoted `*` starts an alias; {QUOTE_IT}"));
    problem.did_you_mean(name, names)
}

pub(super) fn not_a_key(place: &Place) -> Problem {
    match place.range.is_empty() {
        true => Problem::error("a key is missing before the `:`").at(place),
        false => Problem::error("a key must be a single value, not a list or a mapping")
            .at(place)
            .help("if this is a `${…}` reference, put it in quotes"),
    }
}

pub(super) fn repeated_key(text: &str, place: &Place, first: &Place) -> Problem {
    let problem = Problem::error(format!("the key `{text}` is given twice"))
        .at(place)
        .label("given again here")
        .note(first, "first given here");
    match text {
        "<<" => problem.help("merge several with one list: `<<: [*one, *two]`"),
        _ => problem.help("keep one of them"),
    }
}

pub(super) fn bad_merge(place: &Place) -> Problem {
    Problem::error("`<<` takes a mapping, an alias of one, or a list of them").at(place)
}

pub(super) fn tag(tag: &str, place: &Place) -> Problem {
    Problem::error(format!("the tag `{tag}` is not supported"))
        .at(place)
        .help(format!("leave it out: each field knows its own type; {QUOTE_IT}"))
}

/// A text that is no YAML at all. `bracket` is where the innermost bracket still open stands.
pub(super) fn scan_error(
    source: &Rc<Source>,
    error: &ScanError,
    bracket: Option<usize>,
) -> Problem {
    let offset = error.marker().byte_offset().unwrap_or(0);
    let offset = visible(&source.text, offset.min(source.text.len()));
    let next = source.text.get(offset..).and_then(|rest| rest.chars().next());
    let width = next.filter(|c| !matches!(c, '\r' | '\n')).map_or(0, char::len_utf8);
    let place = Place::new(source, offset..offset + width);
    let (_, line) = source.line_at(offset);
    let before = source.text.get(line.start..offset).unwrap_or("");
    let line = source.text.get(line).unwrap_or("");

    let kind = error.kind();
    if matches!(kind, ErrorKind::RecursionLimitExceeded) {
        return too_deep(&place);
    }
    if splits_reference(kind, line) {
        return explain(kind, &place)
            .help("inside `{ }` and `[ ]` a `${…}` reference must be in quotes: \"${…}\"");
    }
    if matches!(kind, ErrorKind::InvalidQuotedScalarIndent | ErrorKind::UnclosedQuotedScalar) {
        return unclosed_quote(&place);
    }
    let opened = bracket.map(|at| Place::new(source, at..at + 1));
    if let Some(opened) = opened.filter(|opened| opened.line_column().0 < place.line_column().0) {
        return Problem::error(format!("the `{}` is not closed", opened.text()))
            .at(&opened)
            .label("opened here")
            .note(&place, "does not fit inside it")
            .help("add the closing bracket");
    }
    if matches!(kind, ErrorKind::MappingValueNotAllowed) && !before.contains(": ") {
        return explain(kind, &place).help("does the line above lack its `:`?");
    }
    explain(kind, &place)
}

/// A quote runs on until its text no longer fits; what the user wants to see is its start.
fn unclosed_quote(place: &Place) -> Problem {
    let problem = Problem::error("a quote is not closed").help(
        "add the closing quote; a quoted text of several lines must be indented below its key",
    );
    match opening_quote(&place.source.text, place.range.start) {
        Some(at) => problem.at(&Place::new(&place.source, at..at + 1)).label("opened here"),
        None => problem.at(place),
    }
}

/// The quote that opens the text running at `end`: on the last line that has a quote, the
/// first one where a value may start.
fn opening_quote(text: &str, end: usize) -> Option<usize> {
    let quote = |c| matches!(c, '"' | '\'');
    let last = text.get(..end)?.rfind(quote)?;
    let start = text.get(..last)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..=last)?;
    let opens = |at: usize| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| matches!(c, ' ' | '\t' | '[' | '{' | ','))
    };
    let opening = line.match_indices(quote).map(|(at, _)| at).find(|at| opens(*at));
    Some(opening.map_or(last, |at| start + at))
}

/// The last place at or before `offset` that has something to show: an error at the end of
/// the text is better shown after the last word than on an empty line.
fn visible(text: &str, offset: usize) -> usize {
    match text.get(..offset) {
        Some(before) if text.get(offset..).is_some_and(|rest| rest.trim().is_empty()) => {
            before.trim_end().len()
        }
        _ => offset,
    }
}

/// `{ host: ${db.host} }` is the mistake everybody makes once: the braces are YAML's there.
fn splits_reference(kind: &ErrorKind, line: &str) -> bool {
    let flow = matches!(
        kind,
        ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::MisplacedFlowCollectionEnd
            | ErrorKind::MismatchedFlowCollectionEnd { .. }
            | ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::FlowMappingValueAdjacentCollection
    );
    flow && line.contains("${")
}

fn explain(kind: &ErrorKind, place: &Place) -> Problem {
    use ErrorKind as E;
    let (message, help) = match kind {
        kind if is_tab(kind) => ("a tab cannot be used here", "indent with spaces"),
        E::UnclosedFlowCollection { .. }
        | E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping => {
            ("a bracket is not closed", "add the closing `]` or `}`")
        }
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => {
            ("a bracket is closed by one of another sort", "close `[` by `]` and `{` by `}`")
        }
        E::ExpectedFlowMappingSeparator => {
            ("expected `,` or `}` here", "separate entries by commas and close the brace")
        }
        E::ExpectedFlowSequenceSeparator => {
            ("expected `,` or `]` here", "separate items by commas and close the bracket")
        }
        E::MappingValueNotAllowed | E::InvalidColonPlacement => (
            "a `:` is not allowed here",
            "text that holds `: ` must be in quotes; a nested mapping starts on its own line",
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey | E::ExpectedBlockMappingKey => (
            "expected `key: value` here",
            "check that a `:` follows the key and that the line is indented like its neighbours",
        ),
        E::InvalidIndentation
        | E::InvalidBlockScalarIndent
        | E::InvalidFlowScalarIndent
        | E::ExpectedBlockSequenceEntry => {
            ("the indentation does not fit", "indent this line like its neighbours")
        }
        E::UnexpectedCharacter { character } if character.is_control() => (
            "a control character is not allowed",
            "remove it, or write it as an escape such as `\\x1b` in double quotes",
        ),
        E::MissingAnchorOrAliasName | E::UnexpectedCharacter { .. } => {
            ("a value cannot start with this character", "put the value in quotes")
        }
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => (
            "something follows the closing quote",
            "quote the whole value, or escape the quote inside it",
        ),
        E::UnknownQuotedScalarEscape => {
            ("an unknown `\\` escape", "write `\\\\` for a backslash, or use single quotes")
        }
        E::UndeclaredTagHandle | E::InvalidTagTerminator | E::MissingTagUri => {
            ("an unquoted `!` starts a tag, and this is none", QUOTE_IT)
        }
        other => return Problem::error(format!("not valid YAML: {other}")).at(place),
    };
    Problem::error(message).at(place).help(help)
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}
