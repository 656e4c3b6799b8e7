//! What must hold of results, errors and databases, whatever the input was.

use rowtide_testkit::Host;
use rowtide_testkit::host::HostError;
use serde_json::{Value, json};

/// Result codes of SQLite, without their extension.
mod code {
    pub(super) const INTERNAL: i32 = 2;
    pub(super) const NO_MEMORY: i32 = 7;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const ABORT: i32 = 4;
    pub(super) const MISUSE: i32 = 21;
    /// SQLITE_CONSTRAINT_DATATYPE, with its extension.
    pub(super) const DATATYPE: i32 = 3091;
}

const INSTRUCTIONS: &[&str] = &[
    "LogLine",
    "UpdateSyncStatus",
    "EstablishSyncStream",
    "FetchCredentials",
    "CloseSyncStream",
    "DidCompleteSync",
    "CheckpointDelayedDueToLocalData",
    "HandleDiagnostics",
];

/// Checks that what a call of `powersync_control` gave is what an SDK can read (docs/reference/instructions.md).
pub(crate) fn assert_instructions(result: &Value) {
    let Value::Array(instructions) = result else {
        assert!(result.is_null() || result.is_i64(), "no result of powersync_control: {result}");
        return;
    };
    for (index, instruction) in instructions.iter().enumerate() {
        let members = instruction.as_object().filter(|members| members.len() == 1);
        let name = members.and_then(|members| members.keys().next()).map(String::as_str).unwrap_or_default();
        assert!(INSTRUCTIONS.contains(&name), "no instruction: {instruction}");
        assert!(name != "CloseSyncStream" || index + 1 == instructions.len(), "the last one closes: {result}");
    }
}

/// Checks that an error of a function is one that says who has to act: wrong argument, wrong state, wrong line, or a
/// statement of the application's that failed, which is named.
pub(crate) fn assert_refusal(error: &HostError) {
    let is_of_raw_table = ["(context: ", "Clearing raw table"].iter().any(|part| error.message.contains(part));
    assert!(is_of_raw_table || [code::ABORT, code::MISUSE, code::DATATYPE].contains(&error.code), "{error}");
    assert!(error.message.len() > 10, "{error}");
}

/// Checks that an error is none of those that an undamaged database never gives.
pub(crate) fn assert_undamaged(error: &HostError) {
    assert!(![code::INTERNAL, code::NO_MEMORY, code::CORRUPT].contains(&(error.code & 0xff)), "{error}");
}

/// Checks that an error says something, and is not one that means a bug of ours.
pub(crate) fn assert_sensible(error: &HostError) {
    assert!(![code::INTERNAL, code::NO_MEMORY].contains(&(error.code & 0xff)), "{error}");
    assert!(error.code > 0 && error.message.len() > 10, "{error}");
}

/// Checks that every view can be read.
pub(crate) fn assert_views_readable(host: &Host) {
    for view in host.rows("SELECT name FROM sqlite_schema WHERE type = 'view'").into_iter().flatten() {
        let name = view.as_str().unwrap_or_default().replace('"', "\"\"");
        host.rows(&format!("SELECT * FROM \"{name}\""));
    }
}

/// Clears the database and checks that a client works on it as on a new one.
pub(crate) fn assert_works_after_clear(host: &Host, schema: &str) {
    host.control("stop", ());
    host.transaction("SELECT powersync_replace_schema(?)", [schema]);
    host.transaction("SELECT powersync_clear(1)", []);
    host.control("start", ());
    let row = json!({ "op_id": "5", "op": "PUT", "object_type": "lists", "object_id": "l1", "checksum": 7,
        "data": "{\"name\":\"one\"}" });
    let bucket = json!({ "bucket": "after", "checksum": 7, "count": 1 });
    host.line(&json!({ "checkpoint": { "last_op_id": "5", "buckets": [bucket] } }));
    host.line(&json!({ "data": { "bucket": "after", "data": [row] } }));
    let published = host.line(&json!({ "checkpoint_complete": { "last_op_id": "5" } }));
    assert!(published.to_string().contains("DidCompleteSync"), "{published}");
    assert_eq!(host.table("SELECT id, name FROM lists"), json!([["l1", "one"]]));
    host.execute("UPDATE lists SET name = 'two' WHERE id = 'l1'");
    assert_eq!(host.value("SELECT data ->> '$.data.name' FROM ps_crud"), "two");
    assert_eq!(host.table("PRAGMA integrity_check"), json!([["ok"]]));
}
