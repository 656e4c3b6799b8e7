//! Rows of types that the schema does not have are warned of, once for each type in an iteration
//! (docs/reference/errors.md#log-lines).

use rowtide_testkit::Host;
use serde_json::{Value, json};

/// Downloads rows of these types in one checkpoint, and gives the warnings.
fn download(host: &Host, position: i64, rows: &[(&str, &str)]) -> Vec<String> {
    let last = position + rows.len() as i64;
    let sum: i64 = last * (last + 1) / 2;
    let bucket = json!({"bucket": "a", "checksum": sum, "priority": 1, "count": last});
    host.line(&json!({"checkpoint": {"last_op_id": last.to_string(), "buckets": [bucket]}}));
    let operations = rows.iter().zip(position + 1..).map(|((row_type, id), op_id)| {
        json!({"op_id": op_id.to_string(), "op": "PUT", "object_type": row_type, "object_id": id, "checksum": op_id,
            "data": "{}"})
    });
    host.line(&json!({"data": {"bucket": "a", "data": operations.collect::<Vec<_>>()}}));
    warnings(&host.line(&json!({"checkpoint_complete": {"last_op_id": last.to_string()}})))
}

fn warnings(instructions: &Value) -> Vec<String> {
    let lines = instructions.as_array().unwrap().iter().map(|instruction| &instruction["LogLine"]);
    let warnings = lines.filter(|line| line["severity"] == "WARNING");
    warnings.map(|line| line["line"].as_str().unwrap().into()).collect()
}

fn warning(row_type: &str, count: i64) -> String {
    format!(
        "The schema has no table for downloaded rows of type {row_type}: {count}. Add the table, or stop syncing the type."
    )
}

fn started() -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
    host.control("start", ());
    host
}

#[test]
fn a_type_is_warned_of_once_in_an_iteration() {
    let host = started();
    let rows = [("notes", "1"), ("lists", "1"), ("tags", "1"), ("notes", "2")];
    assert_eq!(download(&host, 0, &rows), [warning("notes", 2), warning("tags", 1)]);
    assert_eq!(download(&host, 4, &[("notes", "3"), ("more", "1"), ("lists", "2")]), [warning("more", 1)]);
    assert_eq!(download(&host, 7, &[("lists", "3")]), [""; 0]);
    host.control("stop", ());
    host.control("start", ());
    assert_eq!(download(&host, 8, &[("lists", "4")]), [""; 0]);
    assert_eq!(download(&host, 9, &[("notes", "4"), ("notes", "5")]), [warning("notes", 5)]);
}

#[test]
fn a_partial_checkpoint_warns_too_and_a_rolled_back_one_warns_again() {
    let host = started();
    host.line(&json!({"checkpoint": {"last_op_id": "1", "buckets": [{"bucket": "a", "checksum": 1, "priority": 1}]}}));
    let operation =
        json!({"op_id": "1", "op": "PUT", "object_type": "notes", "object_id": "1", "checksum": 1, "data": "{}"});
    host.line(&json!({"data": {"bucket": "a", "data": [operation]}}));
    let partial = json!({"partial_checkpoint_complete": {"last_op_id": "1", "priority": 1}});
    host.execute("CREATE TEMP TRIGGER full BEFORE INSERT ON main.ps_sync_state BEGIN SELECT raise(ABORT, 'full'); END");
    host.control_error("line_text", partial.to_string());
    host.execute("DROP TRIGGER temp.full");
    assert_eq!(warnings(&host.line(&partial)), [warning("notes", 1)]);
    assert_eq!(warnings(&host.line(&json!({"checkpoint_complete": {"last_op_id": "1"}}))), [""; 0]);
}

#[test]
fn removed_rows_are_no_reason_to_warn() {
    let host = started();
    host.line(&json!({"checkpoint": {"last_op_id": "1", "buckets": [{"bucket": "a", "checksum": 1, "priority": 1}]}}));
    let operation = json!({"op_id": "1", "op": "REMOVE", "object_type": "notes", "object_id": "1", "checksum": 1});
    host.line(&json!({"data": {"bucket": "a", "data": [operation]}}));
    assert_eq!(warnings(&host.line(&json!({"checkpoint_complete": {"last_op_id": "1"}}))), [""; 0]);
}

#[test]
fn there_are_no_more_than_a_hundred_warnings() {
    let host = started();
    let names: Vec<String> = (0..150).map(|number| format!("type{number:03}")).collect();
    let rows: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(download(&host, 0, &rows).len(), 100);
    assert_eq!(download(&host, 150, &rows), [""; 0]);
    assert_eq!(host.value("SELECT count(*) FROM ps_untyped"), 150);
}
