//! What an editor's language server needs beyond the schema to say something readable: the words
//! of an enumeration each with its meaning, descriptions as Markdown, whole resources to insert.

use serde_json::{Map, Value, json};

use crate::kind::AnyKind;

/// The schema with every description as an editor shows it.
pub(super) fn readable(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(readable),
        Value::Object(members) => {
            words(members);
            if members.contains_key("description") {
                silence_alternatives(members);
            }
            if let Some(Value::String(text)) = members.get("description") {
                let text = joined(text);
                members.insert("description".to_owned(), text.clone().into());
                if text.contains('`') {
                    // The plain one would show its backticks.
                    members.insert("markdownDescription".to_owned(), text.into());
                }
            }
            members.iter_mut().filter(|(name, _)| *name != "examples").for_each(|(_, one)| {
                readable(one);
            });
        }
        _ => {}
    }
}

/// Makes one list of the words that a schema names one by one.
fn words(schema: &mut Map<String, Value>) {
    let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let mut named: Vec<(Value, String)> = Vec::new();
    for one in alternatives {
        let text = joined(one["description"].as_str().unwrap_or_default());
        match (one.get("const"), one["enum"].as_array()) {
            (Some(word), _) => named.push((word.clone(), text)),
            (None, Some(several)) => {
                named.extend(several.iter().map(|word| (word.clone(), text.clone())));
            }
            // Not only words.
            (None, None) => return,
        }
    }
    schema.shift_remove("oneOf");
    let (words, texts): (Vec<Value>, Vec<String>) = named.into_iter().unzip();
    schema.insert("enum".to_owned(), words.into());
    if texts.iter().any(|text| !text.is_empty()) {
        schema.insert("markdownEnumDescriptions".to_owned(), texts.into());
    }
}

/// An editor would show what one alternative is instead of what the field is.
fn silence_alternatives(schema: &mut Map<String, Value>) {
    for one in schema.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(one) = one.as_object_mut().filter(|one| !one.contains_key("const")) {
            one.shift_remove("description");
        }
    }
}

/// Paragraphs, each on one line: an editor takes the end of a line for that of a paragraph.
fn joined(text: &str) -> String {
    let paragraphs =
        text.split("\n\n").map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.filter(|one| !one.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The kinds as words, each with its meaning.
pub(super) fn kinds(kinds: &[&'static dyn AnyKind]) -> Value {
    let one = |kind: &&'static dyn AnyKind| json!({ "const": kind.facts().name, "description": kind.schema()["description"] });
    kinds.iter().map(one).collect()
}

/// For each kind a resource to insert: its key, its kind and what it must have.
pub(super) fn snippets(kinds: &[&'static dyn AnyKind]) -> Value {
    let snippet = |kind: &&'static dyn AnyKind| {
        let name = kind.facts().name;
        let mut body = Map::from_iter([("kind".to_owned(), Value::from(name))]);
        let required = kind.schema()["required"].as_array().into_iter().flatten();
        for (number, field) in required.filter_map(Value::as_str).enumerate() {
            body.insert(field.to_owned(), format!("${}", number + 2).into());
        }
        let text = kind.schema()["description"].as_str().unwrap_or_default();
        let text = text.split("\n\n").next().unwrap_or_default();
        json!({ "label": name, "description": joined(text), "body": { "${1:key}": body } })
    };
    kinds.iter().map(snippet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_one_list_with_their_meanings() {
        let mut schema = json!({ "description": "Which\nof `them`.\n\nMore.", "anyOf": [
            { "description": "lost", "oneOf": [
                { "const": "a", "description": "The\nfirst." }, { "enum": ["b", "c"] },
            ] },
            { "type": "string" },
        ] });
        readable(&mut schema);
        let expected = json!({ "description": "Which of `them`.\n\nMore.", "anyOf": [
            { "enum": ["a", "b", "c"], "markdownEnumDescriptions": ["The first.", "", ""] },
            { "type": "string" },
        ], "markdownDescription": "Which of `them`.\n\nMore." });
        assert_eq!(schema, expected);
    }
}
