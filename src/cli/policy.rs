//! `lagoa policy`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use serde_json::Value;

use super::Exit;
use super::arguments::Variables;
use super::failed::Failed;
use super::session::load;
use crate::access::{self, LIMIT, MOST, Paper};
use crate::report::json;
use crate::report::style::counted;
use crate::report::terminal::Terminal;

/// Print the least-privilege IAM policy for a stack
///
/// What each kind needs is known, so this takes no AWS account and no network. ARNs are worked out
/// from the names in the stack; what AWS names itself is told by its tag `lagoa:stack`. A plan also
/// looks for what left the stack, with a few reads of every kind there is.
///
/// `apply` deletes what is replaced and what left the stack, so its policy allows to delete too,
/// except for resources with `protect: true` or `on_destroy: retain`. To take the last resource of a
/// kind out of a stack, print the policy for the file as it was and as it is: of several files it
/// is one policy for all.
///
/// What IAM takes no longer as one document, at 6,144 characters, comes as a list of documents, to
/// be attached all of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa policy stacks/bootcamp.yaml --for plan > plan.json
  lagoa policy stacks/*.yaml --for apply --out policies/ci.json
  aws iam create-policy --policy-name plan --policy-document file://plan.json")]
pub struct Policy {
    /// The stack files
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    stacks: Vec<PathBuf>,
    #[command(flatten)]
    variables: Variables,
    /// What the policy is for
    #[arg(long = "for", value_name = "COMMAND")]
    purpose: Purpose,
    /// The account that the policy is for; any without it
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,
    /// The region of stacks that name none; any without it
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Write it to this file; several documents go to NAME-1.json, NAME-2.json, …
    #[arg(long, value_name = "NAME.json", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// A command that needs leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// Reads only
    Plan,
    /// Makes, changes, and deletes what is replaced or left the stack
    Apply,
    /// Deletes what the stack owns
    Destroy,
}

impl From<Purpose> for access::Purpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Plan => Self::Plan,
            Purpose::Apply => Self::Apply,
            Purpose::Destroy => Self::Destroy,
        }
    }
}

fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account has twelve digits".to_owned()),
    }
}

impl Policy {
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let mut statements = Vec::new();
        let mut mistakes = Vec::new();
        let mut anywhere = self.account.is_none();
        for file in &self.stacks {
            match load(file, &self.variables) {
                Ok((mut stack, graph)) => {
                    let region = stack.region.clone().or_else(|| self.region.clone());
                    anywhere |= region.is_none();
                    let site = access::site(&stack, self.account.as_deref(), region.as_deref());
                    stack.settle(&site);
                    statements.extend(access::statements(
                        &stack,
                        &graph,
                        &site,
                        self.purpose.into(),
                    ));
                }
                Err(Failed(found)) => mistakes.extend(found),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes.into());
        }
        let paper = access::paper(statements);
        match &self.out {
            Some(out) => {
                for (path, document) in files(out, &paper.documents) {
                    write(&path, document)?;
                    terminal.err(&format!("Written to {}.\n", path.display()));
                }
            }
            None => terminal.out(&match paper.documents.as_slice() {
                [one] => json::text(one),
                several => json::text(&several),
            }),
        }
        terminal.err(&notes(&paper, anywhere));
        Ok(Exit::Well)
    }
}

/// Each document with the file it goes to.
fn files<'a>(out: &Path, documents: &'a [Value]) -> Vec<(PathBuf, &'a Value)> {
    if let [one] = documents {
        return vec![(out.to_owned(), one)];
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension = out.extension().map_or_else(|| "json".into(), |end| end.to_string_lossy());
    let name = |number| out.with_file_name(format!("{stem}-{number}.{extension}"));
    (1..).map(name).zip(documents).collect()
}

fn write(path: &Path, document: &Value) -> Result<(), Failed> {
    fs::write(path, json::text(document))
        .map_err(|error| Failed::saying(format!("cannot write {}: {error}", path.display())))
}

/// What whoever attaches it should know.
fn notes(paper: &Paper, anywhere: bool) -> String {
    let mut notes = String::new();
    if anywhere {
        notes.push_str("It holds for any account or region; --account and --region narrow it.\n");
    }
    let count = paper.documents.len();
    if paper.coarse {
        notes.push_str("There are too many names for IAM, so some are wildcards.\n");
    }
    if count > 1 {
        let documents = counted(count, "document");
        notes.push_str(&format!(
            "It takes {documents} of at most {LIMIT} characters; attach all of them.\n"
        ));
    }
    if count > MOST {
        notes.push_str(&format!(
            "A role takes {MOST} unless its quota is higher; divide the stacks among roles.\n"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn several_documents_have_a_file_each() {
        let names = |out: &str, documents: &[Value]| -> Vec<String> {
            let files = files(Path::new(out), documents);
            files.into_iter().map(|(path, _)| path.display().to_string()).collect()
        };
        assert_eq!(names("a/ci.json", &[json!(1)]), ["a/ci.json"]);
        assert_eq!(names("a/ci.json", &[json!(1), json!(2)]), ["a/ci-1.json", "a/ci-2.json"]);
        assert_eq!(names("ci", &[json!(1), json!(2)]), ["ci-1.json", "ci-2.json"]);
    }

    #[test]
    fn an_account_has_twelve_digits() {
        assert!(account("123456789012").is_ok());
        assert!(account("12345678901").is_err() && account("12345678901x").is_err());
    }
}
