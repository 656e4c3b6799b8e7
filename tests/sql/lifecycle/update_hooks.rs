//! `powersync_update_hooks`: which tables changed, for SDKs whose SQLite driver has no update hook.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rowtide_testkit::Host;
use serde_json::{Value, json};

fn install(host: &Host) {
    assert_eq!(host.value("SELECT powersync_update_hooks('install')"), Value::Null);
}

fn changed(host: &Host) -> Value {
    serde_json::from_str(host.value("SELECT powersync_update_hooks('get')").as_str().unwrap()).unwrap()
}

fn watched() -> Host {
    let host = Host::open_in_memory();
    host.execute("CREATE TABLE b(x UNIQUE); CREATE TABLE a(x); CREATE TABLE c(x)");
    install(&host);
    install(&host);
    host
}

#[test]
fn committed_changes_are_reported_once_and_sorted() {
    let host = watched();
    assert_eq!(changed(&host), json!([]));
    host.execute("INSERT INTO b VALUES (1); BEGIN; INSERT INTO a VALUES (1); UPDATE b SET x = 2");
    assert_eq!(changed(&host), json!(["b"]), "the second transaction is open");
    host.execute("COMMIT; BEGIN; DELETE FROM b WHERE x = 2; COMMIT");
    assert_eq!(changed(&host), json!(["a", "b"]));
    assert_eq!(changed(&host), json!([]));
    host.execute("INSERT INTO c VALUES (1)");
    assert_eq!(host.table("SELECT value FROM json_each(powersync_update_hooks('get'))"), json!([["c"]]));
}

#[test]
fn rolled_back_changes_are_not_reported() {
    let host = watched();
    host.execute("INSERT INTO a VALUES (1); BEGIN; INSERT INTO b VALUES (1); ROLLBACK");
    assert_eq!(changed(&host), json!(["a"]));
    host.execute("INSERT INTO b VALUES (1)");
    assert!(host.try_execute("INSERT INTO b VALUES (2), (1)").is_err());
    assert_eq!(changed(&host), json!(["b"]), "the first statement was committed, the second undone");
}

#[test]
fn a_failed_commit_is_not_reported() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let host = Host::open(&path);
    host.execute("PRAGMA journal_mode = DELETE; PRAGMA busy_timeout = 0; CREATE TABLE a(x); CREATE TABLE b(x)");
    install(&host);
    let reader = Host::open(&path);
    reader.execute("BEGIN");
    reader.rows("SELECT * FROM a");
    host.execute("BEGIN; INSERT INTO a VALUES (1)");
    assert_eq!(host.try_execute("COMMIT").unwrap_err().code & 0xff, 5, "a reader keeps the commit from happening");
    assert_eq!(changed(&host), json!([]));
    host.execute("ROLLBACK");
    assert_eq!(changed(&host), json!([]));
    host.execute("BEGIN; INSERT INTO b VALUES (1)");
    assert!(host.try_execute("COMMIT").is_err());
    reader.execute("COMMIT");
    host.execute("COMMIT");
    assert_eq!(changed(&host), json!(["b"]), "the second attempt succeeded");
}

#[test]
fn changes_of_views_are_reported_by_their_data_tables() {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
    install(&host);
    host.execute("INSERT INTO lists(id, name) VALUES ('1', 'x')");
    let tables = changed(&host);
    assert!(tables.as_array().unwrap().contains(&json!("ps_data__lists")), "{tables}");
    // Clearing reports each table that was not empty.
    host.transaction("SELECT powersync_clear(0)", []);
    assert!(changed(&host).as_array().unwrap().contains(&json!("ps_data__lists")));
}

#[test]
fn the_hook_of_an_application_stays() {
    let mut connection = rusqlite::Connection::open_in_memory().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let count = move |_, _: &str, _: &str, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    connection.update_hook(Some(count)).unwrap();
    let host = Host::load_into(connection);
    host.execute("CREATE TABLE a(x)");
    let error = host.error("SELECT powersync_update_hooks('install')");
    assert!(error.message.contains("powersync_update_hooks"), "{error}");
    host.execute("INSERT INTO a VALUES (1)");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_reports_nothing(&host);
}

/// Asking must fail: an empty answer would say that nothing changed.
#[track_caller]
fn assert_reports_nothing(host: &Host) {
    let error = host.error("SELECT powersync_update_hooks('get')");
    assert_eq!(error.code, 21, "{error}");
    assert!(error.message.contains("powersync_update_hooks('install')"), "{error}");
}

#[test]
fn nothing_can_be_asked_before_hooks_are_installed() {
    let host = Host::open_in_memory();
    host.execute("CREATE TABLE a(x); INSERT INTO a VALUES (1)");
    assert_reports_nothing(&host);
    install(&host);
    assert_eq!(changed(&host), json!([]));
}

/// Replaces a hook with one of the application's, or removes it.
type Replace = fn(&mut rusqlite::Connection, bool);

#[test]
fn hooks_that_the_application_replaced_can_be_installed_again() {
    let replacements: [Replace; 3] = [
        |connection, is_there| connection.update_hook(is_there.then_some(|_, _: &str, _: &str, _| {})).unwrap(),
        |connection, is_there| connection.commit_hook(is_there.then_some(|| false)).unwrap(),
        |connection, is_there| connection.rollback_hook(is_there.then_some(|| {})).unwrap(),
    ];
    for replace in replacements {
        let mut host = watched();
        host.execute("INSERT INTO a VALUES (1)");
        replace(host.connection_mut(), true);
        assert_reports_nothing(&host);
        let error = host.error("SELECT powersync_update_hooks('install')");
        assert!(error.message.contains("installed already"), "{error}");
        assert_reports_nothing(&host);
        replace(host.connection_mut(), false);
        assert_reports_nothing(&host);
        for _ in 0..2 {
            install(&host);
            assert_eq!(changed(&host), json!(["a"]), "what was known before is not lost");
            host.execute("BEGIN; INSERT INTO c VALUES (1); ROLLBACK; INSERT INTO a VALUES (1)");
        }
    }
}

#[test]
fn other_operations_are_misuse() {
    let host = Host::open_in_memory();
    for operation in ["'x'", "NULL", "1"] {
        let error = host.error(&format!("SELECT powersync_update_hooks({operation})"));
        assert_eq!(error.code & 0xff, 21, "{error}");
        assert!(error.message.contains("Unknown operation"), "{error}");
    }
}

#[test]
fn read_only_connections_can_ask() {
    let host = Host::open_in_memory();
    host.execute("PRAGMA query_only = ON");
    install(&host);
    assert_eq!(changed(&host), json!([]));
    host.try_close().unwrap();
}
