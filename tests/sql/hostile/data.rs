//! What a service, an application or a file may hold that makes trouble: rows that cannot be read, keys that look alike,
//! text that is no text, result codes that nobody knows.

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use rusqlite::functions::FunctionFlags;
use serde_json::{Value, json};

fn lists() -> Value {
    json!({ "tables": [{ "name": "lists", "columns": [{ "name": "name", "type": "text" }] }] })
}

#[test]
fn rows_that_cannot_be_read_are_named_and_hold_nothing_back() {
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let mut session = Session::with_schema(&lists());
    for (id, data) in [
        ("text", "no JSON"),
        ("array", "[1]"),
        ("deep", deep.as_str()),
        ("cut", "{\"name\":"),
        ("good", "{\"name\":\"x\"}"),
    ] {
        session.put("lists", id, data);
    }
    session.put("lists", "large", "{\"name\":1e400}");
    let lines = session.service.lines(0);
    let instructions: String = lines.iter().map(|line| session.host.line(line).to_string()).collect();
    assert!(instructions.contains("DidCompleteSync"), "{instructions}");
    for id in ["text", "array", "deep", "cut"] {
        assert!(instructions.contains("WARNING") && instructions.contains(id), "{id}: {instructions}");
    }
    assert!(!instructions.contains("no JSON"), "a message holds row data: {instructions}");
    let shown = session.host.table("SELECT id, name FROM lists WHERE id <> 'large' ORDER BY id");
    assert_eq!(shown, json!([["array", null], ["cut", null], ["deep", null], ["good", "x"], ["text", null]]));
    assert_eq!(session.host.value("SELECT count(name) FROM lists WHERE id = 'large'"), 1);
    session.put("lists", "text", "{\"name\":\"better\"}");
    session.sync();
    assert_eq!(session.host.value("SELECT name FROM lists WHERE id = 'text'"), "better");
}

#[test]
fn keys_that_look_alike_when_joined_are_different_rows() {
    let table = |name: &str| json!({ "name": name, "columns": [{ "name": "name", "type": "text" }] });
    let mut session = Session::with_schema(&json!({ "tables": [table("a"), table("a/b")] }));
    session.put("a", "b/c", "{\"name\":\"one\"}");
    session.put("a/b", "c", "{\"name\":\"two\"}");
    session.sync();
    session.remove("a", "b/c");
    session.sync();
    assert_eq!(session.host.table("SELECT id FROM a"), json!([]));
    assert_eq!(session.host.table("SELECT id, name FROM \"a/b\""), json!([["c", "two"]]));
}

#[test]
fn a_line_delivered_twice_counts_once() {
    let mut session = Session::with_schema(&lists());
    session.put("lists", "l1", "{\"name\":\"old\"}");
    session.put("lists", "l1", "{\"name\":\"new\"}");
    let lines = session.service.lines(0);
    for line in [&lines[0], &lines[1], &lines[1]] {
        session.host.line(line);
    }
    assert!(session.host.line(&lines[2]).to_string().contains("DidCompleteSync"));
    assert_eq!(session.host.table("SELECT id, name FROM lists"), json!([["l1", "new"]]));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_oplog"), 1);
}

#[test]
fn text_that_is_not_utf8_is_refused_everywhere() {
    let host = Host::open_in_memory();
    host.replace_schema(&lists());
    host.control("start", ());
    for call in [
        "powersync_replace_schema(x)",
        "powersync_control('line_text', x)",
        "powersync_control(x, NULL)",
        "powersync_control('start', x)",
        "powersync_control('subscriptions', x)",
        "powersync_control('update_subscriptions', x)",
        "powersync_control('connection', x)",
        "powersync_control('target_checkpoint_request_id', x)",
        "powersync_create_raw_table_crud_trigger(x, 'a', 'INSERT')",
        "powersync_update_hooks(x)",
        "powersync_drop_view(x)",
        "powersync_diff(x, x)",
        "powersync_json_merge(x)",
        "powersync_remove_duplicate_key_encoding(x)",
    ] {
        let sql = format!("SELECT {call} FROM (SELECT CAST(x'7bff7d' AS TEXT) AS x)");
        let error = host.try_transaction(&sql, []).unwrap_err();
        assert_eq!(error.code, 3091, "{call}: {error}");
        assert!(error.message.contains("UTF-8") || error.message.contains("utf-8"), "{call}: {error}");
    }
    for sql in [
        "INSERT INTO powersync_crud(op, id, type, data) VALUES ('PUT', CAST(x'ff' AS TEXT), 'lists', '{}')",
        "INSERT INTO powersync_crud_(data) VALUES (CAST(x'ff' AS TEXT))",
        "INSERT INTO lists (id, name) VALUES (CAST(x'ff' AS TEXT), 'x')",
    ] {
        assert!(host.try_execute(sql).is_err(), "{sql}");
    }
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 0);
}

#[test]
fn result_codes_that_nobody_knows_come_through() {
    /// SQLITE_IOERR with an extension that SQLite does not have.
    const UNKNOWN: i32 = 10 | (200 << 8);
    let mut session = Session::with_schema(&lists());
    let fail = |_: &rusqlite::functions::Context<'_>| -> rusqlite::Result<i64> {
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(UNKNOWN), None))
    };
    session.host.connection().create_scalar_function("fail", 0, FunctionFlags::SQLITE_INNOCUOUS, fail).unwrap();
    session.host.execute("CREATE TRIGGER t AFTER INSERT ON ps_data__lists BEGIN SELECT fail(); END");
    session.put("lists", "l1", "{}");
    let error = session.sync_error();
    assert_eq!(error.code, UNKNOWN, "{error}");
    session.host.execute("DROP TRIGGER t");
    session.sync();
    assert_eq!(session.host.table("SELECT id FROM lists"), json!([["l1"]]));
}

#[test]
fn an_error_in_the_middle_of_a_statement_keeps_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.db");
    let host = Host::open(&file);
    host.execute("PRAGMA journal_mode = WAL");
    host.replace_schema(&lists());
    host.execute(
        "CREATE TRIGGER t AFTER INSERT ON ps_data__lists WHEN NEW.id = 'l2' BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    let mut session = Session::start(host, &json!({}));
    for id in ["l1", "l2", "l3"] {
        session.put("lists", id, "{}");
    }
    assert!(session.sync_error().message.contains("no"));
    assert!(session.host.try_execute("INSERT INTO lists (id) VALUES ('l2')").is_err());
    // Not busy, nothing left in the log.
    let other = Host::open(&file);
    assert_eq!(other.table("PRAGMA wal_checkpoint(TRUNCATE)"), json!([[0, 0, 0]]));
}

#[test]
fn an_id_changes_to_nothing_else() {
    let direct = json!({ "name": "tags", "columns": [{ "name": "name", "type": "text" }], "direct": true });
    let host = Host::open_in_memory();
    let lists = lists()["tables"][0].clone();
    host.replace_schema(&json!({ "tables": [lists, direct] }));
    for table in ["lists", "tags"] {
        host.execute(&format!("INSERT INTO {table} (id, name) VALUES ('i', 'x'); DELETE FROM ps_crud"));
        for value in ["NULL", "5", "x'00'", "''", "'other'"] {
            let error = host.try_execute(&format!("UPDATE {table} SET id = {value}"));
            assert!(error.is_err(), "{table}: {value}");
        }
        assert_eq!(host.table(&format!("SELECT id, name FROM {table}")), json!([["i", "x"]]));
        assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 0);
    }
}
