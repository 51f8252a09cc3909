//! A plan as readers see it: replacements in one piece, in reading order, references as written,
//! secrets out. Text and JSON are both made of this, so they say the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dangers::{self, Danger};
use super::findings::{self, Finding};
use super::value::{self, given, public, written};
use crate::diff::Change;
use crate::guardrails::Verdict;
use crate::plan::{Action, Blocked, Plan, Step, Unread};
use crate::reference::{is_marked, is_unknown, shown};
use crate::stack::Stack;

/// Name and version of the JSON form.
pub const FORMAT: &str = "lagoa.plan/1";

/// A plan for readers.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// [`FORMAT`].
    pub format: &'static str,
    /// Name of the stack.
    pub stack: String,
    /// The stack file, as the person named it.
    pub file: String,
    /// Account that the plan is for.
    pub account: String,
    /// Region that the plan is for.
    pub region: String,
    /// The plan takes the stack down.
    pub destroy: bool,
    /// AWS wasn't asked: what the plan is against instead, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline: Option<String>,
    /// How many of each.
    pub total: Total,
    /// Deletions and replacements of what holds data, the worst first.
    pub dangers: Vec<Danger>,
    /// What isn't as the stack wants it: in the order of the stack, then what goes.
    pub resources: Vec<Entry>,
    /// Keys of what is as the stack wants it.
    pub unchanged: Vec<String>,
    /// The outputs as far as they are known.
    pub outputs: Vec<Output>,
    /// What couldn't be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// What the security checks found in the stack, the worst first.
    pub findings: Vec<Finding>,
    /// What the guardrails say to this plan.
    pub guardrails: Vec<Verdict>,
}

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and made anew.
    Replace,
    /// It gets this stack's mark, and is changed in place.
    Adopt,
    /// It is put into a database.
    Seed,
    /// It goes.
    Delete,
    /// It leaves the stack, and stays in the account.
    Retain,
    /// Whether anything is to be done can't be known now.
    Unread,
}

/// One resource.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// What is done with it.
    pub action: Deed,
    /// Its key in the stack.
    pub key: String,
    /// What kind of thing it is.
    pub kind: &'static str,
    /// Its name in AWS.
    pub name: String,
    /// `file:line` of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// It is no longer in the stack file.
    pub orphan: bool,
    /// Why it can't be done, and the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// Why it must be replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// What happens to the data in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// More in words: a seed's files, statements and rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The fields that differ; for a new resource those that are set.
    pub fields: Vec<Field>,
    /// Positions of its steps in the plan.
    #[serde(skip)]
    pub steps: Vec<usize>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Where in the resource.
    pub path: String,
    /// What AWS has; for `members` those that go.
    pub old: Value,
    /// What the stack wants; for `members` those that come.
    pub new: Value,
    /// `new` holds references to what isn't there yet.
    pub known_after_apply: bool,
    /// AWS can't change it in place.
    pub forces_replacement: bool,
    /// `old` and `new` are members of a set.
    pub members: bool,
    /// It is an IAM policy document.
    #[serde(skip)]
    pub policy: bool,
    /// It is the tags, whole.
    #[serde(skip)]
    pub tags: bool,
}

/// An output.
#[derive(Clone, Debug, Serialize)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its value, with `${key.field}` where it isn't known.
    pub value: Value,
    /// The value holds no such reference.
    pub known: bool,
}

/// How many resources of each action; those that are blocked are counted only as such.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// By action.
    #[serde(flatten)]
    pub deeds: BTreeMap<Deed, usize>,
    /// Can't be done.
    pub blocked: usize,
    /// As the stack wants them.
    pub unchanged: usize,
}

