//! CSV files: every row is read and checked before and while it's loaded, because servers skip,
//! cut and pad bad rows without an error (`LOAD DATA LOCAL`) or end at a line that holds only
//! `\.` (COPY up to PostgreSQL 17). What is sent is written anew from what was read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use csv::{ByteRecord, ReaderBuilder};

use super::error::{Place, SeedProblem};
use super::source::unreadable;
use super::{Load, Mode};

/// More problems than this in one file are only counted.
const SHOWN: usize = 20;
/// Columns that a table may have at most, in any engine.
const COLUMNS: usize = 4096;
/// Bytes that a row may have: rows are held in memory whole, and one whose quote is never closed
/// goes on to the end of the file.
const ROW_LIMIT: usize = 32_000_000;
/// Characters of a row that are shown.
const CLIPPED: usize = 1000;

/// What a CSV file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) rows: u64,
    pub(super) width: usize,
    /// The columns to load, when the file or the stack names them.
    pub(super) columns: Option<Vec<String>>,
}

/// Reads the whole file and reports everything that is wrong in it.
pub(super) fn examine(root: &Path, path: &str, load: &Load) -> Result<Table, Vec<SeedProblem>> {
    let mut rows = Rows::open(root, path, load).map_err(|problem| vec![problem])?;
    let mut problems = rows.header_problems(load);
    let mut unshown = 0;
    let mut count = 0;
    loop {
        match rows.next() {
            Ok(Some(_)) => count += 1,
            Ok(None) => break,
            Err(problem) if problems.len() < SHOWN => problems.push(*problem),
            Err(_) => unshown += 1,
        }
    }
    if unshown > 0 {
        problems.push(problem(path, None, format!("and {unshown} more bad rows"), ""));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Table { rows: count, width: rows.width.unwrap_or(0), columns: rows.columns })
}

/// The rows of a file, one by one.
pub(super) struct Rows {
    path: String,
    reader: csv::Reader<QuoteWatch>,
    quotes: Quotes,
    record: ByteRecord,
    pub(super) columns: Option<Vec<String>>,
    header: Option<Vec<String>>,
    width: Option<usize>,
    ended: bool,
}

impl Rows {
    pub(super) fn open(root: &Path, path: &str, load: &Load) -> Result<Self, SeedProblem> {
        let file = File::open(root.join(path)).map_err(|error| unreadable(path, &error))?;
        let delimiter = u8::try_from(load.delimiter).unwrap_or(b',');
        let quotes = Quotes::default();
        let watch = QuoteWatch::new(file, delimiter, quotes.clone())
            .map_err(|error| unreadable(path, &error))?;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(128 * 1024)
            .from_reader(watch);
        let mut rows = Self {
            path: path.to_owned(),
            reader,
            quotes,
            record: ByteRecord::new(),
            columns: load.columns.clone(),
            header: None,
            width: load.columns.as_ref().map(Vec::len),
            ended: false,
        };
        if load.header {
            rows.read_header()?;
        }
        Ok(rows)
    }

    fn read_header(&mut self) -> Result<(), SeedProblem> {
        self.width = None;
        let Some(record) = self.next().map_err(|problem| *problem)? else {
            return Err(problem(
                &self.path,
                None,
                "the file is empty, without even a header",
                "say `header: false` if it has none",
            ));
        };
        let header: Vec<String> =
            record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        self.columns.get_or_insert_with(|| header.clone());
        self.header = Some(header);
        Ok(())
    }

    fn header_problems(&self, load: &Load) -> Vec<SeedProblem> {
        let mut problems = Vec::new();
        let mut say = |message: String, remedy: &str| {
            problems.push(problem(&self.path, None, message, remedy))
        };
        if !load.delimiter.is_ascii() {
            say(
                format!("the delimiter {:?} is not an ASCII character", load.delimiter),
                "use a comma, a semicolon, a tab or a bar",
            );
        }
        if let (Some(header), Some(columns)) = (&self.header, &load.columns) {
            let same = header.len() == columns.len()
                && header.iter().zip(columns).all(|(one, other)| one.eq_ignore_ascii_case(other));
            if !same {
                say(
                    format!(
                        "the header is {}, but the stack says {}",
                        header.join(", "),
                        columns.join(", ")
                    ),
                    "make them the same, in the same order, or leave `columns` out",
                );
            }
        }
        let columns = self.columns.as_deref().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (index, column) in columns.iter().enumerate() {
            if column.is_empty() {
                say(
                    format!("column {} has no name", index + 1),
                    "name it in the header or under `columns`",
                );
            } else if !seen.insert(column) {
                say(format!("the column {column} is there twice"), "");
            }
        }
        if let Mode::Upsert { key } = &load.mode {
            for missing in key.iter().filter(|name| !columns.contains(name)) {
                say(
                    format!("the key column {missing} is not in the file"),
                    "the key must be among the columns",
                );
            }
            if key.is_empty() {
                say(
                    "`upsert` has no key".to_owned(),
                    "name the columns of the primary key or of a unique index",
                );
            }
        }
        problems
    }

