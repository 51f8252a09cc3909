//! Calling again, by class of error, on top of the SDK's own retries.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::{Class, Error};

/// When lagoa gives up a service that answers nothing but "too many calls", errors or nothing at
/// all: half of it for calling again, half for one last call with the SDK's own attempts.
pub const OUTAGE: Duration = Duration::from_secs(120);

/// How long an error of this class is worth waiting for; `None` when it isn't.
pub fn patience(class: Class) -> Option<Duration> {
    match class {
        Class::Throttled | Class::Transient => Some(OUTAGE / 2),
        Class::Propagating => Some(Duration::from_secs(120)),
        Class::Busy => Some(Duration::from_secs(15 * 60)),
        Class::Dependency => Some(Duration::from_secs(180)),
        Class::Already | Class::Gone | Class::Terminal => None,
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Calls until it succeeds, until an error isn't worth another call, or until `limit` has passed
/// (the class's own patience counts when it is shorter). `waiting` is told each reason; as soon as
/// `stopped` ends, no further call is worth it.
pub async fn persist<T, F>(
    limit: Duration,
    mut call: impl FnMut() -> F,
    waiting: &dyn Fn(&Error),
    stopped: impl AsyncFn(),
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut trouble: Option<Trouble> = None;
    loop {
        let began = Instant::now();
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(patience) = patience(error.class) else { return Err(error) };
        let next = Trouble::after(trouble.take(), began, patience);
        let trouble = trouble.insert(next);
        if trouble.is_over(limit) {
            return Err(error);
        }
        waiting(&error);
        tokio::select! {
            biased;
            () = stopped() => return Err(error),
            () = tokio::time::sleep(trouble.pause) => {}
        }
        trouble.pause = (trouble.pause * 2).min(LONGEST_PAUSE);
    }
}

/// What keeps a call from succeeding.
struct Trouble {
    /// Since when there is any.
    since: Instant,
    /// Since when it is of this sort.
    of_this_sort: Instant,
    /// What this sort is worth.
    patience: Duration,
    /// How long to wait before the next call.
    pause: Duration,
}

impl Trouble {
    /// The trouble after one more call that began then and failed. Another sort of trouble has a
    /// patience of its own, and what took longer than an outage did its work before it failed.
    fn after(before: Option<Self>, began: Instant, patience: Duration) -> Self {
        if began.elapsed() > OUTAGE {
            let now = Instant::now();
            return Self { since: now, of_this_sort: now, patience, pause: FIRST_PAUSE };
        }
        match before {
            Some(before) if before.patience == patience => before,
            Some(before) => Self { of_this_sort: began, patience, ..before },
            None => Self { since: began, of_this_sort: began, patience, pause: FIRST_PAUSE },
        }
    }

    fn is_over(&self, limit: Duration) -> bool {
        self.of_this_sort.elapsed() + self.pause > self.patience
            || self.since.elapsed() + self.pause > limit
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// How it ends and how many calls it takes, when each call takes so long and fails with that
    /// class, and those after them succeed.
    async fn tried(calls: &[(Duration, Class)]) -> (bool, usize) {
        let number = Cell::new(0);
        let call = || async {
            let now = calls.get(number.replace(number.get() + 1)).copied();
            let Some((takes, class)) = now else { return Ok(()) };
            tokio::time::sleep(takes).await;
            Err(Error::new(class, "no"))
        };
        let never = async || std::future::pending().await;
        let ended = persist(90 * MINUTE, call, &|_| (), never).await;
        (ended.is_ok(), number.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_worked_for_long_is_called_again() {
        let hour = 60 * MINUTE;
        assert_eq!(tried(&[(2 * hour, Class::Throttled)]).await, (true, 2));
        assert_eq!(tried(&[(2 * hour, Class::Throttled); 3]).await, (true, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_of_another_sort_has_a_patience_of_its_own() {
        let moment = Duration::from_millis(10);
        let mut calls = vec![(moment, Class::Busy); 20];
        calls.push((moment, Class::Transient));
        assert_eq!(tried(&calls).await, (true, 22));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_given_up_in_time_however_it_shows() {
        for takes in [Duration::ZERO, Duration::from_secs(25), MINUTE] {
            let start = Instant::now();
            let calls: Vec<_> = [Class::Throttled, Class::Transient].repeat(500);
            let calls: Vec<_> = calls.into_iter().map(|class| (takes, class)).collect();
            assert!(!tried(&calls).await.0);
            assert!(start.elapsed() <= OUTAGE, "{:?}", start.elapsed());
        }
    }
}
