//! How to reach the databases that seeds work in.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::SecretSource;

/// How to reach a database; what `rds_instance` computes and what a seed needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Host name or address of the server.
    pub host: String,
    /// TCP port of the server.
    pub port: u16,
    /// User to log in as.
    pub username: String,
    /// Where the user's password comes from.
    pub password: SecretSource,
    /// Database to work in.
    pub database: Option<String>,
    /// `verify-full` unless the server is on this machine's loopback interface.
    pub tls: Option<Tls>,
    /// ARN of the server, which carries the marks of what was seeded.
    pub arn: Option<String>,
}

/// Whether the connection to a database is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Encrypted, with the server's certificate and name checked against the RDS authorities.
    VerifyFull,
    /// In clear; only to a loopback address.
    Off,
}

/// The database that a seed works in: an `rds_instance` or `rds_cluster` by key, or a server that
/// lagoa doesn't own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Database {
    /// Known: the server exists, or was written out in the stack.
    Known(Box<Connection>),
    /// A reference that becomes known once the server exists.
    Unknown(String),
}

impl JsonSchema for Database {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Database".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Connection::json_schema(generator);
        schema.insert(
            "x-refers".into(),
            serde_json::json!([
                { "kind": "rds_instance", "field": "connection" },
                { "kind": "rds_cluster", "field": "connection" },
            ]),
        );
        schema
    }
}

/// How SQL gets to a Redshift warehouse over HTTP; what a cluster or a workgroup computes and what a
/// seed needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warehouse {
    /// Name of the cluster or of the workgroup.
    pub name: String,
    /// Database that SQL works in.
    pub database: String,
    /// ARN of the secret with the user and the password. Without one, AWS makes temporary
    /// credentials.
    pub secret_arn: Option<String>,
    /// User that temporary credentials are for, in a cluster. Without one, a user of the IAM
    /// identity's own.
    pub user: Option<String>,
    /// ARN of the warehouse, which carries the marks of what was seeded.
    pub arn: Option<String>,
}

/// The warehouse that a seed works in: a resource by key, or one that lagoa doesn't own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WarehouseOf<const SERVERLESS: bool> {
    /// Known: the warehouse exists, or was written out in the stack.
    Known(Box<Warehouse>),
    /// A reference that becomes known once the warehouse exists.
    Unknown(String),
}

impl<const SERVERLESS: bool> JsonSchema for WarehouseOf<SERVERLESS> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        if SERVERLESS { "WorkgroupWarehouse" } else { "ClusterWarehouse" }.into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Warehouse::json_schema(generator);
        let kind = if SERVERLESS { "redshift_serverless_workgroup" } else { "redshift_cluster" };
        schema
            .insert("x-refers".into(), serde_json::json!({ "kind": kind, "field": "connection" }));
        schema
    }
}
