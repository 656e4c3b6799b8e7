//! What was received and not taken yet, up to a size.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pg_connect::Failure;

use super::frames::Frame;

/// How many bytes may wait. A batch that is larger waits alone.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// How many frames are in a batch, and are taken at once.
pub(super) const MAX_FRAMES: usize = 4_096;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// Why nothing more comes.
    end: Option<Failure>,
    /// Nobody takes anything any more.
    is_closed: bool,
}

/// Frames that were received together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<Frame>,
    pub(super) bytes: usize,
}

/// What has become of a batch.
pub(super) enum Pushed {
    Taken,
    /// There is no room.
    Full(Batch),
    Closed,
}

impl Queue {
    /// Waits for room for some time.
    pub(super) fn push(&self, batch: Batch, wait: Duration) -> Pushed {
        let until = Instant::now() + wait;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.is_closed {
                return Pushed::Closed;
            }
            if state.bytes == 0 || state.bytes + batch.bytes <= MAX_BYTES {
                state.bytes += batch.bytes;
                state.batches.push_back(batch);
                self.changed.notify_all();
                return Pushed::Taken;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Pushed::Full(batch);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&self, failure: Failure) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).end = Some(failure);
        self.changed.notify_all();
    }

    /// Nobody takes anything any more.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.changed.notify_all();
    }

    /// The next frames; empty if none came in time.
    ///
    /// # Errors
    /// Nothing more comes, and all was taken.
    pub(super) fn pop(&self, wait: Duration) -> Result<Vec<Frame>, Failure> {
        let until = Instant::now() + wait;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut frames = Vec::new();
            while let Some(batch) = state.batches.pop_front_if(|batch| frames.len() + batch.frames.len() <= MAX_FRAMES)
            {
                state.bytes -= batch.bytes;
                frames.extend(batch.frames);
            }
            if !frames.is_empty() {
                self.changed.notify_all();
                return Ok(frames);
            }
            if let Some(failure) = &state.end {
                return Err(failure.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
