//! The text of a script: read, checked, its placeholders filled in, and every place in it known
//! by the line and column its author sees.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::error::{Place, SeedProblem};

/// Bytes of a script: it is held in memory whole, several times over.
const SCRIPT_LIMIT: u64 = 100_000_000;

/// A script's text with its placeholders filled in.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    /// As in the file, without BOM and with `\n` line ends.
    pub(super) original: String,
    /// With placeholders filled in; what the server gets.
    pub(super) text: String,
    /// Where each piece of `text` comes from, in order.
    pieces: Vec<Piece>,
    /// Where the lines of `original` end.
    newlines: Vec<usize>,
}

#[derive(Debug)]
struct Piece {
    at: usize,
    from: usize,
    /// Copied from the original, not put in for a placeholder.
    copied: bool,
}

impl Source {
    /// The place in the author's file of an offset in `text`.
    pub(super) fn place(&self, at: usize) -> Place {
        let from = self.origin(at);
        place(&self.original, from, self.newlines.partition_point(|newline| *newline < from))
    }

    /// The line of an offset in `text`, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let from = self.origin(at);
        self.newlines.partition_point(|newline| *newline < from) + 1
    }

    fn origin(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.at <= at);
        match index.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            Some(piece) if piece.copied => piece.from + (at - piece.at),
            Some(piece) => piece.from,
            None => at,
        }
    }

    pub(super) fn problem(
        &self,
        at: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> SeedProblem {
        SeedProblem {
            path: self.path.clone(),
            place: Some(self.place(at)),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Overwrites a range with spaces, so that every other offset stays what it is.
    pub(super) fn blank(&mut self, range: Range<usize>) {
        let blanks: String = self.text[range.clone()]
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
            .collect();
        self.text.replace_range(range, &blanks);
    }
}

/// Line, column and text of a byte offset that has so many lines before it.
fn place(text: &str, at: usize, lines_before: usize) -> Place {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    Place {
        line: lines_before + 1,
        column: text[start..at].chars().count() + 1,
        text: text[start..end].to_owned(),
    }
}

fn newlines(text: &str) -> Vec<usize> {
    text.match_indices('\n').map(|(at, _)| at).collect()
}

/// Reads a script: no BOM, `\n` line ends, valid UTF-8, no NUL.
pub(super) fn read(root: &Path, path: &str) -> Result<String, SeedProblem> {
    let file = fs::File::open(root.join(path)).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    let read = file.take(SCRIPT_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > SCRIPT_LIMIT {
        return Err(SeedProblem {
            path: path.to_owned(),
            place: None,
            message: format!("a script may have {} MB", SCRIPT_LIMIT / 1_000_000),
            remedy: "put the rows in CSV files, which may be of any size, or split it".to_owned(),
        });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        SeedProblem {
            path: path.to_owned(),
            place: Some(place(&before, before.len(), newlines(&before).len())),
            message: "the text after this is not valid UTF-8".to_owned(),
            remedy: "save the file as UTF-8".to_owned(),
        }
    })?;
    if let Some(at) = text.find('\0') {
        return Err(SeedProblem {
            path: path.to_owned(),
            place: Some(place(text, at, newlines(&text[..at]).len())),
            message: "there is a NUL character here, which no database accepts in SQL".to_owned(),
            remedy: "save the file as UTF-8 (UTF-16 is full of NULs)".to_owned(),
        });
    }
    Ok(text.replace("\r\n", "\n"))
}

/// A file that can't be opened.
pub(super) fn unreadable(path: &str, error: &std::io::Error) -> SeedProblem {
    SeedProblem {
        path: path.to_owned(),
        place: None,
        message: format!("the file cannot be read: {error}"),
        remedy: "paths are relative to the stack file".to_owned(),
    }
}

/// Fills `${name}` from `with`; `$${name}` stands for a literal `${name}`. Nothing is filled
/// inside the `kept` ranges, in order: what looks like a placeholder there is the engine's own.
pub(super) fn fill(
    path: &str,
    original: String,
    with: &BTreeMap<String, String>,
    kept: &[Range<usize>],
) -> (Source, Vec<SeedProblem>) {
    let mut source = Source {
        path: path.to_owned(),
        newlines: newlines(&original),
        original: String::new(),
        text: String::new(),
        pieces: Vec::new(),
    };
    let mut unknown = Vec::new();
    let mut copied = 0;
    let mut kept = kept.iter().peekable();
    let mut at = 0;
    while let Some(dollar) = original[at..].find('$').map(|found| at + found) {
        while kept.peek().is_some_and(|range| range.end <= dollar) {
            kept.next();
        }
        if let Some(range) = kept.peek().filter(|range| range.contains(&dollar)) {
            at = range.end;
            continue;
        }
        let escaped = original[dollar..].starts_with("$${");
        let open = dollar + usize::from(escaped);
        let Some(name) = placeholder(&original[open..]) else {
            at = dollar + 1;
            continue;
        };
        let end = open + name.len() + "${}".len();
        if escaped {
            source.copy(&original, copied..dollar);
            copied = open;
        } else if let Some(value) = with.get(name) {
            source.copy(&original, copied..dollar);
            source.pieces.push(Piece { at: source.text.len(), from: dollar, copied: false });
            source.text.push_str(value);
            copied = end;
        } else {
            unknown.push((dollar, name.to_owned()));
        }
        at = end;
    }
    source.copy(&original, copied..original.len());
    source.original = original;
    let problems = unknown.into_iter().map(|(at, name)| source.unknown(at, &name, with)).collect();
    (source, problems)
}

impl Source {
    fn copy(&mut self, original: &str, range: Range<usize>) {
        self.pieces.push(Piece { at: self.text.len(), from: range.start, copied: true });
        self.text.push_str(&original[range]);
    }

    fn unknown(&self, at: usize, name: &str, with: &BTreeMap<String, String>) -> SeedProblem {
        let nearest = with
            .keys()
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .filter(|(distance, _)| *distance <= 1 + name.len() / 4)
            .min();
        let remedy = match nearest {
            Some((_, known)) => format!("did you mean ${{{known}}}?"),
            None => format!(
                "give it a value under `with`, or write $${{{name}}} for a literal ${{{name}}}"
            ),
        };
        SeedProblem {
            path: self.path.clone(),
            place: Some(place(
                &self.original,
                at,
                self.newlines.partition_point(|newline| *newline < at),
            )),
            message: format!("${{{name}}} has no value"),
            remedy,
        }
    }
}

/// The name in a text that starts with `${name}`.
fn placeholder(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("${")?;
    // No further than the name goes: the rest of the text would be read for each `${`.
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = &rest[..rest.find(|c| !named(c))?];
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    (starts && rest[name.len()..].starts_with('}')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fills_placeholders_and_keeps_escapes() {
        let (source, problems) =
            fill("a.sql", "select '${x}', '$${x}', '$1', '${}'".into(), &with(&[("x", "é")]), &[]);
        assert!(problems.is_empty());
        assert_eq!(source.text, "select 'é', '${x}', '$1', '${}'");
    }

    #[test]
    fn names_unknown_placeholders_with_a_guess() {
        let (_, problems) =
            fill("a.sql", "select 1;\nselect '${bucke}'".into(), &with(&[("bucket", "b")]), &[]);
        let place = problems[0].place.clone().unwrap();
        assert_eq!((place.line, place.column), (2, 9));
        assert_eq!(problems[0].remedy, "did you mean ${bucket}?");
    }

    #[test]
    fn places_are_those_of_the_file_before_filling() {
        let (source, _) =
            fill("a.sql", "a ${x} b\nç ${x} d".into(), &with(&[("x", "1\n2\n3")]), &[]);
        let at = source.text.find('d').unwrap();
        let place = source.place(at);
        assert_eq!((place.line, place.column, place.text.as_str()), (2, 8, "ç ${x} d"));
        assert_eq!(source.place(source.text.find('2').unwrap()).column, 3);
    }

    #[test]
    fn a_kept_range_is_left_alone() {
        let (source, problems) = fill(
            "a.sql",
            "$t${x}$t$ ${x}".into(),
            &with(&[("x", "1")]),
            std::slice::from_ref(&(0..3)),
        );
        assert!(problems.is_empty());
        assert_eq!(source.text, "$t${x}$t$ 1");
    }
}
