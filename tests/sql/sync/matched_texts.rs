//! Texts that SDKs and their tests look for (docs/reference/errors.md#texts-that-sdks-match). They are compared as a
//! whole here, so that none changes unnoticed.

use rowtide_testkit::Host;
use serde_json::{Value, json};

/// The log lines among the instructions.
fn log(instructions: &Value) -> Vec<(&str, &str)> {
    let lines = instructions.as_array().unwrap().iter().filter_map(|instruction| instruction.get("LogLine"));
    lines.map(|line| (line["severity"].as_str().unwrap(), line["line"].as_str().unwrap())).collect()
}

fn started() -> Host {
    let host = Host::open_in_memory();
    host.initialize();
    host.control("start", ());
    host
}

fn checkpoint(write_checkpoint: Option<&str>) -> Value {
    json!({"checkpoint": {"last_op_id": "1", "write_checkpoint": write_checkpoint, "buckets": []}})
}

fn complete() -> Value {
    json!({"checkpoint_complete": {"last_op_id": "1"}})
}

#[test]
fn published_checkpoints_are_logged() {
    let host = started();
    host.line(&checkpoint(None));
    assert_eq!(log(&host.line(&complete())), [("DEBUG", "Validated and applied checkpoint")]);
    host.line(&checkpoint(Some("8")));
    let published = host.line(&complete());
    let expected = [("DEBUG", "Validated and applied checkpoint"), ("DEBUG", "Applied checkpoint request id 8")];
    assert_eq!(log(&published), expected);
}

#[test]
fn checkpoints_that_are_held_back_are_logged() {
    let host = started();
    host.execute("INSERT INTO powersync_crud_(data) VALUES ('{}')");
    host.line(&checkpoint(Some("1")));
    let delayed = host.line(&complete());
    let line = "Could not apply checkpoint due to local data. Will retry at completed upload or next checkpoint. \
        Reason: local writes that wait for their upload: 1";
    assert_eq!(log(&delayed), [("INFO", line)]);
    // Acknowledged up to the target, with another write in the queue.
    host.control("target_checkpoint_request_id", 1);
    let tried = host.control("completed_upload", ());
    let line = "Could not apply pending checkpoint even after completed upload: \
        local writes that wait for their upload: 1";
    assert_eq!(log(&tried), [("WARNING", line)]);
    host.execute("DELETE FROM ps_crud");
    let published = host.control("completed_upload", ());
    let expected =
        [("DEBUG", "Applied pending checkpoint after completed upload"), ("DEBUG", "Applied checkpoint request id 1")];
    assert_eq!(log(&published), expected);
}

#[test]
fn checkpoints_that_are_held_back_say_why() {
    let host = started();
    let complete_again = || {
        host.line(&checkpoint(Some("3")));
        host.line(&complete()).to_string()
    };
    host.control("target_checkpoint_request_id", 7);
    let line = complete_again();
    assert!(line.contains("Reason: write checkpoint 7 is not acknowledged, last seen 3"), "{line}");
    // As the ids that some SDKs write.
    for unknown in ["9223372036854775807", "'9223372036854775807'"] {
        host.execute(&format!("UPDATE ps_kv SET value = {unknown} WHERE key = 'target_checkpoint_request_id'"));
        let line = complete_again();
        assert!(line.contains("Reason: no checkpoint request id is stored for the uploaded writes. "), "{line}");
    }
    host.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
         INSERT INTO powersync_crud_(data) SELECT '{}' FROM n",
    );
    assert!(complete_again().contains("upload: 99\""));
    host.execute("INSERT INTO powersync_crud_(data) VALUES ('{}'), ('{}')");
    assert!(complete_again().contains("upload: 100 or more\""));
}

#[test]
fn unknown_commands_are_named_and_the_known_ones_listed() {
    let host = started();
    let error = host.control_error("pau\"se", ());
    assert_eq!(error.code, 3091);
    assert_eq!(
        error.message,
        "powersync_control: invalid argument: Unknown operation \"pau\"\"se\": expected start, stop, line_text, \
         line_binary, connection, refreshed_token, completed_upload, update_subscriptions, subscriptions, \
         seed_checkpoint_request_id, next_checkpoint_request_id, current_checkpoint_request_id, \
         target_checkpoint_request_id"
    );
    // It may be a line in the wrong place.
    let error = host.control_error(&"é".repeat(100), ());
    assert!(error.message.contains(&format!("Unknown operation \"{}\"…: expected", "é".repeat(20))), "{error}");
}

