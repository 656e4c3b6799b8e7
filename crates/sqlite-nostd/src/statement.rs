//! Prepared statements, their parameters and their rows.

use core::ffi::{CStr, c_int};
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::str::{self, Utf8Error};

use crate::api;
use crate::bindings::{SQLITE_DONE, SQLITE_OK, SQLITE_ROW, SQLITE_STMTSTATUS_REPREPARE, SQLITE_UTF8, sqlite3_stmt};
use crate::error::Result;
use crate::memory;
use crate::value::read;
use crate::{ResultCode, SqliteError, Value, ValueType};

/// A prepared statement; finalized when dropped.
///
/// SQLite keeps a connection alive while statements of it exist, so that this needs no lifetime. A change of the
/// database's schema makes SQLite prepare it again when it is run next.
pub struct Statement {
    raw: NonNull<sqlite3_stmt>,
    run: Run,
}

/// How far the run of a statement is.
enum Run {
    /// It is not running, and has no parameters bound.
    None,
    /// It may have parameters bound, and has no row yet.
    Begun {
        /// How often it had been prepared again when the run began within a transaction; None if it did not.
        prepared_again: Option<c_int>,
    },
    /// It has had a row.
    HadRow,
}

/// The value of a parameter.
#[derive(Clone, Copy)]
pub enum Parameter<'p> {
    /// NULL
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(&'p str),
    /// A blob.
    Blob(&'p [u8]),
    /// A value passed to a function, bound as it is.
    Value(&'p Value),
}

impl From<i64> for Parameter<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Parameter<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl<'p> From<&'p str> for Parameter<'p> {
    fn from(value: &'p str) -> Self {
        Self::Text(value)
    }
}

impl<'p> From<&'p [u8]> for Parameter<'p> {
    fn from(value: &'p [u8]) -> Self {
        Self::Blob(value)
    }
}

impl<'p> From<&'p Value> for Parameter<'p> {
    fn from(value: &'p Value) -> Self {
        Self::Value(value)
    }
}

