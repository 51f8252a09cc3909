//! Calls that start something new each time they are made, and for which AWS has no idempotency
//! token: an answer that got lost must not start a second one.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Class, Error};

/// What was asked for without an answer: AWS may have done it all the same.
#[derive(Default)]
pub struct Unanswered(RefCell<BTreeMap<String, u8>>);

/// How many looks must come up empty before it is asked for again. The engine makes longer and
/// longer pauses between them, eight seconds in all.
const LOOKS: u8 = 5;

impl Unanswered {
    /// Whoever looked for the thing and found nothing may ask for it, unless an earlier answer got
    /// lost and it may still come up.
    pub fn may_ask(&self, what: &str) -> Result<(), Error> {
        let mut asked = self.0.borrow_mut();
        let Some(looks) = asked.get_mut(what) else { return Ok(()) };
        *looks = looks.saturating_sub(1);
        if *looks == 0 {
            asked.remove(what);
            return Ok(());
        }
        let message = "no answer came: looking whether AWS did it all the same";
        Err(Error::new(Class::Transient, message))
    }

    /// Notes how it went.
    pub fn noted<T>(&self, what: &str, answer: Result<T, Error>) -> Result<T, Error> {
        if answer.as_ref().is_err_and(|error| error.class == Class::Transient) {
            self.0.borrow_mut().insert(what.to_owned(), LOOKS);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_looked_for_before_it_is_asked_again() {
        let calls = Unanswered::default();
        assert!(calls.may_ask("a").is_ok());
        let lost: Result<(), _> = Err(Error::new(Class::Transient, "no answer"));
        assert!(calls.noted("a", lost).is_err());
        let refused = (0..LOOKS).filter(|_| calls.may_ask("a").is_err()).count();
        assert_eq!(refused, usize::from(LOOKS) - 1);
        assert!(calls.may_ask("a").is_ok());
        assert!(calls.may_ask("b").is_ok());
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let calls = Unanswered::default();
        let refused: Result<(), _> = Err(Error::new(Class::Terminal, "no"));
        assert!(calls.noted("a", refused).is_err());
        assert!(calls.may_ask("a").is_ok());
    }
}
