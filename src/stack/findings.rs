//! What is told of a stack that has no mistakes: what its kinds warn of, and what the security
//! checks find that the stack doesn't take as it is.

use std::collections::BTreeSet;

use super::scope::{Findings, Scope};
use super::{Resource, place_of};
use crate::checks::{self, Check, SETTLED, Subject};
use crate::diagnostic::{Place, Problem};
use crate::document::{Named, ResourceEntry};
use crate::kind::Neighbours;

/// A check that a stack doesn't want to hear of for a resource.
#[derive(Clone)]
pub struct Skip {
    /// Which.
    pub check: &'static Check,
    /// Why.
    pub reason: String,
    /// Where it is written.
    pub place: Place,
}

/// Something that a check found.
#[derive(Clone)]
pub struct Finding {
    /// Which check.
    pub check: &'static Check,
    /// Key of the resource.
    pub key: String,
    /// Its kind.
    pub kind: &'static str,
    /// Path of the field that it is about.
    pub field: String,
    /// What is wrong, without a full stop.
    pub message: String,
    /// Where the field stands, or the nearest thing around it.
    pub place: Place,
    /// Why the stack takes it as it is.
    pub skipped: Option<String>,
}

/// The checks that an entry skips; what is wrong with saying so is told.
pub(super) fn skips(
    entry: &ResourceEntry,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> Vec<Skip> {
    let mut skips = Vec::new();
    for (id, node) in &entry.skip_checks {
        let reason = node.text().map(|text| scope.text(text, &node.place, findings));
        let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) else {
            let problem = Problem::error(format!("`{}` is skipped without a reason", id.text));
            findings.problem(problem.at(&id.place).help("write why it may be as it is"));
            continue;
        };
        match checks::find(&id.text) {
            Some(check) => skips.push(Skip { check, reason, place: id.place.clone() }),
            None => findings.problem(no_such_check(id)),
        }
    }
    skips
}

fn no_such_check(id: &Named) -> Problem {
    let problem = Problem::error(format!("there is no check `{}`", id.text)).at(&id.place);
    if let Some(settled) = SETTLED.iter().find(|one| one.id == id.text) {
        return problem.help(format!("it needs none: {}", settled.why));
    }
    let problem = problem.help("`lagoa show checks` lists them");
    problem.did_you_mean(&id.text, checks::all().map(|check| check.id))
}

/// Everything that the checks find, the worst first, and warnings of what is skipped in vain.
pub(super) fn judge(resources: &[Resource], warnings: &mut Vec<Problem>) -> Vec<Finding> {
    let among = neighbours(resources);
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for resource in resources {
        let (key, kind) = (resource.key.as_str(), resource.kind.facts().name);
        let (fields, written) = (&resource.fields, &resource.written);
        let subject = Subject { key, kind, fields, written, among: &among };
        for checks::Found { check, spot } in checks::run(&subject) {
            let skip = resource.skips.iter().find(|skip| skip.check.id == check.id);
            used.extend(skip.map(|skip| skip.place.range.start));
            found.push(Finding {
                check,
                key: resource.key.clone(),
                kind,
                place: place_of(&spot.field, &resource.places, &resource.place).clone(),
                field: spot.field,
                message: spot.message,
                skipped: skip.map(|skip| skip.reason.clone()),
            });
        }
    }
    // Several resources may come of one entry, and one of them is enough.
    let vain = resources.iter().flat_map(|resource| &resource.skips);
    for skip in vain.filter(|skip| used.insert(skip.place.range.start)) {
        let message = format!("{} finds nothing here to skip", skip.check.id);
        warnings.push(Problem::warning(message).at(&skip.place).help("take it out"));
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.check.severity));
    found
}

fn neighbours(resources: &[Resource]) -> Neighbours<'_> {
    let all = resources.iter();
    let all = all.map(|one| (one.key.as_str(), one.kind.facts().name, &one.fields)).collect();
    Neighbours { all }
}

/// What the kinds have to say about each resource among the others.
pub(super) fn warnings(resources: &[Resource]) -> Vec<Problem> {
    let among = neighbours(resources);
    let of = |resource: &Resource| -> Vec<Problem> {
        let found = resource.kind.warn(&resource.fields, &among).into_iter();
        let placed = |(path, message): (String, String)| {
            Problem::warning(message).at(place_of(&path, &resource.places, &resource.place))
        };
        found.map(placed).collect()
    };
    resources.iter().flat_map(of).collect()
}
