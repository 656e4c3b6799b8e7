//! What `serve` and `dev` share: how they say that they are ready, reload their configuration, and stop.

use std::fs;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{HumanCount, ProgressBar};
use rowtide_service::{BuildProgress, Reload};
use serde_json::{Value, json};
use sync_config::Diagnostic;

use crate::diagnostics::{self, Source};

/// Flags for scripts.
#[derive(clap::Args)]
pub(crate) struct ForScripts {
    /// A file that is written when clients can sync, and removed at the end: {"url": …, "pid": …}
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Prints a JSON line on standard output when clients can sync, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Names buckets the same each time that a storage is created; `dev` also has the same secret each time
    #[arg(long)]
    pub(crate) deterministic: bool,
}

/// Says that a service is ready, until this is dropped.
pub(crate) struct ReadyFile(Option<PathBuf>);

impl ForScripts {
    /// A file of an earlier run would say something that is not true.
    pub(crate) fn begin(&self) -> Result<()> {
        match self.ready_file.as_deref().map(fs::remove_file) {
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("Removing the old ready file")
            }
            _ => Ok(()),
        }
    }

    /// Writes the file and the line.
    pub(crate) fn ready(&self, url: &str, more: Value) -> Result<ReadyFile> {
        let mut line = json!({"url": url, "pid": std::process::id()});
        if let Some(file) = &self.ready_file {
            write_at_once(file, &format!("{line}\n"))
                .with_context(|| format!("Writing the ready file {}", file.display()))?;
        }
        if self.json {
            if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
                line.extend(more);
            }
            print(&format!("{line}\n"));
        }
        Ok(ReadyFile(self.ready_file.clone()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = fs::remove_file(file);
        }
    }
}

/// Whoever waits for the file finds all of it.
fn write_at_once(file: &Path, content: &str) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(content.as_bytes())?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Prints, whether somebody still reads it or not.
pub(crate) fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// Prints what became of a configuration file that has changed.
pub(crate) fn report(reload: &Reload, file: &Path) {
    let name = file.display().to_string();
    let text = |yaml: &str, diagnostics: &[Diagnostic]| {
        diagnostics::render(&Source { name: &name, text: yaml }, diagnostics, diagnostics::Style::of_stderr())
    };
    let report = match reload {
        Reload::Deployed { yaml, diagnostics } => format!("{}{name}: deployed\n", text(yaml, diagnostics)),
        Reload::Refused { yaml, diagnostics } => {
            format!("{}{name}: has errors; what was there before stays\n", text(yaml, diagnostics))
        }
        Reload::Failed(message) => format!("{message}; what was there before stays\n"),
    };
    let _ = std::io::stderr().lock().write_all(report.as_bytes());
}

/// Shows how far the first configuration is, if that takes so long that somebody may wonder.
pub(crate) struct Waiting {
    bar: Option<ProgressBar>,
    ticks: tokio::time::Interval,
}

impl Waiting {
    pub(crate) fn new() -> Self {
        let second = Duration::from_secs(1);
        Self { bar: None, ticks: tokio::time::interval_at(tokio::time::Instant::now() + second, second) }
    }

    /// Waits for a second; cancelling it loses nothing.
    pub(crate) async fn tick(&mut self) {
        self.ticks.tick().await;
    }

    /// On standard error, if that is a terminal.
    pub(crate) fn show(&mut self, progress: Option<BuildProgress>) {
        let bar = self.bar.get_or_insert_with(ProgressBar::new_spinner);
        bar.set_message(match progress {
            Some(BuildProgress { rows, tables_left }) => {
                format!("reading the source: {} rows, {} tables left", HumanCount(rows), tables_left)
            }
            None => "waiting for the source".to_owned(),
        });
        bar.tick();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Signals to this process. They count from the time that this is made.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

/// What a signal asks for.
pub(crate) enum Asked {
    Stop,
    Reload,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("Listening to signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {})
    }

    pub(crate) async fn next(&mut self) -> Asked {
        let _ = tokio::signal::ctrl_c().await;
        Asked::Stop
    }
}

impl Signals {
    /// Waits for the end of `stopping`; another signal ends the process at once.
    pub(crate) async fn while_stopping(mut self, stopping: impl Future<Output = ()>) {
        let again = async { while !matches!(self.next().await, Asked::Stop) {} };
        tokio::select! {
            () = stopping => {}
            () = again => std::process::exit(130),
        }
    }
}

/// Runs the service of a command.
pub(crate) fn block_on<T>(service: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("Starting the threads of the service")?.block_on(service)
}
