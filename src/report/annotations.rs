//! What GitHub shows beside the lines of the stack's own files.

use std::collections::BTreeSet;

use super::summary::{Ended, Ending, Summary, verb};
use super::view::{Deed, Entry, View};
use crate::diagnostic::{Place, Problem, Severity};
use crate::github::commands::{Annotation, Level, Spot};
use crate::reference::shown;
use crate::stack::Stack;

/// GitHub shows so many of a step's errors, and so many warnings.
const SHOWN: usize = 10;
/// Characters of a message.
const WIDTH: usize = 2_000;

/// The annotations that GitHub shows: errors, then warnings, each in the order that they come in,
/// which is the worst first, and each once. `file` gives the path of a file from the root of the
/// repository, by the name that the person gave it.
pub fn worst(
    problems: &[Problem],
    title: &str,
    file: impl Fn(&str) -> Option<String>,
) -> Vec<Annotation> {
    // An alias in the stack shows one mistake many times.
    let mut seen = BTreeSet::new();
    let mut fresh = |problem: &&Problem| {
        let place = problem.place.as_ref();
        let place = place.map(|place| (place.source.name.clone(), place.range.start));
        seen.insert((place, problem.message.clone()))
    };
    let all: Vec<&Problem> = problems.iter().filter(|problem| fresh(problem)).collect();
    let of = |severity: Severity| {
        let some = all.iter().filter(move |problem| problem.severity == severity);
        some.take(SHOWN)
    };
    of(Severity::Error)
        .chain(of(Severity::Warning))
        .map(|problem| annotation(problem, title, &file))
        .collect()
}

fn annotation(
    problem: &Problem,
    title: &str,
    file: &impl Fn(&str) -> Option<String>,
) -> Annotation {
    let mut message = problem.message.clone();
    for (before, more) in [("\n", &problem.label), ("\nhelp: ", &problem.help)] {
        if let Some(more) = more {
            message.push_str(before);
            message.push_str(more);
        }
    }
    Annotation {
        level: match problem.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        },
        title: title.to_owned(),
        message: super::value::clipped(&message, WIDTH),
        spot: problem.place.as_ref().and_then(|place| spot(place, file)),
    }
}

fn spot(place: &Place, file: &impl Fn(&str) -> Option<String>) -> Option<Spot> {
    let (line, column) = place.line_column();
    let end = Place::new(&place.source, place.range.end..place.range.end);
    let (end_line, end_column) = end.line_column();
    Some(Spot { file: file(&place.source.name)?, line, column, end_line, end_column })
}

/// What a plan would do that a reviewer should see beside the stack's own lines: what is blocked,
/// what takes data away, and what else is replaced.
pub fn of_plan(view: &View, stack: &Stack) -> Vec<Problem> {
    let mut entries: Vec<&Entry> = view.resources.iter().collect();
    entries.sort_by_key(|entry| entry.data.is_none());
    entries.into_iter().filter_map(|entry| of_entry(entry, stack)).collect()
}

/// What went wrong in a run, beside the lines of the resources.
pub fn of_run(summary: &Summary, stack: &Stack) -> Vec<Problem> {
    let problem = |step: &Ended| {
        let (kind, key) = (step.kind, &step.key);
        let problem = match &step.ending {
            Ending::Failed(trouble) => {
                let mut words = trouble.words();
                if let Some(id) = &trouble.request_id {
                    words.push_str(&format!(" (request id {id})"));
                }
                let verb = verb(step.action, trouble);
                let mut problem = Problem::error(format!("{kind} {key} {verb}: {words}"));
                problem.help.clone_from(&trouble.help);
                problem
            }
            Ending::Unfinished(why) => {
                Problem::warning(format!("{kind} {key} is begun, not finished: {why}"))
            }
            Ending::Done | Ending::Unread | Ending::NotStarted(_) => return None,
        };
        // What left the stack has no line in it.
        let known = stack.resources.iter().find(|one| shown(&one.key) == *key);
        Some(match known.filter(|_| step.place.is_some()) {
            Some(resource) => problem.at(&resource.place),
            None => problem,
        })
    };
    summary.steps.iter().filter_map(problem).collect()
}

fn of_entry(entry: &Entry, stack: &Stack) -> Option<Problem> {
    let (kind, key) = (entry.kind, &entry.key);
    let resource = stack.resource(key).filter(|_| !entry.orphan);
    let problem = match (&entry.blocked, entry.action, &entry.data) {
        (Some(blocked), _, _) => {
            Problem::error(format!("{kind} {key}: {}", blocked.reason)).help(blocked.remedy.clone())
        }
        (None, Deed::Delete, Some(data)) => {
            Problem::warning(format!("{kind} {key} would be deleted: {data}"))
        }
        (None, Deed::Replace, data) => {
            let why = entry.because.iter().chain(data).cloned().collect::<Vec<_>>().join("; ");
            Problem::warning(format!("{kind} {key} would be replaced: {why}"))
        }
        _ => return None,
    };
    // The field that forces it says more than the name of the resource.
    let forcing = entry.fields.iter().find(|field| field.forces_replacement);
    let field = forcing.and_then(|field| resource?.places.get(&field.path));
    let place = field.or(resource.map(|resource| &resource.place));
    Some(match place {
        Some(place) => problem.at(place),
        None => problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    #[test]
    fn ten_of_each_and_errors_first() {
        let source = Source::new("a.yaml", "x: 1\ny: 2\n");
        let place = Place::new(&source, 5..9);
        let many = (0..15).flat_map(|n| {
            let error = Problem::error(format!("e{n:02}")).at(&place).help("repair it");
            [Problem::warning(format!("w{n:02}")), error]
        });
        let problems: Vec<_> = many.collect();
        let all = worst(&problems, "t", |name| Some(format!("stacks/{name}")));
        assert_eq!(all.len(), 20);
        assert_eq!(
            all[0].line(),
            "::error file=stacks/a.yaml,line=2,endLine=2,col=1,endColumn=5,title=t::e00%0Ahelp: \
             repair it\n"
        );
        assert_eq!(all[10].line(), "::warning title=t::w00\n");
        // What is worse comes first, wherever it stands.
        let late = Problem::warning("data goes").at(&place);
        let early = Problem::warning("a finding").at(&Place::new(&source, 0..1));
        let both = worst(&[late.clone(), early, late], "t", |_| None);
        let told: Vec<&str> = both.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(told, ["data goes", "a finding"]);
        // A file outside of the repository can't be pointed at.
        assert!(worst(&problems, "t", |_| None)[0].spot.is_none());
    }
}
