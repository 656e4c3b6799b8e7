//! What `serve` and `dev` share: how they say that they are ready, reload their configuration, and stop.

use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{HumanCount, ProgressBar};
use rowtide_service::{BuildProgress, Reload};
use serde_json::{Value, json};
use sync_config::Diagnostic;
use tokio::sync::oneshot;

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
    /// Stops when standard input ends: with the program that has started this one, whatever ends that
    #[arg(long)]
    stop_with_stdin: bool,
}

/// Says that a service is ready, until this is dropped.
pub(crate) struct ReadyFile(Option<PathBuf>);

impl ForScripts {
    /// What asks this process to stop.
    pub(crate) fn signals(&self) -> Result<Signals> {
        Ok(Signals { input: self.stop_with_stdin.then(end_of_input), ..Signals::new()? })
    }

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

/// What asks this process to stop or to reload. It counts from the time that this is made.
pub(crate) struct Signals {
    system: System,
    /// When standard input ends, if that counts.
    input: Option<oneshot::Receiver<()>>,
}

/// The signals of the operating system.
struct System {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

/// What is asked for.
pub(crate) enum Asked {
    Stop,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has a signal for it"))]
    Reload,
}

/// Waits for the end of standard input. Whatever comes before is not for anybody.
fn end_of_input() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    // Reading cannot be cancelled, so that it must not be a thread that somebody waits for.
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut ignored = [0; 1024];
        loop {
            match input.read(&mut ignored) {
                Ok(read) if read > 0 => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let _ = ended.send(());
    });
    end
}

#[cfg(unix)]
impl System {
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("Listening to signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

#[cfg(not(unix))]
impl System {
    fn new() -> Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) -> Asked {
        let _ = tokio::signal::ctrl_c().await;
        Asked::Stop
    }
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { system: System::new()?, input: None })
    }

    /// Waits until something is asked for; cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> Asked {
        let input = &mut self.input;
        let end = async {
            match input {
                // The thread that would send something can only end by doing so.
                Some(end) => drop(end.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = end => Asked::Stop,
            asked = self.system.next() => asked,
        }
    }

    /// Waits for the end of `stopping`; another signal ends the process at once.
    pub(crate) async fn while_stopping(mut self, stopping: impl Future<Output = ()>) {
        // Not the end of the input: a program that stops this one also closes it when it ends itself.
        let again = async { while !matches!(self.system.next().await, Asked::Stop) {} };
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
