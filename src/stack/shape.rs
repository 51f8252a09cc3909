//! Gives a node the shape that its field's type asks for, and says everything that doesn't fit.
//! Scalars are read by the field's type from their source text, so `8.0`, `1.30` and `no` mean
//! what the field means.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::schema::{
    allows_null, alternatives, article, constants, first_sentence, join, limits, same_shape, types,
};
use super::scope::{Findings, Scope};
use crate::diagnostic::{Place, Problem, closest};
use crate::document::{Key, Node, Yaml};
use crate::reference::{is_marked, targets};

/// Shapes the fields of one resource.
pub(super) struct Shaper<'a> {
    pub scope: &'a Scope<'a>,
    pub root: &'a Path,
    pub findings: Findings,
    /// Where each field stands, by path.
    pub places: BTreeMap<String, Place>,
    /// What the field that is looked at means, in a sentence.
    doc: Option<String>,
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
        Self { scope, root, findings: Findings::default(), places: BTreeMap::new(), doc: None }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
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
        let mut meant: Vec<&str> = Vec::new();
        for (key, node) in entries {
            let Some(property) = properties.get(&key.text) else {
                meant.extend(self.no_such_field(properties, key));
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
            let outer = std::mem::replace(&mut self.doc, doc(&key.text, property));
            if let Some(value) = self.value(property, &path, node, place) {
                out.insert(key.text.clone(), value);
            }
            self.doc = outer;
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // A misspelt one has been told.
            if !entries.iter().any(|(key, _)| key.text == name) && !meant.contains(&name) {
                let problem = Problem::error(format!("the field `{name}` is missing")).at(whole);
                self.problem(with_help(problem, properties.get(name).and_then(|p| doc(name, p))));
            }
        }
        Value::Object(out)
    }

    /// Says that there is no such field; gives the one that is probably meant.
    fn no_such_field<'s>(
        &mut self,
        properties: &'s Map<String, Value>,
        key: &Key,
    ) -> Option<&'s str> {
        let settable = properties.iter().filter(|(_, schema)| schema["readOnly"] != true);
        let names: Vec<&str> = settable.map(|(name, _)| name.as_str()).collect();
        let begun = format!("{}_", key.text);
        let begins = || names.iter().copied().find(|name| name.starts_with(&begun));
        let meant = closest(&key.text, names.iter().copied()).or_else(begins);
        let problem = Problem::error(format!("there is no field `{}` here", key.text));
        let help = meant.map(|name| format!("did you mean `{name}`?"));
        self.problem(with_help(problem.at(&key.place), help));
        meant
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
        if schema.get("x-refers").is_some()
            && let Some(scalar) = node.scalar()
        {
            let mut words = schema["x-words"].as_array().into_iter().flatten();
            if words.any(|word| *word == scalar.text) {
                return Some(scalar.text.clone().into());
            }
            return self.refer(&targets(schema), &scalar.text.clone(), place);
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
                let inner = &schema["items"];
                let shaped = items.iter().enumerate().flat_map(|(index, item)| {
                    self.several(inner, item, &item.place).unwrap_or_else(|| {
                        let path = format!("{path}[{index}]");
                        self.value(inner, &path, item, &item.place).into_iter().collect()
                    })
                });
                Some(shaped.collect())
            }
            (types, Yaml::Scalar(_)) if types.contains(&"array") => {
                let several = self.several(&schema["items"], node, place);
                if several.is_none() {
                    self.expected(schema, node, place);
                }
                several.map(Value::Array)
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
        let (holes, links) = (self.findings.holes, self.findings.links.len());
        let text = self.scope.text(written, place, &mut self.findings);
        if self.findings.holes > holes {
            return None;
        }
        if types.contains(&"string") {
            if !types.iter().any(|one| matches!(*one, "object" | "array")) {
                self.findings.links[links..].iter_mut().for_each(|link| link.alone = false);
            }
            return self.string(schema, text, place);
        }
        if is_marked(&text) {
            let message = format!(
                "{} is needed, and a reference to another resource can't give one",
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
            let problem = Problem::error(message).at(place);
            self.problem(with_help(problem, self.doc.clone()));
        }
        Some(text.into())
    }

    fn integer(&mut self, schema: &Value, text: &str, place: &Place) -> Option<Value> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let octal = digits.len() > 1 && digits.starts_with('0');
        let odd = octal && digits.chars().all(|c| c.is_ascii_digit());
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

    fn expected(&mut self, schema: &Value, node: &Node, place: &Place) {
        let what = article(&types(schema));
        let found = match &node.value {
            Yaml::Scalar(scalar) => format!("`{}`", scalar.text),
            _ => node.shape().to_owned(),
        };
        self.problem(Problem::error(format!("this is {found}, but {what} is needed")).at(place));
    }
}

/// What a field means, for whoever got it wrong.
fn doc(name: &str, schema: &Value) -> Option<String> {
    Some(format!("{name}: {}", first_sentence(schema["description"].as_str()?)))
}

fn with_help(problem: Problem, help: Option<String>) -> Problem {
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}
