//! What GitHub shows beside the lines of the stack's own files.

use super::problems::sorted;
use super::view::{Deed, Entry, View};
use crate::diagnostic::{Place, Problem, Severity};
use crate::github::commands::{Annotation, Level, Spot};
use crate::stack::Stack;

/// GitHub shows so many of a step's errors, and so many warnings.
const SHOWN: usize = 10;
/// Characters of a message.
const WIDTH: usize = 2_000;

/// The annotations that GitHub shows, the worst first. `file` gives the path of a file from the
/// root of the repository, by the name that the person gave it.
pub fn worst(
    problems: &[Problem],
    title: &str,
    file: impl Fn(&str) -> Option<String>,
) -> Vec<Annotation> {
    let all = sorted(problems);
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
/// and what takes data away.
pub fn of_plan(view: &View, stack: &Stack) -> Vec<Problem> {
    view.resources.iter().filter_map(|entry| of_entry(entry, stack)).collect()
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
        // A file outside of the repository can't be pointed at.
        assert!(worst(&problems, "t", |_| None)[0].spot.is_none());
    }
}
