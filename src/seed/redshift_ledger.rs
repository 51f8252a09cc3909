//! The ledger in a warehouse. Redshift has neither upserts nor advisory locks, so rows are only
//! added, the last of a file counts, and the table's own lock keeps writers apart.

use super::error::SeedError;
use super::ledger::{self, Entry, Row, TABLE};

/// Makes the table, if there is none.
pub(super) fn table() -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS public.{TABLE} (\
         stack VARCHAR(256) NOT NULL, seed VARCHAR(512) NOT NULL, file VARCHAR(2048) NOT NULL, \
         digest VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL, prefix VARCHAR(64) NOT NULL, \
         run_id VARCHAR(64) NOT NULL, done INTEGER NOT NULL, statements INTEGER NOT NULL, \
         generation INTEGER NOT NULL, run_at TIMESTAMP NOT NULL)"
    )
}

/// Keeps other writers out until the transaction ends; the first statement, so that what is read
/// after it is what the last writer left.
pub(super) fn lock() -> String {
    format!("LOCK public.{TABLE}")
}

/// The rows of a seed, the last of each file at the end.
pub(super) fn query(stack: &str, seed: &str) -> String {
    format!(
        "SELECT {}, REPLACE(TO_CHAR(run_at, 'YYYY-MM-DD HH24:MI:SS'), ' ', 'T') || 'Z', generation \
         FROM public.{TABLE} WHERE stack = {} AND seed = {} ORDER BY generation",
        ledger::COLUMNS,
        literal(stack),
        literal(seed)
    )
}

/// What the ledger said when it was read: the last row of each file, and how many there were.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    counts: Vec<(String, usize)>,
}

impl Page {
    pub(super) fn read(lines: &[Vec<String>]) -> Result<Self, SeedError> {
        let mut page = Self::default();
        for line in lines {
            let columns: Vec<&str> = line.iter().map(String::as_str).collect();
            let row = columns.split_last().and_then(|(_, columns)| ledger::row(columns));
            let Some(row) = row else {
                let reason = format!("it has a row that lagoa doesn't understand: {line:?}");
                return Err(SeedError::Ledger { reason });
            };
            match page.counts.iter_mut().find(|(file, _)| *file == row.file) {
                Some((_, count)) => *count += 1,
                None => page.counts.push((row.file.clone(), 1)),
            }
            page.rows.retain(|other| other.file != row.file);
            page.rows.push(row);
        }
        Ok(page)
    }

    pub(super) fn count(&self, file: &str) -> usize {
        self.counts.iter().find(|(known, _)| known == file).map_or(0, |(_, count)| *count)
    }
}

/// Adds the row of a file that had so many, and fails when it has others by now: then somebody else
/// was faster, and the whole transaction is undone.
pub(super) fn write(stack: &str, seed: &str, entry: &Entry<'_>, count: usize) -> String {
    let [file, digest, state, prefix, run] = entry.texts().map(literal);
    let [done, statements, ..] = entry.numbers();
    let (stack, seed, next) = (literal(stack), literal(seed), count + 1);
    format!(
        "INSERT INTO public.{TABLE} (stack, seed, file, digest, state, prefix, run_id, done, \
         statements, generation, run_at) SELECT {stack}, {seed}, {file}, {digest}, {state}, \
         {prefix}, {run}, {done}, {statements}, \
         {next} / CASE WHEN COUNT(*) = {count} THEN 1 ELSE 0 END, GETDATE() \
         FROM public.{TABLE} WHERE stack = {stack} AND seed = {seed} AND file = {file}"
    )
}

/// In Redshift a backslash escapes in every string.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_of_a_file_counts() {
        let line = |file: &str, digest: &str| {
            [file, digest, "done", "0", "", "r", "2026-11-02T10:00:00Z", "1"].map(str::to_owned)
        };
        let lines = [line("a", "1").to_vec(), line("b", "1").to_vec(), line("a", "2").to_vec()];
        let page = Page::read(&lines).expect("rows");
        assert_eq!((page.count("a"), page.count("b"), page.count("c")), (2, 1, 0));
        let a = page.rows.iter().find(|row| row.file == "a").expect("a row");
        assert_eq!(a.digest, "2");
        assert!(Page::read(&[vec!["x".to_owned()]]).is_err());
    }

    #[test]
    fn quotes_and_backslashes_stay_what_they_are() {
        assert_eq!(literal(r"it's \"), r"'it''s \\'");
    }
}
