//! Reading a PostgreSQL script: what it holds, and what would make it fail halfway.
//!
//! The server itself takes a whole file as one query, so nothing here decides what a statement
//! means. It's read to tell what is in it, to find the `COPY … FROM stdin` blocks that `pg_dump`
//! writes for psql, and to refuse what can't be made to happen exactly once.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Engine;
use super::error::SeedProblem;
use super::postgres_lexer::{Kind, Lexer};
use super::postgres_scan::{Scan, copy_data, kept, nature, writes_inside};
use super::script::{self, Nature, Statement, Words};
use super::source::{self, Source};

/// The comment that lets a file run statement by statement, outside a transaction.
const OPT_OUT: &str = "-- seed: no-transaction";

/// A script ready to be sent.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) source: Source,
    pub(super) statements: Vec<Statement>,
    /// What to send, in order.
    pub(super) parts: Vec<Part>,
    /// The whole file is one transaction.
    pub(super) transactional: bool,
}

/// A piece of a script that is sent in one go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text for one simple query, and which statements it holds.
    Sql { text: Range<usize>, statements: Range<usize> },
    /// A `COPY … FROM stdin` statement and the lines that follow it.
    Copy { statement: usize, data: Range<usize>, counted: bool },
}

impl Script {
    /// Where the statement starts that comes after so many completed ones of a range.
    pub(super) fn start_of(&self, statements: Range<usize>, completed: usize) -> usize {
        let mut counted = self.statements[statements.clone()]
            .iter()
            .filter(|statement| statement.nature != Nature::Skipped);
        let failed = counted.clone().nth(completed).or_else(|| counted.next_back());
        failed.map_or(0, |statement| statement.range.start)
    }
}

/// Reads a script that has its line ends and encoding in order.
pub(super) fn parse(
    path: &str,
    text: String,
    with: &BTreeMap<String, String>,
    engine: Engine,
) -> (Script, Vec<SeedProblem>) {
    let kept = kept(&text, engine);
    let (source, problems) = source::fill(path, text, with, &kept);
    let transactional =
        !source.original.lines().any(|line| line.trim().eq_ignore_ascii_case(OPT_OUT));
    let script = Script { source, statements: Vec::new(), parts: Vec::new(), transactional };
    let mut reader = Reader { script, problems, engine, sent: 0, first: 0 };
    reader.read();
    reader.unwrap_transaction();
    reader.check();
    (reader.script, reader.problems)
}

struct Reader {
    script: Script,
    problems: Vec<SeedProblem>,
    engine: Engine,
    /// Up to where the text is in a part, and the statements.
    sent: usize,
    first: usize,
}

impl Reader {
    fn read(&mut self) {
        let text = self.script.source.text.clone();
        let mut lexer = Lexer::new(&text, self.engine);
        let mut scan = Scan::default();
        while let Some(token) = lexer.next() {
            match token.kind {
                Kind::Unended(what) => {
                    let message = format!("this {what} is never closed");
                    self.problem(token.range.start, &message, "");
                    return;
                }
                Kind::Backslash => {
                    lexer.at = self.meta_command(&text, token.range.start);
                    continue;
                }
                _ => {}
            }
            if scan.ends_statement(&text, &token) {
                let scan = std::mem::take(&mut scan);
                let copies = scan.copies_from_stdin();
                self.statement(&text, scan);
                if copies {
                    lexer.at = self.copy_block(&text, token.range.end);
                }
            }
        }
        self.statement(&text, scan);
        self.part_until(text.len());
    }

    fn statement(&mut self, text: &str, scan: Scan) {
        let Some(start) = scan.start else { return };
        let range = start..scan.end;
        self.refuse_or_note(&range, &scan.words);
        let inner = || writes_inside(&text[range.clone()], self.engine);
        self.script.statements.push(Statement {
            class: script::class(&scan.words),
            nature: nature(&scan.words, self.engine),
            destroys: script::destroys(&scan.words, inner),
            range,
        });
    }

    /// Transactions are lagoa's, and output has nowhere to go.
    fn refuse_or_note(&mut self, range: &Range<usize>, words: &Words) {
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        let command = match word(0) {
            "rollback" | "abort" | "savepoint" | "release" => word(0),
            "prepare" if word(1) == "transaction" => "prepare transaction",
            "copy" if words.windows(2).any(|pair| pair[0] == "to" && pair[1] == "stdout") => {
                "copy … to stdout"
            }
            _ => return,
        };
        let message = format!("`{}` can't be part of a seed", command.to_uppercase());
        self.problem(range.start, &message, "take it out; the file as a whole is applied or not");
    }

