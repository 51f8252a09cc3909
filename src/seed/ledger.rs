//! The ledger: the table `lagoa_seeds` in the database that is seeded. It says what has run, so
//! a restored or replaced database tells the truth by itself.
//!
//! A row is written in the same transaction as the work it tells of. Where an engine commits by
//! itself in the middle of a file, the row is a journal: `running` before such a statement,
//! `partial` after it, `done` at the end.

use jiff::Timestamp;

use super::error::{SeedError, Why};
use super::script::InDoubt;
use super::{Decision, Rule, Standing, Unit};

/// The table, and the version of its columns that this code writes.
pub(super) const TABLE: &str = "lagoa_seeds";
const VERSION: u32 = 1;

/// The longest names that fit the table. A server that isn't strict would cut longer ones, and
/// then never find them again.
const LONGEST: [(&str, usize); 3] = [("stack", 64), ("seed", 128), ("file", 512)];

/// Refuses names that don't fit.
pub(super) fn check_names(stack: &str, seed: &str, units: &[Unit]) -> Result<(), SeedError> {
    let files = units.iter().map(|unit| (unit.path.as_str(), LONGEST[2]));
    for (name, (what, longest)) in
        [(stack, LONGEST[0]), (seed, LONGEST[1])].into_iter().chain(files)
    {
        if name.chars().count() > longest {
            let reason =
                format!("the name of the {what} {name} is longer than {longest} characters");
            return Err(SeedError::Ledger { reason });
        }
    }
    Ok(())
}

/// A name for one run of one file.
pub(super) fn run_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// What the table is marked with, to be known and to be upgraded.
pub(super) fn mark() -> String {
    format!("lagoa seed ledger, version {VERSION}")
}

/// Refuses a ledger that this code doesn't know.
pub(super) fn check_mark(found: &str) -> Result<(), String> {
    let version =
        found.strip_prefix("lagoa seed ledger, version ").and_then(|rest| rest.parse::<u32>().ok());
    match version {
        Some(VERSION) => Ok(()),
        Some(other) => Err(format!(
            "it has version {other}, and this lagoa knows version {VERSION}; use the lagoa that made it, or a newer one"
        )),
        None => Err(format!("there is a table {TABLE} that lagoa did not make; rename it")),
    }
}

/// One file of one seed, as the ledger tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) file: String,
    pub(super) digest: String,
    pub(super) state: State,
    /// How many statements have been applied for certain.
    pub(super) done: usize,
    /// The digest of those statements, and of the running one.
    pub(super) prefix: String,
    /// Which run wrote it: how a run knows its own row when the answer to its commit was lost.
    pub(super) run: String,
    pub(super) at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Done,
    Partial,
    Running,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Running => "running",
        }
    }
}

/// The columns in the order [`row`] takes them.
pub(super) const COLUMNS: &str = "file, digest, state, done, prefix, run_id";

/// A row from the text of its columns, the last of them the time.
pub(super) fn row(columns: &[&str]) -> Option<Row> {
    let [file, digest, state, done, prefix, run, at] = columns else { return None };
    let states = [State::Done, State::Partial, State::Running];
    Some(Row {
        file: (*file).to_owned(),
        digest: (*digest).to_owned(),
        state: states.into_iter().find(|known| known.name() == *state)?,
        done: done.parse().ok()?,
        prefix: (*prefix).to_owned(),
        run: (*run).to_owned(),
        at: at.parse().ok()?,
    })
}

/// What is written: the row of a file, from now on.
pub(super) struct Entry<'a> {
    pub(super) unit: &'a Unit,
    pub(super) state: State,
    pub(super) done: usize,
    pub(super) rows: u64,
    pub(super) run: &'a str,
    pub(super) milliseconds: u128,
}