impl View {
    /// Arranges a plan for reading. `file` is the stack file as the person named it.
    pub fn new(plan: &Plan, stack: &Stack, file: &str, destroy: bool) -> Self {
        let position = |key: &str| stack.resources.iter().position(|r| r.key == key);
        let mut resources: Vec<Entry> =
            plan.steps.iter().filter_map(|step| entry(step, plan, stack, file)).collect();
        // Stable, so what goes stays in the plan's order.
        resources.sort_by_key(|entry| match entry.action {
            Deed::Delete | Deed::Retain => (1, 0),
            _ => (0, position(&entry.key).unwrap_or(usize::MAX)),
        });
        let mut dangers: Vec<Danger> =
            resources.iter().filter_map(|entry| danger(entry, plan)).collect();
        dangers.sort_by_key(|danger| danger.fate);
        let mut unchanged: Vec<String> = plan.unchanged.iter().map(|key| shown(key)).collect();
        unchanged.sort();
        let outputs = plan.outputs.iter().map(|(name, value)| Output {
            name: name.clone(),
            value: value::shown(value),
            known: !is_unknown(value),
        });
        Self {
            format: FORMAT,
            stack: stack.name.clone(),
            file: file.to_owned(),
            account: known(&plan.site.account),
            region: known(&plan.site.region),
            destroy,
            offline: None,
            total: total(&resources, unchanged.len()),
            dangers,
            resources: resources.into_iter().map(|e| Entry { key: shown(&e.key), ..e }).collect(),
            unchanged,
            outputs: outputs.collect(),
            unread: plan.unread.clone(),
            findings: findings::findings(stack),
            guardrails: Vec::new(),
        }
    }

    /// Whether applying it would do anything.
    pub fn changes(&self) -> bool {
        self.total.blocked > 0
            || self.total.deeds.iter().any(|(deed, n)| *deed != Deed::Retain && *n > 0)
    }
}

/// What an entry does to data: its delete, which may be one half of a replacement, says so.
fn danger(entry: &Entry, plan: &Plan) -> Option<Danger> {
    let mut steps = entry.steps.iter().filter_map(|id| plan.steps.get(*id));
    dangers::danger(entry, steps.find(|step| step.action == Action::Delete)?)
}

/// The account or region; an offline plan may know neither.
fn known(place: &str) -> String {
    if is_marked(place) { "unknown".to_owned() } else { place.to_owned() }
}

fn total(resources: &[Entry], unchanged: usize) -> Total {
    let mut total = Total { unchanged, ..Total::default() };
    for entry in resources {
        if entry.blocked.is_some() {
            total.blocked += 1;
        } else {
            *total.deeds.entry(entry.action).or_default() += 1;
        }
    }
    total
}

/// The entry of a step; `None` for the delete half of a replacement, which the other half covers.
fn entry(step: &Step, plan: &Plan, stack: &Stack, file: &str) -> Option<Entry> {
    let half = !step.replaces.is_empty();
    let delete = plan.steps.iter().find(|other| {
        half && other.action == Action::Delete
            && other.key == step.key
            && !other.replaces.is_empty()
    });
    let action = match (half, step.action) {
        (true, Action::Delete) => return None,
        (true, _) => Deed::Replace,
        (false, Action::Create) => Deed::Create,
        (false, Action::Update) => Deed::Update,
        (false, Action::Adopt) => Deed::Adopt,
        (false, Action::Seed) => Deed::Seed,
        (false, Action::Delete) => Deed::Delete,
        (false, Action::Retain) => Deed::Retain,
        (false, Action::Unread) => Deed::Unread,
    };
    let resource = stack.resource(&step.key).filter(|_| !step.orphan);
    let place = resource.map(|resource| {
        format!("{}:{}", resource.place.source.name, resource.place.line_column().0)
    });
    let first = |own: &Option<_>, other: Option<&Option<_>>| {
        own.clone().or_else(|| other.cloned().flatten())
    };
    Some(Entry {
        action,
        key: step.key.clone(),
        kind: step.kind.facts().name,
        name: shown(&step.name),
        place,
        orphan: step.orphan,
        blocked: first_blocked(step, delete, file),
        because: step.replaces.iter().map(|reason| shown(reason)).collect(),
        data: first(&step.data, delete.map(|step| &step.data)).map(|data: String| shown(&data)),
        notes: step.summary.iter().map(|note| shown(note)).collect(),
        fields: step.changes.iter().flat_map(|change| fields(step.kind.schema(), change)).collect(),
        steps: delete.iter().map(|step| step.id).chain([step.id]).collect(),
    })
}

