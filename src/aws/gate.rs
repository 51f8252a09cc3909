//! Whether calls that write may go out. Who has lost the stack's lock sends none any more, whatever
//! it is in the middle of: one verb of a kind may be many calls.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Watch = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What every write passes through. Clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Option<Watch>>>);

impl Gate {
    /// From now on, asks before each write why it may not go out, until the guard is dropped.
    pub fn watch(&self, why: impl Fn() -> Option<String> + Send + Sync + 'static) -> Watched {
        self.set(Some(Arc::new(why)));
        Watched(self.clone())
    }

    /// Why no write may go out now, if that is so.
    pub fn shut(&self) -> Option<String> {
        let watch = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        watch.and_then(|why| why())
    }

    fn set(&self, watch: Option<Watch>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = watch;
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

/// As long as it is there, the gate is watched.
#[must_use]
pub struct Watched(Gate);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
