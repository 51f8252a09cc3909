//! Statements on their way to MySQL: in bunches, because waiting for each of them would cost a
//! round trip each, and with their errors led back to where they are in the file.

use std::ops::Range;

use mysql_async::prelude::Queryable;
use mysql_async::{Error, ServerError};

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
