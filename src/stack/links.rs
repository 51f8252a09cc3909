//! References are checked against the schema of what they refer to.

use serde_json::Value;

use super::scope::{Link, Scope};
use crate::diagnostic::Problem;

/// What is wrong with a reference that stands in the resource `from`.
pub(super) fn check(link: &Link, from: Option<&str>, scope: &Scope<'_>) -> Option<Problem> {
    let (key, field) = (&link.reference.key, &link.reference.field);
    if from == Some(key) {
        return Some(Problem::error(format!("`{key}` refers to itself")).at(&link.place));
    }
    let kind = scope.kinds.get(key)?;
    if field == "name" {
        return None;
    }
    match find(kind.schema(), field) {
        None => {
            let names = kind.schema()["properties"].as_object().into_iter().flatten();
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            let message =
                format!("`{key}` is a `{}`, which has no field `{field}`", kind.facts().name);
            let problem = Problem::error(message).at(&link.place);
            let problem = problem.help(format!("it has name, {}", names.join(", ")));
            Some(problem.did_you_mean(field, names.into_iter()))
        }
        Some(schema) if !link.alone && !is_single(schema) => {
            let message =
                format!("`{key}.{field}` is more than one value, and a single one is needed here");
            Some(Problem::error(message).at(&link.place))
        }
        Some(_) => None,
    }
}

/// The schema of a field, however deep: `connection.port`.
fn find<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(schema, |schema, part| {
        let real =
            schema["anyOf"].as_array().into_iter().flatten().find(|one| one["type"] != "null");
        let schema = real.unwrap_or(schema);
        let item = || part.parse::<usize>().ok().and_then(|_| schema.get("items"));
        let entry = || schema.get("additionalProperties").filter(|one| one.is_object());
        schema["properties"].get(part).or_else(item).or_else(entry)
    })
}

fn is_single(schema: &Value) -> bool {
    let real = schema["anyOf"].as_array().into_iter().flatten().find(|one| one["type"] != "null");
    let types = &real.unwrap_or(schema)["type"];
    let compound = |one: &Value| one == "object" || one == "array";
    !compound(types) && !types.as_array().into_iter().flatten().any(compound)
}
