//! A device of the demo: a client with a file of its own, whose uploads can be held, so that one sees what happens meanwhile.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rowtide_client::{Batch, BoxError, Client, Options, Status, TransactionResult, Upload, WritePath};
use rusqlite::Connection;
use serde_json::Value;

/// A todo's description, and whether it is done.
pub(super) type Todo = (String, bool);

/// A todo as it is compared: id, list, description, whether it is done.
pub(super) type Row = (String, String, String, i64);

/// The tables of the app.
const SCHEMA: &str = r#"{"tables": [
    {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "owner_id", "type": "text"}]},
    {"name": "todos", "columns": [{"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
        {"name": "done", "type": "integer"}, {"name": "created_at", "type": "text"}]}
]}"#;

/// A client and what the app does with it.
pub(super) struct Device {
    name: &'static str,
    client: Client,
    app: Connection,
    hold: Arc<Hold>,
}

/// The gate, in the words of the library.
pub(super) struct Gate {
    pub(super) is_open: bool,
    pub(super) state: String,
    pub(super) rows_held_back: u64,
}

impl Device {
    pub(super) fn open(name: &'static str, file: &Path, url: &str, token: &str) -> Result<Self> {
        let hold = Arc::new(Hold::default());
        let token = token.to_owned();
        let options = Options::new(file, url)
            .schema(SCHEMA)
            .token(move || Ok(token.clone()))
            .upload(Held { hold: Arc::clone(&hold), upload: WritePath::new(url) });
        let client = Client::open(options).with_context(|| format!("Opening the {name}"))?;
        let app = client.connection()?;
        Ok(Self { name, client, app, hold })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn connect(&self) {
        self.client.connect();
    }

    pub(super) fn disconnect(&self) {
        self.client.disconnect();
    }

    pub(super) fn status(&self) -> Arc<Status> {
        self.client.status()
    }

    /// Waits until the status is as wanted.
    pub(super) fn wait(&self, patience: Duration, wanted: impl FnMut(&Status) -> bool) -> Result<()> {
        let result = self.client.wait_until(wanted, patience);
        result.with_context(|| {
            let status = self.status();
            let errors = [status.download_error.as_deref(), status.upload_error.as_deref()];
            let errors: Vec<&str> = errors.into_iter().flatten().collect();
            format!("The {} waits in vain{}{}", self.name, if errors.is_empty() { "" } else { ": " }, errors.join("; "))
        })?;
        Ok(())
    }

    /// Waits until the service has acknowledged what was uploaded.
    pub(super) fn wait_for_gate(&self, patience: Duration) -> Result<()> {
        self.wait(patience, |_| self.gate().is_ok_and(|gate| gate.is_open))
    }

    /// Writes as an app does, in a transaction of its own.
    pub(super) fn write(&self, sql: &str) -> Result<()> {
        self.app.execute(sql, []).with_context(|| format!("Writing on the {}", self.name))?;
        Ok(())
    }

    pub(super) fn gate(&self) -> Result<Gate> {
        let text: String = self.app.query_row("SELECT powersync_diagnose() -> '$.gate'", [], |row| row.get(0))?;
        let gate: Value = serde_json::from_str(&text)?;
        Ok(Gate {
            is_open: gate.get("open").and_then(Value::as_bool).unwrap_or_default(),
            state: gate.get("state").and_then(Value::as_str).unwrap_or_default().to_owned(),
            rows_held_back: gate.get("rows_held_back").and_then(Value::as_u64).unwrap_or_default(),
        })
    }

    /// The upload queue: operation, table, and the columns written.
    pub(super) fn queue(&self) -> Result<Vec<[String; 3]>> {
        let sql = "SELECT data ->> 'op', data ->> 'type', data ->> 'data' FROM ps_crud ORDER BY id";
        let mut statement = self.app.prepare(sql)?;
        let entries = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
        Ok(entries.collect::<rusqlite::Result<_>>()?)
    }

    /// The todos of a list.
    pub(super) fn list(&self, list: &str) -> Result<Vec<Todo>> {
        todos(&self.app, list)
    }

    /// All todos.
    pub(super) fn rows(&self) -> Result<Vec<Row>> {
        let sql = "SELECT id, list_id, description, done FROM todos ORDER BY id";
        let mut statement = self.app.prepare(sql)?;
        let rows = statement.query_map([], |row| row.try_into())?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Uploads wait until [`release_uploads`](Self::release_uploads).
    pub(super) fn hold_uploads(&self) {
        self.hold.set(true);
    }

    pub(super) fn release_uploads(&self) {
        self.hold.set(false);
    }

    pub(super) fn close(self) -> Result<()> {
        self.app.close().map_err(|(_, error)| error)?;
        self.client.close()?;
        Ok(())
    }
}

/// The todos of a list, in the order in which they were added.
pub(super) fn todos(database: &Connection, list: &str) -> Result<Vec<Todo>> {
    let sql =
        "SELECT description, done FROM todos WHERE list_id = ? ORDER BY created_at IS NULL, created_at, description";
    let mut statement = database.prepare(sql)?;
    let todos = statement.query_map([list], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(todos.collect::<rusqlite::Result<_>>()?)
}

/// Whether uploads wait.
#[derive(Default)]
struct Hold {
    is_held: Mutex<bool>,
    changed: Condvar,
}

impl Hold {
    fn set(&self, held: bool) {
        *self.lock() = held;
        self.changed.notify_all();
    }

    fn wait(&self) {
        drop(self.changed.wait_while(self.lock(), |held| *held).unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The write path of the service, behind a hold.
struct Held {
    hold: Arc<Hold>,
    upload: WritePath,
}

impl Upload for Held {
    fn upload(&self, batch: &Batch) -> Result<Vec<TransactionResult>, BoxError> {
        self.hold.wait();
        self.upload.upload(batch)
    }
}
