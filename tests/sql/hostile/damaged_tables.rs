//! Internal tables in which something lost, doubled or overwrote a row: errors may come of it, but a new iteration or a
//! clear repairs what it can, and nothing stays broken for ever.

use rowtide_testkit::host::HostError;
use rowtide_testkit::session::Session;
use rowtide_testkit::{Host, service::Service};
use serde_json::{Value, json};

use crate::migrations::stored_format::migrate;

const CORRUPT: i32 = 11;

fn session() -> Session {
    let schema = json!({ "tables": [{ "name": "lists", "columns": [{ "name": "name", "type": "text" }] }] });
    Session::with_schema(&schema)
}

/// Syncs one more row after a new start.
fn assert_syncs(session: &mut Session) {
    session.host.control("start", ());
    session.put("lists", "l1", "{\"name\":\"one\"}");
    let published = session.sync();
    assert!(published.to_string().contains("DidCompleteSync"), "{published}");
    assert_eq!(session.host.table("SELECT id, name FROM lists"), json!([["l1", "one"]]));
}

#[test]
fn a_lost_checkpoint_row_is_made_again() {
    let mut session = session();
    session.host.execute("DELETE FROM ps_checkpoint");
    assert_syncs(&mut session);
}

#[test]
fn a_generation_at_the_end_of_its_range_goes_on() {
    let mut session = session();
    session.host.execute("UPDATE ps_checkpoint SET generation = 9223372036854775807");
    assert_syncs(&mut session);
    session.host.execute("UPDATE ps_checkpoint SET generation = -9223372036854775808");
    assert_syncs(&mut session);
}

#[test]
fn a_clear_makes_a_lost_client_id_again_and_keeps_one_that_is_there() {
    let mut session = session();
    let client_id = session.host.value("SELECT powersync_client_id()");
    session.host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(session.host.value("SELECT powersync_client_id()"), client_id);
    for value in ["NULL", "x'ff'", "x'61'", "''", "5", "CAST(x'ff' AS TEXT)"] {
        session.host.execute(&format!("UPDATE ps_kv SET value = {value} WHERE key = 'client_id'"));
        assert_client_id_is_made_again(&session.host, value);
    }
    session.host.execute("DELETE FROM ps_kv");
    assert_client_id_is_made_again(&session.host, "nothing");
    assert_syncs(&mut session);
}

fn assert_client_id_is_made_again(host: &Host, damage: &str) {
    let error = host.try_control("start", ()).expect_err(damage);
    let expected = if damage.contains("AS TEXT") { CORRUPT } else { 4 };
    assert_eq!(
        (error.code, host.error("SELECT powersync_client_id()").code),
        (expected, expected),
        "{damage}: {error}"
    );
    host.transaction("SELECT powersync_clear(0)", []);
    host.control("start", ());
    let new = host.value("SELECT powersync_client_id()");
    assert!(new.as_str().is_some_and(|id| id.len() == 36), "{damage}: {new}");
}

/// What is changed, and how the error about it says where that is.
const FATAL: &[(&str, &str)] = &[
    ("UPDATE ps_buckets SET name = CAST(x'ff' AS TEXT)", "column name holds text that is not valid UTF-8"),
    ("UPDATE ps_buckets SET id = 500000000", "ps_buckets, bucket a: id is 500000000"),
    ("UPDATE ps_buckets SET id = -3", "ps_buckets, bucket a: id is -3"),
    ("UPDATE ps_buckets SET settled = -1", "ps_buckets, bucket a: settled is -1"),
    ("UPDATE ps_buckets SET settled = 1 << 40", "ps_buckets, bucket a: settled is 1099511627776"),
    ("UPDATE ps_checkpoint SET region = 128", "ps_checkpoint: region is 128"),
    ("UPDATE ps_checkpoint SET region = -1", "ps_checkpoint: region is -1"),
    ("UPDATE ps_operations SET row_type = CAST(x'ff' AS TEXT)", "column row_type holds text that is not valid UTF-8"),
    ("UPDATE ps_operations SET row_id = CAST(x'ff' AS TEXT)", "column row_id holds text that is not valid UTF-8"),
    ("UPDATE ps_operations SET subkey = CAST(x'ff' AS TEXT)", "column subkey holds text that is not valid UTF-8"),
    (
        "UPDATE ps_operations SET data = CAST(x'ff' AS TEXT);
         INSERT OR IGNORE INTO ps_row_operations SELECT row_type, row_id, id FROM ps_operations
            WHERE id & 17179869183 <= (SELECT settled FROM ps_buckets WHERE ps_buckets.id = ps_operations.id >> 34)",
        "column data holds text that is not valid UTF-8",
    ),
    (
        "INSERT INTO ps_updated_rows(row_type, row_id) VALUES ('lists', CAST(x'ff' AS TEXT))",
        "column row_id holds text that is not",
    ),
    ("INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', 'abc')", "ps_kv: target_checkpoint_request_id"),
    ("INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', -5)", "ps_kv: target_checkpoint_request_id"),
    ("INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', 1.5)", "ps_kv: target_checkpoint_request_id"),
    ("INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', x'35')", "ps_kv: target_checkpoint_request_id"),
    (
        "INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', 5), ('last_seen_checkpoint_request_id', '9a')",
        "ps_kv: last_seen_checkpoint_request_id",
    ),
];

