//! One run of a stack at a time: a lock object in the home bucket with a lease.
//!
//! Only conditional writes touch it, so exactly one of many wins. The lease is renewed while the
//! holder works; whoever finds it expired by the service's clock may take it over. A holder that
//! can't renew in time counts the lock as lost before anyone else can have it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::home::{Condition, Home, Kept, Put};
use super::retry::{OUTAGE, persist};
use super::{Class, Error};

/// How long a lock holds without a renewal.
pub const LEASE: Duration = Duration::from_secs(60);
/// The service tells times to the second.
const GRAIN: Duration = Duration::from_secs(1);
/// How often taking starts again because the lock changed hands in between.
const ROUNDS: u32 = 10;

/// Who holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The person's name on their machine, or in CI.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The process on it.
    pub pid: u32,
    /// The run, different for each.
    pub run: String,
    /// What it does: `apply`, `destroy`, `adopt`.
    pub command: String,
    /// Since when, by the holder's clock.
    pub since: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} ({}, pid {})", self.user, self.host, self.command, self.pid)
    }
}

/// What the lock object says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sheet {
    format: String,
    #[serde(flatten)]
    holder: Holder,
    lease_ms: u64,
    /// Makes every renewal another version of the object.
    renewals: u64,
}

/// A lock that another run holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// Who.
    pub holder: Holder,
    /// Until when, unless the holder renews it; by the service's clock.
    pub until: Timestamp,
    etag: String,
}

/// What came of trying to take the lock.
pub enum Taken {
    /// It is ours.
    Ours(Lock),
    /// Another run holds it.
    Theirs(Held),
}

/// The lock, held and renewed until it is released or lost.
pub struct Lock {
    home: Home,
    key: String,
    run: String,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<Option<String>>,
    lost: watch::Receiver<Option<String>>,
    term: Term,
}

/// Where a stack's lock lies in the home bucket.
fn key(stack: &str) -> String {
    format!("locks/{stack}.json")
}

/// Who holds the stack's lock, expired or not; `None` when nobody does.
pub async fn look(home: &Home, stack: &str) -> Result<Option<Held>, Error> {
    Ok(home.get(&key(stack)).await?.map(|kept| held(&kept)))
}

/// Takes the lock away from its holder; false when it has changed hands since it was looked at.
pub async fn break_open(home: &Home, stack: &str, held: &Held) -> Result<bool, Error> {
    for _ in 0..ROUNDS {
        if home.delete(&key(stack), &held.etag).await? {
            return Ok(true);
        }
        // A renewal by the same holder is no reason to stop.
        match look(home, stack).await? {
            None => return Ok(true),
            Some(now) if now.holder.run == held.holder.run => {
                if home.delete(&key(stack), &now.etag).await? {
                    return Ok(true);
                }
            }
            Some(_) => return Ok(false),
        }
    }
    Ok(false)
}

fn held(kept: &Kept) -> Held {
    let sheet: Option<Sheet> = serde_json::from_slice(&kept.body).ok();
    let lease = sheet.as_ref().map_or(LEASE, |sheet| Duration::from_millis(sheet.lease_ms));
    // A lock that can't be read is somebody's all the same, for as long as usual.
    let unknown = || Holder { user: "unknown".into(), host: "unknown".into(), ..Holder::default() };
    let holder = sheet.map_or_else(unknown, |sheet| sheet.holder);
    let until = kept.written.checked_add(lease.min(LEASE * 60) + GRAIN).unwrap_or(kept.written);
    Held { holder, until, etag: kept.etag.clone() }
}

/// Takes the stack's lock if it is free or expired. Calls again while the service throttles or
/// falters: whoever waits for a lock asks so often that some calls will fail.
pub async fn take(
    home: Home,
    stack: &str,
    holder: Holder,
    lease: Duration,
) -> Result<Taken, Error> {
    persist(
        OUTAGE,
        || try_take(home.clone(), stack, holder.clone(), lease),
        &|_| (),
        async || std::future::pending().await,
    )
    .await
}

async fn try_take(
    home: Home,
    stack: &str,
    holder: Holder,
    lease: Duration,
) -> Result<Taken, Error> {
    let key = key(stack);
    let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    let run = holder.run.clone();
    let sheet = Sheet { format: "lagoa.lock/1".to_owned(), holder, lease_ms, renewals: 0 };
    let text = text(&sheet)?;
    for _ in 0..ROUNDS {
        let moment = Moment::now();
        let etag = match home.put(&key, &text, Condition::Absent).await? {
            Put::Done(etag) => Some(etag),
            Put::Refused(now) => match home.get(&key).await? {
                None => None,
                Some(kept) => {
                    let held = held(&kept);
                    // The answer to a write of our own may have got lost. When it came through
                    // isn't known, so it is made anew, like one that expired.
                    if held.holder.run != run && now <= held.until {
                        return Ok(Taken::Theirs(held));
                    }
                    match home.put(&key, &text, Condition::Is(&kept.etag)).await? {
                        Put::Done(etag) => Some(etag),
                        Put::Refused(_) => None,
                    }
                }
            },
        };
        if let Some(etag) = etag {
            return Ok(Taken::Ours(Lock::keep(home, key, sheet, etag, moment)));
        }
    }
    Err(Error::new(Class::Busy, "the lock changes hands all the time").hint("try again"))
}

