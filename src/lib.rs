//! lagoa provisions AWS data platforms from YAML and seeds their databases.

pub mod diagnostic;
pub mod document;
pub mod report;
