//! What can be wrong with a seed: in its files (a [`SeedProblem`], found without a database) and
//! while it runs (a [`SeedError`]). No message holds a password.

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

/// A point in a seed's file, as its author sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The line itself, before placeholders were filled in.
    pub text: String,
}

/// Something wrong in a file, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct SeedProblem {
    /// The file, as the stack names it.
    pub path: String,
    /// Where in the file, when it is at one place.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do, empty when the message says it.
    pub remedy: String,
}

impl fmt::Display for SeedProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.path)?;
        if let Some(place) = &self.place {
            write!(out, ":{}:{}", place.line, place.column)?;
        }
        // A message quotes the file, where a name may have no end.
        let shown: String = self.message.chars().take(1000).collect();
        write!(out, ": {shown}")?;
        if !self.remedy.is_empty() {
            write!(out, "; {}", self.remedy)?;
        }
        if let Some(place) = &self.place {
            let shown: String = place.text.chars().take(160).collect();
            write!(out, "\n  {} | {shown}", place.line)?;
        }
        Ok(())
    }
}

/// Who has the lock that a seed waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The server's number for the session.
    pub session: u64,
    /// What the session calls itself: `application_name`, or user and host.
    pub name: String,
    /// Since when, in words, as the server tells it.
    pub since: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "session {} ({}), {}", self.session, self.name, self.since)
    }
}

/// Why a seed stopped.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The files can't be run as they are.
    #[error("{}", list(.0))]
    Files(Vec<SeedProblem>),

    /// A file is not the one that was planned.
    #[error("{path} has changed since the plan was made; plan again, then apply")]
    ChangedSincePlan {
        /// The file.
        path: String,
    },

    /// `append` would double rows.
    #[error(
        "{path} is loaded with `mode: append`, which would add its rows once more; it runs once \
         only (`run: once`), and `mode: upsert` or `mode: replace` may run again"
    )]
    AppendNeedsOnce {
        /// The file.
        path: String,
    },

    /// No connection, and nothing was done.
    #[error("cannot connect to {server}: {reason}")]
    Connect {
        /// Host, port and database.
        server: String,
        /// What went wrong.
        reason: String,
    },

    /// Plaintext to somewhere that isn't this machine.
    #[error(
        "refusing to send a password to {host} without TLS; `tls: off` is for a server on this \
         machine only, so leave it out"
    )]
    Plaintext {
        /// The host.
        host: String,
    },

    /// The certificates to trust can't be read.
    #[error("the CA certificates in {path} cannot be used: {reason}")]
    Ca {
        /// The file.
        path: String,
        /// What went wrong.
        reason: String,
    },

    /// Somebody else is seeding, for too long.
    #[error(
        "gave up waiting for the lock of {seed} after {seconds} s; it is held by {}; \
         wait for it to end, or end that session on the server",
        .holder.as_ref().map_or("a session that this user may not see".to_owned(), Holder::to_string)
    )]
    Locked {
        /// `stack/seed`.
        seed: String,
        /// How long was waited.
        seconds: u64,
        /// Who has it.
        holder: Option<Holder>,
    },

    /// A person has to say what to do. Nothing was run.
    #[error("{}", ask(.0))]
    NeedsDecision(Vec<Undecided>),

    /// The server refused a statement or a row. Says what is left behind.
    #[error("{problem}\n{after}")]
    Refused {
        /// Where and why.
        problem: Box<SeedProblem>,
        /// What the failure left in the database.
        after: String,
    },

    /// The connection broke while a file ran.
    #[error("{path}: the connection was lost ({reason}); {after}")]
    Lost {
        /// The file.
        path: String,
        /// What the network said.
        reason: String,
        /// What is left behind, and what to do.
        after: String,
    },

    /// The ledger can't be read or written.
    #[error("the seed ledger lagoa_seeds cannot be used: {reason}")]
    Ledger {
        /// What went wrong, and what to do.
        reason: String,
    },
}

/// A file that waits for `--seed-rerun` or `--seed-accept`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The seed it belongs to.
    pub seed: String,
    /// The file.
    pub path: String,
    /// Why lagoa doesn't decide by itself.
    pub why: Why,
}

/// Why a file needs a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is `once`, it ran, and it was edited after.
    EditedAfterOnce {
        /// When it ran.
        at: Timestamp,
        /// What running it again would destroy.
        destroys: Vec<String>,
    },
    /// It was interrupted inside a statement whose fate can't be told.
    InDoubt {
        /// The line of the statement.
        line: usize,
        /// What sort of statement.
        class: String,
        /// When it ran.
        at: Timestamp,
    },
    /// It was interrupted between statements, and what had already run was edited after.
    EditedHalfway {
        /// How many statements had run.
        done: usize,
        /// When they ran.
        at: Timestamp,
    },
}

impl fmt::Display for Undecided {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, path, why } = self;
        match why {
            Why::EditedAfterOnce { at, destroys } => {
                write!(out, "{path} was edited after it ran on {at}, and it runs once")?;
                if !destroys.is_empty() {
                    write!(out, " (running it again would {})", destroys.join(", "))?;
                }
                write!(
                    out,
                    "; `--seed-rerun {seed}` runs it again, `--seed-accept {seed}` records it as it is now without running it"
                )
            }
            Why::InDoubt { line, class, at } => write!(
                out,
                "{path}:{line}: a run on {at} was cut off inside this {class} statement, and it cannot be \
                 told whether it was applied; look, then `--seed-rerun {seed}` runs it again and \
                 `--seed-accept {seed}` goes on after it"
            ),
            Why::EditedHalfway { done, at } => write!(
                out,
                "{path}: a run on {at} was cut off after {done} statements, and those have been edited \
                 since; `--seed-rerun {seed}` runs the whole file, `--seed-accept {seed}` goes on \
                 after statement {done}"
            ),
        }
    }
}

fn list(problems: &[SeedProblem]) -> String {
    let lines: Vec<String> = problems.iter().map(SeedProblem::to_string).collect();
    lines.join("\n")
}

fn ask(undecided: &[Undecided]) -> String {
    let lines: Vec<String> = undecided.iter().map(Undecided::to_string).collect();
    lines.join("\n")
}
