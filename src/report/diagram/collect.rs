//! From a stack to its diagram: one thing for each resource, one line for each reference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::words::{CONTAINERS, DETAILS, Flow, group_of, meaning};
use super::{Area, Diagram, Edge, Nature, Node, Planned};
use crate::reference::{references, shown};
use crate::stack::{Resource, Stack};

/// All of a stack, and of what a plan takes away that is no longer in it.
pub fn collect(stack: &Stack, plan: Option<Planned>) -> Diagram {
    let mut areas = Areas::default();
    let statuses = plan.as_ref().map(Planned::statuses).unwrap_or_default();
    let inside = containers(stack);
    let mut nodes = Vec::new();
    let mut places = BTreeMap::new();
    // A box comes before what is in it.
    let is_box = |one: &Resource| CONTAINERS.contains(&one.kind.facts().name);
    for resource in stack.resources.iter().filter(|one| is_box(one)) {
        let area = areas.of(resource.kind.facts().name);
        let own = node(resource, area, &statuses);
        areas.container(&resource.key, own, area);
    }
    for resource in stack.resources.iter().filter(|one| !is_box(one)) {
        let container = inside.get(resource.key.as_str()).and_then(|key| areas.inner.get(*key));
        let area = match container {
            Some(area) => *area,
            None => areas.of(resource.kind.facts().name),
        };
        places.insert(resource.key.as_str(), nodes.len());
        nodes.push(node(resource, area, &statuses));
    }
    let edges = edges(stack, &places);
    for gone in plan.iter().flat_map(|plan| &plan.resources).filter(|one| one.orphan) {
        nodes.push(Node {
            keys: vec![gone.key.clone()],
            kind: gone.kind.clone(),
            detail: "no longer in the stack".to_owned(),
            area: areas.of(&gone.kind),
            status: Some(gone.status()),
        });
    }
    Diagram {
        stack: stack.name.clone(),
        region: stack.region.as_deref().map(shown),
        resources: stack.resources.len(),
        areas: areas.all,
        nodes,
        edges,
        plan,
    }
}

/// Keys of the stack that the plan doesn't know, and of the plan that the stack doesn't.
pub fn strangers(plan: &Planned, stack: &Stack) -> Vec<String> {
    let wanted: BTreeSet<String> = stack.resources.iter().map(|one| shown(&one.key)).collect();
    let planned = plan.resources.iter().filter(|one| !one.orphan).map(|one| one.key.clone());
    let planned: BTreeSet<String> = planned.chain(plan.unchanged.iter().cloned()).collect();
    wanted.symmetric_difference(&planned).cloned().collect()
}

fn node(resource: &Resource, area: usize, statuses: &BTreeMap<&str, super::Status>) -> Node {
    let key = shown(&resource.key);
    Node {
        status: statuses.get(key.as_str()).copied(),
        keys: vec![key],
        kind: resource.kind.facts().name.to_owned(),
        detail: detail(&resource.fields),
        area,
    }
}

/// What a reader wants to know of a resource beside its kind.
fn detail(fields: &Value) -> String {
    let words = DETAILS.iter().filter_map(|name| match &fields[*name] {
        Value::String(text) if !text.is_empty() => {
            let text = shown(text);
            Some(text.strip_suffix(".amazonaws.com").map(str::to_owned).unwrap_or(text))
        }
        _ => None,
    });
    words.take(2).collect::<Vec<_>>().join(" ")
}

/// The boxes that are in use.
#[derive(Default)]
struct Areas {
    all: Vec<Area>,
    outer: BTreeMap<String, usize>,
    inner: BTreeMap<String, usize>,
}

impl Areas {
    /// The box of a kind; one of a service that isn't known is called after the service.
    fn of(&mut self, kind: &str) -> usize {
        let (title, tint) = match group_of(kind) {
            Some(group) => (group.title.to_owned(), group.tint),
            None => (kind.split('_').next().unwrap_or(kind).to_uppercase(), "grey"),
        };
        *self.outer.entry(title.clone()).or_insert_with(|| {
            self.all.push(Area { title, tint, within: None, resource: None });
            self.all.len() - 1
        })
    }

