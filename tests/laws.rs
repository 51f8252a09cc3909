//! Laws that hold for every kind, without a network: the example can be read, nothing differs from
//! itself, every field is explained and well named, and what AWS publishes of its own types agrees.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lagoa::diagnostic::Source;
use lagoa::diff::diff;
use lagoa::document::document;
use lagoa::kind::{AnyKind, Site};
use lagoa::kinds;
use lagoa::reference::{Target, targets};
use lagoa::report::problems::render;
use lagoa::stack::{Inputs, Stack, check};
use regex::Regex;
use serde_json::{Value, json};
use support::yaml;

/// Kinds that examples refer to and that aren't written yet. May only shrink.
const ABSENT: &[&str] = &[];

fn facts_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facts")
}

fn site() -> Site {
    Site {
        partition: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        stack: "laws".to_owned(),
    }
}

/// The example as a stack, in a folder that holds the files it names.
fn stack(kind: &dyn AnyKind) -> Stack {
    let name = kind.facts().name;
    let mut example = yaml(kind.facts().example);
    let entries = example.as_object_mut().expect("an example is a mapping");
    assert_eq!(entries.values().next().expect("an entry")["kind"], name, "{name}: the first entry");
    let absent = |entry: &Value| ABSENT.iter().any(|absent| entry["kind"] == *absent);
    let gone: Vec<String> =
        entries.iter().filter(|(_, entry)| absent(entry)).map(|(key, _)| key.clone()).collect();
    entries.retain(|_, entry| !absent(entry));
    let mut text = json!({ "stack": "laws", "resources": example }).to_string();
    for (number, key) in gone.iter().enumerate() {
        text = text.replace(&format!("\"{key}\""), &format!("\"subnet-0a1b2c{number:02}\""));
    }
    // A folder for each thread: tests run side by side, and one must not read what another is
    // just writing.
    let thread = format!("{:?}", std::thread::current().id());
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("laws").join(thread).join(name);
    files(&root, kind);
    let checked = document(Source::new(name, text))
        .and_then(|document| check(&document, &root, &Inputs::default()));
    let (mut stack, _) = checked.unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    stack.settle(&site());
    stack
}

/// Writes the files that the kind's tests against the sandbox write too.
fn files(root: &Path, kind: &dyn AnyKind) {
    let changes = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/great_law")
        .join(format!("{}.yaml", kind.facts().name));
    let changes = yaml(&fs::read_to_string(changes).expect("every kind is under the great law"));
    fs::create_dir_all(root).expect("make a folder");
    for (path, text) in changes["files"].as_object().into_iter().flatten() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make a folder");
        fs::write(path, text.as_str().expect("a file is text")).expect("write a file");
    }
}

/// The schema of what is there when it is there.
fn given(schema: &Value) -> &Value {
    let mut real =
        schema["anyOf"].as_array().into_iter().flatten().filter(|one| one["type"] != "null");
    match (real.next(), real.next()) {
        (Some(only), None) => only,
        _ => schema,
    }
}

/// One field of a kind, however deep: `lifecycle[].transitions[].days`.
struct Field {
    path: String,
    name: String,
    outer: Value,
    inner: Value,
}

impl Field {
    fn flag(&self, flag: &str) -> bool {
        self.outer[flag] == true || self.inner[flag] == true
    }

    fn doc(&self) -> Option<&str> {
        self.outer["description"].as_str().or_else(|| self.inner["description"].as_str())
    }

    /// The words that it may take, if they are a closed set.
    fn words(&self) -> Vec<String> {
        fn collect(schema: &Value, out: &mut Vec<String>) {
            let word =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            out.extend(schema.get("const").map(word));
            let all = schema["enum"].as_array().into_iter().flatten();
            out.extend(all.filter(|value| !value.is_null()).map(word));
            for several in ["oneOf", "anyOf"] {
                schema[several].as_array().into_iter().flatten().for_each(|one| collect(one, out));
            }
        }
        let mut out = Vec::new();
        collect(&self.inner, &mut out);
        collect(&self.inner["items"], &mut out);
        out
    }
}

