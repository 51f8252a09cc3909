//! Problems and the places they point at: the one vocabulary in which every room
//! tells the user what is wrong. Nothing here prints; `report` renders.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

/// A text that the user wrote, with the name it is shown under.
#[derive(Debug)]
pub struct Source {
    /// What the user calls it, normally the path as given.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where each line starts; found once, because a large file may have many problems.
    line_starts: OnceCell<Vec<usize>>,
}

impl Source {
    /// A source ready to be pointed into.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Rc<Self> {
        Rc::new(Self { name: name.into(), text: text.into(), line_starts: OnceCell::new() })
    }

    /// The byte range of the line that holds `offset` (without its line break), and its
    /// number counted from 1.
    pub fn line_at(&self, offset: usize) -> (usize, Range<usize>) {
        let starts = self.line_starts.get_or_init(|| {
            let breaks = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        });
        let number = starts.partition_point(|start| *start <= offset).max(1);
        let start = starts.get(number - 1).copied().unwrap_or(0);
        let end = starts.get(number).map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end).unwrap_or("");
        (number, start..start + line.trim_end_matches('\r').len())
    }
}

/// A place in a source: a byte range. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Place {
    /// The text pointed into.
    pub source: Rc<Source>,
    /// The bytes pointed at; empty where something is missing.
    pub range: Range<usize>,
}

impl Place {
    /// A place in `source`, its ends moved to character boundaries inside the text.
    pub fn new(source: &Rc<Source>, range: Range<usize>) -> Self {
        let start = floor_char_boundary(&source.text, range.start);
        let end = floor_char_boundary(&source.text, range.end).max(start);
        Self { source: Rc::clone(source), range: start..end }
    }

    /// Line and column of the start, both counted from 1, the column in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let (line, range) = self.source.line_at(self.range.start);
        let before = self.source.text.get(range.start..self.range.start);
        (line, before.map_or(0, |text| text.chars().count()) + 1)
    }

    /// The text pointed at.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range.clone()).unwrap_or("")
    }
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing can go on.
    Error,
    /// Worth knowing; the run goes on.
    Warning,
}

/// Something the user should know or repair.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it is wrong.
    pub place: Option<Place>,
    /// A few words beside the marked place.
    pub label: Option<String>,
    /// Related places, each with a few words.
    pub notes: Vec<(Place, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that stops the run.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            place: None,
            label: None,
            notes: Vec::new(),
            help: None,
        }
    }

    /// A problem that does not stop the run.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Points at the place where it is wrong.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Says a few words beside the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at a related place.
    #[must_use]
    pub fn note(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.notes.push((place.clone(), text.into()));
        self
    }

    /// Adds "did you mean" when one of `candidates` is close to `word`.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, candidates: impl Iterator<Item = &'a str>) -> Self {
        match closest(word, candidates) {
            Some(candidate) => self.help(format!("did you mean `{candidate}`?")),
            None => self,
        }
    }
}

/// "Did you mean": the candidate closest to `word` within a sensible distance.
///
/// Another spelling of the same words (`instanceClass` for `instance_class`) always counts;
/// otherwise a third of the letters may be wrong. The first of equally close ones wins.
/// Words longer than anyone mistypes are not compared: it would take their length squared.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare_word = bare(word);
    let allowed = (word.chars().count() / 3).clamp(1, 5);
    if word.len() > LONGEST_WORD {
        return None;
    }
    candidates
        .filter(|candidate| candidate.len() <= LONGEST_WORD)
        .map(|candidate| {
            let same = !bare_word.is_empty() && bare(candidate) == bare_word;
            let distance = if same { 0 } else { strsim::damerau_levenshtein(word, candidate) };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Bytes of a word that "did you mean" looks at.
const LONGEST_WORD: usize = 200;

fn bare(word: &str) -> String {
    let letters = word.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a", "é: 1\r\nção: x\n");
        let at = source.text.find('x').unwrap();
        let place = Place::new(&source, at..at + 1);
        assert_eq!(place.line_column(), (2, 6));
        assert_eq!(place.text(), "x");
        assert_eq!(&source.text[source.line_at(0).1], "é: 1");
    }

    #[test]
    fn places_stay_inside_the_text_and_on_boundaries() {
        let source = Source::new("a", "é");
        assert_eq!(Place::new(&source, 1..99).range, 0..2);
        assert_eq!(Place::new(&source, 99..99).line_column(), (1, 2));
        let empty = Source::new("a", "");
        assert_eq!(Place::new(&empty, 5..9).line_column(), (1, 1));
    }

    #[test]
    fn closest_forgives_typing_and_spelling_but_not_other_words() {
        let fields = ["instance_class", "engine", "engine_version", "storage_gib"];
        let near = |word: &str| closest(word, fields.into_iter());
        assert_eq!(near("engin"), Some("engine"));
        assert_eq!(near("enigne"), Some("engine"));
        assert_eq!(near("instanceClass"), Some("instance_class"));
        assert_eq!(near("storage-gib"), Some("storage_gib"));
        assert_eq!(near("banana"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"e".repeat(10_000_000)), None);
    }
}
