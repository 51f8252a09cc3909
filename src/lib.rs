//! lagoa provisions AWS data platforms from YAML and seeds their databases.

pub mod aws;
pub mod diff;
pub mod field;
pub mod kind;
pub mod kinds;
pub mod policy;
pub mod reference;