fn fields(kind: &dyn AnyKind) -> Vec<Field> {
    let mut out = Vec::new();
    collect(kind.schema(), "", &mut out);
    out
}

fn collect(schema: &Value, path: &str, out: &mut Vec<Field>) {
    for (name, outer) in schema["properties"].as_object().into_iter().flatten() {
        let inner = given(outer);
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        out.push(Field {
            path: path.clone(),
            name: name.clone(),
            outer: outer.clone(),
            inner: inner.clone(),
        });
        below(inner, &path, out);
    }
}

fn below(schema: &Value, path: &str, out: &mut Vec<Field>) {
    // Shared types with a form of their own: documented with the type.
    if ["x-secret", "x-policy", "x-tags", "x-refers"].iter().any(|flag| schema.get(flag).is_some())
    {
        return;
    }
    collect(schema, path, out);
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        below(alternative, path, out);
    }
    for (word, sign) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(item) = schema.get(word).filter(|item| item.is_object()) {
            below(given(item), &format!("{path}{sign}"), out);
        }
    }
}

#[track_caller]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn absent_kinds_are_absent() {
    let there = ABSENT.iter().filter(|kind| kinds::find(kind).is_some());
    none("written by now", there.map(ToString::to_string).collect());
}

#[test]
fn every_example_can_be_read() {
    for kind in kinds::all() {
        let stack = stack(*kind);
        assert!(!stack.resources.is_empty());
    }
}

#[test]
fn nothing_differs_from_itself() {
    for kind in kinds::all() {
        let Stack { resources, root, .. } = stack(*kind);
        for resource in resources {
            let kind = resource.kind;
            let name = format!("{} of {}", resource.key, kind.facts().name);
            let whole = kind.complete(&resource.fields).expect("sound fields");
            assert_eq!(
                whole,
                kind.complete(&whole).expect("sound fields"),
                "{name}, completed twice"
            );
            let wanted =
                kind.predict(&whole, &resource.name, &site(), &root).expect("sound fields");
            assert_eq!(
                wanted,
                kind.predict(&wanted, &resource.name, &site(), &root).expect("sound fields"),
                "{name}, predicted twice"
            );
            let accepted = kind.accept(&wanted, &wanted).expect("sound fields");
            for one in [&whole, &wanted, &accepted] {
                let changes = diff(kind.schema(), one, one, &[]);
                assert!(changes.is_empty(), "{name} differs from itself: {changes:?}");
            }
            let changes = diff(kind.schema(), &accepted, &wanted, &[]);
            assert!(changes.is_empty(), "{name}, accepted, differs: {changes:?}");
            assert_eq!(kind.replace_because(&wanted, &wanted), None, "{name}");
        }
    }
}

#[test]
fn every_field_has_a_sentence() {
    let mut found = Vec::new();
    for kind in kinds::all() {
        let name = kind.facts().name;
        if !is_sentence(kind.schema()["description"].as_str()) {
            found.push(name.to_owned());
        }
        let silent = fields(*kind).into_iter().filter(|field| !is_sentence(field.doc()));
        found.extend(silent.map(|field| format!("{name}.{}: {:?}", field.path, field.doc())));
    }
    none("without a sentence that says what it is", found);
}

fn is_sentence(doc: Option<&str>) -> bool {
    doc.is_some_and(|doc| doc.len() > 8 && doc.trim_end().ends_with(['.', ':', '…', '`']))
}

