//! `powersync_diagnose('verify')` (docs/reference/functions.md#verification).

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use rusqlite::OpenFlags;
use serde_json::{Value, json};

use super::app::{App, codes, verify};

/// What is found after `sql` has changed the file of [`App::synced`].
#[track_caller]
fn assert_found(sql: &str, expected: Value) {
    let app = App::synced();
    app.host.execute(sql);
    assert_eq!(codes(&app.verify()["findings"]), expected, "{sql}");
}

#[test]
fn a_healthy_file_has_no_findings_on_any_connection() {
    let app = App::synced();
    let expected = json!({"checked_operations": 6, "checked_rows": 5, "skipped_rows": 0, "findings": []});
    assert_eq!(app.verify(), expected);
    assert_eq!(verify(&app.reopened(OpenFlags::SQLITE_OPEN_READ_ONLY)), expected);
    app.host.execute("BEGIN");
    assert_eq!(app.verify(), expected);
    app.host.execute("ROLLBACK");
    let empty = Host::open_in_memory();
    let nothing = json!({"checked_operations": 0, "checked_rows": 0, "skipped_rows": 0, "findings": []});
    assert_eq!(verify(&empty), nothing);
}

#[test]
fn rows_that_something_has_changed_are_found() {
    let row = |subject: &str| json!([["row-differs", subject]]);
    for (sql, subject) in [
        ("UPDATE ps_data__lists SET data = '{}' WHERE id = '1'", "lists/1"),
        ("DELETE FROM ps_data__lists WHERE id = '2'", "lists/2"),
        ("INSERT INTO ps_data__lists(id, data) VALUES ('3', '{}')", "lists/3"),
        ("UPDATE ps_untyped SET data = '{}'", "other/1"),
        ("DELETE FROM ps_untyped", "other/1"),
        ("INSERT INTO ps_untyped VALUES ('another', '/', '{}')", "another//"),
    ] {
        assert_found(sql, row(subject));
    }
    // Direct tables record what is written to them: without the triggers, and without their absence.
    for (sql, subject) in [
        ("UPDATE direct SET size = 1.0 WHERE id = '1'", "direct/1"),
        ("DELETE FROM direct WHERE id = '2'", "direct/2"),
        ("INSERT INTO direct(id) VALUES ('3')", "direct/3"),
    ] {
        let app = App::synced();
        app.host.execute(
            "CREATE TEMP TABLE triggers AS SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'direct' AND type = 'trigger'",
        );
        for name in app.host.rows("SELECT name FROM triggers") {
            app.host.execute(&format!("DROP TRIGGER {}", name[0].as_str().unwrap()));
        }
        app.host.execute(sql);
        for sql in app.host.rows("SELECT sql FROM triggers") {
            app.host.execute(sql[0].as_str().unwrap());
        }
        assert_eq!(codes(&app.verify()["findings"]), row(subject), "{sql}");
    }
}

#[test]
fn rows_with_local_writes_are_skipped() {
    let app = App::synced();
    app.host.execute("UPDATE lists SET name = 'mine' WHERE id = '1'; INSERT INTO direct(id) VALUES ('n')");
    app.host.execute("UPDATE ps_data__lists SET data = '{}' WHERE id = '2'");
    let found = app.verify();
    assert_eq!(json!([found["checked_rows"], found["skipped_rows"]]), json!([4, 2]));
    assert_eq!(codes(&found["findings"]), json!([["row-differs", "lists/2"]]));
    // Marks alone protect rows whose uploads were completed.
    app.host.execute("DELETE FROM ps_crud");
    assert_eq!(app.verify(), found);
    // The queue alone does, too.
    app.host.execute("INSERT INTO lists(id) VALUES ('q'); DELETE FROM ps_updated_rows WHERE row_id = 'q'");
    assert_eq!(app.verify()["skipped_rows"], 3);
}

#[test]
fn rows_that_wait_for_another_publish_are_skipped() {
    let app = App::synced();
    app.host.transaction("SELECT powersync_trigger_resync(0)", []);
    app.host.execute("DELETE FROM ps_data__lists");
    assert_eq!(app.verify()["findings"], json!([]));
    app.host.transaction("SELECT powersync_clear(2)", []);
    assert_eq!(app.verify()["findings"], json!([]));
    app.sync();
    assert_eq!(app.verify()["checked_rows"], 5);
}

