//! Finds the guardrails of a stack, and asks them about a plan.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::failed::Failed;
use super::session::Session;
use crate::document;
use crate::guardrails::{self, File};
use crate::report::guardrails::{conclusion, denials, render};
use crate::report::terminal::Terminal;
use crate::report::view::View;

/// Where a stack's own guardrails lie, from the folder that its paths are relative to.
const FOLDER: &str = "policies/guardrails";
/// How long all of them may think.
const WITHIN: Duration = Duration::from_secs(10);

/// Whether a path from there is one of them.
pub fn is_rule(path: &str) -> bool {
    let path = Path::new(path);
    path.parent() == Some(Path::new(FOLDER))
        && path.extension().is_some_and(|extension| extension == "rego")
}

/// Asks the stack's guardrails, and those of the folders, about the plan, and puts what they say
/// into the view.
pub async fn ask(session: &Session, folders: &[PathBuf], view: &mut View) -> Result<(), Failed> {
    let files = files(&session.stack.root, folders)?;
    if files.is_empty() {
        return Ok(());
    }
    let plan = json!(view);
    // The stack's lock is renewed meanwhile.
    let asked = files.clone();
    let judged =
        tokio::task::spawn_blocking(move || guardrails::judge(&asked, &plan, WITHIN)).await;
    let judged = judged.map_err(|error| Failed::saying(error.to_string()))?;
    view.guardrails = judged.map_err(|broken| broken.problem(&files))?;
    Ok(())
}

/// Tells what the guardrails say on standard error; whether they forbid the plan.
pub fn tell(view: &View, terminal: Terminal) -> bool {
    terminal.err(&render(&view.guardrails, terminal.err));
    terminal.err(&conclusion(&view.guardrails, terminal.err));
    denials(&view.guardrails) > 0
}

fn files(root: &Path, folders: &[PathBuf]) -> Result<Vec<File>, Failed> {
    let own = root.join(FOLDER);
    let mut files = if own.is_dir() { inside(&own, root)? } else { Vec::new() };
    for folder in folders {
        if !folder.is_dir() {
            let message = format!("there is no folder `{}`", folder.display());
            return Err(Failed::helping(message, "`--guardrails` names a folder with .rego files"));
        }
        let found = inside(folder, folder)?;
        if found.is_empty() {
            let message = format!("there are no .rego files in `{}`", folder.display());
            return Err(Failed::helping(message, "folders within it aren't looked at"));
        }
        files.extend(found);
    }
    Ok(files)
}

/// The rules in a folder, none of which may lie outside the root.
fn inside(folder: &Path, root: &Path) -> Result<Vec<File>, Failed> {
    let unreadable = |error: std::io::Error| {
        Failed::saying(format!("`{}` cannot be read: {error}", folder.display()))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "rego") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let shown = path.strip_prefix("./").unwrap_or(&path).display().to_string();
        let (home, real) = (root.canonicalize(), path.canonicalize());
        if let (Ok(home), Ok(real)) = (home, real)
            && !real.starts_with(&home)
        {
            let message = format!("`{shown}` is a link out of the stack's folder");
            return Err(Failed::helping(message, "put the file itself there"));
        }
        let source = document::read(&path, &shown)?;
        files.push(File { name: shown, text: source.text.clone() });
    }
    Ok(files)
}
