//! `lagoa completions`.

use clap::{Arg, Args, Command, CommandFactory};
use clap_complete::Shell;

use super::failed::Failed;
use super::{Cli, Exit};
use crate::report::terminal::Terminal;

/// Print a completion script for a shell
///
/// Tab then completes commands, options, stack files and the names of kinds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa completions bash > ~/.local/share/bash-completion/completions/lagoa
  lagoa completions zsh > ~/.zfunc/_lagoa    With ~/.zfunc in fpath
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
        if self.shell == Shell::Fish {
            terminal.out(&words(&Cli::command()));
        }
        Ok(Exit::Well)
    }
}

/// What clap leaves out of its script for fish: the words that an argument without a flag takes.
fn words(command: &Command) -> String {
    let below = command.get_subcommands().map(|one| {
        let offered = one.get_positionals().flat_map(Arg::get_possible_values);
        let offered: Vec<String> = offered.map(|word| word.get_name().to_owned()).collect();
        let deeper = words(one);
        if offered.is_empty() {
            return deeper;
        }
        let (name, offered) = (one.get_name(), offered.join(" "));
        let seen = format!("__fish_seen_subcommand_from {name}");
        format!("complete -c lagoa -n \"{seen}\" -f -a \"{offered}\"\n{deeper}")
    });
    below.collect()
}