/// What can be passed over.
const HARMLESS: &[&str] = &[
    "UPDATE ps_buckets SET count_at_last = -50, count_since_last = -9223372036854775808",
    "UPDATE ps_buckets SET count_at_last = 9223372036854775807, count_since_last = 9223372036854775807",
    "UPDATE ps_buckets SET downloaded_size = -1, last_applied_op = -5",
    "UPDATE ps_operations SET op_id = -4, hash = 1 << 50, removed = 0",
    "UPDATE ps_row_operations SET row_id = CAST(x'ff' AS TEXT)",
    "UPDATE ps_row_operations SET operation = -8",
    "INSERT INTO ps_updated_rows(row_type, row_id) VALUES (NULL, NULL), ('lists', NULL), (NULL, 'l1')",
    "INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', NULL)",
    "INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', 5.0), ('last_seen_checkpoint_request_id', '5')",
    "UPDATE ps_checkpoint SET region_size = -1, last_op = -1",
    "INSERT INTO ps_sync_state VALUES (-7, -7), (99, 0)",
    "UPDATE ps_schema SET fingerprint = x'00', schema_version = -1",
    "INSERT INTO ps_crud(data, tx_id) VALUES (CAST(x'ff' AS TEXT), 'x'); DELETE FROM ps_crud",
    "DELETE FROM ps_tx",
    "UPDATE ps_stream_subscriptions SET local_priority = -7, ttl = -5, last_synced_at = -6",
];

/// A client with a row and a subscription: synced, or with the row downloaded and not yet published.
fn client(is_published: bool) -> (Host, Service) {
    let Session { host, mut service, .. } = session();
    host.control("subscriptions", json!({"subscribe": {"stream": {"name": "s", "params": {"a": 1}}}}));
    service.put("a", "lists", "l1", &json!({"name": "one"}));
    let lines = service.lines(0);
    let end = if is_published { 3 } else { 2 };
    lines[..end].iter().for_each(|line| drop(host.line(line)));
    (host, service)
}

/// Calls what reads internal tables, and syncs. Errors that come of it are given.
fn use_everything(host: &Host, service: &Service) -> Vec<HostError> {
    let mut results = vec![
        host.try_rows("SELECT json(powersync_offline_sync_status())", []).map(|_| ()),
        host.try_rows("SELECT powersync_last_synced_at()", []).map(|_| ()),
        host.try_control("target_checkpoint_request_id", ()).map(|_| ()),
        host.try_control("current_checkpoint_request_id", ()).map(|_| ()),
        host.try_control("start", ()).map(|_| ()),
    ];
    let lines = service.lines(0);
    results.extend(lines.iter().map(|line| host.try_control("line_text", line.to_string()).map(|_| ())));
    results.into_iter().filter_map(Result::err).collect()
}

fn lists(host: &Host) -> Value {
    host.table("SELECT id, name FROM lists ORDER BY id")
}

