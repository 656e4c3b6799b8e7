//! `powersync_crud` and `powersync_crud_` used directly, as triggers of applications do
//! (docs/reference/functions.md#powersync_crud; docs/reliability.md#traps, trap 13).

use rowtide_testkit::Host;
use serde_json::json;

fn host() -> Host {
    let host = Host::open_in_memory();
    host.initialize();
    host
}

fn last_entry(host: &Host) -> serde_json::Value {
    host.value("SELECT data FROM ps_crud ORDER BY id DESC LIMIT 1")
}

#[test]
fn entries_are_built_from_their_parts() {
    let host = host();
    for (columns, values, entry) in [
        ("op, id, type", "'DELETE', 'i', 't'", r#"{"op":"DELETE","id":"i","type":"t"}"#),
        (
            "op, id, type, data",
            "'PUT', 'i\"', 't', '{\"z\": 1, \"a\": 2}'",
            r#"{"op":"PUT","id":"i\"","type":"t","data":{"z": 1, "a": 2}}"#,
        ),
        (
            "op, id, type, data, old_values, metadata",
            "'PATCH', 'i', 't', ' [1] ', '{}', 'm'",
            r#"{"op":"PATCH","id":"i","type":"t","data": [1] ,"old":{},"metadata":"m"}"#,
        ),
        ("op, id, type, data, old_values", "'PATCH', 'i', 't', 5, x'7b7d'", r#"{"op":"PATCH","id":"i","type":"t"}"#),
        ("op, id, type, data, metadata", "'PUT', 1, 2, NULL, 3", r#"{"op":"PUT","id":"1","type":"2","metadata":"3"}"#),
        ("op, id, type, data, options", "'PUT', 'i', 't', '{}', 31", r#"{"op":"PUT","id":"i","type":"t","data":{}}"#),
        (
            "op, id, type, data",
            "'PUT', 'i', 't', json_object('a', 1.5)",
            r#"{"op":"PUT","id":"i","type":"t","data":{"a":1.5}}"#,
        ),
    ] {
        host.execute(&format!("INSERT INTO powersync_crud({columns}) VALUES ({values})"));
        assert_eq!(last_entry(&host), entry);
    }
    assert_eq!(
        host.table("SELECT DISTINCT row_type, row_id FROM ps_updated_rows ORDER BY 1, 2"),
        json!([["2", "1"], ["t", "i"], ["t", "i\""]])
    );
}

#[test]
fn what_no_sdk_could_upload_is_refused() {
    let host = host();
    for (values, problem) in [
        ("'PUT', 'i', 't', 'no json', NULL", "malformed JSON: expected a value at byte 0 (context: column data)"),
        ("'PUT', 'i', 't', '{\"a\":Inf}', NULL", "column data"),
        ("'PUT', 'i', 't', '', NULL", "malformed JSON: unexpected end at byte 0"),
        ("'PUT', 'i', 't', '{},\"op\":1', NULL", "malformed JSON"),
        ("'PUT', 'i', 't', CAST(x'22ff22' AS TEXT), NULL", "not valid UTF-8"),
        ("'PATCH', 'i', 't', '{}', '{'", "column old_values"),
        ("'UPSERT', 'i', 't', '{}', NULL", "op must be PUT, PATCH or DELETE (context: column op)"),
        ("NULL, 'i', 't', '{}', NULL", "column op"),
        ("'PUT', 'i', NULL, '{}', NULL", "a value is required (context: column type)"),
        ("'PUT', x'ff', 't', '{}', NULL", "column id"),
    ] {
        let error =
            host.error(&format!("INSERT INTO powersync_crud(op, id, type, data, old_values) VALUES ({values})"));
        assert!(error.message.contains(problem), "{error}");
        assert!(error.message.starts_with("powersync_crud: "), "{error}");
    }
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 0);
    assert_eq!(host.value("SELECT count(*) FROM ps_updated_rows"), 0);
}

#[test]
fn entries_are_nested_no_deeper_than_sqlite_reads() {
    let host = host();
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    for column in ["data", "old_values"] {
        let insert = format!("INSERT INTO powersync_crud(op, id, type, {column}) VALUES ('PATCH', 'i', 't', ?)");
        let error = host.try_transaction(&insert, [nested(990)]).unwrap_err();
        assert!(error.message.contains("nesting too deep"), "{error}");
        host.transaction(&insert, [nested(989)]);
    }
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 2);
    assert_eq!(host.value("SELECT count(*) FROM ps_crud WHERE NOT json_valid(data)"), 0);
}

#[test]
fn json_is_checked_although_a_function_claims_it() {
    use rusqlite::functions::FunctionFlags;
    let host = host();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_RESULT_SUBTYPE;
    host.connection()
        .create_scalar_function("claims_json", 0, flags, |_| Ok(("no json", Some(u32::from(b'J')))))
        .unwrap();
    let insert = "INSERT INTO powersync_crud(op, id, type, data) VALUES ('PUT', 'i', 't', claims_json())";
    assert!(host.error(insert).message.contains("malformed JSON"));
}

/// How `options` may be given, and whether bit 16 is set in it.
fn all_options() -> Vec<(String, bool)> {
    let mut options: Vec<(String, bool)> = (0..64).map(|bits| (bits.to_string(), bits & 16 != 0)).collect();
    let others = [
        ("-1", true),
        ("-2", true),
        ("-16", true),
        ("-17", false),
        ("-32", false),
        ("9223372036854775807", true),
        ("-9223372036854775808", false),
        ("-4611686018427387904", false),
        ("NULL", false),
        ("'16'", true),
        ("16.0", true),
        ("'x'", false),
    ];
    options.extend(others.map(|(text, is_set)| (text.to_owned(), is_set)));
    options
}

#[test]
fn of_all_options_only_that_to_ignore_empty_updates_matters() {
    let host = host();
    let write = |insert: &str| {
        host.execute(insert);
        let entry = host.value("SELECT max(data) FROM ps_crud");
        host.execute("DELETE FROM ps_crud");
        entry
    };
    for (options, ignores_empty) in all_options() {
        for op in ["PUT", "PATCH", "DELETE"] {
            for (data, member) in [("NULL", ""), ("'{}'", ",\"data\":{}"), ("'{\"a\":1}'", ",\"data\":{\"a\":1}")] {
                for (metadata, told) in [("NULL", ""), ("'m'", ",\"metadata\":\"m\"")] {
                    let entry = format!("{{\"op\":\"{op}\",\"id\":\"i\",\"type\":\"t\"{member}{told}}}");
                    let is_ignored = ignores_empty && op == "PATCH" && data == "'{}'" && metadata == "NULL";
                    let expected = if is_ignored { json!(null) } else { json!(entry) };
                    let insert = format!(
                        "INSERT INTO powersync_crud(op, id, type, data, metadata, options)
                         VALUES ('{op}', 'i', 't', {data}, {metadata}, {options})"
                    );
                    assert_eq!(write(&insert), expected, "{insert}");
                    let insert = format!("INSERT INTO powersync_crud_(data, options) VALUES ('{entry}', {options})");
                    assert_eq!(write(&insert), expected, "{insert}");
                }
            }
        }
        let insert = format!("INSERT INTO powersync_crud_(data, options) VALUES ('anything', {options})");
        assert_eq!(write(&insert), "anything", "{insert}");
    }
}

#[test]
fn ignored_updates_take_no_transaction_id_and_close_no_gate() {
    let host = host();
    host.execute("INSERT INTO powersync_crud_(data, options) VALUES ('{\"op\":\"PATCH\",\"data\":{}}', -1)");
    host.execute("INSERT INTO powersync_crud(op, id, type, data, options) VALUES ('PATCH', 'i', 't', ' { } ', 31)");
    assert_eq!(host.table("SELECT next_tx, (SELECT count(*) FROM ps_crud) FROM ps_tx"), json!([[1, 0]]));
    assert_eq!(host.table("SELECT key FROM ps_kv"), json!([["client_id"]]));
    // The row was written all the same.
    assert_eq!(host.table("SELECT row_type, row_id FROM ps_updated_rows"), json!([["t", "i"]]));
}

#[test]
fn finished_entries_are_appended_as_they_are() {
    let host = host();
    for data in [r#"{"op":"PUT", "x": 1}"#, "anything"] {
        host.rows_with("INSERT INTO powersync_crud_(data) VALUES (?)", [data]);
        assert_eq!(last_entry(&host), data);
    }
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 2);
    assert_eq!(host.value("SELECT count(*) FROM ps_updated_rows"), 0);
    assert_eq!(host.table("SELECT key FROM ps_kv"), json!([["client_id"]]));
}

#[test]
fn they_can_only_be_inserted_into() {
    let host = host();
    for table in ["powersync_crud", "powersync_crud_"] {
        for sql in ["SELECT * FROM {}", "DELETE FROM {}", "UPDATE {} SET data = 1"] {
            assert_eq!(host.error(&sql.replace("{}", table)).code, 21, "{sql}");
        }
    }
    assert_eq!(
        host.table("SELECT name FROM pragma_table_info('powersync_crud')"),
        json!([["op"], ["id"], ["type"], ["data"], ["old_values"], ["metadata"]])
    );
    assert_eq!(host.table("SELECT name FROM pragma_table_info('powersync_crud_')"), json!([["data"]]));
}

#[test]
fn without_the_internal_tables_there_is_a_clean_error() {
    let host = Host::open_in_memory();
    for insert in [
        "INSERT INTO powersync_crud(op, id, type) VALUES ('PUT', 'i', 't')",
        "INSERT INTO powersync_crud_(data) VALUES ('{}')",
    ] {
        let error = host.error(insert);
        assert_eq!(error.code, 21, "{error}");
        assert!(error.message.contains("There are no internal tables"), "{error}");
    }
    host.initialize();
    host.execute("INSERT INTO powersync_crud_(data) VALUES ('{}')");
    host.try_close().unwrap();
}

#[test]
fn they_work_in_triggers_of_an_untrusted_schema() {
    let host = host();
    host.execute(
        "CREATE TABLE app(id TEXT, x);
         CREATE TRIGGER app_insert AFTER INSERT ON app BEGIN
           INSERT INTO powersync_crud(op, id, type, data)
             VALUES ('PUT', NEW.id, 'app', powersync_diff('{}', json_object('x', powersync_strip_subtype(NEW.x))));
           INSERT INTO powersync_crud_(data) VALUES (powersync_json_merge('{\"a\":1}', json_object('b', NEW.x)));
         END;
         PRAGMA trusted_schema = OFF; INSERT INTO app VALUES ('1', json('[1]'))",
    );
    assert_eq!(
        host.table("SELECT data, tx_id FROM ps_crud"),
        json!([[r#"{"op":"PUT","id":"1","type":"app","data":{"x":"[1]"}}"#, 1], [r#"{"a":1,"b":[1]}"#, 1]])
    );
}

#[test]
fn triggers_of_published_versions_still_work() {
    let host = host();
    host.execute(
        r#"CREATE TABLE "ps_data__old"(id TEXT PRIMARY KEY NOT NULL, data TEXT);
           CREATE VIEW "old"("id", "x", "y") AS SELECT id, CAST(json_extract(data, '$.x') as text), CAST(json_extract(data, '$.y') as integer) FROM "ps_data__old" -- powersync-auto-generated
           ;
           CREATE TRIGGER "ps_view_insert_old" INSTEAD OF INSERT ON "old" FOR EACH ROW BEGIN
           SELECT CASE WHEN (NEW.id IS NULL) THEN RAISE (FAIL, 'id is required') WHEN (typeof(NEW.id) != 'text') THEN RAISE (FAIL, 'id should be text') END;
           INSERT INTO "ps_data__old" SELECT NEW.id, json_object('x', powersync_strip_subtype(NEW."x"), 'y', powersync_strip_subtype(NEW."y"));
           INSERT INTO powersync_crud(op,id,type,data) VALUES ('PUT', NEW.id, 'old', json(powersync_diff('{}', json_object('x', powersync_strip_subtype(NEW."x"), 'y', powersync_strip_subtype(NEW."y")))));
           END"#,
    );
    host.execute("INSERT INTO old(id, x) VALUES ('1', 'one')");
    assert_eq!(last_entry(&host), r#"{"op":"PUT","id":"1","type":"old","data":{"x":"one"}}"#);
    // A schema makes them ours, and keeps view and rows.
    let view = host.value("SELECT rowid FROM sqlite_schema WHERE name = 'old'");
    let columns = json!([{"name": "x", "type": "text"}, {"name": "y", "type": "integer"}]);
    host.replace_schema(&json!({"tables": [{"name": "old", "columns": columns}]}));
    assert_eq!(host.value("SELECT rowid FROM sqlite_schema WHERE name = 'old'"), view);
    assert!(
        !host
            .value("SELECT sql FROM sqlite_schema WHERE name = 'ps_view_insert_old'")
            .as_str()
            .unwrap()
            .contains("strip")
    );
    host.execute("UPDATE old SET y = 5");
    assert_eq!(last_entry(&host), r#"{"op":"PATCH","id":"1","type":"old","data":{"y":5}}"#);
}

#[test]
fn inside_a_sync_operation_nothing_is_recorded() {
    let host = host();
    host.replace_schema(&json!({"tables": [{"name": "a", "columns": []}, {"name": "b", "columns": []}]}));
    // The application's trigger writes to a view while rows are cleared.
    host.execute("INSERT INTO a(id) VALUES ('1')");
    host.execute("CREATE TRIGGER mine AFTER DELETE ON ps_data__a BEGIN INSERT INTO b(id) VALUES (OLD.id); END");
    host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 0);
    host.execute("INSERT INTO a(id) VALUES ('2')");
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 1);
}
