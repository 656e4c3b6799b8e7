//! `powersync_upsert`: rows given as JSON are written as local writes are (docs/reference/functions.md#powersync_upsert).

use rowtide_testkit::Host;
use serde_json::json;

fn host() -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [
        {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "size", "type": "integer"}, {"name": "odd \"name\"", "type": "text"}],
         "include_metadata": true, "ignore_empty_update": true},
    ]}));
    host
}

fn upsert(host: &Host, rows: &str) -> i64 {
    json!(host.transaction("SELECT powersync_upsert('lists', ?)", [rows]))[0][0].as_i64().unwrap()
}

#[test]
fn new_rows_are_inserted_and_others_get_what_is_given() {
    let host = host();
    assert_eq!(upsert(&host, r#"{"id": "a", "name": "A", "size": 1}"#), 1);
    let rows = r#"[{"id": "a", "size": 2, "_metadata": "m"}, {"id": "b", "odd \"name\"": {"x": [1]}}, {"id": "c"}]"#;
    assert_eq!(upsert(&host, rows), 3);
    assert_eq!(
        host.table(r#"SELECT id, name, size, "odd ""name""" FROM lists ORDER BY id"#),
        json!([["a", "A", 2, null], ["b", null, null, r#"{"x":[1]}"#], ["c", null, null, null]])
    );
    assert_eq!(
        host.table("SELECT tx_id, data ->> 'op', data ->> 'id', data -> 'data', data ->> 'metadata' FROM ps_crud"),
        json!([
            [1, "PUT", "a", r#"{"name":"A","size":1}"#, null],
            [2, "PATCH", "a", r#"{"size":2}"#, "m"],
            [2, "PUT", "b", r#"{"odd \"name\"":"{\"x\":[1]}"}"#, null],
            [2, "PUT", "c", "{}", null],
        ])
    );
    // Nothing changes: ignored, as by an UPDATE.
    assert_eq!(upsert(&host, r#"[{"id": "a", "size": 2}, {"id": "a"}]"#), 2);
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 4);
    assert_eq!(upsert(&host, "[]"), 0);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let host = host();
    for (table, rows, message) in [
        ("lists", r#"[{"id": "a"}, {"id": "b", "colour": 1, "shape": 2}]"#, "table lists has no column colour"),
        (
            "lists",
            r#"{"id": "a", "\ud800": 1}"#,
            "the JSON has text that is not Unicode, such as half a surrogate pair",
        ),
        ("lists", r#"{"id": "\ud800"}"#, "the JSON has text that is not Unicode, such as half a surrogate pair"),
        ("lists", r#"{"name": "A"}"#, "a row of lists needs an id"),
        ("lists", r#"{"id": null}"#, "a row of lists needs an id"),
        ("missing", r#"{"id": "a"}"#, "there is no table missing with a column id"),
        ("lists", r#"[{"id": "a"}, 7]"#, "element 1 of the rows is no object"),
        ("lists", "7", "the rows must be a JSON object or an array of objects"),
        ("lists", "{", "the rows must be a JSON object or an array of objects"),
    ] {
        let error = host.try_transaction("SELECT powersync_upsert(?, ?)", [table, rows]).unwrap_err();
        assert!(error.message.ends_with(message), "{error}");
        assert_eq!(host.table("SELECT * FROM ps_crud"), json!([]), "{rows}");
    }
    let error = host.error("SELECT powersync_upsert('lists', '{}')");
    assert!(error.message.contains("transaction"), "{error}");
}
