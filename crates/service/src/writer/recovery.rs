//! Opens the storage again after it has failed.

use std::time::{Duration, Instant};

use sync_engine::store::StoreError;
use sync_engine::writer::{Writer, WriterError, WriterOptions};

use super::Input;
use super::publisher::Publisher;
use super::requests::NO_STORAGE;
use super::run::{Edges, Stopped, Thread};
use super::trouble::FIRST_PAUSE;

impl Thread {
    /// Loads a new writer after an error. Streams that read through the old one's store end.
    ///
    /// # Errors
    /// The service stops.
    pub(super) fn recover(self, error: &WriterError) -> Result<Self, Stopped> {
        tracing::error!(%error, "writing to the storage");
        let Self { writer, mut edges, unanswered, .. } = self;
        edges.feed.close();
        edges.publisher.end();
        unanswered.refuse(NO_STORAGE);
        edges.board.storage_failed(&writer, &error.to_string());
        drop(writer);
        let writer = edges.open()?;
        edges.publisher.begin(&writer);
        Ok(Self::new(writer, edges))
    }
}

impl Edges {
    /// A writer, as soon as the storage can be opened, and no other process writes to it.
    ///
    /// # Errors
    /// The service stops.
    pub(super) fn open(&mut self) -> Result<Writer, Stopped> {
        let mut is_standby = false;
        loop {
            if !self.storage_pause.is_zero() {
                self.pause(self.storage_pause)?;
            }
            self.storage_pause = (self.storage_pause * 2).clamp(FIRST_PAUSE, self.publisher.longest_pause());
            let loaded = (self.open_store)().map_err(WriterError::from);
            match loaded.and_then(|store| Writer::new(store, WriterOptions::default())) {
                Ok(writer) => {
                    tracing::info!("the storage is open");
                    self.board.storage_opened();
                    return Ok(writer);
                }
                Err(WriterError::Store(StoreError::InUse(reason)))
                    if matches!(self.publisher, Publisher::Everywhere(_)) =>
                {
                    if !std::mem::replace(&mut is_standby, true) {
                        tracing::info!(reason, "standing by");
                    }
                    self.board.storage_opened();
                    // It has waited while it tried.
                    self.storage_pause = FIRST_PAUSE;
                }
                Err(error) => tracing::warn!(%error, "opening the storage"),
            }
        }
    }

    /// Waits, and refuses what is asked for meanwhile.
    fn pause(&self, pause: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.inbox.take(left).map_err(|_| Stopped)? {
                None => return Ok(()),
                Some(Input::Command(command)) => command.refuse()?,
                Some(Input::Events(..) | Input::StreamEnded(..)) => {}
            }
        }
    }
}
