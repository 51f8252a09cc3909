//! `lagoa plan`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::digest;
use super::failed::Failed;
use super::saved_plan::SavedPlan;
use super::session::{Purpose, Session};
use crate::report::terminal::Terminal;
use crate::report::view::View;
use crate::report::{json, plan};

/// Show how AWS differs from the stack
///
/// Reads AWS and changes nothing. Differences that somebody made behind lagoa's back show like any
/// other, and so does what is tagged with the stack's name but no longer in the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa plan stacks/bootcamp.yaml
  lagoa plan stacks/bootcamp.yaml --var project=coins --target raw-coins
  lagoa plan stacks/bootcamp.yaml --json > plan.json
  lagoa plan stacks/bootcamp.yaml --detailed-exitcode    2 if it differs
  lagoa plan stacks/bootcamp.yaml --out saved.plan
  lagoa apply saved.plan                                 Just what it showed")]
pub struct Plan {
    #[command(flatten)]
    pub stack: StackArguments,
    #[command(flatten)]
    plan: PlanArguments,
    /// Plan the removal of everything that the stack owns
    #[arg(long)]
    destroy: bool,
    /// Exit with 2 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Save the plan in a file, for `lagoa apply PLAN`
    #[arg(long, value_name = "PLAN", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl Plan {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let session = Session::open(&self.stack, &self.plan).await?;
        session.warn(terminal);
        let purpose = if self.destroy { Purpose::Destroy } else { Purpose::Match };
        let (plan, world) = session.plan_and_world(purpose, &self.plan.options()).await?;
        let view = View::new(&plan, &session.stack, &session.file, self.destroy);
        terminal.out(&match self.plan.json {
            true => json::text(&view),
            false => plan::render(&view, terminal.out),
        });
        if let Some(out) = &self.out {
            let live = digest::world(&world, &session.stack);
            SavedPlan::write(out, &session, (&self.stack, &self.plan), live, &view)?;
            terminal.err(&format!("Saved; `lagoa apply {}` carries it out.\n", out.display()));
        }
        Ok(if self.detailed_exitcode && view.changes() { Exit::Changes } else { Exit::Well })
    }
}
