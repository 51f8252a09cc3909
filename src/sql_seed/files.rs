//! The files of a seed: read once, described for the plan, and which of them will run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use super::Run;
use crate::seed::{self, Engine, Rule, Unit, Work};

/// A number in words: `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups.filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// When a file runs, by the seed's word or by what is in the file.
pub fn rule(run: Option<Run>, unit: &Unit) -> Rule {
    match run {
        Some(Run::Once) => Rule::Once,
        Some(Run::Changed) => Rule::Changed,
        Some(Run::Always) => Rule::Always,
        None => unit.default_rule(),
    }
}

/// What is in a script: `a.sql: 3 statements (2 create table, 1 insert), one transaction`.
pub fn script_words(unit: &Unit) -> String {
    let total: usize = unit.statements.iter().map(|(_, number)| number).sum();
    let classes = unit.statements.iter().map(|(class, number)| format!("{number} {class}"));
    let classes: Vec<String> = classes.collect();
    let how = match (unit.transactional, unit.warnings.is_empty()) {
        (true, _) => "one transaction",
        (false, true) => "statement by statement",
        (false, false) => "not one transaction",
    };
    let plural = if total == 1 { "" } else { "s" };
    format!("{}: {total} statement{plural} ({}), {how}", unit.path, classes.join(", "))
}

/// A file as it was when it was examined: a large CSV isn't parsed again for every question.
type Memory = BTreeMap<String, Result<Rc<Unit>, Vec<String>>>;

/// Reads and checks a file, unless that was done before.
pub fn examined(
    root: &Path,
    path: &str,
    engine: Engine,
    work: &Work,
    with: &BTreeMap<String, String>,
) -> Result<Rc<Unit>, Vec<String>> {
    thread_local! {
        static MEMORY: RefCell<Memory> = RefCell::default();
    }
    let file = root.join(path);
    let state = std::fs::metadata(&file).ok();
    let state =
        state.map(|state| (state.len(), state.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
    let id = format!("{} {state:?} {engine:?} {work:?} {with:?}", file.display());
    if let Some(known) = MEMORY.with_borrow(|memory| memory.get(&id).cloned()) {
        return known;
    }
    let unit = seed::examine(root, path, engine, work, with).map(Rc::new);
    let unit = unit.map_err(|problems| problems.iter().map(ToString::to_string).collect());
    MEMORY.with_borrow_mut(|memory| memory.insert(id, unit.clone()));
    unit
}

/// Digest of each file by path.
pub type Digests = BTreeMap<String, String>;

/// The files that will run, and the number of those that have. When all have, a person wants
/// all of them again; when they are known by one digest only, nobody can tell.
fn due<'a>(
    units: &'a [Rc<Unit>],
    now: Option<&Digests>,
    ran: Option<&Digests>,
) -> (Vec<&'a Unit>, usize) {
    let of = |digests: Option<&Digests>, path: &str| digests?.get(path).cloned();
    let is_done = |path: &str| of(now, path).is_some_and(|digest| of(ran, path) == Some(digest));
    let due: Vec<&Unit> =
        units.iter().map(|unit| &**unit).filter(|unit| !is_done(&unit.path)).collect();
    if due.is_empty() {
        return (units.iter().map(|unit| &**unit).collect(), 0);
    }
    let done = units.len() - due.len();
    (due, done)
}

/// What a plan says of a seed: the files that will run, with what they destroy and what is worth
/// knowing.
pub fn summary(
    units: &[Rc<Unit>],
    now: Option<&Digests>,
    ran: Option<&Digests>,
    describe: impl Fn(&Unit) -> String,
) -> Vec<String> {
    let (runs, done) = due(units, now, ran);
    let mut lines: Vec<String> = runs.iter().map(|unit| describe(unit)).collect();
    for unit in runs {
        let destroys = unit.destructive.iter();
        lines.extend(destroys.map(|(line, what)| format!("{}:{line} destroys: {what}", unit.path)));
        lines.extend(unit.warnings.iter().map(|warning| format!("{}: {warning}", unit.path)));
    }
    match done {
        0 => {}
        1 => lines.push("1 other file has run as it is".to_owned()),
        _ => lines.push(format!("{done} other files have run as they are")),
    }
    lines
}

/// Why a person has to decide: a file that runs once was edited after it ran.
pub fn undecided(
    units: &[Rc<Unit>],
    run: Option<Run>,
    now: &Digests,
    ran: &Digests,
) -> Option<String> {
    let edited = units.iter().filter(|unit| {
        rule(run, unit) == Rule::Once
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
