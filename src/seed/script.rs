//! What the scripts of all engines have in common: statements, and what they are called.

use std::ops::Range;

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Where it is in the filled text, without its delimiter.
    pub(super) range: Range<usize>,
    /// What a plan calls it, such as `create table`.
    pub(super) class: String,
    pub(super) nature: Nature,
    /// Whether it can destroy data that is there.
    pub(super) destroys: bool,
}

/// How a statement behaves in a transaction, and so how it's made to run exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Part of a transaction like any other.
    Plain,
    /// Sets something for the session only: said again when a file is resumed.
    Session,
    /// Of no effect here, as transactions and locks are ours: not sent.
    Skipped,
    /// Commits by itself: the journal says when it starts and when it's done.
    Journaled(InDoubt),
}

/// What can be done about a journaled statement that may or may not have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InDoubt {
    /// Run again: either it has the same effect, or its error says that it had been applied.
    Again,
    /// Only a person can tell.
    Ask,
}

/// The lower-cased words of a statement outside parentheses and quotes, the first few.
pub(super) type Words = Vec<String>;

/// More words than any class or rule looks at.
pub(super) const WORDS: usize = 64;

/// Two-word objects by their first word.
const PAIRS: [(&str, &str); 9] = [
    ("materialized", "view"),
    ("foreign", "table"),
    ("event", "trigger"),
    ("user", "mapping"),
    ("operator", "class"),
    ("operator", "family"),
    ("text", "search"),
    ("default", "privileges"),
    ("access", "method"),
];

const OBJECTS: [&str; 34] = [
    "table",
    "view",
    "index",
    "function",
    "procedure",
    "trigger",
    "event",
    "schema",
    "database",
    "sequence",
    "type",
    "domain",
    "extension",
    "role",
    "user",
    "rule",
    "policy",
    "publication",
    "subscription",
    "aggregate",
    "cast",
    "collation",
    "language",
    "operator",
    "server",
    "tablespace",
    "statistics",
    "materialized",
    "foreign",
    "text",
    "access",
    "default",
    "system",
    "group",
];

/// What a plan calls a statement.
pub(super) fn class(words: &[String]) -> String {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    match word(0) {
        "" => "select".to_owned(),
        verb @ ("create" | "drop" | "alter") => {
            let found = words.iter().take(16).position(|word| OBJECTS.contains(&word.as_str()));
            let Some(index) = found else { return format!("{verb} {}", word(1)) };
            let object = word(index);
            match PAIRS.iter().find(|pair| pair.0 == object && pair.1 == word(index + 1)) {
                Some((first, second)) => format!("{verb} {first} {second}"),
                None => format!("{verb} {object}"),
            }
        }
        "with" => {
            let verbs = ["insert", "update", "delete", "merge"];
            let verb = words.iter().find(|word| verbs.contains(&word.as_str()));
            verb.map_or("select", String::as_str).to_owned()
        }
        verb @ ("lock" | "unlock") => format!("{verb} {}", word(1)),
        verb => verb.to_owned(),
    }
}

/// Whether a statement can destroy data: what makes a script `once` when nothing else is said.
pub(super) fn destroys(words: &[String], inner: impl Fn() -> bool) -> bool {
    match words.first().map(String::as_str) {
        Some("drop" | "truncate" | "delete" | "update" | "merge") => true,
        Some("alter") => words.iter().any(|word| word == "drop" || word == "truncate"),
        Some("with") => class(words) == "update" || class(words) == "delete" || inner(),
        _ => false,
    }
}

/// Classes with how many statements each has, in the order they first appear.
pub(super) fn census(statements: &[Statement]) -> Vec<(String, usize)> {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for statement in statements.iter().filter(|statement| statement.nature != Nature::Skipped) {
        match counted.iter_mut().find(|(class, _)| *class == statement.class) {
            Some((_, count)) => *count += 1,
            None => counted.push((statement.class.clone(), 1)),
        }
    }
    counted
}

/// The start of a statement on one line, for a message.
pub(super) fn excerpt(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", flat[..cut].trim_end()),
        None => flat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        class(&text.split(' ').map(str::to_lowercase).collect::<Vec<_>>())
    }

    #[test]
    fn classes() {
        assert_eq!(of("CREATE OR REPLACE TEMP VIEW v"), "create view");
        assert_eq!(of("create materialized view v"), "create materialized view");
        assert_eq!(of("create unique index i on table_x"), "create index");
        assert_eq!(of("create definer root localhost procedure p"), "create procedure");
        assert_eq!(of("with x as insert into t"), "insert");
        assert_eq!(of("with x as select"), "select");
        assert_eq!(of("comment on table t"), "comment");
        assert_eq!(class(&[]), "select");
    }
}
