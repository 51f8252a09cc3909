//! Running seeds on Redshift through its Data API: requests of up to forty statements, each one
//! transaction, each with its row of the ledger in it.
//!
//! A request carries a token made of what it does. Sent twice, because an answer was lost or a run
//! was killed, it runs once. And whoever writes the ledger finds the rows that it had read, or the
//! transaction fails: so two runs at the same time can't both apply a file.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use super::error::{SeedError, SeedProblem};
use super::ledger::{self, Entry, State, Verdict};
use super::redshift_ledger::{self as table, Page};
use super::redshift_script::{self, Request, Requests};
use super::script::Nature;
use super::{Decision, Job, Outcome, Progress, Report, Rule, Standing, Unit, Watch, Work};
use super::{digest, source, unit};

/// Failures of earlier runs that a token may bring back before lagoa stops counting.
const ATTEMPTS: u32 = 50;

/// A way to run SQL in a warehouse, statement by statement or as one transaction.
#[allow(async_fn_in_trait, reason = "the tool runs on one thread")]
pub trait Channel {
    /// Runs one statement, which commits by itself.
    async fn execute(&self, sql: &str, token: Option<&str>) -> Result<Reply, Trouble>;
    /// Runs statements as one transaction.
    async fn transact(&self, sqls: &[String], token: &str) -> Result<Reply, Trouble>;
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The rows of a statement that has some.
    pub rows: Vec<Vec<String>>,
    /// When the service got the request first.
    pub at: Timestamp,
}

/// Why nothing came of it.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The warehouse refused a statement, and the transaction that it was part of.
    Refused {
        /// Which of the request's.
        index: usize,
        /// In the warehouse's words.
        message: String,
        /// When the service got the request first.
        at: Timestamp,
    },
    /// No answer: it may have happened or not.
    Lost(String),
    /// The service didn't take the request.
    Rejected(String),
}

/// One seed of one stack, and the warehouse it goes into.
pub struct WarehouseSeeding<'a, C> {
    /// The way to the warehouse.
    pub channel: &'a C,
    /// What errors call it.
    pub warehouse: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// The seed's name.
    pub seed: &'a str,
}

impl<C: Channel> WarehouseSeeding<'_, C> {
    /// What the ledger says of each file. Changes nothing.
    pub async fn standing(&self, units: &[Unit]) -> Result<Vec<Standing>, SeedError> {
        let page = match self.channel.execute(&table::query(self.stack, self.seed), None).await {
            Ok(reply) => Page::read(&reply.rows)?,
            Err(Trouble::Refused { message, .. }) if message.contains("does not exist") => {
                Page::default()
            }
            Err(trouble) => return Err(self.of_ledger(trouble)),
        };
        let row = |unit: &Unit| page.rows.iter().find(|row| row.file == unit.path);
        Ok(units.iter().map(|unit| ledger::standing(row(unit), unit)).collect())
    }

    /// Runs the files that need it, in order. When any of them needs a decision that isn't given,
    /// nothing runs.
    pub async fn run(
        &self,
        root: &Path,
        units: &[Unit],
        rule: Rule,
        decision: Option<Decision>,
        watch: Watch<'_>,
    ) -> Result<Report, SeedError> {
        unit::check_unchanged(root, units)?;
        ledger::check_names(self.stack, self.seed, units)?;
        let job = Job { seeding: self, seed: self.seed, root, units, rule, decision };
        let (since, mut page) = self.begin().await?;
        job.check_decisions(&page.rows)?;
        let mut report = Report::default();
        for unit in units {
            let mut file = File { job: &job, unit, count: page.count(&unit.path), since };
            let outcome = match job.verdict(&page.rows, unit)? {
                Verdict::Skip | Verdict::Ask(_) => Outcome::Skipped,
                Verdict::Accept => file.accept().await?,
                Verdict::Run { from, .. } => {
                    watch(Progress::Started { path: unit.path.clone() });
                    file.run(from, watch).await?
                }
            };
            if outcome != Outcome::Skipped {
                page = self.page().await?;
            }
            watch(Progress::Finished { path: unit.path.clone(), outcome: outcome.clone() });
            report.files.push((unit.path.clone(), outcome));
        }
        Ok(report)
    }

    /// Makes the ledger, if there is none. Gives the moment by the service's clock, and what the
    /// ledger says.
    async fn begin(&self) -> Result<(Timestamp, Page), SeedError> {
        match self.channel.execute(&table::table(), None).await {
            Ok(reply) => Ok((reply.at, self.page().await?)),
            // Another seed made it at the same moment, or this user may use it but not make it.
            Err(Trouble::Refused { message, at, .. }) => match self.page().await {
                Ok(page) => Ok((at, page)),
                Err(SeedError::Ledger { .. }) => Err(SeedError::Ledger { reason: message }),
                Err(error) => Err(error),
            },
            Err(trouble) => Err(self.of_ledger(trouble)),
        }
    }

    async fn page(&self) -> Result<Page, SeedError> {
        let reply = self.channel.execute(&table::query(self.stack, self.seed), None).await;
        Page::read(&reply.map_err(|trouble| self.of_ledger(trouble))?.rows)
    }

    fn of_ledger(&self, trouble: Trouble) -> SeedError {
        match trouble {
            Trouble::Refused { message, .. } => SeedError::Ledger { reason: message },
            Trouble::Lost(reason) | Trouble::Rejected(reason) => {
                SeedError::Connect { server: self.warehouse.to_owned(), reason }
            }
        }
    }
}

