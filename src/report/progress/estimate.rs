//! How much longer a run will take: along the longest chain of what is left, and no faster than as
//! many steps at once as are allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::execution::{poles, typical};
use crate::plan::Plan;

/// What is less than this isn't worth a word.
const WORTH: u64 = 10;

/// What is known of a plan's steps before it begins.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// How long each step typically takes.
    pub typical: Vec<Duration>,
    /// The same with the longest chain after it.
    pub poles: Vec<Duration>,
    /// How many may run at once.
    pub parallelism: usize,
}

impl Estimate {
    /// The estimate of a plan.
    pub fn new(plan: &Plan, parallelism: usize) -> Self {
        let typical = plan.steps.iter().map(typical).collect();
        Self { typical, poles: poles(plan), parallelism }
    }

    /// How much longer, when these steps have ended and those have been running so long. One that
    /// takes longer than usual counts as about to end.
    pub fn left(&self, ended: &BTreeSet<usize>, running: &BTreeMap<usize, Duration>) -> Duration {
        let (mut path, mut work) = (Duration::ZERO, Duration::ZERO);
        for (id, (typical, pole)) in self.typical.iter().zip(&self.poles).enumerate() {
            if !ended.contains(&id) {
                let passed = running.get(&id).copied().unwrap_or_default().min(*typical);
                path = path.max(pole.saturating_sub(passed));
                work += typical.saturating_sub(passed);
            }
        }
        let at_once = u32::try_from(self.parallelism.max(1)).unwrap_or(u32::MAX);
        path.max(work / at_once)
    }
}

/// A time in round words: `about 40 s left`, `about 9 min left`; nothing when it is soon over.
pub fn about(left: Duration) -> Option<String> {
    let seconds = left.as_secs();
    let minutes = (seconds + 30) / 60;
    match seconds {
        0..WORTH => None,
        WORTH..90 => Some(format!("about {} s left", (seconds + 5) / 10 * 10)),
        90..5400 => Some(format!("about {minutes} min left")),
        _ => Some(format!("about {} h {} min left", minutes / 60, minutes % 60 / 10 * 10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(all: &[u64]) -> Vec<Duration> {
        all.iter().copied().map(Duration::from_secs).collect()
    }

    #[test]
    fn what_is_left_follows_the_longest_chain() {
        // A database, its seed after it, and a bucket beside them.
        let estimate = Estimate {
            typical: seconds(&[300, 20, 1]),
            poles: seconds(&[320, 20, 1]),
            parallelism: 8,
        };
        let left = |ended: &[usize], running: &[(usize, u64)]| {
            let running = running.iter().map(|(id, time)| (*id, Duration::from_secs(*time)));
            let ended = ended.iter().copied().collect();
            estimate.left(&ended, &running.collect()).as_secs()
        };
        assert_eq!(left(&[], &[]), 320);
        assert_eq!(left(&[2], &[(0, 100)]), 220);
        assert_eq!(left(&[2], &[(0, 900)]), 20, "late, so about to end");
        assert_eq!(left(&[0, 2], &[(1, 5)]), 15);
        assert_eq!(left(&[0, 1, 2], &[]), 0);
    }

    #[test]
    fn no_more_run_at_once_than_are_allowed() {
        let estimate =
            Estimate { typical: seconds(&[10; 100]), poles: seconds(&[10; 100]), parallelism: 4 };
        assert_eq!(estimate.left(&BTreeSet::new(), &BTreeMap::new()).as_secs(), 250);
    }

    #[test]
    fn what_is_left_is_said_in_round_words() {
        for (seconds, words) in [
            (4, None),
            (38, Some("about 40 s left")),
            (89, Some("about 90 s left")),
            (530, Some("about 9 min left")),
            (6_100, Some("about 1 h 40 min left")),
        ] {
            assert_eq!(about(Duration::from_secs(seconds)).as_deref(), words);
        }
    }
}