    /// Reads a psql command up to the end of its line.
    fn meta_command(&mut self, text: &str, at: usize) -> usize {
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let name = text[at..end].split_whitespace().next().unwrap_or("\\").to_owned();
        if name == "\\restrict" || name == "\\unrestrict" {
            // pg_dump guards its output against injected psql commands; we run none.
            self.script.source.blank(at..end);
        } else {
            let message = format!("`{name}` is a command of psql, not SQL");
            self.problem(at, &message, "take it out, or write what it does in SQL");
        }
        end
    }

    fn copy_block(&mut self, text: &str, end: usize) -> usize {
        let data = copy_data(text, end);
        let index = self.script.statements.len() - 1;
        let range = self.script.statements[index].range.clone();
        if !data.ended {
            self.problem(
                range.start,
                "the data of this COPY never ends",
                "end it with a line that holds only \\.",
            );
        }
        if !self.script.transactional {
            self.problem(
                range.start,
                "a COPY block can't be in a file without transaction",
                "move it to a file of its own",
            );
        }
        self.part_before(range.start, index);
        let options = text[range].to_lowercase();
        let counted = !options.contains("csv") && !options.contains("binary");
        self.script.parts.push(Part::Copy { statement: index, data: data.lines, counted });
        self.sent = data.next;
        self.first = index + 1;
        data.next
    }

    fn part_until(&mut self, end: usize) {
        self.part_before(end, self.script.statements.len());
    }

    fn part_before(&mut self, end: usize, statement: usize) {
        if self.first < statement {
            let statements = self.first..statement;
            self.script.parts.push(Part::Sql { text: self.sent..end, statements });
        }
    }

    /// A file wholly between BEGIN and COMMIT asks for what it gets anyway.
    fn unwrap_transaction(&mut self) {
        let statements = &self.script.statements;
        let wrapped = statements.len() >= 2
            && opens(&statements[0])
            && statements.last().is_some_and(closes)
            && self.script.transactional;
        if wrapped {
            let last = statements.len() - 1;
            for statement in [0, last] {
                let statement = &mut self.script.statements[statement];
                statement.nature = Nature::Skipped;
                self.script.source.blank(statement.range.clone());
            }
        }
    }

    fn check(&mut self) {
        let mut found = Vec::new();
        for statement in &self.script.statements {
            let own = opens(statement) || closes(statement);
            if own && statement.nature != Nature::Skipped {
                found.push((
                    statement.range.start,
                    "a seed can't begin or commit transactions in the middle of a file",
                    "take BEGIN and COMMIT out; the whole file is one transaction",
                ));
            } else if self.script.transactional && matches!(statement.nature, Nature::Journaled(_))
            {
                found.push((
                    statement.range.start,
                    "this statement can't run in a transaction",
                    "move it to a file of its own with the line `-- seed: no-transaction`",
                ));
            }
        }
        for (at, message, remedy) in found {
            self.problem(at, message, remedy);
        }
    }

    fn problem(&mut self, at: usize, message: &str, remedy: &str) {
        let problem = self.script.source.problem(at, message, remedy);
        self.problems.push(problem);
    }
}

fn opens(statement: &Statement) -> bool {
    matches!(statement.class.as_str(), "begin" | "start")
}

