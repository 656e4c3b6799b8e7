//! A `rowtide dev` of its own for a part of the scenario.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

/// The service. It is killed when this is dropped.
pub(super) struct Service {
    rowtide: PathBuf,
    /// What it has to find again after it was killed. So it cannot be `--ephemeral`.
    folder: PathBuf,
    pub(super) url: String,
    running: Option<(Child, BufReader<ChildStdout>)>,
}

impl Service {
    /// Starts a new one on a free port.
    pub(super) fn new(rowtide: &Path, folder: PathBuf) -> Result<Self> {
        let mut service = Self { rowtide: rowtide.to_owned(), folder, url: String::new(), running: None };
        service.start()?;
        Ok(service)
    }

    /// Starts it, on the port that it had, and waits until clients can sync.
    pub(super) fn start(&mut self) -> Result<()> {
        let port = self.url.rsplit_once(':').map_or("0", |(_, port)| port).to_owned();
        let mut command = Command::new(&self.rowtide);
        command.args(["dev", "--json", "--port", &port, "--dir"]).arg(&self.folder);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start rowtide")?;
        let mut stdout = BufReader::new(child.stdout.take().context("rowtide has no output")?);
        let mut ready = String::new();
        let read = stdout.read_line(&mut ready);
        self.running = Some((child, stdout));
        read.context("cannot read what rowtide prints")?;
        let ready: serde_json::Value = serde_json::from_str(&ready).context("rowtide dev did not become ready")?;
        ready.get("url").and_then(|url| url.as_str()).context("rowtide printed no url")?.clone_into(&mut self.url);
        Ok(())
    }

    /// Ends it at once, as a crash would.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some((mut child, _)) = self.running.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
