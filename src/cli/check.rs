//! `lagoa check`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::arguments::Variables;
use super::failed::Failed;
use super::github::GitHub;
use super::output::Told;
use super::session::load;
use crate::report::problems;
use crate::report::style::counted;
use crate::report::terminal::Terminal;

/// Find every mistake in stack files that can be found without AWS
///
/// Reads the files and what they name: policies, scripts, data. Needs no credentials and no network.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa check stacks/bootcamp.yaml
  lagoa check stacks/*.yaml --var project=coins")]
pub struct Check {
    /// The stack files
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    stacks: Vec<PathBuf>,
    #[command(flatten)]
    variables: Variables,
    /// How to tell it; in GitHub Actions `github` goes without saying
    #[arg(long, value_enum, value_name = "FORM")]
    output: Option<Told>,
}

impl Check {
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let mut mistakes = Vec::new();
        let mut warnings = Vec::new();
        for file in &self.stacks {
            match load(file, &self.variables) {
                Ok((stack, _)) => {
                    if !stack.warnings.is_empty() {
                        terminal.err(&problems::render(&stack.warnings, terminal.err.colour));
                    }
                    warnings.extend(stack.warnings.iter().cloned());
                    let resources = counted(stack.resources.len(), "resource");
                    terminal.out(&format!("{}: {resources}, no mistakes\n", file.display()));
                }
                Err(Failed(found)) => mistakes.extend(found),
            }
        }
        if Told::chosen(self.output) == Told::Github {
            let all = [mistakes.as_slice(), &warnings].concat();
            GitHub::here(terminal).annotate(&all, "lagoa check");
        }
        if mistakes.is_empty() { Ok(Exit::Well) } else { Err(mistakes.into()) }
    }
}
