//! What a person has put to rest for a while: its data is there, nothing is wrong with it, and AWS
//! changes nothing of it until it is woken.

use super::{Class, Error};

/// RDS's word for it.
pub const STOPPED: &str = "stopped";

/// Redshift's word for it.
pub const PAUSED: &str = "paused";

/// A refusal of what has that status, with the command that wakes it if it is at rest.
pub fn explained(error: Error, status: Option<&str>, command: &str) -> Error {
    match status {
        Some(status @ (STOPPED | PAUSED)) if error.class == Class::Busy => {
            let hint = format!("it is {status}: wake it first, with `{command}`");
            Error { class: Class::Terminal, ..error }.hint(hint)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_is_not_waited_for() {
        let busy = || Error::new(Class::Busy, "it is not available");
        let told = explained(busy(), Some(PAUSED), "wake");
        assert_eq!(told.class, Class::Terminal);
        assert!(told.hint.is_some_and(|hint| hint.contains("`wake`")));
        assert_eq!(explained(busy(), Some("modifying"), "wake"), busy());
        let other = Error::new(Class::Throttled, "");
        assert_eq!(explained(other.clone(), Some(STOPPED), "wake"), other);
    }
}
