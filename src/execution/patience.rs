//! When to look again: early at first, because most things are there at once, and then to the
//! rhythm of what takes minutes.

use std::time::Duration;

use tokio::time::Instant;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// What typically takes longer is worth looking at more closely: others wait for it.
const LONG: Duration = Duration::from_secs(10);
/// Looks are this part of the time already waited apart, so that hardly any of it is wasted,
/// whether it takes as long as it typically does, or is a short stage of something long.
const PART: u32 = 25;
/// The same for what should have been there long ago.
const PART_OF_A_MOMENT: u32 = 8;
/// How long even what typically takes minutes is looked at eagerly.
const EAGER: Duration = Duration::from_secs(15);
/// The least time between looks after that. It doesn't grow at first, and is a beat of its own, so
/// that all who wait for things of a kind fall into step.
const RHYTHM: Duration = Duration::from_secs(5);
/// The finest beat that all who wait share.
const BEAT: Duration = Duration::from_millis(50);

/// Somebody who waits for a resource.
pub(super) struct Patience {
    origin: Instant,
    start: Instant,
    typical: Duration,
}

impl Patience {
    /// Waits from now on for what typically takes so long. `origin` is the same for all who wait.
    pub(super) fn new(origin: Instant, typical: Duration) -> Self {
        Self { origin, start: Instant::now(), typical }
    }

    /// Waits a while; false once the limit has passed.
    pub(super) async fn pause(&self, limit: Duration) -> bool {
        let waited = self.start.elapsed();
        if waited > limit {
            return false;
        }
        let pause = pause(waited, self.typical);
        tokio::time::sleep_until(self.origin + on_beat(self.origin.elapsed(), pause)).await;
        true
    }
}

fn pause(waited: Duration, typical: Duration) -> Duration {
    if typical < LONG {
        return (waited / PART_OF_A_MOMENT).clamp(SHORTEST, LONGEST * 2 / 3);
    }
    let shortest = if waited > EAGER { RHYTHM } else { SHORTEST };
    (waited / PART).clamp(shortest, LONGEST)
}

/// The end of a pause, moved to a beat that all with a pause like it share, so that one read serves
/// them all: never later, and by a quarter of the pause at most earlier, once they are in step.
fn on_beat(now: Duration, pause: Duration) -> Duration {
    let mut beat = BEAT;
    while beat * 8 <= pause {
        beat *= 2;
    }
    if pause == RHYTHM {
        beat = RHYTHM;
    }
    let beat = beat.as_millis().max(1);
    let end = (now + pause).as_millis();
    Duration::from_millis(u64::try_from(end - end % beat).unwrap_or(u64::MAX)).max(now + BEAT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// When somebody looks who began to wait at `start`, until it is there after `takes`.
    fn looks(start: Duration, takes: Duration, typical: Duration) -> Vec<Duration> {
        let mut looks = vec![start];
        while looks.last().is_some_and(|last| *last < start + takes) {
            let now = looks[looks.len() - 1];
            looks.push(on_beat(now, pause(now - start, typical)));
        }
        looks
    }

    #[test]
    fn little_is_wasted_and_few_calls_are_made() {
        for (takes, typical, most) in [
            (seconds(0.2), seconds(1.0), 4),
            (seconds(3.6), seconds(360.0), 60),
            (seconds(360.0), seconds(360.0), 180),
            (seconds(600.0), seconds(600.0), 160),
        ] {
            let looks = looks(Duration::ZERO, takes, typical);
            let late = *looks.last().unwrap() - takes;
            assert!(late <= (takes / PART).max(SHORTEST), "{late:?} late after {takes:?}");
            assert!(looks.len() <= most, "{} looks in {takes:?}", looks.len());
        }
    }

    /// A task is made, then started; each is one wait. What is noticed late adds up.
    #[test]
    fn stages_are_noticed_in_time_however_long_they_are() {
        for scale in [1.0, 3.0, 10.0, 100.0] {
            let (mut path, mut late) = (Duration::ZERO, Duration::ZERO);
            for stage in [480.0, 60.0, 60.0] {
                // Durations vary, and with them how far the next look is.
                for percent in 80..120 {
                    let takes = seconds(stage / scale * f64::from(percent) / 100.0);
                    let looks = looks(Duration::ZERO, takes, seconds(270.0));
                    path += takes;
                    late += *looks.last().unwrap() - takes;
                }
            }
            let part = late.as_secs_f64() / path.as_secs_f64();
            assert!(part < 0.05, "1:{scale}: {part:.3} of the time is noticed late");
        }
    }

    #[test]
    fn services_are_asked_in_their_rhythm() {
        let looks = looks(Duration::ZERO, seconds(600.0), seconds(600.0));
        let late: Vec<_> = looks.iter().filter(|at| **at > seconds(25.0)).collect();
        assert!(late.windows(2).all(|pair| *pair[1] - *pair[0] >= RHYTHM * 3 / 4));
    }

    #[test]
    fn who_waits_at_the_same_time_looks_at_the_same_time() {
        let takes = seconds(100.0);
        let one = looks(seconds(0.0), takes, seconds(360.0));
        let other = looks(seconds(0.73), takes, seconds(360.0));
        let late = |looks: &[Duration]| -> Vec<Duration> {
            looks.iter().copied().filter(|at| (20.0..100.0).contains(&at.as_secs_f64())).collect()
        };
        assert_eq!(late(&one), late(&other));
    }
}
