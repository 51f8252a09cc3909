//! The contract of a kind; the erased form that the engine works with is below.
//!
//! A kind is one file in `kinds/`: one struct that is at once what the YAML says, what AWS reports
//! and the source of the schema, the reference page and the diff; four verbs; small pure hooks.
//! No kind waits, retries, paces, prints or names itself: the engine does that once for all.

mod access;
mod erased;

use std::fmt::Debug;
use std::ops::Deref;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Aws, Class, Error};
pub use access::{ANY, Access, Grant, When};
pub use erased::{AnyKind, Facts, Live, Registered};

/// What a resource's state means for whoever waits for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// On its way, in the service's own status words, `deleting` when it is on its way out; read
    /// again later.
    Pending(String),
    /// Usable.
    Ready,
    /// It won't become usable by itself; the service's own words.
    Failed(String),
}

impl Phase {
    /// On its way out.
    pub fn is_leaving(&self) -> bool {
        matches!(self, Self::Pending(status) if status == "deleting")
    }
}

/// What happens to a resource that leaves the stack or is destroyed, and to the data in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDestroy {
    /// Deleted with everything in it.
    Delete,
    /// Left in the account as it is.
    Retain,
    /// Deleted after a final snapshot.
    Snapshot,
}

impl OnDestroy {
    /// As a stack file says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Retain => "retain",
            Self::Snapshot => "snapshot",
        }
    }
}

/// How long AWS typically takes: gives the order of work and the estimate; it limits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// From the call that makes it until it is usable.
    pub create: Duration,
    /// From the call that deletes it until it is gone.
    pub delete: Duration,
}

impl Takes {
    /// There with the answer, or a moment later.
    pub const MOMENT: Self = Self::seconds(1, 1);

    /// So many seconds to make, and to delete.
    pub const fn seconds(create: u64, delete: u64) -> Self {
        Self { create: Duration::from_secs(create), delete: Duration::from_secs(delete) }
    }
}

/// The stack around a resource: what the others are to be, as far as that is known without AWS.
pub struct Neighbours<'a> {
    /// Each resource's key, kind and fields, in the order of the stack.
    pub all: Vec<(&'a str, &'static str, &'a Value)>,
}

impl Neighbours<'_> {
    /// The resource of that key: its kind and fields.
    pub fn get(&self, key: &str) -> Option<(&'static str, &Value)> {
        self.all.iter().find(|(one, ..)| *one == key).map(|(_, kind, fields)| (*kind, *fields))
    }

    /// The resources that a value refers to: their kinds and fields.
    pub fn referred(&self, value: &Value) -> Vec<(&'static str, &Value)> {
        let references = crate::reference::references(value);
        references.iter().filter_map(|reference| self.get(&reference.key)).collect()
    }
}

/// Whose a live resource is, read off its mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the stack.
    pub stack: String,
    /// Key in that stack, where the mark can hold it.
    pub key: Option<String>,
}

/// Where the stack lives: what names and ARNs can be worked out from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// Twelve-digit account id.
    pub account: String,
    /// Region of the stack.
    pub region: String,
    /// Name of the stack.
    pub stack: String,
}

impl Site {
    /// An ARN of this account; empty `region` for global services.
    pub fn arn(&self, service: &str, region: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{}:{resource}", self.partition, self.account)
    }

    /// What `${aws.…}` means.
    pub fn answer(&self, field: &str) -> Option<Value> {
        match field {
            "account" => Some(self.account.clone().into()),
            "region" => Some(self.region.clone().into()),
            "partition" => Some(self.partition.clone().into()),
            _ => None,
        }
    }
}

/// One resource to be read.
#[derive(Clone, Debug)]
pub struct Wanted<K> {
    /// Its name in AWS, in the spelling AWS keeps (`Kind::canonical_name`).
    pub name: String,
    /// As the stack wants it; `None` for a resource that is only looked for.
    /// A read may leave out what this doesn't set.
    pub desired: Option<K>,
    /// Somebody waits for it, and looks often: while it is pending, a read may leave out all but
    /// its phase, where the rest takes further calls.
    pub glance: bool,
    /// Read for an import: whoever owns it, and with everything that there is a field for.
    pub whole: bool,
}

impl<K> Wanted<K> {
    /// As the stack wants it, or only looked for.
    pub fn new(name: impl Into<String>, desired: Option<K>) -> Self {
        Self { name: name.into(), desired, glance: false, whole: false }
    }

    /// For an import.
    pub fn whole(name: impl Into<String>) -> Self {
        Self { name: name.into(), desired: None, glance: false, whole: true }
    }

    /// Whether a field is to be read: the stack sets it, or everything is asked for.
    pub fn asks(&self, set: impl Fn(&K) -> bool) -> bool {
        self.whole || self.desired.as_ref().is_some_and(set)
    }
}

/// One resource that AWS has.
#[derive(Clone, Debug)]
pub struct Found<K> {
    /// Its name in AWS.
    pub name: String,
    /// As AWS has it.
    pub fields: K,
}

/// How to take leave of a resource.
#[derive(Clone, Debug, Default)]
pub struct Farewell {
    /// The word in the stack, if there is one.
    pub on_destroy: Option<OnDestroy>,
    /// Lift the service's own deletion protection first (`--force-unprotect`).
    pub unprotect: bool,
    /// Name for a final snapshot, different at every run.
    pub snapshot: String,
}

