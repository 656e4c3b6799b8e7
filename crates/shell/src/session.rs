//! A database with the extension loaded, used the way an SDK uses it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use powersync_client::library;
use powersync_client::stream::Line;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// The extension to load: the one asked for, or the one next to this program.
pub fn find_extension(asked_for: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = asked_for {
        return Ok(path);
    }
    let Some(path) = library::next_to_program() else {
        bail!(
            "no {} next to this program; build it with `cargo build --release -p powersync-loadable`, \
             or name it with --extension PATH",
            library::file_name()
        );
    };
    Ok(path)
}

/// A connection with the extension loaded.
pub struct Session {
    connection: Connection,
}

/// What a call of `powersync_control` told the SDK to do, one JSON object each ("sync client", Instructions).
pub type Instructions = Vec<Value>;

impl Session {
    /// Opens `file`, which is made if it does not exist; a database in memory without one.
    pub fn open(file: Option<&Path>, extension: &Path) -> Result<Self> {
        let connection = match file {
            Some(path) => Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?,
            None => Connection::open_in_memory()?,
        };
        Self::load(connection, extension)
    }

    /// Opens a database file that must exist.
    pub fn open_existing(file: &Path, extension: &Path) -> Result<Self> {
        let flags = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE;
        let connection =
            Connection::open_with_flags(file, flags).with_context(|| format!("cannot open {}", file.display()))?;
        Self::load(connection, extension)
    }

    fn load(connection: Connection, extension: &Path) -> Result<Self> {
        library::load(&connection, extension)
            .with_context(|| format!("cannot load the extension {}", extension.display()))?;
        Ok(Session { connection })
    }

    /// The connection itself.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Applies a schema (JSON text), or only makes the internal tables without one.
    pub fn prepare(&self, schema: Option<&str>) -> Result<()> {
        self.in_transaction(|connection| {
            match schema {
                Some(schema) => connection.query_row("SELECT powersync_replace_schema(?)", [schema], |_| Ok(())),
                None => connection.query_row("SELECT powersync_init()", [], |_| Ok(())),
            }?;
            Ok(())
        })
    }

    /// Calls `powersync_control` in a transaction of its own.
    pub fn control(&self, operation: &str, payload: impl Into<SqlValue>) -> Result<Instructions> {
        let payload: SqlValue = payload.into();
        let result: SqlValue = self.in_transaction(|connection| {
            Ok(connection.query_row("SELECT powersync_control(?, ?)", (operation, payload), |row| row.get(0))?)
        })?;
        match result {
            SqlValue::Text(text) => serde_json::from_str(&text).context("the extension gave no list of instructions"),
            _ => Ok(Vec::new()),
        }
    }

    /// Feeds one sync line.
    pub fn feed(&self, line: Line) -> Result<Instructions> {
        match line {
            Line::Text(text) => self.control("line_text", text),
            Line::Binary(document) => self.control("line_binary", document),
        }
    }

    fn in_transaction<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let result = work(&self.connection).and_then(|value| {
            self.connection.execute_batch("COMMIT")?;
            Ok(value)
        });
        if result.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        result
    }
}
