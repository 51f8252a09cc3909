//! `lagoa graph`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use serde_json::json;

use super::Exit;
use super::arguments::{PlanArguments, StackArguments, Variables};
use super::failed::Failed;
use super::saved_plan::{SavedPlan, is_saved_plan};
use super::session::{Purpose, Session, load};
use crate::report::diagram::{self, Diagram, Planned, mermaid, svg};
use crate::report::json;
use crate::report::terminal::Terminal;
use crate::report::view::View;
use crate::stack::Stack;

/// Draw the stack as an architecture diagram
///
/// Shows what stands where, grouped by service, where data flows and who may do what. Needs no AWS,
/// unless --plan asks what would be done with each resource. FILE may also be a plan that `lagoa
/// plan --out` saved.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa graph stacks/bootcamp.yaml --out bootcamp.svg
  lagoa graph stacks/bootcamp.yaml --plan --out plan.svg    In a plan's colours
  lagoa graph saved.plan --out plan.svg                     From `lagoa plan`
  lagoa graph stacks/bootcamp.yaml --format mermaid         For Markdown
  lagoa graph stacks/bootcamp.yaml --format json")]
pub struct Graph {
    #[command(flatten)]
    pub stack: StackArguments,
    /// The form; by the ending of --out when it is left out, otherwise svg
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// Write it into this file instead of standard output
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Read AWS, and show what a plan would do with each resource
    #[arg(long)]
    pub plan: bool,
    /// Show every resource and every reference, settings and order included
    #[arg(long)]
    all: bool,
    #[arg(skip)]
    saved: Option<SavedPlan>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A picture
    Svg,
    /// A flowchart in Mermaid, which GitHub draws
    Mermaid,
    /// All resources and edges, for other tools
    Json,
}

impl Graph {
    /// When the file is a saved plan, goes on with the stack that it is for.
    pub fn unfold(&mut self) -> Result<(), Failed> {
        if !is_saved_plan(&self.stack.file) {
            return Ok(());
        }
        let Variables { vars, files } = &self.stack.variables;
        if !vars.is_empty() || !files.is_empty() || self.plan {
            return Err(Failed::helping(
                "a saved plan holds its variables, and what is done",
                "leave out --var, --var-file and --plan",
            ));
        }
        let saved = SavedPlan::read(&self.stack.file)?;
        self.stack = saved.stack_arguments();
        self.saved = Some(saved);
        Ok(())
    }

    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let whole = self.diagram(terminal).await?;
        let picture = || if self.all { whole.clone() } else { whole.clone().folded() };
        let text = match self.form() {
            Form::Svg => svg::svg(&picture()),
            Form::Json => json::text(&diagram::json::json(&whole)),
            Form::Mermaid => {
                let picture = picture();
                let fewer = |picture: Diagram| picture.without_long_placements();
                let chart = mermaid::flowchart(&if self.all { picture } else { fewer(picture) });
                if let Some(words) = chart.folded {
                    terminal.err(&format!("{words}.\n"));
                }
                chart.text
            }
        };
        match &self.out {
            None => terminal.out(&text),
            Some(path) => std::fs::write(path, text).map_err(|error| {
                Failed::saying(format!("{} could not be written: {error}", path.display()))
            })?,
        }
        Ok(Exit::Well)
    }

    fn form(&self) -> Form {
        let ending = self.out.as_ref().and_then(|path| path.extension()?.to_str());
        self.format.unwrap_or(match ending {
            Some("mmd" | "mermaid") => Form::Mermaid,
            Some("json") => Form::Json,
            _ => Form::Svg,
        })
    }

    async fn diagram(&self, terminal: Terminal) -> Result<Diagram, Failed> {
        if self.plan {
            let plan = PlanArguments::default();
            let session = Session::open(&self.stack, &plan).await?;
            session.warn(terminal);
            let plan = session.plan(Purpose::Match, &plan.options()).await?;
            let view = View::new(&plan, &session.stack, &session.file, false);
            return Ok(diagram::collect(&session.stack, Some(planned(json!(view))?)));
        }
        let (stack, _) = load(&self.stack.file, &self.stack.variables)?;
        let plan = self.saved.as_ref().map(|saved| {
            let plan = planned(saved.shown().clone())?;
            same_resources(&plan, &stack, saved).map(|()| plan)
        });
        Ok(diagram::collect(&stack, plan.transpose()?))
    }
}

fn planned(view: serde_json::Value) -> Result<Planned, Failed> {
    serde_json::from_value(view).map_err(|error| {
        Failed::helping(
            format!("the plan can't be read: {error}"),
            "make it again with `lagoa plan FILE --out PLAN`",
        )
    })
}

/// Refuses a stack that has other resources than the plan was made for.
fn same_resources(plan: &Planned, stack: &Stack, saved: &SavedPlan) -> Result<(), Failed> {
    if saved.is_partial() {
        return Ok(());
    }
    let strange = diagram::strangers(plan, stack);
    match strange.first() {
        None => Ok(()),
        Some(key) => Err(Failed::helping(
            format!("the stack file isn't as it was when the plan was made: see `{key}`"),
            "make the plan again with `lagoa plan FILE --out PLAN`",
        )),
    }
}
