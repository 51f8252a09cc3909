//! Gives a node the shape that its field's type asks for, and says everything that doesn't fit.
//! Scalars are read by the field's type from their source text, so `8.0`, `1.30` and `no` mean
//! what the field means.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::files;
use super::scope::{Findings, Link, Scope};
use crate::diagnostic::{Place, Problem};
use crate::document::{Key, Node, Yaml};
use crate::reference::{Reference, is_marked};

/// Shapes the fields of one resource.
pub(super) struct Shaper<'a> {
    pub scope: &'a Scope<'a>,
    pub root: &'a Path,
    pub findings: Findings,
    /// Where each field stands, by path.
    pub places: BTreeMap<String, Place>,
}

/// Compiled patterns: schemas repeat the same few for every resource.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    thread_local! {
        static COMPILED: RefCell<BTreeMap<String, Option<regex::Regex>>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        let regex =
            compiled.entry(pattern.to_owned()).or_insert_with(|| regex::Regex::new(pattern).ok());
        regex.as_ref().is_none_or(|regex| regex.is_match(text))
    })
}

impl<'a> Shaper<'a> {
    /// A shaper for one resource.
    pub fn new(scope: &'a Scope<'a>, root: &'a Path) -> Self {
        Self { scope, root, findings: Findings::default(), places: BTreeMap::new() }
    }

    fn problem(&mut self, problem: Problem) {
        self.findings.problem(problem);
    }

