//! Turns YAML text into a positioned tree and into the stack file's own outline.
//!
//! This is the only room that knows YAML, and it knows no kinds. Every key and scalar keeps
//! its source text and place: `8.0`, `1.30`, `no` and `0123` stay as written, and whoever
//! knows the field's type reads them.
//!
//! JSON is YAML, so policy files are read with [`parse`] too.

mod expand;
mod file;
mod outline;
mod refusal;
mod syntax;
mod writing;

use std::rc::Rc;

use crate::diagnostic::{Place, Problem, Source};

pub use file::{FILE_LIMIT, read};
pub use outline::{Document, ResourceEntry, VariableDeclaration, document, is_stack_name, outline};
pub use writing::{Draft, Line, write};

/// Nodes a file may have once its aliases are written out.
pub const NODE_LIMIT: usize = 100_000;
/// Levels a file may nest.
pub const DEPTH_LIMIT: usize = 64;

/// A value with the place where it is written.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it holds.
    pub value: Yaml,
    /// Where it is written; for an alias, where its anchor's value is. Empty if nothing is
    /// written, so that a problem is better shown at the key.
    pub place: Place,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Yaml {
    /// Nothing, `~` or `null`; the node's place tells which.
    Null,
    /// Any other single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order written; no key comes twice.
    Mapping(Vec<(Key, Node)>),
}

/// A single value, not yet read as any type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text as written if `plain`, else what the quotes or the block hold.
    pub text: String,
    /// Whether it was written without quotes, so that a number or a boolean may be meant.
    pub plain: bool,
}

/// A name the user wrote, with its place.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name.
    pub text: String,
    /// Where it is written.
    pub place: Place,
}

impl Named {
    /// The name that a single value holds.
    pub fn of(node: &Node) -> Option<Self> {
        let text = node.text()?.to_owned();
        let place = node.place.clone();
        Some(Self { text, place })
    }
}

/// The key of a mapping's entry.
pub type Key = Named;

/// Reads any YAML or JSON text, or says everything that is wrong with it.
pub fn parse(source: Rc<Source>) -> Result<Node, Vec<Problem>> {
    let mut problems = Vec::new();
    match tree(&source, &mut problems) {
        Some(node) if problems.is_empty() => Ok(node),
        _ => Err(problems),
    }
}

/// Reads a text as far as it can be read. Where a problem can be stepped over (a repeated
/// key, an unknown alias), the tree comes without the bad part, so that later rooms can
/// report their problems in the same breath.
fn tree(source: &Rc<Source>, problems: &mut Vec<Problem>) -> Option<Node> {
    let flat = syntax::flatten(source, problems)?;
    expand::expand(source, &flat, problems)
}

impl Node {
    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Yaml::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The scalar's text, if it is one.
    pub fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.text.as_str())
    }

    /// The list's items, if it is one.
    pub fn sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Yaml::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping's entries, if it is one.
    pub fn mapping(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Yaml::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let entries = self.mapping()?;
        entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }

    /// Whether it holds nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Yaml::Null)
    }

    /// What it is, in words for a message.
    pub fn shape(&self) -> &'static str {
        match self.value {
            Yaml::Null => "nothing",
            Yaml::Scalar(_) => "a single value",
            Yaml::Sequence(_) => "a list",
            Yaml::Mapping(_) => "a mapping",
        }
    }
}

#[cfg(test)]
mod tests;
