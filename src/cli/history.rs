//! `lagoa history`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::Exit;
use super::arguments::{PlanArguments, StackArguments, Variables};
use super::failed::Failed;
use super::session::Session;
use crate::aws::history;
use crate::aws::home::Home;
use crate::report::history::{self as text, Record};
use crate::report::json;
use crate::report::terminal::Terminal;
use crate::report::timeline;

/// Show who did what to a stack, and how it ended
///
/// Every apply, destroy and adopt is recorded in the account's home bucket, for 400 days. The file
/// is only needed for the stack's name and region: the runs of a stack outlive it.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  lagoa history stacks/bootcamp.yaml
  lagoa history show stacks/bootcamp.yaml 5f0c3ab12d07
  lagoa history show stacks/bootcamp.yaml 5f0c3ab12d07 --timeline run.svg"
)]
pub struct History {
    /// The stack file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    variables: Variables,
    /// Work in the sandbox on this machine instead of AWS
    #[arg(long)]
    sandbox: bool,
    #[arg(skip)]
    stack: Option<StackArguments>,
    /// At most this many runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    one: Option<One>,
}

#[derive(Debug, Subcommand)]
enum One {
    /// Show one run with its steps
    Show(ShowRun),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa history show stacks/bootcamp.yaml 5f0c3a
  lagoa history show stacks/bootcamp.yaml 5f0c3a --timeline run.svg")]
struct ShowRun {
    #[command(flatten)]
    stack: StackArguments,
    /// The run's name as the list shows it, or its beginning
    #[arg(value_name = "RUN")]
    run: String,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
    /// Draw when each step ran and what it waited for into a file
    #[arg(long, value_name = "SVG", value_hint = ValueHint::FilePath)]
    timeline: Option<PathBuf>,
}

impl History {
    /// Brings its own arguments into the form that every command has.
    pub fn unfold(&mut self) {
        self.stack = self.file.take().map(|file| StackArguments {
            file,
            variables: std::mem::take(&mut self.variables),
            sandbox: self.sandbox,
        });
    }

    /// The stack it is about.
    pub fn stack(&self) -> Option<&StackArguments> {
        match &self.one {
            Some(One::Show(show)) => Some(&show.stack),
            None => self.stack.as_ref(),
        }
    }

    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let Some(stack) = self.stack() else {
            return Err(Failed::helping("no stack file is named", "see `lagoa history --help`"));
        };
        let session = Session::open(stack, &PlanArguments::default()).await?;
        let home = Home::new(&session.aws);
        let name = session.stack.name.as_str();
        terminal.out(&match &self.one {
            None => {
                let records = records(&history::read(&home, name, None, self.limit).await?);
                if self.json {
                    json::text(&records)
                } else {
                    text::list(&records, name, terminal.out)
                }
            }
            Some(One::Show(show)) => {
                let records = records(&history::read(&home, name, Some(&show.run), 2).await?);
                let record = only(&records, &show.run, &session.file)?;
                if let Some(path) = &show.timeline {
                    std::fs::write(path, timeline::svg(record)).map_err(|error| {
                        Failed::saying(format!("{} could not be written: {error}", path.display()))
                    })?;
                }
                if show.json { json::text(record) } else { text::page(record, terminal.out) }
            }
        });
        Ok(Exit::Well)
    }
}

/// A record in a form of tomorrow is left out.
fn records(texts: &[Vec<u8>]) -> Vec<Record> {
    texts.iter().filter_map(|text| serde_json::from_slice(text).ok()).collect()
}

fn only<'a>(records: &'a [Record], run: &str, file: &str) -> Result<&'a Record, Failed> {
    match records {
        [one] => Ok(one),
        [] => Err(Failed::helping(
            format!("there is no run `{run}`"),
            format!("`lagoa history {file}` lists them"),
        )),
        _ => Err(Failed::helping(
            format!("more than one run begins with `{run}`"),
            "write more of its name",
        )),
    }
}
