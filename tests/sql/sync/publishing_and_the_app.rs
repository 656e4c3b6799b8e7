//! What triggers and constraints of the application meet while downloaded rows are published
//! (docs/reference/sync-client.md#publishing, docs/reference/schema.md#raw-tables).

use rowtide_testkit::session::Session;
use rusqlite::functions::FunctionFlags;
use serde_json::{Value, json};

fn lists() -> Value {
    json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]})
}

#[test]
fn triggers_distinguish_downloads_from_local_writes_and_call_functions_of_the_application() {
    let mut session = Session::with_schema(&lists());
    let shout = |context: &rusqlite::functions::Context<'_>| Ok(context.get::<String>(0)?.to_uppercase());
    // Not innocuous, as functions are by default.
    session.host.connection().create_scalar_function("shout", 1, FunctionFlags::SQLITE_UTF8, shout).unwrap();
    session.host.execute("CREATE TABLE log(event, name, in_sync)");
    for (event, row) in [("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")] {
        session.host.execute(&format!(
            "CREATE TRIGGER on_{event} AFTER {event} ON ps_data__lists BEGIN INSERT INTO log VALUES
             ('{event}', shout({row}.data ->> 'name'), powersync_in_sync_operation()); END"
        ));
    }
    session.put("lists", "1", r#"{"name":"one"}"#);
    session.sync();
    session.put("lists", "1", r#"{"name":"two"}"#);
    session.sync();
    session.remove("lists", "1");
    session.sync();
    session.host.execute("INSERT INTO lists(id, name) VALUES ('2', 'local')");
    assert_eq!(
        session.host.table("SELECT * FROM log"),
        json!([["INSERT", "ONE", 1], ["UPDATE", "TWO", 1], ["DELETE", "TWO", 1], ["INSERT", "LOCAL", 0]])
    );
    assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 1);
}

/// Two raw tables, of which the second refers to the first.
fn with_foreign_key(constraint: &str) -> Session {
    let ddl = format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE parents(id TEXT PRIMARY KEY, name);
         CREATE TABLE children(id TEXT PRIMARY KEY, parent REFERENCES parents(id) {constraint})"
    );
    let raw = |name: &str| json!({"name": name, "table_name": name});
    Session::with_tables(&ddl, &json!({"tables": [], "raw_tables": [raw("children"), raw("parents")]}))
}

#[test]
fn deferred_foreign_keys_are_checked_when_the_publish_is_committed() {
    let mut session = with_foreign_key("DEFERRABLE INITIALLY DEFERRED");
    session.put("children", "c", r#"{"parent":"p"}"#);
    session.put("parents", "p", r#"{"name":"P"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM children"), json!([["c", "p"]]));
    // Replaced by another pair, in the order that is wrong for the first and right for the second.
    session.remove("parents", "p");
    session.put("children", "d", r#"{"parent":"q"}"#);
    session.put("parents", "q", r#"{"name":"Q"}"#);
    session.remove("children", "c");
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM children"), json!([["d", "q"]]));
    assert_eq!(session.host.table("PRAGMA foreign_key_check"), json!([]));
}

#[test]
fn a_broken_foreign_key_fails_the_commit_until_the_service_sends_what_is_missing() {
    let mut session = with_foreign_key("DEFERRABLE INITIALLY DEFERRED");
    session.put("children", "c", r#"{"parent":"p"}"#);
    let error = session.sync_error();
    assert_eq!(error.code, 787, "{error}");
    assert_eq!(session.host.table("SELECT * FROM children"), json!([]));
    session.put("parents", "p", r#"{"name":"P"}"#);
    session.host.control("start", ());
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM children"), json!([["c", "p"]]));
}