impl Entry<'_> {
    /// The values of all columns after (stack, seed): text ones to be quoted, then numbers.
    pub(super) fn texts(&self) -> [&str; 5] {
        let reached = self.done + usize::from(self.state == State::Running);
        let prefix = self.unit.steps.get(reached).map_or("", |step| step.chain.as_str());
        [&self.unit.path, &self.unit.digest, self.state.name(), prefix, self.run]
    }

    pub(super) fn numbers(&self) -> [u128; 4] {
        let total: usize = self.unit.statements.iter().map(|(_, count)| count).sum();
        [self.done as u128, total as u128, u128::from(self.rows), self.milliseconds]
    }
}

/// The columns that [`Entry`] has values for, in its order.
pub(super) const TEXTS: [&str; 7] =
    ["stack", "seed", "file", "digest", "state", "prefix", "run_id"];
pub(super) const NUMBERS: [&str; 4] = ["done", "statements", "rows_loaded", "duration_ms"];

/// What the ledger says of a file.
pub(super) fn standing(row: Option<&Row>, unit: &Unit) -> Standing {
    let Some(row) = row else { return Standing::New };
    let at = row.at;
    match row.state {
        State::Done if row.digest == unit.digest => Standing::Done { at },
        State::Done => Standing::Changed { at, digest: row.digest.clone() },
        State::Partial if unit.begins_with(row.done, &row.prefix) => {
            Standing::Halfway { done: row.done, at }
        }
        State::Running if unit.begins_with(row.done + 1, &row.prefix) => match unit
            .steps
            .get(row.done)
        {
            Some(step) if step.in_doubt == Some(InDoubt::Again) => {
                Standing::Halfway { done: row.done, at }
            }
            Some(step) => {
                Standing::InDoubt(Why::InDoubt { line: step.line, class: step.class.clone(), at })
            }
            None => Standing::InDoubt(Why::EditedHalfway { done: row.done, at }),
        },
        State::Partial | State::Running => {
            Standing::InDoubt(Why::EditedHalfway { done: row.done, at })
        }
    }
}

/// What to do about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has run.
    Skip,
    /// Run it from a statement on. With `again`, that statement may have been applied, and an
    /// error that says so is a success.
    Run { from: usize, again: bool },
    /// Record it as done.
    Accept,
    /// Only a person can tell.
    Ask(Why),
}

