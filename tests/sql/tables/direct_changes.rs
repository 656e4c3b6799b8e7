//! What becomes of direct tables and their rows when the schema changes
//! (docs/reference/schema.md#when-the-schema-changes; docs/reliability.md#traps, traps 24 and 26).

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

use crate::tables::direct::{direct, schema};

/// The same as a JSON table.
fn as_json(columns: &[&str], options: Value) -> Value {
    let mut table = direct(columns, options);
    table["direct"] = json!(false);
    table
}

fn local(columns: &[&str]) -> Value {
    direct(columns, json!({"local_only": true}))
}

fn replace(host: &Host, table: Value) {
    host.replace_schema(&schema(&[table]));
}

fn rows(host: &Host) -> Value {
    host.table("SELECT * FROM t ORDER BY id")
}

fn untyped(host: &Host) -> Value {
    host.table("SELECT type, id, data FROM ps_untyped ORDER BY type, id")
}

/// Whether all downloaded rows are to be published again.
fn is_resync(host: &Host) -> bool {
    host.value("SELECT max(last_applied_op) FROM ps_buckets") == 0
}

/// A session that has published two rows into this table.
fn synced(table: Value) -> Session {
    let mut session = Session::with_schema(&schema(&[table]));
    session.put("t", "1", r#"{"a":"A","b":[1],"c":true}"#);
    session.put("t", "2", r#"{"b":9007199254740993,"c":1.5}"#);
    session.sync();
    assert!(!is_resync(&session.host));
    session
}

/// Reconnects, and gets the last checkpoint again.
fn reconnect(session: &mut Session) {
    session.host.control("start", ());
    for line in [session.service.checkpoint(), session.service.complete()] {
        session.host.line(&line);
    }
}

/// Nothing of a JSON table, or nothing of a direct one, is left.
fn objects(host: &Host) -> Value {
    let names =
        "SELECT type, name FROM sqlite_schema WHERE (tbl_name = 't' OR tbl_name GLOB 'ps_data_*') AND sql NOT NULL
        AND type != 'trigger' ORDER BY type, name";
    host.table(names)
}

#[test]
fn rows_move_from_json_to_direct_tables() {
    let session = synced(as_json(&["a"], json!({})));
    replace(&session.host, direct(&["c", "b", "a"], json!({})));
    let expected = json!([["1", 1, "[1]", "A"], ["2", 1.5, 9_007_199_254_740_993_i64, null]]);
    assert_eq!(rows(&session.host), expected);
    assert_eq!(objects(&session.host), json!([["table", "t"]]));
    // A JSON table holds the whole row, so nothing is missing.
    assert!(!is_resync(&session.host));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 0);
    assert_eq!(untyped(&session.host), json!([]));
}

#[test]
fn rows_move_from_direct_to_json_tables() {
    let mut session = synced(direct(&["a", "b"], json!({})));
    replace(&session.host, as_json(&["a", "b", "c"], json!({})));
    assert_eq!(rows(&session.host), json!([["1", "A", "[1]", null], ["2", null, "9007199254740993", null]]));
    assert_eq!(objects(&session.host), json!([["table", "ps_data__t"], ["view", "t"]]));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 0);
    assert_eq!(untyped(&session.host), json!([]));
    // What the direct table had no column for comes back with the next checkpoint.
    assert!(is_resync(&session.host));
    reconnect(&mut session);
    assert_eq!(rows(&session.host), json!([["1", "A", "[1]", "1"], ["2", null, "9007199254740993", "1.5"]]));
}

#[test]
fn local_only_rows_move_between_json_and_direct_tables() {
    let host = Host::open_in_memory();
    replace(&host, as_json(&["a", "b"], json!({"local_only": true})));
    host.execute("INSERT INTO t VALUES ('1', 'A', 'B')");
    replace(&host, local(&["b", "a"]));
    assert_eq!(rows(&host), json!([["1", "B", "A"]]));
    host.execute("INSERT INTO t VALUES ('2', x'00ff', 1.5)");
    replace(&host, as_json(&["a", "b"], json!({"local_only": true})));
    // JSON has no blobs.
    assert_eq!(rows(&host), json!([["1", "A", "B"], ["2", "1.5", "00FF"]]));
    assert_eq!(objects(&host), json!([["table", "ps_data_local__t"], ["view", "t"]]));
    assert_eq!(untyped(&host), json!([]));
}

