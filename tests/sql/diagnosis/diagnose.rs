//! `powersync_diagnose` (docs/reference/functions.md#powersync_diagnose): why data do not arrive, from the file alone.

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use rowtide_testkit::versions::ScriptHost;
use rusqlite::OpenFlags;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A file that an app has used.
struct App {
    directory: TempDir,
    host: Host,
    service: Service,
}

impl App {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::open(directory.path().join("app.db"));
        host.replace_schema(&json!({"tables": [
            {"name": "lists", "columns": [{"name": "name", "type": "text"}]},
            {"name": "notes", "columns": [{"name": "text", "type": "text"}], "local_only": true},
        ]}));
        let mut service = Service::new();
        service.put("a", "lists", "1", &json!({"name": "secret"}));
        Self { directory, host, service }
    }

    fn sync(&self) {
        self.host.control("start", ());
        self.service.lines(0).iter().for_each(|line| drop(self.host.line(line)));
        self.host.control("stop", ());
    }

    /// The diagnosis of the file, on a connection that knows nothing else.
    fn diagnose(self) -> Value {
        let path = self.directory.path().join("app.db");
        drop(self.host);
        diagnose(&Host::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
    }
}

#[track_caller]
fn diagnose(host: &Host) -> Value {
    let report = host.value("SELECT powersync_diagnose()");
    let report = report.as_str().unwrap();
    assert!(!report.contains("secret"), "row data: {report}");
    serde_json::from_str(report).unwrap()
}

/// Codes and subjects of all problems, which all have a text and a remedy.
fn problems(report: &Value) -> Value {
    let problems = report["problems"].as_array().unwrap();
    assert!(problems.iter().all(|each| each["text"].as_str() > Some("") && each["remedy"].as_str() > Some("")));
    problems.iter().map(|each| json!([each["code"], each["subject"]])).collect()
}

#[test]
fn a_healthy_client_has_no_problems() {
    let app = App::new();
    app.sync();
    let client_id = app.host.value("SELECT powersync_client_id()");
    app.host.execute("INSERT INTO notes(id, text) VALUES ('n', 'secret')");
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([]));
    assert_eq!(report["versions"]["format"], 1003);
    assert_eq!(report["versions"]["encoding"], "UTF-8");
    assert_eq!(report["client_id"], client_id);
    let gate = json!({"open": true, "state": "open", "queued_entries": 0, "queued_transactions": 0,
        "oldest_entry_id": null, "target": null, "last_seen": null, "last_applied": null, "last_requested": null,
        "rows_held_back": 0, "remedy": null});
    assert_eq!(report["gate"], gate);
    assert_eq!(report["iteration"], Value::Null);
    assert_eq!(report["last_attempt"]["completed"], true);
    assert_eq!(
        report["tables"],
        json!([
            {"name": "lists", "kind": "json", "local_only": false, "rows": 1},
            {"name": "notes", "kind": "json", "local_only": true, "rows": 1},
        ])
    );
    assert_eq!(report["sync_times"][0]["priority"], 2_147_483_647);
    assert_eq!(report["rejected"], 0);
}

#[test]
fn never_connected() {
    let app = App::new();
    let report = diagnose(&app.host);
    assert_eq!(problems(&report), json!([["never-connected", null]]), "no attempt");
    app.host.control("start", ());
    app.host.control("stop", ());
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([["never-connected", null]]), "attempts without an answer");
    assert_eq!(report["last_attempt"]["lines"], 0);
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
        assert_eq!(problems(&diagnose(&app.host)), json!([[code, "b"]]));
    }
    let actual = app.service.buckets["b"].checksum().cast_signed();
    let report = app.diagnose();
    let text = report["problems"][0]["text"].as_str().unwrap();
    assert!(text.contains("last 3 attempts") && text.contains(&format!("expected -5, got {actual}")), "{text}");
}

#[test]
fn the_queue_never_drains() {
    let mut app = App::new();
    app.sync();
    app.host.execute("BEGIN; INSERT INTO lists(id, name) VALUES ('l', 'secret'), ('m', 'x'); COMMIT");
    app.host.execute("DELETE FROM lists WHERE id = 'm'");
    app.service.put("a", "lists", "2", &json!({"name": "y"}));
    app.sync();
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([["uploads-waiting", "1"]]));
    let gate = &report["gate"];
    assert_eq!(json!([gate["open"], gate["state"], gate["target"]]), json!([false, "local writes queued", "unknown"]));
    let counts = json!([gate["queued_entries"], gate["queued_transactions"], gate["rows_held_back"]]);
    assert_eq!(counts, json!([3, 2, 1]));
    assert_eq!(gate["remedy"], report["problems"][0]["remedy"]);
}

#[test]
fn uploads_were_sent_and_no_request_id_was_stored() {
    let app = App::new();
    app.sync();
    app.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'secret'); DELETE FROM ps_crud");
    app.sync();
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([["gate-unknown-request-id", null]]));
    assert_eq!(report["gate"]["state"], "request id unknown");
}

#[test]
fn the_service_does_not_acknowledge() {
    let mut app = App::new();
    app.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'secret'); DELETE FROM ps_crud");
    app.host.control("target_checkpoint_request_id", 7);
    app.service.write_checkpoint = Some(6);
    app.sync();
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([["gate-not-acknowledged", null]]));
    assert_eq!(json!([report["gate"]["target"], report["gate"]["last_seen"]]), json!(["7", "6"]));
}

