//! `powersync_repair` (docs/reference/functions.md#powersync_repair).

use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

use super::app::{App, codes, diagnose, problems, verify};
use super::verify::ORPHANS;

const NOTHING: &str = r#"{"repaired":[],"left":[]}"#;

fn repaired(result: &Value) -> Value {
    let all = result["repaired"].as_array().unwrap().iter();
    all.map(|each| json!([each["code"], each["subject"]])).collect()
}

/// After a repair of all that `sql` has damaged, and a sync, the file is as it was.
#[track_caller]
fn assert_repaired(sql: &str, expected: Value) {
    let app = App::synced();
    let before = rowtide_testkit::invariants::dump(&app.host);
    app.host.execute(sql);
    let result = app.repair("all");
    assert_eq!(repaired(&result), expected, "{sql}");
    let left = result["left"].as_array().unwrap();
    assert!(left.iter().all(|each| each["code"] == "untyped-rows"), "{sql}: {result}");
    assert_eq!(app.verify()["findings"], json!([]), "{sql}");
    app.sync();
    assert_eq!(codes(&app.verify()["findings"]), json!([]), "{sql}");
    assert_consistent(&app.host);
    assert_eq!(rowtide_testkit::invariants::dump(&app.host), before, "{sql}");
    assert_eq!(app.host.value("SELECT count(*) FROM ps_updated_rows"), 0, "{sql}");
}

#[test]
fn every_kind_of_damage_is_repaired() {
    let row = |subject: &str| json!([["row-differs", subject]]);
    assert_repaired("UPDATE ps_data__lists SET data = '{}' WHERE id = '1'", row("lists/1"));
    assert_repaired("DELETE FROM ps_data__lists WHERE id = '2'", row("lists/2"));
    assert_repaired("INSERT INTO ps_data__lists(id, data) VALUES ('3', '{}')", row("lists/3"));
    assert_repaired("DELETE FROM ps_untyped", row("other/1"));
    assert_repaired("INSERT INTO ps_untyped VALUES ('another', '/', '{}')", row("another//"));
    let bucket = |code: &str| json!([[code, "a"]]);
    assert_repaired("UPDATE ps_buckets SET op_checksum = 5 WHERE name = 'a'", bucket("checksum-mismatch"));
    let first = "(SELECT min(id) FROM ps_operations)";
    assert_repaired(&format!("UPDATE ps_operations SET hash = 5 WHERE id = {first}"), bucket("checksum-mismatch"));
    assert_repaired(&format!("UPDATE ps_operations SET data = '[]' WHERE id = {first}"), bucket("operations-invalid"));
    assert_repaired("REPLACE INTO ps_data__lists(id, data) VALUES ('1', '{}')", bucket("operations-invalid"));
    let entry = "operation = (SELECT min(operation) FROM ps_row_operations)";
    assert_repaired(&format!("DELETE FROM ps_row_operations WHERE {entry}"), bucket("operations-invalid"));
    assert_repaired(&format!("DELETE FROM ps_operations WHERE id = {first}"), bucket("checksum-mismatch"));
}

#[test]
fn orphans_of_every_internal_table_are_deleted() {
    for (table, sql) in ORPHANS {
        assert_repaired(sql, json!([["orphaned-entries", table]]));
    }
}

#[test]
fn rows_of_a_dropped_bucket_stay_until_the_new_download_is_published() {
    let app = App::synced();
    let rows = || app.host.table("SELECT id, data FROM ps_data__lists ORDER BY id");
    let before = rows();
    app.host.execute("DELETE FROM ps_operations WHERE row_type = 'lists'");
    app.repair("all");
    assert_eq!(app.host.value("SELECT count(*) FROM ps_buckets"), 0);
    assert_eq!(rows(), before);
    let start = app.host.control("start", ());
    assert_eq!(rows(), before);
    app.download(&start);
    assert_eq!(rows(), before);
    assert_consistent(&app.host);
}

#[test]
fn rows_with_local_writes_are_not_overwritten() {
    let app = App::synced();
    app.host.execute("UPDATE lists SET name = 'mine' WHERE id = '1'; UPDATE direct SET name = 'mine'");
    app.host.execute("DELETE FROM ps_data__lists WHERE id = '2'");
    let queue = app.host.table("SELECT * FROM ps_crud");
    assert_eq!(repaired(&app.repair("all")), json!([["row-differs", "lists/2"]]));
    assert_eq!(app.host.table("SELECT name FROM lists ORDER BY id"), json!([["mine"], ["two of b"]]));
    assert_eq!(app.host.table("SELECT name FROM direct"), json!([["mine"], ["mine"]]));
    assert_eq!(app.host.table("SELECT * FROM ps_crud"), queue);
}

