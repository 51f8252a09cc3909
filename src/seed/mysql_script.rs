//! stub
use super::{error::SeedProblem, script::Statement, source::Source};
pub(super) struct Script {
    pub(super) source: Source,
    pub(super) statements: Vec<Statement>,
    pub(super) warnings: Vec<String>,
}
pub(super) fn parse(
    p: &str,
    t: String,
    w: &std::collections::BTreeMap<String, String>,
) -> (Script, Vec<SeedProblem>) {
    let (source, pr) = super::source::fill(p, t, w, &[]);
    (Script { source, statements: vec![], warnings: vec![] }, pr)
}