#[test]
fn damaged_buckets_are_found() {
    let bucket = |code: &str| json!([[code, "a"]]);
    assert_found("UPDATE ps_buckets SET op_checksum = op_checksum + 1 WHERE name = 'a'", bucket("checksum-mismatch"));
    let first = "id = (SELECT min(id) FROM ps_operations)";
    assert_found(&format!("UPDATE ps_operations SET hash = hash + 1 WHERE {first}"), bucket("checksum-mismatch"));
    let both = json!([["checksum-mismatch", "a"], ["row-differs", "lists/1"]]);
    assert_found(&format!("DELETE FROM ps_operations WHERE {first}"), both);
    let changed = json!([["operations-invalid", "a"], ["row-differs", "lists/1"]]);
    assert_found(&format!("UPDATE ps_operations SET data = '[]' WHERE {first}"), changed);
    // Its data were in a row that was replaced without a trigger.
    let replaced = json!([["operations-invalid", "a"], ["row-differs", "lists/1"]]);
    assert_found("REPLACE INTO ps_data__lists(id, data) VALUES ('1', '{}')", replaced);
    let entry = "operation = (SELECT min(operation) FROM ps_row_operations)";
    assert_found(&format!("DELETE FROM ps_row_operations WHERE {entry}"), bucket("operations-invalid"));
    // Sums that older versions stored signed or unreduced are right.
    assert_found("UPDATE ps_buckets SET op_checksum = op_checksum - 4294967296", json!([]));
    assert_found("UPDATE ps_buckets SET op_checksum = op_checksum + 4294967296", json!([]));
}

#[test]
fn orphans_of_every_internal_table_are_found() {
    let orphan = |table: &str| json!([["orphaned-entries", table]]);
    for (table, sql) in ORPHANS {
        assert_found(sql, orphan(table));
    }
}

/// For each internal table, what makes an orphan of it.
pub(super) const ORPHANS: &[(&str, &str)] = &[
    ("ps_buckets", "INSERT INTO ps_buckets(id, name) VALUES (1 << 40, 'too large')"),
    ("ps_buckets", "INSERT INTO ps_buckets(id, name, settled) VALUES (77, 'unsettled', -1)"),
    (
        "ps_operations",
        "INSERT INTO ps_operations(id, op_id, row_type, row_id, data, hash) VALUES ((99 << 34) | 1, 5, 'x', 'y', '{}', 1)",
    ),
    (
        "ps_operations",
        "INSERT INTO ps_operations(id, op_id, row_type, row_id, data, hash) VALUES ((5 << 56) | (1 << 34) | 1, 5, 'x', 'y', '{}', 1)",
    ),
    ("ps_row_operations", "INSERT INTO ps_row_operations VALUES ('lists', 'gone', 1)"),
    (
        "ps_row_operations",
        "INSERT INTO ps_row_operations SELECT 'lists', 'another', operation FROM ps_row_operations LIMIT 1",
    ),
    ("ps_updated_rows", "INSERT INTO ps_updated_rows(row_type, row_id) VALUES (NULL, 'x'), ('x', NULL)"),
    ("ps_untyped", "INSERT INTO ps_untyped VALUES ('lists', '1', '{}')"),
    ("ps_untyped", "INSERT INTO ps_untyped VALUES ('direct', '1', '{}')"),
    ("ps_sync_state", "INSERT INTO ps_sync_state VALUES (4, 5)"),
    ("ps_stream_subscriptions", "INSERT INTO ps_stream_subscriptions(stream_name, local_params) VALUES ('s', '{')"),
    ("ps_diagnostics", "INSERT INTO ps_diagnostics VALUES ('x', '', 1, '{}')"),
    ("ps_diagnostics", "INSERT INTO ps_diagnostics VALUES ('checksum', 'a', 1, '{')"),
];

