//! Running seeds on MySQL and MariaDB. Statements that are part of a transaction share one with
//! their line in the journal; statements that commit by themselves (DDL) are journaled before and
//! after.

use std::ops::Range;
use std::time::Instant;

use mysql_async::{Error, ServerError};

use super::error::{SeedError, SeedProblem};
use super::ledger::{self, Entry, Row, State, Verdict};
use super::mysql_script::{self, Script};
use super::mysql_session::{Failure, Session};
use super::mysql_statements::{gone, is_temporary, message, send};
use super::mysql_table::{self, Destination};
use super::script::{Nature, Statement};
use super::{Job, Load, Outcome, Progress, Report, Seeding, Unit, Watch, Work, mysql_ddl, source};

const ATTEMPTS: u32 = 3;
const NOTHING_APPLIED: &str = "nothing of this file was applied";

/// The server undid a transaction for another one's sake, or gave up waiting for a row.
const UNDONE: [u16; 2] = [1213, 1205];

/// The rows of a seed, without lock.
pub(super) async fn read_ledger(seeding: &Seeding<'_>) -> Result<Vec<Row>, SeedError> {
    let mut session = Session::open(seeding).await?;
    let rows = session.ledger(seeding).await.map_err(Failure::of_ledger)?;
    session.close().await;
    Ok(rows)
}

/// Runs what needs to run.
pub(super) async fn run(job: &Job<'_>, watch: Watch<'_>) -> Result<Report, SeedError> {
    let mut session = Session::begin(job.seeding, watch).await?;
    let mut rows = session.ledger(job.seeding).await.map_err(Failure::of_ledger)?;
    job.check_decisions(&rows)?;
    let mut report = Report::default();
    for unit in job.units {
        let outcome = match job.verdict(&rows, unit)? {
            Verdict::Skip | Verdict::Ask(_) => Outcome::Skipped,
            Verdict::Accept => accept(&mut session, job, unit).await?,
            Verdict::Run { from, again } => {
                watch(Progress::Started { path: unit.path.clone() });
                let mut file = File {
                    job,
                    unit,
                    run: ledger::run_id(),
                    started: Instant::now(),
                    session,
                    dirty: false,
                };
                let outcome = file.run(from, again, watch).await?;
                session = file.session;
                if file.dirty {
                    // Resetting the session would give the lock away as well, so there's a new
                    // one. Meanwhile somebody else may have gone on.
                    session.close().await;
                    session = Session::begin(job.seeding, watch).await?;
                }
                rows = session.ledger(job.seeding).await.map_err(Failure::of_ledger)?;
                outcome
            }
        };
        watch(Progress::Finished { path: unit.path.clone(), outcome: outcome.clone() });
        report.files.push((unit.path.clone(), outcome));
    }
    session.close().await;
    Ok(report)
}

async fn accept(session: &mut Session, job: &Job<'_>, unit: &Unit) -> Result<Outcome, SeedError> {
    let run = ledger::run_id();
    let entry = Entry { unit, state: State::Done, done: 0, rows: 0, run: &run, milliseconds: 0 };
    let sql = session.write(job.seeding, &entry);
    session.execute(&sql).await.map_err(Failure::of_ledger)?;
    Ok(Outcome::Accepted)
}

/// One file being run.
pub(super) struct File<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) unit: &'a Unit,
    run: String,
    started: Instant,
    pub(super) session: Session,
    /// Whether the session isn't as new any more: settings, temporary tables.
    dirty: bool,
}

/// What is done in one transaction.
enum Piece<'a> {
    Statements(&'a Script, Range<usize>),
    Rows(&'a Load, &'a Destination),
}

/// Why a file didn't run through.
pub(super) enum Stopped {
    /// The server refused this statement of the script.
    At(usize, ServerError),
    /// Something is wrong with the file's content; nothing else to add.
    Problem(Box<SeedProblem>),
    By(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::By(failure)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::By(error.into())
    }
}

