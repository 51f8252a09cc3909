//! What `postgres_seed` and `mysql_seed` share: files of SQL or CSV, run in a database and
//! recorded there, with a mark on the server in AWS so that a plan needs no database.

mod mark;
mod run;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error};
use crate::field::{Database, Derived, Files};
use crate::kind::{Cx, Farewell, Found, Kind, OnDestroy, Owner, Site, Wanted};
use crate::reference::is_marked;
use crate::seed::{self, Engine, Load, Mode, Rule, Unit, Work};

/// Which server a kind of seed is for.
pub trait Server: Clone + std::fmt::Debug + 'static {
    /// The server's language.
    const ENGINE: Engine;
    /// See [`Kind::EXAMPLE`].
    const EXAMPLE: &'static str;
}

/// SQL scripts or CSV files that are run in a database, once each, and recorded in its table
/// `lagoa_seeds` in the same transaction as the work.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Seed")]
pub struct SqlSeed<S> {
    /// The database to work in: the key of an `rds_instance`, or host, port, username, password
    /// and database of a server that lagoa doesn't own.
    pub database: Database,
    /// SQL files, as paths or globs; they run in lexical order, each in a transaction of its own
    /// where the server allows it. Either this or `csv`.
    #[serde(default)]
    pub scripts: Files,
    /// CSV files to load into `table`. Either this or `scripts`.
    #[serde(default)]
    pub csv: Files,
    /// The table that CSV goes into, with its schema if need be; `{file}` is the file's name
    /// without its ending.
    pub table: Option<String>,
    /// The table's columns, in the order of the file's; by default as the header says.
    pub columns: Option<Vec<String>>,
    /// What stands between two values. Default `,`.
    pub delimiter: Option<Delimiter>,
    /// The text that means NULL. By default a field with nothing in it.
    pub null: Option<String>,
    /// Whether the first line names the columns. Default true.
    pub header: Option<bool>,
    /// What happens to rows that are there. Default `insert`.
    pub mode: Option<LoadMode>,
    /// The columns that tell rows apart, for `mode: upsert`.
    #[serde(default)]
    pub key: Vec<String>,
    /// Values for `${name}` in the scripts. A `${name}` without a value is an error.
    #[serde(default)]
    pub with: BTreeMap<String, String>,
    /// When a file runs: `once`, `changed` (again after every edit) or `always`. By default
    /// `once` for scripts that drop, truncate, delete or update, else `changed`.
    pub run: Option<Run>,
    /// Digest of each file, as it is or as it ran.
    #[serde(default)]
    pub digests: Derived<BTreeMap<String, String>>,
    #[serde(skip)]
    #[schemars(skip)]
    server: PhantomData<S>,
}

/// When a file runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// One time; after an edit a person decides (`--seed-rerun`, `--seed-accept`).
    Once,
    /// When it's new, and again whenever it's edited.
    Changed,
    /// At every apply.
    Always,
}

/// What a load does about rows that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadMode {
    /// A row that is there is an error, and nothing is loaded.
    Insert,
    /// A row with the same key is updated.
    Upsert,
    /// All rows are deleted first, in the same transaction.
    Replace,
    /// Rows are added without a look at what is there; runs only once.
    Append,
}

/// One ASCII character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Delimiter(#[schemars(length(min = 1, max = 1))] pub String);

/// The rows of a CSV in words: `1,204 rows × 8 columns`.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups.filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

impl<S: Server> SqlSeed<S> {
    fn rule(&self, unit: &Unit) -> Rule {
        match self.run {
            Some(Run::Once) => Rule::Once,
            Some(Run::Changed) => Rule::Changed,
            Some(Run::Always) => Rule::Always,
            None => unit.default_rule(),
        }
    }

    fn mode(&self) -> Mode {
        match self.mode.unwrap_or(LoadMode::Insert) {
            LoadMode::Insert => Mode::Insert,
            LoadMode::Upsert => Mode::Upsert { key: self.key.clone() },
            LoadMode::Replace => Mode::Replace,
            LoadMode::Append => Mode::Append,
        }
    }

    /// Each file with what is to be done with it, in order.
    fn work(&self) -> Vec<(String, Work)> {
        let scripts = self.scripts.0.iter().map(|path| (path.clone(), Work::Script));
        let loads = self.csv.0.iter().map(|path| {
            let stem =
                Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let table = self.table.as_deref().unwrap_or("{file}").replace("{file}", stem);
            let defaults = Load::into(table);
            let delimiter = self.delimiter.as_ref().and_then(|text| text.0.chars().next());
            let load = Load {
                columns: self.columns.clone(),
                delimiter: delimiter.unwrap_or(defaults.delimiter),
                null: self.null.clone().unwrap_or_else(|| defaults.null.clone()),
                header: self.header.unwrap_or(defaults.header),
                mode: self.mode(),
                ..defaults
            };
            (path.clone(), Work::Csv(load))
        });
        scripts.chain(loads).collect()
    }

