//! Rows through COPY: CSV files, and the blocks that `pg_dump` writes. What the server counts
//! must be what was sent.

use std::io::Cursor;
use std::ops::Range;

use futures::SinkExt;
use tokio_postgres::error::DbError;

use super::error::{Place, SeedError, SeedProblem};
use super::postgres::{File, NOTHING_APPLIED, Stopped, message};
use super::postgres_script::Script;
use super::postgres_session::{Failure, text};
use super::table::{self, Rows};
use super::{Load, Mode, Progress, Watch};

/// How much is sent at a time.
const CHUNK: usize = 128 * 1024;

/// Loads the CSV file of a unit.
pub(super) async fn load(file: &File<'_>, load: &Load, watch: Watch<'_>) -> Result<u64, Stopped> {
    let rows = Rows::open(file.job.root, &file.unit.path, load).map_err(bad)?;
    let place = Destination::find(file, load, rows.columns.as_deref()).await?;
    let (into, after) = place.plan(load);
    for sql in &into.before {
        execute(file, sql).await?;
    }
    let (sent, stored) = copy_rows(file, load, rows, &into.copy, watch).await?;
    check_count(file, sent, stored)?;
    if let Some(merge) = after {
        let merged = file
            .session
            .client
            .simple_query(&merge.sql)
            .await
            .map_err(|error| refused(file, error.into()))?;
        let merged = merged.iter().find_map(|answer| match answer {
            tokio_postgres::SimpleQueryMessage::CommandComplete(count) => Some(*count),
            _ => None,
        });
        if merge.counted {
            check_count(file, sent, merged.unwrap_or(0))?;
        }
    }
    Ok(sent)
}

/// The table that rows go to, by the names the database has for it.
struct Destination {
    table: String,
    columns: Option<Vec<String>>,
    key: Vec<String>,
}

struct Into {
    before: Vec<String>,
    copy: String,
}

struct Merge {
    sql: String,
    /// Whether every row must come out of it.
    counted: bool,
}

impl Destination {
    /// Names in a stack or in a header are looked up as they are, and then without regard to
    /// case, as SQL would.
    async fn find(
        file: &File<'_>,
        load: &Load,
        columns: Option<&[String]>,
    ) -> Result<Self, Stopped> {
        let quoted: Vec<String> = load.table.split('.').map(quote).collect();
        let exact = text(&quoted.join("."));
        let folded = text(&quoted.join(".").to_lowercase());
        let sql = format!(
            "SELECT a.attrelid::regclass::text, a.attname FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid = coalesce(to_regclass({exact}), to_regclass({folded})) \
             AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        );
        let found = file.session.rows(&sql).await?;
        let Some(first) = found.first() else {
            return Err(problem(
                file,
                format!("there is no table {}", load.table),
                "create it in a script that runs before",
            ));
        };
        let known: Vec<&str> = found.iter().map(|row| row[1].as_str()).collect();
        let resolve = |name: &String| {
            let exact = known.iter().find(|known| *known == name);
            let column =
                exact.or_else(|| known.iter().find(|known| known.eq_ignore_ascii_case(name)));
            column.map(|column| quote(column)).ok_or_else(|| {
                problem(
                    file,
                    format!("the table {} has no column {name}", load.table),
                    &format!("it has {}", known.join(", ")),
                )
            })
        };
        let key = match &load.mode {
            Mode::Upsert { key } => key.iter().map(resolve).collect::<Result<_, _>>()?,
            _ => Vec::new(),
        };
        let columns = columns.map(|columns| columns.iter().map(resolve).collect::<Result<_, _>>());
        Ok(Self { table: first[0].clone(), columns: columns.transpose()?, key })
    }

    fn plan(&self, load: &Load) -> (Into, Option<Merge>) {
        let Self { table, columns, key } = self;
        let list = columns.as_ref().map(|columns| columns.join(", "));
        let bracketed = list.as_ref().map(|list| format!(" ({list})")).unwrap_or_default();
        let copy = |table: &str| format!("COPY {table}{bracketed} FROM STDIN");
        match &load.mode {
            Mode::Insert | Mode::Append => (Into { before: Vec::new(), copy: copy(table) }, None),
            Mode::Replace => {
                (Into { before: vec![format!("DELETE FROM {table}")], copy: copy(table) }, None)
            }
            Mode::Upsert { .. } => {
                let list = list.unwrap_or_else(|| "*".to_owned());
                let staging = "pg_temp.lagoa_staging";
                let create = format!(
                    "CREATE TEMPORARY TABLE lagoa_staging ON COMMIT DROP AS SELECT {list} FROM {table} WITH NO DATA"
                );
                let updates: Vec<String> = columns
                    .iter()
                    .flatten()
                    .filter(|column| !key.contains(column))
                    .map(|column| format!("{column} = excluded.{column}"))
                    .collect();
                let action = match updates.is_empty() {
                    true => "NOTHING".to_owned(),
                    false => format!("UPDATE SET {}", updates.join(", ")),
                };
                let sql = format!(
                    "INSERT INTO {table}{bracketed} SELECT {list} FROM {staging} ON CONFLICT ({}) DO {action}",
                    key.join(", ")
                );
                let into = Into { before: vec![create], copy: copy(staging) };
                (into, Some(Merge { sql, counted: !updates.is_empty() }))
            }
        }
    }
}

/// Streams the rows, checked and written anew. Gives how many were sent and how many stored.
async fn copy_rows(
    file: &File<'_>,
    load: &Load,
    mut rows: Rows,
    statement: &str,
    watch: Watch<'_>,
) -> Result<(u64, u64), Stopped> {
    let sink = file.session.client.copy_in::<_, Cursor<Vec<u8>>>(statement);
    let mut sink = Box::pin(sink.await.map_err(|error| refused(file, error.into()))?);
    let mut sent = 0;
    let mut chunk = Vec::with_capacity(CHUNK + 4096);
    loop {
        let row = rows.next().map_err(|problem| bad(*problem))?;
        if let Some(record) = row {
            table::encode(record, &load.null, &mut chunk);
            sent += 1;
        }
        let last = row.is_none();
        if chunk.len() >= CHUNK || (last && !chunk.is_empty()) {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + 4096));
            if sink.send(Cursor::new(full)).await.is_err() {
                // The server has stopped listening; why, it says at the end.
                break;
            }
            watch(Progress::Rows { path: file.unit.path.clone(), sent });
        }
        if last {
            break;
        }
    }
    let stored =
        sink.as_mut().finish().await.map_err(|error| copy_error(file, load, error.into()))?;
    Ok((sent, stored))
}

