//! SQL functions: registration, the shim that SQLite calls, and the context in which they run.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;

use crate::api;
use crate::bindings::{
    SQLITE_DETERMINISTIC, SQLITE_DIRECTONLY, SQLITE_INNOCUOUS, SQLITE_NOMEM, SQLITE_RESULT_SUBTYPE, SQLITE_SUBTYPE,
    SQLITE_UTF8, sqlite3, sqlite3_context, sqlite3_value,
};
use crate::error::FunctionError;
use crate::memory;
use crate::vtab::copy_with_nul;
use crate::{Connection, ResultCode, SqliteError, Value, registry};

/// `SQLITE_LIMIT_LENGTH`.
const LENGTH_LIMIT: i32 = 0;

/// The subtype of JSON text.
const JSON_SUBTYPE: u32 = b'J' as u32;

/// Properties of an SQL function. UTF-8 is always added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionFlags(c_int);

impl FunctionFlags {
    /// No property.
    pub const NONE: Self = Self(0);
    /// Equal arguments give equal results.
    pub const DETERMINISTIC: Self = Self(SQLITE_DETERMINISTIC);
    /// Not to be called from triggers and views.
    pub const DIRECT_ONLY: Self = Self(SQLITE_DIRECTONLY);
    /// Harmless, so that triggers and views of an untrusted schema may call it.
    pub const INNOCUOUS: Self = Self(SQLITE_INNOCUOUS);
    /// Gives its result a subtype. SQLite before 3.45 ignores it.
    pub const RESULT_SUBTYPE: Self = Self(SQLITE_RESULT_SUBTYPE);
    /// Reads the subtypes of its arguments.
    pub const SUBTYPE: Self = Self(SQLITE_SUBTYPE);

    /// These properties and others.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// A running call of an SQL function: its connection and its result, NULL if none is set.
pub struct Context<'c> {
    raw: NonNull<sqlite3_context>,
    db: NonNull<sqlite3>,
    /// [`memory::out_of_memory_count`] when the call began.
    refusals: usize,
    is_settled: Cell<bool>,
    call: PhantomData<&'c ()>,
}

