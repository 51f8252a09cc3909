//! What happens while a plan is carried out: redrawn lines on a terminal, plain lines elsewhere.

mod estimate;
mod screen;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use self::estimate::{Estimate, about};
pub use self::screen::Size;
use self::screen::{Line, Screen, frame};
use super::style::{Ink, Style, counted, harmless};
use super::summary::{Trouble, left};
use super::terminal::Terminal;
use super::value::clipped;
use crate::execution::{Event, Failure};
use crate::plan::{Action, Plan, Step};
use crate::reference::shown;

/// How often running steps are mentioned where lines can't be redrawn.
const MENTION: Duration = Duration::from_mins(1);
/// Running steps that are mentioned each time.
const MENTIONED: usize = 8;
/// What typically takes less needs no estimate, and what has taken less no mention.
const LONG: Duration = Duration::from_secs(30);
/// With more steps than this, only those that take long have lines of their own.
const MANY: usize = 100;
/// Characters of a status that are shown.
const STATUS: usize = 100;

/// Follows a run.
pub struct Progress<'a> {
    plan: &'a Plan,
    terminal: Terminal,
    estimate: Estimate,
    began: Instant,
    mentioned: Cell<Instant>,
    screen: Option<RefCell<Screen>>,
    running: RefCell<BTreeMap<usize, Running>>,
    ended: RefCell<BTreeSet<usize>>,
    totals: Cell<Totals>,
}

struct Running {
    since: Instant,
    status: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    all: usize,
    done: usize,
    failed: usize,
    given_up: usize,
}

impl Totals {
    fn words(self, elapsed: Duration, left: Duration) -> String {
        let mut parts = vec![format!("{} of {}", self.done, counted(self.all, "step"))];
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if self.given_up > 0 {
            parts.push(format!("{} given up", self.given_up));
        }
        parts.push(whole(elapsed));
        parts.extend(about(left));
        parts.join(", ")
    }
}

impl<'a> Progress<'a> {
    /// Follows a run of this plan with so many steps at once.
    pub fn new(plan: &'a Plan, parallelism: usize, terminal: Terminal) -> Self {
        let now = Instant::now();
        Self {
            plan,
            terminal,
            estimate: Estimate::new(plan, parallelism),
            began: now,
            mentioned: Cell::new(now),
            screen: terminal.live.then(RefCell::default),
            running: RefCell::default(),
            ended: RefCell::default(),
            totals: Cell::new(Totals { all: plan.steps.len(), ..Totals::default() }),
        }
    }

    /// How many steps are running.
    pub fn running(&self) -> usize {
        self.running.borrow().len()
    }

    /// Takes note of what happened.
    pub fn tell(&self, event: Event) {
        match event {
            Event::Started(id) => self.started(id),
            Event::Status(id, status) => {
                if let Some(running) = self.running.borrow_mut().get_mut(&id) {
                    running.status = clipped(&harmless(&shown(&status)), STATUS);
                }
            }
            Event::Done(id, elapsed) => {
                self.count(|totals| totals.done += 1);
                let quiet = self.quiet(id) && elapsed < LONG && self.screen.is_some();
                self.ended(id, !quiet, |step, style| done(step, elapsed, style));
            }
            // The summary tells these, with their causes.
            Event::Failed(id, Failure::Unread) => {
                self.count(|totals| totals.given_up += 1);
                self.running.borrow_mut().remove(&id);
            }
            Event::Failed(id, failure) => {
                self.count(|totals| totals.failed += 1);
                self.ended(id, true, |step, style| {
                    let words =
                        clipped(&harmless(&Trouble::new(step, &failure, "").words()), STATUS);
                    format!("{} {}: {words}", style.paint(Ink::Bad, "✗"), label(step))
                });
            }
            Event::Unfinished(id, what) => self.ended(id, true, |step, style| {
                let words = clipped(&harmless(&left(&what)), STATUS);
                format!("{} {}: {words}", style.paint(Ink::Warn, "~"), label(step))
            }),
            // The summary tells it with its cause.
            Event::Skipped(id, _) => {
                self.count(|totals| totals.given_up += 1);
                self.ended.borrow_mut().insert(id);
            }
        }
    }

    fn count(&self, add: impl Fn(&mut Totals)) {
        let mut totals = self.totals.get();
        add(&mut totals);
        self.totals.set(totals);
    }

    /// Whether a step is one of so many that it has no line of its own.
    fn quiet(&self, id: usize) -> bool {
        let short = self.estimate.typical.get(id).is_none_or(|typical| *typical < LONG);
        short && self.plan.steps.len() > MANY
    }

    fn started(&self, id: usize) {
        let Some(step) = self.plan.steps.get(id) else { return };
        let works = step.blocked.is_none() && step.action != Action::Retain;
        if self.screen.is_none() && works && !self.quiet(id) {
            self.line(&format!("  {}: {} …", label(step), doing(step)));
        }
        let running = Running { since: Instant::now(), status: doing(step).to_owned() };
        self.running.borrow_mut().insert(id, running);
    }

    fn ended(&self, id: usize, tell: bool, words: impl Fn(&Step, Style) -> String) {
        self.running.borrow_mut().remove(&id);
        self.ended.borrow_mut().insert(id);
        if let Some(step) = self.plan.steps.get(id).filter(|_| tell) {
            let words = words(step, self.terminal.err);
            match &self.screen {
                // Drawn with the next frame: a burst of them is one write.
                Some(screen) => screen.borrow_mut().say(&words),
                None => self.line(&words),
            }
        }
    }

