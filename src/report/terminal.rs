//! The one way to standard output, standard error and the person in front of them.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use super::progress::Size;
use super::style::Style;
use crate::github::commands::inert;
use crate::github::environment::in_actions;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Whether standard error goes into a file, where it would stay.
pub fn errors_are_kept() -> bool {
    let file = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|facts| facts.is_file())
}

/// Where text goes. A reader that has gone away is no error: what runs must go on.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// How to write results.
    pub out: Style,
    /// How to write everything else.
    pub err: Style,
    /// Standard error is a terminal that can redraw lines.
    pub live: bool,
    /// A runner of GitHub Actions reads along, and takes orders from what it reads.
    pub runner: bool,
}

impl Terminal {
    /// Looks at where this process writes to.
    pub fn new(colour: Colour) -> Self {
        let environment =
            |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !dumb && !environment("NO_COLOR"),
        };
        let err = io::stderr().is_terminal();
        Self {
            out: Style { colour: wanted(io::stdout().is_terminal()) },
            err: Style { colour: wanted(err) },
            // What redraws there is a log all the same.
            live: err && !dumb && !in_actions(),
            runner: in_actions(),
        }
    }

    /// Writes what was asked for.
    pub fn out(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes text for people; what it quotes gives a runner no orders.
    pub fn say(&self, text: &str) {
        match self.runner {
            true => self.out(&inert(text)),
            false => self.out(text),
        }
    }

    /// Writes what is said beside it: errors, questions, progress.
    pub fn err(&self, text: &str) {
        let text = if self.runner { inert(text) } else { text.to_owned() };
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Gives the runner an order on standard error, so that it doesn't mix with a result that is
    /// written to a file.
    pub fn order(&self, command: &str) {
        let _ = io::stderr().lock().write_all(command.as_bytes());
    }

    /// How much the terminal behind standard error shows; what is usual where nobody knows.
    pub fn size(&self) -> Size {
        let size = terminal_size::terminal_size_of(io::stderr());
        let (columns, rows) = size.map_or((80, 24), |(width, height)| (width.0, height.0));
        // Some terminals don't know, and say nought.
        let known = |size: u16, usual: usize| if size == 0 { usual } else { size.into() };
        Size { rows: known(rows, 24), columns: known(columns, 80) }
    }

    /// Whether there is somebody to ask.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks, and gives the answer; `None` when the person closed the input.
    pub fn ask(&self, question: &str) -> Option<String> {
        self.err(question);
        let mut answer = String::new();
        match io::stdin().lock().read_line(&mut answer) {
            Ok(read) if read > 0 => Some(answer.trim().to_owned()),
            _ => {
                self.err("\n");
                None
            }
        }
    }
}
