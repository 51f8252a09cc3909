//! What will be done, worked out from the stack and the live world alone: no client, no clock,
//! no terminal. The same input gives the same plan, byte for byte.

mod blocked;
mod follow;
mod ignored;
mod removal;
mod replacement;
mod unread;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::diff::{Change, diff};
use crate::graph::Graph;
use crate::kind::{AnyKind, Farewell, Live, Phase, Site};
use crate::live::World;
use crate::reference::{self, is_unknown};
use crate::stack::{Resource, Stack};
pub use blocked::{Blocked, Fate};
pub use ignored::ignoring;
pub use unread::{Unread, hidden};
pub use world::{Facts, answer, desired, facts};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Makes what isn't there.
    Create,
    /// Changes what is there.
    Update,
    /// Takes over what is there without our mark.
    Adopt,
    /// Runs a seed.
    Seed,
    /// Deletes.
    Delete,
    /// Leaves what goes from the stack in the account.
    Retain,
    /// Nothing: whether anything is to be done can't be known now.
    Unread,
}

/// One thing to do.
#[derive(Clone)]
pub struct Step {
    /// Position in the plan, and its name in `needs`.
    pub id: usize,
    /// What it does.
    pub action: Action,
    /// Key in the stack; for an orphan the key it had, or its name.
    pub key: String,
    /// What kind of thing.
    pub kind: &'static dyn AnyKind,
    /// Name in AWS.
    pub name: String,
    /// The step is one half of a replacement, for these reasons.
    pub replaces: Vec<String>,
    /// The fields that differ; for a create those that are set.
    pub changes: Vec<Change>,
    /// As the stack wants it, with the references that are known filled in.
    pub desired: Value,
    /// What AWS had when the plan was made.
    pub live: Option<Live>,
    /// What happens to data, in words.
    pub data: Option<String>,
    /// The same in one word, for a delete of what may hold data.
    pub fate: Option<Fate>,
    /// What a reviewer should know beyond the fields: a seed's files, rows and statements.
    pub summary: Vec<String>,
    /// Field paths whose differences don't count.
    pub ignore: Vec<String>,
    /// Fields whose live value earlier steps of this plan may change.
    pub moved: BTreeSet<String>,
    /// How to take leave, for a delete.
    pub farewell: Farewell,
    /// It left the stack file.
    pub orphan: bool,
    /// Why it can't be done; it counts as failed when the plan is applied.
    pub blocked: Option<Blocked>,
    /// Steps that must be done before.
    pub needs: BTreeSet<usize>,
}

/// All that will be done.
#[derive(Clone)]
pub struct Plan {
    /// Where.
    pub site: Site,
    /// What, in the order of the stack; `needs` says what waits for what.
    pub steps: Vec<Step>,
    /// Keys that are as the stack wants them.
    pub unchanged: Vec<String>,
    /// What references to each resource that has no step can be answered with.
    pub facts: BTreeMap<String, Facts>,
    /// Outputs, with what is known filled in.
    pub outputs: Vec<(String, Value)>,
    /// What couldn't be read.
    pub unread: Vec<Unread>,
}

/// What the person asked for beyond the stack.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these keys and what they need; empty means all.
    pub targets: BTreeSet<String>,
    /// Lift the services' own deletion protection.
    pub unprotect: bool,
    /// Nothing is worth keeping, as in the sandbox, unless the stack says so outright: a removal
    /// heeds no `protect`, and asks for no word about data.
    pub careless: bool,
    /// Resources whose write-only values are sent again.
    pub rotate: BTreeSet<String>,
    /// Seeds that a person wants to run again.
    pub rerun: BTreeSet<String>,
    /// Seeds whose edited files a person takes as done.
    pub accept: BTreeSet<String>,
    /// Makes names that must differ from run to run, such as final snapshots'.
    pub run: String,
}

impl Options {
    /// What a person has decided about a seed, in words.
    fn decision(&self, key: &str) -> Option<&'static str> {
        if self.rerun.contains(key) {
            return Some("run it again, as --seed-rerun says");
        }
        let accepted = self.accept.contains(key);
        accepted.then_some("take its edited files as done, as --seed-accept says: they don't run")
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.action == Action::Retain)
    }

    /// Live resources that the plan deletes and that may hold data.
    pub fn at_risk(&self) -> Vec<(&'static dyn AnyKind, Live)> {
        let deleted = self.steps.iter().filter(|step| step.action == Action::Delete);
        let holding = deleted.filter(|step| step.kind.facts().holds.is_some());
        holding.filter_map(|step| Some((step.kind, step.live.clone()?))).collect()
    }
}

