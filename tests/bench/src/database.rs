//! A database as an SDK uses it: opened with the usual settings, and driven through `powersync_control` with one write
//! transaction per line.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rowtide_driver::stream::Line;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

/// The settings of SDKs: a write-ahead log that is cut back to 6 MB.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    PRAGMA journal_size_limit = 6291456; PRAGMA recursive_triggers = TRUE;";

/// SQLite's page cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cache {
    /// 50 MB, as most SDKs set it
    #[value(name = "50MB")]
    Large,
    /// 2 MB, which SQLite has by itself and other hosts leave
    #[value(name = "2MB")]
    Default,
}

impl Cache {
    /// Its name on the command line and in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Large => "50MB",
            Self::Default => "2MB",
        }
    }
}

/// A connection with the library loaded.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
}

/// The second argument of `powersync_control`.
struct Payload<'l>(ValueRef<'l>);

impl ToSql for Payload<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

impl Database {
    /// Opens the database at `path`, loads `library` and applies the settings.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn open(path: &Path, library: &Path, cache: Cache) -> Result<Self> {
        Self::load(Self::connect(path)?, library, cache)
    }

    /// Opens the database at `path` with plain SQLite.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn connect(path: &Path) -> Result<Connection> {
        Connection::open(path).with_context(|| format!("cannot open {}", path.display()))
    }

    /// Loads `library` into a connection and applies the settings.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn load(connection: Connection, library: &Path, cache: Cache) -> Result<Self> {
        rowtide_driver::library::load(&connection, library)
            .with_context(|| format!("cannot load {}", library.display()))?;
        connection.execute_batch(SETTINGS)?;
        match cache {
            Cache::Large => connection.execute_batch("PRAGMA cache_size = -51200")?,
            Cache::Default => {}
        }
        Ok(Database { connection })
    }

    /// The connection itself.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Creates the internal tables, in a transaction.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn initialize(&self) -> Result<()> {
        self.in_transaction(|connection| Ok(connection.query_row("SELECT powersync_init()", [], |_| Ok(()))?))
    }

    /// Applies a schema, in a transaction.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn replace_schema(&self, schema: &str) -> Result<()> {
        self.in_transaction(|connection| {
            Ok(connection.query_row("SELECT powersync_replace_schema(?)", [schema], |_| Ok(()))?)
        })
    }

    /// Starts an iteration.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn start(&self, options: Option<&str>) -> Result<()> {
        let options = options.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()));
        self.control("start", options).map(drop)
    }

    /// Feeds one line and gives the instructions.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn line(&self, line: &Line) -> Result<String> {
        match line {
            Line::Text(text) => self.control("line_text", ValueRef::Text(text.as_bytes())),
            Line::Binary(bytes) => self.control("line_binary", ValueRef::Blob(bytes)),
        }
    }

    /// Feeds a line of JSON.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn text_line(&self, text: &str) -> Result<String> {
        self.control("line_text", ValueRef::Text(text.as_bytes()))
    }

    /// Feeds a line of JSON that completes a checkpoint.
    ///
    /// # Errors
    /// What SQLite reports, or that the checkpoint was not published.
    pub(crate) fn complete(&self, text: &str) -> Result<()> {
        published(&self.text_line(text)?)
    }

    fn control(&self, operation: &str, payload: ValueRef<'_>) -> Result<String> {
        self.in_transaction(|connection| {
            let mut statement = connection.prepare_cached("SELECT powersync_control(?, ?)")?;
            let result: Option<String> = statement
                .query_row((operation, Payload(payload)), |row| row.get(0))
                .with_context(|| format!("powersync_control('{operation}', …) failed"))?;
            Ok(result.unwrap_or_default())
        })
    }

    /// Runs `work` in a transaction; a failure ends the measurement, so nothing is rolled back.
    ///
    /// # Errors
    /// What `work` or SQLite reports.
    pub(crate) fn in_transaction<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let result = work(&self.connection)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(result)
    }

    /// One integer.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn integer(&self, sql: &str) -> Result<i64> {
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Copies the write-ahead log into the database file and empties it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }
}

/// Fails unless these instructions say that a checkpoint was published.
///
/// # Errors
/// The instructions.
pub(crate) fn published(instructions: &str) -> Result<()> {
    ensure!(instructions.contains("DidCompleteSync"), "the checkpoint was not published: {instructions}");
    Ok(())
}
