//! Shows a plan, asks, carries it out, and tells how it ended.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use super::Exit;
use super::arguments::RunArguments;
use super::failed::Failed;
use super::github::{GitHub, Ran};
use super::guardrails;
use super::hold::Hold;
use super::interrupts::Interrupts;
use super::record::Recorder;
use super::session::{Purpose, Session};
use crate::execution::{Outcome, Stop, execute};
use crate::plan::{Action, Plan, Step};
use crate::report::progress::{Progress, time};
use crate::report::summary::{self, Summary};
use crate::report::terminal::Terminal;
use crate::report::view::View;
use crate::report::{dangers, guardrails as rules, json, plan};

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
    /// Folders of Rego rules beside the stack's own.
    pub guardrails: &'a [PathBuf],
    /// What the plan is for.
    pub purpose: Purpose,
    /// They have seen this very plan before, and agreed.
    pub agreed: bool,
    /// Where to draw when each step ran.
    pub timeline: Option<&'a Path>,
}

/// Shows the plan, asks, carries it out, and tells how it ended.
pub async fn carry_out(
    session: &Session,
    plan: &Plan,
    consent: &Consent<'_>,
    hold: &Hold,
    terminal: Terminal,
) -> Result<Exit, Failed> {
    consent.timeline.map_or(Ok(()), drawable)?;
    let Some(view) = agreed(session, plan, consent, hold, terminal).await? else {
        return Ok(Exit::Guarded);
    };
    let start = Instant::now();
    let recorder = Recorder::begin(session, plan, hold, terminal).await;
    let stop = Stop::default();
    let parallelism = consent.run.parallelism.into();
    let run = Run { session, plan, hold, recorder: &recorder, parallelism, stop: &stop, terminal };
    hold.working.set(true);
    // An empty plan is carried out too: its outcome answers the outputs.
    let Some(outcome) = run.to_the_end().await? else {
        hold.hurried.set(true);
        recorder.broken_off(terminal).await;
        consent.timeline.inspect(|path| recorder.draw(path, terminal));
        return Ok(Exit::Interrupted);
    };
    let summary = Summary::new(plan, &session.stack, &outcome, &session.file);
    let lost = stop.forbidden();
    recorder.end(&summary, lost.is_some(), terminal).await;
    consent.timeline.inspect(|path| recorder.draw(path, terminal));
    let elapsed = time(start.elapsed());
    if consent.json {
        terminal.out(&json::applied(&view, &summary));
    } else {
        tell(&view, &summary, &elapsed, terminal);
    }
    if terminal.runner {
        let ran = Ran::ended(session, &hold.holder.command, (&summary, &elapsed));
        GitHub::here(terminal).tell_run(&ran);
    }
    if let Some(why) = lost {
        return Err(Failed::helping(
            why,
            "another run may be at work; run it again when it is done",
        ));
    }
    if !summary.interrupted {
        whole(plan)?;
    }
    Ok(match (summary.interrupted, summary.is_complete()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Well,
        (false, false) => Exit::Failed,
    })
}

/// Shows the plan and gets the person's word for it; `None` when the guardrails forbid it.
async fn agreed(
    session: &Session,
    plan: &Plan,
    consent: &Consent<'_>,
    hold: &Hold,
    terminal: Terminal,
) -> Result<Option<View>, Failed> {
    let destroy = consent.purpose == Purpose::Destroy;
    let mut view = View::new(plan, &session.stack, &session.file, destroy);
    guardrails::ask(session, consent.guardrails, &mut view).await?;
    if consent.json {
        terminal.err(&plan::render(&view, terminal.err));
    } else {
        terminal.say(&plan::render(&view, terminal.out));
    }
    let denied = guardrails::tell(&view, terminal);
    // In the sandbox, destroy lifts every protection.
    if denied && !(consent.sandbox && destroy) {
        terminal.err("nothing was changed\n");
        if terminal.runner {
            let why = rules::problems(&view.guardrails);
            GitHub::here(terminal).tell_run(&Ran::stopped(session, &hold.holder.command, why));
        }
        return Ok(None);
    }
    if view.changes() {
        let idle = |step: &Step| {
            step.blocked.is_some() || matches!(step.action, Action::Retain | Action::Unread)
        };
        if plan.steps.iter().all(idle) {
            whole(plan)?;
            return Err(Failed::helping("nothing of this can be done", "see `blocked` above"));
        }
        agree(session, consent, dangers::lost(&view.dangers), terminal).await?;
    }
    Ok(Some(view))
}

