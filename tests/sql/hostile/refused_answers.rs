//! Calls whose answer SQLite does not take because it is longer than SQLITE_LIMIT_LENGTH allows: they fail with
//! SQLITE_TOOBIG and change nothing, so that the same call can be made again
//! (docs/reference/sync-client.md#failed-calls-and-rollbacks).

use rowtide_testkit::Host;
use rusqlite::limits::Limit;
use serde_json::{Value, json};

const TOOBIG: i32 = 18;

/// Less than a status has, more than any row or line here.
const SHORT: i32 = 1500;

fn set_limit(host: &Host, limit: i32) {
    host.connection().set_limit(Limit::SQLITE_LIMIT_LENGTH, limit).unwrap();
}

/// Subscriptions that make each status some 2500 bytes long.
fn subscribe(host: &Host) {
    for number in 0..10 {
        let stream = json!({"name": format!("stream {number}"), "params": "a parameter of some length ".repeat(4)});
        host.control("subscriptions", json!({"subscribe": {"stream": stream}}));
    }
}

fn calls() -> Vec<(&'static str, Value)> {
    let line = |line: Value| ("line_text", json!(line.to_string()));
    let bucket = |name: &str, checksum: i64, priority: i64| json!({"bucket": name, "checksum": checksum, "priority": priority, "count": 1});
    let operation = |op_id: i64| json!({"op_id": op_id.to_string(), "op": "PUT", "checksum": 1, "object_type": "t", "object_id": "1", "data": "{}"});
    let data = |name: &str, op_id| line(json!({"data": {"bucket": name, "data": [operation(op_id)]}}));
    let diff = |id: &str, updated: Value, removed: Value| {
        line(json!({"checkpoint_diff": {
            "last_op_id": id, "write_checkpoint": id, "updated_buckets": updated, "removed_buckets": removed,
        }}))
    };
    let complete = |id: &str| line(json!({"checkpoint_complete": {"last_op_id": id}}));
    vec![
        ("start", json!(r#"{"diagnostics":{}}"#)),
        ("connection", json!("established")),
        line(
            json!({"checkpoint": {"last_op_id": "5", "buckets": [bucket("a", 1, 0), bucket("b", 1, 3)], "streams": []}}),
        ),
        data("a", 1),
        line(json!({"partial_checkpoint_complete": {"last_op_id": "5", "priority": 0}})),
        data("b", 5),
        line(json!({"token_expires_in": 3600})),
        complete("5"),
        // Held back, and published when the upload is done.
        ("target_checkpoint_request_id", json!(7)),
        diff("6", json!([bucket("b", 2, 3), bucket("c", 0, 1)]), json!(["a"])),
        data("b", 6),
        complete("6"),
        ("target_checkpoint_request_id", json!(6)),
        ("completed_upload", Value::Null),
        // Another start, and an end because of a wrong checksum.
        ("start", json!("{}")),
        line(json!({"checkpoint": {"last_op_id": "7", "buckets": [bucket("b", 9, 3)]}})),
        complete("7"),
        ("start", json!("{}")),
        ("refreshed_token", Value::Null),
        ("start", json!("{}")),
        line(json!({"token_expires_in": 0})),
        ("start", json!("{}")),
        ("connection", json!("end")),
        ("start", json!("{}")),
        ("stop", Value::Null),
    ]
}

fn control(
    host: &Host,
    (operation, payload): &(&'static str, Value),
) -> Result<Value, rowtide_testkit::host::HostError> {
    match payload {
        Value::String(text) => host.try_control(operation, text.as_str()),
        Value::Number(number) => host.try_control(operation, number.as_i64().unwrap()),
        _ => host.try_control(operation, ()),
    }
}

/// What an answer holds, without times.
fn without_times(value: &Value) -> String {
    let text = value.to_string();
    text.split_inclusive(|c: char| !c.is_ascii_digit())
        .map(|part| if part.len() > 10 { part.trim_start_matches(|c: char| c.is_ascii_digit()) } else { part })
        .collect()
}

fn opened(encoding: &str) -> Host {
    let host = Host::open_in_memory();
    host.execute(&format!("PRAGMA encoding = '{encoding}'"));
    host.initialize();
    host.execute("UPDATE ps_kv SET value = 'this client' WHERE key = 'client_id'");
    subscribe(&host);
    host
}

#[test]
fn a_call_whose_answer_is_too_long_can_be_made_again() {
    for encoding in ["UTF-8", "UTF-16"] {
        let (host, undisturbed) = (opened(encoding), opened(encoding));
        let mut failures = 0;
        for call in &calls() {
            let expected = control(&undisturbed, call).unwrap();
            let bytes = expected.to_string().len() * if encoding == "UTF-8" { 1 } else { 2 };
            let is_long = bytes > usize::try_from(SHORT).unwrap();
            for _ in 0..if is_long { 2 } else { 0 } {
                set_limit(&host, SHORT);
                let error = control(&host, call).unwrap_err();
                set_limit(&host, i32::MAX);
                assert_eq!(error.code, TOOBIG, "{encoding}: {call:?}: {error}");
                assert!(error.message.starts_with("powersync_control: "), "{error}");
                failures += 1;
            }
            let answer = control(&host, call).unwrap_or_else(|error| panic!("{encoding}: {call:?}: {error}"));
            assert_eq!(without_times(&answer), without_times(&expected), "{encoding}: {call:?}");
        }
        assert!(failures > 30, "{encoding}: only {failures} answers were refused");
        let state = "SELECT name, last_op, last_applied_op FROM ps_buckets ORDER BY name";
        assert_eq!(host.table(state), undisturbed.table(state));
    }
}

#[test]
fn changed_tables_are_reported_again_if_the_answer_is_too_long() {
    let host = Host::open_in_memory();
    let name = "t".repeat(300);
    host.execute(&format!("CREATE TABLE {name}(x)"));
    host.value("SELECT powersync_update_hooks('install')");
    host.execute(&format!("INSERT INTO {name} VALUES (1)"));
    set_limit(&host, 200);
    assert_eq!(host.error("SELECT powersync_update_hooks('get')").code, TOOBIG);
    set_limit(&host, i32::MAX);
    assert_eq!(host.value("SELECT powersync_update_hooks('get')"), json!([name]).to_string());
    assert_eq!(host.value("SELECT powersync_update_hooks('get')"), "[]");
}
