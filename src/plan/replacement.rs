//! Replacements: why, and in which two steps.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Action, Blocked, Planner, set_fields};
use crate::diff::Change;
use crate::kind::{Live, OnDestroy, Phase};
use crate::reference::{self, is_unknown};
use crate::stack::Resource;

impl Planner<'_> {
    pub(super) fn replace_reasons(
        &self,
        resource: &Resource,
        desired: &Value,
        live: &Live,
        changes: &[Change],
    ) -> Vec<String> {
        let fixed = changes.iter().filter(|change| change.immutable);
        let mut reasons: Vec<String> =
            fixed.map(|change| format!("{} can't be changed in place", change.path)).collect();
        reasons.extend(resource.kind.replace_because(desired, &live.fields));
        if let Phase::Failed(why) = &live.phase {
            reasons.push(format!("it is {why} and won't recover by itself"));
        }
        let immutable = immutable_references(resource);
        let replaced = immutable.iter().filter(|key| self.leaving.contains_key(*key));
        reasons.extend(
            replaced.map(|key| format!("{key} is replaced, and this refers to it for good")),
        );
        reasons
    }

    pub(super) fn replace(
        &mut self,
        resource: &Resource,
        desired: Value,
        live: &Live,
        changes: Vec<Change>,
        reasons: Vec<String>,
    ) {
        let mut delete = self.step(resource, Action::Delete, Value::Null);
        delete.live = Some(live.clone());
        delete.replaces.clone_from(&reasons);
        delete.needs.clear();
        delete.farewell = self.farewell(resource.on_destroy, resource.kind, &resource.name);
        if resource.on_destroy == Some(OnDestroy::Retain) {
            delete.blocked = Some(Blocked::retained(&reasons));
        } else {
            self.guard(&mut delete, resource.protect);
            let facts = resource.kind.facts();
            if let (None, None, Some(_), Some(holds)) =
                (&delete.blocked, resource.on_destroy, facts.on_destroy_default, facts.holds)
            {
                delete.blocked =
                    Some(Blocked::wordless(&resource.key, holds, facts.on_destroy, &reasons));
            }
        }
        if delete.farewell.on_destroy == Some(OnDestroy::Snapshot) {
            let carried = |data| format!("{data}; the new one doesn't get it by itself");
            delete.data = delete.data.map(carried);
        }
        let delete = self.push(delete);
        self.leaving.insert(resource.key.clone(), delete);
        self.create(resource, desired, reasons, Some(delete));
        if let Some(step) = self.steps.last_mut() {
            step.changes = changes;
            step.live = Some(live.clone());
        }
    }
}

/// Keys that the resource refers to through fields that can't change.
fn immutable_references(resource: &Resource) -> BTreeSet<String> {
    let fields = set_fields(resource, &resource.fields);
    let fixed = fields.iter().filter(|change| change.immutable && is_unknown(&change.new));
    fixed.flat_map(|change| reference::references(&change.new)).map(|r| r.key).collect()
}
