//! One read shared by everybody who asks while it is fresh.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};

use super::Error;

type Read<T> = Shared<LocalBoxFuture<'static, Result<Rc<T>, Error>>>;

/// Remembers the answer of a read until it is told to forget; concurrent readers share one call.
pub struct Memo<T> {
    read: RefCell<Option<Read<T>>>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { read: RefCell::new(None) }
    }
}

impl<T: 'static> Memo<T> {
    /// The remembered answer, or the one that `read` gives. An error is not remembered.
    pub async fn get<F>(&self, read: impl FnOnce() -> F) -> Result<Rc<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + 'static,
    {
        let shared = self.read.borrow().clone();
        let shared = shared.unwrap_or_else(|| {
            let new = read().map(|answer| answer.map(Rc::new)).boxed_local().shared();
            *self.read.borrow_mut() = Some(new.clone());
            new
        });
        let answer = shared.await;
        if answer.is_err() {
            self.forget();
        }
        answer
    }

    /// Makes the next `get` read again.
    pub fn forget(&self) {
        *self.read.borrow_mut() = None;
    }
}
