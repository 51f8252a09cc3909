//! Which files a stack uses, as far as its text tells: it need not be sound, and its variables need
//! no values.

use globset::{GlobBuilder, GlobMatcher};
use serde_json::Value;

use super::schema::alternatives;
use crate::document::{Document, Node, Yaml};
use crate::kinds;

/// The files that a stack names, relative to its root.
#[derive(Debug, Default)]
pub struct Uses {
    named: Vec<Named>,
}

#[derive(Debug)]
enum Named {
    Path(String),
    Glob(Box<GlobMatcher>),
}

impl Uses {
    /// What the document names, in every resource and whatever `when` says.
    pub fn of(document: &Document) -> Self {
        let mut uses = Self::default();
        for (_, entry) in &document.resources {
            let name = entry.kind.as_ref().map(|kind| kind.text.as_str());
            let kind = kinds::all().iter().find(|kind| Some(kind.facts().name) == name);
            let Some(properties) = kind.map(|kind| &kind.schema()["properties"]) else { continue };
            for (key, node) in &entry.body {
                uses.look(&properties[&key.text], node);
            }
        }
        uses
    }

    /// Whether the file of this path is one of them, be it there or not.
    pub fn has(&self, path: &str) -> bool {
        self.named.iter().any(|named| match named {
            Named::Path(one) => one == path,
            Named::Glob(glob) => glob.is_match(path),
        })
    }

    fn look(&mut self, schema: &Value, node: &Node) {
        if schema.get("x-file").is_some() {
            self.name(node);
            return;
        }
        for one in alternatives(schema) {
            self.look(one, node);
        }
        match &node.value {
            Yaml::Mapping(entries) => {
                for (key, node) in entries {
                    let property = schema["properties"].get(&key.text);
                    self.look(property.unwrap_or(&schema["additionalProperties"]), node);
                }
            }
            Yaml::Sequence(items) => {
                items.iter().for_each(|item| self.look(&schema["items"], item))
            }
            // A list of one may be written without being a list.
            Yaml::Scalar(_) if schema.get("items").is_some() => self.look(&schema["items"], node),
            Yaml::Scalar(_) | Yaml::Null => {}
        }
    }

    /// A document that is written out names nothing.
    fn name(&mut self, node: &Node) {
        match &node.value {
            Yaml::Scalar(scalar) => self.named.extend(named(&scalar.text)),
            Yaml::Sequence(items) => items.iter().for_each(|item| self.name(item)),
            Yaml::Mapping(_) | Yaml::Null => {}
        }
    }
}

/// A path or a glob. What a variable stands for may be anything.
fn named(text: &str) -> Option<Named> {
    let text = text.strip_prefix("./").unwrap_or(text);
    let (pattern, holes) = without_holes(text);
    if !holes && !text.contains(['*', '?', '[', '{']) {
        return Some(Named::Path(text.to_owned()));
    }
    let glob = GlobBuilder::new(&pattern).literal_separator(!holes).build().ok()?;
    Some(Named::Glob(Box::new(glob.compile_matcher())))
}

/// The text with `*` for each `${…}`, which may hold others, and whether there was one.
fn without_holes(text: &str) -> (String, bool) {
    let mut pattern = String::new();
    let mut depth = 0_usize;
    let mut holes = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '$' if rest.peek() == Some(&'{') => {
                rest.next();
                if depth == 0 {
                    pattern.push('*');
                }
                depth += 1;
                holes = true;
            }
            '}' if depth > 0 => depth -= 1,
            c if depth == 0 => pattern.push(c),
            _ => {}
        }
    }
    (pattern, holes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::document;

    fn uses(resources: &str) -> Uses {
        let text = format!("stack: lake\nresources:\n{resources}");
        Uses::of(&document::document(Source::new("lake.yaml", text)).expect("a stack"))
    }

    #[test]
    fn policies_scripts_and_data_are_used() {
        let uses = uses(
            "  reader:
    kind: iam_role
    service: dms
    inline_policies: { lake: policies/lake.json, plain: { Statement: { Action: '*' } } }
  raw: { kind: s3_bucket, policy: ./policies/raw.json }
  schema: { kind: postgres_seed, database: db, scripts: ['sql/*.sql', extra/one.sql] }
  coins: { kind: postgres_seed, database: db, csv: data/coins.csv, table: coins }
  maybe: { kind: s3_bucket, when: false, policy: policies/later.json }
",
        );
        for path in [
            "policies/lake.json",
            "policies/raw.json",
            "policies/later.json",
            "sql/a.sql",
            "extra/one.sql",
            "data/coins.csv",
        ] {
            assert!(uses.has(path), "{path}");
        }
        for path in ["README.md", "sql/deep/a.sql", "policies/other.json", "coins", "*"] {
            assert!(!uses.has(path), "{path}");
        }
    }

    #[test]
    fn a_variable_may_be_anything() {
        let uses = uses(
            "  raw: { kind: s3_bucket, policy: 'policies/${raw-${var.project}.x}.json' }
  schema: { kind: postgres_seed, database: db, scripts: ['${var.folder}/*.sql'] }
",
        );
        assert!(uses.has("policies/coins.json") && uses.has("sql/deep/a.sql"));
        assert!(!uses.has("policies/coins.yaml"));
    }
}
