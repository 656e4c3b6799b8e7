//! A client: its database file with two connections, what the model says it holds, and how its process dies.
//!
//! A kill leaves what SQLite had given to the operating system: the file and its WAL are copied as they are at that
//! moment, with an open transaction or without, and the client goes on from the copy. (What a power failure leaves is
//! the subject of other tests.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rowtide_testkit::Host;
use rowtide_testkit::host::{HostError, Payload};
use serde_json::Value;

use crate::replica::Replica;
use crate::rows::{CREATE_RAW_TABLE, Key, Rows, Schema, Table, raw_table};
use crate::stream::Stream;

/// Why an action ended early.
#[derive(Debug)]
pub enum Stop {
    /// The process was killed.
    Killed,
    /// The transaction of a control call was rolled back.
    RolledBack,
    /// Something is wrong.
    Failure(String),
}

/// A result that can end an action early.
pub type Step<T> = Result<T, Stop>;

/// A failure, unless `holds`.
///
/// # Errors
/// With the message.
pub fn ensure(holds: bool, message: impl FnOnce() -> String) -> Step<()> {
    if holds { Ok(()) } else { Err(Stop::Failure(message())) }
}

/// What must be in the database.
#[derive(Debug, Default)]
pub struct Model {
    /// Rows as the application sees them.
    pub shown: Rows,
    /// The upload queue: the entries of each transaction.
    pub queue: Vec<Vec<Value>>,
    /// Rejected transactions by their ids.
    pub rejected: BTreeMap<i64, Vec<Value>>,
    /// `target_checkpoint_request_id`.
    pub target: Option<i64>,
    /// `last_seen_checkpoint_request_id`.
    pub seen: Option<i64>,
    /// `last_applied_checkpoint_request_id`.
    pub applied: Option<i64>,
    /// `last_requested_checkpoint_request_id`.
    pub requested: Option<i64>,
    /// The newest checkpoint that was validated as a whole.
    pub completed: i64,
    /// Rows written since the last full publish.
    pub written: BTreeSet<Key>,
    /// Rows that an update without effect has marked as written since then.
    pub marked: BTreeSet<Key>,
    /// Rows among these of which a publish around local writes has held something back: the next publish of the same buckets
    /// may show it.
    pub held_back: BTreeSet<Key>,
    /// Since then the file was in a format that does not distinguish written rows from others that are to be checked.
    pub may_hold_others: bool,
    /// What was downloaded.
    pub replica: Replica,
    /// Position in the source database of the client's own last change there.
    pub own_position: u64,
    /// Position in the source database that was last published.
    pub published_position: u64,
    /// The newest operation of the checkpoint that was last published.
    pub published_op: i64,
}

impl Model {
    /// Whether downloads may be published.
    pub fn gate_is_open(&self) -> bool {
        self.queue.is_empty() && self.target.is_none_or(|target| target <= self.seen.unwrap_or(0))
    }

    /// Whether the row-wise gate holds a row back while it is closed.
    pub fn is_held(&self, key: &Key) -> bool {
        let is_of_row = |entry: &Value| entry["type"] == key.0.name() && entry["id"] == key.1;
        self.written.contains(key) || self.marked.contains(key) || self.queue.iter().flatten().any(is_of_row)
    }

    /// Nothing written locally is left that the service has not seen.
    pub fn forget_written(&mut self) {
        self.written.clear();
        self.marked.clear();
        self.held_back.clear();
        self.may_hold_others = false;
    }

    /// What a new client holds that has a copy of the file, or an export with local-only tables or without.
    pub fn for_new_client(&self, export: Option<bool>) -> Self {
        let mut shown = self.shown.clone();
        shown.retain(|key, _| key.0 != Table::Drafts || export != Some(false));
        Self {
            shown,
            completed: self.completed,
            replica: self.replica.clone(),
            published_position: self.published_position,
            published_op: self.published_op,
            ..Self::default()
        }
    }

