//! The entry point: loading once, failing cleanly.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;
use sqlite_nostd::{Connection, FunctionError, FunctionFlags, ResultCode, entry_point};

use crate::host::{Host, api};

thread_local! {
    /// Loads by this test, for each runs on its own thread.
    static LOADS: Cell<usize> = const { Cell::new(0) };
}

fn load(connection: Connection<'_>) -> Result<(), FunctionError> {
    LOADS.set(LOADS.get() + 1);
    Ok(connection.create_scalar_function("loaded", 0, FunctionFlags::NONE, Rc::new(()), |(), context, _| {
        context.result_integer(1);
        Ok(())
    })?)
}

fn fail(connection: Connection<'_>) -> Result<(), FunctionError> {
    load(connection)?;
    Err(FunctionError { code: ResultCode::BUSY, message: "not now".into() })
}

type Load = fn(Connection<'_>) -> Result<(), FunctionError>;

/// Calls the entry point; gives the code, and the message if there is one.
fn enter(host: &Host, load: Load) -> (c_int, Option<String>) {
    let mut message: *mut c_char = ptr::null_mut();
    // SAFETY: called as SQLite does; the message is SQLite's memory.
    unsafe {
        let code = entry_point(host.raw(), &raw mut message, api(), load);
        let text = (!message.is_null()).then(|| CStr::from_ptr(message).to_str().unwrap().to_owned());
        ffi::sqlite3_free(message.cast());
        (code, text)
    }
}

#[test]
fn a_connection_is_loaded_once_unless_that_failed() {
    let host = Host::open();
    assert_eq!(enter(&host, fail), (5, Some("not now".into())));
    assert_eq!(enter(&host, fail), (5, Some("not now".into())));
    host.execute("BEGIN");
    let before = LOADS.get();
    for _ in 0..3 {
        assert_eq!(enter(&host, load), (0, None));
        assert_eq!(host.text("loaded()"), "1");
    }
    assert_eq!(LOADS.get(), before + 1);
    assert!(!host.connection().is_autocommit());
    let other = Host::open();
    assert_eq!(enter(&other, load), (0, None));
    assert_eq!(LOADS.get(), before + 2);
}

#[test]
fn a_failed_load_leaves_nothing_that_could_be_called() {
    let host = Host::open();
    assert_eq!(enter(&host, fail).0, ResultCode::BUSY.0);
    assert!(host.error("SELECT loaded()").1.contains("no such function"));
    // While a statement runs, SQLite does not let go of functions, so that it must not unload the library.
    let mut running = host.rusqlite().prepare("SELECT 1").unwrap();
    let mut rows = running.query(()).unwrap();
    rows.next().unwrap();
    let expected = if cfg!(feature = "static") { ResultCode::BUSY.0 } else { ffi::SQLITE_OK_LOAD_PERMANENTLY };
    assert_eq!(enter(&host, fail).0, expected);
    assert_eq!(host.text("loaded()"), "1");
    drop(rows);
    assert_eq!(enter(&host, load), (0, None));
}

#[test]
fn wrong_arguments_are_refused() {
    // SAFETY: NULL is taken for what it is.
    unsafe {
        assert_eq!(entry_point(ptr::null_mut(), ptr::null_mut(), api(), load), ResultCode::MISUSE.0);
    }
    let host = Host::open();
    // SAFETY: the place for a message may be missing.
    assert_eq!(unsafe { entry_point(host.raw(), ptr::null_mut(), api(), fail) }, ResultCode::BUSY.0);
}

/// With the feature `static` there is only one SQLite.
#[cfg(not(feature = "static"))]
#[test]
fn another_sqlite_in_the_process_is_refused() {
    let host = Host::open();
    assert_eq!(enter(&host, load), (0, None));
    // SAFETY: a table is plain data.
    let copy = Box::new(unsafe { api().read() });
    let mut message: *mut c_char = ptr::null_mut();
    let other = Host::open();
    // SAFETY: called as SQLite does.
    let code = unsafe { entry_point(other.raw(), &raw mut message, &raw const *copy, load) };
    assert_eq!(code, ResultCode::MISUSE.0);
    // SAFETY: the message is SQLite's memory.
    unsafe {
        assert_eq!(CStr::from_ptr(message), c"PowerSync is in use with another SQLite library in this process");
        ffi::sqlite3_free(message.cast());
    }
    assert_eq!(host.text("loaded()"), "1");
}
