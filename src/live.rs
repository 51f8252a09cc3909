//! What AWS has: the stack's resources as they are now, and the orphans.
//! Knows nothing of what ought to be, except as a hint on what to read.

mod discovery;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::try_join_all;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::aws::retry::persist;
use crate::aws::{Aws, Error};
use crate::kind::{AnyKind, Cx, Live, Wanted};
pub use discovery::{Discovery, Wish, discover};
pub use world::{Survey, survey};

/// A resource to look for.
#[derive(Clone)]
pub struct Query {
    /// Key in the stack.
    pub key: String,
    /// What kind of thing.
    pub kind: &'static dyn AnyKind,
    /// Name in AWS.
    pub name: String,
    /// As the stack wants it; may hold marks.
    pub desired: Value,
}

/// A resource of ours that the stack doesn't name any more.
#[derive(Clone)]
pub struct Orphan {
    /// What kind of thing.
    pub kind: &'static dyn AnyKind,
    /// As AWS has it.
    pub live: Live,
}

/// The account as far as this stack is concerned.
#[derive(Clone, Default)]
pub struct World {
    /// By key; a resource that AWS doesn't have is left out.
    pub resources: BTreeMap<String, Live>,
    /// Ours, but not in the stack.
    pub orphans: Vec<Orphan>,
    /// What deleting would lose, by (kind, name), for those that were asked about.
    pub losses: BTreeMap<(String, String), String>,
    /// Kinds that couldn't be read because their service is out, and what it said.
    pub unread: BTreeMap<&'static str, Error>,
}

impl World {
    /// The world, unless something in it couldn't be read.
    pub fn whole(self) -> Result<Self, ReadError> {
        match self.unread.iter().next() {
            Some((kind, error)) => Err(ReadError { kind, error: error.clone() }),
            None => Ok(self),
        }
    }
}

/// How long a read may be repeated when the service throttles or falters.
const READ_PATIENCE: Duration = Duration::from_secs(60);

