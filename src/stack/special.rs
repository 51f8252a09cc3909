//! Values that are more than their type: references, secrets, documents, paths.

use serde_json::Value;

use super::files;
use super::schema::a;
use super::scope::later;
use super::shape::{Shaper, fits};
use crate::diagnostic::{Place, Problem};
use crate::document::{Node, Yaml};
use crate::reference::{Reference, Target, is_marked, shown};

/// `sg-0a1b2c3d`, `subnet-0123456789abcdef0`, `j-2AL4XXXXXX5T9`: what a service makes up itself,
/// with the account in front where it may be another one's.
const SERVER_MADE_ID: &str =
    "^([0-9]{12}/)?[a-z]+(-[a-z]+)*-([0-9a-f]{8}|[0-9a-f]{17}|[0-9A-Z]{9,})$";

impl Shaper<'_> {
    /// A field that refers to a kind: the bare key of a resource, `${key.field}`, or what AWS
    /// itself calls something outside the stack.
    pub(super) fn refer(
        &mut self,
        targets: &[Target],
        written: &str,
        place: &Place,
    ) -> Option<Value> {
        let (holes, links) = (self.findings.holes, self.findings.links.len());
        let text = self.scope.text(written, place, &mut self.findings);
        if self.findings.holes > holes {
            return None;
        }
        // Nothing would wait for a resource that isn't referred to.
        if is_marked(&text) && self.scope.kinds.contains_key(&text) {
            self.problem(later(&shown(&text)).at(place));
            return None;
        }
        if is_marked(&text) {
            if targets.iter().all(|target| target.field != "connection") {
                self.findings.links[links..].iter_mut().for_each(|link| link.alone = false);
            }
            return Some(text.into());
        }
        if let Some(named) = self.scope.kinds.get(&text) {
            let actual = named.facts().name;
            let Some(target) = targets.iter().find(|target| target.kind == actual) else {
                let message = format!(
                    "`{text}` is {} `{actual}`, but this field takes {}",
                    a(actual),
                    any_of(targets)
                );
                self.problem(Problem::error(message).at(place));
                return None;
            };
            let reference = Reference { key: text, field: target.field.clone() };
            return Some(self.link(reference, place));
        }
        if let Some(parts) = self.scope.networks.get(&text) {
            return self.part_of(&text, parts, targets, place);
        }
        if targets.iter().any(|target| may_be_outside(target, &text)) {
            return Some(text.into());
        }
        let takes = |kind: &str| targets.iter().any(|target| target.kind == kind);
        let fitting = self.scope.kinds.iter().filter(|(_, one)| takes(one.facts().name));
        let near = crate::diagnostic::closest(&text, fitting.map(|(key, _)| key.as_str()));
        let problem = self.scope.no_such_key(&text, place);
        let help = help(targets);
        self.problem(if near.is_some() { problem } else { problem.help(help) });
        None
    }

    /// A secret may only be named, never written.
    pub(super) fn secret(&mut self, node: &Node, place: &Place) -> Option<Value> {
        let text = node.text()?;
        if let Some(name) = text.strip_prefix("${env.").and_then(|rest| rest.strip_suffix('}')) {
            return Some(serde_json::json!({ "env": name }));
        }
        let mut problem = Problem::error("a secret may not be written in the stack file").at(place);
        problem = problem.label("this would end up in the repository");
        self.problem(problem.help(
            "write `{ secret: name-or-arn }` (Secrets Manager), `{ parameter: /path }` (Systems \
                 Manager) or `${env.NAME}`",
        ));
        None
    }

    /// A document: written here, or the path of the JSON or YAML file that holds it.
    pub(super) fn document(&mut self, node: &Node, place: &Place) -> Option<Value> {
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
    pub(super) fn paths(&mut self, node: &Node, place: &Place) -> Option<Value> {
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
}

/// Whether the text may be what AWS itself calls such a thing outside the stack.
fn may_be_outside(target: &Target, text: &str) -> bool {
    match (target.field.as_str(), target.kind.as_str()) {
        ("arn", "iam_policy" | "secretsmanager_secret") => true,
        // An id, an ARN or an alias.
        ("arn", "kms_key") => text.contains(['-', '/', ':']),
        ("arn", _) => text.starts_with("arn:"),
        // A peer's group carries its account: `123456789012/sg-…`.
        ("id", _) => fits(SERVER_MADE_ID, text.rsplit('/').next().unwrap_or(text)),
        ("connection", _) => false,
        _ => true,
    }
}

/// `an `iam_role``, or `a `x` or a `y`` where a field takes several kinds.
pub(super) fn any_of(targets: &[Target]) -> String {
    let kinds: Vec<String> =
        targets.iter().map(|target| format!("{} `{}`", a(&target.kind), target.kind)).collect();
    kinds.join(" or ")
}

fn help(targets: &[Target]) -> String {
    let field = targets.first().map_or("name", |target| target.field.as_str());
    let key = format!("write the key of {}", any_of(targets));
    match field {
        "connection" => format!("{key}, or host, port, username and password of a server"),
        _ => format!("{key} of this stack, or its {field} in AWS"),
    }
}
