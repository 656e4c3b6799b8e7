//! What this library remembers about one SQLite connection below the state machine: cached statements, whether
//! downloaded rows are being published, and the schema last set.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::ops::{Deref, DerefMut};

use sqlite_nostd::{Connection, Parameter, Statement};

use crate::error::{Error, Result};

/// State of one connection, shared by everything registered on it and dropped when it closes.
#[derive(Default)]
pub struct ConnectionState {
    statements: RefCell<BTreeMap<usize, Statement>>,
    is_watching_close: Cell<bool>,
    sync_operations: Cell<usize>,
    schema_generation: Cell<u64>,
}

impl ConnectionState {
    /// Whether downloaded rows are being published or cleared (`powersync_in_sync_operation()`).
    pub fn in_sync_operation(&self) -> bool {
        self.sync_operations.get() > 0
    }

    /// Makes [`Self::in_sync_operation`] true until the returned guard is dropped.
    pub fn enter_sync_operation(&self) -> SyncOperation<'_> {
        self.sync_operations.set(self.sync_operations.get().saturating_add(1));
        SyncOperation(self)
    }

    /// Finalizes all cached statements, so that `sqlite3_close` does not find any of ours.
    pub fn release_statements(&self) {
        let released = core::mem::take(&mut *self.statements.borrow_mut());
        self.is_watching_close.set(false);
        drop(released);
    }
}

/// While alive, the connection is publishing or clearing; see [`ConnectionState::enter_sync_operation`].
pub struct SyncOperation<'s>(&'s ConnectionState);

impl Drop for SyncOperation<'_> {
    fn drop(&mut self) {
        self.0.sync_operations.set(self.0.sync_operations.get().saturating_sub(1));
    }
}

/// A connection during one call into this library, with its remembered state.
#[derive(Clone, Copy)]
pub struct Database<'c> {
    connection: Connection<'c>,
    state: &'c Rc<ConnectionState>,
}

impl<'c> Database<'c> {
    /// The connection of the running call, with `state` that belongs to it.
    pub fn new(connection: Connection<'c>, state: &'c Rc<ConnectionState>) -> Self {
        Self { connection, state }
    }

    /// The SQLite connection.
    pub fn connection(&self) -> Connection<'c> {
        self.connection
    }

    /// The remembered state.
    pub fn state(&self) -> &'c Rc<ConnectionState> {
        self.state
    }

    /// The cached statement for `sql`, prepared on first use and kept until the connection closes.
    ///
    /// Nested use of the same text (through a trigger that calls back) gets a statement of its own.
    pub fn cached(&self, sql: &'static str) -> Result<CachedStatement<'c>> {
        // The address tells the texts apart: each is a constant beside the one function that runs it. Two copies of
        // one constant only cost a second statement.
        let key = sql.as_ptr() as usize;
        let statement = match self.state.statements.borrow_mut().remove(&key) {
            Some(statement) => statement,
            None => {
                self.watch_close()?;
                self.connection.prepare_persistent(sql)?
            }
        };
        Ok(CachedStatement { state: self.state, key, statement: Some(statement) })
    }

    /// A statement for SQL that is made at run time; the caller keeps or drops it.
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        Ok(self.connection.prepare(sql)?)
    }

    /// Runs the statements in `sql`, which take no parameters.
    pub fn execute_batch(&self, sql: &str) -> Result<()> {
        Ok(self.connection.execute_batch(sql)?)
    }

    /// Runs one cached statement to its end, ignoring rows.
    pub fn execute(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<()> {
        Ok(self.cached(sql)?.execute(parameters)?)
    }

    /// The integer in the first column of the first row, None without a row or for NULL.
    pub fn integer(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Option<i64>> {
        let mut statement = self.cached(sql)?;
        let mut rows = statement.query(parameters)?;
        Ok(rows.next()?.and_then(|row| row.optional_integer(0)))
    }

    /// Fails outside a transaction (SQL interface, Conventions).
    pub fn require_transaction(&self) -> Result<()> {
        if self.connection.is_autocommit() {
            return Err(Error::new(
                crate::error::ErrorKind::Sqlite(sqlite_nostd::ResultCode::MISUSE),
                "This function may only be called in transactions.",
            ));
        }
        Ok(())
    }

    /// Connects the table whose disconnection tells that the connection closes.
    fn watch_close(&self) -> Result<()> {
        if !self.state.is_watching_close.get() {
            let mut statement = self.connection.prepare("SELECT 1 FROM powersync_internal_close")?;
            statement.execute(&[])?;
            self.state.is_watching_close.set(true);
        }
        Ok(())
    }
}

/// A statement that goes back to the connection's cache when dropped.
pub struct CachedStatement<'c> {
    state: &'c ConnectionState,
    key: usize,
    statement: Option<Statement>,
}

impl Deref for CachedStatement<'_> {
    type Target = Statement;

    fn deref(&self) -> &Statement {
        match &self.statement {
            Some(statement) => statement,
            None => unreachable!("the statement is taken only in drop"),
        }
    }
}

impl DerefMut for CachedStatement<'_> {
    fn deref_mut(&mut self) -> &mut Statement {
        match &mut self.statement {
            Some(statement) => statement,
            None => unreachable!("the statement is taken only in drop"),
        }
    }
}

impl Drop for CachedStatement<'_> {
    fn drop(&mut self) {
        // After a close was signalled nothing is kept: the connection is waiting for its last statement.
        if let Some(statement) = self.statement.take()
            && self.state.is_watching_close.get()
        {
            self.state.statements.borrow_mut().insert(self.key, statement);
        }
    }
}
