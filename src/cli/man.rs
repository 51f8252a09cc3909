//! `lagoa man`.

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, ValueHint};
use clap_mangen::Man;

use super::docs::write;
use super::failed::Failed;
use super::{Cli, Exit};
use crate::report::terminal::Terminal;

/// Print the manual page, or write those of all commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa man | man -l -                       Read it
  lagoa man --out ~/.local/share/man/man1    For `man lagoa-plan`")]
pub struct Manual {
    /// Write lagoa.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl Manual {
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let mut command = Cli::command();
        command.build();
        let pages = pages(&command);
        match &self.out {
            None => terminal.out(pages.first().map_or("", |(_, text)| text.as_str())),
            Some(folder) => {
                for (name, text) in &pages {
                    write(&folder.join(name), text)?;
                }
                let text = format!("Wrote {} pages into {}\n", pages.len(), folder.display());
                terminal.err(&text);
            }
        }
        Ok(Exit::Well)
    }
}

/// The page of a command, then those of the commands in it.
fn pages(command: &Command) -> Vec<(String, String)> {
    let man = Man::new(command.clone());
    let name = man.get_filename();
    let below = command.get_subcommands().filter(|one| !one.is_hide_set());
    std::iter::once((name, page(command, &man))).chain(below.flat_map(pages)).collect()
}

/// One page: its title, clap's own sections, then those of the words after the help.
fn page(command: &Command, man: &Man) -> String {
    let mut text = title(command).into_bytes();
    // Writing into memory can't fail.
    let _ = man
        .render_name_section(&mut text)
        .and_then(|()| man.render_synopsis_section(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| man.render_options_section(&mut text));
    if command.has_subcommands() {
        let _ = man.render_subcommands_section(&mut text);
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for part in after.split("\n\n") {
        if let Some((title, body)) = part.split_once(':') {
            text.push_str(&format!(".SH {}\n.nf\n", title.to_uppercase()));
            text.extend(body.trim_start_matches('\n').lines().map(verbatim));
            text.push_str(".fi\n");
        }
    }
    text
}

/// What stands in the page's corners. Clap leaves an empty date out, and all that follows moves up.
fn title(command: &Command) -> String {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    format!(".TH {name} 1 \"\" \"lagoa {}\" \"Manual of lagoa\"\n", env!("CARGO_PKG_VERSION"))
}

/// A line that stays as it is: nothing in it is an order to the formatter.
fn verbatim(line: &str) -> String {
    format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_tells_its_version() {
        let mut command = Cli::command();
        command.build();
        for (file, text) in pages(&command) {
            let name = file.trim_end_matches(".1");
            let title = format!(".TH {name} 1 \"\" \"lagoa {}\" ", env!("CARGO_PKG_VERSION"));
            assert!(text.starts_with(&title), "{}", text.lines().next().unwrap_or_default());
        }
    }
}