    /// Every file read and checked.
    fn units(&self, root: &Path) -> Result<Vec<Rc<Unit>>, Vec<String>> {
        let mut units = Vec::new();
        let mut problems = Vec::new();
        for (path, work) in self.work() {
            match examined(root, &path, S::ENGINE, &work, &self.with) {
                Ok(unit) => units.push(unit),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(units) } else { Err(problems) }
    }

    /// Digests of the files as they are; unknown while a value in `with` is.
    fn predict_digests(&mut self, root: &Path) {
        let open = self.with.values().find(|value| is_marked(value)).cloned();
        self.digests = match open {
            Some(mark) => BTreeMap::from([("with".to_owned(), mark)]).into(),
            None => Derived(self.units(root).ok().map(|units| mark::digests(&units))),
        };
    }

    fn is_open(&self) -> bool {
        self.with.values().any(|value| is_marked(value))
    }

    /// The files that will run, and the number of those that have. When all have, a person wants
    /// all of them again; when they are known by one digest only, nobody can tell.
    fn due<'a>(&self, units: &'a [Rc<Unit>], live: Option<&Self>) -> (Vec<&'a Unit>, usize) {
        let digests = |seed: &Self| seed.digests.0.clone().unwrap_or_default();
        let (now, ran) = (digests(self), live.map(digests).unwrap_or_default());
        let is_done =
            |path: &str| now.get(path).is_some_and(|digest| ran.get(path) == Some(digest));
        let due: Vec<&Unit> =
            units.iter().map(|unit| &**unit).filter(|unit| !is_done(&unit.path)).collect();
        if due.is_empty() {
            return (units.iter().map(|unit| &**unit).collect(), 0);
        }
        let done = units.len() - due.len();
        (due, done)
    }

    fn describe(&self, unit: &Unit) -> String {
        if let Some(rows) = unit.rows {
            let mode = match self.mode() {
                Mode::Insert => "inserted".to_owned(),
                Mode::Upsert { key } => format!("upserted by {}", key.join(", ")),
                Mode::Replace => "replacing all rows".to_owned(),
                Mode::Append => "appended".to_owned(),
            };
            let size = unit.bytes.div_ceil(1024);
            let columns = unit.columns.unwrap_or_default();
            return format!(
                "{}: {} rows × {columns} columns, {size} KB, {mode}",
                unit.path,
                count(rows)
            );
        }
        let total: usize = unit.statements.iter().map(|(_, number)| number).sum();
        let classes = unit.statements.iter().map(|(class, number)| format!("{number} {class}"));
        let classes: Vec<String> = classes.collect();
        let how = if unit.transactional { "one transaction" } else { "statement by statement" };
        let plural = if total == 1 { "" } else { "s" };
        format!("{}: {total} statement{plural} ({}), {how}", unit.path, classes.join(", "))
    }
}

/// A file as it was when it was examined: a large CSV isn't parsed again for every question.
type Memory = BTreeMap<String, Result<Rc<Unit>, Vec<String>>>;

fn examined(
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

impl<S: Server> Kind for SqlSeed<S> {
    const EXAMPLE: &'static str = S::EXAMPLE;
    const NAME: &'static str = r"^[A-Za-z0-9][A-Za-z0-9._:/=+@-]{0,99}$";
    const ON_DESTROY: &'static [OnDestroy] = &[OnDestroy::Retain];
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Retain);
    const READS_AFTER_REFERENCES: bool = true;
    const SEED: bool = true;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        mark::read(aws, wanted).await
    }

    async fn owned(_: &Aws) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        run::run(self, cx).await
    }

    async fn update(&self, _live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        run::run(self, cx).await
    }

    /// The data stays, and so does its line in the ledger.
    async fn delete(&self, _: &Farewell, _: &Cx<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn predict(&mut self, _name: &str, _site: &Site, root: &Path) {
        self.predict_digests(root);
    }

    fn owner(&self) -> Option<Owner> {
        None
    }

    fn check(&self, root: &Path) -> Vec<(String, String)> {
        let problem = |path: &str, message: &str| vec![(path.to_owned(), message.to_owned())];
        match (self.scripts.0.is_empty(), self.csv.0.is_empty()) {
            (true, true) => return problem("", "a seed needs `scripts` or `csv`"),
            (false, false) => {
                return problem("csv", "a seed has `scripts` or `csv`, not both; make two of it");
            }
            _ => {}
        }
        if !self.csv.0.is_empty() && self.table.is_none() {
            return problem(
                "csv",
                "`table` is missing: which table do the rows go into? `{file}` takes the file's name",
            );
        }
        if self.mode == Some(LoadMode::Upsert) && self.key.is_empty() {
            return problem("mode", "`mode: upsert` needs `key`: the columns that tell rows apart");
        }
        if self.is_open() {
            return Vec::new();
        }
        let path = if self.csv.0.is_empty() { "scripts" } else { "csv" };
        let problems = self.units(root).err().unwrap_or_default();
        problems.into_iter().map(|problem| (path.to_owned(), problem)).collect()
    }

    fn summary(&self, live: Option<&Self>, root: &Path) -> Vec<String> {
        let units = self.units(root).unwrap_or_default();
        let (runs, done) = self.due(&units, live);
        let mut lines: Vec<String> = runs.iter().map(|unit| self.describe(unit)).collect();
        for unit in runs {
            let destroys = unit.destructive.iter();
            lines.extend(
                destroys.map(|(line, what)| format!("{}:{line} destroys: {what}", unit.path)),
            );
            lines.extend(unit.warnings.iter().map(|warning| format!("{}: {warning}", unit.path)));
        }
        match done {
            0 => {}
            1 => lines.push("1 other file has run as it is".to_owned()),
            _ => lines.push(format!("{done} other files have run as they are")),
        }
        lines
    }

    fn undecided(&self, live: &Self, root: &Path) -> Option<String> {
        mark::undecided(self, live, root)
    }
}
