//! The order that references give: who must stand before whom. Knows neither kinds nor values.

use std::collections::{BTreeMap, BTreeSet};

/// Resources in dependency order, each with those it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    order: Vec<String>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

/// Resources that need each other in a ring; the first is repeated at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Cycle(pub Vec<String>);

impl Graph {
    /// Orders the keys, in the given order where nothing else is asked for.
    /// Needs that are no keys are left out: whoever makes the edges has refused them already.
    pub fn new(edges: &[(String, Vec<String>)]) -> Result<Self, Cycle> {
        let keys: BTreeSet<&String> = edges.iter().map(|(key, _)| key).collect();
        let needs = edges.iter().map(|(key, needs)| {
            (key.clone(), needs.iter().filter(|need| keys.contains(need)).cloned().collect())
        });
        let mut graph = Self { order: Vec::new(), needs: needs.collect() };
        let mut done = BTreeSet::new();
        for (key, _) in edges {
            graph.visit(key, &mut Vec::new(), &mut done)?;
        }
        Ok(graph)
    }

    fn visit(
        &mut self,
        key: &str,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Result<(), Cycle> {
        if done.contains(key) {
            return Ok(());
        }
        if let Some(start) = path.iter().position(|one| one == key) {
            let mut ring = path[start..].to_vec();
            ring.push(key.to_owned());
            return Err(Cycle(ring));
        }
        path.push(key.to_owned());
        for need in self.needs(key).clone() {
            self.visit(&need, path, done)?;
        }
        path.pop();
        done.insert(key.to_owned());
        self.order.push(key.to_owned());
        Ok(())
    }

    /// All keys, each after those it needs.
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// What the key needs directly.
    pub fn needs(&self, key: &str) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        self.needs.get(key).unwrap_or(&NONE)
    }

    /// The keys and everything they need, however far.
    pub fn with_needs(&self, keys: &BTreeSet<String>) -> BTreeSet<String> {
        let mut all = keys.clone();
        for key in self.order.iter().rev() {
            if all.contains(key) {
                all.extend(self.needs(key).iter().cloned());
            }
        }
        all
    }

    /// The keys and everything that needs them, however far.
    pub fn with_dependents(&self, keys: &BTreeSet<String>) -> BTreeSet<String> {
        let mut all = keys.clone();
        for key in &self.order {
            if self.needs(key).iter().any(|need| all.contains(need)) {
                all.insert(key.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Result<Graph, Cycle> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Graph::new(
            &edges.iter().map(|(key, needs)| (key.to_string(), owned(needs))).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn everything_comes_after_what_it_needs() {
        let graph =
            graph(&[("task", &["db", "role"]), ("db", &["group"]), ("role", &[]), ("group", &[])]);
        assert_eq!(graph.unwrap().order(), ["group", "db", "role", "task"]);
    }

    #[test]
    fn a_cycle_is_named_whole() {
        let graph = graph(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        assert_eq!(graph.unwrap_err().0, ["a", "b", "c", "a"]);
    }

    #[test]
    fn a_target_brings_what_it_needs() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &[]), ("d", &["c"])]).unwrap();
        let set = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(graph.with_needs(&set(&["b"])), set(&["b", "c"]));
        assert_eq!(graph.with_dependents(&set(&["c"])), set(&["a", "b", "c", "d"]));
    }
}
