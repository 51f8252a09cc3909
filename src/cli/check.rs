//! `lagoa check`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::{Value, json};

use super::Exit;
use super::arguments::Variables;
use super::failed::Failed;
use super::findings::FindingArguments;
use super::github::GitHub;
use super::output::Told;
use super::session::load;
use crate::report::style::counted;
use crate::report::terminal::Terminal;
use crate::report::{findings, json, problems};

/// Find every mistake in stack files that can be found without AWS, and what isn't secure
///
/// Reads the files and what they name: policies, scripts, data. Needs no credentials and no network.
///
/// Findings of the security checks are told, and fail nothing unless `--fail-on` says so. A resource
/// suppresses one with `skip_checks: { CHECK: the reason }`; `lagoa show checks` lists them all.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa check stacks/bootcamp.yaml
  lagoa check stacks/*.yaml --var project=coins
  lagoa check stacks/*.yaml --fail-on high     3 if one is high or critical
  lagoa check stacks/bootcamp.yaml --all --show-suppressed")]
pub struct Check {
    /// The stack files
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    stacks: Vec<PathBuf>,
    #[command(flatten)]
    variables: Variables,
    /// Print JSON on standard output
    #[arg(long, conflicts_with = "output")]
    json: bool,
    #[command(flatten)]
    security: FindingArguments,
    /// How to tell it; in GitHub Actions `github` goes without saying
    #[arg(long, value_enum, value_name = "FORM")]
    output: Option<Told>,
}

impl Check {
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let mut mistakes = Vec::new();
        let mut all = Vec::new();
        let mut stacks: Vec<Value> = Vec::new();
        let mut warnings = Vec::new();
        for file in &self.stacks {
            match load(file, &self.variables) {
                Ok((stack, _)) => {
                    if !stack.warnings.is_empty() {
                        terminal.err(&problems::render(&stack.warnings, terminal.err.colour));
                    }
                    warnings.extend(stack.warnings.iter().cloned());
                    let which = self.security.shown();
                    warnings.extend(findings::problems(&stack, which));
                    let found = findings::findings(&stack);
                    let (shown, number) = (file.display().to_string(), stack.resources.len());
                    stacks.push(json!({
                        "stack": stack.name, "file": shown, "resources": number, "findings": found,
                    }));
                    if !self.json {
                        terminal.err(&findings::full(&stack, which, terminal.err.colour));
                        let resources = counted(number, "resource");
                        let tally = match found.as_slice() {
                            [] => String::new(),
                            found => format!("; findings: {}", findings::tally(found)),
                        };
                        terminal.say(&format!("{shown}: {resources}, no mistakes{tally}\n"));
                    }
                    all.extend(found);
                }
                Err(Failed(found)) => mistakes.extend(found),
            }
        }
        if Told::chosen(self.output, self.json) == Told::Github {
            let all = [mistakes.as_slice(), &warnings].concat();
            GitHub::here(terminal).annotate(&all, "lagoa check");
        }
        if !mistakes.is_empty() {
            return Err(mistakes.into());
        }
        if self.json {
            terminal.out(&json::text(&json!({ "format": "lagoa.check/1", "stacks": stacks })));
        }
        Ok(if self.security.fail(&all, terminal) { Exit::Guarded } else { Exit::Well })
    }
}
