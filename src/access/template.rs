//! Fills in what a kind says in general: whose ARN, under which condition.

use serde_json::Value;

use super::statement::{Condition, Statement};
use crate::kind::{Grant, Site, When};
use crate::reference::is_marked;
use crate::stack::Resource;

/// What the placeholders of a grant mean for one resource.
pub struct Filler<'a> {
    site: &'a Site,
    /// Its own name and what that is unique in.
    name: &'a str,
    within: &'a str,
    fields: &'a Value,
    /// It may be somebody else's at first.
    adopted: bool,
}

impl<'a> Filler<'a> {
    /// For a resource, its fields filled in as far as they are known.
    pub fn new(resource: &'a Resource, fields: &'a Value, site: &'a Site) -> Self {
        let within = resource.kind.facts().within;
        let parts = within.and_then(|_| resource.name.split_once('/'));
        let (within, name) = parts.unwrap_or(("*", &resource.name));
        Self { site, name, within, fields, adopted: resource.adopt }
    }

    /// For what concerns no single resource.
    pub fn without_resource(site: &'a Site) -> Self {
        Self { site, name: "*", within: "*", fields: &Value::Null, adopted: false }
    }

    /// The statement of a grant; `None` when the resource doesn't need it.
    pub fn fill(&self, grant: &Grant) -> Option<Statement> {
        if grant.given.is_some_and(|field| !is_set(self.fields, field)) {
            return None;
        }
        let condition = grant.when.and_then(|when| self.condition(when));
        let statement = Statement {
            actions: grant.actions.iter().map(|action| (*action).to_owned()).collect(),
            resources: grant.on.iter().flat_map(|template| self.arns(template)).collect(),
            condition,
        };
        let empty = statement.condition.as_ref().is_some_and(|one| one.values.is_empty());
        (!statement.resources.is_empty() && !empty).then_some(statement)
    }

    fn condition(&self, when: When) -> Option<Condition> {
        let expanded = |templates: &[&str]| -> Vec<String> {
            templates.iter().flat_map(|template| self.texts(template)).collect()
        };
        let stack = vec![self.site.stack.clone()];
        let (key, values) = match when {
            // The mark of what is adopted comes with the first update.
            When::Owned if self.adopted => return None,
            When::Owned => ("aws:ResourceTag/lagoa:stack", stack),
            When::Marked => ("aws:RequestTag/lagoa:stack", stack),
            When::Made(calls) => ("ec2:CreateAction", expanded(calls)),
            When::Attaching(policies) => {
                let arns = policies.iter().flat_map(|policy| self.arns(policy)).collect();
                return Some(Condition::new("ArnLike", "iam:PolicyARN", arns));
            }
            When::PassedTo(services) => ("iam:PassedToService", expanded(services)),
            When::LinkedTo(services) => ("iam:AWSServiceName", expanded(services)),
            When::Through(services) => {
                let of = |service: &&str| format!("{service}.{}.amazonaws.com", self.site.region);
                ("kms:ViaService", services.iter().map(of).collect())
            }
        };
        let open = values.iter().any(|value| value.contains('*'));
        Some(Condition::new(if open { "StringLike" } else { "StringEquals" }, key, values))
    }

    /// The ARNs that a template stands for; several where a field has several values.
    pub fn arns(&self, template: &str) -> Vec<String> {
        if template == "*" {
            return vec![template.to_owned()];
        }
        self.texts(template).into_iter().map(|text| self.whole(text)).collect()
    }

    /// A template with its placeholders filled in.
    fn texts(&self, template: &str) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (placeholder, after) = after.split_once('}').unwrap_or((after, ""));
            for text in &mut texts {
                text.push_str(before);
            }
            let values = self.values(placeholder);
            texts = texts
                .iter()
                .flat_map(|text| values.iter().map(move |value| joined(text, value)))
                .collect();
            rest = after;
        }
        texts.into_iter().map(|text| format!("{text}{rest}")).collect()
    }

    fn whole(&self, text: String) -> String {
        let Site { partition, .. } = self.site;
        if text.starts_with("arn:") { text } else { format!("arn:{partition}:{text}") }
    }

    fn values(&self, placeholder: &str) -> Vec<String> {
        let text = |text: &str| vec![text.to_owned()];
        match placeholder {
            "name" => text(&known(self.name)),
            "within" => text(&known(self.within)),
            "account" => text(&self.site.account),
            "region" => text(&self.site.region),
            "stack" => text(&self.site.stack),
            field => {
                let (path, otherwise) = match field.split_once('|') {
                    Some((path, otherwise)) => (path, Some(otherwise)),
                    None => (field, None),
                };
                let mut values = Vec::new();
                collect(self.fields, path, &mut values);
                match otherwise {
                    Some(otherwise) if values.is_empty() => text(otherwise),
                    _ => values,
                }
            }
        }
    }
}