    /// The next row, or what is wrong with it. Goes on after a bad row.
    #[allow(clippy::should_implement_trait)]
    pub(super) fn next(&mut self) -> Result<Option<&ByteRecord>, Box<SeedProblem>> {
        if self.ended {
            return Ok(None);
        }
        let more = self.reader.read_byte_record(&mut self.record);
        let line = self.line();
        let more = more.map_err(|error| {
            // The next row would meet the same error.
            self.ended = true;
            Box::new(problem(&self.path, None, error.to_string(), ""))
        });
        if !more? {
            self.ended = true;
            return Ok(None);
        }
        let opened = self.quotes.open_at_end.swap(0, Ordering::Relaxed);
        if opened > 0 {
            self.ended = true;
            return Err(self.bad(
                opened,
                "a quote is opened here and never closed, so the rest of the file is inside it"
                    .to_owned(),
            ));
        }
        let width = *self.width.get_or_insert(self.record.len());
        if self.record.len() != width {
            let found = self.record.len();
            return Err(self.bad(line, format!("this row has {found} fields, not {width}")));
        }
        for (index, field) in self.record.iter().enumerate() {
            if std::str::from_utf8(field).is_err() {
                return Err(self.bad(line, format!("field {} is not valid UTF-8", index + 1)));
            }
            if field.contains(&0) {
                return Err(self.bad(line, format!("field {} holds a NUL character", index + 1)));
            }
        }
        Ok(Some(&self.record))
    }

    /// The line on which the row just read starts.
    pub(super) fn line(&self) -> usize {
        self.record.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(1))
    }

    fn bad(&self, line: usize, message: String) -> Box<SeedProblem> {
        let clip = |field: &'_ [u8]| {
            String::from_utf8_lossy(&field[..field.len().min(CLIPPED)]).into_owned()
        };
        let shown: Vec<_> = self.record.iter().take(CLIPPED).map(clip).collect();
        let text = shown.join(",").lines().next().unwrap_or("").to_owned();
        Box::new(problem(&self.path, Some(Place { line, column: 1, text }), message, ""))
    }
}

fn problem(
    path: &str,
    place: Option<Place>,
    message: impl Into<String>,
    remedy: &str,
) -> SeedProblem {
    SeedProblem { path: path.to_owned(), place, message: message.into(), remedy: remedy.to_owned() }
}

/// The place of the `number`th row, counted from 1 as servers do.
pub(super) fn place_of(root: &Path, path: &str, load: &Load, number: u64) -> Option<Place> {
    let mut rows = Rows::open(root, path, load).ok()?;
    for _ in 1..number {
        rows.next().ok()??;
    }
    let record = rows.next().ok()??;
    let text: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    let text = text.join(&load.delimiter.to_string()).replace('\n', " ");
    Some(Place { line: rows.line(), column: 1, text })
}

/// Writes a row as both COPY's text format and LOAD DATA read it: tabs between fields, `\N` for
/// NULL, backslashes before what would be taken for something else.
pub(super) fn encode(record: &ByteRecord, null: &str, out: &mut Vec<u8>) {
    for (index, field) in record.iter().enumerate() {
        if index > 0 {
            out.push(b'\t');
        }
        if field == null.as_bytes() {
            out.extend_from_slice(b"\\N");
            continue;
        }
        for &byte in field {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                _ => out.push(byte),
            }
        }
    }
    out.push(b'\n');
}

/// Notices a quote that is open when the file ends, which the parser doesn't tell.
#[derive(Clone, Default)]
struct Quotes {
    /// The line of the open quote, or 0.
    open_at_end: Arc<AtomicUsize>,
}

struct QuoteWatch {
    file: BufReader<File>,
    quotes: Quotes,
    delimiter: u8,
    state: State,
    line: usize,
    opened: usize,
    row: Row,
    /// Read ahead while looking for a BOM.
    ahead: Vec<u8>,
}

/// The row that is being read.
#[derive(Default)]
struct Row {
    line: usize,
    bytes: usize,
    fields: usize,
}

#[derive(PartialEq)]
enum State {
    Start,
    Bare,
    Quoted,
    /// After a quote inside quotes: the end, or the first of two.
    Closing,
}