/// What a verb works with: the clients, the resource's name, and a line to the progress display.
pub struct Cx<'a> {
    /// Clients and site.
    pub aws: &'a Aws,
    /// The resource's name in AWS.
    pub name: &'a str,
    /// The resource's key in the stack.
    pub key: &'a str,
    /// Write-only values are sent again (`--rotate KEY`); said to one update only.
    pub rotate: bool,
    /// Updates of it that this run has made before: what it finds then may be its own doing.
    pub turn: usize,
    /// Shows the service's own status words while the verb works.
    pub status: &'a dyn Fn(String),
    /// Whether the person wants the run to stop.
    pub stopping: &'a dyn Fn() -> bool,
}

impl Cx<'_> {
    /// Asked between the calls of a verb that makes many, and can be begun again: an error when the
    /// run is to stop.
    pub fn go_on(&self) -> Result<(), Error> {
        match (self.stopping)() {
            true => Err(Error::new(Class::Busy, "the rest is left to the next run")),
            false => Ok(()),
        }
    }
}

impl Deref for Cx<'_> {
    type Target = Aws;
    fn deref(&self) -> &Aws {
        self.aws
    }
}

/// A type of thing that AWS can hold.
#[allow(async_fn_in_trait, reason = "the tool runs on one thread")]
pub trait Kind: Serialize + DeserializeOwned + JsonSchema + Clone + Debug + 'static {
    /// Stack entries, as YAML below `resources:`, that document the kind and are tested.
    /// The first entry is of this kind; others are what it refers to.
    const EXAMPLE: &'static str;

    /// AWS's own pattern for the name.
    const NAME: &'static str;

    /// What IAM has to allow for the verbs below.
    const ACCESS: Access;

    /// What is lost when the resource is deleted: `objects`, `data`; `None` when nothing is.
    const HOLDS: Option<&'static str> = None;

    /// The words that `on_destroy` may take.
    const ON_DESTROY: &'static [OnDestroy] = &[OnDestroy::Delete, OnDestroy::Retain];

    /// What `on_destroy` means when the stack says nothing; `None` refuses to delete what holds
    /// data (`data` says whether it does).
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Delete);

    /// The field that says what a name is unique in, such as the cluster of a node group. lagoa's
    /// name for the resource then begins with that: `cluster/name`.
    const WITHIN: Option<&'static str> = None;

    /// The field that says what it is a server of, such as its cluster: who seeds that waits for this
    /// too.
    const SERVES: Option<&'static str> = None;

    /// AWS refuses to delete one that something still uses. Replacing it would then need its users
    /// to let go of it first and take the new one afterwards; a plan that would do so is blocked.
    /// Users that are replaced themselves go first, and block nothing.
    const KEPT_WHILE_USED: bool = false;

    /// A read needs the references of the desired value filled in, so it comes after theirs.
    const READS_AFTER_REFERENCES: bool = false;

    /// How long AWS typically takes to make and to delete one.
    const TAKES: Takes = Takes::MOMENT;

    /// The kind is a data step: it seeds rather than creates, and isn't destroyed.
    const SEED: bool = false;

    /// The name in the spelling that AWS keeps, such as lower case.
    fn canonical_name(name: &str) -> String {
        name.to_owned()
    }

    /// What AWS has under these names; names that it doesn't have are left out.
    /// One call may serve them all.
    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error>;

    /// Names that may carry this stack's mark, for finding orphans; a read confirms each.
    async fn owned(aws: &Aws) -> Result<Vec<String>, Error>;

    /// Names of all that exist in the account and region, whoever owns them, for an import. What AWS
    /// makes by itself is left out. A read that is `whole` finds each of them; a name that comes
    /// twice is one by which they can't be told apart.
    async fn names(aws: &Aws) -> Result<Vec<String>, Error>;

    /// Asks AWS to make it, tags included. What the call can't set, `update` sets next.
    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error>;

    /// Turns live into self. Only mutable fields can differ; sends only what does.
    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error>;

    /// Deletes what `self` (the live resource) describes.
    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error>;

    /// Read off the live resource.
    fn phase(&self) -> Phase {
        Phase::Ready
    }

    /// Takes over from live what means the same, such as `15.7` for `15`.
    fn accept(&mut self, _live: &Self) {}

    /// Fills in what follows from the name and the site: ARNs, defaults that depend on others.
    fn predict(&mut self, _name: &str, _site: &Site, _root: &std::path::Path) {}

    /// The opposite for an import: from live to what a person would write. Takes out what AWS chose by
    /// itself and what `predict` fills in, and spells the rest as in a stack.
    fn written(&mut self, _name: &str, _site: &Site) {}

    /// Whose the live resource is. Kinds with a `tags` field needn't say.
    fn owner(&self) -> Option<Owner> {
        None
    }

    /// Why live can't be turned into self although every changed field is mutable.
    fn replace_because(&self, _live: &Self) -> Option<String> {
        None
    }

    /// What is wrong with the desired value that the schema can't say: (field path, message).
    /// Strings may hold references that aren't known yet.
    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What may stand in a stack but won't do what was meant, on its own or together with the rest
    /// of the stack: (field path, message).
    fn warn(&self, _among: &Neighbours<'_>) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What a reviewer should know about the desired value beyond its fields.
    fn summary(&self, _live: Option<&Self>, _root: &std::path::Path) -> Vec<String> {
        Vec::new()
    }

    /// Why this step needs a person's decision before it can run.
    fn undecided(&self, _live: &Self, _root: &std::path::Path) -> Option<String> {
        None
    }

    /// Why the service itself would refuse to delete the live resource; `--force-unprotect` lifts it.
    fn protected(&self) -> Option<String> {
        None
    }

    /// What the live resource holds that deleting would lose, in words; asked only for deletions.
    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        Ok(None)
    }
}
