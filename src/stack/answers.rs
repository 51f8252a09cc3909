//! What only AWS can answer: where the stack lives, and what its account has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Stack;
use crate::kind::Site;
use crate::reference::{self, Reference};

impl Stack {
    /// What the stack asks of the account beyond where it lives: `default_vpc`, ….
    pub fn look_ups(&self) -> BTreeSet<String> {
        let values = self.resources.iter().map(|one| &one.fields);
        let values = values.chain(self.outputs.iter().map(|one| &one.value));
        let asked = values.flat_map(reference::references).filter(|one| one.key == "aws");
        asked.map(|one| one.field).filter(|field| field.starts_with("default_")).collect()
    }

    /// Fills in the answers to `look_ups`.
    pub fn answer(&mut self, answers: &BTreeMap<String, Value>) {
        let known = |reference: &Reference| match reference.key.as_str() {
            "aws" => answers.get(&reference.field).cloned(),
            _ => None,
        };
        for resource in &mut self.resources {
            resource.fields = reference::fill(&resource.fields, &known);
        }
        for output in &mut self.outputs {
            output.value = reference::fill(&output.value, &known);
        }
    }

    /// Fills `${aws.…}` into names, now that it is known where the stack lives.
    pub fn settle(&mut self, site: &Site) {
        let known = |reference: &Reference| match reference.key.as_str() {
            "aws" => site.answer(&reference.field),
            _ => None,
        };
        for resource in &mut self.resources {
            let filled = reference::fill(&Value::String(resource.name.clone()), &known);
            if let Value::String(name) = filled {
                resource.name = resource.kind.canonical_name(&name);
            }
        }
    }
}
