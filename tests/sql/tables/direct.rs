//! Tables with real columns that we manage: what they are made of, local writes and published rows
//! (docs/reference/schema.md#direct-tables; docs/reliability.md#traps, traps 15, 19 and 23).

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use rusqlite::config::DbConfig;
use serde_json::{Value, json};

/// A direct table `t` with these columns.
pub(super) fn direct(columns: &[&str], options: Value) -> Value {
    let columns: Vec<Value> = columns.iter().map(|name| json!({"name": name, "type": "text"})).collect();
    let mut table = json!({"name": "t", "columns": columns, "direct": true});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    table
}

pub(super) fn schema(tables: &[Value]) -> Value {
    json!({"tables": tables})
}

fn host(table: Value) -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&schema(&[table]));
    host
}

fn sql_of(host: &Host, kind: &str) -> Value {
    host.table(&format!(
        "SELECT name, sql FROM sqlite_schema WHERE type = '{kind}' AND tbl_name = 't' AND sql NOT NULL"
    ))
}

fn queue(host: &Host) -> Vec<Value> {
    host.rows("SELECT data FROM ps_crud ORDER BY id").into_iter().flatten().collect()
}

#[test]
fn tables_are_real_ones_with_a_mark() {
    for (table, sql) in [
        (
            direct(&["a", "b\"c"], json!({})),
            r#"CREATE TABLE "t"(id TEXT PRIMARY KEY NOT NULL /* ps-managed */, "a" ANY, "b""c" ANY) STRICT"#,
        ),
        (
            direct(&["a"], json!({"local_only": true})),
            r#"CREATE TABLE "t"(id TEXT PRIMARY KEY NOT NULL /* ps-managed local-only */, "a" ANY) STRICT"#,
        ),
        (direct(&[], json!({})), r#"CREATE TABLE "t"(id TEXT PRIMARY KEY NOT NULL /* ps-managed */) STRICT"#),
    ] {
        let host = host(table);
        assert_eq!(sql_of(&host, "table"), json!([["t", sql]]));
        let others = "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name NOT IN ('ps_oplog', 'powersync_rejected') OR name GLOB 'ps_data*'";
        assert_eq!(host.value(others), 0);
    }
}

#[test]
fn indexes_have_the_plain_columns_and_a_mark() {
    let indexes = json!({"indexes": [
        {"name": "one", "columns": [{"name": "a", "ascending": false, "type": "text"}, {"name": "b\"c"}]},
        {"name": "two", "columns": [{"name": "id", "ascending": true, "type": "text"}]},
    ]});
    let host = host(direct(&["a", "b\"c"], indexes));
    assert_eq!(
        sql_of(&host, "index"),
        json!([
            ["t__one", r#"CREATE INDEX "t__one" /* ps-managed */ ON "t"("a" DESC, "b""c")"#],
            ["t__two", r#"CREATE INDEX "t__two" /* ps-managed */ ON "t"("id")"#],
        ])
    );
    // Changed ones are created again, others dropped.
    let indexes = json!({"indexes": [{"name": "one", "columns": [{"name": "a"}]}]});
    host.replace_schema(&schema(&[direct(&["a", "b\"c"], indexes)]));
    assert_eq!(sql_of(&host, "index"), json!([["t__one", r#"CREATE INDEX "t__one" /* ps-managed */ ON "t"("a")"#]]));
    host.execute("CREATE INDEX mine ON t(a) /* ps-managed */");
    host.replace_schema(&schema(&[direct(&["a", "b\"c"], json!({}))]));
    assert_eq!(
        host.table("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL AND tbl_name = 't'"),
        json!([["mine"]])
    );
}

#[test]
fn an_index_needs_its_columns() {
    let indexes = json!({"indexes": [{"name": "one", "columns": [{"name": "b"}]}]});
    let host = Host::open_in_memory();
    let sql = format!("SELECT powersync_replace_schema('{}')", schema(&[direct(&["a"], indexes)]));
    let error = host.try_transaction(&sql, []).unwrap_err();
    assert_eq!(error.code, 3091);
    assert!(error.message.contains(r#"table "t": index "one": the table has no column "b""#), "{error}");
}

#[test]
fn the_same_schema_changes_nothing() {
    let table = direct(&["a", "b"], json!({"indexes": [{"name": "i", "columns": [{"name": "a"}]}]}));
    let host = host(table.clone());
    let version = host.value("PRAGMA schema_version");
    let mut again = schema(&[table]);
    again["raw_tables"] = json!([]);
    host.replace_schema(&again);
    assert_eq!(host.value("PRAGMA schema_version"), version);
}

#[test]
fn names_can_be_anything() {
    let name = "it's a \"table\" /* ps-managed */";
    let mut table =
        direct(&["select", "a.b", "é'"], json!({"indexes": [{"name": "i\"", "columns": [{"name": "a.b"}]}]}));
    table["name"] = json!(name);
    let mut session = Session::with_schema(&schema(&[table.clone()]));
    session.put(name, "1", r#"{"select":1,"a.b":"two","é'":[3]}"#);
    session.sync();
    let quoted = name.replace('"', "\"\"");
    assert_eq!(session.host.table(&format!("SELECT * FROM \"{quoted}\"")), json!([["1", 1, "two", "[3]"]]));
    session.host.execute(&format!("UPDATE \"{quoted}\" SET \"a.b\" = 2; DELETE FROM \"{quoted}\""));
    let types: Vec<Value> = queue(&session.host)
        .iter()
        .map(|entry| serde_json::from_str::<Value>(entry.as_str().unwrap()).unwrap()["type"].clone())
        .collect();
    assert_eq!(types, [name, name]);
    session.host.replace_schema(&schema(&[]));
    assert_eq!(session.host.value("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%table%'"), 0);
}

#[test]
fn names_of_data_tables_are_not_for_direct_ones() {
    for name in ["ps_data__x", "ps_data_local__x"] {
        let mut table = direct(&[], json!({}));
        table["name"] = json!(name);
        let host = Host::open_in_memory();
        let sql = format!("SELECT powersync_replace_schema('{}')", schema(&[table]));
        assert_eq!(host.try_transaction(&sql, []).unwrap_err().code, 3091);
    }
}

#[test]
fn local_writes_are_recorded_inside_their_statement() {
    let host = host(direct(&["b", "a"], json!({"include_old": true})));
    host.execute("INSERT INTO t VALUES ('1', NULL, 'A'), ('2', 2, 'B')");
    host.execute("UPDATE t SET a = 'AA', b = b WHERE id = '1'; DELETE FROM t WHERE id = '2'");
    host.execute("INSERT INTO t VALUES ('1', 5, 'C') ON CONFLICT(id) DO UPDATE SET b = excluded.b");
    assert_eq!(
        queue(&host),
        [
            r#"{"op":"PUT","id":"1","type":"t","data":{"a":"A"}}"#,
            r#"{"op":"PUT","id":"2","type":"t","data":{"a":"B","b":2}}"#,
            r#"{"op":"PATCH","id":"1","type":"t","data":{"a":"AA"},"old":{"b":null,"a":"A"}}"#,
            r#"{"op":"DELETE","id":"2","type":"t","old":{"b":2,"a":"B"}}"#,
            r#"{"op":"PATCH","id":"1","type":"t","data":{"b":5},"old":{"b":null,"a":"AA"}}"#,
        ]
    );
    assert_eq!(host.table("SELECT * FROM t"), json!([["1", 5, "AA"]]));
    assert_eq!(
        host.table("SELECT DISTINCT row_type, row_id FROM ps_updated_rows ORDER BY 2"),
        json!([["t", "1"], ["t", "2"]])
    );
    let triggers = host.table("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 't' ORDER BY name");
    assert_eq!(triggers, json!([["ps_view_delete_t"], ["ps_view_insert_t"], ["ps_view_update_t"]]));
}

#[test]
fn replacing_a_row_is_recorded_with_and_without_recursive_triggers() {
    for (setting, operations) in [("OFF", json!(["PUT", "PUT"])), ("ON", json!(["PUT", "DELETE", "PUT"]))] {
        let host = host(direct(&["a"], json!({})));
        host.execute(&format!("PRAGMA recursive_triggers = {setting}"));
        host.execute("INSERT INTO t VALUES ('1', 'A'); REPLACE INTO t VALUES ('1', 'B')");
        assert_eq!(host.value("SELECT json_group_array(data ->> 'op') FROM ps_crud"), operations.to_string());
    }
}

#[test]
fn ids_are_text_and_do_not_change() {
    for options in [json!({}), json!({"local_only": true})] {
        let host = host(direct(&["a"], options));
        host.execute("INSERT INTO t VALUES ('1', 'A'); DELETE FROM ps_crud");
        for (id, message) in [
            ("'2'", "Cannot update id"),
            ("3", "Cannot update id"),
            ("NULL", "NOT NULL constraint failed: t.id"),
            ("x'00'", "cannot store BLOB value in TEXT column t.id"),
        ] {
            assert_eq!(host.error(&format!("UPDATE t SET id = {id}")).message, message);
        }
        host.error("INSERT INTO t VALUES (NULL, 'B')");
        assert_eq!(host.table("SELECT * FROM t"), json!([["1", "A"]]));
        assert!(queue(&host).is_empty());
    }
}

#[test]
fn insert_only_tables_record_and_keep_inserts() {
    let host = host(direct(&["a"], json!({"insert_only": true})));
    host.execute("INSERT INTO t VALUES ('1', 'A')");
    assert_eq!(queue(&host), [r#"{"op":"PUT","type":"t","id":"1","data":{"a":"A"}}"#]);
    for sql in ["UPDATE t SET a = 'B'", "DELETE FROM t"] {
        let error = host.error(sql);
        assert_eq!((error.code, error.message.as_str()), (1811, "Unexpected update on insert-only table"));
    }
    assert_eq!(host.table("SELECT * FROM t"), json!([["1", "A"]]));
    // Nothing is held back, and what the service has is shown and removed.
    let mut session = Session::start(host, &json!({}));
    session.put("t", "2", r#"{"a":"B"}"#);
    session.host.execute("DELETE FROM ps_crud");
    session.sync();
    session.put("t", "2", r#"{"a":"C"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "A"], ["2", "C"]]));
    session.remove("t", "2");
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "A"]]));
}

#[test]
fn local_only_tables_record_and_receive_nothing() {
    let mut session =
        Session::with_schema(&schema(&[direct(&["a"], json!({"local_only": true, "insert_only": true}))]));
    session.host.execute("INSERT INTO t VALUES ('1', x'00'); UPDATE t SET a = 'B'; INSERT INTO t VALUES ('2', 1)");
    session.host.execute("DELETE FROM t WHERE id = '2'");
    assert!(queue(&session.host).is_empty());
    session.put("t", "3", "{}");
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "B"]]));
    assert_eq!(session.host.table("SELECT type, id FROM ps_untyped"), json!([["t", "3"]]));
}

#[test]
fn published_rows_are_written_as_they_are_and_not_recorded() {
    let mut session = Session::with_schema(&schema(&[direct(&["i", "r", "b", "s", "j", "n"], json!({}))]));
    session.put("t", "1", r#"{"n":null,"j":{"x": [1]},"s":"1","b":true,"r":1.0,"i":9007199254740993,"x":1}"#);
    session.put("t", "2", "{}");
    session.sync();
    assert_eq!(
        session.host.table("SELECT *, typeof(r), typeof(s) FROM t"),
        json!([
            ["1", 9_007_199_254_740_993_i64, 1.0, 1, "1", r#"{"x": [1]}"#, null, "real", "text"],
            ["2", null, null, null, null, null, null, "null", "null"]
        ])
    );
    session.written_tables();
    session.put("t", "1", r#"{"i":9007199254740993,"r":1.0,"b":true,"s":"1","j":{"x": [1]}}"#);
    session.sync();
    assert_eq!(session.written_tables(), json!([]), "an equal row is not written");
    session.put("t", "1", r#"{"i":9007199254740993,"r":1,"b":true,"s":"1","j":{"x": [1]}}"#);
    session.remove("t", "2");
    session.sync();
    assert_eq!(session.written_tables(), json!(["t"]));
    assert_eq!(session.host.table("SELECT id, typeof(r) FROM t"), json!([["1", "integer"]]));
    assert!(queue(&session.host).is_empty());
}

#[test]
fn local_writes_hold_downloads_back_until_they_are_acknowledged() {
    let mut session = Session::with_schema(&schema(&[direct(&["a"], json!({}))]));
    session.host.execute("INSERT INTO t VALUES ('1', 'mine')");
    session.put("t", "1", r#"{"a":"theirs"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "mine"]]));
    session.host.execute("DELETE FROM ps_crud");
    session.host.control("target_checkpoint_request_id", 1);
    session.service.write_checkpoint = Some(1);
    session.put("t", "2", r#"{"a":"more"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "theirs"], ["2", "more"]]));
}

#[test]
fn direct_tables_are_known_from_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("direct.db");
    Host::open(&file).replace_schema(&schema(&[direct(&["a"], json!({}))]));
    // Neither this connection nor its start options have heard of the schema.
    let mut session = Session::start(Host::open(&file), &json!({"schema": {"tables": []}}));
    session.put("t", "1", r#"{"a":"A"}"#);
    session.put("T", "2", r#"{"a":"A"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "A"]]));
    assert_eq!(session.host.table("SELECT type, id FROM ps_untyped"), json!([["T", "2"]]));
}

#[test]
fn tables_of_the_application_are_left_alone() {
    let host = Host::open_in_memory();
    host.execute(
        "CREATE TABLE mine(id TEXT PRIMARY KEY, a /* ps-managed */);
         CREATE TABLE other(a, id TEXT /* ps-managed */);
         CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a); INSERT INTO t VALUES ('1', 'A')",
    );
    host.replace_schema(&schema(&[]));
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('mine', 'other', 't')"), 3);
    let sql = format!("SELECT powersync_replace_schema('{}')", schema(&[direct(&["a"], json!({}))]));
    let error = host.try_transaction(&sql, []).unwrap_err();
    assert_eq!(error.code, 3091, "{error}");
    assert!(error.message.contains("\"t\"") && error.message.contains("not managed by PowerSync"), "{error}");
    // Rows of their types are no business of theirs.
    let mut session = Session::start(host, &json!({}));
    ["mine", "other", "t"].iter().for_each(|name| session.put(name, "2", "{}"));
    session.sync();
    assert_eq!(session.host.value("SELECT count(*) FROM ps_untyped"), 3);
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "A"]]));
}

#[test]
fn tables_live_in_the_main_database() {
    let host = Host::open_in_memory();
    host.execute(
        "CREATE TEMP TABLE t(mine); ATTACH ':memory:' AS other; CREATE TABLE other.t(mine);
         CREATE TEMP VIEW ps_data__t AS SELECT 1 AS id, 2 AS data",
    );
    host.replace_schema(&schema(&[direct(&["a"], json!({}))]));
    let mut session = Session::start(host, &json!({}));
    session.put("t", "1", r#"{"a":"A"}"#);
    session.sync();
    session.host.execute("UPDATE main.t SET a = 'B'");
    assert_eq!(queue(&session.host), [r#"{"op":"PATCH","id":"1","type":"t","data":{"a":"B"}}"#]);
    session.host.replace_schema(&schema(&[direct(&["b"], json!({}))]));
    session.host.replace_schema(&schema(&[]));
    assert_eq!(session.host.table("SELECT type, id FROM ps_untyped"), json!([["t", "1"]]));
    session.host.transaction("SELECT powersync_clear(1)", []);
    assert_eq!(session.host.table("SELECT name FROM pragma_table_info('t', 'temp')"), json!([["mine"]]));
    assert_eq!(session.host.table("SELECT name FROM pragma_table_info('t', 'other')"), json!([["mine"]]));
}

#[test]
fn defensive_and_untrusting_connections_work() {
    let host = Host::open_in_memory();
    let connection = host.connection();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).unwrap();
    host.replace_schema(&schema(&[direct(&["a", "b"], json!({"include_old": true}))]));
    host.execute("INSERT INTO t VALUES ('1', 'A', 'B'); UPDATE t SET a = 'C'; DELETE FROM t");
    assert_eq!(queue(&host).len(), 3);
    host.replace_schema(&schema(&[direct(&["c", "b"], json!({"insert_only": true}))]));
    host.execute("INSERT INTO t(id, b) VALUES ('2', 'B')");
    assert_eq!(queue(&host).last().unwrap(), r#"{"op":"PUT","type":"t","id":"2","data":{"b":"B"}}"#);
}
