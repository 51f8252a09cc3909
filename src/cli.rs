//! The command line: one file per command.

mod adopt;
mod apply;
mod arguments;
mod carry_out;
mod check;
mod completions;
mod destroy;
mod digest;
mod docs;
mod failed;
mod findings;
mod git;
mod github;
mod graph;
mod guardrails;
mod history;
mod hold;
mod import;
mod init;
mod interrupts;
mod man;
mod masks;
mod offline;
mod output;
mod plan;
mod policy;
mod record;
mod sandbox;
mod saved_plan;
mod schema;
mod session;
mod show;
mod stacks;
mod unlock;

use std::any::Any;
use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::diagnostic::Problem;
use crate::report::problems;
use crate::report::terminal::{Colour, Terminal};
use arguments::{Global, Variables};
use failed::Failed;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All is well.
    Well,
    /// There are changes, and `--detailed-exitcode` asked.
    Changes,
    /// Something failed; it has been said.
    Failed,
    /// A guardrail forbids it, or `--fail-on` does; it has been said.
    Guarded,
    /// Another run holds the stack's lock; it has been said.
    Held,
    /// The person stopped it.
    Interrupted,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Guarded => 3,
            Self::Held => 4,
            Self::Interrupted => 130,
        }
    }
}

const AFTER_HELP: &str = "\
Examples:
  lagoa check stacks/bootcamp.yaml              Find every mistake, without AWS
  lagoa plan stacks/bootcamp.yaml               Show how AWS differs
  lagoa apply stacks/bootcamp.yaml              Make AWS match, after asking
  lagoa apply stacks/bootcamp.yaml --sandbox    The same, without an account
  lagoa history stacks/bootcamp.yaml            Who did what, and how it ended
  lagoa show kind rds_instance                  What may be written in a stack
  lagoa import --tag Projeto=Lake               A stack file of what exists

Exit codes: 0 done or nothing to do, 1 error, 2 changes (with
plan --detailed-exitcode), 3 forbidden by a guardrail or by --fail-on,
4 another run holds the lock, 130 interrupted";

/// Provisions AWS data platforms from YAML and seeds their databases.
///
/// A stack file says what should be there. lagoa shows how AWS differs, makes AWS match, and keeps
/// no state file: what it made carries the stack's name as a tag.
#[derive(Debug, Parser)]
#[command(name = "lagoa", version, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(plan::Plan),
    Apply(Box<apply::Apply>),
    Destroy(destroy::Destroy),
    Check(check::Check),
    Init(init::Init),
    Stacks(stacks::Stacks),
    Graph(Box<graph::Graph>),
    Show(show::Show),
    Adopt(adopt::Adopt),
    Import(Box<import::Import>),
    History(history::History),
    Unlock(unlock::Unlock),
    Policy(policy::Policy),
    Schema(schema::Schema),
    Docs(docs::Docs),
    Man(man::Manual),
    Sandbox(sandbox::Sandbox),
    Completions(completions::Completions),
}

impl Command {
    /// The stack, if it has one, when the command works against the sandbox.
    fn in_sandbox(&self) -> Option<Option<(&Path, &Variables)>> {
        let stack = match self {
            Self::Plan(plan) => &plan.stack,
            Self::Graph(graph) if graph.plan => &graph.stack,
            Self::Apply(apply) => &apply.stack,
            Self::Destroy(destroy) => &destroy.stack,
            Self::Adopt(adopt) => &adopt.stack,
            Self::Import(import) => return import.sandbox.then(|| import.stack()),
            Self::Show(show) => show.stack()?,
            Self::History(history) => history.stack()?,
            Self::Unlock(unlock) => &unlock.stack,
            Self::Check(_) | Self::Policy(_) | Self::Init(_) | Self::Stacks(_) => return None,
            Self::Graph(_) | Self::Schema(_) | Self::Docs(_) | Self::Man(_) => return None,
            Self::Sandbox(_) | Self::Completions(_) => return None,
        };
        stack.sandbox.then_some(Some((&stack.file, &stack.variables)))
    }

    /// Name and stack file of a command that changes what AWS has of a stack.
    fn changes(&self) -> Option<(&'static str, &Path)> {
        match self {
            Self::Apply(apply) => Some(("apply", &apply.stack.file)),
            Self::Destroy(destroy) => Some(("destroy", &destroy.stack.file)),
            Self::Adopt(adopt) => Some(("adopt", &adopt.stack.file)),
            _ => None,
        }
    }
}

