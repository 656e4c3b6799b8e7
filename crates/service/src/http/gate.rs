//! Bounds how many requests for checkpoints are answered and wait at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{ApiError, ErrorKind};

/// As many requests as `limit`; as many more may wait.
pub(crate) struct Gate {
    permits: Semaphore,
    inside: AtomicUsize,
    limit: usize,
}

/// The place of a request, which is free again when it is dropped.
pub(super) struct Place<'a> {
    gate: &'a Gate,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Gate {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Self { permits: Semaphore::new(limit), inside: AtomicUsize::new(0), limit }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) async fn enter(&self) -> Result<Place<'_>, ApiError> {
        let before = self.inside.fetch_add(1, Ordering::AcqRel);
        // From here on, dropping it counts.
        let mut place = Place { gate: self, _permit: None };
        if before >= self.limit.saturating_mul(2) {
            return Err(ApiError::new(ErrorKind::TooManyConnections, "Too many checkpoints are being asked for."));
        }
        place._permit = self.permits.acquire().await.ok();
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.inside.fetch_sub(1, Ordering::AcqRel);
    }
}
