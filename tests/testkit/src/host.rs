//! A connection of the newest SQLite (bundled with rusqlite) that has the built library loaded, and that calls it the
//! way SDKs do.

use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Params};
use serde_json::Value;

use crate::library;
use crate::values::to_json;

/// What SQLite reported: code and message, as an SDK sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    /// SQLite's extended result code, such as 3091 for SQLITE_CONSTRAINT_DATATYPE; -1 if the error is not SQLite's.
    pub code: i32,
    /// The whole message.
    pub message: String,
}

impl fmt::Display for HostError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "({}) {}", self.code, self.message)
    }
}

impl std::error::Error for HostError {}

impl From<rusqlite::Error> for HostError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(code, message) => {
                HostError { code: code.extended_code, message: message.unwrap_or_else(|| code.to_string()) }
            }
            rusqlite::Error::SqlInputError { error, msg, sql, .. } => {
                HostError { code: error.extended_code, message: format!("{msg}, in: {sql}") }
            }
            other => HostError { code: -1, message: other.to_string() },
        }
    }
}

/// A database connection with the library loaded, and an SDK's way of using it.
///
/// Methods panic with SQLite's message when a call fails; the `try_*` forms give it as a value.
#[derive(Debug)]
pub struct Host {
    connection: Connection,
}

impl Host {
    /// A fresh database in memory, without any tables (call [`Host::initialize`] for those).
    #[track_caller]
    pub fn open_in_memory() -> Host {
        Self::load_into(Connection::open_in_memory().expect("SQLite opens a database in memory"))
    }

    /// Opens or creates the database file at `path`.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Host {
        Self::open_with_flags(path, OpenFlags::default())
    }

    /// Opens the database file at `path` with SQLite's open flags (read-only, URI names, …).
    #[track_caller]
    pub fn open_with_flags(path: impl AsRef<Path>, flags: OpenFlags) -> Host {
        let path = path.as_ref();
        match Connection::open_with_flags(path, flags) {
            Ok(connection) => Self::load_into(connection),
            Err(error) => panic!("cannot open {}: {error}", path.display()),
        }
    }

    /// Loads the library into a connection that a test has prepared itself.
    #[track_caller]
    pub fn load_into(connection: Connection) -> Host {
        match Self::try_load_into(connection) {
            Ok(host) => host,
            Err(error) => panic!("the library does not load: {error}"),
        }
    }

    /// Like [`Host::load_into`], with the refusal as a value.
    ///
    /// # Errors
    /// What SQLite reports for the load.
    pub fn try_load_into(connection: Connection) -> Result<Host, HostError> {
        rowtide_driver::library::load(&connection, library::loadable())?;
        Ok(Host { connection })
    }

    /// The connection, for hooks, limits, functions and whatever else a test needs of SQLite.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection, for what rusqlite changes through an exclusive reference only, such as hooks.
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Closes the connection with `sqlite3_close`.
    ///
    /// # Errors
    /// SQLITE_BUSY if a statement was left open.
    pub fn try_close(self) -> Result<(), HostError> {
        self.connection.close().map_err(|(_, error)| error.into())
    }

    /// Creates the internal tables: `powersync_init()` in its own transaction.
    #[track_caller]
    pub fn initialize(&self) {
        self.transaction("SELECT powersync_init()", []);
    }

    /// Applies a schema: `powersync_replace_schema` in its own transaction.
    #[track_caller]
    pub fn replace_schema(&self, schema: &Value) {
        self.transaction("SELECT powersync_replace_schema(?)", [schema.to_string()]);
    }

    /// Runs several statements without parameters.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        if let Err(error) = self.try_execute(sql) {
            panic!("{error}, running: {sql}");
        }
    }

    /// Like [`Host::execute`], with the failure as a value.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn try_execute(&self, sql: &str) -> Result<(), HostError> {
        Ok(self.connection.execute_batch(sql)?)
    }

    /// The rows of one statement; see [`crate::values`] for how values are written.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        self.rows_with(sql, [])
    }

    /// Like [`Host::rows`], with parameters.
    #[track_caller]
    pub fn rows_with(&self, sql: &str, parameters: impl Params) -> Vec<Vec<Value>> {
        match self.try_rows(sql, parameters) {
            Ok(rows) => rows,
            Err(error) => panic!("{error}, running: {sql}"),
        }
    }

    /// Like [`Host::rows_with`], with the failure as a value.
    ///
    /// # Errors
    /// What SQLite reports, from preparing to the last step.
    pub fn try_rows(&self, sql: &str, parameters: impl Params) -> Result<Vec<Vec<Value>>, HostError> {
        let mut statement = self.connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(parameters)?;
        let mut result = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|column| row.get_ref(column).map(to_json));
            result.push(values.collect::<Result<_, _>>()?);
        }
        Ok(result)
    }

    /// The rows as one JSON array of arrays, to compare with `json!([[1, "a"], [2, "b"]])`.
    #[track_caller]
    pub fn table(&self, sql: &str) -> Value {
        self.rows(sql).into()
    }

    /// The first column of the first row; JSON null if there is no row.
    #[track_caller]
    pub fn value(&self, sql: &str) -> Value {
        self.value_with(sql, [])
    }

    /// Like [`Host::value`], with parameters.
    #[track_caller]
    pub fn value_with(&self, sql: &str, parameters: impl Params) -> Value {
        first_value(self.rows_with(sql, parameters))
    }

    /// Runs one statement in its own transaction (`BEGIN IMMEDIATE` … `COMMIT`) and gives its rows.
    #[track_caller]
    pub fn transaction(&self, sql: &str, parameters: impl Params) -> Vec<Vec<Value>> {
        match self.try_transaction(sql, parameters) {
            Ok(rows) => rows,
            Err(error) => panic!("{error}, running in a transaction: {sql}"),
        }
    }

    /// Like [`Host::transaction`]; a failure rolls the transaction back and comes as a value.
    ///
    /// # Errors
    /// What SQLite reports for the statement or the COMMIT.
    pub fn try_transaction(&self, sql: &str, parameters: impl Params) -> Result<Vec<Vec<Value>>, HostError> {
        self.in_transaction(|host| host.try_rows(sql, parameters))
    }

    /// Runs `work` between `BEGIN IMMEDIATE` and `COMMIT`; rolls back if it fails.
    ///
    /// # Errors
    /// What `work` or the COMMIT reports.
    pub fn in_transaction<T>(&self, work: impl FnOnce(&Host) -> Result<T, HostError>) -> Result<T, HostError> {
        self.try_execute("BEGIN IMMEDIATE")?;
        let result = work(self).and_then(|value| self.try_execute("COMMIT").map(|()| value));
        if result.is_err() && !self.connection.is_autocommit() {
            self.try_execute("ROLLBACK")?;
        }
        result
    }

    /// Calls `powersync_control` in its own transaction, as SDKs do. Text results (the instructions) are parsed;
    /// integers and NULL come as they are (docs/reference/control.md#calling).
    #[track_caller]
    pub fn control(&self, operation: &str, payload: impl Into<Payload>) -> Value {
        match self.try_control(operation, payload) {
            Ok(value) => value,
            Err(error) => panic!("powersync_control('{operation}', …): {error}"),
        }
    }

    /// Like [`Host::control`]; a failure rolls the transaction back and comes as a value.
    ///
    /// # Errors
    /// What SQLite reports for the call or the COMMIT.
    pub fn try_control(&self, operation: &str, payload: impl Into<Payload>) -> Result<Value, HostError> {
        self.in_transaction(|host| host.try_control_within(operation, payload))
    }

    /// Like [`Host::try_control`], within a transaction that is open already.
    ///
    /// # Errors
    /// What SQLite reports for the call.
    pub fn try_control_within(&self, operation: &str, payload: impl Into<Payload>) -> Result<Value, HostError> {
        let rows = self.try_rows("SELECT powersync_control(?, ?)", (operation, &payload.into().0))?;
        match first_value(rows) {
            Value::String(text) => serde_json::from_str(&text)
                .map_err(|error| HostError { code: -1, message: format!("the result is no JSON ({error}): {text}") }),
            other => Ok(other),
        }
    }

    /// Feeds one sync line as text and gives the instructions.
    #[track_caller]
    pub fn line(&self, line: &Value) -> Value {
        self.control("line_text", line.to_string())
    }

    /// The failure of one statement that must fail.
    #[track_caller]
    pub fn error(&self, sql: &str) -> HostError {
        match self.try_rows(sql, []) {
            Ok(rows) => panic!("no error from: {sql}, but rows: {rows:?}"),
            Err(error) => error,
        }
    }

    /// The failure of a `powersync_control` call that must fail; the transaction was rolled back.
    #[track_caller]
    pub fn control_error(&self, operation: &str, payload: impl Into<Payload>) -> HostError {
        match self.try_control(operation, payload) {
            Ok(value) => panic!("no error from powersync_control('{operation}', …), but: {value}"),
            Err(error) => error,
        }
    }
}