/// Reads all of these, one bulk read per kind, all kinds at once. Those whose service is out are
/// added to `unread`.
async fn read(
    aws: &Aws,
    queries: &[Query],
    unread: &Unread,
) -> Result<BTreeMap<String, Live>, ReadError> {
    let mut by_kind: BTreeMap<&str, Vec<&Query>> = BTreeMap::new();
    for query in queries {
        by_kind.entry(query.kind.facts().name).or_default().push(query);
    }
    let reads = by_kind
        .into_values()
        .map(|queries| async { unless_out(read_kind(aws, queries).await, unread) });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

/// What couldn't be read so far.
type Unread = RefCell<BTreeMap<&'static str, Error>>;

/// A service that is out hides its own things only; whatever else goes wrong ends the reading.
fn unless_out<T: Default>(result: Result<T, ReadError>, unread: &Unread) -> Result<T, ReadError> {
    match result {
        Err(ReadError { kind, error }) if error.is_outage() => {
            unread.borrow_mut().entry(kind).or_insert(error);
            Ok(T::default())
        }
        other => other,
    }
}

/// A read that AWS refused.
#[derive(Debug)]
pub struct ReadError {
    /// The kind that was read.
    pub kind: &'static str,
    /// What AWS said.
    pub error: Error,
}

async fn read_kind(aws: &Aws, queries: Vec<&Query>) -> Result<Vec<(String, Live)>, ReadError> {
    let Some(first) = queries.first() else { return Ok(Vec::new()) };
    let kind = first.kind;
    let wanted = queries.iter().map(|q| Wanted::new(&q.name, Some(q.desired.clone())));
    let wanted: Vec<_> = wanted.collect();
    let found = insist(|| kind.read(aws, wanted.clone())).await;
    let found = found.map_err(|error| ReadError { kind: kind.facts().name, error })?;
    let by_name: BTreeMap<String, Live> =
        found.into_iter().map(|live| (live.name.clone(), live)).collect();
    let pairs = queries.iter().filter_map(|q| Some((q.key.clone(), by_name.get(&q.name)?.clone())));
    Ok(pairs.collect())
}

/// Finds what carries the stack's mark and isn't among `known` (kind, name). Marks are hints:
/// each candidate is read, and counts only when it really is there and ours.
async fn orphans(
    aws: &Aws,
    kinds: &[&'static dyn AnyKind],
    known: &BTreeSet<(String, String)>,
    unread: &Unread,
) -> Result<Vec<Orphan>, ReadError> {
    let found =
        kinds.iter().map(|kind| async { unless_out(orphans_of(aws, *kind, known).await, unread) });
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

async fn orphans_of(
    aws: &Aws,
    kind: &'static dyn AnyKind,
    known: &BTreeSet<(String, String)>,
) -> Result<Vec<Orphan>, ReadError> {
    let name = kind.facts().name;
    let failed = |error| ReadError { kind: name, error };
    let candidates = insist(|| kind.owned(aws)).await.map_err(failed)?;
    let unknown =
        candidates.into_iter().filter(|one| !known.contains(&(name.to_owned(), one.clone())));
    let wanted: Vec<_> = unknown.map(|name| Wanted::new(name, None)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let found = insist(|| kind.read(aws, wanted.clone())).await.map_err(failed)?;
    let ours = found.into_iter().filter(|live| {
        live.owner.as_ref().is_some_and(|owner| owner.stack == aws.site.stack)
            && !known.contains(&(name.to_owned(), live.name.clone()))
    });
    Ok(ours.map(|live| Orphan { kind, live }).collect())
}

/// Asks what deleting each of these would lose.
pub async fn losses(
    aws: &Aws,
    lives: &[(&'static dyn AnyKind, Live)],
) -> Result<BTreeMap<(String, String), String>, ReadError> {
    let asked = lives.iter().map(|(kind, live)| async move {
        let cx = Cx {
            aws,
            name: &live.name,
            key: &live.name,
            rotate: false,
            turn: 0,
            status: &|_| (),
            stopping: &|| false,
        };
        let answer = insist(|| kind.data(&live.fields, &cx)).await;
        let name = kind.facts().name;
        let answer = answer.map_err(|error| ReadError { kind: name, error })?;
        Ok(answer.map(|words| ((name.to_owned(), live.name.clone()), words)))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// Reads one resource at a time for many who wait, with one bulk read per kind for all who ask
/// within a moment.
pub struct Reader<'a> {
    aws: &'a Aws,
    queues: RefCell<BTreeMap<&'static str, Vec<Request>>>,
    /// How many are at work on things of a kind.
    readers: RefCell<BTreeMap<&'static str, usize>>,
}

struct Request {
    wanted: Wanted<Value>,
    answer: oneshot::Sender<Result<Option<Live>, Error>>,
}

/// How long the first who asks waits for others who are at work on the same kind.
const GATHERING: Duration = Duration::from_millis(20);

impl<'a> Reader<'a> {
    /// A reader over these clients.
    pub fn new(aws: &'a Aws) -> Self {
        Self { aws, queues: RefCell::default(), readers: RefCell::default() }
    }

    /// Somebody will ask for a thing of the kind until `leave`: who isn't alone waits for others.
    pub fn join(&self, kind: &'static dyn AnyKind) {
        *self.readers.borrow_mut().entry(kind.facts().name).or_default() += 1;
    }

    /// Won't ask any more.
    pub fn leave(&self, kind: &'static dyn AnyKind) {
        let mut readers = self.readers.borrow_mut();
        if let Some(count) = readers.get_mut(kind.facts().name) {
            *count = count.saturating_sub(1);
        }
    }

    fn has_company(&self, kind: &str) -> bool {
        self.readers.borrow().get(kind).is_some_and(|count| *count > 1)
    }

    /// The resource as it is now; `None` when AWS doesn't have it.
    pub async fn read(
        &self,
        kind: &'static dyn AnyKind,
        wanted: Wanted<Value>,
    ) -> Result<Option<Live>, Error> {
        let (answer, mut reply) = oneshot::channel();
        let name = kind.facts().name;
        let first = {
            let mut queues = self.queues.borrow_mut();
            let queue = queues.entry(name).or_default();
            queue.push(Request { wanted, answer });
            queue.len() == 1
        };
        if first {
            if self.has_company(name) {
                tokio::time::sleep(GATHERING).await;
            }
            let requests = self.queues.borrow_mut().remove(name).unwrap_or_default();
            self.serve(kind, requests).await;
        }
        (&mut reply).await.unwrap_or_else(|_| Err(Error::internal("a shared read was given up")))
    }

    async fn serve(&self, kind: &'static dyn AnyKind, requests: Vec<Request>) {
        let wanted: Vec<_> = requests.iter().map(|request| request.wanted.clone()).collect();
        let alone = wanted.len() == 1;
        let together = self.bulk(kind, wanted).await;
        for request in requests {
            let answer = match &together {
                Ok(found) => Ok(named(found, &request.wanted.name)),
                // A service that doesn't answer doesn't answer for one alone.
                Err(error) if alone || error.is_outage() => Err(error.clone()),
                // One that can't be read must not hold up its neighbours.
                Err(_) => self
                    .bulk(kind, vec![request.wanted.clone()])
                    .await
                    .map(|found| named(&found, &request.wanted.name)),
            };
            // Whoever no longer listens doesn't need the answer.
            let _ = request.answer.send(answer);
        }
    }

    async fn bulk(
        &self,
        kind: &'static dyn AnyKind,
        wanted: Vec<Wanted<Value>>,
    ) -> Result<Vec<Live>, Error> {
        let read = || {
            self.aws.forget();
            kind.read(self.aws, wanted.clone())
        };
        insist(read).await
    }
}

/// Reads until there is an answer, as long as the errors are worth it.
async fn insist<T, F: Future<Output = Result<T, Error>>>(
    read: impl FnMut() -> F,
) -> Result<T, Error> {
    persist(READ_PATIENCE, read, &|_| (), async || std::future::pending().await).await
}

fn named(found: &[Live], name: &str) -> Option<Live> {
    found.iter().find(|live| live.name == name).cloned()
}
