//! A connection to MySQL or MariaDB: opened, locked, and its ledger read and written.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, Row as ServerRow, ServerError, SslOpts};
use secrecy::ExposeSecret;

use super::error::{Holder, SeedError};
use super::ledger::{self, Entry, NUMBERS, Row, TABLE, TEXTS};
use super::{Progress, Seeding, Tls, Watch, tls};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_ATTEMPTS: u32 = 3;
const POLL: Duration = Duration::from_millis(250);
const SAY_EVERY: Duration = Duration::from_secs(10);

/// No waiting for ever for another session's table or row locks.
const SETTINGS: &str =
    "SET SESSION lock_wait_timeout = 30, innodb_lock_wait_timeout = 30, autocommit = 1";

/// Why something didn't work, as far as it decides what to do.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused, and the session goes on.
    Server(ServerError),
    /// The connection is gone.
    Lost(String),
    /// Something that is already said in full.
    Said(SeedError),
}

/// The server ends the session: it shuts down, or somebody killed the connection.
const FATAL: [u16; 4] = [1053, 1077, 1927, 3169];

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(refusal) if FATAL.contains(&refusal.code) => Self::Lost(refusal.message),
            Error::Server(refusal) => Self::Server(refusal),
            other => Self::Lost(reason(&other)),
        }
    }
}

impl From<SeedError> for Failure {
    fn from(error: SeedError) -> Self {
        Self::Said(error)
    }
}

impl Failure {
    /// Where a failure can only concern the ledger.
    pub(super) fn of_ledger(self) -> SeedError {
        match self {
            Self::Said(error) => error,
            Self::Lost(reason) => {
                SeedError::Ledger { reason: format!("the connection was lost ({reason})") }
            }
            Self::Server(refusal) => {
                let denied = [1044, 1142, 1227].contains(&refusal.code);
                let hint = if denied {
                    "; the user needs CREATE, SELECT, INSERT and UPDATE in this database"
                } else {
                    ""
                };
                SeedError::Ledger { reason: format!("{}{hint}", refusal.message) }
            }
        }
    }
}

/// An error with its causes, without what a driver may add of its own data.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// An open connection. Dropped, it's closed, and the server rolls back.
pub(super) struct Session {
    pub(super) conn: Conn,
    /// The ledger with its database, whatever `USE` a script says.
    table: String,
}

