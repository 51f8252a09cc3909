//! Shows a plan, asks, carries it out, and tells how it ended.

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Exit;
use super::arguments::RunArguments;
use super::failed::Failed;
use super::session::{Purpose, Session};
use crate::execution::{Outcome, Stop, execute};
use crate::plan::{Action, Plan};
use crate::report::progress::{Progress, time};
use crate::report::summary::{self, Summary};
use crate::report::terminal::Terminal;
use crate::report::view::View;
use crate::report::{json, plan};

/// How often the progress is redrawn.
const REDRAW: Duration = Duration::from_millis(120);

/// What the person has agreed to.
pub struct Consent<'a> {
    /// From the command line.
    pub run: &'a RunArguments,
    /// Nothing real is at stake.
    pub sandbox: bool,
    /// Standard output is for a machine.
    pub json: bool,
    /// What the plan is for.
    pub purpose: Purpose,
}

/// Shows the plan, asks, carries it out, and tells how it ended.
pub async fn carry_out(
    session: &Session,
    plan: &Plan,
    consent: &Consent<'_>,
    terminal: Terminal,
) -> Result<Exit, Failed> {
    let destroy = consent.purpose == Purpose::Destroy;
    let view = View::new(plan, &session.stack, &session.file, destroy);
    if consent.json {
        terminal.err(&plan::render(&view, terminal.err));
    } else {
        terminal.out(&plan::render(&view, terminal.out));
    }
    if view.changes() {
        if plan.steps.iter().all(|step| step.blocked.is_some() || step.action == Action::Retain) {
            return Err(Failed::helping("nothing of this can be done", "see `blocked` above"));
        }
        agree(session, consent, terminal)?;
    }
    let start = Instant::now();
    let run = Run { session, plan, parallelism: consent.run.parallelism.into(), terminal };
    // An empty plan is carried out too: its outcome answers the outputs.
    let Some(outcome) = run.to_the_end().await? else { return Ok(Exit::Interrupted) };
    let summary = Summary::new(plan, &session.stack, &outcome, &session.file);
    if consent.json {
        terminal.out(&json::applied(&view, &summary));
    } else if view.changes() {
        let text = summary::render(&summary, &time(start.elapsed()), terminal.out);
        terminal.out(&format!("\n{text}"));
    } else {
        terminal.out(&summary::outputs(&summary.outputs, terminal.out));
    }
    Ok(match (summary.interrupted, summary.is_complete()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Well,
        (false, false) => Exit::Failed,
    })
}

/// Goes on only with a person's word, unless nothing real is at stake.
fn agree(session: &Session, consent: &Consent<'_>, terminal: Terminal) -> Result<(), Failed> {
    if consent.run.yes || consent.sandbox {
        return Ok(());
    }
    let site = &session.aws.site;
    if !terminal.can_ask() {
        return Err(Failed::helping(
            "nobody is there to ask: this isn't a terminal",
            "look at the plan, then run it again with --yes",
        ));
    }
    let what = match consent.purpose {
        Purpose::Match => "Apply these changes to",
        Purpose::Destroy => "Destroy all this in",
    };
    let question =
        format!("\n{what} account {} in {}? Only 'yes' is accepted: ", site.account, site.region);
    match terminal.ask(&question).as_deref() {
        Some("yes") => Ok(()),
        _ => Err(Failed::saying("not confirmed; nothing was changed")),
    }
}

/// A plan that is being carried out.
struct Run<'a> {
    session: &'a Session,
    plan: &'a Plan,
    parallelism: usize,
    terminal: Terminal,
}

impl Run<'_> {
    /// `None` when the person didn't want to wait for the calls in flight.
    async fn to_the_end(&self) -> Result<Option<Outcome>, Failed> {
        let mut interrupts =
            Interrupts::new().map_err(|error| Failed::saying(error.to_string()))?;
        let stop = Stop::default();
        let progress = Progress::new(self.plan, self.terminal);
        let tell = |event| progress.tell(event);
        let mut run = pin!(execute(&self.session.aws, self.plan, self.parallelism, &stop, &tell));
        let mut redraw = tokio::time::interval(REDRAW);
        let asked = Cell::new(false);
        let outcome = loop {
            tokio::select! {
                outcome = &mut run => break Some(outcome),
                _ = redraw.tick() => progress.tick(),
                () = interrupts.next() => {
                    if asked.replace(true) {
                        break None;
                    }
                    stop.request();
                    progress.line(&stopping(progress.running()));
                }
            }
        };
        progress.finish();
        if outcome.is_none() {
            self.terminal.err("Stopped at once. The next run finds out how far this one came.\n");
        }
        Ok(outcome)
    }
}

fn stopping(running: usize) -> String {
    let calls = if running == 1 { "1 step" } else { &format!("{running} steps") };
    format!("Stopping: finishing {calls} in flight; press Ctrl-C again to stop now")
}

/// Ctrl-C and the polite request to end.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
