//! The closed sets of words that RDS takes, in its own spelling.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An engine that RDS instances run. (Aurora's run in clusters.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Engine {
    Postgres,
    Mysql,
    Mariadb,
    OracleEe,
    OracleEeCdb,
    #[serde(rename = "oracle-se2")]
    OracleSe2,
    #[serde(rename = "oracle-se2-cdb")]
    OracleSe2Cdb,
    SqlserverEe,
    SqlserverSe,
    SqlserverEx,
    SqlserverWeb,
    SqlserverDevEe,
    #[serde(rename = "db2-ae")]
    Db2Ae,
    #[serde(rename = "db2-ce")]
    Db2Ce,
    #[serde(rename = "db2-se")]
    Db2Se,
}

/// A kind of disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum StorageType {
    Gp2,
    Gp3,
    Io1,
    Io2,
    Standard,
}

/// Which addresses the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum NetworkType {
    Ipv4,
    Dual,
}

/// How much is recorded about the server's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum DatabaseInsightsMode {
    Standard,
    Advanced,
}

/// How the engine is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum LicenseModel {
    LicenseIncluded,
    BringYourOwnLicense,
    BringYourOwnMedia,
    GeneralPublicLicense,
    PostgresqlLicense,
    MarketplaceLicense,
}

/// What happens at the end of a major version's support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum EngineLifecycleSupport {
    OpenSourceRdsExtendedSupport,
    OpenSourceRdsExtendedSupportDisabled,
}