#[test]
fn errors_of_streams_are_logged() {
    let host = Host::open_in_memory();
    host.initialize();
    for parameters in [json!({"b": 1.0}), Value::Null] {
        host.control("subscriptions", json!({"subscribe": {"stream": {"name": "s", "params": parameters}}}));
    }
    host.control("start", ());
    let errors = |errors: Value| json!({"name": "s", "is_default": true, "errors": errors});
    let streams = json!([errors(json!([
        {"subscription": "default", "message": "of the default"}, {"subscription": 0, "message": "of the first"},
        {"subscription": 1, "message": "of the second"},
    ]))]);
    let logged = host.line(&json!({"checkpoint": {"last_op_id": "1", "buckets": [], "streams": streams}}));
    let expected = [
        ("WARNING", "Default subscription s has errors: of the default"),
        ("WARNING", r#"Subscription to stream s (with parameters {"b":1.0}) could not be resolved: of the first"#),
        ("WARNING", "Subscription to stream s could not be resolved: of the second"),
    ];
    assert_eq!(log(&logged), expected);
}

#[test]
fn calls_without_an_iteration_say_so() {
    let host = Host::open_in_memory();
    host.initialize();
    let line = complete().to_string();
    let calls: [(&str, &str); 7] = [
        ("line_text", &line),
        ("connection", "established"),
        ("refreshed_token", ""),
        ("completed_upload", ""),
        ("update_subscriptions", "[]"),
        ("seed_checkpoint_request_id", "1"),
        ("next_checkpoint_request_id", ""),
    ];
    for (operation, payload) in calls {
        let error = host.control_error(operation, payload);
        let message = "powersync_control: invalid state: No iteration is active";
        assert_eq!((error.code, error.message.as_str()), (21, message), "{operation}");
    }
}

#[test]
fn wrong_request_ids_are_named() {
    let host = started();
    for (operation, payload, message) in [
        ("seed_checkpoint_request_id", "x", "checkpoint request id must be an integer or integer string"),
        ("seed_checkpoint_request_id", "0", "checkpoint request id must be a positive integer"),
        ("seed_checkpoint_request_id", "-1", "checkpoint request id must be a positive integer"),
        ("target_checkpoint_request_id", "-1", "target checkpoint request id must be a non-negative integer"),
    ] {
        let error = host.control_error(operation, payload);
        assert_eq!(error.code, 3091);
        assert_eq!(error.message, format!("powersync_control: invalid argument: {message}"), "{operation} {payload}");
    }
}

#[test]
fn a_diff_without_a_checkpoint_is_named() {
    let host = started();
    let diff = json!({"checkpoint_diff": {"last_op_id": "1", "updated_buckets": [], "removed_buckets": []}});
    let error = host.control_error("line_text", diff.to_string());
    let message = "powersync_control: Sync protocol error: Received checkpoint_diff without previous checkpoint";
    assert_eq!((error.code, error.message.as_str()), (4, message));
}

#[test]
fn calls_outside_of_transactions_say_so() {
    let host = Host::open_in_memory();
    host.initialize();
    for (function, call) in [
        ("powersync_control", "powersync_control('stop', NULL)"),
        ("powersync_replace_schema", r#"powersync_replace_schema('{"tables": []}')"#),
        ("powersync_clear", "powersync_clear(0)"),
        ("powersync_init", "powersync_init()"),
    ] {
        let error = host.error(&format!("SELECT {call}"));
        assert_eq!(error.code, 21, "{call}");
        let message = "This function may only be called in transactions. Run BEGIN IMMEDIATE first.";
        assert_eq!(error.message, format!("{function}: {message}"));
    }
}

#[test]
fn wrong_raw_tables_are_named() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE without_id(a)");
    let trigger = |table: Value| {
        let sql = "SELECT powersync_create_raw_table_crud_trigger(?, 't', 'INSERT')";
        host.try_transaction(sql, [table.to_string()]).unwrap_err().message
    };
    let function = "powersync_create_raw_table_crud_trigger: invalid argument: ";
    assert_eq!(
        trigger(json!({"name": "things", "table_name": "without_id"})),
        format!("{function}Table without_id has no id column.")
    );
    assert_eq!(
        trigger(json!({"name": "things", "table_name": "missing"})),
        format!("{function}Could not find missing in local schema.")
    );
    let statement = json!({"sql": "SELECT 1", "params": []});
    assert_eq!(
        trigger(json!({"name": "things", "put": statement, "delete": statement})),
        format!("{function}Raw table things has no local name (table_name)")
    );
}

#[test]
fn errors_of_statements_carry_the_name_of_their_code_and_a_context() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE things(id TEXT PRIMARY KEY, name TEXT NOT NULL)");
    let raw = json!([{"name": "things",
        "put": {"sql": "INSERT INTO things VALUES (?, ?)", "params": ["Id", {"Column": "name"}]},
        "delete": {"sql": "DELETE FROM things WHERE id = ?", "params": ["Id"]}}]);
    host.control("start", json!({"schema": {"tables": [], "raw_tables": raw}}));
    host.line(&json!({"checkpoint": {"last_op_id": "1", "buckets": [{"bucket": "a", "checksum": 1}]}}));
    let operation =
        json!({"op_id": "1", "op": "PUT", "object_type": "things", "object_id": "i1", "checksum": 1, "data": "{}"});
    host.line(&json!({"data": {"bucket": "a", "data": [operation]}}));
    let error = host.control_error("line_text", complete().to_string());
    assert_eq!(error.code, 1299);
    assert_eq!(
        error.message,
        "powersync_control: SQLITE_CONSTRAINT_NOTNULL (1299): NOT NULL constraint failed: things.name, \
         in: INSERT INTO things VALUES (?, ?) (context: replacing into things, id = i1, data = {})"
    );
}