/// Tells a person how it ended.
fn tell(view: &View, summary: &Summary, elapsed: &str, terminal: Terminal) {
    if view.changes() {
        terminal.say(&format!("\n{}", summary::render(summary, elapsed, terminal.out)));
    } else {
        terminal.say(&summary::outputs(&summary.outputs, terminal.out));
    }
}

/// An error when a plan doesn't hold everything, because not everything could be read.
pub fn whole(plan: &Plan) -> Result<(), Failed> {
    if plan.unread.is_empty() { Ok(()) } else { Err(plan.unread.as_slice().into()) }
}

/// Refuses a picture that there is no folder for, before a run that may take an hour.
fn drawable(path: &Path) -> Result<(), Failed> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Failed::helping(
            format!("--timeline can't write {}", path.display()),
            "name a file in a folder that exists",
        ));
    }
    Ok(())
}

/// Goes on only with a person's word, unless nothing real is at stake.
async fn agree(
    session: &Session,
    consent: &Consent<'_>,
    lost: usize,
    terminal: Terminal,
) -> Result<(), Failed> {
    if consent.run.yes || consent.sandbox || consent.agreed {
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
    let lost = match lost {
        0 => "",
        1 => "1 of these deletes data for good. ",
        number => &format!("{number} of these delete data for good. "),
    };
    let question = format!(
        "\n{lost}{what} account {} in {}? Only 'yes' is accepted: ",
        site.account, site.region
    );
    // The lock is renewed while the person thinks.
    let answer = tokio::task::spawn_blocking(move || terminal.ask(&question)).await;
    match answer.ok().flatten().as_deref() {
        Some("yes") => Ok(()),
        _ => Err(Failed::saying("not confirmed; nothing was changed")),
    }
}

/// A plan that is being carried out.
struct Run<'a> {
    session: &'a Session,
    plan: &'a Plan,
    hold: &'a Hold,
    recorder: &'a Recorder,
    parallelism: usize,
    stop: &'a Stop,
    terminal: Terminal,
}

impl Run<'_> {
    /// `None` when the person didn't want to wait for the calls in flight.
    async fn to_the_end(&self) -> Result<Option<Outcome>, Failed> {
        let mut interrupts =
            Interrupts::new().map_err(|error| Failed::saying(error.to_string()))?;
        let stop = self.stop;
        let progress = Progress::new(self.plan, self.parallelism, self.terminal);
        let tell = |event| {
            self.recorder.tell(&event);
            progress.tell(event);
        };
        let _watched = self.session.aws.gate.watch(self.hold.watch());
        let mut run = pin!(execute(&self.session.aws, self.plan, self.parallelism, stop, &tell));
        let mut redraw = tokio::time::interval(REDRAW);
        let asked = Cell::new(false);
        let outcome = loop {
            tokio::select! {
                outcome = &mut run => break Some(outcome),
                _ = redraw.tick() => progress.tick(),
                why = self.hold.lost(), if stop.forbidden().is_none() => {
                    progress.line(&format!("Stopping: {why}"));
                    stop.forbid(why);
                }
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
    let steps = if running == 1 { "1 step" } else { &format!("{running} steps") };
    format!(
        "Stopping: nothing new starts, calls of {steps} in flight finish; press Ctrl-C again to \
         stop at once"
    )
}
