//! What this library remembers about one SQLite connection below the state machine: cached statements, whether
//! downloaded rows are being published, and the schema last set.

pub(crate) mod changed_tables;
mod statements;
pub(crate) mod transaction;

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::marker::PhantomData;

use sqlite_nostd::{Connection, Parameter, ResultCode, Rows, Statement, StatementOwner};

use self::statements::{Kept, StatementText, Statements};
use self::transaction::TransactionMonitor;
use crate::error::{Error, ErrorKind, Result};

/// State of one connection, shared by everything registered on it and dropped when it closes.
#[derive(Default)]
pub(crate) struct ConnectionState {
    statements: Statements,
    is_watching_close: Cell<bool>,
    sync_operations: Cell<usize>,
    transaction: TransactionMonitor,
    keeps_views: Cell<bool>,
    own_generation: Cell<Option<i64>>,
}

impl ConnectionState {
    /// Whether downloaded rows are being published or cleared (`powersync_in_sync_operation()`).
    pub(crate) fn in_sync_operation(&self) -> bool {
        self.sync_operations.get() > 0
    }

    /// Makes [`Self::in_sync_operation`] true until the returned guard is dropped.
    pub(crate) fn enter_sync_operation(&self) -> SyncOperation<'_> {
        self.sync_operations.set(self.sync_operations.get().saturating_add(1));
        SyncOperation(self)
    }

    /// Whether stored statements are being run that drop our views so that other versions can use the file.
    pub(crate) fn keeps_views(&self) -> bool {
        self.keeps_views.get()
    }

    /// Makes [`Self::keeps_views`] true during `work`.
    pub(crate) fn keeping_views<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.keeps_views.replace(true);
        let result = work();
        self.keeps_views.set(before);
        result
    }

    /// Tells what a rollback undid.
    pub(crate) fn transaction(&self) -> &TransactionMonitor {
        &self.transaction
    }

    /// The generation of downloaded data that this connection made last (`bucket_storage::iteration`).
    pub(crate) fn own_generation(&self) -> Option<i64> {
        self.own_generation.get()
    }

    /// See [`Self::own_generation`].
    pub(crate) fn set_own_generation(&self, generation: Option<i64>) {
        self.own_generation.set(generation);
    }

    /// Finalizes all cached statements, so that `sqlite3_close` does not find any of ours.
    pub(crate) fn release_statements(&self) {
        self.is_watching_close.set(false);
        self.statements.clear();
    }
}

/// While alive, the connection is publishing or clearing; see [`ConnectionState::enter_sync_operation`].
pub(crate) struct SyncOperation<'s>(&'s ConnectionState);

impl Drop for SyncOperation<'_> {
    fn drop(&mut self) {
        self.0.sync_operations.set(self.0.sync_operations.get().saturating_sub(1));
    }
}

/// A connection during one call into this library, with its remembered state.
#[derive(Clone, Copy)]
pub(crate) struct Database<'c> {
    connection: Connection<'c>,
    state: &'c Rc<ConnectionState>,
}

impl<'c> Database<'c> {
    /// The connection of the running call, with `state` that belongs to it.
    pub(crate) fn new(connection: Connection<'c>, state: &'c Rc<ConnectionState>) -> Self {
        Self { connection, state }
    }

