//! The current status, and waiting for the next one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Status;

/// Holds the current status.
#[derive(Default)]
pub(crate) struct StatusCell {
    current: Mutex<Current>,
    changed: Condvar,
}

#[derive(Default)]
struct Current {
    status: Arc<Status>,
    /// Grows with each status.
    version: u64,
}

/// What waiting for a status gave.
pub(crate) enum Wait {
    Changed(Arc<Status>, u64),
    TimedOut,
}

impl StatusCell {
    /// The current one, and its number.
    pub(crate) fn current(&self) -> (Arc<Status>, u64) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&current.status), current.version)
    }

    /// Makes a new status, unless nothing changes.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut status = Status::clone(&current.status);
        change(&mut status);
        if status != *current.status {
            current.status = Arc::new(status);
            current.version += 1;
            self.changed.notify_all();
        }
    }

    /// Waits for a status after the one with this number.
    pub(crate) fn wait_after(&self, seen: u64, until: Option<Instant>) -> Wait {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        while current.version <= seen {
            let Some(until) = until else {
                current = self.changed.wait(current).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Wait::TimedOut;
            }
            let waited = self.changed.wait_timeout(current, left);
            current = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Wait::Changed(Arc::clone(&current.status), current.version)
    }
}

/// The changes of a client's status, the current one first. Waiting for the next one blocks. What came while nobody waited is
/// skipped, up to the newest. It ends when the client is closed.
pub struct Statuses {
    cell: Arc<StatusCell>,
    seen: Option<u64>,
    ended: bool,
}

impl Statuses {
    pub(crate) fn new(cell: Arc<StatusCell>) -> Self {
        Self { cell, seen: None, ended: false }
    }

    /// Waits for the next status for so long, and gives the current one otherwise. None when the client is closed.
    pub fn next_within(&mut self, time: Duration) -> Option<Arc<Status>> {
        self.after_seen(Instant::now().checked_add(time))
    }

    fn after_seen(&mut self, until: Option<Instant>) -> Option<Arc<Status>> {
        if self.ended {
            return None;
        }
        let found = match self.seen {
            None => Some(self.cell.current()),
            Some(seen) => match self.cell.wait_after(seen, until) {
                Wait::Changed(status, version) => Some((status, version)),
                Wait::TimedOut => None,
            },
        };
        let (status, version) = found.unwrap_or_else(|| self.cell.current());
        self.seen = Some(version);
        self.ended = status.closed;
        Some(status)
    }
}

impl Iterator for Statuses {
    type Item = Arc<Status>;

    fn next(&mut self) -> Option<Self::Item> {
        self.after_seen(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_begin_with_the_current_one_skip_what_nobody_saw_and_end() {
        let cell = Arc::new(StatusCell::default());
        let mut statuses = Statuses::new(Arc::clone(&cell));
        assert_eq!(statuses.next().unwrap().checkpoints, 0);
        cell.update(|status| status.checkpoints = 1);
        cell.update(|status| status.checkpoints = 2);
        assert_eq!(statuses.next().unwrap().checkpoints, 2);
        cell.update(|status| status.checkpoints = 2);
        assert_eq!(statuses.next_within(Duration::ZERO).unwrap().checkpoints, 2, "the current one");
        let waiting =
            std::thread::spawn(move || (statuses.next().unwrap().checkpoints, statuses.next(), statuses.next()));
        cell.update(|status| {
            status.checkpoints = 3;
            status.closed = true;
        });
        assert_eq!(waiting.join().unwrap(), (3, None, None));
    }
}
