//! What there is in the account and region, whoever owns it.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{ReadError, insist};
use crate::aws::{Aws, Error};
use crate::kind::{AnyKind, Live, Wanted};

/// What to look for.
#[derive(Clone)]
pub struct Wish {
    /// What kind of thing.
    pub kind: &'static dyn AnyKind,
    /// The one of this name; without one, all.
    pub name: Option<String>,
}

/// What was found of what was looked for.
#[derive(Default)]
pub struct Discovery {
    /// As AWS has it, with everything that there is a field for.
    pub found: Vec<(&'static dyn AnyKind, Live)>,
    /// Asked for by kind and name, and not there.
    pub missing: Vec<(&'static str, String)>,
    /// Names that several things of a kind have: one of them was found.
    pub ambiguous: Vec<(&'static str, String)>,
    /// What AWS refused to tell.
    pub refused: Vec<ReadError>,
}

/// Looks for all of these, all kinds at once. What can't be read doesn't hide the rest.
pub async fn discover(aws: &Aws, wishes: &[Wish]) -> Discovery {
    let mut seen = BTreeSet::new();
    let kinds = wishes.iter().map(|wish| wish.kind);
    let kinds = kinds.filter(|kind| seen.insert(kind.facts().name));
    let all = kinds.map(|kind| of_kind(aws, kind, wishes));
    let mut whole = Discovery::default();
    for one in join_all(all).await {
        whole.found.extend(one.found);
        whole.missing.extend(one.missing);
        whole.ambiguous.extend(one.ambiguous);
        whole.refused.extend(one.refused);
    }
    whole
}

async fn of_kind(aws: &Aws, kind: &'static dyn AnyKind, wishes: &[Wish]) -> Discovery {
    let word = kind.facts().name;
    let mut discovery = Discovery::default();
    let wishes = || wishes.iter().filter(|wish| wish.kind.facts().name == word);
    let named: BTreeSet<String> = wishes().filter_map(|wish| wish.name.clone()).collect();
    let mut names = named.clone();
    if wishes().any(|wish| wish.name.is_none()) {
        match insist(|| kind.names(aws)).await {
            Ok(all) => {
                let mut once = BTreeSet::new();
                let again = all.iter().filter(|name| !once.insert(name.as_str()));
                let again: BTreeSet<&String> = again.collect();
                discovery.ambiguous = again.into_iter().map(|name| (word, name.clone())).collect();
                names.extend(all);
            }
            Err(error) => discovery.refused.push(ReadError { kind: word, error }),
        }
    }
    let wanted: Vec<String> = names.into_iter().collect();
    let (found, errors) = read(aws, kind, &wanted).await;
    discovery.found = found.into_iter().map(|live| (kind, live)).collect();
    let refused = errors.into_iter().map(|error| ReadError { kind: word, error });
    discovery.refused.extend(refused);
    let there = |name: &String| {
        discovery.found.iter().any(|(_, live)| live.name == *name || live.fields["id"] == **name)
    };
    let missing = named.iter().filter(|name| !there(name)).map(|name| (word, name.clone()));
    discovery.missing = missing.collect();
    discovery
}

/// All of these with one read; if that fails, each by itself.
async fn read(aws: &Aws, kind: &'static dyn AnyKind, names: &[String]) -> (Vec<Live>, Vec<Error>) {
    if names.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let wanted: Vec<_> = names.iter().map(Wanted::whole).collect();
    match insist(|| kind.read(aws, wanted.clone())).await {
        Ok(found) => return (found, Vec::new()),
        Err(error) if names.len() == 1 || error.is_outage() => return (Vec::new(), vec![error]),
        Err(_) => {}
    }
    let each = names.iter().map(|name| insist(move || kind.read(aws, vec![Wanted::whole(name)])));
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for one in join_all(each).await {
        match one {
            Ok(lives) => found.extend(lives),
            Err(error) => errors.push(error),
        }
    }
    (found, errors)
}
