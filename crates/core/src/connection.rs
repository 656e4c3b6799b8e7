//! What this library remembers about one SQLite connection below the state machine: cached statements, whether
//! downloaded rows are being published, and the schema last set.

pub mod changed_tables;
pub mod transaction;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};

use sqlite_nostd::{Connection, Parameter, ResultCode, Rows, Statement};

use self::transaction::TransactionMonitor;
use crate::error::{Error, ErrorKind, Result};

/// What tells cached statements apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum StatementKey {
    /// Address and length of a constant: each SQL text stands beside the one function that runs it, and comparing
    /// addresses is cheaper than comparing texts. Two copies of one constant only cost a second statement.
    Constant(usize, usize),
    /// SQL that was made at run time.
    Text(String),
}

/// How many statements with SQL made at run time are kept: more than any schema has tables in sensible use.
const TEXT_STATEMENTS: usize = 1024;

/// State of one connection, shared by everything registered on it and dropped when it closes.
#[derive(Default)]
pub struct ConnectionState {
    /// None stands for one that is in use.
    statements: RefCell<BTreeMap<StatementKey, Option<Statement>>>,
    is_watching_close: Cell<bool>,
    sync_operations: Cell<usize>,
    transaction: TransactionMonitor,
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

    /// Tells what a rollback undid.
    pub fn transaction(&self) -> &TransactionMonitor {
        &self.transaction
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
        let key = StatementKey::Constant(sql.as_ptr() as usize, sql.len());
        self.cached_by(key, |connection| connection.prepare_persistent(sql))
    }

    /// The cached statement for SQL that was made at run time.
    pub fn cached_text(&self, sql: &str) -> Result<CachedStatement<'c>> {
        let is_full = self.state.statements.borrow().len() >= TEXT_STATEMENTS;
        if is_full {
            self.state.statements.borrow_mut().retain(|key, _| matches!(key, StatementKey::Constant(..)));
        }
        self.cached_by(StatementKey::Text(sql.into()), |connection| connection.prepare_persistent(sql))
    }

    fn cached_by(
        &self,
        key: StatementKey,
        prepare: impl FnOnce(Connection<'c>) -> sqlite_nostd::Result<Statement>,
    ) -> Result<CachedStatement<'c>> {
        let kept = self.state.statements.borrow_mut().get_mut(&key).and_then(Option::take);
        let statement = match kept {
            Some(statement) => statement,
            None => {
                self.watch_close()?;
                prepare(self.connection)?
            }
        };
        Ok(CachedStatement { state: self.state, entry: Some((key, statement)) })
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
        self.cached(sql)?.execute(parameters)
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
                ErrorKind::Sqlite(ResultCode::MISUSE),
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
    entry: Option<(StatementKey, Statement)>,
}

impl CachedStatement<'_> {
    /// Runs the statement; see [`Statement::query`].
    pub fn query<'s>(&'s mut self, parameters: &[Parameter<'s>]) -> Result<Rows<'s>> {
        Ok(self.statement()?.query(parameters)?)
    }

    /// Runs the statement to its end, ignoring rows.
    pub fn execute(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        Ok(self.statement()?.execute(parameters)?)
    }

    /// The number of parameters in its SQL.
    pub fn parameter_count(&mut self) -> Result<usize> {
        Ok(self.statement()?.parameter_count())
    }

    fn statement(&mut self) -> Result<&mut Statement> {
        match &mut self.entry {
            Some((_, statement)) => Ok(statement),
            None => Err(Error::new(ErrorKind::Internal, "a cached statement was used after its release")),
        }
    }
}

impl Drop for CachedStatement<'_> {
    fn drop(&mut self) {
        // After a close was signalled nothing is kept: the connection is waiting for its last statement.
        if let Some((key, statement)) = self.entry.take()
            && self.state.is_watching_close.get()
        {
            // Another one may be there after a nested use of the same SQL. It goes when the map is free again.
            let replaced = self.state.statements.borrow_mut().insert(key, Some(statement));
            drop(replaced);
        }
    }
}