/// Sends the lines of a COPY block.
pub(super) async fn block(
    file: &File<'_>,
    script: &Script,
    statement: usize,
    data: Range<usize>,
    counted: bool,
) -> Result<u64, Stopped> {
    let range = script.statements[statement].range.clone();
    let stopped = |failure: Failure| match failure {
        Failure::Server(refusal) => {
            let at = copy_line(&refusal).map_or(range.start, |line| {
                let lines = script.source.text[data.clone()].split_inclusive('\n');
                data.start + lines.take(line.saturating_sub(1)).map(str::len).sum::<usize>()
            });
            file.refused(refusal, script, at)
        }
        failure => failure.into(),
    };
    let copy = &script.source.text[range.clone()];
    let sink = file.session.client.copy_in::<_, Cursor<Vec<u8>>>(copy).await;
    let mut sink = Box::pin(sink.map_err(|error| stopped(error.into()))?);
    let lines = &script.source.text[data.clone()];
    for chunk in lines.as_bytes().chunks(CHUNK) {
        if sink.send(Cursor::new(chunk.to_vec())).await.is_err() {
            break;
        }
    }
    let stored = sink.as_mut().finish().await.map_err(|error| stopped(error.into()))?;
    let sent = lines.lines().count() as u64;
    if counted && sent != stored {
        let message = format!("this block has {sent} rows, and the server stored {stored}");
        let problem =
            script.source.problem(range.start, message, "look for a trigger or rule on the table");
        return Err(bad(problem));
    }
    Ok(stored)
}

async fn execute(file: &File<'_>, sql: &str) -> Result<(), Stopped> {
    file.session.execute(sql).await.map_err(|failure| refused(file, failure))
}

fn check_count(file: &File<'_>, sent: u64, stored: u64) -> Result<(), Stopped> {
    if sent == stored {
        return Ok(());
    }
    let message = format!("the file has {sent} rows, and the server stored {stored}");
    Err(problem(file, message, "look for a trigger or rule on the table"))
}

/// The number in "COPY coins, line 3, column id".
fn copy_line(refusal: &DbError) -> Option<usize> {
    let (_, rest) = refusal.where_()?.split_once(", line ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn copy_error(file: &File<'_>, load: &Load, failure: Failure) -> Stopped {
    let Failure::Server(refusal) = failure else { return failure.into() };
    let place = copy_line(&refusal)
        .and_then(|number| table::place_of(file.job.root, &file.unit.path, load, number as u64));
    server_problem(file, refusal, place)
}

fn refused(file: &File<'_>, failure: Failure) -> Stopped {
    match failure {
        Failure::Server(refusal) => server_problem(file, refusal, None),
        failure => failure.into(),
    }
}

fn server_problem(file: &File<'_>, refusal: Box<DbError>, place: Option<Place>) -> Stopped {
    let problem = SeedProblem {
        path: file.unit.path.clone(),
        place,
        message: message(&refusal),
        remedy: refusal.hint().unwrap_or("").to_owned(),
    };
    Stopped::At(refusal, Box::new(problem))
}

fn problem(file: &File<'_>, message: String, remedy: &str) -> Stopped {
    bad(SeedProblem {
        path: file.unit.path.clone(),
        place: None,
        message,
        remedy: remedy.to_owned(),
    })
}

/// Something wrong that lagoa itself has found while rows were on their way.
fn bad(problem: SeedProblem) -> Stopped {
    Stopped::By(Failure::Said(SeedError::Refused {
        problem: Box::new(problem),
        after: NOTHING_APPLIED.to_owned(),
    }))
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
