//! The contract of a kind, and the erased form that the engine works with.
//!
//! A kind is one file in `kinds/`: one struct that is at once what the YAML says, what AWS reports
//! and the source of the schema, the reference page and the diff; four verbs; small pure hooks.
//! No kind waits, retries, paces, prints or names itself: the engine does that once for all.

use std::cell::OnceCell;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Aws, Error};

/// What a resource's state means for whoever waits for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// On its way, in the service's own status words; read again later.
    Pending(String),
    /// Usable.
    Ready,
    /// It won't become usable by itself; the service's own words.
    Failed(String),
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
    /// AWS refuses to delete one that something still uses. Replacing it would then need its users
    /// to let go of it first and take the new one afterwards; a plan that would do so is blocked.
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

/// A live resource as the engine sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Name in AWS.
    pub name: String,
    /// The kind's struct as JSON.
    pub fields: Value,
    /// Whether it is usable.
    pub phase: Phase,
    /// Whose it is; `None` when it carries no stack's mark.
    pub owner: Option<Owner>,
}

/// Facts about a kind that don't depend on a resource.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its name in a stack file.
    pub name: &'static str,
    /// See [`Kind::EXAMPLE`].
    pub example: &'static str,
    /// See [`Kind::NAME`].
    pub name_pattern: &'static str,
    /// See [`Kind::HOLDS`].
    pub holds: Option<&'static str>,
    /// See [`Kind::ON_DESTROY`].
    pub on_destroy: &'static [OnDestroy],
    /// See [`Kind::ON_DESTROY_DEFAULT`].
    pub on_destroy_default: Option<OnDestroy>,
    /// See [`Kind::WITHIN`].
    pub within: Option<&'static str>,
    /// See [`Kind::KEPT_WHILE_USED`].
    pub kept_while_used: bool,
    /// See [`Kind::READS_AFTER_REFERENCES`].
    pub reads_after_references: bool,
    /// See [`Kind::TAKES`].
    pub takes: Takes,
    /// See [`Kind::SEED`].
    pub seed: bool,
}

type Answer<'a, T> = LocalBoxFuture<'a, Result<T, Error>>;

/// A kind without its type: fields are JSON.
pub trait AnyKind {
    /// Facts that don't depend on a resource.
    fn facts(&self) -> Facts;
    /// JSON Schema of the struct, with the marks of `field.rs`.
    fn schema(&self) -> &Value;
    /// See [`Kind::canonical_name`].
    fn canonical_name(&self, name: &str) -> String;
    /// See [`Kind::read`].
    fn read<'a>(&'a self, aws: &'a Aws, wanted: Vec<Wanted<Value>>) -> Answer<'a, Vec<Live>>;
    /// See [`Kind::owned`].
    fn owned<'a>(&'a self, aws: &'a Aws) -> Answer<'a, Vec<String>>;
    /// See [`Kind::create`].
    fn create<'a>(&'a self, desired: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()>;
    /// See [`Kind::update`].
    fn update<'a>(&'a self, desired: &'a Value, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()>;
    /// See [`Kind::delete`].
    fn delete<'a>(&'a self, live: &'a Value, with: &'a Farewell, cx: &'a Cx<'a>) -> Answer<'a, ()>;
    /// See [`Kind::data`].
    fn data<'a>(&'a self, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, Option<String>>;
    /// The fields with every default filled in.
    fn complete(&self, fields: &Value) -> Result<Value, Error>;
    /// See [`Kind::accept`].
    fn accept(&self, desired: &Value, live: &Value) -> Result<Value, Error>;
    /// See [`Kind::predict`].
    fn predict(
        &self,
        desired: &Value,
        name: &str,
        site: &Site,
        root: &std::path::Path,
    ) -> Result<Value, Error>;
    /// See [`Kind::replace_because`].
    fn replace_because(&self, desired: &Value, live: &Value) -> Option<String>;
    /// See [`Kind::check`].
    fn check(&self, desired: &Value, root: &std::path::Path) -> Vec<(String, String)>;
    /// See [`Kind::warn`].
    fn warn(&self, desired: &Value, among: &Neighbours<'_>) -> Vec<(String, String)>;
    /// See [`Kind::summary`].
    fn summary(&self, desired: &Value, live: Option<&Value>, root: &std::path::Path)
    -> Vec<String>;
    /// See [`Kind::undecided`].
    fn undecided(&self, desired: &Value, live: &Value, root: &std::path::Path) -> Option<String>;
    /// See [`Kind::protected`].
    fn protected(&self, live: &Value) -> Option<String>;
}

/// A kind's place in the registry.
pub struct Registered<K> {
    name: &'static str,
    schema: OnceCell<Value>,
    kind: PhantomData<K>,
}

impl<K> Registered<K> {
    /// Registers the kind under the name of its file.
    pub const fn new(name: &'static str) -> Self {
        Self { name, schema: OnceCell::new(), kind: PhantomData }
    }
}

