//! Entries as the text of a stack file.

use serde_json::Value;

use super::{Draft, Entry};
use crate::document::{Document, Draft as Yaml, Line, write};
use crate::kind::Site;
use crate::reference::{references, shown};

/// A new stack file.
pub fn file(draft: &Draft, site: &Site) -> String {
    let owned = draft.entries.iter().all(|entry| {
        entry.thing.live.owner.as_ref().is_some_and(|owner| owner.stack == site.stack)
    });
    let next = match owned {
        true => "All of it is the stack's already.",
        false => {
            "`lagoa adopt FILE` takes it over; until then `lagoa plan` says that it isn't the stack's."
        }
    };
    let mut lines = vec![
        Line {
            above: vec![
                format!("What `lagoa import` found in the account {}.", site.account),
                next.to_owned(),
            ],
            ..Line::new("stack", Yaml::Text(site.stack.clone()))
        },
        Line::new("region", Yaml::Text(site.region.clone())),
    ];
    if !draft.tags.is_empty() {
        let tags = draft.tags.iter().map(|(key, value)| Line::new(literal(key), text(value)));
        lines.push(Line::new("tags", Yaml::Map(tags.collect())));
    }
    format!("{}\nresources:\n{}", write(&lines, 0), resources(draft, 2))
}

/// The text of a stack file with the entries behind its resources and the rest as it is.
/// `None` when its resources are written in braces.
pub fn append(document: &Document, draft: &Draft) -> Option<String> {
    let text = &document.source.text;
    let (first, last) = (document.resources.first()?, document.resources.last()?);
    let (_, column) = first.0.place.line_column();
    let indent = column - 1;
    let (_, line) = document.source.line_at(first.0.place.range.start);
    if !text.get(line.start..first.0.place.range.start)?.trim().is_empty() || indent == 0 {
        return None;
    }
    let end = last.1.place.range.end.max(last.0.place.range.end);
    let end = text.get(end..)?.find('\n').map_or(text.len(), |at| end + at + 1);
    let (before, after) = text.split_at_checked(end)?;
    let lead = if before.ends_with('\n') { "" } else { "\n" };
    Some(format!("{before}{lead}\n{}{after}", resources(draft, indent)))
}

/// The entries, with an empty line between each two.
fn resources(draft: &Draft, indent: usize) -> String {
    let entries = draft.entries.iter().map(|entry| write(&[self::entry(entry)], indent));
    entries.collect::<Vec<_>>().join("\n")
}

fn entry(entry: &Entry) -> Line {
    let mut lines = vec![Line::new("kind", text(entry.thing.kind.facts().name))];
    lines.extend(entry.name.as_ref().map(|name| Line::new("name", text(name))));
    let properties = &entry.thing.kind.schema()["properties"];
    for (name, value) in &entry.fields {
        let bare = !holds_policy(&properties[name]);
        let remark = if entry.secrets.contains(name) {
            Some("AWS doesn't tell it: set this variable, or name where the secret is")
        } else if entry.outside.contains(name) {
            Some("not in this stack")
        } else {
            None
        };
        lines
            .push(Line { remark: remark.map(str::to_owned), ..Line::new(name, yaml(value, bare)) });
    }
    if !entry.ignore.is_empty() {
        let fields = entry.ignore.iter().map(|field| text(field)).collect();
        let remark = "lagoa can't write these as AWS has them".to_owned();
        lines.push(Line { remark: Some(remark), ..Line::new("ignore", Yaml::List(fields)) });
    }
    if entry.protect {
        lines.push(Line::new("protect", Yaml::Word("true".to_owned())));
    }
    let word = entry.on_destroy.and_then(|word| serde_json::to_value(word).ok());
    lines.extend(word.map(|word| Line::new("on_destroy", yaml(&word, false))));
    Line::new(literal(&entry.key), Yaml::Map(lines))
}

/// A value, references as a person writes them: where a field refers to a kind, the bare key is
/// enough.
fn yaml(value: &Value, bare: bool) -> Yaml {
    match value {
        Value::String(one) => match references(value).as_slice() {
            [only] if bare && only.mark() == *one => Yaml::Text(only.key.clone()),
            _ => text(one),
        },
        Value::Array(items) => Yaml::List(items.iter().map(|item| yaml(item, bare)).collect()),
        Value::Object(members) => {
            let lines = members.iter().map(|(key, one)| Line::new(literal(key), yaml(one, bare)));
            Yaml::Map(lines.collect())
        }
        other => Yaml::Word(other.to_string()),
    }
}

/// Whether there is a policy in the field: in it a reference has to name what it refers to.
fn holds_policy(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => schema["x-policy"] == true || members.values().any(holds_policy),
        Value::Array(items) => items.iter().any(holds_policy),
        _ => false,
    }
}

fn text(text: &str) -> Yaml {
    Yaml::Text(shown(&literal(text)))
}

/// The text with every `${` escaped that would mean something. Variables of IAM policies, such as
/// `${aws:username}`, stay as they are.
fn literal(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let variable = rest[start + 2..].split_once('}').map_or("", |(inner, _)| inner);
        let is_iams = variable.contains(':') && !variable.contains('{');
        let after_dollar = start > 0 && rest[..start].ends_with('$');
        out.push_str(&rest[..start]);
        out.push_str(if is_iams && !after_dollar { "${" } else { "$${" });
        rest = &rest[start + 2..];
    }
    out + rest
}
