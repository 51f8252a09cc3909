//! Types in words: as a person says what may be written.

use serde_json::Value;

use super::Word;
use crate::reference::targets;
use crate::report::value::{given, kind};

/// What may be written where the schema stands.
pub(super) fn form(schema: &Value) -> String {
    let schema = given(schema);
    special(schema).unwrap_or_else(|| match kind(schema) {
        Some("array") => list(schema),
        Some("object") => mapping(schema, "mapping"),
        Some("integer") => format!("whole number{}", bounds(schema)),
        Some("number") => format!("number{}", bounds(schema)),
        Some("boolean") => "true or false".to_owned(),
        Some("string") => "text".to_owned(),
        _ => either(schema, form),
    })
}

/// The same for many of it.
fn forms(schema: &Value) -> String {
    let schema = given(schema);
    if schema["x-policy"] == true {
        return "policy documents, or the paths of such".to_owned();
    }
    special(schema).unwrap_or_else(|| match kind(schema) {
        Some("array") => format!("lists of {}", forms(&schema["items"])),
        Some("object") => mapping(schema, "mappings"),
        Some("integer") => format!("whole numbers{}", bounds(schema)),
        Some("string") => "texts".to_owned(),
        Some(_) => form(schema),
        None => either(schema, forms),
    })
}

/// What isn't said by its JSON type.
fn special(schema: &Value) -> Option<String> {
    let flag = |flag: &str| schema.get(flag).is_some_and(|flag| *flag != false);
    if flag("x-secret") {
        return Some("secret".to_owned());
    }
    if let Some(words) = reference(schema) {
        return Some(words);
    }
    if flag("x-policy") {
        return Some("policy document, or the path of one".to_owned());
    }
    if flag("x-tags") {
        return Some("tags: a mapping of names to texts".to_owned());
    }
    if schema["x-file"] == "paths" {
        return Some("list of files: paths or patterns".to_owned());
    }
    (!choices(schema).is_empty()).then(|| "word".to_owned())
}

/// `` `iam_role` (key or arn) ``, for one or several kinds.
fn reference(schema: &Value) -> Option<String> {
    let targets = targets(schema);
    let first = targets.first()?;
    let kinds: Vec<String> = targets.iter().map(|target| format!("`{}`", target.kind)).collect();
    let outside = match first.field.as_str() {
        "arn" => "key or ARN",
        "id" => "key or id",
        "connection" => "key",
        _ => "key or name",
    };
    let words = schema["x-words"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words: String = words.map(|word| format!(", or `{word}`")).collect();
    let mut text = format!("{} ({outside}){words}", kinds.join(" or "));
    if kind(schema) == Some("object") || alternatives(schema).any(|one| kind(one) == Some("object"))
    {
        text.push_str(", or a mapping");
    }
    Some(text)
}

fn list(schema: &Value) -> String {
    let word = if schema["uniqueItems"] == true { "set" } else { "list" };
    let least = match schema["minItems"].as_u64() {
        Some(least) if least > 1 => format!("{least} or more "),
        _ => String::new(),
    };
    format!("{word} of {least}{}", forms(&schema["items"]))
}

fn mapping(schema: &Value, word: &str) -> String {
    match &schema["additionalProperties"] {
        all @ Value::Object(_) if schema.get("properties").is_none() && forms(all) != ANYTHING => {
            format!("{word} of names to {}", forms(all))
        }
        _ => word.to_owned(),
    }
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["anyOf", "oneOf"].into_iter();
    lists
        .flat_map(move |list| schema[list].as_array().into_iter().flatten())
        .filter(|one| one["type"] != "null")
}

/// What has no form.
const ANYTHING: &str = "anything";

/// Forms of which a value may have any, each in the words that `form` finds.
fn either(schema: &Value, form: fn(&Value) -> String) -> String {
    let types = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let types: Vec<&str> = types.filter(|one| *one != "null").collect();
    if types.contains(&"string") && types.contains(&"number") {
        return "text or number".to_owned();
    }
    let simple = |name: &&str| match *name {
        "boolean" => "true or false".to_owned(),
        "array" => list(schema),
        "string" => "text".to_owned(),
        "object" => mapping(schema, "mapping"),
        other => other.to_owned(),
    };
    let mut words: Vec<String> = types.iter().map(simple).collect();
    words.extend(alternatives(schema).map(form));
    words.dedup();
    match words.as_slice() {
        [] => ANYTHING.to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
    }
}

fn bounds(schema: &Value) -> String {
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) if least > 0 => format!(", {least} or more"),
        (None, Some(most)) => format!(", at most {most}"),
        _ => String::new(),
    }
}

/// The words that an enumeration, or a list of such words, allows.
pub(super) fn choices(schema: &Value) -> Vec<Word> {
    let mut all = plain(&schema["enum"], None);
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        let text = one["description"].as_str().map(|text| text.replace('\n', " "));
        if let Some(word) = one["const"].as_str() {
            all.push(Word { word: word.to_owned(), text: text.clone() });
        }
        all.extend(plain(&one["enum"], text));
    }
    if all.is_empty() && schema["items"].is_object() {
        return choices(given(&schema["items"]));
    }
    all
}

fn plain(list: &Value, text: Option<String>) -> Vec<Word> {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.map(|word| Word { word: word.to_owned(), text: text.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_read_like_sentences() {
        let arn = json!({ "kind": "iam_role", "field": "arn" });
        let cases = [
            (
                json!({ "type": ["integer", "null"], "minimum": 1, "maximum": 9 }),
                "whole number, 1 to 9",
            ),
            (
                json!({ "type": "array", "uniqueItems": true, "minItems": 2, "items": { "type": "string" } }),
                "set of 2 or more texts",
            ),
            (
                json!({ "type": "object", "additionalProperties": { "type": "string" } }),
                "mapping of names to texts",
            ),
            (
                json!({ "type": "string", "x-refers": arn, "x-words": ["self"] }),
                "`iam_role` (key or ARN), or `self`",
            ),
            (
                json!({ "anyOf": [{ "type": "integer" }, { "type": "array", "items": { "type": "string" } }] }),
                "whole number, or list of texts",
            ),
            (json!({ "enum": ["a", "b", null] }), "word"),
            (json!({}), "anything"),
        ];
        for (schema, expected) in cases {
            assert_eq!(form(&schema), expected);
        }
    }
}
