//! In which form a command tells what it found.

use clap::ValueEnum;

use crate::github::environment::in_actions;

/// In which form a command tells what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people
    Text,
    /// One JSON object, as with --json
    Json,
    /// Text, and annotations, summary, outputs and comment for GitHub Actions
    Github,
}

impl Output {
    /// The form that was asked for; in GitHub Actions its own when none was.
    pub fn chosen(asked: Option<Self>, json: bool) -> Self {
        match asked {
            Some(output) => output,
            None if json => Self::Json,
            None if in_actions() => Self::Github,
            None => Self::Text,
        }
    }
}

/// In which form mistakes in stack files are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Told {
    /// Text for people
    Text,
    /// Text, and annotations for GitHub Actions
    Github,
}

impl Told {
    /// The form that was asked for; in GitHub Actions its own when none was.
    /// What is for a machine is left alone.
    pub fn chosen(asked: Option<Self>, json: bool) -> Self {
        let own = if in_actions() && !json { Self::Github } else { Self::Text };
        asked.unwrap_or(own)
    }
}
