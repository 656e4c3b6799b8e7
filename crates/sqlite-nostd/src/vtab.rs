//! Eponymous virtual tables, which rows can be inserted into or read from: the trait, and the shims that SQLite calls.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::{self, NonNull};

use crate::api;
use crate::bindings::{
    SQLITE_MISUSE, SQLITE_NOMEM, SQLITE_OK, SQLITE_UTF8, SQLITE_VTAB_INNOCUOUS, sqlite3, sqlite3_context,
    sqlite3_index_info, sqlite3_int64, sqlite3_module, sqlite3_value, sqlite3_vtab, sqlite3_vtab_cursor,
};
use crate::connection::c_string;
use crate::error::FunctionError;
use crate::function::copied;
use crate::{Connection, Value, function, memory, registry};

type Outcome = Result<(), FunctionError>;

/// A value in a row that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// Text.
    Text(Rc<String>),
}

/// What SQLite is told of a table.
#[derive(Debug)]
pub struct Definition {
    /// `CREATE TABLE x(…)` with the columns.
    pub declaration: &'static str,
    /// Whether triggers and views of an untrusted schema may use it.
    pub innocuous: bool,
    /// Whether SELECT gives [`EponymousTable::rows`], rather than fail with SQLITE_MISUSE.
    pub select_is_allowed: bool,
}

/// A table of which every connection has one. Rows can be inserted or read, never changed or deleted.
///
/// All methods take `&self`: SQLite may roll back from within an insert.
pub trait EponymousTable: Sized + 'static {
    /// What is given when the module is registered.
    type State: 'static;

    /// What SQLite is told of the tables of a module.
    fn definition(state: &Self::State) -> &'static Definition;

    /// The table for a connection. It is dropped when SQLite disconnects it, at the latest when the connection closes.
    fn connect(connection: Connection<'_>, state: &Rc<Self::State>) -> Result<Self, FunctionError>;

    /// All rows, as a SELECT that begins now will see them. Not called unless SELECT is allowed.
    fn rows(&self) -> Vec<Box<[Cell]>> {
        Vec::new()
    }

    /// A row is inserted; `columns` in the order of the declaration.
    fn insert(&self, connection: Connection<'_>, columns: &[&Value]) -> Outcome;

    /// The table takes part in a transaction from now on.
    fn begin(&self) -> Outcome {
        Ok(())
    }

    /// The transaction is about to commit, which an error prevents. It may still write to tables that are not virtual.
    fn sync(&self, connection: Connection<'_>) -> Outcome {
        let _ = connection;
        Ok(())
    }

    /// The transaction was committed.
    fn commit(&self) {}

    /// The transaction was rolled back. May be called from within `insert`.
    fn rollback(&self) {}

    /// Savepoint number `savepoint` was opened; they are nested and numbered from 0.
    fn savepoint(&self, savepoint: i32) {
        let _ = savepoint;
    }

    /// Savepoint number `savepoint` and those within were released.
    fn release(&self, savepoint: i32) {
        let _ = savepoint;
    }

    /// Everything since savepoint number `savepoint` was undone; it stays open.
    fn rollback_to(&self, savepoint: i32) {
        let _ = savepoint;
    }
}

/// A connected table, as SQLite sees it.
///
/// SQLite writes to `base` through its own pointer whenever it likes, also during our methods (a message of a nested
/// statement). So there is never a reference to the whole, only to the parts that are ours.
#[repr(C)]
struct Table<T> {
    base: sqlite3_vtab,
    db: NonNull<sqlite3>,
    definition: &'static Definition,
    table: T,
}

/// An open SELECT. As with [`Table`], SQLite writes to `base`.
#[repr(C)]
struct Cursor {
    base: sqlite3_vtab_cursor,
    rows: Vec<Box<[Cell]>>,
    /// Index of the current row.
    position: usize,
}

/// What SQLite keeps for a registered module.
struct Module<S> {
    db: NonNull<sqlite3>,
    state: Rc<S>,
}

/// Registers the module; the result is SQLite's code.
pub(crate) fn register<T: EponymousTable>(db: NonNull<sqlite3>, name: &[u8], state: Rc<T::State>) -> c_int {
    registry::add(db);
    let state = Box::into_raw(Box::new(Module { db, state })).cast();
    // SAFETY: the connection is open and `name` a C string. SQLite calls `destroy` once, also when this fails.
    unsafe {
        api::sqlite3_create_module_v2(
            db.as_ptr(),
            name.as_ptr().cast(),
            const { &module::<T>() },
            state,
            Some(destroy::<T::State>),
        )
    }
}

/// Removes a module; the result is SQLite's code.
pub(crate) fn remove(db: NonNull<sqlite3>, name: &[u8]) -> c_int {
    // SAFETY: the connection is open and `name` a C string.
    unsafe { api::sqlite3_create_module_v2(db.as_ptr(), name.as_ptr().cast(), ptr::null(), ptr::null_mut(), None) }
}

const fn module<T: EponymousTable>() -> sqlite3_module {
    sqlite3_module {
        iVersion: 2,
        xCreate: None,
        xConnect: Some(connect::<T>),
        xBestIndex: Some(best_index),
        xDisconnect: Some(disconnect::<T>),
        xDestroy: Some(disconnect::<T>),
        xOpen: Some(open::<T>),
        xClose: Some(close),
        xFilter: Some(filter::<T>),
        xNext: Some(next),
        xEof: Some(eof),
        xColumn: Some(column),
        xRowid: Some(rowid),
        xUpdate: Some(update::<T>),
        xBegin: Some(begin::<T>),
        xSync: Some(sync::<T>),
        xCommit: Some(commit::<T>),
        xRollback: Some(rollback::<T>),
        xFindFunction: None,
        xRename: None,
        xSavepoint: Some(savepoint::<T>),
        xRelease: Some(release::<T>),
        xRollbackTo: Some(rollback_to::<T>),
        xShadowName: None,
        xIntegrity: None,
    }
}

unsafe extern "C" fn destroy<S>(module: *mut c_void) {
    // SAFETY: made by `register` with this type, and destroyed once.
    let module = unsafe { Box::from_raw(module.cast::<Module<S>>()) };
    let db = module.db;
    drop(module);
    registry::remove(db);
}

/// A copy of `message` in SQLite's memory, NULL if there is none.
fn sqlite_message(message: &str) -> *mut c_char {
    // SAFETY: has no conditions.
    unsafe { copy_with_nul(message, |size| api::sqlite3_malloc64(size)) }
}

/// A copy of `text` as a C string in memory from `allocate`, NULL if that gives NULL.
///
/// # Safety
/// `allocate` gives NULL or memory of the size asked for.
pub(crate) unsafe fn copy_with_nul(text: &str, allocate: impl FnOnce(u64) -> *mut c_void) -> *mut c_char {
    let copy = allocate(text.len() as u64 + 1).cast::<u8>();
    if !copy.is_null() {
        // SAFETY: freshly allocated with room for the text and its NUL.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
            copy.add(text.len()).write(0);
        }
    }
    copy.cast()
}

