//! Running seeds on MySQL and MariaDB.
use super::error::SeedError;
use super::ledger::Row;
use super::{Job, Report, Seeding, Watch};

pub(super) async fn read_ledger(seeding: &Seeding<'_>) -> Result<Vec<Row>, SeedError> {
    Err(missing(seeding))
}

pub(super) async fn run(job: &Job<'_>, _: Watch<'_>) -> Result<Report, SeedError> {
    Err(missing(job.seeding))
}

fn missing(seeding: &Seeding<'_>) -> SeedError {
    SeedError::Connect {
        server: seeding.target.to_string(),
        reason: "MySQL is not supported yet".to_owned(),
    }
}
