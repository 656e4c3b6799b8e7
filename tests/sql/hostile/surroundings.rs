//! One session in all kinds of surroundings that an application may make for it: settings, limits, encodings, hooks, other
//! databases. What it stores and shows is the same in each.

use rowtide_testkit::Host;
use rowtide_testkit::invariants::{assert_consistent, dump};
use rowtide_testkit::session::Session;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

fn schema() -> Value {
    json!({
        "tables": [
            { "name": "lists", "columns": [{ "name": "name", "type": "text" }], "include_old": true,
              "indexes": [{ "name": "by_name", "columns": [{ "name": "name", "ascending": true, "type": "text" }] }] },
            { "name": "tags", "columns": [{ "name": "label", "type": "text" }], "direct": true },
        ],
        "raw_tables": [{ "name": "notes", "table_name": "notes", "clear": "DELETE FROM notes" }],
    })
}

/// Downloads, writes, uploads, and changes the schema; gives what is there after each part.
fn run(host: Host) -> Vec<Value> {
    host.execute("CREATE TABLE main.notes(id TEXT PRIMARY KEY, content TEXT)");
    host.replace_schema(&schema());
    host.execute("UPDATE main.ps_kv SET value = '11111111-2222-4333-8444-555555555555' WHERE key = 'client_id'");
    let mut session = Session::start(host, &json!({}));
    let mut seen = Vec::new();
    for (row_type, row_id, data) in [
        ("lists", "l1", r#"{"name":"one é😀"}"#),
        ("lists", "l2", r#"{"name":null,"more":[1,2.5,"x"]}"#),
        ("tags", "t1", r#"{"label":"blue"}"#),
        ("notes", "n1", r#"{"content":"text"}"#),
        ("unknown", "u1", r#"{"a":1}"#),
    ] {
        session.put(row_type, row_id, data);
    }
    session.sync();
    seen.push(shown(&session.host));
    session.host.execute(
        "INSERT INTO lists (id, name) VALUES ('w1', 'mine'); UPDATE lists SET name = 'two' WHERE id = 'l2';
         INSERT INTO tags (id, label) VALUES ('w2', 'red'); DELETE FROM tags WHERE id = 't1'",
    );
    session.remove("lists", "l1");
    session.put("lists", "w1", r#"{"name":"mine"}"#);
    session.sync();
    seen.push(shown(&session.host));
    session.host.execute("DELETE FROM main.ps_crud");
    session.host.control("target_checkpoint_request_id", 3);
    session.service.write_checkpoint = Some(3);
    session.remove("tags", "t1");
    session.sync();
    seen.push(shown(&session.host));
    session.host.control("stop", ());
    session.host.replace_schema(&json!({ "tables": [] }));
    seen.push(dump(&session.host));
    assert_consistent(&session.host);
    session.host.transaction("SELECT powersync_clear(1)", []);
    assert_eq!(session.host.table("SELECT * FROM main.notes"), json!([["n1", "text"]]), "no longer in the schema");
    session.host.try_close().unwrap();
    seen
}

fn shown(host: &Host) -> Value {
    json!([
        host.table("SELECT id, name FROM main.lists ORDER BY id"),
        host.table("SELECT id, label FROM main.tags ORDER BY id"),
        host.table("SELECT * FROM main.notes ORDER BY id"),
        dump(host),
    ])
}

/// The session in memory, on a connection that `prepare` has changed before the library is loaded.
fn run_prepared(prepare: impl FnOnce(&mut Connection)) -> Vec<Value> {
    let mut connection = Connection::open_in_memory().unwrap();
    prepare(&mut connection);
    run(Host::load_into(connection))
}

fn undisturbed() -> Vec<Value> {
    run(Host::open_in_memory())
}

#[test]
fn settings_do_not_matter() {
    let expected = undisturbed();
    for setting in [
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA encoding = 'UTF-16be'",
        "PRAGMA recursive_triggers = ON",
        "PRAGMA foreign_keys = ON",
        "PRAGMA reverse_unordered_selects = ON",
        "PRAGMA count_changes = ON",
        "PRAGMA full_column_names = ON; PRAGMA short_column_names = OFF",
        "PRAGMA empty_result_callbacks = ON",
        "PRAGMA legacy_alter_table = ON",
        "PRAGMA case_sensitive_like = ON",
        "PRAGMA automatic_index = OFF",
        "PRAGMA secure_delete = ON",
        "PRAGMA auto_vacuum = FULL",
        "PRAGMA page_size = 512",
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = 1",
        "PRAGMA trusted_schema = OFF",
    ] {
        assert_eq!(run_prepared(|connection| connection.execute_batch(setting).unwrap()), expected, "{setting}");
    }
}

#[test]
fn strict_connections_do_not_matter() {
    let expected = undisturbed();
    let configured = run_prepared(|connection| {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, true).unwrap();
    });
    assert_eq!(configured, expected);
}

#[test]
fn small_limits_do_not_matter() {
    let expected = undisturbed();
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 20_000),
        (Limit::SQLITE_LIMIT_COLUMN, 40),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 30),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 3),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 10),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 20),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 3),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        let limited = run_prepared(|connection| _ = connection.set_limit(limit, value).unwrap());
        assert_eq!(limited, expected, "{limit:?} of {value}");
    }
}

