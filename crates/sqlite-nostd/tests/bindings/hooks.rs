//! Hooks: ours report what happens, and those of the application stay.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;
use sqlite_nostd::{FunctionFlags, Hooks, InstalledHooks, ResultCode};

use crate::host::Host;

#[derive(Default)]
struct Log {
    events: RefCell<Vec<String>>,
    dropped_in_update: RefCell<Option<InstalledHooks>>,
}

impl Log {
    fn take(&self) -> String {
        self.events.borrow_mut().drain(..).collect::<Vec<_>>().join(" ")
    }
}

impl Hooks for Log {
    fn update(&self, database: &str, table: &str) {
        self.dropped_in_update.take();
        self.events.borrow_mut().push(format!("{database}.{table}"));
    }

    fn commit(&self) {
        self.events.borrow_mut().push("commit".into());
    }

    fn rollback(&self) {
        self.events.borrow_mut().push("rollback".into());
    }
}

/// A connection with a function of ours, as every one has on which hooks are installed.
fn host() -> Host {
    let host = Host::open();
    host.connection().create_scalar_function("f", 0, FunctionFlags::NONE, Rc::new(()), |(), _, _| Ok(())).unwrap();
    host.execute("CREATE TABLE t(a)");
    host
}

fn install(host: &Host) -> (Rc<Log>, InstalledHooks) {
    let log = Rc::new(Log::default());
    let installed = host.connection().install_hooks(Rc::clone(&log)).unwrap();
    (log, installed)
}

#[test]
fn changes_and_ends_of_transactions_are_reported() {
    let host = host();
    let (log, installed) = install(&host);
    assert!(installed.are_in_place());
    host.execute("INSERT INTO t VALUES (1), (2)");
    assert_eq!(log.take(), "main.t main.t commit");
    host.execute("BEGIN; UPDATE t SET a = 3 WHERE a = 1; ROLLBACK");
    assert_eq!(log.take(), "main.t rollback");
    host.execute("CREATE TEMP TABLE \"ü t\"(a); INSERT INTO \"ü t\" VALUES (1)");
    assert_eq!(log.take(), "commit temp.ü t commit");
    drop(installed);
    host.execute("INSERT INTO t VALUES (3)");
    assert_eq!((log.take(), Rc::strong_count(&log)), (String::new(), 1));
}

#[test]
fn hooks_can_be_installed_again() {
    let host = host();
    let (log, first) = install(&host);
    let second = host.connection().install_hooks(Rc::clone(&log)).unwrap();
    drop(first);
    assert!(!second.are_in_place());
    drop(second);
    let third = host.connection().install_hooks(Rc::clone(&log)).unwrap();
    host.execute("INSERT INTO t VALUES (1)");
    assert_eq!(log.take(), "main.t commit");
    // Another set of ours counts as foreign.
    assert!(host.connection().install_hooks(Rc::new(Log::default())).is_err());
    host.execute("INSERT INTO t VALUES (1)");
    assert_eq!(log.take(), "main.t commit");
    drop(third);
    assert_eq!(Rc::strong_count(&log), 1);
}

/// Hooks of the application, which count their calls.
static mut CALLS: [u32; 3] = [0; 3];

fn count(place: *mut c_void, index: usize) {
    let calls: *mut u32 = if place.is_null() { (&raw mut CALLS).cast() } else { place.cast() };
    // SAFETY: one test uses these.
    unsafe { *calls.add(index) += 1 };
}

unsafe extern "C" fn update(place: *mut c_void, _: c_int, _: *const c_char, _: *const c_char, _: i64) {
    count(place, 0);
}

unsafe extern "C" fn commit(place: *mut c_void) -> c_int {
    count(place, 1);
    0
}

unsafe extern "C" fn rollback(place: *mut c_void) {
    count(place, 2);
}

/// Installs or removes one of the application's hooks.
fn set_foreign(host: &Host, index: usize, place: Option<*mut c_void>) {
    let db = host.raw().cast();
    let argument = place.unwrap_or(ptr::null_mut());
    // SAFETY: the connection is open, and the places outlive it.
    unsafe {
        match index {
            0 => ffi::sqlite3_update_hook(db, place.map(|_| update as _), argument),
            1 => ffi::sqlite3_commit_hook(db, place.map(|_| commit as _), argument),
            _ => ffi::sqlite3_rollback_hook(db, place.map(|_| rollback as _), argument),
        };
    }
}