    /// The SQLite connection.
    pub(crate) fn connection(&self) -> Connection<'c> {
        self.connection
    }

    /// The remembered state.
    pub(crate) fn state(&self) -> &'c Rc<ConnectionState> {
        self.state
    }

    /// The cached statement for `sql`, prepared on first use and kept until the connection closes.
    ///
    /// Nested use of the same text (through a trigger that calls back) gets a separate statement.
    #[inline(never)]
    pub(crate) fn cached(&self, sql: &'static str) -> Result<CachedStatement<'c>> {
        self.cached_by(&StatementText::Constant(sql))
    }

    /// The cached statement for SQL that was made at run time.
    pub(crate) fn cached_text(&self, sql: &str) -> Result<CachedStatement<'c>> {
        self.cached_by(&StatementText::Made(sql))
    }

    fn cached_by(&self, text: &StatementText<'_>) -> Result<CachedStatement<'c>> {
        let kept = match self.state.statements.take(text)? {
            Ok(kept) => kept,
            Err(place) => {
                self.watch_close()?;
                let statement = self.connection.prepare_persistent(text.text())?;
                Box::new(Kept { statement, place, state: Rc::downgrade(self.state) })
            }
        };
        Ok(CachedStatement { kept: Some(kept), call: PhantomData })
    }

    /// Runs the cached statement for `sql`; see [`Self::cached`] and [`Rows::of`].
    pub(crate) fn query<'p>(&self, sql: &'static str, parameters: &[Parameter<'p>]) -> Result<CachedRows<'c, 'p>> {
        Ok(Rows::of(self.cached(sql)?, parameters)?)
    }

    /// A statement for SQL that is made at run time; the caller keeps or drops it.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement> {
        Ok(self.connection.prepare(sql)?)
    }

    /// Runs the statements in `sql`, which take no parameters.
    pub(crate) fn execute_batch(&self, sql: &str) -> Result<()> {
        Ok(self.connection.execute_batch(sql)?)
    }

    /// Does `work` as a whole or, if it fails, not at all.
    pub(crate) fn in_savepoint<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.execute_batch("SAVEPOINT powersync_work")?;
        let result = work();
        if result.is_err() {
            // If this fails, the whole transaction is gone, and the first error says why.
            let _ = self.execute_batch("ROLLBACK TO powersync_work");
        }
        let released = self.execute_batch("RELEASE powersync_work");
        result.and_then(|value| released.map(|()| value))
    }

    /// Does `work` with an ALTER TABLE that takes no notice of views and triggers: those of the application may refer
    /// to something that is missing, and are not rewritten.
    ///
    /// # Errors
    /// Those of `work`; errors of SQLite.
    pub(crate) fn with_legacy_alter_table<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let was_on = self.integer("PRAGMA legacy_alter_table", &[])? == Some(1);
        self.execute_batch("PRAGMA legacy_alter_table = ON")?;
        let result = work();
        let restored = if was_on { Ok(()) } else { self.execute_batch("PRAGMA legacy_alter_table = OFF") };
        result.and_then(|value| restored.map(|()| value))
    }

    /// Runs one cached statement to its end, ignoring rows.
    pub(crate) fn execute(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<()> {
        self.cached(sql)?.execute(parameters)
    }

    /// The integer in the first column of the first row, None without a row or for NULL.
    pub(crate) fn integer(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Option<i64>> {
        first_integer(self.cached(sql)?.running()?, parameters)
    }

    /// The same for SQL that is made at run time, and runs rarely.
    pub(crate) fn made_integer(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Option<i64>> {
        first_integer(&mut self.prepare(sql)?, parameters)
    }

    /// How many rows a table has, whose name is quoted.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn count(&self, table: &str) -> Result<i64> {
        let counted = self.made_integer(&alloc::format!("SELECT count(*) FROM main.{table}"), &[])?;
        Ok(counted.unwrap_or(0))
    }

    /// The same, without reading all of a large table: no more than `most` rows are counted.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn count_up_to(&self, table: &str, most: i64) -> Result<i64> {
        let sql = alloc::format!("SELECT count(*) FROM (SELECT 1 FROM main.{table} LIMIT ?1)");
        Ok(self.made_integer(&sql, &[most.into()])?.unwrap_or(0))
    }

    /// Fails outside a transaction (docs/reference/functions.md#all-functions).
    pub(crate) fn require_transaction(&self) -> Result<()> {
        if self.connection.is_autocommit() {
            return Err(Error::new(
                ErrorKind::Sqlite(ResultCode::MISUSE),
                "This function may only be called in transactions. Run BEGIN IMMEDIATE first.",
            ));
        }
        Ok(())
    }

    /// Connects the table that SQLite disconnects when the connection closes.
    fn watch_close(&self) -> Result<()> {
        if !self.state.is_watching_close.get() {
            let mut statement = self.connection.prepare("SELECT 1 FROM powersync_internal_close")?;
            statement.execute(&[])?;
            self.state.is_watching_close.set(true);
        }
        Ok(())
    }
}

/// The integer in the first column of the first row that a statement gives, None without a row or for NULL.
pub(crate) fn first_integer(statement: &mut Statement, parameters: &[Parameter<'_>]) -> Result<Option<i64>> {
    Ok(statement.query(parameters)?.next()?.and_then(|row| row.optional_integer(0)))
}

/// A running statement that goes back to the connection's cache when dropped.
pub(crate) type CachedRows<'c, 'p> = Rows<'p, CachedStatement<'c>>;

/// A statement that goes back to the connection's cache when dropped.
///
/// It is no larger than an address, because most functions have one.
pub(crate) struct CachedStatement<'c> {
    /// None once it is being dropped.
    kept: Option<Box<Kept>>,
    call: PhantomData<Connection<'c>>,
}

impl CachedStatement<'_> {
    /// Runs the statement; see [`Rows::of`].
    pub(crate) fn query<'s>(&'s mut self, parameters: &[Parameter<'s>]) -> Result<Rows<'s, &'s mut Statement>> {
        Ok(self.running()?.query(parameters)?)
    }

    /// Runs the statement to its end, ignoring rows.
    pub(crate) fn execute(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        Ok(self.running()?.execute(parameters)?)
    }

    /// Runs the statement to its end; see [`Statement::execute_with`].
    pub(crate) fn execute_with<'p>(&mut self, count: usize, parameter: &dyn Fn(usize) -> Parameter<'p>) -> Result<()> {
        Ok(self.running()?.execute_with(count, parameter)?)
    }

    /// Runs the statement; see [`Statement::query_with`].
    pub(crate) fn query_with<'s>(
        &'s mut self,
        count: usize,
        parameter: &dyn Fn(usize) -> Parameter<'s>,
    ) -> Result<Rows<'s, &'s mut Statement>> {
        Ok(self.running()?.query_with(count, parameter)?)
    }

    /// The number of parameters in its SQL.
    pub(crate) fn parameter_count(&mut self) -> Result<usize> {
        Ok(self.running()?.parameter_count())
    }

    fn running(&mut self) -> Result<&mut Statement> {
        let statement = self.statement();
        debug_assert!(statement.is_some(), "a cached statement was used after its release");
        statement.ok_or_else(|| Error::new(ErrorKind::Internal, "a cached statement was used after its release"))
    }
}

impl StatementOwner for CachedStatement<'_> {
    fn statement(&mut self) -> Option<&mut Statement> {
        self.kept.as_mut().map(|kept| &mut kept.statement)
    }
}

impl Drop for CachedStatement<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        // After a close was signalled nothing is kept: the connection is waiting for its last statement.
        if let Some(kept) = self.kept.take()
            && let Some(state) = kept.state.upgrade()
            && state.is_watching_close.get()
        {
            state.statements.put_back(kept);
        }
    }
}
