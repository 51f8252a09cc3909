//! What can't be planned because its service doesn't answer. The rest of the stack is planned as
//! if that had not happened, except for what stands on it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{Action, Blocked, Facts, Planner};
use crate::graph::Graph;
use crate::live::World;
use crate::stack::{Resource, Stack};

/// Kinds that couldn't be read, for one and the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Their names.
    pub kinds: Vec<String>,
    /// What the service said.
    pub reason: String,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Unread {
    pub(super) fn all(world: &World) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (kind, error) in &world.unread {
            let reason = error.to_string();
            match all.iter_mut().find(|one| one.reason == reason) {
                Some(one) => one.kinds.push((*kind).to_owned()),
                None => all.push(Self {
                    kinds: vec![(*kind).to_owned()],
                    reason,
                    remedy: error.hint.clone(),
                }),
            }
        }
        all
    }
}

/// The kind whose unread state hides this resource: its own, or one of something that must be known
/// before it can be read.
pub fn hidden<'a>(
    resource: &Resource,
    stack: &Stack,
    graph: &Graph,
    world: &'a World,
) -> Option<&'a str> {
    let unread = |kind: &str| world.unread.get_key_value(kind).map(|(kind, _)| *kind);
    let facts = resource.kind.facts();
    unread(facts.name).or_else(|| {
        if world.unread.is_empty() || !facts.reads_after_references {
            return None;
        }
        let needs = graph.with_needs(&BTreeSet::from([resource.key.clone()]));
        needs.iter().find_map(|key| unread(stack.resource(key)?.kind.facts().name))
    })
}

impl Planner<'_> {
    /// A step that does nothing, so that nothing goes on that needs the resource.
    pub(super) fn unread(&mut self, resource: &Resource, desired: Value, kind: &str) {
        self.facts.insert(resource.key.clone(), Facts::new(resource, &desired, None));
        let mut step = self.step(resource, Action::Unread, desired);
        step.summary = vec![format!("{kind} can't be read now")];
        step.needs.clear();
        self.push(step);
    }

    /// Why nothing may go that the stack doesn't name any more: its users may be among what can't
    /// be seen.
    pub(super) fn dim(&self) -> Option<Blocked> {
        let kinds: Vec<&str> = self.world.unread.keys().copied().collect();
        (!kinds.is_empty()).then(|| Blocked {
            reason: format!("what still uses it can't be seen: no reading {}", kinds.join(", ")),
            remedy: "run it again when AWS answers".to_owned(),
        })
    }
}
