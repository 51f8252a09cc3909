//! The kinds and their reference pages, made from their schemas.

use serde_json::Value;

use super::style::{Ink, Style, columns, wrapped};
use super::value::{self, given};
use crate::kind::{AnyKind, Facts, OnDestroy};
use crate::reference::targets;

/// Every kind with its first sentence.
pub fn kinds(kinds: &[&'static dyn AnyKind], style: Style) -> String {
    let row = |kind: &&'static dyn AnyKind| {
        let doc = kind.schema()["description"].as_str().unwrap_or_default();
        vec![style.paint(Ink::Strong, kind.facts().name), first_sentence(doc)]
    };
    let mut rows: Vec<_> = kinds.iter().map(row).collect();
    rows.sort();
    columns(&rows, "")
}

fn first_sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}

/// A kind's reference page.
pub fn page(kind: &dyn AnyKind, style: Style) -> String {
    let (facts, schema) = (kind.facts(), kind.schema());
    let mut text = format!("{}\n\n", style.paint(Ink::Strong, facts.name));
    paragraph(&mut text, "", schema["description"].as_str().unwrap_or_default());
    text.push('\n');
    text.push_str(&rules(&facts));
    let (mut own, mut reported) = (String::new(), String::new());
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = is_required(schema, name);
        let into = if given(property)["readOnly"] == true { &mut reported } else { &mut own };
        field(into, name, property, required, "  ", style);
    }
    for (title, fields) in [("Fields", own), ("Reported by AWS, for references", reported)] {
        if !fields.is_empty() {
            text.push_str(&format!("\n{}\n{fields}", style.paint(Ink::Strong, title)));
        }
    }
    text.push_str(&format!("\n{}\n", style.paint(Ink::Strong, "Example")));
    for line in facts.example.trim().lines() {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
    text
}

fn rules(facts: &Facts) -> String {
    let word = |word: &OnDestroy| match word {
        OnDestroy::Delete => "delete",
        OnDestroy::Retain => "retain",
        OnDestroy::Snapshot => "snapshot",
    };
    let mut rows = vec![vec!["name".to_owned(), facts.name_pattern.to_owned()]];
    if facts.seed {
        rows.push(vec!["on destroy".to_owned(), "nothing happens: the data stays".to_owned()]);
    } else {
        let words: Vec<_> = facts.on_destroy.iter().map(word).collect();
        let default = facts.on_destroy_default.as_ref().map_or_else(
            || format!("refused while it holds {}", facts.holds.unwrap_or("data")),
            |default| word(default).to_owned(),
        );
        rows.push(vec![
            "on_destroy".to_owned(),
            format!("{} (default: {default})", words.join(", ")),
        ]);
    }
    columns(&rows, "  ")
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name))
}

fn field(
    text: &mut String,
    name: &str,
    property: &Value,
    required: bool,
    indent: &str,
    style: Style,
) {
    let schema = given(property);
    let mut marks = vec![kind_of(schema)];
    if required {
        marks.push("required".to_owned());
    }
    let default = property.get("default").or_else(|| schema.get("default"));
    let default = default.filter(|default| !value::is_hollow(default) && !default.is_object());
    if let Some(default) = default {
        marks.push(format!("default {}", value::line(default)));
    }
    for (flag, words) in [
        ("createOnly", "fixed at creation"),
        ("writeOnly", "never read back"),
        ("readOnly", "reported by AWS"),
    ] {
        if schema[flag] == true && !(flag == "readOnly" && indent.len() == 2) {
            marks.push(words.to_owned());
        }
    }
    text.push_str(&format!("{indent}{}  {}\n", style.paint(Ink::Good, name), marks.join(", ")));
    let doc = property["description"].as_str().or_else(|| schema["description"].as_str());
    let deeper = format!("{indent}    ");
    paragraph(text, &deeper, doc.unwrap_or_default());
    if schema["x-secret"] == true || schema.get("x-refers").is_some() {
        return;
    }
    for schema in
        std::iter::once(schema).chain(schema.get("items")).chain(schema.get("additionalProperties"))
    {
        let schema = given(schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            field(text, name, property, is_required(schema, name), &deeper, style);
        }
    }
}

fn paragraph(text: &mut String, indent: &str, words: &str) {
    for line in wrapped(words, 92 - indent.len().min(40)) {
        text.push_str(&format!("{indent}{line}\n"));
    }
}

/// A type in words.
fn kind_of(schema: &Value) -> String {
    let schema = given(schema);
    if schema["x-secret"] == true {
        return "secret".to_owned();
    }
    let targets = targets(schema);
    if let [first, ..] = targets.as_slice() {
        let kinds: Vec<&str> = targets.iter().map(|target| target.kind.as_str()).collect();
        return format!("{} (key or {})", kinds.join(" or "), first.field);
    }
    if schema["x-policy"] == true {
        return "policy document, or the path of one".to_owned();
    }
    if let Some(words) = choices(schema) {
        return words;
    }
    match value::kind(schema) {
        Some("array") if schema["x-file"].is_string() => "list of files or patterns".to_owned(),
        Some("array") => {
            let word = if schema["uniqueItems"] == true { "set" } else { "list" };
            format!("{word} of {}", kind_of(&schema["items"]))
        }
        Some("object") if schema.get("properties").is_none() => {
            match &schema["additionalProperties"] {
                Value::Object(_) => format!("map to {}", kind_of(&schema["additionalProperties"])),
                _ => "mapping".to_owned(),
            }
        }
        Some("object") => "mapping".to_owned(),
        Some("integer") => bounds(schema, "integer"),
        Some(other) => other.to_owned(),
        None => either(schema),
    }
}

/// Types of which a value may have any.
fn either(schema: &Value) -> String {
    let types = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut words: Vec<String> = types.filter(|one| *one != "null").map(str::to_owned).collect();
    for list in ["anyOf", "oneOf"] {
        let real =
            schema[list].as_array().into_iter().flatten().filter(|one| one["type"] != "null");
        words.extend(real.map(kind_of));
    }
    words.dedup();
    if words.is_empty() { "anything".to_owned() } else { words.join(" or ") }
}

fn bounds(schema: &Value, word: &str) -> String {
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!("{word} {least} to {most}"),
        (Some(least), None) if least > 0 => format!("{word} from {least}"),
        _ => word.to_owned(),
    }
}

/// The words that an enumeration allows.
fn choices(schema: &Value) -> Option<String> {
    let words = |list: &Value| -> Vec<String> {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| Some(one.as_str()?.to_owned()))
            .collect()
    };
    let mut all = words(&schema["enum"]);
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        all.extend(one["const"].as_str().map(str::to_owned));
        all.extend(words(&one["enum"]));
    }
    (!all.is_empty()).then(|| all.join(" | "))
}
