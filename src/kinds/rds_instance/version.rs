//! How many numbers of an engine's versions AWS never changes by itself.

use super::Engine;

impl Engine {
    /// So many of a version's numbers make its major version.
    pub(super) fn major_numbers(self) -> usize {
        match self {
            Self::Postgres
            | Self::OracleEe
            | Self::OracleEeCdb
            | Self::OracleSe2
            | Self::OracleSe2Cdb => 1,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rds_versions::major;

    #[test]
    fn majors_depend_on_the_engine() {
        assert_eq!(major(Engine::Postgres.major_numbers(), "15.7"), "15");
        assert_eq!(major(Engine::Mariadb.major_numbers(), "10.11.6"), "10.11");
        assert_eq!(major(Engine::OracleSe2.major_numbers(), "19.0.0.0.ru-2024-01"), "19");
    }
}
