//! How far a connected client is, for people.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use sync_engine::lines::Line;
use sync_engine::store::OpId;

use super::counters::{add, get};

/// What one stream has sent. Its task writes, and whoever asks for the status reads.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    lines: AtomicU64,
    operations: AtomicU64,
    /// Before compression.
    bytes: AtomicU64,
    buckets: AtomicU64,
    /// The last operation of the checkpoint that was sent last, and when that was complete, in µs since 1970.
    checkpoint: AtomicI64,
    complete_at: AtomicI64,
    /// Since when the client is being sent a newer checkpoint, in µs since 1970; 0 if it has everything.
    behind_since: AtomicI64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) lines: u64,
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    pub(crate) buckets: u64,
    /// The checkpoint that was sent last; none before the first one is complete.
    pub(crate) checkpoint: Option<OpId>,
    pub(crate) complete_at: Option<i64>,
    pub(crate) behind_since: Option<i64>,
}

impl Progress {
    /// A line is sent next.
    pub(super) fn line(&self, line: &Line<'_>, now: impl FnOnce() -> i64) {
        add(&self.lines, 1);
        match line {
            Line::Checkpoint { .. } | Line::CheckpointDiff { .. } => {
                // One that interrupts another does not begin the wait again.
                let _ = self.behind_since.compare_exchange(0, now(), Ordering::Relaxed, Ordering::Relaxed);
            }
            Line::Data { operations, .. } => add(&self.operations, operations.len()),
            Line::CheckpointComplete { last_op_id } => self.checkpoint.store(*last_op_id, Ordering::Relaxed),
            Line::PartialCheckpointComplete { .. } | Line::TokenExpiresIn(_) => {}
        }
    }

    /// So many bytes are sent next.
    pub(super) fn bytes(&self, bytes: usize) {
        add(&self.bytes, bytes);
    }

    /// All lines so far are on their way, and there are no more for now.
    pub(super) fn rest(&self, buckets: usize, now: i64) {
        self.buckets.store(buckets as u64, Ordering::Relaxed);
        if self.behind_since.swap(0, Ordering::Relaxed) != 0 {
            self.complete_at.store(now, Ordering::Relaxed);
        }
    }

    pub(crate) fn sent(&self) -> Sent {
        let time = |at: &AtomicI64| Some(at.load(Ordering::Relaxed)).filter(|time| *time > 0);
        let complete_at = time(&self.complete_at);
        Sent {
            lines: get(&self.lines),
            operations: get(&self.operations),
            bytes: get(&self.bytes),
            buckets: get(&self.buckets),
            checkpoint: complete_at.map(|_| self.checkpoint.load(Ordering::Relaxed)),
            complete_at,
            behind_since: time(&self.behind_since),
        }
    }
}
