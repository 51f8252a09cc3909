//! References between resources, as they travel inside values.
//!
//! `${rds-server.host}` in a stack becomes a *mark* inside the string that holds it: two characters
//! that no AWS value can contain, around the target's key and field. A string that still holds a
//! mark is a string that isn't known yet. So desired values stay ordinary JSON from the stack to
//! the API call, and typed structs can be made of them at any time.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

const OPEN: char = '\u{F0000}';
const CLOSE: char = '\u{F0001}';
const DOT: char = '\u{F0002}';

/// One use of another resource's field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Key of the resource referred to.
    pub key: String,
    /// The field, `.`-separated when it lies deeper: `host`, `connection.port`.
    pub field: String,
}

impl Reference {
    /// The mark that stands for this reference inside a string.
    pub fn mark(&self) -> String {
        format!("{OPEN}{}{DOT}{}{CLOSE}", self.key, self.field)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}.{}}}", self.key, self.field)
    }
}

/// What a bare key in a field may name, and which of its fields is meant then.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Target {
    /// The kind of the resource.
    pub kind: String,
    /// Its field.
    pub field: String,
}

/// The targets of a field: none, one, or several when it takes more than one kind.
pub fn targets(schema: &Value) -> Vec<Target> {
    match &schema["x-refers"] {
        Value::Array(several) => {
            several.iter().filter_map(|one| Target::deserialize(one).ok()).collect()
        }
        one => Target::deserialize(one).into_iter().collect(),
    }
}

/// Whether the text holds a reference that isn't filled in yet.
pub fn is_marked(text: &str) -> bool {
    text.contains(OPEN)
}

/// Whether any string in the value holds a reference that isn't filled in yet.
pub fn is_unknown(value: &Value) -> bool {
    match value {
        Value::String(text) => is_marked(text),
        Value::Array(items) => items.iter().any(is_unknown),
        Value::Object(map) => map.iter().any(|(key, value)| is_marked(key) || is_unknown(value)),
        _ => false,
    }
}

/// A text cut into literal pieces and references.
enum Piece<'a> {
    Text(&'a str),
    Reference(Reference),
}

fn pieces(mut text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    while let Some(start) = text.find(OPEN) {
        let after = &text[start + OPEN.len_utf8()..];
        let Some(end) = after.find(CLOSE) else { break };
        let Some((key, field)) = after[..end].split_once(DOT) else { break };
        if start > 0 {
            out.push(Piece::Text(&text[..start]));
        }
        out.push(Piece::Reference(Reference { key: key.to_owned(), field: field.to_owned() }));
        text = &after[end + CLOSE.len_utf8()..];
    }
    if !text.is_empty() {
        out.push(Piece::Text(text));
    }
    out
}

/// How many characters of the text are known, spaces not counted.
pub fn known_characters(text: &str) -> usize {
    let known = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text.chars().filter(|c| !c.is_whitespace()).count(),
        Piece::Reference(_) => 0,
    });
    known.sum()
}

/// Every reference in the value, in reading order, with doubles.
pub fn references(value: &Value) -> Vec<Reference> {
    fn collect(value: &Value, out: &mut Vec<Reference>) {
        match value {
            Value::String(text) => out.extend(pieces(text).into_iter().filter_map(|piece| {
                if let Piece::Reference(reference) = piece { Some(reference) } else { None }
            })),
            Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
            Value::Object(map) => {
                for (key, value) in map {
                    collect(&Value::String(key.clone()), out);
                    collect(value, out);
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    collect(value, &mut out);
    out
}

/// The value with every reference replaced that `known` can answer.
/// A string that is only a reference takes the referred value as it is, type included; in a list, a
/// list that is referred to takes its place item by item.
pub fn fill(value: &Value, known: &impl Fn(&Reference) -> Option<Value>) -> Value {
    match value {
        Value::String(text) if is_marked(text) => fill_text(text, known),
        Value::Array(items) => {
            let filled = items.iter().flat_map(|item| match (item, fill(item, known)) {
                (Value::String(_), Value::Array(several)) => several,
                (_, one) => vec![one],
            });
            filled.collect()
        }
        Value::Object(map) => {
            let filled = map.iter().map(|(key, value)| (fill_key(key, known), fill(value, known)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn fill_key(key: &str, known: &impl Fn(&Reference) -> Option<Value>) -> String {
    if !is_marked(key) {
        return key.to_owned();
    }
    match fill_text(key, known) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn fill_text(text: &str, known: &impl Fn(&Reference) -> Option<Value>) -> Value {
    let pieces = pieces(text);
    if let [Piece::Reference(only)] = pieces.as_slice() {
        return known(only).unwrap_or_else(|| Value::String(text.to_owned()));
    }
    let filled = pieces.into_iter().map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Reference(reference) => match known(&reference) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => reference.mark(),
        },
    });
    Value::String(filled.collect())
}

/// The text as a person wrote it: marks shown as `${key.field}`.
pub fn shown(text: &str) -> String {
    let shown = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Reference(reference) => reference.to_string(),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reference(key: &str, field: &str) -> Reference {
        Reference { key: key.into(), field: field.into() }
    }

    #[test]
    fn a_lone_reference_keeps_its_type() {
        let value = json!({ "port": reference("db", "port").mark() });
        let filled = fill(&value, &|_| Some(json!(5432)));
        assert_eq!(filled, json!({ "port": 5432 }));
    }

    #[test]
    fn references_inside_text_and_keys_are_filled() {
        let host = reference("db.prod", "host").mark();
        let value = json!({ format!("k-{host}"): [format!("jdbc:{host}:{host}")] });
        assert_eq!(references(&value).len(), 3);
        assert!(is_unknown(&value));
        let filled = fill(&value, &|r| (r.field == "host").then(|| json!("h")));
        assert_eq!(filled, json!({ "k-h": ["jdbc:h:h"] }));
    }

    #[test]
    fn a_list_in_a_list_takes_its_place() {
        let value = json!(["a", reference("aws", "others").mark()]);
        let filled = fill(&value, &|_| Some(json!(["b", "c"])));
        assert_eq!(filled, json!(["a", "b", "c"]));
        assert_eq!(fill(&value, &|_| Some(json!([]))), json!(["a"]));
    }

    #[test]
    fn what_is_not_known_stays_marked() {
        let text = format!("a {} b", reference("x", "arn").mark());
        let filled = fill(&json!(text), &|_| None);
        assert_eq!(filled, json!(text));
        assert_eq!(shown(&text), "a ${x.arn} b");
    }
}
