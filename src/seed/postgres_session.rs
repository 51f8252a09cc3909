//! A connection to PostgreSQL: opened, locked, and its ledger read and written.

use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Holder, SeedError};
use super::ledger::{self, Entry, NUMBERS, Row, TABLE, TEXTS};
use super::{Progress, Seeding, Tls, Watch, tls};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_ATTEMPTS: u32 = 3;

/// How often to try for the lock, and how often to say so.
const POLL: Duration = Duration::from_millis(250);
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What a script may have left behind, undone, so that the next file finds a fresh session. The
/// lock must stay, which is why this isn't DISCARD ALL.
const FRESH: &str = "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; UNLISTEN *; \
                     DISCARD TEMP; DISCARD SEQUENCES; SET lock_timeout = '30s'";

/// Why something didn't work, as far as it decides what to do.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused, and the session goes on.
    Server(Box<DbError>),
    /// The connection is gone.
    Lost(String),
    /// Something that is already said in full.
    Said(SeedError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // A server that says FATAL ends the session.
            Some(refusal) if !matches!(refusal.severity(), "FATAL" | "PANIC") => {
                Self::Server(Box::new(refusal.clone()))
            }
            Some(refusal) => Self::Lost(refusal.message().to_owned()),
            None => Self::Lost(reason(&error)),
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
                let hint = match *refusal.code() {
                    SqlState::INSUFFICIENT_PRIVILEGE => {
                        "; the user needs CREATE on the schema public, or the table made for it once by its owner"
                    }
                    _ => "",
                };
                SeedError::Ledger { reason: format!("{}{hint}", refusal.message()) }
            }
        }
    }
}

/// An error with its causes.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// An open connection. Dropped, it's cut at once, and the server rolls back.
pub(super) struct Session {
    pub(super) client: Client,
    connection: Connection,
}

struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    pub(super) async fn open(seeding: &Seeding<'_>) -> Result<Self, SeedError> {
        tls::check(seeding.target)?;
        let mut attempt = 1;
        loop {
            let opened = tokio::time::timeout(CONNECT_TIMEOUT, connect(seeding)).await;
            let reason = match opened {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(Refusal::Final(error))) => return Err(error),
                Ok(Err(Refusal::Again(reason))) => reason,
                Err(_) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            };
            if attempt == CONNECT_ATTEMPTS {
                return Err(SeedError::Connect { server: seeding.target.to_string(), reason });
            }
            tokio::time::sleep(Duration::from_millis(500) * attempt).await;
            attempt += 1;
        }
    }

    /// Says goodbye, so that the server has nothing to complain about.
    pub(super) async fn close(self) {
        let Self { client, mut connection } = self;
        drop(client);
        let _ = tokio::time::timeout(Duration::from_secs(2), &mut connection.0).await;
    }

    /// The rows that a query gives, as text.
    pub(super) async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
        let messages = self.client.simple_query(sql).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|index| row.get(index).unwrap_or("").to_owned()).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    pub(super) async fn execute(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Makes the session as good as new for the next file.
    pub(super) async fn refresh(&self) -> Result<(), Failure> {
        self.execute(FRESH).await
    }

    /// Takes the lock of a seed. Polls: a session that waits inside the server holds a snapshot,
    /// which stops CREATE INDEX CONCURRENTLY for ever.
    pub(super) async fn lock(
        &self,
        seeding: &Seeding<'_>,
        watch: Watch<'_>,
    ) -> Result<(), SeedError> {
        let key = seeding.lock_key().cast_signed();
        let take = format!("SELECT pg_catalog.pg_try_advisory_lock({key})");
        let started = Instant::now();
        let mut said: Option<Instant> = None;
        loop {
            let taken = self.rows(&take).await.map_err(Failure::of_ledger)?;
            if taken.first().is_some_and(|row| row[0] == "t") {
                return Ok(());
            }
            let waited = started.elapsed();
            let over = waited >= seeding.patience;
            if over || said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                let holder = self.holder(key.cast_unsigned()).await;
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

    async fn holder(&self, key: u64) -> Option<Holder> {
        let (high, low) = (key >> 32, key & 0xffff_ffff);
        let sql = format!(
            "SELECT a.pid, a.application_name, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') \
             FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
             AND l.classid::bigint = {high} AND l.objid::bigint = {low} \
             AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        );
        let rows = self.rows(&sql).await.ok()?;
        let row = rows.first()?;
        Some(Holder {
            session: row[0].parse().ok()?,
            name: row[1].clone(),
            since: format!("connected since {} UTC", row[2]),
        })
    }

    /// The ledger's mark, or nothing if there is no ledger.
    async fn mark(&self) -> Result<Option<String>, Failure> {
        let sql = format!(
            "SELECT coalesce(obj_description(to_regclass('public.{TABLE}'), 'pg_class'), '') \
             WHERE to_regclass('public.{TABLE}') IS NOT NULL"
        );
        Ok(self.rows(&sql).await?.first().map(|row| row[0].clone()))
    }

    /// The rows of a seed; none when there is no ledger.
    pub(super) async fn ledger(&self, seeding: &Seeding<'_>) -> Result<Vec<Row>, Failure> {
        let Some(mark) = self.mark().await? else { return Ok(Vec::new()) };
        ledger::check_mark(&mark).map_err(|reason| SeedError::Ledger { reason })?;
        let sql = format!(
            "SELECT {}, to_char(run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
             FROM public.{TABLE} WHERE stack = {} AND seed = {}",
            ledger::COLUMNS,
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

    /// Makes the ledger if there is none. Two seeds may do so at the same moment.
    pub(super) async fn make_ledger(&self) -> Result<(), Failure> {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS public.{TABLE} (\
               stack text NOT NULL, seed text NOT NULL, file text NOT NULL, digest text NOT NULL, \
               state text NOT NULL, prefix text NOT NULL, run_id text NOT NULL, \
               done bigint NOT NULL, statements bigint NOT NULL, rows_loaded bigint NOT NULL, \
               duration_ms bigint NOT NULL, run_at timestamptz NOT NULL, \
               PRIMARY KEY (stack, seed, file)); \
             COMMENT ON TABLE public.{TABLE} IS '{}'",
            ledger::mark()
        );
        for _ in 0..5 {
            if self.mark().await?.is_some() {
                return Ok(());
            }
            match self.execute(&sql).await {
                Err(Failure::Server(refusal))
                    if matches!(
                        *refusal.code(),
                        SqlState::UNIQUE_VIOLATION
                            | SqlState::DUPLICATE_TABLE
                            | SqlState::DUPLICATE_OBJECT
                            | SqlState::T_R_SERIALIZATION_FAILURE
                    ) => {}
                Err(Failure::Server(refusal)) if refusal.message().contains("concurrently") => {}
                other => return other,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.execute(&sql).await
    }
}

/// The statement that writes a row of the ledger.
pub(super) fn write(seeding: &Seeding<'_>, entry: &Entry<'_>) -> String {
    let columns: Vec<&str> = TEXTS.into_iter().chain(NUMBERS).collect();
    let texts = [seeding.stack, seeding.seed].into_iter().chain(entry.texts()).map(text);
    let numbers = entry.numbers().into_iter().map(|number| number.to_string());
    let values: Vec<String> = texts.chain(numbers).collect();
    let updates: Vec<String> =
        columns[3..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "INSERT INTO public.{TABLE} ({}, run_at) VALUES ({}, pg_catalog.clock_timestamp()) \
         ON CONFLICT (stack, seed, file) DO UPDATE SET {}, run_at = excluded.run_at",
        columns.join(", "),
        values.join(", "),
        updates.join(", "),
    )
}

/// A string in SQL, whatever `standard_conforming_strings` a script may have set.
pub(super) fn text(value: &str) -> String {
    format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

enum Refusal {
    Again(String),
    Final(SeedError),
}

async fn connect(seeding: &Seeding<'_>) -> Result<Session, Refusal> {
    let target = seeding.target;
    let mut config = Config::new();
    config
        .host(&target.host)
        .port(target.port)
        .dbname(&target.database)
        .user(&target.user)
        .password(target.password.expose_secret())
        .application_name(format!("lagoa seed {}", seeding.name()))
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .ssl_mode(if target.tls == Tls::Off { SslMode::Disable } else { SslMode::Require });
    if let Some(address) = target.hostaddr {
        config.hostaddr(address);
    }
    let refused = |error: tokio_postgres::Error| refusal(seeding, &error);
    let (client, connection) = if target.tls == Tls::Off {
        let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
        (client, Connection(tokio::spawn(async move { drop(connection.await) })))
    } else {
        let connector = MakeRustlsConnect::new(tls::config(target).map_err(Refusal::Final)?);
        let (client, connection) = config.connect(connector).await.map_err(refused)?;
        (client, Connection(tokio::spawn(async move { drop(connection.await) })))
    };
    let session = Session { client, connection };
    session.refresh().await.map_err(|failure| Refusal::Final(failure.of_ledger()))?;
    Ok(session)
}

/// Whether trying again may help: nobody answers yet, or the server is starting.
fn refusal(seeding: &Seeding<'_>, error: &tokio_postgres::Error) -> Refusal {
    let text = reason(error);
    let io =
        error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let unreachable = matches!(
        io,
        Some(
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::TimedOut
        )
    );
    let starting = [SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS];
    if unreachable || error.code().is_some_and(|code| starting.contains(code)) {
        return Refusal::Again(text);
    }
    Refusal::Final(SeedError::Connect { server: seeding.target.to_string(), reason: text })
}
