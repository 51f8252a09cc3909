//! What references can be answered with while planning, and later while applying.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::graph::Graph;
use crate::kind::{AnyKind, Live, Site};
use crate::reference::{self, Reference};
use crate::stack::{Resource, Stack};

/// What is known of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts(Value);

impl Facts {
    /// Joins what the stack wants with what AWS has.
    pub fn new(resource: &Resource, desired: &Value, live: Option<&Live>) -> Self {
        Self::join(resource.kind, &resource.name, desired, live.map(|live| &live.fields))
    }

    /// What the stack sets counts before what AWS has, except for what only AWS knows.
    pub fn join(kind: &dyn AnyKind, name: &str, desired: &Value, live: Option<&Value>) -> Self {
        let mut facts = desired.clone();
        let properties = kind.schema()["properties"].as_object();
        for (field, schema) in properties.into_iter().flatten() {
            let Some(live) = live.and_then(|live| live.get(field)).filter(|live| !live.is_null())
            else {
                continue;
            };
            if schema["readOnly"] == true || facts[field].is_null() {
                facts[field] = live.clone();
            }
        }
        // References mean the name that AWS knows, without what it is unique in.
        let own = name.rsplit_once('/').filter(|_| kind.facts().within.is_some());
        facts["name"] = own.map_or(name, |(_, own)| own).into();
        Self(facts)
    }

    fn field(&self, path: &str) -> Option<Value> {
        let value = path.split('.').try_fold(&self.0, |value, part| match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            value => value.get(part),
        })?;
        (!value.is_null()).then(|| value.clone())
    }
}

/// What a reference means now; `None` while it isn't known.
pub fn answer(
    reference: &Reference,
    facts: &BTreeMap<String, Facts>,
    site: &Site,
) -> Option<Value> {
    if reference.key == "aws" {
        return site.answer(&reference.field);
    }
    facts.get(&reference.key)?.field(&reference.field)
}

/// The resource as it is wanted, with what `known` answers filled in and what follows from that.
pub fn desired(
    resource: &Resource,
    known: &impl Fn(&Reference) -> Option<Value>,
    site: &Site,
    root: &Path,
) -> Value {
    let filled = reference::fill(&resource.fields, known);
    resource.kind.predict(&filled, &resource.name, site, root).unwrap_or(filled)
}

/// What references can be answered with, when this much of the stack has been read.
pub fn facts(
    stack: &Stack,
    graph: &Graph,
    found: &BTreeMap<String, Live>,
    site: &Site,
) -> BTreeMap<String, Facts> {
    let mut facts = BTreeMap::new();
    for key in graph.order() {
        if let Some(resource) = stack.resource(key) {
            let known = |one: &Reference| answer(one, &facts, site);
            let desired = desired(resource, &known, site, &stack.root);
            facts.insert(key.clone(), Facts::new(resource, &desired, found.get(key)));
        }
    }
    facts
}