#[test]
fn fields_are_named_by_the_rules() {
    let snake = Regex::new("^[a-z][a-z0-9]*(_[a-z0-9]+)*$").expect("a pattern");
    let unit = Regex::new("_(gib|mib|kib|bytes|mibps|seconds|minutes|hours|days|percent)$")
        .expect("a pattern");
    let mut found = Vec::new();
    for kind in kinds::all() {
        for field in fields(*kind) {
            let name = format!("{}.{}", kind.facts().name, field.path);
            if !snake.is_match(&field.name) {
                found.push(format!("{name} isn't snake_case"));
            }
            if field.name.starts_with("enable_") || field.name.ends_with("_enabled") {
                found.push(format!("{name}: a boolean needs no `enable`"));
            }
            if field.name.starts_with("is_") {
                found.push(format!("{name}: a boolean needs no `is`"));
            }
            let doc = field.doc().unwrap_or_default().to_lowercase();
            let whole = field.inner["type"] == "integer"
                || field.inner["type"]
                    .as_array()
                    .is_some_and(|types| types.contains(&json!("integer")));
            let measured = ["in seconds", "in gib", "in days", "in minutes", "in bytes", "in mib"];
            if whole
                && measured.iter().any(|words| doc.contains(words))
                && !unit.is_match(&field.name)
            {
                found.push(format!("{name} has a unit, and its name doesn't say which"));
            }
            if field.inner["type"] == "number" {
                found.push(format!("{name} is a float"));
            }
        }
    }
    none("against the rules of naming", found);
}

#[test]
fn every_pattern_is_one() {
    let mut found = Vec::new();
    for kind in kinds::all() {
        let facts = kind.facts();
        let own = fields(*kind)
            .into_iter()
            .filter_map(|field| Some((field.path, field.inner["pattern"].as_str()?.to_owned())));
        for (path, pattern) in own.chain([("the name".to_owned(), facts.name_pattern.to_owned())]) {
            if let Err(error) = Regex::new(&pattern) {
                found.push(format!("{}, {path}: {error}", facts.name));
            }
            if !pattern.starts_with('^') || !pattern.ends_with('$') {
                found.push(format!("{}, {path}: {pattern} doesn't hold both ends", facts.name));
            }
        }
        if let Some(word) = facts.on_destroy_default {
            assert!(facts.on_destroy.contains(&word), "{}: the default of on_destroy", facts.name);
        }
    }
    none("patterns that nothing is checked with", found);
}

#[test]
fn references_lead_to_kinds_and_fields_that_exist() {
    let mut found = Vec::new();
    for kind in kinds::all() {
        for field in fields(*kind) {
            for schema in [&field.inner, given(&field.inner["items"])] {
                for Target { kind: target, field: to } in targets(schema) {
                    // A kind that isn't written yet is referred to by what AWS calls it.
                    let Some(target) = kinds::find(&target) else { continue };
                    if to != "name" && target.schema()["properties"].get(&to).is_none() {
                        found.push(format!(
                            "{}.{} refers to {}.{to}",
                            kind.facts().name,
                            field.path,
                            target.facts().name
                        ));
                    }
                }
            }
        }
    }
    none("references to nowhere", found);
}

/// What AWS publishes of a property: `f` flags (C create-only, c sometimes, R read-only, W
/// write-only), `e` its words, `p` its pattern, `lo` and `hi` its length.
type Facts = BTreeMap<String, BTreeMap<String, Value>>;

/// How one of our fields stands to AWS's property, from `facts/fields.yaml`.
struct Row {
    property: Option<String>,
    /// Why it has no property, or differs from it.
    because: Option<String>,
}

struct Table {
    name: Option<String>,
    /// Sample names that one side takes and the other doesn't; the table says why.
    name_differs: Vec<String>,
    rows: BTreeMap<String, Row>,
}

fn aws() -> Facts {
    let text = fs::read_to_string(facts_folder().join("cloudformation.json")).expect("the facts");
    serde_json::from_str(&text).expect("the facts are JSON")
}

