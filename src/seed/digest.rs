//! What a file is known by: SHA-256 of what would be run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Of a script: its text without BOM and with `\n` line ends, so that a checkout on another
/// system is the same seed, and the values it's filled with. Values that it doesn't use don't
/// count, so that a new one makes no other script of the seed run again.
pub(super) fn script(text: &str, with: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    field(&mut hash, text);
    let used = with.iter().filter(|(name, _)| text.contains(&format!("${{{name}}}")));
    for (name, value) in used {
        field(&mut hash, name);
        field(&mut hash, value);
    }
    hex(&hash.finalize())
}

/// Of a CSV file: its bytes as they are, and how they're read.
pub(super) fn file(path: &Path, how: &str) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    field(&mut hash, how);
    let mut chunk = vec![0; 128 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok((hex(&hash.finalize()), bytes));
        }
        hash.update(&chunk[..read]);
        bytes += read as u64;
    }
}

/// For every number of statements done, the digest of those statements: how a resumed run knows
/// that what has been done is what the file still says.
pub(super) fn chain<'a>(statements: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut link = [0_u8; 32];
    let next = |text: &str| {
        let mut hash = Sha256::new();
        hash.update(link);
        hash.update(text);
        link = hash.finalize().into();
        hex(&link[..8])
    };
    std::iter::once(String::new()).chain(statements.map(next)).collect()
}

/// A number for a lock, from what is locked.
pub(super) fn lock(parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| field(&mut hash, part));
    let bytes: [u8; 32] = hash.finalize().into();
    bytes[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// 64 characters that stand for what they are made of.
pub fn token(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| field(&mut hash, part));
    hex(&hash.finalize())
}

/// With its length, so that no two lists of fields look alike.
fn field(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_count_and_fields_do_not_run_together() {
        let text = "${x} ${x1}";
        assert_ne!(script(text, &with(&[])), script(text, &with(&[("x", "1")])));
        assert_ne!(script(text, &with(&[("x", "12")])), script(text, &with(&[("x1", "2")])));
        assert_eq!(script("${x}", &with(&[])), script("${x}", &with(&[("y", "1")])));
        assert_eq!(script("a", &with(&[("x", "1")])).len(), 64);
    }

    #[test]
    fn a_chain_changes_from_the_edited_statement_on() {
        let one = chain(["a", "b", "c"].into_iter());
        let two = chain(["a", "x", "c"].into_iter());
        assert_eq!(one[..2], two[..2]);
        assert_ne!(one[2], two[2]);
        assert_ne!(one[3], two[3]);
    }
}