/// Plans the change that makes the world match the stack.
pub fn plan(stack: &Stack, graph: &Graph, world: &World, site: &Site, options: &Options) -> Plan {
    let mut planner = Planner::new(stack, graph, world, site, options);
    let chosen = (!options.targets.is_empty()).then(|| graph.with_needs(&options.targets));
    for key in graph.order() {
        let chosen = chosen.as_ref().is_none_or(|chosen| chosen.contains(key));
        if let Some(resource) = stack.resource(key) {
            planner.resource(resource, chosen);
        }
    }
    if options.targets.is_empty() {
        planner.orphans();
    }
    planner.finish()
}

/// Plans the removal of everything that is owned.
pub fn destroy(
    stack: &Stack,
    graph: &Graph,
    world: &World,
    site: &Site,
    options: &Options,
) -> Plan {
    let mut planner = Planner::new(stack, graph, world, site, options);
    let chosen = (!options.targets.is_empty()).then(|| graph.with_dependents(&options.targets));
    planner.remove_all(chosen.as_ref());
    if options.targets.is_empty() {
        planner.orphans();
    }
    let mut plan = planner.finish();
    plan.outputs.clear();
    plan
}

struct Planner<'a> {
    stack: &'a Stack,
    graph: &'a Graph,
    world: &'a World,
    site: &'a Site,
    options: &'a Options,
    steps: Vec<Step>,
    unchanged: Vec<String>,
    facts: BTreeMap<String, Facts>,
    /// The step after which a key is as the stack wants it.
    ready: BTreeMap<String, usize>,
    /// The step that deletes the old one of a key that is replaced.
    leaving: BTreeMap<String, usize>,
}

impl<'a> Planner<'a> {
    fn new(
        stack: &'a Stack,
        graph: &'a Graph,
        world: &'a World,
        site: &'a Site,
        options: &'a Options,
    ) -> Self {
        Self {
            stack,
            graph,
            world,
            site,
            options,
            steps: Vec::new(),
            unchanged: Vec::new(),
            facts: BTreeMap::new(),
            ready: BTreeMap::new(),
            leaving: BTreeMap::new(),
        }
    }

    fn root(&self) -> &Path {
        &self.stack.root
    }

    /// The desired value with everything filled in that is known now.
    fn desired(&self, resource: &Resource) -> Value {
        let known = |reference: &reference::Reference| answer(reference, &self.facts, self.site);
        let filled = reference::fill(&resource.fields, &known);
        let predicted = resource.kind.predict(&filled, &resource.name, self.site, self.root());
        predicted.unwrap_or(filled)
    }

    fn resource(&mut self, resource: &Resource, chosen: bool) {
        let desired = self.desired(resource);
        let live = self.world.resources.get(&resource.key);
        if !chosen {
            let facts = Facts::new(resource, &desired, live);
            self.facts.insert(resource.key.clone(), facts);
            return;
        }
        if let Some(kind) = hidden(resource, self.stack, self.graph, self.world) {
            self.unread(resource, desired, kind);
            return;
        }
        let Some(live) = live else {
            self.create(resource, desired, Vec::new(), None);
            return;
        };
        if !self.is_ours(live) && !resource.adopt && !resource.kind.facts().seed {
            self.foreign(resource, desired, live);
            return;
        }
        if live.phase.is_leaving() && self.is_ours(live) && !resource.kind.facts().seed {
            self.create(resource, desired, Vec::new(), None);
            if let Some(step) = self.steps.last_mut() {
                step.summary.push("wait until the one that is being deleted is gone".to_owned());
            }
            return;
        }
        let desired = self.settle(resource, desired, live);
        let changes = diff(resource.kind.schema(), &desired, &live.fields, &resource.ignore);
        let reasons = self.replace_reasons(resource, &desired, live, &changes);
        if reasons.is_empty() {
            self.update(resource, desired, live, changes);
        } else if self.is_ours(live) || resource.kind.facts().seed {
            self.replace(resource, desired, live, changes, reasons);
        } else {
            self.cannot_adopt(resource, desired, live, &reasons);
        }
    }

    fn is_ours(&self, live: &Live) -> bool {
        live.owner.as_ref().is_some_and(|owner| owner.stack == self.site.stack)
    }

    /// Desired after it took over from live what means the same and what is ignored.
    fn settle(&self, resource: &Resource, desired: Value, live: &Live) -> Value {
        let accepted = resource.kind.accept(&desired, &live.fields).unwrap_or(desired);
        ignoring(accepted, &live.fields, &resource.ignore)
    }

