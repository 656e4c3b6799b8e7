//! Uploads and their results.

use serde_json::{Value, json};
use write_path::WriteUser;

pub(crate) fn user_of(id: &str) -> WriteUser {
    WriteUser { id: id.into(), claims: json!({"sub": id, "role": "member", "exp": 5}).to_string() }
}

pub(crate) fn operation(op: &str, table: &str, id: &str, data: Value) -> Value {
    json!({"op": op, "table": table, "id": id, "op_data": data})
}

pub(crate) fn put(table: &str, id: &str, data: Value) -> Value {
    operation("PUT", table, id, data)
}

pub(crate) fn patch(table: &str, id: &str, data: Value) -> Value {
    operation("PATCH", table, id, data)
}

pub(crate) fn delete(table: &str, id: &str) -> Value {
    json!({"op": "DELETE", "table": table, "id": id})
}

/// Status and error code of a result.
pub(crate) fn outcome(result: &Value) -> String {
    match result["failed_operation"]["error_code"].as_str() {
        Some(code) => format!("{} {code}", result["status"].as_str().unwrap()),
        None => result["status"].as_str().unwrap().to_owned(),
    }
}
