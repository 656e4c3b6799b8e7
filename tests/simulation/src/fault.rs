//! Calls of a store that fail: before they have done anything, or afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sync_engine::store::StoreError;

/// When a call fails. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<AtomicI64>);

const NEVER: i64 = 0;
const STRUCK: i64 = -1;

impl Fault {
    /// Lets a call after so many others fail, after it has done its work or before.
    pub(crate) fn arm(&self, calls: usize, is_after: bool) {
        let calls = i64::try_from(calls).unwrap_or(0) + 1;
        self.0.store(2 * calls + i64::from(is_after), Ordering::Relaxed);
    }

    pub(crate) fn disarm(&self) {
        self.0.store(NEVER, Ordering::Relaxed);
    }

    /// Whether a call has failed. All others do from then on.
    pub(crate) fn has_struck(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STRUCK
    }

    /// Runs a call, or fails.
    pub(crate) fn run<T>(&self, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.0.load(Ordering::Relaxed) {
            NEVER => call(),
            STRUCK => Err(failure()),
            left if left >= 4 => {
                self.0.store(left - 2, Ordering::Relaxed);
                call()
            }
            last => {
                self.0.store(STRUCK, Ordering::Relaxed);
                if last % 2 == 1 {
                    call()?;
                }
                Err(failure())
            }
        }
    }
}

fn failure() -> StoreError {
    StoreError::Unavailable("a call fails, as the simulation wants it".to_owned())
}
