//! Reading a script for Redshift: PostgreSQL's words with Redshift's own rules, cut into what the
//! Data API takes at once.
//!
//! A request holds up to forty statements, which are one transaction. Two of them are lagoa's: the
//! ledger is locked first and written last.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Engine;
use super::error::SeedProblem;
use super::postgres_script::{self, Part, Script};
use super::script::Nature;

/// The most statements of a file in one request.
pub(super) const MOST: usize = 38;

/// The longest statement, in bytes. The service says 100 KB.
const LONGEST: usize = 100_000;

/// Settings that each request of a file begins with again.
const MOST_SETTINGS: usize = 10;

/// A script, and the requests that it takes.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) script: Script,
    pub(super) requests: Vec<Request>,
}

/// What goes to the Data API in one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Statements in one transaction, after the settings that were made before them.
    Transaction { settings: Vec<usize>, statements: Range<usize> },
    /// A statement that can't be in a transaction.
    Alone(usize),
}

impl Request {
    /// The statements that are done with it.
    pub(super) fn statements(&self) -> Range<usize> {
        match self {
            Self::Transaction { statements, .. } => statements.clone(),
            Self::Alone(index) => *index..index + 1,
        }
    }
}

impl Requests {
    /// Whether the file is applied as a whole or not at all.
    pub(super) fn is_one_transaction(&self) -> bool {
        self.script.transactional && self.requests.len() <= 1
    }

    /// What a person should know who thinks of a file as one transaction.
    pub(super) fn warnings(&self) -> Vec<String> {
        if !self.script.transactional || self.is_one_transaction() {
            return Vec::new();
        }
        let statements = self.script.statements.len();
        let transactions = self.requests.len();
        vec![format!(
            "{statements} statements are {transactions} transactions, as the Data API takes {MOST} \
             of a file at a time: after a failure, the next run goes on where it stopped"
        )]
    }

    /// A statement's text.
    pub(super) fn text(&self, statement: usize) -> &str {
        let range = self.script.statements.get(statement).map(|one| one.range.clone());
        range.and_then(|range| self.script.source.text.get(range)).unwrap_or_default()
    }
}

/// Reads a script that has its line ends and encoding in order.
pub(super) fn parse(
    path: &str,
    text: String,
    with: &BTreeMap<String, String>,
) -> (Requests, Vec<SeedProblem>) {
    let (script, mut problems) = postgres_script::parse(path, text, with, Engine::Redshift);
    for statement in &script.statements {
        let bytes = statement.range.len();
        if bytes > LONGEST {
            let message = format!(
                "this statement has {} KB, and Redshift's Data API takes 100 KB",
                bytes.div_ceil(1000)
            );
            let remedy = "cut it into several, or COPY the rows from S3";
            problems.push(script.source.problem(statement.range.start, message, remedy));
        }
    }
    let copies = script.parts.iter().filter_map(|part| match part {
        Part::Copy { statement, .. } => script.statements.get(*statement),
        Part::Sql { .. } => None,
    });
    for statement in copies {
        let message = "rows can't come with the script: Redshift copies from S3";
        let remedy = "put them into a bucket, and write COPY … FROM 's3://…' IAM_ROLE '…'";
        problems.push(script.source.problem(statement.range.start, message, remedy));
    }
    let settings = script.statements.iter().filter(|one| one.nature == Nature::Session);
    if let Some(excess) = settings.clone().nth(MOST_SETTINGS) {
        let message = format!("a seed's file has up to {MOST_SETTINGS} SET statements");
        problems.push(script.source.problem(excess.range.start, message, "cut the file"));
    }
    let requests = requests(&script);
    (Requests { script, requests }, problems)
}

fn requests(script: &Script) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    let mut settings: Vec<usize> = Vec::new();
    for (index, statement) in script.statements.iter().enumerate() {
        if let Nature::Journaled(_) = statement.nature {
            requests.push(Request::Alone(index));
            continue;
        }
        match requests.last_mut() {
            Some(Request::Transaction { settings, statements })
                if settings.len() + statements.len() < MOST =>
            {
                statements.end = index + 1;
            }
            _ => requests.push(Request::Transaction {
                settings: settings.clone(),
                statements: index..index + 1,
            }),
        }
        if statement.nature == Nature::Session {
            settings.push(index);
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Requests, Vec<String>) {
        let (requests, problems) = parse("a.sql", text.to_owned(), &BTreeMap::new());
        (requests, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_small_file_is_one_transaction() {
        let (requests, problems) = read(&"select 1;\n".repeat(MOST));
        assert!(problems.is_empty() && requests.is_one_transaction());
        assert!(requests.warnings().is_empty());
    }

    #[test]
    fn a_large_one_is_cut_and_says_so() {
        let (requests, problems) = read(&format!("set x = 1;{}", "select 1;\n".repeat(80)));
        assert!(problems.is_empty());
        let statements: Vec<_> = requests.requests.iter().map(Request::statements).collect();
        assert_eq!(statements, [0..38, 38..75, 75..81]);
        let Request::Transaction { settings, .. } = &requests.requests[1] else {
            panic!("{:?}", requests.requests)
        };
        assert_eq!(settings, &[0]);
        assert!(requests.warnings()[0].contains("3 transactions"), "{:?}", requests.warnings());
    }

    #[test]
    fn limits_have_places() {
        let (_, problems) = read(&format!("select 1;\nselect '{}';", "x".repeat(LONGEST)));
        assert!(problems[0].starts_with("a.sql:2:1: this statement has 101 KB"), "{problems:?}");
        let (_, problems) = read("copy t from stdin;\n1\n\\.\n");
        assert!(problems[0].contains("copies from S3"), "{problems:?}");
    }

    #[test]
    fn what_commits_by_itself_needs_the_comment() {
        for text in [
            "truncate t;",
            "vacuum t;",
            "create external table s.t (a int) stored as parquet location 's3://b/';",
            "alter table t append from u;",
        ] {
            let (_, problems) = read(text);
            assert!(problems[0].contains("can't run in a transaction"), "{text}");
            let (requests, problems) = read(&format!("-- seed: no-transaction\n{text}"));
            assert!(problems.is_empty());
            assert_eq!(requests.requests, [Request::Alone(0)]);
        }
    }
}
