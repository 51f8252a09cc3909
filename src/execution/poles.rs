//! Which step to begin with when not all may run at once: the one with the longest way after it.

use std::time::Duration;

use crate::plan::{Action, Plan, Step};

/// How long a step typically takes.
pub fn typical(step: &Step) -> Duration {
    let takes = step.kind.facts().takes;
    match step.action {
        Action::Create | Action::Seed => takes.create,
        Action::Update | Action::Adopt => takes.create / 2,
        Action::Delete => takes.delete,
        Action::Retain | Action::Unread => Duration::ZERO,
    }
}

/// For each step, how long it and the longest chain of those that wait for it typically take.
pub fn poles(plan: &Plan) -> Vec<Duration> {
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); plan.steps.len()];
    for step in &plan.steps {
        for need in &step.needs {
            dependents[*need].push(step.id);
        }
    }
    let mut poles = vec![Duration::ZERO; plan.steps.len()];
    let mut seen = vec![false; plan.steps.len()];
    // Each comes up twice: to look at its dependents first, and then for itself.
    let mut open: Vec<(usize, bool)> = (0..plan.steps.len()).map(|id| (id, false)).collect();
    while let Some((id, dependents_done)) = open.pop() {
        if dependents_done {
            let after = dependents[id].iter().map(|one| poles[*one]).max();
            poles[id] = typical(&plan.steps[id]) + after.unwrap_or_default();
        } else if !std::mem::replace(&mut seen[id], true) {
            open.push((id, true));
            open.extend(dependents[id].iter().map(|one| (*one, false)));
        }
    }
    poles
}