    fn create(
        &mut self,
        resource: &Resource,
        desired: Value,
        replaces: Vec<String>,
        after: Option<usize>,
    ) {
        let seed = resource.kind.facts().seed;
        let action = if seed { Action::Seed } else { Action::Create };
        let mut step = self.step(resource, action, desired.clone());
        step.changes = set_fields(resource, &desired);
        step.replaces = replaces;
        step.needs.extend(after);
        self.facts.insert(resource.key.clone(), Facts::new(resource, &desired, None));
        self.push(step);
    }

    fn update(&mut self, resource: &Resource, desired: Value, live: &Live, changes: Vec<Change>) {
        self.facts.insert(resource.key.clone(), Facts::new(resource, &desired, Some(live)));
        let undecided = self.undecided(resource, &desired, live);
        let rotate = self.options.rotate.contains(&resource.key);
        let decision = self.options.decision(&resource.key);
        let waiting = matches!(live.phase, Phase::Pending(_));
        let follows = self.follows(resource);
        let asked = rotate || waiting || decision.is_some() || !follows.is_empty();
        if changes.is_empty() && undecided.is_none() && !asked {
            self.unchanged.push(resource.key.clone());
            return;
        }
        let seed = resource.kind.facts().seed;
        let action = match (seed, self.is_ours(live)) {
            (true, _) => Action::Seed,
            (false, true) => Action::Update,
            (false, false) => Action::Adopt,
        };
        let mut step = self.step(resource, action, desired);
        step.changes = changes;
        step.live = Some(live.clone());
        step.blocked = undecided;
        step.summary = resource.kind.summary(&step.desired, Some(&live.fields), self.root());
        if let (true, Phase::Pending(status)) = (waiting, &live.phase) {
            step.summary.push(format!("wait until it is ready: it is {status}"));
        }
        step.moved = self.moved(resource);
        step.summary.extend(follows);
        step.summary.extend(decision.map(str::to_owned));
        if rotate {
            step.summary.push("send its write-only values again".to_owned());
        }
        self.push(step);
    }

    /// A step for the resource that waits for the steps of everything it needs.
    fn step(&self, resource: &Resource, action: Action, desired: Value) -> Step {
        let needs = self.graph.needs(&resource.key).iter().filter_map(|need| self.ready.get(need));
        let summary = match action {
            Action::Delete | Action::Retain | Action::Unread => Vec::new(),
            _ => resource.kind.summary(&desired, None, self.root()),
        };
        Step {
            id: 0,
            action,
            key: resource.key.clone(),
            kind: resource.kind,
            name: resource.name.clone(),
            replaces: Vec::new(),
            changes: Vec::new(),
            desired,
            live: None,
            data: None,
            fate: None,
            summary,
            ignore: resource.ignore.clone(),
            moved: BTreeSet::new(),
            farewell: Farewell::default(),
            orphan: false,
            blocked: None,
            needs: needs.copied().collect(),
        }
    }

    fn push(&mut self, mut step: Step) -> usize {
        let id = self.steps.len();
        step.id = id;
        if !matches!(step.action, Action::Delete | Action::Retain) {
            self.ready.insert(step.key.clone(), id);
        }
        self.steps.push(step);
        id
    }

    fn finish(mut self) -> Plan {
        self.order_removals();
        self.block_what_is_kept();
        let known = |reference: &reference::Reference| answer(reference, &self.facts, self.site);
        let outputs = self.stack.outputs.iter();
        let outputs =
            outputs.map(|o| (o.name.clone(), reference::fill(&o.value, &known))).collect();
        Plan {
            site: self.site.clone(),
            steps: self.steps,
            unchanged: self.unchanged,
            facts: self.facts,
            outputs,
            unread: Unread::all(self.world),
        }
    }
}

/// Every field that is set, as changes from nothing.
fn set_fields(resource: &Resource, desired: &Value) -> Vec<Change> {
    let Some(properties) = resource.kind.schema()["properties"].as_object() else {
        return Vec::new();
    };
    let set = properties.iter().filter_map(|(name, schema)| {
        let new = desired.get(name).filter(|value| !value.is_null() && !is_hollow(value))?.clone();
        let flag = |flag: &str| marked(schema, flag);
        if flag("readOnly") || schema.get("default") == Some(&new) {
            return None;
        }
        Some(Change {
            path: name.clone(),
            old: Value::Null,
            unknown: is_unknown(&new),
            immutable: flag("createOnly"),
            set: false,
            new,
        })
    });
    set.collect()
}

fn is_hollow(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether the schema carries the flag, at the top or in the one alternative that isn't null.
fn marked(schema: &Value, flag: &str) -> bool {
    let inner = schema["anyOf"].as_array().into_iter().flatten();
    std::iter::once(schema).chain(inner).any(|schema| schema[flag] == true)
}
