//! Secrets are kept out of a run's log: the runner is told of each before anything could show it.
//!
//! GitHub's only way to do that is to print the secret, in a command that the runner swallows. So
//! it is done only where a runner reads along, and never into a file.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::github::commands::mask;
use crate::github::environment::{CREDENTIALS, in_actions};
use crate::github::masks::forms;
use crate::report::terminal::{Colour, Terminal, errors_are_kept};
use crate::stack::Stack;

/// What is told of every secret that comes into memory; nothing outside of GitHub Actions.
pub fn listener() -> Option<fn(&SecretString)> {
    (in_actions() && !errors_are_kept()).then_some(tell as fn(&SecretString))
}

fn tell(secret: &SecretString) {
    let terminal = Terminal::new(Colour::Never);
    for form in forms(secret.expose_secret()) {
        terminal.order(&mask(&form));
    }
}

/// Masks the credentials in the environment that lagoa itself works with.
pub fn own_credentials() {
    of_environment(CREDENTIALS.iter().copied());
}

/// Masks what the stack takes from the environment as a secret.
pub fn of_stack(stack: &Stack) {
    let mut names = Vec::new();
    for resource in &stack.resources {
        named(&resource.fields, resource.kind.schema(), &mut names);
    }
    names.sort_unstable();
    names.dedup();
    of_environment(names.into_iter());
}

fn of_environment<'a>(names: impl Iterator<Item = &'a str>) {
    let Some(tell) = listener() else { return };
    for value in names.filter_map(|name| std::env::var(name).ok()) {
        tell(&SecretString::from(value));
    }
}

/// Names of variables that secret fields are filled from.
fn named<'a>(value: &'a Value, schema: &Value, names: &mut Vec<&'a str>) {
    if schema["x-secret"] == true {
        names.extend(value["env"].as_str());
        return;
    }
    let alternatives = ["anyOf", "oneOf"].iter().filter_map(|word| schema[word].as_array());
    alternatives.flatten().for_each(|one| named(value, one, names));
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let property = schema["properties"].get(key);
                named(value, property.unwrap_or(&schema["additionalProperties"]), names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, &schema["items"], names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_of_secret_fields_are_found_wherever_they_are() {
        let secret = json!({ "x-secret": true, "properties": {} });
        let schema = json!({ "properties": {
            "password": { "anyOf": [secret, { "type": "null" }] },
            "users": { "items": { "properties": { "login": secret } } },
            "note": { "type": "object" },
            "database": { "anyOf": [
                { "type": "string" },
                { "type": "object", "properties": { "password": secret } },
            ] },
        } });
        let value = json!({
            "password": { "env": "A" },
            "users": [{ "login": { "env": "B" } }, { "login": { "secret": "x" } }],
            "note": { "env": "C" },
            "database": { "host": "db", "password": { "env": "D" } },
        });
        let mut names = Vec::new();
        named(&value, &schema, &mut names);
        names.sort_unstable();
        assert_eq!(names, ["A", "B", "D"]);
    }
}
