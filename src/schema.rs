//! The JSON Schema of stack files, for editors: made from the kinds' own schemas.

mod editor;

use serde_json::{Map, Value, json};

use crate::checks;
use crate::kind::{AnyKind, OnDestroy};
use crate::reference::targets;
use crate::report::value::{given, is_hollow, kind};

/// A text that holds a reference or a variable may stand wherever a number or a word is expected.
const REFERENCE: &str = r"\$\{.+\}";

const KIND: &str = "What kind of thing it is; `lagoa show kinds` lists them.";

/// The schema of a whole stack file.
pub fn stack_file(kinds: &[&'static dyn AnyKind]) -> Value {
    let mut kinds = kinds.to_vec();
    kinds.sort_by_key(|kind| kind.facts().name);
    let mut definitions: Map<String, Value> =
        kinds.iter().map(|kind| (kind.facts().name.to_owned(), resource(*kind))).collect();
    definitions.insert("resource".to_owned(), any_resource(&kinds));
    definitions.insert("beside".to_owned(), json!({ "properties": common() }));
    let mut properties = top_level();
    properties["resources"]["defaultSnippets"] = editor::snippets(&kinds);
    // Without a title: an editor would set it above the text of every field.
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "description": "What should be in AWS: resources that live and die together.",
        "type": "object",
        "required": ["stack", "resources"],
        "additionalProperties": false,
        "patternProperties": { "^x-": { "description": "Free for anchors; lagoa doesn't read it." } },
        "properties": properties,
        "definitions": definitions,
    });
    editor::readable(&mut schema);
    schema
}

/// What is at the top of a stack file, for its reference page.
pub fn outline() -> Value {
    json!({ "required": ["stack", "resources"], "properties": top_level() })
}

/// What every resource may have beside its kind's fields, for its reference page.
pub fn beside() -> Value {
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({ "type": "string", "description": KIND }));
    properties.extend(common());
    json!({ "required": ["kind"], "properties": properties })
}

