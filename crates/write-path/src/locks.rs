//! One lock per user and client, so that an upload that timed out and its retry do not run at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Name = (String, String);

/// The locks that are held or waited for.
#[derive(Default)]
pub(crate) struct Locks {
    held: Mutex<HashMap<Name, Arc<Mutex<()>>>>,
}

impl Locks {
    /// Runs `work` while nobody else runs one for the same user and client.
    pub(crate) fn with<T>(&self, user: &str, client: &str, work: impl FnOnce() -> T) -> T {
        let name = (user.to_owned(), client.to_owned());
        let own = Arc::clone(self.all().entry(name.clone()).or_default());
        let guard = own.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work();
        drop(guard);
        let mut all = self.all();
        // The map's and ours: nobody waits.
        if Arc::strong_count(&own) == 2 {
            all.remove(&name);
        }
        result
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Name, Arc<Mutex<()>>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_stays() {
        let locks = Locks::default();
        let inside = Mutex::new(());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        locks.with("u", "c", || assert!(inside.try_lock().is_ok(), "another one is inside"));
                    }
                });
            }
        });
        assert!(locks.all().is_empty());
        locks.with("u", "c", || locks.with("u", "d", || assert_eq!(locks.all().len(), 2)));
    }
}
