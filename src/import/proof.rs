//! Whether what is written means what is there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Entry;
use crate::graph::Graph;
use crate::kind::Site;
use crate::live::World;
use crate::plan::{self, Options};
use crate::stack::Stack;

/// Fields of each entry that a plan of the stack would change although nobody changed anything, by
/// key.
pub fn unlike(
    entries: &[Entry],
    stack: &Stack,
    graph: &Graph,
    world: &World,
    site: &Site,
) -> BTreeMap<String, Vec<String>> {
    let plan = plan::plan(stack, graph, world, site, &Options::default());
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| entries.iter().any(|entry| entry.key == step.key)) {
        let schema = &step.kind.schema()["properties"];
        for change in &step.changes {
            let field = change.path.split(['.', '[']).next().unwrap_or_default();
            // The mark itself is what an adoption changes.
            let mark = change.path.starts_with("tags.lagoa:") || is_derived(&schema[field]);
            let named = change.path == "tags.Name" && change.old.is_null();
            let fields = found.entry(step.key.clone()).or_default();
            if !mark && !named && !fields.iter().any(|one| one == field) {
                fields.push(field.to_owned());
            }
        }
    }
    found.retain(|_, fields| !fields.is_empty());
    found
}

fn is_derived(schema: &Value) -> bool {
    schema["x-derived"] == true
        || schema["anyOf"].as_array().into_iter().flatten().any(|one| one["x-derived"] == true)
}
