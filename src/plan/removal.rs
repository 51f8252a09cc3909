//! Deletes: what goes, what becomes of its data, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Action, Blocked, Planner, Step, hidden};
use crate::kind::{AnyKind, Farewell, Live, OnDestroy};
use crate::live::Orphan;
use crate::reference::{Target, targets};
use crate::stack::Resource;

impl Planner<'_> {
    pub(super) fn farewell(
        &self,
        word: Option<OnDestroy>,
        kind: &dyn AnyKind,
        name: &str,
    ) -> Farewell {
        Farewell {
            on_destroy: word.or(kind.facts().on_destroy_default),
            unprotect: self.options.unprotect,
            snapshot: format!("{name}-final-{}", self.options.run),
        }
    }

    /// Deletes what is ours and has left the stack file; its words are on its tags.
    pub(super) fn orphans(&mut self) {
        let mut orphans: Vec<&Orphan> = self.world.orphans.iter().collect();
        orphans.sort_by_key(|orphan| (orphan.kind.facts().name, &orphan.live.name));
        for Orphan { kind, live } in orphans {
            let tag = |key: &str| live.fields["tags"][key].as_str();
            let word =
                tag("lagoa:on_destroy").and_then(|word| serde_json::from_value(word.into()).ok());
            let protect = tag("lagoa:protect") == Some("true");
            let key = live.owner.as_ref().and_then(|owner| owner.key.clone());
            let key = key.unwrap_or_else(|| live.name.clone());
            self.remove(*kind, key, live, Words { on_destroy: word, protect, orphan: true });
            let dim = self.dim();
            if let Some(step) = self.steps.last_mut().filter(|step| step.blocked.is_none()) {
                step.blocked = dim;
            }
        }
    }

    /// Deletes every resource of the stack that is ours; dependents first.
    pub(super) fn remove_all(&mut self, chosen: Option<&BTreeSet<String>>) {
        for key in self.graph.order().iter().rev() {
            let chosen = chosen.is_none_or(|chosen| chosen.contains(key));
            let Some(resource) = self.stack.resource(key) else { continue };
            if let Some(kind) = hidden(resource, self.stack, self.graph, self.world)
                && chosen
                && !resource.kind.facts().seed
            {
                self.unread(resource, Value::Null, kind);
                continue;
            }
            let Some(live) = self.world.resources.get(key) else { continue };
            if chosen && self.is_ours(live) && !resource.kind.facts().seed {
                let Resource { on_destroy, protect, .. } = *resource;
                let words = Words { on_destroy, protect, orphan: false };
                self.remove(resource.kind, key.clone(), live, words);
            }
        }
    }

    fn remove(&mut self, kind: &'static dyn AnyKind, key: String, live: &Live, words: Words) {
        let words = if self.options.careless { words.without_care(kind) } else { words };
        let farewell = self.farewell(words.on_destroy, kind, &live.name);
        let retain = farewell.on_destroy == Some(OnDestroy::Retain);
        let mut step = Step {
            id: 0,
            action: if retain { Action::Retain } else { Action::Delete },
            key,
            kind,
            name: live.name.clone(),
            replaces: Vec::new(),
            changes: Vec::new(),
            desired: Value::Null,
            live: Some(live.clone()),
            data: None,
            fate: None,
            summary: Vec::new(),
            ignore: Vec::new(),
            moved: BTreeSet::new(),
            farewell,
            orphan: words.orphan,
            blocked: None,
            needs: BTreeSet::new(),
        };
        self.guard(&mut step, words.protect && !retain);
        self.push(step);
    }

    /// Nothing is deleted before whatever uses it is deleted or has let go of it.
    pub(super) fn order_removals(&mut self) {
        let mut waits: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for user in &self.steps {
            let used = user.live.as_ref().map(|live| referred(user.kind.schema(), &live.fields));
            let used = used.unwrap_or_default();
            for gone in
                self.steps.iter().filter(|step| step.action == Action::Delete && step.id != user.id)
            {
                let lets_go = match user.action {
                    Action::Delete | Action::Unread => true,
                    Action::Update | Action::Adopt => !self.goes_on_using(&user.key, gone),
                    _ => false,
                };
                if lets_go && (used.iter().any(|one| one.means(gone)) || self.declared(user, gone))
                {
                    waits.entry(gone.id).or_default().insert(user.id);
                }
            }
        }
        for (id, users) in apart_from_rings(&self.steps, waits) {
            self.steps[id].needs.extend(users);
        }
    }

    /// What AWS keeps while it is used can't be replaced under those who go on using it: there is
    /// no order in which they let go of the old one before it goes and take the new one after.
    pub(super) fn block_what_is_kept(&mut self) {
        let kept = |step: &&Step| {
            step.action == Action::Delete
                && !step.replaces.is_empty()
                && step.blocked.is_none()
                && step.kind.facts().kept_while_used
        };
        let kept: Vec<(usize, Vec<String>)> =
            self.steps.iter().filter(kept).map(|gone| (gone.id, self.users_of(gone))).collect();
        for (id, users) in kept.into_iter().filter(|(_, users)| !users.is_empty()) {
            let key = self.steps[id].key.clone();
            self.steps[id].blocked = Some(Blocked::kept(&key, &users));
        }
    }

    /// Those that use it in AWS, go on using it in the stack, and stay.
    fn users_of(&self, gone: &Step) -> Vec<String> {
        let stays = |key: &str| {
            !self.steps.iter().any(|step| step.action == Action::Delete && step.key == key)
        };
        let uses = |key: &str, live: &Live| {
            let kind = self.stack.resource(key).map(|resource| resource.kind);
            kind.is_some_and(|kind| {
                referred(kind.schema(), &live.fields).iter().any(|one| one.means(gone))
            })
        };
        let users =
            self.world.resources.iter().filter(|(key, live)| {
                self.goes_on_using(key, gone) && stays(key) && uses(key, live)
            });
        users.map(|(key, _)| key.clone()).collect()
    }

    /// Whether what is deleted comes back, and the stack wants it to be used then as before.
    fn goes_on_using(&self, user: &str, gone: &Step) -> bool {
        !gone.replaces.is_empty() && self.graph.needs(user).contains(&gone.key)
    }

    /// Whether the stack itself says that the one needs the other.
    fn declared(&self, user: &Step, gone: &Step) -> bool {
        matches!(user.action, Action::Delete | Action::Unread)
            && self.graph.needs(&user.key).contains(&gone.key)
    }
}

