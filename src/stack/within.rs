//! Names that are unique within another resource only.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Resource;
use crate::reference::{self, Reference};

/// Puts what a name is unique in before it: `cluster/name`.
pub fn name(resources: &mut [Resource]) {
    let names: BTreeMap<String, String> =
        resources.iter().map(|one| (one.key.clone(), one.name.clone())).collect();
    let known = |reference: &Reference| {
        let name = names.get(&reference.key).filter(|_| reference.field == "name");
        name.map(|name| Value::String(name.clone()))
    };
    for resource in resources {
        let Some(field) = resource.kind.facts().within else { continue };
        if let Value::String(outer) = reference::fill(&resource.fields[field], &known) {
            resource.name = format!("{outer}/{}", resource.name);
        }
    }
}
