//! SQL scripts and CSV files for PostgreSQL.

use crate::seed::Engine;
use crate::sql_seed::{Server, SqlSeed};

/// Seeds a PostgreSQL database. A script is sent whole and runs in one transaction.
pub type PostgresSeed = SqlSeed<Postgres>;

/// PostgreSQL, Aurora PostgreSQL.
#[derive(Clone, Debug)]
pub struct Postgres;

impl Server for Postgres {
    const ENGINE: Engine = Engine::Postgres;
    const ABOUT: &'static str = "SQL scripts or CSV files that are run in a PostgreSQL database, once \
        each, and recorded in its table `lagoa_seeds` in the same transaction as the work.\n\n\
        A script is sent whole and runs in one transaction.";
    const EXAMPLE: &'static str = "
coins-schema:
  kind: postgres_seed
  database: rds-server
  scripts: [sql/coins/*.sql]

rds-server:
  kind: rds_instance
  engine: postgres
  engine_version: \"15\"
  instance_class: db.t3.micro
  storage_gib: 20
  database: coins
  username: postgres
  managed_password: true
  on_destroy: delete
";
}