fn typed<K: Kind>(fields: &Value) -> Result<K, Error> {
    K::deserialize(fields).map_err(|error| {
        Error::internal(format!("fields of {}: {error}", std::any::type_name::<K>()))
    })
}

fn untyped<K: Kind>(fields: &K) -> Result<Value, Error> {
    serde_json::to_value(fields).map_err(|error| Error::internal(error.to_string()))
}

fn live<K: Kind>(found: Found<K>) -> Result<Live, Error> {
    let fields = untyped(&found.fields)?;
    let owner = found.fields.owner().or_else(|| owner_by_tags(&fields));
    Ok(Live { name: found.name, phase: found.fields.phase(), owner, fields })
}

fn owner_by_tags(fields: &Value) -> Option<Owner> {
    let tag = |key: &str| fields["tags"][key].as_str().map(str::to_owned);
    // What a kind keeps beside its resource lives and dies with that resource.
    if tag("lagoa:part-of").is_some() {
        return None;
    }
    Some(Owner { stack: tag("lagoa:stack")?, key: tag("lagoa:name") })
}

impl<K: Kind> AnyKind for Registered<K> {
    fn facts(&self) -> Facts {
        Facts {
            name: self.name,
            example: K::EXAMPLE,
            name_pattern: K::NAME,
            holds: K::HOLDS,
            on_destroy: K::ON_DESTROY,
            on_destroy_default: K::ON_DESTROY_DEFAULT,
            within: K::WITHIN,
            kept_while_used: K::KEPT_WHILE_USED,
            reads_after_references: K::READS_AFTER_REFERENCES,
            takes: K::TAKES,
            seed: K::SEED,
        }
    }

    fn schema(&self) -> &Value {
        self.schema.get_or_init(|| {
            let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
            settings.into_generator().into_root_schema_for::<K>().into()
        })
    }

    fn canonical_name(&self, name: &str) -> String {
        K::canonical_name(name)
    }

    fn read<'a>(&'a self, aws: &'a Aws, wanted: Vec<Wanted<Value>>) -> Answer<'a, Vec<Live>> {
        Box::pin(async move {
            let typed_one = |one: Wanted<Value>| {
                let desired = one.desired.as_ref().map(typed::<K>).transpose()?;
                Ok(Wanted { name: one.name, desired })
            };
            let wanted = wanted.into_iter().map(typed_one).collect::<Result<Vec<_>, Error>>()?;
            K::read(aws, &wanted).await?.into_iter().map(live).collect()
        })
    }

    fn owned<'a>(&'a self, aws: &'a Aws) -> Answer<'a, Vec<String>> {
        Box::pin(K::owned(aws))
    }

    fn create<'a>(&'a self, desired: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move { typed::<K>(desired)?.create(cx).await })
    }

    fn update<'a>(&'a self, desired: &'a Value, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move { typed::<K>(desired)?.update(&typed(live)?, cx).await })
    }

    fn delete<'a>(&'a self, live: &'a Value, with: &'a Farewell, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move { typed::<K>(live)?.delete(with, cx).await })
    }

    fn data<'a>(&'a self, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, Option<String>> {
        Box::pin(async move { typed::<K>(live)?.data(cx).await })
    }

    fn complete(&self, fields: &Value) -> Result<Value, Error> {
        untyped(&typed::<K>(fields)?)
    }

    fn accept(&self, desired: &Value, live: &Value) -> Result<Value, Error> {
        let mut desired: K = typed(desired)?;
        desired.accept(&typed(live)?);
        untyped(&desired)
    }

    fn predict(
        &self,
        desired: &Value,
        name: &str,
        site: &Site,
        root: &std::path::Path,
    ) -> Result<Value, Error> {
        let mut desired: K = typed(desired)?;
        desired.predict(name, site, root);
        untyped(&desired)
    }

    fn replace_because(&self, desired: &Value, live: &Value) -> Option<String> {
        typed::<K>(desired).ok()?.replace_because(&typed(live).ok()?)
    }

    fn check(&self, desired: &Value, root: &std::path::Path) -> Vec<(String, String)> {
        match typed::<K>(desired) {
            Ok(desired) => desired.check(root),
            Err(error) => vec![(String::new(), error.to_string())],
        }
    }

    fn warn(&self, desired: &Value, among: &Neighbours<'_>) -> Vec<(String, String)> {
        typed::<K>(desired).map(|desired| desired.warn(among)).unwrap_or_default()
    }

    fn summary(
        &self,
        desired: &Value,
        live: Option<&Value>,
        root: &std::path::Path,
    ) -> Vec<String> {
        let live = live.and_then(|live| typed::<K>(live).ok());
        typed::<K>(desired).map(|desired| desired.summary(live.as_ref(), root)).unwrap_or_default()
    }

    fn undecided(&self, desired: &Value, live: &Value, root: &std::path::Path) -> Option<String> {
        typed::<K>(desired).ok()?.undecided(&typed(live).ok()?, root)
    }

    fn protected(&self, live: &Value) -> Option<String> {
        typed::<K>(live).ok()?.protected()
    }
}
