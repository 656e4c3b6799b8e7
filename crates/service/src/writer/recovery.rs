//! Opens the storage again after it has failed.

use std::time::{Duration, Instant};

use sync_engine::writer::{Writer, WriterError, WriterOptions};

use super::requests::{Asked, NO_STORAGE};
use super::run::{Edges, Stopped, Thread};
use super::trouble::{FIRST_PAUSE, LONGEST_PAUSE};
use super::{Command, Input};

impl Thread {
    /// Loads a new writer after an error. All streams end, as they read through the old one's store.
    ///
    /// # Errors
    /// The service stops.
    pub(super) fn recover(self, error: &WriterError) -> Result<Self, Stopped> {
        tracing::error!(%error, "writing to the storage");
        let Self { writer, mut edges, unanswered, .. } = self;
        edges.feed.close();
        unanswered.refuse(NO_STORAGE);
        edges.board.storage_failed(&writer, &error.to_string());
        // A store that one process at a time can have open is closed only when nobody reads through it.
        edges.hub.end_streams();
        drop(writer);
        loop {
            if !edges.storage_pause.is_zero() {
                edges.pause(edges.storage_pause)?;
            }
            edges.storage_pause = (edges.storage_pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            let loaded = (edges.open_store)().map_err(WriterError::from);
            match loaded.and_then(|store| Writer::new(store, WriterOptions::default())) {
                Ok(writer) => {
                    tracing::info!("the storage is open again");
                    edges.hub.begin(writer.readers(), writer.active_plan());
                    edges.board.storage_opened();
                    return Ok(Self::new(writer, edges));
                }
                Err(error) => tracing::warn!(%error, "opening the storage again"),
            }
        }
    }
}

impl Edges {
    /// Waits, and refuses what is asked for meanwhile.
    fn pause(&self, pause: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.inbox.take(left).map_err(|_| Stopped)? {
                None => return Ok(()),
                Some(Input::Command(Command::Stop)) => return Err(Stopped),
                Some(Input::Command(Command::Deploy { reply, .. })) => drop(reply.send(Err(NO_STORAGE.to_owned()))),
                Some(Input::Command(Command::Acknowledge(request))) => {
                    Asked { acknowledge: vec![request], reach: Vec::new() }.refuse(NO_STORAGE);
                }
                Some(Input::Command(Command::Reach { reply, .. })) => drop(reply.send(Err(NO_STORAGE.to_owned()))),
                Some(Input::Events(..) | Input::StreamEnded(..)) => {}
            }
        }
    }
}
