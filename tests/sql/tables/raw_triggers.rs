//! `powersync_create_raw_table_crud_trigger` (docs/reference/schema.md#raw-tables).

use rowtide_testkit::Host;
use serde_json::{Value, json};

const WRITES: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];
/// With types by which the view shows what the table holds, but for whole reals.
const COLUMNS: [(&str, &str); 4] = [("z", ""), ("a", "text"), ("q\"x", ""), ("n", "")];

fn create(host: &Host, table: &Value, write: &str) {
    let call = "SELECT powersync_create_raw_table_crud_trigger(?, ?, ?)";
    let name = format!("record {write}");
    assert_eq!(host.value_with(call, [&table.to_string(), &name, write]), Value::Null);
}

/// A host with the raw table `items` for type `it's`, and triggers with these options.
fn recorded(options: &Value) -> Host {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, z, a TEXT, \"q\"\"x\", n, g AS (a || 'g'))");
    let mut table = json!({"name": "it's", "table_name": "items"});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    WRITES.iter().for_each(|write| create(&host, &table, write));
    host
}

fn queue(host: &Host) -> Vec<Value> {
    host.rows("SELECT data FROM ps_crud ORDER BY id").into_iter().flatten().collect()
}

/// The queued entries of writes to a view named `items` over a JSON table of the same columns and options.
fn as_view(options: &Value) -> Host {
    let host = Host::open_in_memory();
    let columns: Vec<Value> = COLUMNS.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    let mut table = json!({"name": "it's", "view_name": "items", "columns": columns});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    host.replace_schema(&json!({"tables": [table]}));
    host
}

#[test]
fn writes_are_recorded_as_those_of_views() {
    let writes = [
        r#"INSERT INTO items(id, z, a, "q""x", n) VALUES ('1', 1, 'it''s', 2.5, NULL), ('2', NULL, json('[1]'), -0.5, 0)"#,
        "UPDATE items SET a = 'changed', n = 1.5 WHERE id = '1'",
        "UPDATE items SET a = a, n = NULL",
        "UPDATE items SET n = NULL",
        r#"UPDATE items SET "q""x" = 9007199254740993, z = 1.25e100 WHERE id = '2'"#,
        "DELETE FROM items",
    ];
    for options in [
        json!({}),
        json!({"include_old": true}),
        json!({"include_old": ["n", "missing", "a"]}),
        json!({"include_old": true, "include_old_only_when_changed": true}),
        json!({"include_old": ["z"], "include_old_only_when_changed": true}),
        json!({"ignore_empty_update": true}),
        json!({"local_only": true}),
    ] {
        let (raw, view) = (recorded(&options), as_view(&options));
        for sql in writes {
            raw.execute(sql);
            view.execute(sql);
            assert_eq!(queue(&raw), queue(&view), "{options}, after {sql}");
        }
        let tables = ["ps_kv WHERE key LIKE '%checkpoint%'", "(SELECT DISTINCT row_type, row_id FROM ps_updated_rows)"];
        for table in tables.map(|table| format!("SELECT * FROM {table}")) {
            assert_eq!(raw.table(&table), view.table(&table));
        }
    }
}

