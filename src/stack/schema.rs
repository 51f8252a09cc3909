//! What a kind's JSON Schema says of a value.

use serde_json::Value;

use crate::document::{Node, Yaml};

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(super) fn first_sentence(doc: &str) -> &str {
    doc.split_once(". ").map_or(doc, |(first, _)| first).trim_end_matches('.')
}

pub(super) fn a(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}

pub(super) fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn article(types: &[&str]) -> &'static str {
    match types.iter().find(|one| **one != "null") {
        Some(&"object") => "a mapping",
        Some(&"array") => "a list",
        Some(&"integer" | &"number") => "a whole number",
        Some(&"boolean") => "true or false",
        _ => "a single value",
    }
}

pub(super) fn allows_null(schema: &Value) -> bool {
    types(schema).contains(&"null")
        || schema["anyOf"].as_array().into_iter().flatten().any(|one| one["type"] == "null")
}

/// What a schema offers to choose from, nothing excluded.
pub(super) fn alternatives(schema: &Value) -> Vec<&Value> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array());
    lists.flatten().filter(|one| one["type"] != "null").collect()
}

pub(super) fn constants(schema: &Value) -> Vec<Value> {
    let one = schema.get("const").cloned();
    one.into_iter()
        .chain(schema["enum"].as_array().into_iter().flatten().cloned())
        .filter(|v| !v.is_null())
        .collect()
}

pub(super) fn same_shape(schema: &Value, node: &Node) -> bool {
    let types = types(schema);
    match &node.value {
        Yaml::Mapping(_) => types.contains(&"object"),
        Yaml::Sequence(_) => types.contains(&"array"),
        _ => !types.contains(&"object") && !types.contains(&"array"),
    }
}

/// The range of an integer, from the schema's own limits and from its format.
pub(super) fn limits(schema: &Value) -> (i64, i64) {
    let by_format = match schema["format"].as_str() {
        Some("uint8") => (0, 255),
        Some("uint16") => (0, 65_535),
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("uint32") => (0, i64::from(u32::MAX)),
        Some("uint64" | "uint") => (0, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    };
    let least = schema["minimum"].as_i64().unwrap_or(by_format.0);
    let most = schema["maximum"].as_i64().unwrap_or(by_format.1);
    (least.max(by_format.0), most.min(by_format.1))
}