fn first_value(rows: Vec<Vec<Value>>) -> Value {
    rows.into_iter().flatten().next().unwrap_or_default()
}

/// The second argument of `powersync_control`. Made from text, bytes (a blob), integers, `()` (NULL) or JSON (its text;
/// JSON null gives NULL).
#[derive(Debug, Clone)]
pub struct Payload(pub(crate) rusqlite::types::Value);

macro_rules! payload_from {
    ($($from:ty),*) => { $(
        impl From<$from> for Payload {
            fn from(value: $from) -> Self {
                Payload(value.to_owned().into())
            }
        }
    )* };
}
payload_from!(String, i64, Vec<u8>, f64);

impl From<rusqlite::types::Value> for Payload {
    fn from(value: rusqlite::types::Value) -> Self {
        Payload(value)
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<()> for Payload {
    fn from((): ()) -> Self {
        Payload(rusqlite::types::Value::Null)
    }
}

impl From<&Value> for Payload {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => ().into(),
            other => other.to_string().into(),
        }
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        (&value).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain() -> Host {
        Host { connection: Connection::open_in_memory().unwrap() }
    }

    #[test]
    fn rows_are_json() {
        let rows = plain().table("SELECT 1, 1.5, 'a', x'0aff', NULL, 9e999");
        assert_eq!(rows, json!([[1, 1.5, "a", {"blob": "0aff"}, null, {"real": "inf"}]]));
    }

    #[test]
    fn a_failed_transaction_leaves_nothing_behind() {
        let host = plain();
        host.execute("CREATE TABLE t(a UNIQUE)");
        let error = host.try_transaction("INSERT INTO t VALUES (1), (1)", []).unwrap_err();
        assert_eq!(error.code, 2067);
        assert_eq!(error.message, "UNIQUE constraint failed: t.a");
        assert!(host.connection().is_autocommit());
        assert_eq!(host.value("SELECT count(*) FROM t"), 0);
    }

    #[test]
    fn payloads_keep_their_kind() {
        let host = plain();
        let kind = |payload: Payload| host.value_with("SELECT typeof(?)", [payload.0]);
        assert_eq!(kind("1".into()), "text");
        assert_eq!(kind(1.into()), "integer");
        assert_eq!(kind(b"1".as_slice().into()), "blob");
        assert_eq!(kind(().into()), "null");
        assert_eq!(kind(Value::Null.into()), "null");
        assert_eq!(kind(json!({"a": 1}).into()), "text");
    }
}
