//! Statements, their parameters and their rows.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::mem;
use std::ptr;
use std::sync::Mutex;

use rusqlite::ffi;
use sqlite_nostd::{Connection, Parameter, ResultCode, SqliteError, ValueType};

use crate::host::Host;

const TOO_LONG: usize = 1_000_000_001;

fn echo<'c>(connection: Connection<'c>, parameter: Parameter<'_>, check: impl FnOnce(&sqlite_nostd::Row<'_>)) {
    let mut statement = connection.prepare("SELECT ?").unwrap();
    let mut rows = statement.query(&[parameter]).unwrap();
    check(&rows.next().unwrap().unwrap());
    assert!(rows.next().unwrap().is_none());
    assert!(rows.next().unwrap().is_none());
}

#[test]
fn values_come_back_as_they_were_bound() {
    let host = Host::open();
    let connection = host.connection();
    for text in ["", "a", "ünï", "with\0NUL", "\0", &"long ".repeat(100_000)] {
        echo(connection, text.into(), |row| {
            assert_eq!(row.column_type(0), ValueType::Text);
            assert_eq!(row.text(0).unwrap(), text);
            assert_eq!(row.optional_text(0).unwrap(), Some(text));
            assert_eq!(row.blob(0).unwrap(), text.as_bytes());
        });
    }
    for blob in [&b""[..], b"\0", b"\xff\xfe", b"text"] {
        echo(connection, blob.into(), |row| {
            assert_eq!(row.column_type(0), ValueType::Blob);
            assert_eq!(row.optional_blob(0).unwrap(), Some(blob));
        });
    }
    for integer in [0, i64::MIN, i64::MAX] {
        echo(connection, integer.into(), |row| {
            assert_eq!((row.integer(0), row.optional_integer(0)), (integer, Some(integer)));
            assert_eq!(row.text(0).unwrap(), integer.to_string());
        });
    }
    echo(connection, 0.5.into(), |row| assert_eq!((row.real(0), row.text(0).unwrap()), (0.5, "0.5")));
    echo(connection, Parameter::from(None::<i64>), |row| {
        assert!(row.is_null(0));
        assert_eq!((row.text(0).unwrap(), row.optional_text(0).unwrap()), ("", None));
        assert_eq!((row.blob(0).unwrap(), row.optional_blob(0).unwrap()), (&b""[..], None));
        assert_eq!((row.integer(0), row.optional_integer(0)), (0, None));
    });
}

#[test]
fn columns_out_of_range_are_null() {
    let host = Host::open();
    let mut statement = host.connection().prepare("SELECT 1 AS one").unwrap();
    assert_eq!((statement.column_count(), statement.column_name(0)), (1, Some("one")));
    assert_eq!((statement.column_name(1), statement.column_name(usize::MAX)), (None, None));
    let mut rows = statement.query(&[]).unwrap();
    let row = rows.next().unwrap().unwrap();
    for index in [1, 1000, usize::MAX, 1 << 32] {
        assert_eq!((row.column_type(index), row.integer(index), row.text(index)), (ValueType::Null, 0, Ok("")));
    }
}

#[test]
fn invalid_text_is_an_error_that_names_the_statement() {
    let host = Host::open();
    let sql = "SELECT CAST(x'61ff' AS TEXT) AS a, x'61ff' AS b, zeroblob(3)";
    let mut statement = host.connection().prepare(sql).unwrap();
    let mut rows = statement.query(&[]).unwrap();
    let row = rows.next().unwrap().unwrap();
    for (column, name) in ["a", "b"].into_iter().enumerate() {
        let error = row.text(column).unwrap_err();
        assert_eq!((error.code(), error.sql()), (ResultCode::CORRUPT, Some(sql)));
        assert!(error.is_unreadable_text() && !SqliteError::new(ResultCode::CORRUPT, "").is_unreadable_text());
        assert!(error.message().starts_with(&format!("column {name} holds text that is not valid UTF-8")), "{error}");
        assert_eq!(row.blob(column).unwrap(), b"a\xff");
    }
    // Asking for a blob's text must not move the bytes that were handed out.
    let blob = row.blob(2).unwrap();
    assert_eq!(row.text(2).unwrap(), "\0\0\0");
    assert_eq!(
        (blob, row.blob(2).unwrap().as_ptr(), row.column_type(2)),
        (&[0; 3][..], blob.as_ptr(), ValueType::Blob)
    );
}

