//! Engine versions as RDS writes them: `15.7`, `8.0.36`, `8.0.mysql_aurora.3.08.0`,
//! `19.0.0.0.ru-2024-01.rur-2024-01.r1`.

/// Whether live is what `desired` asks for: the same version, or a later one that `desired` leaves
/// open (`15` for `15.7`), or that AWS has moved to by itself within the same major version, which
/// has so many numbers.
pub fn satisfies(numbers: usize, desired: &str, live: &str, moves_by_itself: bool) -> bool {
    let rest = live.strip_prefix(desired);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        return true;
    }
    moves_by_itself && major(numbers, desired) == major(numbers, live) && later(live, desired)
}

/// The part of the version that AWS never changes by itself.
pub fn major(numbers: usize, version: &str) -> String {
    version.split('.').take(numbers).collect::<Vec<_>>().join(".")
}

/// Whether `a` comes after `b`, part by part; parts that aren't numbers must be the same, or the two
/// can't be compared.
pub fn later(a: &str, b: &str) -> bool {
    for (a, b) in a.split('.').zip(b.split('.')) {
        match (a.parse::<u32>(), b.parse::<u32>()) {
            (Ok(a), Ok(b)) if a != b => return a > b,
            (Ok(_), Ok(_)) => {}
            _ if a == b => {}
            _ => return false,
        }
    }
    a.split('.').count() > b.split('.').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_leaves_the_rest_open() {
        let same = |desired, live| satisfies(1, desired, live, false);
        assert!(same("15", "15.7") && same("15.7", "15.7"));
        assert!(!same("15", "150.1") && !same("15.7", "15.8") && !same("15", "16.1"));
    }

    #[test]
    fn aws_may_have_moved_on_within_the_major_version() {
        assert!(satisfies(1, "15.4", "15.10", true));
        assert!(satisfies(2, "8.0.35", "8.0.36", true));
        assert!(!satisfies(2, "8.0.35", "8.4.3", true));
        assert!(!satisfies(1, "15.10", "15.4", true));
        let aurora = |minor: &str| format!("8.0.mysql_aurora.3.{minor}");
        assert!(satisfies(2, &aurora("04.0"), &aurora("08.1"), true));
        assert!(!later(&aurora("04.0"), &aurora("08.1")));
    }

    #[test]
    fn what_is_no_number_must_be_the_same() {
        assert!(!later("19.0.0.0.ru-2024-04", "19.0.0.0.ru-2024-01"));
        assert!(later("16.1", "15.9") && !later("15.9", "15.9"));
    }
}