impl<'p, T: Into<Parameter<'p>>> From<Option<T>> for Parameter<'p> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Statement {
    /// Takes over a statement that SQLite prepared.
    pub(crate) fn from_raw(raw: NonNull<sqlite3_stmt>) -> Self {
        Self { raw, run: Run::None }
    }

    fn raw(&self) -> *mut sqlite3_stmt {
        self.raw.as_ptr()
    }

    /// Starts the statement; see [`Rows::of`].
    pub fn query<'s>(&'s mut self, parameters: &[Parameter<'s>]) -> Result<Rows<'s, &'s mut Self>> {
        Rows::of(self, parameters)
    }

    /// Runs the statement to its end, ignoring rows.
    pub fn execute(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        self.query(parameters)?.finish()
    }

    /// Runs the statement to its end with the parameters `parameter(0)` to `parameter(count - 1)`, which need not be
    /// collected first; errors as for [`Rows::of`].
    pub fn execute_with<'p>(&mut self, count: usize, parameter: &dyn Fn(usize) -> Parameter<'p>) -> Result<()> {
        // The parameters live until the run ends, which is here.
        self.bind_all(count, parameter)?.finish()
    }

    /// Starts the statement with the parameters `parameter(0)` to `parameter(count - 1)`; errors as for [`Rows::of`].
    pub fn query_with<'s>(
        &'s mut self,
        count: usize,
        parameter: &dyn Fn(usize) -> Parameter<'s>,
    ) -> Result<Rows<'s, &'s mut Self>> {
        self.bind_all(count, parameter)
    }

    fn bind_all<'s, 'p>(
        &'s mut self,
        count: usize,
        parameter: &dyn Fn(usize) -> Parameter<'p>,
    ) -> Result<Rows<'p, &'s mut Self>> {
        let rows = Rows { owner: self, parameters: PhantomData };
        rows.owner.begin(count)?;
        for (index, number) in (1..).zip(0..count) {
            rows.owner.bind(index, &parameter(number))?;
        }
        Ok(rows)
    }

    /// Begins a run in which `count` parameters are about to be bound.
    fn begin(&mut self, count: usize) -> Result<()> {
        // A `Rows` was forgotten.
        self.rewind();
        let wanted = self.parameter_count();
        if count != wanted {
            let message = alloc::format!("{count} parameters given, {wanted} wanted");
            return Err(SqliteError::new(ResultCode::RANGE, message).with_sql(self.sql()));
        }
        let prepared_again = if self.is_autocommit() { None } else { Some(self.prepared_again()) };
        self.run = Run::Begun { prepared_again };
        Ok(())
    }

    /// Begins a run with `parameters`, which have to live as long as it.
    #[inline(never)]
    fn begin_with(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        self.begin(parameters.len())?;
        for (index, parameter) in (1..).zip(parameters) {
            self.bind(index, parameter)?;
        }
        Ok(())
    }

    /// The next row of the run; see [`Rows::next`].
    #[inline(never)]
    fn step(&mut self) -> Result<Option<NonNull<sqlite3_stmt>>> {
        match self.run {
            Run::None => return Ok(None),
            Run::HadRow if memory::is_exhausted() => {
                self.rewind();
                return Err(SqliteError::out_of_memory());
            }
            Run::Begun { .. } | Run::HadRow => {}
        }
        // SAFETY: the statement is valid.
        match unsafe { api::sqlite3_step(self.raw()) } {
            SQLITE_ROW | SQLITE_DONE if self.has_lost_transaction() => {
                let error = SqliteError::out_of_memory().with_sql(self.sql());
                self.rewind();
                Err(error)
            }
            SQLITE_ROW => {
                self.run = Run::HadRow;
                Ok(Some(self.raw))
            }
            SQLITE_DONE => {
                self.rewind();
                Ok(None)
            }
            code => {
                let error = self.error(code);
                self.rewind();
                Err(error)
            }
        }
    }

    /// Whether SQLite has rolled back the transaction, for which it has no other word: when a statement turns out to be
    /// of an older schema and memory is refused while SQLite takes it back, all of the transaction is taken back, and the
    /// statement is prepared again and runs on its own.
    fn has_lost_transaction(&self) -> bool {
        match self.run {
            Run::Begun { prepared_again: Some(before) } => self.is_autocommit() && before != self.prepared_again(),
            _ => false,
        }
    }

    /// The number of parameters.
    pub fn parameter_count(&self) -> usize {
        // SAFETY: the statement is valid until dropped, here and below.
        usize::try_from(unsafe { api::sqlite3_bind_parameter_count(self.raw()) }).unwrap_or(0)
    }

    /// The number of columns of a row.
    pub fn column_count(&self) -> usize {
        // SAFETY: see above.
        usize::try_from(unsafe { api::sqlite3_column_count(self.raw()) }).unwrap_or(0)
    }

    /// The name of a column, None out of range.
    pub fn column_name(&self, index: usize) -> Option<&str> {
        // SAFETY: see above; SQLite returns NULL out of range.
        let name = unsafe { api::sqlite3_column_name(self.raw(), c_int::try_from(index).ok()?) };
        if name.is_null() {
            return None;
        }
        // SAFETY: a C string that lives until the statement is prepared again or dropped; `&self` keeps it from
        // being stepped.
        unsafe { CStr::from_ptr(name) }.to_str().ok()
    }

    /// The SQL text.
    pub fn sql(&self) -> &str {
        // SAFETY: valid while `self` is.
        unsafe { sql(self.raw()) }
    }

    /// Whether running it does not change the database.
    pub fn is_read_only(&self) -> bool {
        // SAFETY: see above.
        unsafe { api::sqlite3_stmt_readonly(self.raw()) != 0 }
    }

    /// Ends a run.
    ///
    /// Texts and blobs are bound without a copy. They live as long as the `Rows` that was given for them, whose drop
    /// comes here. Where it was forgotten, this is called before anything else is done with the statement. Bindings are
    /// cleared before the statement is reset or finalized, since both may call a profiler of the application, which may
    /// ask for the SQL with its parameters.
    #[inline(never)]
    fn rewind(&mut self) {
        if !matches!(core::mem::replace(&mut self.run, Run::None), Run::None) {
            // SAFETY: see above. Reset repeats the error of the last step, which was reported then.
            unsafe {
                api::sqlite3_clear_bindings(self.raw());
                api::sqlite3_reset(self.raw());
            }
        }
    }

    /// Whether no transaction is open.
    fn is_autocommit(&self) -> bool {
        // SAFETY: the statement's connection is alive while the statement is.
        unsafe { api::sqlite3_get_autocommit(api::sqlite3_db_handle(self.raw())) != 0 }
    }

    /// How often SQLite has prepared the statement again.
    fn prepared_again(&self) -> c_int {
        // SAFETY: see above.
        unsafe { api::sqlite3_stmt_status(self.raw(), SQLITE_STMTSTATUS_REPREPARE, 0) }
    }

    fn bind(&mut self, index: c_int, parameter: &Parameter<'_>) -> Result<()> {
        let raw = self.raw();
        // SAFETY: see above; SQLITE_STATIC (no destructor) is right as `rewind` explains.
        let code = unsafe {
            match *parameter {
                Parameter::Null => api::sqlite3_bind_null(raw, index),
                Parameter::Integer(value) => api::sqlite3_bind_int64(raw, index, value),
                Parameter::Real(value) => api::sqlite3_bind_double(raw, index, value),
                Parameter::Value(value) => api::sqlite3_bind_value(raw, index, value.as_raw()),
                Parameter::Text(text) => api::sqlite3_bind_text64(
                    raw,
                    index,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    None,
                    SQLITE_UTF8 as u8,
                ),
                Parameter::Blob(blob) => {
                    api::sqlite3_bind_blob64(raw, index, blob.as_ptr().cast(), blob.len() as u64, None)
                }
            }
        };
        if code == SQLITE_OK { Ok(()) } else { Err(self.error(code)) }
    }

    fn error(&self, code: c_int) -> SqliteError {
        // SAFETY: the statement's connection is alive while the statement is.
        unsafe { SqliteError::last(api::sqlite3_db_handle(self.raw()), code, Some(self.sql())) }
    }
}

