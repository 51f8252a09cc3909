//! `lagoa apply`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::arguments::{PlanArguments, RunArguments, StackArguments, Variables};
use super::carry_out::{Consent, carry_out, whole};
use super::digest;
use super::failed::Failed;
use super::hold::holding;
use super::saved_plan::{SavedPlan, is_saved_plan};
use super::session::{Purpose, Session};
use crate::report::terminal::Terminal;

/// Make AWS match the stack
///
/// Shows the plan and asks before it acts, unless FILE is a plan that `lagoa plan --out` saved: that
/// one is carried out as it is, or not at all when the stack or AWS has changed since.
///
/// A plan that a rule in policies/guardrails/*.rego denies isn't carried out.
///
/// Whatever interrupts it, the next run goes on from there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa apply stacks/bootcamp.yaml
  lagoa apply stacks/bootcamp.yaml --yes          Don't ask, for CI
  lagoa apply stacks/bootcamp.yaml --wait 10m     For another run to end
  lagoa apply stacks/bootcamp.yaml --sandbox      Without an account
  lagoa apply stacks/bootcamp.yaml --rotate db    Send db's password again
  lagoa apply stacks/bootcamp.yaml --timeline run.svg
  lagoa apply saved.plan                          From `lagoa plan --out`")]
pub struct Apply {
    #[command(flatten)]
    pub stack: StackArguments,
    #[command(flatten)]
    plan: PlanArguments,
    #[command(flatten)]
    run: RunArguments,
    /// Draw when each step ran, what it waited for and the critical path into a file, however it ends
    #[arg(long, value_name = "SVG", value_hint = ValueHint::FilePath)]
    timeline: Option<PathBuf>,
    #[arg(skip)]
    saved: Option<SavedPlan>,
}

impl Apply {
    /// When the file is a saved plan, goes on as it says.
    pub fn unfold(&mut self) -> Result<(), Failed> {
        if !is_saved_plan(&self.stack.file) {
            return Ok(());
        }
        let Variables { vars, files } = &self.stack.variables;
        let plan = &self.plan;
        if !vars.is_empty() || !files.is_empty() || plan.force_unprotect || !plan.keys().is_empty()
        {
            return Err(Failed::helping(
                "a saved plan holds its variables and options",
                "leave them out here; give them to `lagoa plan --out`",
            ));
        }
        let saved = SavedPlan::read(&self.stack.file)?;
        let more = std::mem::take(&mut self.plan.guardrails);
        self.plan = saved.plan_arguments(self.plan.json);
        self.plan.guardrails.extend(more);
        let sandbox = self.stack.sandbox;
        self.stack = saved.stack_arguments();
        self.stack.sandbox |= sandbox;
        self.saved = Some(saved);
        Ok(())
    }

    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let session = Session::open(&self.stack, &self.plan).await?;
        session.warn(terminal);
        let saved = self.saved.as_ref();
        let purpose = saved.map_or(Purpose::Match, SavedPlan::purpose);
        if let Some(saved) = saved {
            saved.check_stack(&session)?;
        }
        let consent = Consent {
            run: &self.run,
            sandbox: self.stack.sandbox,
            json: self.plan.json,
            guardrails: &self.plan.guardrails,
            purpose,
            agreed: saved.is_some(),
            timeline: self.timeline.as_deref(),
        };
        let command = if purpose == Purpose::Destroy { "destroy" } else { "apply" };
        holding(&session, command, self.run.wait, terminal, async |hold| {
            let (plan, world) = session.plan_and_world(purpose, &self.plan.options()).await?;
            if let Some(saved) = saved {
                // What can't be read now hasn't gone.
                whole(&plan)?;
                saved.check_live(&digest::world(&world, &session.stack))?;
            }
            carry_out(&session, &plan, &consent, hold, terminal).await
        })
        .await
    }
}
