//! Loading the library: what it says about itself, and that it leaves the database alone
//! (docs/reference/functions.md#loading).

use std::sync::atomic::{AtomicUsize, Ordering};

use rowtide_testkit::Host;
use rowtide_testkit::library::loadable;
use rusqlite::Connection;

#[test]
fn the_version_is_what_sdks_accept() {
    let host = Host::open_in_memory();
    let version = host.value("SELECT powersync_rs_version()");
    let (number, hash) = version.as_str().and_then(|text| text.split_once('/')).unwrap();
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    assert_eq!(hash.len(), 8, "{hash}");
    assert!(hash == "unknown0" || hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
}

#[test]
fn loading_writes_nothing() {
    let host = Host::open_in_memory();
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema"), 0);
    assert_eq!(host.connection().total_changes(), 0);
}

fn load(connection: &Connection) {
    rowtide_driver::library::load(connection, loadable()).unwrap();
}

#[test]
fn loading_asks_for_no_lock() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("locked.db");
    let owner = Connection::open(&file).unwrap();
    owner.execute_batch("CREATE TABLE t(a); BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)").unwrap();
    let mut connection = Connection::open(&file).unwrap();
    connection
        .busy_handler(Some(|_| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            false
        }))
        .unwrap();
    load(&connection);
    load(&connection);
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    // The lock is one that reading the schema would have met.
    connection.prepare("SELECT 1 FROM t").unwrap_err();
    assert!(ASKED.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_second_load_in_a_transaction_and_while_a_function_runs_changes_nothing() {
    let host = Host::open_in_memory();
    host.execute("BEGIN; CREATE TABLE t(a)");
    let mut running = host.connection().prepare("SELECT powersync_rs_version() FROM (VALUES (1), (2))").unwrap();
    let mut rows = running.query(()).unwrap();
    rows.next().unwrap().unwrap();
    // Registering functions again is refused while a statement runs.
    load(host.connection());
    assert!(rows.next().unwrap().is_some());
    assert!(!host.connection().is_autocommit());
}

#[test]
fn a_file_that_cannot_be_read_yet_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("encrypted.db");
    let content = [0xa5; 8192];
    std::fs::write(&file, content).unwrap();
    let connection = Connection::open(&file).unwrap();
    load(&connection);
    load(&connection);
    let version: String = connection.query_row("SELECT sqlite_version()", (), |row| row.get(0)).unwrap_or_default();
    assert_eq!(version, "", "the file could be read");
    assert_eq!(std::fs::read(&file).unwrap(), content);
}
