//! Text that was damaged at random.
#![allow(dead_code, reason = "each test binary uses its part")]

use proptest::prelude::*;

/// One thing that happens to a text; places count in characters, modulo its length.
#[derive(Clone, Debug)]
pub enum Edit {
    /// So many characters are cut out here.
    Cut(usize, usize),
    /// So many characters are there twice.
    Double(usize, usize),
    /// So many characters are there very often.
    Flood(usize, usize),
    /// This is put in.
    Put(usize, String),
    /// These two places change their characters.
    Swap(usize, usize),
    /// It ends here.
    End(usize),
}

/// Some edits, the most damaging ones seldom.
pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = || any::<u16>().prop_map(usize::from);
    let words = prop_oneof![
        "[-a:?{}\\[\\],&*!|>'\"%@#<~ \\t\\r\\n\u{feff}é$/\\\\;()=0-9.]{1,6}",
        "\\PC{1,4}",
        Just("${".to_owned()),
        Just("<<: *a".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("-1".to_owned()),
        Just("\u{1b}[2J\u{7}".to_owned()),
        Just("\u{202e}".to_owned()),
    ];
    let edit = prop_oneof![
        4 => (at(), 1_usize..20).prop_map(|(at, length)| Edit::Cut(at, length)),
        4 => (at(), 1_usize..60).prop_map(|(at, length)| Edit::Double(at, length)),
        6 => (at(), words).prop_map(|(at, text)| Edit::Put(at, text)),
        3 => (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
        1 => (at(), 1_usize..8).prop_map(|(at, length)| Edit::Flood(at, length)),
        1 => at().prop_map(Edit::End),
    ];
    prop::collection::vec(edit, 1..6)
}

/// What is left of the text.
pub fn damaged(text: &str, edits: &[Edit]) -> String {
    let mut all: Vec<char> = text.chars().collect();
    for edit in edits {
        if all.is_empty() {
            break;
        }
        let place = |at: usize| at % all.len();
        let span = |at: usize, length: usize| {
            let start = at % all.len();
            start..(start + length).min(all.len())
        };
        match edit {
            Edit::Cut(at, length) => drop(all.drain(span(*at, *length))),
            Edit::Double(at, length) => {
                let span = span(*at, *length);
                let copy = all[span.clone()].to_vec();
                all.splice(span.end..span.end, copy);
            }
            Edit::Flood(at, length) => {
                let span = span(*at, *length);
                let copy = all[span.clone()].repeat(500);
                all.splice(span.end..span.end, copy);
            }
            Edit::Put(at, put) => drop(all.splice(place(*at)..place(*at), put.chars())),
            Edit::Swap(one, other) => {
                let (one, other) = (place(*one), place(*other));
                all.swap(one, other);
            }
            Edit::End(at) => all.truncate(place(*at)),
        }
    }
    all.into_iter().collect()
}