impl Session {
    pub(super) async fn open(seeding: &Seeding<'_>) -> Result<Self, SeedError> {
        tls::check(seeding.target)?;
        let options = options(seeding)?;
        let mut attempt = 1;
        loop {
            let opened = tokio::time::timeout(CONNECT_TIMEOUT, Conn::new(options.clone())).await;
            let (reason, again) = match opened {
                Ok(Ok(conn)) => {
                    let table = format!("{}.{TABLE}", quote(&seeding.target.database));
                    let mut session = Self { conn, table };
                    session.execute(SETTINGS).await.map_err(Failure::of_ledger)?;
                    return Ok(session);
                }
                Ok(Err(error)) => (reason(&error), unreachable_yet(&error)),
                Err(_) => (format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()), true),
            };
            if !again || attempt == CONNECT_ATTEMPTS {
                return Err(SeedError::Connect { server: seeding.target.to_string(), reason });
            }
            tokio::time::sleep(Duration::from_millis(500) * attempt).await;
            attempt += 1;
        }
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(2), self.conn.disconnect()).await;
    }

    /// A connection that has the lock and a ledger.
    pub(super) async fn begin(seeding: &Seeding<'_>, watch: Watch<'_>) -> Result<Self, SeedError> {
        let mut session = Self::open(seeding).await?;
        session.lock(seeding, watch).await?;
        session.make_ledger().await.map_err(Failure::of_ledger)?;
        Ok(session)
    }

    pub(super) async fn execute(&mut self, sql: &str) -> Result<(), Failure> {
        Ok(self.conn.query_drop(sql).await?)
    }

    /// The rows that a query gives, as text.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
        let rows: Vec<ServerRow> = self.conn.query(sql).await?;
        let text = |row: &ServerRow, index: usize| {
            row.get::<Option<String>, _>(index).flatten().unwrap_or_default()
        };
        Ok(rows.iter().map(|row| (0..row.len()).map(|index| text(row, index)).collect()).collect())
    }

    async fn lock(&mut self, seeding: &Seeding<'_>, watch: Watch<'_>) -> Result<(), SeedError> {
        let name = format!("'lagoa seed {:016x}'", seeding.lock_key());
        let started = Instant::now();
        let mut said: Option<Instant> = None;
        loop {
            let taken = self
                .rows(&format!("SELECT GET_LOCK({name}, 0)"))
                .await
                .map_err(Failure::of_ledger)?;
            if taken.first().is_some_and(|row| row[0] == "1") {
                return Ok(());
            }
            let waited = started.elapsed();
            let over = waited >= seeding.patience;
            if over || said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                let holder = self.holder(&name).await;
                if over {
                    return Err(SeedError::Locked {
                        seed: seeding.name(),
                        seconds: waited.as_secs(),
                        holder,
                    });
                }
                watch(Progress::Waiting { holder, waited });
                said = Some(Instant::now());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn holder(&mut self, name: &str) -> Option<Holder> {
        let sql = format!(
            "SELECT ID, CONCAT(USER, '@', HOST), TIME FROM information_schema.PROCESSLIST \
             WHERE ID = IS_USED_LOCK({name})"
        );
        let rows = self.rows(&sql).await.ok()?;
        let row = rows.first()?;
        Some(Holder {
            session: row[0].parse().ok()?,
            name: row[1].clone(),
            since: format!("in its present state for {} s", row[2]),
        })
    }

    async fn mark(&mut self) -> Result<Option<String>, Failure> {
        let database =
            self.table.trim_end_matches(TABLE).trim_matches(['`', '.']).replace("``", "`");
        let sql = format!(
            "SELECT TABLE_COMMENT FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = '{TABLE}'",
            text(&database)
        );
        Ok(self.rows(&sql).await?.first().map(|row| row[0].clone()))
    }

    /// The rows of a seed; none when there is no ledger.
    pub(super) async fn ledger(&mut self, seeding: &Seeding<'_>) -> Result<Vec<Row>, Failure> {
        let Some(mark) = self.mark().await? else { return Ok(Vec::new()) };
        ledger::check_mark(&mark).map_err(|reason| SeedError::Ledger { reason })?;
        let sql = format!(
            "SELECT {}, DATE_FORMAT(run_at, '%Y-%m-%dT%H:%i:%sZ') FROM {} WHERE stack = {} AND seed = {}",
            ledger::COLUMNS,
            self.table,
            text(seeding.stack),
            text(seeding.seed),
        );
        let rows = self.rows(&sql).await?;
        let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect::<Vec<_>>());
        rows.map(|row| {
            ledger::row(&row).ok_or_else(|| {
                let reason = format!("its row for {} makes no sense", row[0]);
                Failure::Said(SeedError::Ledger { reason })
            })
        })
        .collect()
    }

    async fn make_ledger(&mut self) -> Result<(), Failure> {
        if self.mark().await?.is_some() {
            return Ok(());
        }
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (\
               stack varchar(64) NOT NULL, seed varchar(128) NOT NULL, file varchar(512) NOT NULL, \
               digest char(64) NOT NULL, state varchar(16) NOT NULL, prefix varchar(64) NOT NULL, \
               run_id varchar(32) NOT NULL, done bigint NOT NULL, statements bigint NOT NULL, \
               rows_loaded bigint NOT NULL, duration_ms bigint NOT NULL, run_at datetime NOT NULL, \
               PRIMARY KEY (stack, seed, file)) \
             ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = '{}'",
            self.table,
            ledger::mark()
        );
        self.execute(&sql).await
    }

    /// The statement that writes a row of the ledger.
    pub(super) fn write(&self, seeding: &Seeding<'_>, entry: &Entry<'_>) -> String {
        let columns: Vec<&str> = TEXTS.into_iter().chain(NUMBERS).collect();
        let texts = [seeding.stack, seeding.seed].into_iter().chain(entry.texts()).map(text);
        let numbers = entry.numbers().into_iter().map(|number| number.to_string());
        let values: Vec<String> = texts.chain(numbers).collect();
        let updates: Vec<String> =
            columns[3..].iter().map(|name| format!("{name} = VALUES({name})")).collect();
        format!(
            "INSERT INTO {} ({}, run_at) VALUES ({}, UTC_TIMESTAMP()) \
             ON DUPLICATE KEY UPDATE {}, run_at = VALUES(run_at)",
            self.table,
            columns.join(", "),
            values.join(", "),
            updates.join(", "),
        )
    }
}

fn options(seeding: &Seeding<'_>) -> Result<OptsBuilder, SeedError> {
    let target = seeding.target;
    let encrypted = target.tls == Tls::VerifyFull;
    let ssl = if encrypted {
        // The driver asks for the process-wide choice. An error means that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = tls::trusted(target)?;
        Some(
            SslOpts::default()
                .with_root_certs(vec![trusted.into()])
                .with_disable_built_in_roots(true),
        )
    } else {
        None
    };
    Ok(OptsBuilder::default()
        .ip_or_hostname(&target.host)
        .resolved_ips(target.hostaddr.map(|address| vec![address]))
        .tcp_port(target.port)
        .user(Some(&target.user))
        .pass(Some(target.password.expose_secret()))
        .db_name(Some(&target.database))
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .prefer_socket(false)
        .stmt_cache_size(0)
        .connect_attribute("program_name", format!("lagoa seed {}", seeding.name()))
        // A token of IAM is sent as a password in the clear, inside TLS.
        .enable_cleartext_plugin(encrypted)
        .ssl_opts(ssl))
}

/// Whether trying to connect again may help.
fn unreachable_yet(error: &Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, TimedOut};
    match error {
        Error::Io(mysql_async::IoError::Io(error)) => {
            matches!(error.kind(), ConnectionRefused | ConnectionReset | TimedOut)
        }
        // Too many connections.
        Error::Server(refusal) => refusal.code == 1040,
        _ => false,
    }
}

/// A string in SQL, whatever `sql_mode` a script may have set.
pub(super) fn text(value: &str) -> String {
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 x'{hex}'")
}

pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
