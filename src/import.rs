//! From what AWS has to a stack file that says the same. Pure: the same world gives the same text.

mod fields;
mod keys;
mod order;
mod proof;
mod references;
mod tags;
mod text;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::kind::{AnyKind, Live, OnDestroy, Site};
use references::References;

pub use proof::unlike;
pub use text::{append, file};

/// Something that AWS has.
#[derive(Clone)]
pub struct Thing {
    /// What kind of thing.
    pub kind: &'static dyn AnyKind,
    /// All that AWS tells of it.
    pub live: Live,
}

/// The stack that the things go into.
#[derive(Clone, Default)]
pub struct Around {
    /// What it holds already, by key, as far as AWS has it.
    pub resources: BTreeMap<String, Thing>,
    /// Keys that are taken although AWS has nothing of them.
    pub taken: Vec<String>,
    /// Its tags, which all of its resources get.
    pub tags: BTreeMap<String, String>,
}

/// A resource as it will stand in the file.
#[derive(Clone)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// What it was made from.
    pub thing: Thing,
    /// Its name in AWS, where that isn't the key.
    pub name: Option<String>,
    /// Its fields, references as marks.
    pub fields: Map<String, Value>,
    /// Fields that refer to something outside the stack.
    pub outside: Vec<String>,
    /// Fields that stand for a secret, which AWS doesn't tell.
    pub secrets: Vec<String>,
    /// Fields that can't be written as AWS has them.
    pub ignore: Vec<String>,
    /// Its marks refuse every delete.
    pub protect: bool,
    /// What its marks say happens to it when it goes.
    pub on_destroy: Option<OnDestroy>,
}

/// What will stand in the file.
#[derive(Clone)]
pub struct Draft {
    /// Tags that all of it has.
    pub tags: BTreeMap<String, String>,
    /// The resources, what is referred to first.
    pub entries: Vec<Entry>,
}

/// Gives each thing a key and the fields that a person would write.
pub fn draft(mut things: Vec<Thing>, around: &Around, site: &Site) -> Draft {
    order::sort(&mut things);
    let keyed = keys::choose(things, around, site);
    let mut references = References::new(&keyed, around, site);
    let entries = keyed.into_iter().map(|(key, thing)| entry(key, thing, &mut references, site));
    let mut entries: Vec<Entry> = entries.collect();
    let tags = tags::share(&mut entries, around, site);
    Draft { tags, entries }
}

fn entry(key: String, thing: Thing, references: &mut References, site: &Site) -> Entry {
    let (kind, live) = (thing.kind, &thing.live);
    let written = kind.written(&live.fields, &live.name, site);
    let written = written.unwrap_or_else(|_| live.fields.clone());
    references.of(&key);
    let mut fields = fields::written(kind.schema(), &written, references);
    let outside = references.left_outside();
    let secrets = fields::secrets(kind, &key, &mut fields);
    let inner = keys::inner_name(kind, &live.name);
    let name = (kind.canonical_name(&key) != inner).then(|| inner.to_owned());
    let mark = |tag: &str| live.fields["tags"][tag].clone();
    Entry {
        name,
        fields,
        outside,
        secrets,
        ignore: Vec::new(),
        protect: mark("lagoa:protect") == "true",
        on_destroy: serde_json::from_value(mark("lagoa:on_destroy")).ok(),
        key,
        thing,
    }
}
