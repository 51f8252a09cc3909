//! `lagoa docs`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::Exit;
use super::failed::Failed;
use crate::kinds;
use crate::report::page::stack::StackPage;
use crate::report::page::{Page, markdown};
use crate::report::terminal::Terminal;
use crate::schema;

/// Write the reference pages as Markdown files
///
/// An index, a page about the stack file, and a page for each kind: the same that `lagoa show`
/// shows, for a wiki or a repository.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa docs --out docs    An index, stack.md and kinds/*.md")]
pub struct Docs {
    /// The folder to write them into; what is there under the same names is replaced
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
}

impl Docs {
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let files = files();
        for (path, text) in &files {
            write(&self.out.join(path), text)?;
        }
        terminal.err(&format!("Wrote {} pages below {}\n", files.len(), self.out.display()));
        Ok(Exit::Well)
    }
}

/// Every file: where it goes, and its text.
fn files() -> Vec<(PathBuf, String)> {
    let pages = pages();
    let names = pages.iter().map(|page| page.kind).collect();
    let kinds = pages.iter().map(|page| {
        let path = Path::new("kinds").join(format!("{}.md", page.kind));
        (path, markdown::page(page, &names))
    });
    let index = (PathBuf::from("README.md"), markdown::index(&pages));
    let stack = (PathBuf::from("stack.md"), stack_page().markdown());
    [index, stack].into_iter().chain(kinds).collect()
}

/// The page of every kind.
pub fn pages() -> Vec<Page> {
    kinds::written().into_iter().map(Page::of).collect()
}

/// The page of the stack file.
pub fn stack_page() -> StackPage {
    StackPage::of(&schema::outline(), &schema::beside())
}

/// Writes a file, and the folders that it is in.
pub fn write(path: &Path, text: &str) -> Result<(), Failed> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Failed::saying(format!("cannot write {}: {error}", path.display())))
}