#[test]
fn databases_with_the_same_names_do_not_matter() {
    let expected = undisturbed();
    let filled = {
        let file = tempfile::NamedTempFile::new().unwrap();
        let host = Host::open(file.path());
        host.replace_schema(&schema());
        host.execute("CREATE TABLE notes(id TEXT PRIMARY KEY, content TEXT); INSERT INTO notes VALUES ('x', 'other')");
        host.execute("INSERT INTO lists (id, name) VALUES ('other', 'other')");
        host.try_close().unwrap();
        file
    };
    let path = filled.path().display().to_string();
    let attached = run_prepared(|connection| _ = connection.execute("ATTACH ? AS other", [path]).unwrap());
    assert_eq!(attached, expected);
    let other = Host::open(filled.path());
    assert_eq!(other.table("SELECT id, name FROM lists"), json!([["other", "other"]]));
    assert_eq!(other.table("SELECT * FROM notes"), json!([["x", "other"]]));
    assert_eq!(other.value("SELECT count(*) FROM ps_crud"), 1);
}

#[test]
fn hooks_of_the_application_do_not_matter_and_are_called() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let count = Arc::new(AtomicUsize::new(0));
    let counter = || {
        let count = Arc::clone(&count);
        move || _ = count.fetch_add(1, Ordering::Relaxed)
    };
    let (updates, commits, rollbacks) = (counter(), counter(), counter());
    let hooked = run_prepared(|connection| {
        connection.update_hook(Some(move |_, _: &str, _: &str, _| updates())).unwrap();
        connection
            .commit_hook(Some(move || {
                commits();
                false
            }))
            .unwrap();
        connection.rollback_hook(Some(rollbacks)).unwrap();
    });
    assert_eq!(hooked, undisturbed());
    assert!(count.load(Ordering::Relaxed) > 20);
}

#[test]
fn a_shared_cache_does_not_matter() {
    let flags = OpenFlags::default() | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_SHARED_CACHE;
    let open = || Connection::open_with_flags("file:shared?mode=memory&cache=shared", flags).unwrap();
    // The database lives as long as one of its connections.
    let reader = Host::load_into(open());
    assert_eq!(run(Host::load_into(open())), undisturbed());
    assert_eq!(reader.value("SELECT count(*) FROM ps_crud"), 0);

    reader.execute("BEGIN; SELECT * FROM ps_checkpoint");
    let writer = Host::load_into(open());
    let locked = writer.try_control("start", ()).unwrap_err();
    assert_eq!(locked.code & 0xff, 6, "SQLITE_LOCKED: {locked}");
    reader.execute("COMMIT");
    writer.control("start", ());
}