#[test]
fn utf16_databases_read_the_same() {
    let host = Host::open();
    host.execute("PRAGMA encoding = 'UTF-16be'; CREATE TABLE t(a)");
    let connection = host.connection();
    connection.prepare("INSERT INTO t VALUES (?)").unwrap().execute(&["ünï\0x".into()]).unwrap();
    let mut statement = connection.prepare("SELECT a FROM t WHERE a = ?").unwrap();
    let mut rows = statement.query(&["ünï\0x".into()]).unwrap();
    let row = rows.next().unwrap().unwrap();
    let first = row.text(0).unwrap();
    assert_eq!((first, row.blob(0).unwrap()), ("ünï\0x", "ünï\0x".as_bytes()));
    assert_eq!(first.as_ptr(), row.text(0).unwrap().as_ptr());
}

#[test]
fn parameters_are_counted_and_limited() {
    let host = Host::open();
    let mut statement = host.connection().prepare("SELECT ?, ?").unwrap();
    assert_eq!(statement.parameter_count(), 2);
    for parameters in [&[][..], &[1.into()], &[1.into(), 2.into(), 3.into()]] {
        let error = statement.query(parameters).err().unwrap();
        assert_eq!((error.code(), error.sql()), (ResultCode::RANGE, Some("SELECT ?, ?")));
    }
    let long = vec![b'x'; TOO_LONG];
    let text = std::str::from_utf8(&long).unwrap();
    for parameter in [Parameter::Text(text), Parameter::Blob(&long)] {
        let error = statement.query(&[1.into(), parameter]).err().unwrap();
        assert_eq!((error.code(), error.sql()), (ResultCode::TOOBIG, Some("SELECT ?, ?")));
    }
    // The failed calls left nothing behind.
    let mut rows = statement.query(&[1.into(), Parameter::Null]).unwrap();
    let row = rows.next().unwrap().unwrap();
    assert_eq!((row.integer(0), row.is_null(1)), (1, true));
}

#[test]
fn statements_are_reset_on_every_way_out() {
    let host = Host::open();
    host.execute("CREATE TABLE t(a UNIQUE)");
    let connection = host.connection();
    let mut insert = connection.prepare_persistent("INSERT INTO t VALUES (?) RETURNING a").unwrap();
    insert.execute(&[1.into()]).unwrap();
    assert_eq!(host.running_statements(), 0);
    let error = insert.execute(&[1.into()]).unwrap_err();
    assert_eq!(error.code(), ResultCode::CONSTRAINT_UNIQUE);
    assert_eq!(
        error.to_string(),
        "SQLITE_CONSTRAINT_UNIQUE (2067): UNIQUE constraint failed: t.a, in: INSERT INTO t VALUES (?) RETURNING a"
    );
    assert_eq!(host.running_statements(), 0);
    let mut rows = insert.query(&[2.into()]).unwrap();
    rows.next().unwrap();
    assert_eq!(host.running_statements(), 1);
    drop(rows);
    assert_eq!(host.running_statements(), 0);
    let mut select = connection.prepare("SELECT a FROM t UNION ALL SELECT json('{')").unwrap();
    let mut rows = select.query(&[]).unwrap();
    while let Ok(row) = rows.next() {
        assert!(row.is_some());
    }
    assert_eq!(host.running_statements(), 0);
    assert!(rows.next().unwrap().is_none());
    drop(rows);
    drop((insert, select));
    host.close();
}

#[test]
fn a_forgotten_run_is_ended_before_its_parameters_are_seen() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    unsafe extern "C" fn profile(_: c_uint, _: *mut c_void, statement: *mut c_void, _: *mut c_void) -> c_int {
        // SAFETY: SQLite passes the statement; the text is freed once.
        unsafe {
            let sql = ffi::sqlite3_expanded_sql(statement.cast());
            SEEN.lock().unwrap().push(CStr::from_ptr(sql).to_str().unwrap().into());
            ffi::sqlite3_free(sql.cast());
        }
        0
    }
    let host = Host::open();
    // SAFETY: the connection is open.
    unsafe {
        ffi::sqlite3_trace_v2(host.raw().cast(), ffi::SQLITE_TRACE_PROFILE, Some(profile), ptr::null_mut());
    }
    let mut statement = host.connection().prepare("SELECT ?1 UNION ALL SELECT ?1").unwrap();
    let mut forget_run = |text: &str| {
        let text = String::from(text);
        let mut rows = statement.query(&[text.as_str().into()]).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().text(0).unwrap(), text);
        mem::forget(rows);
    };
    forget_run("first");
    forget_run("second");
    drop(statement);
    assert_eq!(*SEEN.lock().unwrap(), ["SELECT NULL UNION ALL SELECT NULL"; 2]);
}

