//! What attempts to sync leave in `ps_diagnostics` (docs/reference/tables.md#ps_diagnostics).

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

fn host() -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
    host
}

fn detail(host: &Host, kind: &str, subject: &str) -> Value {
    let text =
        host.value_with("SELECT detail FROM ps_diagnostics WHERE kind = ? AND subject = ? AND at > 0", [kind, subject]);
    text.as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

fn attempt(host: &Host) -> Value {
    detail(host, "attempt", "")
}

fn service() -> Service {
    let mut service = Service::new();
    service.put("a", "lists", "1", &json!({"name": "x"}));
    service.put("b", "lists", "2", &json!({"name": "y"}));
    service
}

#[test]
fn an_attempt_leaves_one_row_when_it_ends() {
    let host = host();
    host.control("start", ());
    assert_eq!(attempt(&host), Value::Null);
    host.control("stop", ());
    let seen = attempt(&host);
    assert!(seen["started_at"].as_i64() > Some(0));
    let expected = json!({"started_at": seen["started_at"], "connected": false, "lines": 0, "bytes": 0,
        "last_line_at": null, "completed": false, "last_error": null, "ended_by": "stop", "times": 1});
    assert_eq!(seen, expected);
    // One that is not running leaves nothing.
    host.control("stop", ());
    assert_eq!(attempt(&host), expected);
    host.control("start", ());
    let lines = service().lines(0);
    lines.iter().for_each(|line| drop(host.line(line)));
    host.control("connection", "end");
    let seen = attempt(&host);
    assert_eq!(seen["lines"], lines.len());
    assert_eq!(seen["bytes"], lines.iter().map(|line| line.to_string().len()).sum::<usize>());
    assert!(seen["last_line_at"].as_i64() >= seen["started_at"].as_i64());
    let rest = json!([seen["connected"], seen["completed"], seen["ended_by"], seen["times"]]);
    assert_eq!(rest, json!([true, true, "service", 2]));
    assert_eq!(host.value("SELECT count(*) FROM ps_diagnostics"), 1);
    host.control("start", ());
    host.control("start", ());
    host.control("refreshed_token", ());
    assert_eq!(json!([attempt(&host)["ended_by"], attempt(&host)["times"]]), json!(["instruction", 4]));
}

#[test]
fn a_failed_call_is_stored_when_the_attempt_ends() {
    let host = host();
    host.control("start", ());
    host.control_error("line_text", json!({"checkpoint_complete": {"last_op_id": "1"}}));
    host.control("stop", ());
    let seen = attempt(&host);
    assert_eq!(seen["ended_by"], "error");
    assert_eq!(seen["last_error"]["class"], "protocol");
    assert!(seen["last_error"]["at"].as_i64() >= seen["started_at"].as_i64());
    let message = seen["last_error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Sync protocol error: Received checkpoint complete"), "{message}");
    // What succeeded later says that the attempt went on.
    host.control("start", ());
    host.control_error("line_text", json!({"checkpoint_complete": {"last_op_id": "1"}}));
    host.line(&json!({"token_expires_in": 60}));
    host.control("stop", ());
    let seen = attempt(&host);
    assert_eq!(json!([seen["ended_by"], seen["last_error"]["class"]]), json!(["stop", "protocol"]));
}

#[test]
fn ending_works_where_nothing_can_be_stored() {
    let host = host();
    host.control("start", ());
    host.execute("BEGIN; PRAGMA query_only = ON");
    assert_ne!(host.value("SELECT powersync_control('stop', NULL)"), json!("[]"));
    host.execute("PRAGMA query_only = OFF; COMMIT");
    assert_eq!(attempt(&host), Value::Null);
    host.control("start", ());
    host.execute("DROP TABLE ps_diagnostics");
    assert_eq!(host.control("stop", ())[1], json!({"CloseSyncStream": {"hide_disconnect": false}}));
}

#[test]
fn a_wrong_checksum_is_counted_until_it_is_right() {
    let host = host();
    let service = service();
    let mut wrong = service.checkpoint();
    wrong["checkpoint"]["buckets"][0]["checksum"] = json!(5);
    for times in 1..=2 {
        host.control("start", ());
        host.line(&wrong);
        host.line(&service.data("a", 0));
        host.line(&service.data("b", 0));
        host.line(&service.complete());
        let actual = service.buckets["a"].checksum().cast_signed();
        assert_eq!(detail(&host, "checksum", "a"), json!({"expected": 5, "actual": actual, "times": times}));
        assert_eq!(attempt(&host)["ended_by"], "instruction");
    }
    host.control("start", ());
    service.lines(0).iter().for_each(|line| drop(host.line(line)));
    assert_eq!(host.value("SELECT count(*) FROM ps_diagnostics WHERE kind = 'checksum'"), 0);
}

#[test]
fn a_partial_checkpoint_shows_which_buckets_are_right_again() {
    let host = host();
    let mut service = service();
    service.bucket("a").priority = 1;
    let mut wrong = service.checkpoint();
    wrong["checkpoint"]["buckets"][0]["checksum"] = json!(5);
    wrong["checkpoint"]["buckets"][1]["checksum"] = json!(6);
    let buckets = || host.table("SELECT subject FROM ps_diagnostics WHERE kind = 'checksum' ORDER BY 1");
    host.control("start", ());
    host.line(&wrong);
    host.line(&service.complete());
    assert_eq!(buckets(), json!([["a"], ["b"]]));
    host.control("start", ());
    host.line(&service.checkpoint());
    host.line(&service.data("a", 0));
    host.line(&service.partial_complete(1));
    assert_eq!(buckets(), json!([["b"]]));
}

#[test]
fn errors_of_streams_stay_until_the_service_has_none() {
    let host = host();
    let mut service = service();
    let error = json!({"subscription": "default", "message": "no such table"});
    service.streams = vec![json!({"name": "s", "is_default": true, "errors": [error, error]})];
    for times in 1..=2 {
        host.control("start", ());
        host.line(&service.checkpoint());
        let expected = json!({"message": "no such table", "errors": 2, "times": times});
        assert_eq!(detail(&host, "stream", "s"), expected);
    }
    service.streams = vec![json!({"name": "s", "is_default": true, "errors": []})];
    host.control("start", ());
    host.line(&service.checkpoint());
    assert_eq!(detail(&host, "stream", "s"), Value::Null);
}