/// A resource of any kind: its `kind` says which definition counts.
fn any_resource(kinds: &[&'static dyn AnyKind]) -> Value {
    let cases = kinds.iter().map(|kind| {
        let name = kind.facts().name;
        json!({
            // Not `const`: while it completes, the server takes a constant for every longer one.
            "if": {
                "required": ["kind"],
                "properties": { "kind": { "pattern": format!("^{name}$") } },
            },
            "then": { "$ref": format!("#/definitions/{name}") },
        })
    });
    json!({
        "type": "object",
        "required": ["kind"],
        "properties": { "kind": { "description": KIND, "anyOf": editor::kinds(kinds) } },
        "allOf": cases.collect::<Vec<_>>(),
    })
}

fn top_level() -> Value {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    json!({
        "stack": {
            "description": "The stack's name, kept as the tag `lagoa:stack` on everything it owns.",
            "type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$",
        },
        "region": {
            "description": "The region it lives in; without one AWS_REGION or the profile counts.",
            "type": "string",
        },
        "tags": {
            "description": "Tags for everything in the stack.",
            "type": ["object", "null"], "additionalProperties": scalar,
        },
        "variables": {
            "description": "Values that the stack asks for: `--var NAME=VALUE`, `--var-file FILE` or LAGOA_VAR_NAME.",
            "type": ["object", "null"],
            "additionalProperties": {
                "type": ["object", "null"], "additionalProperties": false,
                "properties": {
                    "default": { "description": "Its value when none is given; without one it must be given." },
                    "description": { "description": "What it is for.", "type": "string" },
                    "pattern": { "description": "The regular expression that its value must match.", "type": "string" },
                },
            },
        },
        "resources": {
            "description": "The resources by key; the key is the name in AWS unless `name` says otherwise.",
            "type": "object", "additionalProperties": { "$ref": "#/definitions/resource" },
        },
        "outputs": {
            "description": "Values to print when the stack stands, such as `${database.host}`.",
            "type": ["object", "null"],
        },
    })
}

/// A resource of one kind: what every resource may say, and the kind's own fields.
fn resource(kind: &dyn AnyKind) -> Value {
    let (facts, schema) = (kind.facts(), kind.schema());
    let beside = |name: &String| {
        (name.clone(), json!({ "$ref": format!("#/definitions/beside/properties/{name}") }))
    };
    let mut properties: Map<String, Value> = common().keys().map(beside).collect();
    properties.insert("on_destroy".to_owned(), on_destroy(facts.on_destroy));
    properties.insert("skip_checks".to_owned(), skip_checks(facts.name));
    properties.insert("kind".to_owned(), json!({ "const": facts.name }));
    let written = mapping(schema, true);
    if let Some(own) = written["properties"].as_object() {
        properties.extend(own.clone());
    }
    let mut required = vec![Value::from("kind")];
    required.extend(written["required"].as_array().cloned().unwrap_or_default());
    json!({
        "description": schema["description"],
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
        "examples": [facts.example.trim()],
    })
}

/// What every resource may say of itself.
fn common() -> Map<String, Value> {
    let flag = json!({ "type": ["boolean", "string"] });
    let names = json!({ "type": ["array", "string"], "items": { "type": "string" } });
    let all = [OnDestroy::Delete, OnDestroy::Retain, OnDestroy::Snapshot];
    let fields = [
        (
            "name",
            json!({ "type": ["string", "number"] }),
            "Its name in AWS, when it is not the key.",
        ),
        ("depends_on", names.clone(), "Keys of resources that must stand before it."),
        (
            "for_each",
            json!({}),
            "Repeats it for each item of a list, or each entry of a mapping: `[raw, curated]`. \
             `${each.key}` and `${each.value}` stand for the item; the key must hold `${each.key}`.",
        ),
        (
            "when",
            flag.clone(),
            "Whether it is in the stack at all: true, false, or a comparison such as \
             `${var.env} == prod`, with `==` or `!=`.",
        ),
        ("protect", flag.clone(), "Refuse every plan that would delete it. Default false."),
        ("on_destroy", on_destroy(&all), ON_DESTROY),
        (
            "adopt",
            flag,
            "Take it over when it exists without this stack's mark. Default false: a plan says that \
             it is there, and leaves it alone.",
        ),
        ("ignore", names, "Fields whose differences don't count, by path: `tags.Owner`."),
        ("skip_checks", json!({ "type": ["object", "null"] }), SKIP_CHECKS),
    ];
    let described = |(name, mut schema, text): (&str, Value, &str)| {
        schema["description"] = text.into();
        (name.to_owned(), schema)
    };
    fields.into_iter().map(described).collect()
}

const ON_DESTROY: &str = "What happens to it, and to its data, when it leaves the stack or is \
    destroyed. Not every kind takes every word; each one's page says what it means left out.";

fn on_destroy(words: &[OnDestroy]) -> Value {
    let named = words.iter().map(|word| {
        let text = match word {
            OnDestroy::Delete => "Deleted with everything in it.",
            OnDestroy::Retain => "Left in the account as it is.",
            OnDestroy::Snapshot => "Deleted after a final snapshot.",
        };
        json!({ "const": word, "description": text })
    });
    json!({ "oneOf": named.collect::<Vec<_>>(), "description": ON_DESTROY })
}

const SKIP_CHECKS: &str = "Security checks whose findings may stay, each with the reason: \
    `S3-LOGGING: temporary files only`. They are counted, and `lagoa check --show-suppressed` shows \
    them.";

/// The security checks that look at the kind, each of which may be skipped with a reason. A network
/// is several kinds.
fn skip_checks(kind: &str) -> Value {
    let about = |check: &&checks::Check| kind == "network" || check.kinds.contains(&kind);
    let properties = checks::all().filter(about).map(|check| {
        let text = format!("{} ({}).", check.requires, check.severity);
        (check.id.to_owned(), json!({ "description": text, "type": "string", "minLength": 1 }))
    });
    json!({
        "description": SKIP_CHECKS,
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": Value::Object(properties.collect()),
    })
}

/// A schema as a person writes the value: without what only AWS reports, and with references.
fn written(schema: &Value) -> Value {
    let (inner, outer) = (given(schema), schema);
    let mut out = match kind(inner) {
        Some("object") => mapping(inner, false),
        _ => plain(inner),
    };
    if let Some(items) = inner.get("items") {
        out["items"] = written(items);
    }
    if let Some(description) = description(outer, inner) {
        out["description"] = description.into();
    }
    if let Some(default) = outer.get("default").filter(|default| !is_hollow(default)) {
        out["default"] = default.clone();
    }
    if kind(inner) == Some("string") && inner.get("enum").is_none() {
        // `15` in YAML is a number, and means the text where a text is wanted.
        out["type"] = json!(["string", "number", "boolean"]);
    }
    if takes_text(inner) {
        return out;
    }
    // A bare key may stand for several things.
    let refers = inner.get("x-refers").or_else(|| inner["items"].get("x-refers"));
    or_reference(out, refers.is_none() && inner.get("x-file").is_none())
}

/// Everything of the schema that an editor understands.
fn plain(schema: &Value) -> Value {
    let Some(schema) = schema.as_object() else { return json!({}) };
    let kept =
        schema.iter().filter(|(key, _)| !key.starts_with("x-") && !OURS.contains(&key.as_str()));
    let mut out: Map<String, Value> =
        kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    // What may be left out isn't written as null.
    if let Some(word) = kind(&Value::Object(schema.clone())) {
        out.insert("type".to_owned(), word.into());
    }
    if let Some(Value::Array(words)) = out.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    Value::Object(out)
}

/// Members that say something to lagoa only, or that are written anew.
const OURS: [&str; 8] =
    ["$schema", "title", "createOnly", "readOnly", "writeOnly", "format", "default", "examples"];

fn mapping(schema: &Value, top: bool) -> Value {
    let mut out = plain(schema);
    if let Some(properties) = schema["properties"].as_object() {
        let own = properties.iter().filter(|(_, property)| given(property)["readOnly"] != true);
        let own = own.map(|(name, property)| (name.clone(), written(property)));
        out["properties"] = Value::Object(own.collect());
        if top {
            out["additionalProperties"] = false.into();
        }
    }
    if schema["additionalProperties"].is_object() {
        out["additionalProperties"] = written(&schema["additionalProperties"]);
    }
    out
}

/// The field's text, and what changing it means.
fn description(outer: &Value, inner: &Value) -> Option<String> {
    let text = outer["description"].as_str().or_else(|| inner["description"].as_str());
    let mut text = text.unwrap_or_default().to_owned();
    let kinds: Vec<String> =
        targets(inner).into_iter().map(|target| format!("`{}`", target.kind)).collect();
    if !kinds.is_empty() {
        let kinds = kinds.join(" or ");
        text.push_str(&format!("\n\nThe key of a resource in this stack is enough: {kinds}."));
    }
    for (flag, words) in [
        ("createOnly", "Fixed at creation: a change replaces the resource."),
        ("writeOnly", "Never read back: sent at creation, and later with `--rotate`."),
    ] {
        if outer[flag] == true || inner[flag] == true {
            text.push_str(&format!("\n\n{words}"));
        }
    }
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn takes_text(schema: &Value) -> bool {
    let plain_text = kind(schema) == Some("string")
        && schema.get("enum").is_none()
        && schema.get("pattern").is_none();
    let listed = kind(schema).is_none() && schema["type"].as_array().is_some();
    plain_text
        || listed
        || schema.get("type").is_none()
            && schema.get("oneOf").is_none()
            && schema.get("enum").is_none()
}

/// The value itself, or a text with a reference in it; any text where a bare key or one file may
/// stand.
fn or_reference(mut schema: Value, marked: bool) -> Value {
    let description = schema.as_object_mut().and_then(|schema| schema.shift_remove("description"));
    let default = schema.as_object_mut().and_then(|schema| schema.shift_remove("default"));
    let text = if marked {
        json!({ "type": "string", "pattern": REFERENCE })
    } else {
        json!({ "type": "string" })
    };
    let mut out = json!({ "anyOf": [schema, text] });
    if let Some(description) = description {
        out["description"] = description;
    }
    if let Some(default) = default {
        out["default"] = default;
    }
    out
}
