//! The mark that a seed leaves on its server in AWS: when it ran, and a digest of each file.
//! A plan reads marks instead of logging in; the ledger in the database has the last word.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Run, Server, SqlSeed, run};
use crate::aws::{Aws, Error, marks};
use crate::field::{Connection, Database};
use crate::kind::{Found, Wanted};
use crate::seed::{Standing, Unit};

/// A tag's value has room for this many files; more are told apart only as a whole.
const FILES: usize = 16;

/// So many digits of its path's hash stand for a file.
const PATH: usize = 4;

/// Digest of each file by path, or of all of them together when a tag can't tell them apart.
pub fn digests(units: &[Rc<Unit>]) -> BTreeMap<String, String> {
    if are_told_apart(units.iter().map(|unit| unit.path.as_str())) {
        return units.iter().map(|unit| (unit.path.clone(), short(&unit.digest))).collect();
    }
    let all: Vec<String> =
        units.iter().map(|unit| format!("{} {}", unit.path, unit.digest)).collect();
    BTreeMap::from([(format!("{} files", units.len()), hash(&all.join("\n"), 16))])
}

/// Whether a tag has room for each of the files, by the digits that stand for its path there.
fn are_told_apart<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> bool {
    let number = paths.len();
    let marks: BTreeSet<String> = paths.map(|path| hash(path, PATH)).collect();
    number <= FILES && marks.len() == number
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

/// The mark's text: `2026-11-02T10:00:00Z 1f2a=09f3ab12 …`, each file by digits of its path's hash.
pub(super) fn text(at: Timestamp, digests: &BTreeMap<String, String>) -> String {
    let files = digests.iter().map(|(path, digest)| format!("{}={digest}", hash(path, PATH)));
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
        let known =
            |path: &String| Some((path.clone(), self.files.get(&hash(path, PATH))?.clone()));
        desired.keys().filter_map(known).collect()
    }
}

/// The marks of the servers that a read comes across, each read once.
#[derive(Default)]
pub struct Marks {
    by_server: BTreeMap<String, BTreeMap<String, String>>,
}

impl Marks {
    /// What a seed's mark on a server says of the files that the stack names now; `None` without a
    /// mark. What a seed that runs at every apply did before this one doesn't count.
    pub async fn digests(
        &mut self,
        aws: &Aws,
        arn: &str,
        name: &str,
        run: Option<Run>,
        desired: Option<&BTreeMap<String, String>>,
    ) -> Result<Option<BTreeMap<String, String>>, Error> {
        if !self.by_server.contains_key(arn) {
            let marks = match marks::read(aws, arn).await {
                Err(error) if error.is_gone() => BTreeMap::new(),
                marks => marks?,
            };
            self.by_server.insert(arn.to_owned(), marks);
        }
        let mark = self.by_server[arn].get(name).and_then(|text| parse(text));
        Ok(mark.map(|mark| match desired {
            Some(desired) if !is_outdated(run, name) => mark.digests(desired),
            _ => BTreeMap::new(),
        }))
    }
}

/// Leaves the mark of a seed that has run, on the server if it is in AWS.
pub async fn leave(
    aws: &Aws,
    arn: Option<&str>,
    name: &str,
    digests: &BTreeMap<String, String>,
) -> Result<(), Error> {
    RAN.with_borrow_mut(|ran| ran.insert(name.to_owned()));
    match arn {
        Some(arn) => marks::write(aws, arn, name, &text(Timestamp::now(), digests)).await,
        None => Ok(()),
    }
}

pub(super) async fn read<S: Server>(
    aws: &Aws,
    wanted: &[Wanted<SqlSeed<S>>],
) -> Result<Vec<Found<SqlSeed<S>>>, Error> {
    let mut marks = Marks::default();
    let mut found = Vec::new();
    for Wanted { name, desired, .. } in wanted {
        let Some(seed) = desired else { continue };
        let Database::Known(connection) = &seed.database else { continue };
        let mut seed = seed.clone();
        seed.predict_digests(&aws.root);
        let live = match &connection.arn {
            Some(arn) => marks.digests(aws, arn, name, seed.run, seed.digests.as_ref()).await?,
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

/// What a seed that runs at every apply did before this one doesn't count.
pub(super) fn is_outdated(run: Option<Run>, name: &str) -> bool {
    run == Some(Run::Always) && !RAN.with_borrow(|ran| ran.contains(name))
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
    told(&units, standings, is_outdated(seed.run, name), seed.digests.as_ref())
}

/// What a ledger says of the files, in the form of a mark.
pub(super) fn told(
    units: &[Unit],
    standings: Vec<Standing>,
    outdated: bool,
    now: Option<&BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    let ran = units.iter().zip(standings).filter_map(|(unit, standing)| match standing {
        Standing::Done { .. } if !outdated => Some((unit.path.clone(), short(&unit.digest))),
        Standing::Changed { digest, .. } => Some((unit.path.clone(), short(&digest))),
        _ => None,
    });
    let ran: BTreeMap<_, _> = ran.collect();
    let as_one = !are_told_apart(units.iter().map(|unit| unit.path.as_str()));
    match (ran.is_empty(), as_one) {
        (true, _) => None,
        (false, false) => Some(ran),
        (false, true) if ran.len() == units.len() => now.cloned(),
        (false, true) => Some(BTreeMap::new()),
    }
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
    fn files_that_look_alike_in_a_tag_are_marked_as_one() {
        let paths: Vec<String> = (0..2000).map(|number| format!("sql/{number}.sql")).collect();
        let mut seen = BTreeMap::new();
        let alike = paths.iter().find_map(|path| {
            let other = seen.insert(hash(path, PATH), path)?;
            Some([other.as_str(), path.as_str()])
        });
        let alike = alike.expect("two of so many look alike");
        assert!(!are_told_apart(alike.into_iter()));
        assert!(are_told_apart(["a.sql", "b.sql"].into_iter()));
        assert!(!are_told_apart(paths.iter().take(FILES + 1).map(String::as_str)));
    }

    #[test]
    fn a_full_mark_fits_a_tag() {
        let digests = (0..FILES).map(|n| (format!("sql/{n}.sql"), "12345678".to_owned())).collect();
        let text = text(Timestamp::UNIX_EPOCH, &digests);
        assert!(text.len() <= 256, "{}", text.len());
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c)));
    }
}
