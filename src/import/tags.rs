//! Tags that all have stand once, at the top of the file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Around, Entry};
use crate::kind::Site;

/// Takes from the entries the tags that the stack gives them: those that it has, or, for a new one,
/// those that all have. Gives the tags of the stack.
pub fn share(entries: &mut [Entry], around: &Around, site: &Site) -> BTreeMap<String, String> {
    let shared = match around.resources.is_empty() && around.taken.is_empty() {
        true => common(entries),
        false => around.tags.clone(),
    };
    for entry in entries {
        let given = given(entry, site);
        let Some(Value::Object(tags)) = entry.fields.get_mut("tags") else { continue };
        tags.retain(|key, value| {
            given.get(key) != Some(value) && shared.get(key).is_none_or(|one| value != one)
        });
        if tags.is_empty() {
            entry.fields.remove("tags");
        }
    }
    shared
}

/// The tags that everything has that can have any; one thing alone keeps its own.
fn common(entries: &[Entry]) -> BTreeMap<String, String> {
    let taggable =
        |entry: &&Entry| entry.thing.kind.schema()["properties"]["tags"]["x-tags"] == true;
    let nothing = Map::new();
    let tags = entries.iter().filter(taggable);
    let mut tags =
        tags.map(|entry| entry.fields.get("tags").and_then(Value::as_object).unwrap_or(&nothing));
    let (Some(first), others) = (tags.next(), tags.collect::<Vec<_>>()) else {
        return BTreeMap::new();
    };
    if others.is_empty() {
        return BTreeMap::new();
    }
    let everywhere = first.iter().filter(|(key, value)| {
        *key != "Name" && others.iter().all(|tags| tags.get(*key) == Some(value))
    });
    everywhere.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Tags that the kind gives the resource by itself, such as its `Name`.
fn given(entry: &Entry, site: &Site) -> Map<String, Value> {
    let mut without = entry.fields.clone();
    without.insert("tags".to_owned(), Value::Object(Map::new()));
    let root = std::path::Path::new("");
    let kind = entry.thing.kind;
    let predicted = kind.predict(&without.into(), &entry.thing.live.name, site, root);
    let tags = predicted.ok().and_then(|fields| fields["tags"].as_object().cloned());
    tags.unwrap_or_default()
}
