//! How commands show what the security checks found, and when that fails them.

use clap::{Args, ValueEnum};

use crate::checks::Severity;
use crate::report::findings::{Finding, Shown};
use crate::report::style::counted;
use crate::report::terminal::Terminal;

/// What to do about findings of the security checks.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Security checks")]
pub struct FindingArguments {
    /// Exit with 3 when a finding that isn't suppressed is this bad, or worse
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Level>,
    /// Show findings of low severity too, instead of counting them
    #[arg(long)]
    all: bool,
    /// Show findings too that the stack suppresses with `skip_checks`
    #[arg(long)]
    show_suppressed: bool,
}

/// A severity on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    Low,
    Medium,
    High,
    Critical,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Self::Low,
            Level::Medium => Self::Medium,
            Level::High => Self::High,
            Level::Critical => Self::Critical,
        }
    }
}

impl FindingArguments {
    /// Which findings are shown.
    pub fn shown(&self) -> Shown {
        Shown { all: self.all, suppressed: self.show_suppressed }
    }

    /// Whether findings are as bad as the person said; says so.
    pub fn fail(&self, findings: &[Finding], terminal: Terminal) -> bool {
        let Some(level) = self.fail_on.map(Severity::from) else { return false };
        let bad = findings.iter().filter(|one| !one.suppressed && one.severity >= level).count();
        if bad == 0 {
            return false;
        }
        let or_worse = if level == Severity::Critical { "" } else { " or worse" };
        let verb = if bad == 1 { "is" } else { "are" };
        let what = counted(bad, "finding");
        terminal
            .err(&format!("error: {what} {verb} {level}{or_worse}, and --fail-on says {level}\n"));
        true
    }
}
