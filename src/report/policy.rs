//! IAM policies as a reader wants them: one line per statement, and what changed in each.

use serde_json::{Map, Value};

use super::value::flow;
use crate::policy::canonical;

/// Members that say what a statement is about, in reading order.
const ORDER: [&str; 8] = [
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
];

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is new.
    Comes(String),
    /// It goes.
    Goes(String),
    /// It stays, with some members changed.
    Changes(String),
}

/// Every statement on a line.
pub fn statements(document: &Value) -> Vec<String> {
    list(document).iter().map(statement).collect()
}

/// What turns the old document into the new one, statement by statement; `None` when either isn't
/// a document.
pub fn difference(old: &Value, new: &Value) -> Option<Vec<Line>> {
    if !old.is_object() || !new.is_object() {
        return None;
    }
    let same = |a: &Value, b: &Value| canonical_statement(a) == canonical_statement(b);
    let lacking = |of: &[Value], all: &[Value]| -> Vec<Value> {
        of.iter().filter(|one| !all.iter().any(|other| same(one, other))).cloned().collect()
    };
    let (before, after) = (list(old), list(new));
    let mut gone = lacking(&before, &after);
    let mut lines = Vec::new();
    for comes in lacking(&after, &before) {
        let pair = gone.iter().position(|goes| pairs(goes, &comes));
        match pair.map(|at| gone.remove(at)) {
            Some(goes) => lines.push(Line::Changes(members(&goes, &comes))),
            None => lines.push(Line::Comes(statement(&comes))),
        }
    }
    lines.extend(gone.iter().map(|goes| Line::Goes(statement(goes))));
    Some(lines)
}

fn list(document: &Value) -> Vec<Value> {
    match &document["Statement"] {
        Value::Array(list) => list.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn canonical_statement(statement: &Value) -> Value {
    let mut document = Map::new();
    document.insert("Statement".to_owned(), Value::Array(vec![statement.clone()]));
    canonical(&Value::Object(document))["Statement"][0].clone()
}

/// Whether one statement is a later version of the other: the same Sid, or the same effect on the
/// same resources or by the same actions.
fn pairs(old: &Value, new: &Value) -> bool {
    if old["Sid"].is_string() || new["Sid"].is_string() {
        return old["Sid"] == new["Sid"];
    }
    let (old, new) = (canonical_statement(old), canonical_statement(new));
    let same = |member: &str| old[member] == new[member] && !old[member].is_null();
    same("Effect") && (same("Action") || same("Resource") || same("Principal"))
}

/// `Allow s3:GetObject, s3:PutObject on arn:… to … when …`.
fn statement(statement: &Value) -> String {
    let words = |member: &str, before: &str| {
        let value = &statement[member];
        (!value.is_null()).then(|| format!("{before}{}", names(value)))
    };
    let parts = [
        words("Sid", "").map(|sid| format!("{sid}:")),
        words("Effect", ""),
        words("Action", ""),
        words("NotAction", "everything but "),
        words("Resource", "on "),
        words("NotResource", "on everything but "),
        words("Principal", "to "),
        words("NotPrincipal", "to everyone but "),
        words("Condition", "when "),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn names(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(names).collect::<Vec<_>>().join(", "),
        Value::Null => "(none)".to_owned(),
        Value::Object(map) if map.values().all(|value| value.is_string() || value.is_array()) => {
            map.values().map(names).collect::<Vec<_>>().join(", ")
        }
        other => flow(other),
    }
}

/// The members of a statement that changed, as `Action + s3:PutObject - s3:Get*`.
fn members(old: &Value, new: &Value) -> String {
    let (was, is) = (canonical_statement(old), canonical_statement(new));
    let mut parts = Vec::new();
    for member in ORDER {
        if was[member] == is[member] {
            continue;
        }
        let change = match (strings(&old[member]), strings(&new[member])) {
            (Some(old), Some(new)) => {
                let comes =
                    new.iter().filter(|one| !old.contains(one)).map(|one| format!("+ {one}"));
                let goes =
                    old.iter().filter(|one| !new.contains(one)).map(|one| format!("- {one}"));
                comes.chain(goes).collect::<Vec<_>>().join(" ")
            }
            _ => format!("{} → {}", names(&old[member]), names(&new[member])),
        };
        parts.push(format!("{member} {change}"));
    }
    let title = new["Sid"].as_str().or_else(|| new["Effect"].as_str()).unwrap_or("statement");
    format!("{title}: {}", parts.join("; "))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_statement_is_a_sentence() {
        let document = json!({ "Statement": {
            "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*",
            "Condition": { "StringEquals": { "aws:PrincipalTag/team": "data" } } } });
        assert_eq!(
            statements(&document),
            [
                "Allow s3:GetObject, s3:ListBucket on * when { StringEquals: { aws:PrincipalTag/team: data } }"
            ]
        );
        let trust = json!({ "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "dms.amazonaws.com" } }] });
        assert_eq!(statements(&trust), ["Allow sts:AssumeRole to dms.amazonaws.com"]);
    }

    #[test]
    fn only_what_changed_is_told() {
        let one = |actions: Value| json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        let deny = json!({ "Sid": "No", "Effect": "Deny", "Action": "iam:*", "Resource": "*" });
        let old = json!({ "Statement": [one(json!("s3:Get*")), deny] });
        let new = json!({ "Statement": [one(json!(["s3:Get*", "s3:Put*"])),
            { "Effect": "Deny", "Action": "rds:*", "Resource": "*" }] });
        let lines = difference(&old, &new).unwrap();
        assert_eq!(
            lines,
            [
                Line::Changes("Allow: Action + s3:Put*".into()),
                Line::Comes("Deny rds:* on *".into()),
                Line::Goes("No: Deny iam:* on *".into()),
            ]
        );
        assert_eq!(difference(&json!("file.json"), &new), None);
    }
}
