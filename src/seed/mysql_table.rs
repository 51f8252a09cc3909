//! Rows into MySQL and MariaDB. `LOAD DATA LOCAL` skips duplicates, cuts long text and stores
//! zeros for what it can't read, all without an error. So what it did is held against what was
//! sent, and undone if there is any difference.

use std::io;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{Error, ServerError};

use super::error::{SeedError, SeedProblem};
use super::mysql::{File, Stopped};
use super::mysql_session::{Failure, quote, text};
use super::table::{self, Rows};
use super::{Load, Mode, Progress, Watch};

const CHUNK: usize = 128 * 1024;

/// How long an INSERT with many rows may be, well below what every server accepts.
const INSERT_BYTES: usize = 512 * 1024;

/// What servers say when LOAD DATA LOCAL is switched off.
const NO_INFILE: [u16; 3] = [1148, 3948, 4166];

/// A session in which bad values are errors where the server knows them as such.
const STRICT: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'";

const STAGING: &str = "`lagoa_staging`";

/// More warnings than this are only counted.
const SHOWN: usize = 5;

/// The table that rows go to, by the names the database has for it.
pub(super) struct Destination {
    table: String,
    columns: Option<Vec<String>>,
    key: Vec<String>,
}

impl Destination {
    fn list(&self) -> String {
        self.columns.as_ref().map(|columns| columns.join(", ")).unwrap_or_default()
    }

    /// The column list of a statement, or nothing for all columns in their order.
    fn bracketed(&self) -> String {
        if self.columns.is_some() { format!(" ({})", self.list()) } else { String::new() }
    }

    /// Where LOAD DATA puts the rows.
    fn loaded(&self) -> &str {
        if self.key.is_empty() { &self.table } else { STAGING }
    }
}

/// Finds the table, and makes ready what can't be made inside a transaction.
pub(super) async fn prepare(file: &mut File<'_>, load: &Load) -> Result<Destination, Stopped> {
    let rows = Rows::open(file.job.root, &file.unit.path, load).map_err(bad)?;
    file.session.execute(STRICT).await?;
    let destination = find(file, load, rows.columns.as_deref()).await?;
    if !destination.key.is_empty() {
        let sql = format!(
            "CREATE TEMPORARY TABLE {STAGING} AS SELECT {} FROM {} LIMIT 0",
            destination.list(),
            destination.table
        );
        file.session.execute(&sql).await?;
    }
    Ok(destination)
}

/// Names in a stack or in a header are looked up as they are, and then without regard to case.
async fn find(
    file: &mut File<'_>,
    load: &Load,
    columns: Option<&[String]>,
) -> Result<Destination, Stopped> {
    let database = file.job.seeding.target.database.clone();
    let (schema, name) = load.table.split_once('.').unwrap_or((&database, &load.table));
    let sql = format!(
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} \
         AND LOWER(TABLE_NAME) = LOWER({}) ORDER BY TABLE_NAME = {} DESC, TABLE_NAME, ORDINAL_POSITION",
        text(schema),
        text(name),
        text(name)
    );
    let found = file.session.rows(&sql).await?;
    let Some(real) = found.first().map(|row| row[0].clone()) else {
        return Err(problem(
            file,
            format!("there is no table {}", load.table),
            "create it in a script that runs before",
        ));
    };
    let known: Vec<&str> =
        found.iter().filter(|row| row[0] == real).map(|row| row[1].as_str()).collect();
    let resolve = |name: &String| {
        let column = known.iter().find(|known| known.eq_ignore_ascii_case(name));
        column.map(|column| quote(column)).ok_or_else(|| {
            problem(
                file,
                format!("the table {} has no column {name}", load.table),
                &format!("it has {}", known.join(", ")),
            )
        })
    };
    let columns = columns
        .map(|columns| columns.iter().map(resolve).collect::<Result<Vec<_>, _>>())
        .transpose()?;
    let key = match &load.mode {
        Mode::Upsert { key } => key.iter().map(resolve).collect::<Result<Vec<_>, _>>()?,
        _ => Vec::new(),
    };
    let table = format!("{}.{}", quote(schema), quote(&real));
    if !key.is_empty() {
        check_key(file, schema, &real, &key).await?;
    }
    Ok(Destination { table, columns, key })
}

/// ON DUPLICATE KEY adds rows again and again when the columns aren't a key.
async fn check_key(
    file: &mut File<'_>,
    schema: &str,
    table: &str,
    key: &[String],
) -> Result<(), Stopped> {
    let sql = format!(
        "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {} \
         AND TABLE_NAME = {} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME",
        text(schema),
        text(table)
    );
    let found = file.session.rows(&sql).await?;
    let mut wanted = key.to_vec();
    wanted.sort();
    let is_key = found.chunk_by(|one, other| one[0] == other[0]).any(|index| {
        let mut columns: Vec<String> = index.iter().map(|row| quote(&row[1])).collect();
        columns.sort();
        columns == wanted
    });
    if is_key {
        return Ok(());
    }
    let message =
        format!("{} is neither the primary key of {table} nor a unique index", key.join(", "));
    Err(problem(file, message, "name the columns of one of these under `key`"))
}