fn first_blocked(step: &Step, delete: Option<&Step>, file: &str) -> Option<Blocked> {
    let blocked = step.blocked.as_ref().or_else(|| delete?.blocked.as_ref())?;
    Some(Blocked { reason: shown(&blocked.reason), remedy: remedy(blocked, file) })
}

/// The way out, with the file that the person named.
pub fn remedy(blocked: &Blocked, file: &str) -> String {
    shown(&blocked.remedy).replace("STACK_FILE", file)
}

/// The fields of a change; a map of policies that comes or goes whole is one field per policy.
fn fields(schema: &Value, change: &Change) -> Vec<Field> {
    let own = at(schema, &change.path);
    let whole = change.old.is_null() || change.new.is_null();
    let members = change.new.as_object().or_else(|| change.old.as_object());
    match members.filter(|_| whole && given(&own["additionalProperties"])["x-policy"] == true) {
        None => vec![field(own, change)],
        Some(members) => {
            let one = |name: &String| Change {
                path: format!("{}.{name}", change.path),
                old: change.old[name].clone(),
                new: change.new[name].clone(),
                unknown: is_unknown(&change.new[name]),
                ..change.clone()
            };
            let item = given(&own["additionalProperties"]);
            members.keys().map(|name| field(item, &one(name))).collect()
        }
    }
}

fn field(own: &Value, change: &Change) -> Field {
    Field {
        path: shown(&change.path),
        old: value::shown(&public(own, &written(own, &change.old))),
        new: value::shown(&public(own, &written(own, &change.new))),
        known_after_apply: change.unknown,
        forces_replacement: change.immutable,
        members: change.set,
        policy: own["x-policy"] == true,
        tags: own["x-tags"] == true,
    }
}

/// The schema of what lies at a path such as `tags.Team` or `lifecycle[0].days`.
fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    let schema = given(schema);
    if path.is_empty() {
        return schema;
    }
    if let Some((_, rest)) = path.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return at(&schema["items"], rest.trim_start_matches('.'));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let property = properties.get(&path[..end]).unwrap_or(&Value::Null);
        return at(property, path[end..].trim_start_matches('.'));
    }
    let item = given(&schema["additionalProperties"]);
    if item.get("properties").is_none() {
        // A map's key may hold dots itself.
        return item;
    }
    let end = path.find('.').unwrap_or(path.len());
    at(item, path[end..].trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_finds_its_schema() {
        let schema = json!({ "properties": {
            "inline": { "additionalProperties": { "x-policy": true } },
            "rules": { "type": "array", "items": { "properties": { "days": { "type": "integer" } } } },
            "deep": { "anyOf": [{ "properties": { "x": { "type": "string" } } }, { "type": "null" }] },
        } });
        assert_eq!(at(&schema, "inline.a.b")["x-policy"], true);
        assert_eq!(at(&schema, "rules[3].days")["type"], "integer");
        assert_eq!(at(&schema, "deep.x")["type"], "string");
        assert!(at(&schema, "no.such").is_null());
    }

    #[test]
    fn secrets_show_only_where_they_come_from() {
        let secret = json!({ "x-secret": true, "properties": {}, "writeOnly": true });
        let schema = json!({ "properties": {
            "password": secret,
            "login": { "properties": { "word": { "type": "string", "writeOnly": true } } },
        } });
        let value =
            json!({ "password": { "secret": "db", "key": "pw" }, "login": { "word": "hunter2" } });
        let public = public(&schema, &value);
        assert_eq!(public["password"], "from the secret db (pw)");
        assert_eq!(public["login"]["word"], value::HIDDEN);
    }
}