#[test]
fn rows_wait_in_untyped_while_the_schema_does_not_have_their_table() {
    let mut session = synced(direct(&["a", "b"], json!({})));
    session.host.execute(r#"INSERT INTO ps_untyped VALUES ('t', '1', '{"a":"older"}'), ('t', '3', '{"a":"other"}')"#);
    session.host.replace_schema(&schema(&[]));
    assert_eq!(objects(&session.host), json!([]));
    let kept = json!([
        ["t", "1", r#"{"a":"A","b":"[1]"}"#],
        ["t", "2", r#"{"a":null,"b":9007199254740993}"#],
        ["t", "3", r#"{"a":"other"}"#]
    ]);
    assert_eq!(untyped(&session.host), kept);
    assert!(is_resync(&session.host), "there were no columns for all of the row");
    replace(&session.host, direct(&["b", "a"], json!({})));
    assert_eq!(
        rows(&session.host),
        json!([["1", "[1]", "A"], ["2", 9_007_199_254_740_993_i64, null], ["3", null, "other"]])
    );
    assert_eq!(untyped(&session.host), json!([]));
    reconnect(&mut session);
    assert_eq!(session.host.table("SELECT typeof(b) FROM t WHERE id = '1'"), json!([["text"]]));
}

#[test]
fn unreadable_rows_in_untyped_become_empty() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute(r#"INSERT INTO ps_untyped VALUES ('t', '1', '{"a":'), ('t', '2', NULL), ('t', '3', '{"a":1}')"#);
    replace(&host, direct(&["a"], json!({})));
    assert_eq!(rows(&host), json!([["1", null], ["2", null], ["3", 1]]));
}

#[test]
fn rows_never_change_between_synced_and_local_only() {
    let session = synced(direct(&["a"], json!({})));
    let host = &session.host;
    for table in [local(&["a"]), as_json(&["a"], json!({"local_only": true}))] {
        replace(host, table);
        assert_eq!(rows(host), json!([]));
        assert_eq!(untyped(host), json!([["t", "1", r#"{"a":"A"}"#], ["t", "2", r#"{"a":null}"#]]));
        host.execute("INSERT INTO t VALUES ('local', 'L')");
        replace(host, direct(&["a"], json!({})));
        assert_eq!(rows(host), json!([["1", "A"], ["2", null]]));
        assert_eq!(untyped(host), json!([]));
        assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 0);
    }
    replace(host, local(&["a"]));
    host.execute("INSERT INTO t VALUES ('local', 'L')");
    host.replace_schema(&schema(&[]));
    assert_eq!(untyped(host), json!([["t", "1", r#"{"a":"A"}"#], ["t", "2", r#"{"a":null}"#]]));
    // A JSON table that becomes a direct one of the other kind.
    replace(host, as_json(&["a"], json!({})));
    replace(host, local(&["a"]));
    assert_eq!(rows(host), json!([]));
    assert_eq!(objects(host), json!([["table", "t"]]));
}

#[test]
fn added_columns_are_filled_by_a_resync() {
    let mut session = synced(direct(&["a"], json!({})));
    replace(&session.host, direct(&["c", "a", "b"], json!({"indexes": [{"name": "i", "columns": [{"name": "c"}]}]})));
    assert!(is_resync(&session.host));
    assert_eq!(
        session.host.table("SELECT id, a, b, c FROM t"),
        json!([["1", "A", null, null], ["2", null, null, null]])
    );
    // The running iteration ends at its next event, for a new one to publish everything.
    let instructions = session.host.line(&json!({"token_expires_in": 3600}));
    let last = instructions.as_array().and_then(|list| list.last().cloned());
    assert_eq!(last, Some(json!({"CloseSyncStream": {"hide_disconnect": true}})));
    reconnect(&mut session);
    assert_eq!(
        session.host.table("SELECT id, a, b, c FROM t"),
        json!([["1", "A", "[1]", 1], ["2", null, 9_007_199_254_740_993_i64, 1.5]])
    );
    session.host.execute("UPDATE t SET c = 2 WHERE id = '1'");
    let entry = session.host.value("SELECT data FROM ps_crud");
    assert_eq!(entry, r#"{"op":"PATCH","id":"1","type":"t","data":{"c":2}}"#);
}

#[test]
fn removed_columns_are_dropped_without_a_resync() {
    let session = synced(direct(&["a", "b", "c"], json!({"indexes": [{"name": "i", "columns": [{"name": "b"}]}]})));
    replace(&session.host, direct(&["a"], json!({})));
    assert_eq!(rows(&session.host), json!([["1", "A"], ["2", null]]));
    assert!(!is_resync(&session.host));
    let sql = session.host.value("SELECT sql FROM sqlite_schema WHERE name = 't'");
    assert_eq!(sql, r#"CREATE TABLE "t"(id TEXT PRIMARY KEY NOT NULL /* ps-managed */, "a" ANY) STRICT"#);
    session.host.execute("INSERT INTO t VALUES ('3', 'C')");
    assert_eq!(session.host.value("SELECT data FROM ps_crud"), r#"{"op":"PUT","id":"3","type":"t","data":{"a":"C"}}"#);
}

#[test]
fn columns_come_and_go_at_once() {
    let session = synced(direct(&["a", "b"], json!({})));
    replace(&session.host, direct(&["A", "c"], json!({})));
    // Members of rows distinguish a from A, so that A is another column.
    assert_eq!(session.host.table("SELECT id, \"A\", c FROM t"), json!([["1", null, null], ["2", null, null]]));
    assert_eq!(session.host.table("SELECT name FROM pragma_table_info('t')"), json!([["id"], ["A"], ["c"]]));
    assert!(is_resync(&session.host));
}

#[test]
fn local_only_tables_change_their_columns_too() {
    let host = Host::open_in_memory();
    replace(&host, local(&["a", "b"]));
    host.execute("INSERT INTO t VALUES ('1', 'A', 'B')");
    let generation = host.value("SELECT generation FROM ps_checkpoint");
    replace(&host, local(&["b", "c"]));
    assert_eq!(host.table("SELECT id, b, c FROM t"), json!([["1", "B", null]]));
    assert_eq!(host.value("SELECT generation FROM ps_checkpoint"), generation, "nothing is synced into it");
}

#[test]
fn the_order_of_columns_does_not_matter() {
    let host = Host::open_in_memory();
    replace(&host, direct(&["a", "b"], json!({})));
    let generation = host.value("SELECT generation FROM ps_checkpoint");
    let place = "SELECT rootpage, sql FROM sqlite_schema WHERE name = 't'";
    let before = host.table(place);
    replace(&host, direct(&["b", "a"], json!({})));
    assert_eq!(host.table(place), before);
    assert_eq!(host.value("SELECT generation FROM ps_checkpoint"), generation);
}

#[test]
fn tables_made_by_another_version_are_adopted() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute(
        "CREATE TABLE t (\n  \"id\" TEXT NOT NULL PRIMARY KEY /* ps-managed */,\n  a ANY, gone ANY\n) STRICT;
         CREATE INDEX other /* ps-managed */ ON t(a); INSERT INTO t VALUES ('1', 'A', 'G')",
    );
    replace(&host, direct(&["a", "b"], json!({})));
    assert_eq!(rows(&host), json!([["1", "A", null]]));
    assert_eq!(objects(&host), json!([["table", "t"]]));
}

#[test]
fn triggers_and_indexes_of_the_application_survive() {
    let host = Host::open_in_memory();
    let audit = "CREATE TRIGGER audit AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.id, NEW.a); END";
    host.execute("CREATE TABLE log(id, a)");
    replace(&host, direct(&["a", "b"], json!({})));
    host.execute(&format!("{audit}; CREATE INDEX mine ON t(a); CREATE TEMP TRIGGER temporary AFTER DELETE ON main.t BEGIN DELETE FROM log; END"));
    for table in [direct(&["a", "c"], json!({})), local(&["a", "c"]), direct(&["a"], json!({}))] {
        replace(&host, table);
        let names = "SELECT name FROM (SELECT * FROM sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema)
            WHERE tbl_name = 't' AND name IN ('audit', 'mine', 'temporary') ORDER BY name";
        assert_eq!(host.table(names), json!([["audit"], ["mine"], ["temporary"]]));
        host.execute("INSERT INTO t(id, a) VALUES ('1', 'A')");
        assert_eq!(host.table("SELECT * FROM log"), json!([["1", "A"]]));
        host.execute("DELETE FROM t");
        assert_eq!(host.table("SELECT * FROM log"), json!([]));
    }
}

#[test]
fn a_column_goes_although_the_application_uses_it() {
    let host = Host::open_in_memory();
    replace(&host, direct(&["a", "b"], json!({})));
    host.execute(
        "CREATE VIEW uses_b AS SELECT b FROM t;
         CREATE TRIGGER watches_b AFTER UPDATE ON t WHEN NEW.b BEGIN SELECT 1; END",
    );
    for setting in ["OFF", "ON"] {
        host.execute(&format!("PRAGMA legacy_alter_table = {setting}"));
        replace(&host, direct(&["a", "b"], json!({})));
        replace(&host, direct(&["a"], json!({})));
        assert_eq!(host.table("SELECT name FROM pragma_table_info('t')"), json!([["id"], ["a"]]));
        assert_eq!(host.value("PRAGMA legacy_alter_table"), i64::from(setting == "ON"));
    }
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('uses_b', 'watches_b')"), 2);
}

#[test]
fn a_column_that_sqlite_does_not_drop_stays_until_it_can_go() {
    for (obstacle, way_out) in [
        ("CREATE INDEX mine ON t(b)", "DROP INDEX mine"),
        ("CREATE VIEW broken AS SELECT * FROM missing", "DROP VIEW broken"),
        ("CREATE VIEW broken AS SELECT * FROM missing", "CREATE TABLE missing(x)"),
    ] {
        let mut session = synced(direct(&["a", "b"], json!({})));
        session.host.execute(obstacle);
        replace(&session.host, direct(&["a", "c"], json!({})));
        assert_eq!(session.host.value("PRAGMA legacy_alter_table"), 0);
        let columns = "SELECT name FROM pragma_table_info('t')";
        assert_eq!(session.host.table(columns), json!([["id"], ["a"], ["b"], ["c"]]));
        // The column is not part of the schema: local writes to it are not uploaded.
        session.host.execute("INSERT INTO t VALUES ('3', 'A', 'B', 'C'); DELETE FROM ps_kv WHERE key LIKE 'target%'");
        let entry = r#"{"op":"PUT","id":"3","type":"t","data":{"a":"A","c":"C"}}"#;
        assert_eq!(session.host.table("SELECT data FROM ps_crud"), json!([[entry]]));
        session.host.execute("DELETE FROM ps_crud");
        reconnect(&mut session);
        assert_eq!(session.host.table("SELECT * FROM t WHERE id = '1'"), json!([["1", "A", "[1]", 1]]));
        session.host.execute(way_out);
        replace(&session.host, direct(&["c", "a"], json!({})));
        assert_eq!(session.host.table(columns), json!([["id"], ["a"], ["c"]]));
    }
}

#[test]
fn views_of_the_application_over_a_replaced_view_do_not_keep_a_column() {
    let host = Host::open_in_memory();
    let lists = |columns: Value| json!({"name": "lists", "columns": columns});
    host.replace_schema(&schema(&[lists(json!([{"name": "x"}])), direct(&["a", "b"], json!({}))]));
    host.execute("CREATE VIEW mine AS SELECT * FROM lists");
    host.replace_schema(&schema(&[lists(json!([{"name": "x"}, {"name": "y"}])), direct(&["a"], json!({}))]));
    assert_eq!(host.table("SELECT name FROM pragma_table_info('t')"), json!([["id"], ["a"]]));
}

#[test]
fn a_change_that_fails_is_undone_as_a_whole() {
    let session = synced(direct(&["a", "b"], json!({})));
    session
        .host
        .execute("PRAGMA foreign_keys = ON; CREATE TABLE child(t REFERENCES t(id)); INSERT INTO child VALUES ('1')");
    let before = session.host.table("SELECT * FROM sqlite_schema");
    for table in [as_json(&["a"], json!({})), local(&["a"])] {
        let changed = schema(&[table]).to_string();
        let work = |host: &Host| {
            let error = host.try_rows("SELECT powersync_replace_schema(?)", [&changed]).unwrap_err();
            assert!(error.message.contains("FOREIGN KEY constraint failed"), "{error}");
            // The transaction goes on as if nothing had been asked.
            assert_eq!(host.table("SELECT * FROM sqlite_schema"), before);
            assert!(!is_resync(host));
            Ok(())
        };
        session.host.in_transaction(work).unwrap();
        assert_eq!(rows(&session.host), json!([["1", "A", "[1]"], ["2", null, 9_007_199_254_740_993_i64]]));
    }
    // Columns change without disturbing those who refer to the rows.
    replace(&session.host, direct(&["a"], json!({})));
    assert_eq!(session.host.table("SELECT * FROM child"), json!([["1"]]));
}

#[test]
fn a_rolled_back_change_leaves_rows_and_iteration_as_they_were() {
    let mut session = synced(direct(&["a", "b"], json!({})));
    for table in [as_json(&["a"], json!({})), direct(&["a", "c"], json!({})), local(&["a"])] {
        session.host.execute("BEGIN");
        session.host.rows_with("SELECT powersync_replace_schema(?)", [schema(&[table]).to_string()]);
        session.host.execute("ROLLBACK");
        assert!(!is_resync(&session.host));
        session.put("t", "1", r#"{"a":"AA","b":2}"#);
        assert_eq!(session.sync()[0]["LogLine"]["severity"], "DEBUG");
        assert_eq!(session.host.table("SELECT * FROM t WHERE id = '1'"), json!([["1", "AA", 2]]));
    }
}

#[test]
fn another_connection_sees_the_change() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shared.db");
    let writer = Host::open(&file);
    writer.execute("PRAGMA journal_mode = WAL");
    replace(&writer, direct(&["a"], json!({})));
    let mut session = Session::start(Host::open(&file), &json!({}));
    session.put("t", "1", r#"{"a":"A","b":"B"}"#);
    session.sync();
    replace(&writer, direct(&["a", "b"], json!({})));
    let instructions = session.host.line(&json!({"token_expires_in": 3600}));
    assert_eq!(instructions[1], json!({"CloseSyncStream": {"hide_disconnect": true}}));
    reconnect(&mut session);
    assert_eq!(rows(&writer), json!([["1", "A", "B"]]));
    replace(&writer, as_json(&["b"], json!({})));
    reconnect(&mut session);
    assert_eq!(rows(&writer), json!([["1", "B"]]));
}

#[test]
fn wide_tables_move_and_change() {
    let names: Vec<String> = (0..1999).map(|number| format!("c{number}")).collect();
    let wide: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut session = Session::with_schema(&schema(&[direct(&wide, json!({}))]));
    session.put("t", "1", &json!({"c0": 0, "c1998": "last"}).to_string());
    session.sync();
    session.host.execute("UPDATE t SET c1000 = 1000");
    assert_eq!(session.host.value("SELECT data ->> '$.data' FROM ps_crud"), r#"{"c1000":1000}"#);
    replace(&session.host, as_json(&wide, json!({})));
    replace(&session.host, direct(&wide, json!({})));
    replace(&session.host, direct(&["c1998", "c1000"], json!({})));
    assert_eq!(session.host.table("SELECT c1998, c1000 FROM t"), json!([["last", 1000]]));
}