fn tables() -> BTreeMap<String, Table> {
    let table = yaml(&fs::read_to_string(facts_folder().join("fields.yaml")).expect("the table"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let table = table.as_object().expect("a mapping").iter().map(|(kind, entry)| {
        let main = entry["type"].as_str().expect("a type").to_owned();
        let full = |property: String| match property.starts_with("AWS::") {
            true => property,
            false => format!("{main}/{property}"),
        };
        let row = |value: &Value| match value {
            Value::String(property) => {
                Row { property: Some(full(property.clone())), because: None }
            }
            value => Row {
                property: text(&value["property"]).map(full),
                because: Some(text(&value["because"]).expect("an exception has a reason")),
            },
        };
        let fields = entry["fields"].as_object().expect("fields");
        let rows = fields.iter().map(|(path, value)| (path.clone(), row(value))).collect();
        let name = text(&entry["name"]).or_else(|| text(&entry["name"]["property"])).map(full);
        let differs = entry["name"]["differs"].as_array().cloned().unwrap_or_default();
        let name_differs =
            differs.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        assert!(entry["name"].is_string() || entry["name"]["because"].is_string(), "{kind}: why?");
        (kind.clone(), Table { name, name_differs, rows })
    });
    table.collect()
}

impl Row {
    fn fact<'a>(&self, aws: &'a Facts) -> Option<&'a Value> {
        let property = self.property.as_ref()?;
        let (main, path) = property.split_once('/')?;
        aws.get(main)?.get(path)
    }
}

#[test]
fn every_field_stands_in_the_table() {
    let (aws, tables) = (aws(), tables());
    let mut found = Vec::new();
    for kind in kinds::all().iter().filter(|kind| !kind.facts().seed) {
        let name = kind.facts().name;
        let Some(table) = tables.get(name) else {
            found.push(format!("{name} has no table"));
            continue;
        };
        let paths: BTreeSet<String> = fields(*kind).into_iter().map(|field| field.path).collect();
        found.extend(
            paths
                .iter()
                .filter(|path| !table.rows.contains_key(*path))
                .map(|path| format!("{name}.{path} is missing")),
        );
        found.extend(
            table
                .rows
                .keys()
                .filter(|path| !paths.contains(*path))
                .map(|path| format!("{name}.{path} is no field any more")),
        );
        for (path, row) in &table.rows {
            if row.property.is_some() && row.fact(&aws).is_none() {
                found.push(format!(
                    "{name}.{path}: AWS has no {}",
                    row.property.as_deref().unwrap_or_default()
                ));
            }
        }
    }
    none("tests/facts/fields.yaml", found);
}

#[test]
fn what_aws_fixes_at_creation_is_immutable_and_what_it_reports_is_computed() {
    let (aws, tables) = (aws(), tables());
    let mut found = Vec::new();
    for kind in kinds::all().iter().filter(|kind| !kind.facts().seed) {
        let name = kind.facts().name;
        for field in fields(*kind) {
            let Some(row) = tables.get(name).and_then(|table| table.rows.get(&field.path)) else {
                continue;
            };
            let (Some(fact), None) = (row.fact(&aws), &row.because) else { continue };
            let flags = fact["f"].as_str().unwrap_or_default();
            let ours = (field.flag("createOnly"), field.flag("readOnly"));
            let theirs = (flags.contains('C'), flags.contains('R'));
            if ours.0 != theirs.0 && !flags.contains('c') {
                found.push(format!(
                    "{name}.{}: immutable {}, create-only {}",
                    field.path, ours.0, theirs.0
                ));
            }
            if ours.1 != theirs.1 {
                found.push(format!(
                    "{name}.{}: computed {}, read-only {}",
                    field.path, ours.1, theirs.1
                ));
            }
        }
    }
    none("ours, and AWS's", found);
}

#[test]
fn exceptions_are_needed() {
    let (aws, tables) = (aws(), tables());
    let mut found = Vec::new();
    for kind in kinds::all().iter().filter(|kind| !kind.facts().seed) {
        let name = kind.facts().name;
        for field in fields(*kind) {
            let Some(row) = tables.get(name).and_then(|table| table.rows.get(&field.path)) else {
                continue;
            };
            let (Some(fact), Some(_)) = (row.fact(&aws), &row.because) else { continue };
            let flags = fact["f"].as_str().unwrap_or_default();
            let agrees = field.flag("createOnly") == flags.contains('C')
                && field.flag("readOnly") == flags.contains('R')
                && strange(&field, fact).is_empty();
            if agrees {
                found.push(format!("{name}.{}", field.path));
            }
        }
    }
    none("exceptions to what agrees", found);
}