/// What each delete waits for, without what would have steps wait for each other: those go at the
/// same time, and each lets go of the others, as security groups do whose rules name each other.
fn apart_from_rings(
    steps: &[Step],
    mut waits: BTreeMap<usize, BTreeSet<usize>>,
) -> BTreeMap<usize, BTreeSet<usize>> {
    let all = waits.clone();
    let needs = |id: usize| steps[id].needs.iter().chain(all.get(&id).into_iter().flatten());
    let reaches = |from: usize, to: usize| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(id) = open.pop() {
            if id == to {
                return true;
            }
            if seen.insert(id) {
                open.extend(needs(id));
            }
        }
        false
    };
    for (gone, users) in &mut waits {
        users.retain(|user| !reaches(*user, *gone));
    }
    waits
}

/// What the stack says, or said, of a resource that goes.
struct Words {
    on_destroy: Option<OnDestroy>,
    protect: bool,
    orphan: bool,
}

impl Words {
    fn without_care(self, kind: &dyn AnyKind) -> Self {
        let delete = kind.facts().on_destroy.contains(&OnDestroy::Delete);
        let word = self.on_destroy.or(delete.then_some(OnDestroy::Delete));
        Self { on_destroy: word, protect: false, ..self }
    }
}

/// A use of another resource, as AWS reports it.
struct Use {
    kind: String,
    field: String,
    value: String,
}

impl Use {
    fn means(&self, step: &Step) -> bool {
        let field = |live: &Live| live.fields[&self.field].as_str() == Some(&self.value);
        step.kind.facts().name == self.kind
            && (step.name == self.value || step.live.as_ref().is_some_and(field))
    }
}

/// Every value in fields whose type says that they refer to a kind.
fn referred(schema: &Value, value: &Value) -> Vec<Use> {
    let mut uses = Vec::new();
    collect(schema, value, &mut uses);
    uses
}

fn collect(schema: &Value, value: &Value, uses: &mut Vec<Use>) {
    if let Some(text) = value.as_str() {
        let targets = targets(schema).into_iter();
        uses.extend(targets.map(|Target { kind, field }| Use {
            kind,
            field,
            value: text.to_owned(),
        }));
    }
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        collect(alternative, value, uses);
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(&schema["items"], item, uses)),
        Value::Object(map) => {
            for (key, value) in map {
                let property = schema["properties"].get(key);
                collect(property.unwrap_or(&schema["additionalProperties"]), value, uses);
            }
        }
        _ => {}
    }
}
