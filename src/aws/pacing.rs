//! How fast AWS may be asked. A token bucket for each service and operation keeps a thousand
//! resources from tripping AWS's limits, and slows down further when AWS says that it was too fast.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// What AWS allows of one operation, or of several together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The service, as requests are signed for it.
    pub service: &'static str,
    /// What the operation's name begins with; empty for every operation.
    pub operations: &'static str,
    /// All operations of the service draw from one bucket; otherwise each has its own.
    pub shared: bool,
    /// Calls that may be made at once.
    pub burst: f64,
    /// Calls a second after that.
    pub per_second: f64,
}

const fn each(service: &'static str, operations: &'static str, burst: f64, rate: f64) -> Rate {
    Rate { service, operations, shared: false, burst, per_second: rate }
}

/// What AWS documents, or what its users have measured where it doesn't. The first row that fits
/// counts. Where only a rate is known, its burst is what fits into two seconds.
const DOCUMENTED: &[Rate] = &[
    each("ec2", "Describe", 100.0, 20.0),
    each("ec2", "CreateVpcEndpoint", 4.0, 0.3),
    each("ec2", "CreateNatGateway", 10.0, 1.0),
    each("ec2", "", 50.0, 5.0),
    Rate { service: "dms", operations: "", shared: true, burst: 200.0, per_second: 8.0 },
    each("elasticmapreduce", "AddInstanceFleet", 5.0, 0.5),
    each("iam", "Create", 10.0, 5.0),
    each("iam", "Delete", 10.0, 5.0),
    each("iam", "", 30.0, 15.0),
    each("sts", "", 200.0, 100.0),
    each("ssm", "PutParameter", 6.0, 3.0),
    each("ssm", "Get", 80.0, 40.0),
    // What reads and writes objects is limited per prefix, three orders above what lagoa sends.
    each("s3", "Object", 7000.0, 3500.0),
    each("s3", "", 200.0, 100.0),
    // Nothing is published: a rate that no service is known to refuse.
    each("", "", 80.0, 40.0),
];

/// Of what AWS allows; others work in the account too.
const SHARE: f64 = 0.5;

/// Throttling leaves at least this part of a rate, and a rate comes back by this much a second.
const SLOWEST: f64 = 0.25;
const RECOVERY: f64 = 0.1;
/// One cut for all the calls that were on their way when AWS had enough.
const CUT_PAUSE: Duration = Duration::from_secs(1);

/// What lagoa allows itself of an operation.
pub fn rate(service: &str, operation: &str) -> Rate {
    let fits = |rate: &&Rate| {
        (rate.service.is_empty() || rate.service == service)
            && operation.starts_with(rate.operations)
    };
    let rate = DOCUMENTED.iter().find(fits).copied();
    let rate = rate.unwrap_or(each("", "", 1.0, 1.0));
    Rate { burst: (rate.burst * SHARE).max(1.0), per_second: rate.per_second * SHARE, ..rate }
}

/// The buckets of one run.
#[derive(Debug, Default)]
pub struct Pacer {
    buckets: BTreeMap<(String, String), Bucket>,
}

impl Pacer {
    /// Takes a place in the queue of the operation: how long to wait before the call.
    pub fn reserve(&mut self, service: &str, operation: &str, now: Instant) -> Duration {
        self.bucket(service, operation, now).reserve(now)
    }

    /// AWS said that it was too fast.
    pub fn throttled(&mut self, service: &str, operation: &str, now: Instant) {
        self.bucket(service, operation, now).cut(now);
    }

    fn bucket(&mut self, service: &str, operation: &str, now: Instant) -> &mut Bucket {
        let rate = rate(service, operation);
        let operation = if rate.shared { "" } else { operation };
        let name = (service.to_owned(), operation.to_owned());
        self.buckets.entry(name).or_insert_with(|| Bucket::full(rate, now))
    }
}

