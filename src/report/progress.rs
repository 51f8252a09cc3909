//! What happens while a plan is carried out: redrawn lines on a terminal, plain lines elsewhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::{Ink, Style, harmless};
use super::summary::{Trouble, left};
use super::terminal::Terminal;
use super::value::clipped;
use crate::execution::{Event, Failure, typical};
use crate::plan::{Action, Plan, Step};
use crate::reference::shown;

/// How often a running step is mentioned where lines can't be redrawn.
const MENTION: Duration = Duration::from_secs(10);
/// What typically takes less needs no estimate.
const LONG: Duration = Duration::from_secs(30);
/// Characters of a status that are shown.
const STATUS: usize = 100;

/// Follows a run.
pub struct Progress<'a> {
    plan: &'a Plan,
    terminal: Terminal,
    lines: Option<MultiProgress>,
    running: RefCell<BTreeMap<usize, Running>>,
}

struct Running {
    since: Instant,
    mentioned: Instant,
    status: String,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Follows a run of this plan.
    pub fn new(plan: &'a Plan, terminal: Terminal) -> Self {
        let lines =
            terminal.live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { plan, terminal, lines, running: RefCell::default() }
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
                    running.status = shown(&status);
                }
            }
            Event::Done(id, elapsed) => {
                self.ended(id, |step, style| done(step, elapsed, style));
            }
            // The summary tells these, with their causes.
            Event::Failed(id, Failure::Unread) => _ = self.running.borrow_mut().remove(&id),
            Event::Failed(id, failure) => {
                self.ended(id, |step, style| {
                    let words =
                        clipped(&harmless(&Trouble::new(step, &failure, "").words()), STATUS);
                    format!("{} {}: {words}", style.paint(Ink::Bad, "✗"), label(step))
                });
            }
            Event::Unfinished(id, what) => self.ended(id, |step, style| {
                let words = clipped(&harmless(&left(&what)), STATUS);
                format!("{} {}: {words}", style.paint(Ink::Warn, "~"), label(step))
            }),
            // The summary tells it with its cause.
            Event::Skipped(..) => {}
        }
        self.tick();
    }

    fn started(&self, id: usize) {
        let now = Instant::now();
        let bar = self.lines.as_ref().map(|lines| {
            let bar = lines.add(ProgressBar::no_length());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        if bar.is_none()
            && let Some(step) = self.plan.steps.get(id)
            && step.blocked.is_none()
            && step.action != Action::Retain
        {
            self.line(&format!("  {}: {} …", label(step), doing(step)));
        }
        let running = Running { since: now, mentioned: now, status: String::new(), bar };
        self.running.borrow_mut().insert(id, running);
    }

    fn ended(&self, id: usize, words: impl Fn(&Step, Style) -> String) {
        if let Some(Running { bar: Some(bar), .. }) = self.running.borrow_mut().remove(&id) {
            bar.finish_and_clear();
        }
        if let Some(step) = self.plan.steps.get(id) {
            self.line(&words(step, self.terminal.err));
        }
    }

    /// Says something between the lines of the steps.
    pub fn line(&self, text: &str) {
        match &self.lines {
            // A terminal that can't be drawn on is no reason to stop.
            Some(lines) => _ = lines.println(text),
            None => self.terminal.err(&format!("{text}\n")),
        }
    }

    /// Redraws; to be called a few times a second.
    pub fn tick(&self) {
        let mut mentions = Vec::new();
        for (id, running) in self.running.borrow_mut().iter_mut() {
            let Some(step) = self.plan.steps.get(*id) else { continue };
            let elapsed = elapsed(running.since.elapsed(), typical(step));
            let status =
                if running.status.is_empty() { doing(step) } else { running.status.as_str() };
            let status = clipped(&harmless(status), STATUS);
            match &running.bar {
                Some(bar) => {
                    bar.set_message(format!("{}  {status}  {elapsed}", label(step)));
                    bar.tick();
                }
                None if running.mentioned.elapsed() >= MENTION => {
                    running.mentioned = Instant::now();
                    mentions.push(format!("  {}: {status} ({elapsed})", label(step)));
                }
                None => {}
            }
        }
        mentions.iter().for_each(|mention| self.line(mention));
    }

    /// Takes the redrawn lines away.
    pub fn finish(&self) {
        if let Some(lines) = &self.lines {
            // See `line`.
            let _ = lines.clear();
        }
    }
}

/// How long it has taken, and how long it typically takes when that is worth knowing.
fn elapsed(elapsed: Duration, typical: Duration) -> String {
    if typical < LONG {
        return time(elapsed);
    }
    format!("{} of about {}", time(elapsed), time(typical))
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
    let word = match step.action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::Adopt => "taken over",
        Action::Seed => "seeded",
        Action::Delete => "deleted",
        Action::Unread => "looked at",
        Action::Retain => {
            return format!(
                "{} {}: left in the account",
                style.paint(Ink::Faint, "="),
                label(step)
            );
        }
    };
    format!("{} {}: {word} in {}", style.paint(Ink::Good, "✓"), label(step), time(elapsed))
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
}
