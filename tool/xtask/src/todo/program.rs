//! A running todo program, and what it has printed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Nothing that a program is told to do takes nearly as long. No result depends on it.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// The program. It is killed when this is dropped.
pub(super) struct Program {
    child: Child,
    /// Its lines. Closed when it has ended.
    lines: Receiver<String>,
}

impl Program {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let (sender, lines) = channel();
        let stdout = child.stdout.take().context("a program without output")?;
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The next line; None at the end.
    fn line(&self) -> Result<Option<String>> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Ok(Some(line)),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Ok(None),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => bail!("nothing was printed for {LIMIT:?}"),
        }
    }

    /// The next lines until an empty one.
    pub(super) fn paragraph(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            match self.line()? {
                Some(line) if line.is_empty() => return Ok(lines),
                Some(line) => lines.push(line),
                None => bail!("the program has ended; at last it printed {lines:?}"),
            }
        }
    }

    /// Waits until the program ends; gives what it printed, and its exit status.
    pub(super) fn end(mut self) -> Result<(Vec<String>, i32)> {
        let mut lines = Vec::new();
        while let Some(line) = self.line()? {
            lines.push(line);
        }
        let status = self.child.wait()?.code().context("the program was killed")?;
        Ok((lines, status))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
