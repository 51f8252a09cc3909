//! lagoa provisions AWS data platforms from YAML and seeds their databases.

pub mod sandbox;
