//! The closed sets of words that Aurora takes, in its own spelling.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An engine that Aurora clusters run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Engine {
    AuroraPostgresql,
    AuroraMysql,
}

impl Engine {
    /// So many of a version's numbers make its major version: `16`, `8.0`.
    pub(super) fn major_numbers(self) -> usize {
        match self {
            Self::AuroraPostgresql => 1,
            Self::AuroraMysql => 2,
        }
    }
}

/// How a cluster's storage is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum StorageType {
    Aurora,
    AuroraIopt1,
}

/// Which addresses a cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum NetworkType {
    Ipv4,
    Dual,
}
