//! What is measured of one workload: CPU time and written pages of its parts, bytes written, memory, file size, and a
//! hash of the result.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use cpu_time::ProcessTime;
use rowtide_driver::{memory, pages};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use crate::database::Database;

/// The measurements of one run of a workload, in one process.
#[derive(Debug)]
pub(crate) struct Measurement {
    parts: Vec<Part>,
    written_before: Option<u64>,
}

/// What was measured of one part.
#[derive(Debug)]
struct Part {
    name: &'static str,
    time: Duration,
    /// Pages that the connection has written; not known of a part that opens it.
    pages: Option<u64>,
}

/// CPU time from now on, of the whole process, in user mode and in the kernel.
#[derive(Debug)]
pub(crate) struct Stopwatch(ProcessTime);

impl Stopwatch {
    /// Starts it.
    pub(crate) fn start() -> Self {
        Stopwatch(ProcessTime::now())
    }

    /// CPU time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Measurement {
    /// Begins: whatever was written or allocated before does not count.
    pub(crate) fn begin() -> Self {
        memory::reset_peak();
        Measurement { parts: Vec::new(), written_before: bytes_written() }
    }

    /// Runs one part on `database`, and adds to what was measured of the part before.
    pub(crate) fn part<T>(&mut self, name: &'static str, database: &Database, work: impl FnOnce() -> T) -> T {
        let pages_before = pages::written(database.connection());
        let watch = Stopwatch::start();
        let result = work();
        let time = watch.elapsed();
        self.add(name, time, Some(pages::written(database.connection()) - pages_before));
        result
    }

    /// Runs a part that opens the database.
    pub(crate) fn opening<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let result = work();
        self.add(name, watch.elapsed(), None);
        result
    }

    /// Measures what `work` does as the part `total`, in addition to the parts that it measures itself.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) fn total(&mut self, database: &Database, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let pages_before = pages::written(database.connection());
        let watch = Stopwatch::start();
        work(self)?;
        let time = watch.elapsed();
        self.add("total", time, Some(pages::written(database.connection()) - pages_before));
        Ok(())
    }

    fn add(&mut self, name: &'static str, time: Duration, pages: Option<u64>) {
        match self.parts.iter_mut().find(|part| part.name == name) {
            Some(part) => {
                part.time += time;
                part.pages = part.pages.zip(pages).map(|(sum, pages)| sum + pages);
            }
            None => self.parts.push(Part { name, time, pages }),
        }
    }

    /// Ends: reads the counters, then looks at the database.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) fn end(self, connection: &Connection, path: &Path) -> Result<Value> {
        let written = bytes_written().zip(self.written_before).map(|(after, before)| after.saturating_sub(before));
        let peak = memory::peak();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let size = std::fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?.len();
        let seconds: serde_json::Map<_, _> =
            self.parts.iter().map(|part| (part.name.to_owned(), part.time.as_secs_f64().into())).collect();
        let pages: serde_json::Map<_, _> =
            self.parts.iter().map(|part| (part.name.to_owned(), part.pages.into())).collect();
        let content = format!("{:016x}", content(connection)?);
        Ok(json!({
            "seconds": seconds, "pages": pages, "written": written, "memory": peak, "file": size, "content": content
        }))
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
