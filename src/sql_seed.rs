//! What seeds of SQL share: files of SQL or CSV, run in a database and recorded there, with a mark
//! on the server in AWS so that a plan needs no database. `postgres_seed` and `mysql_seed` are this
//! kind; `redshift_seed` has a way of its own to the database, and shares the rest.

pub mod data_api;
pub mod files;
pub mod mark;
mod run;
pub mod warehouse;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error};
use crate::field::{Database, Derived, Files};
use crate::kind::{Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Owner, Site, Wanted};
use crate::reference::is_marked;
use crate::seed::{Engine, Load, Mode, Rule, Unit, Work};

/// Which server a kind of seed is for.
pub trait Server: Clone + std::fmt::Debug + 'static {
    /// The server's language.
    const ENGINE: Engine;
    /// See [`Kind::EXAMPLE`].
    const EXAMPLE: &'static str;
    /// What the kind is, for its reference page.
    const ABOUT: &'static str;
}

/// SQL scripts or CSV files that are run in a database, once each, and recorded in its table
/// `lagoa_seeds` in the same transaction as the work.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Seed", bound = "S: Server", extend("description" = S::ABOUT))]
pub struct SqlSeed<S> {
    /// The database to work in: the key of an `rds_instance` or `rds_cluster`, or host, port,
    /// username, password and database of a server that lagoa doesn't own.
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

impl<S: Server> SqlSeed<S> {
    fn rule(&self, unit: &Unit) -> Rule {
        files::rule(self.run, unit)
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
            match files::examined(root, &path, S::ENGINE, &work, &self.with) {
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
                files::count(rows)
            );
        }
        files::script_words(unit)
    }
}

impl<S: Server> Kind for SqlSeed<S> {
    const EXAMPLE: &'static str = S::EXAMPLE;
    const NAME: &'static str = r"^[A-Za-z0-9][A-Za-z0-9._:/=+@-]{0,99}$";
    /// The server itself lets its tags be read and written. RDS keeps a managed password in a
    /// secret under a name of its own.
    const ACCESS: Access = Access {
        write: &[Grant::of(
            &["secretsmanager:GetSecretValue"],
            &["secretsmanager:{region}:{account}:secret:rds!*"],
        )],
        ..Access::NONE
    };
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

    async fn names(_: &Aws) -> Result<Vec<String>, Error> {
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
        if self.mode == Some(LoadMode::Append) && self.run.is_some_and(|run| run != Run::Once) {
            let message = "`mode: append` would add the same rows at every run: write `run: once`, \
                           or `mode: upsert` or `mode: replace`";
            return problem("run", message);
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
        let ran = live.and_then(|live| live.digests.as_ref());
        files::summary(&units, self.digests.as_ref(), ran, |unit| self.describe(unit))
    }

    fn undecided(&self, live: &Self, root: &Path) -> Option<String> {
        let units = self.units(root).ok()?;
        files::undecided(&units, self.run, self.digests.as_ref()?, live.digests.as_ref()?)
    }
}
