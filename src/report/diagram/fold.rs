//! What is alike becomes one thing, and lines that tell little are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::words::SMALL;
use super::{Diagram, Edge, Nature, Node, Status};

/// This many things that are alike are drawn as one.
const MANY: usize = 4;
/// This many things of a kind that have nothing to do with anything are drawn as one, whatever
/// they are called.
const CROWD: usize = 12;

/// What two things must have in common to be drawn as one.
type Likeness = (String, usize, Option<Status>, String, BTreeSet<(usize, Nature, bool)>);

/// The picture for readers.
pub fn folded(mut diagram: Diagram) -> Diagram {
    diagram.edges.retain(|edge| edge.nature != Nature::Setting);
    let telling = |edge: &&Edge| edge.nature < Nature::Placement;
    let named = alike(&diagram, telling, |node| family(node.keys.first()));
    let diagram = merged(diagram, &named, |node| match SMALL.contains(&node.kind.as_str()) {
        true => 2,
        false => MANY,
    });
    let crowds = alike(&diagram, |_| true, |_| String::new());
    merged(diagram, &crowds, |_| CROWD)
}

/// Only one thing for each kind and each thing that is done with it in a box: for forms that have
/// a limit.
pub fn by_kind(mut diagram: Diagram) -> Diagram {
    diagram.edges.retain(|edge| edge.nature < Nature::Placement);
    let kinds = alike(&diagram, |_| false, |_| String::new());
    merged(diagram, &kinds, |_| 2)
}

fn alike(
    diagram: &Diagram,
    counts: impl Fn(&&Edge) -> bool,
    name: impl Fn(&Node) -> String,
) -> Vec<Likeness> {
    let mut around = vec![BTreeSet::new(); diagram.nodes.len()];
    for edge in diagram.edges.iter().filter(counts) {
        around[edge.from].insert((edge.to, edge.nature, true));
        around[edge.to].insert((edge.from, edge.nature, false));
    }
    let likeness = |(node, around): (&Node, _)| {
        (node.kind.clone(), node.area, node.status, name(node), around)
    };
    diagram.nodes.iter().zip(around).map(likeness).collect()
}

/// The diagram with things of equal likeness in one piece, where there are enough of them.
fn merged(diagram: Diagram, alike: &[Likeness], enough: impl Fn(&Node) -> usize) -> Diagram {
    let mut together: BTreeMap<&Likeness, Vec<usize>> = BTreeMap::new();
    for (index, likeness) in alike.iter().enumerate() {
        together.entry(likeness).or_default().push(index);
    }
    let mut new = vec![usize::MAX; diagram.nodes.len()];
    let mut nodes: Vec<Node> = Vec::new();
    for index in 0..diagram.nodes.len() {
        if new[index] != usize::MAX {
            continue;
        }
        let node = &diagram.nodes[index];
        let same = &together[&alike[index]];
        let count: usize = same.iter().map(|one| diagram.nodes[*one].keys.len()).sum();
        let same = if count >= enough(node) && same.len() > 1 { same.as_slice() } else { &[index] };
        let mut whole = Node { keys: Vec::new(), ..node.clone() };
        for one in same {
            new[*one] = nodes.len();
            whole.keys.extend(diagram.nodes[*one].keys.iter().cloned());
            if diagram.nodes[*one].detail != whole.detail {
                whole.detail.clear();
            }
        }
        nodes.push(whole);
    }
    let moved = diagram.edges.iter().map(|edge| Edge {
        from: new[edge.from],
        to: new[edge.to],
        ..edge.clone()
    });
    let mut edges: Vec<Edge> = moved.filter(|edge| edge.from != edge.to).collect();
    edges.sort();
    edges.dedup_by(|one, other| {
        (one.from, one.to, one.nature) == (other.from, other.to, other.nature)
    });
    Diagram { nodes, edges, ..diagram }
}

/// What a key begins with, before its last part: `lake-private-a` and `lake-private-b` are one
/// family.
fn family(key: Option<&String>) -> String {
    let key = key.map_or("", String::as_str);
    let end = key.rfind(['-', '_', '.', '/']);
    end.map_or_else(String::new, |end| key[..end].to_owned())
}

/// What several keys have in common, with a star for what differs.
pub fn common(keys: &[String]) -> String {
    let Some(first) = keys.first() else { return String::new() };
    let letters: Vec<char> = first.chars().collect();
    let shared = |other: &String, backwards: bool| {
        let mut other: Vec<char> = other.chars().collect();
        let mut own = letters.clone();
        if backwards {
            own.reverse();
            other.reverse();
        }
        own.iter().zip(&other).take_while(|(one, other)| one == other).count()
    };
    let start = keys.iter().map(|key| shared(key, false)).min().unwrap_or_default();
    let end = keys.iter().map(|key| shared(key, true)).min().unwrap_or_default();
    let shortest = keys.iter().map(|key| key.chars().count()).min().unwrap_or_default();
    let end = end.min(shortest - start.min(shortest));
    if start == 0 && end == 0 {
        return format!("{first} …");
    }
    let head: String = letters[..start].iter().collect();
    let tail: String = letters[letters.len() - end..].iter().collect();
    format!("{head}*{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_show_what_they_have_in_common() {
        assert_eq!(common(&keys(&["lake-a", "lake-b", "lake-c"])), "lake-*");
        assert_eq!(common(&keys(&["raw-coins", "curated-coins"])), "*-coins");
        assert_eq!(common(&keys(&["a-1-x", "a-22-x"])), "a-*-x");
        assert_eq!(common(&keys(&["alpha", "omegb"])), "alpha …");
        assert_eq!(common(&keys(&["aa", "a"])), "a*");
    }
}
