//! `lagoa show`.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::docs::{pages, stack_page};
use super::failed::Failed;
use super::session::{Purpose, Session};
use crate::checks;
use crate::diagnostic::Problem;
use crate::kinds;
use crate::live::World;
use crate::reference::is_unknown;
use crate::report::live::Row;
use crate::report::page::{self, Page};
use crate::report::terminal::Terminal;
use crate::report::{findings, json as machine, live, summary, value};

/// Look up what may be written in a stack, what AWS has of one, or its outputs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa show kinds                         What may stand under `kind`
  lagoa show kind rds_instance             What may be written of one
  lagoa show kind s3_bucket.lifecycle      What is in one of its fields
  lagoa show syntax                        What else a stack file holds
  lagoa show checks                        What `lagoa check` looks at
  lagoa show stack stacks/bootcamp.yaml    What AWS has of it
  lagoa show outputs stacks/bootcamp.yaml --json")]
pub struct Show {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List every kind, by service
    Kinds {
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Show what may be written of a kind, or of a field in it
    #[command(after_help = "\
Examples:
  lagoa show kind s3_bucket              What must be, what may be, an example
  lagoa show kind s3_bucket.lifecycle    One field, with what is in it
  lagoa show kind s3_bucket --json")]
    Kind {
        /// The kind, such as s3_bucket, or a field of one, such as s3_bucket.lifecycle
        #[arg(value_name = "KIND[.FIELD]", value_parser = KindName, hide_possible_values = true)]
        name: String,
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// List the security checks that `check` and `plan` make
    Checks {
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Show what a stack file holds besides kinds, and what ${…} means
    Syntax {
        /// Print JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// List what AWS has of a stack, and what is left of it that the file no longer holds
    #[command(after_help = "\
Examples:
  lagoa show stack stacks/bootcamp.yaml
  lagoa show stack stacks/bootcamp.yaml --json    With every field")]
    Stack(Of),
    /// Print a stack's outputs
    #[command(after_help = "\
Examples:
  lagoa show outputs stacks/bootcamp.yaml
  lagoa show outputs stacks/bootcamp.yaml --json | jq -r .host")]
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
            What::Kinds { .. } | What::Kind { .. } | What::Checks { .. } | What::Syntax { .. } => {
                None
            }
        }
    }

    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let text = match &self.what {
            What::Checks { json: true } => machine::text(&findings::listed(checks::all())),
            What::Checks { json: false } => findings::list(checks::all(), terminal.out),
            What::Kinds { json } => list(*json, terminal),
            What::Kind { name, json } => page(name, *json, terminal)?,
            What::Syntax { json: true } => machine::text(&stack_page()),
            What::Syntax { json: false } => stack_page().terminal(terminal.out),
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

/// Takes any text, and offers the kinds to shells that complete it.
#[derive(Clone)]
struct KindName;

impl TypedValueParser for KindName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = kinds::written().into_iter().map(|kind| kind.facts().name);
        Some(Box::new(names.map(PossibleValue::new)))
    }
}

fn list(json: bool, terminal: Terminal) -> String {
    let pages = pages();
    if !json {
        return page::terminal::kinds(&pages, terminal.out);
    }
    let kinds = pages
        .iter()
        .map(|page| json!({ "kind": page.kind, "service": page.service, "summary": page.summary }));
    machine::text(&kinds.collect::<Vec<_>>())
}

/// The page of `kind`, or the part of it that `kind.field` names.
fn page(name: &str, json: bool, terminal: Terminal) -> Result<String, Failed> {
    let (kind, path) = name.split_once('.').unwrap_or((name, ""));
    let Some(found) = kinds::written().into_iter().find(|one| one.facts().name == kind) else {
        return Err(no_such_kind(kind).into());
    };
    let page = Page::of(found);
    match (path, json) {
        ("", true) => Ok(machine::text(&page)),
        ("", false) => Ok(page::terminal::page(&page, terminal.out)),
        (path, json) => {
            let path = path.replace("[]", "").replace(".*", "");
            let field = page.field(&path).ok_or_else(|| no_such_field(&page, &path))?;
            if json {
                return Ok(machine::text(field));
            }
            Ok(page::terminal::part(page.kind, field, terminal.out))
        }
    }
}

fn no_such_kind(name: &str) -> Problem {
    let names: Vec<&str> = kinds::written().iter().map(|kind| kind.facts().name).collect();
    let problem = Problem::error(format!("there is no kind `{name}`"));
    let near = problem.clone().did_you_mean(name, names.into_iter());
    if near.help.is_some() { near } else { problem.help("`lagoa show kinds` lists them all") }
}

fn no_such_field(page: &Page, path: &str) -> Problem {
    let paths: Vec<String> = page.everything().iter().map(|one| one.plain_path()).collect();
    let problem = Problem::error(format!("`{}` has no field `{path}`", page.kind));
    let near = problem.clone().did_you_mean(path, paths.iter().map(String::as_str));
    let help = format!("`lagoa show kind {}` lists them all", page.kind);
    if near.help.is_some() { near } else { problem.help(help) }
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