/// Makes `message` the table's error message, in place of the previous one.
///
/// # Safety
/// `vtab` is a connected table.
unsafe fn set_message(vtab: *mut sqlite3_vtab, message: &str) {
    // SAFETY: by contract; the message is NULL or in SQLite's memory.
    unsafe {
        let place = &raw mut (*vtab).zErrMsg;
        api::sqlite3_free((*place).cast());
        *place = sqlite_message(message);
    }
}

unsafe extern "C" fn connect<T: EponymousTable>(
    db: *mut sqlite3,
    module: *mut c_void,
    _argument_count: c_int,
    _arguments: *const *const c_char,
    result: *mut *mut sqlite3_vtab,
    error: *mut *mut c_char,
) -> c_int {
    let Some(db) = NonNull::new(db) else { return SQLITE_MISUSE };
    // SAFETY: what `register` gave, with this type; it lives while the module is registered.
    let module = unsafe { &*module.cast::<Module<T::State>>() };
    let definition = T::definition(&module.state);
    let Ok(declaration) = c_string(definition.declaration) else { return SQLITE_NOMEM };
    // SAFETY: called within xConnect; a C string.
    let code = unsafe { api::sqlite3_declare_vtab(db.as_ptr(), declaration.as_ptr().cast()) };
    if code != SQLITE_OK {
        return code;
    }
    if definition.innocuous {
        // SAFETY: called within xConnect.
        unsafe { api::vtab_config(db.as_ptr(), SQLITE_VTAB_INNOCUOUS) };
    }
    let table = memory::guard(|| {
        let table = T::connect(Connection::new(db), &module.state)?;
        let base = sqlite3_vtab { pModule: ptr::null(), nRef: 0, zErrMsg: ptr::null_mut() };
        Ok::<_, FunctionError>(Box::new(Table { base, db, definition, table }))
    });
    match table {
        Ok(Ok(table)) => {
            // SAFETY: SQLite passes a valid place; `Table` begins with a `sqlite3_vtab`.
            unsafe { *result = Box::into_raw(table).cast() };
            SQLITE_OK
        }
        Ok(Err(failure)) => {
            // SAFETY: SQLite passes a valid place, which holds nothing yet.
            unsafe { *error = sqlite_message(&failure.message) };
            failure.raw_code()
        }
        Err(memory::OutOfMemory) => SQLITE_NOMEM,
    }
}

