//! Keys: what a resource is called in the stack.

use std::collections::BTreeSet;

use super::{Around, Thing};
use crate::kind::{AnyKind, Site};

/// Words that mean something else at the beginning of `${…}`, or in a list of subnets.
const RESERVED: [&str; 7] = ["aws", "default", "each", "env", "stack", "stacks", "var"];

/// Gives every thing a key of its own. What the stack owns already keeps the one it has.
pub fn choose(things: Vec<Thing>, around: &Around, site: &Site) -> Vec<(String, Thing)> {
    let mut taken: BTreeSet<String> = around.resources.keys().cloned().collect();
    taken.extend(around.taken.iter().cloned());
    taken.extend(RESERVED.map(str::to_owned));
    let own = |thing: &Thing| {
        let owner = thing.live.owner.as_ref().filter(|owner| owner.stack == site.stack)?;
        owner.key.clone()
    };
    taken.extend(things.iter().filter_map(own));
    let keyed = things.into_iter().map(|thing| {
        let key = own(&thing).unwrap_or_else(|| free(&thing, &mut taken));
        (key, thing)
    });
    keyed.collect()
}

/// A key after the thing's name that nothing else has.
fn free(thing: &Thing, taken: &mut BTreeSet<String>) -> String {
    let kind = thing.kind.facts().name;
    let plain = plain(inner_name(thing.kind, &thing.live.name));
    let plain = if plain.is_empty() { kind.replace('_', "-") } else { plain };
    let word = kind.split_once('_').map_or(kind, |(_, word)| word).replace('_', "-");
    let with_kind = format!("{plain}-{word}");
    let numbered = (2..).map(|number| format!("{with_kind}-{number}"));
    let mut keys = [plain, with_kind.clone()].into_iter().chain(numbered);
    let key = keys.find(|key| !taken.contains(key)).unwrap_or_else(|| with_kind.clone());
    taken.insert(key.clone());
    key
}

/// The name without what would have to be quoted in a key or confuse a reference.
fn plain(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let plain: String = name.chars().map(kept).collect();
    plain.trim_matches(['-', '.']).to_owned()
}

/// The name that `name` in a stack means: without what it is unique in.
pub fn inner_name<'a>(kind: &dyn AnyKind, name: &'a str) -> &'a str {
    let inner = kind.facts().within.and_then(|_| name.split_once('/'));
    inner.map_or(name, |(_, inner)| inner)
}
