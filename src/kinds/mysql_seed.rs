//! SQL scripts and CSV files for MySQL and MariaDB.

use crate::seed::Engine;
use crate::sql_seed::{Server, SqlSeed};

/// Seeds a MySQL or MariaDB database. Statements that change rows run in one transaction;
/// those that define tables commit by themselves and are journaled one by one.
pub type MysqlSeed = SqlSeed<Mysql>;

/// MySQL, MariaDB, Aurora MySQL.
#[derive(Clone, Debug)]
pub struct Mysql;

impl Server for Mysql {
    const ENGINE: Engine = Engine::Mysql;
    const ABOUT: &'static str = "SQL scripts or CSV files that are run in a MySQL or MariaDB database, once \
        each, and recorded in its table `lagoa_seeds` in the same transaction as the work.\n\n\
        Statements that change rows run in one \
        transaction; those that define tables commit by themselves and are journaled one by one.";
    const EXAMPLE: &'static str = "
cards:
  kind: mysql_seed
  database: dbsicredi
  scripts: [sql/cards/*.sql]

dbsicredi:
  kind: rds_instance
  engine: mariadb
  engine_version: \"10.11\"
  instance_class: db.t3.micro
  storage_gib: 20
  database: cards
  username: admin
  managed_password: true
  on_destroy: delete
";
}
