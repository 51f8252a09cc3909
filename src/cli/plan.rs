//! `lagoa plan`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::digest;
use super::failed::Failed;
use super::github::{self, GitHub, Told};
use super::masks;
use super::output::Output;
use super::saved_plan::SavedPlan;
use super::session::{Purpose, Session};
use crate::diagnostic::Problem;
use crate::report::terminal::Terminal;
use crate::report::view::View;
use crate::report::{annotations, json, plan};

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
  lagoa plan stacks/bootcamp.yaml --detailed-exitcode    Exit with 2 when there are changes
  lagoa plan stacks/bootcamp.yaml --output github        For a pull request in GitHub Actions")]
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
    /// How to tell it; in GitHub Actions `github` goes without saying
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    output: Option<Output>,
    /// Write what is said on the pull request into a file as well, with --output github
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    comment_out: Option<PathBuf>,
    /// Save the plan in a file, for `lagoa apply PLAN`
    #[arg(long, value_name = "PLAN", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl Plan {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let output = Output::chosen(self.output, self.plan.json);
        if output == Output::Github {
            return self.run_for_github(terminal).await;
        }
        let (_, view) = self.make(output, terminal).await?;
        Ok(self.exit(&view))
    }

    /// Makes the plan and shows it.
    async fn make(&self, output: Output, terminal: Terminal) -> Result<(Session, View), Failed> {
        let session = Session::open(&self.stack, &self.plan).await?;
        if output == Output::Github {
            masks::of_stack(&session.stack);
        }
        session.warn(terminal);
        let purpose = if self.destroy { Purpose::Destroy } else { Purpose::Match };
        let (plan, world) = session.plan_and_world(purpose, &self.plan.options()).await?;
        let view = View::new(&plan, &session.stack, &session.file, self.destroy);
        match output {
            Output::Json => terminal.out(&json::text(&view)),
            Output::Text | Output::Github => terminal.say(&plan::render(&view, terminal.out)),
        }
        if let Some(out) = &self.out {
            let live = digest::world(&world, &session.stack);
            SavedPlan::write(out, &session, (&self.stack, &self.plan), live, &view)?;
            terminal.err(&format!("Saved; `lagoa apply {}` carries it out.\n", out.display()));
        }
        Ok((session, view))
    }

    fn exit(&self, view: &View) -> Exit {
        if self.detailed_exitcode && view.changes() { Exit::Changes } else { Exit::Well }
    }

    /// Makes the plan, and tells GitHub of it, or why there is none.
    async fn run_for_github(&self, terminal: Terminal) -> Result<Exit, Failed> {
        masks::own_credentials();
        let github = GitHub::here(terminal);
        match self.make(Output::Github, terminal).await {
            Ok((session, view)) => {
                let warnings = &session.stack.warnings;
                let seen: Vec<Problem> =
                    [annotations::of_plan(&view, &session.stack), warnings.clone()].concat();
                github.annotate(&seen, &format!("lagoa: {}", view.stack));
                let exit = self.exit(&view);
                let stack = Some(view.stack.clone());
                self.tell(&github, stack, Some(&view), warnings, exit).await?;
                Ok(exit)
            }
            Err(Failed(mut problems)) => {
                let stack = github::stack_name(&self.stack.file);
                github.annotate(&problems, "lagoa: no plan");
                let told = self.tell(&github, stack, None, &problems, Exit::Failed).await;
                problems.extend(told.err().into_iter().flat_map(|Failed(more)| more));
                Err(Failed(problems))
            }
        }
    }

    async fn tell(
        &self,
        github: &GitHub,
        stack: Option<String>,
        view: Option<&View>,
        problems: &[Problem],
        exit: Exit,
    ) -> Result<(), Failed> {
        let told = Told { file: &self.stack.file, stack, view, problems, exit };
        github.tell(&told, self.comment_out.as_ref()).await
    }
}
