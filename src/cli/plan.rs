//! `lagoa plan`.

use clap::Args;

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::failed::Failed;
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
  lagoa plan stacks/bootcamp.yaml --detailed-exitcode    Exit with 2 when there are changes")]
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
}

impl Plan {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let session = Session::open(&self.stack, &self.plan).await?;
        let purpose = if self.destroy { Purpose::Destroy } else { Purpose::Match };
        let plan = session.plan(purpose, &self.plan.options()).await?;
        let view = View::new(&plan, &session.stack, &session.file, self.destroy);
        terminal.out(&match self.plan.json {
            true => json::text(&view),
            false => plan::render(&view, terminal.out),
        });
        Ok(if self.detailed_exitcode && view.changes() { Exit::Changes } else { Exit::Well })
    }
}
