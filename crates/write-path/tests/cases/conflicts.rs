//! Values that have changed since the client saw them.

use serde_json::{Value, json};

use super::requests::outcome;
use crate::support::Tested;

const TABLES: &str = "CREATE TABLE notes(id TEXT PRIMARY KEY, title TEXT, body TEXT, n INTEGER, secret TEXT);
    INSERT INTO notes VALUES ('1', 'their title', 'old body', 1, 's')";

fn tested(policy: &str) -> Tested {
    let rules = format!(
        "writes: {{tables: {{note: {{table: notes, columns: {{heading: title, body: body, n: n}}, check: 'TRUE', {policy}}}}}}}"
    );
    Tested::with(TABLES, &rules)
}

/// The client has seen another title and the body that is there.
fn edit(op: &str) -> Value {
    json!([{"op": op, "table": "note", "id": "1", "op_data": {"heading": "my title", "body": "my body"},
        "previous_values": {"heading": "old title", "body": "old body"}}])
}

fn note(tested: &Tested) -> Vec<Value> {
    tested.values("title, body, n", "notes")
}

pub(crate) fn the_last_write_wins() {
    for policy in ["", "on_conflict: last_write"] {
        for op in ["PATCH", "PUT"] {
            let tested = tested(policy);
            assert_eq!(tested.send("u", edit(op)), json!({"status": "success"}));
            assert_eq!(note(&tested), [json!(["my title", "my body", 1])]);
        }
    }
}

pub(crate) fn columns_that_have_changed_stay_and_are_reported() {
    for op in ["PATCH", "PUT"] {
        let tested = tested("on_conflict: column");
        let conflict = json!({"operation_index": 0, "table": "note", "id": "1", "column": "heading"});
        assert_eq!(tested.send("u", edit(op)), json!({"status": "success", "details": {"conflicts": [conflict]}}));
        assert_eq!(note(&tested), [json!(["their title", "my body", 1])]);
    }
    let tested = tested("on_conflict: column");
    let send = |operation: Value| {
        let result = tested.send("u", json!([operation]));
        assert_eq!(outcome(&result), "success");
        result["details"]["conflicts"].as_array().map_or(0, Vec::len)
    };
    let patch = |data: Value, previous: Value| json!({"op": "PATCH", "table": "note", "id": "1", "op_data": data, "previous_values": previous});
    // Without a previous value a column is applied; one that is not written is no conflict.
    assert_eq!(send(patch(json!({"heading": "2"}), json!({"body": "other"}))), 0);
    assert_eq!(send(patch(json!({"heading": "3"}), Value::Null)), 0);
    assert_eq!(note(&tested), [json!(["3", "old body", 1])]);
    // NULL is a value like others, numbers are compared as numbers, and columns outside of the rule not at all.
    assert_eq!(send(patch(json!({"n": null}), json!({"n": 1.0, "secret": "x", "id": "2"}))), 0);
    assert_eq!(send(patch(json!({"n": 5}), json!({"n": 1}))), 1);
    assert_eq!(send(patch(json!({"n": 6}), json!({"n": null}))), 0);
    assert_eq!(note(&tested), [json!(["3", "old body", 6])]);
    // A row that is not there has no values.
    let new = json!({"op": "PUT", "table": "note", "id": "2", "op_data": {"n": 1}, "previous_values": {"n": 9}});
    assert_eq!(send(new), 0);
    assert_eq!(send(json!({"op": "DELETE", "table": "note", "id": "1", "previous_values": {"n": 9}})), 0);
    assert_eq!(note(&tested), [json!([null, null, 1])]);
}

pub(crate) fn a_transaction_with_a_conflict_is_refused() {
    for (operations, columns) in [
        (edit("PATCH"), json!(["heading"])),
        (edit("PUT"), json!(["heading"])),
        // The row as a whole counts.
        (
            json!([{"op": "PATCH", "table": "note", "id": "1", "op_data": {"n": 2},
                "previous_values": {"n": 1, "heading": "old title", "body": "old"}}]),
            json!(["body", "heading"]),
        ),
        (
            json!([{"op": "DELETE", "table": "note", "id": "1", "previous_values": {"heading": "old title"}}]),
            json!(["heading"]),
        ),
        // It is gone.
        (
            json!([{"op": "PATCH", "table": "note", "id": "9", "op_data": {"n": 2}, "previous_values": {"n": 1}}]),
            json!([null]),
        ),
    ] {
        let tested = tested("on_conflict: reject, on_error: client");
        let result = tested.send("u", operations);
        assert_eq!(outcome(&result), "fatal_error CONFLICT");
        assert_eq!(result["requires_client_handling"], true);
        let found: Vec<Value> = result["failed_operation"]["details"]["conflicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|conflict| conflict["column"].clone())
            .collect();
        assert_eq!(json!(found), columns);
        assert_eq!(note(&tested), [json!(["their title", "old body", 1])]);
        assert!(!result.to_string().contains("their"), "values are not named");
    }
    let tested = tested("on_conflict: reject");
    let fine = json!([
        {"op": "PATCH", "table": "note", "id": "1", "op_data": {"n": 2}, "previous_values": {"n": 1}},
        {"op": "PATCH", "table": "note", "id": "1", "op_data": {"n": 3}},
        {"op": "PUT", "table": "note", "id": "2", "op_data": {"n": 3}, "previous_values": {"n": 1}},
        {"op": "DELETE", "table": "note", "id": "9", "previous_values": {"n": 1}},
    ]);
    assert_eq!(tested.send("u", fine), json!({"status": "success"}));
}
