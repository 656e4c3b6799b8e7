//! Shows that something is going on, on a terminal; and follows the sync status: a bar, a count of operations, and the
//! messages for a person in between.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::terminal::Terminal;

/// How wide a bar is; what is beside it needs the rest.
const BAR: u16 = 40;
const BESIDE: u16 = 60;

/// What takes no longer is done before anybody has read a line about it.
const SHORT: Duration = Duration::from_millis(500);

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
        let width = Terminal::stderr().width_of_changing_lines().unwrap_or_default();
        let template = match width.saturating_sub(BESIDE).min(BAR) {
            0..=9 => "{human_pos}/{human_len} operations {msg}".to_owned(),
            bar => format!("{{bar:{bar}}} {{human_pos}}/{{human_len}} operations {{msg}}"),
        };
        let bar = line(&template);
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

    /// Standard output is for results.
    fn log(&self, body: &Value) {
        let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if member("severity") != "DEBUG" {
            self.bar.suspend(|| eprintln!("{}: {}", member("severity").to_lowercase(), member("line")));
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
        let rate = self.operations() as f64 / self.elapsed().as_secs_f64().max(1e-9);
        self.bar.set_message(format!("({rate:.0}/s)"));
    }

    /// Leaves the bar as it is and ends the line.
    pub(crate) fn finish(&self) {
        self.bar.abandon();
    }
}

/// Says what is being done, and for how long, if it takes a moment.
pub(crate) fn working<T>(what: &str, work: impl FnOnce() -> T) -> T {
    if Terminal::stderr().width_of_changing_lines().is_none() {
        return work();
    }
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(SHORT) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let line = line("{spinner} {msg} ({elapsed})");
            let line = line.with_elapsed(SHORT);
            line.set_message(what.to_owned());
            line.enable_steady_tick(Duration::from_millis(100));
            // Ends with an error, as nothing is sent.
            let _ = is_done.recv();
            line.finish_and_clear();
        });
        let result = work();
        drop(done);
        result
    })
}

/// A line that changes, where that can be shown.
fn line(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if Terminal::stderr().width_of_changing_lines().is_none() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
