//! Ids, ARNs and names of things that are in the stack become references to them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Around, Thing};
use crate::kind::Site;
use crate::reference::{Reference, Target, targets};

/// What the values of fields lead to.
pub struct References {
    /// Keys by kind, field and the value that the field has.
    keys: BTreeMap<(String, String, String), String>,
    /// Keys by ARN.
    arns: BTreeMap<String, String>,
    /// What each key refers to so far.
    edges: BTreeMap<String, BTreeSet<String>>,
    partition: String,
    /// The resource that is being written, and its fields that lead out of the stack.
    from: String,
    outside: Vec<String>,
}

impl References {
    /// Those of the things and of what is around them.
    pub fn new(things: &[(String, Thing)], around: &Around, site: &Site) -> Self {
        let mut references = Self {
            keys: BTreeMap::new(),
            arns: BTreeMap::new(),
            edges: BTreeMap::new(),
            partition: site.partition.clone(),
            from: String::new(),
            outside: Vec::new(),
        };
        let known = around.resources.iter().chain(things.iter().map(|(key, thing)| (key, thing)));
        known.for_each(|(key, thing)| references.learn(key, thing));
        references
    }

    fn learn(&mut self, key: &str, thing: &Thing) {
        let kind = thing.kind.facts().name;
        let mut note = |field: &str, value: &str| {
            let at = (kind.to_owned(), field.to_owned(), value.to_owned());
            self.keys.entry(at).or_insert_with(|| key.to_owned());
        };
        note("name", &thing.live.name);
        for (field, value) in thing.live.fields.as_object().into_iter().flatten() {
            if let Some(value) = value.as_str().filter(|value| !value.is_empty()) {
                note(field, value);
            }
        }
        if let Some(arn) = thing.live.fields["arn"].as_str() {
            self.arns.insert(arn.to_owned(), key.to_owned());
        }
    }

    /// Begins with another resource.
    pub fn of(&mut self, key: &str) {
        self.from = key.to_owned();
        self.outside.clear();
    }

    /// The fields of the resource that lead out of the stack.
    pub fn left_outside(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outside)
    }

    /// What stands for the text in a field that refers to kinds.
    pub fn refer(&mut self, field: &str, schema: &Value, text: &str) -> Value {
        let targets = targets(schema);
        let found = targets.iter().find_map(|target| Some((self.key(target, text)?, target)));
        if let Some((key, target)) = found
            && self.link(&key)
        {
            return Reference { key, field: target.field.clone() }.mark().into();
        }
        let words = schema["x-words"].as_array();
        let word = words.is_some_and(|all| all.contains(&text.into()));
        if !word && !self.is_by_aws(&targets, text) && !self.outside.iter().any(|one| one == field)
        {
            self.outside.push(field.to_owned());
        }
        text.into()
    }

    fn key(&self, target: &Target, text: &str) -> Option<String> {
        let at = (target.kind.clone(), target.field.clone(), text.to_owned());
        self.keys.get(&at).cloned()
    }

    /// Whether every account has it: AWS's own policies, keys and default groups.
    fn is_by_aws(&self, targets: &[Target], text: &str) -> bool {
        let policy = targets.iter().any(|target| target.kind == "iam_policy");
        (policy && !text.starts_with("arn:"))
            || text.starts_with(&format!("arn:{}:iam::aws:", self.partition))
            || text.starts_with("alias/aws/")
            || text.starts_with("default")
    }

    /// The text of a policy with the ARNs of the stack's resources as references.
    pub fn within(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("arn:") {
            out.push_str(&rest[..start]);
            rest = &rest[start..];
            let arn = self.arns.iter().rev().find(|(arn, _)| begins(rest, arn));
            let arn = arn.map(|(arn, key)| (arn.len(), key.clone()));
            match arn {
                Some((length, key)) if self.link(&key) => {
                    out.push_str(&Reference { key, field: "arn".to_owned() }.mark());
                    rest = &rest[length..];
                }
                _ => {
                    out.push_str("arn:");
                    rest = &rest["arn:".len()..];
                }
            }
        }
        out + rest
    }

    /// Notes an edge, unless it would close a ring.
    fn link(&mut self, to: &str) -> bool {
        if self.reaches(to, &self.from) {
            return false;
        }
        self.edges.entry(self.from.clone()).or_default().insert(to.to_owned());
        true
    }

    fn reaches(&self, from: &str, to: &str) -> bool {
        let (mut left, mut seen) = (vec![from], BTreeSet::new());
        while let Some(key) = left.pop() {
            if key == to {
                return true;
            }
            if seen.insert(key) {
                left.extend(self.edges.get(key).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }
}

/// Whether the text begins with the ARN and not with a longer name.
fn begins(text: &str, arn: &str) -> bool {
    let rest = text.strip_prefix(arn);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c)))
}
