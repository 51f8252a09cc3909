//! Reads a file that should be text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use crate::diagnostic::{Place, Problem, Source};

/// Bytes a file may have: far more than anyone writes, little enough to hold.
pub const FILE_LIMIT: u64 = 10 * MEGABYTE;
const MEGABYTE: u64 = 1_000_000;

/// Reads a UTF-8 file, to be shown as `shown_as` in problems.
pub fn read(path: &Path, shown_as: &str) -> Result<Rc<Source>, Problem> {
    let file = File::open(path).map_err(|error| unreadable(shown_as, &error))?;
    let facts = file.metadata().map_err(|error| unreadable(shown_as, &error))?;
    if facts.is_dir() {
        return Err(Problem::error(format!("`{shown_as}` is a directory"))
            .help("name the YAML file itself"));
    }
    if facts.len() > FILE_LIMIT {
        return Err(too_large(shown_as, Some(facts.len())));
    }
    let mut bytes = Vec::new();
    // A pipe or a device has no length to ask for beforehand.
    file.take(FILE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(shown_as, &error))?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(too_large(shown_as, None));
    }
    decode(shown_as, bytes)
}

fn unreadable(shown_as: &str, error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::error(format!("there is no file `{shown_as}`"))
            .help("a relative path starts at the current directory; check it and the file's name"),
        io::ErrorKind::PermissionDenied => Problem::error(format!("you may not read `{shown_as}`"))
            .help("check the file's permissions"),
        _ => Problem::error(format!("`{shown_as}` cannot be read: {error}")),
    }
}

fn too_large(shown_as: &str, length: Option<u64>) -> Problem {
    let length = match length {
        // Rounded up, so that one byte over the limit doesn't read as the limit itself.
        Some(length) => format!("{} MB", length.div_ceil(MEGABYTE)),
        None => format!("more than {} MB", FILE_LIMIT / MEGABYTE),
    };
    let limit = FILE_LIMIT / MEGABYTE;
    Problem::error(format!("`{shown_as}` is {length}; a stack file may have {limit} MB"))
        .help("is it the right file? Data to load belongs in its own files, which a seed names")
}

fn decode(shown_as: &str, bytes: Vec<u8>) -> Result<Rc<Source>, Problem> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        not_utf8(shown_as, error.as_bytes(), at)
    })?;
    if text.contains('\0') {
        return Err(not_text(shown_as));
    }
    // The byte order mark says nothing in UTF-8 and would shift the first line's columns.
    Ok(Source::new(shown_as, text.strip_prefix('\u{feff}').unwrap_or(&text)))
}

fn not_utf8(shown_as: &str, bytes: &[u8], at: usize) -> Problem {
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Problem::error(format!("`{shown_as}` is UTF-16, not UTF-8"))
            .help("save it as UTF-8, or run `iconv -f UTF-16 -t UTF-8`");
    }
    if bytes.contains(&0) {
        return not_text(shown_as);
    }
    let byte = bytes.get(at).copied().unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let source = Source::new(shown_as, text);
    let replaced = char::REPLACEMENT_CHARACTER.len_utf8();
    Problem::error(format!("`{shown_as}` is not UTF-8: byte 0x{byte:02x} at offset {at}"))
        .at(&Place::new(&source, at..at + replaced))
        .label("not UTF-8 from here")
        .help("save it as UTF-8; from Latin-1, run `iconv -f LATIN1 -t UTF-8`")
}

fn not_text(shown_as: &str) -> Problem {
    Problem::error(format!("`{shown_as}` is not a text file")).help("is it the right file?")
}
