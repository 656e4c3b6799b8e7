//! Row data that SQLite cannot read, stored by a published version: readable after the migration, and reported as on
//! download (docs/reliability.md#traps, trap 5).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use serde_json::{Value, json};

use crate::migrations::own_format::{Stored, published};
use crate::migrations::stored_format::{NEWEST, PUBLISHED, migrate};

/// Data, and what of it can be published.
const UNREADABLE: [(&str, &str); 6] = [
    ("text", "no JSON"),
    ("array", "[1]"),
    ("null", "null"),
    ("cut", r#"{"x":"a"#),
    ("json5", "{x:'a'}"),
    ("nul", "{}\0"),
];

fn schema() -> Value {
    json!({"tables": [{"name": "lists", "columns": [{"name": "x", "type": "text"}]}]})
}

/// A file of the published format whose rows of `lists` were published, and one of `other` that the schema does not have.
fn with_unreadable_rows() -> Host {
    let row = |op_id, row_type, id, data| -> Stored<'_> { (1, op_id, Some(row_type), Some(id), None, data, op_id) };
    let mut operations: Vec<_> =
        UNREADABLE.iter().zip(1..).map(|((id, data), op_id)| row(op_id, "lists", *id, *data)).collect();
    operations.extend([
        row(50, "lists", "good", r#"{"x":"good"}"#),
        row(51, "lists", "infinite", r#"{"x":Infinity}"#),
        row(52, "other", "o", "no JSON"),
        row(2000, "lists", "pending", "no JSON"),
    ]);
    let host = published(&[(1, 1000)], &operations);
    host.execute(
        "CREATE TABLE \"ps_data__lists\"(id TEXT PRIMARY KEY NOT NULL, data TEXT);
         INSERT INTO ps_data__lists SELECT row_id, data FROM ps_oplog WHERE row_type = 'lists' AND op_id < 1000;
         INSERT INTO ps_data__lists VALUES ('written', '{\"x\":\"local\"}');
         INSERT INTO ps_updated_rows VALUES ('lists', 'written');
         INSERT INTO ps_untyped SELECT row_type, row_id, data FROM ps_oplog WHERE row_type = 'other'",
    );
    host
}

fn warnings(instructions: &Value) -> Vec<String> {
    let lines = instructions.as_array().unwrap().iter().filter_map(|instruction| instruction.get("LogLine"));
    let warnings = lines.filter(|line| line["severity"] == "WARNING");
    warnings.map(|line| line["line"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_readable(host: &Host) {
    host.replace_schema(&schema());
    let mut expected: Vec<Value> = UNREADABLE.iter().map(|(id, _)| json!([id, null])).collect();
    expected.extend([json!(["good", "good"]), json!(["infinite", null]), json!(["written", "local"])]);
    expected.sort_by_key(Value::to_string);
    assert_eq!(host.table("SELECT id, x FROM lists ORDER BY id"), json!(expected));
    assert_eq!(host.table("SELECT type, id, data FROM ps_untyped"), json!([["other", "o", "{}"]]));
    assert_eq!(host.value("SELECT count(*) FROM ps_operations WHERE json_type(data) <> 'object'"), 0);
}

#[test]
fn rows_are_readable_after_the_migration_and_reported_by_the_next_iteration() {
    for first in [PUBLISHED, 1001] {
        let host = with_unreadable_rows();
        let sums = "SELECT add_checksum + op_checksum FROM ps_buckets";
        let before = host.value(sums);
        migrate(&host, first);
        assert_readable(&host);
        assert_eq!(host.value(sums), before);
        let reported = warnings(&host.control("start", ()));
        assert_eq!(reported.len(), UNREADABLE.len() + 2, "{reported:?}");
        for (id, op_id) in [("text", 1), ("cut", 4), ("pending", 2000)] {
            let start = format!("Operation {op_id} of bucket bucket 1 for lists {id} cannot be published as it is: ");
            assert!(reported.iter().any(|line| line.starts_with(&start)), "{reported:?}");
        }
        assert!(!reported.iter().any(|line| line.contains("infinite")), "{reported:?}");
        host.control("stop", ());
        assert_eq!(warnings(&host.control("start", ())), [""; 0], "reported once");
        assert_consistent(&host);
    }
}

#[test]
fn a_start_that_is_rolled_back_reports_again() {
    let host = with_unreadable_rows();
    host.initialize();
    host.execute("BEGIN");
    let first = host.try_control_within("start", ()).unwrap();
    host.execute("ROLLBACK");
    assert_eq!(warnings(&host.control("start", ())), warnings(&first));
}

#[test]
fn triggers_of_the_application_take_it_for_a_download() {
    let host = with_unreadable_rows();
    host.execute(
        "CREATE TABLE log(id, in_sync);
         CREATE TRIGGER t AFTER UPDATE ON ps_data__lists
         BEGIN INSERT INTO log VALUES (NEW.id, powersync_in_sync_operation()); END",
    );
    host.initialize();
    assert_eq!(host.table("SELECT in_sync, count(*) FROM log GROUP BY 1"), json!([[1, UNREADABLE.len() + 1]]));
    assert_eq!(host.value("SELECT count(*) FROM log WHERE id IN ('good', 'written')"), 0);
}

#[test]
fn raw_tables_get_readable_data_with_the_next_checkpoint() {
    let host = with_unreadable_rows();
    host.execute("CREATE TABLE raw(id TEXT PRIMARY KEY, data); INSERT INTO raw VALUES ('o', 'no JSON')");
    let put = json!({"sql": "INSERT OR REPLACE INTO raw VALUES (?, ?)", "params": ["Id", "Row"]});
    let delete = json!({"sql": "DELETE FROM raw WHERE id = ?", "params": ["Id"]});
    let mut schema = schema();
    schema["raw_tables"] = json!([{"name": "other", "put": put, "delete": delete}]);
    host.replace_schema(&schema);
    host.control("start", ());
    let checksum = host.value("SELECT (add_checksum + op_checksum) & 4294967295 FROM ps_buckets");
    let buckets = json!([{"bucket": "bucket 1", "checksum": checksum, "priority": 3}]);
    host.line(&json!({"checkpoint": {"last_op_id": "2000", "buckets": buckets}}));
    let completed = host.line(&json!({"checkpoint_complete": {"last_op_id": "2000"}}));
    assert!(completed.to_string().contains("DidCompleteSync"), "{completed}");
    assert_eq!(host.table("SELECT * FROM raw"), json!([["o", "{}"]]));
}

#[test]
fn only_the_first_are_named() {
    let host = Host::open_in_memory();
    migrate(&host, PUBLISHED);
    host.execute(
        "INSERT INTO ps_buckets(id, name, last_op) VALUES (1, 'b', 1000);
         INSERT INTO ps_oplog(bucket, op_id, row_type, row_id, data, hash)
         SELECT 1, value, 't', value, 'no JSON', 0 FROM json_each('[' || substr(replace(hex(zeroblob(150)), '00', ',1'), 2) || ']')",
    );
    host.execute("UPDATE ps_oplog SET op_id = rowid, row_id = 'r' || rowid");
    host.initialize();
    let reported = warnings(&host.control("start", ()));
    assert_eq!(reported.len(), 101);
    assert_eq!(reported[100], "50 more operations cannot be published as they are");
    host.control("stop", ());
    migrate(&host, PUBLISHED);
    migrate(&host, NEWEST);
    assert_eq!(warnings(&host.control("start", ())), [""; 0]);
}

#[test]
fn going_down_forgets_what_was_to_be_reported() {
    let host = with_unreadable_rows();
    // These operations have no readable keys either, which is not forgotten.
    let keys = |host: &Host| host.table("SELECT * FROM ps_kv WHERE key <> 'powersync_unknown_subkeys'");
    let before = keys(&host);
    host.initialize();
    migrate(&host, PUBLISHED);
    assert_eq!(keys(&host), before);
}
