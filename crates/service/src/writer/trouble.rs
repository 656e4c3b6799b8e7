//! What is wrong with the source at the moment, and when it is tried again.

use std::time::{Duration, Instant};

use sync_engine::source::{ErrorClass, SourceError};

/// Pauses after errors: the first, and the longest. Each is twice the one before.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The source's last error.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    error: Option<String>,
    pause: Duration,
    /// Whether it was the stream that ended, which can be opened and end again.
    is_of_stream: bool,
    until: Option<Instant>,
}

impl Trouble {
    /// The stream has ended.
    pub(super) fn stream_ended(&mut self, error: &SourceError) {
        self.failed(error);
        self.is_of_stream = true;
    }

    /// A call has failed.
    pub(super) fn failed(&mut self, error: &SourceError) {
        self.is_of_stream = false;
        tracing::warn!(%error, "reading the source");
        let pause = match error.class {
            ErrorClass::RetryAfter(pause) => pause,
            _ => (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE),
        };
        self.pause = pause;
        self.until = Some(Instant::now() + pause);
        self.error = Some(error.message.clone());
    }

    /// A call worked. After the end of a stream, the next pause is as long as ever, since it may end again at once.
    pub(super) fn worked(&mut self) {
        if self.error.take().is_some() {
            tracing::info!("the source can be read again");
        }
        self.until = None;
        if !self.is_of_stream {
            self.pause = Duration::ZERO;
        }
    }

    /// The stream has given events, which does not mean that other calls work.
    pub(super) fn stream_works(&mut self) {
        if std::mem::take(&mut self.is_of_stream) {
            self.worked();
        }
    }

    /// How long the source is not asked.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}
