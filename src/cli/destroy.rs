//! `lagoa destroy`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::arguments::{PlanArguments, RunArguments, StackArguments};
use super::carry_out::{Consent, carry_out};
use super::failed::Failed;
use super::hold::holding;
use super::session::{Purpose, Session};
use crate::plan::Options;
use crate::report::terminal::Terminal;

/// Take down everything that the stack owns
///
/// Deletes only what carries the stack's name as a tag, and nothing that is protected. What becomes
/// of data is in the plan, in words.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa destroy stacks/bootcamp.yaml
  lagoa destroy stacks/bootcamp.yaml --target db          And what needs it
  lagoa destroy stacks/bootcamp.yaml --force-unprotect    What AWS protects, too
  lagoa destroy stacks/bootcamp.yaml --timeline run.svg   And draw the run
  lagoa destroy stacks/bootcamp.yaml --sandbox")]
pub struct Destroy {
    #[command(flatten)]
    pub stack: StackArguments,
    /// Only this resource and what depends on it (repeatable)
    #[arg(long = "target", value_name = "KEY")]
    targets: Vec<String>,
    /// Lift the deletion protection of what must be deleted
    #[arg(long)]
    force_unprotect: bool,
    /// Ask the Rego rules in this folder too, beside policies/guardrails of the stack (repeatable)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    guardrails: Vec<PathBuf>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: RunArguments,
    /// Draw when each step ran, what it waited for and the critical path into a file, however it ends
    #[arg(long, value_name = "SVG", value_hint = ValueHint::FilePath)]
    timeline: Option<PathBuf>,
}

impl Destroy {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let arguments = PlanArguments {
            targets: self.targets.clone(),
            force_unprotect: self.force_unprotect || self.stack.sandbox,
            json: self.json,
            ..PlanArguments::default()
        };
        let options = Options { careless: self.stack.sandbox, ..arguments.options() };
        let session = Session::open(&self.stack, &arguments).await?;
        if self.stack.sandbox {
            terminal.err("In the sandbox, destroy lifts every protection.\n");
        }
        let consent = Consent {
            run: &self.run,
            sandbox: self.stack.sandbox,
            json: self.json,
            guardrails: &self.guardrails,
            purpose: Purpose::Destroy,
            agreed: false,
            timeline: self.timeline.as_deref(),
        };
        holding(&session, "destroy", self.run.wait, terminal, async |hold| {
            let (plan, _) = session.plan_and_world(Purpose::Destroy, &options).await?;
            carry_out(&session, &plan, &consent, hold, terminal).await
        })
        .await
    }
}