/// Loads the rows inside the transaction that is open.
pub(super) async fn load(
    file: &mut File<'_>,
    load: &Load,
    destination: &Destination,
    watch: Watch<'_>,
) -> Result<u64, Stopped> {
    if load.mode == Mode::Replace {
        file.session.execute(&format!("DELETE FROM {}", destination.table)).await?;
    }
    if !destination.key.is_empty() {
        // From an attempt that the server undid: DELETE takes part in the transaction.
        file.session.execute(&format!("DELETE FROM {STAGING}")).await?;
    }
    let sent = match infile(file, load, destination).await? {
        Some(sent) => sent,
        None => {
            let message = format!(
                "{}: the server has local_infile switched off, so rows go in by INSERT, which is slower",
                file.unit.path
            );
            watch(Progress::Note { message });
            inserts(file, load, destination, watch).await?
        }
    };
    watch(Progress::Rows { path: file.unit.path.clone(), sent });
    if !destination.key.is_empty() {
        merge(file, destination).await?;
    }
    Ok(sent)
}

/// What was written for the server so far, shared with the driver that reads it.
#[derive(Default)]
struct Sent {
    rows: u64,
    problem: Option<Box<SeedProblem>>,
}

/// Writes rows as LOAD DATA reads them, a chunk at a time.
struct Chunks {
    rows: Rows,
    null: String,
    sent: Arc<Mutex<Sent>>,
}

impl Iterator for Chunks {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut chunk = Vec::with_capacity(CHUNK + 4096);
        while chunk.len() < CHUNK {
            match self.rows.next() {
                Ok(Some(record)) => {
                    table::encode(record, &self.null, &mut chunk);
                    sent.rows += 1;
                }
                Ok(None) => break,
                Err(problem) => {
                    sent.problem = Some(problem);
                    return Some(Err(io::Error::other("a bad row")));
                }
            }
        }
        (!chunk.is_empty()).then_some(Ok(chunk))
    }
}

/// Sends the rows through LOAD DATA LOCAL; nothing when the server has it switched off.
async fn infile(
    file: &mut File<'_>,
    load: &Load,
    destination: &Destination,
) -> Result<Option<u64>, Stopped> {
    let rows = Rows::open(file.job.root, &file.unit.path, load).map_err(bad)?;
    let sent = Arc::new(Mutex::new(Sent::default()));
    let chunks = Chunks { rows, null: load.null.clone(), sent: sent.clone() };
    let conn = &mut file.session.conn;
    conn.set_infile_handler(async move {
        Ok(futures::stream::iter(chunks).map(|chunk| chunk.map(Into::into)).boxed())
    });
    let sql = format!(
        "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {} CHARACTER SET utf8mb4 \
         FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'{}",
        destination.loaded(),
        destination.bracketed()
    );
    let answer = conn.query_drop(sql).await;
    let (stored, warnings) = (conn.affected_rows(), conn.get_warnings());
    let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    if let Some(problem) = sent.problem {
        return Err(Stopped::Problem(problem));
    }
    match answer {
        Ok(()) => {}
        Err(Error::Server(refusal)) if NO_INFILE.contains(&refusal.code) => return Ok(None),
        Err(Error::Server(refusal)) => return Err(server_problem(file, load, &refusal, 0)),
        Err(error) => return Err(error.into()),
    }
    if warnings > 0 {
        return Err(warned(file, load, warnings).await?);
    }
    if stored != sent.rows {
        let message = format!("the file has {} rows, and the server stored {stored}", sent.rows);
        return Err(problem(file, message, "look for a trigger on the table"));
    }
    Ok(Some(sent.rows))
}

/// What the server would have changed or left out, had it been let.
async fn warned(file: &mut File<'_>, load: &Load, warnings: u16) -> Result<Stopped, Stopped> {
    let shown = file.session.rows(&format!("SHOW WARNINGS LIMIT {SHOWN}")).await?;
    let mut lines = Vec::new();
    let mut first = None;
    for row in &shown {
        let message = row.get(2).map_or("", String::as_str);
        let place = row_number(message)
            .and_then(|number| table::place_of(file.job.root, &file.unit.path, load, number));
        let line = place.as_ref().map(|place| format!("line {}: ", place.line)).unwrap_or_default();
        lines.push(format!("{line}{message}"));
        first = first.or(place);
    }
    let more = usize::from(warnings).saturating_sub(shown.len());
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Ok(Stopped::Problem(Box::new(SeedProblem {
        path: file.unit.path.clone(),
        place: first,
        message: format!("the server would skip or change rows: {}", lines.join("; ")),
        remedy: "correct the file or the table".to_owned(),
    })))
}

