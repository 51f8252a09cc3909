//! `lagoa schema`.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::Exit;
use super::failed::Failed;
use crate::report::json;
use crate::report::terminal::Terminal;
use crate::{kinds, schema};

/// Print the JSON Schema of stack files
///
/// Editors with yaml-language-server complete, explain and check stack files with it. Name it in a
/// file's first line, by a path from there or by a URL:
///
/// # yaml-language-server: $schema=../lagoa.schema.json
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa schema > lagoa.schema.json
  lagoa schema --out lagoa.schema.json")]
pub struct Schema {
    /// Write it to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

impl Schema {
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let text = json::text(&schema::stack_file(&kinds::written()));
        match &self.out {
            None => terminal.out(&text),
            Some(path) => fs::write(path, text).map_err(|error| {
                Failed::saying(format!("cannot write {}: {error}", path.display()))
            })?,
        }
        Ok(Exit::Well)
    }
}
