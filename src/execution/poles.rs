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
    let mut poles: Vec<Option<Duration>> = vec![None; plan.steps.len()];
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); plan.steps.len()];
    for step in &plan.steps {
        for need in &step.needs {
            dependents[*need].push(step.id);
        }
    }
    // Whoever has been looked at with all its dependents is done; the others come back after them.
    let mut open: Vec<usize> = (0..plan.steps.len()).collect();
    while let Some(id) = open.pop() {
        if poles[id].is_some() {
            continue;
        }
        let unknown: Vec<usize> =
            dependents[id].iter().copied().filter(|one| poles[*one].is_none()).collect();
        if unknown.is_empty() {
            let after = dependents[id].iter().filter_map(|one| poles[*one]).max();
            poles[id] = Some(typical(&plan.steps[id]) + after.unwrap_or_default());
        } else {
            open.push(id);
            open.extend(unknown);
        }
    }
    poles.into_iter().map(Option::unwrap_or_default).collect()
}
