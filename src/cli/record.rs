//! Writes a run's record into the history while it goes on. A record that can't be written is no
//! reason to stop.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use super::digest;
use super::hold::{AT_ONCE, FAREWELL, Hold};
use super::session::Session;
use crate::aws::history;
use crate::aws::home::Home;
use crate::diagnostic::Problem;
use crate::execution::Event;
use crate::plan::{Action, Plan};
use crate::reference::shown;
use crate::report::history::{FORMAT, Record, RecordedStep, RunOutcome};
use crate::report::json as machine;
use crate::report::problems;
use crate::report::summary::{Ending, Summary};
use crate::report::terminal::Terminal;
use crate::report::timeline;

/// The record of the run that is going on.
pub struct Recorder {
    home: Home,
    record: RefCell<Record>,
    started: Instant,
    began: RefCell<BTreeMap<usize, Duration>>,
    took: RefCell<BTreeMap<usize, Duration>>,
    done: RefCell<BTreeSet<usize>>,
}

impl Recorder {
    /// Writes that the run has begun, so that one that is killed leaves a trace.
    pub async fn begin(session: &Session, plan: &Plan, hold: &Hold, terminal: Terminal) -> Self {
        let steps = plan.steps.iter().map(|step| RecordedStep {
            key: shown(&step.key),
            kind: step.kind.facts().name.to_owned(),
            name: shown(&step.name),
            action: word(step.action),
            result: "planned".to_owned(),
            needs: step.needs.iter().copied().collect(),
            began: None,
            seconds: None,
            error: None,
        });
        let record = Record {
            format: FORMAT.to_owned(),
            stack: session.stack.name.clone(),
            run: hold.holder.run.clone(),
            command: hold.holder.command.clone(),
            user: hold.holder.user.clone(),
            host: hold.holder.host.clone(),
            pid: hold.holder.pid,
            since: hold.holder.since,
            caller: session.aws.caller.clone(),
            lagoa: env!("CARGO_PKG_VERSION").to_owned(),
            digest: digest::stack(&session.stack, &session.aws.site),
            outcome: RunOutcome::Started,
            ended: None,
            steps: steps.collect(),
        };
        let home = Home::new(&session.aws);
        let record = RefCell::new(record);
        let mut recorder = Self {
            home,
            record,
            started: Instant::now(),
            began: RefCell::default(),
            took: RefCell::default(),
            done: RefCell::default(),
        };
        if !plan.steps.is_empty() {
            recorder.write(FAREWELL, terminal).await;
            recorder.started = Instant::now();
        }
        recorder
    }

    /// Takes note of when steps began and ended.
    pub fn tell(&self, event: &Event) {
        match event {
            Event::Started(id) => {
                self.began.borrow_mut().insert(*id, self.started.elapsed());
            }
            Event::Done(id, took) => {
                self.done.borrow_mut().insert(*id);
                self.took.borrow_mut().insert(*id, *took);
            }
            Event::Failed(id, _) | Event::Unfinished(id, _) => self.ended(*id),
            Event::Status(..) | Event::Skipped(..) => {}
        }
    }

    /// A step that didn't end well took time too.
    fn ended(&self, id: usize) {
        if let Some(began) = self.began.borrow().get(&id) {
            let took = self.started.elapsed().saturating_sub(*began);
            self.took.borrow_mut().insert(id, took);
        }
    }

    /// The record with what is known of when each step ran.
    fn timed(&self) -> Record {
        let seconds = |time: &Duration| (time.as_secs_f64() * 1e3).round() / 1e3;
        let (began, took) = (self.began.borrow(), self.took.borrow());
        let mut record = self.record.borrow().clone();
        for (id, step) in record.steps.iter_mut().enumerate() {
            step.began = began.get(&id).map(seconds);
            step.seconds = took.get(&id).map(seconds);
        }
        record
    }

    /// Draws when each step ran and what it waited for into a file. A picture that can't be written
    /// is no reason to call the run failed.
    pub fn draw(&self, path: &Path, terminal: Terminal) {
        let record = self.record.borrow();
        if record.steps.iter().all(|step| step.began.is_none()) {
            terminal.err("No step ran, so there is no timeline to draw.\n");
        } else if let Err(error) = std::fs::write(path, timeline::svg(&record)) {
            let message = format!("{} could not be written: {error}", path.display());
            terminal.err(&problems::sentence(&Problem::warning(message), terminal.err));
        }
    }

    /// Writes how the run ended.
    pub async fn end(&self, summary: &Summary, lock_lost: bool, terminal: Terminal) {
        let mut record = self.timed();
        for (step, ended) in record.steps.iter_mut().zip(&summary.steps) {
            let (result, error) = match &ended.ending {
                Ending::Done => ("done", None),
                Ending::Failed(trouble) => ("failed", Some(trouble.words())),
                Ending::Unfinished(why) => ("unfinished", Some(why.clone())),
                Ending::NotStarted(_) => ("not_started", None),
                Ending::Unread => ("unread", None),
            };
            (step.result, step.error) = (result.to_owned(), error);
        }
        let outcome = match (lock_lost, summary.interrupted, summary.is_complete()) {
            (true, ..) => RunOutcome::LockLost,
            // Whoever asked it to stop came too late.
            (.., true) => RunOutcome::Done,
            (_, true, _) => RunOutcome::Interrupted,
            (.., false) => RunOutcome::Failed,
        };
        self.close(record, outcome, FAREWELL, terminal).await;
    }

    /// Writes that somebody didn't want to wait for the calls in flight, nor for this.
    pub async fn broken_off(&self, terminal: Terminal) {
        let begun: Vec<usize> = self.began.borrow().keys().copied().collect();
        let still = |id: &usize| !self.took.borrow().contains_key(id);
        let still: Vec<usize> = begun.into_iter().filter(still).collect();
        let done = self.done.borrow().clone();
        still.iter().for_each(|id| self.ended(*id));
        let mut record = self.timed();
        for (id, step) in record.steps.iter_mut().enumerate() {
            if done.contains(&id) {
                step.result = "done".to_owned();
            } else if still.contains(&id) {
                step.result = "unfinished".to_owned();
            }
        }
        self.close(record, RunOutcome::Interrupted, AT_ONCE, terminal).await;
    }

    async fn close(
        &self,
        mut record: Record,
        outcome: RunOutcome,
        within: Duration,
        terminal: Terminal,
    ) {
        record.outcome = outcome;
        record.ended = Some(Timestamp::now());
        self.record.replace(record);
        self.write(within, terminal).await;
    }

    async fn write(&self, within: Duration, terminal: Terminal) {
        let record = self.record.borrow().clone();
        let text = machine::text(&record);
        let since = (record.since, record.run.as_str());
        let write = history::write(&self.home, &record.stack, since, text.as_bytes());
        let written = tokio::time::timeout(within, write).await;
        let trouble = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        let problem = Problem::warning(format!("the run is not in the history: {trouble}"));
        terminal.err(&problems::sentence(&problem, terminal.err));
    }
}

fn word(action: Action) -> String {
    json!(action).as_str().unwrap_or_default().to_owned()
}