#[test]
fn a_schema_change_is_followed() {
    let host = Host::open();
    host.execute("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    let mut statement = host.connection().prepare_persistent("SELECT * FROM t").unwrap();
    statement.execute(&[]).unwrap();
    host.execute("ALTER TABLE t ADD COLUMN b DEFAULT 2");
    let mut rows = statement.query(&[]).unwrap();
    let row = rows.next().unwrap().unwrap();
    assert_eq!((row.integer(0), row.integer(1)), (1, 2));
    drop(rows);
    assert_eq!((statement.column_count(), statement.column_name(1)), (2, Some("b")));
    host.execute("DROP TABLE t");
    let error = statement.execute(&[]).unwrap_err();
    assert_eq!(error.to_string(), "SQLITE_ERROR (1): no such table: t, in: SELECT * FROM t");
}

#[test]
fn one_statement_is_prepared() {
    let host = Host::open();
    let prepare = |sql: &str| host.connection().prepare(sql);
    for sql in ["SELECT 1", "SELECT 1;", " SELECT 1 ; ; -- done", "SELECT 1 /* done */ ;\n", "-- x\nSELECT 1"] {
        prepare(sql).unwrap().execute(&[]).unwrap();
    }
    for sql in ["", " ", ";", "-- x", "SELECT 1; SELECT 2", "SELECT 1\0", "SELECT 1;\0", "\0", "SELECT '\0'"] {
        let error = prepare(sql).err().unwrap_or_else(|| panic!("{sql:?}"));
        assert!(matches!(error.code(), ResultCode::MISUSE | ResultCode::ERROR), "{sql:?}: {error}");
        assert_eq!(error.sql(), Some(sql));
    }
    let error = prepare("SELEKT 1").err().unwrap();
    assert_eq!(error.to_string(), "SQLITE_ERROR (1): near \"SELEKT\": syntax error, in: SELEKT 1");
    assert!(prepare("SELECT 1").unwrap().is_read_only());
    assert!(!prepare("CREATE TABLE t(a)").unwrap().is_read_only());
}

#[test]
fn a_batch_runs_all_statements() {
    let host = Host::open();
    let connection = host.connection();
    connection.execute_batch("").unwrap();
    connection
        .execute_batch("CREATE TABLE t(a);; INSERT INTO t VALUES (1);\n-- more\nINSERT INTO t VALUES (2)")
        .unwrap();
    assert_eq!(host.text("SELECT sum(a) FROM t"), "3");
    assert_eq!((connection.changes(), connection.total_changes(), connection.last_insert_rowid()), (1, 2, 2));
    let error = connection.execute_batch("DELETE FROM t;\0 DELETE FROM t").unwrap_err();
    assert_eq!(error.code(), ResultCode::MISUSE);
    let error = connection.execute_batch("DELETE FROM t; DELETE FROM u; DELETE FROM v").unwrap_err();
    assert!(error.to_string().contains("no such table: u, in:  DELETE FROM u"), "{error}");
}

#[test]
fn the_connection_reports_its_state() {
    let host = Host::open();
    let connection = host.connection();
    assert!(connection.is_autocommit());
    host.execute("BEGIN");
    assert!(!connection.is_autocommit());
    assert!(!connection.is_read_only(c"main") && !connection.is_read_only(c"no such"));
    assert_eq!(connection.limit(ffi::SQLITE_LIMIT_LENGTH), 1_000_000_000);
    assert!(!connection.is_interrupted());
    assert_eq!(sqlite_nostd::sqlite_version(), rusqlite::version());
    assert_eq!(sqlite_nostd::sqlite_version_number(), rusqlite::version_number());
    let (mut first, mut second) = ([0; 16], [0; 16]);
    sqlite_nostd::randomness(&mut first);
    sqlite_nostd::randomness(&mut second);
    assert!(first != second);
}