/// An ARN after `…role/` counts from there on, and at the very beginning as it is.
fn joined(before: &str, value: &str) -> String {
    if before.is_empty() || !value.starts_with("arn:") {
        return format!("{before}{value}");
    }
    let words = before.rsplit(':').next().unwrap_or_default();
    let own = value.split(':').skip(5).collect::<Vec<_>>().join(":");
    match own.strip_prefix(words) {
        Some(rest) => format!("{before}{rest}"),
        None => format!("{before}*"),
    }
}

/// A text with a wildcard for each part that isn't known yet.
fn known(text: &str) -> String {
    if !is_marked(text) {
        return text.to_owned();
    }
    let starred = crate::reference::fill(&Value::String(text.to_owned()), &|_| Some("*".into()));
    starred.as_str().unwrap_or("*").to_owned()
}

/// A field's text as far as it is known.
pub fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(known)
}

fn collect(value: &Value, path: &str, into: &mut Vec<String>) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| collect(item, path, into));
        return;
    }
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    match value {
        Value::String(text) if path.is_empty() => {
            into.extend((!text.is_empty()).then(|| known(text)))
        }
        Value::String(text) if is_marked(text) => into.push("*".to_owned()),
        Value::Number(number) if path.is_empty() => into.push(number.to_string()),
        Value::Object(_) if !path.is_empty() => collect(&value[first], rest, into),
        _ => {}
    }
}

fn is_set(fields: &Value, path: &str) -> bool {
    let value = path.split('.').fold(fields, |value, part| &value[part]);
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use serde_json::json;

    fn site() -> Site {
        let text = str::to_owned;
        Site { partition: text("aws"), account: text("1"), region: text("r"), stack: text("s") }
    }

    fn filled(fields: &Value, templates: &'static [&'static str]) -> Vec<String> {
        let site = site();
        let filler = Filler { site: &site, name: "n", within: "c", fields, adopted: false };
        let statement = filler.fill(&Grant::of(&["a:B"], templates));
        statement.map(|one| one.resources.into_iter().collect()).unwrap_or_default()
    }

    fn mark(key: &str, field: &str) -> String {
        Reference { key: key.to_owned(), field: field.to_owned() }.mark()
    }

    #[test]
    fn placeholders_are_names_and_fields() {
        let fields = json!({ "group": "g", "roles": ["arn:aws:iam::1:role/p/a", "b"] });
        let arns: &[&str] = &[
            "rds:{region}:{account}:db:{name}",
            "x:::{within}/{group}",
            "iam::{account}:role/{roles}",
        ];
        let expected = [
            "arn:aws:iam::1:role/b",
            "arn:aws:iam::1:role/p/a",
            "arn:aws:rds:r:1:db:n",
            "arn:aws:x:::c/g",
        ];
        assert_eq!(filled(&fields, arns), expected);
    }

    #[test]
    fn what_is_not_known_is_a_wildcard_and_what_is_not_set_is_nothing() {
        let fields = json!({ "role": mark("x", "arn"), "key": format!("a-{}", mark("y", "id")) });
        assert_eq!(filled(&fields, &["iam:::role/{role}"]), ["arn:aws:iam:::role/*"]);
        assert_eq!(filled(&fields, &["kms:::{key}"]), ["arn:aws:kms:::a-*"]);
        assert_eq!(filled(&fields, &["rds:::subgrp:{group}"]), [""; 0]);
        assert_eq!(filled(&fields, &["rds:::{group|default*}"]), ["arn:aws:rds:::default*"]);
        assert_eq!(filled(&fields, &["rds:::{role.deeper}"]), ["arn:aws:rds:::*"]);
    }

    #[test]
    fn a_grant_for_a_field_needs_the_field() {
        let site = site();
        let fill = |fields: Value, grant: Grant| {
            let filler =
                Filler { site: &site, name: "n", within: "c", fields: &fields, adopted: false };
            filler.fill(&grant).is_some()
        };
        let grant = Grant::of(&["a:B"], &["*"]).given("password.managed");
        assert!(fill(json!({ "password": { "managed": true } }), grant));
        assert!(!fill(json!({ "password": { "managed": false } }), grant));
        assert!(!fill(json!({}), grant));
        let attach = Grant::of(&["a:B"], &["*"]).when(When::Attaching(&["{policies}"]));
        assert!(fill(json!({ "policies": ["arn:aws:iam::aws:policy/A"] }), attach));
        assert!(!fill(json!({ "policies": [] }), attach), "there is nothing to attach");
    }

    #[test]
    fn what_is_taken_over_has_no_mark_yet() {
        let site = site();
        let condition = |adopted| {
            let filler =
                Filler { site: &site, name: "n", within: "c", fields: &Value::Null, adopted };
            filler
                .fill(&Grant::of(&["a:B"], &["*"]).when(When::Owned))
                .and_then(|one| one.condition)
        };
        assert!(condition(false).is_some_and(|one| one.key == "aws:ResourceTag/lagoa:stack"));
        assert_eq!(condition(true), None);
    }
}