    /// Says something between the lines of the steps.
    pub fn line(&self, text: &str) {
        match &self.screen {
            Some(screen) => {
                screen.borrow_mut().say(text);
                self.tick();
            }
            None => self.terminal.err(&format!("{text}\n")),
        }
    }

    /// Redraws; to be called a few times a second.
    pub fn tick(&self) {
        if let Some(screen) = &self.screen {
            let frame = frame(&self.lines(), &self.totals(), self.terminal.size());
            self.terminal.err(&screen.borrow_mut().draw(frame));
        } else if self.mentioned.get().elapsed() >= MENTION {
            self.mentioned.set(Instant::now());
            let lines = mentions(&self.lines(), &self.totals());
            lines.iter().for_each(|line| self.line(line));
        }
    }

    /// The running steps, those with the longest way after them first.
    fn lines(&self) -> Vec<Line> {
        let running = self.running.borrow();
        let mut order: Vec<usize> = running.keys().copied().collect();
        order.sort_by_key(|id| (Reverse(self.estimate.poles[*id]), *id));
        let line = |id: usize| Line {
            kind: self.plan.steps[id].kind.facts().name,
            key: harmless(&shown(&self.plan.steps[id].key)),
            status: running[&id].status.clone(),
            elapsed: running[&id].since.elapsed(),
            typical: self.estimate.typical[id],
        };
        order.into_iter().map(line).collect()
    }

    fn totals(&self) -> String {
        let running = self.running.borrow();
        let running = running.iter().map(|(id, one)| (*id, one.since.elapsed())).collect();
        let left = self.estimate.left(&self.ended.borrow(), &running);
        self.totals.get().words(self.began.elapsed(), left)
    }

    /// Takes the redrawn lines away.
    pub fn finish(&self) {
        if let Some(screen) = &self.screen {
            self.terminal.err(&screen.borrow_mut().draw(Vec::new()));
        }
    }
}

/// What is said now and then where nothing can be redrawn: the steps that have been running for
/// long, and how far the run is.
fn mentions(lines: &[Line], totals: &str) -> Vec<String> {
    let long: Vec<&Line> = lines.iter().filter(|line| line.elapsed >= LONG).collect();
    let mut said: Vec<String> = long
        .iter()
        .take(MENTIONED)
        .map(|line| {
            let time = elapsed(line.elapsed, line.typical);
            format!("  {}: {} ({time})", line.label(), line.status)
        })
        .collect();
    if long.len() > MENTIONED {
        said.push(format!("  and {} more", long.len() - MENTIONED));
    }
    said.push(format!("  {totals}"));
    said
}

/// How long it has taken, and how long it typically takes when that is worth knowing.
fn elapsed(elapsed: Duration, typical: Duration) -> String {
    if typical < LONG {
        return whole(elapsed);
    }
    format!("{} of about {}", whole(elapsed), time(typical))
}

/// A duration that goes on: no tenths, which would flicker.
fn whole(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..10 => format!("{seconds} s"),
        _ => time(duration),
    }
}

fn label(step: &Step) -> String {
    harmless(&format!("{} {}", step.kind.facts().name, shown(&step.key)))
}

fn doing(step: &Step) -> &'static str {
    match step.action {
        Action::Create => "creating",
        Action::Update => "changing",
        Action::Adopt => "taking over",
        Action::Seed => "seeding",
        Action::Delete => "deleting",
        Action::Retain => "leaving",
        Action::Unread => "looking at",
    }
}

fn done(step: &Step, elapsed: Duration, style: Style) -> String {
    let word = deed(step.action);
    if step.action == Action::Retain {
        return format!("{} {}: {word}", style.paint(Ink::Faint, "="), label(step));
    }
    format!("{} {}: {word} in {}", style.paint(Ink::Good, "✓"), label(step), time(elapsed))
}

/// What was done by a step.
pub(super) fn deed(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::Adopt => "taken over",
        Action::Seed => "seeded",
        Action::Delete => "deleted",
        Action::Retain => "left in the account",
        Action::Unread => "looked at",
    }
}

/// A duration for people: `0.4 s`, `12 s`, `3 min 20 s`.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        for (millis, expected) in
            [(430, "0.4 s"), (12_300, "12 s"), (200_000, "3 min 20 s"), (360_000, "6 min")]
        {
            assert_eq!(time(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn now_and_then_what_takes_long_is_mentioned() {
        let line = |nth: u64| Line {
            kind: "rds_instance",
            key: format!("db-{nth}"),
            status: "backing-up".to_owned(),
            elapsed: Duration::from_secs(29 + nth),
            typical: Duration::from_secs(480),
        };
        let totals = Totals { all: 40, done: 12, failed: 1, given_up: 0 };
        let totals = totals.words(Duration::from_secs(70), Duration::from_secs(540));
        let few: Vec<Line> = (0..2).map(line).collect();
        assert_eq!(
            mentions(&few, &totals),
            [
                "  rds_instance db-1: backing-up (30 s of about 8 min)",
                "  12 of 40 steps, 1 failed, 1 min 10 s, about 9 min left",
            ]
        );
        let many: Vec<Line> = (0..1000).map(line).collect();
        let said = mentions(&many, &totals);
        assert_eq!((said.len(), said[8].as_str()), (10, "  and 991 more"));
    }
}
