//! Scripts that can't be one transaction: statement by statement, with a journal. A statement
//! that can run in a transaction shares one with its line in the journal, so only the others can
//! be in doubt after a crash.

use std::ops::Range;

use super::Progress;
use super::Watch;
use super::error::SeedError;
use super::ledger::{Entry, State};
use super::postgres::{File, Stopped, message};
use super::postgres_script::Script;
use super::postgres_session::{Failure, write};
use super::script::{Nature, Statement};

/// Runs a script from one of its statements on.
pub(super) async fn run(
    file: &mut File<'_>,
    script: &Script,
    from: usize,
    watch: Watch<'_>,
) -> Result<u64, SeedError> {
    let mut rows = 0;
    for (index, statement) in script.statements.iter().enumerate() {
        let settings = statement.nature == Nature::Session;
        if index < from && !settings {
            continue;
        }
        let done = one(file, script, index, statement, index >= from).await;
        rows += done.map_err(|stopped| error(file, index, statement, stopped))?;
        watch(Progress::Statements { path: file.unit.path.clone(), done: index + 1 });
    }
    let sql = entry(file, State::Done, script.statements.len(), rows);
    file.session.execute(&sql).await.map_err(Failure::of_ledger)?;
    Ok(rows)
}

async fn one(
    file: &File<'_>,
    script: &Script,
    index: usize,
    statement: &Statement,
    new: bool,
) -> Result<u64, Stopped> {
    let text = statement.range.clone();
    let send = |text: Range<usize>| file.send(script, text, index..index + 1);
    if !new {
        return send(text).await;
    }
    if matches!(statement.nature, Nature::Journaled(_)) {
        file.session.execute(&entry(file, State::Running, index, 0)).await?;
        let rows = send(text).await;
        if let Err(Stopped::At(..)) = rows {
            // Refused, so it isn't applied and not in doubt.
            file.session.execute(&entry(file, State::Partial, index, 0)).await?;
        }
        let rows = rows?;
        file.session.execute(&entry(file, State::Partial, index + 1, 0)).await?;
        return Ok(rows);
    }
    file.session.execute("BEGIN").await?;
    let rows = send(text).await;
    let Ok(rows) = rows else {
        let _ = file.session.execute("ROLLBACK").await;
        return rows;
    };
    let sql = format!("{}; COMMIT", entry(file, State::Partial, index + 1, 0));
    file.session.execute(&sql).await?;
    Ok(rows)
}

fn entry(file: &File<'_>, state: State, done: usize, rows: u64) -> String {
    let milliseconds = file.started.elapsed().as_millis();
    write(
        file.job.seeding,
        &Entry { unit: file.unit, state, done, rows, run: &file.run, milliseconds },
    )
}

fn error(file: &File<'_>, index: usize, statement: &Statement, stopped: Stopped) -> SeedError {
    let path = file.unit.path.clone();
    let after = match index {
        0 => "no statement of this file was applied".to_owned(),
        _ => format!(
            "the {index} statements before it are applied, and the next run goes on from here"
        ),
    };
    match stopped {
        Stopped::At(_, problem) => SeedError::Refused { problem, after },
        Stopped::By(Failure::Server(refusal)) => file.said(&message(&refusal), &after),
        Stopped::By(Failure::Said(error)) => error,
        Stopped::By(Failure::Lost(reason)) => {
            let after = format!(
                "it was at statement {} ({}); run it again, and the ledger tells how far it got",
                index + 1,
                statement.class
            );
            SeedError::Lost { path, reason, after }
        }
    }
}
