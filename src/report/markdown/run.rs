//! How a command that changes AWS ended, or why it did nothing, for the page of the run.

use super::super::progress::deed;
use super::super::style::{Style, counted};
use super::super::summary::{Ended, Ending, Summary, count};
use super::text::{code, link, plain};
use super::{Links, fitted, outputs, problems};
use crate::diagnostic::{Problem, Severity};

/// Bytes kept for what stands around the lists.
const RESERVE: usize = 1_000;

/// What is to be told.
pub struct RunPage<'a> {
    /// The command: `apply`.
    pub command: &'a str,
    /// The stack's name, when the file tells it.
    pub stack: Option<&'a str>,
    /// The stack file, as the person named it.
    pub file: &'a str,
    /// Account and region, when it came that far.
    pub site: Option<(&'a str, &'a str)>,
    /// How the steps ended, and after which time; without it the problems say why there was none.
    pub ended: Option<(&'a Summary, &'a str)>,
    /// What went wrong, or is worth knowing.
    pub problems: &'a [Problem],
    /// Where more is to be seen.
    pub links: Links,
}

impl RunPage<'_> {
    /// The page in at most `limit` bytes.
    pub fn render(&self, limit: usize) -> String {
        let mut page = self.head();
        if !self.problems.is_empty() {
            page.push_str(&problems::section(self.problems, &self.links, limit / 4));
        }
        let Some((summary, _)) = self.ended else { return page };
        for group in [Group::Unfinished, Group::NotStarted, Group::Done] {
            let room = limit.saturating_sub(page.len() + RESERVE);
            page.push_str(&group.list(&summary.steps, room));
        }
        let outputs = outputs(summary.outputs.iter().map(|(name, value)| (name, value)));
        if page.len() + outputs.len() <= limit {
            page.push_str(&outputs);
        }
        page
    }

    /// The headline, and the line below it.
    fn head(&self) -> String {
        let stack = code(self.stack.unwrap_or(self.file));
        let (sign, words) = match self.ended {
            None => {
                let errors = self.problems.iter().filter(|one| one.severity == Severity::Error);
                ("🛑", format!("Not done: {}.", counted(errors.count(), "error")))
            }
            Some((summary, _)) if summary.steps.is_empty() => {
                ("✅", "There was nothing to do.".to_owned())
            }
            Some((summary, elapsed)) => {
                let sign = if summary.is_complete() { "✅" } else { "🛑" };
                (sign, plain(count(summary, elapsed, Style::PLAIN).trim_end()))
            }
        };
        let mut facts = Vec::new();
        if let Some((account, region)) = self.site {
            facts.extend([format!("account {}", plain(account)), plain(region)]);
        }
        facts.push(match self.links.page(self.file) {
            Some(page) => link(page, &code(self.file)),
            None => code(self.file),
        });
        if let Some(commit) = &self.links.commit {
            facts.push(plain(commit.get(..10).unwrap_or(commit)));
        }
        if let Some(run) = &self.links.run {
            facts.push(link(run, "run"));
        }
        let command = code(&format!("lagoa {}", self.command));
        format!(
            "<h3>{sign} {command} {stack}</h3>\n\n<p><b>{words}</b></p>\n\n<p>{}</p>\n\n",
            facts.join(" · ")
        )
    }
}

/// Steps that ended alike. Those that failed are among the problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Unfinished,
    NotStarted,
    Done,
}

impl Group {
    /// The group of a step, and what there is to say of it.
    fn of(step: &Ended) -> Option<(Self, String)> {
        Some(match &step.ending {
            Ending::Done => (Self::Done, deed(step.action).to_owned()),
            Ending::Failed(_) => return None,
            Ending::Unfinished(why) => (Self::Unfinished, why.clone()),
            Ending::Unread => (Self::NotStarted, "can't be read now".to_owned()),
            Ending::NotStarted(causes) if causes.is_empty() => {
                (Self::NotStarted, "the run was stopped".to_owned())
            }
            Ending::NotStarted(causes) => {
                (Self::NotStarted, format!("needs {}", causes.join(", ")))
            }
        })
    }

    /// Its steps, folded; as many as fit.
    fn list(self, steps: &[Ended], room: usize) -> String {
        let items: Vec<String> = steps
            .iter()
            .filter_map(|step| {
                let (_, words) = Self::of(step).filter(|(group, _)| *group == self)?;
                let (kind, key) = (code(step.kind), plain(&step.key));
                Some(format!("<li>{kind} <b>{key}</b>: {}</li>\n", plain(&words)))
            })
            .collect();
        if items.is_empty() {
            return String::new();
        }
        let number = counted(items.len(), "step");
        let (open, title) = match self {
            Self::Unfinished => (" open", "begun, not finished"),
            Self::NotStarted => (" open", "not started"),
            Self::Done => ("", "done"),
        };
        let (items, left) = fitted(items.into_iter(), room);
        let more = if left > 0 { format!("<li>and {left} more</li>\n") } else { String::new() };
        format!(
            "<details{open}>\n<summary>{number} {title}</summary>\n<ul>\n{items}{more}</ul>\n\
             </details>\n\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::summary::Trouble;
    use super::*;
    use crate::plan::Action;
    use serde_json::json;

    fn step(key: &str, ending: Ending) -> Ended {
        Ended {
            key: key.into(),
            kind: "s3_bucket",
            name: key.into(),
            action: Action::Create,
            place: None,
            ending,
        }
    }

    fn page(summary: &Summary, limit: usize) -> String {
        let problems = [Problem::error("s3_bucket bad could not be created: @team said no")];
        let page = RunPage {
            command: "apply",
            stack: Some("shop"),
            file: "shop.yaml",
            site: Some(("123456789012", "us-east-1")),
            ended: Some((summary, "3.6 s")),
            problems: if summary.is_complete() { &[] } else { &problems },
            links: Links::default(),
        };
        page.render(limit)
    }

    #[test]
    fn a_run_tells_how_every_step_ended() {
        let failed = Ending::Failed(Trouble::default());
        let steps = vec![
            step("raw", Ending::Done),
            step("bad", failed),
            step("<late>", Ending::NotStarted(vec!["bad".into()])),
        ];
        let outputs = vec![("bucket".to_owned(), json!("raw-1"))];
        let mut summary = Summary { steps, interrupted: false, outputs };
        let text = page(&summary, 60_000);
        for part in [
            "🛑 <code>lagoa apply</code> <code>shop</code>",
            "1 step done, 1 failed, 1 not started in 3.6 s.",
            "@\u{200b}team said no",
            "<summary>1 step not started</summary>",
            "<b>&#60;late&#62;</b>: needs bad",
            "<b>raw</b>: created",
            "bucket: raw-1",
        ] {
            let part = part.replace('@', "&#64;");
            assert!(text.contains(&part), "{part} is not in {text}");
        }
        summary.steps.truncate(1);
        assert!(page(&summary, 60_000).contains("✅"));
        summary.steps.clear();
        assert!(page(&summary, 60_000).contains("There was nothing to do."));
    }

    #[test]
    fn a_run_of_many_steps_stays_within_the_limit() {
        let steps = (0..5_000).map(|n| step(&format!("bucket-{n}"), Ending::Done)).collect();
        let summary = Summary { steps, interrupted: false, outputs: Vec::new() };
        let text = page(&summary, 60_000);
        assert!(text.len() <= 60_000, "{}", text.len());
        assert!(
            text.contains("5000 steps done") && text.ends_with("more</li>\n</ul>\n</details>\n\n")
        );
    }
}