/// Words of ours that AWS doesn't have.
fn strange(field: &Field, fact: &Value) -> Vec<String> {
    let theirs = fact["e"].as_array().or_else(|| fact["ie"].as_array());
    let Some(theirs) = theirs else { return Vec::new() };
    let spelled = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let theirs: Vec<String> = theirs.iter().map(spelled).collect();
    field.words().into_iter().filter(|word| !theirs.contains(word)).collect()
}

#[test]
fn words_are_words_of_aws() {
    let (aws, tables) = (aws(), tables());
    let mut found = Vec::new();
    for kind in kinds::all().iter().filter(|kind| !kind.facts().seed) {
        for field in fields(*kind) {
            let row = tables.get(kind.facts().name).and_then(|table| table.rows.get(&field.path));
            let Some(row) = row.filter(|row| row.because.is_none()) else { continue };
            let Some(fact) = row.fact(&aws) else { continue };
            let strange = strange(&field, fact);
            found.extend(
                strange.iter().map(|word| format!("{}.{}: {word}", kind.facts().name, field.path)),
            );
        }
    }
    none("words that AWS doesn't know", found);
}

/// A long name in short.
fn label(name: &str) -> String {
    if name.len() > 20 { format!("{} letters", name.len()) } else { format!("{name:?}") }
}

/// Names of every sort, each of which a kind accepts or refuses as AWS does.
fn samples() -> Vec<String> {
    let mut samples: Vec<String> = [
        "a",
        "A",
        "ab",
        "abc",
        "a-b",
        "a--b",
        "a_b",
        "a.b",
        "a..b",
        "-ab",
        "ab-",
        ".ab",
        "ab.",
        "1ab",
        "a1b",
        "AbC",
        "a b",
        " ab",
        "a/b",
        "a+b=c,d@e",
        "a:b",
        "a*b",
        "é",
        "ab\n",
        "a\tb",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    samples.extend([62, 63, 64, 65, 128, 129, 255, 256, 512, 513].map(|length| "a".repeat(length)));
    samples
}

#[test]
fn names_are_names_of_aws() {
    let (aws, tables) = (aws(), tables());
    let mut found = Vec::new();
    for kind in kinds::all().iter().filter(|kind| !kind.facts().seed) {
        let facts = kind.facts();
        let Some(table) = tables.get(facts.name) else { continue };
        let row = Row { property: table.name.clone(), because: None };
        let Some(fact) = row.fact(&aws) else {
            found.push(format!("{}: AWS has no {:?}", facts.name, row.property));
            continue;
        };
        let ours = Regex::new(facts.name_pattern).expect("a pattern");
        // AWS's `\w` knows ASCII only, and some patterns end as Python's do.
        let in_ours = |text: &str| text.replace(r"\w", "A-Za-z0-9_").replace(r"\Z", r"\z");
        let theirs = fact["p"].as_str().map(in_ours);
        let theirs = theirs.map(|pattern| Regex::new(&pattern).expect("a pattern"));
        let differs: Vec<String> = samples()
            .into_iter()
            .filter(|name| {
                let length = name.chars().count() as u64;
                let fits = theirs.as_ref().is_none_or(|theirs| theirs.is_match(name))
                    && (1..=fact["hi"].as_u64().unwrap_or(u64::MAX)).contains(&length)
                    && length >= fact["lo"].as_u64().unwrap_or(0);
                fits != ours.is_match(name)
            })
            .collect();
        let differs: Vec<String> = differs.iter().map(|name| label(name)).collect();
        if differs != table.name_differs {
            found.push(format!("{}: {differs:?}", facts.name));
        }
    }
    none("names that one side takes and the other doesn't", found);
}
