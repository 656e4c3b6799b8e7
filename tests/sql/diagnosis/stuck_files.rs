//! Five files with which an app is stuck, each told apart from the file alone, and what gets it going again.
//!
//! Each is made by a session through SQL, and closed. A fresh connection and one that can only read say the same about it.

use rusqlite::OpenFlags;
use serde_json::{Value, json};

use super::app::{App, diagnose, problems, schema};

/// The only problem of the file, as fresh connections see it: code and subject.
#[track_caller]
fn only_problem(app: &mut App) -> Value {
    app.reopen();
    let report = diagnose(&app.host);
    let read_only = diagnose(&app.reopened(OpenFlags::SQLITE_OPEN_READ_ONLY));
    assert_eq!(read_only["problems"], report["problems"]);
    let found = problems(&report);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    found[0].clone()
}

#[track_caller]
fn assert_healthy(app: &mut App) {
    app.reopen();
    assert_eq!(problems(&diagnose(&app.host)), json!([]));
    assert_eq!(app.verify()["findings"], json!([]));
}

#[test]
fn never_connected() {
    let mut app = App::new();
    app.host.control("start", ());
    app.host.control("stop", ());
    assert_eq!(only_problem(&mut app), json!(["never-connected", null]));
    assert_eq!(diagnose(&app.host)["last_attempt"]["connected"], false);
    let left = app.repair("all");
    assert_eq!(json!([left["repaired"], left["left"][0]["code"]]), json!([[], "never-connected"]));
    app.sync();
    assert_healthy(&mut app);
}

#[test]
fn a_checksum_is_wrong_at_every_attempt() {
    let mut app = App::new();
    app.sync();
    app.service.put("b", "lists", "2", &json!({"name": "x"}));
    let mut wrong = app.service.checkpoint();
    wrong["checkpoint"]["buckets"][1]["checksum"] = json!(-5);
    for times in 1..=3 {
        app.host.control("start", ());
        app.host.line(&wrong);
        app.host.line(&app.service.data("b", 0));
        app.host.line(&app.service.complete());
        let code = if times == 3 { "repeated-checksum-failures" } else { "checksum-mismatch" };
        assert_eq!(only_problem(&mut app), json!([code, "b"]));
    }
    let report = diagnose(&app.host);
    let text = report["problems"][0]["text"].as_str().unwrap();
    let actual = app.service.buckets["b"].checksum().cast_signed();
    assert!(text.contains("last 3 attempts") && text.contains(&format!("expected -5, got {actual}")), "{text}");
    // The client has dropped the bucket each time. The service was corrected.
    app.sync();
    assert_healthy(&mut app);
    assert_eq!(app.host.value("SELECT count(*) FROM ps_data__lists"), 2);
}

#[test]
fn a_stored_checksum_is_wrong() {
    let mut app = App::synced();
    app.host.execute("UPDATE ps_buckets SET op_checksum = op_checksum + 1 WHERE name = 'b'");
    app.reopen();
    assert_eq!(super::app::codes(&app.verify()["findings"]), json!([["checksum-mismatch", "b"]]));
    assert_eq!(app.repair("checksum-mismatch")["repaired"], json!([{"code": "checksum-mismatch", "subject": "b"}]));
    assert_eq!(app.host.table("SELECT name FROM ps_buckets"), json!([["a"]]));
    app.sync();
    assert_healthy_but_untyped(&mut app);
}

/// [`App::synced`] has a row without a table.
#[track_caller]
fn assert_healthy_but_untyped(app: &mut App) {
    assert_eq!(only_problem(app), json!(["untyped-rows", "other"]));
    assert_eq!(app.verify()["findings"], json!([]));
}

#[test]
fn the_queue_never_drains() {
    let mut app = App::new();
    app.sync();
    app.host.execute("BEGIN; INSERT INTO lists(id, name) VALUES ('l', 'secret'), ('m', 'x'); COMMIT");
    app.host.execute("DELETE FROM lists WHERE id = 'm'");
    app.service.put("a", "lists", "2", &json!({"name": "y"}));
    app.sync();
    assert_eq!(only_problem(&mut app), json!(["uploads-waiting", "1"]));
    let report = diagnose(&app.host);
    let gate = &report["gate"];
    assert_eq!(json!([gate["open"], gate["state"], gate["target"]]), json!([false, "local writes queued", "unknown"]));
    let counts = json!([gate["queued_entries"], gate["queued_transactions"], gate["rows_held_back"]]);
    assert_eq!(counts, json!([3, 2, 1]));
    assert_eq!(gate["remedy"], report["problems"][0]["remedy"]);
    assert!(gate["remedy"].as_str().unwrap().contains("powersync_crud_reject()"));
    // What the remedy says; the next entry is acknowledged by the service.
    app.host.transaction("SELECT powersync_crud_reject(1, 'P0001', 'refused')", []);
    app.host.transaction("SELECT powersync_crud_complete(3, 5)", []);
    app.service.write_checkpoint = Some(5);
    app.sync();
    assert_healthy(&mut app);
    assert_eq!(app.host.table("SELECT id FROM lists ORDER BY id"), json!([["1"], ["2"]]));
}

#[test]
fn uploads_were_sent_and_no_request_id_was_stored() {
    let mut app = App::new();
    app.sync();
    app.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'secret'); DELETE FROM ps_crud");
    app.sync();
    assert_eq!(only_problem(&mut app), json!(["gate-unknown-request-id", null]));
    let report = diagnose(&app.host);
    assert_eq!(report["gate"]["state"], "request id unknown");
    let remedy = report["problems"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("powersync_control('target_checkpoint_request_id', id)"), "{remedy}");
    app.host.control("target_checkpoint_request_id", 7);
    assert_eq!(only_problem(&mut app), json!(["gate-not-acknowledged", null]));
    app.service.write_checkpoint = Some(7);
    app.sync();
    assert_healthy(&mut app);
}

#[test]
fn rows_arrive_for_a_type_without_a_table() {
    let mut app = App::new();
    app.service.put("a", "todos", "1", &json!({"name": "secret"}));
    app.service.put("a", "todos", "2", &json!({"name": "x"}));
    app.sync();
    assert_eq!(only_problem(&mut app), json!(["untyped-rows", "todos"]));
    let report = diagnose(&app.host);
    assert_eq!(report["tables"][3], json!({"name": "todos", "kind": "untyped", "local_only": false, "rows": 2}));
    let mut with_todos = schema();
    let todos = json!({"name": "todos", "columns": [{"name": "name", "type": "text"}]});
    with_todos["tables"].as_array_mut().unwrap().push(todos);
    app.host.replace_schema(&with_todos);
    assert_healthy(&mut app);
    assert_eq!(app.host.value("SELECT count(*) FROM todos"), 2);
}
