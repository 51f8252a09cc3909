//! Fields as a page tells of them.

use serde::Serialize;
use serde_json::Value;

use super::prose::paragraphs;
use super::words;
use crate::reference::{Target, targets};
use crate::report::value::{given, is_hollow};

/// One field of a kind, with what is in it.
#[derive(Clone, Debug, Serialize)]
pub struct Field {
    /// How to get there: `lifecycle[].transitions[].days`.
    pub path: String,
    /// Its name.
    pub name: String,
    /// What may be written, in words.
    #[serde(rename = "type")]
    pub form: String,
    /// The words that it takes, if they are a closed set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
    /// What a text must look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Whether it must be written.
    pub required: bool,
    /// What it is when it is left out, where lagoa says so and not AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What a change of it means.
    pub change: Change,
    /// The kinds whose keys it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refers: Vec<String>,
    /// What it is, in paragraphs.
    pub text: Vec<String>,
    /// What is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// One of the words that a field takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Word {
    /// As it is written.
    pub word: String,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What a change of a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The resource is changed where it stands.
    InPlace,
    /// The resource is replaced.
    Replaces,
    /// Nothing: it is sent at creation, and later with `--rotate`.
    Sent,
    /// It can't be written: AWS reports it.
    Reported,
    /// It can't be written: it follows from other fields.
    Followed,
}

impl Change {
    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::Replaces => "replaces it",
            Self::Sent => "sent with `--rotate`",
            Self::Reported => "reported by AWS",
            Self::Followed => "follows from other fields",
        }
    }
}

impl Field {
    /// Whether a person may write it.
    pub fn is_written(&self) -> bool {
        !matches!(self.change, Change::Reported | Change::Followed)
    }

    /// The path without the signs of lists and mappings: `lifecycle.transitions.days`.
    pub fn plain_path(&self) -> String {
        self.path.replace("[]", "").replace(".*", "")
    }

    /// It and everything in it.
    pub fn with_all_below(&self) -> Vec<&Self> {
        let below = self.fields.iter().flat_map(Self::with_all_below);
        std::iter::once(self).chain(below).collect()
    }
}

/// The fields that a schema describes.
pub(super) fn fields(schema: &Value) -> Vec<Field> {
    of_mapping(schema, "", Change::InPlace)
}

fn of_mapping(schema: &Value, path: &str, around: Change) -> Vec<Field> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    properties
        .map(|(name, outer)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            field(name, path, outer, required(name), around)
        })
        .collect()
}

fn field(name: &str, path: String, outer: &Value, required: bool, around: Change) -> Field {
    let inner = given(outer);
    let change = change(outer, inner, around);
    let text = outer["description"].as_str().or_else(|| inner["description"].as_str());
    let default = outer.get("default").or_else(|| inner.get("default"));
    let default =
        default.filter(|default| !is_hollow(default) && !default.is_object() && **default != "");
    let pattern = inner["pattern"].as_str().or_else(|| inner["items"]["pattern"].as_str());
    let mut refers = targets(inner);
    refers.extend(targets(given(&inner["items"])));
    Field {
        form: words::form(inner),
        words: words::choices(inner),
        pattern: pattern.map(str::to_owned),
        required,
        default: default.cloned(),
        change,
        refers: refers.into_iter().map(|Target { kind, .. }| kind).collect(),
        text: paragraphs(text.unwrap_or_default()),
        fields: within(inner, &path, change),
        name: name.to_owned(),
        path,
    }
}

fn change(outer: &Value, inner: &Value, around: Change) -> Change {
    let flag = |flag: &str| outer[flag] == true || inner[flag] == true;
    match around {
        _ if flag("x-derived") => Change::Followed,
        _ if flag("readOnly") => Change::Reported,
        Change::InPlace if flag("createOnly") => Change::Replaces,
        Change::InPlace if flag("writeOnly") => Change::Sent,
        around => around,
    }
}

/// The fields of what a value holds: its own, its items', its alternatives'.
fn within(schema: &Value, path: &str, around: Change) -> Vec<Field> {
    // What has a form of its own is described on the page of stack files.
    if ["x-secret", "x-policy", "x-tags"].iter().any(|flag| schema.get(flag).is_some()) {
        return Vec::new();
    }
    let mut fields = of_mapping(schema, path, around);
    for list in ["anyOf", "oneOf"] {
        for one in schema[list].as_array().into_iter().flatten() {
            fields.extend(within(one, path, around));
        }
    }
    for (word, sign) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(item) = schema.get(word).filter(|item| item.is_object()) {
            fields.extend(within(given(item), &format!("{path}{sign}"), around));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_fixed_is_fixed_with_all_that_is_in_it() {
        let schema = json!({ "properties": { "rules": {
            "type": "array", "createOnly": true, "description": "Some\nrules.",
            "items": { "required": ["days"], "properties": {
                "days": { "type": "integer", "minimum": 1 }, "id": { "readOnly": true },
            } },
        } } });
        let fields = fields(&schema);
        let rules = &fields[0];
        assert_eq!((rules.change, rules.text[0].as_str()), (Change::Replaces, "Some rules."));
        let days = &rules.fields[0];
        assert_eq!(
            (days.path.as_str(), days.plain_path().as_str()),
            ("rules[].days", "rules.days")
        );
        assert_eq!((days.change, days.required), (Change::Replaces, true));
        assert_eq!(rules.fields[1].change, Change::Reported);
    }
}