unsafe extern "C" fn disconnect<T: EponymousTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: made by `connect` with this type, and disconnected once. A message may be left of a method whose failure
    // SQLite did not report.
    let table = unsafe {
        api::sqlite3_free((*vtab).zErrMsg.cast());
        Box::from_raw(vtab.cast::<Table<T>>())
    };
    drop(table);
    SQLITE_OK
}

/// The table behind SQLite's pointer.
///
/// # Safety
/// `vtab` was made by `connect::<T>` and is connected for `'a`.
unsafe fn table<'a, T>(vtab: *mut sqlite3_vtab) -> &'a T {
    // SAFETY: by contract. Only shared references to the table are ever made; SQLite does not reach into it.
    unsafe { &(*vtab.cast::<Table<T>>()).table }
}

/// The result code of `outcome`, whose message goes to the table.
///
/// # Safety
/// `vtab` is a connected table.
unsafe fn report(vtab: *mut sqlite3_vtab, outcome: Result<Outcome, memory::OutOfMemory>) -> c_int {
    match outcome {
        Ok(Ok(())) => SQLITE_OK,
        Ok(Err(error)) => {
            // SAFETY: by contract.
            unsafe { set_message(vtab, &error.message) };
            error.raw_code()
        }
        Err(memory::OutOfMemory) => SQLITE_NOMEM,
    }
}

unsafe extern "C" fn best_index(_vtab: *mut sqlite3_vtab, info: *mut sqlite3_index_info) -> c_int {
    // SAFETY: SQLite passes a valid structure.
    unsafe {
        (*info).estimatedCost = 1.0;
        (*info).estimatedRows = 0;
    }
    SQLITE_OK
}

unsafe extern "C" fn open<T: EponymousTable>(vtab: *mut sqlite3_vtab, result: *mut *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite passes a connected table.
    if !unsafe { (*vtab.cast::<Table<T>>()).definition }.select_is_allowed {
        // Refused here and not when planning, where SQLite makes SQLITE_ERROR of any code.
        // SAFETY: SQLite passes a connected table.
        unsafe { set_message(vtab, "this table can only be inserted into") };
        return SQLITE_MISUSE;
    }
    let base = sqlite3_vtab_cursor { pVtab: ptr::null_mut() };
    let cursor = Box::into_raw(Box::new(Cursor { base, rows: Vec::new(), position: 0 }));
    // SAFETY: SQLite passes a valid place; `Cursor` begins with a `sqlite3_vtab_cursor`.
    unsafe { *result = cursor.cast() };
    SQLITE_OK
}

unsafe extern "C" fn close(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: made in `open`, and closed once.
    drop(unsafe { Box::from_raw(cursor.cast::<Cursor>()) });
    SQLITE_OK
}

/// The cursor behind SQLite's pointer, without the part that SQLite writes to.
///
/// # Safety
/// `cursor` was made by `open` and is open for `'a`, and there is no other reference.
unsafe fn cursor_parts<'a>(cursor: *mut sqlite3_vtab_cursor) -> (&'a mut Vec<Box<[Cell]>>, &'a mut usize) {
    let cursor = cursor.cast::<Cursor>();
    // SAFETY: by contract.
    unsafe { (&mut (*cursor).rows, &mut (*cursor).position) }
}

unsafe extern "C" fn filter<T: EponymousTable>(
    cursor: *mut sqlite3_vtab_cursor,
    _index: c_int,
    _name: *const c_char,
    _count: c_int,
    _arguments: *mut *mut sqlite3_value,
) -> c_int {
    // SAFETY: SQLite passes an open cursor, and has set its table.
    let (vtab, (rows, position)) = unsafe { ((*cursor).pVtab, cursor_parts(cursor)) };
    // SAFETY: made by `connect` with this type; a table outlives its cursors.
    let table = unsafe { table::<T>(vtab) };
    match memory::guard(|| table.rows()) {
        Ok(found) => {
            (*rows, *position) = (found, 0);
            SQLITE_OK
        }
        Err(memory::OutOfMemory) => SQLITE_NOMEM,
    }
}

unsafe extern "C" fn next(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite passes an open cursor, here and below.
    let (_, position) = unsafe { cursor_parts(cursor) };
    *position = position.saturating_add(1);
    SQLITE_OK
}

unsafe extern "C" fn eof(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: see `next`.
    let (rows, position) = unsafe { cursor_parts(cursor) };
    c_int::from(*position >= rows.len())
}