    /// Shown rows of tables that the service has too.
    pub fn shown_of_service(&self) -> Rows {
        self.shown.iter().filter(|(key, _)| key.0.is_synced()).map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    /// Local writes recorded something that the service has to see: the gate is closed.
    pub fn close_gate(&mut self) {
        self.target = Some(i64::MAX);
        (self.seen, self.applied) = (None, None);
    }
}

/// An iteration that the client runs.
#[derive(Debug)]
pub struct Iteration {
    /// The other end.
    pub stream: Stream,
    /// Memory and database were brought apart; it must notice, and end.
    pub is_disturbed: bool,
    /// Local writes hold back the rows written to, rather than everything.
    pub by_rows: bool,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// Its number, from 0.
    pub index: usize,
    /// What must be in the database.
    pub model: Model,
    /// The iterations in progress, on the first and on the second connection to the file.
    pub iterations: [Option<Iteration>; 2],
    /// Whether the one that was started last is on the second connection.
    pub is_second: bool,
    /// There have been two at a time since the file was opened: one may be ahead of the other.
    pub is_crowded: bool,
    /// How often one ended for the other.
    pub ends: u64,
    /// How often one put its checkpoint off, because the other was ahead.
    pub put_off: u64,
    /// Checkpoints published around local writes.
    pub around: u64,
    /// Rejected transactions that were tried again.
    pub retried: u64,
    /// What the application has declared.
    pub schema: Schema,
    /// Whether iterations that start have the row-wise gate.
    pub by_rows: bool,
    /// Calls of SQLite until the process is killed.
    pub kill_after: Option<u8>,
    /// Control calls until one is rolled back, and whether that one is repeated.
    pub roll_back_after: Option<(u8, bool)>,
    /// How often it was killed.
    pub kills: u64,
    directory: PathBuf,
    generation: u32,
    first: Option<Host>,
    second: Option<Host>,
}

impl Client {
    /// A client with a fresh database in `directory`.
    ///
    /// # Errors
    /// What SQLite or the file system reports.
    pub fn new(index: usize, directory: &Path) -> Step<Self> {
        let mut client = Self {
            index,
            model: Model::default(),
            iterations: [None, None],
            is_second: false,
            is_crowded: false,
            ends: 0,
            put_off: 0,
            around: 0,
            retried: 0,
            schema: Schema::First,
            by_rows: false,
            kill_after: None,
            roll_back_after: None,
            kills: 0,
            directory: directory.to_owned(),
            generation: 0,
            first: None,
            second: None,
        };
        create_database(&client.path(), directory).map_err(|error| failed("creating a database", &error))?;
        client.open()?;
        Ok(client)
    }

    /// Whether it asks for checkpoints by its own ids.
    pub fn has_requests(&self) -> bool {
        self.index % 2 == 1
    }

    /// Whether it reads lines as BSON.
    pub fn is_binary(&self) -> bool {
        self.index == 1
    }

    fn path(&self) -> PathBuf {
        self.directory.join(format!("client-{}-{}.db", self.index, self.generation))
    }

    fn open(&mut self) -> Step<()> {
        self.first = Some(open(&self.path(), self.schema)?);
        Ok(())
    }

    /// The connection of the iteration that was started last, or of the one next to it.
    pub fn connection(&self, other: bool) -> bool {
        self.is_second != other
    }

    /// The connections on which to go on: that of the iteration that was started last, and of one next to it.
    pub fn connections(&self) -> Vec<bool> {
        let beside = self.connection(true);
        std::iter::once(self.connection(false)).chain(self.iteration(beside).map(|_| beside)).collect()
    }

    /// The iteration on a connection.
    pub fn iteration(&self, second: bool) -> Option<&Iteration> {
        self.iterations[usize::from(second)].as_ref()
    }

    /// The iteration on a connection.
    pub fn iteration_mut(&mut self, second: bool) -> Option<&mut Iteration> {
        self.iterations[usize::from(second)].as_mut()
    }

    /// The iteration on a connection has ended.
    pub fn forget_iteration(&mut self, second: bool) {
        self.iterations[usize::from(second)] = None;
    }

    fn forget_iterations(&mut self) {
        self.iterations = [None, None];
        self.is_crowded = false;
    }

    /// One of the connections.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn host(&mut self, second: bool) -> Step<&Host> {
        let (path, schema) = (self.path(), self.schema);
        let host = if second { &mut self.second } else { &mut self.first };
        if host.is_none() {
            *host = Some(open(&path, schema)?);
        }
        host.as_ref().ok_or_else(|| Stop::Failure("no connection".to_owned()))
    }

    /// Whether a connection is open.
    pub fn is_open(&self, second: bool) -> bool {
        if second { self.second.is_some() } else { self.first.is_some() }
    }

