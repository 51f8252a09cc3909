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
        let named = follows_from_the_name(entry, site);
        let Some(Value::Object(tags)) = entry.fields.get_mut("tags") else { continue };
        tags.retain(|key, value| shared.get(key).is_none_or(|one| value != one));
        if named {
            tags.remove("Name");
        }
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

/// Whether the kind gives the resource its `Name` by itself.
fn follows_from_the_name(entry: &Entry, site: &Site) -> bool {
    let name = entry.fields.get("tags").and_then(|tags| tags.get("Name"));
    let Some(name) = name.filter(|name| **name == entry.thing.live.name) else { return false };
    let mut without = entry.fields.clone();
    without.insert("tags".to_owned(), Value::Object(Map::new()));
    let kind = entry.thing.kind;
    let root = std::path::Path::new("");
    let predicted = kind.predict(&without.into(), &entry.thing.live.name, site, root);
    predicted.is_ok_and(|fields| fields["tags"].get("Name") == Some(name))
}
