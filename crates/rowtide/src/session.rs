//! A database with the extension loaded, used the way an SDK uses it.

use std::path::Path;

use anyhow::{Context, Result};
use rowtide_driver::stream::Line;
use rusqlite::Connection;
use rusqlite::types::Value as SqlValue;
use serde_json::Value;

/// A connection with the extension loaded.
pub(crate) struct Session {
    connection: Connection,
}

/// The instructions that a call of `powersync_control` returned, one JSON object each (docs/reference/instructions.md).
pub(crate) type Instructions = Vec<Value>;

impl Session {
    /// Opens `file`, which is made if it does not exist; a database in memory without one.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self> {
        let connection = match file {
            Some(path) => Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?,
            None => Connection::open_in_memory()?,
        };
        Ok(Self { connection })
    }

    /// The connection itself.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Applies a schema (JSON text), or only makes the internal tables without one.
    pub(crate) fn prepare(&self, schema: Option<&str>) -> Result<()> {
        self.in_transaction(|connection| {
            match schema {
                Some(schema) => connection.query_row("SELECT powersync_replace_schema(?)", [schema], |_| Ok(())),
                None => connection.query_row("SELECT powersync_init()", [], |_| Ok(())),
            }?;
            Ok(())
        })
    }

    /// Calls `powersync_control` in its own transaction.
    pub(crate) fn control(&self, operation: &str, payload: impl Into<SqlValue>) -> Result<Instructions> {
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
    pub(crate) fn feed(&self, line: Line) -> Result<Instructions> {
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