/// Does what the arguments say; gives the exit code.
pub fn run(arguments: Vec<OsString>) -> u8 {
    let mut cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    let mut terminal = Terminal::new(cli.global.color.into());
    // A log that scrolls and lines that are redrawn would overwrite each other.
    terminal.live &= cli.global.verbose == 0;
    cli.global.trace(terminal);
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        terminal.err(&problems::sentence(&bug(&place, panic.payload()), terminal.err));
    }));
    let ended = enter(&mut cli, terminal);
    if let Some((command, file)) = cli.command.changes().filter(|_| terminal.runner) {
        github::ended(command, file, &ended, terminal);
    }
    let exit = ended.unwrap_or_else(|failed| {
        terminal.err(&failed.render(terminal.err));
        Exit::Failed
    });
    exit.code()
}

/// What is said of a bug: where it is, but nothing of what it stumbled over, which may be a secret.
/// Only words that stand in the program itself are nobody's.
fn bug(place: &str, payload: &(dyn Any + Send)) -> Problem {
    let words = payload.downcast_ref::<&'static str>().copied();
    let words = words.unwrap_or("what it says may hold a secret, so it isn't shown");
    Problem::error(format!("lagoa has a bug at {place}: {words}"))
        .help("report this; the next run goes on from where this one stopped")
}

/// Prints help, the version, or what is wrong with the arguments.
fn misunderstood(error: &clap::Error) -> u8 {
    let terminal = Terminal::new(Colour::Auto);
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = |colour: bool| {
        let text = error.render();
        if colour { text.ansi().to_string() } else { text.to_string() }
    };
    if asked {
        terminal.out(&text(terminal.out.colour));
        return Exit::Well.code();
    }
    terminal.err(&text(terminal.err.colour));
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Exit::Well.code(),
        _ => Exit::Failed.code(),
    }
}

fn enter(cli: &mut Cli, terminal: Terminal) -> Result<Exit, Failed> {
    match &mut cli.command {
        Command::Apply(apply) => apply.unfold()?,
        Command::Graph(graph) => graph.unfold()?,
        Command::History(history) => history.unfold(),
        _ => {}
    }
    if let Some(stack) = cli.command.in_sandbox() {
        // A slip in the file shows before anything is installed or started.
        let slip = stack.and_then(|(file, variables)| session::load(file, variables).err());
        match (slip, &cli.command) {
            // It tells GitHub as well, and finds the slip again before it needs the sandbox.
            (Some(_), Command::Plan(_)) => {}
            (Some(failed), _) => return Err(failed),
            (None, _) => sandbox::enter(terminal)?,
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::saying(format!("cannot start: {error}")))?;
    let exit = runtime.block_on(dispatch(&cli.command, terminal));
    // Whoever pressed Ctrl-C twice doesn't wait for a name server.
    runtime.shutdown_background();
    exit
}

async fn dispatch(command: &Command, terminal: Terminal) -> Result<Exit, Failed> {
    if matches!(command, Command::Apply(_) | Command::Destroy(_) | Command::Adopt(_)) {
        interrupts::outlive_the_terminal()?;
    }
    match command {
        Command::Plan(plan) => plan.run(terminal).await,
        Command::Apply(apply) => apply.run(terminal).await,
        Command::Destroy(destroy) => destroy.run(terminal).await,
        Command::Check(check) => check.run(terminal),
        Command::Init(init) => init.run(terminal).await,
        Command::Stacks(stacks) => stacks.run(terminal).await,
        Command::Graph(graph) => graph.run(terminal).await,
        Command::Show(show) => show.run(terminal).await,
        Command::Adopt(adopt) => adopt.run(terminal).await,
        Command::Import(import) => import.run(terminal).await,
        Command::History(history) => history.run(terminal).await,
        Command::Unlock(unlock) => unlock.run(terminal).await,
        Command::Policy(policy) => policy.run(terminal),
        Command::Schema(schema) => schema.run(terminal),
        Command::Docs(docs) => docs.run(terminal),
        Command::Man(man) => man.run(terminal),
        Command::Sandbox(sandbox) => sandbox.run(terminal).await,
        Command::Completions(completions) => completions.run(terminal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_shows_nothing_of_what_it_stumbled_over() {
        let said = |payload: &(dyn Any + Send)| bug("a.rs:1", payload).message;
        let text = said(&"hunter2 is no boundary".to_owned());
        assert!(text.contains("a.rs:1") && !text.contains("hunter2"), "{text}");
        assert!(said(&"index out of bounds").contains("index out of bounds"));
    }
}
