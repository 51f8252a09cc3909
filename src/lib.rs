//! lagoa provisions AWS data platforms from YAML and seeds their databases.

pub mod access;
pub mod aws;
pub mod checks;
pub mod cidr;
pub mod cli;
pub mod diagnostic;
pub mod diff;
pub mod document;
pub mod execution;
pub mod field;
pub mod github;
pub mod graph;
pub mod guardrails;
pub mod import;
pub mod kind;
pub mod kinds;
pub mod live;
pub mod plan;
pub mod policy;
pub mod reference;
pub mod report;
pub mod sandbox;
pub mod schema;
pub mod seed;
pub mod sql_seed;
pub mod stack;