    /// A moment at which the process may be killed.
    ///
    /// # Errors
    /// If it is.
    pub fn point(&mut self) -> Step<()> {
        match self.kill_after {
            Some(0) => Err(Stop::Killed),
            Some(after) => {
                self.kill_after = Some(after - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Runs statements at such a moment; they must succeed.
    ///
    /// # Errors
    /// If they do not, or the process is killed before.
    pub fn execute(&mut self, second: bool, sql: &str) -> Step<()> {
        self.point()?;
        self.host(second)?.try_execute(sql).map_err(|error| failed(sql, &error))
    }

    /// Runs a query at such a moment; it must succeed.
    ///
    /// # Errors
    /// If it does not, or the process is killed before.
    pub fn query(&mut self, second: bool, sql: &str) -> Step<Vec<Vec<Value>>> {
        self.point()?;
        self.host(second)?.try_rows(sql, []).map_err(|error| failed(sql, &error))
    }

    /// Calls `powersync_control` within a transaction that is open already. Instructions come as JSON.
    ///
    /// # Errors
    /// If the call fails, or the process is killed before.
    pub fn control_within(&mut self, second: bool, operation: &str, payload: impl Into<Payload>) -> Step<Value> {
        self.point()?;
        self.host(second)?.try_control_within(operation, payload).map_err(|error| failed(operation, &error))
    }

    /// Calls `powersync_control` in its own transaction.
    ///
    /// # Errors
    /// If the call fails, is rolled back and not repeated, or the process is killed.
    pub fn control(&mut self, second: bool, operation: &str, payload: impl Into<Payload>) -> Step<Value> {
        let payload = payload.into();
        let result = self.control_in_transaction(second, operation, payload.clone())?;
        let Some(is_repeated) = self.takes_rollback() else {
            self.execute(second, "COMMIT")?;
            return Ok(result);
        };
        self.execute(second, "ROLLBACK")?;
        if let Some(iteration) = self.iteration_mut(second) {
            iteration.is_disturbed = true;
        }
        if !is_repeated {
            return Err(Stop::RolledBack);
        }
        let result = self.control_in_transaction(second, operation, payload)?;
        self.execute(second, "COMMIT")?;
        Ok(result)
    }

    /// Begins a transaction and calls; what fails is rolled back.
    fn control_in_transaction(&mut self, second: bool, operation: &str, payload: Payload) -> Step<Value> {
        self.execute(second, "BEGIN IMMEDIATE")?;
        let result = self.control_within(second, operation, payload);
        if matches!(result, Err(Stop::Failure(_))) {
            self.execute(second, "ROLLBACK")?;
        }
        result
    }

    /// Whether this call is to be rolled back, and then repeated.
    fn takes_rollback(&mut self) -> Option<bool> {
        let (after, is_repeated) = self.roll_back_after?;
        self.roll_back_after = after.checked_sub(1).map(|after| (after, is_repeated));
        (after == 0).then_some(is_repeated)
    }

    /// The process dies and starts again.
    ///
    /// # Errors
    /// What SQLite or the file system reports when it starts again.
    pub fn kill(&mut self) -> Step<()> {
        let old = self.path();
        self.generation += 1;
        let new = self.path();
        copy_database(&old, &new)?;
        (self.first, self.second) = (None, None);
        // Nobody uses the old one any more.
        let _ = fs::remove_file(&old);
        (self.kill_after, self.roll_back_after) = (None, None);
        self.forget_iterations();
        self.kills += 1;
        self.open()
    }

    /// A new client begins in its place, with a copy or an export of the file of `from`, which has this model.
    ///
    /// # Errors
    /// If it cannot be made, or has the id of another client.
    pub fn replace(&mut self, from: &mut Self, export: Option<bool>) -> Step<()> {
        let ids = [self.client_id()?, from.client_id()?];
        self.generation += 1;
        from.copy_to(&self.path(), export)?;
        let (model, schema) = (from.model.for_new_client(export), from.schema);
        self.become_new(model, schema, export.is_some(), &ids)
    }

    /// As [`Self::replace`], with its own file.
    ///
    /// # Errors
    /// As there.
    pub fn replace_by_own(&mut self, export: Option<bool>) -> Step<()> {
        let ids = [self.client_id()?, String::new()];
        let path = self.directory.join(format!("client-{}-{}.db", self.index, self.generation + 1));
        self.copy_to(&path, export)?;
        self.generation += 1;
        let model = self.model.for_new_client(export);
        self.become_new(model, self.schema, export.is_some(), &ids)
    }

    fn client_id(&mut self) -> Step<String> {
        let sql = "SELECT powersync_client_id()";
        let rows = self.host(false)?.try_rows(sql, []).map_err(|error| failed(sql, &error))?;
        Ok(rows[0][0].as_str().unwrap_or_default().to_owned())
    }

    /// Copies its file, or exports it with local-only tables or without.
    fn copy_to(&mut self, path: &Path, export: Option<bool>) -> Step<()> {
        let Some(with_local) = export else {
            return copy_database(&self.path(), path);
        };
        let local = if with_local { ", 'with-local'" } else { "" };
        let sql = format!("SELECT powersync_export('{}'{local})", path.display());
        self.host(false)?.try_rows(&sql, []).map(drop).map_err(|error| failed(&sql, &error))
    }

    /// Opens the file that was copied for it, which becomes that of a new client.
    fn become_new(&mut self, model: Model, schema: Schema, is_export: bool, ids: &[String]) -> Step<()> {
        (self.first, self.second) = (None, None);
        (self.kill_after, self.roll_back_after) = (None, None);
        self.forget_iterations();
        (self.model, self.schema) = (model, schema);
        self.open()?;
        if !is_export {
            self.in_transaction(false, "SELECT powersync_adopt()")?;
        }
        let id = self.client_id()?;
        ensure(!id.is_empty() && !ids.contains(&id), || format!("a new client has the id {id} of another one"))
    }

    /// Closes the second connection.
    ///
    /// # Errors
    /// If it does not close.
    pub fn close_second(&mut self) -> Step<()> {
        match self.second.take() {
            Some(host) => host.try_close().map_err(|error| failed("closing", &error)),
            None => Ok(()),
        }
    }

    /// Closes both connections.
    ///
    /// # Errors
    /// If one does not close.
    pub fn close(&mut self) -> Step<()> {
        self.forget_iterations();
        self.close_second()?;
        match self.first.take() {
            Some(host) => host.try_close().map_err(|error| failed("closing", &error)),
            None => Ok(()),
        }
    }

    /// Closes and opens the database.
    ///
    /// # Errors
    /// If one of both fails.
    pub fn reopen(&mut self) -> Step<()> {
        self.close()?;
        self.open()
    }

    /// Size of its database file in bytes, once everything is in there.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn file_size(&mut self) -> Step<u64> {
        self.query(false, "PRAGMA wal_checkpoint(TRUNCATE)")?;
        fs::metadata(self.path()).map(|metadata| metadata.len()).map_err(|error| failed("the size of a file", &error))
    }
}

/// Copies a database with its WAL.
fn copy_database(from: &Path, to: &Path) -> Step<()> {
    let wal = |path: &Path| path.with_extension("db-wal");
    fs::copy(from, to).map_err(|error| failed("copying a database", &error))?;
    if wal(from).exists() {
        fs::copy(wal(from), wal(to)).map_err(|error| failed("copying a WAL", &error))?;
    }
    Ok(())
}

/// A failure of something that must succeed.
pub fn failed(what: &str, error: &impl std::fmt::Display) -> Stop {
    Stop::Failure(format!("{what}: {error}"))
}

fn open(path: &Path, schema: Schema) -> Step<Host> {
    let open = || -> Result<Host, HostError> {
        let connection = rusqlite::Connection::open(path)?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")?;
        let host = Host::try_load_into(connection)?;
        host.try_transaction("SELECT powersync_replace_schema(?)", [schema.json().to_string()])?;
        Ok(host)
    };
    open().map_err(|error| failed("opening", &error))
}

/// Creates a database with the first schema, with the help of a file in `directory`.
///
/// # Errors
/// If it cannot be written.
pub fn create_database(path: &Path, directory: &Path) -> std::io::Result<()> {
    fs::write(path, template(directory))
}

/// The bytes of a database with the first schema, made once.
fn template(directory: &Path) -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let path = directory.join("template.db");
        let host = Host::open(&path);
        host.initialize();
        host.execute(CREATE_RAW_TABLE);
        for write in ["INSERT", "UPDATE", "DELETE"] {
            let (table, name) = (raw_table().to_string(), format!("raw_{write}"));
            host.rows_with("SELECT powersync_create_raw_table_crud_trigger(?, ?, ?)", [&table, &name, write]);
        }
        host.replace_schema(&Schema::First.json());
        drop(host);
        fs::read(&path).unwrap_or_default()
    })
}