#[test]
fn rows_arrive_for_a_type_without_a_table() {
    let mut app = App::new();
    app.service.put("a", "todos", "1", &json!({"name": "secret"}));
    app.service.put("a", "todos", "2", &json!({"name": "x"}));
    app.sync();
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([["untyped-rows", "todos"]]));
    assert_eq!(report["tables"][2], json!({"name": "todos", "kind": "untyped", "local_only": false, "rows": 2}));
}

#[test]
fn a_failed_call_and_an_error_of_a_stream_are_shown() {
    let mut app = App::new();
    app.sync();
    let error = json!({"subscription": "default", "message": "no such table"});
    app.service.streams = vec![json!({"name": "s", "is_default": true, "errors": [error]})];
    app.host.control("start", ());
    app.host.line(&app.service.checkpoint());
    app.host.control_error("line_text", json!({"data": 1}));
    app.host.control("stop", ());
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([["last-attempt-failed", "protocol"], ["subscription-error", "s"]]));
    let stream = &report["subscriptions"][0];
    assert_eq!(json!([stream["name"], stream["has_parameters"], stream["active"]]), json!(["s", false, true]));
}

#[test]
fn buckets_show_what_they_hold() {
    let mut app = App::new();
    app.service.put("a", "lists", "1", &json!({"name": "y"}));
    app.service.put("b", "lists", "2", &json!({"name": "z"}));
    app.sync();
    app.host.control("start", ());
    app.host.line(&app.service.checkpoint());
    app.service.put("b", "lists", "3", &json!({"name": "z"}));
    app.host.line(&app.service.data("b", 3));
    let report = diagnose(&app.host);
    let buckets = report["buckets"].as_array().unwrap();
    let shown: Value = buckets
        .iter()
        .map(|each| {
            json!([
                each["name"],
                each["last_op"],
                each["last_applied_op"],
                each["operations"],
                each["pending_operations"],
                each["superseded"],
                each["count_at_last"],
                each["count_since_last"]
            ])
        })
        .collect();
    assert_eq!(shown, json!([["a", "3", "3", 1, 0, 1, 2, 0], ["b", "4", "3", 2, 1, 0, 1, 1]]));
    assert_eq!(buckets[0]["checksum"], app.service.buckets["a"].checksum().cast_signed());
    assert!(buckets[0]["bytes"].as_i64() > Some(0));
    let iteration = &report["iteration"];
    let shown = json!([iteration["connected"], iteration["state"], iteration["lines"], iteration["checkpoint"]]);
    assert_eq!(shown, json!([true, "downloading", 2, {"last_op_id": "3", "write_checkpoint": null}]));
}

#[test]
fn it_works_in_any_format_and_without_tables() {
    let host = Host::open_in_memory();
    let report = diagnose(&host);
    assert_eq!(problems(&report), json!([["format-older", null]]));
    assert_eq!(report["versions"]["format"], 0);
    let lists = ["buckets", "subscriptions", "tables", "sync_times"].map(|member| report[member].clone());
    assert_eq!(json!(lists), json!([[], [], [], []]));
    for format in (1..=14).chain([1001, 1002]) {
        let host = Host::open_in_memory();
        host.transaction("SELECT powersync_test_migration(?)", [format]);
        assert_eq!(diagnose(&host)["versions"]["format"], format);
    }
    host.initialize();
    host.execute("INSERT INTO ps_migration(id, down_migrations) VALUES (5000, '[]')");
    assert_eq!(problems(&diagnose(&host)), json!([["format-newer", null]]));
}

#[test]
fn damaged_tables_are_a_problem_and_hide_nothing_else() {
    let app = App::new();
    app.sync();
    app.host.execute("DROP TABLE ps_row_operations");
    let report = app.diagnose();
    assert_eq!(problems(&report), json!([["stored-data-invalid", "buckets"]]));
    assert_eq!(report["tables"][0]["rows"], 1);
}

#[test]
fn a_raw_table_that_is_missing_is_named() {
    let app = App::new();
    app.host.replace_schema(&json!({"tables": [], "raw_tables": [{"name": "r", "table_name": "mine"}]}));
    app.sync();
    let report = diagnose(&app.host);
    assert!(problems(&report).as_array().unwrap().contains(&json!(["raw-table-unknown", "r"])), "{report}");
    app.host.execute("CREATE TABLE mine(id TEXT PRIMARY KEY)");
    let report = diagnose(&app.host);
    assert!(!problems(&report).to_string().contains("raw-table-unknown"));
    assert!(
        report["tables"]
            .as_array()
            .unwrap()
            .contains(&json!({"name": "r", "kind": "raw", "local_only": false, "rows": 0}))
    );
}

#[test]
fn the_oldest_supported_version_of_sqlite_can_diagnose_and_explain() {
    let app = App::new();
    let path = app.directory.path().join("app.db");
    app.sync();
    app.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'x')");
    drop(app.host);
    let script = "SELECT group_concat(value ->> '$.code') FROM json_each(powersync_diagnose(), '$.problems');\n\
        SELECT powersync_diagnose() -> '$.tables[0].rows', powersync_explain('lists', 'l') ->> '$.state';\n\
        SELECT count(*) FROM powersync_log;\n";
    let output = ScriptHost::oldest_supported().run(path.to_str().unwrap(), script).unwrap();
    assert_eq!(output, ["uploads-waiting", "2|changed locally", "0"]);
}