impl Drop for Statement {
    #[inline(never)]
    fn drop(&mut self) {
        self.rewind();
        // SAFETY: the statement is valid and not used again.
        unsafe { api::sqlite3_finalize(self.raw()) };
    }
}

/// What a running statement belongs to, for as long as it runs.
pub trait StatementOwner {
    /// The statement, always the same one; None if the owner has given it away, which it does when it is dropped.
    fn statement(&mut self) -> Option<&mut Statement>;
}

impl StatementOwner for &mut Statement {
    fn statement(&mut self) -> Option<&mut Statement> {
        Some(self)
    }
}

/// A running statement; reset when dropped.
pub struct Rows<'p, O: StatementOwner> {
    owner: O,
    parameters: PhantomData<&'p ()>,
}

impl<'p, O: StatementOwner> Rows<'p, O> {
    /// Starts the statement of `owner` with `parameters`, as many as its SQL has; SQLITE_RANGE otherwise, SQLITE_TOOBIG
    /// for texts and blobs beyond SQLite's limit.
    pub fn of(owner: O, parameters: &[Parameter<'p>]) -> Result<Self> {
        let mut rows = Self { owner, parameters: PhantomData };
        if let Some(statement) = rows.statement() {
            statement.begin_with(parameters)?;
        }
        Ok(rows)
    }

    /// The next row, None after the last.
    ///
    /// Fails with SQLITE_NOMEM between two rows while memory is exhausted, so that a loop over many rows does not use
    /// up the reserve (see [`memory`]).
    #[allow(clippy::should_implement_trait, reason = "a row borrows the statement, which no Iterator can express")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        let row = self.statement().map_or(Ok(None), Statement::step)?;
        Ok(row.map(|statement| Row { statement, rows: PhantomData }))
    }

    fn statement(&mut self) -> Option<&mut Statement> {
        let statement = self.owner.statement();
        debug_assert!(statement.is_some(), "a statement is run after its owner was dropped");
        statement
    }

    /// Runs to the end, ignoring rows.
    fn finish(mut self) -> Result<()> {
        while self.next()?.is_some() {}
        Ok(())
    }
}

impl<O: StatementOwner> Drop for Rows<'_, O> {
    fn drop(&mut self) {
        if let Some(statement) = self.statement() {
            statement.rewind();
        }
    }
}

/// A row of a running statement. Columns are numbered from 0; those out of range read as NULL.
pub struct Row<'r> {
    statement: NonNull<sqlite3_stmt>,
    rows: PhantomData<&'r ()>,
}

