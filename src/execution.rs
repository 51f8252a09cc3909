//! Does what a plan says, or stops; it never decides. Tells what happens as events.

mod converge;
mod delete;
mod patience;
mod poles;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::sync::Notify;

use crate::aws::{Aws, Error};
use crate::live::Reader;
use crate::plan::{Action, Facts, Plan, Step, answer};
use crate::reference;
pub use poles::{poles, typical};

/// What happens while a plan is carried out.
#[derive(Clone, Debug)]
pub enum Event {
    /// A step began.
    Started(usize),
    /// A step waits or works, in the service's own words.
    Status(usize, String),
    /// A step is done.
    Done(usize, Duration),
    /// A step failed.
    Failed(usize, Failure),
    /// A step was under way when the run was stopped: this is what it would have waited for.
    Unfinished(usize, String),
    /// A step wasn't begun because of this other step, or because the run was stopped.
    Skipped(usize, Option<usize>),
}

/// Why a step failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The plan said so already.
    Blocked,
    /// What there is couldn't be read when the plan was made.
    Unread,
    /// What the step found isn't what the plan was made for.
    Changed(String),
    /// AWS said no.
    Aws(Error),
    /// The run was stopped while the step waited for this.
    Stopped(String),
}

/// How it ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Steps that are done.
    pub done: BTreeSet<usize>,
    /// Steps that failed.
    pub failed: BTreeMap<usize, Failure>,
    /// Steps that were begun and then left, and what they waited for.
    pub unfinished: BTreeMap<usize, String>,
    /// Steps that were not begun.
    pub skipped: BTreeSet<usize>,
    /// The run was stopped from outside.
    pub stopped: bool,
    /// What references to each resource can be answered with now.
    pub facts: BTreeMap<String, Facts>,
}

impl Outcome {
    /// Whether everything that was planned is done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.unfinished.is_empty() && self.skipped.is_empty()
    }

    /// An output's value, as far as it is known.
    pub fn fill(&self, plan: &Plan, value: &Value) -> Value {
        reference::fill(value, &|reference| answer(reference, &self.facts, &plan.site))
    }
}

/// Asks a run to start nothing new; calls in flight finish.
#[derive(Default)]
pub struct Stop {
    requested: Cell<bool>,
    heard: Notify,
    forbidden: RefCell<Option<String>>,
}

impl Stop {
    /// No new steps from now on. Those that are running go on as far as they can without waiting:
    /// a database takes a quarter of an hour to come up, and a CI runner gives seconds.
    pub fn request(&self) {
        self.requested.set(true);
        self.heard.notify_waiters();
    }

    /// Nothing may be written any more, for this reason: running steps stop before their next
    /// write.
    pub fn forbid(&self, why: impl Into<String>) {
        self.request();
        self.forbidden.borrow_mut().get_or_insert(why.into());
    }

    /// Why nothing may be written, if that is so.
    pub fn forbidden(&self) -> Option<String> {
        self.forbidden.borrow().clone()
    }

    fn requested(&self) -> bool {
        self.requested.get()
    }

    /// Waits until the run is to stop.
    async fn wanted(&self) {
        let heard = self.heard.notified();
        if !self.requested() {
            heard.await;
        }
    }
}

/// One run of a plan.
struct Run<'a> {
    aws: &'a Aws,
    plan: &'a Plan,
    reader: Reader<'a>,
    facts: RefCell<BTreeMap<String, Facts>>,
    wrote: RefCell<BTreeSet<usize>>,
    stop: &'a Stop,
    tell: &'a dyn Fn(Event),
    origin: tokio::time::Instant,
}

/// Carries out the plan, at most `parallelism` steps at once, each as soon as what it needs is done;
/// those with the longest way after them first.
pub async fn execute(
    aws: &Aws,
    plan: &Plan,
    parallelism: usize,
    stop: &Stop,
    tell: &dyn Fn(Event),
) -> Outcome {
    let run = Run {
        aws,
        plan,
        reader: Reader::new(aws),
        facts: RefCell::new(plan.facts.clone()),
        wrote: RefCell::default(),
        stop,
        tell,
        origin: tokio::time::Instant::now(),
    };
    let poles = poles(plan);
    let mut outcome = Outcome::default();
    let mut waiting: BTreeSet<usize> = plan.steps.iter().map(|step| step.id).collect();
    let mut running = FuturesUnordered::new();
    loop {
        run.skip_hopeless(&mut waiting, &mut outcome);
        while running.len() < parallelism && !stop.requested() {
            let ready =
                waiting.iter().copied().filter(|id| plan.steps[*id].needs.is_subset(&outcome.done));
            let Some(id) = ready.max_by_key(|id| (poles[*id], Reverse(*id))) else { break };
            waiting.remove(&id);
            run.reader.join(plan.steps[id].kind);
            running.push(run.step(&plan.steps[id]));
        }
        let Some((id, result)) = running.next().await else { break };
        run.reader.leave(plan.steps[id].kind);
        match result {
            Ok(()) => _ = outcome.done.insert(id),
            Err(Failure::Stopped(what)) => _ = outcome.unfinished.insert(id, what),
            Err(failure) => _ = outcome.failed.insert(id, failure),
        }
    }
    outcome.stopped = stop.requested();
    for id in waiting {
        (tell)(Event::Skipped(id, None));
        outcome.skipped.insert(id);
    }
    drop(running);
    outcome.facts = run.facts.into_inner();
    outcome
}

impl Run<'_> {
    /// Gives up every waiting step that needs one that failed or was given up.
    fn skip_hopeless(&self, waiting: &mut BTreeSet<usize>, outcome: &mut Outcome) {
        loop {
            let lost =
                |need: &usize| outcome.failed.contains_key(need) || outcome.skipped.contains(need);
            let hopeless = waiting.iter().find_map(|id| {
                let cause = self.plan.steps[*id].needs.iter().copied().find(|need| lost(need))?;
                Some((*id, cause))
            });
            let Some((id, cause)) = hopeless else { return };
            waiting.remove(&id);
            outcome.skipped.insert(id);
            (self.tell)(Event::Skipped(id, Some(cause)));
        }
    }

    async fn step(&self, step: &Step) -> (usize, Result<(), Failure>) {
        let start = Instant::now();
        (self.tell)(Event::Started(step.id));
        let result = match (&step.blocked, step.action) {
            (Some(_), _) => Err(Failure::Blocked),
            (None, Action::Retain) => Ok(()),
            (None, Action::Unread) => Err(Failure::Unread),
            (None, Action::Delete) => self.delete(step).await,
            (None, _) => self.converge(step).await,
        };
        match &result {
            Ok(()) => {
                self.wrote.borrow_mut().insert(step.id);
                (self.tell)(Event::Done(step.id, start.elapsed()));
            }
            Err(Failure::Stopped(what)) => (self.tell)(Event::Unfinished(step.id, what.clone())),
            Err(failure) => (self.tell)(Event::Failed(step.id, failure.clone())),
        }
        (step.id, result)
    }

    fn status(&self, step: &Step, text: String) {
        (self.tell)(Event::Status(step.id, text));
    }

    /// Whether this run wrote something that the step stands on, so that AWS may not have heard
    /// of it everywhere.
    fn stands_on_news(&self, step: &Step) -> bool {
        let wrote = self.wrote.borrow();
        step.needs.iter().any(|need| wrote.contains(need))
    }
}