impl File<'_> {
    async fn run(
        &mut self,
        from: usize,
        again: bool,
        watch: Watch<'_>,
    ) -> Result<Outcome, SeedError> {
        let rows = match &self.unit.work {
            Work::Script => {
                let script = self.read()?;
                self.script(&script, from, again, watch).await?
            }
            Work::Csv(load) => {
                self.dirty = true;
                let destination = mysql_table::prepare(self, load).await;
                let destination = destination.map_err(|stopped| self.error(None, 0, stopped))?;
                let piece = Piece::Rows(load, &destination);
                self.transaction(&piece, State::Done, 0, 0, watch).await?
            }
        };
        let statements = self.unit.statements.iter().map(|(_, count)| count).sum();
        Ok(Outcome::Ran { statements, rows, took: self.started.elapsed() })
    }

    fn read(&mut self) -> Result<Script, SeedError> {
        let text = source::read(self.job.root, &self.unit.path);
        let text = text.map_err(|problem| SeedError::Files(vec![problem]))?;
        let (script, problems) = mysql_script::parse(&self.unit.path, text, &self.unit.with);
        let leaves =
            |statement: &Statement| statement.nature == Nature::Session || is_temporary(statement);
        self.dirty = script.statements.iter().any(leaves);
        if problems.is_empty() { Ok(script) } else { Err(SeedError::Files(problems)) }
    }

    /// Runs a script from one of its statements on.
    async fn script(
        &mut self,
        script: &Script,
        from: usize,
        again: bool,
        watch: Watch<'_>,
    ) -> Result<u64, SeedError> {
        self.restore(script, from).await?;
        let last = script.statements.len();
        let mut rows = 0;
        let mut index = from;
        while index < last {
            let until = script.transaction_from(index);
            if until == index {
                rows += self.journaled(script, index, again && index == from, rows, watch).await?;
                index += 1;
            } else {
                rows += self.together(script, index..until, rows, watch).await?;
                index = until;
            }
            watch(Progress::Statements { path: self.unit.path.clone(), done: index });
        }
        if from >= last {
            self.journal(State::Done, last, rows).await.map_err(Failure::of_ledger)?;
        }
        Ok(rows)
    }

    /// Says again what the statements before the first to run have set for their session.
    async fn restore(&mut self, script: &Script, from: usize) -> Result<(), SeedError> {
        let before = &script.statements[..from.min(script.statements.len())];
        if let Some(gone) = gone(script, from) {
            let reason = format!(
                "what comes after line {} needs {gone} of the run that was cut off",
                script.line(from.saturating_sub(1))
            );
            let after = format!(
                "the first {from} statements are applied; undo them, delete the file's row from lagoa_seeds, and run it again"
            );
            return Err(self.said(&reason, &after));
        }
        for (index, statement) in before.iter().enumerate() {
            if statement.nature == Nature::Session {
                let said = self.session.execute(script.text(index)).await;
                said.map_err(|failure| self.error(Some(script), index, failure.into()))?;
            }
        }
        Ok(())
    }

    /// Statements that share a transaction with their line in the journal. Settings alone need
    /// neither, as they are said again when the script is resumed.
    async fn together(
        &mut self,
        script: &Script,
        range: Range<usize>,
        rows: u64,
        watch: Watch<'_>,
    ) -> Result<u64, SeedError> {
        let last = range.end == script.statements.len();
        let works = script.statements[range.clone()]
            .iter()
            .any(|statement| statement.nature == Nature::Plain);
        if !works && !last {
            let sent = self.statements(script, range.clone()).await;
            return sent.map_err(|stopped| self.error(Some(script), range.start, stopped));
        }
        let state = if last { State::Done } else { State::Partial };
        let done = range.end;
        self.transaction(&Piece::Statements(script, range), state, done, rows, watch).await
    }

    async fn transaction(
        &mut self,
        piece: &Piece<'_>,
        state: State,
        done: usize,
        before: u64,
        watch: Watch<'_>,
    ) -> Result<u64, SeedError> {
        let (script, first) = match piece {
            Piece::Statements(script, range) => (Some(*script), range.start),
            Piece::Rows(..) => (None, 0),
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let stopped = match self.work(piece, state, done, before, watch).await {
                Ok(rows) => match self.session.execute("COMMIT").await {
                    Ok(()) => return Ok(rows),
                    Err(Failure::Lost(reason)) => {
                        self.commit_in_doubt(reason, state, first, watch).await?;
                        return Ok(rows);
                    }
                    Err(failure) => Stopped::By(failure),
                },
                Err(stopped) => stopped,
            };
            let undone = match &stopped {
                Stopped::At(_, refusal) | Stopped::By(Failure::Server(refusal)) => {
                    UNDONE.contains(&refusal.code)
                }
                _ => false,
            };
            // Not asked of a session that is gone: there the server rolls back by itself.
            if !matches!(stopped, Stopped::By(Failure::Lost(_))) {
                let _ = self.session.execute("ROLLBACK").await;
            }
            if !undone || attempt == ATTEMPTS {
                return Err(self.error(script, first, stopped));
            }
            watch(Progress::Note {
                message: format!(
                    "{}: the server undid it for another transaction; trying again",
                    self.unit.path
                ),
            });
        }
    }

    async fn work(
        &mut self,
        piece: &Piece<'_>,
        state: State,
        done: usize,
        before: u64,
        watch: Watch<'_>,
    ) -> Result<u64, Stopped> {
        self.session.execute("START TRANSACTION").await?;
        let rows = match piece {
            Piece::Statements(script, range) => self.statements(script, range.clone()).await?,
            Piece::Rows(load, destination) => {
                mysql_table::load(self, load, destination, watch).await?
            }
        };
        self.journal(state, done, before + rows).await?;
        Ok(rows)
    }

    /// Sends statements in bunches, and counts their answers to know which one failed.
    async fn statements(&mut self, script: &Script, range: Range<usize>) -> Result<u64, Stopped> {
        let mut rows = 0;
        for bunch in script.bunches(range) {
            let texts: Vec<&str> = bunch.iter().map(|index| script.text(*index)).collect();
            match send(&mut self.session, &texts.join(";\n")).await {
                Ok(affected) => rows += affected,
                Err((completed, error)) => {
                    let index = bunch[completed.min(bunch.len() - 1)];
                    return Err(match Failure::from(error) {
                        Failure::Server(refusal) => Stopped::At(index, refusal),
                        failure => failure.into(),
                    });
                }
            }
        }
        Ok(rows)
    }

    /// A statement that commits by itself.
    async fn journaled(
        &mut self,
        script: &Script,
        index: usize,
        again: bool,
        before: u64,
        watch: Watch<'_>,
    ) -> Result<u64, SeedError> {
        let class = &script.statements[index].class;
        self.journal(State::Running, index, before).await.map_err(Failure::of_ledger)?;
        let rows = match self.statements(script, index..index + 1).await {
            Ok(rows) => rows,
            Err(Stopped::At(_, refusal))
                if again && mysql_ddl::was_applied(class, refusal.code) =>
            {
                let path = &self.unit.path;
                watch(Progress::Note {
                    message: format!(
                        "{path}: a {class} of the run that was cut off had been applied"
                    ),
                });
                0
            }
            Err(stopped) => {
                if let Stopped::At(..) = stopped {
                    // Refused, so it isn't applied and not in doubt.
                    self.journal(State::Partial, index, before)
                        .await
                        .map_err(Failure::of_ledger)?;
                }
                return Err(self.error(Some(script), index, stopped));
            }
        };
        let last = index + 1 == script.statements.len();
        let state = if last { State::Done } else { State::Partial };
        let journaled = self.journal(state, index + 1, before + rows).await;
        journaled.map_err(|failure| self.error(Some(script), index, failure.into()))?;
        Ok(rows)
    }

    async fn journal(&mut self, state: State, done: usize, rows: u64) -> Result<(), Failure> {
        let milliseconds = self.started.elapsed().as_millis();
        let entry = Entry { unit: self.unit, state, done, rows, run: &self.run, milliseconds };
        let sql = self.session.write(self.job.seeding, &entry);
        self.session.execute(&sql).await
    }

    /// The answer to COMMIT was lost. Whoever gets the lock next knows that the old session is
    /// over, so the ledger then tells whether it was committed.
    async fn commit_in_doubt(
        &mut self,
        reason: String,
        state: State,
        first: usize,
        watch: Watch<'_>,
    ) -> Result<(), SeedError> {
        let lost = |after: &str| SeedError::Lost {
            path: self.unit.path.clone(),
            reason: reason.clone(),
            after: after.to_owned(),
        };
        let unknown = lost("run it again; the ledger tells how far it got");
        let Ok(mut session) = Session::begin(self.job.seeding, watch).await else {
            return Err(unknown);
        };
        let Ok(rows) = session.ledger(self.job.seeding).await else { return Err(unknown) };
        let own = rows.iter().find(|row| row.file == self.unit.path && row.run == self.run);
        if state == State::Done && own.is_some_and(|row| row.state == State::Done) {
            self.session = session;
            return Ok(());
        }
        Err(if first == 0 && own.is_none() {
            lost(&format!("{NOTHING_APPLIED}, run it again"))
        } else {
            unknown
        })
    }

    pub(super) fn said(&self, message: &str, after: &str) -> SeedError {
        let problem = SeedProblem {
            path: self.unit.path.clone(),
            place: None,
            message: message.to_owned(),
            remedy: String::new(),
        };
        SeedError::Refused { problem: Box::new(problem), after: after.to_owned() }
    }

    /// Says what stopped a file, and what is left of it: all that came before `first`.
    fn error(&self, script: Option<&Script>, first: usize, stopped: Stopped) -> SeedError {
        let after = match first {
            0 => NOTHING_APPLIED.to_owned(),
            _ => format!(
                "the {first} statements before line {} are applied, and the next run goes on there",
                script.map_or(0, |script| script.line(first))
            ),
        };
        match (stopped, script) {
            (Stopped::At(index, refusal), Some(script)) => {
                let at = script.find(index, &refusal.message);
                let problem = script.source.problem(at, message(&refusal), "");
                SeedError::Refused { problem: Box::new(problem), after }
            }
            (Stopped::Problem(problem), _) => SeedError::Refused { problem, after },
            (Stopped::At(_, refusal) | Stopped::By(Failure::Server(refusal)), _) => {
                self.said(&message(&refusal), &after)
            }
            (Stopped::By(Failure::Lost(reason)), _) => {
                let after = match self.unit.transactional {
                    true => format!("{NOTHING_APPLIED}, run it again"),
                    false => "run it again; the ledger tells how far it got".to_owned(),
                };
                SeedError::Lost { path: self.unit.path.clone(), reason, after }
            }
            (Stopped::By(Failure::Said(error)), _) => error,
        }
    }
}
