//! What guardrails say to a plan, as text.

use super::style::{Ink, Style, counted, harmless};
use crate::diagnostic::Problem;
use crate::guardrails::{Rule, Verdict};

/// How many of them forbid the plan.
pub fn denials(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|one| one.rule == Rule::Deny).count()
}

/// Every verdict with the rule that gave it; empty when there is none.
pub fn render(verdicts: &[Verdict], style: Style) -> String {
    let mut text = String::new();
    for one in verdicts {
        let (ink, word) = match one.rule {
            Rule::Deny => (Ink::Bad, "denied:"),
            Rule::Warn => (Ink::Warn, "warning:"),
        };
        text.push_str(&format!("\n{} {}", style.paint(ink, word), harmless(&one.message)));
        let about = [one.resource.as_ref(), one.severity.as_ref()];
        let about: Vec<String> = about.into_iter().flatten().map(|word| harmless(word)).collect();
        if !about.is_empty() {
            text.push_str(&format!(" ({})", about.join(", ")));
        }
        let line = one.line.map_or_else(String::new, |line| format!(":{line}"));
        text.push_str(&format!("\n  {}{line}: {}\n", harmless(&one.file), one.rule.word()));
    }
    text
}

/// Every verdict as a problem.
pub fn problems(verdicts: &[Verdict]) -> Vec<Problem> {
    let problem = |one: &Verdict| {
        let what = one.resource.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let message = format!("{what}{} ({})", one.message, one.file);
        match one.rule {
            Rule::Deny => Problem::error(message),
            Rule::Warn => Problem::warning(message),
        }
    };
    verdicts.iter().map(problem).collect()
}

/// That the plan may not be carried out; empty when it may.
pub fn conclusion(verdicts: &[Verdict], style: Style) -> String {
    match denials(verdicts) {
        0 => String::new(),
        number => {
            let words = counted(number, "denial");
            let what = format!("the guardrails forbid this plan: {words}");
            format!("{} {what}\n", style.paint(Ink::Bad, "error:"))
        }
    }
}