impl<'r> Row<'r> {
    fn raw(&self) -> *mut sqlite3_stmt {
        self.statement.as_ptr()
    }

    fn index(index: usize) -> c_int {
        c_int::try_from(index).unwrap_or(-1)
    }

    /// The storage class of a column, before any conversion.
    pub fn column_type(&self, index: usize) -> ValueType {
        // SAFETY: the statement is on a row while this exists, here and below.
        ValueType::from_raw(unsafe { api::sqlite3_column_type(self.raw(), Self::index(index)) })
    }

    /// Whether a column is NULL.
    pub fn is_null(&self, index: usize) -> bool {
        self.column_type(index) == ValueType::Null
    }

    /// A column as an integer, 0 for NULL.
    #[inline(never)]
    pub fn integer(&self, index: usize) -> i64 {
        // SAFETY: see above.
        unsafe { api::sqlite3_column_int64(self.raw(), Self::index(index)) }
    }

    /// A column as an integer, None for NULL.
    #[inline(never)]
    pub fn optional_integer(&self, index: usize) -> Option<i64> {
        if self.is_null(index) { None } else { Some(self.integer(index)) }
    }

    /// A column as a floating-point number, 0 for NULL.
    pub fn real(&self, index: usize) -> f64 {
        // SAFETY: see above.
        unsafe { api::sqlite3_column_double(self.raw(), Self::index(index)) }
    }

    /// A column as text: the text of a number, a blob's bytes read as UTF-8, empty for NULL. SQLITE_CORRUPT if it is
    /// not UTF-8 (see [`SqliteError::is_unreadable_text`]), SQLITE_NOMEM if memory ran out.
    #[inline(never)]
    pub fn text(&self, index: usize) -> Result<&'r str> {
        Ok(self.optional_text(index)?.unwrap_or_default())
    }

    /// A column as text, None for NULL; see [`Self::text`].
    #[inline(never)]
    pub fn optional_text(&self, index: usize) -> Result<Option<&'r str>> {
        match self.optional_blob(index)? {
            Some(bytes) => str::from_utf8(bytes).map(Some).map_err(|error| self.unreadable_text(index, error)),
            None => Ok(None),
        }
    }

    /// A column's bytes: a blob, or the text of anything else, empty for NULL. SQLITE_NOMEM if memory ran out.
    pub fn blob(&self, index: usize) -> Result<&'r [u8]> {
        Ok(self.optional_blob(index)?.unwrap_or_default())
    }

    /// A column's bytes, None for NULL; see [`Self::blob`].
    pub fn optional_blob(&self, index: usize) -> Result<Option<&'r [u8]>> {
        let raw_index = Self::index(index);
        // SAFETY: see above. What is returned lives until the next step or reset, which need the `Rows` that `'r`
        // borrows, or a conversion to something else, which is not offered.
        unsafe {
            read(
                self.column_type(index),
                || api::sqlite3_column_blob(self.raw(), raw_index).cast(),
                || api::sqlite3_column_text(self.raw(), raw_index),
                || api::sqlite3_column_bytes(self.raw(), raw_index),
            )
        }
    }

    #[cold]
    fn unreadable_text(&self, index: usize, error: Utf8Error) -> SqliteError {
        // SAFETY: see above. Name and text live as long as the statement is on this row, and are copied.
        unsafe {
            let name = api::sqlite3_column_name(self.raw(), Self::index(index));
            let name = if name.is_null() { c"" } else { CStr::from_ptr(name) };
            SqliteError::unreadable_text(&name.to_string_lossy(), error, sql(self.raw()))
        }
    }
}

/// The SQL text of a statement; "" if there is none or it is not UTF-8, which it always is when prepared here.
///
/// # Safety
/// `statement` is valid for `'a`.
unsafe fn sql<'a>(statement: *mut sqlite3_stmt) -> &'a str {
    // SAFETY: by contract.
    let sql = unsafe { api::sqlite3_sql(statement) };
    if sql.is_null() {
        return "";
    }
    // SAFETY: a C string that lives as long as the statement.
    let sql = unsafe { CStr::from_ptr(sql) }.to_str();
    debug_assert!(sql.is_ok(), "the statement was prepared from UTF-8");
    sql.unwrap_or("")
}
