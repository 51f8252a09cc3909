//! What a step does to resources that refer to its own.
//!
//! A field whose schema carries `x-follows: "why"` stands for more than its value: when the
//! resource that it refers to changes, the referring one has to be looked at again in the same
//! run. When a resource is replaced, that holds for whoever refers to it in any way.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Planner, Step};
use crate::reference;
use crate::stack::Resource;

impl Planner<'_> {
    /// Why a resource is looked at again although none of its fields changes.
    pub(super) fn follows(&self, resource: &Resource) -> Vec<String> {
        let mut reasons = BTreeSet::new();
        for (_, schema, keys) in fields(resource) {
            for key in keys {
                if self.leaving.contains_key(&key) {
                    reasons.insert(format!("checked after {key} is replaced"));
                } else if let Some(why) = text(schema, "x-follows")
                    && self.ready.get(&key).is_some_and(|id| does_more_than_tag(&self.steps[*id]))
                {
                    reasons.insert(format!("checked after {key} changed: {why}"));
                }
            }
        }
        reasons.into_iter().collect()
    }

    /// Fields whose live value may be another one once the steps before this one are done: those
    /// that refer to what changes, and what the kind works out from such fields.
    pub(super) fn moved(&self, resource: &Resource) -> BTreeSet<String> {
        let changes = |keys: &BTreeSet<String>| keys.iter().any(|key| self.ready.contains_key(key));
        let referring = fields(resource).filter(|(_, _, keys)| changes(keys));
        let mut moved: BTreeSet<String> = referring.map(|(name, ..)| name.to_owned()).collect();
        if !moved.is_empty() {
            let derived = fields(resource).filter(|(_, schema, _)| schema["x-derived"] == true);
            moved.extend(derived.map(|(name, ..)| name.to_owned()));
        }
        moved
    }
}

impl Step {
    /// Whether earlier steps of the plan may have changed the live value at this path.
    pub fn may_have_moved(&self, path: &str) -> bool {
        let field = path.split(['.', '[']).next().unwrap_or_default();
        self.moved.contains(field)
    }
}

/// Each field with its schema and the keys of the resources that it refers to.
fn fields(resource: &Resource) -> impl Iterator<Item = (&str, &Value, BTreeSet<String>)> {
    let properties = resource.kind.schema()["properties"].as_object();
    properties.into_iter().flatten().map(|(name, schema)| {
        let references = reference::references(&resource.fields[name]).into_iter();
        (name.as_str(), schema, references.map(|reference| reference.key).collect())
    })
}

/// A flag's text, at the top or in the one alternative that isn't null.
fn text<'a>(schema: &'a Value, flag: &str) -> Option<&'a str> {
    let inner = schema["anyOf"].as_array().into_iter().flatten();
    std::iter::once(schema).chain(inner).find_map(|schema| schema[flag].as_str())
}

fn does_more_than_tag(step: &Step) -> bool {
    step.changes.iter().any(|change| !change.path.starts_with("tags."))
}
