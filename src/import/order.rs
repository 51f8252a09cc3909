//! The order in a file: kinds that others refer to come first, and things of a kind by their names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Thing;
use crate::kind::AnyKind;
use crate::reference::targets;

/// Sorts the things.
pub fn sort(things: &mut [Thing]) {
    let kinds: BTreeMap<&str, &dyn AnyKind> =
        things.iter().map(|thing| (thing.kind.facts().name, thing.kind)).collect();
    let mut placed = Vec::new();
    let mut seen = BTreeSet::new();
    for kind in kinds.keys() {
        place(kind, &kinds, &mut seen, &mut placed);
    }
    things.sort_by_cached_key(|thing| {
        let kind = thing.kind.facts().name;
        (placed.iter().position(|one| one == kind), thing.live.name.clone())
    });
}

/// Puts what the kind refers to before it. Of kinds that refer to each other, one has to be first.
fn place(
    name: &str,
    kinds: &BTreeMap<&str, &dyn AnyKind>,
    seen: &mut BTreeSet<String>,
    placed: &mut Vec<String>,
) {
    let Some(kind) = kinds.get(name) else { return };
    if !seen.insert(name.to_owned()) {
        return;
    }
    let mut referred = BTreeSet::new();
    refers(kind.schema(), &mut referred);
    for other in &referred {
        place(other, kinds, seen, placed);
    }
    placed.push(name.to_owned());
}

/// Kinds that a schema refers to, however deep.
fn refers(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            found.extend(targets(schema).into_iter().map(|target| target.kind));
            members.values().for_each(|member| refers(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| refers(item, found)),
        _ => {}
    }
}
