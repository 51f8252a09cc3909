//! Which tables a task copies, and its settings: the stack's form and DMS's.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::DmsReplicationTask;

/// Tables that are copied, or left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct Selection {
    /// The schema (for MySQL: the database); `%` stands for any text.
    pub schema: String,
    /// The table; `%` stands for any text. Default `%`.
    #[serde(default = "any")]
    pub table: String,
    /// What happens to them. Default `include`.
    #[serde(default)]
    pub action: Action,
    /// Tables with a higher number are loaded first.
    pub load_order: Option<i32>,
}

fn any() -> String {
    "%".to_owned()
}

/// What happens to selected tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// They are copied.
    #[default]
    Include,
    /// They are left out, whatever includes them.
    Exclude,
    /// The one table of exactly that name is copied.
    Explicit,
}

/// Rules in DMS's own form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub Vec<Map<String, Value>>);

impl JsonSchema for Rules {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rules".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let rule = json!({ "type": "object", "additionalProperties": {}, "x-whole": true });
        json_schema!({ "type": "array", "items": rule })
    }
}

/// Settings in DMS's own form, of which DMS fills in what is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub Map<String, Value>);

impl JsonSchema for Settings {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Settings".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": {}, "x-subset": true })
    }
}

impl Settings {
    /// As the API takes them.
    pub fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Whether live has all that is set here.
    pub fn are_in(&self, live: Option<&Self>) -> bool {
        let none = Map::new();
        let live = live.map_or(&none, |live| &live.0);
        self.0.iter().all(|(key, value)| contains(live.get(key).unwrap_or(&Value::Null), value))
    }

    /// One of them, such as `Logging`, `EnableLogging`.
    pub fn is_on(&self, group: &str, name: &str) -> bool {
        self.0.get(group).is_some_and(|group| group[name] == true)
    }
}

fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (_, Value::Null) => true,
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| contains(live.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(a, b)| contains(a, b))
        }
        _ => live == wanted,
    }
}

/// What DMS numbers rules with, and lagoa fills in.
const LABELS: [&str; 2] = ["rule-id", "rule-name"];

impl DmsReplicationTask {
    /// All rules in DMS's form, numbered where the stack doesn't.
    pub(super) fn mappings(&self) -> Value {
        let selections = self.tables.iter().map(rule);
        let rules = selections.chain(self.rules.0.iter().cloned()).enumerate();
        let numbered = rules.map(|(index, mut rule)| {
            for label in LABELS {
                rule.entry(label).or_insert_with(|| (index + 1).to_string().into());
            }
            Value::Object(rule)
        });
        json!({ "rules": numbered.collect::<Vec<_>>() })
    }

    /// It writes a log, for which DMS needs its role.
    pub(super) fn logs(&self) -> bool {
        let settings = self.settings.as_ref();
        settings.is_some_and(|settings| settings.is_on("Logging", "EnableLogging"))
    }
}

fn rule(selection: &Selection) -> Map<String, Value> {
    let rule = json!({
        "rule-type": "selection",
        "object-locator": { "schema-name": selection.schema, "table-name": selection.table },
        "rule-action": selection.action,
        "filters": [],
    });
    let mut rule = rule.as_object().cloned().unwrap_or_default();
    if let Some(order) = selection.load_order {
        rule.insert("load-order".to_owned(), order.to_string().into());
    }
    rule
}

/// The rule in the stack's form, if nothing of it gets lost.
fn selection(rule: &Map<String, Value>) -> Option<Selection> {
    let known = ["rule-type", "object-locator", "rule-action", "filters", "load-order"];
    let strange = |key: &&String| !known.contains(&key.as_str()) && !LABELS.contains(&key.as_str());
    let no_filters =
        rule.get("filters").is_none_or(|all| all.as_array().is_some_and(Vec::is_empty));
    let locator = rule.get("object-locator")?.as_object()?;
    if rule.get("rule-type")? != "selection"
        || rule.keys().any(|key| strange(&key))
        || !no_filters
        || locator.keys().any(|key| key != "schema-name" && key != "table-name")
    {
        return None;
    }
    let order = match rule.get("load-order") {
        None => None,
        Some(Value::String(text)) => Some(text.parse().ok()?),
        Some(number) => Some(i32::try_from(number.as_i64()?).ok()?),
    };
    Some(Selection {
        schema: locator.get("schema-name")?.as_str()?.to_owned(),
        table: locator.get("table-name")?.as_str()?.to_owned(),
        action: serde_json::from_value(rule.get("rule-action")?.clone()).ok()?,
        load_order: order,
    })
}

