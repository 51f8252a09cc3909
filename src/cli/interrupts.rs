//! Ctrl-C, the polite request to end, and the terminal that goes away.

use std::io;
use std::pin::pin;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failed::Failed;

/// Ctrl-C and the polite request to end.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Signals from now on no longer end the process.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Does the work to its end, and tells whether it was interrupted; a second interrupt breaks
    /// it off.
    pub async fn after<T>(&mut self, work: impl Future<Output = T>) -> (Option<T>, bool) {
        let mut work = pin!(work);
        let mut interrupted = false;
        loop {
            tokio::select! {
                result = &mut work => return (Some(result), interrupted),
                () = self.next() => match interrupted {
                    true => return (None, true),
                    false => interrupted = true,
                },
            }
        }
    }
}

/// A terminal that is closed from now on no longer ends the process: what runs goes on.
pub fn outlive_the_terminal() -> Result<(), Failed> {
    // The handler stays when its receiver goes.
    signal(SignalKind::hangup()).map(drop).map_err(|error| Failed::saying(error.to_string()))
}
