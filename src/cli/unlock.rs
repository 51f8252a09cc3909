//! `lagoa unlock`.

use clap::Args;

use super::Exit;
use super::arguments::{PlanArguments, StackArguments};
use super::failed::Failed;
use super::hold::words;
use super::session::Session;
use crate::aws::home::Home;
use crate::aws::lock;
use crate::report::terminal::Terminal;

/// Take a stack's lock away from the run that holds it
///
/// The lock of a run that is dead frees itself within a minute. A run that is alive notices within
/// half a minute that its lock is gone, and writes nothing from then on: stop it first if you can.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa unlock stacks/bootcamp.yaml
  lagoa unlock stacks/bootcamp.yaml --yes    Don't ask")]
pub struct Unlock {
    #[command(flatten)]
    pub stack: StackArguments,
    /// Go ahead without asking
    #[arg(short, long)]
    yes: bool,
}

impl Unlock {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let session = Session::open(&self.stack, &PlanArguments::default()).await?;
        let home = Home::new(&session.aws);
        let stack = session.stack.name.as_str();
        let Some(held) = lock::look(&home, stack).await? else {
            terminal.out(&format!("Nobody holds the lock of the stack {stack}.\n"));
            return Ok(Exit::Well);
        };
        terminal.out(&format!("The stack {stack} is locked by {}.\n", words(&held)));
        if !self.yes {
            if !terminal.can_ask() {
                return Err(Failed::helping(
                    "nobody is there to ask: this isn't a terminal",
                    "run it again with --yes",
                ));
            }
            let answer = terminal.ask("Take it away? Only 'yes' is accepted: ");
            if answer.as_deref() != Some("yes") {
                return Err(Failed::saying("not confirmed; the lock stays"));
            }
        }
        if lock::break_open(&home, stack, &held).await? {
            terminal.out("The lock is gone.\n");
            return Ok(Exit::Well);
        }
        Err(Failed::helping("another run took the lock meanwhile", "look again"))
    }
}
