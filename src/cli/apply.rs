//! `lagoa apply`.

use clap::Args;

use super::Exit;
use super::arguments::{PlanArguments, RunArguments, StackArguments};
use super::carry_out::{Consent, carry_out};
use super::failed::Failed;
use super::session::{Purpose, Session};
use crate::report::terminal::Terminal;

/// Make AWS match the stack
///
/// Shows the plan and asks before it acts. Whatever interrupts it, the next run goes on from there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa apply stacks/bootcamp.yaml
  lagoa apply stacks/bootcamp.yaml --yes                Don't ask, for CI
  lagoa apply stacks/bootcamp.yaml --sandbox            On this machine, without an account
  lagoa apply stacks/bootcamp.yaml --rotate rds-server  Send its password again")]
pub struct Apply {
    #[command(flatten)]
    pub stack: StackArguments,
    #[command(flatten)]
    plan: PlanArguments,
    #[command(flatten)]
    run: RunArguments,
}

impl Apply {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let session = Session::open(&self.stack, &self.plan).await?;
        let plan = session.plan(Purpose::Match, &self.plan.options()).await?;
        let consent = Consent {
            run: &self.run,
            sandbox: self.stack.sandbox,
            json: self.plan.json,
            purpose: Purpose::Match,
        };
        carry_out(&session, &plan, &consent, terminal).await
    }
}
