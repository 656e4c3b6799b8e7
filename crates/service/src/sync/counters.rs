//! What was sent, for metrics and status.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the service was started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections_opened: AtomicU64,
    pub(crate) connections_closed: AtomicU64,
    /// Commits that connections were told of.
    pub(crate) commits: AtomicU64,
    /// How often commits have woken streams.
    pub(crate) wakes: AtomicU64,
    pub(crate) operations_sent: AtomicU64,
    /// Before compression.
    pub(crate) bytes_sent: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(amount as u64, Ordering::Relaxed);
}

pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
