//! `powersync_diagnose` (docs/reference/functions.md#powersync_diagnose): why data do not arrive, from the file alone.

use rowtide_testkit::Host;
use rowtide_testkit::versions::ScriptHost;
use rusqlite::OpenFlags;
use serde_json::{Value, json};

use super::app::{App, diagnose, problems};

#[test]
fn a_healthy_client_has_no_problems() {
    let app = App::new();
    app.sync();
    let client_id = app.host.value("SELECT powersync_client_id()");
    app.host.execute("INSERT INTO notes(id, text) VALUES ('n', 'secret')");
    let report = diagnose(&app.reopened(OpenFlags::SQLITE_OPEN_READ_ONLY));
    assert_eq!(problems(&report), json!([]));
    assert_eq!(report["versions"]["format"], 1004);
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
            {"name": "direct", "kind": "direct", "local_only": false, "rows": 0},
            {"name": "notes", "kind": "json", "local_only": true, "rows": 1},
        ])
    );
    assert_eq!(report["sync_times"][0]["priority"], 2_147_483_647);
    assert_eq!(report["rejected"], 0);
}

#[test]
fn the_service_does_not_acknowledge() {
    let mut app = App::new();
    app.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'secret'); DELETE FROM ps_crud");
    app.host.control("target_checkpoint_request_id", 7);
    app.service.write_checkpoint = Some(6);
    app.sync();
    let report = diagnose(&app.reopened(OpenFlags::SQLITE_OPEN_READ_ONLY));
    assert_eq!(problems(&report), json!([["gate-not-acknowledged", null]]));
    assert_eq!(json!([report["gate"]["target"], report["gate"]["last_seen"]]), json!(["7", "6"]));
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
    let report = diagnose(&app.reopened(OpenFlags::SQLITE_OPEN_READ_ONLY));
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
    app.host.execute("DROP TABLE ps_operations");
    let report = diagnose(&app.reopened(OpenFlags::SQLITE_OPEN_READ_ONLY));
    assert_eq!(problems(&report), json!([["stored-data-invalid", "gate"], ["stored-data-invalid", "buckets"]]));
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
fn the_oldest_supported_version_of_sqlite_can_do_all_of_it() {
    let app = App::new();
    app.sync();
    app.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'x')");
    let path = app.host.value("SELECT file FROM pragma_database_list WHERE name = 'main'");
    let path = path.as_str().unwrap();
    let script = "SELECT group_concat(value ->> '$.code') FROM json_each(powersync_diagnose(), '$.problems');\n\
        SELECT powersync_diagnose() -> '$.tables[0].rows', powersync_explain('lists', 'l') ->> '$.state';\n\
        SELECT count(*) FROM powersync_log;\n\
        SELECT powersync_diagnose('verify') -> '$.verification';\n\
        UPDATE ps_data__lists SET data = '{}'; UPDATE ps_buckets SET op_checksum = 1;\n\
        SELECT group_concat(value ->> '$.code') FROM json_each(powersync_diagnose('verify'), '$.verification.findings');\n\
        BEGIN IMMEDIATE; SELECT powersync_repair('all') -> '$.repaired'; COMMIT;\n";
    let output = ScriptHost::oldest_supported().run(path, script).unwrap();
    let verified = r#"{"checked_operations":1,"checked_rows":1,"skipped_rows":1,"findings":[]}"#;
    let repaired = r#"[{"code":"checksum-mismatch","subject":"a"}]"#;
    let found = "checksum-mismatch,row-differs";
    assert_eq!(output, ["uploads-waiting", "2|changed locally", "0", verified, found, repaired]);
}
