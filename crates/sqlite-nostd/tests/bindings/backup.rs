//! Connections that the library opens, and copies of databases.

use sqlite_nostd::{Missing, OwnConnection, ResultCode};

use crate::host::Host;

fn count(connection: &OwnConnection) -> i64 {
    let mut statement = connection.connection().prepare("SELECT count(*) FROM t").unwrap();
    let mut rows = statement.query(&[]).unwrap();
    rows.next().unwrap().unwrap().integer(0)
}

fn filled() -> Host {
    let host = Host::open();
    host.execute(
        "PRAGMA page_size = 512; CREATE TABLE t(a);
         CREATE TRIGGER r BEFORE DELETE ON t BEGIN SELECT missing(); END;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO t SELECT randomblob(400) FROM n",
    );
    host
}

#[test]
fn a_database_is_copied_and_no_trigger_fires_in_the_copy() {
    let host = filled();
    let copy = OwnConnection::open_temporary().unwrap();
    host.connection().copy_to(&copy, host.connection()).unwrap();
    assert_eq!(count(&copy), 3000);
    copy.connection().execute_batch("DELETE FROM t WHERE rowid = 1").unwrap();
    assert_eq!(count(&copy), 2999);
    // It replaces what is there.
    host.connection().copy_to(&copy, host.connection()).unwrap();
    assert_eq!(count(&copy), 3000);
}

#[test]
fn a_missing_file_is_created_only_if_asked_for() {
    let error = OwnConnection::open("file:no/such/directory/x.db", Missing::Create).unwrap_err();
    assert_eq!(error.code().primary(), ResultCode::CANTOPEN);
    let name = std::env::temp_dir().join(format!("rowtide-{}-missing.db", std::process::id()));
    let name = name.to_str().unwrap();
    let error = OwnConnection::open(name, Missing::Fail).unwrap_err();
    assert_eq!((error.code().primary(), error.message()), (ResultCode::CANTOPEN, "unable to open database file"));
    drop(OwnConnection::open(name, Missing::Create).unwrap());
    drop(OwnConnection::open(name, Missing::Fail).unwrap());
    std::fs::remove_file(name).unwrap();
}

#[test]
fn a_copy_that_fails_changes_nothing() {
    let host = filled();
    let copy = OwnConnection::open_temporary().unwrap();
    copy.connection().execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1)").unwrap();
    host.execute("BEGIN; INSERT INTO t VALUES (1)");
    let error = host.connection().copy_to(&copy, host.connection()).unwrap_err();
    assert_eq!(error.code(), ResultCode::BUSY);
    host.execute("ROLLBACK");
    // An interrupt is in effect while a statement runs.
    let connection = host.connection();
    let mut statement = connection.prepare("SELECT 1 UNION ALL SELECT 2").unwrap();
    let mut rows = statement.query(&[]).unwrap();
    rows.next().unwrap();
    host.rusqlite().get_interrupt_handle().interrupt();
    let error = connection.copy_to(&copy, connection).unwrap_err();
    assert_eq!(error.code(), ResultCode::INTERRUPT);
    drop(rows);
    assert_eq!(count(&copy), 1);
}
