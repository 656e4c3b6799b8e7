//! Reads the source's stream on a thread of its own, and hands events to the writer's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use sync_engine::row::Position;
use sync_engine::source::{ErrorClass, Source, SourceError};

use super::Input;
use super::inbox::EventSender;
use crate::clock;

/// How long one call waits for events. A thread that is not needed any more ends after that at the latest.
const WAIT: Duration = Duration::from_millis(500);

/// The stream that is being read, if any.
pub(super) struct Feed {
    source: Arc<dyn Source>,
    sender: EventSender,
    /// The number of the stream whose events count. Older threads end when they see another one.
    current: Arc<AtomicU64>,
    /// When the source last had nothing more to give, in µs since 1970; 0 for never.
    rested_at: Arc<AtomicI64>,
    is_open: bool,
}

impl Feed {
    pub(super) fn new(source: Arc<dyn Source>, sender: EventSender) -> Self {
        Self { source, sender, current: Arc::default(), rested_at: Arc::default(), is_open: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// When the source last had nothing more to give, in µs since 1970.
    pub(super) fn rested_at(&self) -> Option<i64> {
        Some(self.rested_at.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    /// Whether events of this stream count.
    pub(super) fn is_current(&self, number: u64) -> bool {
        self.is_open && number == self.current.load(Ordering::Relaxed)
    }

    /// Opens the stream after a position.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(super) fn open(&mut self, from: Option<&Position>) -> Result<(), SourceError> {
        self.close();
        let mut stream = self.source.stream(from)?;
        let number = self.current.load(Ordering::Relaxed);
        let (current, sender, rested_at) =
            (Arc::clone(&self.current), self.sender.clone(), Arc::clone(&self.rested_at));
        let read = move || {
            while current.load(Ordering::Relaxed) == number {
                let input = match stream.next(WAIT) {
                    Ok(events) if events.is_empty() => {
                        rested_at.store(clock::now(), Ordering::Relaxed);
                        continue;
                    }
                    Ok(events) => Input::Events(number, events),
                    Err(error) => {
                        let _ = sender.send(Input::StreamEnded(number, error));
                        return;
                    }
                };
                if sender.send(input).is_err() {
                    return;
                }
            }
        };
        let started = std::thread::Builder::new().name("source".into()).spawn(read);
        started.map_err(|error| SourceError {
            class: ErrorClass::Retry,
            message: format!("Starting a thread for the source: {error}"),
        })?;
        self.is_open = true;
        Ok(())
    }

    /// Events of the stream do not count from now on.
    pub(super) fn close(&mut self) {
        self.current.fetch_add(1, Ordering::Relaxed);
        self.is_open = false;
    }
}