    /// The fields of a struct.
    pub fn fields(
        &mut self,
        schema: &Value,
        path: &str,
        entries: &[(Key, Node)],
        whole: &Place,
    ) -> Value {
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        let mut out = Map::new();
        for (key, node) in entries {
            let Some(property) = properties.get(&key.text) else {
                let names = properties
                    .iter()
                    .filter(|(_, s)| s["readOnly"] != true)
                    .map(|(n, _)| n.as_str());
                let problem =
                    Problem::error(format!("there is no field `{}` here", key.text)).at(&key.place);
                self.problem(problem.did_you_mean(&key.text, names));
                continue;
            };
            if property["readOnly"] == true {
                let message = format!("`{}` is what AWS reports; it can't be set", key.text);
                self.problem(
                    Problem::error(message)
                        .at(&key.place)
                        .help("remove it; others may refer to it"),
                );
                continue;
            }
            let path = join(path, &key.text);
            let place = if node.place.range.is_empty() { &key.place } else { &node.place };
            self.places.insert(path.clone(), place.clone());
            if let Some(value) = self.value(property, &path, node, place) {
                out.insert(key.text.clone(), value);
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !entries.iter().any(|(key, _)| key.text == name) {
                let doc = properties.get(name).and_then(|p| p["description"].as_str());
                let problem = Problem::error(format!("the field `{name}` is missing")).at(whole);
                self.problem(match doc {
                    Some(doc) => problem.help(format!("{name}: {}", first_sentence(doc))),
                    None => problem,
                });
            }
        }
        Value::Object(out)
    }

    fn value(&mut self, schema: &Value, path: &str, node: &Node, place: &Place) -> Option<Value> {
        let node = self.scope.node(node);
        if node.is_null() {
            if allows_null(schema) {
                return None;
            }
            self.expected(schema, node, place);
            return None;
        }
        let alternatives = alternatives(schema);
        match alternatives.as_slice() {
            [] => self.plain(schema, path, node, place),
            [only] if schema.get("x-refers").is_none() => self.value(only, path, node, place),
            several => self.choose(several, path, node, place),
        }
    }

    /// The alternative that fits; if none does, the complaint of the one that comes closest.
    fn choose(
        &mut self,
        several: &[&Value],
        path: &str,
        node: &Node,
        place: &Place,
    ) -> Option<Value> {
        if several.iter().all(|one| one.get("const").is_some() || one.get("enum").is_some()) {
            return self.one_of(
                &several.iter().flat_map(|one| constants(one)).collect::<Vec<_>>(),
                node,
                place,
            );
        }
        let mut best: Option<(usize, Option<Value>, Shaper<'a>)> = None;
        for one in several {
            let mut trial = Shaper::new(self.scope, self.root);
            let value = trial.value(one, path, node, place);
            let problems = trial.findings.problems.len();
            let cost = if same_shape(one, node) { problems } else { problems * 100 };
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, value, trial));
            }
        }
        let (_, value, trial) = best?;
        self.findings.problems.extend(trial.findings.problems);
        self.findings.links.extend(trial.findings.links);
        self.places.extend(trial.places);
        value
    }

    fn plain(&mut self, schema: &Value, path: &str, node: &Node, place: &Place) -> Option<Value> {
        if let Some(refers) = schema.get("x-refers")
            && let Some(scalar) = node.scalar()
        {
            let mut words = schema["x-words"].as_array().into_iter().flatten();
            if words.any(|word| *word == scalar.text) {
                return Some(scalar.text.clone().into());
            }
            return self.refer(refers, &scalar.text.clone(), place);
        }
        if schema["x-secret"] == true && node.scalar().is_some() {
            return self.secret(node, place);
        }
        match schema["x-file"].as_str() {
            Some("document") => return self.document(node, place),
            Some("paths") => return self.paths(node, place),
            _ => {}
        }
        if schema.get("const").is_some() || schema.get("enum").is_some() {
            return self.one_of(&constants(schema), node, place);
        }
        match (types(schema).as_slice(), &node.value) {
            ([], _) => Some(self.free(node)),
            (types, Yaml::Mapping(entries)) if types.contains(&"object") => {
                Some(self.object(schema, path, entries, &node.place))
            }
            (types, Yaml::Sequence(items)) if types.contains(&"array") => {
                let shaped = items.iter().enumerate();
                let shaped = shaped.filter_map(|(index, item)| {
                    self.value(&schema["items"], &format!("{path}[{index}]"), item, &item.place)
                });
                Some(shaped.collect())
            }
            (types, Yaml::Scalar(_))
                if types.iter().any(|t| !matches!(*t, "object" | "array" | "null")) =>
            {
                self.scalar(schema, types, node, place)
            }
            _ => {
                self.expected(schema, node, place);
                None
            }
        }
    }

    fn object(
        &mut self,
        schema: &Value,
        path: &str,
        entries: &[(Key, Node)],
        place: &Place,
    ) -> Value {
        if schema.get("properties").is_some() {
            return self.fields(schema, path, entries, place);
        }
        let mut out = Map::new();
        for (key, node) in entries {
            let name = self.scope.text(&key.text, &key.place, &mut self.findings);
            let path = join(path, &name);
            let place = if node.place.range.is_empty() { &key.place } else { &node.place };
            self.places.insert(path.clone(), place.clone());
            if schema["x-tags"] == true && crate::field::reserved_tag(&name) {
                let message = format!("the tag `{name}` is reserved");
                self.problem(
                    Problem::error(message)
                        .at(&key.place)
                        .help("tags that start with `aws:` or `lagoa:` can't be set"),
                );
                continue;
            }
            if let Some(value) = self.value(&schema["additionalProperties"], &path, node, place) {
                out.insert(name, value);
            }
        }
        Value::Object(out)
    }

    fn scalar(
        &mut self,
        schema: &Value,
        types: &[&str],
        node: &Node,
        place: &Place,
    ) -> Option<Value> {
        let written = node.text()?;
        let text = self.scope.text(written, place, &mut self.findings);
        if types.contains(&"string") {
            return self.string(schema, text, place);
        }
        if is_marked(&text) {
            let message = format!(
                "this is {}, and a reference to another resource can't give one",
                article(types)
            );
            self.problem(
                Problem::error(message).at(place).help("write the value, or use a variable"),
            );
            return None;
        }
        if types.contains(&"boolean") {
            return match text.as_str() {
                "true" => Some(true.into()),
                "false" => Some(false.into()),
                _ => {
                    let help = match text.to_lowercase().as_str() {
                        "yes" | "on" | "y" => "write `true`",
                        "no" | "off" | "n" => "write `false`",
                        _ => "write `true` or `false`",
                    };
                    self.problem(
                        Problem::error(format!("`{text}` is neither true nor false"))
                            .at(place)
                            .help(help),
                    );
                    None
                }
            };
        }
        self.integer(schema, &text, place)
    }

    fn string(&mut self, schema: &Value, text: String, place: &Place) -> Option<Value> {
        if is_marked(&text) {
            return Some(text.into());
        }
        let length = text.chars().count() as u64;
        if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
            let message = format!(
                "this has {length} characters; at most {} are allowed",
                schema["maxLength"]
            );
            self.problem(Problem::error(message).at(place));
        } else if schema["minLength"].as_u64().is_some_and(|least| length < least) {
            let message = format!(
                "this has {length} characters; at least {} are needed",
                schema["minLength"]
            );
            self.problem(Problem::error(message).at(place));
        } else if let Some(pattern) =
            schema["pattern"].as_str().filter(|pattern| !fits(pattern, &text))
        {
            let message = format!("`{text}` doesn't match the pattern {pattern}");
            self.problem(Problem::error(message).at(place));
        }
        Some(text.into())
    }

    fn integer(&mut self, schema: &Value, text: &str, place: &Place) -> Option<Value> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let odd = digits.len() > 1 && digits.starts_with('0');
        let number = text.parse::<i64>().ok().filter(|_| !odd);
        let Some(number) = number else {
            let problem = Problem::error(format!("`{text}` is not a whole number")).at(place);
            self.problem(if odd {
                problem.help("leading zeros mean octal to some tools; leave them out")
            } else {
                problem
            });
            return None;
        };
        let (least, most) = limits(schema);
        if number < least || number > most {
            let message = format!("{number} is out of range: from {least} to {most} is allowed");
            self.problem(Problem::error(message).at(place));
            return None;
        }
        Some(number.into())
    }

    fn one_of(&mut self, allowed: &[Value], node: &Node, place: &Place) -> Option<Value> {
        let written = node.text().map(|text| self.scope.text(text, place, &mut self.findings));
        let Some(text) = written else {
            self.problem(
                Problem::error(format!("this is {}, but one word is needed", node.shape()))
                    .at(place),
            );
            return None;
        };
        let spelled =
            |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(value) = allowed.iter().find(|value| spelled(value) == text) {
            return Some(value.clone());
        }
        let words: Vec<String> = allowed.iter().map(spelled).collect();
        let problem =
            Problem::error(format!("`{text}` is not one of: {}", words.join(", "))).at(place);
        self.problem(problem.did_you_mean(&text, words.iter().map(String::as_str)));
        None
    }

    /// A field that refers to a kind: the bare key of a resource, `${key.field}`, or what AWS
    /// itself calls something outside the stack.
    fn refer(&mut self, refers: &Value, written: &str, place: &Place) -> Option<Value> {
        let word = |key: &str| refers[key].as_str().unwrap_or_default();
        let (kind, field) = (word("kind"), word("field"));
        let text = self.scope.text(written, place, &mut self.findings);
        if is_marked(&text) {
            return Some(text.into());
        }
        if let Some(target) = self.scope.kinds.get(&text) {
            let actual = target.facts().name;
            if actual != kind {
                let message = format!(
                    "`{text}` is {} `{actual}`, but this field takes {} `{kind}`",
                    a(actual),
                    a(kind)
                );
                self.problem(Problem::error(message).at(place));
                return None;
            }
            let reference = Reference { key: text, field: field.to_owned() };
            let mark = reference.mark();
            self.findings.links.push(Link { reference, place: place.clone(), alone: true });
            return Some(mark.into());
        }
        let outside = match field {
            "arn" if kind == "iam_policy" || kind == "secretsmanager_secret" => true,
            // An id, an ARN or an alias.
            "arn" if kind == "kms_key" => text.contains(['-', '/', ':']),
            "arn" => text.starts_with("arn:"),
            "id" => {
                text.contains('-')
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || "-/".contains(c))
            }
            "connection" => false,
            _ => true,
        };
        if !outside {
            let of_kind = self.scope.kinds.iter().filter(|(_, one)| one.facts().name == kind);
            let problem = self.scope.no_such_key(&text, place);
            let help = match field {
                "connection" => format!(
                    "write the key of {} `{kind}`, or host, port, username and password of a server",
                    a(kind)
                ),
                _ => format!(
                    "write the key of {} `{kind}` of this stack, or its {field} in AWS",
                    a(kind)
                ),
            };
            let near = crate::diagnostic::closest(&text, of_kind.map(|(key, _)| key.as_str()));
            self.problem(if near.is_some() { problem } else { problem.help(help) });
            return None;
        }
        Some(text.into())
    }

    /// A secret may only be named, never written.
    fn secret(&mut self, node: &Node, place: &Place) -> Option<Value> {
        let text = node.text()?;
        if let Some(name) = text.strip_prefix("${env.").and_then(|rest| rest.strip_suffix('}')) {
            return Some(serde_json::json!({ "env": name }));
        }
        let mut problem = Problem::error("a secret may not be written in the stack file").at(place);
        problem = problem.label("this would end up in the repository");
        self.problem(
            problem.help("write `{ secret: name-or-arn }` (Secrets Manager) or `${env.NAME}`"),
        );
        None
    }

    /// A document: written here, or the path of the JSON or YAML file that holds it.
    fn document(&mut self, node: &Node, place: &Place) -> Option<Value> {
        if node.text().is_none() {
            return Some(self.free(node));
        }
        let path = self.scope.text(node.text()?, place, &mut self.findings);
        match files::document(self.root, &path, place) {
            Ok(document) => Some(self.free(&document)),
            Err(problems) => {
                self.findings.problems.extend(problems);
                None
            }
        }
    }

    /// Paths and globs below the stack's folder; a single one needs no brackets.
    fn paths(&mut self, node: &Node, place: &Place) -> Option<Value> {
        let items = node.sequence().unwrap_or(std::slice::from_ref(node));
        let mut all = Vec::new();
        for item in items {
            let Some(text) = item.text() else {
                self.problem(
                    Problem::error(format!("this is {}, but a path is needed", item.shape()))
                        .at(place),
                );
                continue;
            };
            let pattern = self.scope.text(text, &item.place, &mut self.findings);
            match files::matching(self.root, &pattern, &item.place) {
                Ok(paths) => all.extend(paths.into_iter().map(Value::from)),
                Err(problem) => self.problem(problem),
            }
        }
        Some(Value::Array(all))
    }

    /// A value that no type describes, read as YAML 1.2 reads it.
    pub fn free(&mut self, node: &Node) -> Value {
        match &self.scope.node(node).value {
            Yaml::Null => Value::Null,
            Yaml::Scalar(scalar) => {
                let text = self.scope.text(&scalar.text, &node.place, &mut self.findings);
                match (scalar.plain, text.as_str()) {
                    (true, "true") => true.into(),
                    (true, "false") => false.into(),
                    (true, number)
                        if number.parse::<i64>().is_ok_and(|n| n.to_string() == number) =>
                    {
                        number.parse::<i64>().map_or(Value::Null, Value::from)
                    }
                    _ => text.into(),
                }
            }
            Yaml::Sequence(items) => items.iter().map(|item| self.free(item)).collect(),
            Yaml::Mapping(entries) => {
                let entries = entries.iter().map(|(key, node)| {
                    (self.scope.text(&key.text, &key.place, &mut self.findings), self.free(node))
                });
                Value::Object(entries.collect())
            }
        }
    }

    fn expected(&mut self, schema: &Value, node: &Node, place: &Place) {
        let what = article(&types(schema));
        let found = match &node.value {
            Yaml::Scalar(scalar) => format!("`{}`", scalar.text),
            _ => node.shape().to_owned(),
        };
        self.problem(Problem::error(format!("this is {found}, but {what} is needed")).at(place));
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn first_sentence(doc: &str) -> &str {
    doc.split_once(". ").map_or(doc, |(first, _)| first).trim_end_matches('.')
}

fn a(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn article(types: &[&str]) -> &'static str {
    match types.iter().find(|one| **one != "null") {
        Some(&"object") => "a mapping",
        Some(&"array") => "a list",
        Some(&"integer" | &"number") => "a whole number",
        Some(&"boolean") => "true or false",
        _ => "a single value",
    }
}

fn allows_null(schema: &Value) -> bool {
    types(schema).contains(&"null")
        || schema["anyOf"].as_array().into_iter().flatten().any(|one| one["type"] == "null")
}

/// What a schema offers to choose from, nothing excluded.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array());
    lists.flatten().filter(|one| one["type"] != "null").collect()
}

fn constants(schema: &Value) -> Vec<Value> {
    let one = schema.get("const").cloned();
    one.into_iter()
        .chain(schema["enum"].as_array().into_iter().flatten().cloned())
        .filter(|v| !v.is_null())
        .collect()
}

fn same_shape(schema: &Value, node: &Node) -> bool {
    let types = types(schema);
    match &node.value {
        Yaml::Mapping(_) => types.contains(&"object"),
        Yaml::Sequence(_) => types.contains(&"array"),
        _ => !types.contains(&"object") && !types.contains(&"array"),
    }
}

/// The range of an integer, from the schema's own limits and from its format.
fn limits(schema: &Value) -> (i64, i64) {
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
