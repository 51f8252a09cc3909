//! Resources that need each other in a ring.

use super::Stack;
use crate::diagnostic::Problem;
use crate::graph::{Cycle, Graph};

/// Orders the resources. Each ring is told and then cut, so that all of them are found.
pub(super) fn graph(
    mut edges: Vec<(String, Vec<String>)>,
    mut tell: impl FnMut(&[String]),
) -> Graph {
    loop {
        let ring = match Graph::new(&edges) {
            Ok(graph) => return graph,
            Err(Cycle(ring)) => ring,
        };
        tell(&ring);
        for (key, needs) in &mut edges {
            if Some(&*key) == ring.first() {
                needs.retain(|need| Some(need) != ring.get(1));
            }
        }
    }
}

/// Says who needs whom, and where each of them stands.
pub(super) fn problem(stack: &Stack, ring: &[String]) -> Problem {
    let mut problem =
        Problem::error(format!("resources need each other in a ring: {}", ring.join(" → ")));
    for (key, next) in ring.iter().zip(ring.iter().skip(1)) {
        let Some(resource) = stack.resource(key) else { continue };
        let words = format!("needs {next}");
        problem = match problem.place {
            None => problem.at(&resource.place).label(words),
            Some(_) => problem.note(&resource.place, words),
        };
    }
    problem.help("break the ring: refer to a name that is known beforehand, or split one of them")
}
