//! Values as a person reads them: YAML's flow style, quoted only where needed, clipped.

use serde_json::{Map, Value};

use super::style::harmless;
use crate::reference;

/// Characters of one value that are shown.
const WIDTH: usize = 100;

/// What stands for a value that must not be seen.
pub const HIDDEN: &str = "(not shown)";
/// What stands for a value that holds a reference to something that isn't there yet.
pub const KNOWN_LATER: &str = "(known after apply)";

/// One value on one line.
pub fn line(value: &Value) -> String {
    clipped(&flow(value), WIDTH)
}

/// A value for one line, whole.
pub fn flow(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => string(text),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let set: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            if set.is_empty() {
                return "{}".to_owned();
            }
            let members =
                set.into_iter().map(|(key, value)| format!("{}: {}", string(key), flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A string, quoted when it could be taken for something else.
pub fn string(text: &str) -> String {
    let text = reference::shown(text);
    let lines = text.trim_end().lines().count();
    if lines > 1 {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return format!("{} … ({lines} lines)", harmless(first.trim()));
    }
    let odd = |c: char| c.is_control() || matches!(c, '"' | ',' | '{' | '}' | '[' | ']' | '#');
    let reference = text.contains("${");
    // A number is one in every field it may stand in, so that it needs no quotes.
    let alike = matches!(text.as_str(), "" | "true" | "false" | "null" | "~");
    let edges =
        text.starts_with(' ') || text.ends_with(' ') || text.ends_with(':') || text.contains(": ");
    if alike || edges || (text.chars().any(odd) && !reference) {
        return Value::String(harmless(&text)).to_string();
    }
    harmless(&text)
}

/// The text cut to `width` characters.
pub fn clipped(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The value with every mark as the person wrote the reference.
pub fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => reference::shown(text).into(),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(map) => {
            let shown = map.iter().map(|(key, value)| (reference::shown(key), shown(value)));
            Value::Object(shown.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// The schema of the value when it is there: `Option` adds a null alternative that says nothing.
pub fn given(schema: &Value) -> &Value {
    let mut real =
        schema["anyOf"].as_array().into_iter().flatten().filter(|one| one["type"] != "null");
    match (real.next(), real.next()) {
        (Some(only), None) => only,
        _ => schema,
    }
}

/// The schema's JSON type; `Option` makes a list of it and null.
pub fn kind(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(one) => Some(one),
        Value::Array(list) => {
            let mut real = list.iter().filter_map(Value::as_str).filter(|one| *one != "null");
            real.next().filter(|_| real.next().is_none())
        }
        _ => None,
    }
}

/// The value without what must not be seen: a secret shows only where it comes from.
pub fn public(schema: &Value, value: &Value) -> Value {
    let schema = given(schema);
    if value.is_null() {
        return Value::Null;
    }
    if schema["x-secret"] == true {
        return source(value).into();
    }
    match value {
        // A word that is never read back may be a secret; a number or a switch is none.
        Value::String(_) if schema["writeOnly"] == true => HIDDEN.into(),
        Value::Object(map) => {
            let member = |key: &String| {
                let property = schema["properties"].get(key);
                property.unwrap_or(&schema["additionalProperties"])
            };
            let members = map.iter().map(|(key, value)| (key.clone(), public(member(key), value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| public(&schema["items"], item)).collect(),
        other => other.clone(),
    }
}

/// The value without the members that only AWS reports, such as the id of a rule.
pub fn written(schema: &Value, value: &Value) -> Value {
    let schema = given(schema);
    match value {
        Value::Array(items) => items.iter().map(|item| written(&schema["items"], item)).collect(),
        Value::Object(map) => {
            let members = map.iter().filter_map(|(key, value)| {
                let property =
                    schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
                let own = given(property);
                let reported = own["readOnly"] == true && own["x-derived"] != true;
                (!reported).then(|| (key.clone(), written(property, value)))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Where a secret comes from, in words.
fn source(value: &Value) -> String {
    match (value["env"].as_str(), value["secret"].as_str(), value["key"].as_str()) {
        (Some(env), _, _) => format!("${{env.{env}}}"),
        (_, Some(secret), None) => format!("from the secret {secret}"),
        (_, Some(secret), Some(key)) => format!("from the secret {secret} ({key})"),
        _ => HIDDEN.to_owned(),
    }
}

/// Whether nothing is in it.
pub fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_hollow),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_are_quoted_only_where_they_could_mislead() {
        let cases = [
            ("db.t3.micro", "db.t3.micro"),
            ("15", "15"),
            ("true", "\"true\""),
            ("", "\"\""),
            ("arn:aws:s3:::a/*", "arn:aws:s3:::a/*"),
            ("a, b", "\"a, b\""),
            ("a: b", "\"a: b\""),
            ("${db.host}:5432", "${db.host}:5432"),
        ];
        for (text, expected) in cases {
            assert_eq!(string(text), expected);
        }
    }

    #[test]
    fn values_read_like_yaml() {
        let value = json!({ "days": 3, "prefix": "tmp/", "none": null, "to": ["a", 1, true] });
        assert_eq!(flow(&value), "{ days: 3, prefix: tmp/, to: [a, 1, true] }");
        assert_eq!(flow(&json!([])), "[]");
    }

    #[test]
    fn long_and_many_lined_values_are_clipped() {
        assert_eq!(line(&json!("x".repeat(300))).chars().count(), WIDTH + 1);
        assert_eq!(line(&json!("a\nb\nc\n")), "a … (3 lines)");
        assert!(!line(&json!("\u{1b}[31m")).contains('\u{1b}'));
    }
}
