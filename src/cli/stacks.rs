//! `lagoa stacks`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::Exit;
use super::failed::Failed;
use super::git::{Changes, Checkout};
use super::github::GitHub;
use super::guardrails::is_rule;
use crate::diagnostic::{Problem, Source};
use crate::document;
use crate::report::stacks::{self as list, Listed};
use crate::report::terminal::Terminal;
use crate::report::{problems, style};
use crate::stack::{self, Uses};

/// List the stack files, or those that a change touches
///
/// A YAML file is a stack when it says `stack: NAME`. With --changed-since, only those are listed
/// whose file, or a file that they name (policies, scripts, data), or a rule in their
/// policies/guardrails, was added, edited, renamed or deleted between the commit where this work
/// left REF and the files as they are now. A path that holds a variable counts as changed with
/// whatever it may stand for. Variable files belong to no stack.
///
/// --json prints what a matrix of GitHub Actions takes, on one line:
/// {"include":[{"stack":"coins","file":"stacks/coins.yaml"}]}
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa stacks
  lagoa stacks stacks/prod stacks/shared.yaml
  lagoa stacks --changed-since origin/main
  lagoa stacks --changed-since origin/main --json --except github-access")]
pub struct Stacks {
    /// Stack files, or folders that hold some at any depth
    #[arg(value_name = "PATH", default_value = "stacks", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Only those that differ from where this work left REF; needs git and its history
    #[arg(long, value_name = "REF")]
    changed_since: Option<String>,
    /// Leave this stack out (repeatable)
    #[arg(long, value_name = "NAME")]
    except: Vec<String>,
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

/// A stack file that was found.
struct Found {
    listed: Listed,
    path: PathBuf,
    uses: Uses,
}

impl Stacks {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let mut found: Vec<Found> =
            files(&self.paths)?.iter().filter_map(|file| read(file)).collect();
        found.retain(|one| !self.except.contains(&one.listed.stack));
        if let Some(reference) = &self.changed_since {
            let checkout = Checkout::around(&self.neighbourhood()).await?;
            if let Some(changes) = checkout.changes(reference).await? {
                self.warn_of_gone(&checkout, &changes, &found, terminal).await;
                found.retain(|one| touched(one, &checkout.top, &changes.paths));
                if found.is_empty() {
                    let since = &changes.since;
                    terminal.err(&format!("No stack differs from {reference} ({since}).\n"));
                }
            }
        }
        let listed: Vec<Listed> = found.into_iter().map(|one| one.listed).collect();
        terminal.out(&if self.json { list::json(&listed) } else { list::text(&listed) });
        Ok(Exit::Well)
    }

    /// A folder in the checkout that the files lie in.
    fn neighbourhood(&self) -> PathBuf {
        let first = self.paths.first().map_or(Path::new("."), PathBuf::as_path);
        let folder = if first.is_dir() { Some(first) } else { first.parent() };
        folder.map(Path::to_owned).unwrap_or_default()
    }

    /// What a deleted file declared goes on living in AWS, and no plan shows it any more.
    async fn warn_of_gone(
        &self,
        checkout: &Checkout,
        changes: &Changes,
        found: &[Found],
        terminal: Terminal,
    ) {
        let left: BTreeSet<&str> = found.iter().map(|one| one.listed.stack.as_str()).collect();
        for path in changes.gone.iter().filter(|path| is_yaml(Path::new(path))) {
            let below = |folder: &PathBuf| {
                let folder = beneath(folder, &checkout.top);
                folder.is_some_and(|folder| Path::new(path).starts_with(folder))
            };
            if !self.paths.iter().any(below) {
                continue;
            }
            let text = checkout.file(&changes.since, path).await;
            let name = text.and_then(|text| name_of(path, &text));
            let gone = name.filter(|name| !left.contains(name.as_str()));
            if let Some(name) = gone.filter(|name| !self.except.contains(name)) {
                let problem = Problem::warning(format!(
                    "{path} is gone, and what the stack {name} made stays in AWS"
                ));
                let since = &changes.since;
                let problem = problem.help(format!(
                    "to take it down: `git show {since}:{path} > {name}.yaml`, then `lagoa destroy \
                     {name}.yaml`"
                ));
                terminal.err(&problems::sentence(&problem, terminal.err));
                if terminal.runner {
                    GitHub::here(terminal).annotate_beside(&[problem], "lagoa stacks");
                }
            }
        }
    }
}

/// Every YAML file of these paths, each once, in lexical order.
fn files(paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Failed> {
    let mut files = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            below(path, &mut files).map_err(|error| {
                Failed::saying(format!("{} can't be read: {error}", path.display()))
            })?;
        } else if path.is_file() {
            files.insert(path.clone());
        } else {
            return Err(Failed::helping(
                format!("there is no {}", style::harmless(&path.display().to_string())),
                "name the folder or the files that hold the stacks; `lagoa init NAME` writes a first one",
            ));
        }
    }
    Ok(files)
}

/// Links aren't followed: they may lead in a circle.
fn below(folder: &Path, files: &mut BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            below(&path, files)?;
        } else if is_yaml(&path) {
            files.insert(path);
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// The stack in a file, if it holds one. A stack that is broken is one all the same: whoever plans
/// it is told what is wrong.
fn read(path: &Path) -> Option<Found> {
    let shown = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let text = fs::read_to_string(path).ok()?;
    let stack = name_of(&shown, &text)?;
    let document = document::outline(&Source::new(&shown, text), &mut Vec::new());
    let uses = document.map(|document| Uses::of(&document)).unwrap_or_default();
    Some(Found { listed: Listed { stack, file: shown }, path: path.to_owned(), uses })
}

/// The name that the text gives a stack, if it is one.
fn name_of(path: &str, text: &str) -> Option<String> {
    if let Ok(root) = document::parse(Source::new(path, text)) {
        return Some(root.get("stack")?.text()?.to_owned());
    }
    let line = text.lines().find_map(|line| line.strip_prefix("stack:"))?;
    let name = line.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether one of the changed paths is the stack's file, one that it names, or a rule that its plans
/// have to pass.
fn touched(found: &Found, top: &Path, changed: &[String]) -> bool {
    let own = beneath(&found.path, top);
    let root = beneath(&stack::root(&found.path), top);
    changed.iter().any(|path| {
        let path = Path::new(path);
        let named = root.as_ref().and_then(|root| path.strip_prefix(root).ok()?.to_str());
        let asked = |named: &str| found.uses.has(named) || is_rule(named);
        own.as_deref() == Some(path) || named.is_some_and(asked)
    })
}

/// A path as seen from the top of the checkout.
fn beneath(path: &Path, top: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    Some(path.strip_prefix(top.canonicalize().ok()?).ok()?.to_owned())
}