fn closes(statement: &Statement) -> bool {
    matches!(statement.class.as_str(), "commit" | "end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Script, Vec<SeedProblem>) {
        parse("a.sql", text.to_owned(), &BTreeMap::new(), Engine::Postgres)
    }

    fn good(text: &str) -> Script {
        let (script, problems) = read(text);
        assert!(problems.is_empty(), "{problems:?}");
        script
    }

    fn statements(text: &str) -> Vec<String> {
        let script = good(text);
        script
            .statements
            .iter()
            .map(|statement| script.source.text[statement.range.clone()].to_owned())
            .collect()
    }

    fn message(text: &str) -> String {
        let (_, problems) = read(text);
        problems.first().map(SeedProblem::to_string).unwrap_or_default()
    }

    #[test]
    fn bodies_in_sql_are_one_statement() {
        let body = "CREATE OR REPLACE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 1 END; SELECT 2; END";
        assert_eq!(statements(&format!("{body};\nSELECT 1;")), [body, "SELECT 1"]);
    }

    #[test]
    fn rules_in_parentheses_are_one_statement() {
        let rule = "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2))";
        assert_eq!(statements(&format!("{rule};SELECT 1")), [rule, "SELECT 1"]);
    }

    #[test]
    fn functions_in_dollars_are_one_statement() {
        assert_eq!(statements("do $x$ begin perform ';'; end $x$; select 1;").len(), 2);
    }

    #[test]
    fn dollar_quotes_are_not_placeholders() {
        let with = BTreeMap::from([("x".to_owned(), "7".to_owned())]);
        let text = "select $t${x}$t$, $${x}$$, '${x}', $$ ${x} $${x} $$;";
        let (script, problems) = parse("a.sql", text.to_owned(), &with, Engine::Postgres);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(script.source.text, "select $t${x}$t$, $${x}$$, '7', $$ 7 ${x} $$;");
    }

    #[test]
    fn a_dump_becomes_parts() {
        let script = good(
            "\\restrict abc\nCREATE TABLE t (a int);\nCOPY public.t (a) FROM stdin;\n1\n${no}\n\\.\n\nCREATE INDEX ON t (a);\n\\unrestrict abc\n",
        );
        let text = &script.source.text;
        assert_eq!(script.parts.len(), 3);
        let Part::Copy { statement, data, counted } = &script.parts[1] else {
            panic!("{:?}", script.parts)
        };
        assert_eq!((&text[data.clone()], *statement, *counted), ("1\n${no}\n", 1, true));
        let Part::Sql { text: range, statements } = &script.parts[2] else {
            panic!("{:?}", script.parts)
        };
        assert_eq!(
            (text[range.clone()].trim(), statements.clone()),
            ("CREATE INDEX ON t (a);", 2..3)
        );
    }

    #[test]
    fn an_endless_copy_is_refused() {
        assert!(message("copy t from stdin;\n1\n").contains("never ends"));
    }

    #[test]
    fn psql_commands_are_refused_by_name() {
        let message = message("select 1;\n\\copy t from 'x.csv'\n");
        assert!(message.starts_with("a.sql:2:1: `\\copy` is a command of psql"), "{message}");
    }

    #[test]
    fn a_file_in_one_transaction_is_unwrapped() {
        let script = good("begin;\ncreate table t (a int);\ncommit;");
        assert_eq!(script.source.text.trim(), ";\ncreate table t (a int);\n      ;");
        assert!(message("begin; select 1; commit; select 2;").contains("in the middle"));
        assert!(message("select 1; rollback;").contains("ROLLBACK"));
    }

    #[test]
    fn what_has_no_transaction_needs_the_comment() {
        for text in [
            "create database d;",
            "vacuum full t;",
            "create unique index concurrently i on t (a);",
            "alter system set x = 1;",
        ] {
            assert!(message(text).contains("can't run in a transaction"), "{text}");
            assert!(!good(&format!("-- seed: no-transaction\n{text}")).transactional);
        }
    }

    #[test]
    fn destruction_is_seen() {
        let destroys = |text: &str| good(text).statements[0].destroys;
        for text in [
            "drop table t;",
            "TRUNCATE t;",
            "delete from t;",
            "update t set a = 1;",
            "alter table t drop column a;",
            "with x as (delete from t returning *) select * from x;",
        ] {
            assert!(destroys(text), "{text}");
        }
        for text in [
            "insert into t values ('drop') on conflict (a) do update set a = 1;",
            "comment on table t is 'drop';",
            "create or replace view v as select 1;",
        ] {
            assert!(!destroys(text), "{text}");
        }
    }

    #[test]
    fn what_never_ends_has_a_place() {
        assert!(
            message("select 1;\n  select 'a;\n")
                .starts_with("a.sql:2:10: this string is never closed")
        );
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_parts_cover_the_text(
            text in "(begin|commit|copy t from stdin;\n|\\\\.\n|\\$\\$|create function|atomic|case|end|'|\"|;|\\(|\\)|--|/\\*|\\*/|\\\\|\n| |é|\\$\\{x\\}|1){0,30}"
        ) {
            let (script, problems) = read(&text);
            if problems.is_empty() {
                let whole = &script.source.text;
                for statement in &script.statements {
                    prop_assert!(!whole[statement.range.clone()].is_empty() );
                }
                let mut end = 0;
                for part in &script.parts {
                    let range = match part {
                        Part::Sql { text, .. } => text.clone(),
                        Part::Copy { data, .. } => data.clone(),
                    };
                    prop_assert!(range.start >= end && range.end >= range.start);
                    end = range.end;
                }
            }
        }
    }
}
