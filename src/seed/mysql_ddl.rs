//! What MySQL can be asked after a run was cut off inside a statement that commits by itself:
//! whether the statement may be run again, and which errors then say that it had been applied.

use super::mysql_lexer::{Kind, Lexer};

/// Errors that say a statement had its effect before, by what the statement is about.
const APPLIED: [(&str, &[u16]); 11] = [
    // The table is there.
    ("create table", &[1050]),
    ("create view", &[1050]),
    // The table isn't there any more; 4092 is MariaDB's for views.
    ("drop table", &[1051]),
    ("drop view", &[1051, 4092]),
    // Column or key there, key or column gone, primary key there, constraint there.
    ("alter table", &[1060, 1061, 1091, 1068, 1826, 3822]),
    ("index", &[1061, 1091]),
    ("procedure", &[1304, 1305]),
    ("function", &[1304, 1305]),
    ("trigger", &[1359, 1360]),
    ("event", &[1537, 1539]),
    ("database", &[1007, 1008]),
];

/// Whether an error means that the statement had been applied before.
pub(super) fn was_applied(class: &str, code: u16) -> bool {
    let class = class.replace("schema", "database");
    let about = |known: &str| class == known || class.rsplit(' ').next() == Some(known);
    APPLIED.iter().any(|(known, codes)| about(known) && codes.contains(&code))
}

/// Whether a statement that commits by itself may be run once more without doing more.
pub(super) fn again(class: &str, words: &[String], text: &str) -> bool {
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    let starts = |wanted: &[&str]| {
        words.windows(wanted.len()).take(6).any(|window| window.iter().eq(wanted))
    };
    match class {
        // Its rows come with it, and an old server can have made the table without them.
        "create table" => !has("select"),
        "alter table" => alters_again(text),
        "create user" | "create role" | "drop user" | "drop role" => {
            starts(&["if", "not", "exists"]) || starts(&["if", "exists"])
        }
        "alter database" | "alter schema" | "alter view" | "alter user" => true,
        "truncate" | "grant" | "revoke" | "analyze" | "optimize" | "flush" | "check" => true,
        class if class.starts_with("create ") || class.starts_with("drop ") => {
            starts(&["or", "replace"])
                || starts(&["if", "exists"])
                || APPLIED.iter().any(|(known, _)| class.ends_with(known))
        }
        _ => false,
    }
}

/// Whether every clause of an ALTER TABLE is refused, or changes nothing, the second time.
fn alters_again(text: &str) -> bool {
    let clauses = clauses(text);
    !clauses.is_empty() && clauses.iter().all(|clause| clause_again(clause))
}

fn clause_again(clause: &[String]) -> bool {
    let words: Vec<&str> = clause.iter().map(String::as_str).collect();
    match words[..] {
        ["add", "column", ..] | ["add", "primary", ..] => true,
        ["add", "constraint", name, ..] => {
            !["check", "foreign", "unique", "primary"].contains(&name)
        }
        // Without a name a second index would be made beside the first.
        ["add", "unique" | "fulltext" | "spatial", "index" | "key", name, ..]
        | ["add", "index" | "key" | "unique" | "fulltext" | "spatial", name, ..] => name != "(",
        ["add", "check" | "foreign" | "partition" | "(" | "period" | "system", ..] | ["add"] => {
            false
        }
        ["add", ..] => true,
        [
            "drop" | "modify" | "alter" | "comment" | "engine" | "default" | "convert"
            | "auto_increment" | "row_format" | "charset" | "character" | "collate" | "disable"
            | "enable",
            ..,
        ] => true,
        _ => false,
    }
}

/// The clauses of an ALTER TABLE, each as its words, with "`" for a quoted name.
fn clauses(text: &str) -> Vec<Vec<String>> {
    let skipped = [Kind::Space, Kind::Comment, Kind::Version];
    let tokens = Lexer::new(text).filter(|token| !skipped.contains(&token.kind));
    let words = tokens.map(|token| match token.kind {
        Kind::Quoted => "`".to_owned(),
        _ => text[token.range].to_lowercase(),
    });
    let words: Vec<String> = words.collect();
    let Some(table) = words.iter().position(|word| word == "table") else { return Vec::new() };
    let mut rest = &words[table + 1..];
    if rest.first().is_some_and(|word| word == "if") {
        rest = &rest[2.min(rest.len())..];
    }
    let name = if rest.get(1).is_some_and(|dot| dot == ".") { 3 } else { 1 };
    let mut clauses = vec![Vec::new()];
    let mut depth = 0_usize;
    for word in &rest[name.min(rest.len())..] {
        match word.as_str() {
            "," if depth == 0 => clauses.push(Vec::new()),
            word => {
                depth = if word == "(" {
                    depth + 1
                } else if word == ")" {
                    depth.saturating_sub(1)
                } else {
                    depth
                };
                if let Some(clause) = clauses.last_mut() {
                    clause.push(word.to_owned());
                }
            }
        }
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(text: &str) -> bool {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        again(&crate::seed::script::class(&words), &words, text)
    }

    #[test]
    fn what_may_run_again() {
        for text in [
            "create table t (a int)",
            "drop table t",
            "create index i on t (a)",
            "create or replace view v as select 1",
            "truncate table t",
            "grant select on a to b",
            "create procedure p () select 1",
            "drop database d",
            "alter table t add column a int, add index i (a), drop column b",
            "alter table `s`.`t` add `c` int, modify d int",
            "alter table t disable keys",
            "alter table t add constraint c foreign key (a) references b (a)",
            "alter table t add unique key u (a)",
        ] {
            assert!(may(text), "{text}");
        }
        for text in [
            "create table t select 1",
            "rename table a to b",
            "alter table t rename to u",
            "alter table t add index (a)",
            "alter table t add unique (a)",
            "alter table t add foreign key (a) references b (a)",
            "call p ()",
            "create user u",
            "alter table t change a b int",
            "alter table t add constraint check (a > 1)",
        ] {
            assert!(!may(text), "{text}");
        }
    }

    #[test]
    fn errors_that_say_so() {
        assert!(
            was_applied("create table", 1050)
                && was_applied("drop index", 1091)
                && was_applied("create schema", 1007)
        );
        assert!(
            !was_applied("create table", 1146)
                && !was_applied("insert", 1050)
                && !was_applied("create event", 1050)
        );
    }
}
