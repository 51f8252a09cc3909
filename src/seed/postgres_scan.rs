//! Where a PostgreSQL statement starts and ends, and what sort it is.

use std::ops::Range;

use super::Engine;
use super::postgres_lexer::{Kind, Lexer, Token};
use super::script::{InDoubt, Nature, WORDS, Words};

/// Where a dollar isn't a placeholder's: opening dollar quotes, and the data of COPY blocks.
pub(super) fn kept(text: &str, engine: Engine) -> Vec<Range<usize>> {
    let mut kept = Vec::new();
    let mut lexer = Lexer::new(text, engine);
    let mut scan = Scan::default();
    while let Some(token) = lexer.next() {
        if let Kind::Dollar(length) = token.kind {
            kept.push(token.range.start..token.range.start + length);
        }
        if scan.ends_statement(text, &token) {
            if scan.copies_from_stdin() {
                let data = copy_data(text, token.range.end);
                lexer.at = data.next;
                kept.push(data.lines);
            }
            scan = Scan::default();
        }
    }
    kept
}

/// The lines of a COPY block, and where the script goes on.
pub(super) struct CopyData {
    pub(super) lines: Range<usize>,
    pub(super) next: usize,
    pub(super) ended: bool,
}

pub(super) fn copy_data(text: &str, from: usize) -> CopyData {
    let start = text[from..].find('\n').map_or(text.len(), |newline| from + newline + 1);
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        if line.trim_end_matches('\n') == "\\." {
            return CopyData { lines: start..at, next: at + line.len(), ended: true };
        }
        at += line.len();
    }
    CopyData { lines: start..text.len(), next: text.len(), ended: false }
}

/// What has been seen of the statement being read.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) start: Option<usize>,
    pub(super) end: usize,
    pub(super) words: Words,
    pub(super) parentheses: usize,
    /// Open BEGIN … END and CASE … END of a body in SQL (`BEGIN ATOMIC`).
    pub(super) blocks: usize,
}

impl Scan {
    /// Takes a token; true when it's the semicolon that ends the statement.
    pub(super) fn ends_statement(&mut self, text: &str, token: &Token) -> bool {
        match token.kind {
            Kind::Space | Kind::Comment => return false,
            Kind::Semicolon if self.parentheses == 0 && self.blocks == 0 => return true,
            Kind::Open => self.parentheses += 1,
            Kind::Close => self.parentheses = self.parentheses.saturating_sub(1),
            Kind::Word if self.parentheses == 0 => self.word(&text[token.range.clone()]),
            _ => {}
        }
        self.start.get_or_insert(token.range.start);
        self.end = token.range.end;
        false
    }

    pub(super) fn word(&mut self, word: &str) {
        if self.creates_routine() {
            if word.eq_ignore_ascii_case("begin")
                || (self.blocks > 0 && word.eq_ignore_ascii_case("case"))
            {
                self.blocks += 1;
            } else if word.eq_ignore_ascii_case("end") {
                self.blocks = self.blocks.saturating_sub(1);
            }
        }
        if self.words.len() < WORDS {
            self.words.push(word.to_lowercase());
        }
    }

    pub(super) fn creates_routine(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).take(4).collect();
        matches!(
            words[..],
            ["create", "function" | "procedure", ..]
                | ["create", "or", "replace", "function" | "procedure"]
        )
    }

    pub(super) fn copies_from_stdin(&self) -> bool {
        self.words.first().is_some_and(|word| word == "copy")
            && self.words.windows(2).any(|pair| pair[0] == "from" && pair[1] == "stdin")
    }
}

pub(super) fn nature(words: &Words, engine: Engine) -> Nature {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    if engine == Engine::Redshift {
        match (word(0), word(1)) {
            // Commits the transaction that it's in.
            ("truncate", _) => return Nature::Journaled(InDoubt::Again),
            ("create" | "drop" | "alter", "external") if word(2) == "table" => {
                return Nature::Journaled(InDoubt::Ask);
            }
            ("alter", "table") if words.iter().any(|word| word == "append") => {
                return Nature::Journaled(InDoubt::Ask);
            }
            _ => {}
        }
    }
    let concurrently = words.iter().take(4).any(|word| word == "concurrently");
    match (word(0), word(1)) {
        ("set" | "reset", _) => Nature::Session,
        ("vacuum", _) | ("alter", "system") | ("reindex", "database" | "system") => {
            Nature::Journaled(InDoubt::Again)
        }
        ("reindex", _) if concurrently => Nature::Journaled(InDoubt::Again),
        ("cluster", "") => Nature::Journaled(InDoubt::Again),
        ("create" | "drop", "database" | "tablespace" | "subscription") => {
            Nature::Journaled(InDoubt::Ask)
        }
        // An interrupted build leaves an invalid index under the name: only a person can tell.
        ("create" | "drop", _) if concurrently => Nature::Journaled(InDoubt::Ask),
        _ => Nature::Plain,
    }
}

/// Whether a WITH statement deletes or updates in one of its parts.
pub(super) fn writes_inside(text: &str, engine: Engine) -> bool {
    Lexer::new(text, engine).any(|token| {
        let word = &text[token.range];
        token.kind == Kind::Word
            && (word.eq_ignore_ascii_case("delete") || word.eq_ignore_ascii_case("update"))
    })
}