/// What to do about a file that stands so, under this rule and with this decision.
pub(super) fn decide(
    row: Option<&Row>,
    unit: &Unit,
    rule: Rule,
    decision: Option<Decision>,
) -> Verdict {
    let run = |from| Verdict::Run { from, again: false };
    match (standing(row, unit), rule, decision) {
        (Standing::New, ..) | (Standing::Done { .. }, Rule::Always, _) => run(0),
        (Standing::Done { .. }, ..) => Verdict::Skip,
        (Standing::Changed { .. }, Rule::Changed | Rule::Always, _) => run(0),
        (Standing::Changed { .. }, Rule::Once, Some(Decision::Rerun)) => run(0),
        (Standing::Changed { .. }, Rule::Once, Some(Decision::Accept)) => Verdict::Accept,
        (Standing::Changed { at, .. }, Rule::Once, None) => {
            let destroys =
                unit.destructive.iter().map(|(line, what)| format!("{what} (line {line})"));
            Verdict::Ask(Why::EditedAfterOnce { at, destroys: destroys.collect() })
        }
        (Standing::Halfway { done, .. }, ..) => {
            let again = row.is_some_and(|row| row.state == State::Running);
            Verdict::Run { from: done, again }
        }
        (Standing::InDoubt(why), _, None) => Verdict::Ask(why),
        (Standing::InDoubt(Why::InDoubt { .. }), _, Some(decision)) => {
            let done = row.map_or(0, |row| row.done);
            run(done + usize::from(decision == Decision::Accept))
        }
        (Standing::InDoubt(_), _, Some(Decision::Rerun)) => run(0),
        (Standing::InDoubt(_), _, Some(Decision::Accept)) => run(row.map_or(0, |row| row.done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Step;

    fn unit(digest: &str, statements: &[(&str, Option<InDoubt>)]) -> Unit {
        let steps = statements.iter().map(|(chain, in_doubt)| Step {
            chain: (*chain).to_owned(),
            line: 7,
            class: "create table".to_owned(),
            in_doubt: *in_doubt,
        });
        Unit { digest: digest.to_owned(), steps: steps.collect(), ..Unit::empty("a.sql") }
    }

    fn written(digest: &str, state: State, done: usize, prefix: &str) -> Row {
        let at = Timestamp::UNIX_EPOCH;
        Row {
            file: "a.sql".into(),
            digest: digest.into(),
            state,
            done,
            prefix: prefix.into(),
            run: "r".into(),
            at,
        }
    }

    const RUN: Verdict = Verdict::Run { from: 0, again: false };

    #[test]
    fn an_edited_once_file_asks() {
        let row = written("old", State::Done, 0, "");
        let unit = unit("new", &[]);
        assert!(matches!(
            decide(Some(&row), &unit, Rule::Once, None),
            Verdict::Ask(Why::EditedAfterOnce { .. })
        ));
        assert_eq!(decide(Some(&row), &unit, Rule::Once, Some(Decision::Rerun)), RUN);
        assert_eq!(decide(Some(&row), &unit, Rule::Once, Some(Decision::Accept)), Verdict::Accept);
        assert_eq!(decide(Some(&row), &unit, Rule::Changed, None), RUN);
    }

    #[test]
    fn an_unchanged_file_runs_only_always() {
        let row = written("same", State::Done, 0, "");
        let unit = unit("same", &[]);
        for rule in [Rule::Once, Rule::Changed] {
            assert_eq!(decide(Some(&row), &unit, rule, Some(Decision::Rerun)), Verdict::Skip);
        }
        assert_eq!(decide(Some(&row), &unit, Rule::Always, None), RUN);
        assert_eq!(decide(None, &unit, Rule::Once, None), RUN);
    }

    #[test]
    fn a_run_that_was_cut_off_goes_on() {
        let unit = unit("d", &[("", None), ("c1", Some(InDoubt::Again)), ("c2", None)]);
        let partial = written("d", State::Partial, 1, "c1");
        assert_eq!(
            decide(Some(&partial), &unit, Rule::Once, None),
            Verdict::Run { from: 1, again: false }
        );
        let running = written("d", State::Running, 1, "c2");
        assert_eq!(
            decide(Some(&running), &unit, Rule::Once, None),
            Verdict::Run { from: 1, again: true }
        );
    }

    #[test]
    fn doubt_asks_and_both_answers_end_it() {
        let unit = unit("d", &[("", Some(InDoubt::Ask)), ("c1", None), ("c2", None)]);
        let row = written("d", State::Running, 0, "c1");
        assert!(matches!(
            decide(Some(&row), &unit, Rule::Changed, None),
            Verdict::Ask(Why::InDoubt { line: 7, .. })
        ));
        assert_eq!(decide(Some(&row), &unit, Rule::Changed, Some(Decision::Rerun)), RUN);
        assert_eq!(
            decide(Some(&row), &unit, Rule::Changed, Some(Decision::Accept)),
            Verdict::Run { from: 1, again: false }
        );
    }

    #[test]
    fn edits_to_what_ran_ask() {
        let unit = unit("d", &[("", None), ("other", None), ("c2", None)]);
        let row = written("d0", State::Partial, 1, "c1");
        assert!(matches!(
            decide(Some(&row), &unit, Rule::Changed, None),
            Verdict::Ask(Why::EditedHalfway { done: 1, .. })
        ));
    }

    #[test]
    fn an_unknown_ledger_is_refused() {
        assert!(check_mark(&mark()).is_ok());
        assert!(check_mark("lagoa seed ledger, version 99").unwrap_err().contains("version 99"));
        assert!(check_mark("").unwrap_err().contains("did not make"));
    }
}
