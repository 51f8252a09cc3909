//! Resource entries become resources: `when` leaves some out, `for_each` repeats some.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::network::{self, Parts};
use super::scope::{Findings, Room, Scope};
use crate::diagnostic::{Place, Problem};
use crate::document::{Document, Node, ResourceEntry, Yaml};
use crate::kind::AnyKind;
use crate::kinds;
use crate::reference::{is_marked, shown};

/// One resource before its fields are looked at.
pub(super) struct Instance<'a> {
    pub key: String,
    pub entry: Cow<'a, ResourceEntry>,
    pub kind: &'static dyn AnyKind,
    pub each: Option<(String, Node)>,
    /// The key could be filled in.
    pub named: bool,
}

/// What a document declares.
#[derive(Default)]
pub(super) struct Declared<'a> {
    /// All resources.
    pub instances: Vec<Instance<'a>>,
    /// The networks, whose parts are among the resources.
    pub networks: BTreeMap<String, Parts>,
    /// The keys that `when` leaves out.
    pub left_out: Vec<String>,
    /// Where each key stands first.
    first: BTreeMap<String, Place>,
}

impl<'a> Declared<'a> {
    fn add(&mut self, instance: Instance<'a>, problems: &mut Vec<Problem>) {
        let place = &instance.entry.key.place;
        if let Some(other) = self.first.get(&instance.key) {
            if instance.named {
                problems.push(twice(&instance.key, place, other));
            }
            return;
        }
        self.first.insert(instance.key.clone(), place.clone());
        self.instances.push(instance);
    }

    /// The resources that a network stands for, in its place.
    fn add_network(
        &mut self,
        network: Instance<'a>,
        scope: &Scope<'_>,
        root: &Path,
        problems: &mut Vec<Problem>,
    ) {
        let Some((parts, entries)) = network::expand(&network, scope, root, problems) else {
            return;
        };
        if let Some(other) = self.first.get(&network.key) {
            problems.push(twice(&network.key, &network.entry.key.place, other));
        }
        for entry in entries {
            let Some(kind) = kind(&entry, problems) else { continue };
            let (each, named) = (network.each.clone(), network.named);
            let key = entry.key.text.clone();
            self.add(Instance { key, entry: Cow::Owned(entry), kind, each, named }, problems);
        }
        self.networks.insert(network.key, parts);
    }
}

/// Everything that the document declares.
pub(super) fn instances<'a>(
    document: &'a Document,
    scope: &Scope<'_>,
    root: &Path,
    problems: &mut Vec<Problem>,
) -> Declared<'a> {
    let mut declared = Declared::default();
    for (_, entry) in &document.resources {
        let Some(kind) = kind(entry, problems) else { continue };
        let size = entry.body.iter().map(|(_, node)| Room::of(node)).sum();
        for each in rounds(entry, scope, problems) {
            if each.is_some() && !scope.room.take(size) {
                problems.push(Room::none(&entry.key.place));
                break;
            }
            let mut findings = Findings::default();
            let scope = Scope { each: each.as_ref(), ..*scope };
            let key = scope.text(&entry.key.text, &entry.key.place, &mut findings);
            let stays = entry.when.as_ref().is_none_or(|when| truth(when, &scope, &mut findings));
            let named = findings.holes == 0;
            problems.append(&mut findings.problems);
            if !stays {
                declared.left_out.push(key);
                continue;
            }
            let each = each.clone();
            let one = Instance { key, entry: Cow::Borrowed(entry), kind, each, named };
            if kinds::find(kind.facts().name).is_some() {
                declared.add(one, problems);
            } else {
                declared.add_network(one, &scope, root, problems);
            }
        }
    }
    declared
}

fn twice(key: &str, place: &Place, other: &Place) -> Problem {
    let problem = Problem::error(format!("there are two resources `{key}`")).at(place);
    if place.range == other.range {
        return problem.help("with `for_each` the key must hold `${each.key}`");
    }
    problem.note(other, "the other one is here")
}

fn kind(entry: &ResourceEntry, problems: &mut Vec<Problem>) -> Option<&'static dyn AnyKind> {
    let named = entry.kind.as_ref()?;
    let written = kinds::written();
    let kind = written.iter().copied().find(|kind| kind.facts().name == named.text);
    if kind.is_none() {
        let names = written.iter().map(|kind| kind.facts().name);
        let problem = Problem::error(format!("there is no kind `{}`", named.text)).at(&named.place);
        let problem = problem.help("`lagoa show kinds` lists them");
        problems.push(problem.did_you_mean(&named.text, names));
    }
    kind
}

/// One round without `for_each`; with it, one for each item of a list or entry of a mapping.
fn rounds(
    entry: &ResourceEntry,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Option<(String, Node)>> {
    let Some(node) = &entry.for_each else { return vec![None] };
    let mut findings = Findings::default();
    let meant = scope.node(node);
    let rounds = match &meant.value {
        Yaml::Mapping(entries) => {
            entries.iter().map(|(key, node)| Some((key.text.clone(), node.clone()))).collect()
        }
        Yaml::Sequence(items) => items
            .iter()
            .filter_map(|item| match item.text() {
                Some(text) => {
                    Some(Some((scope.text(text, &item.place, &mut findings), item.clone())))
                }
                None => {
                    let message = format!(
                        "this is {}, but `for_each` takes single values or a mapping",
                        item.shape()
                    );
                    findings.problem(Problem::error(message).at(&item.place));
                    None
                }
            })
            .collect(),
        Yaml::Scalar(scalar) => {
            let text = scope.text(&scalar.text, &node.place, &mut findings);
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            items.map(|item| Some((item.to_owned(), one(item, meant)))).collect()
        }
        Yaml::Null => Vec::new(),
    };
    problems.append(&mut findings.problems);
    rounds
}

fn one(text: &str, list: &Node) -> Node {
    let scalar = crate::document::Scalar { text: text.to_owned(), plain: true };
    Node { value: Yaml::Scalar(scalar), place: list.place.clone() }
}

/// `true`, `false`, or a comparison: `${var.env} == prod`.
fn truth(node: &Node, scope: &Scope<'_>, findings: &mut Findings) -> bool {
    let text = node.text().unwrap_or_default();
    let text = scope.text(text, &node.place, findings);
    if is_marked(&text) {
        let message = format!("`{}` can't be decided before AWS is asked", shown(&text));
        let problem = Problem::error(message).at(&node.place);
        findings.problem(
            problem.help(
                "compare what is known by then: `${var.NAME}`, `${stack.name}`, `${env.NAME}`",
            ),
        );
        return true;
    }
    let compared = [("==", true), ("!=", false)].into_iter().find_map(|(sign, equal)| {
        let (left, right) = text.split_once(sign)?;
        Some((left.trim() == right.trim()) == equal)
    });
    match (compared, text.as_str()) {
        (Some(truth), _) => truth,
        (None, "true") => true,
        (None, "false") => false,
        _ => {
            let problem =
                Problem::error(format!("`{text}` is neither true nor false")).at(&node.place);
            findings.problem(
                problem.help("write true, false, or a comparison such as `${var.env} == prod`"),
            );
            true
        }
    }
}

/// A flag beside the fields: `protect`, `adopt`.
pub(super) fn flag(node: Option<&Node>, scope: &Scope<'_>, findings: &mut Findings) -> bool {
    node.is_some_and(|node| truth(node, scope, findings))
}
