//! Calling again, by class of error, on top of the SDK's own retries.

use std::future::Future;
use std::time::Duration;

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
    let start = tokio::time::Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let patience = patience(error.class).map(|patience| patience.min(limit));
        if patience.is_none_or(|patience| start.elapsed() + pause > patience) {
            return Err(error);
        }
        waiting(&error);
        tokio::select! {
            biased;
            () = stopped() => return Err(error),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