#[test]
fn insert_only_tables_record_inserts_and_refuse_the_rest() {
    let options = json!({"insert_only": true});
    let (raw, view) = (recorded(&options), as_view(&options));
    for host in [&raw, &view] {
        host.execute("INSERT INTO items(id, z, a) VALUES ('1', 1, NULL)");
    }
    assert_eq!(queue(&raw), [r#"{"op":"PUT","type":"it's","id":"1","data":{"z":1}}"#]);
    assert_eq!(queue(&raw), queue(&view));
    // Downloads are not held back.
    assert_eq!(raw.table("SELECT row_type, row_id FROM ps_updated_rows"), json!([]));
    assert_eq!(raw.table("SELECT * FROM ps_kv WHERE key != 'client_id'"), json!([]));
    for sql in ["UPDATE items SET a = 'x'", "DELETE FROM items"] {
        let error = raw.error(sql);
        assert_eq!((error.code, error.message.as_str()), (1811, "Unexpected update on insert-only table"));
    }
    assert_eq!(raw.table("SELECT id, a FROM items"), json!([["1", null]]));
    assert_eq!(queue(&raw).len(), 1);
}

#[test]
fn only_synced_columns_are_recorded_and_watched() {
    let host = recorded(&json!({"synced_columns": ["a", "q\"x", "missing", "id"], "include_old": true}));
    host.execute("INSERT INTO items(id, z, a) VALUES ('1', 'mine', 'A')");
    host.execute("UPDATE items SET z = 'changed'");
    host.execute("UPDATE items SET a = a, n = 1");
    host.execute("UPDATE items SET a = 'a', z = 0");
    host.execute("UPDATE items SET a = NULL");
    host.execute("DELETE FROM items");
    assert_eq!(
        queue(&host),
        [
            r#"{"op":"PUT","id":"1","type":"it's","data":{"a":"A"}}"#,
            r#"{"op":"PATCH","id":"1","type":"it's","data":{"a":"a"},"old":{"a":"A","q\"x":null}}"#,
            r#"{"op":"PATCH","id":"1","type":"it's","data":{"a":null},"old":{"a":"a","q\"x":null}}"#,
            r#"{"op":"DELETE","id":"1","type":"it's","old":{"a":null,"q\"x":null}}"#,
        ]
    );
}

#[test]
fn a_collation_hides_no_change_of_a_synced_column() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE items(id TEXT PRIMARY KEY, a TEXT COLLATE NOCASE, b)");
    create(&host, &json!({"name": "t", "table_name": "items", "synced_columns": ["a"]}), "UPDATE");
    host.execute("INSERT INTO items VALUES ('1', 'x', 1); UPDATE items SET a = 'X'");
    assert_eq!(queue(&host), [r#"{"op":"PATCH","id":"1","type":"t","data":{"a":"X"}}"#]);
}

#[test]
fn without_synced_columns_updates_are_not_recorded() {
    let host = recorded(&json!({"synced_columns": []}));
    host.execute("INSERT INTO items(id, a) VALUES ('1', 'A'); UPDATE items SET a = 'B'; DELETE FROM items");
    assert_eq!(
        queue(&host),
        [r#"{"op":"PUT","id":"1","type":"it's","data":{}}"#, r#"{"op":"DELETE","id":"1","type":"it's"}"#]
    );
}

#[test]
fn the_id_does_not_change() {
    for options in [json!({}), json!({"synced_columns": ["a"]}), json!({"local_only": true})] {
        let host = recorded(&options);
        host.execute("INSERT INTO items(id) VALUES ('1'); DELETE FROM ps_crud");
        for id in ["'2'", "2", "x'31'", "'1 '"] {
            let error = host.error(&format!("UPDATE items SET id = {id}, a = 'changed'"));
            assert_eq!((error.code, error.message.as_str()), (1811, "Cannot update id"), "{options} {id}");
        }
        assert_eq!(host.table("SELECT id FROM items"), json!([["1"]]));
        assert!(queue(&host).is_empty());
    }
    // Where the table takes NULL.
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE items(id TEXT PRIMARY KEY, a); INSERT INTO items VALUES ('1', 'A')");
    create(&host, &json!({"name": "t", "table_name": "items"}), "UPDATE");
    assert_eq!(host.error("UPDATE items SET id = NULL").message, "Cannot update id");
}

#[test]
fn an_update_of_other_columns_than_the_synced_ones_may_change_the_id() {
    // As with triggers that published versions have made.
    let host = recorded(&json!({"synced_columns": ["a"]}));
    host.execute("INSERT INTO items(id, a) VALUES ('1', 'A'); DELETE FROM ps_crud");
    host.execute("UPDATE items SET id = '2', z = 5");
    assert_eq!(host.table("SELECT id, a, z FROM items"), json!([["2", "A", 5]]));
    assert!(queue(&host).is_empty());
}

#[test]
fn rows_without_a_text_as_id_can_be_written() {
    // As with published versions: what an application's table takes, its triggers record.
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE items(id, a)");
    for write in ["INSERT", "UPDATE", "DELETE"] {
        create(&host, &json!({"name": "t", "table_name": "items"}), write);
    }
    for id in ["NULL", "5", "1.5", "x'41'"] {
        host.execute(&format!("INSERT INTO items VALUES ({id}, 'A'); UPDATE items SET a = 'B'; DELETE FROM items"));
    }
    let entries = |id: &str| {
        [
            format!(r#"{{"op":"PUT","id":"{id}","type":"t","data":{{"a":"A"}}}}"#),
            format!(r#"{{"op":"PATCH","id":"{id}","type":"t","data":{{"a":"B"}}}}"#),
            format!(r#"{{"op":"DELETE","id":"{id}","type":"t"}}"#),
        ]
    };
    assert_eq!(queue(&host), ["", "5", "1.5", "A"].map(entries).concat());
}

#[test]
fn a_trigger_of_the_application_can_give_a_row_its_id() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE items(id TEXT PRIMARY KEY, a)");
    for write in ["INSERT", "UPDATE"] {
        create(&host, &json!({"name": "t", "table_name": "items"}), write);
    }
    host.execute(
        "CREATE TRIGGER give_id AFTER INSERT ON items WHEN NEW.id IS NULL
         BEGIN UPDATE items SET id = 'given' WHERE rowid = NEW.rowid; END;
         INSERT INTO items(a) VALUES ('A')",
    );
    assert_eq!(host.table("SELECT * FROM items"), json!([["given", "A"]]));
    let mut recorded = queue(&host);
    recorded.sort_by_key(Value::to_string);
    let expected =
        [r#"{"op":"PATCH","id":"given","type":"t","data":{}}"#, r#"{"op":"PUT","id":"","type":"t","data":{"a":"A"}}"#];
    assert_eq!(recorded, expected);
}

#[test]
fn a_refused_update_is_undone_as_a_whole() {
    let host = recorded(&json!({}));
    host.execute("INSERT INTO items(id, n) VALUES ('1', 1), ('2', 2); DELETE FROM ps_crud");
    host.execute("BEGIN");
    assert_eq!(host.error("UPDATE items SET id = CASE id WHEN '1' THEN '1' ELSE '3' END, n = n + 10").code, 1811);
    host.execute("COMMIT");
    assert_eq!(host.table("SELECT id, n FROM items"), json!([["1", 1], ["2", 2]]));
    assert!(queue(&host).is_empty());
}

#[test]
fn published_rows_are_not_recorded() {
    let host = recorded(&json!({}));
    host.replace_schema(&json!({"tables": [], "raw_tables": [{"name": "it's", "table_name": "items"}]}));
    let mut session = rowtide_testkit::session::Session::start(host, &json!({}));
    session.put("it's", "1", r#"{"a":"A"}"#);
    session.put("it's", "2", r#"{"a":"A"}"#);
    session.sync();
    session.put("it's", "1", r#"{"a":"B"}"#);
    session.remove("it's", "2");
    session.sync();
    assert_eq!(session.host.table("SELECT id, a FROM items"), json!([["1", "B"]]));
    assert!(queue(&session.host).is_empty());
}

#[test]
fn text_from_json_functions_stays_text_and_blobs_are_refused() {
    let host = recorded(&json!({}));
    host.execute("INSERT INTO items(id, z) VALUES ('1', json_object('x', 1))");
    assert_eq!(queue(&host), [r#"{"op":"PUT","id":"1","type":"it's","data":{"z":"{\"x\":1}"}}"#]);
    assert!(host.error("INSERT INTO items(id, z) VALUES ('2', x'ff')").message.contains("BLOB"));
    assert_eq!(host.value("SELECT count(*) FROM items"), 1);
}

#[test]
fn tables_can_have_many_columns() {
    let host = Host::open_in_memory();
    host.initialize();
    let names: Vec<String> = (0..1999).map(|number| format!("c{number:04}")).collect();
    host.execute(&format!("CREATE TABLE wide(id TEXT PRIMARY KEY, {})", names.join(", ")));
    let table = json!({"name": "wide", "table_name": "wide", "synced_columns": names, "include_old": true});
    WRITES.iter().for_each(|write| create(&host, &table, write));
    host.execute("INSERT INTO wide(id, c0000, c1998) VALUES ('1', 0, 1998); UPDATE wide SET c1000 = 1000");
    let entries = queue(&host);
    assert_eq!(entries[0], r#"{"op":"PUT","id":"1","type":"wide","data":{"c0000":0,"c1998":1998}}"#);
    let update: Value = serde_json::from_str(entries[1].as_str().unwrap()).unwrap();
    assert_eq!(update["data"], json!({"c1000": 1000}));
    assert_eq!(update["old"].as_object().unwrap().len(), 1999);
}

#[test]
fn triggers_call_only_what_published_versions_have() {
    let host = recorded(&json!({"include_old": true, "include_old_only_when_changed": true}));
    let functions = ["json_object(", "powersync_strip_subtype(", "powersync_diff(", "powersync_in_sync_operation("];
    for trigger in host.rows("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'items'") {
        let mut sql = trigger[0].as_str().unwrap().to_owned();
        functions.iter().for_each(|function| sql = sql.replace(function, ""));
        sql = sql.replace("powersync_crud(", "");
        assert!(!sql.contains("powersync_"), "{sql}");
    }
}

#[test]
fn wrong_arguments_are_argument_errors() {
    let host = recorded(&json!({}));
    let table = r#"{"name":"t","table_name":"items"}"#;
    for (arguments, problem) in [
        ([Some(table), Some("x"), Some("update")], "unexpected write type \"update\""),
        ([Some(table), Some("x"), Some("REPLACE")], "unexpected write type \"REPLACE\""),
        ([None, Some("x"), Some("INSERT")], "must be text"),
        ([Some(table), None, Some("INSERT")], "must be text"),
        ([Some(table), Some("x"), None], "must be text"),
        ([Some("{"), Some("x"), Some("INSERT")], "raw table"),
        ([Some(r#"{"table_name":"items"}"#), Some("x"), Some("INSERT")], "name"),
        ([Some(r#"{"name":"t"}"#), Some("x"), Some("INSERT")], "Raw table t has no local name"),
        ([Some(r#"{"name":"t","table_name":"gone"}"#), Some("x"), Some("INSERT")], "Could not find gone"),
        ([Some(r#"{"name":"t","table_name":"ps_tx"}"#), Some("x"), Some("INSERT")], ""),
    ] {
        let call = "SELECT powersync_create_raw_table_crud_trigger(?, ?, ?)";
        let outcome = host.try_rows(call, arguments);
        if problem.is_empty() {
            assert!(outcome.is_ok());
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!(error.code, 3091, "{error}");
        let start = "powersync_create_raw_table_crud_trigger: invalid argument: ";
        assert!(error.message.starts_with(start) && error.message.contains(problem), "{error}");
    }
    let again =
        host.error(&format!("SELECT powersync_create_raw_table_crud_trigger('{table}', 'record INSERT', 'INSERT')"));
    assert!(again.message.contains("already exists"), "{again}");
    host.execute("CREATE TABLE no_id(a)");
    let no_id = r#"SELECT powersync_create_raw_table_crud_trigger('{"name":"t","table_name":"no_id"}', 'x', 'INSERT')"#;
    assert!(host.error(no_id).message.contains("Table no_id has no id column"));
}
