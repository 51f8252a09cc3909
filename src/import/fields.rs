//! The fields of a resource as a person would write them: without what AWS reports, without
//! defaults, with references. The schema says which is which.

use serde_json::{Map, Value, json};

use super::references::References;
use crate::field::reserved_tag;
use crate::kind::AnyKind;

/// What of the live fields is worth writing.
pub fn written(schema: &Value, live: &Value, references: &mut References) -> Map<String, Value> {
    Walk { references, field: String::new() }.object(schema, live, false)
}

struct Walk<'a> {
    references: &'a mut References,
    /// The field of the resource that is being written.
    field: String,
}

impl Walk<'_> {
    /// In what AWS keeps as one piece, an empty value is a value.
    fn object(&mut self, schema: &Value, live: &Value, whole: bool) -> Map<String, Value> {
        let top = self.field.is_empty();
        let mut out = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let value = live.get(name).unwrap_or(&Value::Null);
            if value.is_null() || flagged(property, "readOnly") || flagged(property, "writeOnly") {
                continue;
            }
            let default = property.get("default").filter(|default| !default.is_null());
            let required = schema["required"]
                .as_array()
                .is_some_and(|all| all.contains(&name.as_str().into()));
            let empty = is_hollow(value) || value == "";
            if !required && (default == Some(value) || (default.is_none() && !whole && empty)) {
                continue;
            }
            if top {
                self.field.clone_from(name);
            }
            let value = self.value(property, value, whole);
            if !required && default == Some(&value) {
                continue;
            }
            if !(given(property)["x-tags"] == true && is_hollow(&value)) {
                out.insert(name.clone(), value);
            }
        }
        if top {
            self.field.clear();
        }
        out
    }

    fn value(&mut self, schema: &Value, live: &Value, whole: bool) -> Value {
        let schema = fitting(given(schema), live);
        let whole = whole || schema["x-whole"] == true;
        match live {
            _ if schema["x-policy"] == true => self.policy(live),
            Value::String(text) if schema.get("x-refers").is_some() => {
                self.references.refer(&self.field, schema, text)
            }
            Value::Object(_) if schema.get("properties").is_some() => {
                self.object(schema, live, whole).into()
            }
            Value::Object(members) => {
                let tags = schema["x-tags"] == true;
                let kept = members.iter().filter(|(key, one)| match tags {
                    true => !reserved_tag(key),
                    false => whole || !one.is_null(),
                });
                let item = &schema["additionalProperties"];
                kept.map(|(key, one)| (key.clone(), self.value(item, one, whole))).collect()
            }
            Value::Array(items) => {
                items.iter().map(|one| self.value(&schema["items"], one, whole)).collect()
            }
            other => other.clone(),
        }
    }

    fn policy(&mut self, document: &Value) -> Value {
        match document {
            Value::String(text) => self.references.within(text).into(),
            Value::Array(items) => items.iter().map(|item| self.policy(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(key, one)| (key.clone(), self.policy(one))).collect()
            }
            other => other.clone(),
        }
    }
}

/// Gives what AWS never tells a source, where the resource isn't complete without: the secret in the
/// environment that its owner will have to set. Gives the fields that were filled in.
pub fn secrets(kind: &dyn AnyKind, key: &str, fields: &mut Map<String, Value>) -> Vec<String> {
    let schema = kind.schema();
    let nowhere = std::path::Path::new("");
    let complete = |fields: &Map<String, Value>| {
        let fields = Value::Object(fields.clone());
        let filled = kind.complete(&fields).unwrap_or(fields);
        kind.check(&filled, nowhere).len()
    };
    let mut wrong = complete(fields);
    let mut filled = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if wrong == 0 || !flagged(property, "writeOnly") || given(property)["x-secret"] != true {
            continue;
        }
        let mut with = fields.clone();
        with.insert(name.clone(), json!({ "env": variable(key, name) }));
        let left = complete(&with);
        if left < wrong {
            (*fields, wrong) = (with, left);
            filled.push(name.clone());
        }
    }
    let order: Vec<&String> =
        schema["properties"].as_object().into_iter().flat_map(Map::keys).collect();
    let mut sorted: Vec<_> = std::mem::take(fields).into_iter().collect();
    sorted.sort_by_key(|(name, _)| order.iter().position(|one| *one == name));
    fields.extend(sorted);
    filled
}

/// `RDS_SERVER_PASSWORD`.
fn variable(key: &str, field: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = format!("{key}_{field}").chars().map(word).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn is_hollow(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether the schema carries the flag, at the top or in the one alternative that isn't null.
fn flagged(schema: &Value, flag: &str) -> bool {
    schema[flag] == true || given(schema)[flag] == true
}

/// The schema of the value when it is there.
fn given(schema: &Value) -> &Value {
    let mut real = alternatives(schema).filter(|one| one["type"] != "null");
    match (real.next(), real.next()) {
        (Some(only), None) => only,
        _ => schema,
    }
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array());
    lists.flatten()
}

/// Of several alternatives the one that has all that the value has.
fn fitting<'a>(schema: &'a Value, live: &Value) -> &'a Value {
    let has = |one: &&Value| match live {
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !member.is_null())
            .all(|(name, _)| one["properties"].get(name).is_some()),
        Value::Array(_) => one["type"] == "array",
        Value::String(_) => one["type"] == "string",
        _ => false,
    };
    alternatives(schema).find(has).unwrap_or(schema)
}
