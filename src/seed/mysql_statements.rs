//! Statements on their way to MySQL: in bunches, because waiting for each of them would cost a
//! round trip each, and with their errors led back to where they are in the file.

use std::ops::Range;

use mysql_async::prelude::Queryable;
use mysql_async::{Error, ServerError};

use super::mysql_lexer::Lexer;
use super::mysql_script::Script;
use super::mysql_session::Session;
use super::script::{Nature, Statement};

/// How many statements are sent together, and how long they may be together.
const BUNCH: usize = 500;
const BUNCH_BYTES: usize = 1024 * 1024;

pub(super) fn is_temporary(statement: &Statement) -> bool {
    statement.class == "create table" && statement.nature == Nature::Plain
}

/// What the server said, without its own count of lines and the text it quotes after the first.
pub(super) fn message(refusal: &ServerError) -> String {
    let code = refusal.code;
    match refusal.message.split_once(" near '") {
        Some((before, _)) => format!("{before} near `{}` [{code}]", near(&refusal.message)),
        None => format!("{} [{code}]", refusal.message),
    }
}

/// The text at which a syntax error was noticed, up to the end of its line or statement.
fn near(message: &str) -> &str {
    let quoted = message.split_once(" near '").map_or("", |(_, quoted)| quoted);
    let quoted = quoted.rsplit_once("' at line").map_or(quoted, |(quoted, _)| quoted);
    quoted.lines().next().unwrap_or("").trim_end_matches(';')
}

/// Sends some statements as one query. Gives how many rows they wrote, or how many of them were
/// completed before one failed.
pub(super) async fn send(session: &mut Session, text: &str) -> Result<u64, (usize, Error)> {
    let mut result = session.conn.query_iter(text).await.map_err(|error| (0, error))?;
    let mut rows = 0;
    let mut completed = 0;
    loop {
        // While rows are read, the count is still that of the statement before.
        if result.columns_ref().is_empty() {
            rows += result.affected_rows();
        }
        if result.is_empty() {
            break;
        }
        result.for_each(drop).await.map_err(|error| (completed, error))?;
        completed += 1;
    }
    // An error that comes after some answers is told only here.
    result.drop_result().await.map_err(|error| (completed, error))?;
    Ok(rows)
}

/// What the statements after a cut need of the session before it, and can't have again.
pub(super) fn gone(script: &Script, from: usize) -> Option<String> {
    let (before, after) = script.statements.split_at(from.min(script.statements.len()));
    if before.iter().any(is_temporary) {
        return Some("a temporary table".to_owned());
    }
    let text = |statement: &Statement| script.source.text[statement.range.clone()].to_lowercase();
    let from_data: Vec<String> = before.iter().flat_map(|one| set_from_data(&text(one))).collect();
    let mut inserted = false;
    for statement in after {
        let text = text(statement);
        let used = variables(&text).into_iter().find(|name| from_data.contains(name));
        if let Some(name) = used {
            return Some(format!("the value of @{name}"));
        }
        if !inserted && !before.is_empty() && text.contains("last_insert_id") {
            return Some("the last inserted id".to_owned());
        }
        inserted |= statement.class == "insert";
    }
    None
}

/// The variables that a statement sets to something that isn't the same when it's said again.
fn set_from_data(text: &str) -> Vec<String> {
    let sets = text.trim_start().starts_with("set") && text.contains('(');
    let selects = text.contains(":=") || text.contains("into @");
    if sets || selects { variables(text) } else { Vec::new() }
}

/// The names of the user variables in a statement.
fn variables(text: &str) -> Vec<String> {
    let tokens: Vec<_> = Lexer::new(text).map(|token| &text[token.range]).collect();
    let own = tokens.windows(3).filter(|three| three[0] != "@" && three[1] == "@");
    own.map(|three| three[2].trim_matches(['`', '\'', '"']).to_owned()).collect()
}

impl Script {
    /// Where the transaction ends that can start at a statement; there, if none can.
    pub(super) fn transaction_from(&self, index: usize) -> usize {
        let commits = |statement: &Statement| matches!(statement.nature, Nature::Journaled(_));
        let length = self.statements[index..].iter().position(commits);
        length.map_or(self.statements.len(), |length| index + length)
    }

    /// The statements to send, in bunches.
    pub(super) fn bunches(&self, range: Range<usize>) -> Vec<Vec<usize>> {
        let mut bunches: Vec<Vec<usize>> = Vec::new();
        let mut bytes = 0;
        for index in range.filter(|index| self.statements[*index].nature != Nature::Skipped) {
            bytes += self.statements[index].range.len();
            match bunches.last_mut() {
                Some(bunch) if bunch.len() < BUNCH && bytes < BUNCH_BYTES => bunch.push(index),
                _ => {
                    bytes = self.statements[index].range.len();
                    bunches.push(vec![index]);
                }
            }
        }
        bunches
    }

    pub(super) fn line(&self, index: usize) -> usize {
        self.statements.get(index).map_or(0, |statement| self.source.line(statement.range.start))
    }

    /// Where in a statement an error is: syntax errors quote the text from there on.
    pub(super) fn find(&self, index: usize, message: &str) -> usize {
        let start = self.statements[index].range.start;
        let near = near(message);
        let found = if near.is_empty() { None } else { self.text(index).rfind(near) };
        start + found.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::mysql_script;
    use std::collections::BTreeMap;

    fn gone_after(from: usize, text: &str) -> Option<String> {
        let (script, problems) = mysql_script::parse("a.sql", text.to_owned(), &BTreeMap::new());
        assert!(problems.is_empty(), "{problems:?}");
        gone(&script, from)
    }

    #[test]
    fn values_that_come_from_data_are_gone() {
        let text =
            "set @id = last_insert_id(); select max(a) into @m from t; alter table t add b int; ";
        let needs = |rest: &str| gone_after(3, &format!("{text}{rest};"));
        assert_eq!(needs("insert into t values (@id)"), Some("the value of @id".to_owned()));
        assert_eq!(needs("insert into t values (`a` + @m)"), Some("the value of @m".to_owned()));
        assert!(needs("insert into u select last_insert_id()").is_some());
        assert_eq!(
            needs("insert into t values ('@id', 1); insert into u values (last_insert_id())"),
            None
        );
        assert_eq!(gone_after(0, "insert into u values (last_insert_id());"), None);
    }

    #[test]
    fn values_that_are_the_same_again_are_not() {
        let text = "SET @OLD=@@SQL_MODE, SQL_MODE='x'; set @x = 7; create table t (a int); \
                    insert into t values (@x); set sql_mode=@old;";
        assert_eq!(gone_after(3, text), None);
        assert!(gone_after(1, "create temporary table t (a int); drop table u;").is_some());
    }
}