/// After a clear everything must work, whatever was damaged.
fn assert_clear_repairs(host: &Host, service: &Service, damage: &str) {
    host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(use_everything(host, service), [], "{damage}");
    assert_eq!(lists(host), json!([["l1", "two"]]), "{damage}");
    host.execute("INSERT INTO lists(id, name) VALUES ('local', 'x')");
}

#[test]
fn damage_is_reported_with_its_place_and_repaired_by_a_clear() {
    for (damage, place) in FATAL {
        let mut is_noticed = false;
        for is_published in [false, true] {
            let (host, mut service) = client(is_published);
            host.execute(damage);
            service.put("a", "lists", "l1", &json!({"name": "two"}));
            for error in use_everything(&host, &service) {
                if !error.message.contains("No iteration is active") {
                    assert_eq!(error.code, CORRUPT, "{damage}: {error}");
                    let message = format!("invalid local data: {place}");
                    assert!(error.message.contains(&message), "{damage}: {error}");
                    is_noticed = true;
                }
            }
            assert_clear_repairs(&host, &service, damage);
        }
        assert!(is_noticed, "{damage}");
    }
}

#[test]
fn damage_that_can_be_passed_over_stops_nothing() {
    for damage in HARMLESS {
        for is_published in [false, true] {
            let (host, mut service) = client(is_published);
            host.execute(damage);
            let status = host.value("SELECT powersync_offline_sync_status()");
            let status: Value = serde_json::from_str(status.as_str().unwrap()).unwrap();
            let priorities = status["priority_status"].as_array().unwrap();
            assert!(priorities.iter().all(|of| of["priority"] == 2_147_483_647), "{damage}: {status}");
            service.put("a", "lists", "l1", &json!({"name": "two"}));
            assert_eq!(use_everything(&host, &service), [], "{damage}");
            assert_eq!(lists(&host), json!([["l1", "two"]]), "{damage}");
            assert_clear_repairs(&host, &service, damage);
        }
    }
}

#[test]
fn a_damaged_subscription_is_removed_by_the_next_start_with_a_warning() {
    for (column, value) in [
        ("local_params", "'{bad'"),
        ("local_params", "''"),
        ("local_params", "'NaN'"),
        ("local_params", "CAST(x'7bff7d' AS TEXT)"),
        ("stream_name", "CAST(x'ff' AS TEXT)"),
    ] {
        let (host, service) = client(true);
        host.control("subscriptions", json!({"subscribe": {"stream": {"name": "kept", "params": null}}}));
        host.execute(&format!("UPDATE ps_stream_subscriptions SET {column} = {value} WHERE stream_name = 's'"));
        // Between a start and the next, the damage is an error.
        for error in [
            host.error("SELECT powersync_offline_sync_status()"),
            host.control_error("line_text", service.lines(0)[0].to_string()),
        ] {
            assert_eq!(error.code, CORRUPT, "{error}");
            let names_it = error.message.contains(column) && error.message.contains("ps_stream_subscriptions, id 1");
            assert!(error.message.contains("invalid local data: ") && names_it, "{error}");
        }
        let started = host.control("start", ());
        let warning = &started[0]["LogLine"];
        assert_eq!(warning["severity"], "WARNING", "{started}");
        assert!(warning["line"].as_str().unwrap().contains("ps_stream_subscriptions, id 1"), "{started}");
        assert_eq!(started[2]["EstablishSyncStream"]["request"]["streams"]["subscriptions"][0]["stream"], "kept");
        assert_eq!(host.table("SELECT stream_name FROM ps_stream_subscriptions"), json!([["kept"]]));
        assert!(!host.control("start", ()).to_string().contains("LogLine"));
        assert_eq!(use_everything(&host, &service), []);
    }
}

#[test]
fn a_damaged_request_id_can_be_replaced() {
    for (value, operation, expected) in [("'abc'", 7, json!(7)), ("x'00'", 0, Value::Null)] {
        let (host, service) = client(true);
        host.execute(&format!("INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', {value})"));
        let error = host.control_error("target_checkpoint_request_id", ());
        assert_eq!(error.code, CORRUPT, "{error}");
        assert_eq!(host.control("target_checkpoint_request_id", operation), Value::Null, "there was no known one");
        assert_eq!(host.control("target_checkpoint_request_id", ()), expected);
        assert_eq!(use_everything(&host, &service), []);
    }
}

