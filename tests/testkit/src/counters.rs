//! Counts what SQLite does for a piece of work: figures that are the same on every machine and in every run, unlike times.
//!
//! - *steps*: instructions of SQLite's virtual machine, and parts of statements that it parses, in all statements of the
//!   connection, also those of the extension;
//! - *compiled*: questions that the compiler of statements asks the authorizer. None means that nothing was compiled;
//! - *pages*: pages written to the write-ahead log, each counted again when another transaction writes it.

use std::ops::Sub;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthContext, Authorization};

/// Bytes before the first page of a write-ahead log, and before each page.
const LOG_HEADER: u64 = 32;
const PAGE_HEADER: u64 = 24;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Instructions of SQLite's virtual machine.
    pub steps: u64,
    /// Questions to the authorizer.
    pub compiled: u64,
    /// Pages written to the log.
    pub pages: u64,
}

impl Sub for Counts {
    type Output = Counts;

    fn sub(self, earlier: Counts) -> Counts {
        Counts {
            steps: self.steps - earlier.steps,
            compiled: self.compiled - earlier.compiled,
            pages: self.pages - earlier.pages,
        }
    }
}

/// The counters of one connection.
#[derive(Debug)]
pub struct Counters {
    steps: Arc<AtomicU64>,
    compiled: Arc<AtomicU64>,
    log: PathBuf,
    page_size: u64,
}

impl Counters {
    /// Begins to count. The log is emptied first, and from now on only grows.
    ///
    /// # Errors
    /// What SQLite reports. The database must be a file with a write-ahead log, or nothing that is written is counted.
    pub fn install(connection: &mut Connection) -> rusqlite::Result<Self> {
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let page_size = connection.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))?;
        let log = PathBuf::from(format!("{}-wal", connection.path().unwrap_or_default()));
        // Only if there is a log: this makes SQLite read the schema, which may be what is to be counted.
        if log.exists() {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        let counters =
            Counters { steps: Arc::default(), compiled: Arc::default(), log, page_size: u64::from(page_size) };
        let steps = Arc::clone(&counters.steps);
        connection.progress_handler(
            1,
            Some(move || {
                steps.fetch_add(1, Ordering::Relaxed);
                false
            }),
        )?;
        let compiled = Arc::clone(&counters.compiled);
        connection.authorizer(Some(move |_: AuthContext<'_>| {
            compiled.fetch_add(1, Ordering::Relaxed);
            Authorization::Allow
        }))?;
        Ok(counters)
    }

    /// What was counted up to now.
    pub fn now(&self) -> Counts {
        let length = std::fs::metadata(&self.log).map_or(0, |file| file.len());
        Counts {
            steps: self.steps.load(Ordering::Relaxed),
            compiled: self.compiled.load(Ordering::Relaxed),
            pages: length.saturating_sub(LOG_HEADER) / (PAGE_HEADER + self.page_size),
        }
    }

    /// What was counted while `work` ran, and what `work` gave.
    pub fn count<T>(&self, work: impl FnOnce() -> T) -> (T, Counts) {
        let before = self.now();
        let result = work();
        (result, self.now() - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_pages_and_compiled_statements_are_counted() {
        let name = format!("powersync-counters-{}.db", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let mut connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(a); CREATE TABLE u(a)").unwrap();
        let counters = Counters::install(&mut connection).unwrap();
        let mut insert = connection.prepare("INSERT INTO t VALUES (?)").unwrap();
        insert.execute([1]).unwrap();
        let (_, once) = counters.count(|| insert.execute([1]).unwrap());
        assert_eq!((once.compiled, once.pages), (0, 1));
        assert!((5..50).contains(&once.steps), "{once:?}");
        let ((), both) = counters.count(|| {
            connection.execute_batch("BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); COMMIT").unwrap();
        });
        assert_eq!(both.pages, 2);
        assert!(both.compiled >= 4 && both.steps > 2 * once.steps, "{both:?}");
        drop(insert);
        connection.close().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
