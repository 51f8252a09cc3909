//! `lagoa plan`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::digest;
use super::failed::Failed;
use super::offline::{self, Offline};
use super::saved_plan::SavedPlan;
use super::session::{Purpose, Session, Unopened};
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
  lagoa plan stacks/bootcamp.yaml --out saved.plan       And later `lagoa apply saved.plan`
  lagoa plan stacks/bootcamp.yaml --offline              Against an empty account
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
    /// Ask nothing of AWS: plan as if the account had nothing. Needs no credentials
    #[arg(long, conflicts_with_all = ["out", "destroy", "sandbox"])]
    offline: bool,
    /// The account of an offline plan; without one it stays unknown
    #[arg(long, value_name = "ID", requires = "offline", value_parser = offline::account)]
    account: Option<String>,
    /// Save the plan in a file, for `lagoa apply PLAN`
    #[arg(long, value_name = "PLAN", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl Plan {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let session = self.open().await?;
        session.warn(terminal);
        let purpose = if self.destroy { Purpose::Destroy } else { Purpose::Match };
        let (plan, world) = session.plan_and_world(purpose, &self.plan.options()).await?;
        let mut view = View::new(&plan, &session.stack, &session.file, self.destroy);
        view.offline = session.offline.as_ref().map(Offline::words);
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

    /// Connects, unless that isn't wanted, or GitHub gives nothing to connect with because the pull
    /// request comes from a fork. What needs AWS itself never falls back.
    async fn open(&self) -> Result<Session, Failed> {
        if self.offline {
            let offline = Offline::asked(self.account.clone());
            return Session::apart(&self.stack, &self.plan, offline);
        }
        let needs_aws = self.destroy || self.out.is_some() || self.stack.sandbox;
        match Session::try_open(&self.stack, &self.plan).await {
            Err(Unopened::Nobody(_)) if !needs_aws && offline::from_fork() => {
                Session::apart(&self.stack, &self.plan, Offline::fork())
            }
            opened => Ok(opened?),
        }
    }
}