#[test]
fn row_data_that_is_no_object_is_shown_as_an_empty_one() {
    for value in ["''", "'garbage'", "'{\"name\":'", "'[{}]'", "'\"{}\"'"] {
        let (host, service) = client(false);
        host.execute(&format!("UPDATE ps_operations SET data = {value}"));
        assert_eq!(use_everything(&host, &service), [], "{value}");
        assert_eq!(lists(&host), json!([["l1", null]]), "{value}");
    }
}

#[test]
fn damaged_rows_of_unknown_types_are_published_again_when_the_type_is_known() {
    for is_direct in [false, true] {
        for value in ["NULL", "'garbage'", "'[]'", "CAST(x'ff' AS TEXT)"] {
            let (host, mut service) = client(true);
            service.put("a", "unknown", "u1", &json!({"name": "first"}));
            service.put("a", "unknown", "u2", &json!({"name": "second"}));
            assert_eq!(use_everything(&host, &service), []);
            host.execute(&format!("UPDATE ps_untyped SET data = {value} WHERE id = 'u1'"));
            let columns = json!([{ "name": "name", "type": "text" }]);
            let table = json!({ "name": "unknown", "columns": columns, "direct": is_direct });
            host.replace_schema(&json!({ "tables": [table] }));
            let rows = host.table("SELECT id, name FROM unknown ORDER BY id");
            assert_eq!(rows, json!([["u1", null], ["u2", "second"]]), "{value}");
            assert_eq!(host.table("SELECT id FROM ps_untyped WHERE type = 'unknown'"), json!([]));
            assert_eq!(use_everything(&host, &service), []);
            let rows = host.table("SELECT id, name FROM unknown ORDER BY id");
            assert_eq!(rows, json!([["u1", "first"], ["u2", "second"]]), "{value}");
        }
    }
}

#[test]
fn unreadable_ways_back_from_a_format_are_named() {
    for value in ["'garbage'", "'[{]'", "CAST(x'ff' AS TEXT)"] {
        let (host, _) = client(true);
        host.execute(&format!("INSERT INTO ps_migration VALUES (5000, {value})"));
        let error = host.try_transaction("SELECT powersync_init()", []).unwrap_err();
        assert_eq!(error.code, CORRUPT, "{error}");
        assert!(error.message.contains("ps_migration.down_migrations of id 5000"), "{error}");
    }
}

#[test]
fn objects_of_the_application_may_hold_text_in_any_encoding() {
    let host = Host::open_in_memory();
    host.execute(
        "CREATE TABLE app(a DEFAULT '#'); CREATE TABLE ps_data_app(id, data DEFAULT '#');
         CREATE TABLE ps_data__x(id, data DEFAULT '#'); CREATE VIEW v AS SELECT '#' -- powersync-auto-generated
         ; CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN SELECT '#'; END",
    );
    host.execute("PRAGMA writable_schema = ON");
    host.execute("UPDATE sqlite_schema SET sql = CAST(replace(CAST(sql AS BLOB), '#', x'e9') AS TEXT)");
    let latin1 = "SELECT count(*) FROM sqlite_schema WHERE instr(CAST(sql AS BLOB), x'e9')";
    host.execute("PRAGMA writable_schema = RESET");
    assert_eq!(host.value(latin1), 5);
    let schema = json!({ "tables": [{ "name": "lists", "columns": [{ "name": "name", "type": "text" }] }] });
    host.replace_schema(&schema);
    host.replace_schema(&json!({ "tables": [] }));
    host.replace_schema(&schema);
    host.transaction("SELECT powersync_clear(1)", []);
    migrate(&host, 4);
    host.replace_schema(&schema);
    // Format 4 has the gate closed.
    host.execute("DELETE FROM ps_kv WHERE key = 'target_checkpoint_request_id'");
    assert_eq!(host.value(latin1), 5);
    let mut session = Session::start(host, &json!({}));
    session.put("x", "1", "{}");
    assert_syncs(&mut session);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_untyped WHERE type = 'x'"), 1);
}