unsafe extern "C" fn column(cursor: *mut sqlite3_vtab_cursor, context: *mut sqlite3_context, index: c_int) -> c_int {
    // SAFETY: see `next`.
    let (rows, position) = unsafe { cursor_parts(cursor) };
    let cell = usize::try_from(index).ok().and_then(|index| rows.get(*position)?.get(index));
    // SAFETY: SQLite passes a valid context, and copies the text.
    unsafe {
        match cell {
            // What is not set is NULL.
            None | Some(Cell::Null) => {}
            Some(Cell::Integer(value)) => api::sqlite3_result_int64(context, *value),
            Some(Cell::Text(text)) => {
                let size = text.len() as u64;
                api::sqlite3_result_text64(context, text.as_ptr().cast(), size, copied(), SQLITE_UTF8 as u8);
            }
        }
    }
    SQLITE_OK
}

unsafe extern "C" fn rowid(cursor: *mut sqlite3_vtab_cursor, rowid: *mut sqlite3_int64) -> c_int {
    // SAFETY: see `next`; SQLite passes a valid place.
    unsafe {
        let (_, position) = cursor_parts(cursor);
        *rowid = i64::try_from(*position).unwrap_or(i64::MAX);
    }
    SQLITE_OK
}

unsafe extern "C" fn update<T: EponymousTable>(
    vtab: *mut sqlite3_vtab,
    count: c_int,
    values: *mut *mut sqlite3_value,
    rowid: *mut sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes `count` valid values.
    let arguments = unsafe { function::arguments(count, values) };
    // An insert has: NULL (no old row id), the new row id, the columns.
    let [old, _, columns @ ..] = arguments else {
        // SAFETY: SQLite passes a connected table.
        unsafe { set_message(vtab, "rows of this table cannot be deleted") };
        return SQLITE_MISUSE;
    };
    if old.value_type() != crate::ValueType::Null {
        // SAFETY: see above.
        unsafe { set_message(vtab, "rows of this table cannot be changed") };
        return SQLITE_MISUSE;
    }
    // SAFETY: SQLite passes a connected table and a valid place.
    let (table, db) = unsafe {
        *rowid = 0;
        (table::<T>(vtab), (*vtab.cast::<Table<T>>()).db)
    };
    let outcome = memory::guard(|| table.insert(Connection::new(db), columns));
    // SAFETY: see above.
    unsafe { report(vtab, outcome) }
}

/// Calls a method of the table that can fail.
///
/// # Safety
/// `vtab` was made by `connect::<T>` and is connected.
unsafe fn call<T: 'static>(vtab: *mut sqlite3_vtab, method: impl FnOnce(&T) -> Outcome) -> c_int {
    // SAFETY: by contract.
    unsafe {
        let table = table::<T>(vtab);
        report(vtab, memory::guard(|| method(table)))
    }
}

/// Calls a method of the table that cannot fail, unless memory runs out.
///
/// # Safety
/// See `call`.
unsafe fn call_void<T: 'static>(vtab: *mut sqlite3_vtab, method: impl FnOnce(&T)) -> c_int {
    // SAFETY: by contract.
    unsafe {
        call(vtab, |table| {
            method(table);
            Ok(())
        })
    }
}

unsafe extern "C" fn begin<T: EponymousTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: SQLite passes a connected table, here and below.
    unsafe { call(vtab, T::begin) }
}

unsafe extern "C" fn sync<T: EponymousTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: see `begin`.
    unsafe {
        let db = (*vtab.cast::<Table<T>>()).db;
        call(vtab, |table: &T| table.sync(Connection::new(db)))
    }
}

unsafe extern "C" fn commit<T: EponymousTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: see `begin`.
    unsafe { table::<T>(vtab) }.commit();
    SQLITE_OK
}

unsafe extern "C" fn rollback<T: EponymousTable>(vtab: *mut sqlite3_vtab) -> c_int {
    // SAFETY: see `begin`.
    unsafe { table::<T>(vtab) }.rollback();
    SQLITE_OK
}

unsafe extern "C" fn savepoint<T: EponymousTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: see `begin`.
    unsafe { call_void(vtab, |table: &T| table.savepoint(savepoint)) }
}

unsafe extern "C" fn release<T: EponymousTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: see `begin`.
    unsafe { call_void(vtab, |table: &T| table.release(savepoint)) }
}

unsafe extern "C" fn rollback_to<T: EponymousTable>(vtab: *mut sqlite3_vtab, savepoint: c_int) -> c_int {
    // SAFETY: see `begin`.
    unsafe { call_void(vtab, |table: &T| table.rollback_to(savepoint)) }
}
