//! Running seeds on PostgreSQL. A file and its row in the ledger are one transaction, so after a
//! crash at any moment either both are there or neither.

use std::ops::Range;
use std::time::Instant;

use futures::TryStreamExt;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::error::{SeedError, SeedProblem};
use super::ledger::{self, Entry, Row, State, Verdict};
use super::postgres_copy as copy;
use super::postgres_journal as journal;
use super::postgres_script::{self, Part, Script};
use super::postgres_session::{Failure, Session, write};
use super::{Job, Outcome, Progress, Report, Seeding, Unit, Watch, Work, source};

/// How often a file is tried when the server undoes it for the sake of another transaction.
const ATTEMPTS: u32 = 3;

pub(super) const NOTHING_APPLIED: &str = "nothing of this file was applied";

/// The rows of a seed, without lock.
pub(super) async fn read_ledger(seeding: &Seeding<'_>) -> Result<Vec<Row>, SeedError> {
    let session = Session::open(seeding).await?;
    let rows = session.ledger(seeding).await.map_err(Failure::of_ledger)?;
    session.close().await;
    Ok(rows)
}

/// Runs what needs to run.
pub(super) async fn run(job: &Job<'_>, watch: Watch<'_>) -> Result<Report, SeedError> {
    let mut session = begin(job.seeding, watch).await?;
    let mut rows = session.ledger(job.seeding).await.map_err(Failure::of_ledger)?;
    job.check_decisions(&rows)?;
    let mut report = Report::default();
    for unit in job.units {
        let outcome = match job.verdict(&rows, unit)? {
            Verdict::Skip | Verdict::Ask(_) => Outcome::Skipped,
            Verdict::Accept => accept(&session, job, unit).await?,
            Verdict::Run { from, .. } => {
                watch(Progress::Started { path: unit.path.clone() });
                let mut file =
                    File { job, unit, run: ledger::run_id(), started: Instant::now(), session };
                let outcome = file.run(from, watch).await?;
                session = file.session;
                // Where the session is a new one, somebody else may have gone on meanwhile.
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

/// A connection that has the lock and a ledger.
async fn begin(seeding: &Seeding<'_>, watch: Watch<'_>) -> Result<Session, SeedError> {
    let session = Session::open(seeding).await?;
    session.lock(seeding, watch).await?;
    session.make_ledger().await.map_err(Failure::of_ledger)?;
    Ok(session)
}

async fn accept(session: &Session, job: &Job<'_>, unit: &Unit) -> Result<Outcome, SeedError> {
    let run = ledger::run_id();
    let entry = Entry { unit, state: State::Done, done: 0, rows: 0, run: &run, milliseconds: 0 };
    let sql = write(job.seeding, &entry);
    session.execute(&sql).await.map_err(Failure::of_ledger)?;
    Ok(Outcome::Accepted)
}

/// One file being run.
pub(super) struct File<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) unit: &'a Unit,
    pub(super) run: String,
    pub(super) started: Instant,
    pub(super) session: Session,
}

/// Why a file didn't run through, with the place in it if there is one.
pub(super) enum Stopped {
    /// The server refused this piece of work.
    At(Box<DbError>, Box<SeedProblem>),
    /// Something else.
    By(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::By(failure)
    }
}

impl From<tokio_postgres::Error> for Stopped {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::By(error.into())
    }
}

impl File<'_> {
    async fn run(&mut self, from: usize, watch: Watch<'_>) -> Result<Outcome, SeedError> {
        let rows = match &self.unit.work {
            Work::Script => {
                let script = self.read()?;
                if script.transactional {
                    self.transaction(Some(&script), watch).await?
                } else {
                    journal::run(self, &script, from, watch).await?
                }
            }
            Work::Csv(_) => self.transaction(None, watch).await?,
        };
        self.session.refresh().await.map_err(Failure::of_ledger)?;
        let statements = self.unit.statements.iter().map(|(_, count)| count).sum();
        Ok(Outcome::Ran { statements, rows, took: self.started.elapsed() })
    }

    fn read(&self) -> Result<Script, SeedError> {
        let text = source::read(self.job.root, &self.unit.path);
        let text = text.map_err(|problem| SeedError::Files(vec![problem]))?;
        let (script, problems) =
            postgres_script::parse(&self.unit.path, text, &self.unit.with, self.unit.engine);
        if problems.is_empty() { Ok(script) } else { Err(SeedError::Files(problems)) }
    }

    /// The work and the row of the ledger in one transaction.
    async fn transaction(
        &mut self,
        script: Option<&Script>,
        watch: Watch<'_>,
    ) -> Result<u64, SeedError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let stopped = match self.work(script, watch).await {
                Ok(rows) => match self.session.execute("COMMIT").await {
                    Ok(()) => return Ok(rows),
                    Err(Failure::Lost(reason)) => {
                        return self.commit_in_doubt(reason, rows, watch).await;
                    }
                    Err(failure) => Stopped::By(failure),
                },
                Err(stopped) => stopped,
            };
            let undone = match &stopped {
                Stopped::At(refusal, _) | Stopped::By(Failure::Server(refusal)) => {
                    undone_by_server(refusal)
                }
                Stopped::By(_) => false,
            };
            // Not asked of a session that is gone: there the server rolls back by itself.
            if !matches!(stopped, Stopped::By(Failure::Lost(_))) {
                let _ = self.session.execute("ROLLBACK").await;
            }
            if !undone || attempt == ATTEMPTS {
                return Err(self.error(stopped));
            }
            watch(Progress::Note {
                message: format!(
                    "{}: the server undid it for another transaction; trying again",
                    self.unit.path
                ),
            });
        }
    }

    async fn work(&self, script: Option<&Script>, watch: Watch<'_>) -> Result<u64, Stopped> {
        let before = self.begin().await?;
        let rows = match (&self.unit.work, script) {
            (Work::Script, Some(script)) => self.script(script, watch).await?,
            (Work::Csv(load), _) => copy::load(self, load, watch).await?,
            (Work::Script, None) => 0,
        };
        // A role the script took may not write the ledger, and a commit hidden in a procedure
        // would have ended the transaction.
        let after = self
            .session
            .rows("RESET SESSION AUTHORIZATION; RESET ROLE; SELECT pg_catalog.txid_current()")
            .await?;
        if after != before {
            return Err(Stopped::By(Failure::Said(self.said(
                "something in this file ended the transaction it runs in",
                "what it did before that is applied, what came after is not; take COMMIT and ROLLBACK out of it",
            ))));
        }
        let milliseconds = self.started.elapsed().as_millis();
        let done = self.unit.steps.len().saturating_sub(1);
        let entry =
            Entry { unit: self.unit, state: State::Done, done, rows, run: &self.run, milliseconds };
        self.session.execute(&write(self.job.seeding, &entry)).await?;
        Ok(rows)
    }

    async fn begin(&self) -> Result<Vec<Vec<String>>, Failure> {
        self.session.rows("BEGIN; SELECT pg_catalog.txid_current()").await
    }

    async fn script(&self, script: &Script, watch: Watch<'_>) -> Result<u64, Stopped> {
        let mut rows = 0;
        for part in &script.parts {
            let done = match part {
                Part::Sql { text, statements } => {
                    rows += self.send(script, text.clone(), statements.clone()).await?;
                    statements.end
                }
                Part::Copy { statement, data, counted } => {
                    rows += copy::block(self, script, *statement, data.clone(), *counted).await?;
                    statement + 1
                }
            };
            watch(Progress::Statements { path: self.unit.path.clone(), done });
        }
        Ok(rows)
    }

    /// Sends statements as one query, and counts them as they complete: the server doesn't
    /// always say where it failed.
    pub(super) async fn send(
        &self,
        script: &Script,
        text: Range<usize>,
        statements: Range<usize>,
    ) -> Result<u64, Stopped> {
        let mut completed = 0;
        let mut rows = 0;
        let sent = async {
            let answers =
                self.session.client.simple_query_raw(&script.source.text[text.clone()]).await?;
            let mut answers = std::pin::pin!(answers);
            while let Some(answer) = answers.try_next().await? {
                if let SimpleQueryMessage::CommandComplete(affected) = answer {
                    completed += 1;
                    rows += affected;
                }
            }
            Ok::<_, tokio_postgres::Error>(())
        }
        .await;
        match sent.map_err(Failure::from) {
            Ok(()) => Ok(rows),
            Err(Failure::Server(refusal)) => {
                let at = offset(script, &text, &refusal)
                    .unwrap_or_else(|| script.start_of(statements, completed));
                Err(self.refused(refusal, script, at))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) fn refused(&self, refusal: Box<DbError>, script: &Script, at: usize) -> Stopped {
        let problem = script.source.problem(at, message(&refusal), refusal.hint().unwrap_or(""));
        Stopped::At(refusal, Box::new(problem))
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

    fn error(&self, stopped: Stopped) -> SeedError {
        let after = NOTHING_APPLIED.to_owned();
        match stopped {
            Stopped::At(_, problem) => SeedError::Refused { problem, after },
            Stopped::By(Failure::Server(refusal)) => self.said(&message(&refusal), &after),
            Stopped::By(Failure::Lost(reason)) => {
                let after = format!("{NOTHING_APPLIED}, run it again");
                SeedError::Lost { path: self.unit.path.clone(), reason, after }
            }
            Stopped::By(Failure::Said(error)) => error,
        }
    }

    /// The answer to COMMIT was lost. Whoever gets the lock next knows that the old session is
    /// over, so the ledger then tells whether it was committed.
    async fn commit_in_doubt(
        &mut self,
        reason: String,
        rows: u64,
        watch: Watch<'_>,
    ) -> Result<u64, SeedError> {
        let path = self.unit.path.clone();
        let read = async {
            let session = begin(self.job.seeding, watch).await?;
            let rows = session.ledger(self.job.seeding).await.map_err(Failure::of_ledger)?;
            Ok::<_, SeedError>((session, rows))
        };
        let Ok((session, ledger)) = read.await else {
            let after =
                "it is either applied wholly or not at all; run it again, and the ledger tells"
                    .to_owned();
            return Err(SeedError::Lost { path, reason, after });
        };
        self.session = session;
        let committed =
            |row: &Row| row.file == path && row.run == self.run && row.state == State::Done;
        if ledger.iter().any(committed) {
            return Ok(rows);
        }
        Err(SeedError::Lost { path, reason, after: format!("{NOTHING_APPLIED}, run it again") })
    }
}

/// Whether the server rolled back for another transaction's sake, so that trying again is right.
fn undone_by_server(refusal: &DbError) -> bool {
    [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(refusal.code())
}

/// What the server said, in one line.
pub(super) fn message(refusal: &DbError) -> String {
    let detail = refusal.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{}{detail} [{}]", refusal.message(), refusal.code().code())
}

/// The server counts characters in the text it was sent, from 1.
fn offset(script: &Script, sent: &Range<usize>, refusal: &DbError) -> Option<usize> {
    let Some(ErrorPosition::Original(position)) = refusal.position() else { return None };
    let text = &script.source.text[sent.clone()];
    let index = text.char_indices().nth((*position as usize).checked_sub(1)?);
    Some(sent.start + index.map_or(text.len(), |(index, _)| index))
}
