//! The program `rowtide` in a process of its own: starting it, and what it has used.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::Stage;
use crate::client::{ADMIN, Client, SECRET};
use crate::data::CONFIG;
use crate::figures::{Figures, number};

/// A service that runs. Dropping it ends it at once, as a crash would.
pub(crate) struct Program {
    child: Child,
    pub(crate) client: Client,
    /// From its start until clients could sync.
    pub(crate) ready_after: Duration,
    /// The CPU time of that; none where it is unknown.
    pub(crate) first_cpu: Option<Duration>,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
}

impl Program {
    /// Starts it on a source, and waits until clients can sync.
    pub(crate) fn start(program: &Path, source: &Path, storage: &Path) -> Result<Self> {
        let urls = [source, storage].map(|path| format!("sqlite:{}", path.display()));
        Self::start_on(program, &urls[0], &urls[1], &storage.with_extension("yaml"))
    }

    /// Starts it on a source and a storage with these URLs. The configuration is written to this path.
    pub(crate) fn start_on(program: &Path, source: &str, storage: &str, config: &Path) -> Result<Self> {
        std::fs::write(config, CONFIG).context("writing the configuration")?;
        let mut command = Command::new(program);
        command.arg("serve").args(["--port", "0", "--json", "--log", "warn", "--config"]).arg(config);
        command.args(["--source", source, "--storage", storage]);
        command.env("ROWTIDE_JWT_SECRET", SECRET).env("ROWTIDE_ADMIN_TOKEN", ADMIN);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let begin = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).context("reading what the service prints")?;
        }
        let ready_after = begin.elapsed();
        let ready: Ready = match serde_json::from_str(&line) {
            Ok(ready) => ready,
            Err(error) => {
                let _ = (child.kill(), child.wait());
                return Err(error).context("the service has not said that it is ready");
            }
        };
        let client = Client::new(ready.url)?;
        let first_cpu = cpu(child.id()).ok();
        Ok(Self { child, client, ready_after, first_cpu })
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// CPU time so far, in user mode and in the kernel.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu(self.child.id()).context("reading the CPU time of the service")
    }

    /// CPU time of the service during this work, and all time of it.
    pub(crate) fn measure<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, Duration, Duration)> {
        let (before, begin) = (self.cpu()?, Instant::now());
        let result = work()?;
        let time = begin.elapsed();
        Ok((result, self.cpu()?.saturating_sub(before), time))
    }

    /// Bytes of memory that it has at the moment.
    pub(crate) fn memory(&self) -> Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.context("reading the memory of the service")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|line| line.trim().strip_suffix(" kB")).context("the memory of the service is unknown")?;
        Ok(kib.parse::<usize>()? * 1024)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process so far.
#[cfg(target_os = "linux")]
pub(crate) fn cpu(process: u32) -> Result<Duration> {
    use nix::time::{clock_getcpuclockid, clock_gettime};
    let clock = clock_getcpuclockid(nix::unistd::Pid::from_raw(i32::try_from(process)?))?;
    Ok(clock_gettime(clock)?.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn cpu(_process: u32) -> Result<Duration> {
    anyhow::bail!("the service is measured on Linux only")
}

/// Measures a service without rows.
///
/// # Errors
/// If it does not start.
pub(crate) fn measure_start(program: &Path, stage: &Stage<'_>, figures: &mut Figures) -> Result<()> {
    let path = stage.folder.path().join("empty.db");
    let connection = rusqlite::Connection::open(&path)?;
    connection.execute_batch(
        "CREATE TABLE items(id TEXT PRIMARY KEY, group_id); CREATE TABLE members(id TEXT PRIMARY KEY, user_id, group_id)",
    )?;
    let storage = stage.folder.path().join("empty-storage.db");
    let first = Program::start(program, &path, &storage)?;
    figures.add("start, new storage", first.ready_after.as_secs_f64() * 1e3, "ms", "");
    drop(first);
    let again = Program::start(program, &path, &storage)?;
    figures.add("start", again.ready_after.as_secs_f64() * 1e3, "ms", "≤ 50");
    figures.add("memory without clients and rows", number(again.memory()?) / 1e6, "MB", "≤ 40");
    let size = usize::try_from(std::fs::metadata(program)?.len())?;
    figures.add("size of the program", number(size) / 1e6, "MB", "≤ 20");
    Ok(())
}