impl Context<'_> {
    fn raw(&self) -> *mut sqlite3_context {
        self.raw.as_ptr()
    }

    /// The connection on which the function was called.
    pub fn connection(&self) -> Connection<'_> {
        Connection::new(self.db)
    }

    /// Returns NULL.
    pub fn result_null(&self) {
        // SAFETY: the context is valid during the call, here and below.
        unsafe { api::sqlite3_result_null(self.raw()) }
    }

    /// Returns an integer.
    pub fn result_integer(&self, value: i64) {
        // SAFETY: see above.
        unsafe { api::sqlite3_result_int64(self.raw(), value) }
    }

    /// Returns a floating-point number.
    pub fn result_real(&self, value: f64) {
        // SAFETY: see above.
        unsafe { api::sqlite3_result_double(self.raw(), value) }
    }

    /// Returns an argument.
    pub fn result_value(&self, value: &Value) {
        // SAFETY: see above; SQLite copies the value.
        unsafe { api::sqlite3_result_value(self.raw(), value.as_raw()) }
    }

    /// Returns text.
    pub fn result_text(&self, text: &str) {
        let size = text.len() as u64;
        // SAFETY: see above; SQLite copies the text, or reports that it is too long or that there is no memory.
        unsafe {
            api::sqlite3_result_text64(self.raw(), text.as_ptr().cast(), size, copied(), SQLITE_UTF8 as u8);
        }
    }

    /// Returns JSON text, with the subtype by which SQLite's JSON functions know it.
    pub fn result_json(&self, text: &str) {
        self.result_text_with_subtype(text, JSON_SUBTYPE);
    }

    /// Returns JSON text like [`Self::result_json`], but fails itself where SQLite would fail with such a result:
    /// SQLITE_TOOBIG beyond SQLITE_LIMIT_LENGTH, SQLITE_NOMEM. SQLite needs no more memory for it then.
    ///
    /// For functions that remember what they did: see [`Self::settle`].
    pub fn try_result_json(&self, text: &str) -> Result<(), SqliteError> {
        let connection = self.connection();
        let limit = usize::try_from(connection.limit(LENGTH_LIMIT)).unwrap_or(0);
        if text.len() > limit || is_too_long_in_utf16(connection, text, limit)? {
            return Err(SqliteError::new(ResultCode::TOOBIG, "the result is longer than SQLITE_LIMIT_LENGTH allows"));
        }
        // SAFETY: has no conditions.
        let copy = unsafe { copy_with_nul(text, |size| api::sqlite3_malloc64(size)) };
        if copy.is_null() {
            return Err(SqliteError::out_of_memory());
        }
        // Of a text that it knows to end with a NUL, SQLite makes no copy when it is read as a C string.
        let size = if text.contains('\0') { c_int::try_from(text.len()).unwrap_or(c_int::MAX) } else { -1 };
        // SAFETY: the context is valid during the call; the text has a NUL after `size` bytes, and SQLite frees it.
        unsafe {
            api::sqlite3_result_text(self.raw(), copy, size, Some(free));
            api::sqlite3_result_subtype(self.raw(), JSON_SUBTYPE);
        }
        // In a database that is UTF-16, SQLite has made another text of it.
        match connection.last_code().primary() {
            ResultCode::NOMEM => Err(SqliteError::out_of_memory()),
            _ => Ok(()),
        }
    }

    /// Ends the part of a call that can fail: its result, which was set before, is what the caller gets. So a function
    /// can now change what it remembers, and its caller will know.
    ///
    /// What follows gets memory even if SQLite refuses it, as far as the reserve goes, and should not need any.
    ///
    /// # Errors
    /// SQLITE_NOMEM if memory was refused since the call began: the call would fail whatever it returns.
    pub fn settle(&self) -> Result<(), SqliteError> {
        if memory::out_of_memory_count() != self.refusals {
            return Err(SqliteError::out_of_memory());
        }
        self.is_settled.set(true);
        Ok(())
    }

    /// Returns text with a subtype, of which SQLite keeps the lower 8 bits.
    pub fn result_text_with_subtype(&self, text: &str, subtype: u32) {
        self.result_text(text);
        // SAFETY: see above. On a failed result it has no effect.
        unsafe { api::sqlite3_result_subtype(self.raw(), subtype) };
    }

    /// Returns a blob.
    pub fn result_blob(&self, blob: &[u8]) {
        // SAFETY: as for text.
        unsafe { api::sqlite3_result_blob64(self.raw(), blob.as_ptr().cast(), blob.len() as u64, copied()) };
    }

    fn report(&self, error: &FunctionError) {
        if error.code.primary() == ResultCode::NOMEM {
            // SAFETY: see above.
            return unsafe { api::sqlite3_result_error_nomem(self.raw()) };
        }
        let size = c_int::try_from(error.message.len()).unwrap_or(c_int::MAX);
        // SAFETY: see above; SQLite copies the message. The code comes last, because the message sets SQLITE_ERROR.
        unsafe {
            api::sqlite3_result_error(self.raw(), error.message.as_ptr().cast(), size);
            api::sqlite3_result_error_code(self.raw(), error.raw_code());
        }
    }
}

/// Whether `text`, which has `limit` bytes at most, has more as a text of this database.
fn is_too_long_in_utf16(connection: Connection<'_>, text: &str, limit: usize) -> Result<bool, SqliteError> {
    // No character has more than twice as many bytes in UTF-16 as in UTF-8.
    if text.len().saturating_mul(2) <= limit || text.encode_utf16().count().saturating_mul(2) <= limit {
        return Ok(false);
    }
    let mut statement = connection.prepare("PRAGMA encoding")?;
    let mut rows = statement.query(&[])?;
    Ok(match rows.next()? {
        Some(row) => row.text(0)? != "UTF-8",
        None => false,
    })
}

unsafe extern "C" fn free(memory: *mut c_void) {
    // SAFETY: called by SQLite with memory that was given to it.
    unsafe { api::sqlite3_free(memory) }
}