#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// Below zero when calls have been promised a place later on.
    tokens: f64,
    /// The part of the rate that is used, 1 unless AWS throttled.
    pace: f64,
    seen: Instant,
    cut: Option<Instant>,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst, pace: 1.0, seen: now, cut: None }
    }

    fn refill(&mut self, now: Instant) {
        let seconds = now.duration_since(self.seen).as_secs_f64();
        self.seen = now;
        self.tokens = (self.tokens + seconds * self.speed()).min(self.rate.burst);
        self.pace = (self.pace + seconds * RECOVERY).min(1.0);
    }

    fn speed(&self) -> f64 {
        self.rate.per_second * self.pace
    }

    fn reserve(&mut self, now: Instant) -> Duration {
        self.refill(now);
        self.tokens -= 1.0;
        Duration::from_secs_f64((-self.tokens).max(0.0) / self.speed())
    }

    fn cut(&mut self, now: Instant) {
        self.refill(now);
        if self.cut.is_some_and(|cut| now.duration_since(cut) < CUT_PAUSE) {
            return;
        }
        self.cut = Some(now);
        self.pace = (self.pace / 2.0).max(SLOWEST);
        self.tokens = self.tokens.min(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `calls` that are asked for at once may go, in seconds.
    fn departures(pacer: &mut Pacer, operation: &str, calls: usize, now: Instant) -> Vec<f64> {
        (0..calls).map(|_| pacer.reserve("iam", operation, now).as_secs_f64()).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let now = Instant::now();
        let went = departures(&mut Pacer::default(), "CreateRole", 10, now);
        assert_eq!(went[..5], [0.0; 5]);
        assert_eq!(went[5..], [0.4, 0.8, 1.2, 1.6, 2.0]);
    }

    #[test]
    fn no_window_holds_more_than_its_burst_and_rate() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        let Rate { burst, per_second, .. } = rate("iam", "CreateRole");
        let mut went = Vec::new();
        for asked in [0.0, 0.1, 3.0, 3.0, 9.5] {
            let now = start + Duration::from_secs_f64(asked);
            went.extend(departures(&mut pacer, "CreateRole", 12, now).iter().map(|w| w + asked));
        }
        for from in &went {
            for width in [0.5, 1.0, 4.0] {
                let inside = went.iter().filter(|at| (*from..from + width).contains(at)).count();
                assert!(inside as f64 <= burst + per_second * width + 1.0, "{inside} in {width} s");
            }
        }
    }

    #[test]
    fn operations_have_buckets_of_their_own_unless_they_share() {
        let now = Instant::now();
        let mut pacer = Pacer::default();
        departures(&mut pacer, "CreateRole", 5, now);
        assert_eq!(pacer.reserve("iam", "CreateUser", now), Duration::ZERO);
        assert!(pacer.reserve("iam", "CreateRole", now) > Duration::ZERO);
        for n in 0..100 {
            let operation = if n % 2 == 0 { "CreateEndpoint" } else { "DescribeEndpoints" };
            assert_eq!(pacer.reserve("dms", operation, now), Duration::ZERO);
        }
        assert!(pacer.reserve("dms", "DescribeConnections", now) > Duration::ZERO);
    }

    #[test]
    fn throttling_slows_down_once_and_passes() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut pacer = Pacer::default();
        pacer.reserve("iam", "CreateRole", start);
        for _ in 0..10 {
            pacer.throttled("iam", "CreateRole", at(0.0));
        }
        assert_eq!(pacer.reserve("iam", "CreateRole", at(0.0)).as_secs_f64(), 0.8);
        for cut in [2.0, 4.0, 6.0, 8.0] {
            pacer.throttled("iam", "CreateRole", at(cut));
        }
        let slowest = pacer.reserve("iam", "CreateRole", at(8.0)).as_secs_f64();
        assert!(slowest <= 1.0 / (2.5 * SLOWEST), "{slowest}");
        assert_eq!(departures(&mut pacer, "CreateRole", 6, at(60.0))[5], 0.4);
    }

    #[test]
    fn the_first_row_that_fits_counts() {
        assert_eq!(rate("ec2", "DescribeVpcs").per_second, 10.0);
        assert_eq!(rate("ec2", "CreateNatGateway").burst, 5.0);
        assert_eq!(rate("ec2", "AuthorizeSecurityGroupIngress").per_second, 2.5);
        assert_eq!(rate("s3", "PutBucketTagging").per_second, 50.0);
        assert_eq!(rate("eks", "POST clusters").per_second, 20.0);
    }
}
