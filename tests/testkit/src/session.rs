//! A host with a running iteration against a model service, for tests that are about what is published.

use serde_json::{Value, json};

use crate::host::{Host, HostError};
use crate::service::Service;

/// The bucket of [`Session::put`] and [`Session::remove`].
pub const BUCKET: &str = "a";

/// An iteration in progress.
#[derive(Debug)]
pub struct Session {
    /// The client.
    pub host: Host,
    /// The service.
    pub service: Service,
    /// Up to which operation checkpoints were completed.
    completed: i64,
}

impl Session {
    /// Starts an iteration with these start options.
    #[track_caller]
    pub fn start(host: Host, options: &Value) -> Self {
        host.control("start", options);
        Self { host, service: Service::new(), completed: 0 }
    }

    /// A database in memory with this schema, given to `powersync_replace_schema` only, and an iteration.
    #[track_caller]
    pub fn with_schema(schema: &Value) -> Self {
        let host = Host::open_in_memory();
        host.replace_schema(schema);
        Self::start(host, &json!({}))
    }

    /// A database in memory in which `ddl` was run, with this schema and an iteration.
    #[track_caller]
    pub fn with_tables(ddl: &str, schema: &Value) -> Self {
        let session = Self::with_schema(schema);
        session.host.execute(ddl);
        session
    }

    /// The service gets a row of exactly this JSON.
    pub fn put(&mut self, row_type: &str, row_id: &str, data: &str) {
        self.service.put_text(BUCKET, row_type, row_id, None, data);
    }

    /// The service removes a row.
    pub fn remove(&mut self, row_type: &str, row_id: &str) {
        self.service.remove(BUCKET, row_type, row_id);
    }

    /// Feeds everything new up to a completed checkpoint, and gives the instructions of the last line.
    #[track_caller]
    pub fn sync(&mut self) -> Value {
        match self.try_sync() {
            Ok(instructions) => instructions,
            Err(error) => panic!("the sync failed: {error}"),
        }
    }

    /// Like [`Session::sync`]; what was fed before a failing line stays. Can be called again.
    ///
    /// # Errors
    /// What SQLite reports for a line.
    pub fn try_sync(&mut self) -> Result<Value, HostError> {
        let mut last = Value::Null;
        for line in self.service.lines(self.completed) {
            last = self.host.try_control("line_text", line.to_string())?;
        }
        self.completed = self.service.last_op_id;
        Ok(last)
    }

    /// The failure of a sync that must fail.
    #[track_caller]
    pub fn sync_error(&mut self) -> HostError {
        match self.try_sync() {
            Ok(instructions) => panic!("the sync did not fail: {instructions}"),
            Err(error) => error,
        }
    }

    /// The tables that were written since this was last asked, of which the first call makes SQLite take note.
    #[track_caller]
    pub fn written_tables(&self) -> Value {
        self.host.value("SELECT powersync_update_hooks('install')");
        let tables = self.host.value("SELECT powersync_update_hooks('get')");
        let tables: Vec<String> = tables.as_str().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        tables.into_iter().filter(|name| !name.starts_with("ps_") || name.starts_with("ps_data_")).collect()
    }
}
