//! Stack files as a list: for people, and for a matrix of GitHub Actions.

use serde::Serialize;

use super::style::{columns, harmless};

/// A stack file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Listed {
    /// Name of the stack.
    pub stack: String,
    /// The file, as whoever runs lagoa here would name it.
    pub file: String,
}

/// One line each.
pub fn text(stacks: &[Listed]) -> String {
    let rows = stacks.iter().map(|one| vec![harmless(&one.stack), harmless(&one.file)]);
    columns(&rows.collect::<Vec<_>>(), "")
}

/// On one line, so that a workflow can keep it as an output, in the form that `strategy.matrix`
/// takes.
pub fn json(stacks: &[Listed]) -> String {
    format!("{}\n", serde_json::json!({ "include": stacks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_has_one_line() {
        let one = Listed { stack: "lake".to_owned(), file: "stacks/lake.yaml".to_owned() };
        assert_eq!(json(&[]), "{\"include\":[]}\n");
        let expected = "{\"include\":[{\"stack\":\"lake\",\"file\":\"stacks/lake.yaml\"}]}\n";
        assert_eq!(json(std::slice::from_ref(&one)), expected);
        assert_eq!(text(&[one]), "lake  stacks/lake.yaml\n");
    }
}
