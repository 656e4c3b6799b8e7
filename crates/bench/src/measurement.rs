//! What is measured of one workload: CPU time of its parts, bytes written, memory, file size, and a hash of the result.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use cpu_time::ProcessTime;
use powersync_client::memory;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

/// The measurements of one run of a workload, in one process.
#[derive(Debug)]
pub struct Measurement {
    parts: Vec<(&'static str, Duration)>,
    written_before: Option<u64>,
}

/// CPU time from now on, of the whole process, in user mode and in the kernel.
#[derive(Debug)]
pub struct Stopwatch(ProcessTime);

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Self {
        Stopwatch(ProcessTime::now())
    }

    /// CPU time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Measurement {
    /// Begins: whatever was written or allocated before does not count.
    pub fn begin() -> Self {
        memory::reset_peak();
        Measurement { parts: Vec::new(), written_before: bytes_written() }
    }

    /// Runs one part and adds its time to what the part has already taken.
    pub fn time<T>(&mut self, part: &'static str, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let result = work();
        self.add(part, watch.elapsed());
        result
    }

    /// Measures what `work` does as the part `total`, beside the parts that it measures itself.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn total(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let watch = Stopwatch::start();
        work(self)?;
        self.add("total", watch.elapsed());
        Ok(())
    }

    /// Adds to the time of a part.
    pub fn add(&mut self, part: &'static str, time: Duration) {
        match self.parts.iter_mut().find(|(name, _)| *name == part) {
            Some((_, sum)) => *sum += time,
            None => self.parts.push((part, time)),
        }
    }

    /// Ends: reads the counters, then looks at the database.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn end(self, connection: &Connection, path: &Path) -> Result<Value> {
        let written = bytes_written().zip(self.written_before).map(|(after, before)| after.saturating_sub(before));
        let peak = memory::peak();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let size = std::fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?.len();
        let seconds: serde_json::Map<_, _> =
            self.parts.into_iter().map(|(part, time)| (part.to_owned(), time.as_secs_f64().into())).collect();
        let content = format!("{:016x}", content(connection)?);
        Ok(json!({ "seconds": seconds, "written": written, "memory": peak, "file": size, "content": content }))
    }
}

/// Bytes that this process has given to the operating system to write, where that can be known (Linux).
fn bytes_written() -> Option<u64> {
    let counters = std::fs::read_to_string("/proc/self/io").ok()?;
    counters.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

/// A hash of what an app sees: the rows of its tables and views, and the upload queue. Equal for libraries that do the
/// same.
fn content(connection: &Connection) -> Result<u64> {
    let mut names = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
             AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'ps_*' ORDER BY name",
    )?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut hasher = DefaultHasher::new();
    for name in names {
        let quoted = name.replace('"', "\"\"");
        hash_rows(connection, &format!("SELECT * FROM \"{quoted}\" ORDER BY id"), &mut hasher)?;
    }
    hash_rows(connection, "SELECT data FROM ps_crud ORDER BY id", &mut hasher)?;
    Ok(hasher.finish())
}

fn hash_rows(connection: &Connection, sql: &str, hasher: &mut DefaultHasher) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => 0.hash(hasher),
                ValueRef::Integer(value) => value.hash(hasher),
                ValueRef::Real(value) => value.to_bits().hash(hasher),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(hasher),
            }
        }
    }
    Ok(())
}
