//! `lagoa show`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::failed::Failed;
use super::session::{Purpose, Session};
use crate::checks;
use crate::diagnostic::Problem;
use crate::kind::AnyKind;
use crate::kinds;
use crate::live::World;
use crate::reference::is_unknown;
use crate::report::live::Row;
use crate::report::terminal::Terminal;
use crate::report::{catalogue, findings, json as machine, live, summary, value};

/// Show kinds, one kind's reference page, the security checks, what AWS has of a stack, or its
/// outputs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa show kinds
  lagoa show kind rds_instance
  lagoa show checks
  lagoa show stack stacks/bootcamp.yaml
  lagoa show outputs stacks/bootcamp.yaml --json")]
pub struct Show {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List every kind
    Kinds,
    /// Show what may be written of a kind: fields, types, defaults, an example
    Kind {
        /// The kind, such as s3_bucket
        #[arg(value_name = "KIND")]
        name: String,
    },
    /// List the security checks that `check` and `plan` make
    Checks {
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// List what AWS has of a stack
    Stack(Of),
    /// Print a stack's outputs
    Outputs(Of),
}

#[derive(Debug, Args)]
struct Of {
    #[command(flatten)]
    stack: StackArguments,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

impl Show {
    /// The stack it is about.
    pub fn stack(&self) -> Option<&StackArguments> {
        match &self.what {
            What::Stack(of) | What::Outputs(of) => Some(&of.stack),
            What::Kinds | What::Kind { .. } | What::Checks { .. } => None,
        }
    }

    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let text = match &self.what {
            What::Kinds => catalogue::kinds(&kinds::written(), terminal.out),
            What::Kind { name } => match written(name) {
                Some(kind) => catalogue::page(kind, terminal.out),
                None => return Err(no_such_kind(name).into()),
            },
            What::Checks { json: true } => machine::text(&findings::listed(checks::all())),
            What::Checks { json: false } => findings::list(checks::all(), terminal.out),
            What::Stack(of) => {
                let session = Session::open(&of.stack, &PlanArguments::default()).await?;
                let world = session.survey(None).await?.whole()?;
                stack(&session, &world, of.json, terminal)
            }
            What::Outputs(of) => {
                let session = Session::open(&of.stack, &PlanArguments::default()).await?;
                let options = PlanArguments::default().options();
                let plan = session.plan(Purpose::Match, &options).await?;
                outputs(plan.outputs, of.json, terminal)
            }
        };
        terminal.out(&text);
        Ok(Exit::Well)
    }
}

fn written(name: &str) -> Option<&'static dyn AnyKind> {
    kinds::written().into_iter().find(|kind| kind.facts().name == name)
}

fn no_such_kind(name: &str) -> Problem {
    let names: Vec<&str> = kinds::written().iter().map(|kind| kind.facts().name).collect();
    let problem = Problem::error(format!("there is no kind `{name}`"));
    let near = problem.clone().did_you_mean(name, names.into_iter());
    if near.help.is_some() { near } else { problem.help("`lagoa show kinds` lists them all") }
}

fn stack(session: &Session, world: &World, json: bool, terminal: Terminal) -> String {
    let mine = session.stack.resources.iter().map(|resource| Row {
        key: resource.key.clone(),
        kind: resource.kind,
        live: world.resources.get(&resource.key),
        orphan: false,
    });
    let orphans = world.orphans.iter().map(|orphan| {
        let key = orphan.live.owner.as_ref().and_then(|owner| owner.key.clone());
        let name = orphan.live.name.clone();
        Row { key: key.unwrap_or(name), kind: orphan.kind, live: Some(&orphan.live), orphan: true }
    });
    let rows: Vec<Row<'_>> = mine.chain(orphans).collect();
    if !json {
        return live::render(&rows, &session.stack.name, terminal.out);
    }
    let resources = rows.iter().map(|row| {
        json!({
            "key": row.key, "kind": row.kind.facts().name, "orphan": row.orphan,
            "name": row.live.map(|live| &live.name),
            "owner": row.live.and_then(|live| live.owner.as_ref()),
            "fields": row.live.map(|live| value::public(row.kind.schema(), &live.fields)),
        })
    });
    machine::text(&json!({
        "format": "lagoa.stack/1",
        "stack": session.stack.name,
        "account": session.aws.site.account,
        "region": session.aws.site.region,
        "resources": resources.collect::<Vec<_>>(),
    }))
}

fn outputs(outputs: Vec<(String, Value)>, json: bool, terminal: Terminal) -> String {
    if json {
        let known = outputs.into_iter().map(|(name, value)| {
            let value = if is_unknown(&value) { Value::Null } else { value };
            (name, value)
        });
        return machine::text(&Value::Object(known.collect::<Map<_, _>>()));
    }
    let rows = outputs.into_iter().map(|(name, one)| {
        let one = if is_unknown(&one) { "(known after apply)".into() } else { one };
        (name, one)
    });
    let text = summary::outputs(&rows.collect::<Vec<_>>(), terminal.out);
    if text.is_empty() {
        "The stack has no outputs.\n".to_owned()
    } else {
        text.trim_start().to_owned()
    }
}