#[test]
fn the_queue_rejected_uploads_and_local_only_tables_are_not_touched() {
    let app = App::synced();
    app.host.execute("INSERT INTO notes(id, text) VALUES ('n', 'x'); INSERT INTO ps_crud(data, tx_id) VALUES ('{', 1)");
    app.host.execute("INSERT INTO ps_rejected VALUES (1, 1, 1, '{', NULL, NULL, NULL)");
    let result = app.repair("queue-entry-invalid");
    assert_eq!(result["repaired"], json!([]));
    let left = &result["left"][0];
    assert_eq!(json!([left["code"], left["subject"]]), json!(["queue-entry-invalid", "1"]));
    assert!(left["why"].as_str() > Some("") && left["remedy"].as_str().unwrap().contains("powersync_crud_reject(1"));
    app.repair("all");
    let counts =
        "SELECT (SELECT count(*) FROM ps_crud), (SELECT count(*) FROM ps_rejected), (SELECT count(*) FROM notes)";
    assert_eq!(app.host.table(counts), json!([[1, 1, 1]]));
}

#[test]
fn views_and_triggers_are_made_again() {
    let schema = super::app::schema();
    let damages = [
        ("DROP VIEW lists", json!(["lists", "ps_view_insert_lists", "ps_view_update_lists", "ps_view_delete_lists"])),
        ("DROP TRIGGER ps_view_update_lists", json!(["ps_view_update_lists"])),
        ("DROP TRIGGER ps_view_insert_direct", json!(["ps_view_insert_direct"])),
    ];
    for (sql, subjects) in damages {
        let mut app = App::synced();
        let objects = |app: &App| app.host.table("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2");
        let before = objects(&app);
        app.host.execute(sql);
        let found = problems(&diagnose(&app.host));
        let expected: Vec<Value> =
            subjects.as_array().unwrap().iter().map(|each| json!(["schema-differs", each])).collect();
        let differences = found.as_array().unwrap().iter().filter(|each| each[0] == "schema-differs");
        assert_eq!(differences.cloned().collect::<Value>(), json!(expected), "{sql}");
        assert_eq!(repaired(&app.repair("schema-differs")), json!(expected), "{sql}");
        assert_eq!(objects(&app), before, "{sql}");
        assert_consistent(&app.host);
        // A connection without the schema can say so of views, but not how they have to be.
        app.host.execute(sql);
        app.reopen();
        let result = app.repair("schema-differs");
        assert_eq!(result["repaired"], json!([]), "{sql}");
        let is_view = !sql.contains("direct");
        assert_eq!(result["left"].as_array().unwrap().len(), usize::from(is_view), "{sql}: {result}");
        app.host.replace_schema(&schema);
        assert_eq!(objects(&app), before, "{sql}");
    }
}

#[test]
fn a_view_changed_by_hand_is_made_again() {
    let app = App::synced();
    app.host.execute(
        "DROP VIEW lists;
         CREATE VIEW \"lists\"(\"id\", \"name\") AS SELECT id, 'x' FROM \"ps_data__lists\" -- powersync-auto-generated",
    );
    let found = problems(&diagnose(&app.host));
    assert!(found.as_array().unwrap().contains(&json!(["schema-differs", "lists"])), "{found}");
    app.repair("schema-differs");
    assert_eq!(app.host.value("SELECT name FROM lists WHERE id = '2'"), "two of b");
}

#[test]
fn request_ids_that_are_none_are_no_longer_stored() {
    let app = App::synced();
    for key in ["target", "last_seen", "last_applied", "last_requested"] {
        for value in ["-1", "'x'", "''", "1.5", "'9223372036854775808'", "x'00'"] {
            let key = format!("{key}_checkpoint_request_id");
            app.host.execute(&format!("INSERT OR REPLACE INTO ps_kv VALUES ('{key}', {value})"));
            let found = problems(&diagnose(&app.host));
            assert!(found.as_array().unwrap().contains(&json!(["stored-data-invalid", key])), "{key} {value}: {found}");
            assert_eq!(repaired(&app.repair("stored-data-invalid")), json!([["stored-data-invalid", key]]));
            let expected = if key.starts_with("target") { json!(i64::MAX) } else { Value::Null };
            assert_eq!(app.host.value(&format!("SELECT (SELECT value FROM ps_kv WHERE key = '{key}')")), expected);
            app.host.execute("DELETE FROM ps_kv WHERE key GLOB '*request_id'");
        }
    }
    for value in ["1", "'1'", "2.0", "'9223372036854775807'", "NULL"] {
        app.host.execute(&format!("INSERT OR REPLACE INTO ps_kv VALUES ('last_seen_checkpoint_request_id', {value})"));
        assert!(!problems(&diagnose(&app.host)).to_string().contains("stored-data-invalid"), "{value}");
    }
    app.host.execute("DELETE FROM ps_kv WHERE key = 'client_id'");
    let left = app.repair("stored-data-invalid");
    assert_eq!(json!([left["repaired"], left["left"][0]["subject"]]), json!([[], "client_id"]));
}

