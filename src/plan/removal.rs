//! Deletes: what goes, what becomes of its data, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Action, Planner, Step};
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
        }
    }

    /// Deletes every resource of the stack that is ours; dependents first.
    pub(super) fn remove_all(&mut self, chosen: Option<&BTreeSet<String>>) {
        for key in self.graph.order().iter().rev() {
            let chosen = chosen.is_none_or(|chosen| chosen.contains(key));
            let (Some(resource), Some(live)) =
                (self.stack.resource(key), self.world.resources.get(key))
            else {
                continue;
            };
            if chosen && self.is_ours(live) && !resource.kind.facts().seed {
                let Resource { on_destroy, protect, .. } = *resource;
                let words = Words { on_destroy, protect, orphan: false };
                self.remove(resource.kind, key.clone(), live, words);
            }
        }
    }

    fn remove(&mut self, kind: &'static dyn AnyKind, key: String, live: &Live, words: Words) {
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
            let Some(live) = &user.live else { continue };
            let used = referred(user.kind.schema(), &live.fields);
            for gone in
                self.steps.iter().filter(|step| step.action == Action::Delete && step.id != user.id)
            {
                let lets_go = match user.action {
                    Action::Delete => true,
                    Action::Update | Action::Adopt => gone.replaces.is_empty(),
                    _ => false,
                };
                if lets_go && (used.iter().any(|one| one.means(gone)) || self.declared(user, gone))
                {
                    waits.entry(gone.id).or_default().insert(user.id);
                }
            }
        }
        for (id, users) in waits {
            self.steps[id].needs.extend(users);
        }
    }

    /// Whether the stack itself says that the one needs the other.
    fn declared(&self, user: &Step, gone: &Step) -> bool {
        user.action == Action::Delete && self.graph.needs(&user.key).contains(&gone.key)
    }
}

/// What the stack says, or said, of a resource that goes.
struct Words {
    on_destroy: Option<OnDestroy>,
    protect: bool,
    orphan: bool,
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