#[test]
fn hooks_of_the_application_stay() {
    let mut calls = [0_u32; 3];
    let work = "INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (1); ROLLBACK";
    for (index, name) in ["an update hook", "a commit hook", "a rollback hook"].into_iter().enumerate() {
        for argument in [ptr::null_mut(), calls.as_mut_ptr().cast::<c_void>()] {
            let host = host();
            set_foreign(&host, index, Some(argument));
            let log = Rc::new(Log::default());
            let error = host.connection().install_hooks(Rc::clone(&log)).err().unwrap();
            assert_eq!(
                (error.code(), error.message()),
                (ResultCode::MISUSE, format!("{name} is installed already").as_str())
            );
            assert_eq!(Rc::strong_count(&log), 1);
            let calls_of_index = || {
                let place: *const u32 = if argument.is_null() { (&raw const CALLS).cast() } else { argument.cast() };
                // SAFETY: see `count`.
                unsafe { place.add(index).read() }
            };
            let before = calls_of_index();
            host.execute(work);
            assert_eq!((log.take(), calls_of_index() > before), (String::new(), true), "{name}");

            // Without it, ours go in; and once it is installed again, ours leave it alone.
            set_foreign(&host, index, None);
            let installed = host.connection().install_hooks(Rc::clone(&log)).unwrap();
            set_foreign(&host, index, Some(argument));
            assert!(!installed.are_in_place());
            let before = calls_of_index();
            drop(installed);
            host.execute(work);
            assert_eq!((log.take(), calls_of_index() > before), (String::new(), true), "{name}");
            assert_eq!(Rc::strong_count(&log), 1);
        }
    }
}

#[test]
fn hooks_that_were_removed_can_be_put_back() {
    let mut calls = [0_u32; 3];
    let argument = calls.as_mut_ptr().cast::<c_void>();
    for index in 0..3 {
        let host = host();
        let (log, mut installed) = install(&host);
        set_foreign(&host, index, Some(argument));
        let error = installed.restore().unwrap_err();
        assert!(error.message().ends_with("is installed already"), "{error}");
        assert!(!installed.are_in_place());
        set_foreign(&host, index, None);
        for _ in 0..2 {
            installed.restore().unwrap();
            assert!(installed.are_in_place());
            host.execute("INSERT INTO t VALUES (1); BEGIN; INSERT INTO t VALUES (1); ROLLBACK");
            assert_eq!(log.take(), "main.t commit main.t rollback");
        }
        drop(installed);
        assert_eq!(Rc::strong_count(&log), 1);
    }
}

#[test]
fn hooks_may_be_removed_by_a_hook() {
    let host = host();
    let (log, installed) = install(&host);
    log.dropped_in_update.replace(Some(installed));
    host.execute("INSERT INTO t VALUES (1)");
    assert_eq!(log.take(), "main.t");
    host.execute("INSERT INTO t VALUES (1)");
    assert_eq!((log.take(), Rc::strong_count(&log)), (String::new(), 1));
}

#[test]
fn hooks_outlive_or_follow_their_connection() {
    let host_with_hooks = host();
    let (log, mut installed) = install(&host_with_hooks);
    host_with_hooks.execute("BEGIN; INSERT INTO t VALUES (1)");
    log.take();
    host_with_hooks.close();
    assert_eq!(log.take(), "rollback");
    assert!(!installed.are_in_place() && installed.restore().is_err());
    // Another connection may be where the first one was.
    let other = host();
    let (other_log, other_installed) = install(&other);
    drop(installed);
    assert!(other_installed.are_in_place());
    other.execute("INSERT INTO t VALUES (1)");
    assert_eq!(other_log.take(), "main.t commit");
}

#[test]
fn a_connection_without_anything_of_ours_is_refused() {
    let host = Host::open();
    let error = host.connection().install_hooks(Rc::new(Log::default())).err().unwrap();
    assert_eq!(error.code(), ResultCode::MISUSE);
}