/// SQLITE_TRANSIENT, in place of a destructor: SQLite makes a copy, often in memory that it has at hand.
pub(crate) fn copied() -> api::Destructor {
    // SAFETY: not null, which is all that a function pointer must be; SQLite never calls this one.
    Some(unsafe { core::mem::transmute::<isize, unsafe extern "C" fn(*mut c_void)>(-1) })
}

type Implementation<T> = fn(&T, &Context<'_>, &[&Value]) -> Result<(), FunctionError>;

/// What SQLite keeps for a registered function.
struct Registration<T> {
    db: NonNull<sqlite3>,
    state: Rc<T>,
    function: Implementation<T>,
}

/// Registers a function; the result is SQLite's code.
pub(crate) fn register<T: 'static>(
    db: NonNull<sqlite3>,
    name: &[u8],
    argument_count: i32,
    flags: FunctionFlags,
    state: Rc<T>,
    function: Implementation<T>,
) -> c_int {
    registry::add(db);
    let registration = Box::into_raw(Box::new(Registration { db, state, function }));
    // SAFETY: the connection is open and `name` a C string. SQLite calls `destroy` once, also when this fails.
    unsafe {
        api::sqlite3_create_function_v2(
            db.as_ptr(),
            name.as_ptr().cast(),
            argument_count,
            SQLITE_UTF8 | flags.0,
            registration.cast(),
            Some(call::<T>),
            None,
            None,
            Some(destroy::<T>),
        )
    }
}

/// Removes a function; the result is SQLite's code.
pub(crate) fn remove(db: NonNull<sqlite3>, name: &[u8], argument_count: i32) -> c_int {
    let (state, db) = (core::ptr::null_mut(), db.as_ptr());
    // SAFETY: the connection is open and `name` a C string.
    unsafe {
        let name = name.as_ptr().cast();
        api::sqlite3_create_function_v2(db, name, argument_count, SQLITE_UTF8, state, None, None, None, None)
    }
}

unsafe extern "C" fn destroy<T>(registration: *mut c_void) {
    // SAFETY: made by `register` with this type, and destroyed once.
    let registration = unsafe { Box::from_raw(registration.cast::<Registration<T>>()) };
    let db = registration.db;
    drop(registration);
    registry::remove(db);
}

unsafe extern "C" fn call<T: 'static>(raw: *mut sqlite3_context, count: c_int, values: *mut *mut sqlite3_value) {
    let Some(raw) = NonNull::new(raw) else {
        debug_assert!(false, "SQLite calls functions with a context");
        return;
    };
    // SAFETY: the user data is what `register` gave, with this type; it lives while the function is registered.
    let registration = unsafe { &*api::sqlite3_user_data(raw.as_ptr()).cast::<Registration<T>>() };
    let refusals = memory::begin();
    let context = Context { raw, db: registration.db, refusals, is_settled: Cell::new(false), call: PhantomData };
    // SAFETY: SQLite passes `count` valid values.
    let arguments = unsafe { arguments(count, values) };
    let result = (registration.function)(&registration.state, &context, arguments);
    if memory::out_of_memory_count() != refusals && !context.is_settled.get() {
        // SAFETY: the context is valid during the call.
        unsafe { api::sqlite3_result_error_nomem(raw.as_ptr()) }
    } else if let Err(error) = result {
        context.report(&error);
    }
}

/// The arguments of a call.
///
/// # Safety
/// `values` points to `count` valid values that live for `'a`.
pub(crate) unsafe fn arguments<'a>(count: c_int, values: *mut *mut sqlite3_value) -> &'a [&'a Value] {
    match usize::try_from(count) {
        Ok(count) if count > 0 && !values.is_null() => {
            // SAFETY: by contract; a `Value` has no bytes of its own, and a reference has the layout of a pointer.
            unsafe { slice::from_raw_parts(values.cast::<&Value>().cast_const(), count) }
        }
        _ => &[],
    }
}

const _: () = assert!(SQLITE_NOMEM == ResultCode::NOMEM.0);
