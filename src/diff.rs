//! What has to change to turn live into desired. Pure: two values and the kind's schema.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::field::lasting_tag;
use crate::policy;
use crate::reference::is_unknown;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where: `versioning`, `tags.Team`, `lifecycle[0].expiration_days`.
    pub path: String,
    /// What AWS has; null when it has nothing there. For a set: the members to take away.
    pub old: Value,
    /// What the stack wants; null when it is to go. For a set: the members to add.
    pub new: Value,
    /// The new value holds references that are known only after apply.
    pub unknown: bool,
    /// AWS has no call that changes this field, so the resource is replaced.
    pub immutable: bool,
    /// The field is a set: `old` and `new` are members that go and come, not whole values.
    pub set: bool,
}

/// The fields of `desired` that `live` doesn't have in that way.
/// Only what the stack sets is compared; `ignore` lists paths that never count.
pub fn diff(schema: &Value, desired: &Value, live: &Value, ignore: &[String]) -> Vec<Change> {
    let mut walk = Walk { changes: Vec::new() };
    walk.object(schema, "", desired, live, false);
    walk.changes.retain(|change| !ignore.iter().any(|path| covers(path, &change.path)));
    walk.changes
}

fn covers(ignored: &str, path: &str) -> bool {
    path.strip_prefix(ignored).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

struct Walk {
    changes: Vec<Change>,
}

impl Walk {
    fn value(&mut self, schema: &Value, path: &str, desired: &Value, live: &Value, fixed: bool) {
        let schema = given(schema);
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or(false);
        if desired.is_null() || flag("writeOnly") || (flag("readOnly") && !flag("x-derived")) {
            return;
        }
        let fixed = fixed || flag("createOnly");
        if matches(schema, desired, live) {
            return;
        }
        if flag("x-whole") {
            return self.push(path, live.clone(), desired.clone(), fixed, false);
        }
        match (desired, live) {
            (Value::Object(_), Value::Object(_)) if schema.get("properties").is_some() => {
                self.object(schema, path, desired, live, fixed);
            }
            (Value::Object(want), Value::Object(have)) if is_map(schema) => {
                self.map(schema, path, want, have, fixed);
            }
            (Value::Array(want), Value::Array(have)) if flag("uniqueItems") => {
                let item = &schema["items"];
                let lacks = |list: &[Value], one: &Value, flip: bool| {
                    !list.iter().any(|other| {
                        if flip { matches(item, other, one) } else { matches(item, one, other) }
                    })
                };
                let new = want.iter().filter(|one| lacks(have, one, false)).cloned().collect();
                let old = have.iter().filter(|one| lacks(want, one, true)).cloned().collect();
                self.push(path, Value::Array(old), Value::Array(new), fixed, true);
            }
            (Value::Array(want), Value::Array(have)) if want.len() == have.len() => {
                for (index, (want, have)) in want.iter().zip(have).enumerate() {
                    self.value(&schema["items"], &format!("{path}[{index}]"), want, have, fixed);
                }
            }
            _ => self.push(path, live.clone(), desired.clone(), fixed, false),
        }
    }

    fn object(&mut self, schema: &Value, path: &str, desired: &Value, live: &Value, fixed: bool) {
        let Some(properties) = schema["properties"].as_object() else { return };
        for (name, property) in properties {
            let want = desired.get(name).unwrap_or(&Value::Null);
            let have = live.get(name).unwrap_or(&Value::Null);
            self.value(property, &join(path, name), want, have, fixed);
        }
    }

    fn map(
        &mut self,
        schema: &Value,
        path: &str,
        want: &Map<String, Value>,
        have: &Map<String, Value>,
        fixed: bool,
    ) {
        let item = &schema["additionalProperties"];
        for (key, value) in want {
            match have.get(key) {
                Some(live) => self.value(item, &join(path, key), value, live, fixed),
                None => self.push(&join(path, key), Value::Null, value.clone(), fixed, false),
            }
        }
        for (key, value) in have {
            if !want.contains_key(key) && !exempt(schema, key) {
                self.push(&join(path, key), value.clone(), Value::Null, fixed, false);
            }
        }
    }

    fn push(&mut self, path: &str, old: Value, new: Value, immutable: bool, set: bool) {
        let unknown = is_unknown(&new);
        self.changes.push(Change { path: path.to_owned(), old, new, unknown, immutable, set });
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The schema of the value when it is there: `Option` adds a null alternative that says nothing.
fn given(schema: &Value) -> &Value {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    let mut real = alternatives.into_iter().flatten().filter(|one| one["type"] != "null");
    match (real.next(), real.next()) {
        (Some(only), None) => only,
        _ => schema,
    }
}

fn is_map(schema: &Value) -> bool {
    schema.get("additionalProperties").is_some_and(Value::is_object)
}

/// Live members of a map that don't count when nobody asked for them.
fn exempt(schema: &Value, key: &str) -> bool {
    schema["x-subset"] == true || (schema["x-tags"] == true && lasting_tag(key))
}

/// Whether live is already what desired asks for.
fn matches(schema: &Value, desired: &Value, live: &Value) -> bool {
    let schema = given(schema);
    if desired.is_null() {
        return true;
    }
    if schema["x-policy"] == true {
        return policy::equivalent(desired, live);
    }
    // AWS keeps such a value as one piece: what it leaves out isn't there.
    if schema["x-whole"] == true {
        return desired == live;
    }
    match (desired, live) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Object(want), Value::Object(have)) if is_map(schema) => {
            let item = &schema["additionalProperties"];
            want.iter().all(|(key, v)| have.get(key).is_some_and(|live| matches(item, v, live)))
                && have.keys().all(|key| want.contains_key(key) || exempt(schema, key))
        }
        (Value::Object(want), Value::Object(have)) => want.iter().all(|(key, value)| {
            let property = schema.get("properties").and_then(|p| p.get(key));
            let property = property.unwrap_or(&Value::Null);
            if property["readOnly"] == true || property["writeOnly"] == true {
                return true;
            }
            matches(property, value, have.get(key).unwrap_or(&Value::Null))
        }),
        (Value::Array(want), Value::Array(have)) => {
            let item = &schema["items"];
            if schema["uniqueItems"] == true {
                want.len() == have.len()
                    && want.iter().all(|one| have.iter().any(|live| matches(item, one, live)))
            } else {
                want.len() == have.len()
                    && want.iter().zip(have).all(|(one, live)| matches(item, one, live))
            }
        }
        _ => desired == live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({ "properties": {
            "class": { "type": "string" },
            "name": { "type": "string", "createOnly": true },
            "arn": { "type": "string", "readOnly": true },
            "password": { "type": "string", "writeOnly": true },
            "tags": { "additionalProperties": { "type": "string" }, "x-tags": true },
            "ports": { "type": "array", "uniqueItems": true, "items": { "type": "integer" } },
            "rule": { "anyOf": [
                { "type": "object", "properties": { "days": { "type": "integer" } } },
                { "type": "null" } ] },
        } })
    }

    #[test]
    fn a_whole_is_compared_with_what_it_leaves_out() {
        let rule = json!({ "type": "object", "x-whole": true, "properties": {
            "days": { "type": ["integer", "null"] } } });
        let schema = json!({ "properties": {
            "rules": { "type": "array", "items": rule },
            "rule": { "anyOf": [rule, { "type": "null" }] } } });
        let live = json!({ "rules": [{ "days": 3 }], "rule": { "days": 3 } });
        let bare = json!({ "rules": [{ "days": null }], "rule": { "days": null } });
        let changes = diff(&schema, &bare, &live, &[]);
        let paths: Vec<_> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["rules[0]", "rule"]);
        assert_eq!(changes[1].old, json!({ "days": 3 }));
        assert!(diff(&schema, &live, &live, &[]).is_empty());
    }

    fn paths(desired: Value, live: Value) -> Vec<String> {
        let changes = diff(&schema(), &desired, &live, &[]);
        changes.into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn only_what_is_set_is_compared() {
        let live = json!({ "class": "a", "rule": { "days": 3 }, "arn": "x" });
        assert!(paths(json!({ "class": "a", "rule": null }), live.clone()).is_empty());
        assert_eq!(paths(json!({ "class": "b" }), live), ["class"]);
    }

    #[test]
    fn computed_and_write_only_never_differ() {
        let desired = json!({ "arn": "y", "password": "p" });
        assert!(paths(desired, json!({ "arn": "x" })).is_empty());
    }

    #[test]
    fn immutable_changes_say_so() {
        let changes = diff(&schema(), &json!({ "name": "b" }), &json!({ "name": "a" }), &[]);
        assert!(changes[0].immutable);
    }

    #[test]
    fn tags_of_aws_and_lagoa_do_not_count() {
        let live = json!({ "tags": { "a": "1", "aws:x": "y", "lagoa:seed:z": "1", "old": "1" } });
        assert_eq!(paths(json!({ "tags": { "a": "2" } }), live), ["tags.a", "tags.old"]);
    }

    #[test]
    fn words_that_the_stack_took_back_go_from_the_tags() {
        let live = json!({ "tags": { "lagoa:protect": "true", "lagoa:on_destroy": "delete" } });
        let expected = ["tags.lagoa:protect", "tags.lagoa:on_destroy"];
        assert_eq!(paths(json!({ "tags": {} }), live.clone()), expected);
        assert!(paths(live.clone(), live).is_empty());
    }

    #[test]
    fn sets_ignore_order_and_name_members() {
        let live = json!({ "ports": [1, 2, 3] });
        assert!(paths(json!({ "ports": [3, 1, 2] }), live.clone()).is_empty());
        let changes = diff(&schema(), &json!({ "ports": [2, 4] }), &live, &[]);
        assert_eq!((&changes[0].old, &changes[0].new), (&json!([1, 3]), &json!([4])));
    }

    #[test]
    fn ignored_paths_cover_what_lies_below() {
        let (desired, live) = (json!({ "rule": { "days": 4 } }), json!({ "rule": { "days": 3 } }));
        assert!(diff(&schema(), &desired, &live, &["rule".into()]).is_empty());
        assert_eq!(diff(&schema(), &desired, &live, &["ru".into()]).len(), 1);
    }
}
