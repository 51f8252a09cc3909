//! `lagoa adopt`.

use clap::Args;

use super::Exit;
use super::arguments::{PlanArguments, RunArguments, StackArguments};
use super::carry_out::{Consent, carry_out};
use super::failed::Failed;
use super::hold::holding;
use super::session::{Purpose, Session, known_keys};
use crate::diagnostic::Problem;
use crate::plan::{Action, Plan, Step};
use crate::reference::is_unknown;
use crate::report::terminal::Terminal;

/// Take over resources that exist without this stack's mark
///
/// Tags them as the stack's and changes in place what differs; never deletes or replaces. The same
/// as `adopt: true` in the stack, for once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa adopt stacks/bootcamp.yaml                All that exists of it
  lagoa adopt stacks/bootcamp.yaml raw-coins
  lagoa adopt stacks/bootcamp.yaml raw-coins rds-server --yes")]
pub struct Adopt {
    #[command(flatten)]
    pub stack: StackArguments,
    /// Keys of the resources in the stack; none means all that exist
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: RunArguments,
}

impl Adopt {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let arguments = PlanArguments {
            targets: self.keys.clone(),
            json: self.json,
            ..PlanArguments::default()
        };
        let mut session = Session::open(&self.stack, &arguments).await?;
        known_keys(&session.stack, self.keys.iter().map(String::as_str))?;
        for resource in &mut session.stack.resources {
            resource.adopt |= self.keys.is_empty() || self.keys.contains(&resource.key);
        }
        let consent = Consent {
            run: &self.run,
            sandbox: self.stack.sandbox,
            json: self.json,
            guardrails: &[],
            purpose: Purpose::Match,
            agreed: false,
            timeline: None,
        };
        holding(&session, "adopt", self.run.wait, terminal, async |hold| {
            let plan = session.plan(Purpose::Match, &arguments.options()).await?;
            self.refuse(&plan)?;
            let existing = || {
                // What refers to something that isn't there has to wait for it.
                let known =
                    |step: &&Step| step.action == Action::Adopt && !is_unknown(&step.desired);
                let found = plan.steps.iter().filter(known);
                found.map(|step| step.key.clone()).collect()
            };
            let keys = if self.keys.is_empty() { existing() } else { self.keys.clone() };
            let plan = only(plan, &keys);
            carry_out(&session, &plan, &consent, hold, terminal).await
        })
        .await
    }

    /// What isn't there can't be taken over, and taking over never replaces.
    fn refuse(&self, plan: &Plan) -> Result<(), Failed> {
        let named = plan.steps.iter().filter(|step| self.keys.contains(&step.key));
        let wrong = named.filter_map(|step| match (step.action, step.replaces.is_empty()) {
            (Action::Create, true) => Some(
                Problem::error(format!(
                    "{} isn't in the account, so there is nothing to take over",
                    step.name
                ))
                .help("`lagoa apply` creates it"),
            ),
            (Action::Create, false) => Some(
                Problem::error(format!(
                    "{} can't be taken over as it is: {}",
                    step.name,
                    step.replaces.join("; ")
                ))
                .help("write the resource in the stack as it is in AWS"),
            ),
            _ => None,
        });
        let wrong: Vec<Problem> = wrong.collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
    }
}

/// The plan with nothing but the takeovers of these keys.
fn only(mut plan: Plan, keys: &[String]) -> Plan {
    plan.steps.retain(|step| keys.contains(&step.key));
    let ids: Vec<usize> = plan.steps.iter().map(|step| step.id).collect();
    let position = |id: &usize| ids.iter().position(|one| one == id);
    for (id, step) in plan.steps.iter_mut().enumerate() {
        step.id = id;
        step.needs = step.needs.iter().filter_map(position).collect();
    }
    plan.unchanged.retain(|key| keys.contains(key));
    plan
}
