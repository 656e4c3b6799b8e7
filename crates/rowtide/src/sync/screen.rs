//! What is printed: sentences, JSON lines, and bars on a terminal.

use std::io::{self, Write};
use std::time::SystemTime;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rowtide_client::{Status, StreamStatus};
use serde_json::{Value, json};

use super::end::{End, writes};
use super::report::{Report, Sentence};
use crate::output::Terminal;

/// Standard output and standard error.
pub(super) struct Screen {
    is_json: bool,
    report: Report,
    bars: Option<Bars>,
}

impl Screen {
    pub(super) fn new(is_json: bool) -> Self {
        let can_change = |terminal: Terminal| terminal.width_of_changing_lines().is_some();
        let has_bars = !is_json && can_change(Terminal::stdout()) && can_change(Terminal::stderr());
        Self { is_json, report: Report::default(), bars: has_bars.then(Bars::new) }
    }

    /// Shows a status.
    pub(super) fn show(&mut self, status: &Status, end: &End) -> io::Result<()> {
        if self.is_json {
            return print(&to_json(status).to_string());
        }
        for sentence in self.report.of(status, end) {
            match sentence {
                Sentence::Said(text) => self.say(&text)?,
                Sentence::Warned(text) => self.warn(&text),
            }
        }
        if let Some(bars) = &mut self.bars {
            bars.show(status);
        }
        Ok(())
    }

    /// The last thing to say.
    pub(super) fn ended(&mut self, status: &Status, ended: Result<(), String>, file: &str) {
        if let Some(bars) = self.bars.take() {
            bars.clear();
        }
        match ended {
            Ok(()) if self.is_json => {}
            Ok(()) if status.closed => {
                let queue =
                    if status.queued > 0 { format!("; {} not uploaded", writes(status.queued)) } else { String::new() };
                let _ = print(&format!("stopped{queue}"));
            }
            Ok(()) => {
                let _ = print(&format!("{file} is in sync"));
            }
            Err(message) => {
                // What was said before is not said again.
                if !self.report.has_said(&message) {
                    complain(&format!("error: {message}"));
                }
                if !status.refused && status.checkpoints == 0 && status.download_error.is_some() {
                    complain("Nothing was synced: check the URL, and that the service is running and can be reached.");
                }
            }
        }
    }

    /// Something is wrong.
    pub(super) fn warn(&self, text: &str) {
        self.around(|| complain(text));
    }

    fn say(&self, text: &str) -> io::Result<()> {
        self.around(|| print(text))
    }

    /// Bars are out of the way meanwhile.
    fn around<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.all.suspend(work),
            None => work(),
        }
    }
}

/// On standard error, whether somebody reads it or not.
fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

fn print(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

/// Bars for priorities and streams while something is downloaded, and a line that says what is going on.
struct Bars {
    all: MultiProgress,
    state: ProgressBar,
    parts: Vec<(String, ProgressBar)>,
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let state = all.add(ProgressBar::new_spinner());
        state.set_style(style("{wide_msg}"));
        Self { all, state, parts: Vec::new() }
    }

    fn show(&mut self, status: &Status) {
        let parts = parts(status);
        self.parts.retain(|(name, bar)| {
            let stays = parts.iter().any(|(part, _)| part == name);
            if !stays {
                bar.finish_and_clear();
                self.all.remove(bar);
            }
            stays
        });
        for (name, (downloaded, total)) in parts {
            let found = self.parts.iter().find(|(part, _)| *part == name);
            let bar = match found {
                Some((_, bar)) => bar.clone(),
                None => {
                    let bar = self.all.insert_before(&self.state, ProgressBar::new(total));
                    bar.set_style(style("{msg:16!} {wide_bar} {human_pos}/{human_len}"));
                    bar.set_message(name.clone());
                    self.parts.push((name, bar.clone()));
                    bar
                }
            };
            bar.set_length(total);
            bar.set_position(downloaded);
        }
        self.state.set_message(state(status));
        self.state.tick();
    }

    fn clear(self) {
        for (_, bar) in &self.parts {
            bar.finish_and_clear();
        }
        self.state.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What is being downloaded, with how much of it is there.
fn parts(status: &Status) -> Vec<(String, (u64, u64))> {
    let Some(download) = &status.downloading else { return Vec::new() };
    let priorities = download.priorities.iter().filter(|one| one.total > 0);
    let priorities = priorities.map(|one| (format!("priority {}", one.priority), (one.downloaded, one.total)));
    let streams = status.streams.iter().filter(|stream| stream.total > 0);
    let streams = streams.map(|stream| (name(stream), (stream.downloaded, stream.total)));
    priorities.chain(streams).collect()
}

fn name(stream: &StreamStatus) -> String {
    match &stream.parameters {
        Some(parameters) => format!("{} {parameters}", stream.name),
        None => stream.name.clone(),
    }
}

/// What is going on.
fn state(status: &Status) -> String {
    let doing = if status.waits_for_lock {
        "waiting for another process"
    } else if status.downloading.is_some() {
        "downloading"
    } else if status.uploading {
        "uploading"
    } else if status.connected {
        "up to date"
    } else if status.download_error.is_some() {
        "offline, trying again"
    } else if status.connecting {
        "connecting"
    } else {
        "not connected"
    };
    let queue = if status.queued > 0 { format!(", {} to upload", writes(status.queued)) } else { String::new() };
    format!("{doing}{queue} (Ctrl-C stops)")
}

/// A status for programs. Times are microseconds since 1970, as in the extension's own status.
fn to_json(status: &Status) -> Value {
    let time = |time: Option<SystemTime>| {
        let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())?;
        u64::try_from(since.as_micros()).ok()
    };
    let downloading = status.downloading.as_ref().map(|download| {
        let priorities = download.priorities.iter();
        let priorities = priorities
            .map(|one| json!({"priority": one.priority, "downloaded": one.downloaded, "total": one.total}))
            .collect::<Vec<_>>();
        json!({"downloaded": download.downloaded, "total": download.total, "priorities": priorities})
    });
    let streams = status.streams.iter().map(|stream| {
        let parameters = stream.parameters.as_deref().and_then(|json| serde_json::from_str::<Value>(json).ok());
        json!({
            "name": stream.name, "parameters": parameters, "priority": stream.priority, "active": stream.active,
            "is_default": stream.is_default, "has_subscription": stream.has_subscription,
            "expires_at": time(stream.expires_at), "last_synced_at": time(stream.last_synced_at),
            "downloaded": stream.downloaded, "total": stream.total,
        })
    });
    let blocked_by = status.blocked_by.as_ref().map(|blocked| {
        json!({"transaction_id": blocked.transaction_id, "error_code": blocked.error_code, "message": blocked.message})
    });
    json!({
        "connected": status.connected, "connecting": status.connecting, "downloading": downloading,
        "uploading": status.uploading, "first_sync": status.first_sync, "last_synced_at": time(status.last_synced_at),
        "streams": streams.collect::<Vec<_>>(), "download_error": status.download_error,
        "upload_error": status.upload_error, "blocked_by": blocked_by, "waits_for_lock": status.waits_for_lock,
        "waits_for_upload": status.waits_for_upload, "queued": status.queued, "rejected": status.rejected,
        "checkpoints": status.checkpoints, "operations": status.operations,
        "download_seconds": status.download_time.as_secs_f64(), "closed": status.closed,
    })
}