/// The number in "Data truncated for column 'a' at row 3".
fn row_number(message: &str) -> Option<u64> {
    let (_, rest) = message.rsplit_once(" at row ").or_else(|| {
        let (_, rest) = message.split_once("Row ")?;
        Some(("", rest))
    })?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Sends the rows as INSERT statements with many rows each, which are strict by themselves.
async fn inserts(
    file: &mut File<'_>,
    load: &Load,
    destination: &Destination,
    watch: Watch<'_>,
) -> Result<u64, Stopped> {
    let mut rows = Rows::open(file.job.root, &file.unit.path, load).map_err(bad)?;
    let head = format!("INSERT INTO {}{} VALUES ", destination.loaded(), destination.bracketed());
    let mut sql = head.clone();
    let (mut sent, mut before) = (0, 0);
    loop {
        let record = rows.next().map_err(Stopped::Problem)?;
        if let Some(record) = record {
            sql.push_str(if sql.len() > head.len() { ", (" } else { "(" });
            let values: Vec<String> =
                record.iter().map(|field| literal(field, &load.null)).collect();
            sql.push_str(&values.join(", "));
            sql.push(')');
            sent += 1;
        }
        let last = record.is_none();
        if sql.len() > head.len() && (last || sql.len() > INSERT_BYTES) {
            insert(file, load, &sql, before, sent).await?;
            sql.truncate(head.len());
            before = sent;
            watch(Progress::Rows { path: file.unit.path.clone(), sent });
        }
        if last {
            return Ok(sent);
        }
    }
}

async fn insert(
    file: &mut File<'_>,
    load: &Load,
    sql: &str,
    before: u64,
    sent: u64,
) -> Result<(), Stopped> {
    match file.session.execute(sql).await {
        Ok(()) => {}
        Err(Failure::Server(refusal)) => return Err(server_problem(file, load, &refusal, before)),
        Err(failure) => return Err(failure.into()),
    }
    let conn = &file.session.conn;
    let (stored, warnings) = (conn.affected_rows(), conn.get_warnings());
    if stored != sent - before || warnings > 0 {
        let message = format!(
            "the server stored {stored} of {} rows, with {warnings} warnings",
            sent - before
        );
        return Err(problem(file, message, "look for a trigger on the table"));
    }
    Ok(())
}

/// A value in the strict session, where a backslash escapes.
fn literal(field: &[u8], null: &str) -> String {
    if field == null.as_bytes() {
        return "NULL".to_owned();
    }
    let text = String::from_utf8_lossy(field);
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Moves the rows from staging to the table, by their key.
async fn merge(file: &mut File<'_>, destination: &Destination) -> Result<(), Stopped> {
    let Destination { table, key, .. } = destination;
    let keys = key.join(", ");
    let doubled = format!(
        "SELECT CONCAT_WS(', ', {keys}) FROM {STAGING} GROUP BY {keys} HAVING COUNT(*) > 1 LIMIT 1"
    );
    if let Some(row) = file.session.rows(&doubled).await?.first() {
        let message = format!("the file has more than one row with the key {}", row[0]);
        return Err(problem(file, message, "keep one of them"));
    }
    let columns = destination.columns.as_deref().unwrap_or_default();
    let mut updates: Vec<&String> = columns.iter().filter(|column| !key.contains(column)).collect();
    if updates.is_empty() {
        updates.push(&key[0]);
    }
    let updates: Vec<String> =
        updates.iter().map(|column| format!("{column} = VALUES({column})")).collect();
    let list = destination.list();
    let sql = format!(
        "INSERT INTO {table} ({list}) SELECT {list} FROM {STAGING} ON DUPLICATE KEY UPDATE {}",
        updates.join(", ")
    );
    Ok(file.session.execute(&sql).await?)
}

/// An error of the server about a row, which it counts from the start of what it was sent.
fn server_problem(file: &File<'_>, load: &Load, refusal: &ServerError, before: u64) -> Stopped {
    if refusal.code == 1213 || refusal.code == 1205 {
        return Stopped::By(Failure::Server(refusal.clone()));
    }
    let number = row_number(&refusal.message).map(|number| before + number);
    Stopped::Problem(Box::new(SeedProblem {
        path: file.unit.path.clone(),
        place: number
            .and_then(|number| table::place_of(file.job.root, &file.unit.path, load, number)),
        message: format!("{} [{}]", refusal.message, refusal.code),
        remedy: String::new(),
    }))
}

fn problem(file: &File<'_>, message: String, remedy: &str) -> Stopped {
    Stopped::Problem(Box::new(SeedProblem {
        path: file.unit.path.clone(),
        place: None,
        message,
        remedy: remedy.to_owned(),
    }))
}

fn bad(problem: SeedProblem) -> Stopped {
    Stopped::By(Failure::Said(SeedError::Files(vec![problem])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_number_rows_in_two_ways() {
        assert_eq!(row_number("Data truncated for column 'at row 9' at row 3"), Some(3));
        assert_eq!(row_number("Row 12 doesn't contain data for all columns"), Some(12));
        assert_eq!(row_number("Duplicate entry '1' for key 'PRIMARY'"), None);
    }

    #[test]
    fn values_can_not_leave_their_quotes() {
        assert_eq!(literal(b"it's \\", ""), "'it''s \\\\'");
        assert_eq!(literal(b"", ""), "NULL");
        assert_eq!(literal(b"", "NULL"), "''");
    }
}