/// One file being run.
struct File<'a, C> {
    job: &'a Job<'a, WarehouseSeeding<'a, C>>,
    unit: &'a Unit,
    /// How many rows the ledger has of it.
    count: usize,
    /// When this run began, by the service's clock.
    since: Timestamp,
}

/// What is applied of a file once a request went wrong.
fn left_behind(done: usize) -> String {
    match done {
        0 => "nothing of this file was applied".to_owned(),
        1 => {
            "the first statement of this file is applied; the next run goes on after it".to_owned()
        }
        done => format!(
            "the first {done} statements of this file are applied; the next run goes on after them"
        ),
    }
}

impl<C: Channel> File<'_, C> {
    async fn run(&mut self, from: usize, watch: Watch<'_>) -> Result<Outcome, SeedError> {
        let started = Instant::now();
        let requests = self.read()?;
        let total = requests.script.statements.len();
        for request in &requests.requests {
            let Some(request) = rest(request, from) else { continue };
            let statements = request.statements();
            match &request {
                Request::Alone(index) => self.alone(&requests, *index, total).await?,
                Request::Transaction { settings, .. } => {
                    let texts = settings.iter().copied().chain(statements.clone());
                    let counts = |index: &usize| {
                        let one = requests.script.statements.get(*index);
                        one.is_some_and(|one| one.nature != Nature::Skipped)
                    };
                    let indices: Vec<usize> = texts.filter(counts).collect();
                    self.transaction(&requests, &indices, statements.clone(), total).await?;
                }
            }
            watch(Progress::Statements { path: self.unit.path.clone(), done: statements.end });
        }
        if total == 0 {
            self.record(State::Done, 0).await?;
        }
        let statements = self.unit.statements.iter().map(|(_, count)| count).sum();
        Ok(Outcome::Ran { statements, rows: 0, took: started.elapsed() })
    }

    fn read(&self) -> Result<Requests, SeedError> {
        let Work::Script = self.unit.work else {
            let reason = "Redshift takes scripts; COPY loads rows from S3".to_owned();
            return Err(SeedError::Ledger { reason });
        };
        let text = source::read(self.job.root, &self.unit.path);
        let text = text.map_err(|problem| SeedError::Files(vec![problem]))?;
        let (requests, problems) = redshift_script::parse(&self.unit.path, text, &self.unit.with);
        if problems.is_empty() { Ok(requests) } else { Err(SeedError::Files(problems)) }
    }

    async fn accept(&mut self) -> Result<Outcome, SeedError> {
        self.record(State::Done, 0).await?;
        Ok(Outcome::Accepted)
    }

    /// Statements and the row that tells of them, in one transaction.
    async fn transaction(
        &mut self,
        requests: &Requests,
        indices: &[usize],
        statements: std::ops::Range<usize>,
        total: usize,
    ) -> Result<(), SeedError> {
        let (start, end) = (statements.start, statements.end);
        let state = if end == total { State::Done } else { State::Partial };
        let texts = indices.iter().map(|index| requests.text(*index).to_owned());
        match self.send(texts.collect(), state, end).await {
            Ok(()) => Ok(()),
            Err(Trouble::Refused { index, message, .. }) => {
                let Some(statement) = index.checked_sub(1).and_then(|at| indices.get(at)) else {
                    return self.contested(message).await;
                };
                let at = requests.script.statements.get(*statement);
                let at = at.map_or(0, |statement| statement.range.start);
                let problem = requests.script.source.problem(at, message, "");
                Err(SeedError::Refused { problem: Box::new(problem), after: left_behind(start) })
            }
            Err(Trouble::Rejected(reason)) => Err(self.said(&reason, start)),
            Err(Trouble::Lost(reason)) => Err(self.lost(reason)),
        }
    }

    /// A statement that commits by itself: the ledger says before that it runs, and after that it ran.
    async fn alone(
        &mut self,
        requests: &Requests,
        index: usize,
        total: usize,
    ) -> Result<(), SeedError> {
        self.record(State::Running, index).await?;
        let text = requests.text(index);
        // The ledger tells the next run of this; a token is for answers that this run loses.
        let token = self.token(&[text, &self.since.to_string()], 0);
        match self.job.seeding.channel.execute(text, Some(&token)).await {
            Ok(_) => {
                let done = index + 1;
                let state = if done == total { State::Done } else { State::Partial };
                self.record(state, done).await
            }
            Err(Trouble::Refused { message, .. }) => {
                self.record(State::Partial, index).await?;
                let at = requests.script.statements.get(index);
                let at = at.map_or(0, |statement| statement.range.start);
                let problem = requests.script.source.problem(at, message, "");
                Err(SeedError::Refused { problem: Box::new(problem), after: left_behind(index) })
            }
            Err(Trouble::Rejected(reason)) => {
                self.record(State::Partial, index).await?;
                Err(self.said(&reason, index))
            }
            Err(Trouble::Lost(reason)) => Err(self.lost(reason)),
        }
    }

    /// Writes only the ledger.
    async fn record(&mut self, state: State, done: usize) -> Result<(), SeedError> {
        match self.send(Vec::new(), state, done).await {
            Ok(()) => Ok(()),
            Err(Trouble::Refused { message, .. }) => self.contested(message).await,
            Err(trouble) => Err(self.job.seeding.of_ledger(trouble)),
        }
    }

    /// Whether the ledger of this warehouse has the row of that run.
    async fn is_written(&self, run: &str) -> Result<bool, Trouble> {
        let seeding = self.job.seeding;
        let query = table::query(seeding.stack, seeding.seed);
        let page = Page::read(&seeding.channel.execute(&query, None).await?.rows);
        let page = page.map_err(|error| Trouble::Rejected(error.to_string()))?;
        Ok(page.rows.iter().any(|row| row.file == self.unit.path && row.run == run))
    }

    /// Sends statements between the lock and the row. A failure from before this run began is what
    /// the token remembers, and doesn't count.
    async fn send(&mut self, texts: Vec<String>, state: State, done: usize) -> Result<(), Trouble> {
        let mut attempt = 0;
        loop {
            let words = [state.name(), &done.to_string()].map(str::to_owned);
            let parts: Vec<&str> = words.iter().chain(&texts).map(String::as_str).collect();
            let token = self.token(&parts, attempt);
            let run: String = token.chars().take(16).collect();
            let entry = Entry { unit: self.unit, state, done, rows: 0, run: &run, milliseconds: 0 };
            let seeding = self.job.seeding;
            let row = table::write(seeding.stack, seeding.seed, &entry, self.count);
            let mut sqls = vec![table::lock()];
            sqls.extend(texts.iter().cloned());
            sqls.push(row);
            match seeding.channel.transact(&sqls, &token).await {
                // What the token remembers may have happened in a warehouse that is gone.
                Ok(reply) if reply.at < self.since && !self.is_written(&run).await? => {
                    attempt += 1;
                }
                Ok(_) => {
                    self.count += 1;
                    return Ok(());
                }
                Err(Trouble::Refused { at, .. }) if at < self.since && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// The same for the same work in the same place of the ledger's history, whoever asks.
    fn token(&self, parts: &[&str], attempt: u32) -> String {
        let seeding = self.job.seeding;
        let (count, attempt) = (self.count.to_string(), attempt.to_string());
        let file = [self.unit.path.as_str(), self.unit.digest.as_str()];
        let place = [seeding.warehouse, seeding.stack, seeding.seed].into_iter().chain(file);
        let all = place.chain([count.as_str(), attempt.as_str()]);
        digest::token(&all.chain(parts.iter().copied()).collect::<Vec<_>>())
    }

    /// The ledger's row was refused: did another run write one?
    async fn contested(&self, message: String) -> Result<(), SeedError> {
        let page = self.job.seeding.page().await?;
        if page.count(&self.unit.path) == self.count {
            return Err(SeedError::Ledger { reason: message });
        }
        let path = &self.unit.path;
        let reason = format!("another run seeded {path} at the same time; run it again to go on");
        Err(SeedError::Ledger { reason })
    }

    fn said(&self, message: &str, done: usize) -> SeedError {
        let problem = SeedProblem {
            path: self.unit.path.clone(),
            place: None,
            message: message.to_owned(),
            remedy: String::new(),
        };
        SeedError::Refused { problem: Box::new(problem), after: left_behind(done) }
    }

    fn lost(&self, reason: String) -> SeedError {
        let after = "run it again: what was sent is applied once, and the ledger tells how far it \
                     came"
            .to_owned();
        SeedError::Lost { path: self.unit.path.clone(), reason, after }
    }
}

/// What is left of a request when so many statements are done.
fn rest(request: &Request, done: usize) -> Option<Request> {
    let statements = request.statements();
    if statements.end <= done {
        return None;
    }
    Some(match request {
        Request::Alone(index) => Request::Alone(*index),
        Request::Transaction { settings, .. } => Request::Transaction {
            settings: settings.clone(),
            statements: statements.start.max(done)..statements.end,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;
    use crate::seed::{Engine, examine};

    /// Answers transactions as it is told, in order, and remembers their tokens.
    #[derive(Default)]
    struct Script {
        answers: RefCell<Vec<Result<Timestamp, (usize, Timestamp)>>>,
        tokens: RefCell<Vec<String>>,
        /// Why there is no table to be made.
        no_table: Option<&'static str>,
        /// Why nothing can be read of it.
        no_page: Option<&'static str>,
    }

    const NOW: Timestamp = Timestamp::constant(2_000, 0);
    const BEFORE: Timestamp = Timestamp::constant(1_000, 0);

    impl Channel for Script {
        async fn execute(&self, sql: &str, _: Option<&str>) -> Result<Reply, Trouble> {
            match if sql.starts_with("CREATE") { self.no_table } else { self.no_page } {
                Some(why) => Err(Trouble::Refused { index: 0, message: why.into(), at: NOW }),
                None => Ok(Reply { rows: Vec::new(), at: NOW }),
            }
        }

        async fn transact(&self, sqls: &[String], token: &str) -> Result<Reply, Trouble> {
            assert!(sqls.len() <= 40 && sqls[0].starts_with("LOCK"));
            self.tokens.borrow_mut().push(token.to_owned());
            match self.answers.borrow_mut().remove(0) {
                Ok(at) => Ok(Reply { rows: Vec::new(), at }),
                Err((index, at)) => {
                    Err(Trouble::Refused { index, message: "no such table".into(), at })
                }
            }
        }
    }

    fn run(
        name: &str,
        warehouse: &str,
        answers: &[Result<Timestamp, (usize, Timestamp)>],
    ) -> (Result<Report, String>, Vec<String>) {
        let root = std::env::temp_dir().join(format!("lagoa-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("a folder");
        std::fs::write(root.join("a.sql"), "select 1;\nselect 2;").expect("a file");
        let unit = examine(&root, "a.sql", Engine::Redshift, &Work::Script, &BTreeMap::new());
        let channel = Script { answers: RefCell::new(answers.to_vec()), ..Script::default() };
        let seeding = WarehouseSeeding { channel: &channel, warehouse, stack: "s", seed: "k" };
        let units = [unit.expect("a sound file")];
        let mut watch = |_| ();
        let work = seeding.run(&root, &units, Rule::Changed, None, &mut watch);
        let report = futures::executor::block_on(work).map_err(|error| error.to_string());
        std::fs::remove_dir_all(&root).expect("removed");
        (report, channel.tokens.into_inner())
    }

    #[test]
    fn one_request_is_enough_and_its_token_is_its_work() {
        let (report, tokens) = run("once", "w", &[Ok(NOW)]);
        assert!(report.is_ok() && tokens.len() == 1 && tokens[0].len() == 64);
        assert_eq!(run("again", "w", &[Ok(NOW)]).1, tokens);
        assert_ne!(run("other", "v", &[Ok(NOW)]).1, tokens);
    }

    #[test]
    fn what_a_token_remembers_of_earlier_runs_does_not_count() {
        for old in [Err((1, BEFORE)), Ok(BEFORE)] {
            let (report, tokens) = run(&format!("old-{}", old.is_ok()), "w", &[old, Ok(NOW)]);
            assert!(report.is_ok(), "{report:?}");
            assert_ne!(tokens[0], tokens[1]);
        }
    }

    #[test]
    fn a_ledger_that_another_seed_makes_at_the_same_moment_will_do() {
        let begin = |no_page| {
            let no_table = Some("relation already exists");
            let channel = Script { no_table, no_page, ..Script::default() };
            let seeding =
                WarehouseSeeding { channel: &channel, warehouse: "w", stack: "s", seed: "k" };
            let begun = futures::executor::block_on(seeding.begin());
            begun.map(|(since, _)| since).map_err(|error| error.to_string())
        };
        assert_eq!(begin(None), Ok(NOW));
        let refused = begin(Some("does not exist")).expect_err("no ledger at all");
        assert!(refused.contains("already exists"), "{refused}");
    }

    #[test]
    fn a_refusal_names_its_statement() {
        let (report, _) = run("refused", "w", &[Err((2, NOW))]);
        let error = report.expect_err("refused");
        assert!(error.starts_with("a.sql:2:1: no such table"), "{error}");
        assert!(error.contains("nothing of this file was applied"));
    }
}