#[test]
fn entries_of_the_queue_are_checked() {
    let app = App::synced();
    let entry = |id: i64, transaction: i64, data: &str| {
        app.host.execute(&format!("INSERT INTO ps_crud VALUES ({id}, '{data}', {transaction})"));
    };
    let good = r#"{"op":"PUT","type":"lists","id":"1","data":{}}"#;
    entry(1, 1, good);
    entry(2, 1, r#"{"op":"DELETE","type":"lists","id":"1"}"#);
    assert_eq!(app.verify()["findings"], json!([]));
    for data in [
        "{",
        "[]",
        r#"{"op":"X","type":"lists","id":"1"}"#,
        r#"{"op":"PUT","type":"lists","id":1}"#,
        r#"{"op":"PUT","id":"1"}"#,
        r#"{"op":"PUT","type":"lists","id":"1","data":[]}"#,
    ] {
        entry(3, 2, data);
        assert_eq!(codes(&app.verify()["findings"]), json!([["queue-entry-invalid", "3"]]), "{data}");
        // Only the one at the head keeps others from being uploaded.
        let head = |expected: bool| {
            let codes = super::app::problems(&super::app::diagnose(&app.host)).to_string();
            assert_eq!(codes.contains("queue-entry-invalid"), expected, "{codes}");
        };
        head(false);
        app.host
            .execute("CREATE TEMP TABLE kept AS SELECT * FROM ps_crud WHERE id < 3; DELETE FROM ps_crud WHERE id < 3");
        head(true);
        app.host.execute("INSERT INTO ps_crud SELECT * FROM kept; DROP TABLE kept; DELETE FROM ps_crud WHERE id = 3");
    }
    entry(3, 0, good);
    assert_eq!(codes(&app.verify()["findings"]), json!([["queue-entry-invalid", "3"]]));
    app.host.execute("DELETE FROM ps_crud; UPDATE sqlite_sequence SET seq = 5 WHERE name = 'ps_crud'");
    entry(-1, 9, good);
    assert_eq!(codes(&app.verify()["findings"]), json!([["queue-entry-invalid", "-1"]]));
}

#[test]
fn raw_tables_are_checked_by_the_existence_of_their_rows() {
    let schema = json!({"tables": [], "raw_tables": [{"name": "r", "table_name": "mine"}, {"name": "nowhere"}]});
    let mut session = Session::with_tables("CREATE TABLE mine(id TEXT PRIMARY KEY, x)", &schema);
    session.put("r", "1", r#"{"x":1}"#);
    session.put("r", "2", r#"{"x":1}"#);
    session.sync();
    let host = &session.host;
    assert_eq!(verify(host), json!({"checked_operations": 2, "checked_rows": 2, "skipped_rows": 0, "findings": []}));
    host.execute("UPDATE mine SET x = 2; INSERT INTO mine VALUES ('of the app', 1)");
    assert_eq!(verify(host)["findings"], json!([]));
    host.execute("DELETE FROM mine WHERE id = '2'");
    assert_eq!(codes(&verify(host)["findings"]), json!([["row-differs", "r/2"]]));
}

#[test]
fn without_the_schema_it_is_not_known_which_types_have_raw_tables() {
    let app = App::synced();
    app.host.execute("CREATE TABLE mine(id TEXT PRIMARY KEY, x)");
    let mut schema = super::app::schema();
    schema["raw_tables"] = json!([{"name": "other", "table_name": "mine"}]);
    app.host.replace_schema(&schema);
    app.host.transaction("SELECT powersync_trigger_resync(0)", []);
    app.host.execute("DELETE FROM ps_untyped");
    app.sync();
    assert_eq!(app.host.table("SELECT * FROM mine"), json!([["1", 1]]));
    assert_eq!(app.verify()["checked_rows"], 5);
    let found = verify(&app.reopened(OpenFlags::default()));
    assert_eq!(json!([found["checked_rows"], found["skipped_rows"], found["findings"]]), json!([4, 1, []]));
}

#[test]
fn rows_that_insert_only_tables_keep_are_no_findings() {
    let schema = json!({"tables": [{"name": "d", "direct": true, "insert_only": true, "columns": [{"name": "x"}]}]});
    let session = Session::with_schema(&schema);
    session.host.execute("INSERT INTO d(id, x) VALUES ('1', 1); DELETE FROM ps_crud");
    assert_eq!(verify(&session.host)["findings"], json!([]));
}

#[test]
fn values_of_direct_tables_are_compared_exactly() {
    let columns = json!([{"name": "a"}, {"name": "b"}, {"name": "quote\"d"}]);
    let mut session = Session::with_schema(&json!({"tables": [{"name": "d", "direct": true, "columns": columns}]}));
    for (id, data) in [
        ("1", r#"{"a":1,"b":1.0,"quote\"d":"\u0000x"}"#),
        ("2", r#"{"a":1,"a":"last","b":true}"#),
        ("3", r#"{"b":[ 1, {"x" : null}],"a":9223372036854775808}"#),
        ("4", r#"{"a":-1e400,"b":"\ud83d\ude00","none":1}"#),
        ("5", "{}"),
    ] {
        session.put("d", id, data);
    }
    session.sync();
    let found = verify(&session.host);
    assert_eq!(json!([found["checked_rows"], found["findings"]]), json!([5, []]));
}

#[test]
fn there_are_at_most_a_hundred_findings_of_each_code() {
    let mut app = App::synced();
    for id in 0..120 {
        app.service.put("a", "lists", &format!("n{id}"), &json!({}));
    }
    app.sync();
    app.host.execute("DELETE FROM ps_data__lists WHERE id GLOB 'n*'");
    let found = app.verify();
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 101);
    assert_eq!(json!([findings[100]["subject"], findings[100]["text"]]), json!([null, "20 more."]));
    assert_eq!(app.repair("all")["repaired"].as_array().unwrap().len(), 101);
    assert_eq!(app.verify()["findings"], json!([]));
}

#[test]
fn damage_that_cannot_be_read_is_a_finding_and_hides_nothing_else() {
    let app = App::synced();
    app.host.execute("DROP TABLE ps_sync_state; DELETE FROM ps_data__lists WHERE id = '1'");
    let expected = json!([["stored-data-invalid", "ps_sync_state"], ["row-differs", "lists/1"]]);
    assert_eq!(codes(&app.verify()["findings"]), expected);
}

#[test]
fn it_can_be_interrupted() {
    let app = App::synced();
    let host = &app.host;
    let interrupt = host.connection().get_interrupt_handle();
    host.connection()
        .create_scalar_function("interrupt", 1, rusqlite::functions::FunctionFlags::SQLITE_UTF8, move |_| {
            interrupt.interrupt();
            Ok(0)
        })
        .unwrap();
    let error = host.error("SELECT powersync_diagnose(iif(interrupt(1), 'x', 'verify'))");
    assert_eq!(error.code, 9, "{error}");
}

#[test]
fn other_arguments_are_errors() {
    let app = App::new();
    for argument in ["NULL", "'all'", "1", "x'766572696679'"] {
        let error = app.host.error(&format!("SELECT powersync_diagnose({argument})"));
        assert_eq!(error.code, 3091, "{argument}");
        assert!(error.message.contains("the argument must be 'verify'"), "{error}");
    }
}

#[test]
fn databases_in_utf_16_are_read_alike() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let mut app = App::with_pragma(&format!("PRAGMA encoding = '{encoding}'"));
        app.service.put("a", "lists", "é😀", &json!({"name": "ü"}));
        app.fill();
        let report = super::app::diagnose(&app.host);
        assert_eq!(super::app::problems(&report), json!([["untyped-rows", "other"]]));
        assert_eq!(report["versions"]["encoding"], encoding);
        assert_eq!(app.verify()["checked_rows"], 6);
        assert_eq!(app.verify()["findings"], json!([]));
        app.host.execute("UPDATE ps_data__lists SET data = '{}' WHERE id = 'é😀'; UPDATE ps_untyped SET data = '{}'");
        let expected = json!([["row-differs", "lists/é😀"], ["row-differs", "other/1"]]);
        assert_eq!(codes(&app.verify()["findings"]), expected);
        let state = app.host.value("SELECT powersync_explain('lists', 'é😀') ->> '$.state'");
        assert_eq!(state, "differs from what was downloaded");
        assert_eq!(app.repair("all")["repaired"].as_array().unwrap().len(), 2);
        assert_eq!(app.verify()["findings"], json!([]));
        assert_eq!(app.host.value("SELECT name FROM lists WHERE id = 'é😀'"), "ü");
    }
}
