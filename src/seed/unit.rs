//! Reading one file of a seed without a database.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::error::{SeedError, SeedProblem};
use super::script::{InDoubt, Nature, Statement, census, excerpt};
use super::source::Source;
use super::{
    Engine, Mode, Rule, Work, digest, mysql_script, postgres_script, redshift_script, source, table,
};

/// One file of a seed, read, checked and digested: what a plan shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Unit {
    /// As the stack says: relative, with `/`.
    pub path: String,
    /// SHA-256 of what would be run.
    pub digest: String,
    /// The size of the file.
    pub bytes: u64,
    /// What a script holds: `create table` and how many of them.
    pub statements: Vec<(String, usize)>,
    /// How many rows a CSV file has.
    pub rows: Option<u64>,
    /// How many columns a CSV file has.
    pub columns: Option<usize>,
    /// Statements that can destroy data, with their lines.
    pub destructive: Vec<(usize, String)>,
    /// What is worth knowing before it runs.
    pub warnings: Vec<String>,
    /// Whether it's applied as a whole or not at all.
    pub transactional: bool,
    pub(super) work: Work,
    pub(super) with: BTreeMap<String, String>,
    pub(super) engine: Engine,
    /// For a script that is journaled: one more than it has statements.
    pub(super) steps: Vec<Step>,
}

/// A statement of a journaled script, as the journal needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The digest of all statements before this one.
    pub(super) chain: String,
    pub(super) line: usize,
    pub(super) class: String,
    /// Set when the statement commits by itself.
    pub(super) in_doubt: Option<InDoubt>,
}

impl fmt::Debug for Unit {
    /// Without the values that placeholders are filled with: they may be secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Unit")
            .field("path", &self.path)
            .field("digest", &self.digest)
            .field("statements", &self.statements)
            .field("rows", &self.rows)
            .field("with", &self.with.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Unit {
    /// The rule when the stack doesn't say one: a script that can destroy data runs once.
    pub fn default_rule(&self) -> Rule {
        let appends = matches!(&self.work, Work::Csv(load) if load.mode == Mode::Append);
        if self.destructive.is_empty() && !appends { Rule::Changed } else { Rule::Once }
    }

    /// Whether the first statements are those the ledger tells of.
    pub(super) fn begins_with(&self, statements: usize, prefix: &str) -> bool {
        self.steps.get(statements).is_some_and(|step| step.chain == prefix)
    }

    pub(super) fn empty(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            digest: String::new(),
            bytes: 0,
            statements: Vec::new(),
            rows: None,
            columns: None,
            destructive: Vec::new(),
            warnings: Vec::new(),
            transactional: true,
            work: Work::Script,
            with: BTreeMap::new(),
            engine: Engine::Postgres,
            steps: Vec::new(),
        }
    }
}

/// Reads and checks one file. Reports all that is wrong with it, not only the first.
pub fn examine(
    root: &Path,
    path: &str,
    engine: Engine,
    work: &Work,
    with: &BTreeMap<String, String>,
) -> Result<Unit, Vec<SeedProblem>> {
    let unit = Unit { work: work.clone(), with: with.clone(), engine, ..Unit::empty(path) };
    match work {
        Work::Script => examine_script(root, unit),
        Work::Csv(load) => {
            let table = table::examine(root, path, load)?;
            let (digest, bytes) = file_digest(root, &unit).map_err(|problem| vec![problem])?;
            let columns = Some(table.width);
            Ok(Unit { digest, bytes, columns, rows: Some(table.rows), ..unit })
        }
    }
}

fn examine_script(root: &Path, mut unit: Unit) -> Result<Unit, Vec<SeedProblem>> {
    let text = source::read(root, &unit.path).map_err(|problem| vec![problem])?;
    unit.digest = digest::script(&text, &unit.with);
    unit.bytes = text.len() as u64;
    match unit.engine {
        Engine::Postgres => {
            let (script, problems) =
                postgres_script::parse(&unit.path, text, &unit.with, unit.engine);
            unit.transactional = script.transactional;
            describe(&mut unit, &script.source, &script.statements);
            if problems.is_empty() { Ok(unit) } else { Err(problems) }
        }
        Engine::Redshift => {
            let (script, problems) = redshift_script::parse(&unit.path, text, &unit.with);
            unit.transactional = script.is_one_transaction();
            unit.warnings = script.warnings();
            describe(&mut unit, &script.script.source, &script.script.statements);
            if problems.is_empty() { Ok(unit) } else { Err(problems) }
        }
        Engine::Mysql => {
            let (script, problems) = mysql_script::parse(&unit.path, text, &unit.with);
            let commits = |statement: &Statement| matches!(statement.nature, Nature::Journaled(_));
            unit.transactional = !script.statements.iter().any(commits);
            unit.warnings = script.warnings;
            describe(&mut unit, &script.source, &script.statements);
            if problems.is_empty() { Ok(unit) } else { Err(problems) }
        }
    }
}

fn describe(unit: &mut Unit, source: &Source, statements: &[Statement]) {
    let text = |statement: &Statement| &source.text[statement.range.clone()];
    unit.statements = census(statements);
    let destructive = statements.iter().filter(|statement| statement.destroys);
    unit.destructive = destructive
        .map(|statement| (source.line(statement.range.start), excerpt(text(statement))))
        .collect();
    if unit.transactional && unit.engine != Engine::Mysql {
        return;
    }
    let chain = digest::chain(statements.iter().map(text));
    let mut steps: Vec<Step> = Vec::with_capacity(chain.len());
    for (index, chain) in chain.into_iter().enumerate() {
        let statement = statements.get(index);
        steps.push(Step {
            chain,
            line: statement.map_or(0, |statement| source.line(statement.range.start)),
            class: statement.map_or_else(String::new, |statement| statement.class.clone()),
            in_doubt: statement.and_then(|statement| match statement.nature {
                Nature::Journaled(in_doubt) => Some(in_doubt),
                _ => None,
            }),
        });
    }
    unit.steps = steps;
}

fn file_digest(root: &Path, unit: &Unit) -> Result<(String, u64), SeedProblem> {
    let Work::Csv(load) = &unit.work else {
        let text = source::read(root, &unit.path)?;
        return Ok((digest::script(&text, &unit.with), text.len() as u64));
    };
    digest::file(&root.join(&unit.path), &load.reading())
        .map_err(|error| source::unreadable(&unit.path, &error))
}

/// Refuses files that aren't those that were examined.
pub(super) fn check_unchanged(root: &Path, units: &[Unit]) -> Result<(), SeedError> {
    for unit in units {
        let (digest, _) =
            file_digest(root, unit).map_err(|problem| SeedError::Files(vec![problem]))?;
        if digest != unit.digest {
            return Err(SeedError::ChangedSincePlan { path: unit.path.clone() });
        }
    }
    Ok(())
}

/// Refuses to add the same rows again and again.
pub(super) fn check_append(units: &[Unit], rule: Rule) -> Result<(), SeedError> {
    let appends = |unit: &&Unit| matches!(&unit.work, Work::Csv(load) if load.mode == Mode::Append);
    match units.iter().find(appends) {
        Some(unit) if rule != Rule::Once => {
            Err(SeedError::AppendNeedsOnce { path: unit.path.clone() })
        }
        _ => Ok(()),
    }
}
