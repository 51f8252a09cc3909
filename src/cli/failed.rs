//! Why a command ends without having done its work.

use crate::aws::{Error, Unconnected};
use crate::diagnostic::Problem;
use crate::live::ReadError;
use crate::plan::Unread;
use crate::report::problems;
use crate::report::style::Style;
use crate::report::summary::permission;
use crate::sandbox::SandboxError;

/// Why a command ends without having done its work; everything that is wrong at once.
#[derive(Debug)]
pub struct Failed(pub Vec<Problem>);

impl Failed {
    /// One sentence.
    pub fn saying(message: impl Into<String>) -> Self {
        Self(vec![Problem::error(message)])
    }

    /// A sentence and what to do about it.
    pub fn helping(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self(vec![Problem::error(message).help(help)])
    }

    /// As text for the terminal.
    pub fn render(&self, style: Style) -> String {
        match self.0.as_slice() {
            // Nobody needs to be told that one is one.
            [one] if one.place.is_none() => problems::sentence(one, style),
            all => problems::render(all, style.colour),
        }
    }
}

impl From<Vec<Problem>> for Failed {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<SandboxError> for Failed {
    fn from(error: SandboxError) -> Self {
        Self::saying(error.to_string())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let help = error.hint.clone().or_else(|| permission(&error.code));
        said(words(&error), help)
    }
}

impl From<Unconnected> for Failed {
    fn from(unconnected: Unconnected) -> Self {
        match unconnected {
            Unconnected::Nobody(error) | Unconnected::Refused(error) => error.into(),
        }
    }
}

impl From<ReadError> for Failed {
    fn from(ReadError { kind, error }: ReadError) -> Self {
        let help = error.hint.clone().or_else(|| permission(&error.code));
        said(format!("{kind} cannot be read: {}", words(&error)), help)
    }
}

impl From<&[Unread]> for Failed {
    fn from(unread: &[Unread]) -> Self {
        let problems = unread.iter().map(|Unread { kinds, reason, remedy }| {
            let problem = Problem::error(format!("{} cannot be read: {reason}", kinds.join(", ")));
            problem.help(match remedy {
                Some(remedy) => format!("{remedy}; the next run goes on from here"),
                None => "try again later; the next run goes on from here".to_owned(),
            })
        });
        Self(problems.collect())
    }
}

fn said(message: String, help: Option<String>) -> Failed {
    let problem = Problem::error(message);
    Failed(vec![match help {
        Some(help) => problem.help(help),
        None => problem,
    }])
}

fn words(error: &Error) -> String {
    match &error.request_id {
        Some(id) => format!("{error} (request id {id})"),
        None => error.to_string(),
    }
}