fn text(sheet: &Sheet) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(sheet).map_err(|error| Error::internal(error.to_string()))
}

impl Lock {
    fn keep(home: Home, key: String, sheet: Sheet, etag: String, since: Moment) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, lost) = watch::channel(None);
        let run = sheet.holder.run.clone();
        let lease = Duration::from_millis(sheet.lease_ms);
        let term = Term { lease, since: Arc::new(Mutex::new(since)) };
        let keeper =
            Keeper { home: home.clone(), key: key.clone(), sheet, etag, term: term.clone(), tell };
        let keeper = tokio::spawn(keeper.work(stopped));
        Self { home, key, run, stop, keeper, lost, term }
    }

    /// Why the lock isn't ours any more, if that is so.
    pub fn is_lost(&self) -> Option<String> {
        self.lost.borrow().clone()
    }

    /// Says at any moment why the lock isn't ours any more: also before the keeper has noticed, after
    /// a laptop slept or a terminal that was stopped held up the whole run.
    pub fn watch(&self) -> impl Fn() -> Option<String> + Send + Sync + use<> {
        let (lost, term) = (self.lost.clone(), self.term.clone());
        move || lost.borrow().clone().or_else(|| term.left().is_none().then(|| term.expired()))
    }

    /// Waits until the lock is lost; forever as long as it is ours.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.clone();
        if let Ok(why) = lost.wait_for(Option::is_some).await
            && let Some(why) = why.as_ref()
        {
            return why.clone();
        }
        std::future::pending().await
    }

    /// Gives the lock back, unless it isn't ours any more.
    pub async fn release(self) -> Result<(), Error> {
        // A keeper that has ended has lost the lock, and listens no longer.
        let _ = self.stop.send(());
        let Ok(Some(etag)) = self.keeper.await else { return Ok(()) };
        if self.home.delete(&self.key, &etag).await? {
            return Ok(());
        }
        // A renewal that was given up may have come through.
        if let Some(kept) = self.home.get(&self.key).await?
            && held(&kept).holder.run == self.run
        {
            self.home.delete(&self.key, &kept.etag).await?;
        }
        Ok(())
    }
}

/// Renews a lock in the background.
struct Keeper {
    home: Home,
    key: String,
    sheet: Sheet,
    etag: String,
    term: Term,
    tell: watch::Sender<Option<String>>,
}

impl Keeper {
    /// Works until it is told to stop or the lock is lost; gives the version of our lock.
    async fn work(mut self, mut stopped: oneshot::Receiver<()>) -> Option<String> {
        let beat = (self.term.lease / 20).clamp(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = &mut stopped => return Some(self.etag),
                why = self.beat(beat) => if let Some(why) = why {
                    // The run that nobody watches any more needs no word.
                    let _ = self.tell.send(Some(why));
                    return None;
                },
            }
        }
    }

    /// Waits a moment and renews if a third of the lease has passed; why the lock is lost, if so.
    async fn beat(&mut self, beat: Duration) -> Option<String> {
        tokio::time::sleep(beat).await;
        let Some(left) = self.term.left() else { return Some(self.term.expired()) };
        if left > self.term.lease * 2 / 3 {
            return None;
        }
        match tokio::time::timeout(left, self.renew()).await {
            Ok(Ok(lost)) => lost,
            // Another beat comes as long as the lease lasts.
            Ok(Err(error)) => {
                tracing::info!(%error, "the lock is not renewed yet");
                None
            }
            Err(_) => Some(self.term.expired()),
        }
    }

    /// Why the lock is lost, if so.
    async fn renew(&mut self) -> Result<Option<String>, Error> {
        let moment = Moment::now();
        self.sheet.renewals += 1;
        let put = self.home.put(&self.key, &text(&self.sheet)?, Condition::Is(&self.etag)).await?;
        let etag = match put {
            Put::Done(etag) => etag,
            Put::Refused(_) => match self.home.get(&self.key).await? {
                None => return Ok(Some("it was removed with `lagoa unlock`".to_owned())),
                Some(kept) => {
                    let held = held(&kept);
                    if held.holder.run != self.sheet.holder.run {
                        return Ok(Some(format!("{} took it over", held.holder)));
                    }
                    // The answer to an earlier renewal got lost, so when it came through is not
                    // known; the next beat renews it again.
                    self.etag = kept.etag;
                    return Ok(None);
                }
            },
        };
        self.etag = etag;
        self.term.begin(moment);
        Ok(None)
    }
}

/// How long a lock is ours without a renewal.
#[derive(Clone)]
struct Term {
    lease: Duration,
    /// When the write was sent that last extended the lease: the lease ends no earlier than this
    /// plus its length.
    since: Arc<Mutex<Moment>>,
}

impl Term {
    fn begin(&self, since: Moment) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// How long the lease still lasts; `None` when it is over.
    fn left(&self) -> Option<Duration> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        self.lease.checked_sub(since.elapsed())
    }

    fn expired(&self) -> String {
        format!("it could not be renewed for {} seconds", self.lease.as_secs_f64())
    }
}

/// A point in time by two clocks: one that never jumps, and one that goes on while a laptop sleeps.
#[derive(Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    fn elapsed(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}
