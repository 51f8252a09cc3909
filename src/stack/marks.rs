//! The tags that tell whose a resource is, and what becomes of it when it goes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kind::{AnyKind, OnDestroy};

pub(super) struct Ownership<'a> {
    pub(super) stack: &'a str,
    pub(super) key: &'a str,
    pub(super) protect: bool,
    pub(super) on_destroy: Option<OnDestroy>,
}

/// Merges the stack's tags under the resource's own, and puts our mark on top.
/// The words that a delete needs go along, because the entry is gone when it is needed.
pub(super) fn own(
    fields: &mut Value,
    kind: &dyn AnyKind,
    stack: &BTreeMap<String, String>,
    mark: &Ownership<'_>,
) {
    if kind.schema()["properties"]["tags"]["x-tags"] != true {
        return;
    }
    let own = fields["tags"].as_object().cloned().unwrap_or_default();
    let mut tags: serde_json::Map<String, Value> =
        stack.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
    tags.extend(own);
    tags.insert("lagoa:stack".into(), mark.stack.into());
    tags.insert("lagoa:name".into(), mark.key.into());
    if mark.protect {
        tags.insert("lagoa:protect".into(), "true".into());
    }
    if let Some(word) = mark.on_destroy.and_then(|word| serde_json::to_value(word).ok()) {
        tags.insert("lagoa:on_destroy".into(), word);
    }
    fields["tags"] = Value::Object(tags);
}