    /// A resource that is a box.
    fn container(&mut self, key: &str, own: Node, within: usize) {
        let tint = self.all[within].tint;
        let area = Area { title: own.title(), tint, within: Some(within), resource: Some(own) };
        self.all.push(area);
        self.inner.insert(key.to_owned(), self.all.len() - 1);
    }
}

/// Which container each resource of its box lies in: the only one that it leads to.
fn containers(stack: &Stack) -> BTreeMap<&str, &str> {
    let kind = |key: &str| stack.resource(key).map(|one| one.kind.facts().name);
    let mut inside: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for resource in &stack.resources {
        if CONTAINERS.contains(&resource.kind.facts().name) {
            inside.insert(&resource.key, BTreeSet::from([resource.key.as_str()]));
        }
    }
    // One more step outwards until nothing is added; a chain is shorter than the stack.
    for _ in 0..stack.resources.len() {
        let before = inside.len();
        for resource in &stack.resources {
            if inside.contains_key(resource.key.as_str()) {
                continue;
            }
            let own = group_of(resource.kind.facts().name);
            let found = references(&resource.fields);
            let reached = found.iter().filter_map(|reference| {
                let same = kind(&reference.key).and_then(group_of) == own && own.is_some();
                inside.get(reference.key.as_str()).filter(|_| same).cloned()
            });
            let reached: BTreeSet<&str> = reached.flatten().collect();
            if !reached.is_empty() {
                inside.insert(&resource.key, reached);
            }
        }
        if inside.len() == before {
            break;
        }
    }
    let only = inside.into_iter().filter(|(_, all)| all.len() == 1);
    only.filter_map(|(key, all)| Some((key, all.first().copied()?))).collect()
}

/// A line for each reference and each `depends_on` between things.
fn edges(stack: &Stack, places: &BTreeMap<&str, usize>) -> Vec<Edge> {
    let mut edges = BTreeSet::new();
    for resource in &stack.resources {
        let Some(own) = places.get(resource.key.as_str()).copied() else { continue };
        let mut links = Vec::new();
        links_of(&resource.fields, "", &mut links);
        for (field, key) in links {
            let Some((other, what)) = places.get(key.as_str()).zip(stack.resource(&key)) else {
                continue;
            };
            let (who, what) = (resource.kind.facts().name, what.kind.facts().name);
            let rule = meaning(who, &field, what);
            let away = match rule.flow {
                Flow::To => true,
                Flow::From => false,
                Flow::ByType => resource.fields["type"] != "source",
            };
            let (from, to) = if away { (own, *other) } else { (*other, own) };
            if from != to {
                edges.insert(Edge { from, to, nature: rule.nature, field });
            }
        }
        for key in &resource.depends_on {
            if let Some(other) = places.get(key.as_str()) {
                let field = "depends_on".to_owned();
                edges.insert(Edge { from: *other, to: own, nature: Nature::Setting, field });
            }
        }
    }
    edges.into_iter().collect()
}

/// Each reference in the value with the path of the field that makes it, positions left out.
fn links_of(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    let named = |text: &str| {
        let found = references(&Value::String(text.to_owned())).into_iter();
        found.map(|reference| (path.to_owned(), reference.key)).collect::<Vec<_>>()
    };
    match value {
        Value::String(text) => out.extend(named(text)),
        Value::Array(items) => items.iter().for_each(|item| links_of(item, path, out)),
        // What a policy denies is no permission.
        Value::Object(statement) if statement.get("Effect").is_some_and(|it| it == "Deny") => {}
        Value::Object(members) => {
            for (name, member) in members {
                // The names of a map may be references themselves.
                out.extend(named(name));
                let deeper = match path {
                    "" => shown(name),
                    path => format!("{path}.{}", shown(name)),
                };
                links_of(member, &deeper, out);
            }
        }
        _ => {}
    }
}
