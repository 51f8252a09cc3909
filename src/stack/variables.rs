//! Variables: declared in the stack, filled in from outside, strongest first: `--var`,
//! `--var-file`, `LAGOA_VAR_name`, the default.

use std::collections::BTreeMap;

use super::Inputs;
use super::scope::{Findings, Scope};
use crate::diagnostic::{Place, Problem, Source};
use crate::document::{Document, Key, Node, Scalar, VariableDeclaration, Yaml};
use crate::reference::is_marked;

/// The region, which may be a variable's.
pub(super) fn region(
    document: &Document,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let node = document.region.as_ref()?;
    let mut findings = Findings::default();
    let region = scope.text(node.text()?, &node.place, &mut findings);
    if is_marked(&region) && findings.problems.is_empty() {
        let message = "the region can't depend on a resource";
        findings.problem(Problem::error(message).at(&node.place));
    }
    problems.extend(findings.problems);
    Some(region)
}

/// The value of each declared variable; undeclared ones that were given are problems.
pub(super) fn values(
    document: &Document,
    inputs: &Inputs,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Node> {
    let names: Vec<&str> = document.variables.iter().map(|(key, _)| key.text.as_str()).collect();
    for (from, given) in [("--var", &inputs.vars), ("--var-file", &inputs.var_files)] {
        for name in given.keys().filter(|name| !names.contains(&name.as_str())) {
            let problem = Problem::error(format!(
                "{from} sets `{name}`, but the stack declares no such variable"
            ));
            problems.push(problem.did_you_mean(name, names.iter().copied()));
        }
    }
    let mut values = BTreeMap::new();
    for (key, declaration) in &document.variables {
        if let Some(node) = value(key, declaration, inputs, problems) {
            values.insert(key.text.clone(), node);
        }
    }
    values
}

fn value(
    key: &Key,
    declaration: &VariableDeclaration,
    inputs: &Inputs,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let name = &key.text;
    let outside = format!("LAGOA_VAR_{name}");
    let given = [
        (format!("--var {name}"), inputs.vars.get(name)),
        (format!("--var-file, {name}"), inputs.var_files.get(name)),
        (outside.clone(), inputs.environment.get(&outside)),
    ];
    let given = given.into_iter().find_map(|(from, text)| Some((from, text?)));
    let node =
        match (given, &declaration.default) {
            (Some((from, text)), _) => written(from, text),
            (None, Some(default)) => default.clone(),
            (None, None) => {
                let mut problem =
                    Problem::error(format!("the variable `{name}` has no value")).at(&key.place);
                if let Some(description) = &declaration.description {
                    problem = problem.label(description.clone());
                }
                problems.push(problem.help(format!(
                    "give it one: `--var {name}=…`, or {outside} in the environment"
                )));
                return None;
            }
        };
    if let Some(pattern) = &declaration.pattern {
        check(name, &node, pattern, problems);
    }
    Some(node)
}

fn written(from: String, text: &str) -> Node {
    let source = Source::new(from, text);
    let place = Place::new(&source, 0..text.len());
    Node { value: Yaml::Scalar(Scalar { text: text.to_owned(), plain: true }), place }
}

fn check(name: &str, node: &Node, pattern: &Key, problems: &mut Vec<Problem>) {
    let regex = match regex::Regex::new(&pattern.text) {
        Ok(regex) => regex,
        Err(error) => {
            let message = format!("this is no regular expression: {error}");
            problems.push(Problem::error(message).at(&pattern.place));
            return;
        }
    };
    if let Some(text) = node.text().filter(|text| !regex.is_match(text)) {
        let message =
            format!("the value of `{name}` is `{text}`, which doesn't match {}", pattern.text);
        problems.push(
            Problem::error(message)
                .at(&node.place)
                .note(&pattern.place, "the pattern is declared here"),
        );
    }
}
