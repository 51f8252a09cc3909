//! The mark that a seed leaves on its server in AWS: when it ran, and a digest of each file.
//! A plan reads marks instead of logging in; the ledger in the database has the last word.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Run, Server, SqlSeed, run};
use crate::aws::{Aws, Error, marks};
use crate::field::{Connection, Database};
use crate::kind::{Found, Wanted};
use crate::seed::{Rule, Standing, Unit};

/// A tag's value has room for this many files; more are told apart only as a whole.
const FILES: usize = 16;

/// Digest of each file by path, or of all of them together when there are too many for a tag.
pub(super) fn digests(units: &[Rc<Unit>]) -> BTreeMap<String, String> {
    if units.len() <= FILES {
        return units.iter().map(|unit| (unit.path.clone(), short(&unit.digest))).collect();
    }
    let all: Vec<String> =
        units.iter().map(|unit| format!("{} {}", unit.path, unit.digest)).collect();
    BTreeMap::from([(format!("{} files", units.len()), hash(&all.join("\n"), 16))])
}

fn short(digest: &str) -> String {
    digest.chars().take(8).collect()
}

fn hash(text: &str, length: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .chars()
        .take(length)
        .collect()
}

/// The mark's text: `2026-11-02T10:00:00Z 1f2a=09f3ab12 …`, each file by four digits of its
/// path's hash, which are enough to tell sixteen apart.
pub(super) fn text(at: Timestamp, digests: &BTreeMap<String, String>) -> String {
    let files = digests.iter().map(|(path, digest)| format!("{}={digest}", hash(path, 4)));
    let files: Vec<String> = files.collect();
    format!("{} {}", at.strftime("%Y-%m-%dT%H:%M:%SZ"), files.join(" "))
}

struct Mark {
    files: BTreeMap<String, String>,
}

fn parse(text: &str) -> Option<Mark> {
    let mut words = text.split(' ');
    words.next()?.parse::<Timestamp>().ok()?;
    let files = words.filter_map(|word| word.split_once('='));
    Some(Mark { files: files.map(|(path, digest)| (path.to_owned(), digest.to_owned())).collect() })
}

impl Mark {
    /// The digests that ran, by the paths that the stack names now.
    fn digests(&self, desired: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let known = |path: &String| Some((path.clone(), self.files.get(&hash(path, 4))?.clone()));
        desired.keys().filter_map(known).collect()
    }
}

pub(super) async fn read<S: Server>(
    aws: &Aws,
    wanted: &[Wanted<SqlSeed<S>>],
) -> Result<Vec<Found<SqlSeed<S>>>, Error> {
    let mut by_server: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut found = Vec::new();
    for Wanted { name, desired } in wanted {
        let Some(seed) = desired else { continue };
        let Database::Known(connection) = &seed.database else { continue };
        let mut seed = seed.clone();
        seed.predict_digests(&aws.root);
        let live = match &connection.arn {
            Some(arn) => {
                if !by_server.contains_key(arn) {
                    let marks = match marks::read(aws, arn).await {
                        Err(error) if error.is_gone() => BTreeMap::new(),
                        marks => marks?,
                    };
                    by_server.insert(arn.clone(), marks);
                }
                by_server[arn]
                    .get(name)
                    .and_then(|text| parse(text))
                    .map(|mark| marked(&seed, &mark, name))
            }
            None => recorded(aws, &seed, connection, name).await,
        };
        if let Some(digests) = live {
            seed.digests = digests.into();
            found.push(Found { name: name.clone(), fields: seed });
        }
    }
    Ok(found)
}

thread_local! {
    /// Seeds that this process has run.
    static RAN: RefCell<BTreeSet<String>> = RefCell::default();
}

/// Remembers that the seed has run in this process.
pub(super) fn remember(name: &str) {
    RAN.with_borrow_mut(|ran| ran.insert(name.to_owned()));
}

/// What a seed that runs at every apply did before this one doesn't count.
fn is_outdated<S: Server>(seed: &SqlSeed<S>, name: &str) -> bool {
    seed.run == Some(Run::Always) && !RAN.with_borrow(|ran| ran.contains(name))
}

fn marked<S: Server>(seed: &SqlSeed<S>, mark: &Mark, name: &str) -> BTreeMap<String, String> {
    if is_outdated(seed, name) {
        return BTreeMap::new();
    }
    mark.digests(seed.digests.as_ref().unwrap_or(&BTreeMap::new()))
}

/// A server outside AWS has no marks, so its ledger is asked; when it doesn't answer, the seed
/// counts as not done and the ledger decides at apply.
async fn recorded<S: Server>(
    aws: &Aws,
    seed: &SqlSeed<S>,
    connection: &Connection,
    name: &str,
) -> Option<BTreeMap<String, String>> {
    let units: Vec<Unit> =
        seed.units(&aws.root).ok()?.iter().map(|unit| Unit::clone(unit)).collect();
    let target = run::target(aws, connection).await.ok()?;
    let seeding = crate::seed::Seeding::new(S::ENGINE, &target, &aws.site.stack, name);
    let standings = seeding.standing(&units).await.ok()?;
    let outdated = is_outdated(seed, name);
    let ran = units.iter().zip(standings).filter_map(|(unit, standing)| match standing {
        Standing::Done { .. } if !outdated => Some((unit.path.clone(), short(&unit.digest))),
        Standing::Changed { digest, .. } => Some((unit.path.clone(), short(&digest))),
        _ => None,
    });
    let ran: BTreeMap<_, _> = ran.collect();
    match (ran.is_empty(), units.len() > FILES) {
        (true, _) => None,
        (false, false) => Some(ran),
        (false, true) if ran.len() == units.len() => seed.digests.0.clone(),
        (false, true) => Some(BTreeMap::new()),
    }
}

/// Why a person has to decide: a file that runs once was edited after it ran.
pub(super) fn undecided<S: Server>(
    seed: &SqlSeed<S>,
    live: &SqlSeed<S>,
    root: &Path,
) -> Option<String> {
    let (now, ran) = (seed.digests.as_ref()?, live.digests.as_ref()?);
    let units = seed.units(root).ok()?;
    let edited = units.iter().filter(|unit| {
        seed.rule(unit) == Rule::Once
            && ran.get(&unit.path).is_some_and(|digest| now.get(&unit.path) != Some(digest))
    });
    let words = edited.map(|unit| {
        let destroys = unit.destructive.iter().map(|(line, what)| format!("line {line}: {what}"));
        let destroys: Vec<String> = destroys.collect();
        let risk =
            if destroys.is_empty() { String::new() } else { format!(" ({})", destroys.join("; ")) };
        format!("{} was edited after it ran, and it runs once{risk}", unit.path)
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_what_ran() {
        let digests = BTreeMap::from([
            ("a.sql".to_owned(), "11111111".to_owned()),
            ("b.sql".to_owned(), "22222222".to_owned()),
        ]);
        let text = text(Timestamp::UNIX_EPOCH, &digests);
        let mark = parse(&text).unwrap();
        assert_eq!(mark.digests(&digests), digests);
        let other = BTreeMap::from([("c.sql".to_owned(), String::new())]);
        assert!(mark.digests(&other).is_empty());
    }

    #[test]
    fn a_full_mark_fits_a_tag() {
        let digests = (0..FILES).map(|n| (format!("sql/{n}.sql"), "12345678".to_owned())).collect();
        let text = text(Timestamp::UNIX_EPOCH, &digests);
        assert!(text.len() <= 256, "{}", text.len());
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c)));
    }
}