#[test]
fn one_finding_can_be_meant() {
    let app = App::synced();
    app.host.execute("DELETE FROM ps_data__lists; UPDATE ps_buckets SET op_checksum = 5 WHERE name = 'b'");
    let meant = "SELECT powersync_repair('row-differs', 'lists/2')";
    let result = app.host.transaction(meant, []);
    assert_eq!(result[0][0], r#"{"repaired":[{"code":"row-differs","subject":"lists/2"}],"left":[]}"#);
    let expected = json!([["checksum-mismatch", "b"], ["row-differs", "lists/1"]]);
    assert_eq!(codes(&app.verify()["findings"]), expected);
    assert_eq!(app.host.transaction(meant, [])[0][0], NOTHING);
}

#[test]
fn what_cannot_be_repaired_is_left_and_keeps_nothing_else() {
    let app = App::synced();
    app.host.execute(
        "CREATE TRIGGER mine BEFORE INSERT ON ps_data__lists WHEN NEW.id = '1' BEGIN SELECT RAISE(ABORT, 'not this one'); END;
         DELETE FROM ps_data__lists",
    );
    let result = app.repair("row-differs");
    assert_eq!(repaired(&result), json!([["row-differs", "lists/2"]]));
    assert_eq!(result["left"][0]["subject"], "lists/1");
    assert!(result["left"][0]["why"].as_str().unwrap().contains("not this one"), "{result}");
}

#[test]
fn a_repair_is_undone_as_a_whole() {
    let app = App::synced();
    app.host.execute("DELETE FROM ps_data__lists; UPDATE ps_buckets SET op_checksum = 5 WHERE name = 'b'");
    let before = app.verify();
    app.host.execute("BEGIN");
    app.host.value("SELECT powersync_repair('all')");
    app.host.execute("ROLLBACK");
    assert_eq!(app.verify(), before);
    // An error that is not about what is repaired.
    app.host.execute("BEGIN; PRAGMA query_only = ON");
    assert_eq!(app.host.error("SELECT powersync_repair('all')").code, 8);
    app.host.execute("PRAGMA query_only = OFF; COMMIT");
    assert_eq!(app.verify(), before);
}

#[test]
fn iterations_of_all_connections_end_if_anything_was_repaired() {
    let app = App::synced();
    let other = app.reopened(rusqlite::OpenFlags::default());
    for host in [&app.host, &other] {
        host.control("start", ());
    }
    assert_eq!(app.repair("row-differs")["repaired"], json!([]));
    assert!(!app.host.control("connection", "established").to_string().contains("CloseSyncStream"));
    app.host.execute("DELETE FROM ps_data__lists");
    app.repair("row-differs");
    for host in [&app.host, &other] {
        let last = host.line(&app.service.checkpoint());
        assert!(last.to_string().contains("CloseSyncStream"), "{last}");
    }
}

#[test]
fn wrong_calls_are_errors() {
    let app = App::new();
    assert_eq!(app.host.error("SELECT powersync_repair('all')").code, 21, "outside of a transaction");
    app.host.execute("BEGIN");
    for arguments in ["NULL", "'row-differ'", "'row-differs', 1", "''", "'row-differs all'"] {
        assert_eq!(app.host.error(&format!("SELECT powersync_repair({arguments})")).code, 3091, "{arguments}");
    }
    app.host.execute("COMMIT");
    let empty = rowtide_testkit::Host::open_in_memory();
    empty.execute("BEGIN");
    assert!(empty.error("SELECT powersync_repair('all')").message.contains("There are no internal tables"));
}

#[test]
fn it_is_refused_while_rows_are_published() {
    let schema = json!({"tables": [], "raw_tables": [{"name": "r", "put": {"sql":
        "INSERT INTO seen SELECT powersync_repair('all') WHERE ? <> ''", "params": ["Id"]}}]});
    let mut session = Session::with_tables("CREATE TABLE seen(x)", &schema);
    session.put("r", "1", "{}");
    let error = session.sync_error();
    assert!(error.message.contains("while downloaded rows are being published"), "{error}");
    drop(verify(&session.host));
}
