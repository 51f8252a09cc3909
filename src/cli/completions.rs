//! `lagoa completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::failed::Failed;
use super::{Cli, Exit};
use crate::report::terminal::Terminal;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa completions bash > ~/.local/share/bash-completion/completions/lagoa
  lagoa completions zsh > ~/.zfunc/_lagoa
  lagoa completions fish > ~/.config/fish/completions/lagoa.fish")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "lagoa", &mut script);
        terminal.out(&String::from_utf8_lossy(&script));
        Ok(Exit::Well)
    }
}
