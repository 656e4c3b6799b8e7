//! What writes through views store and record (docs/reference/schema.md#what-a-write-through-a-view-does,
//! docs/reference/schema.md#the-upload-queue-entry).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

fn host(options: Value) -> Host {
    let columns =
        json!([{"name": "b", "type": "text"}, {"name": "a", "type": "integer"}, {"name": "c", "type": "real"}]);
    let mut table = json!({"name": "typed", "view_name": "v", "columns": columns});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [table]}));
    host
}

/// The queue's entries, which are left out of it: each test looks at what it has written.
fn entries(host: &Host) -> Vec<String> {
    let entries = host.rows("SELECT data FROM ps_crud ORDER BY id");
    host.execute("DELETE FROM ps_crud");
    entries.into_iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

fn stored(host: &Host) -> Value {
    host.table("SELECT id, data FROM ps_data__typed ORDER BY id")
}

#[test]
fn an_insert_stores_all_columns_in_their_order_and_records_those_with_a_value_by_name() {
    let host = host(json!({}));
    host.execute("INSERT INTO v(id, c, b) VALUES ('1', 1.5, 'x'); INSERT INTO v(id) VALUES ('2')");
    assert_eq!(
        stored(&host),
        json!([["1", r#"{"b":"x","a":null,"c":1.5}"#], ["2", r#"{"b":null,"a":null,"c":null}"#]])
    );
    assert_eq!(
        entries(&host),
        [
            r#"{"op":"PUT","id":"1","type":"typed","data":{"b":"x","c":1.5}}"#,
            r#"{"op":"PUT","id":"2","type":"typed","data":{}}"#
        ]
    );
}

#[test]
fn an_insert_needs_a_text_id() {
    let host = host(json!({}));
    for (id, message) in [
        ("NULL", "id is required when inserting into v"),
        ("1", "id should be text when inserting into v"),
        ("1.5", "id should be text"),
        ("x'61'", "id should be text"),
    ] {
        let error = host.try_execute(&format!("INSERT INTO v(id) VALUES ({id})")).unwrap_err();
        assert!(error.message.starts_with(message), "{error}");
        assert_eq!(error.code & 0xff, 19, "{error}");
    }
    assert_eq!((stored(&host), entries(&host).len()), (json!([]), 0));
    // RAISE(FAIL) keeps the rows before.
    let error = host.try_execute("INSERT INTO v(id) VALUES ('1'), (NULL), ('3')").unwrap_err();
    assert!(error.message.starts_with("id is required"), "{error}");
    assert_eq!(entries(&host), [r#"{"op":"PUT","id":"1","type":"typed","data":{}}"#]);
}

#[test]
fn conflicts_are_those_of_the_data_table() {
    let host = host(json!({}));
    host.execute("INSERT INTO v(id, b) VALUES ('1', 'old')");
    entries(&host);
    let error = host.try_execute("INSERT INTO v(id, b) VALUES ('2', 'x'), ('1', 'y')").unwrap_err();
    assert!(error.message.starts_with("UNIQUE constraint failed: ps_data__typed.id"), "{error}");
    assert_eq!(entries(&host), [""; 0]);
    host.execute("INSERT OR IGNORE INTO v(id, b) VALUES ('1', 'ignored'), ('2', 'x')");
    assert_eq!(host.table("SELECT id, b FROM v ORDER BY id"), json!([["1", "old"], ["2", "x"]]));
    assert_eq!(
        entries(&host),
        [r#"{"op":"PUT","id":"2","type":"typed","data":{"b":"x"}}"#],
        "nothing for the ignored row"
    );
    host.execute("INSERT OR REPLACE INTO v(id, a) VALUES ('1', 7)");
    assert_eq!(entries(&host), [r#"{"op":"PUT","id":"1","type":"typed","data":{"a":7}}"#]);
    assert_eq!(host.table("SELECT a, b FROM v WHERE id = '1'"), json!([[7, null]]));
}

#[test]
fn an_update_records_what_changes() {
    let host = host(json!({}));
    host.execute("INSERT INTO v(id, b, a, c) VALUES ('1', 'x', 1, 1.5)");
    entries(&host);
    for (update, data) in [
        ("b = 'y', a = 1", r#"{"b":"y"}"#),
        ("b = NULL, c = 2.5", r#"{"b":null,"c":2.5}"#),
        ("b = 'z', a = a + 1", r#"{"a":2,"b":"z"}"#),
        ("a = 2", "{}"),
        // SQLite converts to the type of the column first.
        ("a = 2.0", "{}"),
        ("a = 'two'", r#"{"a":"two"}"#),
        ("a = 2", r#"{"a":2}"#),
        ("c = 2.50", "{}"),
    ] {
        host.execute(&format!("UPDATE v SET {update} WHERE id = '1'"));
        assert_eq!(entries(&host), [format!(r#"{{"op":"PATCH","id":"1","type":"typed","data":{data}}}"#)], "{update}");
    }
    host.execute("UPDATE v SET a = 1 WHERE id = 'none'");
    assert!(entries(&host).is_empty());
    assert_eq!(stored(&host), json!([["1", r#"{"b":"z","a":2,"c":2.5}"#]]));
}

#[test]
fn an_id_does_not_change() {
    for options in [json!({}), json!({"include_metadata": true}), json!({"local_only": true})] {
        let host = host(options.clone());
        host.execute("INSERT INTO v(id) VALUES ('1')");
        entries(&host);
        for value in ["'2'", "NULL", "2", "x'31'"] {
            let error = host.try_execute(&format!("UPDATE v SET id = {value}, b = 'x'")).unwrap_err();
            assert!(error.message.starts_with("Cannot update id"), "{options}, {value}: {error}");
        }
        assert_eq!(host.table("SELECT id, b FROM v"), json!([["1", null]]));
        assert!(entries(&host).is_empty());
        host.execute("UPDATE v SET id = '1', b = 'x'");
        assert_eq!(host.value("SELECT b FROM v"), "x");
    }
    // SQLite converts to the type of the column first.
    let host = host(json!({}));
    host.execute("INSERT INTO v(id) VALUES ('1'); UPDATE v SET id = 1, b = 'x'");
    assert_eq!(host.table("SELECT id, typeof(id), b FROM v"), json!([["1", "text", "x"]]));
}

#[test]
fn a_delete_records_the_id() {
    let host = host(json!({}));
    host.execute("INSERT INTO v(id, b) VALUES ('1', 'x'), ('2', 'y')");
    entries(&host);
    host.execute("DELETE FROM v WHERE b = 'x'");
    assert_eq!(entries(&host), [r#"{"op":"DELETE","id":"1","type":"typed"}"#]);
    assert_eq!(host.table("SELECT id FROM v"), json!([["2"]]));
}

#[test]
fn old_values_of_all_columns() {
    let host = host(json!({"include_old": true}));
    host.execute("INSERT INTO v(id, b, a) VALUES ('1', 'x', 1); UPDATE v SET a = 2; DELETE FROM v");
    assert_eq!(
        entries(&host),
        [
            r#"{"op":"PUT","id":"1","type":"typed","data":{"a":1,"b":"x"}}"#,
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"a":2},"old":{"b":"x","a":1,"c":null}}"#,
            r#"{"op":"DELETE","id":"1","type":"typed","old":{"b":"x","a":2,"c":null}}"#
        ]
    );
}

#[test]
fn old_values_of_listed_columns_come_in_column_order() {
    let host = host(json!({"include_old": ["c", "nope", "b"]}));
    host.execute("INSERT INTO v(id, b, a) VALUES ('1', 'x', 1); UPDATE v SET a = 2; DELETE FROM v");
    assert_eq!(
        entries(&host)[1..],
        [
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"a":2},"old":{"b":"x","c":null}}"#,
            r#"{"op":"DELETE","id":"1","type":"typed","old":{"b":"x","c":null}}"#
        ]
    );
}

#[test]
fn old_values_only_when_changed() {
    let host = host(json!({"include_old": ["c", "a"], "include_old_only_when_changed": true}));
    host.execute(
        "INSERT INTO v(id, b, a) VALUES ('1', 'x', 1); UPDATE v SET a = 2, b = 'y'; UPDATE v SET c = 1.5, a = NULL;
         UPDATE v SET b = 'z'; DELETE FROM v",
    );
    assert_eq!(
        entries(&host)[1..],
        [
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"a":2,"b":"y"},"old":{"a":1}}"#,
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"a":null,"c":1.5},"old":{"a":2,"c":null}}"#,
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"b":"z"},"old":{}}"#,
            r#"{"op":"DELETE","id":"1","type":"typed","old":{"a":null,"c":1.5}}"#
        ]
    );
}

#[test]
fn metadata_is_recorded_and_not_stored() {
    let host = host(json!({"include_metadata": true}));
    assert_eq!(
        host.table("SELECT name FROM pragma_table_info('v') WHERE cid > 3"),
        json!([["_metadata"], ["_deleted"]])
    );
    host.execute(
        "INSERT INTO v(id, b, _metadata) VALUES ('1', 'x', 'made \"it\"'); UPDATE v SET b = 'y', _metadata = 'changed';
         UPDATE v SET b = 'z'; UPDATE v SET _metadata = 5",
    );
    assert_eq!(host.table("SELECT b, _metadata, _deleted FROM v"), json!([["z", null, null]]));
    assert_eq!(
        entries(&host),
        [
            r#"{"op":"PUT","id":"1","type":"typed","data":{"b":"x"},"metadata":"made \"it\""}"#,
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"b":"y"},"metadata":"changed"}"#,
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"b":"z"}}"#,
            r#"{"op":"PATCH","id":"1","type":"typed","data":{},"metadata":"5"}"#
        ]
    );
}

#[test]
fn a_delete_with_metadata() {
    let host = host(json!({"include_metadata": true, "include_old": true}));
    host.execute("INSERT INTO v(id, b) VALUES ('1', 'x'), ('2', 'y'), ('3', 'z')");
    entries(&host);
    host.execute("UPDATE v SET _deleted = TRUE, _metadata = 'bye', b = 'w' WHERE id = '1'");
    host.execute("UPDATE v SET _deleted = TRUE WHERE id = '2'");
    host.execute("UPDATE v SET _deleted = FALSE, b = 'kept' WHERE id = '3'");
    assert_eq!(
        entries(&host),
        [
            r#"{"op":"DELETE","id":"1","type":"typed","old":{"b":"x","a":null,"c":null},"metadata":"bye"}"#,
            r#"{"op":"DELETE","id":"2","type":"typed","old":{"b":"y","a":null,"c":null}}"#,
            r#"{"op":"PATCH","id":"3","type":"typed","data":{"b":"kept"},"old":{"b":"z","a":null,"c":null}}"#
        ]
    );
    assert_eq!(host.table("SELECT id FROM v"), json!([["3"]]));
}

#[test]
fn empty_updates_can_be_ignored_but_not_their_metadata() {
    let host = host(json!({"ignore_empty_update": true, "include_metadata": true, "include_old": true}));
    host.execute("INSERT INTO v(id, b) VALUES ('1', 'x')");
    host.execute("DELETE FROM ps_updated_rows; UPDATE ps_tx SET next_tx = 100");
    entries(&host);
    host.execute("UPDATE v SET b = 'x'");
    assert!(entries(&host).is_empty());
    assert_eq!(host.value("SELECT next_tx FROM ps_tx"), 100);
    host.execute("UPDATE v SET b = 'x', _metadata = 'seen'");
    assert_eq!(
        entries(&host),
        [r#"{"op":"PATCH","id":"1","type":"typed","data":{},"old":{"b":"x","a":null,"c":null},"metadata":"seen"}"#]
    );
}

#[test]
fn an_ignored_update_does_not_lose_what_is_no_column() {
    let schema = |columns: &[&str]| {
        let columns: Vec<_> = columns.iter().map(|name| json!({"name": name})).collect();
        json!({"tables": [{"name": "t", "columns": columns, "ignore_empty_update": true}]})
    };
    let mut session = Session::with_schema(&schema(&["a"]));
    session.put("t", "1", r#"{"a": "x", "later": "y"}"#);
    session.sync();
    session.host.execute("UPDATE t SET a = 'x'");
    session.sync();
    session.host.replace_schema(&schema(&["a", "later"]));
    assert_eq!(session.host.table("SELECT id, a, later FROM t"), json!([["1", "x", "y"]]));
    assert_consistent(&session.host);
}

#[test]
fn local_only_tables_record_nothing() {
    let host = host(json!({"local_only": true, "insert_only": true, "include_metadata": true, "include_old": true}));
    host.execute("INSERT INTO v(id, b) VALUES ('1', 'x'), (2, 'y'), ('3', 'z'); UPDATE v SET b = b || '!'");
    host.execute("DELETE FROM v WHERE id = '1'; UPDATE v SET _deleted = TRUE WHERE id = '3'");
    assert_eq!(host.table("SELECT id, b, typeof(id) FROM v"), json!([["2", "y!", "text"]]));
    let error = host.try_execute("INSERT INTO v(id) VALUES (NULL)").unwrap_err();
    assert!(error.message.starts_with("NOT NULL constraint failed: ps_data_local__typed.id"), "{error}");
    assert!(entries(&host).is_empty());
    assert_eq!(host.table("SELECT (SELECT count(*) FROM ps_updated_rows), next_tx FROM ps_tx"), json!([[0, 1]]));
    assert_eq!(host.table("SELECT key FROM ps_kv"), json!([["client_id"]]));
}

#[test]
fn insert_only_tables_record_inserts_and_hold_nothing_back() {
    let host = host(json!({"insert_only": true, "include_metadata": true, "include_old": true}));
    host.execute("INSERT INTO v(id, b, c, _metadata) VALUES ('1', 'x', 1.5, NULL), ('2', 'y', NULL, 'm')");
    assert_eq!(
        entries(&host),
        [
            r#"{"op":"PUT","type":"typed","id":"1","data":{"b":"x","c":1.5}}"#,
            r#"{"op":"PUT","type":"typed","id":"2","data":{"b":"y"},"metadata":"m"}"#
        ]
    );
    assert_eq!(stored(&host), json!([]));
    assert_eq!(host.table("SELECT (SELECT count(*) FROM ps_updated_rows), next_tx FROM ps_tx"), json!([[0, 2]]));
    assert_eq!(host.table("SELECT key FROM ps_kv"), json!([["client_id"]]));
    for write in ["UPDATE v SET b = 'x'", "DELETE FROM v"] {
        assert!(host.try_execute(write).unwrap_err().message.starts_with("cannot modify v because it is a view"));
    }
    assert!(host.try_execute("INSERT INTO v(id) VALUES (NULL)").unwrap_err().message.starts_with("id is required"));
}

#[test]
fn values_are_taken_as_they_are() {
    let host = host(json!({"include_old": true}));
    host.execute("INSERT INTO v(id, b, a) VALUES ('1', json('{\"x\" : 1}'), '9007199254740993')");
    assert_eq!(
        entries(&host),
        [r#"{"op":"PUT","id":"1","type":"typed","data":{"a":"9007199254740993","b":"{\"x\":1}"}}"#]
    );
    assert_eq!(stored(&host), json!([["1", r#"{"b":"{\"x\":1}","a":"9007199254740993","c":null}"#]]));
    host.execute("UPDATE v SET b = json_array(1), c = 0.1 + 0.2");
    let old = r#"{"b":"{\"x\":1}","a":9007199254740993,"c":null}"#;
    assert_eq!(
        entries(&host),
        [format!(
            r#"{{"op":"PATCH","id":"1","type":"typed","data":{{"b":"[1]","c":0.30000000000000004}},"old":{old}}}"#
        )]
    );
    assert_eq!(stored(&host), json!([["1", r#"{"b":"[1]","a":9007199254740993,"c":0.30000000000000004}"#]]));
}

#[test]
fn values_that_json_cannot_hold_are_refused() {
    let host = host(json!({}));
    for (value, problem) in [
        ("x'00'", r#"column "b": JSON cannot hold BLOB values"#),
        ("x''", "JSON cannot hold BLOB values"),
        ("9e999", r#"column "b": JSON cannot hold infinite numbers"#),
        ("CAST(x'ff' AS TEXT)", "not valid UTF-8"),
    ] {
        let error = host.try_execute(&format!("INSERT INTO v(id, b) VALUES ('1', {value})")).unwrap_err();
        assert!(error.message.contains(problem), "{error}");
        assert!(error.message.starts_with("powersync_row_"), "{error}");
    }
    assert_eq!((stored(&host), entries(&host).len()), (json!([]), 0));
}

#[test]
fn local_only_tables_hold_infinite_numbers() {
    let host = host(json!({"local_only": true}));
    host.execute("INSERT INTO v(id, c) VALUES ('1', -9e999)");
    assert_eq!(host.table("SELECT c FROM v"), json!([[{"real": "-inf"}]]));
}

#[test]
fn a_row_with_an_infinite_number_can_still_be_deleted() {
    let host = host(json!({"include_old": true}));
    host.execute(
        r#"INSERT INTO ps_data__typed(id, data) VALUES ('1', '{"c":1e400}'); UPDATE v SET a = 1; DELETE FROM v"#,
    );
    assert_eq!(
        entries(&host),
        [
            r#"{"op":"PATCH","id":"1","type":"typed","data":{"a":1},"old":{"b":null,"a":null,"c":null}}"#,
            r#"{"op":"DELETE","id":"1","type":"typed","old":{"b":null,"a":1,"c":null}}"#
        ]
    );
}

#[test]
fn writes_work_with_and_without_recursive_triggers() {
    for recursive in ["ON", "OFF"] {
        let host = host(json!({}));
        host.execute(&format!("PRAGMA recursive_triggers = {recursive}"));
        host.execute("INSERT INTO v(id, b) VALUES ('1', 'x'); INSERT OR REPLACE INTO v(id, b) VALUES ('1', 'y')");
        host.execute("UPDATE v SET b = 'z'; DELETE FROM v");
        assert_eq!(entries(&host).len(), 4, "{recursive}");
    }
}
