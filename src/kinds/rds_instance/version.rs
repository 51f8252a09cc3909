//! Engine versions as RDS writes them: `15.7`, `8.0.36`, `19.0.0.0.ru-2024-01.rur-2024-01.r1`.

use super::Engine;

/// Whether live is what `desired` asks for: the same version, or a later one that `desired` leaves
/// open (`15` for `15.7`), or that AWS has moved to by itself within the same major version.
pub fn satisfies(engine: Engine, desired: &str, live: &str, moves_by_itself: bool) -> bool {
    let rest = live.strip_prefix(desired);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        return true;
    }
    moves_by_itself && major(engine, desired) == major(engine, live) && later(live, desired)
}

/// The part of the version that AWS never changes by itself.
pub fn major(engine: Engine, version: &str) -> String {
    let numbers = match engine {
        Engine::Postgres => 1,
        Engine::OracleEe | Engine::OracleEeCdb | Engine::OracleSe2 | Engine::OracleSe2Cdb => 1,
        _ => 2,
    };
    version.split('.').take(numbers).collect::<Vec<_>>().join(".")
}

/// Whether `a` comes after `b`, number by number; what isn't a number can't be compared and so isn't later.
pub fn later(a: &str, b: &str) -> bool {
    let numbers = |text: &str| {
        text.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()
    };
    matches!((numbers(a), numbers(b)), (Some(a), Some(b)) if a > b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_leaves_the_rest_open() {
        let same = |desired, live| satisfies(Engine::Postgres, desired, live, false);
        assert!(same("15", "15.7") && same("15.7", "15.7"));
        assert!(!same("15", "150.1") && !same("15.7", "15.8") && !same("15", "16.1"));
    }

    #[test]
    fn aws_may_have_moved_on_within_the_major_version() {
        assert!(satisfies(Engine::Postgres, "15.4", "15.10", true));
        assert!(satisfies(Engine::Mysql, "8.0.35", "8.0.36", true));
        assert!(!satisfies(Engine::Mysql, "8.0.35", "8.4.3", true));
        assert!(!satisfies(Engine::Postgres, "15.10", "15.4", true));
    }

    #[test]
    fn majors_depend_on_the_engine() {
        assert_eq!(major(Engine::Postgres, "15.7"), "15");
        assert_eq!(major(Engine::Mariadb, "10.11.6"), "10.11");
        assert_eq!(major(Engine::OracleSe2, "19.0.0.0.ru-2024-01"), "19");
    }
}
