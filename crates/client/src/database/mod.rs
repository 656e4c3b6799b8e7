//! The file: the one connection that the client itself uses, and others for the app.

mod failure;
mod hooks;
mod queue;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::value::RawValue;

pub(crate) use self::failure::Failure;
pub(crate) use self::hooks::wake_at_writes;
pub(crate) use self::queue::{Acknowledged, Applied, Next, acknowledge, next_request_id, queued, unacknowledged};
use crate::error::Error;
use crate::extension::load_extension;
use crate::instruction::{self, Instruction};
use crate::status::RawStatus;

/// How long SQLite waits for other connections that write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a call is made that another connection keeps from running.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The connection that writes. All calls of `powersync_control` go through it, one after another.
pub(crate) struct Database {
    path: PathBuf,
    schema: Option<String>,
    /// None when it is closed.
    connection: Mutex<Option<Connection>>,
}

impl Database {
    /// Opens the file, makes the internal tables, and applies the schema.
    pub(crate) fn open(path: &Path, schema: Option<String>) -> Result<Self, Error> {
        load_extension()?;
        let connection = open(path)?;
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let database = Self { path, schema, connection: Mutex::new(Some(connection)) };
        let prepared = database.with(|connection| prepare(connection, database.schema.as_deref()));
        match prepared {
            Ok(()) => Ok(database),
            Err(Failure::Closed) => Err(Error::Closed),
            Err(failure) => Err(Error::Schema { path: database.path.clone(), reason: failure.to_string() }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Another connection to the file.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        open(&self.path)
    }

    /// Does something with the connection. It waits for its turn, so call it where threads may block.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(connection.as_ref().ok_or(Failure::Closed)?)
    }

    /// The same on a thread that may block. Once begun it runs to its end, also if nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let database = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || database.with(work)).await;
        done.unwrap_or(Err(Failure::Closed))
    }

    /// Reports an event to the extension. What it asks for is to be done after this, when the transaction is committed.
    pub(crate) async fn control(
        self: &Arc<Self>,
        command: &'static str,
        payload: Value,
    ) -> Result<Vec<Instruction>, Failure> {
        self.run(move |connection| {
            let mut tries = 1;
            let answer = loop {
                match in_transaction(connection, || control(connection, command, &payload)) {
                    Err(Failure::Again(message)) if tries < TRIES => {
                        tracing::debug!("{command} is tried again: {message}");
                        tries += 1;
                        std::thread::sleep(BETWEEN_TRIES);
                    }
                    answer => break answer?,
                }
            };
            match answer {
                Value::Text(json) => instruction::parse(&json).map_err(Failure::answer),
                _ => Ok(Vec::new()),
            }
        })
        .await
    }

    /// Applies the schema again: another version of the library may have taken the file back.
    pub(crate) async fn prepare_again(self: &Arc<Self>) -> Result<(), Failure> {
        let schema = self.schema.clone();
        self.run(move |connection| prepare(connection, schema.as_deref())).await
    }

    /// Stores a subscription.
    pub(crate) fn subscribe(&self, json: String) -> Result<(), Failure> {
        self.with(|connection| {
            in_transaction(connection, || control(connection, "subscriptions", &Value::Text(json))).map(drop)
        })
    }

    /// What the database alone says of the status.
    pub(crate) fn offline_status(&self) -> Result<RawStatus, Failure> {
        self.with(offline_status)
    }

    /// Closes the file.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        match connection.map(Connection::close) {
            Some(Err((_, error))) => Err(Error::Database { what: "cannot close the file", reason: error.to_string() }),
            _ => Ok(()),
        }
    }
}

/// The version of the database, which changes when another connection has written.
pub(crate) fn data_version(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row((), |row| row.get(0))?)
}

pub(crate) fn offline_status(connection: &Connection) -> Result<RawStatus, Failure> {
    let sql = "SELECT powersync_offline_sync_status()";
    let json: String = connection.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
    serde_json::from_str(&json).map_err(Failure::answer)
}

/// The version of the library needs no check: it is the one that this program is linked with.
fn open(path: &Path) -> Result<Connection, Error> {
    let open = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(connection)
    };
    open().map_err(|source| Error::Open { path: path.to_owned(), source })
}

fn prepare(connection: &Connection, schema: Option<&str>) -> Result<(), Failure> {
    in_transaction(connection, || {
        connection.query_row("SELECT powersync_init()", (), |_| Ok(()))?;
        if let Some(schema) = schema {
            connection.query_row("SELECT powersync_replace_schema(?)", [schema], |_| Ok(()))?;
        }
        Ok(())
    })
}

/// One call of `powersync_control`, in a transaction that is open.
fn control(connection: &Connection, command: &str, payload: &Value) -> Result<Value, Failure> {
    let mut statement = connection.prepare_cached("SELECT powersync_control(?, ?)")?;
    Ok(statement.query_row((command, payload), |row| row.get(0))?)
}

/// Begins with a lock for writing, so that it waits for a commit that is under way.
fn in_transaction<T>(connection: &Connection, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
    let result = work().and_then(|value| {
        connection.prepare_cached("COMMIT")?.execute(())?;
        Ok(value)
    });
    if result.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

/// A member of JSON that is passed on as it was given.
pub(crate) fn raw(text: Option<&str>) -> Option<&RawValue> {
    text.and_then(|text| serde_json::from_str(text).ok())
}
