//! Uses a file again when it has changed: deploys a sync configuration, or loads write rules.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sync_config::{Diagnostic, Severity};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use write_path::WritePath;

use crate::service::{DeployError, Deployer};

/// How often a watched file is read. It is small, and times of files are not exact.
const INTERVAL: Duration = Duration::from_millis(300);

/// How long a file has to stay the same, as editors do not write it at once.
const SETTLED: Duration = Duration::from_millis(50);

/// What became of a file that has changed.
#[derive(Debug)]
pub enum Reload {
    /// It is used: write rules at once, and a configuration when it is built.
    Deployed {
        /// The text.
        yaml: String,
        /// Warnings.
        diagnostics: Vec<Diagnostic>,
    },
    /// It has errors; the one before stays.
    Refused {
        /// The text.
        yaml: String,
        /// Errors and warnings.
        diagnostics: Vec<Diagnostic>,
    },
    /// It could not be read or stored, and why; the one before stays.
    Failed(String),
}

/// What a file is for.
#[derive(Clone)]
pub enum FileUse {
    /// A sync configuration.
    Config(Deployer),
    /// Write rules.
    Writes(Arc<WritePath>),
}

/// A file that is used again when it has changed, until this is dropped.
pub struct ConfigFile {
    look: Arc<Notify>,
    reloads: mpsc::UnboundedReceiver<Reload>,
    task: JoinHandle<()>,
}

impl ConfigFile {
    /// Follows a file whose text is used. A watched one is looked at all the time, others when
    /// [`ConfigFile::looker`] says so.
    pub fn follow(path: &Path, current: String, file_use: FileUse, is_watched: bool) -> Self {
        let (sender, reloads) = mpsc::unbounded_channel();
        let look = Arc::new(Notify::new());
        let follower = Follower { path: path.to_owned(), current: Ok(current), file_use };
        let task = tokio::spawn(follower.run(Arc::clone(&look), is_watched, sender));
        Self { look, reloads, task }
    }

    /// Has the file looked at now whenever it is notified.
    pub fn looker(&self) -> Arc<Notify> {
        Arc::clone(&self.look)
    }

    /// Waits until the file has changed, and gives what became of it.
    pub async fn reloaded(&mut self) -> Option<Reload> {
        self.reloads.recv().await
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    path: PathBuf,
    /// What was read last: the text, or why there was none.
    current: Result<String, String>,
    file_use: FileUse,
}

impl Follower {
    async fn run(mut self, look: Arc<Notify>, is_watched: bool, sender: mpsc::UnboundedSender<Reload>) {
        loop {
            let is_asked = tokio::select! {
                () = look.notified() => true,
                () = tokio::time::sleep(INTERVAL), if is_watched => false,
            };
            let read = self.settled().await;
            // Somebody may have deployed another one over HTTP, which stays until the file changes or is asked for.
            let is_replaced = || matches!((&read, &self.file_use), (Ok(text), FileUse::Config(to)) if !to.has(text));
            if read == self.current && !(is_asked && is_replaced()) {
                continue;
            }
            self.current = read.clone();
            let reload = match read {
                Ok(yaml) => self.deploy(yaml).await,
                Err(message) => Reload::Failed(message),
            };
            if sender.send(reload).is_err() {
                return;
            }
        }
    }

    /// The text, once it stays the same.
    async fn settled(&self) -> Result<String, String> {
        let mut read = self.read().await;
        if read == self.current {
            return read;
        }
        loop {
            tokio::time::sleep(SETTLED).await;
            let again = self.read().await;
            if again == read {
                return read;
            }
            read = again;
        }
    }

    async fn read(&self) -> Result<String, String> {
        let text = tokio::fs::read_to_string(&self.path).await;
        text.map_err(|error| format!("Reading {}: {error}", self.path.display()))
    }

    async fn deploy(&self, yaml: String) -> Reload {
        match &self.file_use {
            FileUse::Config(deployer) => match deployer.deploy(yaml.clone()).await {
                Ok(diagnostics) => Reload::Deployed { yaml, diagnostics },
                Err(DeployError::Config(diagnostics)) => Reload::Refused { yaml, diagnostics },
                Err(DeployError::Other(message)) => Reload::Failed(message),
            },
            FileUse::Writes(writes) => {
                let (writes, text) = (Arc::clone(writes), yaml.clone());
                match tokio::task::spawn_blocking(move || writes.reload(&text)).await {
                    Ok(Ok(diagnostics)) if is_refused(&diagnostics) => Reload::Refused { yaml, diagnostics },
                    Ok(Ok(diagnostics)) => Reload::Deployed { yaml, diagnostics },
                    Ok(Err(error)) => Reload::Failed(error.to_string()),
                    Err(error) => Reload::Failed(error.to_string()),
                }
            }
        }
    }
}

fn is_refused(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