impl QuoteWatch {
    fn new(file: File, delimiter: u8, quotes: Quotes) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(128 * 1024, file);
        let mut ahead = Vec::new();
        Read::by_ref(&mut file).take(3).read_to_end(&mut ahead)?;
        if ahead == b"\xef\xbb\xbf" {
            ahead.clear();
        }
        let row = Row { line: 1, ..Row::default() };
        Ok(Self { file, quotes, delimiter, state: State::Start, line: 1, opened: 1, row, ahead })
    }

    fn watch(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let ends_field = byte == self.delimiter || byte == b'\n' || byte == b'\r';
            self.state = match (&self.state, byte) {
                (State::Start, b'"') => {
                    self.opened = self.line;
                    State::Quoted
                }
                (State::Quoted, b'"') => State::Closing,
                (State::Quoted, _) | (State::Closing, b'"') => State::Quoted,
                _ if ends_field => State::Start,
                _ => State::Bare,
            };
            self.line += usize::from(byte == b'\n');
            self.row.bytes += 1;
            if self.state == State::Start {
                self.row.fields += 1;
                if byte == b'\n' || byte == b'\r' {
                    self.row = Row { line: self.line, ..Row::default() };
                }
            }
        }
    }

    /// Refuses a row that no database takes before it is held in memory.
    fn check_row(&self) -> io::Result<()> {
        let Row { line, bytes, fields } = self.row;
        let what = match (bytes > ROW_LIMIT, fields > COLUMNS) {
            (true, _) => format!("more than {} MB", ROW_LIMIT / 1_000_000),
            (_, true) => format!("more than {COLUMNS} columns, which is more than any table has"),
            _ => return Ok(()),
        };
        let open = if self.state == State::Quoted {
            format!("; a quote is opened on line {} and not closed", self.opened)
        } else {
            String::new()
        };
        Err(io::Error::other(format!("the row on line {line} has {what}{open}")))
    }
}

impl Read for QuoteWatch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = if self.ahead.is_empty() {
            self.file.read(buffer)?
        } else {
            let length = self.ahead.len().min(buffer.len());
            buffer[..length].copy_from_slice(&self.ahead[..length]);
            self.ahead.drain(..length);
            length
        };
        if read == 0 && self.state == State::Quoted {
            self.quotes.open_at_end.store(self.opened, Ordering::Relaxed);
        }
        self.watch(&buffer[..read]);
        self.check_row()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::path::PathBuf;

    fn load() -> Load {
        Load::into("t")
    }

    /// A folder that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn with(bytes: &[u8]) -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("lagoa-table-{}-{number}", std::process::id());
            let root = std::env::temp_dir().join(name);
            fs::create_dir_all(&root).unwrap();
            fs::write(root.join("a.csv"), bytes).unwrap();
            Self(root)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn check(bytes: &[u8], load: &Load) -> Result<Table, Vec<SeedProblem>> {
        examine(&Folder::with(bytes).0, "a.csv", load)
    }

    fn lines(result: Result<Table, Vec<SeedProblem>>) -> Vec<usize> {
        result
            .unwrap_err()
            .iter()
            .filter_map(|problem| problem.place.as_ref().map(|place| place.line))
            .collect()
    }

    #[test]
    fn counts_rows_and_columns() {
        let table = check(b"\xef\xbb\xbfid,name\r\n1,\"a,\nb\"\r\n2,\r\n", &load()).unwrap();
        assert_eq!((table.rows, table.width), (2, 2));
        assert_eq!(table.columns.unwrap(), ["id", "name"]);
    }

    #[test]
    fn every_bad_row_is_named() {
        let result = check(b"id,name\n1\n2,b,c\n3,\xff\n\"4\n\",x\n5\n", &load());
        assert_eq!(lines(result), [2, 3, 4, 7]);
    }

    #[test]
    fn an_open_quote_is_named_by_its_line() {
        let result = check(b"id,name\n1,a\n2,\"b\n3,c\n", &load());
        assert_eq!(lines(result), [3]);
        assert!(check(b"id,name\n1,a\n2,\"b\"", &load()).is_ok());
    }

    #[test]
    fn header_and_columns_must_agree() {
        let mut load = load();
        load.columns = Some(vec!["id".into(), "title".into()]);
        let problems = check(b"id,name\n1,a\n", &load).unwrap_err();
        assert!(
            problems[0].message.contains("the header is id, name, but the stack says id, title")
        );
        load.mode = Mode::Upsert { key: vec!["no".into()] };
        assert!(check(b"id,title\n1,a\n", &load).unwrap_err()[0].message.contains("key column no"));
    }

    #[test]
    fn rows_are_found_again_by_number() {
        let folder = Folder::with(b"id\n1\n\"2\n\"\n3\n");
        assert_eq!(place_of(&folder.0, "a.csv", &load(), 3).unwrap().line, 5);
    }

    #[test]
    fn encoding_escapes_what_servers_read() {
        let mut out = Vec::new();
        encode(&ByteRecord::from(vec!["\\.", "a\tb\nc\r", "", "NULL"]), "NULL", &mut out);
        assert_eq!(out, b"\\\\.\ta\\tb\\nc\\r\t\t\\N\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..80)) {
            let _ = check(&bytes, &load());
        }
    }
}
