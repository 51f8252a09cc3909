//! Outputs of a step, for the steps that follow.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Outputs as the runner reads them: `name=value`, and what has several lines between delimiters.
/// The delimiter must be one that nobody can guess, or a value could end itself early.
pub fn text(outputs: &[(String, String)], delimiter: &str) -> String {
    let each = outputs.iter().map(|(name, value)| match value.contains(['\n', '\r']) {
        false => format!("{name}={value}\n"),
        true => format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"),
    });
    each.collect()
}

/// A delimiter that nobody can guess.
pub fn delimiter() -> String {
    format!("lagoa_{:032x}", rand::random::<u128>())
}

/// Appends to a file that the runner reads when the step has ended.
pub fn append(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_between_delimiters() {
        let outputs = [
            ("changes".to_owned(), "true".to_owned()),
            ("comment".to_owned(), "a\nchanges=false\n".to_owned()),
        ];
        let text = text(&outputs, "END");
        assert_eq!(text, "changes=true\ncomment<<END\na\nchanges=false\n\nEND\n");
        assert_ne!(delimiter(), delimiter());
    }
}
