//! `lagoa plan`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::carry_out::whole;
use super::digest;
use super::failed::Failed;
use super::findings::FindingArguments;
use super::github::{self, GitHub, Told};
use super::guardrails;
use super::offline::{self, Offline};
use super::output::Output;
use super::saved_plan::SavedPlan;
use super::session::{Purpose, Session, Unopened};
use crate::diagnostic::Problem;
use crate::report::terminal::Terminal;
use crate::report::view::View;
use crate::report::{annotations, findings, guardrails as rules, json, plan};

/// Show how AWS differs from the stack
///
/// Reads AWS and changes nothing. Differences that somebody made behind lagoa's back show like any
/// other, and so does what is tagged with the stack's name but no longer in the file.
///
/// The rules in policies/guardrails/*.rego beside the stack are asked about the plan, and what the
/// security checks find follows in short.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa plan stacks/bootcamp.yaml
  lagoa plan stacks/bootcamp.yaml --var project=coins --target raw-coins
  lagoa plan stacks/bootcamp.yaml --json > plan.json
  lagoa plan stacks/bootcamp.yaml --detailed-exitcode    2 if it differs
  lagoa plan stacks/bootcamp.yaml --fail-on high         3 if one is so bad
  lagoa plan stacks/bootcamp.yaml --offline              An empty account's
  lagoa plan stacks/bootcamp.yaml --output github        For a pull request
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
    /// How to tell it; in GitHub Actions `github` goes without saying
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "json")]
    output: Option<Output>,
    /// Write what is said on the pull request into a file as well, with --output github
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    comment_out: Option<PathBuf>,
    /// Ask nothing of AWS: plan as if the account had nothing. Needs no credentials
    #[arg(long, conflicts_with_all = ["out", "destroy", "sandbox"])]
    offline: bool,
    /// The account of an offline plan; without one it stays unknown
    #[arg(long, value_name = "ID", requires = "offline", value_parser = offline::account)]
    account: Option<String>,
    /// Save the plan in a file, for `lagoa apply PLAN`
    #[arg(long, value_name = "PLAN", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    #[command(flatten)]
    security: FindingArguments,
}

impl Plan {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let output = Output::chosen(self.output, self.plan.json);
        if output == Output::Github {
            return self.run_for_github(terminal).await;
        }
        let (_, _, exit) = self.make(output, terminal).await?;
        Ok(exit)
    }

    /// Makes the plan and shows it.
    async fn make(
        &self,
        output: Output,
        terminal: Terminal,
    ) -> Result<(Session, View, Exit), Failed> {
        let session = self.open().await?;
        session.warn(terminal);
        let purpose = if self.destroy { Purpose::Destroy } else { Purpose::Match };
        let (plan, world) = session.plan_and_world(purpose, &self.plan.options()).await?;
        let mut view = View::new(&plan, &session.stack, &session.file, self.destroy);
        view.offline = session.offline.as_ref().map(Offline::words);
        guardrails::ask(&session, &self.plan.guardrails, &mut view).await?;
        match output {
            Output::Json => terminal.out(&json::text(&view)),
            Output::Text | Output::Github => {
                let which = self.security.shown();
                let found = findings::brief(&view.findings, &session.file, which, terminal.out);
                terminal.say(&(plan::render(&view, terminal.out) + &found));
            }
        }
        let denied = guardrails::tell(&view, terminal);
        let failed = self.security.fail(&view.findings, terminal);
        whole(&plan)?;
        if let Some(out) = &self.out {
            let live = digest::world(&world, &session.stack);
            SavedPlan::write(out, &session, (&self.stack, &self.plan), live, &view)?;
            terminal.err(&format!("Saved; `lagoa apply {}` carries it out.\n", out.display()));
        }
        let exit = match (denied || failed, self.detailed_exitcode && view.changes()) {
            (true, _) => Exit::Guarded,
            (false, true) => Exit::Changes,
            (false, false) => Exit::Well,
        };
        Ok((session, view, exit))
    }

    /// Makes the plan, and tells GitHub of it, or why there is none.
    async fn run_for_github(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let github = GitHub::here(terminal);
        match self.make(Output::Github, terminal).await {
            Ok((session, view, exit)) => {
                let told = self.problems(&session, &view);
                let seen = [annotations::of_plan(&view, &session.stack), told.clone()].concat();
                github.annotate(&seen, &format!("lagoa: {}", view.stack));
                let stack = Some(view.stack.clone());
                self.tell(&github, stack, Some(&view), &told, exit).await?;
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

    /// What there is to say beside the plan itself.
    fn problems(&self, session: &Session, view: &View) -> Vec<Problem> {
        let mut all = rules::problems(&view.guardrails);
        let offline = view.offline.iter();
        all.extend(offline.map(|words| Problem::warning(format!("planned offline: {words}"))));
        all.extend(session.stack.warnings.iter().cloned());
        all.extend(findings::problems(&session.stack, self.security.shown()));
        all
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
