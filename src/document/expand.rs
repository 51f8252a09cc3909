//! Writes out aliases and merge keys, within a budget.
//!
//! A few lines of aliases of aliases can stand for billions of nodes, so nodes, bytes and
//! depth are counted as they come, not as they are written.

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use super::refusal;
use super::syntax::{Flat, FlatKey, FlatValue};
use super::{DEPTH_LIMIT, FILE_LIMIT, Key, NODE_LIMIT, Node, Scalar, Yaml};
use crate::diagnostic::{Place, Problem, Source};

/// The tree that `flat` stands for, or nothing when it is beyond the budget.
pub(super) fn expand(
    source: &Rc<Source>,
    flat: &Flat<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let mut expander = Expander { source, flat, nodes: 0, bytes: 0, alias: None, problems };
    match expander.node(flat.root, 0) {
        Ok(node) => Some(node),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

struct Expander<'a> {
    source: &'a Rc<Source>,
    flat: &'a Flat<'a>,
    nodes: usize,
    bytes: usize,
    /// The outermost alias being written out: where the user can do something about it.
    alias: Option<Range<usize>>,
    problems: &'a mut Vec<Problem>,
}

type Expanded<T> = Result<T, Problem>;

impl Expander<'_> {
    fn node(&mut self, index: usize, depth: usize) -> Expanded<Node> {
        let flat = self.flat;
        let node = flat.node(index);
        if let FlatValue::Alias(target) = node.value {
            return self.within_alias(&node.range, |this| this.node(target, depth));
        }
        self.spend(depth, &node.range, 0)?;
        let value = match &node.value {
            FlatValue::Scalar { text, plain } => {
                self.spend(depth, &node.range, text.len())?;
                Yaml::Scalar(Scalar { text: text.to_string(), plain: *plain })
            }
            FlatValue::Sequence(items) => {
                let items = items.iter().map(|item| self.node(*item, depth + 1));
                Yaml::Sequence(items.collect::<Expanded<_>>()?)
            }
            FlatValue::Mapping(entries) => Yaml::Mapping(self.entries(entries, depth)?),
            FlatValue::Null | FlatValue::Alias(_) => Yaml::Null,
        };
        Ok(Node { value, place: self.place(&node.range) })
    }

    fn entries(
        &mut self,
        entries: &[(FlatKey<'_>, usize)],
        depth: usize,
    ) -> Expanded<Vec<(Key, Node)>> {
        let mut expanded = Vec::with_capacity(entries.len());
        let merges = entries.iter().any(|(key, _)| is_merge(key));
        let own = entries.iter().filter(|(key, _)| merges && !is_merge(key));
        let mut taken: HashSet<String> = own.map(|(key, _)| key.text.to_string()).collect();
        for (key, value) in entries {
            if is_merge(key) {
                let merged = self.merged(*value, depth + 1)?;
                expanded
                    .extend(merged.into_iter().filter(|(key, _)| taken.insert(key.text.clone())));
                continue;
            }
            self.spend(depth, &key.range, key.text.len())?;
            let place = self.place(&key.range);
            let key = Key { text: key.text.to_string(), place };
            expanded.push((key, self.node(*value, depth + 1)?));
        }
        Ok(expanded)
    }

    /// The entries that a `<<` brings in; earlier mappings of a list win.
    fn merged(&mut self, index: usize, depth: usize) -> Expanded<Vec<(Key, Node)>> {
        let flat = self.flat;
        let node = flat.node(index);
        // Counted even when empty: empty mappings that merge each other multiply too.
        self.spend(depth, &node.range, 0)?;
        match &node.value {
            FlatValue::Alias(target) => {
                self.within_alias(&node.range, |this| this.merged(*target, depth))
            }
            FlatValue::Mapping(entries) => self.entries(entries, depth),
            FlatValue::Sequence(items) => {
                let mut all = Vec::new();
                for item in items {
                    all.append(&mut self.merged(*item, depth + 1)?);
                }
                Ok(all)
            }
            FlatValue::Null | FlatValue::Scalar { .. } => {
                self.problems.push(refusal::bad_merge(&self.place(&node.range)));
                Ok(Vec::new())
            }
        }
    }

    fn within_alias<T>(
        &mut self,
        range: &Range<usize>,
        expand: impl FnOnce(&mut Self) -> Expanded<T>,
    ) -> Expanded<T> {
        let outermost = self.alias.is_none();
        if outermost {
            self.alias = Some(range.clone());
        }
        let expanded = expand(self);
        if outermost {
            self.alias = None;
        }
        expanded
    }

    /// Counts one node, or the text of one.
    fn spend(&mut self, depth: usize, range: &Range<usize>, bytes: usize) -> Expanded<()> {
        self.nodes += usize::from(bytes == 0);
        self.bytes += bytes;
        let limit = usize::try_from(FILE_LIMIT).unwrap_or(usize::MAX);
        let refusal = match () {
            () if depth > DEPTH_LIMIT => refusal::too_deep,
            () if self.nodes > NODE_LIMIT || self.bytes > limit => match self.alias {
                Some(_) => refusal::too_much_by_alias,
                None => refusal::too_many_nodes,
            },
            () => return Ok(()),
        };
        let range = self.alias.as_ref().unwrap_or(range);
        Err(refusal(&self.place(range)))
    }

    fn place(&self, range: &Range<usize>) -> Place {
        Place::new(self.source, range.clone())
    }
}

fn is_merge(key: &FlatKey<'_>) -> bool {
    key.plain && key.text == "<<"
}