/// DMS's rules as the stack writes them: labels say nothing.
pub fn canonical(mappings: &Value) -> (Vec<Selection>, Rules) {
    let (mut selections, mut others) = (Vec::new(), Vec::new());
    let rules = mappings["rules"].as_array().into_iter().flatten().filter_map(Value::as_object);
    for rule in rules {
        match selection(rule) {
            Some(selection) => selections.push(selection),
            None => {
                let mut rule = rule.clone();
                rule.retain(|key, value| {
                    let empty = key == "filters" && value.as_array().is_some_and(Vec::is_empty);
                    !LABELS.contains(&key.as_str()) && !empty
                });
                others.push(rule);
            }
        }
    }
    (selections, Rules(others))
}

/// What DMS would refuse.
pub fn wrong(tables: &[Selection], rules: &Rules) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let selects = |rule: &Map<String, Value>| {
        rule.get("rule-type").is_some_and(|of| of == "selection")
            && rule.get("rule-action").is_none_or(|action| action != "exclude")
    };
    let includes = tables.iter().any(|one| one.action != Action::Exclude);
    if !includes && !rules.0.iter().any(selects) {
        let message = "a task needs at least one table: `- { schema: …, table: '%' }`";
        wrong.push(("tables".to_owned(), message.to_owned()));
    }
    for (index, rule) in rules.0.iter().enumerate() {
        if rule.get("rule-type").and_then(Value::as_str).is_none() {
            let message = "a rule needs its `rule-type`, such as `transformation`";
            wrong.push((format!("rules[{index}]"), message.to_owned()));
        }
    }
    let explicit = tables.iter().enumerate().filter(|(_, one)| one.action == Action::Explicit);
    for (index, one) in explicit {
        if one.schema.contains('%') || one.table.contains('%') {
            let message = "`explicit` names one table, without `%`";
            wrong.push((format!("tables[{index}]"), message.to_owned()));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_aws_are_read_as_they_are_written() {
        let aws = json!({ "rules": [
            { "rule-type": "selection", "rule-id": "7", "rule-name": "x", "rule-action": "include",
              "object-locator": { "schema-name": "market", "table-name": "%" }, "filters": [],
              "load-order": "2" },
            { "rule-type": "selection", "rule-id": "8", "rule-name": "y", "rule-action": "include",
              "object-locator": { "schema-name": "a", "table-name": "b" },
              "filters": [{ "filter-type": "source" }] },
        ] });
        let (tables, rules) = canonical(&aws);
        assert_eq!((tables[0].schema.as_str(), tables[0].load_order), ("market", Some(2)));
        assert_eq!(rules.0.len(), 1);
        assert!(rules.0[0].get("rule-id").is_none());
    }

    #[test]
    fn settings_are_a_part_of_what_there_is() {
        let of = |value: Value| Settings(value.as_object().cloned().unwrap_or_default());
        let live = of(json!({ "A": { "x": 1, "y": null }, "B": [1, 2] }));
        for (wanted, is) in [
            (json!({}), true),
            (json!({ "A": { "x": 1 } }), true),
            (json!({ "A": { "x": 2 } }), false),
            (json!({ "A": { "z": 2 } }), false),
            (json!({ "B": [1] }), false),
        ] {
            assert_eq!(of(wanted.clone()).are_in(Some(&live)), is, "{wanted}");
        }
        assert!(!of(json!({ "A": 1 })).are_in(None));
    }

    #[test]
    fn a_task_without_tables_is_refused() {
        assert_eq!(wrong(&[], &Rules::default())[0].0, "tables");
        let explicit = Selection {
            schema: "a".to_owned(),
            table: any(),
            action: Action::Explicit,
            load_order: None,
        };
        assert_eq!(wrong(&[explicit], &Rules::default())[0].0, "tables[0]");
    }
}
