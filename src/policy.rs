//! IAM policy documents compared by meaning.
//!
//! Two documents are equal when version and id are equal and their statements match as a set:
//! a single string and a list of that one string mean the same, order never matters, effects and
//! action names ignore case, an account id is its root ARN, and condition values are strings.

use serde_json::{Map, Value};

/// Whether AWS would act on both documents in the same way.
pub fn equivalent(a: &Value, b: &Value) -> bool {
    canonical(a) == canonical(b)
}

/// The one spelling that all documents with the same meaning share.
pub fn canonical(document: &Value) -> Value {
    let Value::Object(document) = document else { return document.clone() };
    let mut out = Map::new();
    for (key, value) in sorted(document) {
        let value = if key == "Statement" { statements(value) } else { value.clone() };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    entries
}

fn statements(value: &Value) -> Value {
    let list = match value {
        Value::Array(list) => list.iter().map(statement).collect(),
        one => vec![statement(one)],
    };
    Value::Array(ordered(list))
}

fn statement(value: &Value) -> Value {
    let Value::Object(statement) = value else { return value.clone() };
    let mut out = Map::new();
    for (key, value) in sorted(statement) {
        let value = match key.as_str() {
            "Effect" => lower(value),
            "Action" | "NotAction" => strings(value, str::to_lowercase),
            "Resource" | "NotResource" => strings(value, str::to_owned),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}

fn lower(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| text.to_lowercase().into())
}

/// A string or a list of strings as an ordered list without doubles.
fn strings(value: &Value, spell: impl Fn(&str) -> String) -> Value {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let spelled = items.iter().map(|item| match item {
        Value::String(text) => spell(text).into(),
        Value::Bool(_) | Value::Number(_) => item.to_string().into(),
        other => other.clone(),
    });
    Value::Array(ordered(spelled.collect()))
}

/// `"*"` and `{"AWS": "*"}` mean the same; an account id means its root.
fn principal(value: &Value) -> Value {
    let everybody = Map::from_iter([("AWS".to_owned(), value.clone())]);
    let map = value.as_object().unwrap_or(&everybody);
    let mut out = Map::new();
    for (kind, who) in sorted(map) {
        let who = strings(who, if kind == "AWS" { root_arn } else { str::to_owned });
        if who.as_array().is_some_and(|list| !list.is_empty()) {
            out.insert(kind.clone(), who);
        }
    }
    Value::Object(out)
}

fn root_arn(principal: &str) -> String {
    let account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
    if account { format!("arn:aws:iam::{principal}:root") } else { principal.to_owned() }
}

fn condition(value: &Value) -> Value {
    let Value::Object(operators) = value else { return value.clone() };
    let mut out = Map::new();
    for (operator, keys) in sorted(operators) {
        let Value::Object(keys) = keys else {
            out.insert(operator.clone(), keys.clone());
            continue;
        };
        let keys = sorted(keys).into_iter();
        let keys = keys.map(|(key, value)| (key.clone(), strings(value, str::to_owned)));
        out.insert(operator.clone(), Value::Object(keys.collect()));
    }
    Value::Object(out)
}

fn ordered(mut list: Vec<Value>) -> Vec<Value> {
    list.sort_by_cached_key(Value::to_string);
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(statement: Value) -> Value {
        json!({ "Version": "2012-10-17", "Statement": statement })
    }

    #[test]
    fn spelling_does_not_matter() {
        let a = document(json!([
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": ["b", "a"] },
            { "Effect": "Deny", "Principal": "*", "Action": ["s3:*"], "Resource": "*",
              "Condition": { "Bool": { "aws:SecureTransport": false } } },
        ]));
        let b = document(json!([
            { "Effect": "Deny", "Principal": { "AWS": ["*"] }, "Action": "s3:*", "Resource": ["*"],
              "Condition": { "Bool": { "aws:SecureTransport": ["false"] } } },
            { "Effect": "allow", "Action": ["S3:GetObject"], "Resource": ["a", "b"] },
        ]));
        assert!(equivalent(&a, &b));
    }

    #[test]
    fn one_statement_is_a_list_of_one() {
        let one = json!({ "Effect": "Allow", "Action": "a:b", "Resource": "*" });
        assert!(equivalent(&document(one.clone()), &document(json!([one]))));
    }

    #[test]
    fn an_account_is_its_root() {
        let by_id = json!({ "Effect": "Allow", "Principal": { "AWS": "123456789012" } });
        let by_arn =
            json!({ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::123456789012:root" } });
        assert!(equivalent(&document(by_id), &document(by_arn)));
    }

    #[test]
    fn meaning_does_matter() {
        let base = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "a" });
        for (key, value) in [("Effect", "Deny"), ("Action", "s3:PutObject"), ("Resource", "A")] {
            let mut other = base.clone();
            other[key] = value.into();
            assert!(!equivalent(&document(base.clone()), &document(other)), "{key}");
        }
    }
}
