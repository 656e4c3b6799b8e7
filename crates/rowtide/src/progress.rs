//! Follows the sync status: a progress bar, a count of operations, and the messages for a person in between.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The stream goes on.
    Continue,
    /// The extension closed the stream.
    Closed,
}

/// Follows the instructions of one stream.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// Operations of downloads that are complete.
    finished: u64,
    /// Operations of the running download.
    running: u64,
    /// Checkpoints that were published.
    pub checkpoints: u64,
    /// Checkpoints that wait for local data.
    pub delayed: u64,
}

impl Progress {
    /// A bar without length, until the first status says what is to be downloaded.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new(0);
        let template = "{bar:40} {pos}/{len} operations {msg}";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress { bar, started: Instant::now(), finished: 0, running: 0, checkpoints: 0, delayed: 0 }
    }

    /// Operations downloaded so far.
    pub(crate) fn operations(&self) -> u64 {
        self.finished + self.running
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Operations per second so far.
    pub(crate) fn rate(&self) -> f64 {
        self.operations() as f64 / self.elapsed().as_secs_f64().max(1e-9)
    }

    /// Shows what a call brought.
    pub(crate) fn follow(&mut self, instructions: &[Value]) -> Outcome {
        let mut outcome = Outcome::Continue;
        for instruction in instructions {
            let Some((name, body)) = instruction.as_object().and_then(|members| members.iter().next()) else {
                continue;
            };
            match name.as_str() {
                "LogLine" => self.log(body),
                "UpdateSyncStatus" => self.status(body.pointer("/status/downloading")),
                "DidCompleteSync" => self.checkpoints += 1,
                "CheckpointDelayedDueToLocalData" => self.delayed += 1,
                "CloseSyncStream" => outcome = Outcome::Closed,
                _ => {}
            }
        }
        outcome
    }

    fn log(&self, body: &Value) {
        let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if member("severity") != "DEBUG" {
            self.bar.suspend(|| println!("{}: {}", member("severity").to_lowercase(), member("line")));
        }
    }

    fn status(&mut self, downloading: Option<&Value>) {
        let priorities = downloading.and_then(|value| value.get("buckets")).and_then(Value::as_object);
        let Some(priorities) = priorities else {
            self.finished += std::mem::take(&mut self.running);
            return;
        };
        let sum = |name: &str| priorities.values().filter_map(|entry| entry.get(name)?.as_u64()).sum::<u64>();
        self.running = sum("since_last");
        self.bar.set_length(sum("target_count"));
        self.bar.set_position(self.running);
        self.bar.set_message(format!("({:.0} rows/s)", self.rate()));
    }

    /// Leaves the bar as it is and ends the line.
    pub(crate) fn finish(&self) {
        self.bar.abandon();
    }
}
